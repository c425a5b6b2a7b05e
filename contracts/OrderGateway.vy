# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title OrderGateway: signed orders
@license AGPL-3.0-only
@notice Where traders meet. It verifies what was signed (by the owner's key, by a session key, by an ERC-1271
    wallet) and asks the clearinghouse to trade; accounts opt in to it there. It holds no tokens, has no owner
    and no settings.
@dev Assumptions. Safety: the clearinghouse trades only accounts that opted in, refuses an account against itself,
    and returns the price and fees that applied. Liveness: a wallet answers isValidSignature within 400,000 gas.
    Nothing is called with the gateway's rights except the clearinghouse, the risk engine's `report` and
    `push`, and `permit` of a listed token.

    Reasons: "not owner", "not authorised" (neither owner nor live session key), "zero size", "expired",
    "wrong taker", "salt cancelled", "salt too low", "cancelled", "overfilled", "signature", "not a pair",
    "price limit" (also a session key's slippage), "fee cap", "daily notional", "key terms", "not a report".
"""
from snekmate.utils import eip712_domain_separator
from contracts.interfaces import IClearinghouse
from contracts.interfaces import IOrderGateway
from contracts.modules import matching
from contracts.modules import orders
from contracts.modules import permits
from contracts.modules import session_keys

implements: IOrderGateway

initializes: eip712_domain_separator
initializes: session_keys
initializes: orders[
    eip712_domain_separator := eip712_domain_separator, session_keys := session_keys
]
initializes: matching[orders := orders, session_keys := session_keys]
initializes: permits[matching := matching]

exports: (
    # owners
    orders.cancel,
    orders.raise_min_salt,
    orders.set_session_key,
    orders.revoke_session_key,
    permits.deposit_with_permit,
    # views
    orders.digest_of,
    orders.filled,
    orders.min_salt,
    orders.session_key,
    eip712_domain_separator.eip712Domain,
)

REPORT: constant(bytes4) = method_id(
    "report(uint256,uint256[],uint256[],(uint256,uint256,uint256)[])", output_type=bytes4
)
PUSH: constant(bytes4) = method_id(
    "push(bytes32,uint256,uint256[],(uint256,uint256,uint256)[])",
    output_type=bytes4,
)


@deploy
def __init__(_clearinghouse: address, _risk_engine: address):
    eip712_domain_separator.__init__("Plimsoll", "1")
    matching.__init__(_clearinghouse, _risk_engine)


# --- user actions ----------------------------------------------------------------------------------------


@external
def fill(
    _order: IOrderGateway.Order,
    _signature: Bytes[1024],
    _size: uint256,
    _taker_account: uint256,
) -> IClearinghouse.Fill:
    """
    @notice Take from a signed order, at its price exactly: while a market settles and trades go at the mark, use
        fill_within. The caller is the owner of _taker_account or a live session key of it, within its limits.
    @param _size [base wad] How much of the order, unsigned.
    @return The price and the fees of both sides.
    """
    return matching._fill_order(
        _order,
        _signature,
        _size,
        _taker_account,
        IOrderGateway.Terms(limit_price=_order.limit_price, max_fee=max_value(uint256)),
    )


@external
def fill_within(
    _order: IOrderGateway.Order,
    _signature: Bytes[1024],
    _size: uint256,
    _taker_account: uint256,
    _terms: IOrderGateway.Terms,
) -> IClearinghouse.Fill:
    """
    @notice Take from a signed order at its price, or the mark while the market settles, within the caller's terms.
    """
    return matching._fill_order(_order, _signature, _size, _taker_account, _terms)


@external
def report_and_fill(
    _report: Bytes[10_240],
    _order: IOrderGateway.Order,
    _signature: Bytes[1024],
    _size: uint256,
    _taker_account: uint256,
    _terms: IOrderGateway.Terms,
) -> IClearinghouse.Fill:
    """
    @notice Bring a signed price report (or risk push) to the risk engine, then fill_within.
    @param _report Calldata of RiskEngine.report or RiskEngine.push, long enough for a quorum of 6 over 40 assets;
        if it reverts, everything does.
    """
    selector: bytes4 = convert(slice(_report, 0, 4), bytes4)
    assert selector == REPORT or selector == PUSH, "not a report"
    raw_call(matching.RISK_ENGINE.address, _report)
    return matching._fill_order(_order, _signature, _size, _taker_account, _terms)


# --- permissionless --------------------------------------------------------------------------------------


@external
def match(
    _maker: IOrderGateway.Order,
    _taker: IOrderGateway.Order,
    _maker_signature: Bytes[1024],
    _taker_signature: Bytes[1024],
    _size: uint256,
) -> IClearinghouse.Fill:
    """
    @notice Trade two signed orders that cross, at the maker's limit (or the mark while the market settles).
    @param _size [base wad] How much of each, unsigned.
    """
    return matching._match_orders(_maker, _taker, _maker_signature, _taker_signature, _size)


# --- views -----------------------------------------------------------------------------------------------


@external
@view
def clearinghouse() -> address:
    return matching.CLEARINGHOUSE.address


@external
@view
def risk_engine() -> address:
    return matching.RISK_ENGINE.address
