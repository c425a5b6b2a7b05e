"""When the keeper is silent."""

from scripts.demo_parts.incident import FACTOR, Silence, worst_silence

FLAT = [100.0] * 40
RATES = [0.10] * 40


def silence_of(prices, least=4, grace=2, rates=RATES, **more):
    return worst_silence({"BTC": prices}, {"BTC": rates}, least=least, grace=grace, **more)


def test_no_fall_no_silence():
    assert silence_of(FLAT) is None


def test_a_fall_that_margin_covers_is_none():
    assert silence_of([100.0] * 20 + [100 * (1 - 0.10 * FACTOR) + 0.5] * 20) is None


def test_shortest_that_ends_in_the_fall():
    prices = [100.0] * 20 + [80.0] * 20
    silence = silence_of(prices)
    assert silence.until - silence.first == 4
    # The nearer of the last two reports is below: both lie after the fall.
    assert prices[silence.until + 1] == prices[silence.until + 2] == 80.0
    assert prices[silence.first] == 100.0
    assert silence.fall == 1 - 80.0 / 100.0


def test_a_spike_of_one_report_is_not_enough():
    assert silence_of([100.0] * 20 + [60.0] + [100.0] * 19) is None


def test_counts_from_the_lowest_so_far():
    """Whoever could not stand the first low is gone."""
    prices = [100.0] * 5 + [80.0] * 2 + [100.0] * 13 + [78.0] * 20
    silence = silence_of(prices)
    assert silence.until + 2 < 20  # the first fall, not the one from 100 to 78
    assert silence_of([80.0] + prices[7:] + [78.0] * 6) is None


def test_slow_fall_takes_longer():
    prices = [100.0 - i for i in range(40)]
    silence = silence_of(prices)
    assert silence.until - silence.first > 4
    assert silence.fall >= FACTOR * silence.margin


def test_market_with_the_worst_fall():
    prices = {"BTC": [100.0] * 20 + [85.0] * 20, "ETH": [100.0] * 20 + [70.0] * 20}
    silence = worst_silence(prices, {"BTC": RATES, "ETH": RATES}, least=4, grace=2)
    assert silence.symbol == "ETH"


def test_covers_what_lies_between():
    silence = Silence(10, 14, "BTC", 0.2, 0.1)
    assert [step for step in range(20) if silence.covers(step)] == [11, 12, 13]
