"""Last values and alarms of the gateway, in one SQLite file read by whoever shows them.

Tables: ``live`` (one row a mn, cycle, code, suffix: the value with the latest data_time) and ``alarm`` (one row a kind and
subject with first and last time and count).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa


class LiveStore(Protocol):
    """Where the decoder puts the last values (a ``VALUES`` table of the lake) and alarms (kind, subject, time, count)."""

    def update(self, values: pa.Table) -> None: ...

    def alarm(self, rows: Iterable[tuple[str, str, str, int]]) -> None: ...


class SqliteLive:
    """A :class:`LiveStore` in a file."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self._db = sqlite3.connect(self.path, timeout=10)
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(
            "create table if not exists live (mn text, cycle text, code text, suffix text, data_time text, value_text text,"
            " value real, flag text, recv_time text, primary key (mn, cycle, code, suffix)) without rowid;"
            "create table if not exists alarm (kind text, subject text, first text, last text, count integer,"
            " primary key (kind, subject)) without rowid;"
        )

    def update(self, values: pa.Table) -> None:
        if not values.num_rows:
            return
        with duckdb.connect() as db:
            db.register("batch", values)
            rows = db.execute(
                "select mn, cycle, code, suffix, strftime(data_time, '%Y-%m-%d %H:%M:%S'), value_text, value, flag,"
                " strftime(recv_time, '%Y-%m-%d %H:%M:%S') from batch qualify row_number() over"
                " (partition by mn, cycle, code, suffix order by data_time desc, recv_time desc, position desc) = 1"
            ).fetchall()
        with self._db:
            self._db.executemany(
                "insert into live values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set data_time = excluded.data_time,"
                " value_text = excluded.value_text, value = excluded.value, flag = excluded.flag,"
                " recv_time = excluded.recv_time where excluded.data_time >= live.data_time",
                rows,
            )

    def alarm(self, rows: Iterable[tuple[str, str, str, int]]) -> None:
        with self._db:
            self._db.executemany(
                "insert into alarm values (?1, ?2, ?3, ?3, ?4) on conflict do update set"
                " last = excluded.last, count = alarm.count + excluded.count",
                rows,
            )

    def close(self) -> None:
        self._db.close()
