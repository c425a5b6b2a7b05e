"""GJR-GARCH with skewed Student innovations, through `arch`, walked forward.

``h[t] = omega + (alpha + gamma * [e[t-1] < 0]) * e[t-1]^2 + beta * h[t-1]``, e = r - mu. Sources:
Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31
(1986); Glosten, Jagannathan and Runkle, Journal of Finance 48 (1993); skewed t of Hansen,
"Autoregressive conditional density estimation", International Economic Review 35 (1994).

Returns are divided by their standard deviation before the fit and everything is scaled back, so
that the optimiser sees the same problem whatever the unit (the fit is scale invariant) and no
market is fitted worse for being quiet.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from arch.univariate import GARCH, ConstantMean, Normal, SkewStudent, StudentsT

from oracle.feeds.bars import BoolArray, FloatArray
from oracle.models.volatility import ewma_volatility

Innovations = Literal["normal", "t", "skewt"]

WINDOW = 1500
REFIT = 20
_TOLERANCE = 1e-9
_PERSISTENCE = 0.999
_NAMES = {"alpha[1]": "alpha", "gamma[1]": "gamma", "beta[1]": "beta", "lambda": "skew"}


_DISTRIBUTIONS: dict[str, type] = {"normal": Normal, "t": StudentsT, "skewt": SkewStudent}


class GarchError(ValueError):
    """No fit. The message is one sentence that says why."""


@dataclass(frozen=True)
class GarchFit:
    """One fit, in the unit of the returns it was made from.

    Attributes:
        mu, omega, alpha, gamma, beta: of the recursion; gamma is 0 for plain GARCH.
        nu, skew: degrees of freedom (eta in Hansen's notation) and asymmetry of the innovations;
            None where the distribution has none.
        loglik: Gaussian or (skewed) t log-likelihood with all constants.
        variance: (n,) conditional variance of each return.
        next_variance: of the return that has not happened.
    """

    mu: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    nu: float | None
    skew: float | None
    loglik: float
    variance: FloatArray
    next_variance: float

    @property
    def persistence(self) -> float:
        """alpha + gamma/2 + beta: how much of a variance shock is left a bar later."""
        return self.alpha + 0.5 * self.gamma + self.beta

    def after(self, value: float, variance: float) -> float:
        """h[t+1] from the return r[t] and h[t]."""
        shock = value - self.mu
        weight = self.alpha + (self.gamma if shock < 0.0 else 0.0)
        return self.omega + weight * shock * shock + self.beta * variance


@dataclass(frozen=True, eq=False)
class GarchSeries:
    """A walk-forward of volatility.

    Attributes:
        sigma: (n + 1,) standard deviation per bar, known at the open of each; NaN before the first
            window is full.
        fell_back: (n + 1,) True where no fit was to be had and sigma is the EWMA's.
        reasons: one sentence for each refit that failed, by the bar it was made at.
        fits: how many refits succeeded.
    """

    sigma: FloatArray
    fell_back: BoolArray
    reasons: dict[int, str]
    fits: int


def fit_garch(
    returns: FloatArray,
    *,
    asymmetric: bool = True,
    innovations: Innovations = "skewt",
    start: GarchFit | None = None,
    sample_start: bool = False,
) -> GarchFit:
    """Maximum likelihood over one window.

    Args:
        returns: (n,) finite, any unit.
        asymmetric: GJR; else plain GARCH(1,1).
        start: an earlier fit to start from.
        sample_start: the recursion starts from the sample variance of the residuals, at the mu of
            each evaluation, as the benchmark of Fiorentini, Calzolari and Panattoni does (Journal
            of Applied Econometrics 11, 1996); else from `arch`'s own weighted mean.

    Raises:
        GarchError: fewer than 50 returns, one that is not finite, none that moves, or an optimiser
            that did not converge.
    """
    if returns.size < 50 or not np.isfinite(returns).all():
        raise GarchError(f"{returns.size} returns are too few, or one is not finite.")
    scale = float(np.std(returns))
    # A constant has a spread of rounding errors.
    if scale <= 1e-12 * float(np.max(np.abs(returns))):
        raise GarchError("the returns do not move.")
    process = _SampleStart if sample_start else GARCH
    model = ConstantMean(
        returns / scale,
        volatility=process(p=1, o=1 if asymmetric else 0, q=1),
        distribution=_DISTRIBUTIONS[innovations](),
        rescale=False,
    )
    guess = None if start is None else _starting_values(start, scale, asymmetric, innovations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = model.fit(
            disp="off",
            show_warning=False,
            starting_values=guess,
            tol=_TOLERANCE,
        )
    values = {_NAMES.get(name, name): float(value) for name, value in result.params.items()}
    if result.convergence_flag != 0 or not all(map(math.isfinite, values.values())):
        raise GarchError(f"the optimiser stopped with flag {result.convergence_flag}.")
    variance = np.asarray(result.conditional_volatility, dtype=np.float64) ** 2 * scale**2
    fit = GarchFit(
        mu=values["mu"] * scale,
        omega=values["omega"] * scale**2,
        alpha=values["alpha"],
        gamma=values.get("gamma", 0.0),
        beta=values["beta"],
        nu=values.get("eta", values.get("nu")),
        skew=values.get("skew"),
        loglik=float(result.loglikelihood) - returns.size * math.log(scale),
        variance=variance,
        next_variance=0.0,
    )
    return replace(fit, next_variance=fit.after(float(returns[-1]), float(variance[-1])))


def garch_volatility(
    returns: FloatArray,
    *,
    window: int = WINDOW,
    refit: int = REFIT,
    fallback_lam: float = 0.94,
    asymmetric: bool = True,
    innovations: Innovations = "skewt",
) -> GarchSeries:
    """Volatility at every bar from parameters fitted on the `window` returns before a refit.

    Parameters are refitted every `refit` bars, from where the last fit ended; between refits the
    recursion runs on. Where a fit fails (or explodes), sigma is the EWMA of squared returns until
    one succeeds, and `fell_back` says so.

    Args:
        returns: (n,) e.g. `volatility.log_returns`.

    Raises:
        ValueError: `window` below 50 or `refit` below 1.
    """
    if window < 50 or refit < 1:
        raise ValueError(f"a window of {window} refitted every {refit} bars is no walk-forward.")
    size = returns.size
    sigma = np.full(size + 1, np.nan)
    fell_back = np.zeros(size + 1, dtype=np.bool_)
    reasons: dict[int, str] = {}
    if size < window:
        return GarchSeries(sigma, fell_back, reasons, 0)
    calm = ewma_volatility(returns**2, fallback_lam, min(window, size))
    fit: GarchFit | None = None
    fits = 0
    for t in range(window, size + 1, refit):
        end = min(t + refit, size + 1)
        try:
            fit = fit_garch(
                returns[t - window : t],
                asymmetric=asymmetric,
                innovations=innovations,
                start=fit,
            )
            fits += 1
            sigma[t:end] = np.sqrt(_run_on(fit, returns[t : end - 1]))
        except GarchError as error:
            reasons[t] = f"Bar {t}: {error} EWMA {fallback_lam} is used."
            fell_back[t:end] = True
            sigma[t:end] = calm[t:end]
            fit = None
    return GarchSeries(sigma, fell_back, reasons, fits)


def forecast(
    returns: FloatArray, *, window: int = WINDOW, start: GarchFit | None = None
) -> tuple[float, GarchFit | None, str]:
    """Today's volatility from the last `window` returns: (sigma, fit, reason).

    `fit` is None and `reason` says why where the EWMA (.94) had to be used.

    Raises:
        ValueError: no returns at all.
    """
    if not returns.size:
        raise ValueError("a volatility needs at least one return.")
    try:
        fit = fit_garch(returns[-window:], start=start)
        return math.sqrt(fit.next_variance), fit, ""
    except GarchError as error:
        seed = min(returns.size, 100)
        sigma = float(ewma_volatility(returns**2, 0.94, seed)[-1])
        return sigma, None, f"GARCH was not used: {error}"


def variance_reference(fit: GarchFit, returns: FloatArray, initial: float) -> list[float]:
    """The recursion from h[0] = `initial`, n + 1 values, written as its definition. For tests."""
    variances = [initial]
    for value in returns:
        variances.append(fit.after(float(value), variances[-1]))
    return variances


def standard_quantile(fit: GarchFit, level: float) -> float:
    """Quantile of the fitted unit-variance skewed t; its lower tail is -quantile(1 - level).

    Raises:
        GarchError: the fit has no skewed t.
    """
    if fit.nu is None or fit.skew is None:
        raise GarchError("the fit has no skewed Student distribution.")
    return float(SkewStudent().ppf(level, [fit.nu, fit.skew]))


class _SampleStart(GARCH):
    """Starts at the mean squared residual, which moves with mu, instead of at a fixed backcast."""

    def compute_variance(
        self,
        parameters: FloatArray,
        resids: FloatArray,
        sigma2: FloatArray,
        backcast: float | FloatArray,
        var_bounds: FloatArray,
    ) -> FloatArray:
        start = float(np.mean(resids**2))
        return super().compute_variance(parameters, resids, sigma2, start, var_bounds)


def _run_on(fit: GarchFit, returns: FloatArray) -> list[float]:
    variances = [fit.next_variance]
    for value in returns:
        variances.append(fit.after(float(value), variances[-1]))
    return variances


def _starting_values(
    fit: GarchFit, scale: float, asymmetric: bool, innovations: Innovations
) -> FloatArray:
    """Parameters of the last fit in the unit of this one, pulled inside the stationary region.

    `arch` ignores starting values that touch a constraint.
    """
    gamma = fit.gamma if asymmetric else 0.0
    total = fit.alpha + 0.5 * gamma + fit.beta
    shrink = min(1.0, _PERSISTENCE / total) if total > 0.0 else 1.0
    values = [fit.mu / scale, max(fit.omega / scale**2, 1e-6), fit.alpha * shrink]
    values += [gamma * shrink] if asymmetric else []
    values.append(fit.beta * shrink)
    if innovations != "normal":
        values.append(min(max(fit.nu or 8.0, 2.1), 200.0))
    if innovations == "skewt":
        values.append(min(max(fit.skew or 0.0, -0.95), 0.95))
    return np.array(values)
