"""Yearly plans under a decomposition: what a year asks of each county, what it brought, and its total-energy budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Period
from lvheng.core.region import Region
from lvheng.dual_control.rules import Budget, budgets, total_problem
from lvheng.dual_control.workbench import PARTS
from lvheng.energy.rules import growth
from lvheng.observations.view import View
from lvheng.plan import rules
from lvheng.plan.rules import HUNDRED, exact
from lvheng.plan.schema import Target


@dataclass(frozen=True, slots=True)
class YearPlan:
    """One county's year. Rates and declines in per cent, energy in the unit of the total."""

    region: Region
    year: int
    rate: Decimal | None  # equal yearly decline of the five-year target
    due: Decimal | None  # cumulative decline due at the end of the year
    done: Decimal | None  # cumulative decline reached
    need: Decimal | None  # decline a year still needed after it; None in the last year or without data
    budget: Budget | None
    energy: Decimal | None  # settled

    @property
    def over(self) -> bool:
        """Whether the settled energy exceeds the budget, and the total is assessed."""
        return self.energy is not None and self.budget is not None and total_problem(self.energy, self.budget) is not None  # fmt: skip


@exact
def yearly_plans(
    view: View, target: Target, goals: Mapping[str, Decimal], incentives: Mapping[str, Decimal], expected: Mapping[str, Decimal]
) -> list[YearPlan]:  # fmt: skip
    """Every county and plan year under its targets (basic, incentive) and expected yearly growth, all in per cent.

    E* = E(t−1)·(1+g)·(1−r) from the settled energy of the year before where known, else from its budget; re-set
    with the actual growth when that exceeds the expected one; exempt when the decline is on the incentive's schedule.
    """
    energy_code, output_code = PARTS[target.indicator]
    header = view.plan.header
    start = target.baseline_year or header.base_year
    years = range(header.first_year, header.last_year + 1)
    out: list[YearPlan] = []
    for code, goal in goals.items():
        levels = {y: [view.value(c, code, Period.of_year(y)) for c in (energy_code, output_code)] for y in (start, *years)}  # fmt: skip
        energy = {y: row[0] for y, row in levels.items()}
        intensity = {y: e / g if e is not None and g else None for y, (e, g) in levels.items()}
        base = intensity[start]
        done = {y: rules.decline_between(base, v) if base and (v := intensity[y]) is not None else None for y in years}
        output = {y: row[1] for y, row in levels.items()}
        actual = [growth(b, a) if (b := output.get(y - 1)) and (a := output[y]) is not None else None for y in years]
        incentive = incentives.get(code, Decimal(0))
        exempt = [
            (d := done[y]) is not None and 0 < incentive < HUNDRED and d >= rules.schedule(incentive, y - start, header.years)
            for y in years
        ]  # fmt: skip
        rate = rules.equal_annual_rate(goal, header.years) if goal > 0 else None
        found: list[Budget] = []
        if (before := energy[start]) is not None and rate is not None and code in expected:
            found = budgets(before, header.first_year, [expected[code]] * len(years), rate, actual, [energy[y] for y in years], exempt)  # fmt: skip
        for n, year in enumerate(years):
            due = need = None
            if goal > 0:
                due = rules.schedule(goal, year - start, header.years)
                if (reached := done[year]) is not None:
                    need = rules.remaining_per_year(goal, reached, header.last_year - year)
            out.append(YearPlan(view.plan.regions[code], year, rate, due, done[year], need, found[n] if found else None, energy[year]))  # fmt: skip
    return out
