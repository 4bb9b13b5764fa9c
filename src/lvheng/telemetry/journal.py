"""The raw journal: append-only segments of hash-chained blocks, one block a group commit. It is the evidence; the lake
can always be rebuilt from it.

Segment file ``<stream>/<number>.lvj``::

    b"LVJSEG01" | u32 length | JSON header {stream, number, created, previous}       previous: hash of the last block before
    blocks: b"LVJB" | u32 body length | u32 records | 32 bytes previous hash | body | 32 bytes SHA-256(previous | head | body)
    record: u32 length | u64 microseconds since 1970 UTC | u32 connection | u8 kind | payload

The first block's previous hash is SHA-256 of the segment header, which holds the last hash of the segment before: one
chain over all segments of a stream. A block that is cut off at the end of the last segment is a torn tail (a crash before
the sync, so nothing in it was acknowledged): on opening it is cut away and kept beside the segment. A block that is bad
anywhere else is damage: it is named, never cut. A writer begins with a segment of its own, so that no place is used twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lvheng.core.problem import Place, Problem, ProblemError

_SEGMENT = b"LVJSEG01"
_BLOCK = b"LVJB"
_HEAD = struct.Struct("<4sII32s")
_RECORD = struct.Struct("<IQIB")
RECORD_HEAD = _RECORD.size

FRAME, REJECT, PEER, SENT, ENERGY = 1, 2, 3, 4, 5
"""Kinds: frame received, bytes rejected, connection opened (payload: peer), frame sent, energy upload received."""


class Record(NamedTuple):
    kind: int
    micros: int
    connection: int
    payload: bytes
    position: int  # of the record in its segment file


@dataclass(frozen=True, slots=True)
class Block:
    """A good block: its place in the file, body and record count."""

    start: int
    body_start: int
    body: bytes
    records: int

    def __iter__(self) -> Iterator[Record]:
        at, body = 0, self.body
        while at < len(body):
            length, micros, connection, kind = _RECORD.unpack_from(body, at)
            begin = at + RECORD_HEAD
            yield Record(kind, micros, connection, body[begin : begin + length], self.body_start + at)
            at = begin + length


def pack(kind: int, micros: int, connection: int, payload: bytes) -> bytes:
    """One record."""
    return _RECORD.pack(len(payload), micros, connection, kind) + payload


class Journal:
    """The writer of one stream. Not thread-safe: one commit at a time."""

    def __init__(self, root: Path, stream: str, *, segment_bytes: int = 256 << 20):
        self.directory = Path(root) / stream
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.directory)
        self.stream = stream
        self.segment_bytes = segment_bytes
        self.recovered = 0  # bytes of a torn tail set aside on opening
        self.damaged: Problem | None = None
        numbers = [int(p.stem) for p in self.directory.glob("*.lvj")]
        self._fd = -1
        self._last = b"\0" * 32
        self._size = 0
        self.number = max(numbers, default=0)
        if numbers:
            self._recover()  # and write on in a new segment, see there

    def _path(self, number: int) -> Path:
        return self.directory / f"{number:08d}.lvj"

    def _recover(self) -> None:
        """Find the hash to go on from; a torn tail is set aside and cut.

        No segment of an earlier life is written to again: a reader may have gone past the place where it ends now.
        """
        path = self._path(self.number)
        data = path.read_bytes()
        header = _segment_header(data)
        end = header[0] if header else 0
        self._last = hashlib.sha256(data[:end]).digest() if header else _hash_before(path)
        for block in _blocks(data, end):
            self._last, end = _hash_at(data, block), block.body_start + len(block.body) + 32
        if end == len(data):
            return
        later = _next_block(data, end)
        if later is None:
            cut(path, end)
            self.recovered = len(data) - end
            return
        self.damaged = damage(self.stream, path, end)  # not a tear: the file stays as it is
        while later is not None:
            self._last = _hash_at(data, later)
            later = _next_block(data, later.body_start + len(later.body) + 32)

    def _open_next(self) -> None:
        number = self.number + 1
        path = self._path(number)
        header = json.dumps(
            {
                "stream": self.stream,
                "number": number,
                "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "previous": self._last.hex(),
            }
        ).encode()
        data = _SEGMENT + struct.pack("<I", len(header)) + header
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            _write_all(fd, data)
            os.fdatasync(fd)
            _sync_directory(self.directory)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self.number, self._size = fd, number, len(data)
        self._last = hashlib.sha256(data).digest()

    def commit(self, records: list[bytes]) -> int:
        """Write the packed records as one block and sync it; returns bytes written.

        Raises OSError (disk full, ...): then nothing of the block is kept, and the next commit may be tried.
        """
        if not records:
            return 0
        if self._fd < 0 or self._size >= self.segment_bytes:
            self._open_next()
        body = b"".join(records)
        head = _HEAD.pack(_BLOCK, len(body), len(records), self._last)
        digest = hashlib.sha256(head)
        digest.update(body)
        block = head + body + digest.digest()
        written = False
        try:
            _write_all(self._fd, block)
            written = True
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            os.lseek(self._fd, self._size, os.SEEK_SET)
            if written:  # a reader may have seen the block: its place must not be used again
                self._size = self.segment_bytes
            raise
        self._size += len(block)
        self._last = digest.digest()
        return len(block)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _segment_header(data: bytes) -> tuple[int, dict[str, object]] | None:
    if not data.startswith(_SEGMENT) or len(data) < 12:
        return None
    end = 12 + struct.unpack_from("<I", data, 8)[0]
    try:
        return end, json.loads(data[12:end])
    except ValueError:
        return None


def _block_at(data: bytes, at: int) -> Block | None:
    """The block at ``at`` when it is whole and its hash fits."""
    if len(data) - at < _HEAD.size + 32:
        return None
    magic, length, records, _ = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    end = start + length
    if magic != _BLOCK or len(data) < end + 32:
        return None
    if hashlib.sha256(memoryview(data)[at:end]).digest() != data[end : end + 32]:
        return None
    return Block(at, start, data[start:end], records)


def _hash_at(data: bytes, block: Block) -> bytes:
    end = block.body_start + len(block.body)
    return data[end : end + 32]


def _blocks(data: bytes, at: int) -> Iterator[Block]:
    while (block := _block_at(data, at)) is not None:
        yield block
        at = block.body_start + len(block.body) + 32


def _next_block(data: bytes, at: int) -> Block | None:
    while (at := data.find(_BLOCK, at)) >= 0:
        if (block := _block_at(data, at)) is not None:
            return block
        at += 1
    return None


def cut(path: Path, end: int) -> None:
    """Cut a segment at byte ``end``; what was behind it is kept beside it as ``<segment>.torn-<end>``."""
    with path.open("r+b") as handle:
        handle.seek(end)
        with path.with_name(f"{path.name}.torn-{end}").open("ab") as aside:
            aside.write(handle.read())
            aside.flush()
            os.fsync(aside.fileno())
        _sync_directory(path.parent)
        handle.truncate(end)
        os.fsync(handle.fileno())


def _hash_before(path: Path) -> bytes:
    """The last hash of the segments before ``path``; empty ones (their header was torn) hold none."""
    before = [p for p in path.parent.glob("*.lvj") if int(p.stem) < int(path.stem) and p.stat().st_size]
    return _last_hash(max(before)) if before else _begun_after(path.parent)


def _last_hash(path: Path) -> bytes:
    data = path.read_bytes()
    if not data:
        return _hash_before(path)
    header = _segment_header(data)
    if header is None:
        raise ProblemError(damage(path.parent.name, path, 0))
    last = hashlib.sha256(data[: header[0]]).digest()
    for block in _blocks(data, header[0]):
        last = _hash_at(data, block)
    return last


def damage(stream: str, path: Path, at: int) -> Problem:
    return Problem(
        "telemetry.journal.damaged",
        "原始日志被改动或损坏",
        place=Place(file=f"{stream}/{path.name}"),
        got=f"自第{at}字节起校验不符",
        fix="请保留该文件作证据，从备份恢复后重建数据湖",
    )


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold every stream of a journal; ProblemError when a gateway writes to one."""
    held: list[int] = []
    try:
        for stream in streams(root):
            held.append(_lock(Path(root) / stream))
        yield
    finally:
        for fd in held:
            os.close(fd)


def _lock(directory: Path) -> int:
    fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise ProblemError(
            Problem(
                "telemetry.journal.locked",
                "原始日志正由另一个网关写入",
                got=directory.name,
                fix="请先停止另一个网关，或另取网关名称",
            )
        ) from None
    return fd


def segments(root: Path, stream: str) -> list[Path]:
    """Segment files of a stream in order."""
    return sorted((Path(root) / stream).glob("*.lvj"))


def streams(root: Path) -> list[str]:
    return sorted(p.name for p in Path(root).iterdir() if p.is_dir()) if Path(root).is_dir() else []


def read_blocks(path: Path, start: int = 0, most: int = 0) -> tuple[list[Block], int]:
    """Good blocks from byte ``start`` (0: the first) and the byte after the last one.

    Stops at the first that is not whole, and once ``most`` bytes (0: any number) have been passed.
    """
    with path.open("rb") as handle:
        if start == 0:
            head = handle.read(12)
            if len(head) < 12 or not head.startswith(_SEGMENT):
                return [], 0
            start = 12 + struct.unpack_from("<I", head, 8)[0]
        handle.seek(start)
        data = handle.read(most + (8 << 20)) if most else handle.read()
        if most and len(data) > most and _block_at(data, 0) is None:
            data += handle.read()  # a block longer than usual, written while the disk was slow
    blocks = []
    end = 0
    for block in _blocks(data, 0):
        blocks.append(Block(block.start + start, block.body_start + start, block.body, block.records))
        end = block.body_start + len(block.body) + 32
        if most and end >= most:
            break
    return blocks, start + end


def verify(root: Path, stream: str) -> list[Problem]:
    """Check the whole chain of a stream. A torn tail of the last segment is a notice by the writer's rule, not damage."""
    problems = []
    before: bytes | None = _begun_after(Path(root) / stream)
    files = segments(root, stream)
    for index, path in enumerate(files):
        data = path.read_bytes()
        if not data:
            continue  # its header was torn, before anything was acknowledged
        header = _segment_header(data)
        if header is None:
            if index < len(files) - 1:
                problems.append(damage(stream, path, 0))
            before = None
            continue
        if before is not None and header[1].get("previous") != before.hex():
            problems.append(damage(stream, path, 0))
        last, at = hashlib.sha256(data[: header[0]]).digest(), header[0]
        while at < len(data):
            block = _block_at(data, at)
            if block is None or _HEAD.unpack_from(data, at)[3] != last:
                later = block or _next_block(data, at + 1)
                if later is None and index == len(files) - 1:
                    break  # torn tail
                problems.append(damage(stream, path, at))
                if later is None:
                    break
                block = later
            last = _hash_at(data, block)
            at = block.body_start + len(block.body) + 32
        before = last
    return problems


def prune(path: Path) -> None:
    """Remove the oldest segment of a stream, keeping the hash that the next one follows on in ``pruned.json``."""
    note = json.dumps({"number": int(path.stem), "last": _last_hash(path).hex()})
    draft = path.with_name("pruned.draft")
    with draft.open("w") as handle:
        handle.write(note)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(path.with_name("pruned.json"))
    _sync_directory(path.parent)
    path.unlink()


def _begun_after(directory: Path) -> bytes:
    """The hash that the oldest segment there follows on: zeros, or that of the last segment pruned."""
    try:
        note = json.loads((directory / "pruned.json").read_text())
    except FileNotFoundError:
        return b"\0" * 32
    first = min((int(p.stem) for p in directory.glob("*.lvj")), default=0)
    # pruned but not yet removed: the segment still begins the chain by its own header
    return bytes.fromhex(note["last"]) if first > note["number"] else _previous(directory / f"{first:08d}.lvj")


def _previous(path: Path) -> bytes:
    header = _segment_header(path.read_bytes())
    return bytes.fromhex(str(header[1]["previous"])) if header else b"\0" * 32


def salvage(path: Path) -> list[Block]:
    """Every good block of a segment, also beyond damage."""
    data = path.read_bytes()
    header = _segment_header(data)
    out, at = [], header[0] if header else 0
    while (block := _next_block(data, at)) is not None:
        out.append(block)
        at = block.body_start + len(block.body) + 32
    return out
