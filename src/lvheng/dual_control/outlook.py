"""Outlook: nowcast from what is known early, three cases, seeded simulation, need, and its back-test.

Everything here is a forecast in float64, not a figure at rest; results are shown as forecasts only.
The nowcast is of the project's design (no official method is published):
ĝE = Σ w·g of the parts known early; î = (1+ĝE)/(1+g_GDP) − 1. Growth and change in per cent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lvheng.core.problem import Problem, ProblemError


def energy_nowcast(weights: Mapping[str, float], growth: Mapping[str, float]) -> float:
    """ĝE, per cent: parts weighted by their share of last final year's energy; raises ProblemError on a missing part."""
    missing = [name for name in weights if name not in growth]
    if missing or not weights:
        raise ProblemError(
            Problem(
                "dual_control.nowcast.missing", "缺少先行数据，不能预测", got="、".join(missing), fix="补录后再测算。"
            )
        )
    total = sum(weights.values())
    if total <= 0:
        raise ProblemError(
            Problem("dual_control.nowcast.weights", "各部分权重之和须为正数", fix="核对最近一年的能源平衡。")
        )
    return sum(w * growth[name] for name, w in weights.items()) / total


PRIOR = 4  # quarters of equal standing that each way is credited with before its own errors count


def inverse_error_weights(errors: Mapping[str, Sequence[float]], names: Sequence[str], prior: int = PRIOR) -> dict[str, float]:  # fmt: skip
    """Weights of predictions inverse to their mean squared past errors, summing to 1.

    Each mean is shrunk towards that of all ways with ``prior`` quarters, so that a short history weighs
    nearly equally. Without any history all weigh the same.
    """
    squares = [e * e for name in names for e in errors.get(name, ())]
    if not squares or not any(squares):
        return {name: 1 / len(names) for name in names}
    common = sum(squares) / len(squares)
    own = {n: (prior * common + sum(e * e for e in errors.get(n, ()))) / (prior + len(errors.get(n, ()))) for n in names}  # fmt: skip
    if perfect := [n for n, v in own.items() if not v]:  # never missed: nothing else is heard
        return {n: 1 / len(perfect) if n in perfect else 0.0 for n in own}
    total = sum(1 / v for v in own.values())
    return {n: 1 / v / total for n, v in own.items()}


def change_of(energy_growth: float, gdp_growth: float) -> float:
    """î, per cent."""
    return ((1 + energy_growth / 100) / (1 + gdp_growth / 100) - 1) * 100


@dataclass(frozen=True, slots=True)
class Basis:
    """What is known of the running year.

    ``done`` share of last year's energy that fell in the months already reported (0–1); ``energy_ytd`` and
    ``gdp_ytd`` growth so far; ``energy_rest`` and ``gdp_rest`` growth expected for the rest; ``energy_sd`` and
    ``gdp_sd`` the spread of a month's growth about that; ``months_left`` of the year.
    """

    done: float
    energy_ytd: float
    gdp_ytd: float
    energy_rest: float
    gdp_rest: float
    energy_sd: float
    gdp_sd: float
    months_left: int


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the year: growth and change, per cent."""

    name: str
    energy_growth: float
    gdp_growth: float
    change: float


def three_cases(basis: Basis) -> list[Case]:
    """较好, 基准, 较差: the rest of the year one standard error better and worse in energy."""
    spread = basis.energy_sd / math.sqrt(max(basis.months_left, 1)) if basis.months_left else 0.0
    cases = []
    for name, step in (("较好", -1), ("基准", 0), ("较差", 1)):
        energy = basis.done * basis.energy_ytd + (1 - basis.done) * (basis.energy_rest + step * spread)
        gdp = basis.done * basis.gdp_ytd + (1 - basis.done) * basis.gdp_rest
        cases.append(Case(name, energy, gdp, change_of(energy, gdp)))
    return cases


@dataclass(frozen=True, slots=True)
class Simulation:
    """Simulated year changes and period declines, per cent; the same seed gives the same numbers."""

    year_changes: np.ndarray
    period_declines: np.ndarray
    seed: int

    def chance_of_year(self, required_decline: float) -> float:
        """Share of paths in which the year brings at least the required decline."""
        return float(np.mean(-self.year_changes >= required_decline))

    def chance_of_period(self, target: float) -> float:
        return float(np.mean(self.period_declines >= target))

    def quantiles(self, *at: float) -> list[float]:
        return [float(x) for x in np.quantile(self.year_changes, at)]


def simulate(
    basis: Basis,
    cumulative: float,
    years_after: int,
    trend: float,
    trend_sd: float,
    *,
    paths: int = 20_000,
    seed: int = 1,
) -> Simulation:
    """Monte Carlo of the rest of the year and the years after it.

    ``cumulative`` decline of the period before this year; later years change by ``trend`` ± ``trend_sd``.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    n = max(basis.months_left, 0)
    if n:
        noise_e = rng.normal(0, basis.energy_sd, (paths, n)).mean(axis=1)
        noise_g = rng.normal(0, basis.gdp_sd, (paths, n)).mean(axis=1)
    else:
        noise_e = noise_g = np.zeros(paths)
    energy = basis.done * basis.energy_ytd + (1 - basis.done) * (basis.energy_rest + noise_e)
    gdp = basis.done * basis.gdp_ytd + (1 - basis.done) * (basis.gdp_rest + noise_g)
    year = ((1 + energy / 100) / (1 + gdp / 100) - 1) * 100
    left = (1 - cumulative / 100) * (1 + year / 100)
    if years_after:
        later = rng.normal(trend, trend_sd, (paths, years_after))
        left = left * np.prod(1 + later / 100, axis=1)
    return Simulation(year, (1 - left) * 100, seed)


def rest_of_year_need(basis: Basis, required_decline: float) -> float | None:
    """Highest growth of energy in the remaining months, per cent, at which the year still brings the decline."""
    if basis.done >= 1:
        return None
    gdp = basis.done * basis.gdp_ytd + (1 - basis.done) * basis.gdp_rest
    wanted = ((1 - required_decline / 100) * (1 + gdp / 100) - 1) * 100
    return (wanted - basis.done * basis.energy_ytd) / (1 - basis.done)


@dataclass(frozen=True, slots=True)
class Tested:
    """Back-test of one predictor: how many periods, mean absolute error and bias (percentage points)."""

    name: str
    periods: int
    error: float
    bias: float


def backtest(actual: Sequence[float | None], predictions: Mapping[str, Sequence[float | None]]) -> list[Tested]:
    """Errors over the periods for which the outcome and every predictor are known, so that all face the same ones."""
    rows = [
        i for i, a in enumerate(actual)
        if a is not None and all(len(p) > i and p[i] is not None for p in predictions.values())
    ]  # fmt: skip
    out = []
    for name, predicted in predictions.items():
        misses = [float(predicted[i]) - float(actual[i]) for i in rows]  # type: ignore[arg-type]
        n = len(misses)
        out.append(Tested(name, n, sum(map(abs, misses)) / n if n else math.nan, sum(misses) / n if n else math.nan))
    return out


# --- what a project or the largest units do ---------------------------------------------------------
def contributions(
    before: Mapping[str, float], after: Mapping[str, float], top: int = 10
) -> list[tuple[str, float, float]]:
    """(unit, change of energy, share of the total change in per cent) of the ``top`` largest units of the later period.

    The share is nan when the total did not change.
    """
    names = sorted(after, key=lambda k: -after[k])[:top]
    total = sum(after.values()) - sum(before.values())
    return [
        (n, after[n] - before.get(n, 0.0), (after[n] - before.get(n, 0.0)) / total * 100 if total else math.nan)
        for n in names
    ]
