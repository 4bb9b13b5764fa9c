"""Judging filled hours and days: exceedances, silence, constancy; and the rates of transmission and validity.

Only judged hours (valid, not marked) are held against a limit; substituted ones never are.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import narwhals as nw


@dataclass(frozen=True, slots=True)
class Rates:
    """传输率 = received ÷ due, 有效率 = valid ÷ received, 传输有效率 = their product; in %, None without data due."""

    due: int
    received: int
    valid: int

    @property
    def transmission(self) -> Decimal | None:
        return _percent(self.received, self.due)

    @property
    def validity(self) -> Decimal | None:
        return _percent(self.valid, self.received)

    @property
    def effective(self) -> Decimal | None:
        return _percent(self.valid, self.due)


def _percent(part: int, whole: int) -> Decimal | None:
    return None if whole <= 0 else Decimal(100) * part / whole


def capture_rate(hours: int, stopped: int, invalid: int) -> Decimal | None:
    """数据捕集率 of a quarter: (H − H_stop − H_invalid) ÷ (H − H_stop), in %."""
    return _percent(hours - stopped - invalid, hours - stopped)


def over_limit(table: nw.LazyFrame, series: nw.LazyFrame, *, medium: str) -> nw.LazyFrame:
    """Rows beyond a limit: hours of gas (by converted concentration) or days of water (by the flow-weighted mean).

    Out: series, at (hour or day), value, limit (micro).
    """
    at, value, fine = (
        ("hour", "converted", nw.col("judged")) if medium == "gas" else ("day", "mean", (nw.col("state") == "valid") & (nw.col("n_judged") > 0))
    )  # fmt: skip
    limits = series.filter((nw.col("medium") == medium) & (nw.col("kind") == "value"))
    frame = table.filter(fine).join(limits.select("series", "limit_low", "limit_high"), on="series", how="inner")
    high, low = nw.col(value) > nw.col("limit_high"), nw.col(value) < nw.col("limit_low")
    frame = frame.with_columns(
        limit=nw.when(high).then(nw.col("limit_high")).otherwise(nw.when(low).then(nw.col("limit_low")))
    )
    return frame.filter(~nw.col("limit").is_null()).select("series", at=nw.col(at), value=nw.col(value), limit="limit")


def silent(hours: nw.LazyFrame) -> nw.LazyFrame:
    """Hours without any data: series, at, value, limit (both null)."""
    none = nw.lit(None, nw.Int64)
    return hours.filter(nw.col("state") == "missing").select("series", at=nw.col("hour"), value=none, limit=none)


def constant(hours: nw.LazyFrame) -> nw.LazyFrame:
    """Valid hours equal to the valid hour before, and that one: series, at, value, limit (null)."""
    frame = hours.filter(nw.col("state") == "valid").with_columns(
        before=nw.col("mean").shift(1).over("series", order_by="hour"), after=nw.col("mean").shift(-1).over("series", order_by="hour")
    )  # fmt: skip
    same = (nw.col("mean") == nw.col("before")).fill_null(False) | (nw.col("mean") == nw.col("after")).fill_null(False)
    return frame.filter(same).select("series", at=nw.col("hour"), value="mean", limit=nw.lit(None, nw.Int64))


def episodes(rows: nw.LazyFrame, at_least: int = 1, *, equal: bool = False) -> nw.LazyFrame:
    """Neighbouring rows as one: series, first, last, length, value (largest), limit. ``equal``: of one value each."""
    keys = ["series", "value"] if equal else ["series"]
    frame = rows.with_columns(one=nw.lit(1, nw.Int64)).with_columns(
        nth=nw.col("one").cum_sum().over(*keys, order_by="at")
    )
    frame = frame.with_columns(island=nw.col("at") - nw.col("nth"), held=nw.col("value"))
    keys = ["series", "held", "island"] if equal else ["series", "island"]
    found = frame.group_by(*keys).agg(
        first=nw.col("at").min(), last=nw.col("at").max(), length=nw.len(), value=nw.col("value").max(), limit=nw.col("limit").max()
    )  # fmt: skip
    return found.filter(nw.col("length") >= at_least).select("series", "first", "last", "length", "value", "limit")
