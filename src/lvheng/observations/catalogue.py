"""The catalogue of indicators: dated files of ``rulebook/indicators/``.

Each indicator says its unit, how it adds up over regions and time (a ratio never does), who answers
for it, and whether it is observed or a formula over others. Formulas are dated like every rule.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from lvheng.core.period import Kind
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.rulebook import SourceEntry, Title
from lvheng.core.yamlfile import Entry, load, validate

DIRECTIONS = {"up": "越高越好", "down": "越低越好", "none": "中性"}
OVER_REGIONS = {"sum": "各地区相加", "ratio": "比率，不相加", "none": "不汇总", "last": "不汇总"}
OVER_TIME = {"sum": "各期相加", "last": "取期末值", "mean": "取平均值", "ratio": "比率，不相加", "none": "不汇总"}
FED_BY = {
    "statistics": "统计报表", "registers": "工程台账", "reductions": "减排项目核算", "telemetry": "在线监测", "filing": "填报", "published": "公开发布",
    "computed": "公式计算",
}  # fmt: skip


class DatedFormula(Entry):
    """One version of an indicator's formula."""

    formula: str
    valid_from: date | None = None
    valid_to: date | None = None
    source: SourceEntry


class Indicator(Entry):
    """One indicator; ``places`` is the number of decimals it is published with."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: Title
    short: Title | None = None
    unit: str
    places: int = Field(default=2, ge=0, le=8)
    direction: Literal["up", "down", "none"] = "none"
    frequency: Kind
    over_regions: Literal["sum", "last", "ratio", "none"]
    over_time: Literal["sum", "last", "mean", "ratio", "none"]
    dimensions: tuple[str, ...] = ()  # fuel, pollutant, industry, product
    subjects: tuple[str, ...] = ("city", "county")
    body: str = ""  # the kind of department that answers for it, e.g. 统计
    fed_by: Literal["statistics", "registers", "reductions", "telemetry", "filing", "published", "computed"]
    formulas: tuple[DatedFormula, ...] = ()
    source: SourceEntry
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    group: str = ""  # programme or system it belongs to, for the catalogue page
    note: str = ""

    @property
    def observed(self) -> bool:
        return not self.formulas


class IndicatorsFile(Entry):
    indicators: tuple[Indicator, ...]


class Catalogue:
    """All indicators by code."""

    def __init__(self, indicators: dict[str, Indicator], places: dict[str, Place]):
        self.by_code, self.places = indicators, places

    def __getitem__(self, code: str) -> Indicator:
        try:
            return self.by_code[code]
        except KeyError:
            raise ProblemError(Problem("observations.indicator.unknown", "指标目录中没有这个指标", got=code)) from None

    def __contains__(self, code: object) -> bool:
        return code in self.by_code

    def __iter__(self):
        return iter(self.by_code.values())

    def __len__(self) -> int:
        return len(self.by_code)

    @cached_property
    def groups(self) -> dict[str, list[Indicator]]:
        found: dict[str, list[Indicator]] = {}
        for indicator in self:
            found.setdefault(indicator.group, []).append(indicator)
        return found


def load_catalogue(folder: Path | str) -> Catalogue:
    """Read ``indicators/*.yaml``; raises ProblemError with all faults at file and line."""
    found: dict[str, Indicator] = {}
    places: dict[str, Place] = {}
    problems: list[Problem] = []
    for path in sorted(Path(folder).glob("*.yaml")):
        try:
            document = load(path, shown_as=f"{path.parent.name}/{path.name}")
            file = validate(IndicatorsFile, document)
        except ProblemError as error:
            problems.extend(error.problems)
            continue
        for i, indicator in enumerate(file.indicators):
            place = document.place(("indicators", i))
            if indicator.code in found:
                problems.append(
                    Problem("observations.indicator.twice", "指标代码重复", place=place, got=indicator.code, wanted=str(places[indicator.code]), fix="合并或改名。")
                )  # fmt: skip
            found[indicator.code], places[indicator.code] = indicator, place
    if problems:
        raise ProblemError(problems)
    return Catalogue(found, places)
