"""Insurance, backstop vault, rewards, and what was socialised coming back."""

from __future__ import annotations

import pytest

from oracle.engine.margin import Basis
from oracle.engine.units import SETTLEMENT_TOKEN, WAD
from tests.stateful.actions import Actions
from tests.stateful.stage import PERIOD, UNIT, Stage

from .conftest import empty_ring
from .reading import cash_of, place_of

TRADER_ISOLATED, HEDGER, HOLDER_ISOLATED = 3, 4, 9
DURATION = 120  # [s] of the auction


@pytest.fixture
def do(funded: Stage) -> Actions:
    return Actions(funded)


def bring(do: Actions, place: int, share: tuple[int, int], market: int) -> int:
    """An account to just below a share of its MM, its auction started."""
    account = do.stage.accounts[place]
    price = do.price_where(account, market, share)
    assert price is not None
    do.move_to(market, price)
    do.stage.poke(account)
    return account


def resolved(stage: Stage, account: int) -> dict[str, int]:
    done = stage.resolve(account)
    assert done.ok, done.reason
    (end,) = stage.liquidator.logs(done.receipt, "AccountResolved")
    return dict(end)


def test_resolve__insurance__pays_up_to_the_bucket(funded: Stage, do: Actions) -> None:
    """The fund has more than the market's bucket; the rest is for others to bear."""
    empty_ring(funded, 1)
    bucket, assets = funded.words["fund 1 filled"], funded.words["apart insurance"]
    end = resolved(funded, bring(do, TRADER_ISOLATED, (-2, 1), 1))
    assert assets > end["deficit"] > bucket > 0
    assert end["insured"] == bucket
    assert funded.words["fund 1 filled"] == 0
    assert funded.words["apart insurance"] == assets - bucket


def test_resolve__auction_over__vault_is_paid_two_thirds_of_mm(funded: Stage, do: Actions) -> None:
    account = bring(do, TRADER_ISOLATED, (9, 10), 1)
    for _ in range(DURATION // 50 + 1):
        funded.advance(50 - PERIOD)
        do.next_grid()
        funded.report(do.same_prices())
    margin = funded.model.margin(Basis.MAINTENANCE, account)
    assert 2 * margin.requirement < 3 * margin.equity < 3 * margin.requirement
    ring = funded.model.vault.account_of(1)
    before = cash_of(funded, ring)
    end = resolved(funded, account)
    assert do.size(ring, 1) > 0
    paid = 2 * margin.requirement // 3
    assert cash_of(funded, ring) == before + paid
    left = margin.equity - end["reward"] - paid
    assert 0 <= left - cash_of(funded, account) <= 10**12


def test_resolve__bankrupt__the_reward_is_part_of_the_deficit(funded: Stage, do: Actions) -> None:
    account = bring(do, HOLDER_ISOLATED, (-1, 1), 0)
    waiting = funded.words["waiting total"]
    end = resolved(funded, account)
    assert end["deficit"] == -end["cash"] == end["insured"] + end["charged"] + end["socialised"]
    assert end["reward"] == funded.words["waiting total"] - waiting > 0
    assert cash_of(funded, account) == 0


def test_resolve__vault_took_a_bankrupt_book__winners_are_charged(
    funded: Stage, do: Actions
) -> None:
    """Who takes the book does not change who pays the hole; nobody is cut."""
    funded.fund.must(funded.owner, "set_bucket_cap", 0, 0)
    funded.model.set_bucket_cap(0, 0)
    account = bring(do, HOLDER_ISOLATED, (-1, 1), 0)
    size, winner = do.size(account, 0), funded.accounts[HEDGER + 1]
    held, equity = do.size(winner, 0), funded.model.margin(Basis.MAINTENANCE, winner).equity
    end = resolved(funded, account)
    assert do.size(funded.model.vault.account_of(0), 0) == size > 0
    assert do.size(winner, 0) == held < 0
    assert end["charged"] == end["deficit"] > 0
    assert funded.model.margin(Basis.MAINTENANCE, winner).equity < equity


def test_sweep__clears_the_fees(funded: Stage, do: Actions) -> None:
    del do
    fees, insurance = funded.words["tally 0 fees"], funded.words["apart insurance"]
    assert fees > 0
    for _ in range(2):
        assert funded.sweep(0).ok
        assert funded.words["tally 0 fees"] == 0
        assert funded.words["apart insurance"] == insurance + fees


def test_restoration__is_shared_with_tickets(funded: Stage, do: Actions) -> None:
    """Leaver and stayer recover alike (FORMULAS 8)."""
    victim = funded.accounts[HEDGER]
    price = do.price_where(victim, 1, (-3, 1))
    assert price is not None
    do.move_to(1, price)
    for _ in range(3):
        funded.advance(61)
        do.calm()
    assert resolved(funded, victim)["socialised"] > 0
    assert funded.withdraw(do.liquidator, SETTLEMENT_TOKEN, 1_000_000 * WAD // UNIT).ok
    deficit, unpaid = funded.words["owing deficit"], funded.words["owing tickets"]
    assert unpaid == funded.words[f"ticket {place_of(funded, do.liquidator)} left"] > 0
    fees, tokens = funded.words["tally 1 fees"], funded.words["vault tokens"]
    income = fees * tokens // (tokens + deficit)
    deficit -= fees - income
    assert funded.sweep(1).ok
    for_tickets = income * unpaid // (deficit + unpaid)
    assert funded.words["restored"] == for_tickets > 0
    assert funded.words["owing tickets"] == unpaid - for_tickets
    assert funded.words["owing deficit"] == deficit - (income - for_tickets)
    assert funded.collect_ticket(do.liquidator).ok
    assert funded.words["waiting 255 liquidator"] in (
        for_tickets // UNIT * UNIT,
        (for_tickets - 1) // UNIT * UNIT,
    )
