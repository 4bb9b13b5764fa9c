"""The energy situation of a city or county at a month: what is known, the nowcast, cases, chances, needs.

Assembled from a view; forecasts are floats and marked as such, figures stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import fmean, pstdev

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import outlook
from lvheng.dual_control.nowcast import INDUSTRY_MONTHLY, Nowcaster, amount, growth_of
from lvheng.dual_control.workbench import PARTS, intensity_target
from lvheng.observations.view import View
from lvheng.plan import rules
from lvheng.plan.rules import exact
from lvheng.plan.schema import Target

SEED = 20_210_101  # of the simulation; shown with its result


@dataclass(frozen=True, slots=True)
class Month:
    """One cumulative month of the running year: growth of energy, settled or estimated, per cent."""

    period: Period
    growth: float
    settled: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """See the fields; per cent unless said. ``as_of`` is the last month with early data."""

    region: str
    year: int
    as_of: Period
    reported: Period | None  # last cumulative quarter with settled energy and GDP
    months: tuple[Month, ...]
    basis: outlook.Basis
    nowcast: float
    cases: tuple[outlook.Case, ...]
    simulation: outlook.Simulation
    required: float
    goal: float
    cumulative: float
    chance_year: float
    chance_period: float
    need_rest: float | None  # highest growth of energy in the months left
    need_month: float | None  # the energy that is left for each of them, in the unit of the total


def _year_of(view: View, nowcaster: Nowcaster, region: str, energy: str) -> int:
    """The last plan year with early data."""
    header = view.plan.header
    spans = [s for c in (INDUSTRY_MONTHLY, energy) if c in view.catalogue and (s := view.data_years(c))]
    year = min(max((s[1] for s in spans), default=header.first_year), header.last_year)
    return year - 1 if nowcaster.early_months(region, year) == 0 and year > header.first_year else year


def _refuse(code: str, message: str, fix: str, wanted: str = "") -> ProblemError:
    return ProblemError(Problem(f"dual_control.outlook.{code}", message, wanted=wanted, fix=fix))


def situation(view: View, region: str, year: int | None = None, nowcaster: Nowcaster | None = None) -> Situation:
    """The situation of the running year; raises ProblemError naming what is missing for a forecast."""
    target = intensity_target(view)
    energy, output = PARTS[target.indicator]
    header, name = view.plan.header, view.plan.regions[region].name
    goal = view.goal(target, region)[0]
    if energy != "energy_total":
        raise _refuse("carbon", "碳排放形势分析尚无月度先行数据", "改选能耗双控方案。")
    if goal is None or goal <= 0:
        raise _refuse("goal", f"“{name}”尚无目标，不能测算", "先下达目标。")
    nowcaster = nowcaster or Nowcaster(view)
    year = year if year is not None else _year_of(view, nowcaster, region, energy)
    months = nowcaster.early_months(region, year)
    nowcast = nowcaster.ytd(region, year, months) if months else None
    if nowcast is None:
        raise _refuse("missing", f"“{name}”{year}年缺少月度先行数据，不能预测", "补录月度数据后再测算。", "规上工业能耗、全社会和工业用电量")  # fmt: skip
    cumulative = Decimal(0)
    if year > header.first_year:
        known = view.value(target.indicator, region, Period.of_year(year - 1))
        if known is None:
            raise _refuse("past", f"“{name}”{year - 1}年累计降幅缺失，不能测算", "补齐往年数据。")
        cumulative = known

    def growth(code: str, upto: int) -> float | None:
        return growth_of(view, code, region, year, upto)

    reported = next((m for m in (12, 9, 6, 3) if growth(energy, m) is not None and growth(output, m) is not None), 0)
    quarters = range(header.first_year, year + 1)
    spread = {
        code: _spread([g for y in quarters for q in range(1, 5) if (g := nowcaster.quarter_growth(code, region, y, q)) is not None])
        for code in (energy, output)
    }  # fmt: skip
    planned = view.value("gdp_growth_target", region, Period.of_year(year)) if "gdp_growth_target" in view.catalogue else None  # fmt: skip
    gdp_ytd = gdp_to_date(view, region, year, reported, output)
    if gdp_ytd is None:
        gdp_ytd = None if planned is None else float(planned)
    if gdp_ytd is None:
        raise _refuse("gdp", f"“{name}”没有可比价GDP增速，不能预测", "补录GDP或增速目标。")
    last_year = amount(view, energy, region, year - 1, 12)
    so_far = _energy_by_month(view, energy, region, year - 1, months)
    done = float(so_far / last_year) if last_year and so_far else months / 12
    basis = outlook.Basis(
        done, nowcast, gdp_ytd, nowcast, float(planned) if planned is not None else gdp_ytd,
        spread[energy] * 3**0.5, spread[output] * 3**0.5, 12 - months,
    )  # fmt: skip
    required = float(rules.equal_annual_rate(goal, header.years))
    simulation = outlook.simulate(basis, float(cumulative), header.last_year - year, -required, spread[energy] / 2, seed=SEED)  # fmt: skip
    need = outlook.rest_of_year_need(basis, required)
    left = None
    if need is not None and last_year and so_far and months < 12:
        left = float(last_year - so_far) * (1 + need / 100) / (12 - months)
    return Situation(
        region, year, Period(Kind.YTD, year, months), Period(Kind.YTD, year, reported) if reported else None,
        tuple(_months(nowcaster, region, year, months)), basis, nowcast, tuple(outlook.three_cases(basis)), simulation, required,
        float(goal), float(cumulative), simulation.chance_of_year(required), simulation.chance_of_period(float(goal)), need, left,
    )  # fmt: skip


def _months(nowcaster: Nowcaster, region: str, year: int, last: int) -> list[Month]:
    out = []
    for m in range(1, last + 1):
        growth = nowcaster.ytd(region, year, m)
        settled = m % 3 == 0 and all(nowcaster.quarter_growth("energy_total", region, year, q) is not None for q in range(1, m // 3 + 1))  # fmt: skip
        if growth is not None:
            out.append(Month(Period(Kind.YTD, year, m), growth, settled))
    return out


def gdp_to_date(view: View, region: str, year: int, months: int, output: str = "gdp_constant") -> float | None:
    """Growth of output of the last cumulative quarter within ``months``; before the first one, of the whole year before."""
    for end in range(months // 3 * 3, 0, -3):
        if (found := growth_of(view, output, region, year, end)) is not None:
            return found
    return growth_of(view, output, region, year - 1, 12)


def _energy_by_month(view: View, energy: str, region: str, year: int, months: int) -> Decimal | None:
    """Energy of the first months, a quarter's in equal parts."""
    whole = amount(view, energy, region, year, months // 3 * 3) if months >= 3 else Decimal(0)
    if whole is None or months % 3 == 0:
        return whole
    running = view.value(energy, region, Period(Kind.QUARTER, year, months // 3 + 1))
    return None if running is None else whole + running * (months % 3) / 3


def _spread(values: list[float]) -> float:
    return pstdev(values, fmean(values)) if len(values) > 1 else 1.0


@dataclass(frozen=True, slots=True)
class ProjectEffect:
    """What one project does to a region's decline, per cent and percentage points, on a settled year."""

    year: int
    without: Decimal
    with_project: Decimal
    effect: Decimal
    goal: Decimal | None
    room: Decimal | None  # points by which the region is ahead of its schedule without the project
    used: Decimal | None  # share of that room the project takes, per cent
    neutral: Decimal  # value added (万元) at which a project of this energy changes nothing


@exact
def project(view: View, region: str, year: int, tce: Decimal, value_added: Decimal) -> ProjectEffect:
    """What one project of ``tce`` tons and ``value_added`` 万元 a year does to a region's decline, on the settled year.

    Raises ProblemError on missing data or negative input.
    """
    if tce < 0 or value_added < 0:
        raise ProblemError(Problem("dual_control.project.negative", "项目用能和增加值不能为负数", fix="改正数值。"))
    target: Target = intensity_target(view)
    energy, output = PARTS[target.indicator]
    base = Period.of_year(target.baseline_year or view.plan.header.base_year)
    found = [view.value(code, region, p) for p in (base, Period.of_year(year)) for code in (energy, output)]
    if any(v is None or v <= 0 for v in found):
        name = view.plan.regions[region].name
        raise ProblemError(Problem("dual_control.project.missing", f"“{name}”{year}年数据不完整，不能测算", fix="补齐数据。"))  # fmt: skip
    e0, g0, e1, g1 = (v for v in found if v is not None)
    unit = Decimal(10_000)  # tce → 万吨标准煤, 万元 → 亿元
    without = rules.decline_between(e0 / g0, e1 / g1)
    with_project = rules.decline_between(e0 / g0, (e1 + tce / unit) / (g1 + value_added / unit))
    goal = view.goal(target, region)[0]
    due = rules.schedule(goal, year - view.plan.header.base_year, view.plan.header.years) if goal and goal > 0 else None
    room = without - due if due is not None else None
    effect = with_project - without
    used = -effect / room * 100 if room is not None and room > 0 else None
    return ProjectEffect(year, without, with_project, effect, goal, room, used, tce * g1 / e1)
