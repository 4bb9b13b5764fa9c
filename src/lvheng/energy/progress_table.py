"""``lvheng energy progress`` and ``warn``: published yearly changes in, progress and grades out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from lvheng.core.problem import Place, Problem, ProblemError, Severity, stops
from lvheng.core.quantity import show
from lvheng.energy.deductions import Year, YearSeries, check, three_series
from lvheng.energy.tabular import Column, Row, Table, read_table
from lvheng.energy.warning import Scheme, grade
from lvheng.plan import rules
from lvheng.plan.rules import Thresholds

REGION = Column(
    "region", "地区",
    ("区域", "省份", "省", "省市", "省(区、市)", "省(自治区、直辖市)", "城市", "市", "市县", "县", "县区", "县(市、区)", "县(市)区", "地市", "设区市", "名称", "单位", "单位名称", "企业", "企业名称"),
)  # fmt: skip
TARGET = Column(
    "target_pct", "目标降幅",
    ("target", "目标", "降低目标", "下降目标", "五年目标", "规划目标", "规划期目标", "期末目标", "累计目标", "年度目标", "进度目标", "目标值", "目标降低率", "能耗强度降低目标", "单位gdp能耗降低目标"),
    kind="number",
)  # fmt: skip
YEARS = Column(
    "years", "规划期年数", ("年数", "期数", "期限", "规划期", "规划年数", "目标年数", "n"), kind="number", suffix="年"
)
YEAR = Column("year", "年份", ("年度", "年", "报告年", "时间"))
CHANGE = Column(
    "change_pct", "年度变化",
    ("change", "变化", "变化率", "变动", "变动率", "升降", "升降率", "增减", "增减率", "同比", "同比变化", "比上年", "比上年变化", "上升或下降", "能耗强度变化", "强度变化", "单位gdp能耗变化", "单位gdp能耗上升或下降", "万元gdp能耗上升或下降", "实际变化", "完成情况"),
    kind="number",
)  # fmt: skip
PERIOD = Column("period", "时段", ("期间", "报告期", "统计时段"), required=False)

ENERGY = Column(
    "energy", "能源消费总量", ("能耗", "能源消费量", "能源消费", "综合能源消费量", "能耗总量"), kind="number"
)
GDP = Column(
    "gdp", "地区生产总值", ("可比价gdp", "不变价gdp", "gdp(可比价)", "地区生产总值(可比价)", "生产总值"), kind="number"
)
FEEDSTOCK = Column("feedstock", "原料用能", ("原料用能量", "原料用能扣减"), kind="number", required=False)
NONFOSSIL = Column(
    "nonfossil", "非化石能源", ("非化石能源消费", "非化石能源消费量", "非化石扣减"), kind="number", required=False
)
CARVE_OUT = Column("carve_out", "单列项目能耗", ("国家重大项目能耗", "单列能耗"), kind="number", required=False)
PRICE_BASE = Column("price_base", "价格基年", ("不变价基年", "可比价基年"), kind="number", required=False)

PROGRESS_COLUMNS = (REGION, TARGET, YEARS, YEAR, CHANGE)


@dataclass(slots=True)
class Progress:
    """One region's result, per cent, exact; None where there is none. See docs of ``progress``."""

    region: str
    target: Decimal
    years: int
    first_year: int
    last_year: int
    done: int
    cumulative_decline: Decimal | None
    progress: Decimal | None
    schedule: Decimal
    schedule_decline: Decimal
    over_fulfilment: Decimal | None
    remaining: Decimal | None
    remaining_per_year: Decimal | None
    state: rules.State
    reason: str
    missing_years: list[int] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.missing_years

    def as_dict(self) -> dict[str, object]:
        """For JSON: percentages rounded half away from zero to 6 decimals; state and met decided before rounding."""

        def pct(value: Decimal | None) -> float | None:
            return None if value is None else float(round_6(value))

        return {
            "region": self.region,
            "target_pct": pct(self.target),
            "years": self.years,
            "first_year": self.first_year,
            "last_year": self.last_year,
            "years_done": self.done,
            "cumulative_decline_pct": pct(self.cumulative_decline),
            "progress_pct": pct(self.progress),
            "schedule_pct": pct(self.schedule),
            "schedule_decline_pct": pct(self.schedule_decline),
            "over_fulfilment_pct": pct(self.over_fulfilment),
            "remaining_pct": pct(self.remaining),
            "remaining_per_year_pct": pct(self.remaining_per_year),
            "met": None if self.cumulative_decline is None else self.cumulative_decline >= self.target,
            "state": self.state.value,
            "reason": self.reason,
            "complete": self.complete,
            "missing_years": self.missing_years,
        }


def round_6(value: Decimal) -> Decimal:
    return rules.rounded(value, 6)


def progress(path: Path | str, thresholds: Thresholds) -> tuple[list[Progress], list[Problem]]:
    """Per region in the order of the file: cumulative decline, progress and need.

    The table has one row a year (``year`` may be a span such as 2021-2023 with its cumulative change).
    Blockers raise ProblemError with every fault; warnings come back beside the results.
    """
    table = read_table(path, PROGRESS_COLUMNS)
    problems = list(table.problems)
    groups: dict[str, list[Row]] = {}
    for row in table.rows:
        if not row["region"]:
            problems.append(
                Problem(
                    "energy.table.no_region", "缺少地区名称", place=row.place_of("region"), fix="每行都要填写地区。"
                )
            )
            continue
        groups.setdefault(row["region"], []).append(row)
    if not table.rows:
        problems.append(
            Problem(
                "energy.table.no_rows", "表中没有数据行", place=Place(file=Path(path).name), fix="在表头下填写数据。"
            )
        )
    results = []
    for region, rows in groups.items():
        result, found = _one(region, rows, table, thresholds)
        problems.extend(found)
        if result:
            results.append(result)
    if stops(problems):
        raise ProblemError(problems)
    return results, problems


def _span(text: str) -> tuple[int, int] | None:
    """2016, 2016年, 2016-12-31 (a date cell), 2021-2023, 2021—2023年: first and last year."""
    word = re.sub(r"[\s年度]", "", text).replace("—", "-").replace("–", "-").replace("至", "-").replace("~", "-")
    if m := re.fullmatch(r"(\d{4})(?:\.0+)?(?:-(\d{4})(?:累计)?|-\d\d-\d\d)?", word):
        first, last = int(m[1]), int(m[2] or m[1])
        if 1949 <= first <= last <= 2100:
            return first, last
    return None


def _same(rows: Sequence[Row], name: str, problems: list[Problem], title: str) -> tuple[Decimal | None, Place]:
    """The one value a region's rows agree on."""
    given = [row for row in rows if row[name] is not None]
    if not given:
        if any(name in row.unreadable for row in rows):  # said already
            return None, rows[0].place_of(name)
        problems.append(
            Problem(
                "energy.table.missing", f"缺少“{title}”", place=rows[0].place_of(name), fix="至少在该地区的第一行填写。"
            )
        )
        return None, rows[0].place_of(name)
    for row in given[1:]:
        if row[name] != given[0][name]:
            problems.append(
                Problem("energy.table.contradiction", f"同一地区的“{title}”前后不一", place=row.place_of(name), got=show(row[name]), wanted=show(given[0][name]), fix="统一为一个数值；不同规划期分表计算。")
            )  # fmt: skip
            return None, row.place_of(name)
    return given[0][name], given[0].place_of(name)


def _one(
    region: str, rows: Sequence[Row], table: Table, thresholds: Thresholds
) -> tuple[Progress | None, list[Problem]]:
    problems: list[Problem] = []
    target, at_target = _same(rows, "target_pct", problems, TARGET.title)
    years_value, at_years = _same(rows, "years", problems, YEARS.title)
    years = None
    if years_value is not None:
        if years_value == int(years_value) and 1 <= years_value <= 50:
            years = int(years_value)
        else:
            problems.append(Problem("energy.progress.years", "规划期年数应为1至50的整数", place=at_years, got=show(years_value), wanted="5", fix="填写规划期的年数。"))  # fmt: skip
    if target is not None and not 0 < target < 100:
        problems.append(Problem("energy.progress.target", "目标降幅应大于0、小于100", place=at_target, got=show(target), wanted="下降为正，如14", fix="目标按下降为正填写，单位为%。"))  # fmt: skip
        target = None
    if target is not None and target < 1:
        as_cell = table.workbook
        problems.append(
            Problem(
                "energy.progress.fraction", "目标不足1%，疑把百分数写成了小数", Severity.BLOCKER if as_cell else Severity.WARNING, at_target,
                got=show(target), wanted=show(target * 100), fix="单元格勿用百分比格式，直接填写14这样的数字。",
            )
        )  # fmt: skip
    spans: list[tuple[int, int, Row]] = []
    for row in rows:
        span = _span(row["year"])
        if span is None:
            problems.append(Problem("energy.progress.year", "年份无法识别", place=row.place_of("year"), got=row["year"], wanted="2021，或2021-2023", fix="填写四位年份。"))  # fmt: skip
            continue
        if row["change_pct"] is not None and row["change_pct"] <= -100:
            problems.append(Problem("energy.progress.change", "年度降幅达到或超过100%", place=row.place_of("change_pct"), got=show(row["change_pct"]), fix="核对数值和单位。"))  # fmt: skip
            continue
        spans.append((*span, row))
    if any(p.severity is Severity.BLOCKER for p in problems) or target is None or years is None:
        return None, problems
    spans.sort(key=lambda s: s[:2])
    skipped: list[int] = []
    for (_, last, _), (first, _, row) in itertools.pairwise(spans):
        if first <= last:
            problems.append(Problem("energy.progress.year_twice", f"“{region}”{first}年写了两次", place=row.place_of("year"), got=row["year"], fix="每年只留一行。"))  # fmt: skip
        elif first > last + 1:
            gap = f"{last + 1}年" if first == last + 2 else f"{last + 1}—{first - 1}年"
            skipped += range(last + 1, first)
            problems.append(Problem("energy.progress.year_gap", f"“{region}”缺少{gap}的数据，累计结果不完整，不予计算", Severity.WARNING, row.place_of("year"), fix="补上缺少的年份。"))  # fmt: skip
    first_year = spans[0][0]
    last_year = spans[-1][1]
    if last_year - first_year + 1 > years:
        problems.append(
            Problem("energy.progress.too_many", f"“{region}”的年份多于规划期", place=spans[-1][2].place_of("year"), got=f"{first_year}—{last_year}年", wanted=f"{years}年", fix="不同规划期分表计算，或改正年数。")
        )  # fmt: skip
    if problems and stops(problems):
        return None, problems
    if years == 5 and first_year % 5 != 1:
        problems.append(
            Problem("energy.progress.first_year", f"“{region}”的首年{first_year}年不是五年规划的第一年，按规划期从该年开始计算", Severity.WARNING, spans[0][2].place_of("year"), got=str(first_year), fix="如缺首年数据，请补上。")
        )  # fmt: skip
    while spans and spans[-1][2]["change_pct"] is None:  # years not yet reported
        spans.pop()
    end = spans[-1][1] if spans else 0
    missing = sorted(
        {y for first, last, row in spans if row["change_pct"] is None for y in range(first, last + 1)} | {y for y in skipped if y < end}
    )  # fmt: skip
    done = spans[-1][1] - first_year + 1 if spans else 0
    for first, _, row in spans:
        if row["change_pct"] is None:
            problems.append(Problem("energy.progress.incomplete", f"“{region}”{first}年无数据，累计结果不完整，不予计算", Severity.WARNING, row.place_of("change_pct"), fix="取得数据后补填。"))  # fmt: skip
    c = None if missing or not spans else rules.cumulative_decline(r["change_pct"] for _, _, r in spans)
    judged = rules.standing(
        target=target, value=c, measure="cumulative_decline", thresholds=thresholds,
        elapsed=Decimal(done) / years, complete=not missing,
    )  # fmt: skip
    return (
        Progress(
            region, target, years, first_year, spans[-1][1] if spans else first_year - 1, done,
            cumulative_decline=c,
            progress=None if c is None else rules.progress_share(c, target),
            schedule=rules.time_schedule(done, years),
            schedule_decline=rules.schedule(target, done, years),
            over_fulfilment=None if c is None else rules.over_fulfilment(c, target),
            remaining=None if c is None else rules.remaining(target, c),
            remaining_per_year=None if c is None else rules.remaining_per_year(target, c, years - done),
            state=judged.state, reason=judged.reason, missing_years=missing,
        ),
        problems,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Warned:
    """One row's grade; ``severity`` None when the figure is missing: then there is no grade."""

    region: str
    period: str
    target: Decimal | None
    change: Decimal | None
    severity: int | None
    level: int | None
    label: str
    colour: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        return {
            "region": self.region,
            "period": self.period,
            "target_pct": None if self.target is None else float(self.target),
            "change_pct": None if self.change is None else float(self.change),
            "severity": self.severity,
            "level": self.level,
            "label": self.label,
            "colour": self.colour,
            "reason": self.reason,
        }


def warn(
    path: Path | str, scheme: Scheme, *, period: str = "", tolerance: Decimal | None = None
) -> tuple[list[Warned], list[Problem]]:
    """A grade a row. A missing change or target gives no grade and a warning; other faults raise ProblemError."""
    columns = (REGION, _optional(TARGET) if scheme.dial.target == "none" else TARGET, CHANGE, PERIOD)
    table = read_table(path, columns)
    problems = list(table.problems)
    results: list[Warned] = []
    seen: dict[tuple[str, str], Row] = {}
    for row in table.rows:
        region, when = row["region"], row["period"] or period
        change, target = row["change_pct"], row["target_pct"]
        if not region:
            problems.append(
                Problem(
                    "energy.table.no_region", "缺少地区名称", place=row.place_of("region"), fix="每行都要填写地区。"
                )
            )
            continue
        if (region, when) in seen:
            problems.append(Problem("energy.warning.twice", f"“{region}”写了两次", place=row.place_of("region"), got=when, fix="每个地区每个时段只留一行。"))  # fmt: skip
            continue
        seen[region, when] = row
        if row.unreadable & {"change_pct", "target_pct"}:  # said already
            continue
        name = "change_pct" if change is None else "target_pct"
        if change is None or (target is None and scheme.dial.target != "none"):
            problems.append(Problem("energy.warning.incomplete", f"“{region}”数据不完整，不作预警", Severity.WARNING, row.place_of(name), fix="取得数据后补填。"))  # fmt: skip
            results.append(Warned(region, when, target, change, None, None, "数据不完整", "", "数据不完整，不作预警。"))
            continue
        if change <= -100:
            problems.append(Problem("energy.progress.change", "降幅达到或超过100%", place=row.place_of("change_pct"), got=show(change), fix="核对数值和单位。"))  # fmt: skip
            continue
        try:
            found = grade(scheme, change, target, period=when, tolerance=tolerance)
        except ProblemError as error:
            for p in error.problems:
                at = "period" if ".period" in p.code or "no_period" in p.code else "target_pct"
                problems.append(
                    Problem(p.code, p.message, p.severity, row.place_of(at), p.got, p.wanted, p.source, p.fix)
                )
            continue
        results.append(Warned(region, when, target, change, found.severity, found.level, found.label, found.colour, found.reason))  # fmt: skip
    if not table.rows:
        problems.append(
            Problem(
                "energy.table.no_rows", "表中没有数据行", place=Place(file=Path(path).name), fix="在表头下填写数据。"
            )
        )
    if stops(problems):
        raise ProblemError(problems)
    return results, problems


def _optional(column: Column) -> Column:
    return Column(column.name, column.title, column.aliases, column.kind, required=False)


def deduct(path: Path | str, base_year: int | None = None) -> tuple[list[YearSeries], list[Problem]]:
    """Three series of every region and year of a table of levels (region, year, energy, gdp and what is deducted).

    The base year is the first year of each table unless given. Faults raise ProblemError.
    """
    table = read_table(path, (REGION, YEAR, ENERGY, GDP, FEEDSTOCK, NONFOSSIL, CARVE_OUT, PRICE_BASE))
    problems, years = list(table.problems), []
    carved = any(row["carve_out"] is not None for row in table.rows)  # a table that lists none has none
    for row in table.rows:
        span = _span(row["year"])
        if not row["region"]:
            problems.append(
                Problem(
                    "energy.table.no_region", "缺少地区名称", place=row.place_of("region"), fix="每行都要填写地区。"
                )
            )
        elif span is None or span[0] != span[1]:
            problems.append(Problem("energy.progress.year", "年份无法识别", place=row.place_of("year"), got=row["year"], wanted="2021", fix="填写四位年份。"))  # fmt: skip
        else:
            years.append(
                Year(
                    row["region"], span[0], row["energy"], row["gdp"], row["feedstock"], row["nonfossil"],
                    carve_out=row["carve_out"] if carved else Decimal(0),
                    price_base=None if row["price_base"] is None else int(row["price_base"]), place=row.place_of("energy"),
                )
            )  # fmt: skip
    if not table.rows:
        problems.append(
            Problem(
                "energy.table.no_rows", "表中没有数据行", place=Place(file=Path(path).name), fix="在表头下填写数据。"
            )
        )
    problems += check(years)
    if stops(problems):
        raise ProblemError(problems)
    base = base_year if base_year is not None else min(y.year for y in years)
    problems += [
        Problem("energy.deduction.base", f"“{name}”缺少基年{base}年的数据，降幅不予计算", Severity.WARNING, Place(file=Path(path).name), fix="补上基年一行，或用 --base-year 指定。")
        for name in dict.fromkeys(y.region for y in years) if not any(y.region == name and y.year == base for y in years)
    ]  # fmt: skip
    return three_series(years, base), problems
