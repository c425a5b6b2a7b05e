"""What is known before the replay."""

import gzip

import pytest

from oracle.feeds import scenario as feed
from oracle.feeds.scenario import SPANS
from scripts.demo_parts.errors import DemoError
from scripts.demo_parts.plan import STAGED, STEP, deployment_config, find_silence, make_plan


@pytest.fixture(scope="module", params=SPANS)
def plan(request):
    return make_plan(request.param)


def test_five_days_in_steps_of_five_minutes(plan):
    assert len(plan.steps) == 5 * 24 * 12
    assert plan.steps[1][0] - plan.steps[0][0] == STEP
    assert sorted(plan.asks) == [time for time, _ in plan.steps[::12]]


def test_rates_follow_the_keeper(plan):
    for symbol in plan.symbols:
        schedule, rates = plan.calibration[symbol].schedule, plan.rates[symbol]
        assert len(rates) == len(plan.steps)
        assert schedule.calm_mmr[0] <= round(min(rates) * 1e6)
        assert round(max(rates) * 1e6) <= schedule.storm_mmr[0]
        assert max(rates) > 1.2 * rates[0]  # margins tighten in every one of them


def test_config_is_one_the_contracts_take(plan):
    config = deployment_config(plan)  # checks itself by the contracts' rules
    assert config.markets[-1].symbol == STAGED
    assert (config.markets[-1].severity, config.markets[-1].depth) == (0, 10**6)
    for market in config.markets[:-1]:
        first = plan.asks[plan.start][market.symbol]
        assert (market.severity, market.depth) == (first.severity, first.depth)
        assert market.brackets[0].mm_calm == plan.calibration[market.symbol].schedule.calm_mmr[0]


def test_premiums_are_modest_and_move(plan):
    assert sorted(plan.premiums) == sorted(plan.asks)
    found = {row["BTC"] for row in plan.premiums.values()}
    assert len(found) > 50
    assert all(abs(premium) <= 2_000 for premium in found)


def test_every_scenario_has_its_silence(plan):
    silence = find_silence(plan, deployment_config(plan))
    assert silence is not None
    assert 900 < (silence.until - silence.first) * STEP <= 6 * 3600


def test_a_part():
    plan = make_plan("2020-03-12", skip=56, hours=2)
    assert len(plan.steps) == len(plan.asks) * 12 == 24
    assert plan.start == SPANS["2020-03-12"][0] + 56 * 3600


def test_unknown_scenario():
    with pytest.raises(DemoError, match=r"^There is no scenario '2008-10-10', only .*\.$"):
        make_plan("2008-10-10")


def test_part_beyond_the_end():
    with pytest.raises(DemoError, match=r"^Scenario 2020-03-12 has no hour 120\.$"):
        make_plan("2020-03-12", skip=120)


def test_malformed_data_names_file_and_row(tmp_path, monkeypatch):
    for folder in ("mark_1h", "perp_1h"):
        (tmp_path / folder).mkdir()
        for path in (feed.DATA / folder).iterdir():
            (tmp_path / folder / path.name).symlink_to(path)
    broken = tmp_path / "mark_1h" / "ETH.csv.gz"
    lines = gzip.decompress(broken.read_bytes()).decode().splitlines()
    lines[7] = lines[7].replace(lines[7].split(",")[2], "oops")
    broken.unlink()
    broken.write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setattr(feed, "DATA", tmp_path)
    with pytest.raises(DemoError, match=r"ETH\.csv\.gz.*(row|line) \d+"):
        make_plan("2020-03-12")


def test_config_that_is_not_there():
    with pytest.raises(DemoError, match=r"There is no file no\.toml"):
        deployment_config(make_plan("2020-03-12", hours=1), "no.toml")
