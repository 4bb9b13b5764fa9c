"""From the journal to the lake: decode what is on stable storage, in stretches that can be repeated without doubling.

The place reached in each stream is kept in ``<lake>/checkpoint/<stream>.json`` and written after the files. A stretch that
is decoded again starts at the same place and never ends earlier, so its files (named after the start) replace the old ones.
Several gateways on several machines may write to one lake: a stream's name belongs to the journal that used it first.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa

from lvheng.core.problem import Place, Problem
from lvheng.telemetry import hj212, journal
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import Device, Registry, admitted
from lvheng.telemetry.energy_gateway.adapter import Adapter
from lvheng.telemetry.lake import PACKETS, VALUES, Lake, origin_of
from lvheng.telemetry.live import LiveStore

log = logging.getLogger("lvheng.gateway")

STRETCH = 16 << 20  # bytes of journal decoded at once; constant, see above


@dataclass(frozen=True, slots=True)
class Clock:
    """Data further from the time of reception are quarantined: a clock years off must not open days in the lake."""

    past: timedelta = timedelta(days=400)
    future: timedelta = timedelta(days=1)

    def near(self, data_time: datetime, received: datetime) -> bool:
        return received - self.past <= data_time <= received + self.future


@dataclass(slots=True)
class Batch:
    """Rows of one stretch under construction, column by column."""

    values: dict[str, list[Any]] = field(default_factory=lambda: {n: [] for n in VALUES.names})
    packets: dict[str, list[Any]] = field(default_factory=lambda: {n: [] for n in PACKETS.names})
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter)

    def tables(self) -> tuple[pa.Table, pa.Table]:
        return pa.table(self.values, schema=VALUES), pa.table(self.packets, schema=PACKETS)


def refuse(packet: hj212.Packet, device: Device | None, received: datetime, clock: Clock) -> str:
    """The gateway's own reason to quarantine a packet: '' or unknown_device, password, clock."""
    reason = admitted(device, packet.pw)
    if not reason and packet.data_time is not None and not clock.near(packet.data_time, received):
        reason = "clock"
    return reason


def add_frame(
    batch: Batch, raw: bytes, registry: Registry, received: datetime, place: tuple[str, int, int], clock: Clock
) -> hj212.Packet | None:
    """Decode one journalled frame into ``batch``. ``place`` is (journal, position, connection)."""
    device = registry.get(_mn_of(raw))
    dialect = device.dialect if device else hj212.STANDARD
    items = hj212.Framer(dialect).feed(raw, final=True)
    frame = items[0] if items else None
    if not isinstance(frame, hj212.Frame):
        problem = frame.problem.code.removeprefix("hj212.") if frame else "truncated"
        _packet_row(batch, None, "rejected", [problem], received, place)
        return None
    packet = hj212.decode_frame(frame._replace(eol=None), dialect)
    names = [p.code.removeprefix("hj212.") for p in packet.findings]
    reason = refuse(packet, device, received, clock)
    verdict = "invalid" if reason or packet.quarantined else packet.verdict
    if reason:
        names.append(reason)
        batch.alarms[reason, packet.mn] += 1
    _packet_row(batch, packet, verdict, names, received, place)
    if verdict != "invalid" and packet.data_time is not None:
        _value_rows(batch.values, packet, received, place)
    return packet


def _mn_of(raw: bytes) -> str:
    return hj212.peek(raw[6:]).mn.decode("utf-8", "replace")


def _packet_row(
    batch: Batch,
    packet: hj212.Packet | None,
    verdict: str,
    names: list[str],
    received: datetime,
    place: tuple[str, int, int],
) -> None:
    p = batch.packets
    p["mn"].append(packet.mn if packet else "")
    p["st"].append(packet.st if packet else "")
    p["cn"].append(packet.cn if packet else "")
    p["qn"].append(packet.qn if packet else "")
    p["data_time"].append(packet.data_time if packet else None)
    p["verdict"].append(verdict)
    p["findings"].append(",".join(sorted(set(names))))
    p["values"].append(len(packet.values) if packet else 0)
    p["late"].append(packet.late if packet else False)
    p["pnum"].append(packet.pnum if packet else None)
    p["pno"].append(packet.pno if packet else None)
    p["connection"].append(place[2])
    p["recv_time"].append(received)
    p["journal"].append(place[0])
    p["position"].append(place[1])
    p["day"].append(received.date())


def _value_rows(v: dict[str, list[Any]], packet: hj212.Packet, received: datetime, place: tuple[str, int, int]) -> None:
    command = hj212.tables().commands.get(packet.cn)
    n = len(packet.values)
    assert packet.data_time is not None
    for name, same in (
        ("mn", packet.mn),
        ("cn", packet.cn),
        ("cycle", command.cycle if command and command.cycle else "other"),
        ("data_time", packet.data_time),
        ("late", packet.late),
        ("qn", packet.qn),
        ("part", packet.pno or 0),
        ("recv_time", received),
        ("journal", place[0]),
        ("position", place[1]),
        ("day", packet.data_time.date()),
        ("st", _system(packet.st)),
    ):
        v[name].extend([same] * n)
    v["seq"].extend(range(n))
    for value in packet.values:
        v["code"].append(value.code)
        v["suffix"].append(value.suffix)
        v["value_text"].append(value.text)
        v["value"].append(value.number)
        v["flag"].append(value.flag)
        v["code_sent"].append(value.code_sent)


def _system(st: str) -> str:
    """ST as a partition name: two or three letters or digits, anything else is kept under 00."""
    return st if 1 <= len(st) <= 3 and st.isascii() and st.isalnum() else "00"


class Decoder:
    """Moves all streams of a journal into a lake. One decoder a journal at a time; many may share a lake."""

    def __init__(
        self,
        journal_root: Path,
        lake: Lake,
        registry: Registry,
        live: LiveStore | None = None,
        clock: Clock | None = None,
        *,
        compiled: bool = True,
    ):
        self.journal_root = Path(journal_root)
        self.lake = lake
        self.registry = registry
        self.live = live
        self.clock = clock or Clock()
        self.records = 0
        self._own: set[str] = set()
        self.failing: dict[str, str] = {}  # streams whose last step failed, and of what
        self.refused: dict[str, Problem] = {}  # streams that another journal's are in the lake under the name of
        self._kernel: Any = None
        if compiled:
            from lvheng.telemetry.hj212 import kernel

            self._kernel = kernel if kernel.AVAILABLE else None

    def reached(self, stream: str) -> tuple[int, int]:
        """Segment number and byte up to which a stream is in the lake."""
        data = checkpoint(self.lake, stream)
        return data.get("segment", 1), data.get("position", 0)

    def _reach(self, stream: str, segment: int, position: int) -> None:
        reach(self.lake, stream, segment, position, journal_id(self.journal_root, stream))

    def _mine(self, stream: str) -> bool:
        """Whether the stream's name in the lake is this journal's; if not, it is left alone and said once."""
        if stream in self._own:
            return True
        found, mine = checkpoint(self.lake, stream), journal_id(self.journal_root, stream)
        if found.get("journal") is None:  # claimed before anything is written under the name
            reach(self.lake, stream, found.get("segment", 1), found.get("position", 0), mine)
            found = checkpoint(self.lake, stream)
        if found["journal"] == mine:
            self._own.add(stream)
            return True
        if stream not in self.refused:
            self.refused[stream] = Problem(
                "telemetry.lake.stream", "数据湖中已有另一网关使用同一名称", place=Place(file=f"{self.journal_root.name}/{stream}"),
                got=stream, wanted="各网关名称互不相同",
                fix="停止网关，用 --name 另取网关名称，并把该日志目录改成新名称加原来的两位序号；已应答的数据都在日志中，改名后会解入数据湖。",
            )  # fmt: skip
            log.error("%s", self.refused[stream])
        return False

    def step(self) -> int:
        """Decode one stretch of every stream; returns the number of records moved.

        A stream that fails does not hold up the others: it is logged, and its error raised once nothing else moves.
        """
        moved, failure = 0, None
        for stream in journal.streams(self.journal_root):
            try:
                moved += self._step(stream) if self._mine(stream) else 0
                self.failing.pop(stream, None)
            except Exception as error:
                failure = failure or error
                if self.failing.get(stream) != repr(error):
                    self.failing[stream] = repr(error)
                    log.exception("原始日志%s未能解入数据湖，稍后再试", stream)
        if failure is not None and not moved:
            raise failure
        return moved

    def run(self) -> int:
        """Decode until nothing is left."""
        total = 0
        while moved := self.step():
            total += moved
        return total

    def _step(self, stream: str) -> int:
        segment, position = self.reached(stream)
        path = self.journal_root / stream / f"{segment:08d}.lvj"
        if not path.exists():
            numbers = [int(p.stem) for p in journal.segments(self.journal_root, stream)]
            later = min((n for n in numbers if n > segment), default=None)
            if later is None:
                return 0
            self._reach(stream, later, 0)  # what was before it is pruned, its time being up
            return self._step(stream)
        blocks, end = journal.read_blocks(path, position, STRETCH)
        if not blocks:
            following = path.with_name(f"{segment + 1:08d}.lvj")
            if not following.exists():
                return 0
            if position > path.stat().st_size:
                log.error("%s", short(stream, path, position))
            rest = [b for b in journal.salvage(path) if b.start >= end]
            if not rest:
                self._reach(stream, segment + 1, 0)
                return self._step(stream)
            blocks, end = rest, rest[-1].body_start + len(rest[-1].body) + 32  # beyond damage
        self.decode_blocks(stream, segment, position, blocks)
        self._reach(stream, segment, end)
        return sum(b.records for b in blocks)

    def decode_blocks(self, stream: str, segment: int, position: int, blocks: Sequence[journal.Block]) -> None:
        name = f"{stream}-{segment:08d}-{position:012d}"
        place = f"{stream}/{segment:08d}"
        values, packets, alarms = self.decode(place, blocks)
        if values.num_rows:
            self.lake.write_values(values, name)
        if packets.num_rows:
            self.lake.write_packets(packets, name)
        if self.live is not None:
            self.live.update(values)
            if alarms:
                now = packets["recv_time"][-1].as_py().strftime("%Y-%m-%d %H:%M:%S")
                self.live.alarm([(kind, subject, now, n) for (kind, subject), n in alarms.items()])
        self.records += sum(b.records for b in blocks)

    def decode(
        self, place: str, blocks: Sequence[journal.Block]
    ) -> tuple[pa.Table, pa.Table, Counter[tuple[str, str]]]:
        """Values, packets and alarms of some blocks of the segment ``place``; nothing is written."""
        decode = decode_plain if self._kernel is None else self._kernel.decode_blocks
        try:
            return decode(place, blocks, self.registry, self.clock)
        except (OSError, sqlite3.Error):  # of the machine, not of the data
            raise
        except Exception:
            log.exception("原始日志%s中有不能解码的记录，改为逐条解码", place)
            return decode_singly(place, [r for b in blocks for r in b], self.registry, self.clock)


def checkpoint(lake: Lake, stream: str) -> dict[str, Any]:
    """How far a stream is in the lake: segment, position, and the journal it belongs to; empty when it is not there yet."""
    try:
        return dict(json.loads(lake.store.read(f"checkpoint/{stream}.json")))
    except FileNotFoundError:
        return {}


def reach(lake: Lake, stream: str, segment: int, position: int, of: str) -> None:
    """Write down how far a stream of the journal ``of`` is in the lake."""
    lake.store.write(
        f"checkpoint/{stream}.json", json.dumps({"segment": segment, "position": position, "journal": of}).encode()
    )


def short(stream: str, path: Path, position: int) -> Problem:
    return Problem(
        "telemetry.journal.short", "原始日志比已解入数据湖的部分短，其末尾已被截去", place=Place(file=f"{stream}/{path.name}"),
        got=f"{path.stat().st_size}字节", wanted=f"至少{position}字节", fix="请从备份恢复该文件；截去的部分只存于数据湖",
    )  # fmt: skip


def beyond(journal_root: Path, lake: Lake) -> list[Problem]:
    """Streams of this journal whose place reached in the lake lies behind the end of its segment."""
    problems = []
    for stream in journal.streams(journal_root):
        at = checkpoint(lake, stream)
        path = Path(journal_root) / stream / f"{at.get('segment', 0):08d}.lvj"
        if (
            path.exists()
            and at.get("journal") == journal_id(journal_root, stream)
            and at["position"] > path.stat().st_size
        ):
            problems.append(short(stream, path, at["position"]))
    return problems


def journal_id(journal_root: Path, stream: str) -> str:
    """A name of this very stream, made up when it is first decoded and kept beside its segments."""
    path = Path(journal_root) / stream / "id"
    try:
        return path.read_text()
    except FileNotFoundError:
        made = uuid.uuid4().hex
        draft = path.with_name(f"id.{made}")
        draft.write_text(made)
        try:
            path.hardlink_to(draft)  # the first of two decoders wins, and never is half a name read
        except FileExistsError:
            made = path.read_text()
        finally:
            draft.unlink()
        return made


def decode_plain(
    place: str, blocks: Iterable[journal.Block], registry: Registry, clock: Clock
) -> tuple[pa.Table, pa.Table, Counter[tuple[str, str]]]:
    """Values, packets and alarms of some blocks, in plain Python."""
    batch = Batch()
    for block in blocks:
        for record in block:
            add_record(batch, record, registry, place, clock)
    return (*batch.tables(), batch.alarms)


def decode_singly(
    place: str, records: Sequence[journal.Record], registry: Registry, clock: Clock
) -> tuple[pa.Table, pa.Table, Counter[tuple[str, str]]]:
    """The same where decoding some record fails: that one is quarantined as ``undecodable``, the others are decoded."""
    batch = Batch()
    try:
        for record in records:
            add_record(batch, record, registry, place, clock)
        return (*batch.tables(), batch.alarms)
    except (OSError, sqlite3.Error):
        raise
    except Exception:
        if len(records) > 1:
            half = len(records) // 2
            one, two = (decode_singly(place, part, registry, clock) for part in (records[:half], records[half:]))
            values, packets = (pa.concat_tables([one[n], two[n]]).unify_dictionaries() for n in (0, 1))
            return values, packets, one[2] + two[2]
    (record,) = records
    log.error("原始日志%s第%d字节的记录不能解码，已隔离", place, record.position)
    batch = Batch()
    where = (place, record.position, record.connection)
    _packet_row(batch, None, "rejected", ["undecodable"], local_time(record.micros), where)
    return (*batch.tables(), batch.alarms)


def add_record(
    batch: Batch, record: journal.Record, registry: Registry, place: str, clock: Clock
) -> hj212.Packet | None:
    """Add one record's rows; returns the packet when there is one."""
    received = local_time(record.micros)
    where = (place, record.position, record.connection)
    if record.kind == journal.FRAME:
        return add_frame(batch, record.payload, registry, received, where, clock)
    if record.kind == journal.ENERGY:
        _add_energy(batch, record.payload, received, where, clock)
    elif record.kind == journal.REJECT:
        _packet_row(batch, None, "rejected", [reject_reason(record.payload)], received, where)
    return None


ENERGY_SYSTEM = "E0"
"""System of energy uploads in the lake: HJ 212 leaves A0 to Z9 free."""


def _add_energy(batch: Batch, body: bytes, received: datetime, place: tuple[str, int, int], clock: Clock) -> None:
    """An energy upload: the device is ``enterprise/device``, the suffix is Val, the flag N or, where marked invalid, D."""
    upload = _adapter().read(body)
    mn = f"{upload.enterprise}/{upload.device}"
    names = sorted({p.code.removeprefix("telemetry.") for p in upload.problems})
    taken = [i for i in upload.items if clock.near(i.time, received)]
    if len(taken) < len(upload.items):
        names.append("clock")
        batch.alarms["clock", mn] += 1
    p = batch.packets
    for name, value in (
        ("mn", mn), ("st", ENERGY_SYSTEM), ("cn", "energy"), ("qn", ""), ("data_time", None),
        ("verdict", "invalid" if not taken else "findings" if names else "valid"), ("findings", ",".join(names)),
        ("values", len(taken)), ("late", False), ("pnum", None), ("pno", None), ("connection", place[2]),
        ("recv_time", received), ("journal", place[0]), ("position", place[1]), ("day", received.date()),
    ):  # fmt: skip
        p[name].append(value)
    v = batch.values
    for seq, item in enumerate(taken):
        for column, one in (
            ("mn", mn), ("cn", "energy"), ("cycle", item.cycle), ("data_time", item.time), ("code", item.code),
            ("code_sent", item.code), ("suffix", "Val"), ("value_text", item.text), ("value", float(item.value)),
            ("flag", "N" if item.valid else "D"), ("late", False), ("qn", ""), ("part", 0), ("recv_time", received),
            ("journal", place[0]), ("position", place[1]), ("seq", seq), ("day", item.time.date()),
            ("st", ENERGY_SYSTEM),
        ):  # fmt: skip
            v[column].append(one)


@cache
def _adapter() -> Adapter:
    return Adapter()


def reject_reason(raw: bytes) -> str:
    items = hj212.Framer().feed(raw, final=True)
    first = items[0] if items else None
    return first.problem.code.removeprefix("hj212.") if isinstance(first, hj212.Reject) else "noise"


def _newest(paths: Sequence[Path], most: int = 256 << 20) -> Sequence[Path]:
    """The last segments, in order, of at most so many bytes, but one at least."""
    sizes = accumulate(p.stat().st_size for p in reversed(paths))
    return paths[len(paths) - max(1, sum(size <= most for size in sizes)) :] if paths else paths


def recent(
    journal_root: Path, mn: str, dialect: hj212.Dialect, most: int = 500
) -> tuple[list[hj212.Packet], list[hj212.Reject]]:
    """The last packets of a device and its rejected stretches, from the newest segments of each stream."""
    packets: list[hj212.Packet] = []
    rejects: list[hj212.Reject] = []
    mark = f"MN={mn};".encode()
    for stream in journal.streams(journal_root):
        for path in _newest(journal.segments(journal_root, stream)):
            for block in journal.read_blocks(path)[0]:
                for record in block:
                    if record.kind in (journal.FRAME, journal.REJECT) and mark in record.payload:
                        for item in hj212.decode(record.payload + b"\r\n", dialect):
                            (packets if isinstance(item, hj212.Packet) else rejects).append(item)  # type: ignore[arg-type]
    return packets[-most:], rejects[-most:]


def rebuild(journal_root: Path, lake: Lake, registry: Registry, clock: Clock | None = None) -> list[Problem]:
    """Throw the journal's decoded files away and decode the whole of it again; returns the damage found on the way.

    Good blocks beyond damage are kept; what the damage took is named. Files of other journals stay, as do those of
    segments that are pruned.
    """
    streams = journal.streams(journal_root)
    problems = [p for s in streams for p in journal.verify(journal_root, s)]
    decoder = Decoder(journal_root, lake, registry, clock=clock)
    own = {
        s: min((int(p.stem) for p in journal.segments(journal_root, s)), default=0) for s in streams if decoder._mine(s)
    }
    for kind in ("values", "packets"):
        names = [f.name for f in lake.store.files(kind, ".parquet")]
        lake.store.remove(n for n in names if (o := origin_of(n)) and o.first >= own.get(o.stream, o.last + 1))
    lake.store.remove(f"checkpoint/{s}.json" for s in own)
    decoder.run()
    return [*problems, *decoder.refused.values()]
