"""The incremental framer: bytes in, frames and rejected stretches out, nothing dropped.

Frame: ``##`` + LEN (4 digits, bytes of SEG) + SEG + CRC (4 hex digits) + CR LF. A frame is cut by LEN, never by the
line end (cipher bytes may hold anything). After a bad CRC the search goes on two bytes later, so that a wrong LEN
cannot swallow the next packet. Every byte of the input ends in a frame, in a reject, or is a line end between frames.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from lvheng.core.problem import Problem
from lvheng.telemetry.hj212 import checksum as crcs
from lvheng.telemetry.hj212 import sm4
from lvheng.telemetry.hj212.dialect import STANDARD, Dialect
from lvheng.telemetry.hj212.findings import finding
from lvheng.telemetry.hj212.tables import tables

_END = re.compile(rb"&&([0-9A-Fa-f]{4})(?=\r\n|\n|\r|##|$)")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}")
_FLAG = re.compile(rb"(?:^|;)Flag=(\d{1,3})(?:;|$)")
_KEYED = re.compile(rb"[A-Za-z0-9_-]{1,40}=")
_LITERAL_FRAME = re.compile(rb"([^{}]{0,400}?CP=&&)(\{[^{}]*\}[^{}]{0,15}?)&&([0-9A-Fa-f]{4})", re.DOTALL)


class Frame(NamedTuple):
    """A frame whose LEN fits and whose CRC fits (or, when ``encrypted``, will be checked on the plain segment).

    ``eol`` is None while the line end has not arrived; ``variant`` names the CRC that fitted, empty when encrypted.
    """

    offset: int
    raw: bytes
    seg: bytes
    crc: bytes
    eol: bytes | None
    variant: str = "hj212"
    encrypted: bool = False
    literal: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """A stretch of input that is no frame, and why. ``variant`` names another CRC that would have fitted."""

    offset: int
    raw: bytes
    problem: Problem
    variant: str = ""


def _encrypted_like(seg: bytes) -> bool:
    """Flag of 2025 or later and an area that is not text: its CRC can be checked only after decryption."""
    start = seg.find(b"CP=&&")
    if start < 0 or not seg.endswith(b"&&") or len(seg) - start < 23:
        return False
    flag = _FLAG.search(seg[:start])
    if flag is None or int(flag[1]) < 8:
        return False
    area = seg[start + 5 : -2]
    if area.startswith((b"{0x", b"{0X")):
        return True
    if min(area) < 32 or 127 in area:
        return True
    try:
        area.decode()
    except UnicodeDecodeError:
        return True
    return False


def diagnose(data: bytes) -> tuple[Problem, str]:
    """Why ``data``, which begins with ``##``, is no frame: the problem, and another CRC that fits (or '')."""
    head = data[2:6]
    if not head.isdigit():
        if len(data) < 6:
            return finding("truncated", got=f"{len(data)}字节"), ""
        return finding("length_not_digits", got=head.decode("latin-1")), ""
    length = int(head)
    for match in _END.finditer(data, 6):
        seg = data[6 : match.start() + 2]
        if len(seg) != length and crcs.crc(seg) == int(match[1], 16):
            return finding("length_wrong", got=f"{length}字节", wanted=f"{len(seg)}字节", field="LEN"), ""
    have = len(data) - 6
    cut = data.find(b"##", 6)
    line = data.find(b"\r\n", 6)
    stop = min((x for x in (cut, line) if x > 0), default=-1)
    if have < length + 4 or (0 < stop < length + 6):
        body = data[6:stop] if stop > 0 else data[6:].rstrip(b"\r\n")
        return finding("truncated", got=f"{len(body)}字节", wanted=f"{length + 4}字节"), ""
    seg, sent = data[6 : 6 + length], data[6 + length : 10 + length]
    if not _HEX4.fullmatch(sent):
        return finding("crc_not_hex", got=sent.decode("latin-1")), ""
    value = int(sent, 16)
    variant = crcs.explain(seg, value)
    got = sent.decode().upper()
    if variant:
        got += "（MODBUS校验）" if variant == "modbus" else "（高低字节互换的MODBUS校验）"
    elif value not in crcs.POSSIBLE:
        got += "（不是本标准算法可能得到的值）"
    return finding("crc_wrong", got=got, wanted=f"{crcs.crc(seg):04X}", field="CRC"), variant


class Framer:
    """Cuts a byte stream into frames. ``feed`` may be called with any split of the stream.

    At most ``limit`` bytes are kept waiting. ``resync`` gives up a frame that does not come to an end (a wrong LEN at
    the end of a burst); the caller does that after a pause. ``close`` ends the input.
    """

    __slots__ = ("_buffer", "_crc", "_junk", "_max", "limit", "offset")

    def __init__(self, dialect: Dialect = STANDARD, limit: int = 65536):
        self._buffer = b""
        self._junk = 0  # bytes at the start of the buffer already known to be no frame
        self._crc = dialect.crc
        self._max = dialect.segment_max or tables().accepted_max
        self.limit = limit
        self.offset = 0  # of the buffer's first byte in the stream

    @property
    def waiting(self) -> int:
        """Bytes held back for more input."""
        return len(self._buffer)

    def feed(self, data: bytes, *, final: bool = False) -> list[Frame | Reject]:
        """What ``data`` completes; ``final`` says that nothing follows."""
        self._buffer = self._buffer + data if self._buffer else data
        return self._scan(final)

    def close(self) -> list[Frame | Reject]:
        return self._scan(final=True)

    def resync(self) -> list[Frame | Reject]:
        """Give up what is waiting as a broken frame, and look for good ones inside it."""
        return self._scan(final=True)

    def _scan(self, final: bool) -> list[Frame | Reject]:
        buf = self._buffer
        out: list[Frame | Reject] = []
        size = len(buf)
        base, pos = 0, self._junk  # base: first byte not yet accounted for
        while True:
            start = buf.find(b"##", pos)
            if start < 0:
                keep = 0 if final or not buf.endswith(b"#") or size <= pos else 1
                pos = size - keep
                break
            if size - start < 6:
                pos = start
                if final:
                    self._reject(out, buf, base, start)
                    base, pos = start, min(start + 2, size)
                    continue
                break
            head = buf[start + 2 : start + 6]
            if not head.isdigit():
                pos = start + 1
                if buf[start + 6 : start + 9] in (b"QN=", b"ST=", b"PNU", b"MN="):
                    self._reject(out, buf, base, start)
                    base = start
                continue
            length = int(head)
            end = start + 10 + length
            if length > self._max:
                self._reject(out, buf, base, start)
                base, pos = start, start + 2
                continue
            if size < end:
                pos = start
                if final:
                    self._reject(out, buf, base, start)
                    base, pos = start, start + 2
                    continue
                break
            frame, wait = self._frame(buf, start, end, length, final)
            if wait and size - start < self.limit:
                pos = start
                break
            if frame is None:
                self._reject(out, buf, base, start)
                base, pos = start, start + 2
                continue
            if start > base:
                self._reject(out, buf, base, start)
            out.append(frame)
            base = pos = start + len(frame.raw) + len(frame.eol or b"")
        if final or pos - base > self.limit:
            self._reject(out, buf, base, pos)
            base = pos
        # what is accounted for leaves the buffer
        rest = buf[base:]
        if skip := len(rest) - len(rest.lstrip(b"\r\n")):
            base += skip
            rest = rest[skip:]
        self._buffer = b"" if final else rest
        self.offset += size if final else base
        self._junk = 0 if final else max(0, pos - base)
        return out

    def _frame(self, buf: bytes, start: int, end: int, length: int, final: bool) -> tuple[Frame | None, bool]:
        """The frame at ``start`` or None, and whether more input must tell (a printed cipher is longer than LEN)."""
        seg = buf[start + 6 : end - 4]
        sent = buf[end - 4 : end]
        right = crcs.crc_text(seg)
        if sent == right or sent.upper() == right:
            eol = b"\r\n" if buf.startswith(b"\r\n", end) else self._eol(buf, end, final)
            if not seg.isascii() and _encrypted_like(seg) and not _KEYED.match(seg, seg.find(b"CP=&&") + 5):
                # one cipher in 256 has the CRC of its plain text, but does not begin as a data area does
                return Frame(self.offset + start, buf[start:end], seg, sent, eol, "", True), False
            return Frame(self.offset + start, buf[start:end], seg, sent, eol), False
        value = int(sent, 16) if _HEX4.fullmatch(sent) else -1
        if value >= 0 and self._crc != "hj212" and crcs.VARIANTS[self._crc](seg) == value:
            eol = self._eol(buf, end, final)
            return Frame(self.offset + start, buf[start:end], seg, sent, eol, self._crc), False
        if b"CP=&&{0" in seg:
            match = _LITERAL_FRAME.match(buf, start + 6)
            if match:
                area = sm4.from_literal(match[2])
                plain_length = len(match[1]) + len(area) + 2 if area is not None else -1
                if area is not None and length in (plain_length, match.end() - 4 - start - 6):
                    whole = match[1] + area + b"&&"
                    eol = self._eol(buf, match.end(), final)
                    raw = buf[start : match.end()]
                    if crcs.crc(whole) != int(match[3], 16) and _FLAG.search(match[1]):
                        return Frame(self.offset + start, raw, whole, match[3], eol, "", True, True), False
            elif not final:
                return None, True
            return None, False
        if value >= 0 and _encrypted_like(seg):
            eol = self._eol(buf, end, final)
            if eol is None:
                return None, True
            if eol == b"\r\n" or (final and end == len(buf)):
                return Frame(self.offset + start, buf[start:end], seg, sent, eol, "", True), False
        return None, False

    @staticmethod
    def _eol(buf: bytes, end: int, final: bool) -> bytes | None:
        tail = buf[end : end + 2]
        if tail == b"\r\n":
            return tail
        if not final and len(tail) < 2 and tail in (b"", b"\r"):
            return None
        return tail[:1] if tail[:1] in (b"\r", b"\n") else b""

    def _reject(self, out: list[Frame | Reject], buf: bytes, start: int, end: int) -> None:
        """Account for ``buf[start:end]`` as no frame; line ends between frames are no fault."""
        raw = buf[start:end]
        raw = raw.lstrip(b"\r\n")
        if not raw:
            return
        start = end - len(raw)
        looks = raw.startswith(b"##") and raw[2:3] != b"#"
        if looks and raw[2:6].isdigit() and int(raw[2:6]) > self._max:
            problem, variant = finding("oversized", got=f"{int(raw[2:6])}字节", wanted=f"{self._max}字节"), ""
        elif looks:
            problem, variant = diagnose(raw)
        else:
            problem, variant = finding("noise", got=f"{len(raw)}字节"), ""
        out.append(Reject(self.offset + start, raw, problem, variant))
