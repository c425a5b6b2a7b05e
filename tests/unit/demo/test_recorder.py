"""What the recorder makes of samples and events."""

import pytest

from oracle.calibrate import load_calibration
from scripts.demo_parts.contracts import Happened
from scripts.demo_parts.recorder import FLAT, Recorder
from scripts.demo_parts.venue import (
    BACKSTOP,
    CALLED,
    HEALTHY,
    LIQUIDATABLE,
    UNKNOWN,
    WAD,
    Health,
    Market,
)

SYMBOLS = {0: "BTC", 1: "ETH"}
PRICES = {"BTC": 100 * WAD, "ETH": 10 * WAD}


@pytest.fixture
def recorder():
    return Recorder(SYMBOLS, load_calibration("2020-03-12"), ("WETH", "ETH"))


def views(state=0, severity=0):
    return {
        symbol: Market(PRICES[symbol], state, severity, 10**6, severity, severity)
        for symbol in PRICES
    }


def sample(recorder, *states, time=0, mm=WAD, state=0, severity=0):
    health = {account: Health(10 * WAD, mm, each) for account, each in enumerate(states)}
    recorder.sample(time, PRICES, views(state, severity), health)


def hear(recorder, name, **values):
    recorder.hear(Happened("liquidator", name, values, 7))


def test_counts_states(recorder):
    sample(recorder, HEALTHY, HEALTHY, CALLED, LIQUIDATABLE)
    assert recorder.states == [[2, 1, 1, 0, 0, 0]]


def test_who_needs_no_margin_has_no_position(recorder):
    sample(recorder, HEALTHY, mm=0)
    assert recorder.states[0][FLAT] == 1


def test_an_unknown_price_closes_nobody(recorder):
    sample(recorder, HEALTHY, mm=WAD)
    sample(recorder, HEALTHY, mm=0, state=UNKNOWN)
    assert recorder.states[1][HEALTHY] == 1
    sample(recorder, HEALTHY, mm=0)
    assert recorder.states[2][FLAT] == 1


def test_margin_calls_are_crossings(recorder):
    for state in (HEALTHY, CALLED, CALLED, BACKSTOP, HEALTHY, LIQUIDATABLE):
        sample(recorder, state)
    assert recorder.margin_calls == 2


def test_rates_by_severity(recorder):
    sample(recorder, HEALTHY, severity=0)
    sample(recorder, HEALTHY, severity=10**6)
    schedule = load_calibration("2020-03-12")["BTC"].schedule
    path = recorder.paths["BTC"]
    assert path.mm == [schedule.calm_mmr[0], schedule.storm_mmr[0]]
    assert path.im == [schedule.calm_imr[0], schedule.storm_imr[0]]
    assert recorder.severity_moved["BTC"] == (0, 10**6)


def test_partial_take(recorder):
    sample(recorder, HEALTHY)
    price, size = 99 * WAD, 2 * WAD
    taken = {"taker": 1, "account": 2, "market": 0, "size": size}
    hear(recorder, "TakenOver", **taken, price=price, fee=WAD, payment=0)
    (row,) = recorder.of_step(1)
    assert (row.account, row.market, row.mark) == (2, "BTC", 100 * WAD)
    assert row.amounts == {"notional": 200 * WAD, "discount": 2 * WAD, "fee": WAD}


def test_collateral_is_priced_by_its_market(recorder):
    sample(recorder, HEALTHY)
    hear(recorder, "CollateralTaken", taker=1, account=2, token=0, amount=WAD, payment=9 * WAD)
    (row,) = recorder.of_step(0)
    assert (row.market, row.price, row.amounts["discount"]) == ("WETH", 9 * WAD, WAD)


PARTS = {"deficit": 5, "insured": 0, "charged": 3}
WHOLE = {"caller": "0x", "account": 2, "cash": -5, "reward": 1, "socialised": 2} | PARTS


def test_resolution(recorder):
    sample(recorder, HEALTHY)
    leg = {"account": 2, "market": 1, "size": -WAD, "loss": 9}
    hear(recorder, "LegResolved", taken=False, **leg, **PARTS)
    hear(recorder, "AccountResolved", **WHOLE)
    (row,), (account,) = recorder.of_step(3), recorder.resolutions
    assert row.amounts == {"notional": 10 * WAD, "loss": 9, **PARTS}
    assert (account.step, account.returned, account.reward, account.deficit) == (3, 0, 1, 5)
    assert (account.charged, account.socialised) == (3, 2)


def test_the_vault_takes_a_book():
    ring = 77 << 96 | 1
    calibration = load_calibration("2020-03-12")
    recorder = Recorder(SYMBOLS, calibration, ("WETH", "ETH"), rings=[ring])
    sample(recorder, HEALTHY)
    taken = {"account": 2, "market": 1, "size": WAD}
    hear(recorder, "TakenOver", taker=ring, price=10 * WAD, fee=0, payment=4, **taken)
    hear(recorder, "LegResolved", taken=True, loss=9, **taken, **PARTS)
    hear(recorder, "AccountResolved", **WHOLE)
    assert recorder.has_stock
    assert not recorder.of_step(1)  # one row, not two
    (row,), (account,) = recorder.of_step(2), recorder.resolutions
    assert row.amounts["payment"] == 4
    assert account.step == 2
    hear(recorder, "AccountResolved", **WHOLE)  # the next one had no leg
    assert recorder.resolutions[1].step == 3


def test_what_it_does_not_know_it_ignores(recorder):
    hear(recorder, "Deposited", account=1, amount=2)
    assert not recorder.liquidations
