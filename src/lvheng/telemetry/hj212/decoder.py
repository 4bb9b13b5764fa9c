"""Decoding frames, with a quick way for packets that look like ones already understood.

A device sends the same header (but for QN) and the same items in the same order again and again. What the full parser
found in the header is remembered by its text, and the shape of a data area is compiled into one regular expression that
matches only where the full parser would find nothing in the values but decimals beyond the table's number: standard
decimals, known flag letters, times of 14 digits; then values must lie in the plausible range and means between least and
greatest. Whatever does not match goes to the full parser, so both ways give the same packet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any

from lvheng.core.problem import Problem
from lvheng.telemetry.hj212 import checksum as crcs
from lvheng.telemetry.hj212 import sm4
from lvheng.telemetry.hj212.dialect import STANDARD, Dialect
from lvheng.telemetry.hj212.frame import Frame, Framer, Reject
from lvheng.telemetry.hj212.packet import (
    INTEGER_DIGITS,
    MEANS,
    STATED_VERSIONS,
    Notes,
    Packet,
    Value,
    key_of,
    parse,
    parse_time,
)
from lvheng.telemetry.hj212.tables import tables

_BY_SHAPE = frozenset(
    ("code_old", "code_unknown", "suffix_case", "suffix_alias", "suffix_unknown", "flag_absent", "flag_orphan", "empty_item")
)  # fmt: skip
"""Findings of a data area that follow from its keys alone."""
_BY_LENGTH = frozenset(("over_1024", "over_1024_stated"))
_LINE_ENDS = (b"\r\n", None)
_SPLIT = re.compile(r"([;,])")
_VALUES = re.compile(r"=[^;,]*")
_HEADS, _SHAPES = 16_384, 1_024  # remembered of each dialect at most
_SHAPES_PER_HEAD = 4
_PRICE = 50
"""Full parses that must come before the next shape is compiled: it takes about as long, so that packets of ever new shape
cannot make decoding much slower than the full parser alone."""


class _Shape:
    """One order of items: what matches it, and where its parts are among the groups of the match."""

    __slots__ = (
        "codes", "findings", "flags", "limited", "long", "match", "means", "numbers", "ranges", "sents", "suffixes", "texts", "time",
    )  # fmt: skip

    match: Callable[[str], re.Match[str] | None]
    long: Callable[[tuple[str, ...]], tuple[str, ...]]

    def __init__(self, body: str, version: int, dialect: Dialect, findings: Sequence[Problem]):
        letters = "".join(re.escape(c) for c in tables().flags[STATED_VERSIONS.get(version, 2017)])
        pattern: list[str] = []
        keys, where, flag_of, long = [], [], {}, {}
        groups = 0
        for token in _SPLIT.split(body):
            key, equals, _ = token.partition("=")
            if not equals:
                pattern.append(token)
                continue
            known = key_of(key, dialect, version == 0) if key != "DataTime" else None
            if known is None:
                self.time = groups
                value = "[0-9]{14}"
            elif known.suffix == "Flag":
                flag_of[known.sent] = groups
                value = f"[{letters}]"
            else:
                keys.append(known)
                where.append(groups)
                value = "[A-Za-z0-9_.]*+"
                if not known.text:
                    # Digits beyond the table's number of decimals make a group of their own.
                    fraction = {0: r"(\.[0-9]++)?+", 99: r"(?:\.[0-9]++)?+"}.get(
                        known.decimals, rf"(?:\.[0-9]{{1,{known.decimals}}}+([0-9]*+))?+"
                    )
                    value = f"-?(?:[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}}+|0){fraction}"
                    if known.decimals < 99:
                        groups += 1
                        long[groups] = known.sent
            pattern.append(f"{re.escape(key)}=({value})")
            groups += 1
        self.match = re.compile("".join(pattern)).fullmatch
        self.findings = tuple(findings)
        self.codes, self.suffixes = tuple(k.code for k in keys), tuple(k.suffix for k in keys)
        self.sents = tuple(k.sent for k in keys)
        self.texts, self.flags = _picker(where), _picker([flag_of.get(k.sent, groups) for k in keys])
        self.long, self.limited = _picker(list(long)), tuple(long.values())
        self.numbers = None if not any(k.text for k in keys) else tuple(not k.text for k in keys)
        self.ranges = tuple(
            (n, k.low, k.high) for n, k in enumerate(keys) if k.low > float("-inf") or k.high < float("inf")
        )
        place = {(k.sent, k.suffix): n for n, k in enumerate(keys)}
        self.means = tuple(
            (place.get((sent, low), n), n, place.get((sent, high), n))
            for (sent, suffix), n in place.items()
            for low, mean, high in MEANS
            if suffix == mean
        )


def _picker(places: Sequence[int]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda groups: tuple(groups[n] for n in places)


class _Head:
    """A header without its QN, as understood."""

    __slots__ = ("fields", "findings", "flag", "late", "pno", "pnum", "shapes", "version")

    def __init__(self, packet: Packet, findings: Sequence[Problem]):
        self.version, self.flag, self.late = packet.version, packet.flag, packet.late
        self.pnum, self.pno = packet.pnum, packet.pno
        self.fields = {k: v for k, v in packet.header.items() if k != "QN"}
        self.findings = tuple(findings)
        self.shapes: list[_Shape] = []


class _Memory:
    """What is remembered of one dialect."""

    __slots__ = ("credit", "dialect", "heads", "met", "shapes")

    def __init__(self, dialect: Dialect):
        self.dialect = dialect
        self.credit = _PRICE * 100  # to begin with, as many shapes as a fleet is likely to have
        self.heads: dict[str, _Head] = {}
        self.shapes: dict[tuple[int, str], _Shape] = {}
        self.met: set[tuple[int, str]] = set()


_MEMORIES: dict[int, _Memory] = {}
_value: Callable[[tuple[Any, ...]], Value] = partial(tuple.__new__, Value)


def _memory(dialect: Dialect) -> _Memory:
    found = _MEMORIES.get(id(dialect))
    if found is None or found.dialect is not dialect:
        if len(_MEMORIES) >= 4096:
            _MEMORIES.clear()
        found = _MEMORIES[id(dialect)] = _Memory(dialect)
    return found


def _parts(seg: bytes) -> tuple[str, str, str] | None:
    """QN ('' when absent), the rest of the header and the data area, where the segment has the usual outline."""
    if not seg.isascii():
        return None
    text = seg.decode("ascii")
    at = text.find("CP=")
    if at < 1 or text[at - 1] != ";" or not text.startswith("&&", at + 3) or len(text) < at + 7 or text[-2:] != "&&":
        return None
    if text.startswith("QN="):
        qn = text[3:20]
        if text[20:21] != ";" or not qn.isdigit() or parse_time(qn[:14])[0] is None:
            return None
        return qn, text[21:at], text[at + 5 : -2]
    return "", text[:at], text[at + 5 : -2]


@lru_cache(maxsize=4096)
def _too_long(sents: tuple[str, ...], over: tuple[bool, ...], quiet: frozenset[str]) -> list[Problem]:
    """The finding on those of the codes that have more decimals than the table allows."""
    note = Notes()
    for sent, is_over in zip(sents, over, strict=True):
        if is_over:
            note("decimals_over", subject=sent)
    return note.problems(quiet)


def _quick(qn: str, head: _Head, body: str, quiet: frozenset[str]) -> Packet | None:
    """The packet when its data area has a remembered shape and nothing in its values is to be told."""
    for shape in head.shapes:
        match = shape.match(body)
        if match is not None:
            break
    else:
        return None
    groups = (*match.groups(), "")
    time_text = groups[shape.time]
    when = parse_time(time_text)[0]
    if when is None:
        return None
    texts = shape.texts(groups)
    numbers: list[float | None]
    if shape.numbers is None:
        numbers = list(map(float, texts))
    else:
        numbers = [float(t) if is_number else None for t, is_number in zip(texts, shape.numbers, strict=True)]
    for n, low, high in shape.ranges:
        if not low <= numbers[n] <= high:  # type: ignore[operator]
            return None
    for low_at, n, high_at in shape.means:
        if numbers[n] < numbers[low_at] or numbers[n] > numbers[high_at]:  # type: ignore[operator]
            return None
    values = list(map(_value, zip(shape.codes, shape.suffixes, texts, numbers, shape.flags(groups), shape.sents)))  # noqa: B905 same lengths
    findings = [*head.findings, *shape.findings]
    long = shape.long(groups)
    if any(long):
        findings += _too_long(shape.limited, tuple(map(bool, long)), quiet)
    return Packet(
        {"QN": qn, **head.fields} if qn else head.fields.copy(), head.version, head.flag, head.pnum, head.pno, head.late, when,
        [("DataTime", time_text)], values, findings,
    )  # fmt: skip


def _remember(memory: _Memory, parts: tuple[str, str, str], packet: Packet, note: Notes) -> None:
    """Keep what the full parser found, as far as it follows from the header's text or the order of items."""
    qn, rest, body = parts
    memory.credit = min(memory.credit + 1, _PRICE * 100)
    names = list(note.subjects)
    first, then = names[: note.before_area], names[note.before_area :]
    late = [] if qn else [n for n in then if n == "qn_missing"]  # told last, since the data area may hold it
    if "qn" in rest.lower() or not _BY_LENGTH.isdisjoint(first):
        return
    head = memory.heads.get(rest)
    if head is None:
        if len(memory.heads) >= _HEADS:
            memory.heads.clear()
        head = memory.heads[rest] = _Head(packet, note.problems(memory.dialect.quiet, first))
    of_area = [n for n in then if n not in late and n != "decimals_over"]
    if (
        not _BY_SHAPE.issuperset(of_area)
        or [k for k, _ in packet.params] != ["DataTime"]
        or "//" in body
        or "&" in body
    ):
        return
    if not packet.values or len(packet.params[0][1]) != 14 or any(v.suffix.endswith("Time") for v in packet.values):
        return
    key = (packet.version, " ".join([*late, _VALUES.sub("=", body)]))
    shape = memory.shapes.get(key)
    if shape is None:
        # Compiling pays only for what comes again.
        if key not in memory.met:
            if len(memory.met) >= 4 * _SHAPES:
                memory.met.clear()
            memory.met.add(key)
            return
        if memory.credit < _PRICE:
            return
        memory.credit -= _PRICE
        if len(memory.shapes) >= _SHAPES:
            memory.shapes.clear()
        findings = note.problems(memory.dialect.quiet, [*of_area, *late])
        shape = memory.shapes[key] = _Shape(body, packet.version, memory.dialect, findings)
    if shape not in head.shapes:
        head.shapes = [shape, *head.shapes[: _SHAPES_PER_HEAD - 1]]


def decode_frame(frame: Frame, dialect: Dialect = STANDARD) -> Packet:
    """Decrypt where needed, parse, and add what the frame itself shows. Never raises for any frame of a Framer."""
    if frame.variant == "hj212" and frame.eol in _LINE_ENDS and frame.crc == frame.crc.upper():
        packet = _decode(frame.seg, dialect)
        packet.frame = frame
        return packet
    note = Notes()
    if frame.crc != frame.crc.upper():
        note("crc_lowercase", got=frame.crc.decode("latin-1"))
    if frame.eol not in _LINE_ENDS:
        note("eol")
    if frame.variant not in ("", "hj212"):
        note("crc_variant", got=frame.variant)
    seg: bytes | None = frame.seg
    if frame.encrypted:
        if frame.literal:
            note("sm4_literal")
        seg = _decrypt(frame, dialect, note)
    if seg is None:
        packet = parse(frame.seg[: frame.seg.find(b"CP=&&") + 5] + b"&&", dialect, note)
    else:
        packet = _decode(seg, dialect)
        packet.findings = note.problems(dialect.quiet) + packet.findings
    packet.frame = frame
    return packet


def _decode(seg: bytes, dialect: Dialect) -> Packet:
    """The packet of a plain segment: the same as :func:`parse` gives, most often sooner."""
    parts = _parts(seg)
    if parts is None or len(seg) > (dialect.segment_max or tables().segment_max):
        return parse(seg, dialect)
    memory = _memory(dialect)
    head = memory.heads.get(parts[1])
    if head is not None:
        packet = _quick(parts[0], head, parts[2], dialect.quiet)
        if packet is not None:
            return packet
    note = Notes()
    packet = parse(seg, dialect, note)
    _remember(memory, parts, packet, note)
    return packet


def _decrypt(frame: Frame, dialect: Dialect, note: Notes) -> bytes | None:
    seg = frame.seg
    at = seg.index(b"CP=&&") + 5
    want = int(frame.crc, 16)
    keys: Iterable[bytes] = (*((dialect.sm4_key,) if dialect.sm4_key else ()), *tables().published_keys)
    for key in keys:
        area = sm4.decrypt_area(seg[at:-2], key)
        plain = seg[:at] + area + b"&&"
        if crcs.crc(plain) == want and area[:1].isalnum() and min(area) >= 32:
            note("sm4_published_key" if key in tables().published_keys else "sm4")
            return plain
    note("sm4_wrong_key" if dialect.sm4_key else "sm4_no_key")
    return None


def decode(data: bytes, dialect: Dialect = STANDARD) -> list[Packet | Reject]:
    """Every packet and every rejected stretch of a whole input, in order."""
    items = Framer(dialect).feed(data, final=True)
    return [decode_frame(item, dialect) if isinstance(item, Frame) else item for item in items]
