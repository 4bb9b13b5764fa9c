"""Pages of on-line monitoring. Thin: figures come from the roll-up, words from the register and the rulebook."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Actor, Owner, Permission, may
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import live, problem_page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.telemetry import papers, register, screens, services, watch
from lvheng.telemetry.clock import SHANGHAI, instant
from lvheng.telemetry.models import ALARMS, MEDIA, STEPS, Alarm, Factor, Lead, Mark, MarkPaper, Outlet
from lvheng.telemetry.services import Board, Latest, Now
from lvheng.telemetry.validity.judge import Rates

POINTS = 4000  # drawn at most; longer series are thinned so that every peak stays
STATES = {  # shape, class, word, order
    "over": ("■", "state-far_behind", "超标", 0),
    "missing": ("▲", "state-behind", "无数据", 1),
    "invalid": ("◐", "state-no_data", "数据无效", 2),
    "valid": ("●", "state-on_schedule", "正常", 3),
    "stop": ("◌", "state-not_due", "停运", 4),
    "none": ("○", "state-no_data", "未汇总", 5),
}


def sees(actor: Actor, outlet: Outlet) -> bool:
    """Invented outlets are for everybody; real ones for their own people and departments."""
    return outlet.synthetic or may(actor, Permission.VIEW_UNIT, Owner(outlet.region, outlet.unit))


def outlet_or_404(request: HttpRequest, code: str) -> Outlet:
    found = get_object_or_404(Outlet, code=code)
    if not sees(actor_of(request), found):
        raise ProblemError(
            Problem(
                "telemetry.access",
                "该排口的数据尚未公开",
                wanted="相应单位的账号",
                fix="登录后再试，或联系系统管理员。",
            )
        )
    return found


def _state_of(latest: Iterable[Latest]) -> str:
    """The gravest state of an outlet's pollutants in the last hour."""
    found = ["over" if x.over else x.state for x in latest]
    return min(found, key=lambda s: STATES[s][3], default="none")


def state_mark(name: str) -> SafeString:
    shape, style, word, _order = STATES[name]
    return format_html('<span class="state {}"><span class="shape" aria-hidden="true">{}</span>{}</span>', style, shape, words.word(word))  # fmt: skip


def _value(x: Latest | None, factor: Factor) -> str:
    if x is None or x.value is None:
        return "—"
    return f"{show(x.value, 2)} {unit_words(factor.unit)}"


def _rates(several: Iterable[Latest]) -> Rates:
    found = list(several)
    return Rates(
        sum(x.rates.due for x in found), sum(x.rates.received for x in found), sum(x.rates.valid for x in found)
    )


def _regions(sight: Sight) -> dict[str, Any]:
    return {r.code: r for r in sight.view.plan.regions}


# --- the live page --------------------------------------------------------------------------------
@live
def outlets(request: HttpRequest) -> HttpResponse:
    """``?medium=&region=&state=`` filter; ``?format=`` exports."""
    sight, actor, board = sight_of(request), actor_of(request), services.board()
    regions = _regions(sight)
    asked = {k: request.GET.get(k, "") for k in ("medium", "region", "state")}
    found = [o for o in Outlet.objects.prefetch_related("factors") if sees(actor, o)]
    registered = len(found)
    if asked["medium"]:
        found = [o for o in found if o.medium == asked["medium"]]
    if asked["region"]:
        found = [o for o in found if o.region == asked["region"]]
    now = services.live_values([o.mn for o in found])
    suspected = dict(Lead.objects.filter(state="open").values_list("factor__outlet").annotate(Count("id")).order_by())
    sortable: list[tuple[int, str, dict[str, Any]]] = []
    tally, dots = dict.fromkeys(STATES, 0), []
    by_region: dict[str, list[Latest]] = {}
    for o in found:
        mine = [f for f in o.factors.all() if f.kind == "value"]
        latest = {f.pk: board.latest.get(f.pk) for f in mine}
        known = [x for x in latest.values() if x is not None]
        state = _state_of(known)
        tally[state] += 1
        by_region.setdefault(o.region, []).extend(known)
        if asked["state"] and state != asked["state"]:
            continue
        rates = _rates(known)
        url = address({"sight": sight}, "outlet", o.code)
        region = regions.get(o.region)
        row = {
            "outlet": Cell(o.name, url=url), "unit": o.unit_name, "region": words.name_of(region) if region else "—",
            "medium": MEDIA[o.medium], "state": Cell(words.word(STATES[state][2]), html=state_mark(state), order=STATES[state][3]),
            "values": Cell(_listed(mine, latest)), "now": Cell(_now_listed(o, mine, now)), "transmission": rates.transmission, "validity": rates.validity,
            "effective": rates.effective, "leads": suspected.get(o.pk),
        }  # fmt: skip
        sortable.append((STATES[state][3], o.name, row))
        if o.longitude is not None and o.latitude is not None:
            dots.append([float(o.longitude), float(o.latitude), state, o.name, url])
    rows = [r for _order, _name, r in sorted(sortable, key=lambda x: x[:2])]
    table = Table(
        _columns(bool(now)),
        rows,
        title=_("在线监测排口"),
        name=_("在线监测排口"),
        notes=[_as_of(board)],
        empty=_("没有符合条件的排口。"),
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    pages = Paginator(rows, 50).get_page(request.GET.get("page"))
    table.rows = list(pages)
    shown_dots = {
        "map": address({"sight": sight}, "shapes"), "dots": dots,
        "words": {k: words.word(v[2]) for k, v in STATES.items()},
    }  # fmt: skip
    return respond(
        request, "telemetry/outlets.html",
        {
            "table": table, "asked": asked, "regions": sorted({o.region for o in found} & regions.keys()), "names": regions, "media": MEDIA.items(),
            "states": [(k, words.word(v[2]), v[0], v[1], tally[k]) for k, v in STATES.items() if tally[k]], "total": registered,
            "counties": [(c, regions[c]) for c in sorted(regions) if c in by_region or c == asked["region"]],
            "as_of": _as_of(board), "synthetic": any(o.synthetic for o in found), "chart": shown_dots if dots else None,
            "watch": watch.state(), "overdue": watch.overdue(watch.state()), "inner": may(actor, Permission.VIEW_INTERNAL),
            "strangers": len(register.strangers()) if may(actor, Permission.VIEW_INTERNAL) else 0, "open_leads": sum(suspected.values()),
            "floor": services.rulebook().versions("telemetry.rate_floor")[-1], "page": pages,
            "open_alarms": Alarm.objects.exclude(state="closed").count(),
        },
    )  # fmt: skip


def _columns(live: bool) -> list[Column]:
    """``live``: the gateway has last values of some of them."""
    found = [
        Column("outlet", _("排口")), Column("state", _("状态")), Column("values", _("最近一小时"), wide=True), Column("now", _("实时值"), wide=True),
        Column("effective", _("传输有效率"), "%", 2, True), Column("transmission", _("传输率"), "%", 2, True), Column("validity", _("有效率"), "%", 2, True),
        Column("leads", _("疑点"), number=True, places=0), Column("region", _("地区")), Column("medium", _("类别")), Column("unit", _("排污单位")),
    ]  # fmt: skip
    return found if live else [c for c in found if c.key != "now"]


def unit_words(unit: str) -> str:
    return {"mg/m3": "mg/m³", "m3/s": "m³/s"}.get(unit, unit)


def _listed(factors: list[Factor], latest: dict[int, Latest | None]) -> str:
    return "；".join(f"{words.word(f.name)} {_value(latest[f.pk], f)}" for f in factors)


def _now_listed(outlet: Outlet, factors: list[Factor], now: dict[tuple[str, str], Now]) -> str:
    """The last values received, with the time of the latest: as sent, not judged."""
    found = [(f, x) for f in factors if (x := now.get((outlet.mn, f.code))) is not None]
    if not found:
        return ""
    at = max(x.at for _f, x in found)
    return "；".join(f"{words.word(f.name)} {x.text}" for f, x in found) + f"　{at:%m-%d %H:%M}"


def _as_of(board: Board) -> str:
    if board.end is None:
        return _("尚未汇总。")
    return _("数据截至%(time)s。") % {"time": moment_words(board.end)}


def moment_words(at: datetime) -> str:
    local = at.astimezone(SHANGHAI)
    return _("%(year)s年%(month)s月%(day)s日%(hour)s时") % {
        "year": local.year,
        "month": local.month,
        "day": local.day,
        "hour": local.hour,
    }


# --- one outlet -----------------------------------------------------------------------------------
@live
def outlet(request: HttpRequest, code: str) -> HttpResponse:
    """``?factor=`` chooses the series that is drawn."""
    sight, actor, board = sight_of(request), actor_of(request), services.board()
    found = outlet_or_404(request, code)
    factors = list(found.factors.all())
    mine = [f for f in factors if f.kind == "value"]
    chosen = next((f for f in factors if str(f.pk) == request.GET.get("factor")), mine[0] if mine else None)
    names = screens.names(services.rulebook(), services.timezone.localdate())
    known = [x for f in mine if (x := board.latest.get(f.pk)) is not None]
    leads = list(Lead.objects.filter(factor__outlet=found).select_related("factor")[:50])
    now = services.live_values([found.mn])
    rows = [
        {
            "factor": Cell(words.word(f.name), url=f"?{urlencode({'factor': f.pk})}"), "now": Cell(f"{n.text}　{n.at:%m-%d %H:%M}" if (n := now.get((found.mn, f.code))) else ""), "value": x.value if x else None, "unit": unit_words(f.unit),
            "limit": Cell(f.limit_high, reason=_("许可证未设限值。")),
            "state": Cell("", html=state_mark("over" if x and x.over else x.state if x else "none")),
            "transmission": x.rates.transmission if x else None, "validity": x.rates.validity if x else None, "effective": x.rates.effective if x else None,
        }
        for f in factors for x in [board.latest.get(f.pk)]
    ]  # fmt: skip
    columns = [
        Column("factor", _("因子")), Column("value", _("最近一小时"), places=2, number=True), Column("now", _("实时值")), Column("limit", _("限值"), places=2, number=True), Column("unit", _("单位")),
        Column("state", _("状态")), Column("effective", _("传输有效率"), "%", 2, True), Column("transmission", _("传输率"), "%", 2, True), Column("validity", _("有效率"), "%", 2, True),
    ]  # fmt: skip
    table = Table(columns, rows, title=found.name, name=found.name, notes=[_as_of(board)], filterable=False)
    if fmt := wanted_format(request):
        return download(_hours_table(found, chosen) if request.GET.get("table") == "hours" and chosen else table, fmt)
    kinds = services.rules_on(services.timezone.localdate()).marks
    inner = may(actor, Permission.VIEW_UNIT, Owner(found.region, found.unit))
    marks = [
        (m, kinds[m.kind].name if m.kind in kinds else m.kind, hasattr(m, "withdrawal"), list(m.papers.all()) if inner else [], papers.due(m))
        for m in found.marks.select_related("withdrawal").prefetch_related("papers")[:50]
    ]  # fmt: skip
    chart = None
    if chosen is not None and chosen.pk in board.latest:
        chart = {
            "url": reverse("outlet_series", args=[found.code, chosen.pk]), "name": words.word(chosen.name), "unit": unit_words(chosen.unit),
            "limit": float(chosen.limit_high) if chosen.limit_high is not None else None,
            "words": {"over": _("超标"), "limit": _("限值"), "substituted": _("无效或缺失"), "mark": _("标记"), "lead": _("疑点"), "stop": _("停运")},
        }  # fmt: skip
    return respond(
        request, "telemetry/outlet.html",
        {
            "outlet": found, "table": table, "chosen": chosen, "factors": factors, "chart": chart, "recent": _recent(found, chosen, board), "state": state_mark(_state_of(known)),
            "leads": [lead_row(x, names, sight) for x in leads], "marks": marks, "kinds": kinds.values(),
            "alarms": list(found.alarms.select_related("factor")[:20]), "as_of": _own_as_of(known),
            "device": register.device(found.mn) if may(actor, Permission.VIEW_INTERNAL) else None, "may_edit": may_register(actor, found), "may_mark": may(actor, Permission.FILE, Owner(found.region, found.unit)),
            "region": _regions(sight).get(found.region), "rates": _rates(known), "medium": MEDIA[found.medium],
        },
    )  # fmt: skip


SEEN = {
    "hours": "连续小时数", "value": "数值", "below": "限值下方小时数", "under": "再下方小时数", "above": "限值上方小时数", "oxygen": "氧含量升高（百分点）",
    "drop": "浓度降低比例", "converted": "折算浓度与此前之比", "alike": "相似系数", "flow": "流量",
}  # fmt: skip


def _own_as_of(known: list[Latest]) -> str:
    return (
        _("数据截至%(time)s。") % {"time": moment_words(instant(max(x.end for x in known)))}
        if known
        else _("尚未汇总。")
    )


def lead_row(lead: Lead, names: dict[str, tuple[str, str]], sight: Sight) -> dict[str, Any]:
    name, meaning = names.get(lead.screen, (lead.screen, ""))
    seen = "；".join(
        f"{words.word(SEEN[k])} {show(Decimal(str(round(v, 3))))}" for k, v in lead.seen.items() if k in SEEN
    )
    return {
        "name": words.word(name), "meaning": words.word(meaning), "factor": words.word(lead.factor.name), "seen": seen, "state": lead.state_label,
        "first": moment_words(lead.first), "last": moment_words(lead.last), "url": address({"sight": sight}, "telemetry_lead", lead.pk),
    }  # fmt: skip


def may_register(actor: Actor, outlet: Outlet | None = None) -> bool:
    """Who keeps the register of devices and outlets: the leading departments, and a county for its own."""
    owner = Owner(outlet.region, outlet.unit) if outlet is not None else None
    return may(actor, Permission.REVIEW_CITY, owner) or (
        outlet is not None and may(actor, Permission.REVIEW_COUNTY, owner)
    )


def series(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """The hours of a series for drawing: start (ms, wall time), step (hours), low and high of each step, and shaded spans.

    ``?from=&to=`` (hours since 1970) asks for a stretch, which is then drawn finer.
    """
    try:
        found = outlet_or_404(request, code)
    except ProblemError as error:
        return problem_page(request, error.problems, 403)
    factor = get_object_or_404(Factor, pk=pk, outlet=found)
    low, high = (int(t) if (t := request.GET.get(k, "")).isdigit() and len(t) < 9 else None for k in ("from", "to"))
    table = services.hours_of(factor, low, high).sort_by("hour")
    if not table.num_rows:
        return JsonResponse({"start": 0, "step": 1, "low": [], "high": [], "spans": []})
    converted = factor.kind == "value" and found.o2_reference is not None
    hours = table["hour"].to_numpy()
    first, size = int(hours[0]), int(hours[-1] - hours[0]) + 1
    values = np.full(size, np.nan)  # hours that the roll-up does not hold are gaps as well
    values[hours - first] = np.asarray(table["converted" if converted else "mean"].cast("float64").to_numpy()) / 1e6
    step, lows, highs = thin(values, POINTS // 2)
    states = np.full(size, "missing", dtype=object)
    states[hours - first] = table["state"].to_pylist()
    spans = [[first + a, first + b, kind] for kind in ("stop", "missing") for a, b in _runs(states == kind)][:400]
    for m in Mark.objects.filter(outlet=found, withdrawal=None).filter(Q(factor=None) | Q(factor=factor)):
        spans.append([services.hour_of(m.begin), services.hour_of(m.end), "mark"])
    for lead in Lead.objects.filter(factor=factor).exclude(state="excluded"):
        spans.append([services.hour_of(lead.first), services.hour_of(lead.last), "lead"])
    for alarm in Alarm.objects.filter(factor=factor, kind="exceedance")[:400]:
        spans.append([services.hour_of(alarm.first), services.hour_of(alarm.last), "over"])
    return JsonResponse({"start": first * 3_600_000, "step": step, "low": lows, "high": highs, "spans": spans})


def thin(values: np.ndarray, most: int) -> tuple[int, list[float | None], list[float | None]]:
    """(hours a point, lows, highs): at most ``most`` points; the least and largest of each stay, a gap stays a gap."""
    step = max(1, -(-len(values) // most))
    if step == 1:
        plain = [None if np.isnan(v) else round(float(v), 4) for v in values]
        return 1, plain, plain
    padded = np.concatenate([values, np.full(-len(values) % step, np.nan)]).reshape(-1, step)
    empty = np.isnan(padded).all(axis=1)
    low, high = (
        np.where(np.isnan(padded), np.inf, padded).min(axis=1),
        np.where(np.isnan(padded), -np.inf, padded).max(axis=1),
    )
    return step, *(
        [None if e else round(float(v), 4) for v, e in zip(side, empty, strict=True)] for side in (low, high)
    )  # type: ignore[return-value]


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


RECENT = 24  # hours listed on the page


def _recent(found: Outlet, factor: Factor | None, board: Board) -> Table | None:
    """The last hours of the factor that is drawn, the latest first."""
    if factor is None or factor.pk not in board.latest:
        return None
    table = _hours_table(found, factor, board.latest[factor.pk].end - RECENT)
    table.rows, table.filterable, table.title = list(reversed(table.rows)), False, _("最近%(n)s小时") % {"n": RECENT}
    table.export_query = urlencode({"factor": factor.pk, "table": "hours"})
    return table


def levelled(factor: Factor) -> bool:
    """Whether missing hours of a factor are replaced by a median value (telemetry.water.median), not by an amount."""
    return factor.outlet.medium == "water" and factor.code in services.rules_on(services.timezone.localdate()).median


def _hours_table(found: Outlet, factor: Factor, first: int | None = None) -> Table:
    """The hours of a factor, from ``first`` where given."""
    states = {"valid": "有效", "stop": "停运", "invalid": "无效", "missing": "缺失"}
    bases = {"measured": "实测", "stopped": "停运", "substituted": "替代", "none": "无"}
    rows = [
        {
            "hour": f"{instant(r['hour']):%Y-%m-%d %H:00}", "state": words.word(states[r["state"]]), "mean": _number(r["mean"]),
            "converted": _number(r["converted"]), "amount": None if r["amount"] is None else Decimal(r["amount"]) / services.MILLIGRAMS,
            "basis": words.word(bases[r["basis"]]), "substitute": _number(r.get("substitute")),
        }
        for r in services.hours_of(factor, first).sort_by("hour").to_pylist()
    ]  # fmt: skip
    columns = [
        Column("hour", _("小时")), Column("state", _("有效性")), Column("mean", _("均值"), unit_words(factor.unit), 3, True),
        Column("converted", _("折算值"), unit_words(factor.unit), 3, True), Column("amount", _("排放量"), "kg", 6, True), Column("basis", _("排放量依据")),
    ]  # fmt: skip
    if levelled(factor):  # has no amount (pH): missing hours are taken to have been the median before
        columns = [*(c for c in columns if c.key not in ("amount", "basis")), Column("substitute", _("替代值"), unit_words(factor.unit), 3, True)]  # fmt: skip
    return Table(columns, rows, title=f"{found.name} {words.word(factor.name)}", name=f"{found.name} {factor.name}")


def _number(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value) / services.MICRO


# --- marks ----------------------------------------------------------------------------------------
@require_POST
def mark(request: HttpRequest, code: str) -> HttpResponse:
    """Set a mark on an outlet; only its own people may."""
    actor = actor_of(request)
    found = get_object_or_404(Outlet, code=code)
    if not may(actor, Permission.FILE, Owner(found.region, found.unit)):
        return denied(request)
    given = request.POST
    try:
        begin, end = (_hour(given.get(k, ""), name) for k, name in (("begin", "开始"), ("end", "结束")))
        factor = found.factors.filter(pk=given["factor"]).first() if given.get("factor", "").isdigit() else None
        made = services.mark(
            found, given.get("kind", ""), begin, end, reason=given.get("reason", ""), evidence=given.get("evidence", ""), by=actor.name,
            factor=factor,
        )  # fmt: skip
        if (file := request.FILES.get("paper")) is not None:
            papers.hand_in(made, file.name or "", file.read(papers.LARGEST + 1), by=actor.name)
    except ProblemError as error:
        return problem_page(request, error.problems)
    messages.success(request, _("已标记，下次汇总时生效。"))
    return HttpResponseRedirect(reverse("outlet", args=[code]))


@require_POST
def paper(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Hand a paper in for a mark; only the outlet's own people may."""
    actor, found = actor_of(request), get_object_or_404(Mark.objects.select_related("outlet"), pk=pk, outlet__code=code)
    if not may(actor, Permission.FILE, Owner(found.outlet.region, found.outlet.unit)):
        return denied(request)
    file = request.FILES.get("paper")
    try:
        if file is None:
            raise ProblemError(Problem("telemetry.paper.missing", "没有选择文件", fix="选择文件后提交。"))
        papers.hand_in(found, file.name or "", file.read(papers.LARGEST + 1), by=actor.name)
    except ProblemError as error:
        return problem_page(request, error.problems)
    messages.success(request, _("已提交证明材料。"))
    return HttpResponseRedirect(reverse("outlet", args=[code]))


def paper_file(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """A paper, for the unit and those who review it."""
    found = get_object_or_404(MarkPaper.objects.select_related("mark__outlet"), pk=pk, mark__outlet__code=code)
    outlet = found.mark.outlet
    if not may(actor_of(request), Permission.VIEW_UNIT, Owner(outlet.region, outlet.unit)):
        return denied(request)
    try:
        raw = papers.read(found)
    except ProblemError as error:
        return problem_page(request, error.problems)
    response = HttpResponse(raw, content_type=papers.TYPES[papers.kind_of(raw)])
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(found.name)}"
    return response


def _hour(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise ProblemError(
            Problem("telemetry.mark.time", "时间无法识别", place=Place(field=name), got=text[:30], wanted="如2026-06-01T08:00", fix="按整点填写。")
        ) from None  # fmt: skip


def denied(request: HttpRequest) -> HttpResponse:
    return problem_page(
        request,
        [
            Problem(
                "telemetry.access",
                "您没有办理此事的权限",
                wanted="相应单位的账号",
                fix="登录后再试，或联系系统管理员。",
            )
        ],
        403,
    )


# --- alarms ---------------------------------------------------------------------------------------
@live
def alarms(request: HttpRequest) -> HttpResponse:
    """``?state=&kind=`` filter; open ones first."""
    sight, actor = sight_of(request), actor_of(request)
    asked = {k: request.GET.get(k, "") for k in ("state", "kind")}
    query = Alarm.objects.select_related("outlet", "factor")
    if not may(actor, Permission.VIEW_INTERNAL):
        query = query.filter(outlet__synthetic=True)
    counts = dict(query.values_list("kind").annotate(Count("id")).order_by())
    if asked["state"]:
        query = query.filter(state=asked["state"])
    if asked["kind"]:
        query = query.filter(kind=asked["kind"])
    pages = Paginator(query, 50).get_page(request.GET.get("page"))
    rows = [
        {
            "kind": Cell(a.kind_label, url=address({"sight": sight}, "telemetry_alarm", a.pk)), "outlet": Cell(a.outlet.name, url=address({"sight": sight}, "outlet", a.outlet.code)),
            "factor": words.word(a.factor.name) if a.factor else "", "first": moment_words(a.first), "last": moment_words(a.last), "recovered": moment_words(a.recovered) if a.recovered else Cell("", text=_("持续中")), "value": a.value, "limit": a.limit,
            "times": Cell(a.value / a.limit - 1 if a.kind == "exceedance" and a.value is not None and a.limit else None, reason=_("不适用。")), "state": a.state_label,
        }
        for a in pages
    ]  # fmt: skip
    columns = [
        Column("kind", _("报警")), Column("outlet", _("排口")), Column("factor", _("因子")), Column("first", _("开始")), Column("last", _("至")), Column("recovered", _("恢复")),
        Column("value", _("最大值"), places=2, number=True), Column("limit", _("限值"), places=2, number=True), Column("times", _("超标倍数"), places=2, number=True), Column("state", _("状态")),
    ]  # fmt: skip
    table = Table(columns, rows, title=_("在线监测报警"), name=_("在线监测报警"), empty=_("没有符合条件的报警。"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    kinds = [(k, v, counts[k]) for k, v in ALARMS.items() if counts.get(k)]
    states = [("open", _("待处理")), *STEPS.items()]
    return respond(
        request, "telemetry/alarms.html",
        {"table": table, "asked": asked, "kinds": kinds, "states": states, "page": pages, "synthetic": any(a.outlet.synthetic for a in pages)},
    )  # fmt: skip


def alarm(request: HttpRequest, pk: int) -> HttpResponse:
    """One alarm and its steps; POST takes the next."""
    found = get_object_or_404(Alarm.objects.select_related("outlet", "factor"), pk=pk)
    actor = actor_of(request)
    if not sees(actor, found.outlet):
        return denied(request)
    owner = Owner(found.outlet.region, found.outlet.unit)
    allowed = may(actor, Permission.REVIEW_CITY, owner) or may(actor, Permission.REVIEW_COUNTY, owner)
    if request.method == "POST":
        if not allowed:
            return denied(request)
        given = request.POST
        try:
            services.take_step(
                found, given.get("step", ""), by=actor.name, to=given.get("to", ""), text=given.get("text", "")
            )
        except ProblemError as error:
            return problem_page(request, error.problems)
        messages.success(request, _("已办理。"))
        return HttpResponseRedirect(reverse("telemetry_alarm", args=[pk]))
    response = respond(
        request, "telemetry/alarm.html",
        {
            "alarm": found, "first": moment_words(found.first), "last": moment_words(found.last), "recovered": moment_words(found.recovered) if found.recovered else "", "steps": list(found.steps.all()),
            "allowed": allowed and found.state != "closed", "choices": [(k, v) for k, v in STEPS.items() if k in services.NEXT[found.state]],
            "factor": words.word(found.factor.name) if found.factor else "", "unit": unit_words(found.factor.unit) if found.factor else "",
        },
    )  # fmt: skip
    response.headers.setdefault("Cache-Control", "private, no-cache")
    return response
