"""The cast: the same people each time, and of all kinds."""

from collections import Counter

from scripts.demo_parts.cast import LATE_WAVE, TRADERS, Habit, make_cast

SYMBOLS = ("BTC", "ETH")
CAST = make_cast(SYMBOLS)


def test_same_people_each_time():
    assert make_cast(SYMBOLS) == CAST
    assert make_cast(SYMBOLS, seed=1) != CAST


def test_enough_people_of_all_kinds():
    assert len(CAST) == TRADERS >= 60
    assert len({trader.name for trader in CAST}) == len(CAST)
    modes = Counter(trader.isolated for trader in CAST)
    assert min(modes.values()) >= 25
    habits = Counter(trader.habit for trader in CAST)
    assert all(habits[habit] >= 10 for habit in Habit)
    sides = Counter(wish.side for trader in CAST for wish in trader.wishes)
    assert 0.6 < sides[1] / sides.total() < 0.85
    markets = Counter(wish.symbol for trader in CAST for wish in trader.wishes)
    assert all(markets[symbol] >= 30 for symbol in SYMBOLS)


def test_accounts_are_possible():
    for trader in CAST:
        assert len(trader.wishes) == 1 or not trader.isolated
        assert not (trader.isolated and trader.with_collateral)
        assert len({wish.symbol for wish in trader.wishes}) == len(trader.wishes)
        assert trader.cushion > 1_000_000
        assert 0 <= trader.arrives < LATE_WAVE
        assert all(0 < wish.size <= 2.5 for wish in trader.wishes)


def test_some_bring_collateral_and_some_come_near_the_limit():
    assert sum(trader.with_collateral for trader in CAST) >= 3
    assert sum(trader.cushion < 1_150_000 for trader in CAST) >= 20
    assert sum(trader.cushion > 4_000_000 for trader in CAST) >= 5


def test_one_market_is_enough():
    assert all(len(trader.wishes) == 1 for trader in make_cast(("BTC",)))
