"""Plimsoll's rule in closed form, beside the queue on the same markets."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from oracle.crisis.accounts import split
from oracle.crisis.prorata import pro_rata
from oracle.crisis.queue import Settlement, ranked_queue
from oracle.engine.units import WAD
from tests.unit.crisis.markets import FALL, MARK, crises, long, short


def test_pro_rata__charges_everyone_by_size_and_the_deficit_exactly():
    # Of 15 short, 10 are closed: two thirds of each. D = 100 is 100/15 a unit.
    result = pro_rata(FALL, MARK)
    assert [size * 3 // WAD for size in result.closed] == [0, 0, 16 - 1, 8, 6]  # 16/3 rounded down
    assert sum(result.closed) == 10 * WAD
    assert [loss * 15 // WAD for loss in result.losses] == [0, 0, 800 - 1, 400, 300]
    assert result.loss == result.deficit == 100 * WAD
    assert (result.overshoot, result.insolvency_left) == (0, 0)
    assert (result.touched, result.winners, result.touched_share) == (3, 3, 1_000_000)


def test_pro_rata__later_price__forgoes_the_move_on_the_bankrupt_size_only():
    # 100 charged and 10 a unit on 10: necessary, for those 10 have no other side any more.
    result = pro_rata(FALL, MARK, later=70 * WAD)
    assert result.loss == result.necessary == 200 * WAD
    assert result.overshoot == 0


def test_pro_rata__largest_loss__is_below_the_queues():
    # 100·8/15 = 53.3 against 80 and 160.
    largest = pro_rata(FALL, MARK).largest_loss
    assert largest == 100 * 8 * WAD // 15
    assert largest < ranked_queue(FALL, MARK, Settlement.BANKRUPTCY).largest_loss


def test_pro_rata__winners_own_too_little__the_overdraft_stays_open():
    # As in the queue's test: 490 charged to an account that owns 55.
    result = pro_rata([long(10, 100, 10), short(10, 55, 5)], 50 * WAD)
    assert result.insolvency_left == 435 * WAD


def test_pro_rata__fewer_winners_than_bankrupt_size__closes_all_and_charges_all():
    result = pro_rata([FALL[0], FALL[3]], MARK)
    assert result.closed == (0, 4 * WAD)
    assert result.loss == 100 * WAD


def test_pro_rata__no_winner__leaves_everything_open():
    assert pro_rata(FALL[:2], MARK).insolvency_left == 100 * WAD


def test_pro_rata__price_rises__longs_are_charged():
    result = pro_rata([short(2, 100, 20), long(2, 100, 300)], 120 * WAD)
    assert result.losses == (0, 20 * WAD)


def test_pro_rata__too_small_to_be_cut__is_charged_and_counts_as_touched():
    # A tenth of one wei is no wei to close, but at just under 4 USD a unit the charge is 3 wei.
    speck = replace(short(1, 100, 1), size=1)
    result = pro_rata([long(1, 100, 1), speck, short(10, 100, 1_000)], 59 * WAD)
    assert result.deficit == 40 * WAD
    assert (result.closed[1], result.losses[1], result.touched) == (0, 3, 2)


@given(crises())
def test_pro_rata__on_any_market__charges_exactly_the_deficit(crisis):
    accounts, mark, later = crisis
    result = pro_rata(accounts, mark, later)
    assert result.overshoot == 0
    assert result.loss == result.necessary == sum(result.losses)
    at_mark = pro_rata(accounts, mark)
    payable = at_mark.winners > 0
    bankrupt = [a for a in accounts if a.equity_at(mark) < 0]
    if payable and len({a.is_long for a in bankrupt}) == 1:
        assert at_mark.loss == at_mark.deficit
        solvent = [
            a for a in accounts if a.is_long != bankrupt[0].is_long and a.equity_at(mark) >= 0
        ]
        wanted = sum(a.size for a in bankrupt)
        assert sum(result.closed) == min(wanted, sum(a.size for a in solvent))
    for account, size in zip(accounts, result.closed, strict=True):
        assert 0 <= size <= account.size


@given(crises(), st.sampled_from(Settlement))
def test_pro_rata__beside_the_queue__same_deficit_same_winners(crisis, settlement):
    accounts, mark, later = crisis
    plimsoll = pro_rata(accounts, mark, later)
    queue = ranked_queue(accounts, mark, settlement, later, previous=accounts[0].entry)
    assert plimsoll.deficit == queue.deficit
    assert (plimsoll.bankrupt, plimsoll.winners) == (queue.bankrupt, queue.winners)


@given(
    st.integers(0, 10**40),
    st.lists(st.integers(0, 10**30), min_size=1).filter(any),
)
def test_split__adds_up_and_stays_within_a_unit(amount, weights):
    parts = split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)
