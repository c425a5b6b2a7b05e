# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A smart wallet that answers isValidSignature with whatever it is told to
@license AGPL-3.0-only
@notice For tests only. Ways: 0 the magic · 1 nothing · 2 the magic of another function · 3 the magic with dirty
    bits behind · 4 four bytes · 5 100 kB beginning with the magic · 6 100 kB of revert data · 7 all the gas · 8 True ·
    9 the magic, after writing (which a static call forbids).
"""

MAGIC: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000

way: public(uint256)
written: public(uint256)


@external
def set_way(_way: uint256):
    self.way = _way


@external
@raw_return
def isValidSignature(_digest: bytes32, _signature: Bytes[1024]) -> Bytes[100_000]:
    if self.way == 1:
        return b""
    if self.way == 2:
        return concat(0x20c13b0b, empty(bytes28))
    if self.way == 3:
        return concat(0x1626ba7e, convert(1, bytes28))
    if self.way == 4:
        return concat(0x1626ba7e, b"")
    if self.way == 5:
        return abi_encode(MAGIC, empty(uint256[3124]))
    if self.way == 6:
        raw_revert(abi_encode(MAGIC, empty(uint256[3124])))
    if self.way == 7:
        self._burn_gas()
    if self.way == 8:
        return concat(convert(1, bytes32), b"")
    if self.way == 9:
        self.written += 1
    return concat(MAGIC, b"")


@pure
@internal
def _burn_gas():
    digest: bytes32 = empty(bytes32)
    for i: uint256 in range(1_000_000_000):
        digest = keccak256(digest)
