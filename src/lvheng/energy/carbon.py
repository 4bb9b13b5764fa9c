"""Carbon dioxide beside energy. The regional and the enterprise method are different types and never add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.plan.rules import exact

ZERO = Decimal(0)


class Method(StrEnum):
    """How an amount was computed."""

    REGIONAL = "regional"
    ENTERPRISE = "enterprise"

    @property
    def label(self) -> str:
        return {"regional": "区域法", "enterprise": "单位法"}[self.value]


@dataclass(frozen=True, slots=True)
class CO2:
    """Tons of CO₂ by one method; ``complete`` False when a factor or amount was missing."""

    tons: Decimal
    method: Method
    complete: bool = True
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: CO2) -> CO2:
        if self.method is not other.method:
            raise ProblemError(
                Problem("energy.carbon.method", "区域法与单位法的排放量不能相加", got=f"{self.method.label}、{other.method.label}", wanted="同一方法", fix="分别汇总。")
            )  # fmt: skip
        return CO2(
            self.tons + other.tons, self.method, self.complete and other.complete, self.problems + other.problems
        )


@exact
def regional(
    groups: Mapping[str, Decimal | None],
    factors: Mapping[str, Decimal],
    net_import: Decimal | None,
    power_factor: Decimal | None,
) -> CO2:
    """Region: Σ coal, oil, gas (tce, non-energy use excluded) × factor + net imported electricity (kWh) × kgCO₂/kWh / 1000."""
    tons, complete = ZERO, True
    problems: list[Problem] = []
    for group, factor in factors.items():
        amount = groups.get(group)
        if amount is None:
            complete = False
            problems.append(Problem("energy.carbon.missing", "缺少某类能源的消费量，排放量不完整", Severity.WARNING, got=group, fix="补录消费量；未消费的填0。"))  # fmt: skip
            continue
        tons += amount * factor
    if net_import is None or power_factor is None:
        complete = False
        problems.append(Problem("energy.carbon.power", "缺少净调入电量或电力排放因子，排放量不完整", Severity.WARNING, fix="补录净调入电量，并录入当年因子。"))  # fmt: skip
    else:
        tons += net_import * power_factor / 1000
    return CO2(tons, Method.REGIONAL, complete, tuple(problems))


@exact
def enterprise(
    uses: Iterable[tuple[str, str, Decimal]],
    fuel_factors: Mapping[str, Decimal],
    electricity_kwh: Decimal,
    power_factor: Decimal | None,
    heat_gj: Decimal = ZERO,
) -> CO2:
    """Unit: Σ fuel burnt × tCO₂ per unit + net bought electricity (kWh) × kgCO₂/kWh / 1000 + bought heat (GJ) × factor.

    ``uses`` are (name, key in the factor table or "", quantity burnt, feedstock excluded); a fuel without a
    default factor makes the result incomplete and is named.
    """
    tons, complete = ZERO, True
    problems: list[Problem] = []
    for name, key, quantity in uses:
        if key in fuel_factors:
            tons += quantity * fuel_factors[key]
        elif quantity:
            complete = False
            problems.append(Problem("energy.carbon.no_factor", f"“{name}”没有缺省排放因子，排放量不完整", Severity.WARNING, fix="录入实测或核定的排放因子。"))  # fmt: skip
    if electricity_kwh:
        if power_factor is None:
            complete = False
            problems.append(Problem("energy.carbon.power", "当年电力排放因子未录入，排放量不完整", Severity.WARNING, fix="在规则库录入当年因子。"))  # fmt: skip
        else:
            tons += electricity_kwh * power_factor / 1000
    if heat_gj:
        tons += heat_gj * fuel_factors["heat"]
    return CO2(tons, Method.ENTERPRISE, complete, tuple(problems))
