"""Decisions: decompositions and warnings through their steps, with their papers and yearly plans."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Actor, Owner, Permission, Role, may
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.dual_control import letters, services
from lvheng.dual_control.models import STEPS, Decision
from lvheng.dual_control.pages.common import allowed, docx, moved, notes, refused, year_of
from lvheng.dual_control.rules import Method
from lvheng.dual_control.workbench import PARTS
from lvheng.shell import words
from lvheng.shell.pages import respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address

# What each step asks for in its form, beside its button.
FIELDS = {"issued": ("number", "due"), "remark": ("text",), "feedback": ("text",), "closed": ("text",), "withdrawn": ("text",)}  # fmt: skip
VERBS = {
    "consultation": "征求各地区意见", "remark": "提交意见", "issued": "印发文件", "in_force": "开始施行", "receipt": "确认签收", "feedback": "反馈整改情况",
    "closed": "确认办结", "withdrawn": "撤销决定",
}  # fmt: skip


def _mine(actor: Actor, decision: Decision) -> bool:
    """A decision not yet issued is the city's; once in consultation or issued, those it concerns see it too."""
    if actor.role in (Role.COUNTY, Role.ENTERPRISE):
        if decision.last_step == "draft":
            return False
        if decision.kind == "warning":
            owner = Owner(decision.region, unit=decision.subject if decision.unit else "")
            return may(actor, Permission.VIEW_UNIT if decision.unit else Permission.VIEW_INTERNAL, owner)
        return actor.role is Role.COUNTY
    return may(actor, Permission.VIEW_INTERNAL)


def _may_step(actor: Actor, found: Decision, name: str) -> bool:
    """Counties and units answer what concerns them; all else is the leading department's."""
    if name in services.COUNTY_STEPS and actor.role in (Role.COUNTY, Role.ENTERPRISE):
        if found.kind == "decomposition":
            return actor.role is Role.COUNTY
        owner = Owner(found.region, unit=found.subject) if found.unit else Owner(found.subject)
        return may(actor, Permission.FILE, owner)
    return may(actor, Permission.DECIDE)


def _found(request: HttpRequest, pk: int) -> tuple[Sight, Decision] | None:
    """The decision in the plan in view; None when it is not for the reader."""
    sight = sight_of(request)
    found = get_object_or_404(Decision.objects.prefetch_related("steps"), pk=pk, plan=sight.plan.id)
    return (sight, found) if _mine(sight.actor, found) else None


def _addressee(sight: Sight, found: Decision) -> str:
    if found.kind == "decomposition":
        return _("各县（市）区")
    return found.unit["name"] if found.unit else words.name_of(sight.plan.regions[found.subject])


def _state(found: Decision) -> Cell:
    if found.overdue:
        return Cell(_("逾期未反馈"), html=format_html('<span class="state state-far_behind"><span class="shape" aria-hidden="true">■</span>{}</span>', _("逾期未反馈")))  # fmt: skip
    if found.kind == "warning" and found.last_step == "issued" and found.answered:
        return Cell(_("已反馈，待办结"))
    return Cell(found.state_label)


@allowed(Permission.VIEW_UNIT)
def decisions(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    if not may(sight.actor, Permission.VIEW_INTERNAL) and sight.actor.role is not Role.ENTERPRISE:
        return refused(request)
    known = Decision.objects.filter(plan=sight.plan.id).prefetch_related("steps")[:500]
    columns = [
        Column("title", _("标题"), wide=True), Column("kind", _("类别")), Column("subject", _("对象")), Column("state", _("状态")),
        Column("due", _("期限")), Column("made", _("拟定时间")),
    ]  # fmt: skip
    rows = [
        {
            "title": Cell(d.title, url=address({"sight": sight}, "decision", d.pk)), "kind": d.get_kind_display(), "subject": _addressee(sight, d),
            "state": _state(d), "due": words.date_label(d.due), "made": words.date_label(localdate(d.made_at)),
        }
        for d in known if _mine(sight.actor, d)
    ]  # fmt: skip
    table = Table(columns, rows, title=_("目标分解和预警"), empty=_("还没有拟定分解或预警。"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(request, "dual_control/decisions.html", {"table": table})


@allowed(Permission.VIEW_UNIT)
def decision(request: HttpRequest, pk: int) -> HttpResponse:
    if (mine := _found(request, pk)) is None:
        return refused(request)
    sight, found = mine
    flow = services.FLOWS[found.kind]
    open_steps = [s for s, after in flow.items() if found.last_step in after and _may_step(sight.actor, found, s)]
    if sight.actor.role is Role.LEAD:  # answers are for those addressed; the city does not answer itself
        open_steps = [s for s in open_steps if s not in services.COUNTY_STEPS]
    if found.steps.filter(step="receipt", region=sight.actor.region or found.subject).exists():
        open_steps = [s for s in open_steps if s != "receipt"]
    replaced = getattr(found, "replaced_by", None)
    context: dict[str, Any] = {
        "found": found, "explained": _explained(found), "english": words.english(), "addressee": _addressee(sight, found), "state": _state(found).value, "replaced": replaced,
        "steps": [] if replaced else [(s, VERBS[s], FIELDS.get(s, ())) for s in open_steps],
        "history": [(s, _who(sight, s)) for s in found.steps.all()],
        "scheme_name": _scheme_name(found), "replayed": services.replay(found) if request.GET.get("replay") == "1" else None,
    }  # fmt: skip
    if found.kind == "decomposition":
        context["table"] = _targets_table(sight, found)
        context["yearly"] = yearly = _yearly_table(sight, found, request)
        context["year"], context["years"] = yearly.name, range(sight.plan.header.first_year, sight.plan.header.last_year + 1)  # fmt: skip
        if may(sight.actor, Permission.DECIDE) and found.last_step in ("draft", "consultation") and not replaced:
            context["again"] = _again(sight, found)
        if fmt := wanted_format(request):
            return download(yearly, fmt)
    return respond(request, "dual_control/decision.html", context)


def _who(sight: Sight, step: Any) -> str:
    return words.name_of(sight.plan.regions[step.region]) if step.region in sight.plan.regions else ""


def _explained(found: Decision) -> str:
    """Why it was decided so; in English made anew from the figures kept."""
    if not words.english():
        return found.explanation
    kept = found.inputs
    if found.kind == "decomposition":
        return _("分解方法为%(method)s，全市目标%(target)s%%，各地区合成%(implied)s%%。") % {
            "method": words.word(Method(kept["method"]).label), "target": kept["city_target"], "implied": show(Decimal(found.outcome["implied"]), 4),
        }  # fmt: skip
    parts = [moved(Decimal(kept["change"]))]
    if kept.get("target"):
        parts.append((_("要求下降%s%%") if kept["scheme"]["dial"]["of"] == "intensity" else _("增长不超过%s%%")) % show(Decimal(kept["target"]), 2))  # fmt: skip
    return words.listed(parts, "；") + "."


def _again(sight: Sight, found: Decision) -> str:
    """The workbench with the settings of a draft, to change it."""
    kept = found.inputs
    asked = {"method": kept["method"], "target": kept["city_target"], "step": kept["step"], "incentive": kept["incentive"], "replaces": found.pk}  # fmt: skip
    if "half_width" in kept:
        asked["half_width"] = kept["half_width"]
    asked |= {f"growth_{c}": v for c, v in kept["growth"].items()}
    asked |= {f"pin_{c['code']}": c["pin"] for c in kept["counties"] if c["pin"] is not None}
    asked |= {f"weight_{c}": v for c, v in kept["weights"].items()}
    url = address({"sight": sight}, "workbench")
    return url + ("&" if "?" in url else "?") + urlencode(asked)


def _targets_table(sight: Sight, found: Decision) -> Table:
    outcome = found.outcome
    rows = [
        {
            "region": words.name_of(sight.plan.regions[code]), "target": Decimal(value), "incentive": Decimal(outcome["incentive"][code]),
            "yearly": Decimal(outcome["yearly"][code]) if outcome["yearly"][code] else None,
        }
        for code, value in outcome["targets"].items()
    ]  # fmt: skip
    columns = [
        Column("region", _("地区")), Column("target", _("基本目标"), "%", found.places, True), Column("incentive", _("激励目标"), "%", found.places, True),
        Column("yearly", _("年均下降"), "%", 2, True),
    ]  # fmt: skip
    return Table(columns, rows, title=found.title, filterable=False, formats=())


def _yearly_table(sight: Sight, found: Decision, request: HttpRequest) -> Table:
    """The yearly plan of one year under the five-year targets; ``name`` is the year."""
    plans = services.plans_of(found, sight.view)
    known = [p.year for p in plans if p.done is not None]
    years = sorted({p.year for p in plans})
    year = year_of(request.GET, years) if "year" in request.GET else max(known, default=years[0])
    target = sight.plan.target_by_id[found.inputs["target"]]
    unit = words.unit_label(sight.view.catalogue[PARTS[target.indicator][0]].unit)
    columns = [
        Column("region", _("地区")), Column("rate", _("当年应降"), "%", 2, True), Column("due", _("累计应降"), "%", 2, True), Column("done", _("累计已降"), "%", 2, True),
        Column("need", _("其后每年还须降"), "%", 2, True), Column("planned", _("总量目标"), unit, 2, True), Column("reset", _("重新核定"), unit, 2, True),
        Column("energy", _("能源消费总量"), unit, 2, True), Column("verdict", _("总量考核")),
    ]  # fmt: skip
    rows = []
    for p in plans:
        if p.year != year:
            continue
        verdict = _("免予考核") if p.budget and p.budget.exempt else "" if p.energy is None or p.budget is None else _("超出") if p.over else _("未超出")  # fmt: skip
        rows.append({
            "region": words.name_of(p.region), "rate": p.rate, "due": p.due, "done": p.done, "need": p.need if p.need is None or p.need > 0 else Decimal(0),
            "planned": p.budget.planned if p.budget else None, "reset": p.budget.reset if p.budget else None, "energy": p.energy, "verdict": verdict,
        })  # fmt: skip
    said = _(
        "总量目标 = 上年能源消费×(1+预期增速)×(1−年均降幅)；经济增速超过预期的按实际增速重新核定；累计降幅达到激励目标进度的，当年总量免予考核。"
    )
    return Table(
        columns,
        rows,
        title=_("%s年度计划和完成情况") % year,
        notes=notes(sight, said),
        filterable=False,
        name=str(year),
    )


def _scheme_name(found: Decision) -> str:
    """The scheme of a warning as it was then, in the language of the page."""
    title = found.inputs.get("scheme", {}).get("title", {})
    return title.get("en" if words.english() else "zh") or title.get("zh", "")


@require_POST
@allowed(Permission.VIEW_UNIT)
def step(request: HttpRequest, pk: int) -> HttpResponse:
    mine = _found(request, pk)
    name = request.POST.get("step", "")
    if mine is None or not _may_step(mine[0].actor, mine[1], name):
        return refused(request)
    sight, found = mine
    due = request.POST.get("due", "").strip()
    try:
        day = parse_date(due) if due else None
    except ValueError:
        day = None
    if due and day is None:
        raise ProblemError(Problem("dual_control.form.date", "期限不是日期", place=Place(field="期限"), got=due[:20], wanted="2025-06-30", fix="改正后重试。"))  # fmt: skip
    services.advance(found, name, by=sight.actor.name, region=sight.actor.region or sight.actor.unit, number=request.POST.get("number", ""), text=request.POST.get("text", ""), due=day)  # fmt: skip
    messages.success(request, _("已办理：%s。") % STEPS[name])
    return HttpResponseRedirect(address({"sight": sight}, "decision", pk))


@allowed(Permission.VIEW_UNIT)
def document(request: HttpRequest, pk: int) -> HttpResponse:
    if (mine := _found(request, pk)) is None:
        return refused(request)
    sight, found = mine
    made = letters.target_letter if found.kind == "decomposition" else letters.warning_notice
    return docx(made(found, sight.view), found.title)
