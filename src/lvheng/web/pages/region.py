"""Counties and responsible bodies: what each has to do and where it stands; and the shapes for the map."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.observations.view import TargetStanding
from lvheng.plan.rules import State
from lvheng.shell import words
from lvheng.shell.pages import as_of, known_or_404, page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.web.pages.plan import LATE, SHOWN_STATES, outline_of, tally


# --- shapes ---------------------------------------------------------------------------------------
@lru_cache(maxsize=4)
def _features(folder: Path) -> dict[str, dict[str, Any]]:
    """Boundaries by region code, from every GeoJSON file of ``data/geo``."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.geojson")):
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            code = str(feature["properties"].get("adcode", ""))
            found[code] = {
                **feature,
                "properties": {**feature["properties"], "code": code, "cp": feature["properties"].get("center")},
            }
    return found


def outline_codes(sight: Sight) -> set[str]:
    """The counties of the plan whose boundary is known."""
    return {r.code for r in sight.view.counties} & set(_features(settings.DATA_FOLDER / "geo"))


@page
def shapes(request: HttpRequest) -> HttpResponse:
    """The boundaries of the plan's counties, for drawing; not official boundaries (no review number)."""
    sight = sight_of(request)
    known = _features(settings.DATA_FOLDER / "geo")
    features = [known[r.code] for r in sight.view.counties if r.code in known]
    body = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(body, content_type="application/geo+json; charset=utf-8")


# --- regions --------------------------------------------------------------------------------------
def standings_table(sight: Sight, found: list[TargetStanding], title: str, *, with_region: bool = False) -> Table:
    columns = [
        Column("target", _("目标"), wide=True), Column("clause", _("条款")), *([Column("region", _("地区"))] if with_region else []),
        Column("value", _("最新值"), number=True), Column("unit", _("单位")), Column("period", _("期间")), Column("goal", _("目标值"), number=True),
        Column("progress", _("完成进度"), "%", 1, True), Column("schedule", _("序时进度"), "%", 1, True), Column("state", _("状态")), Column("note", _("说明")),
    ]  # fmt: skip
    rows = []
    for s in found:
        why = words.reason_of(s)
        own = s.region.code != sight.plan.region_of(s.target)
        url = address({"sight": sight}, "target", s.target.id)
        if own:
            url += ("&" if "?" in url else "?") + f"region={s.region.code}"
        note = words.listed((words.word(s.goal_note), _("演示数据") if s.synthetic else ""), "；")
        rows.append({
            "target": Cell(words.name_of(s.target), url=url), "clause": words.clause_id(s.target.clause), "region": words.name_of(s.region),
            "value": Cell(s.value, places=s.places, reason=why), "unit": words.unit_label(s.unit), "period": words.period_label(s.period),
            "goal": Cell(s.goal, text=words.goal_words(s.target) if s.goal is None and s.target.value is None else "", reason=words.word(s.goal_note)), "progress": Cell(s.progress, reason=why),
            "schedule": s.schedule, "state": s.state, "note": note,
        })  # fmt: skip
    return Table(columns, rows, title=title, notes=[as_of(sight)], empty=_("方案没有向这里提出目标。"))


@page
def regions(request: HttpRequest) -> HttpResponse:
    """All counties side by side: how many targets stand in each state."""
    sight = sight_of(request)
    columns = [
        Column("region", _("地区")),
        *(Column(s.value, f"{s.mark} {words.word(s.label)}", number=True) for s in SHOWN_STATES),
        Column("total", _("合计"), number=True),
    ]
    rows = []
    for region in [sight.view.city, *sight.view.counties]:
        counts = dict(tally(sight.standings(region.code)))
        rows.append({"region": Cell(words.name_of(region), url=address({"sight": sight}, "region", region.code)), **{s.value: counts.get(s, 0) for s in SHOWN_STATES}, "total": sum(counts.values())})  # fmt: skip
    table = Table(
        columns,
        rows,
        title=_("各地区目标状态（项数）"),
        notes=[as_of(sight), _("县（市）区只列向其提出的目标，各地项数不与全市相加。")],
        filterable=False,
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(request, "web/regions.html", {"table": table})


@page
def region(request: HttpRequest, code: str) -> HttpResponse:
    sight = sight_of(request)
    found = known_or_404(sight.region(code))
    own = code == sight.plan.header.city or found in sight.view.counties  # the plan asks nothing of the province
    standings = sight.standings(code) if own else []
    table = standings_table(sight, sorted(standings, key=lambda s: s.state.rank) if request.GET.get("sort") == "late" else standings, _("%s的目标") % words.name_of(found))  # fmt: skip
    if fmt := wanted_format(request):
        return download(table, fmt)
    governments = [b for b in sight.plan.bodies if b.region == code]
    context = {
        "region": found, "table": table, "tally": tally(standings), "late": [s for s in standings if s.state in LATE], "bodies": governments,
        "absent": sum(s.state is State.NO_DATA for s in standings), "total": len(standings), "outline": outline_of(sight),
        "within": sight.region(found.within), "siblings": [sight.view.city, *sight.view.counties],
    }  # fmt: skip
    return respond(request, "web/region.html", context)


# --- bodies ---------------------------------------------------------------------------------------
@page
def bodies(request: HttpRequest) -> HttpResponse:
    """All responsible bodies with the number of clauses, targets and what is late among them."""
    sight = sight_of(request)
    columns = [
        Column("body", _("单位")), Column("full", _("全称"), wide=True), Column("clauses", _("条款"), number=True), Column("lead", _("其中牵头"), number=True),
        Column("targets", _("目标"), number=True), Column("late", _("落后"), number=True), Column("tasks", _("任务"), number=True),
    ]  # fmt: skip
    rows = []
    for body in sight.plan.bodies:
        duties = sight.body_duties(body)
        if not duties:
            continue
        standings = [s for _c, _r, found, _t in duties for s in found]
        rows.append({
            "body": Cell(words.name_of(body), url=address({"sight": sight}, "body", body.code)), "full": body.full_name, "clauses": len(duties),
            "lead": sum(role == "lead" for _c, role, _s, _t in duties), "targets": len(standings), "late": sum(s.state in LATE for s in standings),
            "tasks": sum(len(tasks) for *_, tasks in duties),
        })  # fmt: skip
    table = Table(
        columns, rows, title=_("责任单位"), notes=[as_of(sight), _("同一目标由多个单位负责，各单位项数不相加。")]
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(request, "web/bodies.html", {"table": table})


@page
def body(request: HttpRequest, code: str) -> HttpResponse:
    """The duties of a body, in the order of the plan."""
    sight = sight_of(request)
    found = known_or_404(sight.plan.body_by_code.get(code))
    duties = sight.body_duties(found)
    standings = [s for _c, _r, some, _t in duties for s in some]
    table = standings_table(sight, standings, _("%s负责的目标") % words.name_of(found), with_region=True)
    if fmt := wanted_format(request):
        return download(table, fmt)
    context = {
        "found": found, "duties": duties, "tally": tally(standings), "table": table, "total": len(standings), "outline": outline_of(sight),
        "region": sight.region(found.region),
        "late": [s for s in standings if s.state in LATE], "tasks": sum(len(t) for *_, t in duties),
    }  # fmt: skip
    return respond(request, "web/body.html", context)
