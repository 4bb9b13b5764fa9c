"""Identities of energy, intensity and growth: pure, exact, percentages as published.

Sources: GB/T 2589-2020 (coal equivalent); 湖南省统计局 2016 bulletin (intensity change, 4 decimals);
2020年分省万元地区生产总值能耗降低率等指标公报 (identity of growth).
"""

from __future__ import annotations

from decimal import Decimal

from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import rounded
from lvheng.plan.rules import HUNDRED, ONE, exact

KJ_PER_KGCE = Decimal(29307)


def _nonzero(value: Decimal, what: str) -> Decimal:
    if value == 0:
        raise ProblemError(Problem("energy.rate.no_base", f"{what}为零，无法计算", got="0", fix="核对数据。"))
    return value


@exact
def coefficient(lhv_kj: Decimal) -> Decimal:
    """kgce per kg (or m³) from the lower heating value in kJ per kg (or m³): LHV/29307."""
    return lhv_kj / KJ_PER_KGCE


@exact
def growth(before: Decimal, after: Decimal) -> Decimal:
    """Growth, per cent, signed."""
    return (after / _nonzero(before, "基期数值") - ONE) * HUNDRED


@exact
def gdp_growth(energy_growth: Decimal, intensity_change: Decimal) -> Decimal:
    """Real GDP growth implied by energy growth and intensity change, per cent: (1+e)/(1+i) − 1."""
    return ((ONE + energy_growth / HUNDRED) / _nonzero(ONE + intensity_change / HUNDRED, "强度") - ONE) * HUNDRED


@exact
def energy_growth(gdp_growth: Decimal, intensity_change: Decimal) -> Decimal:
    """(1+g)(1+i) − 1, per cent."""
    return ((ONE + gdp_growth / HUNDRED) * (ONE + intensity_change / HUNDRED) - ONE) * HUNDRED


@exact
def intensity_change(energy_growth: Decimal, output_growth: Decimal) -> Decimal:
    """(1+energy growth)/(1+output growth) − 1, per cent; also for 规上工业单位增加值能耗."""
    return ((ONE + energy_growth / HUNDRED) / _nonzero(ONE + output_growth / HUNDRED, "产出") - ONE) * HUNDRED


@exact
def intensity(energy: Decimal, output: Decimal, places: int | None = None) -> Decimal:
    """Energy per output, rounded half up to ``places`` where the rule says so (energy.intensity.places)."""
    value = energy / _nonzero(output, "产出")
    return value if places is None else rounded(value, places)


@exact
def intensity_change_of_levels(
    energy0: Decimal, output0: Decimal, energy1: Decimal, output1: Decimal, places: int | None
) -> Decimal:
    """(I1/I0 − 1), per cent; intensities rounded to ``places`` before dividing, or exact when None.

    Outputs are at constant prices of one base year; the caller checks that.
    """
    before = _nonzero(intensity(energy0, output0, places), "基期强度")
    return (intensity(energy1, output1, places) / before - ONE) * HUNDRED


@exact
def completion_rate(target: Decimal, actual: Decimal) -> Decimal:
    """Actual over target, both changes or both declines; 1 is done."""
    return actual / _nonzero(target, "目标")


def year_met(target_change: Decimal, actual_change: Decimal) -> bool:
    """Whether the yearly target (a signed change) is met, exactly; missing it vetoes the assessment."""
    return actual_change <= target_change
