"""The lake: decoded values as Parquet, by day of the data and system, in a folder or an object store (:mod:`.storage`).

Layout (hive partitions)::

    <lake>/values/day=2026-06-01/st=31/<name>.<digest>.parquet    VALUES, one row a value
    <lake>/packets/day=2026-06-01/<name>.<digest>.parquet         PACKETS, one row a packet or rejected stretch, by day received
    <lake>/checkpoint/<stream>.json                               how far each stream of a journal is decoded
    <lake>/retained/<time>.json                                   what was removed when its time was up (:mod:`.retention`)

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
    and the partition columns day (date) and st (text).

A reception is (day, st, journal, position, seq): one row, whatever files it stands in. The key of a value is (mn, st, cycle,
code, suffix, data_time). The same key with the same text and flag is a duplicate (counted); with another, a revision: all are
kept, the one received last is effective. A packet sent again (same QN, text and flag) is a duplicate also when a revision came
between: it counts as received when it first was, and undoes nothing. Read through :func:`connect`, which gives the views ``lake_values`` (every
reception), ``effective`` (one row a key, with ``revisions`` and ``received``), ``revised`` (all rows of keys with more than
one text), ``lake_packets`` and ``incomplete`` (split packets, joined by mn, st, cn, data_time and pnum, of which parts are
missing; parts are decoded and stored one by one).

Names begin with the place in the journal (``g00-00000001-000000000064``, or ``g00-00000001-to-00000003`` once merged) and end
with the first 16 digits of the file's SHA-256: decoding a stretch again replaces, a changed byte anywhere is seen, and several
gateways, each with streams of its own, write to one lake without knowing of each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.telemetry.storage import File, Store

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
_NAMED = re.compile(r"(?P<stream>.+)-(?P<first>\d{8})(-\d{12}|-to-(?P<last>\d{8}))$")
_SHAPES = {"values": (VALUES, ("day", "st")), "packets": (PACKETS, ("day",))}
_ONE = {"values": "journal, position, seq", "packets": "journal, position"}
_ORDER = {
    "values": "mn, cycle, code, suffix, data_time, recv_time, journal, position, seq",
    "packets": "journal, position",
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file's rows come from: a stream of a journal and its segments, first and last."""

    stream: str
    first: int
    last: int


def stem_of(name: str) -> str:
    """A file's name without folders, digest and ending."""
    return name.rsplit("/", 1)[-1].split(".", 1)[0]


def origin_of(name: str) -> Origin | None:
    """The origin that a file's name tells; None for files that no journal stands behind."""
    found = _NAMED.match(stem_of(name))
    if found is None:
        return None
    first = int(found["first"])
    return Origin(found["stream"], first, int(found["last"] or first))


def day_of(name: str) -> date:
    """The day of the partition that a file stands in."""
    return date.fromisoformat(name.split("day=", 1)[1].split("/", 1)[0])


def lake_of(data: Path) -> Path | str:
    """The lake of a gateway's data directory: the place named by ``LVHENG_LAKE``, else its folder ``lake``."""
    return os.environ.get("LVHENG_LAKE") or data / "lake"


class Lake:
    """A lake in a folder or an object store."""

    def __init__(self, root: Path | str):
        self.store = Store(root)
        self.root = self.store.place

    def write_values(self, table: pa.Table, name: str) -> list[str]:
        """One file for each (day, st) of ``table``, replacing those of the same name; returns the names below the lake."""
        return [
            self.publish(part.drop_columns(["day", "st"]), f"values/day={day}/st={st}", name)
            for day, st, part in _split(table)
        ]

    def write_packets(self, table: pa.Table, name: str) -> list[str]:
        """One file for each day received, as :meth:`write_values`."""
        out = []
        for day in sorted(pc.unique(table["day"]).to_pylist()):
            part = table.filter(pc.equal(table["day"], pa.scalar(day, pa.date32()))).drop_columns(["day"])
            out.append(self.publish(part, f"packets/day={day}", name))
        return out

    def publish(self, table: pa.Table, folder: str, stem: str) -> str:
        """Write one file whole under its digest, then remove what stood there under the same stem."""
        buffer = pa.BufferOutputStream()
        pq.write_table(table, buffer, compression="zstd", write_page_checksum=True)
        data = buffer.getvalue()
        name = f"{folder}/{stem}.{hashlib.sha256(data).hexdigest()[:16]}.parquet"
        before = [f.name for f in self.store.files(folder, ".parquet") if stem_of(f.name) == stem and f.name != name]
        self.store.write(name, data)
        self.store.remove(before)
        return name

    def files(self, kind: str = "values", first: date | None = None, last: date | None = None) -> list[File]:
        """Parquet files of the days from first to last, in order of name."""
        if first is not None and first == last:
            return self.store.files(f"{kind}/day={first}", ".parquet")
        found = self.store.files(kind, ".parquet")
        return [
            f for f in found if (first is None or day_of(f.name) >= first) and (last is None or day_of(f.name) <= last)
        ]

    def dataset(self, files: Sequence[File], kind: str = "values") -> ds.Dataset:
        """Files as one table with its partition columns, read when asked for."""
        schema, parts = _SHAPES[kind]
        hive = ds.partitioning(pa.schema([(n, plain(schema).field(n).type) for n in parts]), flavor="hive")
        return ds.dataset(
            [self.store.path(f.name) for f in files], schema=plain(schema), filesystem=self.store.fs, format="parquet",
            partitioning=hive, partition_base_dir=self.store.path(kind),
        )  # fmt: skip

    def damaged(self) -> list[Path | str]:
        """Files whose bytes are not those that were written; ``lvheng telemetry repair`` rebuilds them from the journal."""
        return [self.store.where(name) for name in self.damaged_names()]

    def damaged_names(self) -> list[str]:
        """As :meth:`damaged`, by the names below the lake."""
        found = (f.name for kind in _SHAPES for f in self.store.files(kind, ".parquet"))
        return [name for name in found if not self._sound(name)]

    def _sound(self, name: str) -> bool:
        data = self.store.read(name)
        parts = name.rsplit("/", 1)[-1].split(".")
        if len(parts) == 3:
            return hashlib.sha256(data).hexdigest().startswith(parts[1])
        try:
            pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        except (OSError, pa.ArrowInvalid):
            return False
        return True

    def partitions(
        self, kind: str = "values", first: date | None = None, last: date | None = None
    ) -> dict[str, list[File]]:
        """Folder of each partition → its files."""
        found: dict[str, list[File]] = {}
        for file in self.files(kind, first, last):
            found.setdefault(file.name.rsplit("/", 1)[0], []).append(file)
        return found

    def compact(self, day: date, st: str) -> list[str]:
        """Merge a partition of values: see :meth:`merge`."""
        folder = f"values/day={day}/st={st}"
        return self.merge("values", folder, self.store.files(folder, ".parquet"))

    def merge(self, kind: str, folder: str, files: Sequence[File]) -> list[str]:
        """Merge a partition's files, one for each stream; every reception is kept, once. Returns the files made.

        The merged file stands before what it replaces is removed: a reader meets a reception twice at most, and views and
        roll-ups count it once. What an interrupted run has left is removed by the next.
        """
        names = {f.name for f in files}
        for file in files:
            left = names & {f"{folder}/{n}" for n in self._inputs(file.name)}
            self.store.remove(left)
            names -= left
        streams: dict[str, list[str]] = {}
        for name in sorted(names):
            origin = origin_of(name)
            if origin is not None:
                streams.setdefault(origin.stream, []).append(name)
        made = []
        for stream, mine in streams.items():
            if len(mine) < 2:
                continue
            if bad := [n for n in mine if not self._sound(n)]:
                raise ProblemError([damage(n) for n in bad])
            origins = [o for n in mine if (o := origin_of(n))]
            stem = f"{stream}-{min(o.first for o in origins):08d}-to-{max(o.last for o in origins):08d}"
            table = self.receptions(kind, [File(n) for n in mine])
            inputs = json.dumps([n.rsplit("/", 1)[1] for n in mine])
            made.append(self.publish(table.replace_schema_metadata({_INPUTS: inputs}), folder, stem))
            self.store.remove(n for n in mine if n != made[-1])
        return made

    def _inputs(self, name: str) -> list[str]:
        if "-to-" not in stem_of(name):
            return []
        with self.store.fs.open_input_file(self.store.path(name)) as handle:
            return list(json.loads((pq.read_schema(handle).metadata or {}).get(_INPUTS, b"[]")))

    def receptions(self, kind: str, files: Sequence[File]) -> pa.Table:
        """All receptions in files of one partition, each once, in the lake's order, without the partition columns."""
        schema, parts = _SHAPES[kind]
        stored = pa.schema([f for f in schema if f.name not in parts])
        with duckdb.connect() as db:
            db.register("files", self.dataset(files, kind))
            columns = ", ".join(f'"{n}"' for n in stored.names)
            found = db.sql(
                f"select {columns} from (select distinct on ({_ONE[kind]}) {columns} from files) order by {_ORDER[kind]}"
            )
            return found.to_arrow_table().cast(stored)


def damage(name: str) -> Problem:
    """A damaged file, as it is said."""
    return Problem(
        "telemetry.lake.damaged", "数据湖文件损坏", place=Place(file=name), got="内容与写入时不符", fix="运行 lvheng telemetry repair 由原始日志重建"
    )  # fmt: skip


def plain(schema: pa.Schema) -> pa.Schema:
    """A schema with text where the lake's files hold dictionaries."""
    return pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema])


def _split(table: pa.Table) -> Iterable[tuple[date, str, pa.Table]]:
    table = table.unify_dictionaries()
    keys = table.select(["day", "st"]).group_by(["day", "st"]).aggregate([]).to_pylist()
    if len(keys) == 1:
        yield keys[0]["day"], keys[0]["st"], table
        return
    for key in sorted(keys, key=lambda k: (k["day"], k["st"])):
        mask = pc.and_(pc.equal(table["day"], pa.scalar(key["day"], pa.date32())), pc.equal(table["st"], key["st"]))
        yield key["day"], key["st"], table.filter(mask)


def connect(root: Path | str) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the lake's views; a lake without files has empty views."""
    db = duckdb.connect()
    lake = Lake(root)
    for kind, (schema, parts) in _SHAPES.items():
        files = lake.files(kind)
        if files and lake.store.local is not None:
            types = ", ".join(f"'{n}': {'date' if n == 'day' else 'varchar'}" for n in parts)
            pattern = str(lake.store.local / kind / "**" / "*.parquet").replace("'", "''")
            source = f"read_parquet('{pattern}', hive_partitioning=true, hive_types={{{types}}}, union_by_name=true)"
        else:
            source = f"files_{kind}"
            db.register(source, lake.dataset(files, kind) if files else plain(schema).empty_table())
        columns = ", ".join(f'"{n}"' for n in schema.names)
        db.execute(f"create view lake_{kind} as select {columns} from {source}")
    once = f"select distinct on (day, st, {_ONE['values']}) * from lake_values"
    db.execute(
        f"""
        create view effective as
        select * exclude (again) from (
            select *, count(*) over (partition by {_KEY}) as received,
                count(distinct value_text || chr(31) || flag) over (partition by {_KEY}) as revisions,
                row_number() over (partition by {_KEY}, qn, value_text, flag order by recv_time, journal, position, seq) as again
            from ({once}))
        where again = 1 or qn = ''
        qualify row_number() over (partition by {_KEY} order by recv_time desc, journal desc, position desc, seq desc) = 1
        """
    )
    db.execute(
        f"""
        create view revised as
        select * from ({once})
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
