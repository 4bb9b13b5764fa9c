"""The barometer (晴雨表): grades of every county and cumulative period, on two dials, from a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.region import Region
from lvheng.dual_control.early_warning import Operation, Reading, Standing, operate
from lvheng.dual_control.forecast import gdp_to_date
from lvheng.dual_control.nowcast import ENERGY, Nowcaster
from lvheng.dual_control.outlook import change_of
from lvheng.dual_control.workbench import PARTS, intensity_target
from lvheng.energy.rules import growth, intensity_change_of_levels
from lvheng.energy.warning import Scheme
from lvheng.observations.view import View
from lvheng.plan.rules import HUNDRED, equal_annual_rate, exact
from lvheng.plan.schema import Target


def operation(view: View, scheme: str, day: date) -> tuple[Operation, str]:
    """How a scheme is run, as the rulebook has it on a day, and the version that says so.

    Raises ProblemError when the rulebook does not say.
    """
    version = view.rulebook.at("warning.operation", day, view.plan.header.city)
    row = next((r for r in version.rows() if r["scheme"] == scheme), None)
    if row is None:
        raise ProblemError(Problem("dual_control.warning.operation", "该预警办法没有运行规则", got=scheme, source=str(version.source), fix="在规则库warning.operation中补一行。"))  # fmt: skip
    run = Operation(
        int(str(row["raise_after"])), int(str(row["lower_after"])), Decimal(str(row["completeness"])), str(row["between"]), str(row["measures"]),
    )  # fmt: skip
    return run, version.ref


@dataclass(frozen=True, slots=True)
class Line:
    """One region's standings, oldest first."""

    region: Region
    standings: tuple[Standing, ...]

    def at(self, period: Period) -> Standing | None:
        return next((s for s in self.standings if s.reading.period == period), None)

    @property
    def last(self) -> Standing | None:
        return self.standings[-1] if self.standings else None


class Barometer:
    """Lines of the city and its counties under one scheme.

    Settled figures come as often as the least frequent of energy and output; the months between them are told
    by the nowcast where the scheme is run so. Change and growth are always against the same cumulative period
    of last year.
    """

    def __init__(
        self, view: View, scheme: Scheme, tolerance: Decimal | None = None, goals: Mapping[str, Decimal] | None = None,
        run: Mapping[str, Any] | None = None,
    ):  # fmt: skip
        """``goals`` and ``run`` as a decision kept them, for its replay; else those in force."""
        if scheme.dial.needs and tolerance is None:
            raise ProblemError(Problem("energy.warning.unknown_threshold", "该预警办法的分级界限未公布，须由使用者录入", source=str(scheme.source.source), wanted="允许超出的百分点", fix="填写容许超出的百分点。"))  # fmt: skip
        self.view, self.scheme, self.tolerance = view, scheme, tolerance
        self.target: Target = intensity_target(view)
        self.energy_code, self.output_code = PARTS[self.target.indicator]
        self.goals = goals or {}
        self.run, self.run_ref = operation(view, scheme.scheme, view.today)
        if run is not None:
            self.run = Operation(**{**run, "completeness": Decimal(run["completeness"])})
        self.nowcaster = Nowcaster(view)
        self._lines: dict[str, Line] = {}

    @cached_property
    def every(self) -> int:
        """Months between settled figures."""
        codes = (self.energy_code, self.output_code) if self.scheme.dial.of == "intensity" else (self.energy_code,)
        return max(12 // (self.view.catalogue[code].frequency.per_year or 1) for code in codes)

    def settled(self, period: Period) -> bool:
        return period.part % self.every == 0

    @cached_property
    def periods(self) -> list[Period]:
        """Cumulative months of the plan up to the last that any region has figures of, settled or early."""
        header = self.view.plan.header
        all_ = [Period(Kind.YTD, y, m) for y in range(header.first_year, header.last_year + 1) for m in range(1, 13)]
        if self.scheme.periods:
            all_ = [p for p in all_ if p.part in (6, 9)]
        if self.run.between != "nowcast" or self.energy_code != ENERGY:
            all_ = [p for p in all_ if self.settled(p)]
        last = next((p for p in reversed(all_) if self._any(p)), None)
        return [p for p in all_ if last is not None and p <= last]

    def _any(self, period: Period) -> bool:
        codes = [r.code for r in self.regions]
        if self.settled(period):
            return any(self._level(self.energy_code, code, period) is not None for code in codes)
        quarter_begins = (period.part - 1) // 3 * 3 + 1
        return any(self.nowcaster.early_growth(code, period.year, quarter_begins, period.part) for code in codes)

    @cached_property
    def regions(self) -> list[Region]:
        return [self.view.city, *self.view.counties]

    def _level(self, code: str, region: str, period: Period) -> Decimal | None:
        """A cumulative amount; of a whole year the settled yearly figure."""
        when = Period.of_year(period.year) if period.part == 12 else period
        return self.view.value(code, region, when)

    def goal(self, region: str) -> Decimal | None:
        """The region's target for the whole plan period, per cent."""
        kept = self.goals.get(region)
        return kept if kept is not None else self.view.goal(self.target, region)[0]

    def required(self, region: str, period: Period) -> Decimal | None:
        """What the dial asks for, per cent: the yearly decline, or the growth of the total allowed."""
        goal = self.goal(region)
        if goal is None or goal <= 0:
            return None
        rate = equal_annual_rate(goal, self.view.plan.header.years)
        if self.scheme.dial.of == "intensity":
            return rate
        planned = self.view.value("gdp_growth_target", region, Period.of_year(period.year)) if "gdp_growth_target" in self.view.catalogue else None  # fmt: skip
        if planned is None:
            return None
        actual = self._growth(self.output_code, region, period) if self.settled(period) else self._output_so_far(region, period)  # fmt: skip
        g = (
            planned if actual is None else max(planned, actual)
        )  # the total is re-set when growth exceeds what was planned
        return ((1 + g / HUNDRED) * (1 - rate / HUNDRED) - 1) * HUNDRED

    def _growth(self, code: str, region: str, period: Period) -> Decimal | None:
        now, before = self._level(code, region, period), self._level(code, region, period.lag())
        return growth(before, now) if now is not None and before else None

    def _output_so_far(self, region: str, period: Period) -> Decimal | None:
        """Growth of output of the last settled quarter of the year; at its beginning that of the year before."""
        found = gdp_to_date(self.view, region, period.year, period.part, self.output_code)
        return None if found is None else Decimal(str(found))

    def _estimate(self, region: str, period: Period) -> Reading:
        """A month between settled figures: energy by the nowcast, output as last known."""
        energy = self.nowcaster.ytd(region, period.year, period.part)
        output = self._output_so_far(region, period)
        missing = []
        if energy is None:
            missing.append(f"{period.label}规上工业能耗或用电量")
        intensity = self.scheme.dial.of == "intensity"
        if intensity and output is None:
            missing.append(f"{period.label}以前的{self.view.catalogue[self.output_code].name.zh}")
        change = None
        if energy is not None and not missing:
            change = Decimal(str(change_of(energy, float(output)) if intensity and output is not None else energy))
        there = Decimal(0 if missing else 100)
        return Reading(period, change, self._wanted(region, period, missing), there, tuple(missing), estimated=True)

    def _wanted(self, region: str, period: Period, missing: list[str]) -> Decimal | None:
        """What is required, or None with what is missing said."""
        wanted = self.required(region, period)
        total = self.scheme.dial.of == "total"
        if wanted is None and self.scheme.dial.target != "none":
            missing.append(f"{period.year}年经济增速预期或地区目标" if total else "目标")
            return None
        if wanted is not None and wanted <= 0 and self.scheme.dial.target == "positive":
            missing.append("正的总量增幅目标（该办法按比例分级）" if total else "正的目标")
            return None  # a scheme in shares of the target says nothing about one that is not positive
        return wanted

    @exact
    def reading(self, region: str, period: Period) -> Reading:
        """The figure of one dial; what is missing is named."""
        if not self.settled(period):
            return self._estimate(region, period)
        intensity = self.scheme.dial.of == "intensity"
        codes = (self.energy_code, self.output_code) if intensity else (self.energy_code,)
        missing: list[str] = []
        levels: dict[tuple[str, Period], Decimal] = {}
        for code in codes:
            for when in (period, period.lag()):
                value = self._level(code, region, when)
                if value is None or value <= 0:
                    missing.append(f"{when.label}{self.view.catalogue[code].name.zh}")
                else:
                    levels[code, when] = value
        due = 2 * len(codes)
        change = None
        if not missing:
            e0, e1 = levels[self.energy_code, period.lag()], levels[self.energy_code, period]
            if intensity:
                g0, g1 = levels[self.output_code, period.lag()], levels[self.output_code, period]
                change = intensity_change_of_levels(e0, g0, e1, g1, self.places)
            else:
                change = growth(e0, e1)
        there = Decimal(due - len(missing)) / due * HUNDRED
        wanted = self._wanted(region, period, missing)
        return Reading(period, change, wanted, there, tuple(missing))

    @cached_property
    def places(self) -> int | None:
        """Decimals of the intensity before dividing; the energy unit must be that of the rule (tce per 万元)."""
        version = self.view.rulebook.at(
            "energy.intensity.places", self.view.plan.header.period.start, self.view.plan.header.city
        )
        return None if version.value is None else int(version.value)

    @cached_property
    def lines(self) -> list[Line]:
        return [self.line(region.code) for region in self.regions]

    def recall(self, lines: list[Line]) -> None:
        """Take lines that were computed before from the same view and scheme."""
        self._lines = {line.region.code: line for line in lines}

    def line(self, region: str) -> Line:
        """One region's standings over all periods."""
        if region not in self._lines:
            self._lines[region] = self._line(region)
        return self._lines[region]

    def _line(self, region: str) -> Line:
        readings = [self.reading(region, p) for p in self.periods]
        standings = operate(self.scheme, readings, self.run, tolerance=self.tolerance)
        return Line(self.view.plan.regions[region], tuple(standings))
