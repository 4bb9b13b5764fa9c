"""The lake: decoded values as Parquet, by day of the data and system.

Layout (hive partitions)::

    <lake>/values/day=2026-06-01/st=31/<name>.parquet    VALUES, one row a value
    <lake>/packets/day=2026-06-01/<name>.parquet         PACKETS, one row a packet or rejected stretch, by day received

VALUES
    mn          device (canonical, after aliases)
    cn          command that carried it, ``2051``
    cycle       rtd, minute, hour, day, state, runtime, raw, single, check, minute5 (rulebook/telemetry/hj212.yaml), other;
                of energy uploads (st=E0, mn ``enterprise/device``, suffix Val): quarter, day, month, year
    data_time   wall time UTC+8, no zone; start of the interval, or the instant for rtd and state
    code        canonical code; ``code_sent`` as sent
    suffix      Rtd, Avg, Cou, ZsAvg, RS, ...
    value_text  the text as sent: the exact number and the evidence
    value       float64 nearest to it (after the dialect's unit factor); null: no number
    flag        mark letter as sent, '' when none
    late        sent afterwards (补传)
    qn, part    exchange number and part (0 when whole)
    recv_time   wall time UTC+8 of reception
    journal     ``stream/segment`` of the raw journal; ``position`` byte offset of the record in it; ``seq`` row in packet
    copies      how often this very value was received (1; more after compaction)
    and the partition columns day (date) and st (text).

The key of a value is (mn, st, cycle, code, suffix, data_time). The same key with the same text and flag is a duplicate
(counted); with another, a revision: all are kept, the one received last is effective. Read through :func:`connect`, which
gives the views ``lake_values`` (every reception), ``effective`` (one row a key, with ``revisions`` and ``received``),
``revised`` (all rows of keys with more than one text), ``lake_packets`` and ``incomplete`` (split packets, joined by mn, st,
cn, data_time and pnum, of which parts are missing; parts are decoded and stored one by one).

Files are named after their place in the journal and written by rename, so decoding a stretch again replaces, never doubles.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_TEXT = pa.dictionary(pa.int32(), pa.string())

VALUES = pa.schema(
    [
        ("mn", _TEXT),
        ("cn", _TEXT),
        ("cycle", _TEXT),
        ("data_time", pa.timestamp("us")),
        ("code", _TEXT),
        ("code_sent", _TEXT),
        ("suffix", _TEXT),
        ("value_text", pa.string()),
        ("value", pa.float64()),
        ("flag", _TEXT),
        ("late", pa.bool_()),
        ("qn", _TEXT),
        ("part", pa.int16()),
        ("recv_time", pa.timestamp("us")),
        ("journal", _TEXT),
        ("position", pa.int64()),
        ("seq", pa.int32()),
        ("copies", pa.int32()),
        ("day", pa.date32()),
        ("st", _TEXT),
    ]
)

PACKETS = pa.schema(
    [
        ("mn", _TEXT),
        ("st", _TEXT),
        ("cn", _TEXT),
        ("qn", pa.string()),
        ("data_time", pa.timestamp("us")),
        ("verdict", _TEXT),  # valid, findings, invalid, rejected
        ("findings", _TEXT),  # names in order, joined by commas
        ("values", pa.int32()),
        ("late", pa.bool_()),
        ("pnum", pa.int16()),
        ("pno", pa.int16()),
        ("connection", pa.int64()),
        ("recv_time", pa.timestamp("us")),
        ("journal", _TEXT),
        ("position", pa.int64()),
        ("day", pa.date32()),
    ]
)

_INPUTS = b"lvheng.inputs"
_KEY = "mn, st, cycle, code, suffix, data_time"


class Lake:
    """A lake on local disk."""

    def __init__(self, root: Path):
        self.root = Path(root)

    def write_values(self, table: pa.Table, name: str) -> list[Path]:
        """One file for each (day, st) of ``table``, replacing those of the same name; synced before they are named."""
        return [
            self._write(part.drop_columns(["day", "st"]), self.partition(day, st) / f"{name}.parquet")
            for day, st, part in _split(table)
        ]

    def write_packets(self, table: pa.Table, name: str) -> list[Path]:
        out = []
        for day in pc.unique(table["day"]).to_pylist():
            part = table.filter(pc.equal(table["day"], pa.scalar(day, pa.date32()))).drop_columns(["day"])
            out.append(self._write(part, self.root / "packets" / f"day={day}" / f"{name}.parquet"))
        return out

    def partition(self, day: date, st: str) -> Path:
        return self.root / "values" / f"day={day}" / f"st={st}"

    @staticmethod
    def _write(table: pa.Table, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        with draft.open("wb") as handle:
            pq.write_table(table, handle, compression="zstd")
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
        return path

    def damaged(self) -> list[Path]:
        """Parquet files that cannot be read; they are rebuilt from the journal (``lvheng telemetry rebuild``)."""
        bad = []
        for path in sorted(self.root.glob("*/**/*.parquet")):
            try:
                pq.ParquetFile(path).read()
            except (OSError, pa.ArrowInvalid):
                bad.append(path)
        return bad

    def compact(self, day: date, st: str) -> Path | None:
        """Merge a partition's files into one: identical receptions become the last of them with ``copies``; revisions stay."""
        folder = self.partition(day, st)
        for merged in folder.glob("compact-*.parquet"):  # what an interrupted run has merged but not removed
            known = json.loads((pq.read_schema(merged).metadata or {}).get(_INPUTS, b"[]"))
            for name, size, changed in known:
                left = folder / name
                if left.exists() and (left.stat().st_size, left.stat().st_mtime_ns) == (size, changed):
                    left.unlink()
        files = sorted(folder.glob("*.parquet"))
        if len(files) < 2:
            return None
        inputs = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        with duckdb.connect() as db:
            columns = ", ".join(n for n in VALUES.names if n not in ("day", "st", "copies"))
            key = "mn, cycle, code, suffix, data_time, value_text, flag"
            table = db.sql(
                f"""
                with receptions as (
                    select * from read_parquet($files, hive_partitioning=false)
                    qualify row_number() over (partition by journal, position, seq order by copies desc) = 1)
                select {columns}, cast(total as integer) as copies from (
                    select *, sum(copies) over (partition by {key}) as total,
                        row_number() over (partition by {key} order by recv_time desc, journal desc, position desc) as nth
                    from receptions)
                where nth = 1 order by mn, cycle, code, suffix, data_time, recv_time
                """,
                params={"files": [str(f) for f in files]},
            ).to_arrow_table()
        schema = pa.schema([f for f in VALUES if f.name not in ("day", "st")])
        table = table.cast(schema).replace_schema_metadata({_INPUTS: json.dumps(inputs)})
        name = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
        path = self._write(table, folder / f"compact-{name}.parquet")
        for file in files:
            file.unlink()
        return path


def _split(table: pa.Table) -> Iterable[tuple[date, str, pa.Table]]:
    table = table.unify_dictionaries()
    keys = table.select(["day", "st"]).group_by(["day", "st"]).aggregate([]).to_pylist()
    if len(keys) == 1:
        yield keys[0]["day"], keys[0]["st"], table
        return
    for key in sorted(keys, key=lambda k: (k["day"], k["st"])):
        mask = pc.and_(pc.equal(table["day"], pa.scalar(key["day"], pa.date32())), pc.equal(table["st"], key["st"]))
        yield key["day"], key["st"], table.filter(mask)


def connect(root: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the lake's views; a lake without files has empty views."""
    db = duckdb.connect()
    root = Path(root)
    for view, folder, schema in (("lake_values", "values", VALUES), ("lake_packets", "packets", PACKETS)):
        if any((root / folder).glob("**/*.parquet")):
            types = "{'day': date, 'st': varchar}" if view == "lake_values" else "{'day': date}"
            pattern = str(root / folder / "**" / "*.parquet").replace("'", "''")
            db.execute(
                f"create view {view} as select * from read_parquet('{pattern}', hive_partitioning=true,"
                f" hive_types={types}, union_by_name=true)"
            )
        else:
            db.register("empty_" + view, schema.empty_table())
            db.execute(f"create view {view} as select * from empty_{view}")
    db.execute(
        f"""
        create view effective as
        select * exclude (copies), revisions, received from (
            select *,
                sum(copies) over (partition by {_KEY}) as received,
                count(distinct value_text || chr(31) || flag) over (partition by {_KEY}) as revisions
            from (select * from lake_values
                  qualify row_number() over (partition by journal, position, seq order by copies desc) = 1))
        qualify row_number() over (partition by {_KEY} order by recv_time desc, journal desc, position desc) = 1
        """
    )
    db.execute(
        f"""
        create view revised as
        select * from lake_values
        qualify count(distinct value_text || chr(31) || flag) over (partition by {_KEY}) > 1
        """
    )
    db.execute(
        """
        create view incomplete as
        select mn, st, cn, data_time, pnum, max(recv_time) as last_received, list(distinct pno order by pno) as have,
            list_filter(range(1, pnum + 1), lambda n: not list_contains(list(distinct cast(pno as bigint)), n)) as missing
        from lake_packets where pnum is not null and verdict in ('valid', 'findings')
        group by mn, st, cn, data_time, pnum having count(distinct pno) < pnum
        """
    )
    return db
