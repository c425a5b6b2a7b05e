"""Packed words: what goes in comes out, whatever its neighbours hold; what does not fit reverts."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.compiled import load

QUICK = settings(max_examples=60, deadline=None)
MARKET = st.integers(0, 39)
LISTS = st.lists(MARKET, unique=True, max_size=16)


def signed(bits: int) -> st.SearchStrategy[int]:
    """All of a signed range, its ends often."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return st.one_of(st.sampled_from([low, low + 1, -1, 0, 1, high]), st.integers(low, high))


def unsigned(bits: int) -> st.SearchStrategy[int]:
    """All of an unsigned range, its ends often."""
    return st.one_of(st.sampled_from([0, 1, 2**bits - 1]), st.integers(0, 2**bits - 1))


@pytest.fixture(scope="module")
def words() -> Any:
    return load("contracts/mocks/LedgerWordsHarness.vy").deploy()


def packed(markets: list[int]) -> int:
    return sum((market + 1) << (6 * i) for i, market in enumerate(markets))


@QUICK
@given(signed(104), unsigned(8), unsigned(2), unsigned(14), unsigned(8), unsigned(96))
def test_account__any_fields__come_back(
    words: Any, cash: int, tokens: int, mode: int, floor: int, gateways: int, markets: int
) -> None:
    fields = (cash, tokens, mode, floor, gateways, markets)
    word = words.pack_account(fields)
    assert tuple(words.unpack_account(word)) == fields
    low = tokens << 144 | mode << 142 | floor << 128 | gateways << 120 | markets
    assert word == (cash % 2**104) << 152 | low


@pytest.mark.parametrize("cash", [2**103, -(2**103) - 1, 2**255 - 1, -(2**255)])
def test_account__cash_beyond_the_field__reverts(words: Any, cash: int) -> None:
    with boa.reverts():
        words.pack_account((cash, 0, 0, 0, 0, 0))


@QUICK
@given(signed(112), signed(128), unsigned(16))
def test_position__any_fields__come_back(words: Any, scaled: int, z: int, epoch: int) -> None:
    word = words.pack_position(scaled, z, epoch)
    assert tuple(words.unpack_position(word)) == (scaled, z, epoch)
    assert word == (scaled % 2**112) << 144 | (z % 2**128) << 16 | epoch


@pytest.mark.parametrize("z", [2**127, -(2**127) - 1])
def test_position__z_beyond_the_field__reverts(words: Any, z: int) -> None:
    with boa.reverts():
        words.pack_position(1, z, 0)


@QUICK
@given(unsigned(112), unsigned(112), unsigned(15), unsigned(15), st.booleans(), st.booleans())
def test_sides__any_fields__come_back(
    words: Any, long: int, short: int, long_epoch: int, short_epoch: int, lc: bool, sc: bool
) -> None:
    fields = (long, short, long_epoch, short_epoch, lc, sc)
    word = words.pack_sides(fields)
    assert tuple(words.unpack_sides(word)) == fields
    assert word == long << 144 | short << 32 | long_epoch << 17 | lc << 16 | short_epoch << 1 | sc


@QUICK
@given(unsigned(96), signed(160))
def test_side__any_fields__come_back(words: Any, scale: int, credit: int) -> None:
    word = words.pack_side(scale, credit)
    assert tuple(words.unpack_side(word)) == (scale, credit)
    assert word == scale << 160 | credit % 2**160


@pytest.mark.parametrize("credit", [2**159, -(2**159) - 1])
def test_side__credit_beyond_the_field__reverts(words: Any, credit: int) -> None:
    with boa.reverts():
        words.pack_side(10**27, credit)


@QUICK
@given(signed(128), unsigned(128))
def test_tally__any_fields__come_back(words: Any, net: int, fees: int) -> None:
    word = words.pack_tally(net, fees)
    assert tuple(words.unpack_tally(word)) == (net, fees)
    assert word == (net % 2**128) << 128 | fees


@pytest.mark.parametrize(("net", "fees"), [(2**127, 0), (-(2**127) - 1, 0), (0, 2**128)])
def test_tally__beyond_its_fields__reverts(words: Any, net: int, fees: int) -> None:
    with boa.reverts():
        words.pack_tally(net, fees)


@QUICK
@given(LISTS, MARKET)
def test_list__market_added__is_last_or_was_there(
    words: Any, markets: list[int], market: int
) -> None:
    after = words.with_market(packed(markets), market)
    if market in markets:
        assert after == packed(markets)
    elif len(markets) == 16:
        assert after == 0
    else:
        assert after == packed([*markets, market])


@QUICK
@given(LISTS, MARKET)
def test_list__market_removed__leaves_the_others_in_order(
    words: Any, markets: list[int], market: int
) -> None:
    after = words.without_market(packed(markets), market)
    assert after == packed([m for m in markets if m != market])


@QUICK
@given(LISTS, st.integers(0, 15))
def test_list__entry__is_market_plus_one_or_zero(
    words: Any, markets: list[int], index: int
) -> None:
    expected = markets[index] + 1 if index < len(markets) else 0
    assert words.market_at(packed(markets), index) == expected
