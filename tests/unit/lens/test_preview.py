"""`preview_trade` says what the ledger does, and why it does not."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.world import ISOLATED, WAD
from tests.unit.engine import harness

from .hall import HARD, SOFT, Hall

RELAXED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # shrinking a failure takes minutes
)


def div_up(x: int, y: int) -> int:
    return -(-x // y)


def check(
    hall: Hall, account: int, market: int, size: int, price: int, is_maker: bool = False
) -> str:
    """Preview, trade against a flat counterparty, compare; returns the reason."""
    counterparty = hall.flat()
    preview = hall.lens.preview_trade(account, market, size, price, is_maker)
    fees = hall.lens.market(market).fees
    reason = hall.attempt(account, counterparty, market, size, price, is_maker)
    if reason == "reduce only" and hall.engine.quote(market).state & 7:
        return reason  # the counterparty may not open either
    assert preview.reason == reason
    assert preview.allowed == (reason == "")
    if preview.allowed:
        summary = hall.lens.account_summary(account)
        position = hall.lens.position(account, market)
        assert preview.size == position.size
        assert (preview.equity_im, preview.im) == (summary.equity_im, summary.im)
        assert (preview.equity, preview.mm) == (summary.equity, summary.mm)
        assert preview.state == summary.state == hall.liquidator.state(account)
        counter_fee = hall.lens.market(market).fees - fees - preview.fee
        rate = hall.engine.quote(market).maker_fee if is_maker else 500
        assert preview.fee == div_up(div_up(abs(size) * preview.price, WAD) * rate, 10**6)
        assert counter_fee > 0
    return reason


def test_preview__open__allowed(hall: Hall) -> None:
    assert check(hall, hall.trader(10_000), 0, WAD, hall.mark(0)) == ""


def test_preview__too_large__initial_margin(hall: Hall) -> None:
    assert check(hall, hall.trader(1_000), 0, 10 * WAD, hall.mark(0)) == "initial margin"


def test_preview__size_zero(hall: Hall) -> None:
    assert check(hall, hall.trader(1_000), 0, 0, hall.mark(0)) == "size"


@pytest.mark.parametrize(("off", "reason"), [(0, ""), (1, "price band"), (-1, "")])
def test_preview__edge_of_the_band(hall: Hall, off: int, reason: str) -> None:
    price = hall.mark(0) * 105 // 100 + off
    assert check(hall, hall.trader(100_000), 0, WAD, price) == reason


def test_preview__dust__below_minimum(hall: Hall) -> None:
    account = hall.trader(100_000)
    assert check(hall, account, 0, 10**15 - 1, hall.mark(0)) == "below minimum"
    hall.buy(account, WAD)
    for left in (1, 999, 10**15 - 1):
        assert check(hall, account, 0, -WAD + left, hall.mark(0)) == "below minimum"
    for left in (0, 10**15):
        assert check(hall, account, 0, -WAD + left, hall.mark(0)) == ""


def test_preview__above_the_last_bound(hall: Hall) -> None:
    account = hall.trader(900_000_000)
    assert check(hall, account, 0, 501 * WAD, hall.mark(0)) == "above last bound"


def test_preview__unopened_account(hall: Hall) -> None:
    assert hall.lens.preview_trade(12345 << 96, 0, WAD, hall.mark(0), False).reason == "not opened"


def test_preview__isolated_second_market(hall: Hall) -> None:
    account = hall.trader(100_000, ISOLATED)
    hall.buy(account, WAD)
    assert check(hall, account, 1, WAD, hall.mark(1)) == "isolated"
    assert check(hall, account, 0, WAD, hall.mark(0)) == ""


def test_preview__reduce_only_market(hall: Hall) -> None:
    account = hall.trader(100_000)
    hall.buy(account, WAD)
    with hall.system.as_guardian():
        hall.engine.set_reduce_only(0, True)
    assert check(hall, account, 0, WAD, hall.mark(0)) == "reduce only"
    counterparty = hall.trader(100_000)
    assert hall.lens.preview_trade(account, 0, -WAD, hall.mark(0), False).allowed
    assert hall.attempt(account, counterparty, 0, -WAD, hall.mark(0), False) == "reduce only", (
        "the flat counterparty may not open"
    )


def test_preview__old_price__only_reduces(hall: Hall) -> None:
    account = hall.trader(100_000)
    hall.system.wait(121)
    assert check(hall, account, 0, WAD, hall.mark(0)) == "reduce only"


def test_preview__settling_elsewhere(hall: Hall) -> None:
    account = hall.trader(100_000)
    hall.buy(account, WAD, market=1)
    with boa.env.prank(hall.liquidator.address):
        hall.engine.begin_aftermath(1)
    assert check(hall, account, 0, WAD, hall.mark(0)) == "settling"


@pytest.mark.parametrize("is_maker", [True, False])
@pytest.mark.parametrize("size", [WAD, -WAD])
@pytest.mark.parametrize("off", [-1, 0, 1])
def test_preview__settling__limit_for_the_mark(
    hall: Hall, is_maker: bool, size: int, off: int
) -> None:
    account = hall.trader(100_000)
    hall.buy(account, -size)
    with boa.env.prank(hall.liquidator.address):
        hall.engine.begin_aftermath(0)
    price = hall.mark(0) + off
    preview = hall.lens.preview_trade(account, 0, size, price, is_maker)
    # A counterparty that may trade while settling: one that reduces too.
    reason = hall.attempt(account, hall.maker, 0, size, price, is_maker)
    assert preview.reason == reason
    assert preview.price == hall.mark(0)


def test_preview__paused(hall: Hall) -> None:
    account = hall.trader(100_000)
    with hall.system.as_guardian():
        hall.engine.pause()
    assert check(hall, account, 0, WAD, hall.mark(0)) == "paused"


def test_preview__open_interest_cap(hall: Hall) -> None:
    hall.cap(1, 100_000, 200_000)
    account = hall.trader(900_000)
    assert check(hall, account, 1, 101 * WAD, hall.mark(1)) == "open interest"
    assert check(hall, account, 1, 100 * WAD, hall.mark(1)) == ""


def test_preview__called_account__may_reduce_not_worsen(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 19_750 * WAD)
    assert hall.lens.account_summary(account).state == 1
    assert check(hall, account, 0, -WAD, hall.mark(0)) == ""
    assert check(hall, account, 0, -WAD // 2, hall.mark(0) * 96 // 100) == "margin"


def test_preview__bankrupt_account(hall: Hall) -> None:
    account = hall.trader(1_000)
    hall.buy(account, 2 * WAD)
    hall.set_price(0, 19_000 * WAD)
    assert check(hall, account, 0, -WAD, hall.mark(0)) == "margin"


SIZES = st.sampled_from([10**14, 10**15, 10**17, WAD, 7 * WAD // 3, 40 * WAD, 3_000 * WAD])


@RELAXED
@given(data=st.data())
def test_preview__random_states__same_as_the_trade(hall: Hall, data: st.DataObject) -> None:
    """Positions, flips, cut sides, moved prices, caps, bands: reason and numbers to the wei."""
    with boa.env.anchor():
        if data.draw(st.booleans()):
            hall.cap(1, SOFT, HARD)
        account = hall.trader(data.draw(st.sampled_from([1_000, 50_000, 5_000_000])))
        for market in data.draw(st.sets(st.integers(0, 3), max_size=3)):
            size = data.draw(SIZES) * data.draw(st.sampled_from([1, -1]))
            hall.attempt(account, hall.maker, market, size, hall.mark(market), False)
        market = data.draw(st.integers(0, 2))
        for is_long in data.draw(st.lists(st.booleans(), max_size=2)):
            hall.buy(hall.flat(), 50 * WAD, market)  # so that something is left on both sides
            hall.cut(market, is_long)
        if data.draw(st.integers(0, 4)) == 0:
            with boa.env.prank(hall.liquidator.address):
                hall.engine.begin_aftermath(market)
        if data.draw(st.booleans()):
            mark = hall.mark(market)
            hall.set_price(market, mark * data.draw(st.integers(960_000, 1_040_000)) // 10**6)
        held = hall.lens.position(account, market).size
        size = data.draw(
            st.one_of(SIZES, st.just(abs(held)), st.just(abs(held) + 10**15))
        ) * data.draw(st.sampled_from([1, -1]))
        price = hall.mark(market) * data.draw(st.integers(945_000, 1_055_000)) // 10**6
        if abs(size) < 2 * 10**15 or abs(size) * price > 9_000_000 * WAD * WAD:
            return  # the flat counterparty could not open so little, or so much
        check(hall, account, market, size, price, data.draw(st.booleans()))


def test_preview__interest_on_negative_cash__counted(hall: Hall) -> None:
    """A preview a year later equals the trade a year later."""
    with boa.env.prank(hall.owner):
        hall.ledger.set_interest_rate(10**27 // 10 // (365 * 86_400))
    account = hall.trader(5_000)
    hall.buy(account, WAD)
    hall.buy(account, WAD, price=hall.mark(0) * 104 // 100)
    hall.set_price(0, 22_000 * WAD)
    hall.buy(account, -WAD // 2, price=hall.mark(0) * 96 // 100)
    hall.system.wait(100)
    assert check(hall, account, 0, -WAD // 4, hall.mark(0)) == ""


def test_summary__numbers_of_the_engine(hall: Hall) -> None:
    account = hall.trader(10_000)
    hall.buy(account, WAD)
    hall.buy(account, -WAD, market=1)
    hall.set_price(1, 1_950 * WAD)
    summary = hall.lens.account_summary(account)
    initial = hall.health(account, harness.INITIAL)
    maintenance = hall.health(account)
    assert (summary.equity_im, summary.im) == (initial.equity, initial.requirement)
    assert (summary.equity, summary.mm) == (maintenance.equity, maintenance.requirement)
    assert summary.equity == summary.cash + sum(leg.value for leg in summary.legs)
    assert [leg.size for leg in summary.legs] == [WAD, -WAD]
    assert summary.free == summary.equity_im - summary.im
    units = summary.withdrawable // 10**12
    with boa.env.anchor():
        hall.withdraw(account, units)
    with boa.reverts():
        hall.withdraw(account, units + 1)


def test_health__in_order_and_as_the_liquidator_says(hall: Hall) -> None:
    accounts = [hall.trader(1_000) for _ in range(4)]
    for account in accounts:
        hall.buy(account, 2 * WAD)
    for price, state in [(20_000, 0), (19_790, 1), (19_650, 2), (19_600, 3), (19_000, 4)]:
        hall.set_price(0, price * WAD)
        answers = hall.lens.health(accounts)
        assert [a.state for a in answers] == [state] * 4
        for account, answer in zip(accounts, answers, strict=True):
            health = hall.health(account)
            assert (answer.equity, answer.mm) == (health.equity, health.requirement)
            assert hall.liquidator.state(account) == answer.state
    hall.set_price(0, 19_650 * WAD)
    hall.liquidator.poke(accounts[0])
    hall.system.wait(540)
    assert hall.lens.health(accounts)[0].state == 2
    hall.system.wait(60)
    assert [a.state for a in hall.lens.health(accounts)] == [3, 2, 2, 2]
