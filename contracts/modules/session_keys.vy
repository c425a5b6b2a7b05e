# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Session keys
@license AGPL-3.0-only
@notice A key that trades for one account until it expires: at a price at most `slippage` worse than the mark, for
    at most `daily_notional` a UTC day. It signs orders, takes with calls of its own, and cancels single
    orders; it cannot register keys, raise salts, deposit or withdraw.
@dev A stolen key loses its owner at most slippage times notional and the fees; over midnight two days' notional.
"""
from contracts.interfaces import IOrderGateway
from contracts.modules import session_words

DAY: constant(uint256) = 86_400

words: HashMap[uint256, HashMap[address, uint256]]


@internal
def _set_key(_account: uint256, _key: address, _terms: IOrderGateway.SessionKey):
    """
    @dev Registering again replaces the terms and starts the day anew.
    """
    assert (
        _key != empty(address) and _terms.expiry >= block.timestamp and session_words._fits(_terms)
    ), "key terms"
    self.words[_account][_key] = session_words._pack_key(_terms)
    log IOrderGateway.SessionKeySet(
        account=_account,
        key=_key,
        expiry=_terms.expiry,
        slippage=_terms.slippage,
        daily_notional=_terms.daily_notional,
    )


@internal
def _revoke_key(_account: uint256, _key: address):
    self.words[_account][_key] = 0
    log IOrderGateway.SessionKeyRevoked(account=_account, key=_key)


@internal
def _spend(_account: uint256, _key: address, _notional: uint256) -> uint256:
    """
    @dev Count _notional [USD wad] against the day's, return the slippage allowed [ppm].
    """
    key: IOrderGateway.SessionKey = self._key_of(_account, _key)
    today: uint256 = block.timestamp // DAY
    if key.day != today:
        key.day = today
        key.used = 0
    key.used += _notional
    assert key.used <= key.daily_notional, "daily notional"
    self.words[_account][_key] = session_words._pack_key(key)
    return key.slippage


@internal
@view
def _is_live(_account: uint256, _key: address) -> bool:
    word: uint256 = self.words[_account][_key]
    return word != 0 and block.timestamp <= session_words._unpack_key(word).expiry


@internal
@view
def _key_of(_account: uint256, _key: address) -> IOrderGateway.SessionKey:
    return session_words._unpack_key(self.words[_account][_key])
