"""Side indices: cuts, charges, ended epochs; books that close at any price."""

from __future__ import annotations

import pytest

from oracle.engine.units import RAY, WAD
from tests.stateful.actions import Actions
from tests.stateful.invariants import Checks
from tests.stateful.stage import Stage

from .reading import cash_of

TRADER, GAMBLER_ISOLATED, HOLDER_ISOLATED, HEDGER_ISOLATED = 2, 7, 9, 5


@pytest.fixture
def cut(stage: Stage, do: Actions) -> Stage:
    """Market 0 with its shorts cut by a resolved long."""
    resolve_a(stage, do, stage.accounts[HOLDER_ISOLATED])
    return stage


def resolve_a(stage: Stage, do: Actions, victim: int, market: int = 0) -> None:
    price = do.price_where(victim, market, (-1, 8))
    assert price is not None
    do.move_to(market, price)
    assert stage.resolve(victim).ok
    assert stage.words[f"sides {market} short cut"] or stage.words[f"sides {market} long cut"]


def effective(stage: Stage, market: int, short: int) -> int:
    name = "short" if short else "long"
    scale = stage.words[f"cut {market} {short} scale"] if is_cut(stage, market, name) else RAY
    total = stage.words[f"sides {market} {name} total"]
    return -(-total * scale // RAY) if short else total * scale // RAY


def is_cut(stage: Stage, market: int, name: str) -> bool:
    return bool(stage.words[f"sides {market} {name} cut"])


def test_resolved_long__cuts_the_shorts_by_its_size(stage: Stage, do: Actions) -> None:
    longs, shorts = effective(stage, 0, 0), effective(stage, 0, 1)
    victim = stage.accounts[HOLDER_ISOLATED]
    size = do.size(victim, 0)
    resolve_a(stage, do, victim)
    assert effective(stage, 0, 0) == longs - size
    assert 0 <= effective(stage, 0, 1) - (shorts - size) <= 2


def test_resolved_short__cuts_the_longs(stage: Stage, do: Actions) -> None:
    longs = effective(stage, 0, 0)
    victim = stage.accounts[HEDGER_ISOLATED]
    size = do.size(victim, 0)
    resolve_a(stage, do, victim)
    assert is_cut(stage, 0, "long")
    assert 0 <= longs + size - effective(stage, 0, 0) <= 2


def test_books__after_cuts_and_trades_on_both_sides__close_at_any_price(
    cut: Stage, do: Actions
) -> None:
    checks = Checks(cut)
    checks.check_books()
    do.calm()
    for victim in (HEDGER_ISOLATED,):
        resolve_a(cut, do, cut.accounts[victim])
        checks.check_books()
        do.calm()
    for size in (3 * WAD + 1, -WAD - 7, -3 * WAD - 11):
        assert cut.trade(do.liquidator, do.backer, 0, size, do.mark(0)).ok
        checks.check_books()


def test_short_of_a_cut_side__has_its_size_rounded_up(cut: Stage, do: Actions) -> None:
    scale = cut.words["cut 0 1 scale"]
    for place, account in enumerate(cut.everyone):
        scaled = cut.words[f"position {place} 0 scaled"]
        for leg in cut.ledger.call("book", account)[3]:
            if leg[0] == 0 and scaled < 0:
                assert -leg[1] == -(scaled * scale // RAY)


def test_open_on_a_cut_side__at_the_mark__is_worth_nothing(cut: Stage, do: Actions) -> None:
    """Else what older positions gained or paid would be the newcomer's."""
    do.calm()
    before = cut.ledger.call("book", do.liquidator)[0]
    assert cut.trade(do.liquidator, do.backer, 0, -10 * WAD, do.mark(0)).ok
    cash, _, _, legs, _ = cut.ledger.call("book", do.liquidator)
    ((_, size, base, _),) = legs
    quote = cut.engine.call("quote", 0)
    value = size * (quote[0] - quote[1]) // WAD + base
    assert -(10**12) < value <= 0
    assert cash <= before


def test_close_on_a_cut_side__leaves_its_reserve_to_dust(cut: Stage, do: Actions) -> None:
    do.calm()
    assert cut.trade(do.liquidator, do.backer, 0, -10 * WAD, do.mark(0)).ok
    before, size = cash_of(cut, do.liquidator), -do.size(do.liquidator, 0)
    assert cut.trade(do.liquidator, do.backer, 0, size, do.mark(0)).ok
    fees = size * do.mark(0) // WAD * 100 // 10**6
    assert cash_of(cut, do.liquidator) <= before - fees - 2 * 10**10


def test_ended_epoch__is_worth_the_same_at_any_later_mark(stage: Stage, do: Actions) -> None:
    assert do.delist(0).ok
    hedger = stage.accounts[HEDGER_ISOLATED]
    cash = stage.ledger.call("book", hedger)[0]
    do.move_to(0, do.mark(0) * 107 // 100)
    assert stage.ledger.call("book", hedger)[0] == cash
    assert stage.collect(hedger, 0).ok
    assert cash_of(stage, hedger) == cash


def test_charge__is_at_most_what_the_opposite_side_surely_owns(stage: Stage, do: Actions) -> None:
    """Long after the move the shorts may have left with it: only calm MMR_0 is sure."""
    victim = stage.accounts[GAMBLER_ISOLATED]
    market = 2
    price = do.price_where(victim, market, (-6, 1))
    assert price is not None
    do.move_to(market, price)
    for _ in range(3):
        stage.advance(61)
        do.calm()
    sure = effective(stage, market, 1) * do.mark(market) * 40_000 // 10**6 // WAD
    done = stage.resolve(victim)
    assert done.ok
    (end,) = stage.liquidator.logs(done.receipt, "AccountResolved")
    assert end["deficit"] > end["charged"] > 0 or end["deficit"] <= sure
    assert end["charged"] <= sure


def test_second_charge_of_a_round__is_less_by_the_first(stage: Stage, do: Actions) -> None:
    """Two longs fail in one fall: the second is charged only what the first left."""
    first, second = stage.accounts[TRADER], stage.accounts[HOLDER_ISOLATED]
    price = do.price_where(first, 0, (-2, 1))
    assert price is not None
    do.move_to(0, price)
    stage.advance(61)
    do.calm()
    totals = [effective(stage, 0, 1) * do.mark(0) * 40_000 // 10**6 // WAD]
    charges = []
    for victim in (first, second):
        done = stage.resolve(victim)
        assert done.ok
        (end,) = stage.liquidator.logs(done.receipt, "AccountResolved")
        charges.append(end["charged"])
    assert sum(charges) <= totals[0]
