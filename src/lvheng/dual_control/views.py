"""Pages of dual control. Thin: figures come from the pure rules and services."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Actor, Owner, Permission, Role, may
from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.core.region import Region
from lvheng.dual_control import barometer as dial
from lvheng.dual_control import letters, report, services, situation
from lvheng.dual_control import workbench as bench
from lvheng.dual_control.early_warning import Standing
from lvheng.dual_control.models import STEPS, Decision
from lvheng.dual_control.rules import Method
from lvheng.energy import data
from lvheng.energy.deductions import Series, Year, check, three_series
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import as_of, page, problem_page, respond
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHAPES = {0: "●", 1: "▲", 2: "◆", 3: "■"}  # severity: shape beside word and colour


def allowed(permission: Permission) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Only for those who may; others get a page that says so. Problems become a page that helps."""

    def wrap(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not may(actor_of(request), permission):
                denied = Problem(
                    "dual_control.access",
                    "您没有办理此事的权限",
                    wanted=_("相应单位的账号"),
                    fix="登录后再试，或联系系统管理员。",
                )
                return problem_page(request, [denied], 403)
            try:
                response = view(request, *args, **kwargs)
            except ProblemError as error:
                return problem_page(request, error.problems)
            response.headers.setdefault("Cache-Control", "private, no-cache")
            return response

        return run

    return wrap


def _open(sight: Sight, code: str) -> bool:
    """Whether the energy figures of a region are for everybody: synthetic or published."""
    base = Period.of_year(sight.plan.header.base_year)
    synthetic, quality = sight.view.is_synthetic(sight.view.explain("energy_total", code, base))
    return synthetic or quality == "published"


def _sees(sight: Sight, code: str) -> bool:
    return sight.sees(code, open_to_all=_open(sight, code))


def _number(given: QueryDict, name: str, title: str, default: Decimal | None = None) -> Decimal | None:
    """A number from a form; raises ProblemError naming the field."""
    raw = given.get(name, "").strip().replace("−", "-").replace("%", "")
    if not raw:
        return default
    try:
        value = Decimal(raw)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise ProblemError(Problem("dual_control.form.number", f"“{title}”不是数字", place=Place(field=title), got=raw[:20], wanted="数字，如2.5", fix="改正后重试。"))  # fmt: skip
    return value


# --- barometer ----------------------------------------------------------------------------------------
def _barometer(sight: Sight, asked: QueryDict) -> dial.Barometer:
    kind = "total" if asked.get("dial") == "total" else "intensity"
    scheme = services.scheme_in_force(sight.view, kind, asked.get("scheme", ""))
    goals = services.goals_in_force(sight.plan.id, bench.intensity_target(sight.view).indicator)
    return dial.Barometer(sight.view, scheme, goals, _number(asked, "tolerance", _("容许超出")))


def _grade_cell(sight: Sight, standing: Standing | None, code: str) -> Cell:
    if not _sees(sight, code):
        return Cell(None, reason=words.word(NOT_PUBLIC))
    if standing is None or standing.effective is None:
        return Cell(_("不完整"), html=format_html('<span class="badge badge-part" tabindex="0" title="{}">{}</span>', standing.reason if standing else "", _("不完整")))  # fmt: skip
    g = standing.effective
    late = "state-far_behind" if g.severity == 3 else "state-behind" if g.severity else "state-on_schedule"
    html = format_html('<span class="state {}" title="{}"><span class="shape" aria-hidden="true">{}</span>{}</span>', late, standing.reason, SHAPES[g.severity], words.word(g.label))  # fmt: skip
    return Cell(g.label, html=html, order=g.severity)


def _shapes(sight: Sight) -> str:
    """The address of the county boundaries of the plan in view."""
    return reverse("shapes") + (f"?plan={sight.chosen}" if sight.chosen else "")


def _shape(region: Region, value: float | None, note: str = "", url: str = "") -> dict[str, Any]:
    """One county on a map."""
    return {
        "code": region.code,
        "name": words.name_of(region),
        "short": region.short or region.name,
        "value": value,
        "note": note,
        "url": url,
    }


def _synthetic(sight: Sight) -> bool:
    """Whether the city's energy figures are synthetic."""
    base = Period.of_year(sight.plan.header.base_year)
    return any(
        sight.view.is_synthetic(sight.view.explain("energy_total", r.code, base))[0]
        for r in [sight.view.city, *sight.view.counties]
    )


def _notes(sight: Sight, *more: str) -> list[str]:
    """Position and day, what else is to be said, and that figures are synthetic, for screen and exports."""
    return [as_of(sight), *more, *([_("演示数据，不是真实统计数据。")] if _synthetic(sight) else [])]


@page
def barometer(request: HttpRequest) -> HttpResponse:
    """Grades of the city and its counties by cumulative period: map, table, and what may be issued."""
    sight = sight_of(request)
    found = _barometer(sight, request.GET)
    years = sorted({p.year for p in found.periods}, reverse=True)
    year = (
        int(request.GET["year"])
        if request.GET.get("year", "").isdigit() and int(request.GET["year"]) in years
        else (years[0] if years else 0)
    )
    periods = [p for p in found.periods if p.year == year]
    chosen = next((p for p in periods if p.code == request.GET.get("period")), periods[-1] if periods else None)
    columns = [Column("region", _("地区")), *(Column(p.code, words.period_label(p)) for p in periods)]
    columns += [
        Column("change", _("变化"), "%", 2, True),
        Column("required", _("要求"), "%", 2, True),
        Column("why", _("说明"), wide=True),
    ]
    rows: list[dict[str, Any]] = []
    on_map = []
    grades: dict[int, str] = {}  # severity: label
    intensity = found.scheme.dial.of == "intensity"
    for line in found.lines:
        region = line.region
        last = line.at(chosen) if chosen else None
        seen = _sees(sight, region.code)
        wanted = last.reading.target if last and seen else None
        rows.append({
            "region": Cell(words.name_of(region), url=address({"sight": sight}, "region", region.code)),
            **{p.code: _grade_cell(sight, line.at(p), region.code) for p in periods},
            "change": last.reading.change if last and seen else None, "required": -wanted if wanted is not None and intensity else wanted,
            "why": last.reason if last and seen else words.word(NOT_PUBLIC),
        })  # fmt: skip
        if region.code != sight.plan.header.city:
            severity = last.effective.severity if last and last.effective and seen else None
            label = last.effective.label if last and last.effective and seen else _("不完整")
            if severity is not None:
                grades[severity] = str(words.word(label))
            on_map.append(_shape(region, severity, words.word(label), address({"sight": sight}, "region", region.code)))
    title = _("%(city)s%(year)s年能耗双控晴雨表（%(dial)s）") % {
        "city": words.name_of(sight.view.city),
        "year": year,
        "dial": _("强度") if intensity else _("总量"),
    }
    source = found.scheme.source.source
    table = Table(columns, rows, title=title, notes=_notes(sight, _("预警办法：%(scheme)s，依据%(source)s。") % {"scheme": words.name_of(found.scheme), "source": source}), filterable=False)  # fmt: skip
    if fmt := wanted_format(request):
        return download(table, fmt)
    if request.GET.get("format") is None and request.GET.get("file") == "docx":
        return _barometer_docx(table, title)
    issuable = []
    if chosen and may(sight.actor, Permission.DECIDE):
        issuable = [
            line.region
            for line in found.lines
            if (s := line.at(chosen)) and s.can_issue and line.region.code != sight.plan.header.city
        ]
    context = {
        "found": found, "table": table, "years": years, "year": year, "periods": periods, "chosen": chosen, "title": title,
        "schemes": [s for s in data.schemes().values() if s.dial.subject == "region" and not s.dial.needs], "issuable": issuable,
        "map": {"map": _shapes(sight), "unit": "", "places": 0, "rows": on_map, "grades": [{"value": s, "label": grades[s]} for s in sorted(grades, reverse=True)]},
        "docx": "?" + urlencode({**{k: v for k, v in request.GET.items() if k != "file"}, "file": "docx"}),
    }  # fmt: skip
    return respond(request, "dual_control/barometer.html", {**context, "synthetic": _synthetic(sight)})


def _barometer_docx(table: Table, title: str) -> HttpResponse:
    doc = letters._document()
    letters._title(doc, title)
    rows = [
        [show(v, 2) if isinstance(v, Decimal) else str(v if v is not None else "—") for v in row.values()]
        for row in table.plain_rows()
    ]
    letters._table(
        doc,
        [f"{c.title}（{c.unit}）" if c.unit else str(c.title) for c in table.columns][:-1],
        [row[:-1] for row in rows],
    )
    for note in table.notes:
        letters._text(doc, str(note), size=10.5, indent=False)
    return _docx(letters._bytes(doc), title)


def _docx(body: bytes, title: str) -> HttpResponse:
    response = HttpResponse(body, content_type=DOCX)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(title)}.docx"
    return response


# --- workbench ------------------------------------------------------------------------------------------
def _settings(sight: Sight, given: QueryDict) -> tuple[Any, bench.Settings]:
    """The settings of the form over the defaults; raises ProblemError naming the field that cannot be read."""
    target = bench.intensity_target(sight.view)
    settings = bench.defaults(sight.view, target)
    method, step = given.get("method", ""), given.get("step", "")
    if method in set(Method):
        settings.method = Method(method)
    if step in ("0.01", "0.1", "0.5", "1"):
        settings.step = Decimal(step)
    settings.target = _number(given, "target", _("全市目标"), settings.target) or settings.target
    if not 0 < settings.target < 100:
        raise ProblemError(Problem("dual_control.form.target", "全市目标应大于0、小于100", place=Place(field="全市目标"), got=show(settings.target), fix="按下降为正填写。"))  # fmt: skip
    for name, title in (("half_width", _("偏离上限")), ("incentive", _("激励目标增加"))):
        value = _number(given, name, title, getattr(settings, name))
        if value is None or not 0 <= value < 50:
            raise ProblemError(
                Problem(
                    "dual_control.form.range", f"“{title}”应在0至50之间", place=Place(field=title), fix="改正后重试。"
                )
            )
        setattr(settings, name, value)
    every = _number(given, "growth_all", _("各地增速加减"), Decimal(0)) or Decimal(0)
    for region in bench.counted(sight.view):
        growth = _number(
            given, f"growth_{region.code}", f"{region.name}{_('预期增速')}", settings.growth.get(region.code)
        )
        if growth is not None:
            settings.growth[region.code] = growth + every
        pin = _number(given, f"pin_{region.code}", f"{region.name}{_('指定目标')}")
        if pin is not None:
            settings.pins[region.code] = pin
    for code in list(settings.weights):
        weight = _number(given, f"weight_{code}", code, settings.weights[code])
        if weight is None or weight < 0:
            raise ProblemError(
                Problem(
                    "dual_control.form.weight",
                    "权重不能为负数",
                    place=Place(field=code),
                    got=str(weight),
                    fix="填写0或正数。",
                )
            )
        settings.weights[code] = weight
    return target, settings


@page
def workbench(request: HttpRequest) -> HttpResponse:
    """Factors, weights, methods, bands, pins; every change re-solves all counties in the page."""
    sight = sight_of(request)
    _see_all(sight)
    try:
        target, settings = _settings(sight, request.GET)
        found, faults = bench.solve(sight.view, target, settings), []
    except ProblemError as error:
        target = bench.intensity_target(sight.view)
        settings, faults = bench.defaults(sight.view, target), error.problems
        found = bench.solve(sight.view, target, settings)
    columns = [
        Column("region", _("地区")), Column("energy", _("基年能耗"), _("万吨标准煤"), 2, True), Column("intensity", _("基年强度"), _("吨标准煤/万元"), 4, True),
        Column("growth", _("预期增速"), "%", 1, True), Column("score", _("得分"), "", 2, True), Column("target", _("基本目标"), "%", found.places, True),
        Column("incentive", _("激励目标"), "%", found.places, True), Column("yearly", _("年均下降"), "%", 2, True), Column("weight", _("权重"), "", 4, True), Column("at", _("说明")),
    ]  # fmt: skip
    at_words = {"low": _("取下限"), "high": _("取上限"), "pin": _("指定"), "": ""}
    missing = _("未能求解。")
    rows = [
        {
            "region": words.name_of(r.region), "energy": r.energy0, "intensity": r.energy0 / r.gdp0 if r.energy0 is not None and r.gdp0 else None,
            "growth": r.growth, "score": r.score.score if r.score else None, "target": Cell(r.target, reason=missing), "incentive": Cell(r.incentive, reason=missing),
            "yearly": Cell(r.yearly, reason=missing), "weight": r.weight, "at": at_words[r.at],
        }
        for r in found.rows
    ]  # fmt: skip
    foot = {"region": _("全市合成"), "target": Cell(found.implied, places=4)} if found.implied is not None else None
    notes = _notes(sight, _("合成降幅 = 1 − Σ 权重×(1−县级目标)，含地区结构变化；权重之和不一定为1。"))
    table = Table(
        columns, rows, title=_("%s分解结果") % words.name_of(target), notes=notes, foot=foot, filterable=False
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    chart = {
        "map": _shapes(sight), "unit": words.unit_label("百分点"), "places": max(found.places, 1),
        "rows": [_shape(r.region, None if r.target is None else float(r.target - settings.target), at_words[r.at]) for r in found.rows],
    }  # fmt: skip
    inputs = [
        {"code": r.region.code, "name": words.name_of(r.region), "growth": request.GET.get(f"growth_{r.region.code}", "" if r.growth is None else f"{bench.defaults(sight.view, target).growth.get(r.region.code, r.growth):f}"), "pin": request.GET.get(f"pin_{r.region.code}", "")}
        for r in found.rows
    ]  # fmt: skip
    context = {
        "target": target, "settings": settings, "found": found, "faults": faults, "table": table, "methods": [(m.value, words.word(m.label)) for m in Method],
        "inputs": inputs, "factors": [(f, settings.weights.get(f.code)) for f in found.factors], "steps": ["1", "0.5", "0.1", "0.01"],
        "chart": chart, "may_draft": may(sight.actor, Permission.DECIDE), "growth_all": request.GET.get("growth_all", "0"),
        "query": request.GET.urlencode(), "fair": _fairness(found),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "solution"
    context["synthetic"] = _synthetic(sight)
    return respond(request, "dual_control/_solution.html" if part else "dual_control/workbench.html", context)


def _see_all(sight: Sight) -> None:
    hidden = [r.name for r in bench.counted(sight.view) if not _sees(sight, r.code)]
    if hidden:
        raise ProblemError(
            Problem(
                "dual_control.access",
                "分解工作台需要各地区未公开的数据，您没有查看权限",
                got="、".join(hidden[:5]),
                fix="使用市级账号登录。",
            )
        )


def _fairness(found: bench.Bench) -> list[dict[str, Any]]:
    """Burden against each factor: the part of every factor in each county's score."""
    return [
        {"name": r.region.name, "target": r.target, "parts": [r.score.parts.get(f.code) if r.score else None for f in found.factors if f.weight]}
        for r in found.rows
    ]  # fmt: skip


@require_POST
@allowed(Permission.DECIDE)
def draft_decomposition(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    target, settings = _settings(sight, request.POST)
    found = bench.solve(sight.view, target, settings)
    replaced = (
        Decision.objects.filter(pk=int(request.POST["replaces"]), kind="decomposition").first()
        if request.POST.get("replaces", "").isdigit()
        else None
    )
    made = services.draft_decomposition(sight.view, target, settings, found, by=sight.actor.name, replaces=replaced)
    messages.success(request, _("已拟定，可征求各地区意见。"))
    return HttpResponseRedirect(address({"sight": sight}, "decision", made.pk))


# --- tons ---------------------------------------------------------------------------------------------------
@page
def tons(request: HttpRequest) -> HttpResponse:
    """Pollutant tons to counties: whole tons that sum exactly to the city's target."""
    sight = sight_of(request)
    _see_all(sight)
    view = sight.view
    targets = bench.tons_targets(view)
    options = [(code, words.name_of(view.catalogue[code])) for code in bench.TONS_BY if code in view.catalogue]
    target = next((t for t in targets if t.id == request.GET.get("target")), targets[0] if targets else None)
    by = request.GET.get("by", "") if request.GET.get("by") in dict(options) else (options[0][0] if options else "")
    table, problems = None, []
    if target is not None and by:
        try:
            found = bench.share_tons(view, target, by)
        except ProblemError as error:
            problems = error.problems
        else:
            columns = [
                Column("region", _("地区")),
                Column("base", words.name_of(view.catalogue[by]), view.catalogue[by].unit, 2, True),
                Column("tons", _("分解量"), "吨", 0, True),
            ]
            rows = [{"region": words.name_of(r), "base": s, "tons": n} for r, s, n in found.rows]
            foot = {
                "region": _("合计"),
                "base": sum((s for _r, s, _n in found.rows), Decimal(0)),
                "tons": sum(n for _r, _s, n in found.rows),
            }
            table = Table(columns, rows, title=_("%s分解结果") % words.name_of(target), notes=_notes(sight, _("最大余数法取整，各地区之和等于全市目标；余数相同的，排列在前者先得。")), foot=foot, filterable=False)  # fmt: skip
            if fmt := wanted_format(request):
                return download(table, fmt)
    context = {
        "targets": targets,
        "target": target,
        "options": options,
        "by": by,
        "table": table,
        "problems": problems,
        "synthetic": _synthetic(sight),
    }
    return respond(request, "dual_control/tons.html", context)


# --- series -----------------------------------------------------------------------------------------------
@page
def series(request: HttpRequest) -> HttpResponse:
    """Three series side by side: as measured, less feedstock, less feedstock and non-fossil."""
    sight = sight_of(request)
    view, header = sight.view, sight.plan.header
    years = []
    codes = {
        "energy": "energy_total",
        "gdp": "gdp_constant",
        "feedstock": "feedstock_energy",
        "nonfossil": "nonfossil_energy",
    }
    for region in [view.city, *view.counties]:
        if not _sees(sight, region.code):
            continue
        for year in range(header.base_year, header.last_year + 1):
            values = {
                k: view.value(c, region.code, Period.of_year(year)) if c in view.catalogue else None
                for k, c in codes.items()
            }
            carved = (
                view.value("listed_project_energy", region.code, Period.of_year(year))
                if "listed_project_energy" in view.catalogue
                else None
            )
            if values["energy"] is not None:
                years.append(
                    Year(
                        region.code, year, values["energy"], values["gdp"], values["feedstock"], values["nonfossil"],
                        carve_out=carved or Decimal(0), price_base=header.price_base_year,
                    )
                )  # fmt: skip
    found = check(years)
    table = {(s.region, s.year, s.series): s for s in three_series(years, header.base_year)}
    columns = [Column("region", _("地区")), Column("year", _("年份"))]
    for s in Series:
        columns += [Column(f"{s.value}_energy", words.word(s.label), _("万吨标准煤"), 2, True), Column(f"{s.value}_intensity", _("强度"), _("吨标准煤/万元"), 4, True), Column(f"{s.value}_decline", _("比基年下降"), "%", 2, True)]  # fmt: skip
    rows = []
    chosen = request.GET.get("region", header.city)
    for y in years:
        if chosen not in ("all", y.region):
            continue
        row: dict[str, Any] = {"region": words.name_of(sight.plan.regions[y.region]), "year": str(y.year)}
        for s in Series:
            got = table[y.region, y.year, s]
            why = _("缺少扣减项数据，不以零代替。")
            row |= {
                f"{s.value}_energy": Cell(got.energy, reason=why),
                f"{s.value}_intensity": Cell(got.intensity, reason=why),
                f"{s.value}_decline": Cell(got.decline, reason=why),
            }
        rows.append(row)
    made = Table(columns, rows, title=_("能耗强度三种口径"), notes=_notes(sight, _("扣减在基年和目标年同口径进行，地区生产总值不作调整（发改环资〔2022〕803号）。")), filterable=False)  # fmt: skip
    if fmt := wanted_format(request):
        return download(made, fmt)
    rules = [
        view.rulebook.at(f"deduction.{n}", view.today, header.city)
        for n in ("feedstock", "renewable_increment", "nonfossil", "certificate_cap", "carve_out")
    ]
    context = {
        "table": made,
        "problems": found,
        "chosen": chosen,
        "regions": [view.city, *view.counties],
        "rules": rules,
    }
    return respond(request, "dual_control/series.html", {**context, "synthetic": _synthetic(sight)})


# --- outlook ------------------------------------------------------------------------------------------------
@page
def outlook(request: HttpRequest) -> HttpResponse:
    """Nowcast, three cases, chances, causes and the back-test of the method."""
    sight = sight_of(request)
    code = request.GET.get("region", sight.plan.header.city)
    region = sight.plan.regions[code]
    if not _sees(sight, code):
        raise ProblemError(Problem("dual_control.access", NOT_PUBLIC, fix="使用有权限的账号登录。"))
    problems: list[Problem] = []
    now = tested = effect = None
    try:
        now = situation.situation(sight.view, code)
        tested = situation.nowcast_backtest(sight.view, code)
    except ProblemError as error:
        problems += error.problems
    settled = next((y for y in range(sight.plan.header.last_year, sight.plan.header.first_year - 1, -1) if sight.view.value("energy_total", sight.plan.header.city, Period.of_year(y)) is not None), None)  # fmt: skip
    try:
        effect = situation.causes(sight.view, settled) if settled and code == sight.plan.header.city else None
    except ProblemError as error:
        problems += error.problems
    table = None
    if effect:
        columns = [Column("name", _("地区")), *(Column(k, t, _("万吨标准煤"), 2, True) for k, t in (("activity", _("增长")), ("structure", _("结构")), ("intensity", _("强度")), ("total", _("合计"))))]  # fmt: skip
        rows = [
            {"name": words.word(e.name), **{k: getattr(e, k) for k in ("activity", "structure", "intensity", "total")}}
            for e in effect.effects
        ]
        foot = {
            "name": _("合计"),
            "activity": effect.activity,
            "structure": effect.structure,
            "intensity": effect.intensity,
            "total": effect.change,
        }
        table = Table(columns, rows, title=_("%s年能源消费增量的因素分解") % settled, notes=_notes(sight, _("按对数平均迪氏指数法作加法分解；合计为各县（市）区之和。")), foot=foot, filterable=False)  # fmt: skip
        if fmt := wanted_format(request):
            return download(table, fmt)
    decimal = {}
    if now:
        decimal = {
            "nowcast": Decimal(str(now.nowcast)), "required": Decimal(str(now.required)), "chance_year": Decimal(str(now.chance_year * 100)),
            "chance_period": Decimal(str(now.chance_period * 100)), "need": None if now.need_rest is None else Decimal(str(now.need_rest)),
            "cases": [(words.word(c.name), Decimal(str(c.energy_growth)), Decimal(str(c.gdp_growth)), Decimal(str(c.change))) for c in now.cases],
            "tested": [(words.word(t.name), t.periods, Decimal(str(t.error)) if t.periods else None) for t in tested or []],
        }  # fmt: skip
    project = None
    tce, added = (_number(request.GET, n, t) for n, t in (("tce", _("项目用能")), ("value_added", _("项目增加值"))))
    if tce is not None and settled:
        try:
            project = situation.project(sight.view, code, settled, tce, added or Decimal(0))
        except ProblemError as error:
            problems += error.problems
    context = {
        "project": project,
        "asked": request.GET,
        "region": region,
        "now": now,
        "figures": decimal,
        "problems": problems,
        "table": table,
        "regions": [sight.view.city, *sight.view.counties],
    }
    return respond(request, "dual_control/outlook.html", {**context, "synthetic": _synthetic(sight)})


@allowed(Permission.VIEW_PUBLIC)
def outlook_report(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    _see_all(sight)
    scheme = services.scheme_in_force(sight.view, "intensity")
    goals = services.goals_in_force(sight.plan.id, bench.intensity_target(sight.view).indicator)
    return _docx(report.report(sight.view, scheme, goals), f"{sight.view.city.name}节能形势分析")


# --- decisions ------------------------------------------------------------------------------------------------
def _mine(actor: Actor, decision: Decision) -> bool:
    """A decision not yet issued is the city's; once issued the county it concerns sees it too, as in consultation."""
    if actor.role is not Role.COUNTY:
        return may(actor, Permission.VIEW_INTERNAL)
    if decision.kind == "warning" and decision.subject != actor.region:
        return False
    return decision.last_step != "draft"


@allowed(Permission.VIEW_INTERNAL)
def decisions(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    found = [
        d for d in Decision.objects.filter(plan=sight.plan.id).prefetch_related("steps")[:500] if _mine(sight.actor, d)
    ]
    columns = [
        Column("title", _("标题"), wide=True),
        Column("kind", _("类别")),
        Column("subject", _("对象")),
        Column("state", _("状态")),
        Column("due", _("期限")),
        Column("made", _("拟定时间")),
    ]
    rows = []
    for d in found:
        due = next((s.due for s in reversed(d.steps.all()) if s.due), None)
        rows.append({
            "title": Cell(d.title, url=address({"sight": sight}, "decision", d.pk)), "kind": d.get_kind_display(), "subject": words.name_of(sight.plan.regions[d.subject]),
            "state": d.state_label, "due": words.date_label(due) if due else "", "made": words.date_label(d.made_at.date()),
        })  # fmt: skip
    table = Table(columns, rows, title=_("目标分解和预警"), empty=_("还没有拟定分解或预警。"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(request, "dual_control/decisions.html", {"table": table})


@allowed(Permission.VIEW_INTERNAL)
def decision(request: HttpRequest, pk: int) -> HttpResponse:
    sight = sight_of(request)
    found = get_object_or_404(Decision.objects.prefetch_related("steps"), pk=pk, plan=sight.plan.id)
    if not _mine(sight.actor, found):
        return problem_page(
            request, [Problem("dual_control.access", "您没有查看该决定的权限", fix="使用相应单位的账号登录。")], 403
        )
    flow = services.FLOWS[found.kind]
    open_steps = [s for s, after in flow.items() if found.last_step in after and _may_step(sight.actor, found, s)]
    rows = []
    if found.kind == "decomposition":
        for code, value in found.outcome["targets"].items():
            yearly = found.outcome["yearly"][code]
            rows.append({"region": words.name_of(sight.plan.regions[code]), "target": Decimal(value), "incentive": Decimal(found.outcome["incentive"][code]), "yearly": Decimal(yearly) if yearly else None})  # fmt: skip
    columns = [
        Column("region", _("地区")),
        Column("target", _("基本目标"), "%", None, True),
        Column("incentive", _("激励目标"), "%", None, True),
        Column("yearly", _("年均下降"), "%", 2, True),
    ]
    table = Table(columns, rows, title=found.title, filterable=False, formats=())
    replayed = services.replay(found) if request.GET.get("replay") == "1" else None
    context = {
        "found": found,
        "steps": [(s, STEPS[s]) for s in open_steps],
        "table": table if rows else None,
        "replayed": replayed,
        "regions": sight.plan.regions,
    }
    return respond(request, "dual_control/decision.html", context)


def _scheme_name(found: Decision) -> str:
    """The scheme of a warning as it was then, in the language of the page."""
    title = found.inputs.get("scheme", {}).get("title", {})
    return title.get("en" if words.english() else "zh") or title.get("zh", "")


def _may_step(actor: Actor, found: Decision, name: str) -> bool:
    """Counties remark, acknowledge and report on what concerns them; all else is the leading department's."""
    if name in services.COUNTY_STEPS:
        if actor.role is Role.COUNTY:
            return found.kind == "decomposition" or may(actor, Permission.FILE, Owner(found.subject))
        return may(actor, Permission.DECIDE)
    return may(actor, Permission.DECIDE)


@require_POST
@allowed(Permission.VIEW_INTERNAL)
def step(request: HttpRequest, pk: int) -> HttpResponse:
    sight = sight_of(request)
    found = get_object_or_404(Decision.objects.prefetch_related("steps"), pk=pk, plan=sight.plan.id)
    name = request.POST.get("step", "")
    if not _mine(sight.actor, found) or not _may_step(sight.actor, found, name):
        return problem_page(
            request, [Problem("dual_control.access", "您没有办理此事的权限", fix="使用相应单位的账号登录。")], 403
        )
    due = request.POST.get("due", "").strip()
    day = parse_date(due) if due else None
    if due and day is None:
        raise ProblemError(Problem("dual_control.form.date", "期限不是日期", place=Place(field="期限"), got=due[:20], wanted="2025-06-30", fix="改正后重试。"))  # fmt: skip
    services.advance(found, name, by=sight.actor.name, region=sight.actor.region, number=request.POST.get("number", ""), text=request.POST.get("text", ""), due=day)  # fmt: skip
    messages.success(request, _("已办理：%s。") % STEPS[name])
    return HttpResponseRedirect(address({"sight": sight}, "decision", pk))


@allowed(Permission.VIEW_INTERNAL)
def document(request: HttpRequest, pk: int) -> HttpResponse:
    sight = sight_of(request)
    found = get_object_or_404(Decision.objects.prefetch_related("steps"), pk=pk, plan=sight.plan.id)
    if not _mine(sight.actor, found):
        return problem_page(
            request, [Problem("dual_control.access", "您没有查看该决定的权限", fix="使用相应单位的账号登录。")], 403
        )
    made = (
        letters.target_letter(found, sight.view)
        if found.kind == "decomposition"
        else letters.warning_notice(found, sight.view)
    )
    return _docx(made, found.title)


@require_POST
@allowed(Permission.DECIDE)
def draft_warning(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    found = _barometer(sight, request.POST)
    region = request.POST.get("region", "")
    if region not in sight.plan.regions:
        raise ProblemError(
            Problem("dual_control.region.unknown", "没有这个地区", got=region, fix="从晴雨表中选择地区。")
        )
    made = services.draft_warning(found, region, Period.parse(request.POST.get("period", "")), by=sight.actor.name)
    messages.success(request, _("预警已拟定，印发前请核对。"))
    return HttpResponseRedirect(address({"sight": sight}, "decision", made.pk))
