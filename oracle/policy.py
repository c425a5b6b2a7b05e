"""From what the market needs to what the chain is asked for. Pure integers, but for calibration.

A market's schedule has a calm and a storm rate per bracket; the keeper moves severity and depth
between them. Rates, severity and depth are ppm (1e6 = 100 %); bounds are whole USD.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from eth_utils.crypto import keccak

from oracle.feeds.bars import Bars, FloatArray
from oracle.models.haircuts import haircut, marginal_haircuts
from oracle.models.impact import depth_ppm
from oracle.models.tails import CostModel, RiskError, Tails, needs

PPM = 1_000_000
BOUND_STEP = 1_000
MAX_BRACKETS = 8
YEAR = 31_557_600

CALM_QUANTILE = 0.05
CALM_QUANTILE_SLOW = 0.25
SLOW_HOURS = 5.0
STORM_YEARS = 2.0


@dataclass(frozen=True)
class Schedule:
    """A market's tier schedule: K brackets, rates in ppm, bounds in whole USD.

    Attributes:
        bounds: (K,) upper notional bound of each bracket, increasing multiples of 1,000.
        calm_mmr, storm_mmr, calm_imr, storm_imr: (K,) marginal rates.
    """

    bounds: tuple[int, ...]
    calm_mmr: tuple[int, ...]
    storm_mmr: tuple[int, ...]
    calm_imr: tuple[int, ...]
    storm_imr: tuple[int, ...]

    @classmethod
    def from_dict(cls, data: dict[str, Sequence[int]]) -> Schedule:
        """The schedule `as_dict` wrote."""
        return cls(**{name: tuple(values) for name, values in data.items()})

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, for JSON."""
        return {name: list(values) for name, values in asdict(self).items()}

    def faults(self, buffer_ppm: int = 250_000) -> list[str]:
        """Every rule of the chain this schedule breaks, one sentence each; empty when it is sound.

        Args:
            buffer_ppm: b, by which an initial rate exceeds its maintenance rate.
        """
        faults = _bound_faults(self.bounds)
        for name in ("calm_mmr", "storm_mmr", "calm_imr", "storm_imr"):
            rates = getattr(self, name)
            if len(rates) != len(self.bounds):
                faults.append(f"{name} has {len(rates)} rates for {len(self.bounds)} brackets.")
            if any(b < a for a, b in pairwise(rates)):
                faults.append(f"{name} falls from one bracket to the next.")
            if any(not 0 < rate <= PPM for rate in rates):
                faults.append(f"{name} leaves (0, 100 %].")
        for kind in ("mmr", "imr"):
            calm, storm = getattr(self, f"calm_{kind}"), getattr(self, f"storm_{kind}")
            if any(c > s for c, s in zip(calm, storm, strict=False)):
                faults.append(f"a calm {kind} is above its storm {kind}.")
        for season in ("calm", "storm"):
            mmr, imr = getattr(self, f"{season}_mmr"), getattr(self, f"{season}_imr")
            if any((PPM + buffer_ppm) * m > PPM * i for m, i in zip(mmr, imr, strict=False)):
                faults.append(f"a {season} imr is less than (1 + b) times its mmr.")
        return faults


@dataclass(frozen=True)
class Calibration:
    """A market's schedule and the conditions it was made for.

    Attributes:
        schedule: the tiers.
        volume_per_hour: USD an hour under stress; it sized the brackets.
        liquidity: USD per unit of log range at depth 1.
        first, last: Unix seconds of the oldest price of the history and of its last estimate.
    """

    schedule: Schedule
    volume_per_hour: float
    liquidity: float
    first: int
    last: int

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The calibration `as_dict` wrote."""
        return cls(**{**data, "schedule": Schedule.from_dict(data["schedule"])})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "schedule": self.schedule.as_dict()}


@dataclass(frozen=True)
class CollateralCalibration(Calibration):
    """A token's haircut schedule and the conditions it was made for.

    Attributes:
        peg: what a promise behind the token may lose, a log amount; 0 for none.
        wrong_way: factor by which it falls more when positions lose (`haircuts.wrong_way_addon`).
    """

    peg: float = 0.0
    wrong_way: float = 0.0


@dataclass(frozen=True)
class Reason:
    """Why a bracket's rates are what they are. Rates are fractions, times Unix seconds.

    Attributes:
        bound: USD; hours: to close it, the horizon of its loss.
        calm_quantile: of history that calm is; calm, storm: before doubling, cap and rounding.
        storm_at: when the maximum was.
        doubled: the history is shorter than two years.
        capped: the storm rate met the most the chain allows.
        calm_call, storm_call: the call buffer; calm_rule, storm_rule: which rule set IM.
    """

    bound: int
    hours: float
    calm_quantile: float
    calm: float
    storm: float
    storm_at: int
    doubled: bool
    capped: bool
    calm_call: float
    storm_call: float
    calm_rule: str
    storm_rule: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """The steward's bounds on one push. Steps, depth and severity in ppm, times in seconds.

    `heartbeat` is ours: an unchanged line is pushed again after it, before the chain calls the
    keeper dead (max_age, at least three times min_delay).
    """

    severity_up: int = 50_000
    severity_down: int = 10_000
    depth_fall: int = 250_000
    depth_rise: int = 10_000
    depth_min: int = 250_000
    min_delay: int = 3_000
    heartbeat: int = 6_000


@dataclass(frozen=True)
class Push:
    """The line to sign: severity and depth, ppm."""

    severity: int
    depth: int


@dataclass(frozen=True)
class Rates:
    """Maintenance rates of an asset's bracket 0 as the chain keeps them: two tables, of which the
    one voted last blends in over the ramp. Pairs of calm and storm, ppm.

    Attributes:
        old, new: of the table before, and of the one voted last.
        start: when it was voted, effective time [s].
        ramp: over how long it blends in [s].
    """

    old: tuple[int, int]
    new: tuple[int, int]
    start: int
    ramp: int

    def in_force(self, time: int) -> tuple[int, int, int]:
        """Calm and storm, times a scale, and that scale; exact (FORMULAS 6).

        Args:
            time: effective [s]. What is before the vote has the table before.
        """
        elapsed = max(0, time - self.start)
        if elapsed >= self.ramp:
            return *self.new, 1
        left = self.ramp - elapsed
        calm, storm = (
            old * left + new * elapsed for old, new in zip(self.old, self.new, strict=True)
        )
        return calm, storm, self.ramp

    def rounded(self, time: int) -> tuple[int, int]:
        """Calm and storm in force, ppm, rounded up."""
        calm, storm, scale = self.in_force(time)
        return -(-calm // scale), -(-storm // scale)

    def severity_for(self, need_ppm: int, time: int) -> int:
        """Smallest severity whose rate in force covers the need; 1e6 where none does.

        ``min s in [0, 1e6] : calm * 1e6 + s * (storm - calm) >= need * 1e6 * scale``
        """
        calm, storm, scale = self.in_force(time)
        return severity_for(need_ppm * scale, calm, storm)

    def rate(self, severity: int, time: int) -> int:
        """Maintenance rate in force at a severity, ppm, rounded down."""
        calm, storm, scale = self.in_force(time)
        return (calm * PPM + (storm - calm) * severity) // (PPM * scale)


def ppm_up(fraction: float) -> int:
    """A fraction as ppm, rounded up."""
    return math.ceil(fraction * PPM)


def severity_for(need_ppm: int, calm_mmr0_ppm: int, storm_mmr0_ppm: int) -> int:
    """Smallest severity whose bracket-0 maintenance rate covers the need.

    ``min s in [0, 1e6] : calm * 1e6 + s * (storm - calm) >= need * 1e6``; 1e6 where none does.

    Raises:
        ValueError: calm is above storm.
    """
    if calm_mmr0_ppm > storm_mmr0_ppm:
        raise ValueError(f"calm {calm_mmr0_ppm} is above storm {storm_mmr0_ppm}.")
    if need_ppm <= calm_mmr0_ppm:
        return 0
    if need_ppm > storm_mmr0_ppm:
        return PPM
    return -(-(need_ppm - calm_mmr0_ppm) * PPM // (storm_mmr0_ppm - calm_mmr0_ppm))


def accepted(
    current_severity: int, current_depth: int, push: Push, elapsed: int, limits: Limits
) -> bool:
    """Whether the steward's checks on steps, bounds and delay pass: the contract's, off-chain."""
    rise = push.severity - current_severity
    fall = current_depth - push.depth
    return (
        elapsed >= limits.min_delay
        and 0 <= push.severity <= PPM
        and limits.depth_min <= push.depth <= PPM
        and -limits.severity_down <= rise <= limits.severity_up
        and -limits.depth_rise <= fall <= limits.depth_fall
    )


def next_push(
    current_severity: int,
    current_depth: int,
    asked_severity: int,
    asked_depth: int,
    limits: Limits,
    *,
    elapsed: int,
) -> Push | None:
    """The furthest allowed step from the line on the chain toward the line asked for.

    Args:
        current_severity, current_depth: the last pushed values on the chain, ppm.
        asked_severity, asked_depth: what the model asks for, ppm; depth is held at its minimum.
        elapsed: seconds since the last push.

    Returns:
        None when it is too early, or when nothing would change and the heartbeat is not due.

    Raises:
        ValueError: a value outside [0, 1e6].
    """
    for value in (current_severity, current_depth, asked_severity, asked_depth):
        if not 0 <= value <= PPM:
            raise ValueError(f"{value} ppm is outside 0 to {PPM}.")
    if elapsed < limits.min_delay:
        return None
    severity = _toward(current_severity, asked_severity, limits.severity_up, limits.severity_down)
    wanted_depth = max(asked_depth, limits.depth_min)
    depth = _toward(current_depth, wanted_depth, limits.depth_rise, limits.depth_fall)
    same = (severity, depth) == (current_severity, current_depth)
    return None if same and elapsed < limits.heartbeat else Push(severity, depth)


def liquidity(bars: Bars) -> float:
    """USD traded per unit of log price range: how much trading one per cent of movement took.

    Raises:
        RiskError: no bars, no volume in them, or no movement at all.
    """
    if bars.volume is None or not len(bars):
        raise RiskError("depth needs bars with traded volume.")
    movement = float(np.sum(np.log(bars.high / bars.low)))
    if movement <= 0.0:
        raise RiskError("depth needs a price that moved.")
    return float(np.sum(bars.volume * bars.close)) / movement


def depth_for(recent: Bars, reference: float, limits: Limits) -> int:
    """Depth in ppm from traded volume, where no order book is recorded.

    The ratio of today's `liquidity` to the reference one, at most 1, rounded down. Volume alone
    would point the wrong way: it triples in a crash while books empty. Volume per unit of range,
    the inverse of Amihud's illiquidity ("Illiquidity and stock returns", Journal of Financial
    Markets 5, 2002), falls to .27 of its reference on 2020-03-13 (BTC) and .4 on 2021-05-19 (ETH).

    Args:
        recent: the last day's bars, mark prices with the traded volume of the same hours.
        reference: `liquidity` the schedule's bounds were set for.

    Raises:
        RiskError: as `liquidity`, or a reference that is not positive.
    """
    if not reference > 0.0:
        raise RiskError(f"a depth reference is positive, got {reference}.")
    ratio = min(1.0, liquidity(recent) / reference)
    return max(limits.depth_min, math.floor(ratio * PPM))


def depth_with_book(traded: int, book_depths: FloatArray, reference: float, limits: Limits) -> int:
    """Depth in ppm from volume and from the order book, the smaller of the two.

    Args:
        traded: from `depth_for`.
        book_depths: (k,) USD of recent books (`impact.depth_within`), the smaller side of each;
            empty where no book is recorded, and then volume alone counts.
        reference: USD in the book at depth 1.

    Raises:
        ValueError: as `impact.depth_ppm`.
    """
    if not book_depths.size:
        return traded
    return max(limits.depth_min, min(traded, depth_ppm(book_depths, reference)))


def calibrate_schedule(
    history: Tails,
    bounds: Sequence[int],
    volume_per_hour: float,
    costs: CostModel,
    years: float,
    buffer_ppm: int = 250_000,
) -> Schedule:
    """Calm and storm rates per bracket from estimates made through history.

    At each time the marginal maintenance rates are ``(L(U_k) - L(U_k-1)) / (U_k - U_k-1)`` with
    ``L(N) = N * need(N)``, made non-decreasing in k. Calm is their 5 % quantile over history (25 %
    where closing U_k takes five hours or more), storm their maximum, doubled where the history is
    shorter than two years. ``IMR = max(2 MMR, MMR + ES(call))``, at most 1, and MMR at most
    1/(1+b) so that the buffer above it fits. Rounded up to ppm.

    Args:
        history: T estimates, oldest first.
        bounds: upper bounds U_k in USD.
        volume_per_hour: USD an hour traded under stress.
        years: how long the prices behind `history` reach back.

    Raises:
        RiskError: no history, bad bounds, or a bound that takes longer to close than estimated.
    """
    return derive_schedule(history, bounds, volume_per_hour, costs, years, buffer_ppm)[0]


def derive_schedule(
    history: Tails,
    bounds: Sequence[int],
    volume_per_hour: float,
    costs: CostModel,
    years: float,
    buffer_ppm: int = 250_000,
    calm_quantile: float | None = None,
) -> tuple[Schedule, tuple[Reason, ...]]:
    """`calibrate_schedule`, with the reason of each bracket's rates.

    Args:
        calm_quantile: of history that calm is at every size, instead of 5 and 25 %.
    """
    _check_history(history, bounds)
    rates = marginal_rates(history, bounds, volume_per_hour, costs)
    hours = [costs.hours(bound, volume_per_hour) for bound in bounds]
    quantiles = [_calm_quantile(h) if calm_quantile is None else calm_quantile for h in hours]
    stretch = _stretch(years)
    calm = [float(np.quantile(rates[:, k], q)) for k, q in enumerate(quantiles)]
    storm = [float(rate) for rate in rates.max(axis=0)]
    calls = [float(np.quantile(history.call, q)) for q in quantiles]
    storm_call = float(history.call.max()) * stretch
    calm_mmr = _maintenance(calm, buffer_ppm)
    storm_mmr = _maintenance([rate * stretch for rate in storm], buffer_ppm)
    schedule = Schedule(
        bounds=tuple(bounds),
        calm_mmr=calm_mmr,
        storm_mmr=storm_mmr,
        calm_imr=_initial(calm_mmr, calls),
        storm_imr=_initial(storm_mmr, [storm_call] * len(bounds)),
    )
    reasons = tuple(
        Reason(
            bound=bound,
            hours=hours[k],
            calm_quantile=quantiles[k],
            calm=calm[k],
            storm=storm[k],
            storm_at=int(history.ts[int(np.argmax(rates[:, k]))]),
            doubled=stretch > 1.0,
            capped=storm_mmr[k] < ppm_up(storm[k] * stretch),
            calm_call=calls[k],
            storm_call=storm_call,
            calm_rule=_initial_rule(calm_mmr[k], calls[k]),
            storm_rule=_initial_rule(storm_mmr[k], storm_call),
        )
        for k, bound in enumerate(bounds)
    )
    return schedule, reasons


def derive_haircuts(
    history: Tails,
    bounds: Sequence[int],
    volume_per_hour: float,
    costs: CostModel,
    years: float,
    peg: float = 0.0,
    wrong_way: float = 0.0,
) -> tuple[Schedule, tuple[Reason, ...]]:
    """Calm and storm haircuts of a collateral token per bracket of an account's own amount.

    At each time the MM haircut on an amount U is ``1 - exp(-(need(U) + peg) * (1 + wrong_way))``
    and the IM haircut has the call buffer inside the exponent as well; their marginal rates are
    taken as those of a margin schedule are. Doubling for a short history doubles the loss in the
    exponent.

    Args:
        history: estimates of falls alone (`tails.estimate_series` with sides=(Side.LONG,)).

    Raises:
        RiskError: as `calibrate_schedule`.
    """
    _check_history(history, bounds)
    widths = np.array(bounds, dtype=np.float64)
    need = np.stack([needs(history, u, volume_per_hour, costs) for u in bounds], axis=1)
    hours = [costs.hours(bound, volume_per_hour) for bound in bounds]
    quantiles = [_calm_quantile(h) for h in hours]
    stretch = _stretch(years)

    def rates(buffer: FloatArray | float, times: float) -> FloatArray:
        loss = times * (need + buffer)
        return marginal_haircuts(haircut(loss, peg=peg, wrong_way=wrong_way), widths)

    call = history.call[:, None]
    found = {
        "calm_mmr": _quantiles(rates(0.0, 1.0), quantiles),
        "calm_imr": _quantiles(rates(call, 1.0), quantiles),
        "storm_mmr": rates(0.0, stretch).max(axis=0).tolist(),
        "storm_imr": rates(call, stretch).max(axis=0).tolist(),
    }
    table = {name: _rising(values) for name, values in found.items()}
    for season in ("calm", "storm"):
        pairs = zip(table[f"{season}_imr"], table[f"{season}_mmr"], strict=True)
        table[f"{season}_imr"] = tuple(max(pair) for pair in pairs)
    for kind in ("mmr", "imr"):
        pairs = zip(table[f"calm_{kind}"], table[f"storm_{kind}"], strict=True)
        table[f"storm_{kind}"] = tuple(max(pair) for pair in pairs)
    plain = rates(0.0, 1.0)
    reasons = tuple(
        Reason(
            bound=bound,
            hours=hours[k],
            calm_quantile=quantiles[k],
            calm=found["calm_mmr"][k],
            storm=float(plain[:, k].max()),
            storm_at=int(history.ts[int(np.argmax(plain[:, k]))]),
            doubled=stretch > 1.0,
            capped=table["storm_mmr"][k] == PPM,
            calm_call=float(np.quantile(history.call, quantiles[k])),
            storm_call=float(history.call.max()) * stretch,
            calm_rule="MM loss + call buffer in the exponent",
            storm_rule="MM loss + call buffer in the exponent",
        )
        for k, bound in enumerate(bounds)
    )
    return Schedule(bounds=tuple(bounds), **table), reasons


def marginal_rates(
    history: Tails, bounds: Sequence[int], volume_per_hour: float, costs: CostModel
) -> FloatArray:
    """(T, K) marginal maintenance rates, fractions, non-decreasing in k at each time.

    Raises:
        RiskError: as `needs`.
    """
    losses = np.stack([u * needs(history, u, volume_per_hour, costs) for u in bounds], axis=1)
    steps = np.diff(losses, axis=1, prepend=0.0)
    widths = np.diff(np.array(bounds, dtype=np.float64), prepend=0.0)
    return np.maximum.accumulate(steps / widths, axis=1)


def window_bytes(symbol: str, prices: Bars, traded: Bars | None = None) -> bytes:
    """The canonical encoding of a push's input window.

    ``"plimsoll.window.v1" | len(symbol) u8 | symbol utf-8 | block(prices) | block(traded)`` with
    ``block = period u32 | n u32 | n rows of ts u64, open, high, low, close, volume f64``; integers
    and IEEE 754 doubles are big-endian, a volume that is absent is NaN 0x7ff8000000000000, an
    absent block has period 0 and n 0. A decimal text parses to one double only, so whoever has the
    public data has the bytes.

    Raises:
        ValueError: the symbol is longer than 255 bytes.
    """
    name = symbol.encode()
    parts = [b"plimsoll.window.v1", struct.pack(">B", len(name)) if len(name) < 256 else b"", name]
    if not parts[1]:
        raise ValueError(f"the symbol has {len(name)} bytes, at most 255 are allowed.")
    for block in (prices, traded):
        parts.append(struct.pack(">II", 0, 0) if block is None else _block(block))
    return b"".join(parts)


def window_hash(symbol: str, prices: Bars, traded: Bars | None = None) -> bytes:
    """keccak-256 of `window_bytes`: 32 bytes that bind a push to the bars it was made from."""
    return bytes(keccak(window_bytes(symbol, prices, traded)))


def _block(bars: Bars) -> bytes:
    rows = np.empty(
        len(bars), dtype=[("ts", ">u8"), *((name, ">f8") for name in ("o", "h", "l", "c", "v"))]
    )
    rows["ts"] = bars.ts
    for name, column in zip("ohlc", (bars.open, bars.high, bars.low, bars.close), strict=True):
        rows[name] = column
    rows["v"] = np.nan if bars.volume is None else bars.volume
    return struct.pack(">II", bars.period, len(bars)) + rows.tobytes()


def inputs_hash(hashes: Sequence[bytes]) -> bytes:
    """Provenance of a push: its window's hash; of several assets, keccak-256 of theirs in order.

    Raises:
        ValueError: no hash, or one that is not 32 bytes.
    """
    if not hashes or any(len(each) != 32 for each in hashes):
        raise ValueError(f"a push has hashes of 32 bytes, got {[len(each) for each in hashes]}.")
    return hashes[0] if len(hashes) == 1 else bytes(keccak(b"".join(hashes)))


def _check_history(history: Tails, bounds: Sequence[int]) -> None:
    faults = _bound_faults(bounds)
    if faults or not len(history):
        raise RiskError(faults[0] if faults else "a schedule needs at least one estimate.")


def _calm_quantile(hours: float) -> float:
    return CALM_QUANTILE_SLOW if hours >= SLOW_HOURS else CALM_QUANTILE


def _stretch(years: float) -> float:
    return 1.0 if years >= STORM_YEARS else 2.0


def _quantiles(rates: FloatArray, quantiles: Sequence[float]) -> list[float]:
    return [float(np.quantile(rates[:, k], q)) for k, q in enumerate(quantiles)]


def _rising(rates: Sequence[float]) -> tuple[int, ...]:
    """In ppm, rounded up, never falling: quantiles at different levels may cross."""
    return tuple(int(r) for r in np.maximum.accumulate([min(PPM, ppm_up(r)) for r in rates]))


def _initial_rule(mmr: int, call: float) -> str:
    return "2 x MMR" if 2 * mmr >= mmr + ppm_up(call) else "MMR + ES99(call horizon)"


def _toward(current: int, wanted: int, up: int, down: int) -> int:
    return min(wanted, current + up) if wanted >= current else max(wanted, current - down)


def _bound_faults(bounds: Sequence[int]) -> list[str]:
    faults = []
    if not 1 <= len(bounds) <= MAX_BRACKETS:
        faults.append(f"{len(bounds)} brackets are not 1 to {MAX_BRACKETS}.")
    if any(bound <= 0 or bound % BOUND_STEP for bound in bounds):
        faults.append(f"a bound is no positive multiple of {BOUND_STEP} USD.")
    if any(b <= a for a, b in pairwise(bounds)):
        faults.append("bounds do not increase.")
    return faults


def _maintenance(rates: Sequence[float], buffer_ppm: int) -> tuple[int, ...]:
    most = PPM * PPM // (PPM + buffer_ppm)
    return tuple(min(most, ppm_up(rate)) for rate in rates)


def _initial(mmr: Sequence[int], calls: Sequence[float]) -> tuple[int, ...]:
    return tuple(
        min(PPM, max(2 * rate, rate + ppm_up(call))) for rate, call in zip(mmr, calls, strict=True)
    )
