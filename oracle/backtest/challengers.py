"""Other answers to the same question, each walked forward: what the pushed rates are held against.

Every challenger gives (VaR, ES) at each open for the worse of the two sides, because one rate
serves both. Decays name the hour's clock, .99 being a half-life of 69 hours, whatever the bars.
Two are not forecasts and say so in their names: the static rate in hindsight, and the tier table of
an exchange as it stood in October 2024, applied to all times.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from oracle.feeds.bars import HOUR, Bars, FloatArray
from oracle.feeds.scenario import DATA
from oracle.models.conformal import Feedback, adaptive_tail
from oracle.models.evt import rolling_evt
from oracle.models.fhs import rolling_tail, tail
from oracle.models.garch import garch_volatility
from oracle.models.overlay import stressed
from oracle.models.parametric import normal_tail
from oracle.models.target import DAY, SEED_HOURS, Asked
from oracle.models.volatility import bar_variance, ewma_volatility, log_returns

CHAMPION = "fhs .99"
HINDSIGHT = "static, hindsight"
YEARLY = "static, reset yearly"
DECAYS = (0.94, 0.97, 0.99, 0.997)
COUNT, LEAST = 1000, 500
EMIR_BUFFER, EMIR_STRESS = 1.25, 0.25
EMIR_FLOOR_DAYS, STRESS_DAYS, LEAST_DAYS = 3652, 365, 30
REFIT_DAYS = 30
"""Between fits of what is slow to fit (GARCH, the Pareto tail, the ten-year floor)."""
NOTIONAL = 1_000_000
"""USD at which an exchange's progressive table is read."""


@dataclass(frozen=True, eq=False)
class Question:
    """One cell's losses and what every challenger of a market shares.

    Attributes:
        bars: of the market; moves: (2, n) losses over `horizon` bars; level: such as .99.
        sigmas: (n + 1,) volatilities by name.
    """

    symbol: str
    bars: Bars
    moves: FloatArray
    horizon: int
    level: float
    sigmas: Mapping[str, FloatArray]

    def days(self, days: int) -> int:
        """In bars, at least two."""
        return max(2, days * DAY // self.bars.period)

    @property
    def least(self) -> int:
        """Windows before anything is answered: 500 bars, or 30 days of longer ones."""
        return min(LEAST, self.days(LEAST_DAYS))


def volatilities(bars: Bars, fast: bool) -> dict[str, FloatArray]:
    """The volatilities the challengers need, once a market; GARCH is left out when `fast`."""
    seed = max(1, SEED_HOURS * HOUR // bars.period)
    if len(bars) <= seed:
        return {}
    own = bar_variance(bars, "close")
    hours = bars.period / HOUR
    found = {str(lam): ewma_volatility(own, lam**hours, seed) for lam in DECAYS}
    ranges = bar_variance(bars, "garman_klass")
    found["garman-klass"] = ewma_volatility(ranges, 0.99**hours, seed)
    if not fast:
        month = max(1, REFIT_DAYS * DAY // bars.period)
        found["gjr"] = garch_volatility(log_returns(bars), refit=month).sigma
    return found


def answer_all(question: Question, fast: bool) -> dict[str, Asked]:
    """Every challenger's margins by name; those that cannot answer at all are left out."""
    found = {f"fhs {name[1:]}": _fhs(question, name) for name in map(str, DECAYS)}
    found["fhs .99 garman-klass"] = _fhs(question, "garman-klass")
    found["ewma .94 normal"] = _normal(question, "0.94")
    champion, floor = found[CHAMPION], _floor(question)
    found.update(_emir(question, champion, floor))
    members = [found[f"fhs {name[1:]}"] for name in map(str, DECAYS)]
    found["ensemble of 16"] = _ensemble(question, members, floor)
    found["conformal on .99"] = _conformal(question, champion)
    found[YEARLY] = _yearly(question)
    found[HINDSIGHT] = _hindsight(question)
    if not fast:
        found["gjr-garch fhs"] = _fhs(question, "gjr")
        found["evt on .99"] = _evt(question)
    rate = exchange_rate(question.symbol, NOTIONAL)
    if rate is not None:
        constant = np.full(len(question.bars) + 1, rate)
        found["binance 2024-10 at 1m USD"] = Asked(constant, np.full_like(constant, np.nan))
    return {name: asked for name, asked in found.items() if not np.isnan(asked.value_at_risk).all()}


@lru_cache(maxsize=1)
def _exchange_tiers() -> dict[str, list[tuple[float, float, float, float]]]:
    path = DATA / "margin_tiers" / "binance_2024-10.csv.gz"
    tiers: dict[str, list[tuple[float, float, float, float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            base, _, quote = row["symbol"].partition("/")
            if quote.startswith("USDT"):
                floor, cap, rate, cum = (float(row[k]) for k in ("floor", "cap", "mmr", "cum"))
                tiers.setdefault(base, []).append((floor, cap, rate, cum))
    return tiers


def exchange_rate(symbol: str, notional: float) -> float | None:
    """Maintenance margin over notional of the exchange's table; None where it does not list it."""
    for floor, cap, rate, cum in _exchange_tiers().get(symbol, []):
        if floor <= notional < cap:
            return (notional * rate - cum) / notional
    return None


def _fhs(question: Question, sigma: str) -> Asked:
    if sigma not in question.sigmas:
        return _unknown(question)
    series = rolling_tail(
        question.moves,
        question.sigmas[sigma],
        question.horizon,
        [question.level],
        count=COUNT,
        least=question.least,
    )
    return Asked(series.value_at_risk[0].max(axis=0), series.expected_shortfall[0].max(axis=0))


def _normal(question: Question, sigma: str) -> Asked:
    if sigma not in question.sigmas:
        return _unknown(question)
    standard = normal_tail(question.level)
    scale = question.sigmas[sigma] * np.sqrt(question.horizon)
    return Asked(scale * standard.value_at_risk, scale * standard.expected_shortfall)


def _evt(question: Question) -> Asked:
    sigma = question.sigmas.get("0.99")
    if sigma is None:
        return _unknown(question)
    series = rolling_evt(
        question.moves,
        sigma,
        question.horizon,
        (question.level,),
        count=COUNT,
        least=question.least,
        refit=question.days(REFIT_DAYS),
    )
    return Asked(series.value_at_risk[0].max(axis=0), series.expected_shortfall[0].max(axis=0))


def _emir(question: Question, champion: Asked, floor: FloatArray) -> dict[str, Asked]:
    """The three tools of Regulation (EU) 153/2013, article 28, each on the champion."""
    var = champion.value_at_risk
    mixed = (1.0 - EMIR_STRESS) * var + EMIR_STRESS * stressed(var, question.days(STRESS_DAYS))
    floored = np.maximum(var, floor)
    answers = {
        "emir 25 % buffer": EMIR_BUFFER * var,
        "emir 25 % stress": mixed,
        "emir 10-year floor": floored,
    }
    return {name: _like(champion, margin) for name, margin in answers.items()}


def _ensemble(question: Question, members: list[Asked], floor: FloatArray) -> Asked:
    """The mean of 16 overlays: four decays, stress weight 0 or .25, with and without the floor."""
    total = np.zeros(len(question.bars) + 1)
    ratio = np.zeros_like(total)
    for member in members:
        var = member.value_at_risk
        stress = stressed(var, question.days(STRESS_DAYS))
        for weight in (0.0, EMIR_STRESS):
            mixed = (1.0 - weight) * var + weight * stress
            total += (mixed + np.maximum(mixed, floor)) / 16.0
        ratio += _ratio(member) / len(members)
    return Asked(total, total * ratio)


def _conformal(question: Question, champion: Asked) -> Asked:
    sigma = question.sigmas.get("0.99")
    if sigma is None:
        return _unknown(question)
    alpha = 1.0 - question.level
    feedback = Feedback(target=alpha, low=0.1 * alpha, high=5.0 * alpha)
    sides = [
        adaptive_tail(row, sigma, question.horizon, feedback, count=COUNT, least=question.least)[0]
        for row in question.moves
    ]
    return _like(champion, np.maximum(sides[0], sides[1]))


def _yearly(question: Question) -> Asked:
    """A constant set each 1 January from all windows that had ended, and at the start."""
    moves, bars, horizon = question.moves, question.bars, question.horizon
    size = len(bars)
    opens = np.append(bars.ts, bars.ts[-1] + bars.period)
    years = opens.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64)
    usable = np.flatnonzero(~np.isnan(moves[0]))
    if usable.size <= question.least:
        return _unknown(question)
    first = int(usable[question.least - 1]) + horizon
    changes = np.flatnonzero(np.diff(years)) + 1
    resets = [first, *(int(i) for i in changes if i > first), size + 1]
    var, shortfall = np.full(size + 1, np.nan), np.full(size + 1, np.nan)
    for start, end in pairwise(resets):
        ended = usable[usable + horizon <= start]
        tails = [tail(row[ended], question.level) for row in moves]
        var[start:end] = max(each.value_at_risk for each in tails)
        shortfall[start:end] = max(each.expected_shortfall for each in tails)
    return Asked(var, shortfall)


def _hindsight(question: Question) -> Asked:
    usable = ~np.isnan(question.moves[0])
    if not usable.any():
        return _unknown(question)
    tails = [tail(row[usable], question.level) for row in question.moves]
    flat = np.ones(len(question.bars) + 1)
    return Asked(
        flat * max(each.value_at_risk for each in tails),
        flat * max(each.expected_shortfall for each in tails),
    )


def _floor(question: Question) -> FloatArray:
    """EMIR's: the unfiltered quantile of ten years, taken anew every thirty days."""
    size, every = len(question.bars), question.days(REFIT_DAYS)
    usable = np.flatnonzero(~np.isnan(question.moves[0]))
    ended = np.searchsorted(usable, np.arange(size + 1) - question.horizon, side="right")
    floor = np.full(size + 1, np.nan)
    for t in range(0, size + 1, every):
        known = usable[max(0, int(ended[t]) - question.days(EMIR_FLOOR_DAYS)) : int(ended[t])]
        if known.size >= question.least:
            rows = question.moves[:, known]
            floor[t : t + every] = float(np.quantile(rows, question.level, axis=1).max())
    return floor


def _like(champion: Asked, margin: FloatArray) -> Asked:
    """A margin whose shortfall stands to it as the champion's does."""
    return Asked(margin, margin * _ratio(champion))


def _ratio(asked: Asked) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: FloatArray = np.where(
            asked.value_at_risk > 0.0, asked.shortfall / asked.value_at_risk, 1.0
        )
    return ratio


def _unknown(question: Question) -> Asked:
    nothing = np.full(len(question.bars) + 1, np.nan)
    return Asked(nothing, nothing)
