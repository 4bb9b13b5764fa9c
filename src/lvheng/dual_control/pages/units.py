"""Key energy users and their colours by unit-output energy, with what may be issued."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Owner, Permission, Role, may
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import services
from lvheng.dual_control.pages.common import allowed, kept, mark, moved, notes, scheme_note
from lvheng.dual_control.units import ENERGY, UnitStanding, unit_standings
from lvheng.observations.models import Observation, Subject
from lvheng.shell import words
from lvheng.shell.pages import respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address, room_url

COLOURS = ("red", "yellow", "green", "none")


def _periods(sight: Sight) -> list[Period]:
    """Years of the plan with filed energy; the running one by its last cumulative month."""
    header = sight.plan.header
    known = set(
        Observation.objects.filter(indicator=ENERGY[0], subject__kind="unit", posting_id__lte=sight.view.position, period__gte=str(header.base_year))
        .values_list("period", flat=True).distinct()
    )  # fmt: skip
    out = []
    for year in range(header.first_year, header.last_year + 1):
        months = [m for m in range(1, 13) if f"{year}-{m:02d}" in known]
        if months:
            out.append(Period.of_year(year) if months[-1] == 12 else Period(Kind.YTD, year, months[-1]))
    return out


def _months(period: Period) -> int:
    return period.part if period.kind is Kind.YTD else 12


@allowed(Permission.VIEW_UNIT)
def unit_colours(request: HttpRequest) -> HttpResponse:
    """Units by energy, their change of unit-output energy and colour; a unit sees itself, a county its own."""
    sight, asked = sight_of(request), request.GET
    actor = sight.actor
    scheme = services.unit_scheme(sight.view)
    periods = kept(sight, lambda: _periods(sight), "unit periods")
    chosen = next((p for p in periods if p.code == asked.get("period")), next((p for p in reversed(periods) if p.kind is Kind.YEAR), periods[-1] if periods else None))  # fmt: skip
    county, colour = asked.get("region", ""), asked.get("colour", "")
    found: list[UnitStanding] = []
    if chosen:
        own = actor.unit if actor.role in (Role.ENTERPRISE, Role.VERIFIER) else ""
        if own or actor.role not in (Role.ENTERPRISE, Role.VERIFIER):
            limit = services.implausible(sight.view)

            def compute() -> list[UnitStanding]:
                return unit_standings(scheme, chosen.year, _months(chosen), at=sight.view.position, limit=limit, unit=own)  # fmt: skip

            found = kept(sight, compute, "units", scheme.ref, limit, chosen.code, own)
        found = [s for s in found if may(actor, Permission.VIEW_UNIT, Owner(s.unit.region, unit=s.unit.code))]
    counts = {c: sum(_colour(s) == c for s in found) for c in COLOURS}
    shown = [s for s in found if (not county or s.unit.region == county) and (not colour or _colour(s) == colour)]
    table = _table(sight, shown, chosen, str(scheme.source.source))
    if fmt := wanted_format(request):
        return download(table, fmt)
    top = asked.get("all") != "1" and len(table.rows) > 200
    if top:
        table.rows = table.rows[:200]
    names = {"red": words.word("红色"), "yellow": words.word("黄色"), "green": words.word("绿色"), "none": _("不评色")}
    counties = {s.unit.region for s in found}
    context = {
        "table": table, "scheme": scheme, "scheme_note": scheme_note(scheme), "periods": periods, "chosen": chosen, "counts": [(c, names[c], counts[c]) for c in COLOURS], "top": len(shown) if top else 0,
        "colour": colour, "county": county, "regions": [r for r in sight.view.counties if r.code in counties],
        "issuable": [s for s in shown if s.grade and s.grade.severity][:500] if may(actor, Permission.DECIDE) else [],
        "synthetic": Subject.objects.filter(kind="unit", synthetic=True).exists(),
    }  # fmt: skip
    return respond(request, "dual_control/units.html", context)


def _colour(standing: UnitStanding) -> str:
    return standing.grade.colour if standing.grade else "none"


def _why(standing: UnitStanding) -> str:
    """The sentence of a unit; in English made anew from the same figures."""
    if not words.english():
        return standing.reason
    if standing.change is None:
        return _("两年同期数据不完整，不评色。")
    return moved(standing.change) + ("." if standing.grade else _("，变化过大，先核对数据。"))


def _table(sight: Sight, found: list[UnitStanding], period: Period | None, source: str) -> Table:
    unit = words.unit_label
    columns = [
        Column("name", _("单位")), Column("region", _("地区")), Column("energy", _("用能"), unit("吨标准煤"), 0, True),
        Column("output", _("产值"), unit("万元"), 0, True), Column("rate", _("单位产值能耗"), unit("吨标准煤/万元"), 4, True),
        Column("change", _("比上年"), "%", 2, True), Column("colour", _("颜色")), Column("why", _("说明"), wide=True),
    ]  # fmt: skip
    rows = []
    for s in found:
        region = words.name_of(sight.plan.regions[s.unit.region]) if s.unit.region in sight.plan.regions else ""
        why = (
            s.reason
            if not words.english()
            else _("两年同期数据不完整，不评色。")
            if s.change is None
            else moved(s.change) + "."
        )
        rate = s.unit.now / s.output_now if s.output_now and s.grade else None
        colour = Cell(words.word(s.grade.label), html=mark(s.grade, why), order=s.grade.severity) if s.grade else Cell(_("不评色"), html=format_html('<span class="badge badge-part">{}</span>', _("不评色")))  # fmt: skip
        rows.append({
            "name": Cell(s.unit.name, url=room_url("energy_unit", s.unit.code)), "region": region, "energy": s.unit.now, "output": s.output_now, "rate": rate, "change": s.change, "colour": colour, "why": why,
        })  # fmt: skip
    label = words.period_label(period) if period else ""
    return Table(columns, rows, title=_("%s企业用能三色预警") % label, notes=notes(sight, _("依据%s。单位产值能耗为综合能耗除以工业总产值。") % source))  # fmt: skip


@require_POST
@allowed(Permission.DECIDE)
def draft_unit_warning(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    unit = request.POST.get("unit", "")
    if not Subject.objects.filter(kind="unit", code=unit).exists():
        raise ProblemError(
            Problem("dual_control.unit.unknown", "没有这家单位", got=unit[:40], fix="从名单中选择单位。")
        )
    period = Period.parse(request.POST.get("period", ""))
    made = services.draft_unit_warning(sight.view, services.unit_scheme(sight.view), unit, period, by=sight.actor.name)
    messages.success(request, _("预警已拟定，印发前请核对。"))
    return HttpResponseRedirect(address({"sight": sight}, "decision", made.pk))
