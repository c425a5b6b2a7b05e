# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Revert reasons of the ledger, custody, the liquidator, the fund and the vault
@license AGPL-3.0-only
@notice `_require(condition, REASON)` reverts with Error(string) like `assert condition, "reason"`, for 30
    bytes a place instead of 114. Each constant is its comment, ASCII read as one big-endian number: the
    shorter, the fewer bytes (tests/unit/ledger/test_reasons.py).
"""

LONGEST: constant(uint256) = 32

NOT_OWNER: constant(uint256) = 2037172927806676297074  # not owner
NO_CODE: constant(uint256) = 31084432336053349  # no code
NOT_A_GATEWAY: constant(uint256) = 8749591100961718303965385810297  # not a gateway
GATEWAY: constant(uint256) = 29099075147620729  # gateway
NOT_LIQUIDATOR: constant(uint256) = 2239895321899493255637426284818290  # not liquidator
NOT_CUSTODY: constant(uint256) = 133508164993358460787582073  # not custody
SUBACCOUNT: constant(uint256) = 545237503643200397864564  # subaccount
MODE: constant(uint256) = 1836016741  # mode
NOT_OPENED: constant(uint256) = 521516269518478916871524  # not opened
NOT_YOUR_ACCOUNT: constant(uint256) = 146793779820035767512914195264084209268  # not your account
ACCOUNT_NOT_EMPTY: constant(uint256) = 2037172927763558986873  # not empty
FLOOR: constant(uint256) = 439905906546  # floor
RATE: constant(uint256) = 1918989413  # rate
NOT_OPTED_IN: constant(uint256) = 34178090239163050750090701166  # not opted in
PAUSED: constant(uint256) = 123563884635492  # paused
SETTLING: constant(uint256) = 8315180330393366119  # settling
CASH: constant(uint256) = 1667330920  # cash
INITIAL_MARGIN: constant(uint256) = 2138400742919066394403034811033966  # initial margin
TRANSFER: constant(uint256) = 8390876182755042674  # transfer
AMOUNT: constant(uint256) = 107122649296500  # amount
RECEIVER: constant(uint256) = 8243103980183774578  # receiver
SAME_ACCOUNT: constant(uint256) = 35708558537358341529966833268  # same account
OUTFLOW: constant(uint256) = 31372865209921399  # outflow
NOT_LEDGER: constant(uint256) = 521516269515133120111986  # not ledger
NOT_FUND: constant(uint256) = 7957706749093703268  # not fund
NOT_DUE: constant(uint256) = 31084791988516197  # not due
NOT_MANAGER: constant(uint256) = 133508164996151198528005490  # not manager
NO_ROOM: constant(uint256) = 31084432587714413  # no room
LOSS_CAP: constant(uint256) = 7813590816812917104  # loss cap
NOT_ENOUGH_FREE: constant(uint256) = 573413202397831367644246094183032165  # not enough free
RESERVE: constant(uint256) = 32199693642659429  # reserve
INSOLVENT: constant(uint256) = 1944866955217630228084  # insolvent
TOKEN: constant(uint256) = 500085515630  # token
TOKEN_CAP: constant(uint256) = 2147850934834690220400  # token cap
DECIMALS: constant(uint256) = 7234297680898387059  # decimals
MULTIPLE: constant(uint256) = 7887329569650273381  # multiple
COLLATERAL_CAP: constant(uint256) = 2016786432205864618254202497622384  # collateral cap
BALANCE: constant(uint256) = 27691665836630885  # balance
BELOW_MINIMUM: constant(uint256) = 7795749002758558099066044904813  # below minimum
REDUCE_ONLY: constant(uint256) = 138296355583960646153038969  # reduce only
ABOVE_LAST_BOUND: constant(uint256) = 129446221410959618229291322835647950436  # above last bound
MARGIN: constant(uint256) = 120265298635118  # margin
MARKET: constant(uint256) = 120265298896244  # market
LIMIT: constant(uint256) = 465625246068  # limit
PRICE_BAND: constant(uint256) = 531015568930389593517668  # price band
OPEN_INTEREST: constant(uint256) = 8829110981749319261747358823284  # open interest
SIZE: constant(uint256) = 1936292453  # size
SELF_TRADE: constant(uint256) = 544943077647742092272741  # self trade
TOO_MANY_MARKETS: constant(uint256) = 8390046815879261817  # too many
ISOLATED: constant(uint256) = 7598539507586327908  # isolated
NOT_FLAT: constant(uint256) = 7957706749093110132  # not flat
NOT_REDUCE_ONLY: constant(uint256) = 573413202413504699085576493385804921  # not reduce-only
EPOCHS: constant(uint256) = 111533579528307  # epochs
POSITION_RANGE: constant(uint256) = 2147851984860796315493  # too large
HEALTHY: constant(uint256) = 29384866683709561  # healthy
CALLED: constant(uint256) = 109270082020708  # called
AUCTION_RUNNING: constant(uint256) = 506033716817319002071552680992009831  # auction running
COLLATERAL_FIRST: constant(uint256) = 132172115621043543621907414897199838068  # collateral first
PRICE_UNKNOWN: constant(uint256) = 8908962899308040536903614691182  # price unknown
NOT_LIQUIDATABLE: constant(uint256) = 146793779816005190001454369001615551589  # not liquidatable
PRICE_LIMIT: constant(uint256) = 135939985646179779024349556  # price limit
NOT_IMPROVED: constant(uint256) = 34178090238729856418911249764  # not improved
NO_POSITION: constant(uint256) = 133506621234839249966690158  # no position
BACKSTOP: constant(uint256) = 7089056601607532400  # backstop
SIZE_TOO_SMALL: constant(uint256) = 2340833940909909418813906789428332  # size too small
NO_DEBT: constant(uint256) = 31084432352174708  # no debt
NO_COLLATERAL: constant(uint256) = 8749489867855157228934639280492  # no collateral
OUT_OF_RANGE: constant(uint256) = 34494828803899176540909234021  # out of range


@internal
@pure
def _require(_ok: bool, _reason: uint256):
    if not _ok:
        self._fail(_reason)


@internal
@pure
def _fail(_reason: uint256):
    text: uint256 = _reason
    length: uint256 = LONGEST
    for i: uint256 in range(LONGEST):
        if text >> 248 != 0:
            break
        text = text << 8
        length -= 1
    raw_revert(
        concat(x"08c379a0", convert(32, bytes32), convert(length, bytes32), convert(text, bytes32))
    )
