"""Reading the lake and writing its roll-up on an engine: the only part that knows where tables stand.

A roll-up is a folder: ``hours.parquet``, ``days.parquet``, ``months.parquet`` (Spark writes folders of that name) and
``rollup.json`` with the period, the rules used and the digest of every table, which does not depend on engine or order.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lvheng.core import engine as engines
from lvheng.core.engine import DuckDB, Engine, Polars, Spark
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry.lake import VALUES
from lvheng.telemetry.validity import amounts, rollup
from lvheng.telemetry.validity.rules import Rules

EPOCH = date(1970, 1, 1)
SERIES = pa.schema(
    [
        ("series", pa.int32()),
        ("outlet", pa.string()),
        ("mn", pa.string()),
        ("code", pa.string()),
        ("kind", pa.string()),  # value, flow, o2
        ("medium", pa.string()),  # gas, water
        ("version", pa.int32()),  # of HJ 212: 2005, 2017, 2025
        ("interval", pa.int32()),  # minutes a datum stands for
        ("flow_code", pa.string()),
        ("o2_code", pa.string()),
        ("o2_reference", pa.int64()),  # micro %, null: no conversion
        ("limit_low", pa.int64()),  # micro
        ("limit_high", pa.int64()),
    ]
)
MARKS = pa.schema([("series", pa.int32()), ("hour", pa.int32()), ("effect", pa.string())])
_NEEDED = ("mn", "cycle", "code", "suffix", "data_time", "value", "flag", "recv_time", "journal", "position", "seq")
TABLES = ("hours", "days", "months")
HISTORY_MONTHS = 4  # of hours looked at before a period: 2160 valid hours are 90 days


@dataclass(frozen=True, slots=True)
class Done:
    """What a roll-up made: folder, rows and digest (SHA-256) of each table."""

    folder: Path
    rows: dict[str, int]
    digests: dict[str, str]


def calendar(first: date, last: date) -> pa.Table:
    """day, day_index, month, quarter of each day from first to last."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    month = [d.year * 12 + d.month - 1 for d in days]
    return pa.table(
        {
            "day": pa.array(days, pa.date32()),
            "day_index": pa.array([(d - EPOCH).days for d in days], pa.int32()),
            "month": pa.array(month, pa.int32()),
            "quarter": pa.array([m // 3 for m in month], pa.int32()),
        }
    )


def clock(first: date, last: date) -> pa.Table:
    """hour, day (counts from 1970), month, quarter of each hour."""
    days = calendar(first, last)
    index, month, quarter = (days[c].to_pylist() for c in ("day_index", "month", "quarter"))
    rows = [(d * 24 + h, d, m, q) for d, m, q in zip(index, month, quarter, strict=True) for h in range(24)]
    names = ("hour", "day", "month", "quarter")
    return pa.table({n: pa.array([r[i] for r in rows], pa.int32()) for i, n in enumerate(names)})


def scan(on: Engine, paths: Sequence[Path]) -> nw.LazyFrame:
    """Parquet files as one lazy frame on an engine, without reading them."""
    names = [str(p) for p in paths]
    if isinstance(on, DuckDB):
        return nw.from_native(on.connection.read_parquet(names, hive_partitioning=False, union_by_name=True))
    if isinstance(on, Polars):
        import polars as pl

        return nw.from_native(pl.scan_parquet(names, hive_partitioning=False))
    assert isinstance(on, Spark)
    return nw.from_native(on.session.read.parquet(*names))


def scan_values(on: Engine, lake: Path, first: date, last: date) -> nw.LazyFrame:
    """The lake's values of the days, with the columns that roll-ups need; empty where there are none."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    frames = []
    for day in days:
        files = sorted((lake / "values" / f"day={day}").glob("st=*/*.parquet"))
        if files:
            frames.append((day, files))
    if not frames:
        return on.load(VALUES.empty_table().select([*_NEEDED, "day"]).cast(_plain([*_NEEDED, "day"])))
    frame = scan(on, [f for _, files in frames for f in files]).select(*_NEEDED)
    inside = (nw.col("data_time") >= _moment(first)) & (nw.col("data_time") < _moment(last + timedelta(days=1)))
    text = [nw.col(c).cast(nw.String) for c in ("mn", "cycle", "code", "suffix", "flag", "journal")]
    stamp = nw.col("data_time").dt.date()
    return frame.filter(inside).with_columns(*text, day=stamp, value=nw.col("value").cast(nw.Float64))


def _moment(day: date) -> nw.Expr:
    return nw.lit(datetime(day.year, day.month, day.day))  # noqa: DTZ001 wall time


def _plain(names: Sequence[str]) -> pa.Schema:
    text = pa.string()
    return pa.schema(
        [(n, text if pa.types.is_dictionary(VALUES.field(n).type) else VALUES.field(n).type) for n in names]
    )


def engine_for(name: str | None, master: str = "") -> Engine:
    """The engine of a name; Spark on the cluster of ``master`` where one is given. Raises ProblemError."""
    if master and name != "pyspark":
        raise ProblemError(
            Problem("telemetry.rollup.master", "只有Spark引擎才有集群地址", got=name or "", wanted="--engine spark", fix="加上 --engine spark，或去掉 --master。")
        )  # fmt: skip
    if master:
        _cluster(master)
    return engines.connect(name)


def _cluster(master: str) -> None:
    """Starts a session on a cluster; :class:`lvheng.core.engine.Spark` takes the running one."""
    try:
        from pyspark.sql import SparkSession
    except ImportError:
        raise ProblemError(
            Problem("telemetry.rollup.spark_absent", "Spark未安装", fix="安装pyspark和Java 17。")
        ) from None
    local = master.startswith("spark://127.")
    builder = SparkSession.builder.master(master).appName("lvheng-rollup")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "8").config(
        "spark.sql.execution.arrow.pyspark.enabled", "true"
    )
    if local:
        builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    try:
        builder.getOrCreate()
    except Exception as error:  # py4j raises its own kinds for a cluster that is away
        raise ProblemError(
            Problem("telemetry.rollup.cluster", "连接不上Spark集群", got=master, wanted=str(error).splitlines()[0][:120], fix="核对地址，并确认集群已启动。")
        ) from None  # fmt: skip


def roll_up(
    lake: Path,
    series: pa.Table,
    first: date,
    last: date,
    rules: Rules,
    out: Path,
    *,
    on: Engine,
    marks: pa.Table | None = None,
    history: Path | None = None,
) -> Done:
    """Rolls the days ``first`` to ``last`` of a lake up into ``out``, replacing what it held.

    ``series``: :data:`SERIES`. ``marks``: :data:`MARKS`. ``history``: folder of earlier roll-ups' hours, used as the
    look-back of substitution. Raises ProblemError when the series do not fit or the period is turned round.
    """
    _check(series, first, last)
    frames = Frames(on, series, rules)
    hours = frames.hours(scan_values(on, lake, first, last), calendar(first, last))
    grid = frames.grid(hours, clock(first, last), marks)
    before = _history(on, history, first)
    tables = frames.tables(grid, before)
    return write(tables, out, {"first": str(first), "last": str(last), "rules": list(rules.refs)})


class Frames:
    """The steps of a roll-up on one engine."""

    def __init__(self, on: Engine, series: pa.Table, rules: Rules):
        self.on, self.rules = on, rules
        self.series = on.load(series)

    def hours(self, values: nw.LazyFrame, days: pa.Table) -> nw.LazyFrame:
        minutes = rollup.minutes(values, self.series, self.on.load(days), self.rules)
        return self.on.keep(rollup.hours(minutes, self.series, self.rules))

    def grid(self, hours: nw.LazyFrame, hours_of_clock: pa.Table, marks: pa.Table | None) -> nw.LazyFrame:
        marked = self.on.load(marks) if marks is not None and marks.num_rows else None
        return self.on.keep(rollup.grid(hours, self.series, self.on.load(hours_of_clock), marked))

    def tables(self, grid: nw.LazyFrame, before: nw.LazyFrame | None = None) -> dict[str, pa.Table]:
        """hours (filled grid), days, months as Arrow, in order. ``before``: filled or bare grid of earlier hours."""
        whole = grid if before is None else nw.concat([before.select(*amounts._GRID), grid.select(*amounts._GRID)])
        filled = amounts.fill(whole, self.series, self.rules, self.on)
        if before is not None:
            filled = filled.join(grid.select("series", "hour"), on=["series", "hour"], how="inner")
        filled = self.on.keep(filled)
        days = self.on.keep(rollup.days(filled, self.series, self.rules))
        months = rollup.months(days, self.series, self.rules)
        made = {"hours": filled, "days": days, "months": months}
        keys = {"hours": ["series", "hour"], "days": ["series", "day"], "months": ["series", "month"]}
        return {name: ordered(self.on.arrow(frame), keys[name]) for name, frame in made.items()}


def ordered(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """One form whatever the engine: plain types, sorted, in one chunk."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        kind = column.type
        if pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            column = column.cast(pa.int64())
        elif not pa.types.is_boolean(kind):
            column = column.cast(pa.string())
        columns[name] = column
    return pa.table(columns).sort_by([(k, "ascending") for k in keys]).combine_chunks()


def digest(table: pa.Table) -> str:
    """SHA-256 of names and values: the same for the same figures."""
    found = hashlib.sha256("\x1f".join(table.column_names).encode())
    for name in table.column_names:
        column = table[name].combine_chunks()
        found.update(pc.is_valid(column).to_numpy(zero_copy_only=False).tobytes())
        if pa.types.is_string(column.type):
            found.update("\x1f".join(v or "" for v in column.to_pylist()).encode())
        else:
            found.update(pc.fill_null(column.cast(pa.int64()), 0).to_numpy().tobytes())
    return found.hexdigest()


def write(tables: dict[str, pa.Table], out: Path, about: dict[str, Any]) -> Done:
    """Writes the tables beside the old ones and then in their place."""
    draft = out.with_name(out.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    digests = {name: digest(table) for name, table in tables.items()}
    rows = {name: table.num_rows for name, table in tables.items()}
    for name, table in tables.items():
        pq.write_table(table, draft / f"{name}.parquet", compression="zstd", row_group_size=20_000)
    note = {**about, "rows": rows, "digests": digests}
    (draft / "rollup.json").write_text(json.dumps(note, ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    draft.replace(out)
    return Done(out, rows, digests)


def read(folder: Path, name: str, **filters: object) -> pa.Table:
    """A table of a roll-up; raises ProblemError when there is none."""
    path = folder / f"{name}.parquet"
    if not path.exists():
        raise ProblemError(
            Problem(
                "telemetry.rollup.none", "还没有汇总结果", got=str(folder.name), fix="先运行 lvheng telemetry rollup。"
            )
        )
    wanted = [(k, "=", v) for k, v in filters.items()]
    return cast(pa.Table, pq.read_table(path, filters=wanted or None))


def _history(on: Engine, folder: Path | None, first: date) -> nw.LazyFrame | None:
    if folder is None or not (folder / "hours.parquet").exists():
        return None
    start = (first - EPOCH).days * 24
    table = pq.read_table(
        folder / "hours.parquet", filters=[("hour", "<", start), ("hour", ">=", start - 31 * 24 * HISTORY_MONTHS)]
    )
    return on.load(table) if table.num_rows else None


def _check(series: pa.Table, first: date, last: date) -> None:
    if first > last:
        raise ProblemError(
            Problem("telemetry.rollup.period", "起始日晚于截止日", got=f"{first}至{last}", fix="改正起止日期。")
        )
    if series.num_rows == 0:
        raise ProblemError(
            Problem("telemetry.rollup.no_series", "没有登记排口的监测因子", fix="先登记排口、设备和因子。")
        )
    if missing := [n for n in SERIES.names if n not in series.column_names]:
        raise ProblemError(
            Problem("telemetry.rollup.series", "因子表缺少栏目", got="、".join(missing), wanted="、".join(SERIES.names))
        )
