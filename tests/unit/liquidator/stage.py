"""A stage for the liquidator: the real ledger, and a risk engine whose answers a test sets by hand.

A market trades at `MARK`, with IM 10 %, MM 5 % and calm MMR_0 1 % unless told otherwise, so that
an account of one leg is easy to put at any E/MM. Fees are zero: only the liquidator moves money.
"""

from __future__ import annotations

from typing import Any

import boa

from tests.support.compiled import load

WAD = 10**18
USD = WAD
PPM = 10**6
CROSS, ISOLATED = 1, 2
HEALTHY, CALLED, LIQUIDATABLE, BACKSTOP, BANKRUPT = range(5)
UNKNOWN, AFTERMATH, REDUCE_ONLY, PAUSED = 1, 2, 4, 16

MARK = 1_000 * USD
DURATION, TAIL = 600, 600
D_MIN, D_MAX, F_INS = 50_000, 400_000, 100_000
MIN_DEFICIT = 100 * USD
PARAMETERS = (DURATION, TAIL, D_MIN, D_MAX, F_INS, MIN_DEFICIT, 0)
DELAYS = (86_400, 7 * 86_400)
MAX_PRICE = 2**200


def div_up(x: int, y: int) -> int:
    return -(-x // y)


class Stage:
    """Contracts, three owners (trader, maker, liquidator) with accounts, and short verbs."""

    def __init__(self) -> None:
        self.deployer = boa.env.eoa
        self.usdc = load("contracts/mocks/TokenMock.vy").deploy("USD Coin", "USDC", 6)
        self.weth = load("contracts/mocks/TokenMock.vy").deploy("Ether", "WETH", 18)
        self.engine = load("contracts/mocks/stubs/StubEngine.vy").deploy()
        self.custody = load("contracts/Custody.vy").deploy(self.engine, self.usdc)
        self.ledger = load("contracts/Clearinghouse.vy").deploy(
            self.engine, self.usdc, self.custody
        )
        self.custody.set_ledger(self.ledger)
        self.gateway = load("contracts/mocks/stubs/StubGateway.vy").deploy(self.ledger)
        self.fund = load("contracts/InsuranceFund.vy").deploy(
            self.custody, self.ledger, self.engine, *DELAYS
        )
        self.custody.set_insurance_fund(self.fund)
        self.vault = load("contracts/BackstopVault.vy").deploy(
            self.ledger, self.engine, self.gateway, *DELAYS
        )
        self.liquidator = load("contracts/Liquidator.vy").deploy(
            self.ledger, self.engine, self.fund, self.vault, PARAMETERS
        )
        self.ledger.set_gateway_at(0, self.gateway)
        self.ledger.set_liquidator(self.liquidator)
        self.custody.list_token(self.weth, 10**24, 10**24, 86_400)
        self.custody.set_collateral_multiple(10 * PPM)
        for market in range(16):
            self.set_market(market)
        self.engine.set_token(0, (2_000 * USD, 100_000, 0))
        self.owners = {name: boa.env.generate_address(name) for name in ROLES}
        self.subaccounts = 0
        self.maker = self.account("maker", cash=10**9)
        self.taker = self.account("liquidator", cash=10**9)

    # accounts

    def account(self, role: str, cash: int = 0, mode: int = CROSS) -> int:
        """Open a subaccount of a role with so many dollars."""
        owner = self.owners[role]
        self.subaccounts += 1
        self.ledger.open_account(self.subaccounts, mode, 1, sender=owner)
        account = (int(owner, 16) << 96) | self.subaccounts
        if cash:
            self.deposit(account, cash)
        return account

    def deposit(self, account: int, dollars: int) -> None:
        self.usdc.mint(self.deployer, dollars * 10**6)
        self.usdc.approve(self.ledger, 2**255)
        self.ledger.deposit(account, dollars * 10**6)

    def deposit_weth(self, account: int, amount: int) -> None:
        owner = "0x" + (account >> 96).to_bytes(20, "big").hex()
        self.weth.mint(owner, amount)
        with boa.env.prank(owner):
            self.weth.approve(self.custody, 2**255)
            self.custody.deposit(account, 0, amount)

    def trade(self, maker: int, taker: int, size: int, market: int = 0, price: int = MARK) -> None:
        """The maker buys `size` of the taker."""
        self.gateway.trade(maker, taker, market, size, price, 0)

    def trader_with(self, size: int, cash: int, market: int = 0) -> int:
        """A trader's account with a leg opened at the mark against the maker."""
        account = self.account("trader", cash)
        self.trade(account, self.maker, size, market)
        return account

    # what tests set

    def set_market(self, market: int, **changes: int) -> None:
        values = {
            "mark": MARK,
            "pending": 0,
            "reference": 0,
            "round": 1,
            "state": 0,
            "im": 100_000,
            "mm": 50_000,
            "calm_mmr": 10_000,
            "min_size": WAD // 10,
        } | changes
        self.engine.set_market(market, tuple(values.values()))

    def shift_to(self, account: int, equity: int) -> None:
        """Make the account's maintenance equity exactly this."""
        self.engine.set_shift(0)
        self.engine.set_shift(equity - self.margin(account)[0])

    # what tests read

    def margin(self, account: int, basis: int = 2) -> tuple[int, int]:
        book = self.ledger.book(account)
        margin = self.engine.assess(basis, book.cash, book.floor, book.legs, book.holdings)
        return margin.equity, margin.requirement

    def cash(self, account: int) -> int:
        """Settled cash; no interest runs here."""
        word = int(self.ledger.account_word(account)) >> 152
        return word - 2**104 if word >> 103 else word

    def size(self, account: int, market: int = 0) -> int:
        legs = self.ledger.book(account).legs
        return next((int(leg.size) for leg in legs if leg.market == market), 0)

    def market_list(self, account: int) -> int:
        """The packed list of markets, 0 for none."""
        return int(self.ledger.account_word(account)) & (2**96 - 1)

    def weth_of(self, account: int) -> int:
        return int(self.custody.collateral_of(account, 0))

    def fees(self, market: int = 0) -> int:
        return int(self.ledger.tally_word(market)) & (2**128 - 1)

    def state(self, account: int) -> int:
        return int(self.liquidator.state(account))

    # what a liquidator does

    def take(self, account: int, size: int, market: int = 0, limit: int | None = None) -> int:
        if limit is None:
            limit = MAX_PRICE if self.size(account, market) > 0 else 0
        return int(
            self.liquidator.take(
                account, market, size, self.taker, limit, sender=self.owners["liquidator"]
            )
        )

    def take_weth(self, account: int, amount: int, limit: int = MAX_PRICE) -> tuple[int, int]:
        amount, payment = self.liquidator.take_collateral(
            account, 0, amount, self.taker, limit, sender=self.owners["liquidator"]
        )
        return int(amount), int(payment)

    def resolve(self, account: int) -> list[Any]:
        self.liquidator.resolve(account)
        return events_of(self.liquidator)


ROLES = ("trader", "maker", "liquidator", "stranger")


def events_of(contract: Any) -> list[Any]:
    """Events the contract itself logged in its last transaction."""
    return [e for e in contract.get_logs() if str(e.address) == str(contract.address)]
