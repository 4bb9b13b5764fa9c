"""What is deducted from a region's energy, year by year, as the view knows it, and the three series that follow."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, Severity
from lvheng.energy.deductions import Series, Year, YearSeries, check, three_series
from lvheng.observations.view import View


@dataclass(frozen=True, slots=True)
class Parts:
    """What a year's deduction is made of, 万吨标准煤; None is not known, with the reason for the certificates."""

    physical: Decimal | None
    certificates: Decimal | None
    carve_out: Decimal | None
    reason: str


@dataclass(frozen=True, slots=True)
class Deductions:
    """One region's years of the plan, in order."""

    years: list[Year]
    parts: dict[int, Parts]
    series: dict[tuple[int, Series], YearSeries]
    problems: list[Problem]


def account(view: View, region: str) -> Deductions:
    """Years with energy, what is deducted in each, and the series. A rule that is not yet in force deducts nothing known.

    The rules are those in force on the day of the view: the final assessment applies them to the whole period.
    """
    header = view.plan.header
    name = view.plan.regions[region].name
    rule = {n: view.rulebook.find(f"deduction.{n}", view.today, header.city) for n in ("feedstock", "nonfossil", "carve_out", "carve_out_removes_value_added")}  # fmt: skip

    def value(code: str, year: int) -> Decimal | None:
        return view.value(code, region, Period.of_year(year)) if code in view.catalogue else None

    switch = rule["carve_out_removes_value_added"]
    removes = bool(switch and switch.value)
    years: list[Year] = []
    parts: dict[int, Parts] = {}
    problems: list[Problem] = []
    for year in range(header.base_year, header.last_year + 1):
        energy = value("energy_total", year)
        if energy is None:
            if any(value("energy_total", y) is not None for y in range(year + 1, header.last_year + 1)):
                problems.append(Problem("energy.deduction.year", f"“{name}”缺少{year}年能源消费总量", Severity.WARNING, Place(table=name, field=str(year)), fix="补录该年数据。"))  # fmt: skip
            continue
        deducted = view.explain("nonfossil_deducted", region, Period.of_year(year))
        physical = value("nonfossil_energy", year)
        part = Parts(
            physical, None if deducted.value is None or physical is None else deducted.value - physical,
            value("listed_project_energy", year), "" if deducted.value is not None else deducted.reason,
        )  # fmt: skip
        parts[year] = part
        years.append(
            Year(
                region, year, energy, value("gdp_constant", year), value("feedstock_energy", year) if rule["feedstock"] else None,
                deducted.value if rule["nonfossil"] else None, carve_out=part.carve_out if rule["carve_out"] else Decimal(0),
                carve_out_gdp=None if removes and part.carve_out else Decimal(0),  # value added of such projects is not collected
                price_base=header.price_base_year, place=Place(table=name, field=str(year)),
            )
        )  # fmt: skip
        missing = [t for t, v in (("原料用能", years[-1].feedstock), ("非化石能源", part.physical), ("绿证绿电", part.certificates), ("单列项目能耗", part.carve_out), ("地区生产总值", years[-1].gdp), ("单列项目增加值", years[-1].carve_out_gdp)) if v is None]  # fmt: skip
        if missing:
            problems.append(Problem("energy.deduction.incomplete", f"“{name}”{year}年缺少{'、'.join(missing)}，相应口径不完整", Severity.WARNING, Place(table=name, field=str(year)), fix="补录数据或结转登记簿；没有的填0。"))  # fmt: skip
    problems += check(years)
    found = three_series(years, header.base_year, carve_out_removes_gdp=removes)
    return Deductions(years, parts, {(s.year, s.series): s for s in found}, problems)
