"""The implied-volatility leg: from an option chain to one volatility at a horizon.

Prices: Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), and
the generalised Black-Scholes-Merton formulas of Haug, "The Complete Guide to Option Pricing
Formulas" (2007, chapters 1 and 2). Surface: SSVI of Gatheral and Jacquier, "Arbitrage-free SVI
volatility surfaces", Quantitative Finance 14 (2014): total variance

``w(k, theta) = theta/2 * (1 + rho*phi*k + sqrt((phi*k + rho)^2 + 1 - rho^2))``,
``phi = eta / (theta^gamma * (1 + theta)^(1 - gamma))``

with theta non-decreasing in time, 0 < gamma <= 1/2 and ``eta * (1 + |rho|) <= 2`` is free of
butterfly and calendar arbitrage (their section 4), so an arbitrage-free surface is a matter of the
fit's bounds. k = ln(K/F); time in years of 365 days, as crypto trades on all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ndtr

from oracle.feeds.bars import BoolArray, FloatArray

HOURS_PER_YEAR = 365 * 24
_VOL_MIN, _VOL_MAX = 1e-4, 20.0
_SQRT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class Greeks:
    """Price and sensitivities of European options, broadcast over their inputs.

    Attributes:
        delta: by spot; gamma: second; vega: by volatility (1 = 100 points).
        theta: by passing time, a year; rho: by the rate; dividend_rho: by the dividend yield.
    """

    price: FloatArray
    delta: FloatArray
    gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray
    dividend_rho: FloatArray

    def elasticity(self, spot: FloatArray | float) -> FloatArray:
        """Relative change of the option for one of the spot: ``delta * S / price``."""
        return self.delta * spot / self.price


def european(
    spot: FloatArray | float,
    strike: FloatArray | float,
    time: FloatArray | float,
    vol: FloatArray | float,
    is_call: BoolArray | bool,
    rate: FloatArray | float = 0.0,
    dividend: FloatArray | float = 0.0,
) -> Greeks:
    """Black-Scholes-Merton with a continuous dividend yield; Black-76 where dividend = rate.

    Args:
        spot, strike: positive; time: years, positive; vol: a year, positive.

    Raises:
        ValueError: one of these is not positive.
    """
    s, k, t, v, r, q = (
        np.asarray(x, dtype=np.float64) for x in (spot, strike, time, vol, rate, dividend)
    )
    for name, values in (("spot", s), ("strike", k), ("time", t), ("volatility", v)):
        if not np.all(values > 0.0):
            wrong = values[~(values > 0.0)].flat[0]
            raise ValueError(f"a {name} is positive, got {wrong:g}.")
    return _greeks(s, k, t, v, np.asarray(is_call, dtype=np.bool_), r, q)


def _greeks(
    s: FloatArray,
    k: FloatArray,
    t: FloatArray,
    v: FloatArray,
    is_call: BoolArray,
    r: FloatArray,
    q: FloatArray,
) -> Greeks:
    """Of `european`, unchecked: NaN where there is none."""
    sign = np.where(is_call, 1.0, -1.0)
    root = v * np.sqrt(t)
    d1 = (np.log(s / k) + (r - q + 0.5 * v * v) * t) / root
    d2 = d1 - root
    carried, discounted = s * np.exp(-q * t), k * np.exp(-r * t)
    n1, n2 = ndtr(sign * d1), ndtr(sign * d2)
    density = np.exp(-0.5 * d1 * d1) / _SQRT_2PI
    decay = -carried * density * v / (2.0 * np.sqrt(t))
    return Greeks(
        price=sign * (carried * n1 - discounted * n2),
        delta=sign * np.exp(-q * t) * n1,
        gamma=np.exp(-q * t) * density / (s * root),
        vega=carried * density * np.sqrt(t),
        theta=decay - sign * (r * discounted * n2 - q * carried * n1),
        rho=sign * t * discounted * n2,
        dividend_rho=-sign * t * carried * n1,
    )


def black76(
    forward: FloatArray | float,
    strike: FloatArray | float,
    time: FloatArray | float,
    vol: FloatArray | float,
    is_call: BoolArray | bool,
    rate: FloatArray | float = 0.0,
) -> FloatArray:
    """Black-76 price of options on a forward, discounted at `rate`."""
    return european(forward, strike, time, vol, is_call, rate, rate).price


def implied_vol(
    price: FloatArray | float,
    forward: FloatArray | float,
    strike: FloatArray | float,
    time: FloatArray | float,
    is_call: BoolArray | bool,
    rate: FloatArray | float = 0.0,
) -> FloatArray:
    """Black-76 volatility of each price; NaN where none in [1e-4, 20] gives it.

    Bisection on a bracket, then Newton steps that may not leave it: a price is monotone in its
    volatility, so this never fails where an answer exists.
    """
    p, f, k, t, r = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (price, forward, strike, time, rate))
    )
    call = np.broadcast_to(np.asarray(is_call, dtype=np.bool_), p.shape)
    low, high = np.full(p.shape, _VOL_MIN), np.full(p.shape, _VOL_MAX)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Out-of-the-money prices keep their digits: parity takes the intrinsic value off.
        discount = np.exp(-r * t)
        intrinsic = np.maximum(np.where(call, f - k, k - f), 0.0) * discount
        wanted = p - intrinsic
        out_call = k >= f
        solvable = (wanted > 0.0) & (wanted < np.minimum(f, k) * discount) & (t > 0.0)
        guess = np.sqrt(np.clip(2.0 * np.abs(np.log(f / k)) / t, 0.01, 4.0))
        for _ in range(100):
            greeks = _greeks(f, k, t, guess, out_call, r, r)
            miss = greeks.price - wanted
            high = np.where(miss > 0.0, guess, high)
            low = np.where(miss > 0.0, low, guess)
            newton = guess - miss / greeks.vega
            inside = (newton > low) & (newton < high)
            after = np.where(inside, newton, 0.5 * (low + high))
            done = np.abs(after - guess) <= 1e-15 * guess
            guess = after
            if bool(np.all(done | ~solvable)):
                break
    edge = (guess <= _VOL_MIN * 1.001) | (guess >= _VOL_MAX * 0.999)
    return np.where(solvable & ~edge, guess, np.nan)


# --- chain ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Chain:
    """n option quotes of one underlying, captured together. Prices in USD, arrays of shape (n,).

    Attributes:
        time: years to expiry.
        is_call: True for calls.
        strike, forward: USD; the forward of each quote's own expiry.
        bid, ask: USD per option; NaN where nobody quotes.
    """

    time: FloatArray
    is_call: BoolArray
    strike: FloatArray
    forward: FloatArray
    bid: FloatArray
    ask: FloatArray

    def __post_init__(self) -> None:
        shapes = {
            x.shape
            for x in (self.time, self.is_call, self.strike, self.forward, self.bid, self.ask)
        }
        if len(shapes) != 1:
            raise ValueError(f"a chain's columns have different lengths: {sorted(shapes)}.")

    @classmethod
    def of_coins(
        cls,
        time: FloatArray,
        is_call: BoolArray,
        strike: FloatArray,
        forward: FloatArray,
        bid: FloatArray,
        ask: FloatArray,
    ) -> Chain:
        """From inverse options (Deribit's), quoted in coin: a coin is worth the forward."""
        return cls(time, is_call, strike, forward, bid * forward, ask * forward)

    def __len__(self) -> int:
        return int(self.time.size)

    def where(self, keep: BoolArray) -> Chain:
        """The quotes kept."""
        return Chain(
            self.time[keep], self.is_call[keep], self.strike[keep], self.forward[keep],
            self.bid[keep], self.ask[keep],
        )  # fmt: skip

    @property
    def mid(self) -> FloatArray:
        """(n,) USD."""
        return 0.5 * (self.bid + self.ask)

    @property
    def moneyness(self) -> FloatArray:
        """(n,) k = ln(K/F)."""
        return np.log(self.strike / self.forward)


@dataclass(frozen=True)
class Cleaning:
    """What a quote must be to count.

    Attributes:
        least_time: years; shorter expiries are noise and are left out.
        widest: largest (ask - bid) / mid.
        reach: largest |k| in units of `sigma * sqrt(t)` at `vol_guess`.
    """

    least_time: float = 1.0 / 365.0
    widest: float = 0.5
    reach: float = 2.5
    vol_guess: float = 0.6


def clean(chain: Chain, rules: Cleaning | None = None) -> Chain:
    """The quotes that can be trusted: two-sided, not crossed, not wide, near the money, and out of
    it (those in the money carry the same volatility in a wider price), inside the no-arbitrage
    bounds of one option."""
    rules = rules or Cleaning()
    with np.errstate(invalid="ignore", divide="ignore"):
        known = np.isfinite(chain.bid) & np.isfinite(chain.ask)
        sound = known & (chain.bid > 0.0) & (chain.ask > chain.bid)
        sound &= (chain.forward > 0.0) & (chain.strike > 0.0) & (chain.time >= rules.least_time)
        tight = (chain.ask - chain.bid) <= rules.widest * chain.mid
        spread = rules.reach * rules.vol_guess * np.sqrt(chain.time)
        near = np.abs(chain.moneyness) <= spread
        out = np.where(chain.is_call, chain.strike >= chain.forward, chain.strike < chain.forward)
        bound = np.where(chain.is_call, chain.forward, chain.strike)
    return chain.where(sound & tight & near & out & (chain.mid < bound))


@dataclass(frozen=True)
class Violations:
    """How many quotes could be traded against each other for a sure gain, at bid and ask."""

    parity: int
    butterfly: int
    monotone: int
    calendar: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.parity + self.butterfly + self.monotone + self.calendar


def violations(chain: Chain, tolerance: float = 0.0) -> Violations:
    """Static arbitrage at executable prices; undiscounted, options quoted on the forward.

    - parity: ``C_bid - P_ask <= F - K <= C_ask - P_bid`` for each strike with both.
    - monotone: a call's bid above the ask of the next lower strike, or one that gains more than the
      strikes differ by; and of puts the mirror.
    - butterfly: a strike whose bid is above what its two neighbours cost, weighted to enclose it.
    - calendar: in calls of the same moneyness (interpolated between a later expiry's asks), the
      earlier bid per unit of forward above the later ask.

    Args:
        tolerance: USD a violation must exceed.
    """
    parity = butterfly = monotone = calendar = 0
    slices = [chain.where(chain.time == t) for t in np.unique(chain.time)]
    for one in slices:
        parity += _parity_violations(one, tolerance)
        for kind in (True, False):
            strikes, bids, asks = _ladder(one, kind)
            monotone += _monotone_violations(strikes, bids, asks, kind, tolerance)
            butterfly += _butterfly_violations(strikes, bids, asks, tolerance)
    for near, far in pairwise(slices):
        calendar += _calendar_violations(near, far, tolerance)
    return Violations(parity, butterfly, monotone, calendar)


def _parity_violations(one: Chain, tolerance: float) -> int:
    call_strikes, call_bid, call_ask = _ladder(one, True)
    put_strikes, put_bid, put_ask = _ladder(one, False)
    _, c, p = np.intersect1d(call_strikes, put_strikes, return_indices=True)
    if not c.size:
        return 0
    worth = float(np.median(one.forward)) - call_strikes[c]
    over = (call_bid[c] - put_ask[p] > worth + tolerance) | (
        call_ask[c] - put_bid[p] < worth - tolerance
    )
    return int(np.sum(over))


def _monotone_violations(
    strikes: FloatArray, bids: FloatArray, asks: FloatArray, is_call: bool, tolerance: float
) -> int:
    if strikes.size < 2:
        return 0
    width = np.diff(strikes)
    dear, cheap = (bids[1:], asks[:-1]) if is_call else (bids[:-1], asks[1:])
    wide_bid, wide_ask = (bids[:-1], asks[1:]) if is_call else (bids[1:], asks[:-1])
    return int(np.sum(dear > cheap + tolerance) + np.sum(wide_bid - wide_ask > width + tolerance))


def _butterfly_violations(
    strikes: FloatArray, bids: FloatArray, asks: FloatArray, tolerance: float
) -> int:
    if strikes.size < 3:
        return 0
    weight = (strikes[2:] - strikes[1:-1]) / (strikes[2:] - strikes[:-2])
    wings = weight * asks[:-2] + (1.0 - weight) * asks[2:]
    return int(np.sum(bids[1:-1] > wings + tolerance))


def _calendar_violations(near: Chain, far: Chain, tolerance: float) -> int:
    strikes, bids, _ = _ladder(near, True)
    far_strikes, _, far_asks = _ladder(far, True)
    if not strikes.size or far_strikes.size < 2:
        return 0
    near_forward, far_forward = float(np.median(near.forward)), float(np.median(far.forward))
    at = strikes / near_forward
    grid = far_strikes / far_forward
    inside = (at >= grid[0]) & (at <= grid[-1])
    # Prices are convex in the strike, so a chord of asks is not below the ask in between.
    later = np.interp(at[inside], grid, far_asks / far_forward)
    return int(np.sum(bids[inside] / near_forward > later + tolerance / near_forward))


def _ladder(one: Chain, is_call: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Strikes, rising, with bid and ask of the two-sided quotes of one kind."""
    with np.errstate(invalid="ignore"):
        keep = (one.is_call == is_call) & (one.bid > 0.0) & (one.ask > 0.0)
    strikes, first = np.unique(one.strike[keep], return_index=True)
    return strikes, one.bid[keep][first], one.ask[keep][first]


# --- surface -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Surface:
    """An SSVI surface.

    Attributes:
        times: (E,) years, increasing; thetas: (E,) at-the-money total variance, non-decreasing.
        rho, eta, gamma: shape, inside the bounds that exclude arbitrage.
        error: root mean square of fitted less quoted volatility, vega weighted.
        quotes: how many it was fitted to.
    """

    times: FloatArray
    thetas: FloatArray
    rho: float
    eta: float
    gamma: float
    error: float
    quotes: int

    def theta(self, time: FloatArray | float) -> FloatArray:
        """At-the-money total variance: linear in time between expiries, in proportion to it before
        the first, and with the last one's volatility after it (its slope where that is higher)."""
        t = np.asarray(time, dtype=np.float64)
        inside = np.interp(t, self.times, self.thetas)
        before = self.thetas[0] * t / self.times[0]
        after = self.thetas[-1] * t / self.times[-1]
        return np.where(t < self.times[0], before, np.where(t > self.times[-1], after, inside))

    def variance(self, moneyness: FloatArray | float, time: FloatArray | float) -> FloatArray:
        """Total variance w(k, t)."""
        theta = self.theta(time)
        return ssvi(np.asarray(moneyness, dtype=np.float64), theta, self.rho, self.eta, self.gamma)

    def vol(self, moneyness: FloatArray | float, time: FloatArray | float) -> FloatArray:
        """Implied volatility a year."""
        return np.sqrt(self.variance(moneyness, time) / np.asarray(time, dtype=np.float64))

    def atm_vol(self, hours: float) -> float:
        """At-the-money volatility a year, of the next `hours`.

        Raises:
            ValueError: a horizon that is not positive.
        """
        if not hours > 0.0:
            raise ValueError(f"a horizon is positive, got {hours} hours.")
        time = hours / HOURS_PER_YEAR
        return math.sqrt(float(self.theta(time)) / time)


def ssvi(
    moneyness: FloatArray, theta: FloatArray | float, rho: float, eta: float, gamma: float
) -> FloatArray:
    """Total variance of SSVI with the power-law phi."""
    th = np.asarray(theta, dtype=np.float64)
    phi = eta / (th**gamma * (1.0 + th) ** (1.0 - gamma))
    root = np.sqrt((phi * moneyness + rho) ** 2 + 1.0 - rho * rho)
    return 0.5 * th * (1.0 + rho * phi * moneyness + root)


def fit_surface(chain: Chain, least_quotes: int = 5) -> Surface:
    """Fit SSVI to a cleaned chain, quotes weighted by vega over spread.

    First the at-the-money variance of each expiry from its own smile, made non-decreasing in time
    (pool adjacent violators), then one rho, eta and gamma for all, then all together.

    Raises:
        ValueError: no expiry has `least_quotes` quotes with an implied volatility.
    """
    vols = implied_vol(chain.mid, chain.forward, chain.strike, chain.time, chain.is_call)
    keep = np.isfinite(vols)
    times, slots, counts = np.unique(chain.time[keep], return_inverse=True, return_counts=True)
    full = counts >= least_quotes
    if not full.any():
        raise ValueError(
            f"no expiry has {least_quotes} quotes with an implied volatility; "
            f"{int(keep.sum())} of {len(chain)} quotes have one."
        )
    kept = chain.where(keep).where(full[slots])
    vols = vols[keep][full[slots]]
    times, slots = np.unique(kept.time, return_inverse=True)
    weights = _weights(kept, vols)
    k, total = kept.moneyness, vols**2 * kept.time
    start = _rising(np.array([_atm(k[slots == i], total[slots == i]) for i in range(times.size)]))

    def unpack(x: FloatArray) -> tuple[FloatArray, float, float, float]:
        rho = math.tanh(x[0])
        eta = 2.0 / (1.0 + abs(rho)) / (1.0 + math.exp(-x[1]))
        gamma = 0.5 / (1.0 + math.exp(-x[2]))
        return np.cumsum(np.exp(x[3:])), rho, eta, gamma

    def misses(x: FloatArray) -> FloatArray:
        thetas, rho, eta, gamma = unpack(x)
        fitted = np.sqrt(ssvi(k, thetas[slots], rho, eta, gamma) / kept.time)
        return (fitted - vols) * weights

    steps = np.log(np.maximum(np.diff(start, prepend=0.0), 1e-8))
    best = least_squares(misses, np.concatenate([[-0.1, 0.0, 2.0], steps]), max_nfev=200)
    thetas, rho, eta, gamma = unpack(best.x)
    error = math.sqrt(float(np.mean(best.fun**2)))
    return Surface(times, thetas, rho, eta, gamma, error, len(kept))


def _weights(chain: Chain, vols: FloatArray) -> FloatArray:
    """Precision of each quote's volatility, mean square 1: half its spread in volatility points."""
    vega = european(chain.forward, chain.strike, chain.time, vols, chain.is_call).vega
    blur = np.maximum(0.5 * (chain.ask - chain.bid) / vega, 0.002)
    weights: FloatArray = 1.0 / blur
    return weights / math.sqrt(float(np.mean(weights**2)))


def _atm(moneyness: FloatArray, total: FloatArray) -> float:
    """Total variance at k = 0, between the nearest quotes of either side."""
    order = np.argsort(moneyness)
    return float(np.interp(0.0, moneyness[order], total[order]))


def _rising(values: FloatArray) -> FloatArray:
    """Nearest non-decreasing sequence: pool adjacent violators."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, count = value, 1
        while blocks and blocks[-1][0] > mean:
            before, size = blocks.pop()
            mean = (before * size + mean * count) / (size + count)
            count += size
        blocks.append((mean, count))
    return np.concatenate([np.full(count, mean) for mean, count in blocks])


def density(surface: Surface, moneyness: FloatArray, time: float) -> FloatArray:
    """Gatheral's g(k): non-negative exactly where one expiry is free of butterfly arbitrage.

    ``g = (1 - k w'/(2w))^2 - w'^2/4 * (1/w + 1/4) + w''/2`` (Gatheral and Jacquier 2014, 2.1), with
    derivatives of SSVI in closed form.
    """
    theta = float(surface.theta(time))
    gamma = surface.gamma
    phi = surface.eta / (theta**gamma * (1.0 + theta) ** (1.0 - gamma))
    rho = surface.rho
    root = np.sqrt((phi * moneyness + rho) ** 2 + 1.0 - rho * rho)
    w = 0.5 * theta * (1.0 + rho * phi * moneyness + root)
    first = 0.5 * theta * phi * (rho + (phi * moneyness + rho) / root)
    second = 0.5 * theta * phi * phi * (1.0 - rho * rho) / root**3
    straight = 1.0 - moneyness * first / (2.0 * w)
    return straight**2 - 0.25 * first**2 * (1.0 / w + 0.25) + 0.5 * second


# --- the leg -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QuoteRules:
    """When implied volatility counts: seconds of age, quotes fitted, misfit in volatility."""

    max_age: int = 7_200
    least_quotes: int = 20
    worst_error: float = 0.05


def is_usable(surface: Surface, age: int, rules: QuoteRules | None = None) -> bool:
    """Fresh (`age` in seconds, not from the future), deep and well fitted."""
    rules = rules or QuoteRules()
    fresh = 0 <= age <= rules.max_age
    return fresh and surface.quotes >= rules.least_quotes and surface.error <= rules.worst_error


def per_bar(vol: FloatArray | float, bar_hours: float = 1.0) -> FloatArray:
    """Volatility of one bar from one a year."""
    return np.asarray(vol, dtype=np.float64) * math.sqrt(bar_hours / HOURS_PER_YEAR)


def fit_kappa(realised: FloatArray, implied: FloatArray) -> float:
    """kappa of ``realised = kappa * implied``, least squares through the origin.

    Implied volatility carries a premium, so kappa is usually below 1.

    Args:
        realised: (m,) volatility over windows that have ended, implied: (m,) known at their starts,
            in the same unit; NaN pairs are left out.

    Raises:
        ValueError: fewer than 30 pairs, or a negative value.
    """
    known = np.isfinite(realised) & np.isfinite(implied)
    x, y = implied[known], realised[known]
    if x.size < 30 or (x <= 0.0).any() or (y < 0.0).any():
        raise ValueError(f"kappa needs 30 pairs of volatilities, got {x.size}.")
    return float(x @ y / (x @ x))


def rolling_kappa(
    realised: FloatArray, implied: FloatArray, horizon: int, count: int = 250, least: int = 60
) -> FloatArray:
    """(n + 1,) kappa known at each bar, from the newest `count` pairs whose window had ended.

    Args:
        realised: (n,) over the `horizon` bars from bar i; implied: (n,) known at the open of bar i.
    """
    size = realised.size
    known = np.flatnonzero(np.isfinite(realised) & np.isfinite(implied) & (implied > 0.0))
    x, y = implied[known], realised[known]
    xy, xx = (np.concatenate([[0.0], np.cumsum(v)]) for v in (x * y, x * x))
    end = np.searchsorted(known, np.arange(size + 1) - horizon, side="right")
    start = np.maximum(end - count, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (xy[end] - xy[start]) / (xx[end] - xx[start])
    return np.where(end >= least, kappa, np.nan)


def raised(
    sigma: FloatArray, implied: FloatArray, kappa: FloatArray | float, usable: BoolArray
) -> FloatArray:
    """(T,) ``max(sigma, kappa * implied)`` where the quote is usable, else sigma.

    Implied volatility may only raise: options are thin when it matters, and a low quote is no
    reason to ask for less.

    Args:
        sigma, implied: (T,) in the same unit, known at the same times; implied may be NaN.
    """
    asked = np.asarray(kappa, dtype=np.float64) * implied
    with np.errstate(invalid="ignore"):
        higher = usable & np.isfinite(asked) & (asked > sigma)
    return np.where(higher, asked, sigma)
