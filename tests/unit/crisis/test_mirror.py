"""The mirror follows events: against the twin, and against a chain that takes too much."""

import pytest

from oracle.engine import positions
from oracle.engine.positions import FLAT, NEW_MARKET
from oracle.engine.units import RAY, WAD
from scripts.crisis_parts import outcome
from scripts.crisis_parts.mirror import Mirror
from scripts.demo_parts.contracts import Happened

ENTRY, MARK = 100 * WAD, 80 * WAD
SIZES = {0: 9, 1: -6, 2: -4, 3: 1}  # two longs against two shorts
CASH = 100 * WAD
RING = 5  # account of the backstop vault's ring, without a position


@pytest.fixture
def mirror():
    """Four accounts as they were opened at 100."""
    found = Mirror([7, 8, 9, 6, RING], [0] * 5, 50_000, {0: NEW_MARKET})
    market, held = NEW_MARKET, {}
    for i, size in SIZES.items():
        change = positions.change(FLAT, market, {}, size * WAD, ENTRY)
        market, held[i] = change.market, change.position
    found.markets[0] = market
    for i in SIZES:
        found._put(i, CASH, held[i])
    found._put(4, CASH, FLAT)
    found.brought = [CASH] * 5
    return found


def _happened(name, **values):
    return Happened("ledger", name, values, 300)


def _resolve(mirror, greed=0):
    """The long is closed at 80: it owned 100 and lost 180. `greed`: taken beside the charge."""
    market, deficit = mirror.markets[0], 80 * WAD
    closed = positions.close_out(mirror.held[0], market, {}, MARK)
    after, _ = positions.cut(closed.market, 9 * WAD, deficit, MARK, is_long=False)
    side = after.short
    events = [
        _happened("ClosedAtMark", account=7, market=0, size=9 * WAD, realised=closed.realised),
        _happened(
            "Deleveraged",
            market=0,
            is_long=False,
            size=9 * WAD,
            charge=deficit,
            scale=side.scale,
            credit=side.credit - greed * RAY // (10 * WAD),
        ),
        _happened("LegResolved", account=7, market=0, size=9 * WAD, deficit=deficit),
        _happened("WrittenOff", account=7, forgiven=deficit),
        _happened(
            "AccountResolved",
            account=7,
            cash=-deficit,
            reward=0,
            deficit=deficit,
            insured=0,
            charged=deficit,
            socialised=0,
        ),
    ]
    mirror.look({0: MARK})
    for event in events:
        mirror.apply(event, {0: MARK})


def test_look__is_the_exact_equity(mirror):
    found = mirror.look({0: MARK})
    assert [mirror.equity_of(i, MARK) for i in range(5)] == [
        -80 * WAD,
        220 * WAD,
        180 * WAD,
        80 * WAD,
        100 * WAD,
    ]
    assert list(found.equity) == pytest.approx([-80, 220, 180, 80, 100])
    assert list(found.mm) == pytest.approx([36, 24, 16, 4, 0])


def test_resolution__takes_the_charge_by_size(mirror):
    _resolve(mirror)
    totals = mirror.totals
    assert totals.charged == 80 * WAD
    assert totals.overshoot == 0
    assert 0 <= totals.dust <= totals.dust_bound < 10**12
    assert mirror.loss_of(1) == pytest.approx(48 * WAD, rel=1e-9)
    assert mirror.loss_of(2) == pytest.approx(32 * WAD, rel=1e-9)
    assert mirror.loss_of(1) + mirror.loss_of(2) <= totals.taken
    assert list(mirror.winners) == [False, True, True, False, False]
    assert list(mirror.touched) == [False, True, True, False, False]
    assert mirror.equity_of(0, MARK) == 0
    assert mirror.equity_of(1, MARK) == pytest.approx(172 * WAD, rel=1e-9)


def _hand_over(mirror, price, insured, reward=0):
    """The ring takes the long at a price, unpaid; the rest of its deficit is charged, no size."""
    market = mirror.markets[0]
    given = positions.change(mirror.held[0], market, {}, -9 * WAD, price)
    taken = positions.change(FLAT, given.market, {}, 9 * WAD, price)
    deficit = reward - (CASH + given.realised)
    charge = deficit - insured
    after, _ = positions.cut(taken.market, 0, charge, price, is_long=False)
    words = {"scale": after.short.scale, "credit": after.short.credit}
    leg = {"account": 7, "market": 0, "size": 9 * WAD}
    mirror.look({0: price})
    for event in (
        _happened("TakenOver", **leg, taker=RING, price=price, fee=0, payment=0),
        _happened("Deleveraged", market=0, is_long=False, size=0, charge=charge, **words),
        _happened("LegResolved", **leg, deficit=deficit),
        _happened("WrittenOff", account=7, forgiven=deficit),
        _happened(
            "AccountResolved",
            account=7,
            cash=-deficit,
            reward=reward,
            deficit=deficit,
            insured=insured,
            charged=charge,
            socialised=0,
        ),
    ):
        mirror.apply(event, {0: price})
    assert mirror.markets[0].long == after.long
    assert mirror.markets[0].short == after.short


def test_take_over__by_the_ring__charges_the_rest_and_closes_nothing(mirror):
    # The long lost 180 of 100 at 80: 30 are insured, 50 charged to shorts of 6 and 4.
    _hand_over(mirror, MARK, insured=30 * WAD)
    assert mirror.totals.charged == 50 * WAD
    assert mirror.totals.closed == mirror.totals.overshoot == 0
    assert mirror.loss_of(1) == pytest.approx(30 * WAD, rel=1e-9)
    assert mirror.loss_of(2) == pytest.approx(20 * WAD, rel=1e-9)
    assert mirror.equity_of(0, MARK) == 0
    assert mirror.equity_of(4, MARK) == 100 * WAD  # at the mark the position is worth nothing
    assert mirror.equity_of(4, 70 * WAD) == 10 * WAD
    assert mirror.resolved[0][1].adds_up


def test_take_over__with_a_reward__the_deficit_is_larger_by_it(mirror):
    _hand_over(mirror, MARK, insured=30 * WAD, reward=2 * WAD)
    assert mirror.resolved[0][1].deficit == 82 * WAD
    assert mirror.equity_of(0, MARK) == 0


def test_payment__of_a_take_over__is_moved(mirror):
    mirror.apply(_happened("Transferred", account=6, to=RING, amount=3 * WAD), {0: MARK})
    assert mirror.equity_of(3, MARK) == 77 * WAD
    assert mirror.equity_of(4, MARK) == 103 * WAD
    assert mirror.brought[3:] == [97 * WAD, 103 * WAD]


def test_take_over__of_a_ring_that_was_charged__only_what_it_held_since(mirror):
    """The ring comes to a side after a charge: what was taken before was not taken from it."""
    _resolve(mirror)
    lost = mirror.loss_of(1)
    size = mirror.markets[0]
    left = positions.held(mirror.held[1], size, {}).size
    leg = {"account": 8, "market": 0, "size": left}
    mirror.apply(_happened("TakenOver", **leg, taker=RING, price=MARK, fee=0, payment=0), {0: MARK})
    assert mirror.loss_of(1) == lost
    assert mirror.loss_of(4) == 0
    assert mirror.held[1] == FLAT
    assert not mirror.held[4].is_long


def test_resolution__price_moves__are_no_losses(mirror):
    _resolve(mirror)
    before = [mirror.loss_of(i) for i in range(4)]
    for price in (40, 300):
        mirror.look({0: price * WAD})
        assert [mirror.loss_of(i) for i in range(4)] == before


def test_resolution__that_takes_more__is_seen(mirror):
    _resolve(mirror, greed=WAD // 1_000)
    assert mirror.totals.overshoot == pytest.approx(WAD // 1_000, rel=1e-6)


GOOD = dict.fromkeys(
    (
        "overshoot_wei",
        "conservation_error_wei",
        "charge_error_wei",
        "insurance_error_wei",
        "identity_errors",
        "equity_mismatches",
        "unresolved",
        "account_losses_error_wei",
        "charge_dust_wei",
        "accounts",
        "own_accounts",
        "deleveragings",
    ),
    0,
) | {"solvency": {"lens_difference_wei": 0, "disagreements": []}}


def test_problems__of_a_good_report__are_none():
    assert outcome.problems(GOOD) == []


@pytest.mark.parametrize(
    "bad",
    [{key: 2} for key in list(GOOD)[:8]]
    + [
        {"account_losses_error_wei": -1},
        {"charge_dust_wei": -1},
        {"solvency": {"lens_difference_wei": 1, "disagreements": []}},
        {"solvency": {"lens_difference_wei": 0, "disagreements": ["the longs"]}},
    ],
)
def test_problems__each_of_them__is_told(bad):
    assert len(outcome.problems(GOOD | bad)) == 1
