"""The ranked queue along a path, worked by hand, and against the queue at one mark."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.crisis.population import Crowd, draw_accounts
from oracle.crisis.queue import Settlement, ranked_queue
from oracle.crisis.venue import RankedVenue, Rules
from oracle.engine.units import WAD
from tests.unit.crisis.markets import FALL, MARK, crises, long, short

RULES = Rules(mm_rate=50_000, duration=600, tail=600)


def _venue(accounts, settlement=Settlement.BANKRUPTCY, carry=True, rules=RULES, insurance=0):
    return RankedVenue(accounts, rules, settlement, carry=carry, insurance=insurance)


def test_step__one_fall__is_the_queue_at_that_mark():
    # Nobody of FALL is between 0 and 2/3·MM (at most 16 USD) at 80.
    venue = _venue(FALL)
    venue.step(300, MARK, 100 * WAD)
    result = ranked_queue(FALL, MARK, Settlement.BANKRUPTCY)
    tally = venue.tally
    assert (tally.deficit, tally.overshoot) == (result.deficit, result.overshoot)
    assert tally.bankrupt == {0}
    assert tally.winners == {2, 3, 4}
    assert tally.touched == {2, 4}
    assert tally.losses == {2: 80 * WAD, 4: 30 * WAD}
    assert tally.insolvency == 0


def test_step__whom_the_queue_closed__is_not_there_for_the_next_fall():
    # At 80 account 0 owns -100, account 1 owns 100; 10 are needed, so both shorts are taken whole.
    accounts = [long(10, 100, 100), long(5, 100, 200), short(8, 100, 80), short(7, 100, 200)]
    venue = _venue(accounts)
    venue.step(300, MARK, 100 * WAD)
    assert venue.tally.touched == {2, 3}
    venue.step(600, 50 * WAD, MARK)  # long 1 owns 200 - 250 = -50; no short is left
    assert venue.tally.bankrupt == {0, 1}
    assert venue.tally.deficit == 150 * WAD
    assert venue.tally.insolvency == 50 * WAD


def test_step__below_two_thirds_of_mm__is_closed_and_owes_nothing():
    # At 91 the long owns 10 of 910, MM is 45.5.
    accounts = [long(10, 100, 100), short(10, 100, 500)]
    venue = _venue(accounts)
    venue.step(300, 91 * WAD, 100 * WAD)
    assert venue.tally.closed == {0}
    assert venue.tally.touched == {1}
    assert venue.tally.winners == venue.tally.bankrupt == set()
    assert venue.tally.deficit == venue.tally.overshoot == 0
    assert venue.equity_at(50 * WAD) == [10 * WAD, 590 * WAD]  # nobody has a position any more


def test_step__below_mm__is_closed_when_its_auction_ran_out():
    # At 94 the long owns 40 of 940: below MM 47, above two thirds of it.
    accounts = [long(10, 100, 100), short(10, 100, 500)]
    venue = _venue(accounts)
    for time in (300, 600, 899):
        venue.step(time, 94 * WAD, 100 * WAD)
        assert not venue.tally.closed
    venue.step(900, 94 * WAD, 94 * WAD)
    assert venue.tally.closed == {0}


@pytest.mark.parametrize(("between", "closed"), [(95, {0}), (97, set())])
def test_step__an_auction__is_forgotten_at_five_quarters_of_mm(between, closed):
    # At 95 the long owns 50 of 950, above MM 47.5; at 97 it owns 70, above 5/4 of MM 48.5.
    venue = _venue([long(10, 100, 100), short(10, 100, 500)])
    for time, mark in ((300, 94), (600, between), (1_000, 94)):
        venue.step(time, mark * WAD, 100 * WAD)
    assert venue.tally.closed == closed


def test_step__the_border__is_decided_in_integers():
    # 3·E = 2·MM exactly, a case floats cannot be trusted with: not below two thirds.
    rules = Rules(mm_rate=300_000, duration=600, tail=600)
    border = [long(1, 100, 20), short(1, 100, 500)]
    venue = _venue(border, rules=rules)
    venue.step(300, 100 * WAD, 100 * WAD)
    assert not venue.tally.closed
    venue.step(301, 100 * WAD - 1, 100 * WAD)
    assert venue.tally.closed == {0}


def test_reduce__part__is_worth_the_same_less_the_cost():
    venue = _venue([long(10, 100, 100), short(10, 100, 500)])
    venue.reduce(0, 4 * WAD, 94 * WAD, 3 * WAD)
    assert venue.equity_at(94 * WAD) == [37 * WAD, 560 * WAD]
    assert venue.equity_at(93 * WAD) == [31 * WAD, 570 * WAD]  # 6 are left


def test_reduce__more_than_it_has__closes_it_at_its_part_of_the_cost():
    venue = _venue([long(10, 100, 100), short(10, 100, 500)])
    venue.reduce(0, 20 * WAD, 94 * WAD, 6 * WAD)
    assert venue.equity_at(50 * WAD)[0] == 37 * WAD


@pytest.mark.parametrize("settlement", list(Settlement))
def test_path__of_falls__books_what_is_taken(settlement):
    """E of everybody changes by nothing but price, charges and forgiven deficits."""
    rng = np.random.default_rng(5)
    accounts = draw_accounts(Crowd(), 60, 100 * WAD, "BTC", rng)
    venue = _venue(accounts, settlement)
    before = 100 * WAD
    for k, price in enumerate((99, 93, 88, 90, 80, 60)):
        mark = price * WAD
        owned, then = venue.equity_at(mark), dict(venue.tally.losses)
        venue.step(300 * (k + 1), mark, before)
        for i, equity in enumerate(venue.equity_at(mark)):
            lost = venue.tally.losses.get(i, 0) - then.get(i, 0)
            assert equity == max(0, owned[i] - lost)
        before = mark
    assert venue.tally.bankrupt
    assert venue.tally.deficit > 0


@given(crises(), st.sampled_from(list(Settlement)), st.booleans())
def test_step__ranking_only_the_front__is_ranking_all(crisis, settlement, carry):
    accounts, mark, _ = crisis
    before = accounts[0].entry
    venue = _venue(accounts, settlement, carry)
    venue.step(300, mark, before)
    tally = venue.tally
    full = ranked_queue(
        accounts, mark, settlement, previous=before, carry=carry, closing=tally.closed
    )
    if not tally.closed:
        assert full.bankrupt == 0
        return
    assert (tally.deficit, tally.overshoot) == (full.deficit, full.overshoot)
    assert tally.insolvency == full.insolvency_left
    assert len(tally.bankrupt) == full.bankrupt
    assert tally.losses == {i: full.losses[i] for i in tally.touched}
    assert tally.touched == {i for i, size in enumerate(full.closed) if size or full.losses[i]}


def test_insurance__pays_first__and_the_winners_the_rest():
    # Of FALL's deficit of 100, 40 are insured: winners lose 60, in the same proportion.
    venue, bare = _venue(FALL, insurance=40 * WAD), _venue(FALL)
    for each in (venue, bare):
        each.step(300, MARK, 100 * WAD)
    assert venue.tally.deficit == bare.tally.deficit
    assert venue.tally.insured == 40 * WAD
    assert bare.tally.insured == 0
    paid = venue.tally.deficit - 40 * WAD
    for j, loss in bare.tally.losses.items():
        assert venue.tally.losses[j] == pytest.approx(loss * paid / venue.tally.deficit, rel=1e-15)
    assert venue.tally.winners == bare.tally.winners


def test_insurance__of_two_falls__is_spent_once():
    accounts = [long(10, 100, 100), long(5, 100, 200), short(8, 100, 80), short(7, 100, 200)]
    venue = _venue(accounts, insurance=120 * WAD)
    venue.step(300, MARK, 100 * WAD)  # 100 are missing
    venue.step(600, 50 * WAD, MARK)  # 50, and nobody is left
    assert venue.tally.insured == 120 * WAD
    assert venue.tally.deficit == 150 * WAD
    assert venue.tally.insolvency == 30 * WAD


def test_hand_over__takes_the_whole_position_for_its_price():
    # At 91 the long owns 10 of 100.
    venue = _venue([long(10, 100, 100), short(10, 100, 500)])
    venue.hand_over(0, 91 * WAD, 4 * WAD)
    venue.step(300, 91 * WAD, 100 * WAD)
    assert venue.tally.closed == set()
    assert venue.equity_at(50 * WAD) == [6 * WAD, 1_000 * WAD]


def test_hand_over__of_who_cannot_pay__is_left_to_the_queue():
    venue = _venue([long(10, 100, 100), short(10, 100, 500)])
    venue.hand_over(0, 89 * WAD, 0)
    venue.step(300, 89 * WAD, 100 * WAD)
    assert venue.tally.bankrupt == {0}
