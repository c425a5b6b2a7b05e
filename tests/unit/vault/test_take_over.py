"""Step 2: the vault takes a book whole or not at all, and is paid min(E, 2/3 MM) by MM."""

from __future__ import annotations

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.liquidator.stage import AFTERMATH, UNKNOWN

from .rooms import MARK, SLACK, USD, WAD, Rooms

DUST = 10**12  # [USD wad] a deleveraging keeps 10^10 back for the gap of sizes (FORMULAS 1)
BACKSTOP = 925 * USD  # long 10 at 1,000 with 1,000: E = 250, MM = 462.5, 2/3 of it 308.33


# --- one leg -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("more", "taken"), [(-2, False), (-1, False), (0, True), (1, True)])
def test_room__initial_margin_to_the_wei(rooms: Rooms, side: int, more: int, taken: bool) -> None:
    """The ring needs IM and the slack with the payment; one wei less and the sides are cut."""
    stage = rooms.stage
    account = rooms.book({0: side * 10 * WAD}, 1_000)
    mark = MARK - side * 75 * USD
    stage.engine.set_mark(0, mark)
    equity, mm = stage.margin(account)
    assert (equity, mm) == (250 * USD, mark // 2)
    payment = rooms.payment(equity, mm)
    assert payment == 250 * USD - SLACK
    im = mark  # a tenth of 10
    ring = rooms.ring(0, im + SLACK - payment + more)
    before = stage.cash(ring)
    legs, whole = rooms.resolve(account)
    assert (legs[0].taken, whole.deficit) == (taken, 0)
    assert stage.size(account) == 0
    if taken:
        assert stage.size(ring) == side * 10 * WAD
        assert stage.cash(ring) == before + payment
        assert stage.cash(account) == SLACK
        assert stage.size(stage.maker) == -side * 10 * WAD
    else:
        assert stage.size(ring) == 0
        assert stage.cash(account) == 250 * USD
        assert stage.size(stage.maker) == 0
    assert 0 <= rooms.dust(account) < DUST


@pytest.mark.parametrize("side", [1, -1])
def test_payment__auction_over__two_thirds_of_mm_and_the_rest_is_the_traders(
    rooms: Rooms, side: int
) -> None:
    stage = rooms.stage
    account = rooms.book({0: side * 10 * WAD}, 1_000)
    mark = MARK - side * 60 * USD
    stage.engine.set_mark(0, mark)
    equity, mm = stage.margin(account)
    rooms.finish_auction(account)
    ring = rooms.ring(0, 10_000 * USD)
    rooms.resolve(account)
    payment = 2 * mm // 3
    assert stage.cash(ring) == 10_000 * USD + payment
    assert stage.cash(account) == equity - payment
    assert stage.liquidator.auction(account)[0] is False


@pytest.mark.parametrize("equity", [-2, -1, 0, 1, 2, SLACK - 1, SLACK, SLACK + 1, SLACK + 2])
def test_payment__e_around_nothing(rooms: Rooms, equity: int) -> None:
    """Below the slack nothing is paid; below nothing it is a deficit, and the vault takes all the
    same."""
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD}, 1_000)
    stage.engine.set_mark(0, 900 * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, MARK, 2)
    rooms.set_cash(account, 1_000 * USD + equity)
    ring = rooms.ring(0, 10_000 * USD)
    before = stage.margin(stage.maker, 1)[0]
    legs, whole = rooms.resolve(account)
    payment = max(0, equity - SLACK)
    assert legs[0].taken
    assert stage.cash(ring) == 10_000 * USD + payment
    assert stage.cash(account) == max(0, equity) - payment
    assert (whole.deficit, whole.charged) == (max(0, -equity), max(0, -equity))
    assert (whole.insured, whole.socialised) == (0, 0)
    charged = before - stage.margin(stage.maker, 1)[0]
    assert max(0, -equity) <= charged <= max(0, -equity) + DUST
    assert stage.size(stage.maker) == -10 * WAD, "charged without closing"


@pytest.mark.parametrize(("more", "taken"), [(-1, False), (0, True)])
def test_ring__gone_below_zero__nets_only_what_pays_its_hole(
    rooms: Rooms, more: int, taken: bool
) -> None:
    stage = rooms.stage
    ring = rooms.ring(0, 2_000 * USD)
    stage.trade(stage.taker, stage.maker, -10 * WAD)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(stage.taker, ring, 0, -10 * WAD, MARK, 0)
    account = rooms.book({0: 10 * WAD}, 1_000)
    stage.engine.set_mark(0, BACKSTOP)
    hole = rooms.payment(*stage.margin(account)) - SLACK - more
    rooms.set_cash(ring, -10 * 75 * USD - hole)
    assert stage.margin(ring, 1)[0] == -hole < 0
    legs, _ = rooms.resolve(account)
    assert legs[0].taken is taken
    assert not taken or stage.margin(ring, 1)[0] == SLACK


@pytest.mark.parametrize("equity", [0, 1, 2])
def test_ring__of_nothing__nets_a_book_of_the_other_side_whole(rooms: Rooms, equity: int) -> None:
    stage = rooms.stage
    ring = rooms.ring(0, 2_000 * USD)
    stage.trade(stage.taker, stage.maker, -10 * WAD)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(stage.taker, ring, 0, -10 * WAD, MARK, 0)
    account = rooms.book({0: 10 * WAD}, 1_000)
    stage.engine.set_mark(0, BACKSTOP)
    rooms.set_cash(ring, -10 * 75 * USD + equity)
    payment = rooms.payment(*stage.margin(account))
    legs, _ = rooms.resolve(account)
    assert legs[0].taken
    assert stage.size(ring) == 0
    assert stage.cash(ring) == equity + payment


@pytest.mark.parametrize("held", [4, 10, 15, -4, -10, -15])
@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("more", "taken"), [(-1, False), (0, True)])
def test_room__with_a_position_already(
    rooms: Rooms, held: int, side: int, more: int, taken: bool
) -> None:
    """What counts is the position after: larger, smaller, flat or flipped."""
    stage = rooms.stage
    ring = rooms.ring(0, 50_000 * USD)
    stage.trade(stage.taker, stage.maker, held * WAD)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(stage.taker, ring, 0, held * WAD, MARK, 0)
    account = rooms.book({0: side * 10 * WAD}, 1_000)
    mark = MARK - side * 75 * USD
    stage.engine.set_mark(0, mark)
    payment = rooms.payment(*stage.margin(account))
    after = held + side * 10
    im = abs(after) * mark // 10
    needed = im + SLACK - payment
    rooms.set_cash(ring, stage.cash(ring) + needed + more - stage.margin(ring, 1)[0])
    assert stage.margin(ring, 1)[0] == needed + more
    legs, _ = rooms.resolve(account)
    assert legs[0].taken is taken
    if taken:
        assert stage.size(ring) == after * WAD
        assert stage.margin(ring, 1)[0] == needed + more + payment
    else:
        assert stage.size(ring) in (held * WAD, 0) or held * side < 0
    assert 0 <= rooms.dust(account) < DUST


# --- whole books ---------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 8, 16])
def test_whole_book__both_directions__paid_by_mm(rooms: Rooms, count: int) -> None:
    stage = rooms.stage
    sizes = {m: (m + 1) * WAD * (1 if m % 2 == 0 else -1) for m in range(count)}
    total = sum(m + 1 for m in range(count))
    account = rooms.book(sizes, 195 * total)
    for market in range(count):
        stage.engine.set_mark(market, MARK - (1 if market % 2 == 0 else -1) * 170 * USD)
        rooms.ring(market, 10_000 * USD)
    equity, mm = stage.margin(account)
    assert 0 < equity < 2 * mm // 3
    book = stage.ledger.book(account)
    plan = stage.vault.plan(book.legs, equity, mm)
    due = rooms.payment(equity, mm)
    mms = {leg.market: stage.engine.assess(2, 0, 0, [leg], []).requirement for leg in book.legs}
    expected = [due * mms[leg.market] // mm for leg in book.legs[:-1]]
    expected.append(due - sum(expected))
    assert plan == expected
    resolved, whole = rooms.resolve(account)
    assert [leg.market for leg in resolved] == [leg.market for leg in book.legs]
    assert all(leg.taken for leg in resolved)
    for leg, paid in zip(book.legs, expected, strict=True):
        ring = rooms.rings[leg.market]
        assert stage.size(ring, leg.market) == sizes[leg.market]
        assert stage.cash(ring) == 10_000 * USD + paid
    assert whole.deficit == 0
    assert stage.cash(account) == SLACK
    assert stage.market_list(account) == 0
    assert 0 <= rooms.dust(account) < DUST


@pytest.mark.parametrize("lacking", range(3))
def test_whole_book__one_ring_lacks_a_wei__none_takes(rooms: Rooms, lacking: int) -> None:
    stage = rooms.stage
    account = rooms.book(dict.fromkeys(range(3), 10 * WAD), 3_000)
    for market in range(3):
        stage.engine.set_mark(market, 910 * USD)
    equity, mm = stage.margin(account)
    book = stage.ledger.book(account)
    for market in range(3):
        rooms.ring(market, 10_000 * USD)
    plan = dict(
        zip((leg.market for leg in book.legs), stage.vault.plan(book.legs, equity, mm), strict=True)
    )
    rooms.set_cash(rooms.rings[lacking], 910 * USD + SLACK - plan[lacking] - 1)
    assert stage.vault.plan(book.legs, equity, mm) == []
    legs, _ = rooms.resolve(account)
    assert not any(leg.taken for leg in legs)
    assert [stage.size(ring, m) for m, ring in enumerate(rooms.rings)] == [0, 0, 0]
    assert stage.cash(account) == equity


def test_whole_book__one_market_without_a_ring__none_takes(rooms: Rooms) -> None:
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD, 1: 10 * WAD}, 2_000)
    rooms.ring(0, 100_000 * USD)
    for market in range(2):
        stage.engine.set_mark(market, 910 * USD)
    legs, _ = rooms.resolve(account)
    assert not any(leg.taken for leg in legs)


# --- not the vault -------------------------------------------------------------------------------


def test_frozen_leg__not_the_vault(rooms: Rooms) -> None:
    stage = rooms.stage
    account = rooms.book({0: 10 * WAD, 1: WAD}, 1_500)
    for market in range(2):
        rooms.ring(market, 100_000 * USD)
    stage.engine.set_mark(0, 860 * USD)
    stage.set_market(1, state=UNKNOWN, pending=1_000 * USD)
    legs, _ = rooms.resolve(account)
    assert [(leg.market, leg.taken) for leg in legs] == [(0, False)]
    assert stage.size(account, 1) == WAD
    assert stage.size(rooms.rings[0]) == 0


def test_collateral_left__not_the_vault(rooms: Rooms) -> None:
    stage = rooms.stage
    account = rooms.book({}, 500)
    stage.deposit_weth(account, WAD)
    stage.trade(account, stage.maker, 10 * WAD)
    rooms.ring(0, 100_000 * USD)
    stage.set_market(0, mark=960 * USD, mm=500_000)
    legs, _ = rooms.resolve(account)
    assert not legs[0].taken
    assert stage.weth_of(account) == WAD


@pytest.mark.parametrize("gap", [75, 150])
def test_ring_itself__in_the_backstop__is_deleveraged(rooms: Rooms, gap: int) -> None:
    """Its loss is its own; below zero it is charged as anybody's."""
    stage = rooms.stage
    ring = rooms.ring(0, 10_000 * USD)
    rooms.ring(1, 100_000 * USD)
    stage.trade(stage.taker, stage.maker, 10 * WAD)
    with boa.env.prank(stage.liquidator.address):
        stage.ledger.take_over(stage.taker, ring, 0, 10 * WAD, MARK, 0)
    rooms.set_cash(ring, 1_000 * USD)
    assets = stage.vault.totalAssets()
    stage.engine.set_mark(0, MARK - gap * USD)
    stage.engine.set_state(0, AFTERMATH)
    stage.engine.set_reference(0, MARK, 2)
    legs, whole = rooms.resolve(ring)
    assert not legs[0].taken
    assert stage.size(ring) == 0
    left = 1_000 - 10 * gap
    assert stage.cash(ring) == max(0, left) * USD
    assert whole.deficit == whole.charged == max(0, -left) * USD
    assert stage.vault.totalAssets() == assets - min(1_000, 10 * gap) * 10**6


# --- any book ------------------------------------------------------------------------------------


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_book__conserves_and_rings_keep_initial_margin(
    rooms: Rooms, data: st.DataObject
) -> None:
    with boa.env.anchor():
        rooms.rings.clear()
        stage = rooms.stage
        count = data.draw(st.integers(1, 4))
        sizes = {
            m: data.draw(st.integers(WAD // 10, 20 * WAD)) * data.draw(st.sampled_from([1, -1]))
            for m in range(count)
        }
        account = rooms.book(sizes, 8_000)
        for market in range(count):
            rooms.ring(market, data.draw(st.integers(0, 4_000 * USD)))
            rooms.bucket(market, data.draw(st.sampled_from([0, 1, 100 * USD, 10**24])))
            stage.engine.set_mark(market, data.draw(st.integers(600 * USD, 1_600 * USD)))
            if data.draw(st.booleans()):
                stage.engine.set_state(market, AFTERMATH)
                stage.engine.set_reference(
                    market, data.draw(st.integers(600 * USD, 1_600 * USD)), 2
                )
        target = data.draw(st.integers(-3_000 * USD, 100 * USD))
        rooms.set_cash(account, stage.cash(account) + target - stage.margin(account)[0])
        if stage.state(account) < 3:
            return
        dust = rooms.dust(account)
        held, before = stage.custody.totals().insurance, stage.custody.totals().deficit
        was = {ring: stage.margin(ring, 1)[0] for ring in rooms.rings}
        buckets = [stage.fund.bucket_of(m) for m in range(count)]
        plan = stage.vault.plan(stage.ledger.book(account).legs, *stage.margin(account))
        legs, whole = rooms.resolve(account)
        assert all(leg.taken == bool(plan) for leg in legs)
        assert whole.deficit == max(0, -target)
        assert whole.deficit == whole.insured + whole.charged + whole.socialised
        for leg in legs:
            assert leg.deficit >= leg.insured + leg.charged
            assert leg.charged <= leg.loss
            assert leg.insured == min(leg.deficit, buckets[leg.market])
            assert stage.fund.bucket_of(leg.market) == buckets[leg.market] - leg.insured
        assert sum(leg.deficit for leg in legs) in (0, whole.deficit)
        totals = stage.custody.totals()
        assert held - totals.insurance == whole.insured
        assert totals.deficit - before == whole.socialised
        assert 0 <= rooms.dust(account) - dust < DUST
        if plan:
            for leg, paid in zip(legs, plan, strict=True):
                equity, im = stage.margin(rooms.rings[leg.market], 1)
                assert equity >= im
                assert 0 <= was[rooms.rings[leg.market]] + paid - equity <= 1
