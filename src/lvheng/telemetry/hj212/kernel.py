"""The compiled batch decoder: journal blocks in, Arrow columns out, with numba when it is installed.

It decodes only what it can decode with the same meaning as the plain decoder: frames in the standard's shape, with finite
decimals and known suffixes. Everything else (and every packet of a device with a dialect) goes to the plain decoder, packet
by packet. So the two never disagree by design, and differential tests hold them to it. Findings of mere form are counted
in a bit mask; any finding beyond those sends the packet to the plain decoder.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
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

try:
    from numba import njit
except ImportError:  # the plain decoder serves
    AVAILABLE = False

    def njit(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:  # type: ignore[no-redef]
        return lambda function: function
else:
    AVAILABLE = True

NOTES = (
    "qn_missing", "flag_missing", "mn_form", "pw_form", "empty_item", "code_unknown", "code_old", "value_empty",
    "decimals_over", "unit_suspect", "mean_outside", "flag_absent", "qn_form",
)  # fmt: skip
_BIT = {name: 1 << n for n, name in enumerate(NOTES)}
(_QN_MISSING, _FLAG_MISSING, _MN_FORM, _PW_FORM, _EMPTY_ITEM, _CODE_UNKNOWN, _CODE_OLD, _VALUE_EMPTY, _DECIMALS_OVER,
 _UNIT_SUSPECT, _MEAN_OUTSIDE, _FLAG_ABSENT, _QN_FORM) = (1 << n for n in range(len(NOTES)))  # fmt: skip

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
_CONCENTRATIONS = 8  # the first eight
_SLOTS = 1 << 15  # of the code table
_MOST_CODES = 8192
_LEARNABLE = re.compile(r"[A-Za-z0-9_]{1,8}")  # what the kernel's own scan takes for a code
_POW10 = np.array([10.0**n for n in range(23)])
_WORD = np.array([chr(c).isascii() and (chr(c).isalnum() or c == 95) for c in range(256)])
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
        unknown = 0 if known_code(code) else _CODE_UNKNOWN
        self.bits[0, number] = unknown
        self.bits[1, number] = unknown | (_CODE_OLD if sent in table.from_old else 0)
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


@njit(cache=True, nogil=True)
def _walk(data, head):
    """Places of the records: start of payload, length, microseconds, connection, kind."""
    n = 0
    at = 0
    size = data.size
    while at < size:
        length = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)
        at += head + length
        n += 1
    start = np.empty(n, np.int64)
    lengths = np.empty(n, np.int64)
    micros = np.empty(n, np.int64)
    lines = np.empty(n, np.int64)
    kinds = np.empty(n, np.uint8)
    at = 0
    for k in range(n):
        length = data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)
        when = np.int64(0)
        for b in range(8):
            when |= np.int64(data[at + 4 + b]) << (8 * b)
        line = np.int64(0)
        for b in range(4):
            line |= np.int64(data[at + 12 + b]) << (8 * b)
        start[k] = at + head
        lengths[k] = length
        micros[k] = when
        lines[k] = line
        kinds[k] = data[at + 16]
        at += head + length
    return start, lengths, micros, lines, kinds


@njit(cache=True, nogil=True, inline="always")
def _digits(data, at, n):
    """The number of ``n`` digits, or -1."""
    value = np.int64(0)
    for k in range(n):
        c = np.int64(data[at + k]) - 48
        if c < 0 or c > 9:
            return np.int64(-1)
        value = value * 10 + c
    return value


@njit(cache=True, nogil=True)
def _seconds(data, at):
    """Seconds since 1970 of 14 digits of wall time, or -1 when there is no such time."""
    year, month, day = _digits(data, at, 4), _digits(data, at + 4, 2), _digits(data, at + 6, 2)
    hour, minute, second = _digits(data, at + 8, 2), _digits(data, at + 10, 2), _digits(data, at + 12, 2)
    if year < 1970 or month < 1 or month > 12 or day < 1 or hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return np.int64(-1)
    if second < 0 or second > 59:
        return np.int64(-1)
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if month == 2:
        last = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        last = 30
    else:
        last = 31
    if day > last:
        return np.int64(-1)
    y = year - 1 if month <= 2 else year
    era = y // 400
    of_era = y - era * 400
    shifted = month - 3 if month > 2 else month + 9
    of_year = (153 * shifted + 2) // 5 + day - 1
    days = era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
    return days * 86400 + hour * 3600 + minute * 60 + second


@njit(cache=True, nogil=True, inline="always")
def _is(data, at, end, a, b, c):
    """Whether ``data[at:at + 3]`` is the three bytes a b c."""
    return at + 3 <= end and data[at] == a and data[at + 1] == b and data[at + 2] == c


@njit(cache=True, nogil=True, inline="always")
def _plain(c):
    """Letters, digits, _ and -."""
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c == 95 or c == 45


@njit(cache=True, nogil=True)
def _crc(data, at, n, start, powers, table):
    """CRC by the fold form."""
    a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = np.uint8(0)
    end = at + n
    while end - at >= 8:
        a0 ^= data[end - 1]
        a1 ^= data[end - 2]
        a2 ^= data[end - 3]
        a3 ^= data[end - 4]
        a4 ^= data[end - 5]
        a5 ^= data[end - 6]
        a6 ^= data[end - 7]
        a7 ^= data[end - 8]
        end -= 8
    rest = end - at
    if rest > 0:
        a0 ^= data[end - 1]
    if rest > 1:
        a1 ^= data[end - 2]
    if rest > 2:
        a2 ^= data[end - 3]
    if rest > 3:
        a3 ^= data[end - 4]
    if rest > 4:
        a4 ^= data[end - 5]
    if rest > 5:
        a5 ^= data[end - 6]
    if rest > 6:
        a6 ^= data[end - 7]
    state = start[(n - 1) & 7] ^ powers[0, a0] ^ powers[1, a1] ^ powers[2, a2] ^ powers[3, a3]
    state ^= powers[4, a4] ^ powers[5, a5] ^ powers[6, a6] ^ powers[7, a7]
    return table[state]


@njit(cache=True, nogil=True)
def _heads(
    data, starts, lengths, kinds, frame_kind, most, commands, any_version, systems, crc_start, crc_powers, crc_table
):
    """Headers of all records. ``ok`` is False where the plain decoder must look.

    The MNs are numbered as they appear: ``mn_of`` gives the number, ``mn_at``/``mn_len`` the first place of each.
    """
    n = starts.size
    ok = np.zeros(n, np.bool_)
    area = np.zeros(n, np.int64)
    notes = np.zeros(n, np.int32)
    version = np.zeros(n, np.int8)
    command = np.zeros(n, np.int16)
    system = np.zeros(n, np.int8)
    late = np.zeros(n, np.bool_)
    pnum = np.zeros(n, np.int16)
    pno = np.zeros(n, np.int16)
    password = np.zeros(n, np.uint64)
    qn_at = np.full(n, -1, np.int64)
    mn_of = np.zeros(n, np.int32)
    slots = 64
    while slots < 2 * n:
        slots *= 2
    slot = np.full(slots, -1, np.int32)
    mn_at = np.zeros(n, np.int64)
    mn_len = np.zeros(n, np.int64)
    mns = 0
    for k in range(n):
        if kinds[k] != frame_kind:
            continue
        at, size = starts[k], lengths[k]
        if size < 60 or data[at] != 35 or data[at + 1] != 35:
            continue
        length = _digits(data, at + 2, 4)
        if length < 0 or length + 10 != size or length > most:
            continue
        sent = np.int64(0)
        good = True
        for b in range(4):
            c = np.int64(data[at + 6 + length + b])
            if 48 <= c <= 57:
                sent = sent * 16 + c - 48
            elif 65 <= c <= 70:
                sent = sent * 16 + c - 55
            else:
                good = False
        if not good or _crc(data, at + 6, length, crc_start, crc_powers, crc_table) != sent:
            continue
        p = at + 6
        end = p + length
        if data[end - 1] != 38 or data[end - 2] != 38:
            continue
        note = 0
        if _is(data, p, end, 81, 78, 61):  # QN=
            if p + 21 > end or data[p + 20] != 59:
                continue
            when = _seconds(data, p + 3)
            if _digits(data, p + 3, 17) < 0:
                continue
            if when < 0:
                note |= _QN_FORM
            qn_at[k] = p + 3
            p += 21
        else:
            note |= _QN_MISSING
        if not _is(data, p, end, 83, 84, 61) or p + 6 > end or data[p + 5] != 59:  # ST=
            continue
        st = _digits(data, p + 3, 2)
        if st < 0 or not systems[st]:
            continue
        p += 6
        if not _is(data, p, end, 67, 78, 61) or p + 8 > end or data[p + 7] != 59:  # CN=
            continue
        cn = _digits(data, p + 3, 4)
        if cn < 0 or not any_version[cn]:
            continue
        p += 8
        if not _is(data, p, end, 80, 87, 61):  # PW=
            continue
        p += 3
        key = np.uint64(0)
        width = 0
        while p < end and data[p] != 59 and width < 8 and _plain(data[p]):
            key |= np.uint64(data[p]) << np.uint64(8 * width)
            width += 1
            p += 1
        if p >= end or data[p] != 59:
            continue
        if width != 6:
            note |= _PW_FORM
        p += 1
        if not _is(data, p, end, 77, 78, 61):  # MN=
            continue
        p += 3
        first = p
        hexadecimal = True
        alphanumeric = True
        h = np.uint64(1469598103934665603)
        while p < end and _plain(data[p]):
            c = data[p]
            if c == 95 or c == 45:
                alphanumeric = False
            if not (48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102):
                hexadecimal = False
            h = (h ^ np.uint64(c)) * np.uint64(1099511628211)
            p += 1
        wide = p - first
        if wide < 1 or wide > 40 or p >= end or data[p] != 59:
            continue
        p += 1
        v = 0
        flag = -1
        if p + 5 <= end and data[p] == 70 and _is(data, p + 1, end, 108, 97, 103) and data[p + 4] == 61:  # Flag=
            p += 5
            flag = 0
            width = 0
            while p < end and 48 <= data[p] <= 57 and width < 3:
                flag = flag * 10 + data[p] - 48
                width += 1
                p += 1
            if width == 0 or p >= end or data[p] != 59 or flag > 11:
                continue
            p += 1
            v = flag >> 2
        else:
            note |= _FLAG_MISSING
        if flag >= 0 and not commands[v, cn]:
            continue
        if v >= 1:
            if not hexadecimal or wide != 24:
                note |= _MN_FORM
        elif wide != 14 or not alphanumeric:
            note |= _MN_FORM
        if v == 2 and _is(data, p, end, 82, 70, 61):  # RF=
            if p + 5 > end or data[p + 3] != 49 or data[p + 4] != 59:
                continue
            late[k] = True
            p += 5
        split = flag >= 0 and (flag & 2) != 0
        if split:
            if v == 0:
                continue
            if p + 5 > end or data[p] != 80 or not _is(data, p + 1, end, 78, 85, 77) or data[p + 4] != 61:  # PNUM=
                continue
            p += 5
            total = 0
            width = 0
            while p < end and 48 <= data[p] <= 57 and width < 4:
                total = total * 10 + data[p] - 48
                width += 1
                p += 1
            if width == 0 or p >= end or data[p] != 59:
                continue
            p += 1
            if p + 4 > end or not _is(data, p, end, 80, 78, 79) or data[p + 3] != 61:  # PNO=
                continue
            p += 4
            number = 0
            width = 0
            while p < end and 48 <= data[p] <= 57 and width < 4:
                number = number * 10 + data[p] - 48
                width += 1
                p += 1
            if width == 0 or p >= end or data[p] != 59 or number < 1 or number > total:
                continue
            p += 1
            pnum[k] = total
            pno[k] = number
        if not _is(data, p, end, 67, 80, 61) or p + 7 > end or data[p + 3] != 38 or data[p + 4] != 38:  # CP=&&
            continue
        place = np.int64(h & np.uint64(slots - 1))
        while True:
            known = slot[place]
            if known < 0:
                slot[place] = mns
                mn_at[mns] = first
                mn_len[mns] = wide
                mn_of[k] = mns
                mns += 1
                break
            same = mn_len[known] == wide
            if same:
                for b in range(wide):
                    if data[mn_at[known] + b] != data[first + b]:
                        same = False
                        break
            if same:
                mn_of[k] = known
                break
            place = (place + 1) & (slots - 1)
        ok[k] = True
        area[k] = p + 5
        notes[k] = note
        version[k] = v
        command[k] = cn
        system[k] = st
        password[k] = key
    return ok, area, notes, version, command, system, late, pnum, pno, password, qn_at, mn_of, mn_at[:mns], mn_len[:mns]


@njit(cache=True, nogil=True)
def _areas(
    data, starts, lengths, micros, ok, area, notes, version, password, mn_of, mn_fast, mn_password, past, future, zone,
    word, suffix_multiplier, suffix_keys, suffix_kinds, slot_key, slot_id, bits, decimals, low, high, info, flags, pow10, capacity,
):  # fmt: skip
    """Data areas of the packets that are still ``ok``; rows of those that turn out otherwise are taken back."""
    n = starts.size
    codes = decimals.size
    flag_kind = suffix_kinds.max()
    packet = np.empty(capacity, np.int32)
    code = np.empty(capacity, np.int32)
    suffix = np.empty(capacity, np.int8)
    value = np.empty(capacity, np.float64)
    null = np.empty(capacity, np.bool_)
    letter = np.empty(capacity, np.uint8)
    seq = np.empty(capacity, np.int32)
    text_end = np.empty(capacity + 1, np.int32)
    text_end[0] = 0
    text = np.empty(data.size, np.uint8)
    times = np.zeros(n, np.int64)
    counts = np.zeros(n, np.int32)
    rows = 0
    used = 0
    stamp = np.full(codes, -1, np.int64)
    seen = np.zeros(codes, np.int32)
    letter_of = np.zeros(codes, np.uint8)
    kept = np.zeros((8, codes), np.float64)
    touched = np.empty(codes, np.int32)
    for k in range(n):
        if not ok[k]:
            continue
        ok[k] = False
        mn = mn_of[k]
        if not mn_fast[mn] or (mn_password[mn] != 0 and mn_password[mn] != password[k]):
            continue
        p = area[k]
        end = starts[k] + lengths[k] - 6  # before the closing &&
        if p + 23 > end:
            continue
        if not (  # DataTime=
            data[p] == 68 and data[p + 1] == 97 and data[p + 2] == 116 and data[p + 3] == 97 and data[p + 4] == 84
            and data[p + 5] == 105 and data[p + 6] == 109 and data[p + 7] == 101 and data[p + 8] == 61
        ):  # fmt: skip
            continue
        when = _seconds(data, p + 9)
        if when < 0:
            continue
        received = micros[k] + zone
        if when * 1000000 < received - past or when * 1000000 > received + future:
            continue
        p += 23
        if p < end and data[p] != 59:
            continue
        note = notes[k]
        v = version[k]
        first_row = rows
        first_text = used
        count = 0
        distinct = 0
        flagged = 0
        good = True
        while p < end:
            p += 1  # the separator
            if p >= end or data[p] == 59 or data[p] == 44:
                note |= _EMPTY_ITEM
                continue
            # the key: a code, one dash, a suffix, each packed into a word while it is read
            key = np.uint64(0)
            head = np.uint64(0)
            width = np.uint64(0)
            dashes = 0
            while p < end:
                c = data[p]
                if c == 45:
                    if dashes or width == 0:
                        good = False
                    dashes += 1
                    head, key, width = key, np.uint64(0), np.uint64(0)
                elif word[c]:
                    if width >= 64:
                        good = False
                        break
                    key |= np.uint64(c) << width
                    width += np.uint64(8)
                else:
                    break
                p += 1
            if not good or dashes != 1 or p >= end or data[p] != 61:
                good = False
                break
            tail = key
            key = head
            place = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(49))
            number = slot_id[place]
            while number >= 0 and slot_key[place] != key:
                place = (place + 1) & (slot_id.size - 1)
                number = slot_id[place]
            if number < 0:
                good = False
                break
            place = np.int64((tail * suffix_multiplier) >> np.uint64(58))
            kind = suffix_kinds[place]
            if kind < 0 or suffix_keys[place] != tail:
                good = False
                break
            p += 1
            if stamp[number] != k:
                stamp[number] = k
                seen[number] = 0
                letter_of[number] = 0
                touched[distinct] = number
                distinct += 1
            if seen[number] & (1 << kind):
                good = False
                break
            seen[number] |= 1 << kind
            if kind == flag_kind:  # Flag
                if p >= end or data[p] > 127 or not flags[v, data[p]]:
                    good = False
                    break
                letter_of[number] = data[p]
                flagged += 1
                p += 1
                if p < end and data[p] != 44 and data[p] != 59:
                    good = False
                    break
                continue
            # a decimal: -?(0|[1-9]\d*)(\.\d+)?  or nothing
            begin = p
            negative = p < end and data[p] == 45
            if negative:
                p += 1
            mantissa = np.int64(0)
            whole = p
            while p < end and 48 <= data[p] <= 57:
                mantissa = mantissa * 10 + data[p] - 48
                p += 1
                if p - whole > 17:
                    break
            places = 0
            if p == whole:
                if negative or (p < end and data[p] != 44 and data[p] != 59):
                    good = False
                    break
                note |= _VALUE_EMPTY
                null[rows] = True
                value[rows] = 0.0
            else:
                if data[whole] == 48 and p - whole > 1:
                    good = False
                    break
                if p < end and data[p] == 46:
                    p += 1
                    point = p
                    while p < end and 48 <= data[p] <= 57 and p - whole <= 18:
                        mantissa = mantissa * 10 + data[p] - 48
                        p += 1
                    places = p - point
                    if places == 0:
                        good = False
                        break
                if (p < end and data[p] != 44 and data[p] != 59) or mantissa > 9007199254740992:
                    good = False
                    break
                number_value = np.float64(mantissa) / pow10[places]
                if negative:
                    number_value = -number_value
                null[rows] = False
                value[rows] = number_value
                if kind < _CONCENTRATIONS:
                    if decimals[number] >= 0 and places > decimals[number]:
                        note |= _DECIMALS_OVER
                    if number_value < low[number] or number_value > high[number]:
                        note |= _UNIT_SUSPECT
                    kept[kind, number] = number_value
            if null[rows]:
                seen[number] |= 1 << (16 + kind)
            for b in range(begin, p):
                text[used] = data[b]
                used += 1
            packet[rows] = k
            code[rows] = number
            suffix[rows] = kind
            seq[rows] = count
            rows += 1
            text_end[rows] = used
            count += 1
        if good:
            for t in range(distinct):
                number = touched[t]
                mask = seen[number]
                if mask & ((1 << flag_kind) - 1) == 0:  # a flag without a value
                    good = False
                    break
                note |= bits[0 if v == 0 else 1, number]
                present = mask & ~(mask >> 16)
                for base in (0, 4):
                    if present & (4 << base):
                        mean = kept[base + 2, number]
                        if present & (2 << base) and mean < kept[base + 1, number]:
                            note |= _MEAN_OUTSIDE
                        if present & (8 << base) and mean > kept[base + 3, number]:
                            note |= _MEAN_OUTSIDE
                if flagged > 0 and flagged < distinct and v >= 1 and letter_of[number] == 0 and not info[number]:
                    note |= _FLAG_ABSENT
        if not good:
            rows = first_row
            used = first_text
            continue
        for r in range(first_row, rows):
            letter[r] = letter_of[code[r]]
        ok[k] = True
        notes[k] = note
        times[k] = when
        counts[k] = count
    return (
        packet[:rows], code[:rows], suffix[:rows], value[:rows], null[:rows], letter[:rows], seq[:rows],
        text_end[: rows + 1], text[:used], times, counts,
    )  # fmt: skip


_ZONE = 8 * 3600 * 1_000_000


def _dictionary(indices: Any, words: Sequence[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(words, pa.string()), safe=False)


def decode_blocks(
    place: str, blocks: Sequence[Block], registry: Registry, clock: Clock
) -> tuple[pa.Table, pa.Table, Counter[tuple[str, str]]]:
    """Values, packets and alarms of some blocks: the same rows as :func:`lvheng.telemetry.ingest.decode_plain`."""
    from lvheng.telemetry.ingest import Batch, add_record

    codes, rules = _state()
    bodies = [b.body for b in blocks]
    raw = b"".join(bodies) if len(bodies) != 1 else bodies[0]
    data = np.frombuffer(raw, np.uint8)
    starts, lengths, micros, lines, kinds = _walk(data, RECORD_HEAD)
    counts_of = np.array([b.records for b in blocks])
    shifts = np.array([b.body_start for b in blocks], np.int64) - np.concatenate(
        ([0], np.cumsum([len(b) for b in bodies])[:-1])
    )
    positions = starts - RECORD_HEAD + np.repeat(shifts, counts_of)
    heads = _heads(
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
        if device is not None and device.dialect == STANDARD and len(secret) <= 8:
            fast[n] = True
            passwords[n] = int.from_bytes(secret, "little")
    capacity = data.size // 6 + 1  # a value takes at least six bytes: ``;a-RS=``
    columns = _areas(
        data, starts, lengths, micros, ok, area, notes, version, password, mn_of, fast, passwords,
        int(clock.past.total_seconds() * 1e6), int(clock.future.total_seconds() * 1e6), _ZONE, _WORD, np.uint64(_SUFFIX_MULTIPLIER), _SUFFIX_KEYS, _SUFFIX_KINDS,
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
    rank = np.empty(positions.size, np.int32)
    rank[good] = np.arange(good.size, dtype=np.int32)
    of = rank[packet]  # row → place among the good packets

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
            _dictionary(mn[of], mns),
            _dictionary(cn[of], cn_words),
            _dictionary(cn[of], cycle_words),
            pa.array(when[of] * 1_000_000, pa.int64()).view(pa.timestamp("us")),
            _dictionary(to_canonical[code], canonical),
            _dictionary(code, codes.names),
            _dictionary(suffix.astype(np.int32), SUFFIXES),
            pa.StringArray.from_buffers(rows, pa.py_buffer(text_end), pa.py_buffer(text)),
            pa.array(value, pa.float64(), mask=null),
            _dictionary(letter_index[letter], letter_words),
            pa.array(late[good][of]),
            pa.DictionaryArray.from_arrays(pa.array(of), qn_text, safe=False),
            pa.array(pno[good][of], pa.int16()),
            pa.array(received[of], pa.int64()).view(pa.timestamp("us")),
            _dictionary(np.zeros(rows, np.int32), [place]),
            pa.array(positions[good][of], pa.int64()),
            pa.array(seq, pa.int32()),
            pa.array((when // 86400).astype(np.int32)[of]).view(pa.date32()),
            _dictionary(st[of], st_words),
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
