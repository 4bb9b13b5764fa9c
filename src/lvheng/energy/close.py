"""A month's close: energy of all units of the city by county and carrier, month and cumulative, with last year's.

One scan of the index in the database, integers all the way, so that totals are exact; corrected figures
(a vintage after the first) are fetched singly and put in place of what they correct.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from lvheng.energy.accounts import Carrier, Pair
from lvheng.observations.models import Observation, Subject

INDICATOR = "energy_use"
STANDARD_COAL = "吨标准煤"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closed:
    """One county and carrier. Quantities in ``unit``; month and year to date, this year and last.

    ``units_now`` counts the units that filed the month, so that a missing one is seen.
    """

    region: str
    carrier: str
    unit: str
    month: Decimal
    to_date: Decimal
    month_before: Decimal
    to_date_before: Decimal
    units_now: int


def month_close(year: int, month: int, *, at: int) -> list[Closed]:
    """All counties and carriers of a month, as of a ledger position; a withdrawn figure counts as not filed."""
    o, s = Observation._meta.db_table, Subject._meta.db_table
    spans = [(f"{y}-01", f"{y}-{month:02d}") for y in (year - 1, year)]
    sql = (
        "SELECT s.parent_id, o.item, o.unit, o.scale, o.period, SUM(CASE WHEN o.vintage = 1 THEN o.mantissa END), MAX(o.vintage), "
        f"COUNT(DISTINCT o.subject_id) FROM {s} s JOIN {o} o ON o.subject_id = s.id "
        "WHERE s.kind = 'unit' AND o.indicator = %s AND o.period BETWEEN %s AND %s AND o.posting_id <= %s "
        "GROUP BY s.parent_id, o.item, o.unit, o.scale, o.period"
    )
    sums: dict[tuple[int, str, str], dict[str, Decimal]] = {}
    counts: dict[tuple[int, str, str], int] = {}
    corrected: set[tuple[int, str]] = set()
    with connection.cursor() as cursor:
        for first, last in spans:
            cursor.execute(sql, [INDICATOR, first, last, at])
            for parent, item, unit, scale, period, total, vintage, units in cursor.fetchall():
                periods = sums.setdefault((parent, item, unit), {})
                if total is not None:
                    periods[period] = periods.get(period, ZERO) + Decimal(int(total)).scaleb(-scale)
                if period == f"{year}-{month:02d}":
                    counts[parent, item, unit] = counts.get((parent, item, unit), 0) + units
                if vintage > 1:
                    corrected.add((parent, period))
        names = dict(Subject.objects.filter(kind="region").values_list("pk", "code"))
    for parent, period in corrected:
        _correct(sums, parent, period, at)
    out = []
    now, before = f"{year}-{month:02d}", f"{year - 1}-{month:02d}"
    for (parent, item, unit), periods in sorted(sums.items(), key=lambda kv: (str(kv[0][0]), kv[0][1:])):
        to_date = [sum((v for p, v in periods.items() if p[:4] == str(y)), ZERO) for y in (year, year - 1)]
        out.append(Closed(names.get(parent, ""), item, unit, periods.get(now, ZERO), to_date[0], periods.get(before, ZERO), to_date[1], counts.get((parent, item, unit), 0)))  # fmt: skip
    return out


def _correct(sums: dict[tuple[int, str, str], dict[str, Decimal]], parent: int, period: str, at: int) -> None:
    """Put the latest vintage of every corrected key of a county and month in place of its first."""
    rows = Observation.objects.filter(
        subject__parent_id=parent, subject__kind="unit", indicator=INDICATOR, period=period, posting_id__lte=at
    ).order_by("vintage").values_list("subject_id", "item", "unit", "vintage", "mantissa", "scale")  # fmt: skip
    first: dict[tuple[int, str], tuple[str, Decimal | None]] = {}
    last: dict[tuple[int, str], tuple[str, Decimal | None]] = {}
    for subject, item, unit, vintage, mantissa, scale in rows:
        value = None if mantissa is None else Decimal(mantissa).scaleb(-scale)
        if vintage == 1:
            first[subject, item] = (unit, value)
        last[subject, item] = (unit, value)
    for key, (unit, value) in last.items():
        old_unit, old = first.get(key, (unit, None))
        if (unit, value) == (old_unit, old):
            continue
        for sign, name, amount in ((-1, old_unit, old), (1, unit, value)):
            if amount is not None:
                periods = sums.setdefault((parent, key[1], name), {})
                periods[period] = periods.get(period, ZERO) + sign * amount


def in_tce(quantity: Decimal, carrier: Carrier | None, unit: str) -> Pair | None:
    """A county's quantity in tce by the reference factor; None where the factor is a range or unknown."""
    if unit == STANDARD_COAL:
        return Pair(quantity, quantity)
    if carrier is None or carrier.unit != unit or carrier.low != carrier.high:
        return None
    equivalent = carrier.equivalent if carrier.secondary else carrier.low
    return Pair(quantity * carrier.low, None if equivalent is None else quantity * equivalent)


def totals(rows: list[Closed], carriers: Mapping[str, Carrier]) -> dict[str, tuple[Pair, list[str]]]:
    """By county: year-to-date tce, and the carriers left out because their factor is not settled."""
    out: dict[str, tuple[Pair, list[str]]] = {}
    for row in rows:
        whole, left = out.get(row.region, (Pair(ZERO, ZERO), []))
        value = in_tce(row.to_date, carriers.get(row.carrier), row.unit)
        out[row.region] = (whole, [*left, row.carrier]) if value is None else (whole + value, left)
    return out
