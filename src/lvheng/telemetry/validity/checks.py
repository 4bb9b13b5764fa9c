"""Automatic standard checks of water analysers (command 2062): a failed check makes all data since the last passed one
invalid, until one is passed again (HJ 355—2019; rulebook telemetry.water.failed_check)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import narwhals as nw
import pyarrow as pa

from lvheng.telemetry.validity.rollup import last_said

_HOUR = timedelta(hours=1)
_BEGIN = datetime(1970, 1, 1)  # noqa: DTZ001 wall time
_RANK = {"not_judged": 0, "invalid": 1, "stop": 2}
PASSED, FAILED = 1.0, 0.0


def results(values: nw.LazyFrame, series: nw.LazyFrame) -> nw.LazyFrame:
    """The checks among lake values: series, data_time, value (1 passed, 0 failed; anything else is no result)."""
    found = values.filter((nw.col("cycle") == "check") & (nw.col("suffix") == "ResultType")).filter(
        nw.col("value").is_in([PASSED, FAILED])
    )
    mine = series.filter((nw.col("medium") == "water") & (nw.col("kind") == "value")).select("series", "mn", "code")
    found = last_said(found, ["mn", "code", "data_time"])
    return found.join(mine, on=["mn", "code"], how="inner").select("series", "data_time", "value")


def unproven(
    checks: Iterable[tuple[datetime, bool]], begin: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """Stretches of ``[begin, end)`` without proof, of one analyser: around each failed check, from the check passed before
    (or ``begin``) to the one passed next (or ``end``)."""
    spans: list[tuple[datetime, datetime]] = []
    good, failed = begin, False
    for at, passed in sorted(checks):
        if passed and failed:
            spans.append((good, at))
        if passed:
            good, failed = at, False
        else:
            failed = True
    return [*spans, (good, end)] if failed else spans


def marks(found: pa.Table, begin: datetime, end: datetime, given: pa.Table | None, shape: pa.Schema) -> pa.Table | None:
    """``given`` marks (series, hour, effect) with the hours of failed checks invalid; standstill stays standstill.

    An hour that lies in such a stretch only in part is invalid as a whole.
    """
    by_series: dict[int, list[tuple[datetime, bool]]] = {}
    for row in found.to_pylist():
        by_series.setdefault(row["series"], []).append((row["data_time"], row["value"] == PASSED))
    effects = {(r["series"], r["hour"]): r["effect"] for r in (given.to_pylist() if given is not None else ())}
    for series, checks in by_series.items():
        for first, last in unproven(checks, begin, end):
            for hour in range((first - _BEGIN) // _HOUR, -((_BEGIN - last) // _HOUR)):
                held = effects.get((series, hour))
                if held is None or _RANK[held] < _RANK["invalid"]:
                    effects[series, hour] = "invalid"
    if not effects:
        return given
    rows = [{"series": s, "hour": h, "effect": e} for (s, h), e in sorted(effects.items())]
    return pa.Table.from_pylist(rows, schema=shape)
