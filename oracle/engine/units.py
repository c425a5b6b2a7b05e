"""Units and constants. A result's type says what it is counted in (DESIGN 3).

Parameters are plain ``int`` where arithmetic mixes units; the unit stands in the docstring.
"""

from __future__ import annotations

from typing import Final, NewType

Size = NewType("Size", int)  # [base wad] signed where a leg is meant, positive is long
Scaled = NewType("Scaled", int)  # [scaled wad] size divided by its side's scale
Price = NewType("Price", int)  # [USD wad per base unit]
Usd = NewType("Usd", int)  # [USD wad] signed
Ppm = NewType("Ppm", int)  # 1e6 is 100 %
Ray = NewType("Ray", int)  # 1e27 is one
Credit = NewType("Credit", int)  # [ray USD per scaled unit]
Seconds = NewType("Seconds", int)  # Unix seconds less paused time

WAD: Final = 10**18
RAY: Final = 10**27
PPM: Final = 10**6
PPM2: Final = 10**12  # an interpolated rate: calm·1e6 + severity·(storm - calm)
HOUR: Final = 3_600

MAX_PRICE: Final = 10**27  # [USD wad] 1e9 USD
SETTLEMENT_TOKEN: Final = 255
TOKEN_ASSETS: Final = 32  # asset id of collateral token 0


class Refused(Exception):
    """A contract would revert here. The reason is the contract's own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(condition: bool, reason: str) -> None:
    """Raise `Refused` unless the condition holds."""
    if not condition:
        raise Refused(reason)
