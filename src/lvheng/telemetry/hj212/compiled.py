"""The loops of the batch decoder, compiled by numba: importing this module loads it, the first call on a machine compiles.

Arrays in, arrays out; the tables that they look up are made by :mod:`lvheng.telemetry.hj212.kernel`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, njit, types

from lvheng.telemetry.hj212.kernel import (
    CONCENTRATIONS,
    DECIMALS_OVER,
    EMPTY_ITEM,
    FLAG_ABSENT,
    FLAG_MISSING,
    MEAN_OUTSIDE,
    MN_FORM,
    PW_FORM,
    QN_FORM,
    QN_MISSING,
    UNIT_SUSPECT,
    VALUE_EMPTY,
)
from lvheng.telemetry.hj212.packet import INTEGER_DIGITS

intrinsic: Any = extending.intrinsic


def compiled(**options: Any) -> Callable[[Any], Any]:
    """Compile, and keep the result on disk where there is a folder that can be written to."""

    def decorate(function: Any) -> Any:
        try:
            return njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return njit(nogil=True, **options)(function)

    return decorate


@intrinsic
def _word(typing, data, at):
    """Eight bytes from ``at``, the first one lowest. The caller sees to it that they lie inside."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(data, types.int64), generate


@intrinsic
def _put(typing, data, at, word):
    """Write eight bytes from ``at``."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        builder.store(arguments[2], builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), generate


@intrinsic
def _zeros(typing, word):
    """Number of zero bits below the lowest one; 64 where there is none."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_DASHES = np.uint64(0x2D2D2D2D2D2D2D2D)
_EQUALS = np.uint64(0x3D3D3D3D3D3D3D3D)
_SEMICOLONS = np.uint64(0x3B3B3B3B3B3B3B3B)


@compiled(inline="always")
def _before(word, wanted):
    """How many bits lie before the first byte of ``word`` that is the one repeated in ``wanted``; 64 where there is none."""
    x = word ^ wanted
    found = (x - _ONES) & ~x & _HIGH
    return _zeros(found) & np.uint64(0x78)


@compiled(inline="always")
def _low(word, bits):
    """The lowest ``bits`` bits, of which there are less than 64."""
    return word & ((np.uint64(1) << bits) - np.uint64(1))


@compiled(inline="always")
def _filled(word, bits):
    """Whether the last of the bytes in ``bits`` is not zero: else two texts would make the same word."""
    return bits >= 8 and word >> (bits - np.uint64(8)) != 0


@compiled()
def walk(data, head):
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


@compiled(inline="always")
def _digits(data, at, n):
    """The number of ``n`` digits, or -1."""
    value = np.int64(0)
    for k in range(n):
        c = np.int64(data[at + k]) - 48
        if c < 0 or c > 9:
            return np.int64(-1)
        value = value * 10 + c
    return value


@compiled()
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


@compiled(inline="always")
def _is(data, at, end, a, b, c):
    """Whether ``data[at:at + 3]`` is the three bytes a b c."""
    return at + 3 <= end and data[at] == a and data[at + 1] == b and data[at + 2] == c


@compiled(inline="always")
def _plain(c):
    """Letters, digits, _ and -."""
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c == 95 or c == 45


@compiled()
def _crc(data, at, n, start, powers, table):
    """CRC by the fold form; the bytes before ``at`` must be in the array for seven places."""
    folded = np.uint64(0)
    end = at + n
    while end - at >= 32:
        folded ^= _word(data, end - 8) ^ _word(data, end - 16) ^ _word(data, end - 24) ^ _word(data, end - 32)
        end -= 32
    while end - at >= 8:
        folded ^= _word(data, end - 8)
        end -= 8
    rest = end - at
    if rest > 0:
        folded ^= _word(data, end - 8) & ~((np.uint64(1) << np.uint64(64 - 8 * rest)) - np.uint64(1))
    state = start[(n - 1) & 7]
    for k in range(8):
        state ^= powers[k, (folded >> np.uint64(56 - 8 * k)) & np.uint64(255)]
    return table[state]


@compiled()
def heads(
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
    mn_form = np.zeros(n, np.int64)
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
                note |= QN_FORM
            qn_at[k] = p + 3
            p += 21
        else:
            note |= QN_MISSING
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
            note |= PW_FORM
        p += 1
        if not _is(data, p, end, 77, 78, 61):  # MN=
            continue
        p += 3
        first = p
        h = np.uint64(1469598103934665603)
        while p + 8 <= end:
            word = _word(data, p)
            bits = _before(word, _SEMICOLONS)
            if bits < 64:
                h = (h ^ _low(word, bits)) * np.uint64(0x9E3779B97F4A7C15)
                p += np.int64(bits >> np.uint64(3))
                break
            h = (h ^ word) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(32)
            p += 8
        h ^= h >> np.uint64(29)
        wide = p - first
        if wide < 1 or wide > 40 or p >= end or data[p] != 59:
            continue
        place = np.int64(h & np.uint64(slots - 1))
        while True:
            known = slot[place]
            if known < 0:
                form = 0  # 1: not hexadecimal, 2: with _ or -, 4: with anything else
                for b in range(first, p):
                    c = data[b]
                    if not _plain(c):
                        form |= 4
                    if c == 95 or c == 45:
                        form |= 2
                    if not (48 <= c <= 57 or 65 <= c <= 70 or 97 <= c <= 102):
                        form |= 1
                if form & 4:
                    break
                slot[place] = mns
                mn_at[mns] = first
                mn_len[mns] = wide
                mn_form[mns] = form
                known = mns
                mns += 1
                break
            if mn_len[known] == wide:
                same = True
                for b in range(wide):
                    if data[mn_at[known] + b] != data[first + b]:
                        same = False
                        break
                if same:
                    break
            place = (place + 1) & (slots - 1)
        if known < 0:
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
            note |= FLAG_MISSING
        if flag >= 0 and not commands[v, cn]:
            continue
        if v >= 1:
            if mn_form[known] & 1 or wide != 24:
                note |= MN_FORM
        elif wide != 14 or mn_form[known] & 2:
            note |= MN_FORM
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
        mn_of[k] = known
        ok[k] = True
        area[k] = p + 5
        notes[k] = note
        version[k] = v
        command[k] = cn
        system[k] = st
        password[k] = key
    return ok, area, notes, version, command, system, late, pnum, pno, password, qn_at, mn_of, mn_at[:mns], mn_len[:mns]


@compiled()
def areas(
    data, starts, lengths, micros, ok, area, notes, version, password, mn_of, mn_fast, mn_password, past, future, zone,
    suffix_multiplier, suffix_keys, suffix_kinds, slot_key, slot_id, bits, decimals, low, high, info, flags, pow10, capacity,
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
                note |= EMPTY_ITEM
                continue
            # The key: a code, a dash, a suffix, each at most eight bytes and looked up as one word. After the area
            # come && and the CRC, so that eight bytes can be read where two are left.
            if p + 2 > end:
                good = False
                break
            key = _word(data, p)
            width = _before(key, _DASHES)
            if width < 64:
                key = _low(key, width)
            elif p + 8 >= end or data[p + 8] != 45:
                good = False
                break
            p += np.int64(width >> np.uint64(3)) + 1
            if p + 2 > end or not _filled(key, width):
                good = False
                break
            tail = _word(data, p)
            width = _before(tail, _EQUALS)
            if width == 64:
                good = False
                break
            tail = _low(tail, width)
            p += np.int64(width >> np.uint64(3))
            if p >= end or not _filled(tail, width):
                good = False
                break
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
                note |= VALUE_EMPTY
                null[rows] = True
                value[rows] = 0.0
            else:
                if (data[whole] == 48 and p - whole > 1) or p - whole > INTEGER_DIGITS:
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
                if kind < CONCENTRATIONS:
                    if decimals[number] >= 0 and places > decimals[number]:
                        note |= DECIMALS_OVER
                    if number_value < low[number] or number_value > high[number]:
                        note |= UNIT_SUSPECT
                    kept[kind, number] = number_value
            if null[rows]:
                seen[number] |= 1 << (16 + kind)
            if p - begin <= 8 and used + 8 <= text.size and begin + 8 <= data.size:
                _put(text, used, _word(data, begin))  # what is beyond is written over by the next
                used += p - begin
            else:
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
                            note |= MEAN_OUTSIDE
                        if present & (8 << base) and mean > kept[base + 3, number]:
                            note |= MEAN_OUTSIDE
                if flagged > 0 and flagged < distinct and v >= 1 and letter_of[number] == 0 and not info[number]:
                    note |= FLAG_ABSENT
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


@compiled()
def spread(packet, good, mn, cn, st, when, pno, late, received, positions):
    """What belongs to packets, given to each of their rows; ``of`` is the place of a row's packet among the good ones."""
    rows = packet.size
    of = np.empty(rows, np.int32)
    mn_rows = np.empty(rows, np.int32)
    cn_rows = np.empty(rows, np.int32)
    st_rows = np.empty(rows, np.int32)
    when_rows = np.empty(rows, np.int64)
    day_rows = np.empty(rows, np.int32)
    part_rows = np.empty(rows, np.int16)
    late_rows = np.empty(rows, np.bool_)
    received_rows = np.empty(rows, np.int64)
    position_rows = np.empty(rows, np.int64)
    k = 0
    for row in range(rows):
        while good[k] != packet[row]:
            k += 1
        whole = good[k]
        of[row] = k
        mn_rows[row] = mn[k]
        cn_rows[row] = cn[k]
        st_rows[row] = st[k]
        when_rows[row] = when[k] * 1000000
        day_rows[row] = when[k] // 86400
        part_rows[row] = pno[whole]
        late_rows[row] = late[whole]
        received_rows[row] = received[k]
        position_rows[row] = positions[whole]
    return of, mn_rows, cn_rows, st_rows, when_rows, day_rows, part_rows, late_rows, received_rows, position_rows
