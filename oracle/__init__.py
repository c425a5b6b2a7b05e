"""Plimsoll's oracle: market data in, signed prices and load lines out.

feeds (input) -> models (pure) -> policy (pure) -> keeper (sign, submit, confirm).
"""
