"""`solvency`: invariants 1 to 3 as numbers."""

from __future__ import annotations

import boa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.world import UNIT, WAD, WAD_PER_UNIT

from .hall import MARKETS, Hall


def identities(hall: Hall, accounts: list[int]) -> None:
    """Invariant 1 with the sum over accounts that no contract can take."""
    report = hall.lens.solvency()
    apart = report.insurance + report.restored + report.waiting
    balance = hall.token.balanceOf(hall.custody.address) * WAD_PER_UNIT
    assert report.tokens + apart == balance
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
    assert (report.deficit, report.tickets, report.dust) == (0, 0, 0)
    assert (report.insurance, report.restored, report.waiting) == (0, 0, 0)


def test_solvency__donation__raises_t_only(hall: Hall) -> None:
    before = hall.lens.solvency()
    hall.token.mint(hall.ledger.address, 3 * UNIT)
    assert hall.lens.solvency() == before
    hall.token.mint(hall.custody.address, 7 * UNIT)
    report = hall.lens.solvency()
    assert report.tokens == before.tokens + 7 * WAD == (10**9 + 7) * WAD
    assert tuple(report)[1:] == tuple(before)[1:]


def test_solvency__held_apart__shown(hall: Hall) -> None:
    """Insurance, restored tickets and payments that wait are no part of T."""
    saver = hall.trader(1_000)
    hall.token.mint(hall.owner, 40 * UNIT)
    with boa.env.prank(hall.owner):
        hall.token.approve(hall.fund.address, 40 * UNIT)
        hall.fund.give(0, 40 * UNIT)
        hall.custody.set_outflow(255, 0, 3_600)
    hall.custody.release(255, hall.owner)
    hall.system.wait(3_600)
    hall.set_price(0, hall.mark(0))
    with hall.as_liquidator():
        hall.ledger.write_off(hall.trader(0), 0, 10**9 * WAD)
    hall.withdraw(saver, 1_000 * UNIT)
    issued = hall.lens.solvency()
    assert issued.tickets == hall.custody.ticket_of(saver)[0] > 0
    assert issued.waiting == 1_000 * WAD - issued.tickets
    assert issued.tokens == 10**9 * WAD + issued.tickets
    hall.buy(hall.trader(50_000), WAD)
    before = hall.lens.solvency()
    hall.ledger.sweep(0)
    report = hall.lens.solvency()
    income = before.fees * before.tokens // (before.tokens + before.deficit)
    deficit = before.deficit - (before.fees - income)
    assert income > 0 == report.fees
    assert (report.insurance, report.waiting) == (40 * WAD, issued.waiting)
    assert report.restored == income * before.tickets // (deficit + before.tickets) > 0
    assert report.tickets == before.tickets - report.restored
    assert report.deficit == deficit - (income - report.restored)
    assert report.tokens == before.tokens - report.restored


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
