"""From a frame to a packet: header, command, parameters, values, and what was found wrong.

A packet is *valid*, decoded with *findings*, or *invalid*: frame good, content not to be treated as normal data
(it is journalled and quarantined with the reason). Numbers keep the text as sent; ``number`` is the nearest float64.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from lvheng.core.problem import Problem, Severity
from lvheng.telemetry.hj212.dialect import STANDARD, Dialect, convert
from lvheng.telemetry.hj212.findings import CATALOGUE, finding
from lvheng.telemetry.hj212.frame import Frame
from lvheng.telemetry.hj212.tables import load_document, tables

INTEGER_DIGITS = 14
"""Most digits before the point: N14.2 is the widest type of HJ 212-2017."""
_NUMBER = re.compile(rf"-?(?:0|[1-9][0-9]{{0,{INTEGER_DIGITS - 1}}})(?:\.[0-9]+)?")
_LENIENT = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\s*", re.ASCII)
_COMMA_PARAM = re.compile(r",(?:BeginTime|EndTime|SystemTime|DataTime|PolId|CstartTime|C[tT]ime|VaseNo|ReCount)=")
_TOKEN = re.compile(r"(?://.*?//|[^;,])+", re.DOTALL)
_MN_2017 = re.compile(r"[0-9A-Fa-f]{24}")
_ORDER_2005 = {k: i for i, k in enumerate(("QN", "PNUM", "PNO", "ST", "CN", "PW", "MN", "Flag"))}
_ORDER = {k: i for i, k in enumerate(("QN", "ST", "CN", "PW", "MN", "Flag", "RF", "PNUM", "PNO"))}
_FIELDS = {name.lower(): name for name in _ORDER}
STATED_VERSIONS = {0: 2005, 1: 2017, 2: 2025}
MEANS = (("Min", "Avg", "Max"), ("ZsMin", "ZsAvg", "ZsMax"))
_TOLD = frozenset(("DataTime", "SystemTime", "RtdInterval", "MinInterval", "CstartTime", "Stime"))
"""Parameters that a device sends and a platform, asking for the same with the same command, does not."""
_CONCENTRATIONS = frozenset(("Rtd", "Min", "Avg", "Max", "ZsRtd", "ZsMin", "ZsAvg", "ZsMax"))


class Value(NamedTuple):
    """One value: canonical code, suffix, the text as sent, its number (None: no number), the item's flag."""

    code: str
    suffix: str
    text: str
    number: float | None
    flag: str
    code_sent: str


@dataclass(slots=True)
class Packet:
    """A decoded segment. ``version`` is 0, 1, 2 for the standards of 2005, 2017, 2025."""

    header: dict[str, str]
    version: int = 0
    flag: int | None = None
    pnum: int | None = None
    pno: int | None = None
    late: bool = False
    data_time: datetime | None = None
    params: list[tuple[str, str]] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    findings: list[Problem] = field(default_factory=list)
    frame: Frame | None = None

    @property
    def qn(self) -> str:
        return self.header.get("QN", "")

    @property
    def st(self) -> str:
        return self.header.get("ST", "")

    @property
    def cn(self) -> str:
        return self.header.get("CN", "")

    @property
    def mn(self) -> str:
        return self.header.get("MN", "")

    @property
    def pw(self) -> str:
        return self.header.get("PW", "")

    def param(self, name: str) -> str:
        """The first parameter of that name, or an empty text."""
        return next((v for k, v in self.params if k == name), "")

    def has(self, name: str) -> bool:
        """Whether the finding ``name`` (without ``hj212.``) was made."""
        return any(p.code == "hj212." + name for p in self.findings)

    @property
    def quarantined(self) -> bool:
        return any(p.severity is Severity.BLOCKER for p in self.findings)

    @property
    def verdict(self) -> str:
        """``valid``, ``findings`` or ``invalid``."""
        if not self.findings:
            return "valid"
        return "invalid" if self.quarantined else "findings"

    @property
    def wants_answer(self) -> bool:
        return bool(self.flag is not None and self.flag & 1)

    @property
    def request_qn(self) -> str:
        """The request an answer belongs to: in 2005 it stands inside the data area."""
        return self.param("QN") or self.qn

    @property
    def kind(self) -> str:
        """``upload``, ``request``, ``notice``, ``answer`` or ``unknown``, by the command and what the packet holds."""
        command = tables().commands.get(self.cn)
        if command is None:
            return "unknown"
        if command.kind != "both":
            return command.kind
        if self.values or any(k in _TOLD for k, _ in self.params):
            return "upload"
        return "request"


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(load_document("hj212.yaml")["code_patterns"]["list"]))


@lru_cache(maxsize=65536)
def known_code(code: str) -> bool:
    """Whether a code stands in the table or has a form that the standard knows."""
    return code in tables().codes or bool(_pattern().fullmatch(code))


@lru_cache(maxsize=16384)
def parse_time(text: str) -> tuple[datetime | None, bool]:
    """Local time (UTC+8, naive) of a 14-digit text, and whether the form is the standard's.

    15 to 17 digits carry fractions of a second; 12, 10 and 8 digits, separated forms and 13-digit epoch milliseconds
    are read and reported. No time: ``(None, …)``.
    """
    digits = text
    if not (digits.isascii() and digits.isdigit()):
        digits = re.sub(r"[-/:. T]", "", text)
        if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 17):
            return None, False
    size = len(digits)
    if size == 13:
        return datetime(1970, 1, 1) + timedelta(hours=8, milliseconds=int(digits)), False  # noqa: DTZ001 wall time
    if size not in (8, 10, 12, 14, 15, 16, 17):
        return None, False
    year, month, day, hour, minute, second = (
        int(digits[a:b] or 0) for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))
    )
    try:
        when = datetime(year, month, day, hour, minute, second, int(digits[14:].ljust(6, "0")))  # noqa: DTZ001
    except ValueError:
        return None, size == 14
    return (when, len(text) == 14) if when.year >= 1970 else (None, True)


def number(text: str) -> tuple[float | None, str]:
    """The number in a text and the finding it makes: '', value_empty, value_form or value_rejected."""
    if _NUMBER.fullmatch(text):
        return float(text), ""
    if not text.strip():
        return None, "value_empty"
    if _LENIENT.fullmatch(text) and abs(value := float(text)) < 10.0**INTEGER_DIGITS:
        return value, "value_form"
    return None, "value_rejected"


def _text(seg: bytes, note: Any) -> str:
    try:
        return seg.decode()
    except UnicodeDecodeError:
        pass
    try:
        text = seg.decode("gb18030")
        note("text_gbk")
    except UnicodeDecodeError:
        text = seg.decode("utf-8", "backslashreplace")
        note("text_undecodable")
    return text


class Notes:
    """Collects findings, one of each name; several subjects are listed in one."""

    __slots__ = ("before_area", "subjects")

    def __init__(self) -> None:
        self.subjects: dict[str, list[tuple[str, str, str]]] = {}
        self.before_area = 0  # how many names were noted before the data area was read

    def __call__(self, name: str, got: str = "", wanted: str = "", subject: str = "") -> None:
        self.subjects.setdefault(name, []).append((got, wanted, subject))

    def problems(self, quiet: frozenset[str], names: Iterable[str] | None = None) -> list[Problem]:
        """What is told of all findings, or of those of these names; never quiet about a BLOCKER."""
        out = []
        for name in self.subjects if names is None else names:
            rows = self.subjects[name]
            if name in quiet and CATALOGUE[name][0] is not Severity.BLOCKER:
                continue
            got, wanted, _ = rows[0]
            if len(rows) > 1:
                got = "、".join(dict.fromkeys(r[0] for r in rows if r[0]))
            out.append(finding(name, _short(got), wanted, _short("、".join(dict.fromkeys(r[2] for r in rows if r[2])))))
        return out


def _short(text: str, most: int = 120) -> str:
    return text if len(text) <= most else text[:most] + "…"


def parse(seg: bytes, dialect: Dialect = STANDARD, notes: Notes | None = None) -> Packet:
    """Decode one plain segment. Never raises for any bytes; every oddity becomes a finding."""
    note = notes or Notes()
    text = _text(seg, note)
    at = text.find("CP=")
    if at < 0:
        note("cp_missing")
        head, body = text, ""
    else:
        head, area = text[:at], text[at + 3 :]
        if len(area) >= 4 and area.startswith("&&") and area.endswith("&&"):
            body = area[2:-2]
        else:
            note("cp_unclosed", got=_short(area, 20))
            body = area.strip("&")
    packet = Packet(_header(head, note))
    _interpret_header(packet, len(seg), dialect, note)
    note.before_area = len(note.subjects)
    _area(packet, body, dialect, note)
    if not packet.request_qn:  # answers of 2005 carry it in the data area
        note("qn_missing")
    if dialect.mn_alias and packet.mn:
        packet.header["MN"] = dialect.mn_alias
    packet.findings = note.problems(dialect.quiet)
    return packet


def _header(head: str, note: Any) -> dict[str, str]:
    header: dict[str, str] = {}
    if "," in head:
        note("header_comma")
        head = head.replace(",", ";")
    for item in head.split(";"):
        if not item:
            continue
        key, equals, value = item.partition("=")
        if not equals:
            note("header_malformed", got=_short(item, 40))
            continue
        if key not in _ORDER:
            name = _FIELDS.get(key.strip().lower())
            if name is None:
                note("header_unknown", subject=key)
                name = key
            else:
                note("header_case", subject=key)
            key = name
        if key in header:
            if header[key] == value:
                note("header_repeated", subject=key)
            else:
                note("header_conflict", got=f"{header[key]}、{value}", subject=key)
            continue
        header[key] = value
    return header


def _interpret_header(packet: Packet, length: int, dialect: Dialect, note: Any) -> None:
    header, table = packet.header, tables()
    flag = header.get("Flag")
    if flag is None:
        note("flag_missing")
    elif flag.isascii() and flag.isdigit() and len(flag) <= 3:
        packet.flag = int(flag)
        packet.version = packet.flag >> 2
        if packet.version not in STATED_VERSIONS:
            note("version_unknown", got=flag)
    else:
        note("flag_form", got=flag)
    if dialect.version is not None:
        packet.version = dialect.version

    most = dialect.segment_max or table.segment_max
    if length > most:
        # A packet that states 2017 or later could have been split; one without Flag cannot say that it is.
        stated = packet.version >= 1 and not dialect.segment_max
        note("over_1024_stated" if stated else "over_1024", got=f"{length}字节", wanted=f"不超过{most}字节")

    qn = header.get("QN")
    if qn and (len(qn) != 17 or parse_time(qn)[0] is None):
        note("qn_form", got=qn)
    st = header.get("ST", "")
    if not st:
        note("st_missing")
    elif st not in table.systems:
        note("st_unknown", got=st)
    cn = header.get("CN", "")
    if not cn:
        note("cn_missing")
    elif not (len(cn) == 4 and cn.isascii() and cn.isdigit()):
        note("cn_form", got=cn)
    elif (command := table.commands.get(cn)) is None:
        note("cn_unknown", got=cn)
    elif packet.flag is not None and not command.since <= STATED_VERSIONS.get(packet.version, 9999) <= (
        command.until or 9999
    ):
        note("cn_version", got=cn)
    if len(header.get("PW", "")) != 6:
        note("pw_form", got=f"{len(header.get('PW', ''))}位")
    mn = header.get("MN", "")
    if not mn.strip():
        note("mn_missing")
    elif packet.version >= 1:
        if not _MN_2017.fullmatch(mn):
            note("mn_form", got=mn)
    elif len(mn) != 14 or not mn.isalnum():
        note("mn_form", got=mn)

    pnum, pno = header.get("PNUM"), header.get("PNO")
    if pnum is None and pno is None:
        if packet.flag is not None and packet.flag & 2:
            note("parts_missing")
    else:
        a, b = (_small_int(x) for x in (pnum, pno))
        if a is None or b is None or not 1 <= b <= a:
            note("parts_bad", got=f"第{pno}包，共{pnum}包")
        else:
            packet.pnum, packet.pno = a, b
            if packet.flag is None or not packet.flag & 2:
                note("parts_unflagged")
    rf = header.get("RF")
    if rf is not None:
        packet.late = rf == "1"
        if rf != "1" or packet.version < 2:
            note("rf_form", got=rf)
    order = _ORDER_2005 if packet.version == 0 else _ORDER
    last = -1
    for key in header:
        place = order.get(key, last)
        if place < last:
            note("header_order", got="、".join(header))
            break
        last = place


def _small_int(text: str | None) -> int | None:
    return int(text) if text and len(text) <= 4 and text.isascii() and text.isdigit() else None


class _Key(NamedTuple):
    """What a ``code-suffix`` key means; the same for every packet of a device, so looked up once."""

    sent: str
    suffix: str
    code: str
    notes: tuple[str, ...]  # about the suffix
    code_notes: tuple[str, ...]  # about the code, made only when it carries a value
    text: bool
    decimals: int  # most decimals of a concentration, 99 where not limited
    low: float
    high: float
    factor: str


_KEYS: dict[int, tuple[Dialect, dict[str, _Key], dict[str, _Key]]] = {}


def _keys(dialect: Dialect, old: bool) -> dict[str, _Key]:
    """The key cache of a dialect, for packets of 2005 or later ones."""
    found = _KEYS.get(id(dialect))
    if found is None or found[0] is not dialect:
        if len(_KEYS) >= 4096:
            _KEYS.clear()
        found = _KEYS[id(dialect)] = (dialect, {}, {})
    return found[1] if old else found[2]


def key_of(key: str, dialect: Dialect, old: bool) -> _Key:
    """What ``code-suffix`` means in a dialect; ``old``: in a packet of 2005, where the old codes are at home."""
    table = tables()
    sent, _, suffix = key.rpartition("-")
    notes: tuple[str, ...] = ()
    if suffix not in table.suffixes and suffix not in table.seen_suffixes:
        if suffix in dialect.suffixes:
            suffix, notes = dialect.suffixes[suffix], ("suffix_alias",)
        elif (proper := table.suffix_by_lower.get(suffix.lower())) is not None:
            suffix, notes = proper, ("suffix_case",)
        else:
            notes = ("suffix_unknown",)
    code, code_notes = sent, []
    if sent in dialect.codes:
        code = dialect.codes[sent]
    elif sent in table.from_old:
        code = table.from_old[sent]
        if not old:
            code_notes.append("code_old")
    if not known_code(code):
        code_notes.append("code_unknown")
    decimals, low, high, factor = 99, float("-inf"), float("inf"), ""
    if suffix in _CONCENTRATIONS:
        decimals = table.decimals.get(code, 99)
        factor = dialect.units.get(code, "")
        if not factor and (row := table.plausible.get(code)) is not None:
            low, high = row["min"], row["max"]
    return _Key(
        sent, suffix, code, notes, tuple(code_notes), suffix in table.text_suffixes, decimals, low, high, factor
    )


def _area(packet: Packet, body: str, dialect: Dialect, note: Any) -> None:
    table = tables()
    if "//" in body:
        tokens = _TOKEN.findall(body)
        if body.endswith(";") or ";;" in body:
            note("empty_item")
    else:
        tokens = body.replace(",", ";").split(";") if body else []
    keys = _keys(dialect, packet.version == 0)
    params = packet.params
    pairs: dict[str, str] = {}
    flags: dict[str, str] = {}
    rows: list[tuple[_Key, str, float | None]] = []
    takes_text = packet.st in table.text_systems
    means = False
    fullmatch = _NUMBER.fullmatch
    for token in tokens:
        key, equals, text = token.partition("=")
        known = keys.get(key)
        if known is None:
            if not equals:
                if token.strip():
                    note("pair_malformed", got=_short(token, 40))
                else:
                    note("empty_item")
                continue
            if "-" not in key:
                _param(packet, key, text, params, note)
                continue
            if len(keys) > 20_000:
                keys.clear()
            known = keys[key] = key_of(key, dialect, packet.version == 0)
        elif not equals:
            note("pair_malformed", got=_short(token, 40))
            continue
        sent, suffix, _, notes, _, is_text, decimals, low, high, factor = known
        canonical = f"{sent}-{suffix}" if notes else key
        if canonical in pairs:
            if pairs[canonical] == text:
                note("duplicate_same", subject=key)
            else:
                note("duplicate_conflict", got=f"{pairs[canonical]}、{text}", subject=key)
            continue
        pairs[canonical] = text
        for name in notes:
            note(name, subject=key)
        if suffix == "Flag":
            flags[sent] = text
            continue
        value: float | None = None
        if not is_text:
            if fullmatch(text):
                value = float(text)
            else:
                value, wrong = number(text)
                if wrong and not (takes_text and wrong == "value_rejected"):
                    note(wrong, got=_short(text, 30), subject=key)
            if value is not None:
                if decimals < 99 and "." in text and len(text) - text.index(".") - 1 > decimals:
                    note("decimals_over", subject=sent)
                if factor:
                    value = convert(text.strip(), factor)
                    note("unit_converted", subject=sent)
                elif not low <= value <= high:
                    note("unit_suspect", got=text, subject=sent)
                if suffix == "Avg" or suffix == "ZsAvg":
                    means = True
        elif suffix.endswith("Time") and text and parse_time(text)[0] is None:
            note("time_bad", got=text, subject=key)
        rows.append((known, text, value))
    if params and "," in body and _COMMA_PARAM.search(body):
        note("comma_for_semicolon")

    letters = table.flags.get({0: 2005, 1: 2017, 2: 2025}.get(packet.version, 2017), {})
    for sent, letter in flags.items():
        if letter not in letters:
            note("flag_unknown", got=letter or "空", subject=dialect.codes.get(sent, sent))

    new, get = tuple.__new__, flags.get
    packet.values = [new(Value, (k[2], k[1], text, value, get(k[0], ""), k[0])) for k, text, value in rows]
    codes = {k[0]: k for k, _, _ in rows}
    for sent, known in codes.items():
        for name in known.code_notes:
            note(name, subject=sent)
    for sent in flags:
        if sent not in codes:
            note("flag_orphan", subject=sent)
    if flags and packet.version >= 1 and len(flags) < len(codes):
        for sent in codes:
            if sent not in flags and not sent.startswith("i"):
                note("flag_absent", subject=sent)
    if means:
        _check_means(rows, note)

    command = table.commands.get(packet.cn)
    if rows and packet.data_time is None and command is not None and command.cycle and not packet.param("DataTime"):
        note("data_time_missing")


def _check_means(rows: list[tuple[_Key, str, float | None]], note: Any) -> None:
    """Min ≤ Avg ≤ Max of what was sent, which also finds what the weak CRC lets pass."""
    by_key = {(k.sent, k.suffix): number(text)[0] for k, text, _ in rows if k.suffix.endswith(("Min", "Avg", "Max"))}
    for low, mean, high in MEANS:
        for (sent, suffix), value in by_key.items():
            if suffix != mean or value is None:
                continue
            least, most = by_key.get((sent, low)), by_key.get((sent, high))
            if (least is not None and value < least) or (most is not None and value > most):
                note("mean_outside", got=f"{value:.15g}", subject=f"{sent}-{mean}")


def _param(packet: Packet, key: str, text: str, params: list[tuple[str, str]], note: Any) -> None:
    table = tables()
    if key not in table.params:
        note("param_unknown", subject=_short(key, 40))
    elif key not in table.list_params:
        before = next((v for k, v in params if k == key), None)
        if before is not None:
            if before == text:
                note("duplicate_same", subject=key)
                return
            note("duplicate_conflict", got=f"{before}、{text}", subject=key)
            return
    params.append((key, text))
    if key in table.time_params:
        when, standard = parse_time(text)
        if key == "DataTime":
            packet.data_time = when
        if when is None:
            note("data_time_bad" if key == "DataTime" else "time_bad", got=text or "空", subject=key)
        elif not standard:
            note("time_form", got=text, subject=key)
        if key == "EndTime" and when is not None:
            begin = parse_time(packet.param("BeginTime"))[0]
            if begin is not None and begin > when:
                note("interval_order", got=f"{packet.param('BeginTime')}、{text}")
    elif (key == "QnRtn" and text not in table.qn_rtn) or (key == "ExeRtn" and text not in table.exe_rtn):
        note("answer_unknown", got=text, subject=key)
    elif key == "RtdInterval":
        low, high = table.rtd_interval
        if not (text.isdigit() and text.isascii() and len(text) < 6 and low <= int(text) <= high):
            note("interval_form", got=text, subject=key)
    elif key == "MinInterval" and text not in table.min_intervals:
        note("interval_form", got=text, subject=key)


class Peek(NamedTuple):
    """The header fields that an acknowledgement needs, as bytes; empty where absent. In the order of the header."""

    qn: bytes
    st: bytes
    cn: bytes
    pw: bytes
    mn: bytes
    flag: bytes


_PEEK = re.compile(
    rb"(?:QN=([^;,=]*);)?ST=([^;,=]*);CN=([^;,=]*);PW=([^;,=]*);MN=([^;,=]*);(?:Flag=([^;,=]*);(?:RF=1;|PNUM=\d+;PNO=\d+;)?)?CP="
)


def peek(seg: bytes) -> Peek:
    """A cheap look at the header of a segment, for the gateway's hot path; a repeated field counts the first time."""
    usual = _PEEK.match(seg)
    if usual is not None:
        return Peek(*usual.groups(b""))
    at = seg.find(b"CP=")
    items = (seg if at < 0 else seg[:at]).replace(b",", b";").split(b";")
    fields = dict(item.split(b"=", 1) for item in reversed(items) if b"=" in item)
    get = fields.get
    return Peek(get(b"QN", b""), get(b"ST", b""), get(b"CN", b""), get(b"PW", b""), get(b"MN", b""), get(b"Flag", b""))
