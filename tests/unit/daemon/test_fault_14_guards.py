"""Faults 14 to 16: frozen and missing data, nonsense, one source out of place."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from oracle import signing
from oracle.chain import Head
from oracle.daemon.guards import PriceGuard, check_ask, check_premium
from oracle.daemon.keys import Key
from oracle.daemon.messages import Signed, ascending
from oracle.daemon.panel import Panel, without_outliers
from oracle.daemon.signer import LocalSigner, Rules
from oracle.daemon.sources import SourceError, Sources
from oracle.daemon.view import Price, View
from oracle.engine.units import MAX_PRICE
from oracle.keeper import Line
from oracle.policy import Limits, Rates
from oracle.risk import Ask

WAD = 10**18
NOW = 1_900_000_800
DOMAIN = signing.Domain(31_337, "0x" + "00" * 20)
KEYS = [Key.of(Account.from_key(bytes([i]) * 32)) for i in (11, 12, 13)]
GOOD = Ask(NOW, 50_000, 100_000, 10**6, bytes(32))

nonsense = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(),
    st.lists(st.integers()),
    st.booleans(),
    st.integers(max_value=0),
    st.integers(min_value=MAX_PRICE + 1),
    st.decimals(allow_nan=True),
    st.just(10**308),
    st.just(Decimal("NaN")),
)


def view(price=20_000 * WAD):
    return View(
        head=Head(1, "0x", NOW, 0),
        now=NOW,
        paused=False,
        signers=tuple(key.address.lower() for key in KEYS),
        quorum=2,
        period=60,
        max_spread=5_000,
        limits=Limits(),
        max_age=10_800,
        lines={0: Line(0, 10**6, NOW - 7_200), 1: Line(0, 10**6, NOW - 7_200)},
        loads={0: (0, 0, 10**6, 10**6), 1: (0, 0, 10**6, 10**6)},
        rates=dict.fromkeys((0, 1), Rates((100, 100_000), (100, 100_000), 0, 86_400)),
        prices={0: Price(price, NOW - 60, 0), 1: Price(2_000 * WAD, NOW - 60, 0)},
    )


class Feed:
    """Says what it is told."""

    def __init__(self, price=20_000 * WAD, ask=GOOD, premium=0):
        self.price, self.answer, self.said = price, ask, premium

    def latest(self, market, time):
        if market == "BTC" and isinstance(self.price, Exception):
            raise self.price
        return self.price if market == "BTC" else 2_000 * WAD

    def ask(self, market, time):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def premium(self, market, time):
        return self.said


def signer(feed, key=KEYS[0], look=view):
    sources = Sources(feed, feed, feed)
    return LocalSigner(key, DOMAIN, sources, {0: "BTC", 1: "ETH"}, look, Rules())


# --- 14 -------------------------------------------------------------------------------------------


def test_fault_14_frozen_feed():
    guard = PriceGuard(500_000, 1_800)
    for time in range(0, 1_801, 60):
        assert guard.check("BTC", 7, time) == 7
    with pytest.raises(SourceError, match="BTC: the feed is frozen, 7 for 1860 seconds"):
        guard.check("BTC", 7, 1_860)
    assert guard.check("BTC", 8, 1_920) == 8
    assert guard.check("BTC", 8, 3_700) == 8


def test_fault_14_frozen_feed_stops_its_market_only():
    feed = Feed()
    one = signer(feed)
    assert one.quote(NOW, [0, 1]).signed is not None
    later = replace(view(), head=Head(2, "0x", NOW + 3_600, 0), now=NOW + 3_600)
    one.look = lambda: later
    quoted = one.quote(NOW + 3_600, [0, 1])
    assert quoted.signed is None
    assert "frozen" in quoted.missing[0]


def test_fault_14_no_risk_at_all_is_no_number():
    with pytest.raises(SourceError, match="the model sees no risk at all"):
        check_ask("BTC", replace(GOOD, need=0, severity=0))
    assert signer(Feed(ask=replace(GOOD, need=0))).ask(NOW, [0]).asks == {}


def test_fault_14_missing_bars():
    asked = signer(Feed(ask=SourceError("BTC: the bar before 5 is missing."))).ask(NOW, [0])
    assert asked.missing == {0: "BTC: the bar before 5 is missing."}


# --- 15 -------------------------------------------------------------------------------------------


@given(nonsense)
def test_fault_15_nonsense_is_never_signed(value):
    quoted = signer(Feed(price=value)).quote(NOW, [0])
    assert quoted.signed is None
    assert list(quoted.missing) == [0]


@given(st.sampled_from(["severity", "depth", "need", "input_hash"]), nonsense)
def test_fault_15_nonsense_numbers_are_never_signed(name, value):
    is_whole = type(value) is int
    large = name == "need" and is_whole and value > 0  # clamped by severity
    least = name in ("severity", "depth") and is_whole and value == 0  # the calmest, the thinnest
    ask = replace(GOOD, **{name: value})
    if large or least:
        assert check_ask("BTC", ask) == ask
        return
    with pytest.raises(SourceError):
        check_ask("BTC", ask)


@given(st.one_of(st.none(), st.floats(), st.text(), st.booleans()))
def test_fault_15_premium(value):
    with pytest.raises(SourceError):
        check_premium("BTC", value, 100)


@given(st.integers())
def test_fault_15_premium_is_clamped(value):
    assert -100 <= check_premium("BTC", value, 100) <= 100


def test_fault_15_source_that_breaks():
    quoted = signer(Feed(price=ZeroDivisionError("secret text"))).quote(NOW, [0])
    assert quoted.missing == {0: "asset 0: the source failed with ZeroDivisionError."}


def test_fault_15_payload_has_no_float():
    signed = signer(Feed()).quote(NOW, [0, 1]).signed
    assert signed is not None
    assert all(type(quote) is int for quote in signed.quotes)
    with pytest.raises(signing.MessageError):
        signing.pack_quote(math.inf)  # type: ignore[arg-type]


# --- 16 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1_000, 0.001])
def test_fault_16_slip_of_the_point(factor):
    quoted = signer(Feed(price=int(20_000 * factor) * WAD)).quote(NOW, [0])
    assert "is too far from" in quoted.missing[0]


def test_fault_16_after_an_outage_the_old_price_does_not_count():
    old = replace(view(), prices={0: Price(20_000 * WAD, NOW - 3_700, 0)})
    assert signer(Feed(price=5_000 * WAD), look=lambda: old).quote(NOW, [0]).signed is not None


def row(key, *prices):
    return Signed(key.address, signing.Signature(27, 1, 1), tuple(p << 32 for p in prices))


def test_fault_16_one_of_three_is_left_out():
    rows = [row(KEYS[0], 100_000, 5), row(KEYS[1], 100_100, 5), row(KEYS[2], 103_000, 5)]
    assert without_outliers(rows, 2, 5_000) == rows[:2]
    assert without_outliers(rows, 3, 5_000) == rows  # no quorum without it: the chain decides
    assert without_outliers(rows, 2, 50_000) == rows


def panel(*prices):
    signers = [signer(Feed(price=p), key) for p, key in zip(prices, KEYS, strict=True)]
    return Panel(signers, DOMAIN)


def report(panel, quorum=2):
    return panel.report(NOW, [0, 1], view().signers, quorum, 5_000)


def test_fault_16_panel__one_wrong():
    found = report(panel(20_000 * WAD, 20_010 * WAD, 20_400 * WAD))
    assert found.assets == (0, 1)
    assert [s.signer for s in ascending(found.signed)] == sorted(
        [KEYS[0].address, KEYS[1].address], key=lambda a: int(a, 16)
    )
    assert found.troubles == {KEYS[2].address: "its prices are far from the median"}


def test_fault_16_panel__two_of_three_out_of_place__that_market_rests():
    found = report(panel(20_000 * WAD, 20 * WAD, 20 * WAD))
    assert found.assets == (1,)
    assert len(found.signed) == 3


def test_fault_16_panel__sources_fall_to_two_then_one():
    away = SourceError("BTC: all venues are away.")
    assert report(panel(20_000 * WAD, 20_010 * WAD, away)).assets == (0, 1)
    found = report(panel(20_000 * WAD, away, away))
    assert found.assets == (1,)
    assert len(found.signed) == 3


def test_panel__signature_of_somebody_else():
    one = panel(20_000 * WAD, 20_010 * WAD, 20_020 * WAD)
    other = signer(Feed(), KEYS[1])
    one.signers[2].quote = lambda observed, assets: replace(  # type: ignore[method-assign]
        other.quote(observed, assets),
        signed=replace(other.quote(observed, assets).signed, signer=KEYS[2].address),
    )
    found = report(one)
    assert found.troubles[KEYS[2].address] == "its signature is not its own"
    assert len(found.signed) == 2


def test_panel__median_ask_is_one_signers_whole():
    asks = [replace(GOOD, severity=s, depth=d, input_hash=bytes([s % 251]) * 32) for s, d in
            ((10, 900_000), (30, 800_000), (20, 700_000))]  # fmt: skip
    signers = [signer(Feed(ask=a), key) for a, key in zip(asks, KEYS, strict=True)]
    found, troubles = Panel(signers, DOMAIN).asks(NOW, [0], view().signers, 2)
    assert found == {0: asks[2]}
    assert troubles == {}
    two, _ = Panel(signers[:2], DOMAIN).asks(NOW, [0], view().signers, 2)
    assert two == {0: asks[1]}  # of two the more cautious
    one, _ = Panel(signers[:1], DOMAIN).asks(NOW, [0], view().signers, 2)
    assert one == {}
