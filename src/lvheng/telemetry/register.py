"""The register as one thing: devices in the gateway's ``registry.sqlite``, outlets and factors in the database, joined by MN.

What is put here reaches the running gateway within seconds (:mod:`lvheng.telemetry.devices`). Every change leaves an event in
the audit chain; passwords and keys never do.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise

from django.db import transaction
from django.utils import timezone

from lvheng.access.models import append_event
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry import hj212, services
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.devices import Device, SqliteRegistry
from lvheng.telemetry.hj212.dialect import Proposal
from lvheng.telemetry.models import Factor, Outlet

SYSTEMS = {"31": "gas", "32": "water"}
FLOWS = {"a00000", "w00000"}
OXYGEN = "a19001"
UNITS = {"毫克/立方米": "mg/m3", "毫克/升": "mg/L", "升/秒": "L/s", "立方米/秒": "m3/s", "无量纲": ""}


@dataclass(frozen=True, slots=True)
class Stranger:
    """A device that sends but is not registered."""

    mn: str
    first: datetime
    last: datetime
    count: int


@contextmanager
def registry() -> Iterator[SqliteRegistry]:
    folder = services.data_folder()
    folder.mkdir(parents=True, exist_ok=True)
    found = SqliteRegistry(folder / "registry.sqlite")
    try:
        yield found
    finally:
        found.close()


def registered() -> set[str]:
    """MN of every registered device."""
    if not (services.data_folder() / "registry.sqlite").exists():
        return set()
    with registry() as found:
        return {d.mn for d in found.all()}


def devices() -> list[Device]:
    with registry() as found:
        return found.all()


def device(mn: str) -> Device | None:
    with registry() as found:
        return found.get(mn)


def strangers() -> list[Stranger]:
    """Devices that were refused because nobody registered them, the last heard first."""
    path = services.data_folder() / "live.sqlite"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        rows = db.execute(
            "select subject, first, last, count from alarm where kind = 'unknown_device' order by last desc"
        ).fetchall()
    known = registered()
    return [Stranger(mn, _wall(first), _wall(last), n) for mn, first, last, n in rows if mn not in known]


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def recent(mn: str) -> tuple[list[hj212.Packet], list[hj212.Reject]]:
    """The last packets of a device, and what of it could not be read, from the journal."""
    from lvheng.telemetry import ingest

    found = device(mn) or Device(mn)
    return ingest.recent(services.data_folder() / "journal", mn, found.dialect)


def proposal(mn: str) -> Proposal | None:
    """The dialect that the device's recent packets suggest; None where it keeps the standard, or its own dialect already."""
    packets, rejects = recent(mn)
    return hj212.propose(packets, rejects, name=f"{mn}的方言")


def put(new: Device, *, by: str, action: str = "登记设备") -> None:
    """Add a device or change it; raises ProblemError for an MN that no device can send."""
    if not (6 <= len(new.mn) <= 30 and new.mn.isascii() and new.mn.isalnum()):
        raise ProblemError(
            Problem(
                "telemetry.device.mn", "设备编号应为6至30位字母和数字", got=new.mn[:40], fix="按数采仪上的编号填写。"
            )
        )
    if new.password and not (len(new.password) <= 9 and new.password.isascii() and ";" not in new.password):
        raise ProblemError(
            Problem("telemetry.device.password", "访问密码不超过9个字母或数字", fix="按数采仪上设置的密码填写。")
        )
    with registry() as found:
        found.put([new])
    append_event(
        by, action, new.mn, {"版本": new.version, "系统编码": new.st, "链路": new.link, "方言": new.dialect.as_dict()}
    )


def remove(mn: str, *, by: str) -> None:
    """Forget a device: what it sends is refused from then on. Its outlet and its data stay."""
    with registry() as found:
        found.remove([mn])
    append_event(by, "停用设备", mn)


def accept(mn: str, *, by: str) -> Proposal:
    """Take the proposed dialect into use; raises ProblemError when there is none."""
    found = proposal(mn)
    if found is None:
        raise ProblemError(Problem("telemetry.dialect.none", "该设备没有需要登记的偏差", got=mn))
    present = device(mn) or Device(mn)
    put(replace(present, dialect=replace(found.dialect, sm4_key=present.dialect.sm4_key)), by=by, action="采用设备方言")
    return found


@dataclass(frozen=True, slots=True)
class Sketch:
    """What a device's packets tell of it: system, version, factors and the interval of its minute data."""

    st: str
    version: int
    codes: tuple[str, ...]
    interval: int
    packets: int


def sketch(mn: str) -> Sketch:
    """Read from the last packets of a device."""
    packets, _rejects = recent(mn)
    systems = Counter(p.st for p in packets if p.st in SYSTEMS)
    versions = Counter({0: 2005, 1: 2017, 2: 2025}.get(p.version, 2017) for p in packets)
    codes = Counter(v.code for p in packets for v in p.values if v.suffix in ("Avg", "Rtd"))
    times = sorted({p.data_time for p in packets if p.cn == "2051" and p.data_time is not None})
    steps = Counter(int((b - a).total_seconds() // 60) for a, b in pairwise(times))
    interval = next((s for s, _n in steps.most_common() if 1 <= s <= 60), 10)
    return Sketch(
        systems.most_common(1)[0][0] if systems else "", versions.most_common(1)[0][0] if versions else 2017,
        tuple(sorted(c for c in codes if c in hj212.tables().codes)), interval, len(packets),
    )  # fmt: skip


def adopt(mn: str, *, by: str, name: str = "", region: str = "", synthetic: bool = False) -> Outlet:
    """Register a stranger with an outlet of its own, its factors as its packets show them. Limits and the rest are filled in
    afterwards; raises ProblemError when its packets do not tell whether it measures gas or water."""
    seen = sketch(mn)
    if seen.st not in SYSTEMS:
        raise ProblemError(
            Problem(
                "telemetry.device.system",
                "报文没有表明是废气还是废水，不能直接登记",
                got=seen.st or "没有报文",
                fix="先登记设备，再新建排口。",
            )
        )
    with transaction.atomic():
        outlet = Outlet.objects.filter(mn=mn).first() or Outlet.objects.create(
            code=mn, name=name or f"待核名排口{mn[-6:]}", region=region, medium=SYSTEMS[seen.st], mn=mn, version=seen.version,
            interval=seen.interval, since=timezone.localdate(), synthetic=synthetic,
        )  # fmt: skip
        add_factors(outlet, seen.codes)
    present = device(mn)
    put(present or Device(mn, st=seen.st, version=seen.version), by=by, action="登记未知设备")
    return outlet


def add_factors(outlet: Outlet, codes: tuple[str, ...]) -> int:
    """Factors of the code table for codes that the outlet does not have yet, and what is reckoned from parts where only these
    are sent (NOx); returns how many were added."""
    table, made = hj212.tables().codes, 0
    for code in codes:
        if code.startswith("a01") or code not in table:  # temperature, pressure, humidity and velocity only help others
            continue
        kind = "flow" if code in FLOWS else "o2" if code == OXYGEN else "value"
        known = table[code]
        _factor, new = Factor.objects.get_or_create(
            outlet=outlet,
            code=code,
            defaults={"name": known.name, "kind": kind, "unit": UNITS.get(known.unit_conc, known.unit_conc)[:12]},
        )
        made += new
    for code, parts in services.rules_on(timezone.localdate()).derived.items():
        if code not in codes and all(part in codes for part, _weight in parts):
            _factor, new = Factor.objects.get_or_create(
                outlet=outlet, code=code, defaults={"name": table[code].name, "unit": UNITS.get(table[code].unit_conc, table[code].unit_conc)[:12], "derived": True},
            )  # fmt: skip
            made += new
    return made


def follow(mn_before: str, outlet: Outlet, *, by: str) -> None:
    """After an outlet's own MN changed, its device goes with it."""
    if mn_before == outlet.mn:
        return
    present = device(mn_before)
    if present is not None and device(outlet.mn) is None:
        with registry() as found:
            found.put([replace(present, mn=outlet.mn)])
            found.remove([mn_before])
        append_event(by, "变更设备编号", outlet.code, {"原": mn_before, "新": outlet.mn})
