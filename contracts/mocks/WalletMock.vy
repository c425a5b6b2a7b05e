# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A smart wallet with one key
@license AGPL-3.0-only
@notice For tests only. Approves by ERC-1271 what its key signed with 65 bytes r, s, v, padded or not; its key may
    have it call anything.
"""

MAGIC: constant(bytes4) = 0x1626BA7E

key: public(immutable(address))


@deploy
def __init__(_key: address):
    key = _key


@external
@payable
def execute(_target: address, _data: Bytes[8192]) -> Bytes[1024]:
    assert msg.sender == key, "not the key"
    return raw_call(_target, _data, value=msg.value, max_outsize=1024)


@view
@external
def isValidSignature(_digest: bytes32, _signature: Bytes[1024]) -> bytes4:
    assert len(_signature) >= 65, "too short"
    signer: address = ecrecover(
        _digest,
        convert(slice(_signature, 64, 1), uint256),
        extract32(_signature, 0, output_type=uint256),
        extract32(_signature, 32, output_type=uint256),
    )
    if signer != key:
        return 0xFFFFFFFF
    return MAGIC


@external
@payable
def __default__():
    pass
