"""The books: exact, for sides as they were opened and for sides that were cut and charged."""

from dataclasses import replace
from fractions import Fraction

import pytest

from oracle.engine import positions
from oracle.engine.positions import NEW_MARKET
from oracle.engine.sides import FLAT
from oracle.engine.units import RAY, WAD
from scripts.demo_parts.books import (
    Apart,
    Words,
    count,
    unpack_cash,
    unpack_market,
    unpack_position,
)

PRICE, FEE = 7 * 10**21 + 3, 11
DEPOSIT = 10**24
APART = (10**20 + 1, 7, 3)  # insurance, restored, waiting


def bits(value, width):
    return value % 2**width


def account_word(cash):
    return bits(cash, 104) << 152 | 1 << 142


def position_word(position):
    return bits(position.scaled, 112) << 144 | bits(position.z, 128) << 16 | position.epoch


def market_words(market):
    """Both sides' totals, the words of the cuts, the tally."""
    long, short = market.long, market.short
    word = long.total << 144 | short.total << 32 | long.epoch << 17 | short.epoch << 1
    word |= long.cut << 16 | short.cut
    cuts = tuple(side.scale << 160 | bits(side.credit, 160) for side in (long, short))
    return word, cuts, bits(market.net, 128) << 128 | market.fees


class Ledger:
    """Three longs and two shorts, by the twin's arithmetic."""

    def __init__(self):
        self.market, self.finals = NEW_MARKET, {}
        self.cash = dict.fromkeys(range(5), DEPOSIT)
        self.positions = dict.fromkeys(range(5), FLAT)
        self.deficit = 0
        for buyer, seller, size in ((0, 3, 3 * WAD + 1), (1, 4, WAD // 3), (2, 3, 7)):
            self.trade(buyer, size, PRICE)
            self.trade(seller, -size, PRICE)
            self.cash[buyer] -= FEE
            self.market = self.market.booked(0, FEE)

    def trade(self, account, size, g):
        change = positions.change(self.positions[account], self.market, self.finals, size, g)
        self.positions[account] = change.position
        self.cash[account] += change.realised
        self.market = change.market.booked(change.net, 0)

    def resolve(self, account, g, charge, socialised):
        """Close at mark, cut and charge the other side, forgive."""
        size = positions.held(self.positions[account], self.market, self.finals).size
        change = positions.close_out(self.positions[account], self.market, self.finals, g)
        self.positions[account] = FLAT
        self.market = change.market.booked(change.net, 0)
        self.market, _ = positions.cut(self.market, abs(size), charge, g, is_long=size < 0)
        self.cash[account] += change.realised + charge + socialised
        self.deficit += socialised

    def words(self, g):
        unpacked = unpack_market(*market_words(self.market))
        assert unpacked == self.market
        return Words(
            accounts={account: account_word(cash) for account, cash in self.cash.items()},
            positions={(a, 0): position_word(p) for a, p in self.positions.items()},
            markets={0: unpacked},
            finals={0: {}},
            g={0: g},
            held=5 * DEPOSIT + sum(APART),
            apart=Apart(self.deficit, 0, *APART),
            interest=0,
        )


def test_words_read_back():
    assert unpack_cash(account_word(-5)) == -5
    ledger = Ledger()
    for position in ledger.positions.values():
        assert unpack_position(position_word(position)) == position


@pytest.mark.parametrize("g", [PRICE, 1, 3 * PRICE, -(10**20)])
def test_closed_to_the_wei(g):
    books = count(Ledger().words(g))
    assert books.is_closed
    assert (books.error, books.fees, books.positions) == (0, 3 * FEE, 5)


@pytest.mark.parametrize("g", [PRICE // 2, PRICE, 2 * PRICE])
def test_closed_after_a_charge(g):
    ledger = Ledger()
    ledger.resolve(0, PRICE // 2, charge=12_345, socialised=678)
    assert ledger.market.short.cut
    books = count(ledger.words(g))
    assert books.is_closed
    assert books.deficit == 678
    assert books.dust > 0
    assert books.solvency == float(Fraction(5 * DEPOSIT, 5 * DEPOSIT + 678))


@pytest.mark.parametrize("wrong", [1, -1])
def test_one_wei_shows(wrong):
    words = Ledger().words(PRICE)
    assert count(replace(words, held=words.held + wrong)).error == wrong
    assert not count(replace(words, held=words.held + wrong)).is_closed
    taken = words.accounts | {2: account_word(unpack_cash(words.accounts[2]) - wrong)}
    assert count(replace(words, accounts=taken)).error == wrong


@pytest.mark.parametrize("part", ["insurance", "restored", "waiting"])
def test_what_is_held_apart_is_nobodys_claim(part):
    words = Ledger().words(PRICE)
    more = words.apart._replace(**{part: getattr(words.apart, part) + 1})
    assert count(replace(words, apart=more)).error == -1
    assert count(replace(words, apart=more, held=words.held + 1)).error == 0


def test_a_missing_position_shows():
    ledger = Ledger()
    ledger.positions[1] = FLAT
    books = count(ledger.words(PRICE))
    assert not books.is_closed
    assert books.mismatches == ("positions of market 0 and its long side",)


def test_scale_of_uncut_sides_is_one():
    assert unpack_market(1 << 144, (5 << 160, 0), 0).long.scale == RAY
