"""The energy situation of a city or county at a month: what is known, the nowcast, cases, causes.

Assembled from a view; forecasts are floats and marked as such, figures stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import pstdev
from typing import Literal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import outlook
from lvheng.dual_control.lmdi import Category, Lmdi, lmdi
from lvheng.dual_control.workbench import PARTS, counted, intensity_target
from lvheng.energy.industries import DIVISION_ENERGY, DIVISION_OUTPUT, divisions
from lvheng.observations.view import View
from lvheng.plan import rules
from lvheng.plan.rules import exact

SEED = 20_210_101  # of the simulation; shown with its result
INDUSTRY_MONTHLY, POWER, POWER_INDUSTRY = "industry_energy", "electricity_total", "electricity_industry"


@dataclass(frozen=True, slots=True)
class Situation:
    """See the fields; per cent unless said. ``as_of`` is the last month with early data."""

    region: str
    year: int
    as_of: Period
    reported: Period | None  # last cumulative quarter with settled energy and GDP
    basis: outlook.Basis
    nowcast: float
    cases: tuple[outlook.Case, ...]
    simulation: outlook.Simulation
    required: float
    goal: float
    cumulative: float
    chance_year: float
    chance_period: float
    need_rest: float | None
    weights: Mapping[str, float]
    growth: Mapping[str, float]


def _sum(view: View, code: str, region: str, year: int, months: int) -> Decimal | None:
    if code not in view.catalogue:
        return None
    if months == 12:
        settled = view.value(code, region, Period.of_year(year))
        if settled is not None:
            return settled
    return view.value(code, region, Period(Kind.YTD, year, months))


def _growth(view: View, code: str, region: str, year: int, months: int) -> float | None:
    now, before = (_sum(view, code, region, y, months) for y in (year, year - 1))
    return float((now / before - 1) * 100) if now is not None and before else None


def _other_power_growth(view: View, region: str, year: int, months: int) -> float | None:
    """Growth of electricity outside industry, the early sign of services, living and building."""
    found = []
    for y in (year, year - 1):
        whole, part = (_sum(view, c, region, y, months) for c in (POWER, POWER_INDUSTRY))
        if whole is None or part is None or whole <= part:
            return None
        found.append(whole - part)
    return float((found[0] / found[1] - 1) * 100)


def early_months(view: View, region: str, year: int) -> int:
    """Months of the year for which both early indicators are known, without a gap."""
    for months in range(12, 0, -1):
        if _growth(view, INDUSTRY_MONTHLY, region, year, months) is not None and _other_power_growth(view, region, year, months) is not None:  # fmt: skip
            return months
    return 0


def quarter_growths(view: View, code: str, region: str) -> list[tuple[Period, float | None]]:
    """Year-on-year growth of single quarters since the first plan year."""
    out = []
    for year in range(view.plan.header.first_year, view.today.year + 1):
        for q in range(1, 5):
            period = Period(Kind.QUARTER, year, q)
            now, before = view.value(code, region, period), view.value(code, region, period.lag())
            out.append((period, float((now / before - 1) * 100) if now is not None and before else None))
    while out and out[-1][1] is None:
        out.pop()
    return out


def weights_of(view: View, region: str, year: int) -> dict[str, float] | None:
    """Share of 规上工业 in the last settled year before ``year``, and the rest."""
    for y in range(year - 1, view.plan.header.base_year - 1, -1):
        whole, part = _sum(view, "energy_total", region, y, 12), _sum(view, INDUSTRY_MONTHLY, region, y, 12)
        if whole and part is not None and part < whole:
            return {"规上工业": float(part / whole), "其他": float(1 - part / whole)}
    return None


def situation(view: View, region: str, year: int | None = None) -> Situation:
    """The situation of the running year; raises ProblemError naming what is missing for a forecast."""
    target = intensity_target(view)
    energy, output = PARTS[target.indicator]
    header = view.plan.header
    goal = view.goal(target, region)[0]
    name = view.plan.regions[region].name
    if energy != "energy_total":
        raise ProblemError(
            Problem("dual_control.outlook.carbon", "碳排放形势分析尚无月度先行数据", fix="改选能耗双控方案。")
        )
    if goal is None or goal <= 0:
        raise ProblemError(Problem("dual_control.outlook.goal", f"“{name}”尚无目标，不能测算", fix="先下达目标。"))
    if year is None:
        spans = [s for c in (INDUSTRY_MONTHLY, energy) if (s := view.data_years(c))]
        year = min(max((s[1] for s in spans), default=header.first_year), header.last_year)
        if early_months(view, region, year) == 0 and year > header.first_year:
            year -= 1
    months = early_months(view, region, year)
    weights = weights_of(view, region, year)
    industry = _growth(view, INDUSTRY_MONTHLY, region, year, months) if months else None
    other = _other_power_growth(view, region, year, months) if months else None
    cumulative = Decimal(0)
    if year > header.first_year:
        known = view.value(target.indicator, region, Period.of_year(year - 1))
        if known is None:
            raise ProblemError(
                Problem(
                    "dual_control.outlook.past", f"“{name}”{year - 1}年累计降幅缺失，不能测算", fix="补齐往年数据。"
                )
            )
        cumulative = known
    reported_months = next((m for m in (12, 9, 6, 3) if _growth(view, energy, region, year, m) is not None and _growth(view, output, region, year, m) is not None), 0)  # fmt: skip
    if weights is None or industry is None or other is None:
        raise ProblemError(
            Problem("dual_control.outlook.missing", f"“{name}”{year}年缺少月度先行数据，不能预测", wanted="规上工业能耗、全社会和工业用电量", fix="补录月度数据后再测算。")
        )  # fmt: skip
    growth = {"规上工业": industry, "其他": other}
    nowcast = outlook.energy_nowcast(weights, growth)
    gdp_known = _growth(view, output, region, year, reported_months) if reported_months else None
    planned = (
        view.value("gdp_growth_target", region, Period.of_year(year)) if "gdp_growth_target" in view.catalogue else None
    )
    past_gdp = [g for _, g in quarter_growths(view, output, region)][-4:]
    gdp_ytd = gdp_known if gdp_known is not None else float(planned) if planned is not None else _mean([g for g in past_gdp if g is not None])  # fmt: skip
    if gdp_ytd is None:
        raise ProblemError(
            Problem("dual_control.outlook.gdp", f"“{name}”没有可比价GDP增速，不能预测", fix="补录GDP或增速目标。")
        )
    energy_ytd = _growth(view, energy, region, year, reported_months) if reported_months == months else nowcast
    assert energy_ytd is not None
    last_year = _sum(view, energy, region, year - 1, 12)
    so_far = _sum(view, energy, region, year - 1, (months + 2) // 3 * 3)
    done = months / 12
    if last_year and so_far and months % 3 == 0:
        done = float(so_far / last_year)
    spread_e, spread_g = (
        _spread([g for _, g in quarter_growths(view, code, region) if g is not None]) for code in (energy, output)
    )
    basis = outlook.Basis(
        done, energy_ytd, gdp_ytd, energy_ytd, float(planned) if planned is not None else gdp_ytd,
        spread_e * math.sqrt(3), spread_g * math.sqrt(3), 12 - months,
    )  # fmt: skip
    required = float(rules.equal_annual_rate(goal, header.years))
    trend = -required
    simulation = outlook.simulate(basis, float(cumulative), header.last_year - year, trend, spread_e / 2, seed=SEED)
    return Situation(
        region, year, Period(Kind.YTD, year, months), Period(Kind.YTD, year, reported_months) if reported_months else None,
        basis, nowcast, tuple(outlook.three_cases(basis)), simulation, required, float(goal), float(cumulative),
        simulation.chance_of_year(required), simulation.chance_of_period(float(goal)),
        outlook.rest_of_year_need(basis, required), weights, growth,
    )  # fmt: skip


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _spread(values: list[float]) -> float:
    return pstdev(values) if len(values) > 1 else 1.0


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
                Problem(
                    "dual_control.lmdi.missing", f"“{part.name}”{year}年数据不完整，不作因素分解", fix="补齐数据。"
                )
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


def nowcast_backtest(view: View, region: str) -> list[outlook.Tested]:
    """Quarter by quarter: the nowcast of energy growth against same-as-last-quarter and year-to-date growth before it."""
    energy = "energy_total"
    actual: list[float | None] = []
    cast: list[float | None] = []
    last: list[float | None] = []
    ytd: list[float | None] = []
    before: float | None = None
    for period, value in quarter_growths(view, energy, region):
        weights = weights_of(view, region, period.year)
        parts = [_quarter(view, code, region, period) for code in (INDUSTRY_MONTHLY, POWER, POWER_INDUSTRY)]
        past = [_quarter(view, code, region, period.lag()) for code in (INDUSTRY_MONTHLY, POWER, POWER_INDUSTRY)]
        guess = None
        if weights and all(v is not None for v in (*parts, *past)):
            industry = float((parts[0] / past[0] - 1) * 100)  # type: ignore[operator]
            other = float(((parts[1] - parts[2]) / (past[1] - past[2]) - 1) * 100)  # type: ignore[operator]
            guess = outlook.energy_nowcast(weights, {"规上工业": industry, "其他": other})
        actual.append(value)
        cast.append(guess)
        last.append(before)
        months = 3 * (period.part - 1)
        year, end = (period.year, months) if months else (period.year - 1, 12)
        ytd.append(_growth(view, energy, region, year, end))
        before = value
    return outlook.backtest(actual, {"先行指标": cast, "上季增速": last, "累计增速": ytd})


def _quarter(view: View, code: str, region: str, period: Period) -> Decimal | None:
    return view.value(code, region, period)


@exact
def project(view: View, region: str, year: int, tce: Decimal, value_added: Decimal) -> dict[str, Decimal | None]:
    """What one project of ``tce`` tons and ``value_added`` 万元 a year does to a region's decline, on the settled year.

    Per cent and percentage points: decline without and with the project, their difference, and how much of the
    room to the target (if there is any) it uses. Raises ProblemError on missing data or negative input.
    """
    if tce < 0 or value_added < 0:
        raise ProblemError(Problem("dual_control.project.negative", "项目用能和增加值不能为负数", fix="改正数值。"))
    target = intensity_target(view)
    energy, output = PARTS[target.indicator]
    base = Period.of_year(target.baseline_year or view.plan.header.base_year)
    found = [view.value(code, region, p) for p in (base, Period.of_year(year)) for code in (energy, output)]
    if any(v is None or v <= 0 for v in found):
        raise ProblemError(
            Problem(
                "dual_control.project.missing",
                f"“{view.plan.regions[region].name}”{year}年数据不完整，不能测算",
                fix="补齐数据。",
            )
        )
    e0, g0, e1, g1 = (v for v in found if v is not None)
    ten_thousand = Decimal(10_000)  # tce → 万吨标准煤, 万元 → 亿元
    declines = [
        rules.decline_between(e0 / g0, (e1 + t / ten_thousand) / (g1 + v / ten_thousand))
        for t, v in ((Decimal(0), Decimal(0)), (tce, value_added))
    ]
    goal = view.goal(target, region)[0]
    due = rules.schedule(goal, year - view.plan.header.base_year, view.plan.header.years) if goal and goal > 0 else None
    room = declines[0] - due if due is not None else None
    effect = declines[1] - declines[0]
    return {
        "without": declines[0], "with": declines[1], "effect": effect, "room": room, "year": Decimal(year),
        "used": -effect / room * 100 if room is not None and room > 0 else None,
    }  # fmt: skip
