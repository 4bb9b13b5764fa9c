"""The outlook (节能形势分析): nowcast, three cases, chances, needs, causes, largest units, one project, the report."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.access.roles import Owner, Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import forecast, report, services, situation
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.forecast import Situation
from lvheng.dual_control.lmdi import Lmdi
from lvheng.dual_control.nowcast import Nowcaster, backtest
from lvheng.dual_control.outlook import Tested, contributions
from lvheng.dual_control.pages.common import allowed, docx, month_label, notes, number, see_all, sees, synthetic
from lvheng.dual_control.units import largest_units
from lvheng.dual_control.workbench import PARTS, intensity_target
from lvheng.shell import words
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format

TOP = 10


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


@page
def outlook(request: HttpRequest) -> HttpResponse:
    """Nowcast, three cases, chances, causes, largest units, and the back-test of the method."""
    sight = sight_of(request)
    view, header = sight.view, sight.plan.header
    code = request.GET.get("region", header.city)
    region = sight.region(code)
    if region is None:
        raise ProblemError(Problem("dual_control.region.unknown", "没有这个地区", got=code, fix="从列表中选择地区。"))
    if not sees(sight, code):
        raise ProblemError(Problem("dual_control.access", NOT_PUBLIC, fix="使用有权限的账号登录。"))
    energy = PARTS[intensity_target(view).indicator][0]
    problems: list[Problem] = []
    settled = next((y for y in range(header.last_year, header.first_year - 1, -1) if view.value(energy, code, Period.of_year(y)) is not None), None)  # fmt: skip
    project = None
    try:
        tce, added = (number(request.GET, n, t) for n, t in (("tce", _("项目用能")), ("value_added", _("项目增加值"))))
        if tce is not None and settled:
            project = forecast.project(view, code, settled, tce, added or Decimal(0))
    except ProblemError as error:
        problems += error.problems
    context: dict[str, Any] = {"region": region, "project": project, "figures": {}, "asked": request.GET, "settled": settled, "unit": view.catalogue[energy].unit}  # fmt: skip
    if request.headers.get("HX-Target") == "project":
        return respond(request, "dual_control/_project.html", {**context, "problems": problems})
    now, tested = None, []
    nowcaster = Nowcaster(view)
    try:
        now = forecast.situation(view, code, nowcaster=nowcaster)
        tested = backtest(nowcaster, code)
    except ProblemError as error:
        problems += error.problems
    tables = []
    for by in ("county", "industry") if code == header.city else ("industry",):
        try:
            if settled:
                tables.append(_causes_table(sight, situation.causes(view, settled, by, code), settled, by))
        except ProblemError as error:
            problems += error.problems
    if fmt := wanted_format(request):
        part = request.GET.get("table", "")
        return download(tables[1] if part == "1" and len(tables) > 1 else tables[0], fmt) if tables else respond(request, "dual_control/outlook.html", context)  # fmt: skip
    context |= {
        "now": now, "figures": _figures(now, tested), "problems": problems, "tables": tables, "regions": [view.city, *view.counties],
        "units": _units_table(sight, now, code) if now and may(sight.actor, Permission.VIEW_UNIT, Owner(code)) else None,
        "chart": _chart(now) if now else None, "synthetic": synthetic(sight), "city": code == header.city,
        "months": _months(sight) if code == header.city else [],
    }  # fmt: skip
    return respond(request, "dual_control/outlook.html", context)


def _months(sight: Sight) -> list[Period]:
    """Months that a report can be made of, latest first: those of the last two years."""
    scheme = services.scheme_in_force(sight.view, "intensity")
    return Barometer(sight.view, scheme).periods[:-25:-1]


def _figures(now: Situation | None, tested: list[Tested]) -> dict[str, Any]:
    if now is None:
        return {}
    return {
        "nowcast": _decimal(now.nowcast), "required": _decimal(now.required), "chance_year": _decimal(now.chance_year * 100),
        "chance_period": _decimal(now.chance_period * 100), "need": _decimal(now.need_rest), "month": _decimal(now.need_month),
        "cases": [(words.word(c.name), *(_decimal(x) for x in (c.energy_growth, c.gdp_growth, c.change))) for c in now.cases],
        "tested": [(words.word(t.name), t.periods, _decimal(t.error) if t.periods else None, _decimal(t.bias) if t.periods else None) for t in tested],
    }  # fmt: skip


def _chart(now: Situation) -> dict[str, Any]:
    """Growth so far by cumulative month: settled quarter ends as measured, all months as nowcast."""
    return {
        "periods": [month_label(m.period) for m in now.months], "unit": "%", "places": 2,
        "series": [
            {"name": _("月度测算"), "values": [round(m.growth, 4) for m in now.months]},
            {"name": _("季末核算"), "values": [round(m.growth, 4) if m.settled else None for m in now.months]},
        ],
    }  # fmt: skip


def _causes_table(sight: Sight, effect: Lmdi, year: int, by: str) -> Table:
    unit = words.unit_label("万吨标准煤")
    columns = [Column("name", _("地区") if by == "county" else _("行业"))]
    columns += [Column(k, t, unit, 2, True) for k, t in (("activity", _("增长")), ("structure", _("结构")), ("intensity", _("强度")), ("total", _("合计")))]  # fmt: skip
    names = {r.name: words.name_of(r) for r in sight.view.counties}
    rows = [
        {"name": names.get(e.name) or words.word(e.name), **{k: getattr(e, k) for k in ("activity", "structure", "intensity", "total")}}
        for e in sorted(effect.effects, key=lambda e: -abs(e.total) if by == "industry" else 0)
    ]  # fmt: skip
    whole = effect.activity + effect.structure + effect.intensity
    foot = {"name": _("合计"), "activity": effect.activity, "structure": effect.structure, "intensity": effect.intensity, "total": whole}  # fmt: skip
    title = (
        _("%s年能源消费增量的因素分解（分地区）") if by == "county" else _("%s年规上工业用能增量的因素分解（分行业）")
    ) % year
    over = _("合计为各县（市）区之和。") if by == "county" else _("合计为规上工业各行业之和，不含规上工业以外的用能。")
    return Table(columns, rows, title=title, notes=notes(sight, _("按对数平均迪氏指数法作加法分解。") + over), foot=foot, filterable=False, export_query=f"table={0 if by == 'county' else 1}")  # fmt: skip


def _units_table(sight: Sight, now: Situation, code: str) -> Table:
    """The largest units and the new ones of the region, with what each adds."""
    months, view = now.as_of.part, sight.view
    region = "" if code == view.city.code else code
    found = largest_units(now.year, months, at=view.position, region=region)
    whole = [u for u in found if u.complete(months)]
    shares = {c: (delta, share) for c, delta, share in contributions({u.code: float(u.before) for u in whole}, {u.code: float(u.now) for u in whole}, len(whole))}  # fmt: skip
    new = [u for u in whole if u.new]
    rows = []
    for u in [*found[:TOP], *(u for u in new if u not in found[:TOP])][: 2 * TOP]:
        delta, share = shares.get(u.code, (None, None))
        why = _("两年同期填报不全，不计算增量。")
        rows.append({
            "name": u.name, "now": u.now, "delta": Cell(_decimal(delta), reason=why), "share": Cell(_decimal(share), reason=why),
            "note": _("新增") if u.new else "" if u.complete(months) else _("填报不全"),
        })  # fmt: skip
    unit = words.unit_label("吨标准煤")
    columns = [
        Column("name", _("单位")), Column("now", _("用能"), unit, 0, True), Column("delta", _("增量"), unit, 0, True),
        Column("share", _("占增量"), "%", 1, True), Column("note", _("说明")),
    ]  # fmt: skip
    said = _("%(period)s；占增量为占两年同期填报完整的%(n)s家单位增量合计的比重；新增单位%(new)s家。") % {"period": words.period_label(now.as_of), "n": len(whole), "new": len(new)}  # fmt: skip
    return Table(columns, rows, title=_("用能前十单位和新增单位的贡献"), notes=notes(sight, said), filterable=False, formats=())  # fmt: skip


@allowed(Permission.VIEW_PUBLIC)
def outlook_report(request: HttpRequest) -> HttpResponse:
    """The report as docx; ``period`` names the cumulative month, without it the last settled one."""
    sight = sight_of(request)
    see_all(sight)
    asked = request.GET.get("period", "")
    period = Period.parse(asked) if asked else None
    body = report.report(sight.view, services.scheme_in_force(sight.view, "intensity"), period)
    return docx(body, f"{sight.view.city.name}{period.label if period else ''}节能形势分析")
