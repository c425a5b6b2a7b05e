"""What to do about an account that is short, each action tried by `eth_call` before it goes out.

Liquidatable: buy its collateral (step 0) or part of a position (step 1), whichever pays more, if it
pays more than its gas; start its auction where nothing pays yet. From the backstop on: resolve it
(steps 2 and 3), whatever that costs; where collateral has to go first, buy it, dust also without a
profit, or let the vault have what nobody wants for nothing. None but the purchases needs capital.
Rewards are released to the bot when they are worth the gas.

How much the own account can carry is decided by the simulation. `Lens.max_trade` only names a size
worth trying: it answers for trades, which are reduce-only after a jump, when takes are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from oracle.bot.journal import Journal, Key
from oracle.bot.logs import Log, usd
from oracle.bot.outbox import Action, Outbox
from oracle.bot.protocol import (
    BACKSTOP,
    BOOK,
    COLLATERAL_PRICE,
    COLLATERAL_TERMS,
    MAX_TRADE,
    POKE,
    REFERENCE_OF,
    RELEASE,
    RESOLVE,
    REWARD_OF,
    SETTLEMENT,
    TAKE,
    TAKE_COLLATERAL,
    TAKE_LAST,
    TERMS,
    WAD,
    WAITING,
    CollateralTerms,
    Deployment,
    Terms,
    is_refusal,
    short_id,
)
from oracle.bot.rank import Short
from oracle.chain import ChainError, Client, Function, Reverted, to_hex

RELEASE_GAS: Final = 90_000
DUST: Final = 100 * WAD  # [USD wad] of a token: hardly a discount of it pays for the gas
WORTH: Final = 5  # times its gas that rewards are let pile up to
TRIES: Final = 6  # halvings of a size that the own account is too small for


@dataclass(frozen=True)
class Gas:
    """What it costs."""

    price: int  # [wei] of one unit
    native: int  # [USD wad] of one native coin

    def usd_up(self, units: int) -> int:
        """[USD wad]."""
        return -(-units * self.price * self.native // WAD)


@dataclass(frozen=True)
class Offer:
    """Something an account in the waterfall has to give, at a price.

    Attributes:
        item: market or token.
        size: the most that may be taken [wad].
        least: the least that may be taken [wad].
        room: what the own account might trade [wad].
        price: paid, or for a short received [USD wad].
        mark: what it is worth [USD wad].
        is_bought: a long position or a token, not a short one.
    """

    step: str
    item: int
    size: int
    least: int
    price: int
    mark: int
    is_bought: bool
    room: int = 0

    def gain_down(self, size: int) -> int:
        """Of taking so much, before gas [USD wad]."""
        edge = self.mark - self.price if self.is_bought else self.price - self.mark
        return edge * size // WAD

    def limit(self, size: int, cost: int) -> int:
        """The price beyond which nothing would be left of the gain: moves until then are fine."""
        slack = -(-cost * WAD // size)
        return max(self.mark - slack, 0) if self.is_bought else self.mark + slack


def sizes(offer: Offer) -> list[int]:
    """To be tried in turn: the most, its halves, the own account's room, the least."""
    tried = {offer.size >> i for i in range(TRIES)} | {offer.room, offer.least}
    return sorted((x for x in tried if max(offer.least, 1) <= x <= offer.size), reverse=True)


class Actor:
    """Acts for one account of the bot."""

    def __init__(
        self,
        client: Client,
        deployment: Deployment,
        journal: Journal,
        outbox: Outbox,
        log: Log,
        *,
        address: str,
        own: int,
        min_profit: int = 0,
    ) -> None:
        """
        Args:
            address: that sends; it owns `own`.
            own: account that takes.
            min_profit: a take has to bring more [USD wad].
        """
        self._client = client
        self._deployment = deployment
        self._journal = journal
        self._outbox = outbox
        self._log = log
        self._address = address
        self._own = own
        self._min_profit = min_profit
        self._gas = Gas(0, 0)
        self._head = 0
        self._is_busy = False

    def act(self, short: Iterable[Short], head: int, gas: Gas) -> int:
        """Once over the accounts, in order; how many actions went out.

        The own account takes once a block: what it may do next depends on what it did. An account
        that the node refuses to answer for does not keep the others waiting.

        Args:
            head: the block that `short` is of.

        Raises:
            ChainError: the node cannot be reached.
        """
        self._gas = gas
        self._head = head
        self._is_busy = self._journal.is_busy(head)
        return sum(self._try(each) for each in short)

    def collect(self, gas: Gas, head: int) -> bool:
        """Release what the bot earned by resolving, once it is worth it.

        Raises:
            ChainError: the node cannot be reached.
        """
        at = self._deployment.custody
        waiting = int(self._client.call(at, WAITING, SETTLEMENT, self._address))
        cost = gas.usd_up(RELEASE_GAS)
        if waiting <= WORTH * cost or self._journal.is_waiting(self._own, head):
            return False
        key = Key(self._own, "release", -1, head)
        args = (SETTLEMENT, self._address)
        return self._put(Action(key, RELEASE, args, 0, RELEASE_GAS, waiting - cost, at))

    def _try(self, short: Short) -> bool:
        try:
            return self._serve(short)
        except ChainError as error:
            if not is_refusal(error):
                raise
            self._log.refused(short_id(short.account), "any", -1, str(error))
            return False

    def _serve(self, short: Short) -> bool:
        account = short.account
        if self._journal.is_waiting(account, self._head):
            return False
        is_running, auction = self._journal.auction(account)
        self._log.debug(
            "short",
            account=short_id(account),
            state=short.health.state,
            deficit_usd=usd(short.health.deficit),
        )
        if short.health.state >= BACKSTOP and self._free_of_charge("resolve", account, auction):
            return True
        if self._take_best(account, auction, with_legs=short.health.state < BACKSTOP):
            return True
        if short.health.state >= BACKSTOP and (
            self._clear_dust(account, auction) or self._give_away(account, auction)
        ):
            return True
        return not is_running and self._free_of_charge("poke", account, auction)

    # --- without a payment -----------------------------------------------------------------------

    def _free_of_charge(self, step: str, account: int, auction: int) -> bool:
        """Poke or resolve, whatever the gas."""
        key = Key(account, step, -1, auction)
        function = POKE if step == "poke" else RESOLVE
        gas = self._simulate(key, function, (account,))
        if gas is None:
            return False
        profit = self._reward(account) if step == "resolve" else 0
        return self._put(Action(key, function, (account,), 0, gas, profit - self._gas.usd_up(gas)))

    def _reward(self, account: int) -> int:
        try:
            return int(self._client.call(self._deployment.liquidator, REWARD_OF, account))
        except Reverted:
            return 0

    def _give_away(self, account: int, auction: int) -> bool:
        """Collateral whose price came down to nothing: the vault is its last bidder."""
        *_, holdings = self._client.call(self._deployment.ledger, BOOK, account)
        vault = self._deployment.vault
        for token, _ in holdings:
            key = Key(account, "take_last", token, auction)
            gas = self._simulate(key, TAKE_LAST, (account, token), vault)
            if gas is not None:
                args = (account, token)
                cost = self._gas.usd_up(gas)
                return self._put(Action(key, TAKE_LAST, args, 0, gas, -cost, vault))
        return False

    # --- for a discount --------------------------------------------------------------------------

    def _take_best(self, account: int, auction: int, with_legs: bool) -> bool:
        """The offer that pays most and that the own account can carry."""
        _, _, _, legs, holdings = self._client.call(self._deployment.ledger, BOOK, account)
        offers = [self._collateral_offer(account, token) for token, _ in holdings]
        if with_legs:
            offers += [self._leg_offer(account, leg[0], leg[1]) for leg in legs if leg[1]]
        best = sorted(
            (offer for offer in offers if offer is not None),
            key=lambda offer: -offer.gain_down(offer.size),
        )
        if best and self._is_busy:
            self._log.refused(short_id(account), "take", -1, "own account is busy")
            return False
        return any(self._take(account, auction, offer) for offer in best)

    def _clear_dust(self, account: int, auction: int) -> bool:
        """Buy collateral that is in the way, at no more than it is worth: a wei of it would keep
        the account from being resolved until its price is nothing, long after the aftermath."""
        *_, holdings = self._client.call(self._deployment.ledger, BOOK, account)
        for token, _ in holdings:
            offer = self._collateral(account, token)
            if offer is None or offer.price * offer.size > DUST * WAD:
                continue
            key = Key(account, offer.step, token, auction)
            args = (account, token, offer.size, self._own, offer.mark)
            gas = self._simulate(key, TAKE_COLLATERAL, args)
            if gas is not None:
                profit = offer.gain_down(offer.size) - self._gas.usd_up(gas)
                return self._put(Action(key, TAKE_COLLATERAL, args, offer.size, gas, profit))
        return False

    def _collateral_offer(self, account: int, token: int) -> Offer | None:
        offer = self._collateral(account, token)
        return None if offer is None else self._worth(account, offer)

    def _collateral(self, account: int, token: int) -> Offer | None:
        key = Key(account, "take_collateral", token, 0)
        try:
            answer = self._client.call(
                self._deployment.liquidator, COLLATERAL_TERMS, account, token
            )
            _, mark, _ = self._client.call(self._deployment.engine, COLLATERAL_PRICE, token)
        except Reverted as error:
            self._refuse(key, error.reason)
            return None
        terms = CollateralTerms(*answer)
        return Offer("take_collateral", token, terms.most, 0, terms.price, mark, True)

    def _leg_offer(self, account: int, market: int, leg: int) -> Offer | None:
        """Of a position."""
        at = self._deployment
        try:
            terms = Terms(*self._client.call(at.liquidator, TERMS, account, market))
            mark = self._client.call(at.engine, REFERENCE_OF, market)[0]
        except Reverted as error:
            self._refuse(Key(account, "take", market, 0), error.reason)
            return None
        room = self._room(market, leg > 0, mark)
        return self._worth(
            account,
            Offer("take", market, terms.most, terms.least, terms.price, mark, leg > 0, room),
        )

    def _room(self, market: int, is_buy: bool, price: int) -> int:
        args = (self._own, market, is_buy, price, True)
        try:
            return int(self._client.call(self._deployment.lens, MAX_TRADE, *args))
        except Reverted:
            return 0

    def _worth(self, account: int, offer: Offer) -> Offer | None:
        """None where not even the discount pays."""
        if offer.gain_down(offer.size) > self._min_profit:
            return offer
        self._refuse(Key(account, offer.step, offer.item, 0), "no profit")
        return None

    def _take(self, account: int, auction: int, offer: Offer) -> bool:
        """As much as goes."""
        key = Key(account, offer.step, offer.item, auction)
        function = TAKE if offer.step == "take" else TAKE_COLLATERAL
        for size in sizes(offer):
            loosest = offer.limit(size, 0)
            args = (account, offer.item, size, self._own, loosest)
            gas = self._simulate(key, function, args)
            if gas is None:
                continue
            cost = self._gas.usd_up(gas)
            profit = offer.gain_down(size) - cost
            if profit <= self._min_profit:
                self._refuse(key, f"no profit after gas of {usd(cost)} USD")
                return False
            limit = offer.limit(size, cost + self._min_profit)
            action = Action(key, function, (*args[:4], limit), size, gas, profit)
            self._is_busy = True
            return self._put(action)
        return False

    # --- internals -------------------------------------------------------------------------------

    def _simulate(
        self, key: Key, function: Function, args: Sequence[int], to: str = ""
    ) -> int | None:
        """The gas it takes; None, and the reason in the log, if the chain would refuse."""
        to = to or self._deployment.liquidator
        params = {"from": self._address, "to": to, "data": to_hex(function.encode(*args))}
        try:
            self._client.call(to, function, *args, sender=self._address)
            return int(self._client.request("eth_estimateGas", params), 16)
        except Reverted as error:
            self._refuse(key, error.reason)
            return None

    def _refuse(self, key: Key, reason: str) -> None:
        self._log.refused(short_id(key.account), key.step, key.item, reason)

    def _put(self, action: Action) -> bool:
        self._outbox.put(action)
        self._log.forget(short_id(action.key.account), action.key.step, action.key.item)
        return True
