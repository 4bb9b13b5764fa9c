"""Damage in journal and lake: found, named, and rebuilt from the journal, which is the evidence.

A lake file is damaged when its bytes are not those of its name's digest. It is rebuilt from the segments that its name tells.
A file that is gone is seen by the packets: each accepted one states how many values it held, and they are counted in the lake.
A journal's torn tail (a crash before the sync: nothing in it was acknowledged) is set aside and cut; damage anywhere else in
a journal is named and left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lvheng.core.problem import Place, Problem, Severity
from lvheng.telemetry import journal
from lvheng.telemetry.devices import Registry
from lvheng.telemetry.ingest import STRETCH, Clock, Decoder, beyond
from lvheng.telemetry.lake import Lake, Origin, damage, day_of, origin_of, stem_of


@dataclass(slots=True)
class Repaired:
    """What was mended (names of lake files and journal tails), and what could not be."""

    mended: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def tails(journal_root: Path) -> list[tuple[str, Path, int]]:
    """Streams whose last segment ends in a block that is not whole: stream, segment, byte from which it is torn."""
    found = []
    for stream in journal.streams(journal_root):
        for path in journal.segments(journal_root, stream)[-1:]:
            _blocks, end = journal.read_blocks(path)
            if path.stat().st_size > end and not any(b.start >= end for b in journal.salvage(path)):
                found.append((stream, path, end))
    return found


def torn(stream: str, path: Path, end: int) -> Problem:
    return Problem(
        "telemetry.journal.torn", "原始日志末尾有未写完的内容", Severity.WARNING, place=Place(file=f"{stream}/{path.name}"),
        got=f"第{end}字节起{path.stat().st_size - end}字节", fix="运行 lvheng telemetry repair：另存后截去，其余不变",
    )  # fmt: skip


def verify(journal_root: Path, lake: Lake) -> list[Problem]:
    """Damage of the journal, torn tails (warnings), and damaged files of the lake."""
    problems = [p for s in journal.streams(journal_root) for p in journal.verify(journal_root, s)]
    problems += [torn(*t) for t in tails(journal_root)] + beyond(journal_root, lake)
    bad = lake.damaged_names()
    return [*problems, *map(damage, bad), *map(gone, missing(lake, bad, journal.streams(journal_root)))]


@dataclass(frozen=True, slots=True)
class Missing:
    """Values of one segment (``stream/segment``) that the lake's packets state and its values do not hold."""

    place: str
    values: int
    positions: frozenset[int]


def missing(lake: Lake, bad: Collection[str] = (), streams: Collection[str] | None = None) -> list[Missing]:
    """Segments of ``streams`` of which values are gone. ``bad``: damaged files; what those hold is not asked for twice.

    Days that were removed when their time was up (:mod:`.retention`) are not missed.
    """
    packets, values = ([f for f in lake.files(kind) if f.name not in bad] for kind in ("packets", "values"))
    if not packets:
        return []
    spoilt = {day_of(n) for n in bad if n.startswith("values/")}
    with duckdb.connect() as db:
        db.register("packets", lake.dataset(packets, "packets"))
        if values:
            db.register("had", lake.dataset(values))
        else:
            db.execute("create view had as select ''::varchar as journal, 0::bigint as position, 0 as seq where false")
        rows = db.execute(
            """
            select p.journal, p.position, p.n - coalesce(h.n, 0), p.day
            from (select journal, position, any_value("values") as n, any_value(cast(coalesce(data_time, recv_time) as date)) as day
                  from packets where verdict in ('valid', 'findings') and (data_time is not null or cn = 'energy')
                  group by all having any_value("values") > 0) p
            left join (select journal, position, count(distinct seq) as n from had group by all) h using (journal, position)
            where coalesce(h.n, 0) < p.n order by all
            """
        ).fetchall()
    expired = removed(lake)
    found: dict[str, dict[int, int]] = {}
    for place, position, n, day in rows:
        if (
            (streams is None or place.rsplit("/", 1)[0] in streams)
            and day not in spoilt
            and (expired is None or day > expired)
        ):
            found.setdefault(place, {})[position] = n
    return [Missing(place, sum(at.values()), frozenset(at)) for place, at in found.items()]


def removed(lake: Lake) -> date | None:
    """The last day of which values were removed because their time was up; None when none ever were."""
    notes = (json.loads(lake.store.read(f.name)) for f in lake.store.files("retained", ".json"))
    days = [day_of(i["name"]) for note in notes for i in note["removed"] if i["what"] in ("values", "energy")]
    return max(days, default=None)


def gone(what: Missing) -> Problem:
    return Problem(
        "telemetry.lake.missing", "数据湖缺少文件：报文已收，其中的数据不在数据湖中", place=Place(file=what.place),
        got=f"{len(what.positions)}个报文的{what.values}个数据缺失", fix="运行 lvheng telemetry repair 由原始日志重建",
    )  # fmt: skip


def repair(journal_root: Path, lake: Lake, registry: Registry, clock: Clock | None = None) -> Repaired:
    """Set torn tails aside and rebuild damaged lake files; the gateway must be stopped. Raises ProblemError when it is not."""
    done = Repaired()
    with journal.locked(journal_root):
        done.problems = [p for s in journal.streams(journal_root) for p in journal.verify(journal_root, s)]
        for stream, path, end in tails(journal_root):
            journal.cut(path, end)
            done.mended.append(f"{stream}/{path.name}")
        decoder = Decoder(journal_root, lake, registry, clock=clock)
        bad = lake.damaged_names()
        for name in bad:
            problem = _rebuild(decoder, name, set(bad))
            if problem is None or problem.severity is Severity.WARNING:
                done.mended.append(name)
            if problem is not None:
                done.problems.append(problem)
        streams = journal.streams(journal_root)
        unmended = set(bad) & set(lake.damaged_names())
        for what in missing(lake, unmended, streams):
            done.mended += _restore(decoder, what)
        done.problems += [
            Problem(
                "telemetry.lake.unrestored", "缺失的数据不能由原始日志全部重建", place=Place(file=left.place), got=f"仍缺{left.values}个数据",
                fix="核对设备登记（口令、方言）与当时一致后重试，或从备份恢复",
            )
            for left in missing(lake, unmended, streams)
        ]  # fmt: skip
    return done


def _restore(decoder: Decoder, what: Missing) -> list[str]:
    """Decode a segment again and write what the lake lacks of it; returns the files made."""
    path = decoder.journal_root / f"{what.place}.lvj"
    if not path.exists():
        return []
    key, made = ["journal", "position", "seq"], []
    wanted = pa.array(sorted(what.positions), pa.int64())
    held = [f for f in decoder.lake.files() if (o := origin_of(f.name)) and _covers(o, what.place)]
    sound = decoder.lake.dataset(held).to_table(columns=key, filter=pc.field("journal") == what.place) if held else None
    for stretch in _stretches(path):
        values, _packets, _ = decoder.decode(what.place, stretch)
        rows = values.filter(pc.is_in(values["position"], value_set=wanted))
        if sound is not None and rows.num_rows:
            rows = _without(rows, sound, key)
        if rows.num_rows:  # named after its first record: no stretch begins there
            first = pc.min(rows["position"]).as_py()
            made += decoder.lake.write_values(rows, f"{what.place.replace('/', '-')}-{first:012d}")
    return made


def _covers(origin: Origin, place: str) -> bool:
    stream, segment = place.rsplit("/", 1)
    return origin.stream == stream and origin.first <= int(segment) <= origin.last


def _rebuild(decoder: Decoder, name: str, bad: set[str]) -> Problem | None:
    """Decode again the segments a file came from, and publish the rows that no sound file of its partition holds."""
    origin = origin_of(name)
    paths = [] if origin is None else _segments(decoder.journal_root, origin)
    if origin is None or not paths:
        return Problem(
            "telemetry.lake.unrebuilt", "损坏的文件不能由本机的原始日志重建", place=Place(file=name), got=origin.stream if origin else "",
            fix="在写入该文件的网关所在机器上运行 lvheng telemetry repair，或从备份恢复",
        )  # fmt: skip
    lake = decoder.lake
    folder, kind = name.rsplit("/", 1)[0], name.split("/", 1)[0]
    rows = pa.concat_tables(_decoded(decoder, origin, paths, kind, day_of(name), _system(name))).unify_dictionaries()
    if not rows.num_rows:  # a file is never without rows: the register is not that of then
        return Problem(
            "telemetry.lake.empty", "原始日志中解不出该文件的数据，文件未动", place=Place(file=name), fix="核对设备登记（口令、方言）与当时一致后重试",
        )  # fmt: skip
    others = [
        f for f in lake.store.files(folder, ".parquet") if f.name not in bad and (o := origin_of(f.name)) and o.stream == origin.stream
    ]  # fmt: skip
    if others:
        key = ["journal", "position"] + (["seq"] if kind == "values" else [])
        rows = _without(rows, lake.dataset(others, kind).to_table(columns=key), key)
    before = _count(lake.store.read(name))
    made = lake.publish(rows, folder, stem_of(name)) if rows.num_rows else ""
    if made != name:
        lake.store.remove([name])
    if before is not None and rows.num_rows < before:
        return Problem(
            "telemetry.lake.fewer", "重建的数据比原文件所记的少", Severity.WARNING, place=Place(file=name), got=f"{rows.num_rows}条",
            wanted=f"{before}条", fix="原文件的条数可能已损坏，也可能设备登记已变；请核对",
        )  # fmt: skip
    return None


def _count(data: bytes) -> int | None:
    """How many rows a damaged file says it has, where that can still be read."""
    try:
        return pq.read_metadata(pa.BufferReader(data)).num_rows
    except (OSError, pa.ArrowInvalid):
        return None


def _segments(journal_root: Path, origin: Origin) -> list[Path]:
    """All segments of an origin; none when one of them is gone."""
    wanted = [journal_root / origin.stream / f"{n:08d}.lvj" for n in range(origin.first, origin.last + 1)]
    return wanted if all(p.exists() for p in wanted) else []


def _system(name: str) -> str | None:
    return name.split("/st=", 1)[1].split("/", 1)[0] if "/st=" in name else None


def _decoded(
    decoder: Decoder, origin: Origin, paths: list[Path], kind: str, day: date, st: str | None
) -> Iterator[pa.Table]:
    """The rows of a partition in some segments, without partition columns."""
    for path in paths:
        for stretch in _stretches(path):
            values, packets, _ = decoder.decode(f"{origin.stream}/{path.stem}", stretch)
            table = values if kind == "values" else packets
            mask = pc.equal(table["day"], pa.scalar(day, pa.date32()))
            if st is not None:
                mask = pc.and_(mask, pc.equal(table["st"].cast(pa.string()), st))
            yield table.filter(mask).drop_columns(["day", "st"] if kind == "values" else ["day"])


def _stretches(path: Path) -> Iterator[list[journal.Block]]:
    """The sound blocks of a segment, so many at a time as are decoded at once."""
    stretch: list[journal.Block] = []
    size = 0
    for block in journal.salvage(path):
        stretch.append(block)
        size += len(block.body)
        if size >= STRETCH:
            yield stretch
            stretch, size = [], 0
    if stretch:
        yield stretch


def _without(rows: pa.Table, sound: pa.Table, key: list[str]) -> pa.Table:
    """Rows whose reception is not among ``sound``."""
    plain = rows.select(key).set_column(0, "journal", rows["journal"].cast(pa.string()))
    plain = plain.append_column("at", pa.array(range(rows.num_rows), pa.int64()))
    keep = plain.join(sound, keys=key, join_type="left anti")["at"]
    return rows.take(keep.combine_chunks().sort())
