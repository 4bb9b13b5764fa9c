"""Use cases of on-line monitoring: series for roll-ups, marks, alarms, closing a month."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import narwhals as nw
import pyarrow as pa
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
from lvheng.observations.models import Subject
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, Recorded, record
from lvheng.telemetry import screens
from lvheng.telemetry.models import Alarm, AlarmStep, Factor, Mark, MarkWithdrawal, MonthClose, Outlet
from lvheng.telemetry.validity import judge, run
from lvheng.telemetry.validity.rules import MICRO, Rules, read_rules

SHANGHAI = ZoneInfo("Asia/Shanghai")
MILLIGRAMS = 1_000_000  # in a kilogram
INDICATOR = "online_emission"
_HOUR = timedelta(hours=1)
NEXT = {
    "open": ("acknowledged", "assigned"),
    "acknowledged": ("assigned", "closed"),
    "assigned": ("assigned", "closed"),
    "closed": (),
}


def lake_folder() -> Path:
    """The gateway's lake; on a demonstration site the invented one, so that the two never mix."""
    home = Path(settings.HOME)
    return home / "lake" if Outlet.objects.filter(synthetic=True).exists() else home / "telemetry" / "lake"


def rollup_folder() -> Path:
    return Path(settings.HOME) / "rollup"


def rulebook() -> Rulebook:
    return view.current().rulebook


def rules_on(day: date) -> Rules:
    return read_rules(rulebook(), day)


def moment(hour: int) -> datetime:
    """The beginning of an hour counted from 1970, wall time UTC+8."""
    return datetime(1970, 1, 1, tzinfo=SHANGHAI) + hour * _HOUR


def hour_of(at: datetime) -> int:
    """The hour, counted from 1970 in wall time, that a moment falls in."""
    return int((at.astimezone(SHANGHAI).replace(tzinfo=None) - datetime(1970, 1, 1)) // _HOUR)  # noqa: DTZ001


def series_table() -> pa.Table:
    """The register as the series of roll-ups."""
    rows = []
    factors = Factor.objects.select_related("outlet").order_by("id")
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
        ("constant", judge.episodes(judge.constant(mine), steady, equal=True), 1),
    ):
        for row in on.arrow(frame).to_pylist():
            last = row["last"] * step + step
            found.append(Episode(kind, row["series"], row["first"] * step, last, row["value"], row["limit"]))
    return found


def raise_alarms(hours: pa.Table, days: pa.Table, now: datetime | None = None) -> int:
    """Alarms of a roll-up; an episode known already is only brought up to date. Returns how many are new."""
    now = now or timezone.now()
    factors = {f.pk: f for f in Factor.objects.select_related("outlet")}
    known = set(Alarm.objects.values_list("key", flat=True))
    fresh = []
    for e in find_episodes(hours, days, series_table()):
        factor = factors[e.series]
        key = f"{e.kind} {factor.outlet.code} {factor.code} {e.first}"
        value, limit = (None if v is None else Decimal(v) / MICRO for v in (e.value, e.limit))
        if key in known:
            Alarm.objects.filter(key=key).update(last=moment(e.last), value=value)
            continue
        fresh.append(
            Alarm(kind=e.kind, outlet=factor.outlet, factor=factor, key=key, first=moment(e.first), last=moment(e.last), value=value,
                  limit=limit, raised=now)
        )  # fmt: skip
    with transaction.atomic():
        Alarm.objects.bulk_create(fresh, batch_size=500)
    return len(fresh) + _permit_alarms(now)


def _permit_alarms(now: datetime) -> int:
    """Outlets whose recorded amounts of the year near what is permitted."""
    share = rulebook().at("telemetry.alarm.permit_share", now.astimezone(SHANGHAI).date()).value or Decimal(0)
    year, made = now.astimezone(SHANGHAI).year, 0
    for factor in Factor.objects.filter(permitted_kg__gt=0).select_related("outlet"):
        used = emitted_kg(factor, year)
        assert factor.permitted_kg is not None
        if used is None or used * 100 < factor.permitted_kg * share:
            continue
        key = f"permit {factor.outlet.code} {factor.code} {year}"
        _alarm, new = Alarm.objects.get_or_create(
            key=key, defaults={"kind": "permit", "outlet": factor.outlet, "factor": factor, "first": now, "last": now, "value": used,
                               "limit": factor.permitted_kg, "raised": now},
        )  # fmt: skip
        made += new
    return made


def emitted_kg(factor: Factor, year: int) -> Decimal | None:
    """The year's recorded amounts of a factor; None when no month is recorded."""
    from lvheng.observations.models import Observation

    latest: dict[str, Any] = {}
    rows = Observation.objects.filter(
        indicator=INDICATOR, subject__code=factor.outlet.code, item=factor.item, period__startswith=f"{year}-"
    )
    for row in rows.order_by("vintage"):
        latest[row.period] = row
    values = [Decimal(r.mantissa).scaleb(-r.scale) for r in latest.values() if r.mantissa is not None]
    return sum(values, Decimal(0)) if values else None


def raise_logger_off(seen: dict[str, datetime], now: datetime | None = None) -> int:
    """Alarms for loggers not heard of for longer than the rule allows. ``seen``: mn → last packet. Returns how many are new."""
    now = now or timezone.now()
    allowed = int(rulebook().at("telemetry.alarm.logger_off_minutes", now.date()).value or 0)
    made = 0
    for outlet in Outlet.objects.all():
        last = seen.get(outlet.mn)
        if last is None or now - last <= timedelta(minutes=allowed):
            continue
        key = f"logger_off {outlet.code} {last:%Y%m%d%H%M}"
        _alarm, new = Alarm.objects.get_or_create(
            key=key, defaults={"kind": "logger_off", "outlet": outlet, "first": last, "last": now, "raised": now}
        )
        made += new
    return made


def last_heard(live: Path | None = None) -> dict[str, datetime]:
    """mn → last packet, from the gateway's live values; empty where no gateway has run."""
    path = live or Path(settings.HOME) / "telemetry" / "live.sqlite"
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


def close_month(month: str, *, by: str, lake: Path | None = None, history: Path | None = None) -> Closed:
    """Roll a month up, record its amounts with the lake's partitions as evidence, and close it; all or nothing.

    Raises ProblemError when the month is closed, its patch window is still open, or there is nothing to close.
    """
    period = Period.parse(month)
    if period.kind is not Kind.MONTH:
        raise ProblemError(Problem("telemetry.close.month", "只能按月关账", got=month, wanted="如2026-06"))
    if MonthClose.objects.filter(month=period.code).exists():
        raise ProblemError(Problem("telemetry.close.twice", "该月已关账", got=period.label))
    lake = lake or lake_folder()
    rules = rules_on(period.start)
    opens = _midnight(period.end + timedelta(days=1 + rules.patch_days))
    if timezone.now() < opens:
        raise ProblemError(
            Problem("telemetry.close.early", "补传期限未过，不能关账", got=period.label, wanted=f"{_time(opens)}以后")
        )
    marks = marks_in_force(period.start, period.end)
    files = partitions(lake, period.start, period.end)
    if not files:
        raise ProblemError(Problem("telemetry.close.empty", "该月没有数据，不能关账", got=period.label))
    folder = rollup_folder() / "closed" / period.code
    done = _roll(period, lake, folder, rules, marks, history or rollup_folder())
    evidence = hashlib.sha256("\n".join(f"{f['file']} {f['sha256']}" for f in files).encode()).hexdigest()
    with transaction.atomic():
        recorded = record(
            _figures(period, run.read(folder, "months"), evidence), kind="telemetry", title=f"{period.label}在线监测排放量", by=by,
            catalogue=view.catalogue(),
        )  # fmt: skip
        close = MonthClose.objects.create(
            month=period.code, digests=done.digests, rules=list(rules.refs), partitions=files, marks=[m.pk for m in marks],
            posting=recorded.posting, by=by, at=timezone.now(),
        )  # fmt: skip
        append_event(
            by, "在线监测月关账", period.code, {"摘要": done.digests, "分区": len(files), "过账": recorded.posting}
        )
    return Closed(close, recorded)


def reproduce(close: MonthClose, lake: Path | None = None, history: Path | None = None) -> list[Problem]:
    """Compute a closed month again and compare: changed partitions, rules and tables are named; [] when all is the same."""
    lake = lake or lake_folder()
    period = Period.parse(close.month)
    problems = []
    now = {f["file"]: f["sha256"] for f in partitions(lake, period.start, period.end)}
    was = {f["file"]: f["sha256"] for f in close.partitions}
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            problems.append(Problem("telemetry.close.partition", "数据湖分区与关账时不同", got=name))
    rules = rules_on(period.start)
    if list(rules.refs) != close.rules:
        problems.append(Problem("telemetry.close.rules", "有效性规则与关账时不同", fix="恢复当时的规则文件后复算。"))
    marks = list(Mark.objects.filter(pk__in=close.marks).order_by("id"))
    with tempfile.TemporaryDirectory() as scratch:
        done = _roll(period, lake, Path(scratch) / "again", rules, marks, history or rollup_folder())
    for name, digest in close.digests.items():
        if done.digests.get(name) != digest:
            problems.append(Problem("telemetry.close.differs", "复算结果与关账时不同", got=f"{close.month} {name}"))
    return problems


def _roll(period: Period, lake: Path, out: Path, rules: Rules, marks: list[Mark], history: Path | None) -> run.Done:
    return run.roll_up(
        lake, series_table(), period.start, period.end, rules, out, on=connect("duckdb"),
        marks=marks_table(period.start, period.end, marks), history=history,
    )  # fmt: skip


def partitions(lake: Path, first: date, last: date) -> list[dict[str, Any]]:
    """Files of the lake's days with size and SHA-256."""
    out = []
    for n in range((last - first).days + 1):
        for path in sorted((lake / "values" / f"day={first + timedelta(days=n)}").glob("st=*/*.parquet")):
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            out.append({"file": path.relative_to(lake).as_posix(), "size": path.stat().st_size, "sha256": digest})
    return out


def _figures(period: Period, months: pa.Table, evidence: str) -> list[Figure]:
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
                   f"数据湖分区 {evidence[:32]}")
        )  # fmt: skip
    return figures


# --- the board ------------------------------------------------------------------------------------


def refresh(first: date, last: date) -> int:
    """Roll the site's lake up, screen it and raise alarms; returns how many alarms are new."""
    rules = rules_on(last)
    folder, series = rollup_folder(), series_table()
    run.roll_up(
        lake_folder(), series, first, last, rules, folder, on=connect("duckdb"), marks=marks_table(first, last), history=folder
    )  # fmt: skip
    hours, days = run.read(folder, "hours"), run.read(folder, "days")
    values = screens.read_values(rulebook(), last)
    leads = screens.run_all(screens.channels(hours, series), values)
    (folder / "leads.json").write_text(json.dumps([asdict(x) for x in leads], ensure_ascii=False), encoding="utf-8")
    return raise_alarms(hours, days)


@dataclass(frozen=True, slots=True)
class Latest:
    """The last hour of a series in the roll-up. ``value`` is what is held against the limit, in the unit sent."""

    hour: int | None
    state: str
    value: Decimal | None
    over: bool
    rates: judge.Rates


@dataclass(frozen=True)
class Board:
    """What the live page shows: the last hour of every series, as of the end of the roll-up."""

    end: datetime | None
    latest: dict[int, Latest]
    leads: dict[int, list[screens.Lead]]


def board() -> Board:
    """The board of the present roll-up; empty when there is none."""
    folder = rollup_folder()
    try:
        changed = (folder / "rollup.json").stat().st_mtime_ns
    except OSError:
        return Board(None, {}, {})
    return _board(folder, changed)


@lru_cache(maxsize=2)
def _board(folder: Path, changed: int) -> Board:
    with duckdb.connect() as db:
        rows = db.execute(
            """
            select series, max(hour), arg_max(state, hour), arg_max(coalesce(converted, -1), hour), arg_max(coalesce(mean, -1), hour),
                arg_max(judged, hour), count(*) filter (state <> 'stop'), count(*) filter (n > 0 and state <> 'stop'),
                count(*) filter (state = 'valid'), max(hour) filter (n > 0)
            from read_parquet($file) group by series
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
        latest[series] = Latest(heard, state, value, over, judge.Rates(due, received, valid))
        end = max(end, last + 1)
    leads: dict[int, list[screens.Lead]] = {}
    if (folder / "leads.json").exists():
        for one in json.loads((folder / "leads.json").read_text(encoding="utf-8")):
            leads.setdefault(one["series"], []).append(screens.Lead(**one))
    return Board(moment(end) if end else None, latest, leads)


def hours_of(factor: Factor, first: int | None = None, last: int | None = None) -> pa.Table:
    """The hours of one series in the roll-up."""
    path = rollup_folder() / "hours.parquet"
    filters: list[Any] = [("series", "=", factor.pk)]
    if first is not None:
        filters.append(("hour", ">=", first))
    if last is not None:
        filters.append(("hour", "<=", last))
    return pq.read_table(path, filters=filters)
