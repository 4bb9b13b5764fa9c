"""Pages of months: rates of transmission and validity, closing a month, and computing a closed one again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.observations.models import Observation
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import live, problem_page, respond
from lvheng.shell.sight import sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.telemetry import services
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.models import Factor, MonthClose, Outlet
from lvheng.telemetry.validity.judge import Rates, capture_rate
from lvheng.telemetry.views import denied, sees


def _month(index: int) -> str:
    return f"{index // 12}-{index % 12 + 1:02d}"


def month_rates() -> dict[tuple[int, str], tuple[Rates, Decimal | None]]:
    """(series, month) → rates and the capture rate, from the rolled-up hours of pollutants."""
    path = services.rollup_folder() / "hours.parquet"
    if not path.exists():
        return {}
    with duckdb.connect() as db:
        rows = db.execute(
            "select series, month, count(*), count(*) filter (state = 'stop'), count(*) filter (n > 0 and state <> 'stop'),"
            " count(*) filter (state = 'valid') from read_parquet($file) group by series, month",
            {"file": str(path)},
        ).fetchall()
    return {
        (s, _month(m)): (Rates(total - stopped, received, valid), capture_rate(total, stopped, total - stopped - valid))
        for s, m, total, stopped, received, valid in rows
    }


def _sum(several: Iterable[Rates]) -> Rates:
    found = list(several)
    return Rates(sum(x.due for x in found), sum(x.received for x in found), sum(x.valid for x in found))


@live
def rates(request: HttpRequest) -> HttpResponse:
    """``?month=&region=``: rates of each outlet in a month, the lowest first."""
    sight, actor = sight_of(request), actor_of(request)
    found = month_rates()
    months = sorted({m for _s, m in found}, reverse=True)
    month = request.GET.get("month", "") if request.GET.get("month", "") in months else (months[0] if months else "")
    floor = services.rulebook().versions("telemetry.rate_floor")[-1]
    regions = {r.code: r for r in sight.view.plan.regions}
    rows: list[dict[str, Any]] = []
    below, of_region = 0, dict[str, list[Rates]]()
    for o in Outlet.objects.prefetch_related("factors"):
        mine = [found[f.pk, month] for f in o.factors.all() if f.kind == "value" and (f.pk, month) in found]
        if not mine or not sees(actor, o):
            continue
        total = _sum(r for r, _c in mine)
        captured = min((c for _r, c in mine if c is not None), default=None)
        of_region.setdefault(o.region, []).append(total)
        low = total.effective is not None and total.effective < (floor.value or 0)
        below += low
        region = regions.get(o.region)
        rows.append(
            {
                "outlet": Cell(o.name, url=address({"sight": sight}, "outlet", o.code)), "region": words.name_of(region) if region else "—",
                "due": total.due, "received": total.received, "valid": total.valid, "transmission": total.transmission, "validity": total.validity,
                "effective": total.effective, "captured": captured, "note": _("低于下限") if low else "",
            }
        )  # fmt: skip
    rows.sort(key=lambda r: (r["effective"] is None, r["effective"] or 0))
    columns = [
        Column("outlet", _("排口")), Column("region", _("地区")), Column("due", _("应传小时"), number=True, places=0), Column("received", _("实传小时"), number=True, places=0),
        Column("valid", _("有效小时"), number=True, places=0), Column("transmission", _("传输率"), "%", 2, True), Column("validity", _("有效率"), "%", 2, True),
        Column("effective", _("传输有效率"), "%", 2, True), Column("captured", _("捕集率（最低因子）"), "%", 2, True), Column("note", _("说明")),
    ]  # fmt: skip
    label = words.period_label(Period.parse(month)) if month else ""
    table = Table(
        columns, rows, title=f"{_('传输率和有效率')} {label}", name=_("传输率和有效率"), empty=_("尚未汇总。")
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    totals = sorted(
        ((words.name_of(regions[c]), _sum(x)) for c, x in of_region.items() if c in regions),
        key=lambda x: x[1].effective or 0,
    )
    return respond(
        request, "telemetry/rates.html",
        {"table": table, "months": [(m, words.period_label(Period.parse(m))) for m in months], "month": month, "floor": floor, "below": below, "regions": totals},
    )  # fmt: skip


@live
def closes(request: HttpRequest) -> HttpResponse:
    """Months with data: closed, open to be closed, or still within the patch window."""
    actor = actor_of(request)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    done = {c.month: c for c in MonthClose.objects.order_by("version")}  # the last version of each
    months = sorted({m for _s, m in month_rates()} | done.keys(), reverse=True)
    rows = []
    for month in months:
        period, close = Period.parse(month), done.get(month)
        opens = datetime.combine(
            period.end + timedelta(days=1 + services.rules_on(period.start).patch_days), datetime.min.time(), SHANGHAI
        )
        rows.append(
            {
                "month": month,
                "label": words.period_label(period),
                "close": close,
                "opens": opens,
                "ready": close is None and timezone.now() >= opens,
            }
        )
    return respond(
        request, "telemetry/closes.html",
        {"rows": rows, "allowed": may(actor, Permission.DECIDE), "synthetic": Outlet.objects.filter(synthetic=True).exists()},
    )  # fmt: skip


@require_POST
def close_act(request: HttpRequest, month: str) -> HttpResponse:
    """Close a month, close it again with what arrived late, or compute a closed one again and compare."""
    actor = actor_of(request)
    act = request.POST.get("act", "")
    wanted = Permission.DECIDE if act in ("close", "reclose") else Permission.VIEW_INTERNAL
    if not may(actor, wanted):
        return denied(request)
    try:
        if act == "close":
            made = services.close_month(month, by=actor.name)
            messages.success(request, _("已关账：%(what)s。") % {"what": str(made.recorded)})
        elif act == "reclose":
            made = services.close_again(month, reason=request.POST.get("reason", ""), by=actor.name)
            messages.success(
                request, _("已重新关账，第%(n)s版：%(what)s。") % {"n": made.close.version, "what": str(made.recorded)}
            )
        else:
            close = version_of(month, request.POST.get("version", ""))
            if problems := services.reproduce(close):
                return problem_page(request, problems)
            messages.success(request, _("复算结果与关账时完全一致。"))
    except ProblemError as error:
        return problem_page(request, error.problems)
    return HttpResponseRedirect(
        reverse("telemetry_close", args=[month])
        if MonthClose.objects.filter(month=month).exists()
        else reverse("telemetry_closes")
    )


def version_of(month: str, number: str = "") -> MonthClose:
    """A version of a closed month, the last where no number is given; raises ProblemError when there is none."""
    found = MonthClose.objects.filter(month=month)
    if number:
        found = found.filter(version=int(number) if number.isdecimal() and len(number) < 5 else 0)
    if (close := found.first()) is None:
        raise ProblemError(
            Problem(
                "telemetry.close.none",
                "该月没有关账",
                got=f"{month[:10]} {number[:10]}".strip(),
                fix="在月关账页选择。",
            )
        )
    return close


@live
def close(request: HttpRequest, month: str) -> HttpResponse:
    """``?version=``: a closed month, amounts as recorded, with the evidence."""
    sight, actor = sight_of(request), actor_of(request)
    if not may(actor, Permission.VIEW_INTERNAL):
        return denied(request)
    found = version_of(month, request.GET.get("version", ""))
    versions = list(MonthClose.objects.filter(month=month))
    postings = [c.posting for c in versions if c.version <= found.version and c.posting]
    recorded: dict[tuple[int, str], Observation] = {}  # what a version left as it was stands from the version before
    for o in Observation.objects.filter(indicator=services.INDICATOR, period=month, posting_id__in=postings).select_related("subject").order_by("vintage"):  # fmt: skip
        recorded[o.subject_id, o.item] = o
    names = {
        (f.outlet.code, f.item): (f.outlet, f.name) for f in Factor.objects.exclude(item="").select_related("outlet")
    }
    rows: list[dict[str, Any]] = []
    for o in recorded.values():
        outlet, factor = names.get((o.subject.code, o.item), (None, o.item))
        rows.append(
            {
                "outlet": Cell(o.subject.name, url=address({"sight": sight}, "outlet", outlet.code)) if outlet else o.subject.name,
                "factor": words.word(factor), "value": o.value, "vintage": o.vintage, "quality": words.word(o.quality_label), "reference": o.reference,
            }
        )  # fmt: skip
    columns = [
        Column("outlet", _("排口")),
        Column("factor", _("因子")),
        Column("value", _("排放量"), "kg", 3, True),
        Column("vintage", _("版次"), number=True, places=0),
        Column("quality", _("数据性质")),
        Column("reference", _("凭证")),
    ]
    label = words.period_label(Period.parse(month))
    table = Table(
        columns,
        rows,
        title=f"{label} {_('在线监测排放量')}",
        name=_("在线监测排放量"),
        empty=_("该月没有可以入库的排放量。"),
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(
        request, "telemetry/close.html",
        {"close": found, "versions": versions, "last": versions[0], "allowed": may(actor, Permission.DECIDE), "label": label, "table": table, "partitions": found.partitions[:400], "digests": found.digests.items(), "more": max(0, len(found.partitions) - 400)},
    )  # fmt: skip
