"""The catalogues: indicators, rules, and single observations with their vintages and source."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _

from lvheng.access.roles import Owner, Permission, may
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.observations.catalogue import DIRECTIONS, FED_BY, OVER_REGIONS, OVER_TIME
from lvheng.observations.models import Observation
from lvheng.observations.store import history
from lvheng.shell import words
from lvheng.shell.pages import as_of, known_or_404, page, respond
from lvheng.shell.rule_tables import rule_table
from lvheng.shell.sight import NOT_PUBLIC, Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address, confidence

RULE_KINDS = {"parameter": "参数", "table": "表格", "formula": "公式", "text": "文字"}


# --- indicators -----------------------------------------------------------------------------------
@page
def indicators(request: HttpRequest) -> HttpResponse:
    """The catalogue of indicators, by group."""
    sight = sight_of(request)
    columns = [
        Column("name", _("指标"), wide=True), Column("group", _("类别")), Column("unit", _("单位")), Column("frequency", _("频度")), Column("regions", _("地区汇总")),
        Column("time", _("期间汇总")), Column("fed", _("数据来自")), Column("targets", _("用于目标"), wide=True), Column("source", _("依据"), wide=True), Column("sure", _("核实")),
    ]  # fmt: skip
    used: dict[str, list[tuple[str, str]]] = {}
    for t in sight.plan.targets:
        used.setdefault(t.indicator, []).append((address({"sight": sight}, "target", t.id), words.name_of(t)))
    rows = [
        {
            "name": Cell(words.name_of(i), url=address({"sight": sight}, "indicator", i.code)), "group": words.word(i.group), "unit": words.unit_label(i.unit),
            "frequency": str(words.FREQUENCIES[i.frequency]), "regions": words.word(OVER_REGIONS[i.over_regions]), "time": words.word(OVER_TIME[i.over_time]),
            "fed": words.word(FED_BY[i.fed_by]), "targets": _linked(used.get(i.code, [])), "source": Cell(words.cite(i.source), html=words.citation(i.source)),
            "sure": Cell(words.word(i.source.confidence.label), html=confidence(i.source) or words.word(i.source.confidence.label)),
        }
        for i in sorted(sight.view.catalogue, key=lambda i: i.group)
    ]  # fmt: skip
    table = Table(
        columns,
        rows,
        title=_("指标目录"),
        notes=[_("比率类指标从不相加。公式和来源见各指标页。")],
        empty=_("指标目录是空的。"),
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    return respond(request, "web/catalogue.html", {"table": table, "heading": _("指标目录"), "lead": _("方案每一项目标由哪个指标衡量，按什么公式计算，依据哪份文件。")})  # fmt: skip


def _linked(found: list[tuple[str, str]]) -> Cell:
    """Links one after another, exported as their words."""
    comma = ", " if words.english() else "、"
    return Cell(
        words.listed((title for _url, title in found), "、"), html=format_html_join(comma, '<a href="{}">{}</a>', found)
    )


@page
def indicator(request: HttpRequest, code: str) -> HttpResponse:
    """One indicator: its formula and versions, its series for a region, its values by county."""
    sight = sight_of(request)
    found = known_or_404(sight.view.catalogue.by_code.get(code))
    where = request.GET.get("region", "")
    region = sight.region(where) or sight.view.city
    item = request.GET.get("item", "")
    kind = next((k for k in Kind if k.value == request.GET.get("kind")), None)
    series = _visible_series(sight, code, region.code, kind, item)
    series_table = _series_table(sight, found, region, series, item)
    counties = _county_values(sight, found, item) if "county" in found.subjects else None
    if fmt := wanted_format(request):
        return download(counties if counties and request.GET.get("table") == "counties" else series_table, fmt)
    here = address({"sight": sight}, "indicator", code)
    join = "&" if "?" in here else "?"
    series_table.export_query = (
        f"{here}{join}region={region.code}"
        + (f"&item={item}" if item else "")
        + (f"&kind={kind.value}" if kind else "")
    )
    if counties:
        counties.export_query = f"{here}{join}table=counties" + (f"&item={item}" if item else "")
    needs = [
        sight.view.catalogue[c]
        for c in sorted(sight.view.model.needs([code]))
        if c != code and c in sight.view.catalogue
    ]
    chart = {
        "periods": [words.period_label(p) for p, _v in series], "unit": words.unit_label(found.unit), "places": found.places, "space": 72,
        "series": [{"name": words.name_of(region), "values": [None if v is None else float(v) for _p, v in series]}],
    } if sum(v is not None for _p, v in series) > 1 else None  # fmt: skip
    context = {
        "indicator": found, "region": region, "series_table": series_table, "county_table": counties, "chart": chart, "item": item,
        "items": sorted({i for d in found.dimensions for i in sight.view.model.dimensions.get(d, ())}), "needs": needs,
        "targets": [t for t in sight.plan.targets if t.indicator == code], "regions": [sight.view.city, *sight.view.counties],
        "direction": DIRECTIONS[found.direction], "over_regions": OVER_REGIONS[found.over_regions], "over_time": OVER_TIME[found.over_time],
        "fed_by": FED_BY[found.fed_by], "frequency": words.FREQUENCIES[found.frequency],
        "kinds": [(k.value, words.FREQUENCIES[k]) for k in (Kind.YEAR, Kind.QUARTER, Kind.MONTH, Kind.YTD)] if found.frequency in (Kind.MONTH, Kind.YTD, Kind.QUARTER) else [],
        "kind": kind.value if kind else found.frequency.value,
    }  # fmt: skip
    return respond(request, "web/indicator.html", context)


def _visible_series(sight: Sight, code: str, region: str, kind: Kind | None, item: str) -> list[tuple[Any, Any]]:
    """The series, cut to what the reader may see."""
    series = sight.view.series(code, region, kind, item)
    kept = []
    for period, value in series:
        if value is not None:
            synthetic, quality = sight.view.is_synthetic(sight.view.explain(code, region, period, item))
            if not sight.sees(region, open_to_all=synthetic or quality == "published"):
                value = None
        kept.append((period, value))
    return kept


def _series_table(sight: Sight, found: Any, region: Any, series: list[tuple[Any, Any]], item: str) -> Table:
    unit = words.unit_label(found.unit)
    columns = [
        Column("period", _("期间")),
        Column("value", words.name_of(found), unit, found.places, True),
        Column("quality", _("数据性质")),
    ]
    rows = []
    for period, value in reversed(series):
        synthetic, _quality = (
            sight.view.is_synthetic(sight.view.explain(found.code, region.code, period, item))
            if value is not None
            else (False, "")
        )
        url = address({"sight": sight}, "explanation", found.code, region.code, period.code)
        if item:
            url += ("&" if "?" in url else "?") + f"item={item}"
        rows.append(
            {
                "period": words.period_label(period),
                "value": Cell(value, url=url if value is not None else ""),
                "quality": _("演示数据") if synthetic else "",
            }
        )
    title = words.name_of(found) + words.bracketed(words.listed((words.name_of(region), words.item_label(item))))
    return Table(
        columns, rows, title=title, notes=[as_of(sight)], empty=_("这个指标还没有数据。"), filterable=len(rows) > 24
    )


def _county_values(sight: Sight, found: Any, item: str) -> Table | None:
    """The latest year by county. Sums are footed with what they are over; ratios never are."""
    span = sight.view.data_years(found.code)
    if span is None:
        return None
    years = [Period.of_year(y) for y in range(span[1], max(span[0], span[1] - 6) - 1, -1)]
    period = next(
        (
            p
            for p in years
            if any(sight.view.value(found.code, r.code, p, item) is not None for r in sight.view.counties)
        ),
        years[0],
    )
    unit = words.unit_label(found.unit)
    rows, total, complete = [], None, True
    for region in sight.view.counties:
        node = sight.view.explain(found.code, region.code, period, item)
        synthetic, quality = sight.view.is_synthetic(node) if node.value is not None else (False, "")
        seen = node.value is not None and sight.sees(region.code, open_to_all=synthetic or quality == "published")
        url = address({"sight": sight}, "explanation", found.code, region.code, period.code) + (
            f"{'&' if sight.chosen else '?'}item={item}" if item else ""
        )
        rows.append({
            "region": Cell(words.name_of(region), url=address({"sight": sight}, "region", region.code)),
            "value": Cell(node.value if seen else None, url=url if seen else "", reason=NOT_PUBLIC if node.value is not None else node.reason),
            "note": _("演示数据") if synthetic else "",
        })  # fmt: skip
        if region.counted:
            complete &= seen
            total = (total or 0) + node.value if seen and node.value is not None else total
    foot = None
    if found.over_regions == "sum" and complete and total is not None:
        foot = {"region": _("合计（%s个地区）") % sum(r.counted for r in sight.view.counties), "value": total}
    columns = [
        Column("region", _("地区")),
        Column("value", words.name_of(found), unit, found.places, True),
        Column("note", _("说明")),
    ]
    notes = [as_of(sight)] + ([_("比率不相加，故不列合计。")] if found.over_regions == "ratio" else [])
    return Table(
        columns,
        rows,
        title=_("%(period)s各县（市）区") % {"period": words.period_label(period)},
        foot=foot,
        notes=notes,
        filterable=False,
    )


# --- rules ----------------------------------------------------------------------------------------
@page
def rules(request: HttpRequest) -> HttpResponse:
    """The rulebook: every rule with document, article, validity and confidence. ``?sure=no`` shows what is to be confirmed."""
    sight = sight_of(request)
    columns = [
        Column("title", _("规则"), wide=True), Column("kind", _("类别")), Column("value", _("数值"), number=True), Column("unit", _("单位")),
        Column("valid", _("有效期")), Column("source", _("依据"), wide=True), Column("sure", _("核实")),
    ]  # fmt: skip
    only = request.GET.get("sure") == "no"
    versions = [v for v in sight.view.rulebook if not (only and v.confidence.confirmed)]
    rows = [
        {
            "title": Cell(words.name_of(v), url=address({"sight": sight}, "rule", v.rule)), "kind": words.word(RULE_KINDS[v.entry.kind]),
            "value": Cell(v.value, reason=_("待录入")) if v.entry.kind == "parameter" else None, "unit": words.unit_label(v.unit), "valid": words.validity_label(v.validity),
            "source": Cell(words.cite(v.source), html=words.citation(v.source)), "sure": Cell(words.word(v.confidence.label), html=confidence(v.confidence) or words.word(v.confidence.label)),
        }
        for v in versions
    ]  # fmt: skip
    for row in rows:
        if row["value"] is None:
            row["value"] = Cell(None, text=" ")
    table = Table(
        columns,
        rows,
        title=_("规则目录"),
        notes=[_("每条规则注明文件、条款和有效期；未在原文中核实的标“待核”。")],
        empty=_("没有待核的规则。"),
    )
    if fmt := wanted_format(request):
        return download(table, fmt)
    unsure = sum(not v.confidence.confirmed for v in sight.view.rulebook)
    context = {
        "table": table,
        "heading": _("规则目录"),
        "only": only,
        "unsure": unsure,
        "total": len(sight.view.rulebook),
    }
    return respond(request, "web/rules.html", context)


@page
def rule(request: HttpRequest, rule_id: str) -> HttpResponse:
    """One rule with all its versions, and the one in force."""
    sight = sight_of(request)
    try:
        versions = list(sight.view.rulebook.versions(rule_id))
    except ProblemError:
        versions = []
    known_or_404(versions or None)
    day = sight.view.today
    in_force = sight.view.rulebook.find(rule_id, day, sight.plan.header.city)
    users = [i for i in sight.view.catalogue if any(f"p.{rule_id}" in f.formula for f in i.formulas)]

    def name(code: str) -> str:
        return words.name_of(sight.view.catalogue.by_code.get(code)) or (
            words.name_of(sight.view.rulebook.versions(code)[-1]) if code in sight.view.rulebook else ""
        )

    context = {
        "versions": [(v, rule_table(v, name)) for v in reversed(versions)], "rule": in_force or versions[-1], "in_force": in_force, "users": users,
        "targets": [t for t in sight.plan.targets if t.indicator in {i.code for i in users}],
    }  # fmt: skip
    return respond(request, "web/rule.html", context)


# --- observations ---------------------------------------------------------------------------------
@page
def observation(request: HttpRequest, pk: int) -> HttpResponse:
    """One figure: value, vintage, source, who recorded it when, and all its vintages."""
    sight = sight_of(request)
    found = known_or_404(Observation.objects.select_related("subject", "source", "posting").filter(pk=pk).first())
    if not _may_see(sight, found):
        from django.core.exceptions import PermissionDenied

        raise PermissionDenied(NOT_PUBLIC)
    vintages = history(found.indicator, found.subject.code, found.period, found.item)
    columns = [
        Column("vintage", _("版次"), number=True), Column("value", _("数值"), words.unit_label(found.unit), None, True), Column("quality", _("数据性质")), Column("source", _("来源"), wide=True),
        Column("reference", _("出处"), wide=True), Column("posting", _("入库次序"), number=True), Column("at", _("记录时间")), Column("by", _("记录人")),
    ]  # fmt: skip
    rows = [
        {
            "vintage": Cell(o.vintage, url=reverse("observation", args=[o.pk])), "value": Cell(o.value, reason=_("该版次撤回了数值。")), "quality": words.word(o.quality_label), "source": str(o.source),
            "reference": o.reference, "posting": o.posting_id, "at": f"{words.date_label(o.posting.recorded_at.astimezone())} {o.posting.recorded_at.astimezone():%H:%M}", "by": words.word(o.posting.recorded_by),
        }
        for o in vintages
    ]  # fmt: skip
    marked = {i: "current" for i, o in enumerate(vintages) if o.pk == found.pk}
    table = Table(columns, rows, title=_("各版次"), filterable=False, marked=marked, name=_("版次"))
    if fmt := wanted_format(request):
        return download(table, fmt)
    entry = sight.view.catalogue.by_code.get(found.indicator)
    region = sight.region(found.subject.code)
    context = {"observation": found, "table": table, "indicator": entry, "region": region, "latest": vintages[-1], "targets": [t for t in sight.plan.targets if entry and entry.code in sight.view.model.needs([t.indicator] if t.indicator in sight.view.catalogue else [])]}  # fmt: skip
    return respond(request, "web/observation.html", context)


def _may_see(sight: Sight, found: Observation) -> bool:
    """Figures of regions by what is published; figures of units only by those who may see that unit."""
    subject = found.subject
    open_to_all = found.source.synthetic or found.quality == "published"
    if subject.kind == "region":
        return sight.sees(subject.code, open_to_all=open_to_all)
    region = subject.parent.code if subject.parent else ""
    return may(sight.actor, Permission.VIEW_UNIT, Owner(region=region, unit=subject.code))
