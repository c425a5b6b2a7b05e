"""The liquidation bot: `python -m oracle.bot --help`.

`watch` knows the accounts, `rank` who is short, `act` what to do about it, `journal` what was done.
"""
