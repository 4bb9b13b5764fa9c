"""Turning whole numbers by region and period into rows; the city is the sum of its parts, or absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from lvheng.core.period import Period
from lvheng.demo.city import City, Row, decimal

Reported = Callable[[str, Period], bool]


def regional(
    city: City,
    indicator: str,
    unit: str,
    places: int,
    table: dict[str, dict[Period, int]],
    source: str,
    *,
    item: str = "",
    reported: Reported | None = None,
) -> Iterator[Row]:
    """Rows of every region and of the city.

    ``table`` is region → period → whole units of the last place. The city has a figure only where each
    of its parts in the table has reported one: a partial sum is never given.
    """
    reported = reported or city.has_reported
    counted = [r.code for r in city.parts if r.code in table]
    for region in city.everyone:
        for period, value in table.get(region.code, {}).items():
            if reported(region.code, period):
                yield Row(indicator, region.code, period.code, decimal(value, places), unit, source, item)
    if not counted:
        return
    for period in table[counted[0]]:
        values = [table[code].get(period) for code in counted]
        if None not in values and all(reported(code, period) for code in counted):
            total = sum(v for v in values if v is not None)
            yield Row(indicator, city.code, period.code, decimal(total, places), unit, source, item)


def by_quarter(months: Iterable[Period], quarters: Iterable[Period], values: dict[Period, int]) -> dict[Period, int]:
    """Sums of months by complete quarter."""
    wanted = list(months)
    return {q: sum(values[m] for m in wanted if q.contains(m)) for q in quarters}
