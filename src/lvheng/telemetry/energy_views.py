"""Pages of key energy users: completeness, day against month, what the meters say against what was filed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lvheng.access.models import append_event
from lvheng.access.roles import Actor, Owner, Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.observations.models import Subject
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import live, problem_page, respond
from lvheng.shell.sight import sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.energy_gateway import settle
from lvheng.telemetry.energy_gateway.adapter import Adapter
from lvheng.telemetry.models import FORMS, EnergyMeter, MeterExchange
from lvheng.telemetry.views import denied

SPANS = {
    "gap": "缺口（总量已知）",
    "rolled": "读数翻转",
    "exchanged": "换表",
    "reset": "读数倒走，待核实",
    "over_limit": "超出最大用量，待核实",
}


def _sees(actor: Actor, subject: Subject | None, unit: str) -> bool:
    region = subject.parent.code if subject is not None and subject.parent is not None else ""
    return may(actor, Permission.VIEW_INTERNAL) or may(actor, Permission.VIEW_UNIT, Owner(region, unit))


def _percent(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text) * 100


def _fuel(code: str) -> str:
    return words.item_label(code)


@live
def energy(request: HttpRequest) -> HttpResponse:
    """``?month=``: the meters of a month."""
    sight, actor = sight_of(request), actor_of(request)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    months = settle.months()
    month = request.GET.get("month", "") if request.GET.get("month", "") in months else (months[0] if months else "")
    found = settle.of_month(month) if month else []
    names = dict(Subject.objects.filter(code__in={m.unit for m in found}).values_list("code", "name"))
    least, most = settle.quality("completeness"), settle.quality("day_against_month")
    rows = [
        {
            "unit": Cell(names.get(m.unit, m.unit), url=address({"sight": sight}, "telemetry_energy_unit", m.unit)), "device": m.device, "code": m.code, "carrier": _fuel(m.carrier),
            "amount": Cell(Decimal(m.amount) if m.whole else None, reason=_("读数不完整，已知部分 %(n)s。") % {"n": m.amount}), "measure": m.measure,
            "completeness": m.completeness * 100, "unknown": m.unknown or None, "deviation": Cell(_percent(m.deviation), reason=_("端设备没有上报齐日、月数据。")),
            "note": _notes(m, least, most),
        }
        for m in found
    ]  # fmt: skip
    columns = [
        Column("unit", _("用能单位")), Column("device", _("端设备")), Column("code", _("采集项")), Column("carrier", _("能源品种")), Column("amount", _("本月用量"), places=2, number=True),
        Column("measure", _("计量单位")), Column("completeness", _("完整率"), "%", 2, True), Column("deviation", _("日月偏差"), "%", 2, True), Column("unknown", _("待核实时段"), number=True, places=0),
        Column("note", _("说明"), wide=True),
    ]  # fmt: skip
    label = words.period_label(Period.parse(month)) if month else ""
    table = Table(
        columns, rows, title=f"{_('能耗在线监测')} {label}", name=_("能耗在线监测"), empty=_("还没有收到能耗数据。")
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(
        request, "telemetry/energy.html",
        {
            "table": table, "months": [(m, words.period_label(Period.parse(m))) for m in months], "month": month, "least": least * 100, "most": most * 100,
            "source": Adapter().schema["source"], "strangers": sorted({m.unit for m in found} - names.keys()),
        },
    )  # fmt: skip


def _notes(m: settle.MeterMonth, least: Decimal, most: Decimal) -> str:
    notes = []
    if m.completeness < least:
        notes.append(_("完整率不足"))
    if m.deviation is not None and Decimal(m.deviation) > most:
        notes.append(_("日月偏差过大"))
    if m.unknown:
        notes.append(_("有时段待核实"))
    if not m.whole:
        notes.append(_("未入库"))
    return "；".join(notes)


@live
def energy_unit(request: HttpRequest, unit: str) -> HttpResponse:
    """A unit's meters, their odd spans, and metered months against form 205-1."""
    actor = actor_of(request)
    subject = Subject.objects.filter(code=unit).select_related("parent").first()
    if not _sees(actor, subject, unit):
        return denied(request)
    meters = list(EnergyMeter.objects.filter(unit=unit).prefetch_related("exchanges"))
    if not meters and subject is None:
        raise ProblemError(Problem("telemetry.energy.unknown", "没有这个用能单位的能耗数据", got=unit[:40]))
    compared = settle.compared(unit)
    rows = [
        {
            "month": words.period_label(c.period), "carrier": _fuel(c.carrier), "metered": c.metered, "filed": Cell(c.filed, reason=_("该月205-1表尚未入库。")),
            "share": Cell(None if c.share is None else c.share * 100, reason=_("无从比对。")), "note": _("相差过大，提请核实") if c.beyond else "",
        }
        for c in compared
    ]  # fmt: skip
    columns = [
        Column("month", _("月份")), Column("carrier", _("能源品种")), Column("metered", _("在线监测"), _("吨标准煤"), 2, True), Column("filed", _("205-1表"), _("吨标准煤"), 2, True),
        Column("share", _("填报较监测"), "%", 2, True), Column("note", _("说明")),
    ]  # fmt: skip
    table = Table(columns, rows, title=_("监测与填报比对"), name=_("监测与填报比对"), empty=_("还没有入库的监测月份。"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    months = settle.months()
    odd = [
        (m, f"{s['start']:%Y-%m-%d %H:%M}", f"{s['end']:%Y-%m-%d %H:%M}", words.word(SPANS[s["kind"]]), s["amount"])
        for month in months[:3] for m in meters for s in settle.spans_of(m, month)[:30]
    ]  # fmt: skip
    return respond(
        request, "telemetry/energy_unit.html",
        {
            "unit": unit, "subject": subject, "table": table, "odd": odd[:100], "meters": [(m, _fuel(m.carrier)) for m in meters], "beyond": sum(c.beyond for c in compared),
            "most": settle.quality("filing_against_meter") * 100, "allowed": may(actor, Permission.REVIEW_CITY),
        },
    )  # fmt: skip


@live
def meter(request: HttpRequest, pk: int) -> HttpResponse:
    """A meter's particulars and exchanges; POST changes them and settles its months again."""
    actor = actor_of(request)
    found = get_object_or_404(EnergyMeter, pk=pk)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    if request.method == "POST":
        if not may(actor, Permission.REVIEW_CITY):
            return denied(request)
        try:
            _change(found, request.POST, by=actor.name)
        except ProblemError as error:
            return problem_page(request, error.problems)
        for month in settle.months():
            settle.settle(month)
        messages.success(request, _("已保存，并按新的表计资料重新结算。"))
        return HttpResponseRedirect(reverse("telemetry_meter", args=[pk]))
    return respond(
        request, "telemetry/meter.html",
        {"meter": found, "carrier": _fuel(found.carrier), "forms": FORMS.items(), "exchanges": list(found.exchanges.all()), "allowed": may(actor, Permission.REVIEW_CITY), "steps": (15, 30, 60)},
    )  # fmt: skip


def _number(given: Any, name: str, label: str, *, needed: bool = False) -> Decimal | None:
    text = given.get(name, "").strip()
    if not text and not needed:
        return None
    try:
        value = Decimal(text)
        if value.is_finite() and value >= 0 and abs(value.as_tuple().exponent) <= 4 and value < 10**12:  # type: ignore[arg-type]
            return value
    except InvalidOperation:
        pass
    raise ProblemError(
        Problem("telemetry.meter.number", f"{label}应为不小于0的数，至多4位小数", got=text[:30], fix="改正后重新保存。")
    )


def _change(found: EnergyMeter, given: Any, *, by: str) -> None:
    if given.get("act") == "exchange":
        try:
            at = datetime.fromisoformat(given.get("moment", "")).replace(tzinfo=SHANGHAI)
        except ValueError:
            raise ProblemError(Problem("telemetry.meter.time", "换表时间无法识别", got=given.get("moment", "")[:30], wanted="如2026-06-01T08:00")) from None  # fmt: skip
        final, first = (
            _number(given, n, label, needed=True) for n, label in (("final", "旧表止码"), ("first", "新表起码"))
        )
        if not given.get("reason", "").strip():
            raise ProblemError(Problem("telemetry.meter.reason", "没有写明换表的说明", fix="填写原因和凭据。"))
        assert final is not None
        assert first is not None
        MeterExchange.objects.create(
            meter=found, moment=at, final=final, first=first, reason=given["reason"].strip(), by=by, at=timezone.now()
        )
        append_event(by, "登记换表", str(found.pk), {"时间": at, "止码": final, "起码": first, "说明": given["reason"]})
        return
    form, minutes = given.get("form", ""), given.get("minutes", "")
    if form not in FORMS or minutes not in ("15", "30", "60"):
        raise ProblemError(Problem("telemetry.meter.form", "数据形式或间隔不在所列范围", fix="从所列选项中选择。"))
    factor = _number(given, "factor", "倍率", needed=True)
    if not factor:
        raise ProblemError(Problem("telemetry.meter.factor", "倍率应大于0", fix="没有互感器的填1。"))
    found.form, found.minutes, found.factor = form, int(minutes), factor
    found.capacity, found.most = _number(given, "capacity", "表底满度"), _number(given, "most", "每小时最大用量")
    found.save()
    append_event(
        by,
        "更改表计资料",
        str(found.pk),
        {"形式": form, "间隔": minutes, "倍率": factor, "满度": found.capacity, "每小时最大用量": found.most},
    )
