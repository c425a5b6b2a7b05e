"""Everything that leaves: whose it is, down to which margin, at which h."""

from __future__ import annotations

from oracle.engine.margin import Basis
from oracle.engine.units import SETTLEMENT_TOKEN, WAD
from tests.stateful.actions import Actions
from tests.stateful.driver import address_of
from tests.stateful.stage import TOKEN, Stage

from .reading import place_of

TRADER, HEDGER, HOLDER = 2, 4, 8


def test_withdraw__one_unit_below_initial_margin__is_refused(stage: Stage, do: Actions) -> None:
    trader = stage.accounts[TRADER]
    assert do.withdraw_near(trader, 1).reason == "initial margin"
    assert do.withdraw_near(trader, 0).ok


def test_transfer__one_wei_below_initial_margin__is_refused(stage: Stage, do: Actions) -> None:
    trader = stage.accounts[TRADER]
    assert do.transfer_near(trader, do.backer, 1).reason == "initial margin"
    assert do.transfer_near(trader, do.backer, 0).ok


def test_withdraw__by_a_stranger__is_refused(stage: Stage, do: Actions) -> None:
    thief = address_of("thief")
    receipt = stage.ledger.send(thief, "withdraw", do.liquidator, 10**6, thief)
    assert receipt.reason == "not your account"
    receipt = stage.ledger.send(thief, "transfer", do.liquidator, do.backer, 1)
    assert receipt.reason == "not your account"


def test_withdraw_collateral__by_a_stranger__is_refused(stage: Stage) -> None:
    thief = address_of("thief")
    holder = stage.accounts[HOLDER]
    receipt = stage.custody.send(thief, "withdraw", holder, TOKEN, 1, thief)
    assert receipt.reason == "not your account"


def test_withdraw_collateral__counts_the_initial_haircut(stage: Stage, do: Actions) -> None:
    holder = stage.accounts[HOLDER]
    held = stage.model.custody.collateral_of(holder, TOKEN)
    value = stage.engine.call("assess", 0, 0, 0, [], [(TOKEN, held)])[0]
    assert value == held * 2_000 * 85 // 100
    assert do.withdraw_near(holder, 0).ok
    margin = stage.model.margin(Basis.INITIAL, holder)
    assert margin.equity - margin.requirement < WAD
    assert not stage.withdraw(holder, TOKEN, held // 10).ok


def test_withdraw__above_the_outflow_bucket__waits(stage: Stage, do: Actions) -> None:
    bound_the_outflow(stage, do)
    held = stage.words["usdc held"]
    assert stage.withdraw(do.liquidator, SETTLEMENT_TOKEN, 300 * 10**6).ok
    assert held - stage.words["usdc held"] == 100 * 10**6


def test_withdraw__with_a_socialised_deficit__pays_h(stage: Stage, do: Actions) -> None:
    make_a_hole(stage, do)
    tokens, deficit = stage.words["vault tokens"], stage.words["owing deficit"]
    assert deficit > 0
    claim = 1_000_000 * 10**6
    assert stage.withdraw(do.liquidator, SETTLEMENT_TOKEN, claim).ok
    paid = tokens - stage.words["vault tokens"]
    assert paid * (tokens + deficit) <= claim * 10**12 * tokens
    assert stage.words[f"ticket {place_of(stage, do.liquidator)} left"] == claim * 10**12 - paid
    left = stage.words["vault tokens"], stage.words["owing deficit"]
    assert left[0] * (tokens + deficit) >= tokens * sum(left)


def bound_the_outflow(stage: Stage, do: Actions) -> None:
    """100 USD in an hour, the level risen to what is held."""
    assert stage.set_outflow(SETTLEMENT_TOKEN, 100 * WAD, 3_600).ok
    assert stage.withdraw(do.liquidator, SETTLEMENT_TOKEN, 1).ok
    stage.advance(3_600)
    do.calm()


def make_a_hole(stage: Stage, do: Actions) -> None:
    """Bankrupt accounts are resolved so late that little of it can be charged."""
    victim = stage.accounts[HEDGER]
    price = do.price_where(victim, 1, (-3, 1))
    assert price is not None
    do.move_to(1, price)
    for _ in range(3):
        stage.advance(61)
        do.calm()
    assert stage.resolve(victim).ok


def test_resolve__with_a_hole__records_it(stage: Stage, do: Actions) -> None:
    make_a_hole(stage, do)
    assert stage.words["owing deficit"] > 10_000 * WAD


def test_release__in_a_pause__is_refused(stage: Stage, do: Actions) -> None:
    bound_the_outflow(stage, do)
    assert stage.withdraw(do.liquidator, SETTLEMENT_TOKEN, 300 * 10**6).ok
    assert stage.words["waiting 255 liquidator"] > 0
    assert stage.pause().ok
    stage.advance(3_600)
    done = stage.release(SETTLEMENT_TOKEN, address_of("liquidator"))
    assert not done.ok
    assert done.reason == "paused"
