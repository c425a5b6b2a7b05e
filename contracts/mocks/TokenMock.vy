# pragma version 0.4.3
# pragma nonreentrancy off
"""
@title A sound ERC-20 with permit that anyone may mint
@license AGPL-3.0-only
@notice For tests only.
"""
from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    erc20.transfer,
    erc20.approve,
    erc20.transferFrom,
    erc20.permit,
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.balanceOf,
    erc20.allowance,
    erc20.totalSupply,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
)


@deploy
def __init__(_name: String[25], _symbol: String[5], _decimals: uint8):
    ownable.__init__()
    erc20.__init__(_name, _symbol, _decimals, _name, "1")


@external
def mint(_to: address, _amount: uint256):
    erc20._mint(_to, _amount)
