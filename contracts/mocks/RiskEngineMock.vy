# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title What the gateway needs of a risk engine
@license AGPL-3.0-only
@notice For tests only. A "report" sets the mark of the first asset to the first quote, no signature asked.
"""
from contracts.interfaces import IRiskEngine

marks: public(HashMap[uint256, uint256])
pushes: public(uint256)
hits: public(uint256)


@external
def set_mark(_market: uint256, _mark: uint256):
    self.marks[_market] = _mark


@external
def report(
    _observed: uint256,
    _assets: DynArray[uint256, 40],
    _quotes: DynArray[uint256, 160],
    _signatures: DynArray[IRiskEngine.Signature, 16],
):
    assert _observed <= block.timestamp, "future"
    self.marks[_assets[0]] = _quotes[0] >> 32


@external
def push(
    _inputs: bytes32,
    _valid_until: uint256,
    _lines: DynArray[uint256, 40],
    _signatures: DynArray[IRiskEngine.Signature, 16],
):
    self.pushes += 1


@external
def begin_aftermath(_market: uint256):
    """
    @notice Stands for all that no gateway may reach.
    """
    self.hits += 1


@view
@external
def quote(_market: uint256) -> IRiskEngine.Quote:
    return IRiskEngine.Quote(
        mark=self.marks[_market],
        funding=0,
        state=0,
        band=0,
        open_interest_cap=max_value(uint256),
        min_size=0,
        maker_fee=0,
        taker_fee=0,
    )
