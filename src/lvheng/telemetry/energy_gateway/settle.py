"""From stored readings of key energy users to the month's consumption: spans, completeness, and observations with evidence.

The readings of a month are read from the lake, turned into spans by the rules of :mod:`registers`, and kept in
``rollup/energy/<month>.parquet`` (every span) and ``<month>.json`` (a row a meter). A month goes into the ledger only when it
is over and every hour of it is accounted for; done again it gives the same figures, and late data give a new vintage.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.utils import timezone

from lvheng.core.period import Period
from lvheng.core.source import Confidence, Source
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, Recorded, record
from lvheng.telemetry import services
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.energy_gateway import registers
from lvheng.telemetry.energy_gateway.adapter import Adapter
from lvheng.telemetry.ingest import ENERGY_SYSTEM
from lvheng.telemetry.lake import Lake, connect
from lvheng.telemetry.models import EnergyMeter

INDICATOR = "metered_energy"
Rows = Sequence[tuple[datetime, Decimal]]
SPANS = pa.schema(
    [("unit", pa.string()), ("device", pa.string()), ("code", pa.string()), ("start", pa.timestamp("us")), ("end", pa.timestamp("us")),
     ("slots", pa.int32()), ("amount", pa.string()), ("kind", pa.string())]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeterMonth:
    """One meter's month. Numbers are exact texts in the meter's unit, None where unknown; ``whole``: every hour accounted for."""

    unit: str
    device: str
    code: str
    carrier: str
    measure: str
    month: str
    amount: str
    whole: bool
    due: int
    have: int
    gaps: int
    unknown: int
    rolled: int
    exchanged: int
    refused: int
    days: str | None
    stated: str | None
    deviation: str | None
    digest: str

    @property
    def completeness(self) -> Decimal:
        return Decimal(self.have) / self.due if self.due else Decimal(0)


def folder() -> Path:
    return services.rollup_folder() / "energy"


def quality(name: str) -> Decimal:
    """A bound of the quality rules: ``completeness`` at least, the others at most."""
    rule = Adapter().schema["quality"][name]
    return Decimal(str(rule.get("least", rule.get("most"))))


def settle_changed(days: Iterable[date], now: datetime | None = None) -> list[str]:
    """Settle the months of those days that hold energy uploads; returns the months."""
    lake = services.lake_folder()
    home, here = Lake(lake), f"/st={ENERGY_SYSTEM}/"
    touched = {f"{d:%Y-%m}" for d in days if any(here in f.name for f in home.files("values", d, d))}
    before = {
        f"{Period.parse(m).start - timedelta(days=1):%Y-%m}" for m in touched
    }  # a first reading ends the month before
    months = sorted(touched | {m for m in before if (folder() / f"{m}.json").exists()})
    for month in months:
        settle(month, now=now)
    return months


def settle(
    month: str, *, now: datetime | None = None, lake: Path | str | None = None
) -> tuple[list[MeterMonth], Recorded | None]:
    """Settle one month of all meters; the figures of what is whole go into the ledger once the month is over."""
    period, now = Period.parse(month), now or timezone.now()
    lake = lake or services.lake_folder()
    begin = datetime(period.start.year, period.start.month, period.start.day)  # noqa: DTZ001 wall time
    after = period.end + timedelta(days=1)
    end = datetime(after.year, after.month, after.day)  # noqa: DTZ001 wall time
    with connect(lake) as db:
        rows = db.execute(
            "select mn, code, cycle, data_time, value_text from effective where st = $st and flag = 'N' and data_time >= $begin"
            " and data_time <= $end and day between $first and $last and cycle in ('quarter', 'day', 'month') order by all",
            {"st": ENERGY_SYSTEM, "begin": begin, "end": end, "first": period.start, "last": after},
        ).fetchall()
    read: dict[tuple[str, str], dict[str, list[tuple[datetime, Decimal]]]] = {}
    for mn, code, cycle, at, text in rows:
        read.setdefault((mn, code), {}).setdefault(cycle, []).append((at, Decimal(text)))
    _meet(read)
    results, spans = [], []
    for meter in EnergyMeter.objects.prefetch_related("exchanges"):
        given = read.get((f"{meter.unit}/{meter.device}", meter.code))
        if given:
            found, made = settle_meter(meter, given, begin, end, month)
            results.append(found)
            spans += [(meter.unit, meter.device, meter.code, s.start, s.end, s.slots, None if s.amount is None else str(s.amount), s.kind) for s in made]  # fmt: skip
    folder().mkdir(parents=True, exist_ok=True)
    columns = zip(*spans, strict=True) if spans else [[] for _ in SPANS]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SPANS, strict=True)], schema=SPANS)
    for path, write in (
        (folder() / f"{month}.parquet", lambda p: pq.write_table(table, p, compression="zstd")),
        (folder() / f"{month}.json", lambda p: p.write_text(json.dumps([asdict(r) for r in results], ensure_ascii=False), encoding="utf-8")),
    ):  # fmt: skip
        draft = path.with_suffix(".draft")
        write(draft)
        draft.replace(path)
    over = now.astimezone(SHANGHAI).replace(tzinfo=None) >= end + timedelta(hours=1)
    return results, _record(period, results) if over else None


def _meet(read: dict[tuple[str, str], dict[str, list[tuple[datetime, Decimal]]]]) -> None:
    """Meters that upload for the first time, where the item table knows what they measure."""
    adapter = Adapter()
    known = {(f"{u}/{d}", c) for u, d, c in EnergyMeter.objects.values_list("unit", "device", "code")}
    for mn, code in read.keys() - known:
        unit, _slash, device = mn.partition("/")
        kind = adapter.kind_of(code)
        if kind and len(unit) <= 32 and len(device) <= 40 and len(code) <= 40:
            EnergyMeter.objects.get_or_create(
                unit=unit, device=device, code=code, defaults={"carrier": kind["carrier"], "measure": kind["unit"], "form": kind["form"]}
            )  # fmt: skip


def settle_meter(
    meter: EnergyMeter, given: dict[str, list[tuple[datetime, Decimal]]], begin: datetime, end: datetime, month: str
) -> tuple[MeterMonth, tuple[registers.Span, ...]]:
    """A meter's month from its readings: for a register those at both ends belong to it, for slots those that begin in it."""
    step = timedelta(minutes=meter.minutes)
    due = (end - begin) // step
    quarters = given.get("quarter", [])
    if meter.form == "register":
        changes = [
            registers.Exchange(x.moment.astimezone(SHANGHAI).replace(tzinfo=None), x.final, x.first)
            for x in meter.exchanges.all()
        ]
        about = registers.Meter(meter.capacity, meter.factor, meter.most)
        series = registers.consumption(quarters, step, about, changes)
    else:
        series = _slots([q for q in quarters if q[0] < end], step, meter)
    spans = series.spans
    reached = bool(spans) and spans[0].start == begin and spans[-1].end == end
    whole = reached and all(s.amount is not None for s in spans)
    days = [v for t, v in given.get("day", ()) if begin <= t < end]
    stated = next((v for t, v in given.get("month", ()) if t == begin), None)
    every_day = len(days) == (end - begin).days
    deviation = registers.day_against_month(days, stated) if stated is not None and every_day else None
    digest = hashlib.sha256("\n".join(f"{t:%Y%m%d%H%M} {v}" for t, v in quarters).encode()).hexdigest()
    result = MeterMonth(
        meter.unit, meter.device, meter.code, meter.carrier, meter.measure, month, str(series.total), whole, due,
        sum(s.slots == 1 and s.amount is not None for s in spans), sum(s.slots > 1 for s in spans), len(series.unknown),
        sum(s.kind == "rolled" for s in spans), sum(s.kind == "exchanged" for s in spans), len(series.refused),
        str(sum(days, Decimal(0))) if every_day else None, None if stated is None else str(stated),
        None if deviation is None else str(deviation), digest,
    )  # fmt: skip
    return result, spans


def _slots(values: Rows, step: timedelta, meter: EnergyMeter) -> registers.Series:
    """Consumption that the device has reckoned by slot itself. What is missing between two values is unknown."""
    spans: list[registers.Span] = []
    for at, value in values:
        if spans and spans[-1].end < at:
            before = spans[-1].end
            spans.append(registers.Span(before, at, None, "gap", (at - before) // step))
        spans.append(registers.Span(at, at + step, value * meter.factor, "measured", 1))
    return registers.Series(tuple(spans), (), step)


# --- the ledger -----------------------------------------------------------------------------------


def coal_equivalent(carrier: str, measure: str, day: date) -> tuple[Decimal, str] | None:
    """(tce of one unit measured, reference of the rule); None where the factor is the reporting unit's own choice."""
    change = Adapter().schema["carriers"].get(measure)
    rule = services.rulebook().find("energy.factors", day)
    if change is None or rule is None:
        return None
    row = next((r for r in rule.entry.rows if r["code"] == carrier and r["unit"] == change["unit"]), None)
    if row is None or row["low"] != row["high"]:
        return None
    return Decimal(str(row["low"])) / Decimal(change["divide"]), rule.ref


def _record(period: Period, results: Sequence[MeterMonth]) -> Recorded | None:
    """Units known to the ledger, carriers of which every meter's month is whole and whose factor is fixed."""
    units = {s.code: s for s in Subject.objects.filter(kind="unit", code__in={r.unit for r in results})}
    by_carrier: dict[tuple[str, str], list[MeterMonth]] = {}
    for r in results:
        if r.unit in units:
            by_carrier.setdefault((r.unit, r.carrier), []).append(r)
    figures = []
    for (unit, carrier), mine in sorted(by_carrier.items()):
        parts = [coal_equivalent(r.carrier, r.measure, period.end) for r in mine]
        if not all(r.whole for r in mine) or None in parts:
            continue
        total = sum((Decimal(r.amount) * p[0] for r, p in zip(mine, parts, strict=True) if p), Decimal(0))
        evidence = hashlib.sha256("".join(sorted(r.digest for r in mine)).encode()).hexdigest()[:32]
        source = ensure_source(
            Source("能耗在线监测", article="表底差", confidence=Confidence.CONFIRMED), synthetic=units[unit].synthetic
        )
        value = total.quantize(Decimal("0.000001"))
        figures.append(Figure(INDICATOR, unit, period.code, value, "吨标准煤", "measured", source, carrier, f"数据湖分区 st={ENERGY_SYSTEM} {period.code} 读数摘要{evidence}"))  # fmt: skip
    if not figures:
        return None
    return record(
        figures, kind="telemetry", title=f"{period.label}能耗在线监测用能量", by="系统", catalogue=view.catalogue()
    )


# --- reading --------------------------------------------------------------------------------------


def months() -> list[str]:
    """Settled months, the last first."""
    return sorted((p.stem for p in folder().glob("*.json")), reverse=True)


def of_month(month: str) -> list[MeterMonth]:
    path = folder() / f"{month}.json"
    if not path.exists():
        return []
    return [MeterMonth(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def spans_of(meter: EnergyMeter, month: str) -> list[dict[str, Any]]:
    """The spans of a meter's month that are not plain measured slots."""
    path = folder() / f"{month}.parquet"
    if not path.exists():
        return []
    wanted = [
        ("unit", "=", meter.unit),
        ("device", "=", meter.device),
        ("code", "=", meter.code),
        ("kind", "!=", "measured"),
    ]
    return list(pq.read_table(path, filters=wanted).to_pylist())


@dataclass(frozen=True, slots=True)
class Compared:
    """A unit's month and carrier: metered and filed, in tce; ``share`` = (filed − metered) ÷ metered."""

    period: Period
    carrier: str
    metered: Decimal | None
    filed: Decimal | None
    share: Decimal | None
    beyond: bool


def compared(unit: str) -> list[Compared]:
    """Metered months against what the unit filed in form 205-1, the last first."""
    latest: dict[tuple[str, str, str], Decimal | None] = {}
    rows = Observation.objects.filter(subject__code=unit, indicator__in=[INDICATOR, "energy_use"]).exclude(item="")
    for o in rows.order_by("vintage"):
        latest[o.indicator, o.period, o.item] = o.value
    most, out = quality("filing_against_meter"), []
    metered = {(p, c) for i, p, c in latest if i == INDICATOR}
    for period, carrier in sorted(metered, reverse=True):
        have, filed = latest[INDICATOR, period, carrier], latest.get(("energy_use", period, carrier))
        share = (filed - have) / have if have and filed is not None else None
        beyond = share is not None and abs(share) > most
        out.append(Compared(Period.parse(period), carrier, have, filed, share, beyond))
    return out
