# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Signatures of keys and of wallets
@license AGPL-3.0-only
@notice Neither function reverts on a bad signature: the caller tries one after the other.
"""

MAX_S: constant(uint256) = (
    57_896_044_618_658_097_711_785_492_504_343_953_926_418_782_139_537_452_191_302_581_570_759_080_747_168
)
MAGIC: constant(bytes4) = 0x1626BA7E
# Enough for a multisignature wallet, or a passkey verified without a precompile.
WALLET_GAS: constant(uint256) = 400_000


@internal
@pure
def _recover_signer(_digest: bytes32, _signature: Bytes[1024]) -> address:
    """
    @dev Empty unless 65 bytes r, s, v with v 27 or 28 and s in the lower half.
    """
    if len(_signature) != 65:
        return empty(address)
    s: uint256 = extract32(_signature, 32, output_type=uint256)
    v: uint256 = convert(slice(_signature, 64, 1), uint256)
    if s > MAX_S or (v != 27 and v != 28):
        return empty(address)
    return ecrecover(_digest, v, extract32(_signature, 0, output_type=uint256), s)


@internal
@view
def _approves(_wallet: address, _digest: bytes32, _signature: Bytes[1024]) -> bool:
    """
    @dev ERC-1271. Only 32 bytes of the answer are copied, and the gas is bounded: the wallet can neither make
        the call dearer nor, with an answer of any length or none, pass for approving. Starved of gas it
        refuses, and the transaction reverts as a whole.
    """
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        _wallet,
        abi_encode(_digest, _signature, method_id=MAGIC),
        max_outsize=32,
        gas=WALLET_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not success or len(answer) != 32:
        return False
    return convert(answer, bytes32) == convert(MAGIC, bytes32)
