"""Energy of single units from the store: the largest, what each adds, and their colours by unit-output energy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from lvheng.core.problem import Problem
from lvheng.core.quantity import show
from lvheng.energy.warning import Grade, Scheme, grade
from lvheng.observations.models import Observation, Subject
from lvheng.plan.rules import HUNDRED, ONE, exact

ENERGY, OUTPUT = ("energy_use", "吨标准煤"), ("industry_output", "万元")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class UnitEnergy:
    """A unit's energy of the first ``months`` of a year and of the same months before, tce."""

    code: str
    name: str
    region: str
    before: Decimal
    now: Decimal
    months_before: int
    months_now: int

    def complete(self, months: int) -> bool:
        """Whether both years are filed for all the months; a unit that was not there last year counts as new."""
        return self.months_now == months and self.months_before in (0, months)

    @property
    def new(self) -> bool:
        return self.months_before == 0


def _sums(what: tuple[str, str], periods: Sequence[str], at: int, unit: str) -> Iterator[tuple[str, str, str, int, Decimal, int]]:  # fmt: skip
    """(code, name, county, year, exact sum, periods filed) of units over some months or years.

    Of each key the latest vintage by the position; a withdrawn figure (no mantissa) counts as not filed.
    """
    o, s = Observation._meta.db_table, Subject._meta.db_table
    marks = ",".join(["%s"] * len(periods))
    # the months filed as bits, so that figures of different digits (grouped apart) can be joined exactly
    month = "CASE WHEN length(l.period) = 4 THEN 0 ELSE CAST(substr(l.period, 6, 2) AS INTEGER) END"
    sql = (
        f"SELECT s.code, s.name, p.code, substr(l.period, 1, 4), l.scale, SUM(l.mantissa), SUM(DISTINCT (1 << ({month}))) FROM ("
        "SELECT subject_id, period, item, mantissa, scale, ROW_NUMBER() OVER (PARTITION BY subject_id, period, item ORDER BY vintage DESC) AS n "
        f"FROM {o} WHERE indicator = %s AND unit = %s AND posting_id <= %s AND period IN ({marks})"
        f"{f' AND subject_id IN (SELECT id FROM {s} WHERE code = %s)' if unit else ''}) l "
        f"JOIN {s} s ON s.id = l.subject_id LEFT JOIN {s} p ON p.id = s.parent_id "
        "WHERE l.n = 1 AND l.mantissa IS NOT NULL AND s.kind = 'unit' "
        "GROUP BY s.code, s.name, p.code, substr(l.period, 1, 4), l.scale"
    )
    found: dict[tuple[str, str, str, int], tuple[Decimal, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [*what, at, *periods, *([unit] if unit else [])])
        for code, name, region, year, scale, total, bits in cursor.fetchall():
            key = (code, name, region or "", int(year))
            sum_, months = found.get(key, (ZERO, 0))
            found[key] = (sum_ + Decimal(int(total)).scaleb(-scale), months | int(bits))
    for key, (total, months) in found.items():
        yield *key, total, months.bit_count()


def _months(year: int, months: int) -> list[str]:
    return [f"{y}-{m:02d}" for y in (year - 1, year) for m in range(1, months + 1)]


def largest_units(year: int, months: int, *, at: int, unit: str = "", region: str = "") -> list[UnitEnergy]:
    """All units (or one, or those of a county) with monthly energy in either year, as of a ledger position, largest first."""
    found: dict[str, tuple[str, str, dict[int, tuple[Decimal, int]]]] = {}
    for code, name, county, of_year, total, filed in _sums(ENERGY, _months(year, months), at, unit):
        if not region or county == region:
            found.setdefault(code, (name, county, {}))[2][of_year] = (total, filed)
    units = []
    for code, (name, county, sums) in found.items():
        (before, n_before), (now, n_now) = sums.get(year - 1, (ZERO, 0)), sums.get(year, (ZERO, 0))
        units.append(UnitEnergy(code, name, county, before, now, n_before, n_now))
    return sorted(units, key=lambda u: (-u.now, u.code))


# --- colours ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class UnitStanding:
    """A unit's energy per output against the year before: the change in per cent, and its colour or why there is none."""

    unit: UnitEnergy
    output_before: Decimal | None  # 万元, as filed
    output_now: Decimal | None
    change: Decimal | None
    grade: Grade | None
    reason: str


@exact
def unit_standings(scheme: Scheme, year: int, months: int, *, at: int, limit: Decimal, unit: str = "") -> list[UnitStanding]:  # fmt: skip
    """Units under an enterprise scheme for the first months of a year (12: the whole year), largest user first.

    Energy as filed by month; output by month, of a whole year the yearly figure where it is filed. A unit
    without every month of both years, or without output, has no colour: missing is not zero. Nor has one that
    changed by more than ``limit`` per cent either way: its data are checked first.
    """
    output: dict[tuple[str, int], Decimal] = {}
    for code, _n, _r, of_year, total, filed in _sums(OUTPUT, _months(year, months), at, unit):
        if filed == months:
            output[code, of_year] = total
    if months == 12:
        for code, _n, _r, of_year, total, _f in _sums(OUTPUT, [str(year - 1), str(year)], at, unit):
            output[code, of_year] = total
    found = []
    for u in largest_units(year, months, at=at, unit=unit):
        before, now = output.get((u.code, year - 1)), output.get((u.code, year))
        missing = []
        if u.months_before < months or u.months_now < months:
            missing.append("能耗")
        if not before or not now:
            missing.append("产值")
        if missing or not u.before or not before or not now:
            found.append(UnitStanding(u, before, now, None, None, f"两年同期{'、'.join(missing) or '能耗'}数据不完整，不评色。"))  # fmt: skip
            continue
        change = ((u.now / now) / (u.before / before) - ONE) * HUNDRED
        if abs(change) > limit:
            found.append(UnitStanding(u, before, now, change, None, f"变化{show(change, 2)}%，超过{show(limit)}%，请先核对用能和产值，不评色。"))  # fmt: skip
            continue
        colour = grade(scheme, change)
        found.append(UnitStanding(u, before, now, change, colour, colour.reason))
    return found


def check_unit(standing: UnitStanding) -> list[Problem]:
    """What forbids warning a unit: incomplete data, or a colour that asks for nothing."""
    if standing.grade is None:
        return [Problem("dual_control.warning.incomplete", f"“{standing.unit.name}”数据不完整，不能发布预警", got=standing.reason, wanted="两年同期能耗和产值", fix="补齐数据后再发布。")]  # fmt: skip
    if standing.grade.severity == 0:
        return [Problem("dual_control.warning.none", f"“{standing.unit.name}”为{standing.grade.label}，不需要预警", got=f"{show(standing.change, 2)}%", fix="无需处理。")]  # fmt: skip
    return []
