"""Amounts: what missing and invalid hours are taken to have emitted (HJ 75—2017 tables 5 and 6; HJ/T 356—2007).

For amounts only: a substituted hour is never held against a limit and never counts as valid.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw

from lvheng.core.engine import Engine
from lvheng.telemetry.validity.rules import Rules

_BY = ["series"]


def capture(grid: nw.LazyFrame) -> nw.LazyFrame:
    """The capture rate's counts: series, quarter, due (hours less standstill), captured (valid hours)."""
    valid = nw.when(nw.col("state") == "valid").then(nw.lit(1)).otherwise(nw.lit(0))
    due = nw.when(nw.col("state") == "stop").then(nw.lit(0)).otherwise(nw.lit(1))
    frame = grid.with_columns(one_valid=valid, one_due=due)
    return frame.group_by("series", "quarter").agg(due=nw.col("one_due").sum(), captured=nw.col("one_valid").sum())


def fill(grid: nw.LazyFrame, series: nw.LazyFrame, rules: Rules, on: Engine) -> nw.LazyFrame:
    """The grid with ``amount`` (mg), ``basis`` (measured, stopped, substituted, none) and ``window`` (valid hours looked back).

    ``grid`` holds whole quarters with what precedes them (the longest window reaches 2160 valid hours back). A run of
    bad hours (missing, invalid, or valid without flow) has one length and one substitute. Gas: the largest hourly amount of
    the window that capture rate and length give. Water: the mean of as many hours as are missing. Below the ladder: none.
    """
    bad = nw.col("mass").is_null()
    numbered = grid.join(series.select("series", "kind", "medium"), on="series", how="inner").with_columns(
        bad=bad,
        sound=nw.when(~bad & (nw.col("state") == "valid")).then(nw.lit(1)).otherwise(nw.lit(0)),
        kept=nw.when(bad).then(nw.lit(0)).otherwise(nw.lit(1)),
    )
    numbered = on.keep(
        numbered.with_columns(
            rank=nw.col("sound").cum_sum().over(*_BY, order_by="hour"), run=nw.col("kept").cum_sum().over(*_BY, order_by="hour")
        )
    )  # fmt: skip
    runs = (
        numbered.filter(nw.col("bad"))
        .group_by("series", "medium", "run", "rank")
        .agg(length=nw.len(), quarter=nw.col("quarter").min())
    )
    rates = capture(grid)
    runs = runs.join(rates, on=["series", "quarter"], how="inner").with_columns(window=_window(rules))
    before = _largest(numbered.filter(nw.col("sound") == 1), rules, on)
    runs = runs.join(before, on=["series", "rank"], how="left")
    runs = runs.with_columns(base=nw.col("rank") - nw.col("length"))
    runs = runs.with_columns(base=nw.when(nw.col("base") > 0).then(nw.col("base")).otherwise(nw.lit(0)))
    earlier = before.select("series", base="rank", total_before="total")
    runs = runs.join(earlier, on=["series", "base"], how="left").with_columns(
        total_before=nw.col("total_before").fill_null(0)
    )
    mean = ((nw.col("total") - nw.col("total_before")).cast(nw.Float64) / (nw.col("rank") - nw.col("base")).cast(nw.Float64) + 0.5).floor()  # fmt: skip
    water = nw.when(nw.col("rank") > nw.col("base")).then(mean.cast(nw.Int64))
    gas: nw.Expr = nw.lit(None, nw.Int64)
    for window in rules.windows:
        gas = nw.when(nw.col("window") == window).then(nw.col(f"largest_{window}")).otherwise(gas)
    is_gas = nw.col("medium") == "gas"
    substitutes = runs.select(
        "series", "run", substitute=nw.when(is_gas).then(gas).otherwise(water),
        window=nw.when(is_gas).then(nw.col("window")).otherwise(nw.col("length").cast(nw.Int32)),
    )  # fmt: skip
    filled = numbered.join(on.keep(substitutes), on=["series", "run"], how="left")
    wanted = nw.col("bad") & (nw.col("kind") == "value")
    basis = (
        nw.when(nw.col("state") == "stop").then(nw.lit("stopped"))
        .otherwise(nw.when(~nw.col("bad")).then(nw.lit("measured"))
                   .otherwise(nw.when(wanted & ~nw.col("substitute").is_null()).then(nw.lit("substituted")).otherwise(nw.lit("none"))))
    )  # fmt: skip
    amount = nw.when(nw.col("bad")).then(nw.when(wanted).then(nw.col("substitute"))).otherwise(nw.col("mass"))
    return filled.with_columns(amount=amount, basis=basis, window=nw.when(wanted).then(nw.col("window"))).select(
        *_GRID, "amount", "basis", "window"
    )


def medians(grid: nw.LazyFrame, levels: Sequence[int], on: Engine) -> nw.LazyFrame:
    """Series without amounts (pH): for each missing or invalid hour the median of as many valid hours before as are missing.

    Out: series, hour, substitute (micro); hours without a valid hour before are left out.
    """
    sound = nw.col("state") == "valid"
    frame = grid.filter(nw.col("series").is_in(list(levels))).with_columns(
        sound=nw.when(sound).then(nw.lit(1)).otherwise(nw.lit(0)),
        kept=nw.when(sound | (nw.col("state") == "stop")).then(nw.lit(1)).otherwise(nw.lit(0)),
    )
    frame = on.keep(
        frame.with_columns(
            rank=nw.col("sound").cum_sum().over(*_BY, order_by="hour"), run=nw.col("kept").cum_sum().over(*_BY, order_by="hour")
        )
    )  # fmt: skip
    missing = frame.filter(nw.col("kept") == 0)
    runs = missing.group_by("series", "run", "rank").agg(length=nw.len())
    valid = frame.filter(nw.col("sound") == 1).select("series", nth="rank", value="mean")
    window = runs.join(valid, on="series", how="inner").filter(
        (nw.col("nth") <= nw.col("rank")) & (nw.col("nth") > nw.col("rank") - nw.col("length"))
    )
    middle = window.group_by("series", "run").agg(middle=nw.col("value").median())
    middle = middle.select("series", "run", substitute=(nw.col("middle") + 0.5).floor().cast(nw.Int64))
    return missing.select("series", "hour", "run").join(middle, on=["series", "run"], how="inner").drop("run")


_GRID = (
    "series", "hour", "day", "month", "quarter", "n", "n_valid", "n_stop", "state", "effect", "judged", "mean", "weighted",
    "converted", "oxygen", "flow", "volume", "mass",
)  # fmt: skip


def _window(rules: Rules) -> nw.Expr:
    """The look-back of a run by the ladder; null where the rules give none. Shares are compared as integers."""
    found: nw.Expr = nw.lit(None, nw.Int32)
    hundred = nw.col("captured") * 100
    for step in reversed(rules.ladder):
        inside = hundred >= nw.col("due") * float(step.capture_from)
        if step.capture_to is not None:
            inside = inside & (hundred < nw.col("due") * float(step.capture_to))
        if step.run_to is not None:
            inside = inside & (nw.col("length") <= step.run_to)
        found = nw.when(inside).then(nw.lit(step.window, nw.Int32)).otherwise(found)
    return found


def _largest(sound: nw.LazyFrame, rules: Rules, on: Engine) -> nw.LazyFrame:
    """For each valid hour: its rank, the running total, and the largest amount of each window ending with it.

    The largest of a window of w is the larger of two overlapping windows of the next smaller power of two: a few shifts.
    """
    frame = sound.select(
        "series", "rank", largest=nw.col("mass"), total=nw.col("mass").cum_sum().over(*_BY, order_by="rank")
    )
    width = 1
    for window in rules.windows:
        while width * 2 <= window:
            later = nw.col("largest").shift(width).over(*_BY, order_by="rank")
            frame = frame.with_columns(shifted=later).with_columns(largest=nw.max_horizontal("largest", "shifted"))
            width *= 2
        rest = (
            nw.col("largest").shift(window - width).over(*_BY, order_by="rank") if window > width else nw.col("largest")
        )
        frame = on.keep(
            frame.with_columns(shifted=rest).with_columns(nw.max_horizontal("largest", "shifted").alias(f"largest_{window}"))
        )  # fmt: skip
    return frame.select("series", "rank", "total", *(f"largest_{w}" for w in rules.windows))
