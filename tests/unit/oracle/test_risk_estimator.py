"""The estimator on recorded days: fast, blind to tomorrow, and it moves when markets do."""

import time
from dataclasses import replace

import numpy as np
import pytest

from oracle.calibrate import (
    as_json,
    bracket_bounds,
    calibrate_market,
    lengthened,
    load_calibration,
    path_factor,
    reference_liquidity,
    spot_closes,
    stressed_volume,
    tail_history,
)
from oracle.feeds.bars import HOUR, Bars, FeedError
from oracle.feeds.scenario import DATA, DAY, SPANS, Scenario, load_scenario
from oracle.models.tails import CostModel, RiskError, TailModel, Tails, needs
from oracle.policy import PPM, Calibration, Limits, next_push, severity_for, window_hash
from oracle.risk import Ask, MarginEstimator, with_volume

BLACK_THURSDAY = "2020-03-12"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(BLACK_THURSDAY)


@pytest.fixture(scope="module")
def estimator() -> MarginEstimator:
    return MarginEstimator("BTC", load_calibration(BLACK_THURSDAY)["BTC"])


def _asks(name: str, symbol: str) -> list[Ask]:
    scenario = load_scenario(name)
    estimator = MarginEstimator(symbol, load_calibration(name)[symbol])
    mark, traded = scenario.mark[symbol], scenario.traded[symbol]
    return [estimator.ask(mark, traded, t) for t in range(scenario.start, scenario.end, HOUR)]


def _from(bars: Bars, time: int, factor: float) -> Bars:
    """The bars, with every one that completes after `time` changed."""
    scale = np.where(bars.ts + bars.period > time, factor, 1.0)
    columns = (bars.open * scale, bars.high * scale, bars.low * scale, bars.close * scale)
    volume = None if bars.volume is None else bars.volume * scale
    return Bars(bars.ts, *columns, volume)


@pytest.mark.parametrize("offset", [0, 1, 300, HOUR - 1])
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_changing_tomorrow_never_changes_today(
    scenario: Scenario, estimator: MarginEstimator, offset: int, factor: float
) -> None:
    now = scenario.start + 2 * DAY + offset
    mark, traded = scenario.mark["BTC"], scenario.traded["BTC"]
    today = estimator.ask(mark, traded, now)
    assert estimator.ask(_from(mark, now, factor), _from(traded, now, factor), now) == today
    yesterday = _from(mark, now - HOUR, factor)
    assert estimator.ask(yesterday, traded, now) != today


def test_the_ask_can_be_recomputed_from_the_window_it_names(
    scenario: Scenario, estimator: MarginEstimator
) -> None:
    now = scenario.start + 3 * DAY
    mark, traded = scenario.mark["BTC"], scenario.traded["BTC"]
    ask = estimator.ask(mark, traded, now)
    window = mark.before(now).last(1800)
    day = with_volume(window.last(24), traded)
    assert ask == estimator.ask(window, day, now)
    assert ask.input_hash == window_hash("BTC", window, day)
    schedule = estimator.calibration.schedule
    assert ask.severity == severity_for(ask.need, schedule.calm_mmr[0], schedule.storm_mmr[0])
    assert ask.need == estimator.need(mark, now)
    assert ask.depth == estimator.depth(mark, traded, now)


def test_larger_positions_need_more(scenario: Scenario, estimator: MarginEstimator) -> None:
    bounds = estimator.calibration.schedule.bounds
    found = [estimator.need(scenario.mark["BTC"], scenario.start, bound) for bound in bounds]
    assert found == sorted(found)
    assert found[-1] > found[0]
    with pytest.raises(RiskError, match="outside 1 to 7"):
        estimator.need(scenario.mark["BTC"], scenario.start, 2 * bounds[-1])


def test_a_stale_window_is_refused(scenario: Scenario, estimator: MarginEstimator) -> None:
    mark = scenario.mark["BTC"].before(scenario.start)
    assert estimator.need(mark, scenario.start + HOUR - 1) > 0
    with pytest.raises(RiskError, match=r"bar before \d+ is missing"):
        estimator.need(mark, scenario.start + HOUR)
    with pytest.raises(RiskError, match="missing"):
        estimator.need(mark, 0)


def test_missing_volume_is_refused(scenario: Scenario, estimator: MarginEstimator) -> None:
    mark, traded = scenario.mark["BTC"], scenario.traded["BTC"]
    short = traded.before(scenario.start - HOUR)
    with pytest.raises(RiskError, match="lacks hours of traded volume"):
        estimator.ask(mark, short, scenario.start)
    with pytest.raises(RiskError, match="no volume"):
        with_volume(mark, mark)


def test_four_days_of_two_markets_take_well_under_five_seconds(scenario: Scenario) -> None:
    """Processor time, so that a busy machine does not fail it."""
    kept = load_calibration(BLACK_THURSDAY)
    started = time.process_time()
    for symbol in scenario.symbols:
        estimator = MarginEstimator(symbol, kept[symbol])
        for now in range(scenario.start, scenario.start + 96 * HOUR, HOUR):
            estimator.ask(scenario.mark[symbol], scenario.traded[symbol], now)
    assert time.process_time() - started < 5.0


@pytest.mark.parametrize("name", SPANS)
@pytest.mark.parametrize("symbol", ["BTC", "ETH"])
def test_severity_moves_over_every_replay(name: str, symbol: str) -> None:
    """Not idle, not saturated at the start, clearly tighter after the fall."""
    asks = _asks(name, symbol)
    start, peak = asks[0].severity, max(ask.severity for ask in asks)
    assert 50_000 < start < 350_000
    assert peak > start + 200_000
    assert len({ask.severity for ask in asks}) > 40
    assert all(250_000 <= ask.depth <= PPM for ask in asks)
    assert min(ask.depth for ask in asks) < 800_000


def test_black_thursday_outruns_the_steward_by_hours() -> None:
    """The first hour of a crash is nobody's estimate; the line then climbs at its largest step."""
    asks = _asks(BLACK_THURSDAY, "BTC")
    severity, depth, path = asks[0].severity, asks[0].depth, []
    for ask in asks:
        push = next_push(severity, depth, ask.severity, ask.depth, Limits(), elapsed=HOUR)
        severity, depth = (push.severity, push.depth) if push else (severity, depth)
        path.append(severity)
    crash = 2 * 24 + 11
    assert asks[crash - 1].severity < 250_000
    assert asks[crash].severity == PPM
    assert path[crash] - path[crash - 1] == Limits().severity_up
    assert path[crash + 9] < 750_000
    assert path[crash + 20] == path[-1] == PPM


def test_kept_schedules_keep_every_rule() -> None:
    for name in SPANS:
        for calibration in load_calibration(name).values():
            assert calibration.schedule.faults() == []
            assert calibration.last <= SPANS[name][0]
            assert calibration.schedule.calm_mmr[0] < calibration.schedule.storm_mmr[0] // 4


def test_unknown_scenarios_have_no_calibration() -> None:
    with pytest.raises(FeedError, match="no scenario"):
        load_calibration("1987-10-19")


def _assert_close(found: Calibration, kept: Calibration) -> None:
    assert found.schedule.bounds == kept.schedule.bounds
    for name in ("calm_mmr", "storm_mmr", "calm_imr", "storm_imr"):
        rates = getattr(kept.schedule, name)
        assert getattr(found.schedule, name) == pytest.approx(rates, abs=2)
    assert found.liquidity == pytest.approx(kept.liquidity)
    assert found.volume_per_hour == pytest.approx(kept.volume_per_hour)
    assert (found.first, found.last) == (kept.first, kept.last)


def test_the_kept_calibration_is_the_computed_one(scenario: Scenario) -> None:
    found = calibrate_market(
        scenario.mark["ETH"],
        scenario.traded["ETH"],
        spot_closes("ETH", scenario.start),
        scenario.start,
        TailModel(),
        CostModel(),
    )
    _assert_close(found, load_calibration(BLACK_THURSDAY)["ETH"])


@pytest.mark.long
def test_every_kept_calibration_is_the_computed_one() -> None:
    assert as_json(list(SPANS)) == (DATA / "calibration.json").read_text()


FAST = replace(TailModel(), residuals=200, least_residuals=100, window_bars=500, horizon=7)


def test_calibration_never_sees_the_replay(scenario: Scenario) -> None:
    recent = scenario.start - 60 * DAY
    mark = scenario.mark["BTC"].between(recent, scenario.end)
    traded = scenario.traded["BTC"]
    found = calibrate_market(mark, traded, None, scenario.start, FAST, CostModel())
    changed = [_from(bars, scenario.start, 0.3) for bars in (mark, traded)]
    assert calibrate_market(*changed, None, scenario.start, FAST, CostModel()) == found
    earlier = [_from(bars, scenario.start - HOUR, 0.3) for bars in (mark, traded)]
    assert calibrate_market(*earlier, None, scenario.start, FAST, CostModel()) != found


def test_the_look_back_cuts_the_history(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.calibrate.LOOK_BACK_YEARS", 0)
    mark, start = scenario.mark["BTC"], scenario.start
    found = calibrate_market(mark, scenario.traded["BTC"], None, start, FAST, CostModel())
    assert (found.first, found.last) == (start, start)
    assert found.schedule.storm_mmr[0] == pytest.approx(2 * found.schedule.calm_mmr[0], abs=2)


def test_a_history_is_the_estimates_at_each_time(scenario: Scenario) -> None:
    mark = scenario.mark["BTC"].before(scenario.start).last(600)
    history = tail_history(mark, FAST, stride=7)
    assert history.ts[-1] == scenario.start
    assert set(np.diff(history.ts)) == {7 * HOUR}
    estimator = MarginEstimator("BTC", load_calibration(BLACK_THURSDAY)["BTC"], FAST)
    size, volume = 1e5, estimator.calibration.volume_per_hour
    one = estimator.tails(mark, int(history.ts[-2]))
    assert needs(one, size, volume, CostModel())[0] == needs(history, size, volume, CostModel())[-2]


def test_too_short_a_history_is_refused(scenario: Scenario) -> None:
    with pytest.raises(RiskError, match="fewer than a window"):
        tail_history(scenario.mark["BTC"].last(499), FAST)


def test_paths_are_worse_than_closes(scenario: Scenario) -> None:
    for symbol in scenario.symbols:
        closes = spot_closes(symbol, scenario.start)
        assert closes is not None
        factors = [path_factor(scenario.mark[symbol], closes, h) for h in range(1, 8)]
        assert factors == sorted(factors, reverse=True)
        assert 1.15 < factors[-1] < factors[0] < 1.45


def test_path_factor_needs_common_hours(scenario: Scenario) -> None:
    closes = spot_closes("BTC", scenario.start)
    assert closes is not None
    with pytest.raises(RiskError, match="too few"):
        path_factor(scenario.mark["BTC"].last(10), closes, 1)


def test_a_lengthened_history_is_scaled_before_and_itself_after() -> None:
    def tails(times: list[int]) -> Tails:
        ones = np.ones(len(times))
        return Tails(np.array(times), ones, np.outer(ones, [1.0, 2.0]), ones)

    found = lengthened(tails([3, 4]), tails([1, 2, 3]), np.array([1.5, 1.25]), 1.2)
    assert found.ts.tolist() == [1, 2, 3, 4]
    assert found.shortfalls.tolist() == [[1.5, 2.5], [1.5, 2.5], [1.0, 2.0], [1.0, 2.0]]
    assert found.call.tolist() == [1.2, 1.2, 1.0, 1.0]


def test_spot_closes_serve_only_where_the_mark_is_too_young() -> None:
    assert spot_closes("BTC", SPANS["2020-03-12"][0]) is not None
    assert spot_closes("BTC", SPANS["2021-05-19"][0]) is not None
    assert spot_closes("BTC", SPANS["2026-02-05"][0]) is None


def test_bounds_take_the_hours_asked_and_are_whole_thousands() -> None:
    costs = CostModel()
    bounds = bracket_bounds(39_265_029.0, costs)
    assert bounds == (490_000, 980_000, 1_900_000, 3_900_000, 5_800_000, 11_000_000)
    assert costs.hours(bounds[-1], 39_265_029.0) <= TailModel().horizon
    assert bracket_bounds(130_000.0, costs, (0.5, 1.0)) == (3_000, 6_000)
    with pytest.raises(RiskError, match="too thin"):
        bracket_bounds(10_000.0, costs)


def test_stressed_volume_is_below_the_usual(scenario: Scenario) -> None:
    traded = scenario.traded["BTC"].before(scenario.start)
    assert traded.volume is not None
    assert 0 < stressed_volume(traded) < float(np.mean(traded.volume * traded.close))
    with pytest.raises(RiskError, match="a day"):
        stressed_volume(traded.last(23))
    with pytest.raises(RiskError, match="a day"):
        reference_liquidity(scenario.mark["BTC"], traded.last(23))
