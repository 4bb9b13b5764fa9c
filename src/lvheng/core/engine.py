"""The engines a table can be computed on. Rules are written once, in Narwhals; the engine is a setting.

``LVHENG_ENGINE`` = duckdb (default, embedded), polars (in memory), pyspark (a province on many machines), or
numpy (:mod:`lvheng.core.dense`: dense arrays in memory, the quickest where everything fits).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any, Protocol

import narwhals as nw
import pyarrow as pa

from lvheng.core.problem import Problem, ProblemError

ENGINES = ("duckdb", "polars", "pyspark", "numpy")


class Engine(Protocol):
    """Takes Arrow in, gives Narwhals lazy frames, and can write down an intermediate result."""

    def load(self, table: pa.Table) -> nw.LazyFrame: ...
    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """The same rows, computed now, so that plans stay small and nothing is computed twice."""
        ...

    def arrow(self, frame: nw.LazyFrame) -> pa.Table: ...


class DuckDB:
    """An in-memory DuckDB of its own, with temporary tables for what is kept."""

    def __init__(self) -> None:
        import duckdb

        self.connection = duckdb.connect()
        self._names = (f"kept_{n}" for n in itertools.count())
        self._alive: list[pa.Table] = []

    def load(self, table: pa.Table) -> nw.LazyFrame:
        self._alive.append(table)
        return nw.from_native(self.connection.from_arrow(table))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        name = next(self._names)
        frame.to_native().create(name)
        return nw.from_native(self.connection.table(name))

    def arrow(self, frame: nw.LazyFrame) -> pa.Table:
        return frame.to_native().to_arrow_table()


class Polars:
    """Polars' lazy frames."""

    def load(self, table: pa.Table) -> nw.LazyFrame:
        import polars as pl

        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return nw.from_native(frame.lazy())

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        return nw.from_native(frame.to_native().collect().lazy())

    def arrow(self, frame: nw.LazyFrame) -> pa.Table:
        return frame.to_native().collect().to_arrow()


class Spark:
    """A Spark session: the running one, or one on this machine."""

    def __init__(self) -> None:
        from pyspark.sql import SparkSession

        # one machine needs no more partitions than cores; a cluster's own session is taken as it is
        local = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false")
        local = local.config("spark.sql.shuffle.partitions", os.cpu_count() or 1)
        self.session = SparkSession.getActiveSession() or local.getOrCreate()

    def load(self, table: pa.Table) -> nw.LazyFrame:
        return nw.from_native(self.session.createDataFrame(table))

    def keep(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        return nw.from_native(frame.to_native().localCheckpoint(eager=True))

    def arrow(self, frame: nw.LazyFrame) -> pa.Table:
        return frame.to_native().toArrow()


def chosen(name: str | None = None) -> str:
    """The name of the engine given, or of the setting; raises ProblemError when there is none of that name."""
    name = name or os.environ.get("LVHENG_ENGINE", "duckdb")
    if name not in ENGINES:
        raise ProblemError(
            Problem(
                "core.engine.unknown",
                "没有这种计算引擎",
                got=name,
                wanted="、".join(ENGINES),
                fix="改正设置LVHENG_ENGINE。",
            )
        )
    return name


def connect(name: str | None = None) -> Engine:
    """The engine of a name, or of the setting; raises ProblemError when it is unknown or not installed."""
    makers: Mapping[str, Any] = {"duckdb": DuckDB, "polars": Polars, "pyspark": Spark}
    wanted = chosen(name)
    try:
        return makers[wanted]()
    except ImportError:
        raise ProblemError(
            Problem("core.engine.absent", "计算引擎未安装", got=wanted, fix="安装该引擎，或改用duckdb。")
        ) from None
