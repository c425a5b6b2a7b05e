"""The ranked queue on markets worked by hand, and what holds on every market."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.crisis.queue import Settlement, ranked_queue, score
from oracle.engine.units import WAD, Refused
from tests.unit.crisis.markets import FALL, MARK, crises, long, short


def _usd(values):
    return [value / WAD for value in values]


def test_score__is_profit_ratio_times_effective_leverage():
    assert score(FALL[2], MARK) == Fraction(8, 15)
    assert score(FALL[3], MARK) == Fraction(8, 35)
    assert score(FALL[4], MARK) == Fraction(3, 5)


def test_score__in_loss__divides_by_leverage():
    # Entered at 100, mark 80: -20 %, leverage 400/400 = 1. With 800 more, leverage 400/1200.
    assert score(FALL[1], MARK) == Fraction(-1, 5)
    assert score(long(5, 100, 1_300), MARK) == Fraction(-3, 5)


def test_queue__at_the_mark__takes_whole_positions_and_nobody_pays():
    # 10 are needed: 3 of account 4, then account 2, all 8 of it. D = 100 stays open.
    result = ranked_queue(FALL, MARK)
    assert _usd(result.closed) == [0, 0, 8, 0, 3]
    assert result.deficit == result.insolvency_left == 100 * WAD
    assert (result.bankrupt, result.winners, result.touched) == (1, 3, 2)
    assert result.touched_share == 666_666
    assert result.loss == result.overshoot == result.largest_loss == 0
    assert not result.is_solvent


def test_queue__at_the_mark_with_a_later_price__loses_the_move_on_what_was_taken():
    # 10 USD further down on 11: 110, of which the one beyond the bankrupt's 10 was needless.
    result = ranked_queue(FALL, MARK, later=70 * WAD)
    assert _usd(result.losses) == [0, 0, 80, 0, 30]
    assert (result.loss, result.necessary) == (110 * WAD, 100 * WAD)
    assert (result.overshoot, result.largest_loss) == (10 * WAD, 80 * WAD)


def test_queue__price_turns_back__is_no_gain():
    assert ranked_queue(FALL, MARK, later=95 * WAD) == ranked_queue(FALL, MARK)


def test_queue__at_the_bankruptcy_price__pays_the_deficit_and_the_excess():
    # 90 instead of 80, so 10 a unit: 3 of account 4 pay 30, 8 of account 2 pay 80; D is 100.
    result = ranked_queue(FALL, MARK, Settlement.BANKRUPTCY)
    assert _usd(result.losses) == [0, 0, 80, 0, 30]
    assert result.overshoot == 10 * WAD
    assert result.is_solvent


def test_queue__of_profits__takes_all_of_the_last_profit():
    # Account 4 gives 60, account 2 all its 160: 220 for a deficit of 100.
    result = ranked_queue(FALL, MARK, Settlement.PROFIT)
    assert _usd(result.losses) == [0, 0, 160, 0, 60]
    assert result.overshoot == 120 * WAD
    assert result.is_solvent


def test_queue__at_the_previous_mark__gives_up_the_whole_move():
    # 95 instead of 80, 15 a unit: 3·15 and 8·15. The bankrupt's 10 bring 150: 100 for the deficit,
    # and 50 are handed to the bankrupt, who had 50 at 95. 1·15 were for nobody.
    result = ranked_queue(FALL, MARK, Settlement.PREVIOUS, previous=95 * WAD)
    assert _usd(result.losses) == [0, 0, 120, 0, 45]
    assert (result.necessary, result.overshoot) == (100 * WAD, 65 * WAD)
    assert result.is_solvent


def test_queue__bankrupt_at_the_previous_mark_already__leaves_the_rest():
    # 85, 5 a unit: the bankrupt's 10 bring 50 of 100, one unit more brings 5.
    result = ranked_queue(FALL, MARK, Settlement.PREVIOUS, previous=85 * WAD)
    assert (result.necessary, result.overshoot) == (50 * WAD, 5 * WAD)
    assert result.insolvency_left == 50 * WAD


@pytest.mark.parametrize("previous", [None, 0, -1])
def test_queue__no_previous_mark__is_refused(previous):
    with pytest.raises(Refused, match="previous out of range"):
        ranked_queue(FALL, MARK, Settlement.PREVIOUS, previous=previous)


def test_queue__of_profits__met_exactly__takes_no_more():
    # With 140 the bankrupt lacks 60, which is account 4's profit.
    result = ranked_queue([long(10, 100, 140), *FALL[1:]], MARK, Settlement.PROFIT)
    assert _usd(result.losses) == [0, 0, 0, 0, 60]
    assert (result.touched, result.overshoot) == (1, 0)


def test_queue__of_profits__an_account_without_profit_is_spared():
    result = ranked_queue([FALL[0], short(10, 80, 100)], MARK, Settlement.PROFIT)
    assert (result.winners, result.touched) == (1, 0)
    assert result.insolvency_left == 100 * WAD


def test_queue__previous_mark__longs_give_up_a_rise_and_nobody_a_fall():
    # Shorts fail at 120; the long of 3 is closed at 105, at 15 less a unit: 45, needed were 20.
    accounts = [short(2, 100, 20), long(3, 100, 300)]
    result = ranked_queue(accounts, 120 * WAD, Settlement.PREVIOUS, previous=105 * WAD)
    assert (result.loss, result.overshoot) == (45 * WAD, 25 * WAD)
    result = ranked_queue(accounts, 120 * WAD, Settlement.PREVIOUS, previous=130 * WAD)
    assert (result.loss, result.insolvency_left) == (0, 20 * WAD)


def test_queue__too_few_winners_and_a_later_price__nothing_was_needless():
    # All 4 of the winner had to go: 10 a unit.
    result = ranked_queue([FALL[0], FALL[3]], MARK, later=70 * WAD)
    assert result.loss == result.necessary == 40 * WAD
    assert result.overshoot == 0


# At 80: account 0 lacks 20 on 2 (10 a unit), account 1 lacks 10 on 2 (5 a unit).
# Account 3 has the score 0.2·400/150 = 8/15, account 4 less: 0.2·240/360.
TWO = [long(2, 100, 20), long(2, 100, 30), long(4, 100, 400), short(5, 100, 50), short(3, 100, 300)]


def test_queue__carrying__one_position_serves_both_and_one_unit_is_needless():
    # 2·10 + 2·5 + 1·5
    result = ranked_queue(TWO, MARK, Settlement.BANKRUPTCY)
    assert _usd(result.losses) == [0, 0, 0, 35, 0]
    assert result.overshoot == 5 * WAD


def test_queue__each_bankruptcy_for_itself__takes_a_position_each():
    # All 5 of account 3 at 10; then all 3 of account 4 at 5. Needed were 30.
    result = ranked_queue(TWO, MARK, Settlement.BANKRUPTCY, carry=False)
    assert _usd(result.losses) == [0, 0, 0, 50, 15]
    assert result.overshoot == 35 * WAD


def test_queue__too_few_winners__leaves_the_rest_of_the_deficit():
    # 4 of 10 are matched, so 40 of 100 are paid.
    result = ranked_queue([FALL[0], FALL[3]], MARK, Settlement.BANKRUPTCY)
    assert result.insolvency_left == 60 * WAD
    assert result.overshoot == 0


def test_queue__winner_owns_less_than_it_owes__the_overdraft_stays_open():
    # Long 10 at 100 with 10, mark 50: lacks 490. The short owns 5 + 50 = 55, and pays 490.
    result = ranked_queue([long(10, 100, 10), short(10, 55, 5)], 50 * WAD, Settlement.BANKRUPTCY)
    assert result.loss == 490 * WAD
    assert result.insolvency_left == 435 * WAD


def test_queue__price_rises__shorts_fail_and_longs_are_ranked():
    # Short 2 at 100 with 20, mark 120: lacks 20. The long of 3 pays 10 a unit.
    result = ranked_queue([short(2, 100, 20), long(3, 100, 300)], 120 * WAD, Settlement.BANKRUPTCY)
    assert _usd(result.losses) == [0, 30]
    assert result.overshoot == 10 * WAD


def test_queue__nobody_bankrupt__touches_nobody():
    result = ranked_queue(FALL, 95 * WAD)
    assert (result.deficit, result.winners, result.touched_share) == (0, 0, 0)


def test_queue__no_winner_at_all__leaves_everything_open():
    for settlement in Settlement:
        result = ranked_queue(FALL[:2], MARK, settlement, previous=95 * WAD)
        assert result.insolvency_left == 100 * WAD


def test_queue__two_markets__are_refused():
    with pytest.raises(Refused, match="several markets"):
        ranked_queue([FALL[0], replace(FALL[2], market="ETH")], MARK)


def test_queue__mark_zero__is_refused():
    with pytest.raises(Refused, match="mark out of range"):
        ranked_queue(FALL, 0)


@given(crises(), st.sampled_from(Settlement), st.booleans())
def test_queue__on_any_market__its_figures_add_up(crisis, settlement, carry):
    accounts, mark, later = crisis
    previous = accounts[0].entry
    result = ranked_queue(accounts, mark, settlement, later, previous=previous, carry=carry)
    assert result.overshoot >= 0
    assert result.insolvency_left >= 0
    assert result.loss == sum(result.losses) == result.necessary + result.overshoot
    assert result.touched == sum(size > 0 for size in result.closed) <= result.winners
    for account, size, loss in zip(accounts, result.closed, result.losses, strict=True):
        assert size in (0, account.size)
        assert loss >= 0
        assert loss == 0 or (size > 0 and account.equity_at(mark) >= 0)


@given(crises())
def test_queue__at_bankruptcy_prices__pays_what_is_matched_and_no_less(crisis):
    accounts, mark, _ = crisis
    result = ranked_queue(accounts, mark, Settlement.BANKRUPTCY)
    overdrawn = sum(
        max(0, loss - account.equity_at(mark))
        for account, loss in zip(accounts, result.losses, strict=True)
        if loss
    )
    assert result.deficit == result.necessary + result.insolvency_left - overdrawn


@given(crises())
def test_queue__never_passes_over_a_higher_score(crisis):
    accounts, mark, _ = crisis
    result = ranked_queue(accounts, mark)
    for is_long in (True, False):
        group = [i for i, account in enumerate(accounts) if account.is_long == is_long]
        solvent = [i for i in group if accounts[i].equity_at(mark) >= 0]
        taken = [score(accounts[i], mark) for i in solvent if result.closed[i]]
        spared = [score(accounts[i], mark) for i in solvent if not result.closed[i]]
        assert not taken or not spared or min(taken) >= max(spared)
