"""The compiled batch decoder: journal blocks in, Arrow columns out, with numba when it is installed.

The loops themselves are in :mod:`lvheng.telemetry.hj212.compiled`, which is loaded (and on first use of a machine compiled)
when a stretch of journal is large enough to be worth it.

It decodes only what it can decode with the same meaning as the plain decoder: frames in the standard's shape, with finite
decimals and known suffixes. Everything else (and every packet of a device with a dialect) goes to the plain decoder, packet
by packet. So the two never disagree by design, and differential tests hold them to it. Findings of mere form are counted
in a bit mask; any finding beyond those sends the packet to the plain decoder.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from lvheng.telemetry.hj212 import checksum
from lvheng.telemetry.hj212.dialect import STANDARD
from lvheng.telemetry.hj212.packet import known_code
from lvheng.telemetry.hj212.tables import tables
from lvheng.telemetry.journal import FRAME, RECORD_HEAD, Block, Record

if TYPE_CHECKING:
    from lvheng.telemetry.devices import Registry
    from lvheng.telemetry.ingest import Clock

AVAILABLE = find_spec("numba") is not None and sys.byteorder == "little"
"""Whether the compiled decoder can be had; else the plain one serves alone."""

SMALL = 1 << 20
"""Bytes of journal below which the plain decoder is quicker than loading (let alone compiling) the kernel."""

NOTES = (
    "qn_missing", "flag_missing", "mn_form", "pw_form", "empty_item", "code_unknown", "code_old", "value_empty",
    "decimals_over", "unit_suspect", "mean_outside", "flag_absent", "qn_form",
)  # fmt: skip
_BIT = {name: 1 << n for n, name in enumerate(NOTES)}
(QN_MISSING, FLAG_MISSING, MN_FORM, PW_FORM, EMPTY_ITEM, CODE_UNKNOWN, CODE_OLD, VALUE_EMPTY, DECIMALS_OVER,
 UNIT_SUSPECT, MEAN_OUTSIDE, FLAG_ABSENT, QN_FORM) = (1 << n for n in range(len(NOTES)))  # fmt: skip

SUFFIXES = (
    "Rtd",
    "Min",
    "Avg",
    "Max",
    "ZsRtd",
    "ZsMin",
    "ZsAvg",
    "ZsMax",
    "Cou",
    "RS",
    "RT",
    "Data",
    "DayData",
    "Flag",
)
CONCENTRATIONS = 8  # the first eight
_SLOTS = 1 << 15  # of the code table
_MOST_CODES = 8192
_LEARNABLE = re.compile(r"[A-Za-z0-9_]{1,8}")  # what the kernel's own scan takes for a code
_POW10 = np.array([10.0**n for n in range(23)])
_START = np.array(checksum.START, np.int64)
_POWERS = np.array(checksum.POWERS, np.int64)
_TABLE = np.array(checksum.TABLE, np.int64)


def _pack(text: str) -> int:
    return int.from_bytes(text.encode(), "little")


def _suffix_table() -> tuple[int, Any, Any]:
    """A multiplier and 64 slots in which no two suffixes meet, so that one look tells."""
    keys = [_pack(s) for s in SUFFIXES]
    multiplier = 0x9E3779B97F4A7C15
    while len({(k * multiplier & 0xFFFFFFFFFFFFFFFF) >> 58 for k in keys}) < len(keys):
        multiplier = multiplier * 6364136223846793005 + 1442695040888963407 & 0xFFFFFFFFFFFFFFFF | 1
    slot_key, slot_kind = np.zeros(64, np.uint64), np.full(64, -1, np.int64)
    for kind, key in enumerate(keys):
        slot = (key * multiplier & 0xFFFFFFFFFFFFFFFF) >> 58
        slot_key[slot], slot_kind[slot] = key, kind
    return multiplier, slot_key, slot_kind


_SUFFIX_MULTIPLIER, _SUFFIX_KEYS, _SUFFIX_KINDS = _suffix_table()


class Codes:
    """The codes that the kernel knows, grown by what the plain decoder has met."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.canonical: list[str] = []
        self.index: dict[str, int] = {}
        self.slot_key = np.zeros(_SLOTS, np.uint64)
        self.slot_id = np.full(_SLOTS, -1, np.int32)
        self.bits = np.zeros((2, _MOST_CODES), np.int32)  # findings of form for version 2005, later
        self.decimals = np.full(_MOST_CODES, -1, np.int32)
        self.low = np.full(_MOST_CODES, -np.inf)
        self.high = np.full(_MOST_CODES, np.inf)
        self.info = np.zeros(_MOST_CODES, np.bool_)
        for code in tables().codes:
            self.learn(code)
        for code in tables().from_old:
            self.learn(code)

    def learn(self, sent: str) -> None:
        if sent in self.index or len(self.names) >= _MOST_CODES or not _LEARNABLE.fullmatch(sent):
            return
        raw = sent.encode()
        table = tables()
        number = len(self.names)
        code = table.from_old.get(sent, sent)
        self.names.append(sent)
        self.canonical.append(code)
        self.index[sent] = number
        unknown = 0 if known_code(code) else CODE_UNKNOWN
        self.bits[0, number] = unknown
        self.bits[1, number] = unknown | (CODE_OLD if sent in table.from_old else 0)
        self.decimals[number] = table.decimals.get(code, -1)
        if (row := table.plausible.get(code)) is not None:
            self.low[number], self.high[number] = row["min"], row["max"]
        self.info[number] = sent.startswith("i")
        key = int.from_bytes(raw, "little")
        slot = _slot_of(key)
        while self.slot_id[slot] >= 0:
            slot = (slot + 1) % _SLOTS
        self.slot_key[slot], self.slot_id[slot] = key, number


def _slot_of(key: int) -> int:
    return ((key * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF) >> 49


class _Rules:
    """Look-up arrays made once from the tables."""

    def __init__(self) -> None:
        table = tables()
        self.commands = np.zeros((3, 10000), np.bool_)  # by version: commands that the kernel takes
        self.cycles: dict[int, str] = {}
        for cn, command in table.commands.items():
            if not command.cycle:
                continue
            self.cycles[int(cn)] = command.cycle
            for n, version in enumerate((2005, 2017, 2025)):
                self.commands[n, int(cn)] = command.since <= version <= (command.until or 9999)
        self.any_version = self.commands.any(axis=0)
        self.systems = np.zeros(100, np.bool_)
        for st in table.systems:
            self.systems[int(st)] = True
        self.flags = np.zeros((3, 128), np.bool_)
        for n, version in enumerate((2005, 2017, 2025)):
            for letter in table.flags[version]:
                self.flags[n, ord(letter)] = True
        self.most = table.segment_max


_codes: Codes | None = None
_rules: _Rules | None = None


def _state() -> tuple[Codes, _Rules]:
    global _codes, _rules
    if _codes is None or _rules is None:
        _codes, _rules = Codes(), _Rules()
    return _codes, _rules


_ZONE = 8 * 3600 * 1_000_000


def _dictionary(indices: Any, words: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(words, pa.string()), safe=False)


def decode_blocks(
    place: str, blocks: Sequence[Block], registry: Registry, clock: Clock, *, small: int = SMALL
) -> tuple[pa.Table, pa.Table, Counter[tuple[str, str]]]:
    """Values, packets and alarms of some blocks: the same rows as :func:`lvheng.telemetry.ingest.decode_plain`.

    Fewer than ``small`` bytes are left to the plain decoder.
    """
    from lvheng.telemetry.ingest import Batch, add_record, decode_plain

    if sum(len(b.body) for b in blocks) < small:
        return decode_plain(place, blocks, registry, clock)
    from lvheng.telemetry.hj212 import compiled

    codes, rules = _state()
    bodies = [b.body for b in blocks]
    raw = b"".join(bodies) if len(bodies) != 1 else bodies[0]
    data = np.frombuffer(raw, np.uint8)
    starts, lengths, micros, lines, kinds = compiled.walk(data, RECORD_HEAD)
    counts_of = np.array([b.records for b in blocks])
    shifts = np.array([b.body_start for b in blocks], np.int64) - np.concatenate(
        ([0], np.cumsum([len(b) for b in bodies])[:-1])
    )
    positions = starts - RECORD_HEAD + np.repeat(shifts, counts_of)
    heads = compiled.heads(
        data, starts, lengths, kinds, FRAME, rules.most, rules.commands, rules.any_version, rules.systems, _START, _POWERS,
        _TABLE,
    )  # fmt: skip
    ok, area, notes, version, command, system, late, pnum, pno, password, qn_at, mn_of, mn_at, mn_len = heads
    mns = [raw[a : a + n].decode("ascii") for a, n in zip(mn_at.tolist(), mn_len.tolist(), strict=True)]
    fast = np.zeros(max(1, len(mns)), np.bool_)
    passwords = np.zeros(max(1, len(mns)), np.uint64)
    for n, mn in enumerate(mns):
        device = registry.get(mn)
        secret = device.password.encode() if device else b""
        if device is not None and (device.dialect is STANDARD or device.dialect == STANDARD) and len(secret) <= 8:
            fast[n] = True
            passwords[n] = int.from_bytes(secret, "little")
    capacity = data.size // 6 + 1  # a value takes at least six bytes: ``;a-RS=``
    columns = compiled.areas(
        data, starts, lengths, micros, ok, area, notes, version, password, mn_of, fast, passwords,
        int(clock.past.total_seconds() * 1e6), int(clock.future.total_seconds() * 1e6), _ZONE, np.uint64(_SUFFIX_MULTIPLIER), _SUFFIX_KEYS, _SUFFIX_KINDS,
        codes.slot_key, codes.slot_id, codes.bits, codes.decimals, codes.low, codes.high, codes.info, rules.flags, _POW10,
        capacity,
    )  # fmt: skip
    times, counts = columns[-2:]

    batch = Batch()
    learned: set[str] = set()
    for k in np.flatnonzero(~ok).tolist():
        at = int(starts[k])
        record = Record(int(kinds[k]), int(micros[k]), int(lines[k]), raw[at : at + int(lengths[k])], int(positions[k]))
        packet = add_record(batch, record, registry, place, clock)
        if packet is not None and len(learned) < 1000:
            learned.update(v.code_sent for v in packet.values)
    for word in sorted(learned):
        codes.learn(word)

    values, packets = batch.tables()
    good = np.flatnonzero(ok)
    if good.size:
        made = _tables(
            place, raw, columns, good, mns, codes, rules, positions, micros, lines, notes, command, system, late, pnum, pno,
            qn_at, mn_of, times, counts,
        )  # fmt: skip
        values = pa.concat_tables([made[0], values]).unify_dictionaries() if values.num_rows else made[0]
        packets = pa.concat_tables([made[1], packets]).unify_dictionaries() if packets.num_rows else made[1]
    return values, packets, batch.alarms


def _tables(
    place, raw, columns, good, mns, codes, rules, positions, micros, lines, notes, command, system, late, pnum, pno, qn_at,
    mn_of, times, counts,
) -> tuple[pa.Table, pa.Table]:  # fmt: skip
    """Arrow tables of what the kernel decoded."""
    from lvheng.telemetry.lake import PACKETS, VALUES

    packet, code, suffix, value, null, letter, seq, text_end, text, _, _ = columns
    from lvheng.telemetry.hj212 import compiled

    qns = qn_at[good]
    widths = np.where(qns >= 0, 17, 0)
    ends = np.concatenate(([0], np.cumsum(widths))).astype(np.int32)
    source = (qns[qns >= 0][:, None] + np.arange(17)).ravel()
    qn_text = pa.StringArray.from_buffers(
        good.size, pa.py_buffer(ends), pa.py_buffer(np.frombuffer(raw, np.uint8)[source].tobytes())
    )
    cns = sorted(set(command[good].tolist()))
    cn_index = np.zeros(10000, np.int32)
    cn_index[cns] = np.arange(len(cns))
    cn = cn_index[command[good]]
    sts = sorted(set(system[good].tolist()))
    st_index = np.zeros(100, np.int32)
    st_index[sts] = np.arange(len(sts))
    st = st_index[system[good]]
    cn_words = [f"{c:04d}" for c in cns]
    st_words = [f"{s:02d}" for s in sts]
    cycle_words = [rules.cycles[c] for c in cns]
    mn = mn_of[good]
    when = times[good]
    received = micros[good] + _ZONE
    of, mn_rows, cn_rows, st_rows, when_rows, day_rows, part_rows, late_rows, received_rows, position_rows = (
        compiled.spread(packet, good, mn, cn, st, when, pno, late, received, positions)
    )
    letters = np.flatnonzero(np.bincount(letter, minlength=256))
    letter_index = np.zeros(256, np.int32)
    letter_index[letters] = np.arange(letters.size)
    letter_words = [chr(c) if c else "" for c in letters.tolist()]
    canonical = list(dict.fromkeys(codes.canonical))
    canonical_index = {c: n for n, c in enumerate(canonical)}
    to_canonical = np.array([canonical_index[c] for c in codes.canonical], np.int32)
    rows = packet.size
    values = pa.Table.from_arrays(
        [
            _dictionary(mn_rows, mns),
            _dictionary(cn_rows, cn_words),
            _dictionary(cn_rows, cycle_words),
            pa.array(when_rows, pa.int64()).view(pa.timestamp("us")),
            _dictionary(to_canonical[code], canonical),
            _dictionary(code, codes.names),
            _dictionary(suffix.astype(np.int32), SUFFIXES),
            pa.StringArray.from_buffers(rows, pa.py_buffer(text_end), pa.py_buffer(text)),
            pa.array(value, pa.float64(), mask=null if null.any() else None),
            _dictionary(letter_index[letter], letter_words),
            pa.array(late_rows),
            pa.DictionaryArray.from_arrays(pa.array(of), qn_text, safe=False),
            pa.array(part_rows, pa.int16()),
            pa.array(received_rows, pa.int64()).view(pa.timestamp("us")),
            _dictionary(np.zeros(rows, np.int32), [place]),
            pa.array(position_rows, pa.int64()),
            pa.array(seq, pa.int32()),
            pa.array(day_rows).view(pa.date32()),
            _dictionary(st_rows, st_words),
        ],
        schema=VALUES,
    )
    masks, mask_of = np.unique(notes[good], return_inverse=True)
    found = [",".join(sorted(name for name, bit in _BIT.items() if mask & bit)) for mask in masks.tolist()]
    whole = pno[good] == 0
    packets = pa.Table.from_arrays(
        [
            _dictionary(mn, mns),
            _dictionary(st, st_words),
            _dictionary(cn, cn_words),
            qn_text,
            pa.array(when * 1_000_000, pa.int64()).view(pa.timestamp("us")),
            _dictionary((notes[good] != 0).astype(np.int32), ["valid", "findings"]),
            _dictionary(mask_of.astype(np.int32), found),
            pa.array(counts[good], pa.int32()),
            pa.array(late[good]),
            pa.array(pnum[good], pa.int16(), mask=whole),
            pa.array(pno[good], pa.int16(), mask=whole),
            pa.array(lines[good], pa.int64()),
            pa.array(received, pa.int64()).view(pa.timestamp("us")),
            _dictionary(np.zeros(good.size, np.int32), [place]),
            pa.array(positions[good], pa.int64()),
            pa.array((received // 86_400_000_000).astype(np.int32)).view(pa.date32()),
        ],
        schema=PACKETS,
    )
    return values, packets
