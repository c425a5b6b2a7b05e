"""What tests of keepers read from the chain, and the accounts of others on it."""

from __future__ import annotations

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from oracle.chain import Function
from oracle.dev_keys import MNEMONICS

SENDER = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"  # of every keeper's transactions
GUARDIAN = 1
GWEI = 10**9
MARGIN = Function("tier_requirement(uint256,int256,uint256)", ("uint256",))
MAINTENANCE = 2
PUSHED = "0x" + keccak(text="Pushed(address,bytes32,uint256[])").hex()


def account(index):
    """Of the local chain."""
    Account.enable_unaudited_hdwallet_features()
    return Account.from_mnemonic(MNEMONICS[0], account_path=f"m/44'/60'/0'/0/{index}")


def fields_of(raw):
    """Of a signed transaction."""
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()


def pushes(scene):
    """(asset, nonce) of every line that was ever pushed."""
    lines = []
    for log in pushed_logs(scene):
        words = [log["data"][2:][i : i + 64] for i in range(0, len(log["data"]) - 2, 64)]
        lines += [(int(word, 16) >> 72, int(word, 16) & 0xFFFFFFFF) for word in words[3:]]
    return lines


def pushed_logs(scene):
    """Of every push there ever was."""
    query = {"fromBlock": "0x0", "toBlock": "latest", "topics": [PUSHED]}
    return scene.client.request("eth_getLogs", query)
