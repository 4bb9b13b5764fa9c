"""Gaps in what a device should have sent, and asking for them by history requests (2051, 2061, 2031)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from lvheng.telemetry import hj212
from lvheng.telemetry.devices import Registry
from lvheng.telemetry.gateway.exchange import CommandStore
from lvheng.telemetry.lake import connect

CYCLES = {
    "minute": ("2051", timedelta(minutes=10)),
    "hour": ("2061", timedelta(hours=1)),
    "day": ("2031", timedelta(days=1)),
}
LONGEST = 144  # intervals asked for in one request


def missing(
    times: Iterable[datetime], start: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, datetime]]:
    """First and last interval start of every gap among the intervals ``[start, end)`` of length ``step``."""
    have = {(t - start) // step for t in times if start <= t < end}
    count = -((start - end) // step)
    gaps: list[tuple[int, int]] = []
    for n in range(count):
        if n in have:
            continue
        if gaps and gaps[-1][1] == n - 1:
            gaps[-1] = (gaps[-1][0], n)
        else:
            gaps.append((n, n))
    return [(start + a * step, start + b * step) for a, b in gaps]


def pieces(
    gap: tuple[datetime, datetime], step: timedelta, longest: int = LONGEST
) -> Sequence[tuple[datetime, datetime]]:
    """A gap cut into requests of at most ``longest`` intervals."""
    out = []
    first, last = gap
    while first <= last:
        until = min(last, first + (longest - 1) * step)
        out.append((first, until))
        first = until + step
    return out


def minute_interval(times: Iterable[datetime]) -> timedelta:
    """The interval at which a device sends minute data: the commonest one the standard allows, else that of the tables."""
    table = hj212.tables()
    ordered = sorted(set(times))
    steps = Counter(b - a for a, b in pairwise(ordered))
    allowed = {timedelta(minutes=int(n)) for n in table.min_intervals}
    known = [(n, -step, step) for step, n in steps.items() if step in allowed and n > 1]
    return max(known)[2] if known else timedelta(minutes=table.gateway["gaps"]["minute_interval"])


def ask(
    lake_root: Path | str,
    store: CommandStore,
    registry: Registry,
    now: datetime,
    *,
    stamp: float,
    back: timedelta | None = None,
    again: timedelta | None = None,
) -> int:
    """Queue history requests for the gaps of every device seen in the lake; returns how many were queued.

    A device is only asked for cycles that it has sent before, from its first value within ``back`` to the last interval
    that must have arrived. The same request is not repeated within ``again``. ``stamp`` is now in seconds since 1970.
    """
    policy = hj212.tables().gateway["gaps"]
    back = back or timedelta(days=policy["back_days"])
    again = again or timedelta(hours=policy["again_hours"])
    queued = 0
    db = connect(lake_root)
    try:
        rows = db.execute(
            "select mn, st, cycle, list(distinct data_time) from lake_values where cycle in ('minute', 'hour', 'day')"
            " and day >= $since and data_time >= $start group by all",
            {"since": (now - back).date(), "start": now - back},
        ).fetchall()
    finally:
        db.close()
    for mn, st, cycle, times in rows:
        if registry.get(mn) is None:
            continue
        cn, step = CYCLES[cycle]
        if cycle == "minute":
            step = minute_interval(times)
        start = min(times)
        for gap in missing(times, start, now - 2 * step, step):
            for first, last in pieces(gap, step):
                params = [("BeginTime", f"{first:%Y%m%d%H%M%S}"), ("EndTime", f"{last:%Y%m%d%H%M%S}")]
                if store.similar(mn, cn, params, stamp - again.total_seconds()):
                    continue
                store.add(mn, cn, st=st, params=params, by="补数", now=stamp)
                queued += 1
    return queued
