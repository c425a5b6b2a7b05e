"""`solvency`: invariants 1 to 3 as numbers."""

from __future__ import annotations

import boa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.world import UNIT, WAD

from .hall import MARKETS, Hall


def identities(hall: Hall, accounts: list[int]) -> None:
    """Invariant 1 with the sum over accounts that no contract can take."""
    report = hall.lens.solvency()
    assert report.surplus >= 0
    cash = sum(hall.lens.account(a).cash for a in accounts)
    z = dict.fromkeys(MARKETS, 0)
    ended = 0
    for account in accounts:
        for market in hall.lens.account(account).markets:
            position = hall.lens.position(account, market)
            if position.epoch == hall.lens.market(market)[0 if position.scaled > 0 else 1].epoch:
                z[market] += position.z
            else:
                ended += position.base
    claims = sum(row.claims_long + row.claims_short - z[row.market] for row in report.markets)
    held = report.tokens + report.deficit
    dust = held - cash - claims - ended - report.fees - report.interest
    assert dust >= -len(report.markets), "each side's claims are rounded up"
    assert abs(dust - report.dust) <= 4 * (len(report.markets) + len(accounts))
    for row in report.markets:
        assert row.dust >= 0
        assert row.gap == row.short_size - row.long_size >= 0


def test_solvency__empty(hall: Hall) -> None:
    report = hall.lens.solvency()
    assert report.markets == []
    assert report.tokens == 10**9 * WAD
    assert (report.surplus, report.deficit, report.dust) == (0, 0, 0)


def test_solvency__donation__surplus_only(hall: Hall) -> None:
    hall.token.mint(hall.ledger.address, 7 * UNIT)
    report = hall.lens.solvency()
    assert (report.surplus, report.tokens) == (7 * WAD, 10**9 * WAD)


def test_solvency__socialised_deficit__shown(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 15_000 * WAD)
    hall.liquidator.resolve(account)
    report = hall.lens.solvency()
    assert report.deficit > 0
    identities(hall, [hall.maker, account])


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(data=st.data())
def test_solvency__random_play__identities(hall: Hall, data: st.DataObject) -> None:
    with boa.env.anchor():
        accounts = [hall.trader(c) for c in (2_000, 20_000, 200_000)]
        for _ in range(data.draw(st.integers(1, 8))):
            market = data.draw(st.integers(0, 3))
            account = data.draw(st.sampled_from(accounts))
            other = data.draw(st.sampled_from([*accounts, hall.maker]))
            is_buy = data.draw(st.booleans())
            most = hall.lens.max_trade(account, market, is_buy, hall.mark(market), False)
            size = most * data.draw(st.integers(1, 10**6)) // 10**6
            if account != other and size:
                signed = size if is_buy else -size
                hall.attempt(account, other, market, signed, hall.mark(market), False)
            move = data.draw(st.integers(950_000, 1_050_000))
            hall.set_price(market, hall.mark(market) * move // 10**6)
            if hall.liquidator.state(account) >= 3:
                hall.liquidator.resolve(account)
            identities(hall, [*accounts, hall.maker])
