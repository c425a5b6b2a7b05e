"""Value at Risk and Expected Shortfall of standard distributions: yardsticks, and checks.

McNeil, Frey and Embrechts, "Quantitative Risk Management", Princeton 2015, examples 2.11, 2.14 and
2.15. Normal quantiles fail outright on these markets (71 breaches where 35 are expected); they are
here to be compared with.
"""

from __future__ import annotations

import math

from scipy.special import ndtri, stdtrit

from oracle.models.fhs import Tail


def normal_tail(level: float, mean: float = 0.0, sigma: float = 1.0) -> Tail:
    """Of a normal loss.

    Raises:
        ValueError: the level is not inside (0, 1).
    """
    _check(level)
    quantile = float(ndtri(level))
    density = math.exp(-0.5 * quantile * quantile) / math.sqrt(2.0 * math.pi)
    return Tail(mean + sigma * quantile, mean + sigma * density / (1.0 - level))


def student_tail(level: float, nu: float, mean: float = 0.0, scale: float = 1.0) -> Tail:
    """Of a Student loss with `nu` > 1 degrees of freedom; `scale` is not its standard deviation.

    Raises:
        ValueError: the level is not inside (0, 1), or nu <= 1, where the shortfall has no mean.
    """
    _check(level)
    if not nu > 1.0:
        raise ValueError(f"a Student shortfall needs more than one degree of freedom, got {nu}.")
    quantile = float(stdtrit(nu, level))
    log_density = (
        math.lgamma(0.5 * (nu + 1.0))
        - math.lgamma(0.5 * nu)
        - 0.5 * math.log(nu * math.pi)
        - 0.5 * (nu + 1.0) * math.log1p(quantile * quantile / nu)
    )
    shortfall = math.exp(log_density) / (1.0 - level) * (nu + quantile * quantile) / (nu - 1.0)
    return Tail(mean + scale * quantile, mean + scale * shortfall)


def _check(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"a level lies between 0 and 1, got {level}.")
