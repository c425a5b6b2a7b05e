"""A chain that answers what the bot asks, as a client without a node behind it."""

from eth_abi import decode, encode
from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from oracle.bot import protocol as p
from oracle.bot.journal import Journal
from oracle.bot.logs import Log
from oracle.bot.main import assemble
from oracle.chain import ChainError, Client, Reverted
from oracle.signing import account_id

WAD = 10**18
KEY = Account.from_key(b"\x07" * 32)
OWN = account_id(KEY.address)
ENGINE, LEDGER, LIQUIDATOR, LENS, CUSTODY, VAULT = ("0x" + digit * 40 for digit in "123456")
ASSETS = {"BTC": 0, "ETH": 1}
DEPLOYMENT = p.Deployment(31_337, 1, ENGINE, LEDGER, LIQUIDATOR, LENS, ASSETS, {}, CUSTODY, VAULT)
TRADER = 5 << 96
OTHER = 6 << 96
LONG, TOKEN = 0, 32
NAMES = {"configured": p.CONFIGURED, "started": p.STARTED, "ended": p.ENDED}
STEPS = {
    f.selector: f for f in (p.POKE, p.TAKE, p.TAKE_COLLATERAL, p.RESOLVE, p.TAKE_LAST, p.RELEASE)
}


class FakeChain(Client):
    """Blocks, logs, answers and a pool, all of them public.

    `refuse` says why a step reverts: {"resolve": "collateral first"}, or a function of its args.
    """

    def __init__(self):
        super().__init__("http://fake")
        self.blocks = ["genesis"]
        self.logs = []
        self.health = {}
        self.legs = {}
        self.holdings = {}
        self.terms = {}
        self.collateral = {}
        self.marks = {0: 20_000 * WAD, 1: 2_000 * WAD}
        self.room = 10**30
        self.refuse = {"take_last": "price limit"}
        self.reward = 0
        self.waiting = 0
        self.pool = {}
        self.mined = {}
        self.asked = []
        self.gas_price = 10**9
        self.most_logs = 10**9
        self.error = None
        self.on_logs = None

    # --- what tests do ----------------------------------------------------------------------------

    def mine(self, *logs, count=1):
        """Blocks; the first one has these (kind, account) and what is in the pool."""
        for i in range(count):
            number = len(self.blocks)
            self.blocks.append(keccak(text=f"{self.blocks[-1]}{number}{logs}").hex())
            for place, (kind, account) in enumerate(logs if i == 0 else ()):
                self.logs.append((number, place, kind, account))
            for transaction in list(self.pool):
                self.mined[transaction] = (number, 1)
                del self.pool[transaction]

    def reorg(self, to):
        """Blocks above `to` are gone with what they held; one other block follows."""
        del self.blocks[to + 1 :]
        self.logs = [log for log in self.logs if log[0] <= to]
        self.mined = {t: found for t, found in self.mined.items() if found[0] <= to}
        self.blocks.append(keccak(text=f"another {self.blocks[-1]}").hex())

    @property
    def sent(self):
        """Names and arguments of what was sent, in order."""
        return [
            (STEPS[data[:4]].signature.partition("(")[0], decode(STEPS[data[:4]].inputs, data[4:]))
            for method, params in self.asked
            if method == "eth_sendRawTransaction"
            for data in [Transaction(params[0]).data]
            if data
        ]

    # --- the client -------------------------------------------------------------------------------

    def request(self, method, *params):
        self.asked.append((method, params))
        if self.error is not None:
            raise self.error
        return getattr(self, method)(*params)

    def batch(self, requests_):
        return [self.request(method, *params) for method, params in requests_]

    def eth_chainId(self):
        return hex(31_337)

    def eth_blockNumber(self):
        return hex(len(self.blocks) - 1)

    def eth_getBlockByNumber(self, number, _full):
        if number == "latest":
            return {"baseFeePerGas": hex(self.gas_price), "timestamp": "0x1"}
        number = int(number, 16)
        return {"hash": self.blocks[number]} if number < len(self.blocks) else None

    def eth_maxPriorityFeePerGas(self):
        return "0x0"

    def eth_getCode(self, *_):
        return "0x"

    def eth_getTransactionCount(self, _address, _block):
        return hex(len(self.mined) + len(self.pool))

    def eth_getLogs(self, query):
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first + 1 > self.most_logs:
            raise ChainError("The node refused: too many blocks.")
        found = [
            {
                "topics": [NAMES[kind], f"0x{account:064x}"],
                "blockNumber": hex(number),
                "logIndex": hex(place),
            }
            for number, place, kind, account in self.logs
            if first <= number <= last
        ]
        if self.on_logs:
            self.on_logs()
        return found

    def eth_sendRawTransaction(self, raw):
        """A node's pool: one transaction a nonce, replaced for an eighth more."""
        transaction, new = "0x" + keccak(bytes.fromhex(raw[2:])).hex(), Transaction(raw)
        for known, old in [(t, Transaction(r)) for t, r in self.pool.items() if r != "0x"]:
            if known != transaction and old.nonce == new.nonce:
                if min(new.most * 8 - old.most * 9, new.tip * 8 - old.tip * 9) < 0:
                    raise ChainError("The node refused: replacement transaction underpriced.")
                del self.pool[known]
        self.pool[transaction] = raw
        return transaction

    def eth_getTransactionReceipt(self, transaction):
        if transaction not in self.mined:
            return None
        number, status = self.mined[transaction]
        return {"blockNumber": hex(number), "status": hex(status)}

    def eth_getTransactionByHash(self, transaction):
        if transaction in self.mined:
            number, _ = self.mined[transaction]
            call = {"from": KEY.address, "to": LIQUIDATOR, "input": p.RESOLVE.encode(TRADER)}
            return {**call, "input": "0x" + call["input"].hex(), "blockNumber": hex(number)}
        raw = self.pool.get(transaction)
        if raw is None or raw == "0x":
            return None if raw is None else {"hash": transaction}
        return Transaction(raw).as_node_says(transaction)

    def eth_estimateGas(self, params):
        self.eth_call(params, "latest")
        return hex(500_000)

    def eth_call(self, params, _block):
        data = bytes.fromhex(params["data"][2:])
        selector, to = data[:4], params["to"]
        if selector in STEPS:
            return self._step(STEPS[selector], data, params.get("from"))
        function, answer = ANSWERS[to, selector]
        args = decode(function.inputs, data[4:])
        return "0x" + encode(function.outputs, answer(self, *args)).hex()

    def _step(self, function, data, sender):
        name = function.signature.partition("(")[0]
        reason = self.refuse.get(name)
        args = decode(function.inputs, data[4:])
        reason = reason(*args) if callable(reason) else reason
        if sender is not None and sender != KEY.address:
            reason = "not owner"
        if reason:
            raise Reverted(reason)
        return "0x" + encode(function.outputs, [0] * len(function.outputs)).hex()

    # --- contracts --------------------------------------------------------------------------------

    def _health(self, accounts):
        rows = [self.health.get(account, (1, 0, 0)) for account in accounts]
        for row in rows:
            if isinstance(row, Exception):
                raise row
        return (rows,)

    def _book(self, account):
        legs = [(market, size, 0, 0) for market, size in self.legs.get(account, {}).items()]
        return ((0, 0, 1, legs, list(self.holdings.get(account, {}).items())),)

    def _terms(self, account, market):
        terms = self.terms.get((account, market), "no position")
        if isinstance(terms, str):
            raise Reverted(terms)
        return (terms,)

    def _collateral_terms(self, account, token):
        terms = self.collateral.get((account, token), "no debt")
        if isinstance(terms, str):
            raise Reverted(terms)
        return (terms,)


ANSWERS = {
    (to, function.selector): (function, answer)
    for to, function, answer in (
        (LENS, p.HEALTH, FakeChain._health),
        (LEDGER, p.BOOK, FakeChain._book),
        (LIQUIDATOR, p.TERMS, FakeChain._terms),
        (LIQUIDATOR, p.COLLATERAL_TERMS, FakeChain._collateral_terms),
        (LIQUIDATOR, p.REWARD_OF, lambda chain, _: (chain.reward,)),
        (CUSTODY, p.WAITING, lambda chain, token, _: (chain.waiting if token == 255 else 0,)),
        (LENS, p.MAX_TRADE, lambda chain, *_: (chain.room,)),
        (ENGINE, p.REFERENCE_OF, lambda chain, asset: ((chain.marks[asset], 0, 0, 0, 0, 0),)),
        (ENGINE, p.COLLATERAL_PRICE, lambda chain, _: (10**5, 2_000 * WAD, 0)),
        (ENGINE, p.PRICE_OF, lambda chain, asset: ((chain.marks[asset], 0, 0, 0, 0),)),
    )
}


class Transaction:
    """What was signed."""

    def __init__(self, raw):
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        self.data = bytes(fields["data"])
        self.to = "0x" + bytes(fields["to"]).hex()
        self.nonce = fields["nonce"]
        self.gas = fields["gas"]
        self.most = fields["maxFeePerGas"]
        self.tip = fields["maxPriorityFeePerGas"]

    def as_node_says(self, transaction):
        return {
            "hash": transaction,
            "to": self.to,
            "input": "0x" + self.data.hex(),
            "nonce": hex(self.nonce),
            "gas": hex(self.gas),
            "maxFeePerGas": hex(self.most),
            "maxPriorityFeePerGas": hex(self.tip),
        }


IDENTITY = f"31337:{LEDGER}:{KEY.address}"


def bot_of(chain, path=":memory:", signer=KEY, **options):
    """A bot on this chain; without a signer a dry run."""
    journal = Journal(path, IDENTITY)
    return assemble(chain, DEPLOYMENT, journal, Log(), signer, KEY.address, OWN, **options)


def sinking(state=2, deficit=100):
    """A chain with a trader whose long of one BTC is short of margin."""
    chain = FakeChain()
    chain.mine(("configured", TRADER), ("configured", OWN))
    chain.health[TRADER] = (1_000 * WAD - deficit * WAD, 1_000 * WAD, state)
    chain.legs[TRADER] = {LONG: WAD}
    chain.terms[TRADER, LONG] = (WAD // 20, WAD // 2, 19_900 * WAD, 1_000, 60)
    return chain
