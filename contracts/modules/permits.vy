# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Deposits with a permit
@license AGPL-3.0-only
@notice An ERC-2612 permit for the clearinghouse and the deposit it is for, in one transaction of the owner.
    Settlement token only: collateral goes to the collateral vault, by its owner himself.
"""
from contracts.modules import matching
from contracts.modules import orders

uses: matching

PERMIT: constant(bytes4) = method_id(
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", output_type=bytes4
)


@external
def deposit_with_permit(
    _account: uint256,
    _amount: uint256,
    _deadline: uint256,
    _v: uint8,
    _r: bytes32,
    _s: bytes32,
):
    """
    @notice Deposit the caller's settlement tokens into an account of his with an ERC-2612 permit for the
        clearinghouse. The account must have opted in to this gateway.
    @param _amount [token units] Of the permit and of the deposit.
    @dev Anyone may use up the permit first, so its failure means nothing: what counts is whether the allowance is
        there. Nothing of the token's answer is copied.
    """
    orders._check_owner_of(_account)
    token: address = staticcall matching.CLEARINGHOUSE.settlement()
    permitted: bool = raw_call(
        token,
        abi_encode(
            msg.sender,
            matching.CLEARINGHOUSE.address,
            _amount,
            _deadline,
            _v,
            _r,
            _s,
            method_id=PERMIT,
        ),
        revert_on_failure=False,
    )
    extcall matching.CLEARINGHOUSE.deposit_from(_account, _amount)
