"""Causes of a change of energy, from a view: LMDI by county and by industry."""

from __future__ import annotations

from typing import Literal

from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control.lmdi import Category, Lmdi, lmdi
from lvheng.dual_control.workbench import PARTS, counted, intensity_target
from lvheng.energy.industries import DIVISION_ENERGY, DIVISION_OUTPUT, divisions
from lvheng.observations.view import View


def causes(view: View, year: int, by: Literal["county", "industry"] = "county", region: str | None = None) -> Lmdi:
    """LMDI of the change of energy since last year; exact: the effects and ``apart`` sum to the change of energy_total.

    By county: the city's counties, GDP as output. By industry: the divisions (GB/T 4754) of 规上工业 of ``region``
    (default the city), value added at constant prices as output; what is not 规上工业 is ``apart``. Names of
    categories are names of counties or divisions. Raises ProblemError on what is missing: nothing is left out.
    """
    if by == "industry":
        return _by_industry(view, year, region or view.plan.header.city)
    target = intensity_target(view)
    energy, output = PARTS[target.indicator]
    categories = []
    for part in counted(view):
        found = [view.value(code, part.code, Period.of_year(y)) for code in (energy, output) for y in (year - 1, year)]
        if any(v is None for v in found):
            raise ProblemError(
                Problem("dual_control.lmdi.missing", f"“{part.name}”{year}年数据不完整，不作因素分解", fix="补齐数据。")
            )
        categories.append(Category(part.name, *(v for v in found if v is not None)))
    return lmdi(categories)


def _by_industry(view: View, year: int, region: str) -> Lmdi:
    name = view.plan.regions[region].name
    years = Period.of_year(year - 1), Period.of_year(year)
    totals = [view.value("energy_total", region, y) for y in years]
    categories = []
    for code, title in divisions(view, region, year):
        energy = [view.value(DIVISION_ENERGY, region, y, code) for y in years]
        output = [view.value(DIVISION_OUTPUT, region, y, code) for y in years]
        if any(v is None for v in (*energy, *output)):
            raise ProblemError(
                Problem("dual_control.lmdi.missing", f"“{name}”{title}{year}年数据不完整，不作因素分解", fix="补齐能耗和增加值；没有的填0。")
            )  # fmt: skip
        categories.append(Category(title, *(v for v in (*energy, *output) if v is not None)))
    if not categories or totals[0] is None or totals[1] is None:
        raise ProblemError(
            Problem("dual_control.lmdi.missing", f"“{name}”没有分行业数据，不作因素分解", fix="补录规上工业分行业能耗和增加值。")
        )  # fmt: skip
    rest = [total - sum(getattr(c, part) for c in categories) for total, part in zip(totals, ("energy0", "energy1"), strict=True)]  # fmt: skip
    return lmdi(categories, *rest)
