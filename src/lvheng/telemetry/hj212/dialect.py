"""What one device does differently, as data; and a proposal of it from the device's recent packets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lvheng.telemetry.hj212.tables import tables

if TYPE_CHECKING:
    from lvheng.telemetry.hj212.frame import Reject
    from lvheng.telemetry.hj212.packet import Packet


@dataclass(frozen=True, slots=True)
class Dialect:
    """The standard (every field at its default) or one device's way of departing from it.

    ``units`` maps a code to the factor by which a sent value is multiplied to reach the unit of the code table.
    ``quiet`` names findings that are known of the device and no longer repeated (never a BLOCKER).
    """

    name: str = "标准"
    crc: str = "hj212"
    segment_max: int = 0  # 0: 1024 where the version is stated
    version: int | None = None  # read packets as this version whatever their Flag
    codes: Mapping[str, str] = field(default_factory=dict)
    suffixes: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    mn_alias: str = ""
    sm4_key: bytes = b""
    sm4_literal: bool = False
    acknowledge: bool | None = None  # None: as Flag asks
    quiet: frozenset[str] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """For storage; the key is left out, it belongs into a safe."""
        data = asdict(self)
        del data["sm4_key"]
        data["quiet"] = sorted(self.quiet)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], sm4_key: bytes = b"") -> Dialect:
        return cls(**{**data, "quiet": frozenset(data.get("quiet", ())), "sm4_key": sm4_key})


STANDARD = Dialect()

_HABITS = (
    "qn_missing", "qn_form", "flag_missing", "pw_form", "mn_form", "header_order", "eol", "crc_lowercase", "time_form",
    "empty_item", "comma_for_semicolon", "decimals_over", "flag_absent", "st_unknown", "over_1024", "text_gbk",
    "parts_unflagged", "parts_missing", "code_old",
)  # fmt: skip
"""Findings of form only: a device that always does so may be allowed to, after a person has agreed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A dialect to be agreed to by a person, with one sentence of reason a change."""

    dialect: Dialect
    reasons: tuple[str, ...]
    packets: int


def propose(
    packets: Iterable[Packet], rejects: Iterable[Reject] = (), *, name: str = "", share: float = 0.5, least: int = 3
) -> Proposal | None:
    """Propose a dialect for one device from its recent packets and rejected frames.

    A habit is proposed when at least ``least`` packets and ``share`` of all show it; nothing is proposed (None)
    when the device keeps the standard. Values are never judged here, only forms.
    """
    packets, rejects = list(packets), list(rejects)
    total = len(packets) + len(rejects)
    enough = max(least, share * total)
    reasons: list[str] = []
    changes: dict[str, Any] = {}

    variants = Counter(r.variant for r in rejects if r.variant)
    variants.update(p.frame.variant for p in packets if p.frame and p.frame.variant not in ("", "hj212"))
    if variants:
        variant, n = variants.most_common(1)[0]
        if n >= enough:
            changes["crc"] = variant
            reasons.append(f"{total}个报文中有{n}个的校验码符合{_CRC_NAMES[variant]}")
    longest = max((len(p.frame.seg) for p in packets if p.frame), default=0)
    over = sum(p.has("over_1024") or p.has("over_1024_stated") for p in packets)
    if over >= least:
        changes["segment_max"] = tables().accepted_max
        reasons.append(f"有{over}个报文超过1024字节而未分包，最长{longest}字节")

    table = tables()
    old: Counter[str] = Counter()
    suffixes: Counter[str] = Counter()
    high: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for packet in packets:
        for code in {v.code_sent for v in packet.values}:
            if code in table.from_old:
                old[code] += 1
        for suffix in {v.suffix for v in packet.values}:
            if suffix in table.suffix_aliases:
                suffixes[suffix] += 1
        for v in packet.values:
            if v.number is not None and (row := table.plausible.get(v.code)) and "factor" in row:
                seen[v.code] += 1
                high[v.code] += not row["min"] <= v.number <= row["max"]
    codes = {code: table.from_old[code] for code, n in sorted(old.items()) if n >= least}
    if codes:
        changes["codes"] = codes
        reasons.append("使用2005版因子代码：" + "、".join(f"{a}→{b}" for a, b in codes.items()))
    aliases = {s: table.suffix_aliases[s] for s, n in sorted(suffixes.items()) if n >= least}
    if aliases:
        changes["suffixes"] = aliases
        reasons.append("项目后缀写法不同：" + "、".join(f"{a}→{b}" for a, b in aliases.items()))
    units = {}
    for code, n in sorted(high.items()):
        if n >= least and n >= share * seen[code]:
            row = table.plausible[code]
            units[code] = row["factor"]
            reasons.append(f"{table.codes[code].name}（{code}）有{n}个数值超出合理范围，{row['hint']}")
    if units:
        changes["units"] = units
    habits = [h for h in _HABITS if sum(p.has(h) for p in packets) >= enough]
    if habits:
        changes["quiet"] = frozenset(habits)
        reasons.append(f"有{len(habits)}类写法上的偏差反复出现，可登记为该设备的习惯")
    if not changes:
        return None
    return Proposal(Dialect(name=name or "建议", **changes), tuple(reasons), total)


_CRC_NAMES = {"modbus": "MODBUS校验", "modbus_swapped": "高低字节互换的MODBUS校验"}


def convert(text: str, factor: str) -> float:
    """A sent decimal times a factor, exactly, then as the nearest float."""
    return float(Decimal(text) * Decimal(factor))
