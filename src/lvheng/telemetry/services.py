"""Use cases of on-line monitoring: series for roll-ups, marks, alarms, closing a month."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from lvheng.access.models import append_event
from lvheng.core.engine import connect
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.rulebook import Rulebook
from lvheng.core.source import Confidence, Source
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, Recorded, record
from lvheng.telemetry import leads, screens
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.clock import instant as moment
from lvheng.telemetry.lake import lake_of
from lvheng.telemetry.models import Alarm, AlarmStep, Factor, Mark, MarkWithdrawal, MonthClose, Outlet
from lvheng.telemetry.validity import judge, run
from lvheng.telemetry.validity.evidence import Part, compare, digest_of, evidence
from lvheng.telemetry.validity.rules import MICRO, Rules, read_rules

MILLIGRAMS = 1_000_000  # in a kilogram
INDICATOR = "online_emission"
_HOUR = timedelta(hours=1)
NEXT = {
    "open": ("acknowledged", "assigned"),
    "acknowledged": ("assigned", "closed"),
    "assigned": ("assigned", "closed"),
    "closed": (),
}


def data_folder() -> Path:
    """The gateway's folder: journal, register, live values and lake."""
    return Path(settings.HOME) / "telemetry"


def lake_folder() -> Path | str:
    """The lake that the gateway writes, a folder or a URL; invented outlets have rows of their own MN in it."""
    return lake_of(data_folder())


def rollup_folder() -> Path:
    return Path(settings.HOME) / "rollup"


def rulebook() -> Rulebook:
    return view.current().rulebook


def rules_on(day: date) -> Rules:
    return read_rules(rulebook(), day)


def hour_of(at: datetime) -> int:
    """The hour, counted from 1970 in wall time, that a moment falls in."""
    return int((at.astimezone(SHANGHAI).replace(tzinfo=None) - datetime(1970, 1, 1)) // _HOUR)  # noqa: DTZ001


def series_table(mns: Collection[str] | None = None) -> pa.Table:
    """The register as the series of roll-ups; of some devices only when ``mns`` is given."""
    rows = []
    factors = Factor.objects.select_related("outlet").order_by("id")
    if mns is not None:
        factors = factors.filter(outlet__mn__in=mns)
    flows = {f.outlet_id: f.code for f in factors if f.kind == "flow"}
    oxygen = {f.outlet_id: f.code for f in factors if f.kind == "o2"}
    for f in factors:
        o = f.outlet
        rows.append(
            {
                "series": f.pk, "outlet": o.code, "mn": o.mn, "code": f.code, "kind": f.kind, "medium": o.medium, "version": o.version,
                "interval": o.interval, "flow_code": flows.get(f.outlet_id, ""), "o2_code": oxygen.get(f.outlet_id, ""),
                "o2_reference": _micro(o.o2_reference) if f.kind == "value" else None,
                "limit_low": _micro(f.limit_low), "limit_high": _micro(f.limit_high),
                "ppm": f.ppm, "actual": f.actual, "wet": f.wet, "ambient": _micro(f.ambient), "derived": f.derived,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=run.SERIES)


def _micro(value: Decimal | None) -> int | None:
    return None if value is None else int((value * MICRO).to_integral_value())


# --- marks ----------------------------------------------------------------------------------------


def marks_in_force(first: date, last: date) -> list[Mark]:
    begin, end = _midnight(first), _midnight(last + timedelta(days=1))
    return list(Mark.objects.filter(begin__lt=end, end__gt=begin, withdrawal=None).order_by("id"))


def marks_table(first: date, last: date, marks: Iterable[Mark] | None = None) -> pa.Table:
    """Marks as one row a series and hour. Where several cover an hour: standstill, then invalid, then not judged."""
    rank = {"not_judged": 0, "invalid": 1, "stop": 2}
    kinds = rules_on(last).marks
    chosen: dict[tuple[int, int], str] = {}
    by_outlet: dict[int, list[int]] = {}
    for outlet, pk in Factor.objects.filter(kind="value").values_list("outlet_id", "pk"):
        by_outlet.setdefault(outlet, []).append(pk)
    for mark in marks_in_force(first, last) if marks is None else marks:
        effect = kinds[mark.kind].effect
        targets = [mark.factor_id] if mark.factor_id else by_outlet.get(mark.outlet_id, [])
        for series in targets:
            for hour in range(hour_of(mark.begin), hour_of(mark.end)):
                key = (series, hour)
                if key not in chosen or rank[effect] > rank[chosen[key]]:
                    chosen[key] = effect
    rows = [{"series": s, "hour": h, "effect": e} for (s, h), e in sorted(chosen.items())]
    return pa.Table.from_pylist(rows, schema=run.MARKS)


def mark(
    outlet: Outlet, kind: str, begin: datetime, end: datetime, *, reason: str, evidence: str, by: str, factor: Factor | None = None,
    now: datetime | None = None,
) -> Mark:  # fmt: skip
    """Set a mark; raises ProblemError when it is late, unproven, of no known kind, not on whole hours or in a closed month."""
    now = now or timezone.now()
    day = begin.astimezone(SHANGHAI).date()
    book = rulebook()
    rules = read_rules(book, day)
    problems = []
    if kind not in rules.marks:
        names = "、".join(k.name for k in rules.marks.values()) or "标记规则自2023年1月1日起施行"
        problems.append(
            Problem("telemetry.mark.kind", "没有这种标记", got=kind, wanted=names, fix="从所列种类中选择。")
        )
    if end <= begin:
        problems.append(Problem("telemetry.mark.order", "结束时间不晚于开始时间", fix="改正起止时间。"))
    if any((t.minute, t.second, t.microsecond) != (0, 0, 0) for t in (begin, end)):
        problems.append(Problem("telemetry.mark.hour", "标记以整小时为单位", got=f"{begin:%H:%M}至{end:%H:%M}", fix="按整点填写起止时间。"))  # fmt: skip
    for text, name in ((reason, "原因"), (evidence, "证明材料")):
        if not text.strip():
            problems.append(Problem("telemetry.mark.proof", f"标记缺少{name}", fix=f"填写{name}。"))
    rule = book.find("telemetry.mark_deadline_hour", day)
    if rule is not None and rule.value is not None:
        limit = (
            _midnight(day + timedelta(days=1)) + int(rule.value) * _HOUR
        )  # of the first day: a mark is not spread to save it
        if now > limit:
            problems.append(
                Problem(
                    "telemetry.mark.late", "已过标记期限", got=_time(now), wanted=f"{_time(limit)}前", source=str(rule.source),
                    fix="不再受理标记；数据按实际判定，可另行提交说明。",
                )
            )  # fmt: skip
    if MonthClose.objects.filter(month=f"{day:%Y-%m}").exists():
        problems.append(Problem("telemetry.mark.closed", "该月已关账，不能再标记", got=f"{day.year}年{day.month}月"))
    if problems:
        raise ProblemError(problems)
    with transaction.atomic():
        made = Mark.objects.create(
            outlet=outlet, factor=factor, kind=kind, begin=begin, end=end, reason=reason.strip(), evidence=evidence.strip(), by=by,
            at=now, rule=rule.ref if rule else "",
        )  # fmt: skip
        append_event(by, "数据标记", f"{outlet.code} {rules.marks[kind].name}", {"起": begin, "止": end, "原因": reason, "证明材料": evidence})  # fmt: skip
    return made


def withdraw_mark(mark: Mark, *, reason: str, by: str) -> MarkWithdrawal:
    """Set a mark aside; its hours count as they were measured again."""
    if not reason.strip():
        raise ProblemError(Problem("telemetry.mark.reason", "撤销标记须写明理由"))
    with transaction.atomic():
        made = MarkWithdrawal.objects.create(mark=mark, reason=reason.strip(), by=by, at=timezone.now())
        append_event(by, "撤销标记", f"{mark.outlet.code} {mark.pk}", {"理由": reason})
    return made


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def _time(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日{local.hour}时{local.minute}分"


# --- alarms ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Episode:
    kind: str
    series: int
    first: int  # hours counted from 1970
    last: int
    value: int | None
    limit: int | None


def find_episodes(hours: pa.Table, days: pa.Table, series: pa.Table) -> list[Episode]:
    """Exceedances (hour of gas, day of water), silence and constancy in a roll-up."""
    book, today = rulebook(), timezone.localdate()
    quiet, steady = (int(book.at(f"telemetry.alarm.{n}_hours", today).value or 0) for n in ("no_data", "constant"))
    on = connect("duckdb")
    h, d, s = on.load(hours), on.load(days), on.load(series)
    pollutant = [r["series"] for r in series.to_pylist() if r["kind"] == "value"]
    mine = h.filter(nw.col("series").is_in(pollutant))
    found: list[Episode] = []
    for kind, frame, step in (
        ("exceedance", judge.episodes(judge.over_limit(h, s, medium="gas")), 1),
        ("exceedance", judge.episodes(judge.over_limit(d, s, medium="water")), 24),
        ("no_data", judge.episodes(judge.silent(mine), quiet), 1),
        ("constant", judge.constant(h, s, steady, rules_on(today).constant_samples), 1),
    ):
        for row in on.arrow(frame).to_pylist():
            last = row["last"] * step + step
            found.append(Episode(kind, row["series"], row["first"] * step, last, row["value"], row["limit"]))
    return found


def raise_alarms(hours: pa.Table, days: pa.Table, now: datetime | None = None) -> int:
    """Alarms of a roll-up. An episode that meets a known alarm of its kind and series is that alarm, brought up to date, so
    that there is one alarm while it lasts; one that has ended is marked as recovered. Returns how many are new."""
    now = now or timezone.now()
    factors = {f.pk: f for f in Factor.objects.select_related("outlet")}
    bounds = hours.group_by("series").aggregate([("hour", "min"), ("hour", "max")]).to_pylist()
    reach = {r["series"]: (moment(r["hour_min"]), moment(r["hour_max"] + 1)) for r in bounds if r["series"] in factors}
    series = series_table()
    found = find_episodes(hours, days, series.filter(pc.is_in(series["series"], pa.array(list(reach), pa.int32()))))
    with transaction.atomic():
        known: dict[tuple[str, int | None], list[Alarm]] = {}
        for alarm in Alarm.objects.filter(kind__in=_FROM_HOURS, factor__in=list(reach)).select_for_update():
            known.setdefault((alarm.kind, alarm.factor_id), []).append(alarm)
        fresh, changed, met = [], [], set()
        for e in sorted(found, key=lambda x: (x.series, x.first)):
            first, last, end = moment(e.first), moment(e.last), reach[e.series][1]
            value, limit = (None if v is None else Decimal(v) / MICRO for v in (e.value, e.limit))
            if e.kind == "exceedance" and factors[e.series].outlet.medium == "water":
                end = _midnight(end.astimezone(SHANGHAI).date())  # water is judged by whole days
            over = None if last >= end else last
            touching = [a for a in known.get((e.kind, e.series), ()) if a.first <= last and a.last >= first]
            if touching:
                alarm = touching[0]
                before = (alarm.last, alarm.value, alarm.recovered)
                alarm.last = max(alarm.last, last) if alarm.pk in met else last
                alarm.value, alarm.recovered = value, over
                met.add(alarm.pk)
                if before != (alarm.last, alarm.value, alarm.recovered):
                    changed.append(alarm)
                continue
            factor = factors[e.series]
            fresh.append(
                Alarm(kind=e.kind, outlet=factor.outlet, factor=factor, key=f"{e.kind} {factor.outlet.code} {factor.code} {e.first}",
                      first=first, last=last, value=value, limit=limit, raised=now, recovered=over)
            )  # fmt: skip
        for (
            _kind,
            pk,
        ), alarms in known.items():  # gone since: late data came, or it ended before the stretch looked at
            for alarm in alarms:
                if alarm.pk not in met and alarm.recovered is None and pk is not None and alarm.last > reach[pk][0]:
                    alarm.recovered = now
                    changed.append(alarm)
        Alarm.objects.bulk_create(fresh, batch_size=500)
        Alarm.objects.bulk_update(changed, ["last", "value", "recovered"], batch_size=500)
    return len(fresh) + _permit_alarms(now)


_FROM_HOURS = ("exceedance", "no_data", "constant")


def _permit_alarms(now: datetime) -> int:
    """Outlets whose amounts of the year near what is permitted."""
    share = rulebook().at("telemetry.alarm.permit_share", now.astimezone(SHANGHAI).date()).value or Decimal(0)
    year, made = now.astimezone(SHANGHAI).year, 0
    limited = list(Factor.objects.filter(permitted_kg__gt=0).select_related("outlet"))
    monitored = _rolled_up_kg({f.pk for f in limited}, year)
    recorded: dict[tuple[str, str], dict[str, Decimal | None]] = {}
    rows = Observation.objects.filter(indicator=INDICATOR, period__startswith=f"{year}-").select_related("subject")
    for row in rows.order_by("vintage"):
        recorded.setdefault((row.subject.code, row.item), {})[row.period] = row.value
    for factor in limited:
        months = {**monitored.get(factor.pk, {}), **recorded.get((factor.outlet.code, factor.item), {})}
        values = [v for v in months.values() if v is not None]
        used = sum(values, Decimal(0)) if values else None
        assert factor.permitted_kg is not None
        if used is None or used * 100 < factor.permitted_kg * share:
            continue
        key = f"permit {factor.outlet.code} {factor.code} {year}"
        alarm, new = Alarm.objects.get_or_create(
            key=key, defaults={"kind": "permit", "outlet": factor.outlet, "factor": factor, "first": now, "last": now, "value": used,
                               "limit": factor.permitted_kg, "raised": now},
        )  # fmt: skip
        if not new and alarm.value != used:
            Alarm.objects.filter(pk=alarm.pk).update(last=now, value=used)
        made += new
    return made


def _rolled_up_kg(series: set[int], year: int) -> dict[int, dict[str, Decimal]]:
    """series → month → amount of the hours that are rolled up and could be filled."""
    path = rollup_folder() / "hours.parquet"
    if not series or not path.exists():
        return {}
    low, high = year * 12, year * 12 + 11
    table = pq.read_table(path, columns=["series", "month", "amount"], filters=[("series", "in", series), ("month", ">=", low), ("month", "<=", high)])  # fmt: skip
    out: dict[int, dict[str, Decimal]] = {}
    for row in table.group_by(["series", "month"]).aggregate([("amount", "sum")]).to_pylist():
        if row["amount_sum"] is not None:
            month = f"{row['month'] // 12}-{row['month'] % 12 + 1:02d}"
            out.setdefault(row["series"], {})[month] = Decimal(row["amount_sum"]) / MILLIGRAMS
    return out


def raise_logger_off(seen: dict[str, datetime], now: datetime | None = None) -> int:
    """Alarms for loggers not heard of for longer than the rule allows. ``seen``: mn → last packet. An alarm goes on until the
    logger is heard again. Returns how many are new."""
    now = now or timezone.now()
    allowed = int(rulebook().at("telemetry.alarm.logger_off_minutes", now.astimezone(SHANGHAI).date()).value or 0)
    made = 0
    silent = {a.outlet_id: a for a in Alarm.objects.filter(kind="logger_off", recovered=None)}
    for outlet in Outlet.objects.filter(mn__in=list(seen)):
        last, known = seen[outlet.mn], silent.get(outlet.pk)
        if known is not None and last > known.first:
            Alarm.objects.filter(pk=known.pk).update(last=last, recovered=last)
            known = None
        if now - last <= timedelta(minutes=allowed):
            continue
        if known is not None:
            Alarm.objects.filter(pk=known.pk).update(last=now)
            continue
        key = f"logger_off {outlet.code} {last:%Y%m%d%H%M%S}"
        _alarm, new = Alarm.objects.get_or_create(
            key=key, defaults={"kind": "logger_off", "outlet": outlet, "first": last, "last": now, "raised": now}
        )
        made += new
    return made


def last_heard(live: Path | None = None) -> dict[str, datetime]:
    """mn → last packet, from the gateway's live values; empty where no gateway has run."""
    path = live or data_folder() / "live.sqlite"
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        rows = db.execute("select mn, max(recv_time) from live group by mn").fetchall()
    return {mn: datetime.fromisoformat(at).replace(tzinfo=SHANGHAI) for mn, at in rows}


def take_step(alarm: Alarm, step: str, *, by: str, to: str = "", text: str = "") -> AlarmStep:
    """Acknowledge, assign or close an alarm; raises ProblemError when out of order or without what it needs."""
    with transaction.atomic():
        held = Alarm.objects.select_for_update().get(pk=alarm.pk)
        if step not in NEXT[held.state]:
            raise ProblemError(Problem("telemetry.alarm.order", "报警当前状态不能这样办理", got=held.state_label))
        if step == "assigned" and not to.strip():
            raise ProblemError(Problem("telemetry.alarm.to", "没有写明交办给谁", fix="填写承办单位或承办人。"))
        if step == "closed" and not text.strip():
            raise ProblemError(Problem("telemetry.alarm.text", "办结须写明核实和处理情况", fix="填写说明。"))
        made = AlarmStep.objects.create(alarm=held, step=step, to=to.strip(), text=text.strip(), by=by, at=timezone.now())  # fmt: skip
        held.state = step
        held.save(update_fields=["state"])
        alarm.state = step
        append_event(by, "办理在线监测报警", held.key, {"办理": made.step_label, "交办": to, "说明": text})
    return made


# --- months ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Closed:
    close: MonthClose
    recorded: Recorded


def close_month(month: str, *, by: str, lake: Path | str | None = None, history: Path | None = None) -> Closed:
    """Roll a month up, record its amounts with the lake's partitions as evidence, and close it; all or nothing.

    Raises ProblemError when the month is closed, its patch window is still open, or there is nothing to close.
    """
    period = _month_of(month)
    if MonthClose.objects.filter(month=period.code).exists():
        raise ProblemError(
            Problem("telemetry.close.twice", "该月已关账", got=period.label, fix="迟到数据须计入的，重新关账。")
        )
    opens = _midnight(period.end + timedelta(days=1 + rules_on(period.start).patch_days))
    if timezone.now() < opens:
        raise ProblemError(
            Problem("telemetry.close.early", "补传期限未过，不能关账", got=period.label, wanted=f"{_time(opens)}以后")
        )
    return _close(period, None, by, lake, history)


def close_again(
    month: str, *, reason: str, by: str, lake: Path | str | None = None, history: Path | None = None
) -> Closed:
    """A further version of a closed month, which also counts what arrived until now; the versions before stay.

    Its amounts become new vintages where they differ. Raises ProblemError when the month is not closed, no reason is given,
    what the last version counted is no longer in the lake as it was, or the result would be that of the last version.
    """
    period = _month_of(month)
    if not reason.strip():
        raise ProblemError(Problem("telemetry.close.reason", "重新关账须写明原因", fix="填写原因。"))
    last = MonthClose.objects.filter(month=period.code).first()
    if last is None:
        raise ProblemError(Problem("telemetry.close.none", "该月没有关账", got=period.label, fix="先关账。"))
    lake, days = lake or lake_folder(), rules_on(period.start).patch_days
    now = evidence(lake, period.start, period.end, days, _wall(last.late_until))
    if changed := compare([Part(**p) for p in last.partitions], now):
        raise ProblemError(changed)  # late data are added, nothing else: altered or removed data make no new version
    return _close(period, last, by, lake, history, reason.strip())


def _month_of(month: str) -> Period:
    period: Period | None = None
    with suppress(ProblemError):
        period = Period.parse(month)
    if period is None or period.kind is not Kind.MONTH:
        raise ProblemError(Problem("telemetry.close.month", "只能按月关账", got=month, wanted="如2026-06"))
    return period


def _close(
    period: Period, last: MonthClose | None, by: str, lake: Path | str | None, history: Path | None, reason: str = ""
) -> Closed:
    """The version of a month after ``last``."""
    lake, rules, series = lake or lake_folder(), rules_on(period.start), series_table()
    marks = marks_in_force(period.start, period.end)
    version, until = (1, None) if last is None else (last.version + 1, timezone.now().replace(microsecond=0))
    parts = evidence(lake, period.start, period.end, rules.patch_days, _wall(until))
    if not parts:
        raise ProblemError(Problem("telemetry.close.empty", "该月没有数据，不能关账", got=period.label))
    with tempfile.TemporaryDirectory(prefix="close-", dir=_made(rollup_folder() / "closed")) as scratch:
        done = _roll(period, lake, Path(scratch) / "new", rules, marks, history or rollup_folder(), series, until)
        if last is not None and done.digests == last.digests:
            raise ProblemError(
                Problem(
                    "telemetry.close.same",
                    "重新汇总的结果与上一版相同，不需重新关账",
                    got=f"{period.label}第{last.version}版",
                )
            )
        figures = _figures(period, run.read(done.folder, "months"), digest_of(parts))
        with transaction.atomic():
            recorded = record(
                figures, kind="telemetry", title=f"{period.label}在线监测排放量" + (f"（第{version}版）" if last else ""), by=by,
                catalogue=view.catalogue(),
            )  # fmt: skip
            close = MonthClose.objects.create(
                month=period.code, version=version, late_until=until, reason=reason, digests=done.digests, rules=list(rules.refs),
                series=series.to_pylist(), partitions=[asdict(p) for p in parts], marks=[m.pk for m in marks], posting=recorded.posting, by=by,
                at=timezone.now(),
            )  # fmt: skip
            append_event(
                by, "在线监测月关账" if last is None else "在线监测重新关账", period.code,
                {"版次": version, "摘要": done.digests, "分区": len(parts), "证据": digest_of(parts), "过账": recorded.posting, "原因": reason},
            )  # fmt: skip
            folder = closed_folder(close)
            shutil.rmtree(folder, ignore_errors=True)  # left by a close that was not recorded
            done.folder.replace(folder)
    return Closed(close, recorded)


def closed_folder(close: MonthClose) -> Path:
    """The tables of a version of a closed month."""
    return rollup_folder() / "closed" / (close.month if close.version == 1 else f"{close.month}-v{close.version}")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _wall(at: datetime | None) -> datetime | None:
    """A moment as the lake has it: wall time without a zone."""
    return None if at is None else at.astimezone(SHANGHAI).replace(tzinfo=None)


def reproduce(close: MonthClose, lake: Path | str | None = None, history: Path | None = None) -> list[Problem]:
    """Compute a version of a closed month again and compare: changed partitions, rules and tables are named; [] when all is
    the same. The register counts as it was when the version was made."""
    lake = lake or lake_folder()
    period = Period.parse(close.month)
    rules = rules_on(period.start)
    now = evidence(lake, period.start, period.end, rules.patch_days, _wall(close.late_until))
    problems = compare([Part(**p) for p in close.partitions], now)
    if list(rules.refs) != close.rules:
        problems.append(Problem("telemetry.close.rules", "有效性规则与关账时不同", fix="恢复当时的规则文件后复算。"))
    marks = list(Mark.objects.filter(pk__in=close.marks).order_by("id"))
    series = pa.Table.from_pylist(close.series, schema=run.SERIES) if close.series else series_table()
    with tempfile.TemporaryDirectory() as scratch:
        again = Path(scratch) / "again"
        done = _roll(period, lake, again, rules, marks, history or rollup_folder(), series, close.late_until)
    for name, digest in close.digests.items():
        if done.digests.get(name) != digest:
            problems.append(Problem("telemetry.close.differs", "复算结果与关账时不同", got=f"{close.month} {name}"))
    return problems


def _roll(
    period: Period, lake: Path | str, out: Path, rules: Rules, marks: list[Mark], history: Path | None, series: pa.Table,
    late_until: datetime | None,
) -> run.Done:  # fmt: skip
    return run.roll_up(
        lake, series, period.start, period.end, rules, out, on=connect("duckdb"),
        marks=marks_table(period.start, period.end, marks), history=history, late_until=_wall(late_until),
    )  # fmt: skip


def _figures(period: Period, months: pa.Table, proof: str) -> list[Figure]:
    """Amounts of a month that could be filled wholly, as figures in kilograms."""
    factors = {f.pk: f for f in Factor.objects.filter(kind="value").exclude(item="").select_related("outlet")}
    sources = {s: ensure_source(Source("在线监测汇总", article="有效性规则汇总", confidence=Confidence.CONFIRMED), synthetic=s) for s in (False, True)}  # fmt: skip
    figures = []
    for row in months.to_pylist():
        factor = factors.get(row["series"])
        if factor is None or row["mass"] is None:
            continue
        o = factor.outlet
        Subject.objects.get_or_create(
            code=o.code, defaults={"kind": "outlet", "name": o.name, "synthetic": o.synthetic}
        )
        quality = "substituted" if row["n_substituted"] else "measured"
        figures.append(
            Figure(INDICATOR, o.code, period.code, Decimal(row["mass"]) / MILLIGRAMS, "千克", quality, sources[o.synthetic], factor.item,
                   f"数据湖分区 {proof[:32]}")
        )  # fmt: skip
    return figures


# --- the board ------------------------------------------------------------------------------------


def refresh(first: date, last: date, mns: Collection[str] | None = None, now: datetime | None = None) -> Refreshed:
    """Roll the lake up from the first of ``first``'s month, for the outlets of ``mns`` (None: all), screen it and raise alarms.

    What was rolled up of other outlets and of earlier months stays. Hours that are not over yet are left out.
    """
    now = now or timezone.now()
    first, rules, folder, series = first.replace(day=1), rules_on(last), rollup_folder(), series_table(mns)
    if not series.num_rows:
        return Refreshed(0, 0)
    settle = timedelta(minutes=int(rulebook().at("telemetry.settle_minutes", last).value or 0))
    with tempfile.TemporaryDirectory(prefix="rollup-") as scratch:
        out = Path(scratch) / "new"
        run.roll_up(
            lake_folder(), series, first, last, rules, out, on=connect("duckdb"), marks=marks_table(first, last), history=folder
        )  # fmt: skip
        fresh = {name: run.read(out, name) for name in run.TABLES}
    over = min(hour_of(now - settle), ((last - run.EPOCH).days + 1) * 24)
    fresh = _within(fresh, over, _known_before(folder, (first - run.EPOCH).days * 24))
    whole = _merged(folder, fresh, series["series"], (first - run.EPOCH).days)
    _put(folder, whole, {"rules": list(rules.refs), "last": str(last)})
    alarms = raise_alarms(fresh["hours"], fresh["days"], now)
    since = over - SCREENED_DAYS * 24
    hours = whole["hours"]
    hours = hours.filter(pc.and_(pc.is_in(hours["series"], series["series"].cast(pa.int64()).combine_chunks()), pc.greater_equal(hours["hour"], since)))  # fmt: skip
    return Refreshed(
        alarms, leads.keep(screens.run_all(screens.channels(hours, series), screens.read_values(rulebook(), last)), now)
    )


NEVER = 2**31
SCREENED_DAYS = 62  # looked at by the screens: the longest base line, and what patched data may still change


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many alarms and leads are new."""

    alarms: int
    leads: int


def _within(tables: dict[str, pa.Table], over: int, earlier: set[int]) -> dict[str, pa.Table]:
    """Tables without the hours and days that are not over, and without what came before an outlet was connected: before its
    date, or before its first data where none is set and it is not among the ``earlier``."""
    connected = Factor.objects.exclude(outlet__since=None).values_list("pk", "outlet__since")
    joined = {pk: (since - run.EPOCH).days * 24 for pk, since in connected if since is not None}
    hours = tables["hours"]
    heard = hours.filter(pc.greater(hours["n"], 0)).group_by("series").aggregate([("hour", "min")]).to_pylist()
    for row in heard:
        if row["series"] not in earlier:
            joined.setdefault(row["series"], row["hour_min"])
    cut = dict(tables)
    for name, key, end, size in (("hours", "hour", over, 1), ("days", "day", over // 24, 24)):
        table = tables[name]
        table = table.filter(pc.less(table[key], end))
        begin = np.array(
            [joined.get(s, 0 if s in earlier else NEVER) // size for s in table["series"].to_pylist()], dtype=np.int64
        )
        cut[name] = table.filter(pa.array(table[key].to_numpy() >= begin))
    return cut


def _known_before(folder: Path, hour: int) -> set[int]:
    """Series that the folder holds hours of before ``hour``."""
    path = folder / "hours.parquet"
    if not path.exists():
        return set()
    return set(pq.read_table(path, columns=["series"], filters=[("hour", "<", hour)])["series"].unique().to_pylist())


def _merged(folder: Path, fresh: dict[str, pa.Table], series: pa.ChunkedArray, first_day: int) -> dict[str, pa.Table]:
    """The tables of the folder with the rows of some series from a day on replaced."""
    month = (run.EPOCH + timedelta(days=first_day)).year * 12 + (run.EPOCH + timedelta(days=first_day)).month - 1
    replaced = series.cast(pa.int64()).combine_chunks()
    out = {}
    for name, key, begin in (("hours", "hour", first_day * 24), ("days", "day", first_day), ("months", "month", month)):
        path, table = folder / f"{name}.parquet", fresh[name]
        if path.exists():
            old = pq.read_table(path)
            keep = pc.invert(pc.and_(pc.is_in(old["series"], replaced), pc.greater_equal(old[key], begin)))
            kept = [old[f.name] if f.name in old.column_names else pa.nulls(len(old), f.type) for f in table.schema]
            kept = (
                pa.table(kept, names=table.column_names).cast(table.schema).filter(keep)
            )  # an earlier release had fewer columns
            table = pa.concat_tables([kept, table])
        out[name] = table.sort_by([("series", "ascending"), (key, "ascending")]).combine_chunks()
    return out


def _put(folder: Path, tables: dict[str, pa.Table], about: dict[str, Any]) -> None:
    """Each file is replaced by renaming, so that a reader always finds a whole one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        draft = folder / f"{name}.draft"
        pq.write_table(table, draft, compression="zstd", row_group_size=20_000)
        draft.replace(folder / f"{name}.parquet")
    draft = folder / "rollup.draft"
    draft.write_text(
        json.dumps({**about, "rows": {n: t.num_rows for n, t in tables.items()}}, ensure_ascii=False), encoding="utf-8"
    )
    draft.replace(folder / "rollup.json")


@dataclass(frozen=True, slots=True)
class Latest:
    """The last hour of a series in the roll-up. ``value`` is what is held against the limit, in the unit sent; ``heard`` the
    last hour with data; ``rates`` of the month of the last hour."""

    heard: int | None
    state: str
    value: Decimal | None
    over: bool
    rates: judge.Rates
    end: int


@dataclass(frozen=True)
class Board:
    """What the live page shows: the last hour of every series, as of the end of the roll-up."""

    end: datetime | None
    latest: dict[int, Latest]


def board() -> Board:
    """The board of the present roll-up; empty when there is none."""
    folder = rollup_folder()
    try:
        changed = (folder / "rollup.json").stat().st_mtime_ns
    except OSError:
        return Board(None, {})
    return _board(folder, changed)


@lru_cache(maxsize=2)
def _board(folder: Path, changed: int) -> Board:
    with duckdb.connect() as db:
        rows = db.execute(
            """
            select series, max(hour), arg_max(state, hour), arg_max(coalesce(converted, -1), hour), arg_max(coalesce(mean, -1), hour),
                arg_max(judged, hour), count(*) filter (this and state <> 'stop'), count(*) filter (this and n > 0 and state <> 'stop'),
                count(*) filter (this and state = 'valid'), max(hour) filter (n > 0)
            from (select *, month = max(month) over (partition by series) as this from read_parquet($file)) group by series
            """,
            {"file": str(folder / "hours.parquet")},
        ).fetchall()
    factors = {f.pk: f for f in Factor.objects.select_related("outlet")}
    latest, end = {}, 0
    for series, last, state, converted, mean, judged, due, received, valid, heard in rows:
        factor = factors.get(series)
        if factor is None:
            continue
        number = converted if converted >= 0 else mean
        value = None if number < 0 or state != "valid" else Decimal(number) / MICRO
        high, low = factor.limit_high, factor.limit_low
        over = (
            bool(judged)
            and value is not None
            and factor.outlet.medium == "gas"
            and bool((high and value > high) or (low and value < low))
        )
        latest[series] = Latest(heard, state, value, over, judge.Rates(due, received, valid), last + 1)
        end = max(end, last + 1)
    return Board(moment(end) if end else None, latest)


@dataclass(frozen=True, slots=True)
class Now:
    """The last value that a device sent of a code, as received."""

    at: datetime
    text: str
    flag: str


def live_values(mns: Collection[str]) -> dict[tuple[str, str], Now]:
    """(mn, code) → the last value received, real-time before minute means; empty where no gateway has run."""
    path = data_folder() / "live.sqlite"
    if not path.exists() or not mns:
        return {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        rows = db.execute(
            "select mn, code, data_time, value_text, flag from live where cycle in ('rtd', 'minute') and suffix in ('Rtd', 'Avg')"
            f" and mn in ({','.join('?' * len(mns))}) order by data_time",
            list(mns),
        ).fetchall()
    return {
        (mn, code): Now(datetime.fromisoformat(at).replace(tzinfo=SHANGHAI), text, flag)
        for mn, code, at, text, flag in rows
    }


def hours_of(factor: Factor, first: int | None = None, last: int | None = None) -> pa.Table:
    """The hours of one series in the roll-up, none before the first."""
    path = rollup_folder() / "hours.parquet"
    if not path.exists():
        return pa.table({"hour": pa.array([], pa.int64())})
    filters: list[Any] = [("series", "=", factor.pk)]
    if first is not None:
        filters.append(("hour", ">=", first))
    if last is not None:
        filters.append(("hour", "<=", last))
    return pq.read_table(path, filters=filters)
