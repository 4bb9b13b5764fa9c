"""The decomposition workbench: intensity to counties, and tons to counties."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Permission, may
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.dual_control import services
from lvheng.dual_control import workbench as bench
from lvheng.dual_control.models import Decision
from lvheng.dual_control.pages.common import allowed, notes, number, see_all, shape, shapes, synthetic
from lvheng.dual_control.rules import Method
from lvheng.plan.schema import Target
from lvheng.shell import words
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

STEPS = ("1", "0.5", "0.1", "0.01")


def _settings(sight: Sight, given: QueryDict) -> tuple[Target, bench.Settings]:
    """The settings of the form over the defaults; raises ProblemError naming the field that cannot be read."""
    target = bench.intensity_target(sight.view)
    settings = bench.defaults(sight.view, target)
    method, step = given.get("method", ""), given.get("step", "")
    if method in set(Method):
        settings.method = Method(method)
    if step in STEPS:
        settings.step = Decimal(step)
    asked = number(given, "target", _("全市目标"), settings.target)
    if asked is None or not 0 < asked < 100:
        raise ProblemError(Problem("dual_control.form.target", "全市目标应大于0、小于100", place=Place(field="全市目标"), got=show(asked), fix="按下降为正填写。"))  # fmt: skip
    settings.target = asked
    for name, title in (("half_width", _("偏离上限")), ("incentive", _("激励目标增加"))):
        value = number(given, name, title, getattr(settings, name))
        if value is None or not 0 <= value < 50:
            raise ProblemError(Problem("dual_control.form.range", f"“{title}”应在0至50之间", place=Place(field=title), got=show(value), fix="改正后重试。"))  # fmt: skip
        setattr(settings, name, value)
    every = number(given, "growth_all", _("各地增速加减"), Decimal(0)) or Decimal(0)
    for region in bench.counted(sight.view):
        growth = number(given, f"growth_{region.code}", f"{region.name}{_('预期增速')}", settings.growth.get(region.code))  # fmt: skip
        if growth is not None:
            settings.growth[region.code] = growth + every
        pin = number(given, f"pin_{region.code}", f"{region.name}{_('指定目标')}")
        if pin is not None:
            settings.pins[region.code] = pin
    titles = {row["code"]: str(row["name"]) for row in bench.factor_rows(sight.view)}
    for code in list(settings.weights):
        title = f"{titles.get(code, code)}{_('权重')}"
        weight = number(given, f"weight_{code}", title, settings.weights[code])
        if weight is None or weight < 0:
            raise ProblemError(Problem("dual_control.form.weight", f"“{title}”不能为负数", place=Place(field=title), got=show(weight), fix="填写0或正数。"))  # fmt: skip
        settings.weights[code] = weight
    return target, settings


@page
def workbench(request: HttpRequest) -> HttpResponse:
    """Factors, weights, methods, bands, pins; every change re-solves all counties in the page."""
    sight = sight_of(request)
    see_all(sight)
    target = bench.intensity_target(sight.view)
    plain = bench.defaults(sight.view, target)
    faults: list[Problem] = []
    try:
        target, settings = _settings(sight, request.GET)
    except ProblemError as error:
        settings, faults = bench.defaults(sight.view, target), error.problems
    found = bench.solve(sight.view, target, settings)
    table = _solution_table(sight, target, found)
    if fmt := wanted_format(request):
        return download(table, fmt)
    at = _at_words()
    chart = {
        "map": shapes(sight), "unit": words.unit_label("百分点"), "places": max(found.places, 1),
        "rows": [shape(r.region, None if r.target is None else float(r.target - settings.target), at[r.at]) for r in found.rows],
    }  # fmt: skip

    def growth(code: str) -> str:
        known = plain.growth.get(code)
        return "" if known is None else format(known, "f")

    inputs = [
        {
            "code": r.region.code, "name": words.name_of(r.region), "growth": request.GET.get(f"growth_{r.region.code}", growth(r.region.code)),
            "pin": request.GET.get(f"pin_{r.region.code}", ""),
        }
        for r in found.rows
    ]  # fmt: skip
    context = {
        "target": target, "settings": settings, "found": found, "faults": faults, "table": table, "methods": [(m.value, words.word(m.label)) for m in Method],
        "inputs": inputs, "factors": [(f, settings.weights.get(f.code)) for f in found.factors], "steps": STEPS,
        "chart": chart, "may_draft": may(sight.actor, Permission.DECIDE) and not faults and not target.not_issued, "growth_all": request.GET.get("growth_all", "0"),
        "fair": _fairness(found), "synthetic": synthetic(sight), "replaces": request.GET.get("replaces", ""),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "solution"
    return respond(request, "dual_control/_solution.html" if part else "dual_control/workbench.html", context)


def _at_words() -> dict[str, str]:
    return {"low": _("取下限"), "high": _("取上限"), "pin": _("指定"), "": ""}


def _solution_table(sight: Sight, target: Target, found: bench.Bench) -> Table:
    unit = sight.view.catalogue[bench.PARTS[target.indicator][0]].unit
    columns = [
        Column("region", _("地区")), Column("energy", words.name_of(sight.view.catalogue[bench.PARTS[target.indicator][0]]), words.unit_label(unit), 2, True),
        Column("intensity", _("基年强度"), words.unit_label(f"{unit.removeprefix('万')}/万元"), 4, True),
        Column("growth", _("预期增速"), "%", 1, True), Column("score", _("得分"), "", 2, True), Column("target", _("基本目标"), "%", found.places, True),
        Column("incentive", _("激励目标"), "%", found.places, True), Column("yearly", _("年均下降"), "%", 2, True), Column("weight", _("权重"), "", 4, True), Column("at", _("说明")),
    ]  # fmt: skip
    at, missing = _at_words(), _("未能求解。")
    rows = [
        {
            "region": words.name_of(r.region), "energy": r.energy0, "intensity": r.energy0 / r.gdp0 if r.energy0 is not None and r.gdp0 else None,
            "growth": r.growth, "score": r.score.score if r.score else None, "target": Cell(r.target, reason=missing), "incentive": Cell(r.incentive, reason=missing),
            "yearly": Cell(r.yearly, reason=missing), "weight": r.weight, "at": at[r.at],
        }
        for r in found.rows
    ]  # fmt: skip
    foot = {"region": _("全市合成"), "target": Cell(found.implied, places=4)} if found.implied is not None else None
    said = notes(
        sight, _("能耗和强度为基年数。合成降幅 = 1 − Σ 权重×(1−县级目标)，含地区结构变化；权重之和不一定为1。")
    )
    return Table(columns, rows, title=_("%s分解结果") % words.name_of(target), notes=said, foot=foot, filterable=False)


def _fairness(found: bench.Bench) -> list[dict[str, Any]]:
    """Burden beside each factor: the part of every weighted factor in each county's score, hardest burden first."""
    used = [f.code for f in found.factors if f.weight]
    rows = [
        {"name": words.name_of(r.region), "target": r.target, "score": r.score.score if r.score else None, "parts": [r.score.parts.get(c) if r.score else None for c in used]}
        for r in found.rows
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["target"] is None, -(row["target"] or 0)))


@require_POST
@allowed(Permission.DECIDE)
def draft_decomposition(request: HttpRequest) -> HttpResponse:
    """Keep the solution as a draft; ``replaces`` names the draft that it changes."""
    sight = sight_of(request)
    target, settings = _settings(sight, request.POST)
    found = bench.solve(sight.view, target, settings)
    replaces = request.POST.get("replaces", "")
    replaced = get_object_or_404(Decision, pk=int(replaces), kind="decomposition", plan=sight.plan.id) if replaces.isdecimal() else None  # fmt: skip
    made = services.draft_decomposition(sight.view, target, settings, found, by=sight.actor.name, replaces=replaced)
    messages.success(request, _("已拟定，可征求各地区意见。"))
    return HttpResponseRedirect(address({"sight": sight}, "decision", made.pk))


@page
def tons(request: HttpRequest) -> HttpResponse:
    """Pollutant tons to counties: whole tons that sum exactly to the city's target."""
    sight = sight_of(request)
    see_all(sight)
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
                Column("base", words.name_of(view.catalogue[by]), words.unit_label(view.catalogue[by].unit), 2, True),
                Column("tons", _("分解量"), words.unit_label("吨"), 0, True),
            ]
            rows = [{"region": words.name_of(r), "base": s, "tons": n} for r, s, n in found.rows]
            foot = {
                "region": _("合计"),
                "base": sum((s for _r, s, _n in found.rows), Decimal(0)),
                "tons": sum(n for _r, _s, n in found.rows),
            }
            table = Table(columns, rows, title=_("%s分解结果") % words.name_of(target), notes=notes(sight, _("最大余数法取整，各地区之和等于全市目标；余数相同的，排列在前者先得。")), foot=foot, filterable=False)  # fmt: skip
            if fmt := wanted_format(request):
                return download(table, fmt)
    context = {"targets": targets, "target": target, "options": options, "by": by, "table": table, "problems": problems, "synthetic": synthetic(sight)}  # fmt: skip
    return respond(request, "dual_control/tons.html", context)
