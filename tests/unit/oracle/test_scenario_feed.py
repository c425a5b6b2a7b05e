"""Recorded scenarios: real facts are in them, every extreme is walked, the last trade is not."""

from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256

import numpy as np
import pytest

from oracle.feeds import scenario as feed
from oracle.feeds.bars import HOUR, Bars, FeedError, Gap, load_bars
from oracle.feeds.scenario import DATA, DAY, SPANS, Scenario, load_scenario, wad, walk

WAD = 10**18


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {name: load_scenario(name) for name in SPANS}


def test_the_readme_names_every_file_and_its_hash() -> None:
    readme = (DATA / "README.md").read_text()
    files = sorted(DATA.rglob("*.csv.gz"))
    named = {text.split("`")[1] for text in readme.splitlines() if text.startswith("| `")}
    assert named == {str(path.relative_to(DATA)) for path in files}
    assert len(files) >= 10
    for path in files:
        row = f"`{path.relative_to(DATA)}`"
        line = next(text for text in readme.splitlines() if row in text)
        assert sha256(path.read_bytes()).hexdigest() in line


@pytest.mark.parametrize("name", SPANS)
def test_steps_cover_the_replay_on_the_grid(scenarios: dict[str, Scenario], name: str) -> None:
    scenario = scenarios[name]
    steps = list(scenario.steps())
    times = [time for time, _ in steps]
    assert times == list(range(scenario.start, scenario.end, 300))
    assert scenario.end - scenario.start == 5 * DAY
    assert all(tuple(prices) == ("BTC", "ETH") for _, prices in steps)


@pytest.mark.parametrize("name", SPANS)
def test_every_hour_shows_its_four_prices(scenarios: dict[str, Scenario], name: str) -> None:
    scenario = scenarios[name]
    steps = list(scenario.steps())
    for symbol in scenario.symbols:
        bars = scenario.mark[symbol].between(scenario.start, scenario.end)
        walked = np.array([prices[symbol] for _, prices in steps], dtype=object).reshape(-1, 12)
        assert walked[:, 0].tolist() == [wad(p) for p in bars.open]
        assert walked.min(axis=1).tolist() == [wad(p) for p in bars.low]
        assert walked.max(axis=1).tolist() == [wad(p) for p in bars.high]
        assert walked[:, -1].tolist() == [wad(p) for p in bars.close]


def test_margin_never_sees_the_false_print_of_march_2020(scenarios: dict[str, Scenario]) -> None:
    """The ETH perpetual traded at 323 in an hour whose mark stayed below 120."""
    scenario = scenarios["2020-03-12"]
    hour = SPANS["2020-03-12"][0] + 3 * DAY + 2 * HOUR
    prices = [p["ETH"] for time, p in scenario.steps() if hour <= time < hour + HOUR]
    assert 119 * WAD < max(prices) < 120 * WAD
    assert scenario.traded["ETH"].between(hour, hour + HOUR).high[0] == 323.0


def test_known_lows_are_in_the_walks(scenarios: dict[str, Scenario]) -> None:
    lows = {
        name: {s: min(p[s] for _, p in scenario.steps()) / WAD for s in scenario.symbols}
        for name, scenario in scenarios.items()
    }
    assert lows["2020-03-12"]["BTC"] == pytest.approx(3801.83, abs=0.01)
    assert lows["2020-03-12"]["ETH"] == pytest.approx(87.09, abs=0.01)
    assert lows["2021-05-19"]["ETH"] == pytest.approx(1764.26, abs=0.01)


def test_steps_repeat_exactly(scenarios: dict[str, Scenario]) -> None:
    scenario = scenarios["2026-02-05"]
    assert list(scenario.steps(900)) == list(scenario.steps(900))
    assert len(list(scenario.steps(900))) == 5 * 24 * 4


@pytest.mark.parametrize("period", [0, -300, 7, 1800, 3600])
def test_a_period_that_hides_a_price_is_refused(
    scenarios: dict[str, Scenario], period: int
) -> None:
    with pytest.raises(ValueError, match="period"):
        next(scenarios["2020-03-12"].steps(period))


def test_history_reaches_back_but_not_past_the_end(scenarios: dict[str, Scenario]) -> None:
    for name, scenario in scenarios.items():
        for symbol in scenario.symbols:
            mark, traded = scenario.mark[symbol], scenario.traded[symbol]
            assert mark.ts[-1] == traded.ts[-1] == scenario.end - HOUR
            assert len(mark.before(scenario.start)) >= 1800
            assert scenario.start - traded.ts[0] == 31 * DAY
        gaps = scenario.mark["BTC"].gaps()
        assert gaps == ((Gap(1751324400, 1767052800, 4368),) if name == "2026-02-05" else ())


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(FeedError, match="no scenario '2020-03-13'"):
        load_scenario("2020-03-13")


def test_a_hole_in_a_replay_is_refused(
    monkeypatch: pytest.MonkeyPatch, scenarios: dict[str, Scenario]
) -> None:
    def holed(path: feed.Path) -> Bars:
        bars = load_bars(path)
        keep = bars.ts != SPANS["2021-05-19"][0] + HOUR
        columns = (bars.open[keep], bars.high[keep], bars.low[keep], bars.close[keep])
        return Bars(bars.ts[keep], *columns)

    monkeypatch.setattr(feed, "load_bars", holed)
    with pytest.raises(FeedError, match="bar of the replay 2021-05-19 is missing"):
        load_scenario("2021-05-19")


def test_walk_by_hand(make_bars: Callable[..., Bars]) -> None:
    bar = Bars(
        np.array([0]), np.array([100.0]), np.array([104.0]), np.array([96.0]), np.array([101.0])
    )
    assert [p / WAD for p in walk(bar, 0, 12)] == [
        100.0, 99.0, 98.0, 97.0, 96.0, 98.0, 100.0, 102.0, 104.0, 103.0, 102.0, 101.0,
    ]  # fmt: skip
    assert walk(make_bars(1), 0, 4) == [
        wad(make_bars(1).open[0]),
        wad(make_bars(1).low[0]),
        wad(make_bars(1).high[0]),
        wad(make_bars(1).close[0]),
    ]


@pytest.mark.parametrize("text", ["7559.44418192", "0.00000001", "107053.43503986", "1000000000.0"])
def test_a_wad_is_the_decimal_of_the_file(text: str) -> None:
    assert wad(float(text)) == int(Decimal(text) * WAD)
