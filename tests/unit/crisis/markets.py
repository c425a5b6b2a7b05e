"""Small markets in whole USD and base units, and a strategy for large ones."""

import numpy as np
from hypothesis import strategies as st

from oracle.crisis.accounts import Account
from oracle.crisis.population import Crowd, LogNormal, draw_accounts
from oracle.engine.units import PPM, WAD


def account(side, size, entry, equity, market="BTC"):
    """Of whole numbers; leverage follows."""
    leverage = size * entry * PPM // equity
    return Account(market, side == "long", size * WAD, entry * WAD, equity * WAD, leverage)


def long(size, entry, equity):
    return account("long", size, entry, equity)


def short(size, entry, equity):
    return account("short", size, entry, equity)


# At 80, after a fall from 100:
#
#      side  size  equity   profit     E   leverage     profit·leverage
#   0  long    10     100     -200  -100                                 bankrupt, at 90 it had 0
#   1  long     5     500     -100   400
#   2  short    8      80      160   240   640/240      0.2·8/3 = 8/15
#   3  short    4     200       80   280   320/280      0.2·8/7 = 8/35
#   4  short    3      20       60    80   240/80       0.2·3   = 3/5
FALL = [long(10, 100, 100), long(5, 100, 500), short(8, 100, 80), short(4, 100, 200)]
FALL.append(short(3, 100, 20))
MARK = 80 * WAD


@st.composite
def crises(draw):
    """A drawn market, its mark after a shock, and a later price or None."""
    crowd = Crowd(
        notional=LogNormal(5_000, draw(st.floats(0, 2)), low=10),
        leverage=LogNormal(draw(st.floats(2, 20)), draw(st.floats(0, 1.5)), 1, 100),
        long_share=draw(st.floats(0.1, 0.9)),
        entry_sigma=draw(st.sampled_from([0.0, 0.1, 0.5])),
    )
    price = draw(st.integers(10**12, 10**24))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    accounts = draw_accounts(crowd, draw(st.integers(2, 60)), price, "BTC", rng)
    shocks = st.integers(300_000, 1_900_000)
    mark = price * draw(shocks) // PPM
    later = draw(st.none() | shocks.map(lambda ppm: price * ppm // PPM))
    return accounts, mark, later
