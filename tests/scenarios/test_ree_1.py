"""REE-1, REE-2: a token with a hook re-enters everything from everything that moves tokens.

The token is its own attacker: it owns an account and calls in the middle of its transfers. A call
back into the contract that moves the token always fails; a call into another contract may pass,
for moving tokens is the last thing an action does, and then nothing is gained by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boa
import pytest

from tests.support.world import BTC, CROSS, SETTLEMENT, UNIT, USD, WAD, World, address_of

Movers = dict[str, Callable[["Stage"], Any]]


@dataclass
class Stage:
    """A world in which the attacking token is settlement token or collateral."""

    world: World
    token: Any
    unit: int  # of the token
    account: int
    other: int

    @property
    def attacker(self) -> Any:
        return boa.env.prank(self.token.address)

    def targets(self) -> dict[str, tuple[Any, tuple[Any, ...]]]:
        """What the hook calls."""
        w, a, me = self.world, self.account, self.token.address
        return {
            "open_account": (w.ledger.open_account, (9, CROSS, 1)),
            "configure": (w.ledger.configure, (a, 1, 0)),
            "deposit": (w.ledger.deposit, (a, 1)),
            "withdraw": (w.ledger.withdraw, (a, 1, me)),
            "release": (w.custody.release, (SETTLEMENT, me)),
            "collect_ticket": (w.custody.collect_ticket, (a, me)),
            "sweep": (w.ledger.sweep, (BTC,)),
            "give": (w.fund.give, (BTC, 1)),
            "transfer": (w.ledger.transfer, (a, self.other, 1)),
            "collect": (w.ledger.collect, (a, 1)),
            "book": (w.ledger.book, (a,)),
            "trade": (w.gateway.trade, (a, self.other, BTC, WAD, 20_000 * WAD, 0)),
            "poke": (w.liquidator.poke, (a,)),
            "collateral in": (w.custody.deposit, (a, 0, 1)),
            "collateral out": (w.custody.withdraw, (a, 0, 1, me)),
            "collateral release": (w.custody.release, (0, me)),
        }

    def books(self) -> tuple[int, int]:
        """What no claim covers: of T [wei], and of the collateral that custody holds [wad]."""
        w = self.world
        people = [self.token.address, w.owner_of(self.other)]
        dust = w.dust([self.account, self.other]) // (10**27 * WAD)
        collateral = token_of(w, 0).balanceOf(w.custody.address) - w.custody.listed(0).total
        return dust, collateral - sum(w.custody.waiting(0, p) for p in people)

    def wealth(self) -> int:
        """What the attacker has in all, less fees paid [USD wad]."""
        w, me = self.world, self.token.address
        cash = w.token.balanceOf(me) * 10**12 + w.custody.waiting(SETTLEMENT, me)
        coins = token_of(w, 0).balanceOf(me) + w.custody.waiting(0, me)
        coins += w.custody.collateral_of(self.account, 0)
        value = w.health(self.account).equity
        held = w.custody.collateral_of(self.account, 0) * 1_000
        value -= held - -(-held * 30_000 // 10**6)
        return cash + coins * 1_000 + value


def token_of(world: World, index: int) -> Any:
    return world.tokens[index]


def build(settlement: str, collateral: str) -> Stage:
    world = World(settlement=settlement)
    index, coin = world.list_token(kind=collateral)
    world.tokens = {index: coin}
    token = world.token if settlement == "HookTokenMock" else coin
    me = token.address
    other = world.open("other", 10_000)
    world.token.mint(me, 50_000 * UNIT)
    coin.mint(me, 100 * WAD)
    account = int(me, 16) << 96
    with boa.env.prank(me):
        world.token.approve(world.ledger.address, 2**256 - 1)
        world.token.approve(world.fund.address, 2**256 - 1)
        coin.approve(world.custody.address, 2**256 - 1)
        world.ledger.open_account(0, CROSS, 1)
        world.ledger.deposit(account, 20_000 * UNIT)
        world.custody.deposit(account, 0, 5 * WAD)
    with world.as_owner():
        world.custody.set_outflow(SETTLEMENT, 100 * USD, 3_600)
        world.custody.set_outflow(0, WAD, 3_600)
    nobody = address_of("nobody")
    world.custody.release(SETTLEMENT, nobody)
    world.custody.release(0, nobody)
    world.pass_time(3_600)
    with boa.env.prank(me):  # so that something waits
        world.ledger.withdraw(account, 150 * UNIT, me)
        world.custody.withdraw(account, 0, 2 * WAD, me)
    world.pass_time(600)
    return Stage(world, token, UNIT if token is world.token else WAD, account, other)


@pytest.fixture(scope="module")
def stages() -> Iterator[dict[str, Stage]]:
    with boa.env.anchor():
        yield {
            "cash": build("HookTokenMock", "TokenMock"),
            "collateral": build("TokenMock", "HookTokenMock"),
        }


LEDGER, CUSTODY = frozenset({"ledger"}), frozenset({"custody"})
# Which token an action moves, and whose locks it holds while it does.
MOVERS: dict[str, tuple[str, frozenset[str]]] = {
    "deposit": ("cash", LEDGER),
    "withdraw": ("cash", LEDGER | CUSTODY),
    "release": ("cash", CUSTODY),
    "give": ("cash", frozenset({"fund"})),
    "collateral in": ("collateral", CUSTODY),
    "collateral out": ("collateral", CUSTODY),
    "collateral release": ("collateral", CUSTODY),
}
# Whose locks a call back takes.
TARGETS: dict[str, frozenset[str]] = {
    "open_account": LEDGER,
    "configure": LEDGER,
    "deposit": LEDGER,
    "withdraw": LEDGER | CUSTODY,
    "release": CUSTODY,
    "collect_ticket": CUSTODY,
    "sweep": LEDGER | CUSTODY | {"fund"},
    "give": CUSTODY | {"fund"},
    "transfer": LEDGER,
    "collect": LEDGER,
    "book": LEDGER,
    "trade": LEDGER,
    "poke": LEDGER,
    "collateral in": LEDGER | CUSTODY,
    "collateral out": LEDGER | CUSTODY,
    "collateral release": CUSTODY,
}


def move(stage: Stage, mover: str) -> None:
    w, a, me = stage.world, stage.account, stage.token.address
    {
        "deposit": lambda: w.ledger.deposit(a, 3 * UNIT),
        "withdraw": lambda: w.ledger.withdraw(a, 3 * UNIT, me),
        "release": lambda: w.custody.release(SETTLEMENT, me),
        "give": lambda: w.fund.give(BTC, 3 * UNIT),
        "collateral in": lambda: w.custody.deposit(a, 0, WAD // 10),
        "collateral out": lambda: w.custody.withdraw(a, 0, WAD // 10, me),
        "collateral release": lambda: w.custody.release(0, me),
    }[mover]()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("mover", MOVERS)
def test_reentry(stages: dict[str, Stage], mover: str, target: str) -> None:
    stage = stages[MOVERS[mover][0]]
    function, args = stage.targets()[target]
    payload = function.prepare_calldata(*args)
    on = function.contract.address
    with boa.env.anchor(), stage.attacker:
        function(*args)  # outside a hook the call is sound: what fails below fails for the lock
    locked = bool(MOVERS[mover][1] & TARGETS[target])
    for before in (True, False):
        with boa.env.anchor():
            books, wealth = stage.books(), stage.wealth()
            stage.token.arm(on, payload, before, False)
            with stage.attacker:
                try:
                    move(stage, mover)
                except boa.BoaError:
                    assert not locked, "a failed call back must not stop the payment"
                    continue
            assert stage.token.called() == 1
            if locked:
                assert not stage.token.succeeded()
            dust, coins = stage.books()
            assert 0 <= dust - books[0] <= 10, "what a trade rounds"
            assert coins == books[1]
            assert stage.wealth() <= wealth + 2


def test_views_of_words__answer_in_a_hook(stages: dict[str, Stage]) -> None:
    """They are reentrant on purpose: no other contract is called between two writes."""
    stage = stages["cash"]
    w = stage.world
    for view, args in ((w.ledger.account_word, (stage.account,)), (w.ledger.side_word, (BTC,))):
        with boa.env.anchor():
            stage.token.arm(w.ledger.address, view.prepare_calldata(*args), False, True)
            with stage.attacker:
                w.ledger.withdraw(stage.account, UNIT, stage.token.address)
            assert stage.token.succeeded()
