"""An account at a mark: roundings against it, and the border between bankrupt and solvent."""

from dataclasses import replace

import pytest

from oracle.crisis.accounts import favourable_move, halves, imbalance
from oracle.engine.units import WAD, Refused
from tests.unit.crisis.markets import FALL, MARK, long, short


def test_profit_at__rounds_down_on_both_sides():
    # 3 wei moved by half a USD: 1.5 wei, a profit of 1 or a loss of 2.
    up, down = 100 * WAD + WAD // 2, 100 * WAD - WAD // 2
    for side, won, lost in ((long, up, down), (short, down, up)):
        tiny = replace(side(1, 100, 1), size=3)
        assert (tiny.profit_at(won), tiny.profit_at(lost)) == (1, -2)


def test_halves__worst_first_against_the_solvent_of_the_other_side():
    longs, shorts = halves([*FALL, long(10, 100, 50)], MARK)
    assert longs.bankrupt == (5, 0)
    assert longs.winners == (2, 3, 4)
    assert (shorts.bankrupt, shorts.winners) == ((), (1,))


def test_halves__equity_zero__is_solvent():
    # Long 10 fell by 200 and had 200; short 2 lost 40 and had 40.
    longs, shorts = halves([long(10, 100, 200), short(2, 60, 40)], MARK)
    assert longs.bankrupt == shorts.bankrupt == ()
    assert (longs.winners, shorts.winners) == ((1,), (0,))


def test_imbalance__counts_longs_less_shorts():
    assert imbalance(FALL) == 0
    assert imbalance(FALL[:3]) == 7 * WAD


def test_favourable_move__is_never_negative():
    assert favourable_move(MARK, 70 * WAD, is_long=False) == 10 * WAD
    assert favourable_move(MARK, 70 * WAD, is_long=True) == 0
    assert favourable_move(MARK, None, is_long=True) == 0
    with pytest.raises(Refused, match="later out of range"):
        favourable_move(MARK, 0, is_long=True)


@pytest.mark.parametrize("field", ["size", "entry", "equity", "leverage"])
def test_account__zero__is_refused(field):
    with pytest.raises(Refused, match=field):
        replace(FALL[0], **{field: 0})
