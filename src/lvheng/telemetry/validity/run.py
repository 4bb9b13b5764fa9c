"""Reading the lake and writing its roll-up on an engine: the only part that knows where tables stand.

A roll-up is a folder: ``hours.parquet``, ``days.parquet``, ``months.parquet`` (folders of that name where Spark's executors
have written them) and ``rollup.json`` with the period, the rules used and the digest of every table, which does not depend
on engine, files or order.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lvheng.core import engine as engines
from lvheng.core.engine import DuckDB, Engine, Polars, Spark
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry.lake import VALUES, Lake, plain
from lvheng.telemetry.validity import amounts, checks, parts, rollup, state
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
        # what the logger sends by the outlet's permit; null: corrected already (mg/m³, dry, standard state)
        ("ppm", pa.bool_()),
        ("actual", pa.bool_()),
        ("wet", pa.bool_()),
        ("ambient", pa.int64()),  # micro kPa, null: the rule's
        (
            "derived",
            pa.bool_(),
        ),  # reckoned from its parts (NOx from NO and NO₂) in minutes in which it is not sent itself
    ]
)
OPTIONAL = ("ppm", "actual", "wet", "ambient", "derived")
MARKS = pa.schema([("series", pa.int32()), ("hour", pa.int32()), ("effect", pa.string())])
_NEEDED = (
    "mn",
    "cycle",
    "code",
    "suffix",
    "data_time",
    "value",
    "flag",
    "recv_time",
    "journal",
    "position",
    "seq",
    "qn",
    "value_text",
)
TABLES = ("hours", "days", "months")
KEYS = {"hours": ("series", "hour"), "days": ("series", "day"), "months": ("series", "month")}
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


def scan_values(on: Engine, lake: Path | str, first: date, last: date) -> nw.LazyFrame:
    """The lake's values of the days, with the columns that roll-ups need; empty where there are none."""
    home = Lake(lake)
    files = home.files("values", first, last)
    wanted = pa.schema([plain(VALUES).field(n) for n in (*_NEEDED, "day")])
    if not files:
        return on.load(wanted.empty_table())
    if home.store.local is not None:
        frame = scan(on, [home.store.local / f.name for f in files]).select(*_NEEDED)
    else:
        frame = _remote(on, home.dataset(files), str(home.root)).select(*_NEEDED)
    inside = (nw.col("data_time") >= _moment(first)) & (nw.col("data_time") < _moment(last + timedelta(days=1)))
    text = [nw.col(c).cast(nw.String) for c in ("mn", "cycle", "code", "suffix", "flag", "journal", "qn", "value_text")]
    stamp = nw.col("data_time").dt.date()
    return frame.filter(inside).with_columns(*text, day=stamp, value=nw.col("value").cast(nw.Float64))


def _remote(on: Engine, dataset: ds.Dataset, place: str) -> nw.LazyFrame:
    """Files of an object store, read by this machine as they are asked for."""
    if isinstance(on, DuckDB):
        return nw.from_native(on.connection.from_arrow(dataset))
    if isinstance(on, Polars):
        import polars as pl

        return nw.from_native(pl.scan_pyarrow_dataset(dataset))
    raise ProblemError(
        Problem(
            "telemetry.rollup.spark_place", "Spark不能直接读取对象存储中的数据湖（所需的hadoop-aws不在软件包仓库中）", got=place, wanted="各节点都能访问的目录",
            fix="用 --mirror 指定共享目录，先把所需分区复制过去；或改用 --engine duckdb。",
        )
    )  # fmt: skip


def _moment(day: date) -> nw.Expr:
    return nw.lit(datetime(day.year, day.month, day.day))  # noqa: DTZ001 wall time


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
    lake: Path | str,
    series: pa.Table,
    first: date,
    last: date,
    rules: Rules,
    out: Path,
    *,
    on: Engine,
    marks: pa.Table | None = None,
    history: Path | None = None,
    late_until: datetime | None = None,
) -> Done:
    """Rolls the days ``first`` to ``last`` of a lake up into ``out``, replacing what it held.

    ``series``: :data:`SERIES`. ``marks``: :data:`MARKS`. ``history``: folder of earlier roll-ups' hours, used as the
    look-back of substitution. ``late_until`` (wall time UTC+8): what arrived after the patch window but until then counts
    too; this is how a new version of a closed month is made, the version before stays as it is. The tables are written by
    the engine itself, Spark's by its executors. Raises ProblemError when the series do not fit or the period is turned round.
    """
    _check(series, first, last)
    frames = Frames(on, series, rules)
    values = scan_values(on, lake, first, last)
    hours = frames.hours(values, calendar(first, last), late_until)
    grid = frames.grid(hours, clock(first, last), frames.checked(values, first, last, marks))
    before = _history(on, history, first)
    about = {"first": str(first), "last": str(last), "rules": list(rules.refs)}
    if late_until is not None:
        about["late_until"] = str(late_until)
    return write(on, frames.made(grid, before), out, about)


class Frames:
    """The steps of a roll-up on one engine."""

    def __init__(self, on: Engine, series: pa.Table, rules: Rules):
        self.on, self.rules = on, rules
        series = complete(series)
        self.series = on.load(series)
        self.levels = [r["series"] for r in series.to_pylist() if r["medium"] == "water" and r["code"] in rules.median]
        self.state = on.load(state.factors(series, rules)) if state.wanted(series) else None
        self.parts = parts.weights(series, rules)

    def hours(self, values: nw.LazyFrame, days: pa.Table, late_until: datetime | None = None) -> nw.LazyFrame:
        often = self.on.keep(rollup.often(values))
        doubtful = often if self.on.arrow(often.head(1)).num_rows else None
        minutes = rollup.minutes(
            values, self.series, self.on.load(days), self.rules, late_until, self.state, self.parts, doubtful
        )
        return self.on.keep(rollup.hours(minutes, self.series, self.rules, self.levels))

    def grid(self, hours: nw.LazyFrame, hours_of_clock: pa.Table, marks: pa.Table | None) -> nw.LazyFrame:
        marked = self.on.load(marks) if marks is not None and marks.num_rows else None
        return self.on.keep(rollup.grid(hours, self.series, self.on.load(hours_of_clock), marked))

    def checked(self, values: nw.LazyFrame, first: date, last: date, marks: pa.Table | None) -> pa.Table | None:
        """The marks, and the hours that failed checks of water analysers make invalid."""
        if not self.rules.failed_checks:
            return marks
        after = last + timedelta(days=1)
        begin, end = datetime(first.year, first.month, first.day), datetime(after.year, after.month, after.day)  # noqa: DTZ001
        found = self.on.arrow(checks.results(values, self.series))
        return checks.marks(found, begin, end, marks, MARKS)

    def made(self, grid: nw.LazyFrame, before: nw.LazyFrame | None = None) -> dict[str, nw.LazyFrame]:
        """hours (filled grid), days and months. ``before``: filled or bare grid of earlier hours."""
        whole = grid if before is None else nw.concat([_like(before, grid), grid.select(*amounts._GRID)])
        filled = amounts.fill(whole, self.series, self.rules, self.on)
        filled = self._levelled(filled, whole)
        if before is not None:
            filled = filled.join(grid.select("series", "hour"), on=["series", "hour"], how="inner")
        filled = self.on.keep(filled)
        days = self.on.keep(rollup.days(filled, self.series, self.rules))
        return {"hours": filled, "days": days, "months": rollup.months(days, self.series, self.rules)}

    def _levelled(self, filled: nw.LazyFrame, whole: nw.LazyFrame) -> nw.LazyFrame:
        """With ``substitute`` (micro): what a missing hour of a series without amounts is taken to have been."""
        if not self.levels:
            return filled.with_columns(substitute=nw.lit(None, nw.Int64))
        return filled.join(amounts.medians(whole, self.levels, self.on), on=["series", "hour"], how="left")


def _like(before: nw.LazyFrame, grid: nw.LazyFrame) -> nw.LazyFrame:
    """Earlier hours, which are kept in wider integers, with the types that the grid has on this engine."""
    types = grid.collect_schema()
    return before.select(*(nw.col(n).cast(types[n]) for n in amounts._GRID))


def ordered(frame: nw.LazyFrame, keys: Sequence[str]) -> nw.LazyFrame:
    """One form whatever the engine: plain types, sorted."""
    types = {n: nw.Int64 if k.is_numeric() else k for n, k in frame.collect_schema().items()}
    return frame.select(*(nw.col(n).cast(k) for n, k in types.items())).sort(*keys)


def write(on: Engine, tables: dict[str, nw.LazyFrame], out: Path, about: dict[str, Any]) -> Done:
    """Writes the tables beside the old ones and then in their place."""
    draft = out.with_name(out.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    rows, digests = {}, {}
    for name, frame in tables.items():
        path = draft / f"{name}.parquet"
        _sink(on, ordered(frame, KEYS[name]), path)
        rows[name], digests[name] = digest(path, KEYS[name])
    note = {**about, "rows": rows, "digests": digests}
    (draft / "rollup.json").write_text(json.dumps(note, ensure_ascii=False, indent=1), encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    draft.replace(out)
    return Done(out, rows, digests)


def _sink(on: Engine, frame: nw.LazyFrame, path: Path) -> None:
    """Parquet by the engine: one file, or, of Spark, one file from each executor's share, in order."""
    native = frame.to_native()
    if isinstance(on, DuckDB):
        native.write_parquet(str(path), compression="zstd", row_group_size=20_480)
    elif isinstance(on, Polars):
        native.sink_parquet(path, compression="zstd", row_group_size=20_480)
    else:
        native.write.option("compression", "zstd").parquet(str(path.absolute()))


def digest(path: Path, keys: Sequence[str]) -> tuple[int, str]:
    """Rows of a written table and the SHA-256 of its names and figures: the same for the same figures.

    Each series has a digest of its rows in order; the table's is that of its series' digests.
    """
    series, at = keys
    with duckdb.connect() as db:
        source = db.read_parquet(str(path / "*.parquet" if path.is_dir() else path))
        text = "concat_ws(chr(31), " + ", ".join(f"coalesce(\"{n}\"::varchar, '')" for n in source.columns) + ")"
        parts = db.sql(
            f"select {series}, count(*), sha256(string_agg({text}, chr(10) order by {at})) from source group by 1 order by 1"
        ).fetchall()
        names = "\x1f".join(source.columns)
    found = hashlib.sha256("\n".join([names, *(f"{s}\x1f{part}" for s, _, part in parts)]).encode())
    return sum(n for _, n, _ in parts), found.hexdigest()


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
    table: pa.Table = pq.read_table(path, filters=wanted or None)
    return table.cast(pa.schema([f.with_nullable(True) for f in table.schema])).replace_schema_metadata(None)


def _history(on: Engine, folder: Path | None, first: date) -> nw.LazyFrame | None:
    """The hours before ``first`` that substitution may look back on."""
    if folder is None or not (folder / "hours.parquet").exists():
        return None
    path, start = folder / "hours.parquet", (first - EPOCH).days * 24
    frame = scan(on, sorted(path.glob("*.parquet")) if path.is_dir() else [path])
    return frame.filter((nw.col("hour") < start) & (nw.col("hour") >= start - 31 * 24 * HISTORY_MONTHS))


def complete(series: pa.Table) -> pa.Table:
    """A table of series with the optional columns that it leaves out, empty."""
    for name in OPTIONAL:
        if name not in series.column_names:
            series = series.append_column(SERIES.field(name), pa.nulls(series.num_rows, SERIES.field(name).type))
    return series


def _check(series: pa.Table, first: date, last: date) -> None:
    if first > last:
        raise ProblemError(
            Problem("telemetry.rollup.period", "起始日晚于截止日", got=f"{first}至{last}", fix="改正起止日期。")
        )
    if series.num_rows == 0:
        raise ProblemError(
            Problem("telemetry.rollup.no_series", "没有登记排口的监测因子", fix="先登记排口、设备和因子。")
        )
    if missing := [n for n in SERIES.names if n not in (*series.column_names, *OPTIONAL)]:
        raise ProblemError(
            Problem("telemetry.rollup.series", "因子表缺少栏目", got="、".join(missing), wanted="、".join(SERIES.names))
        )
