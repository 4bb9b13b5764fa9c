"""The barometer (晴雨表): grades of every county and cumulative period, on two dials, from a view."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from lvheng.core.period import Kind, Period
from lvheng.core.region import Region
from lvheng.dual_control.early_warning import Operation, Reading, Standing, operate
from lvheng.dual_control.workbench import PARTS, intensity_target
from lvheng.energy.rules import growth, intensity_change_of_levels
from lvheng.energy.warning import Scheme
from lvheng.observations.view import View
from lvheng.plan.rules import HUNDRED, equal_annual_rate, exact
from lvheng.plan.schema import Target


def operation(view: View, day: date) -> Operation:
    """How warnings are run, as the rulebook has it on a day."""
    found = [view.rulebook.at(f"warning.operation.{n}", day, view.plan.header.city).value for n in ("raise_after", "lower_after", "completeness")]  # fmt: skip
    up, down, complete = found
    assert up is not None
    assert down is not None
    assert complete is not None
    return Operation(int(up), int(down), complete)


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

    Cumulative periods end with the quarters, since totals and GDP are quarterly; the change and the growth
    are always against the same cumulative period of last year.
    """

    def __init__(
        self, view: View, scheme: Scheme, goals: dict[str, Decimal] | None = None, tolerance: Decimal | None = None
    ):
        self.view, self.scheme, self.tolerance = view, scheme, tolerance
        self.target: Target = intensity_target(view)
        self.energy_code, self.output_code = PARTS[self.target.indicator]
        self.goals = goals or {}

    @cached_property
    def periods(self) -> list[Period]:
        """Cumulative periods of the plan for which the city or any county has figures."""
        header = self.view.plan.header
        months = (3, 6, 9, 12) if self.view.catalogue[self.energy_code].frequency is not Kind.YEAR else (12,)
        all_ = [Period(Kind.YTD, y, m) for y in range(header.first_year, header.last_year + 1) for m in months]
        if self.scheme.periods:
            all_ = [p for p in all_ if p.part in (6, 9)]
        regions = [r.code for r in self.regions]
        known = [p for p in all_ if any(self._level(self.energy_code, r, p) is not None for r in regions)]
        return [p for p in all_ if known and p <= known[-1]]

    @cached_property
    def regions(self) -> list[Region]:
        return [self.view.city, *self.view.counties]

    def _level(self, code: str, region: str, period: Period) -> Decimal | None:
        """A cumulative amount; of a whole year the settled yearly figure."""
        when = Period.of_year(period.year) if period.part == 12 else period
        return self.view.value(code, region, when)

    def required(self, region: str, period: Period) -> Decimal | None:
        """What the dial asks for, per cent: the yearly decline, or the growth of the total allowed."""
        goal = self.goals.get(region)
        if goal is None:
            goal = self.view.goal(self.target, region)[0]
        if goal is None or goal <= 0:
            return None
        rate = equal_annual_rate(goal, self.view.plan.header.years)
        if self.scheme.dial.of == "intensity":
            return rate
        planned = self.view.value("gdp_growth_target", region, Period.of_year(period.year)) if "gdp_growth_target" in self.view.catalogue else None  # fmt: skip
        if planned is None:
            return None
        actual = self._growth(self.output_code, region, period)
        g = (
            planned if actual is None else max(planned, actual)
        )  # the total is re-set when growth exceeds what was planned
        return ((1 + g / HUNDRED) * (1 - rate / HUNDRED) - 1) * HUNDRED

    def _growth(self, code: str, region: str, period: Period) -> Decimal | None:
        now, before = self._level(code, region, period), self._level(code, region, period.lag())
        return growth(before, now) if now is not None and before else None

    @exact
    def reading(self, region: str, period: Period) -> Reading:
        """The figure of one dial; what is missing is named."""
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
        wanted = self.required(region, period)
        if wanted is not None and wanted <= 0 and self.scheme.dial.target == "positive":
            wanted = None  # a scheme in shares of the target says nothing about one that is not positive
        if wanted is None and self.scheme.dial.target != "none":
            missing.append("目标" if intensity else "可按比例分级的总量目标")
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
        run = operation(self.view, self.view.today)
        out = []
        for region in self.regions:
            readings = [self.reading(region.code, p) for p in self.periods]
            out.append(Line(region, tuple(operate(self.scheme, readings, run, tolerance=self.tolerance))))
        return out

    def line(self, region: str) -> Line:
        return next(line for line in self.lines if line.region.code == region)
