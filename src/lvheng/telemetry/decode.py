"""Reading a file of packets: the verdict of each, for people and for machines.

Three forms are read: a table (tab-separated, header line, a ``packet`` column with ``\\r \\n \\t \\xNN`` escapes, optional
``n`` and ``expected``); text with one packet a line; and raw bytes.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import Any

from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.telemetry import hj212

VERDICTS = {"valid": "合格", "findings": "有发现", "invalid": "不合格"}

EXPECTATIONS: dict[str, tuple[tuple[str, ...], int]] = {
    # expected → (verdicts that agree, good frames that must come out)
    "valid": (("valid", "findings"), 1),
    "valid-frame": (("findings",), 1),
    "valid-value-null": (("valid", "findings"), 1),
    "valid-crc-but-altered": (("findings",), 1),
    "tolerate": (("findings",), 1),
    "two-valid": (("valid", "findings"), 2),
    "resync-valid": (("findings",), 1),
    "resync-one-valid": (("findings",), 1),
    "invalid": (("invalid",), 0),
    "invalid-semantic": (("invalid",), 1),
    "invalid-value": (("findings",), 1),
}

_ESCAPE = re.compile(r"\\(?:([rnt])|x([0-9a-fA-F]{2}))")


def unescape(text: str) -> bytes:
    """``\\r \\n \\t \\xNN`` to bytes; any other character as UTF-8."""
    named = {"r": b"\r", "n": b"\n", "t": b"\t"}
    out, at = b"", 0
    for match in _ESCAPE.finditer(text):
        out += text[at : match.start()].encode()
        out += named[match[1]] if match[1] else bytes([int(match[2], 16)])
        at = match.end()
    return out + text[at:].encode()


@dataclass(slots=True)
class Reading:
    """What one input gave. ``verdict``: invalid when no good frame came out or a good frame is quarantined."""

    n: str
    packets: list[hj212.Packet] = field(default_factory=list)
    rejects: list[hj212.Reject] = field(default_factory=list)
    expected: str = ""

    @property
    def verdict(self) -> str:
        if not self.packets or any(p.verdict == "invalid" for p in self.packets):
            return "invalid"
        if self.rejects or any(p.findings for p in self.packets):
            return "findings"
        return "valid"

    @property
    def reasons(self) -> list[Problem]:
        return [r.problem for r in self.rejects] + [p for packet in self.packets for p in packet.findings]

    @property
    def agrees(self) -> bool | None:
        """Whether the verdict is the expected one; None where nothing known was expected."""
        known = EXPECTATIONS.get(self.expected)
        if known is None:
            return None
        return self.verdict in known[0] and len(self.packets) == known[1]

    def as_dict(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "n": self.n,
            "verdict": self.verdict,
            "reasons": [p.as_dict() for p in self.reasons],
            "frames": [packet_dict(p) for p in self.packets],
            "rejected": [
                {"offset": r.offset, "bytes": len(r.raw), "reason": r.problem.as_dict(), "crc_variant": r.variant}
                for r in self.rejects
            ],
        }
        if self.expected:
            data["expected"] = self.expected
            data["agrees"] = self.agrees
        return data


def packet_dict(packet: hj212.Packet) -> dict[str, Any]:
    """A packet as plain values for JSON."""
    table = hj212.tables()
    command = table.commands.get(packet.cn)
    version = {0: "2005", 1: "2017", 2: "2025"}.get(packet.version, "")
    values = []
    for v in packet.values:
        code = table.codes.get(v.code)
        unit = "" if code is None else code.unit_mass if v.suffix.endswith("Cou") else code.unit_conc
        values.append(
            {
                "code": v.code,
                "suffix": v.suffix,
                "text": v.text,
                "value": v.number,
                "flag": v.flag,
                "name": code.name if code else "",
                "unit": unit,
                "code_sent": v.code_sent,
            }
        )
    frame = packet.frame
    return {
        "verdict": packet.verdict,
        "reasons": [p.as_dict() for p in packet.findings],
        "version": version,
        "length": len(frame.seg) if frame else None,
        "crc": frame.crc.decode("latin-1") if frame else None,
        "encrypted": frame.encrypted if frame else False,
        "header": packet.header,
        "command": {
            "code": packet.cn,
            "name": command.name if command else "",
            "kind": packet.kind,
            "cycle": command.cycle if command else "",
        },
        "data_time": packet.data_time.isoformat() if packet.data_time else None,
        "late": packet.late,
        "params": [{"name": k, "text": v} for k, v in packet.params],
        "values": values,
    }


def _read(n: str, data: bytes, dialect: hj212.Dialect, expected: str = "") -> Reading:
    reading = Reading(n, expected=expected)
    for item in hj212.decode(data, dialect):
        if isinstance(item, hj212.Packet):
            reading.packets.append(item)
        else:
            reading.rejects.append(item)
    return reading


def read_packets(content: bytes, dialect: hj212.Dialect = hj212.STANDARD) -> list[Reading]:
    """All packets of a file's content. Raises ProblemError when there is nothing to read."""
    if not content.strip():
        raise ProblemError(Problem("telemetry.decode.empty", "文件是空的", fix="请给出含有报文的文件"))
    content = content.removeprefix(b"\xef\xbb\xbf")
    first = content.split(b"\n", 1)[0].rstrip(b"\r").split(b"\t")
    if b"packet" in first and not content.startswith(b"##"):
        return _read_table(content, dialect)
    lines = [line.rstrip(b"\r") for line in content.split(b"\n")]
    lines = [line for line in lines if line.strip()]
    if all(line.startswith(b"##") for line in lines) and (len(lines) > 1 or b"\\" in content):
        out = []
        for number, line in enumerate(lines, 1):
            try:
                data = unescape(line.decode())
            except UnicodeDecodeError:
                data = line
            out.append(_read(str(number), data if data.endswith(b"\n") else data + b"\r\n", dialect))
        return out
    out = []
    for number, item in enumerate(hj212.decode(content, dialect), 1):
        reading = Reading(str(number))
        (reading.packets if isinstance(item, hj212.Packet) else reading.rejects).append(item)  # type: ignore[arg-type]
        out.append(reading)
    return out


def _read_table(content: bytes, dialect: hj212.Dialect) -> list[Reading]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        place = Place(line=content[: error.start].count(b"\n") + 1)
        raise ProblemError(
            Problem("telemetry.decode.encoding", "表格不是统一码（UTF-8）编码", place=place, fix="请另存为UTF-8")
        ) from None
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [
        _read(
            (row.get("n") or str(number)).strip(),
            unescape(row.get("packet") or ""),
            dialect,
            (row.get("expected") or "").strip(),
        )
        for number, row in enumerate(rows, 1)
    ]
