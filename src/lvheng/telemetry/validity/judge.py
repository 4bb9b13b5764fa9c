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


def constant(hours: nw.LazyFrame, series: nw.LazyFrame, gas_hours: int, water_samples: int) -> nw.LazyFrame:
    """Runs of equal valid hours: series, first, last, length, value, limit (null).

    Gas is measured all the time: ``gas_hours`` neighbouring hours. A water analyser works by batches: ``water_samples`` valid
    hours one after another, whatever hours of standstill or without data lie between.
    """
    kinds = series.filter(nw.col("kind") == "value").select("series", "medium")
    frame = hours.filter((nw.col("state") == "valid") & ~nw.col("mean").is_null()).join(kinds, on="series", how="inner")
    frame = frame.with_columns(
        before=nw.col("mean").shift(1).over("series", order_by="hour"), hour_before=nw.col("hour").shift(1).over("series", order_by="hour")
    )  # fmt: skip
    apart = (nw.col("medium") == "gas") & (nw.col("hour") != nw.col("hour_before") + 1)
    new = nw.when((nw.col("mean") != nw.col("before")) | apart).then(nw.lit(1)).otherwise(nw.lit(0))
    frame = frame.with_columns(new=new).with_columns(run=nw.col("new").cum_sum().over("series", order_by="hour"))
    found = frame.group_by("series", "medium", "run").agg(
        first=nw.col("hour").min(), last=nw.col("hour").max(), length=nw.len(), value=nw.col("mean").max()
    )
    need = nw.when(nw.col("medium") == "gas").then(nw.lit(gas_hours)).otherwise(nw.lit(water_samples))
    return found.filter(nw.col("length") >= need).select(
        "series", "first", "last", "length", "value", limit=nw.lit(None, nw.Int64)
    )


def episodes(rows: nw.LazyFrame, at_least: int = 1) -> nw.LazyFrame:
    """Neighbouring rows as one: series, first, last, length, value (largest), limit."""
    frame = rows.with_columns(one=nw.lit(1, nw.Int64)).with_columns(
        nth=nw.col("one").cum_sum().over("series", order_by="at")
    )
    frame = frame.with_columns(island=nw.col("at") - nw.col("nth"))
    found = frame.group_by("series", "island").agg(
        first=nw.col("at").min(), last=nw.col("at").max(), length=nw.len(), value=nw.col("value").max(), limit=nw.col("limit").max()
    )  # fmt: skip
    return found.filter(nw.col("length") >= at_least).select("series", "first", "last", "length", "value", "limit")
