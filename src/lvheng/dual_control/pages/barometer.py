"""The barometer (晴雨表): grades of the city and its counties by month, map, table and what may be issued."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from lvheng.access.roles import Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.dual_control import services
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.pages.common import (  # fmt: skip
    allowed,
    docx,
    grade_cell,
    kept,
    month_label,
    notes,
    number,
    scheme_note,
    sees,
    shape,
    shapes,
    synthetic,
    why,
    year_of,
)
from lvheng.dual_control.paper import Paper
from lvheng.energy import data
from lvheng.energy.warning import Scheme
from lvheng.shell import words
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address


def _scheme(sight: Sight, asked: QueryDict) -> Scheme:
    """The scheme asked for; one of the other dial gives way to that dial's scheme in force."""
    chosen = services.scheme_in_force(sight.view, asked.get("dial") or "intensity", asked.get("scheme", ""))
    dial = asked.get("dial", chosen.dial.of)
    return chosen if dial == chosen.dial.of or dial not in services.DIALS else services.scheme_in_force(sight.view, dial)  # fmt: skip


def _barometer(sight: Sight, scheme: Scheme, asked: QueryDict) -> Barometer:
    tolerance = number(asked, "tolerance", _("容许超出"))
    found = Barometer(sight.view, scheme, tolerance if scheme.dial.needs else None)
    found.recall(kept(sight, lambda: found.lines, "barometer", scheme.ref, found.run_ref, tolerance))
    return found


@page
def barometer(request: HttpRequest) -> HttpResponse:
    """Grades of the city and its counties by cumulative month: map, table, and what may be issued."""
    sight, asked = sight_of(request), request.GET
    scheme = _scheme(sight, asked)
    region_schemes = [s for s in data.schemes().values() if s.dial.subject == "region"]
    context: dict[str, Any] = {
        "scheme": scheme, "scheme_note": scheme_note(scheme), "dial": scheme.dial.of, "asked": asked, "synthetic": synthetic(sight),
        "schemes": [s for s in region_schemes if s.dial.of == scheme.dial.of],
    }  # fmt: skip
    try:
        found = _barometer(sight, scheme, asked)
    except ProblemError as error:
        return respond(request, "dual_control/barometer.html", {**context, "problems": error.problems})
    years = sorted({p.year for p in found.periods}, reverse=True)
    year = year_of(asked, years)
    periods = [p for p in found.periods if p.year == year]
    settled = [p for p in periods if found.settled(p)]
    chosen = next((p for p in periods if p.code == asked.get("period")), next(reversed(settled or periods), None))
    table, on_map, grades = _table(sight, found, periods, chosen)
    title = table.title
    if fmt := wanted_format(request):
        return download(table, fmt)
    if asked.get("file") == "docx":
        return docx(_paper(sight, found, periods, chosen, title, table), title)
    issuable = []
    applies = chosen is None or services.applies(sight.view, scheme, chosen)
    if chosen and applies and not found.target.not_issued and may(sight.actor, Permission.DECIDE):
        issuable = [line.region for line in found.lines[1:] if (s := line.at(chosen)) and s.can_issue]
    return respond(request, "dual_control/barometer.html", {
        **context, "found": found, "table": table, "years": years, "year": year, "chosen": chosen, "title": title, "issuable": issuable, "applies": applies, "target": found.target,
        "periods": [(p, found.settled(p)) for p in periods], "estimated": chosen is not None and not found.settled(chosen),
        "map": {"map": shapes(sight), "unit": "", "places": 0, "rows": on_map, "grades": _legend(grades, on_map)},
        "docx": "?" + urlencode({**{k: v for k, v in asked.items() if k != "file"}, "file": "docx"}),
    })  # fmt: skip


def _legend(grades: dict[int, str], on_map: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The grades on the map, the worst first; last what was not graded, where there is such a county."""
    legend = [{"value": s, "label": grades[s]} for s in sorted(grades, reverse=True)]
    absent = any(row["value"] is None for row in on_map)
    return [*legend, {"value": -1, "label": _("不评级")}] if absent and legend else legend


def _table(sight: Sight, found: Barometer, periods: list[Period], chosen: Period | None) -> tuple[Table, list[dict[str, Any]], dict[int, str]]:  # fmt: skip
    """The table, the counties on the map in the chosen month, and the labels of the grades there."""
    dial = found.scheme.dial.of
    columns = [Column("region", _("地区"))]
    columns += [Column(p.code, month_label(p) if found.settled(p) else _("%s测算") % month_label(p)) for p in periods]
    columns += [Column("change", _("变化"), "%", 2, True), Column("required", _("要求"), "%", 2, True), Column("why", _("说明"), wide=True)]  # fmt: skip
    rows, on_map = [], []
    grades: dict[int, str] = {}
    for line in found.lines:
        region, code = line.region, line.region.code
        link = address({"sight": sight}, "region", code)
        now, seen = line.at(chosen) if chosen else None, sees(sight, code)
        wanted = now.reading.target if now and seen else None
        rows.append({
            "region": Cell(words.name_of(region), url=link), **{p.code: grade_cell(sight, line.at(p), code, dial) for p in periods},
            "change": now.reading.change if now and seen else None, "required": -wanted if wanted is not None and dial == "intensity" else wanted,
            "why": words.word(NOT_PUBLIC) if not seen else why(now, dial) if now else _("尚无数据。"),
        })  # fmt: skip
        if code != sight.plan.header.city:
            shown = now.shown if now and seen else None
            label = words.word(shown.label) if shown else _("不完整") if seen else words.word(NOT_PUBLIC)
            if shown:
                grades[shown.severity] = label
            on_map.append(shape(region, shown.severity if shown else None, label, link))
    title = _("%(city)s%(year)s年能耗双控晴雨表（%(dial)s）") % {
        "city": words.name_of(sight.view.city), "year": periods[0].year if periods else "",
        "dial": _("强度") if dial == "intensity" else _("总量"),
    }  # fmt: skip
    month = [_("变化、要求和说明为%s数。") % words.period_label(chosen)] if chosen else []
    source = _("预警办法：%(scheme)s，依据%(source)s。") % {"scheme": words.name_of(found.scheme), "source": found.scheme.source.source}  # fmt: skip
    estimates = [_("标明测算的月份没有季度核算数，据规上工业能耗和用电量估算，只作提示，不作预警依据。")] if len({found.settled(p) for p in periods}) > 1 else []  # fmt: skip
    return Table(columns, rows, title=title, notes=notes(sight, *month, source, *estimates), filterable=False), on_map, grades  # fmt: skip


def _paper(sight: Sight, found: Barometer, periods: list[Period], chosen: Period | None, title: str, table: Table) -> bytes:  # fmt: skip
    """Grades by month, then the figures of the chosen month."""
    paper = Paper()
    paper.title(title)
    sign = -1 if found.scheme.dial.of == "intensity" else 1
    grades, figures = [], []
    for line in found.lines:
        seen = sees(sight, line.region.code)
        standings = [line.at(p) for p in periods]
        labels = [words.word(s.shown.label) if seen and s and s.shown else "—" for s in standings]
        grades.append([line.region.name, *labels])
        if chosen and (now := line.at(chosen)) and seen:
            wanted = now.reading.target
            figures.append([line.region.name, show(now.reading.change, 2), show(None if wanted is None else sign * wanted, 2), why(now, found.scheme.dial.of)])  # fmt: skip
    heads = [str(p.part) + ("" if found.settled(p) else "*") for p in periods]
    wide = (24, *([132 / max(len(periods), 1)] * len(periods)))
    paper.table(_("各累计月份等级"), [_("地区"), *heads], grades, unit=_("列为1月至该月累计；*为测算"), widths=wide)
    if chosen:
        paper.table(words.period_label(chosen), [_("地区"), _("变化（%）"), _("要求（%）"), _("说明")], figures, widths=(24, 20, 20, 92))  # fmt: skip
    for note in table.notes:
        paper.note(str(note))
    return paper.bytes()


@require_POST
@allowed(Permission.DECIDE)
def draft_warning(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    region = request.POST.get("region", "")
    if region not in sight.plan.regions:
        raise ProblemError(
            Problem("dual_control.region.unknown", "没有这个地区", got=region, fix="从晴雨表中选择地区。")
        )
    found = _barometer(sight, _scheme(sight, request.POST), request.POST)
    made = services.draft_warning(found, region, Period.parse(request.POST.get("period", "")), by=sight.actor.name)
    messages.success(request, _("预警已拟定，印发前请核对。"))
    return HttpResponseRedirect(address({"sight": sight}, "decision", made.pk))
