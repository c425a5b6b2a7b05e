"""Steps 0, 1 and 3: who may be touched, at what price, and what is left."""

from __future__ import annotations

from oracle.engine.margin import Basis
from oracle.engine.units import SETTLEMENT_TOKEN, WAD
from tests.stateful.actions import ANY_LONG, Actions
from tests.stateful.stage import PERIOD, TOKEN, USD, Stage

from .reading import cash_of

TRADER, TRADER_ISOLATED, HOLDER, HOLDER_ISOLATED = 2, 3, 8, 9


def bring(stage: Stage, do: Actions, place: int, share: tuple[int, int], market: int) -> int:
    """An account to just below a share of its MM, its auction started."""
    account = stage.accounts[place]
    price = do.price_where(account, market, share)
    assert price is not None
    do.move_to(market, price)
    stage.poke(account)
    return account


def wait(stage: Stage, do: Actions, seconds: int) -> None:
    for _ in range(seconds // 50):
        stage.advance(50 - PERIOD)
        do.next_grid()
        stage.report(do.same_prices())


def test_take__restores_the_buffer_and_no_more(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    done = stage.take(account, 1, 10**40, do.liquidator, ANY_LONG)
    assert done.ok
    margin = stage.model.margin(Basis.MAINTENANCE, account)
    assert do.size(account, 1) > 0
    assert 0 <= 4 * margin.equity - 5 * margin.requirement < 10**6


def test_take__below_two_thirds_of_maintenance__is_refused(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (2, 3), 1)
    assert stage.take(account, 1, 10**40, do.liquidator, ANY_LONG).reason == "backstop"
    assert stage.resolve(account).ok


def test_resolve__above_two_thirds_of_maintenance__is_refused(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    assert stage.resolve(account).reason == "auction running"


def test_take__by_an_account_without_margin__is_refused(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    poor = stage.accounts[7]
    assert not stage.take(account, 1, 10**40, poor, ANY_LONG).ok
    assert stage.transfer(do.liquidator, do.backer, 5_000_000 * WAD - WAD).ok
    assert stage.take(account, 1, 10**40, do.liquidator, ANY_LONG).reason == "initial margin"


def test_take__pays_the_insurance_fee(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    fees = stage.words["tally 1 fees"]
    done = stage.take(account, 1, 10**40, do.liquidator, ANY_LONG)
    (log,) = stage.ledger.logs(done.receipt, "TakenOver")
    assert log["fee"] > 0
    assert stage.words["tally 1 fees"] - fees == log["fee"]


def test_auction__keeps_its_clock_through_a_partial_take(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    wait(stage, do, 100)
    before = stage.liquidator.call("auction", account)
    assert before[1] >= 80
    terms = stage.liquidator.call("terms", account, 1)
    assert stage.take(account, 1, terms[0], do.liquidator, ANY_LONG).ok
    assert stage.liquidator.call("auction", account) == before


def test_poke__again__keeps_the_clock(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    wait(stage, do, 50)
    before = stage.liquidator.call("auction", account)
    stage.poke(account)
    assert stage.liquidator.call("auction", account) == before
    assert before[1] >= 40


def test_debt__bears_interest_to_the_protocol(stage: Stage, do: Actions) -> None:
    account = borrow(stage, do)
    assert stage.set_interest_rate(31 * 10**18).ok
    stage.advance(86_400)
    cash, interest = cash_of(stage, account), stage.words["collected"]
    assert cash < 0
    assert stage.deposit(account, SETTLEMENT_TOKEN, 1).ok
    due = stage.words["collected"] - interest
    assert due >= -cash * 31 * 10**18 * 86_400 // 10**27 > 0
    assert cash_of(stage, account) == cash - due + 10**12


def borrow(stage: Stage, do: Actions) -> int:
    """An account whose loss is more than its cash, on collateral."""
    account = stage.accounts[HOLDER]
    assert stage.deposit(account, TOKEN, 100 * WAD).ok
    do.withdraw_near(account, 0)
    here = do.mark(1)
    do.move_to(1, here * 93 // 100)
    do.calm()
    assert do.reduce(account, do.backer, 1, 10**6, 0, 0).ok
    return account


def test_collateral__is_sold_for_a_debt_at_no_loss_at_first(stage: Stage, do: Actions) -> None:
    account = indebted(stage, do)
    before = stage.model.margin(Basis.MAINTENANCE, account).equity
    done = stage.take_collateral(account, WAD, do.liquidator, 10**30)
    assert done.ok
    assert stage.model.margin(Basis.MAINTENANCE, account).equity >= before
    assert stage.resolve(account).ok is False


def test_collateral__buyer_without_cash__is_refused(stage: Stage, do: Actions) -> None:
    account = indebted(stage, do)
    assert stage.transfer(do.liquidator, do.backer, 5_000_000 * WAD - WAD).ok
    assert not stage.take_collateral(account, WAD, do.liquidator, 10**30).ok


def indebted(stage: Stage, do: Actions) -> int:
    account = borrow(stage, do)
    debt = -cash_of(stage, account)
    assert debt > 0
    held = stage.model.custody.collateral_of(account, TOKEN)
    price = debt * WAD // held
    do.move_to(32, price)
    do.calm()
    stage.poke(account)
    return account


def test_resolve__flat_and_bankrupt__records_all_of_it(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, HOLDER_ISOLATED, (-1, 1), 0)
    deficit = stage.words["owing deficit"]
    done = stage.resolve(account)
    (end,) = stage.liquidator.logs(done.receipt, "AccountResolved")
    assert end["deficit"] == end["charged"] + end["socialised"] > 0
    assert stage.words["owing deficit"] - deficit == end["socialised"]
    assert cash_of(stage, account) == 0


def test_deposit__of_a_stranger__helps(stage: Stage, do: Actions) -> None:
    account = bring(stage, do, HOLDER_ISOLATED, (9, 10), 0)
    assert stage.deposit(account, SETTLEMENT_TOKEN, 2_000 * USD).ok
    margin = stage.model.margin(Basis.MAINTENANCE, account)
    assert margin.equity >= margin.requirement


def test_take__above_the_last_bound__is_refused(stage: Stage, do: Actions) -> None:
    for account in (do.liquidator, do.backer):
        assert stage.deposit(account, SETTLEMENT_TOKEN, 100_000_000 * USD).ok
    assert do.trade_near(do.liquidator, do.backer, 1, True, 0).ok
    account = bring(stage, do, TRADER_ISOLATED, (9, 10), 1)
    rest = do.size(do.liquidator, 1) - 50_000_000 * WAD * WAD // do.mark(1)
    if rest < -(10**14):  # the mark fell: up to the bound again
        do.calm()
        do.trade_near(do.liquidator, do.backer, 1, True, 0)
    done = stage.take(account, 1, 10**40, do.liquidator, ANY_LONG)
    assert not done.ok
    assert done.reason == "above last bound"
