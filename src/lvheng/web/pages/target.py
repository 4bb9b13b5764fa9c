"""One target: where it stands, on which path, in which county, and why; and any number explained."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from lvheng.core.explain import OPS, Node
from lvheng.core.formula import exact
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.filing import provenance
from lvheng.observations.store import history
from lvheng.observations.view import Evidence, Point, TargetStanding
from lvheng.plan.schema import Target
from lvheng.shell import words
from lvheng.shell.pages import as_of, known_or_404, page, respond
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.web.pages.plan import LATE, Section, outline_of


def path_chart(points: Sequence[Point], standing: TargetStanding) -> dict[str, Any]:
    """What the path chart needs; floats are for drawing only, the table beside it is exact."""

    def drawn(values: Sequence[Decimal | None]) -> list[float | None]:
        return [None if v is None else float(v) for v in values]

    return {
        "periods": [words.period_label(p.period) for p in points], "unit": words.unit_label(standing.unit), "places": standing.places,
        "schedule": drawn([p.schedule for p in points]), "value": drawn([p.value for p in points]), "forecast": drawn([p.forecast for p in points]),
        "late": standing.state in LATE,
        "words": {"schedule": _("序时"), "value": _("实绩"), "forecast": _("预测")},
    }  # fmt: skip


def path_table(sight: Sight, target: Target, standing: TargetStanding, points: Sequence[Point]) -> Table:
    unit = words.unit_label(standing.unit)
    columns = [
        Column("year", _("年份")), Column("value", _("实绩"), unit, standing.places, True), Column("schedule", _("序时"), unit, standing.places, True),
        Column("forecast", _("预测"), unit, standing.places, True),
    ]  # fmt: skip
    rows = [
        {
            "year": words.period_label(p.period),
            "value": p.value,
            "schedule": p.schedule,
            "forecast": p.forecast if p.value is None else None,
        }
        for p in points
    ]
    title = words.name_of(target) + words.bracketed(words.name_of(standing.region))
    return Table(columns, rows, title=title, notes=[as_of(sight)], filterable=False, name=_("轨迹"))


def county_table(sight: Sight, target: Target, found: Sequence[TargetStanding]) -> Table:
    """One row a county, worst first; no total, because shares and rates are not added."""
    unit, places = words.unit_label(found[0].unit), found[0].places
    periods, goals, schedules = (
        {getattr(s, n) for s in found if getattr(s, n) is not None} for n in ("period", "goal", "schedule")
    )
    same = [words.period_label(p) for p in periods] if len(periods) == 1 else []
    same += [_("目标%s") % words.goal_words(target, g) for g in goals] if len(goals) == 1 else []
    same += [_("序时进度%s%%") % show(x, 1) for x in schedules] if len(schedules) == 1 else []
    columns = [
        Column("region", _("地区")), Column("value", _("最新值"), unit, places, True),
        *([] if len(periods) <= 1 else [Column("period", _("期间"))]), *([] if len(goals) <= 1 else [Column("goal", _("目标值"), unit, None, True)]),
        Column("progress", _("完成进度"), "%", 1, True), *([] if len(schedules) <= 1 else [Column("schedule", _("序时进度"), "%", 1, True)]),
        Column("state", _("状态")), Column("note", _("说明"), wide=True),
    ]  # fmt: skip
    notes = {words.word(s.goal_note) for s in found}
    rows = []
    for s in sorted(found, key=lambda s: (s.state.rank, s.progress if s.progress is not None else Decimal(0))):
        why = words.reason_of(s)
        own = (
            words.word(s.goal_note) if len(notes) > 1 else "",
            "" if s.complete or s.value is None else _("不完整"),
            _("演示数据") if s.synthetic else "",
        )
        rows.append({
            "region": Cell(words.name_of(s.region), url=address({"sight": sight}, "region", s.region.code)),
            "value": Cell(s.value, url=_explain_url(sight, target, s), reason=why, places=places), "period": words.period_label(s.period),
            "goal": Cell(s.goal, reason=words.word(s.goal_note)), "progress": Cell(s.progress, reason=why), "schedule": s.schedule, "state": s.state,
            "note": words.listed(own, "；"),
        })  # fmt: skip
    title = _("各县（市）区：%s") % words.name_of(target) + words.bracketed(words.listed(same))
    entry = sight.view.catalogue.by_code.get(target.indicator)
    counted = [s for s in found if s.region.counted]
    foot = None
    if (
        entry is not None
        and entry.over_regions == "sum"
        and target.measure in ("cumulative_amount", "count")
        and all(s.value is not None for s in counted)
    ):
        foot = {
            "region": _("合计（%s个地区）") % len(counted),
            "value": sum((s.value for s in counted if s.value is not None), Decimal(0)),
        }
    said = [
        as_of(sight),
        _("按状态由差到好排列。")
        + (_("比率不相加，故不列合计。") if entry is not None and entry.over_regions == "ratio" else ""),
    ]
    said += [next(iter(notes))] if len(notes) == 1 and next(iter(notes)) else []
    return Table(columns, rows, title=title, notes=said, name=_("县区"), filterable=False, foot=foot)


def _explain_url(sight: Sight, target: Target, s: TargetStanding) -> str:
    if not target.indicator or s.period is None or s.value is None:
        return ""
    return address({"sight": sight}, "explanation", target.indicator, s.region.code, s.period.code)


def map_chart(sight: Sight, found: Sequence[TargetStanding]) -> dict[str, Any]:
    """The counties by value. Regions without a boundary are not on the map; the page lists them beside it."""
    context = {"sight": sight}
    return {
        "map": address(context, "shapes"), "unit": words.unit_label(found[0].unit), "places": found[0].places,
        "rows": [
            {
                "code": s.region.code, "name": words.name_of(s.region), "short": words.name_of(s.region) if words.english() else (s.region.short or s.region.name),
                "value": None if s.value is None else float(s.value), "note": words.word(s.state.label), "url": address(context, "region", s.region.code),
            }
            for s in found
        ],
    }  # fmt: skip


@page
def target(request: HttpRequest, target_id: str) -> HttpResponse:
    """``?region=`` shows a county's own standing; ``?table=path|counties&format=`` exports."""
    sight = sight_of(request)
    found = known_or_404(sight.plan.target_by_id.get(target_id))
    region = request.GET.get("region", "")
    if region and (region not in sight.plan.regions or found.counties == "none"):
        region = ""
    standing = sight.standing(target_id, region or None)
    if fmt := wanted_format(request):
        if request.GET.get("table") == "counties":
            return download(county_table(sight, found, sight.county_standings(target_id)), fmt)
        return download(path_table(sight, found, standing, sight.path(target_id, region or None)), fmt)
    body = mark_safe(
        sight.fragment("web/_target_main.html", lambda: _context(sight, found, standing, region), target_id, region)
    )
    context = {"body": body, "outline": outline_of(sight), "target": found, "standing": standing}
    return respond(request, "web/target.html", context | _sides(sight, found, standing, region))


def _context(sight: Sight, found: Target, standing: TargetStanding, region: str) -> dict[str, Any]:
    points = sight.path(found.id, region or None)
    here = address({"sight": sight}, "target", found.id)
    join = "&" if "?" in here else "?"
    table = path_table(sight, found, standing, points)
    table.export_query = f"{here}{join}table=path" + (f"&region={region}" if region else "")
    node = _node(sight, found, standing)
    return {
        "target": found, "standing": standing, "points": points, "clause": sight.plan.clause_by_id[found.clause], "region": region,
        "chart": path_chart(points, standing) if any(p.value is not None or p.schedule is not None for p in points) else None,
        "table": table, "node": shown_node(sight, node, "", deep=True) if node is not None else None,
        "indicator": sight.view.catalogue.by_code.get(found.indicator), "revisions": revisions(sight, node),
    }  # fmt: skip


MOST_LISTED = 12


def revisions(sight: Sight, node: Node | None) -> dict[str, Any] | None:
    """The observations a number rests on: how many, how many of a later vintage, and those, latest first."""
    if node is None:
        return None
    leaves = [leaf for leaf in node.leaves() if isinstance(leaf.payload, Evidence)]
    shown = [
        leaf
        for leaf in leaves
        if sight.sees(leaf.region, open_to_all=leaf.payload.synthetic or leaf.payload.quality == "published")
    ]
    later = sorted((leaf for leaf in shown if leaf.payload.vintage > 1), key=lambda leaf: -leaf.payload.posting)
    listed = []
    for leaf in later[:MOST_LISTED]:
        vintages = history(leaf.code, leaf.region, leaf.period.code, leaf.item)
        listed.append(
            {
                "leaf": leaf,
                "vintages": vintages,
                "indicator": sight.view.catalogue.by_code.get(leaf.code),
                "region": sight.region(leaf.region),
            }
        )
    sources = sorted({leaf.payload.source for leaf in shown})
    return {
        "count": len(leaves),
        "revised": len(later),
        "listed": listed,
        "sources": sources[:MOST_LISTED],
        "more": max(0, len(sources) - MOST_LISTED),
    }


def _sides(sight: Sight, found: Target, standing: TargetStanding, region: str) -> dict[str, Any]:
    """Margin and broad part: counties, bodies, tasks, rules."""
    counties = sight.county_standings(found.id)
    here = address({"sight": sight}, "target", found.id)
    indicator = sight.view.catalogue.by_code.get(found.indicator)
    clause = sight.plan.clause_by_id[found.clause]
    notes = sight.plan.notes_of(found.clause)
    table = county_table(sight, found, counties) if counties else None
    if table:
        table.export_query = here + ("&" if "?" in here else "?") + "table=counties"
        table.marked = {
            i: "current"
            for i, row in enumerate(table.rows)
            if region and words.name_of(standing.region) == row["region"].value
        }
    from lvheng.web.pages.region import outline_codes

    drawn = outline_codes(sight)
    return {
        "clause": clause, "counties": counties, "county_table": table,
        "map": map_chart(sight, counties) if counties and any(s.region.code in drawn for s in counties) and any(s.value is not None for s in counties) else None,
        "unmapped": [s for s in counties if s.region.code not in drawn],
        "indicator": indicator, "duties": Section(clause, None, bodies=sight.plan.bodies_of(found.clause)).duties,
        "open_ended": any(n.open_ended for n in notes),
        "tasks": [t for t in sight.plan.tasks_of(found.clause) if t.target in ("", found.id)], "rules": used_rules(sight, found, standing),
        "formula": indicator.formulas[-1] if indicator and indicator.formulas else None, "region": region,
        "needs": [sight.view.catalogue[c] for c in sorted(sight.view.model.needs([indicator.code])) if c != indicator.code and c in sight.view.catalogue]
        if indicator else [],
    }  # fmt: skip


def used_rules(sight: Sight, found: Target, standing: TargetStanding) -> list[Any]:
    """The versions of the rules behind a standing: those of its number, and the thresholds of its state."""
    book, day = sight.view.rulebook, sight.plan.header.period.end
    refs: dict[str, Any] = {}
    node = _node(sight, found, standing)
    for leaf in node.leaves() if node is not None else ():
        if leaf.op in ("parameter", "table") and leaf.payload is not None:
            refs[leaf.payload.ref] = leaf.payload
    threshold = book.find("progress.standing.far_behind_gap_pct", day, sight.plan.header.city)
    if threshold is not None:
        refs[threshold.ref] = threshold
    return list(refs.values())


def _node(sight: Sight, found: Target, standing: TargetStanding) -> Node | None:
    """The explanation of the value shown, or of the year before the deadline when there is none."""
    if found.indicator not in sight.view.catalogue or standing.reason == NOT_PUBLIC:
        return None
    period = standing.period or sight.view.target_period(
        found, min(sight.view.today.year - 1, found.deadline.year if found.deadline else sight.plan.header.last_year)
    )
    return sight.view.explain(found.indicator, standing.region.code, period)


Root = tuple[str, str, str, str]  # indicator, region, period code, item


# --- explanations ---------------------------------------------------------------------------------
def shown_node(sight: Sight, node: Node, path: str, *, deep: bool = False, root: Root | None = None) -> dict[str, Any]:
    """A node for the page. ``path`` is the way from the root, as numbers of children joined by dots."""
    root = root or (node.code, node.region, node.period.code, node.item)
    root_item = root[3]
    evidence = node.payload if isinstance(node.payload, Evidence) else None
    synthetic, quality = sight.view.is_synthetic(node)  # a computed number is as open as what it rests on
    open_to_all = synthetic or quality in ("published", "")
    hidden = (
        node.value is not None
        and node.region in sight.plan.regions
        and not sight.sees(node.region, open_to_all=open_to_all)
    )
    query = f"?path={path}" if path else ""
    if root_item:
        query += ("&" if query else "?") + urlencode({"item": root_item})
    url = reverse("explanation", args=root[:3]) + query
    if sight.chosen:
        url += ("&" if "?" in url else "?") + f"plan={sight.chosen}"
    digits = -int(node.value.as_tuple().exponent) if node.value is not None and node.value.is_finite() else 0
    entry = sight.view.catalogue.by_code.get(node.code)
    places = entry.places if entry else 4
    rule = node.payload if node.op in ("parameter", "table") else None
    below = not node.children and node.op in ("observed", "missing") and _level_below(sight, node) != ""
    children: list[dict[str, Any]] = []
    if deep and not hidden:
        children = [shown_node(sight, c, f"{path}.{i}".lstrip("."), root=root) for i, c in enumerate(node.children)]
        children += _filed_below(sight, node, path) if below else []
    return {
        "label": words.name_of(entry) if entry and node.op not in ("lag", "base", "ytd", "children", "sum_over") else words.word(node.label),
        "how": words.word(OPS[node.op]), "op": node.op, "item": words.item_label(node.item), "text": node.text, "reason": NOT_PUBLIC if hidden else node.reason,
        "region": sight.region(node.region), "region_name": node.region_name, "period": node.period,
        "value": None if hidden else node.value, "shown": show(node.value, max(places, 4) if digits > max(places, 4) else None),
        "unit": "" if node.unit == "1" else node.unit, "evidence": evidence, "rule": rule, "refs": node.refs, "url": url, "path": path,
        "parts": 0 if hidden else len(node.children) or int(below), "indicator": entry,
        "children": children if deep and not hidden else None,
        "id": "n" + path.replace(".", "-"),
    }  # fmt: skip


def _level_below(sight: Sight, node: Node) -> str:
    """Whose filings a figure is held against: counties below the city, units below a county, or nobody's."""
    if node.region not in sight.plan.regions:
        return ""
    level = "counties" if node.region == sight.plan.header.city else "units"
    return level if provenance.rests_on(node.code, node.period, level) is not None else ""


def _filed_below(sight: Sight, node: Node, path: str) -> list[dict[str, Any]]:
    """What was filed below a figure, as one more node: it bears the figure out and is not reckoned with."""
    if _level_below(sight, node) == "units":
        return [{"filed": provenance.below(sight.actor, node.code, node.region, node.period, sight.view.position)}]
    parts = [
        sight.view.explain(node.code, r.code, node.period, node.item) for r in sight.plan.regions.parts(node.region)
    ]
    shown = []
    for part in parts:
        place = (node.code, part.region, node.period.code, node.item)
        shown.append({**shown_node(sight, part, "", root=place), "id": f"n{path.replace('.', '-')}-{part.region}"})
    entry = provenance.rests_on(node.code, node.period, "counties")
    seen = [n["value"] for n in shown]
    value = None if None in seen else exact.total(seen)
    return [{"counties": shown, "entry": entry, "value": value, "unit": node.unit}]


def follow(node: Node, path: str) -> list[Node]:
    """The nodes from the root down a path; raises ProblemError for a way that does not exist."""
    way = [node]
    for step in path.split(".") if path else ():
        if not step.isdigit() or int(step) >= len(way[-1].children):
            raise ProblemError(
                Problem("web.path.unknown", "解释树中没有这一层", got=path[:40], fix="从指标的解释首页重新展开。")
            )
        way.append(way[-1].children[int(step)])
    return way


@page
def explanation(request: HttpRequest, indicator: str, region: str, period: str) -> HttpResponse:
    """Any number of any indicator, explained; ``?path=`` opens one node, alone for htmx."""
    sight = sight_of(request)
    entry = known_or_404(sight.view.catalogue.by_code.get(indicator))
    where = known_or_404(sight.region(region))
    item, path = request.GET.get("item", ""), request.GET.get("path", "")
    root = sight.view.explain(indicator, region, Period.parse(period), item)
    way = follow(root, path)
    place = (indicator, region, Period.parse(period).code, item)
    if "HX-Request" in request.headers and request.headers.get("HX-Target", "").startswith("n"):
        shown = shown_node(sight, way[-1], path, deep=True, root=place)
        return respond(request, "web/_nodes.html", {"nodes": shown["children"]})
    if fmt := wanted_format(request):
        return download(tree_table(sight, root, place), fmt)
    steps = [shown_node(sight, n, ".".join(path.split(".")[:i]) if i else "", root=place) for i, n in enumerate(way)]
    context = {
        "indicator": entry, "region": where, "period": Period.parse(period), "item": item, "steps": steps[:-1],
        "node": shown_node(sight, way[-1], path, deep=True, root=place), "recomputed": way[-1].recompute() if way[-1].value is not None else None,
        "targets": [t for t in sight.plan.targets if t.indicator == indicator], "outline": outline_of(sight),
        "leaves": len(way[-1].leaves()), "synthetic": sight.view.is_synthetic(way[-1])[0],
    }  # fmt: skip
    return respond(request, "web/explanation.html", context)


def tree_table(sight: Sight, root: Node, place: Root) -> Table:
    """The whole tree, one row a node, numbered by level."""
    columns = [
        Column("level", _("层级")), Column("label", _("名称"), wide=True), Column("region", _("地区")), Column("period", _("期间")), Column("value", _("数值"), number=True),
        Column("unit", _("单位")), Column("how", _("取得方式")), Column("source", _("来源或规则"), wide=True), Column("reason", _("缺数原因"), wide=True),
    ]  # fmt: skip
    rows: list[dict[str, Any]] = []

    def walk(node: Node, path: str) -> None:
        if len(rows) >= 20_000:
            return
        n = shown_node(sight, node, path, root=place)
        rows.append({
            "level": path.replace(".", "-") or "0", "label": n["label"] + words.bracketed(n["item"]), "region": n["region_name"],
            "period": words.period_label(n["period"]), "value": n["value"], "unit": words.unit_label(n["unit"]), "how": n["how"],
            "source": n["evidence"].source if n["evidence"] else "、".join(n["refs"]), "reason": n["reason"],
        })  # fmt: skip
        if n["parts"]:
            for i, child in enumerate(node.children, 1):
                walk(child, f"{path}.{i}".lstrip("."))

    walk(root, "")
    return Table(columns, rows, title=_("计算过程：%s") % rows[0]["label"], notes=[as_of(sight)])


def source_link(evidence: Evidence) -> str:
    return format_html('<a href="{}">{}</a>', reverse("observation", args=[evidence.observation]), evidence.source)
