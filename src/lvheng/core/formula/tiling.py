"""Which finer periods make up a period exactly, and how their values combine."""

from __future__ import annotations

from functools import lru_cache

from lvheng.core.period import Kind, Period

# The order in which a value is sought when there is none for the period itself.
SOURCES = (Kind.YTD, Kind.YEAR, Kind.HALF, Kind.QUARTER, Kind.MONTH)


@lru_cache(maxsize=65536)
def tiles(period: Period, kind: Kind) -> tuple[Period, ...]:
    """The periods of a kind that fill ``period`` without gap or overlap; empty when there are none.

    A cumulative month is never added to another: it only stands for a period of the same days.
    """
    if period.kind in (Kind.DAY, Kind.HOUR) or kind is period.kind:
        return ()
    if kind is Kind.YTD:
        last = Period(Kind.YTD, period.end.year, period.end.month)
        return (last,) if last.start == period.start else ()
    first, last = Period.containing(period.start, kind), Period.containing(period.end, kind)
    if first.start != period.start or last.end != period.end:
        return ()
    return tuple(Period.from_index(kind, i) for i in range(first.index, last.index + 1))


def sources(period: Period) -> list[tuple[Kind, tuple[Period, ...]]]:
    """Kinds whose periods fill ``period``: those of the same days first, then the coarsest."""
    found = [(kind, parts) for kind in SOURCES if (parts := tiles(period, kind))]
    return sorted(found, key=lambda pair: len(pair[1]))


def used(parts: tuple[Period, ...], over_time: str) -> tuple[Period, ...]:
    """The parts a value is made of, by the way a variable adds up over time; empty when it does not."""
    if len(parts) == 1 or over_time in ("sum", "mean"):
        return parts
    return parts[-1:] if over_time == "last" else ()
