"""Energy of single units from the store: the largest, and what each adds."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from lvheng.observations.models import Observation, Subject


@dataclass(frozen=True, slots=True)
class UnitEnergy:
    """A unit's energy of the first ``months`` of a year and of the same months before, tce."""

    code: str
    name: str
    before: float
    now: float
    months_before: int
    months_now: int

    def complete(self, months: int) -> bool:
        """Whether both years are filed for all the months; a unit that was not there last year counts as new."""
        return self.months_now == months and self.months_before in (0, months)

    @property
    def new(self) -> bool:
        return self.months_before == 0


def largest_units(year: int, months: int, *, at: int) -> list[UnitEnergy]:
    """All units with monthly energy in either year, as of a ledger position, largest first. Units: 吨标准煤 as filed."""
    periods = [f"{y}-{m:02d}" for y in (year - 1, year) for m in range(1, months + 1)]
    o, s = Observation._meta.db_table, Subject._meta.db_table
    marks = ",".join(["%s"] * len(periods))
    # latest vintage of each key by the position; a withdrawn figure (no mantissa) counts as not filed
    sql = (
        f"SELECT s.code, s.name, substr(l.period, 1, 4), SUM(CAST(l.mantissa AS DOUBLE PRECISION) / power(10.0, l.scale)), COUNT(DISTINCT l.period) FROM ("
        f"SELECT subject_id, period, item, mantissa, scale, ROW_NUMBER() OVER (PARTITION BY subject_id, period, item ORDER BY vintage DESC) AS n "
        f"FROM {o} WHERE indicator = 'energy_use' AND unit = '吨标准煤' AND posting_id <= %s AND period IN ({marks})) l "
        f"JOIN {s} s ON s.id = l.subject_id WHERE l.n = 1 AND l.mantissa IS NOT NULL AND s.kind = 'unit' "
        "GROUP BY s.code, s.name, substr(l.period, 1, 4)"
    )
    found: dict[str, tuple[str, dict[int, tuple[float, int]]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [at, *periods])
        for code, name, of_year, total, months_filed in cursor.fetchall():
            found.setdefault(code, (name, {}))[1][int(of_year)] = (float(total), int(months_filed))
    units = []
    for code, (name, sums) in found.items():
        (before, n_before), (now, n_now) = sums.get(year - 1, (0.0, 0)), sums.get(year, (0.0, 0))
        units.append(UnitEnergy(code, name, before, now, n_before, n_now))
    return sorted(units, key=lambda u: -u.now)
