# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The settings contract's hold on the engine
@license AGPL-3.0-only
@notice Setters answer to the owner of the engine, so there is one ownership.
@dev Reasons: "not owner", "bound", "not bound here".
"""
from contracts.interfaces import IRiskEngine

engine: public(IRiskEngine)


@internal
def _bind(_engine: address):
    """
    @dev Once, to an engine that trusts this contract.
    """
    assert self.engine.address == empty(address), "bound"
    engine: IRiskEngine = IRiskEngine(_engine)
    assert staticcall engine.SETTINGS() == self, "not bound here"
    self.engine = engine


@view
@internal
def _check_owner():
    assert msg.sender == staticcall self.engine.owner(), "not owner"


@view
@internal
def _load(_table: uint256, _index: uint256) -> uint256:
    return staticcall self.engine.word_at(_table, _index)


@internal
def _store(_table: uint256, _index: uint256, _word: uint256):
    extcall self.engine.store(_table, _index, _word)


@view
@internal
def _now() -> uint256:
    """
    @dev Effective time [s].
    """
    now: uint256 = 0
    paused: bool = False
    now, paused = staticcall self.engine.clock()
    return now
