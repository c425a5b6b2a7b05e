"""Whether the books close: every claim, read from storage word by word, against the tokens held.

    T + D_h = Σ over accounts (cash + Σ V) + fees + interest + dust
    tokens in custody = T + insurance + restored for tickets + waiting for receivers

V is what an account is shown (rounded down), dust what all roundings left: for each position its
exact value less V, for each market what its own books hold beyond its sides' exact value. Nothing
is taken from the left side, so the difference, which must be zero, is a check. The lens counts the
same in another way, from the sides' totals, and must agree. The rings of the backstop vault are
accounts like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from oracle.engine import positions, sides
from oracle.engine.positions import Market
from oracle.engine.sides import Position, Side
from oracle.engine.units import RAY, WAD, Credit, Ray, Scaled, Usd
from scripts.demo_parts.venue import UNIT_WAD, Venue

Finals = Mapping[tuple[bool, int], int]


@dataclass(frozen=True)
class Books:
    """All in USD wad unless said otherwise."""

    tokens: int  # T: settlement tokens in custody less what is held apart
    deficit: int  # D_h, socialised
    tickets: int  # R, unpaid parts of withdrawals
    insurance: int  # held apart for the insurance fund
    restored: int  # held apart for tickets
    waiting: int  # held apart for receivers
    cash: int  # Σ of all accounts
    value: int  # Σ of all positions, as shown
    fees: int
    interest: int
    dust: int  # counted
    error: int  # tokens + D_h less all of that: 0
    mismatches: tuple[str, ...]  # where the lens, or a total, says otherwise
    positions: int  # count

    @property
    def is_closed(self) -> bool:
        """Nothing is missing and everybody agrees."""
        return self.error == 0 and self.dust >= 0 and not self.mismatches

    @property
    def solvency(self) -> float:
        """h = T/(T + D_h)."""
        return self.tokens / (self.tokens + self.deficit) if self.deficit else 1.0


class Apart(NamedTuple):
    """What custody says it owes, and what it holds for others than accounts. [USD wad]"""

    deficit: int
    tickets: int
    insurance: int
    restored: int
    waiting: int


@dataclass(frozen=True)
class Words:
    """What was read."""

    accounts: dict[int, int]  # account -> word
    positions: dict[tuple[int, int], int]  # (account, market) -> word
    markets: dict[int, Market]
    finals: dict[int, dict[tuple[bool, int], int]]
    g: dict[int, int]  # mark less funding by market [USD wad]
    held: int  # settlement tokens in custody
    apart: Apart
    interest: int

    @property
    def tokens(self) -> int:
        """T."""
        return self.held - self.apart.insurance - self.apart.restored - self.apart.waiting


def close_books(venue: Venue, accounts: Sequence[int]) -> Books:
    """Read everything and count.

    Args:
        accounts: all that were ever opened.
    """
    words = _read(venue, accounts)
    books = count(words)
    lens = venue.ask(venue.lens, "solvency")
    wrong = [*books.mismatches, *_lens_mismatches(words, lens), *_collateral(venue, accounts)]
    return Books(**{**books.__dict__, "mismatches": tuple(wrong)})


def count(words: Words) -> Books:
    """The sum, from words alone."""
    cash = sum(unpack_cash(word) for word in words.accounts.values())
    fees = sum(market.fees for market in words.markets.values())
    value, exact, held, ended = 0, Fraction(0), 0, 0
    totals: dict[tuple[int, bool], int] = {}
    for (_, market), word in words.positions.items():
        position = unpack_position(word)
        if position.scaled == 0:
            continue
        held += 1
        shown, is_ended = _shown(position, words, market)
        value += shown
        exact += shown if is_ended else _exact(position, words, market)
        ended += is_ended
        if not is_ended:
            key = market, position.is_long
            totals[key] = totals.get(key, 0) + abs(position.scaled)
    dust = exact - value + sum(_market_dust(words, market) for market in words.markets)
    claims = cash + value + fees + words.interest
    error = words.tokens + words.apart.deficit - claims - dust
    left = _ended_dust(words, error, len(words.accounts))
    return Books(
        tokens=words.tokens,
        **words.apart._asdict(),
        cash=cash,
        value=value,
        fees=fees,
        interest=words.interest,
        dust=_whole(dust + left),
        error=_whole(error - left),
        mismatches=tuple(_total_mismatches(words, totals)),
        positions=held,
    )


# --- words ---------------------------------------------------------------------------------------


def unpack_cash(word: int) -> int:
    """Settled cash of an account's word [USD wad]."""
    return _signed(word >> 152, 104)


def unpack_position(word: int) -> Position:
    """A position's word."""
    return Position(
        scaled=Scaled(_signed(word >> 144, 112)),
        z=Usd(_signed(word >> 16 & 2**128 - 1, 128)),
        epoch=word & 65_535,
    )


def unpack_market(sides_word: int, cuts: tuple[int, int], tally: int) -> Market:
    """Both sides' totals, the words of cut sides (long, short), and the market's own books."""
    long_cut, short_cut = bool(sides_word >> 16 & 1), bool(sides_word & 1)
    return Market(
        long=_side(sides_word >> 144, sides_word >> 17 & 32_767, cuts[0] if long_cut else None),
        short=_side(
            sides_word >> 32 & 2**112 - 1,
            sides_word >> 1 & 32_767,
            cuts[1] if short_cut else None,
        ),
        net=_signed(tally >> 128, 128),
        fees=tally & 2**128 - 1,
    )


# --- internals -----------------------------------------------------------------------------------


def _read(venue: Venue, accounts: Sequence[int]) -> Words:
    ledger, markets = venue.ledger, list(venue.listed.values())
    pairs = [(account, market) for account in accounts for market in markets]
    calls = [ledger.ask("account_word", account) for account in accounts]
    calls += [ledger.ask("position_word", account, market) for account, market in pairs]
    answers = iter(venue.client.call_many(calls))
    account_words = {account: next(answers) for account in accounts}
    position_words = {pair: next(answers) for pair in pairs}
    found = {market: _read_market(venue, market) for market in markets}
    quotes = {market: venue.ask(venue.engine, "quote", market) for market in markets}
    totals = venue.totals()
    return Words(
        accounts=account_words,
        positions=position_words,
        markets=found,
        finals={market: _read_finals(venue, market, found[market]) for market in markets},
        g={market: quote[0] - quote[1] for market, quote in quotes.items()},
        held=venue.ask(venue.cash, "balanceOf", venue.custody.address) * UNIT_WAD,
        apart=Apart(*totals[1:]),
        interest=venue.ask(ledger, "interest_collected"),
    )


def _read_market(venue: Venue, market: int) -> Market:
    ledger = venue.ledger
    calls = [
        ledger.ask("side_word", market),
        ledger.ask("cut_word", 2 * market),
        ledger.ask("cut_word", 2 * market + 1),
        ledger.ask("tally_word", market),
    ]
    side_word, long_cut, short_cut, tally = venue.client.call_many(calls)
    return unpack_market(side_word, (long_cut, short_cut), tally)


def _read_finals(venue: Venue, market: int, state: Market) -> dict[tuple[bool, int], int]:
    finals = {}
    for is_long, side in ((True, state.long), (False, state.short)):
        for epoch in range(side.epoch):
            key = 2 * market + (not is_long)
            finals[is_long, epoch] = venue.ask(venue.ledger, "final_credit", key, epoch)
    return finals


def _side(total: int, epoch: int, cut: int | None) -> Side:
    if cut is None:
        return Side(Ray(RAY), Credit(0), Scaled(total), epoch, cut=False)
    credit = _signed(cut & 2**160 - 1, 160)
    return Side(Ray(cut >> 160), Credit(credit), Scaled(total), epoch, cut=True)


def _shown(position: Position, words: Words, market: int) -> tuple[int, bool]:
    """V as the account sees it, and whether its epoch has ended."""
    held = positions.held(position, words.markets[market], words.finals[market])
    return held.size * words.g[market] // WAD + held.base, held.is_ended


def _exact(position: Position, words: Words, market: int) -> Fraction:
    """q^·X - z without rounding."""
    side = words.markets[market].side(is_long=position.is_long)
    own = Side(side.scale, side.credit, Scaled(abs(position.scaled)), side.epoch, side.cut)
    value = sides.side_value(own, words.g[market], is_long=position.is_long)
    return Fraction(value, RAY * WAD) - position.z


def _market_dust(words: Words, market: int) -> Fraction:
    """What a market's books hold beyond both sides' exact value."""
    state, g = words.markets[market], words.g[market]
    value = sides.side_value(state.long, g, is_long=True)
    value += sides.side_value(state.short, g, is_long=False)
    return -(state.net + Fraction(value, RAY * WAD))


def _ended_dust(words: Words, error: Fraction, most: int) -> Fraction:
    """Where an epoch has ended, its positions were paid out rounded down: a wei each at most."""
    ended = sum(state.long.epoch for state in words.markets.values())
    return error if ended and 0 <= error <= ended * most else Fraction(0)


def _total_mismatches(words: Words, totals: Mapping[tuple[int, bool], int]) -> list[str]:
    """Each side's total is the sum of its positions."""
    return [
        f"positions of market {market} and its {'long' if is_long else 'short'} side"
        for market, state in words.markets.items()
        for is_long in (True, False)
        if state.side(is_long=is_long).total != totals.get((market, is_long), 0)
    ]


def _lens_mismatches(words: Words, lens: Sequence[Any]) -> list[str]:
    """What `Lens.solvency` says otherwise."""
    tokens, *apart, interest, fees, _, rows = lens
    pairs: dict[str, tuple[Any, Any]] = {
        "tokens": (tokens, words.tokens),
        "what is held apart": (tuple(apart), tuple(words.apart)),
        "interest": (interest, words.interest),
        "fees": (fees, sum(market.fees for market in words.markets.values())),
    }
    for market, longs, shorts, net, *_ in rows:
        state, g = words.markets[market], words.g[market]
        pairs[f"longs of market {market}"] = longs, _claims(state.long, g, is_long=True)
        pairs[f"shorts of market {market}"] = shorts, _claims(state.short, g, is_long=False)
        pairs[f"net of market {market}"] = net, state.net
    return [f"{what} by the lens" for what, (theirs, ours) in pairs.items() if theirs != ours]


def _claims(side: Side, g: int, *, is_long: bool) -> int:
    """Q^·X rounded up, by the settled credit as the lens does it."""
    x = sides.settled_credit(side, g, is_long=is_long)
    return -(-side.total * x // RAY)


def _collateral(venue: Venue, accounts: Sequence[int]) -> list[str]:
    """Collateral tokens: what custody holds is what accounts have."""
    calls = [venue.custody.ask("collateral_of", account, 0) for account in accounts]
    owned = sum(venue.client.call_many(calls))
    held = venue.ask(venue.collateral, "balanceOf", venue.custody.address)
    return [] if owned == held else ["collateral tokens"]


def _signed(value: int, bits: int) -> int:
    value &= 2**bits - 1
    return value - 2**bits if value >> (bits - 1) else value


def _whole(value: Fraction) -> int:
    """Rounded away from zero, so that no error is rounded off."""
    return (
        -(-value.numerator // value.denominator)
        if value > 0
        else value.numerator // value.denominator
    )
