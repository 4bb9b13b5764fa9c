"""复算核对: published figures recomputed, side by side with the difference and the rounding rule."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.core.problem import ProblemError
from lvheng.observations import verification as store
from lvheng.observations.services import published
from lvheng.shell import words
from lvheng.shell.formulas import spoken
from lvheng.shell.pages import page, respond
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import confidence


@page
def verification(request: HttpRequest) -> HttpResponse:
    """``?differ=1`` shows only what does not agree; ``?group=`` one group; ``?case=`` fills the margin."""
    groups = store.cases()
    cases = [case for group in groups for case in group.cases]
    only, chosen_group = request.GET.get("differ") == "1", request.GET.get("group", "")
    shown = [c for c in cases if (not only or not c.agrees) and (not chosen_group or c.group == chosen_group)]
    if fmt := wanted_format(request):
        return download(case_table(shown, _("复算核对")), fmt)
    chosen = next((c for c in cases if c.id == request.GET.get("case")), None)
    tables = []
    for group in groups:
        some = [c for c in shown if c.group == group.id]
        if some:
            table = case_table(some, "", linked=True)
            table.formats, table.name = (), words.name_of(group)
            tables.append((group, table, sum(not c.agrees for c in group.cases)))
    names = dict(_input(label) for label, _value in chosen.inputs) if chosen is not None else {}
    context: dict[str, Any] = {
        "tables": tables, "groups": groups, "only": only, "chosen_group": chosen_group, "total": len(cases),
        "case_region": region_name(chosen.region) if chosen else "", "case_period": period_name(chosen.period) if chosen else "",
        "differ": sum(not c.agrees for c in cases), "case": chosen,
        "formula": spoken(chosen.formula, lambda code: names.get(code, code), str) if chosen is not None else "",
        "inputs": [(_input(label)[1], value) for label, value in chosen.inputs] if chosen is not None else [],
        "shown": len(shown),
    }  # fmt: skip
    return respond(request, "web/verification.html", context)


def _input(label: str) -> tuple[str, str]:
    """(name in the formula, what people call it) of 年度目标（target）."""
    found = re.fullmatch(r"(.*)（(\w+)）", label)
    return (found[2], found[1]) if found else (label, label)


def region_name(written: str) -> str:
    """A region of the published tables in the language of the page."""
    return words.name_of(next((r for r in published().regions if r.name == written), None)) or written


def period_name(written: str) -> str:
    """A period in the language of the page; words that name no single period as they are written."""
    try:
        return words.period_label(written)
    except ProblemError:
        return str(words.as_written(written))


def _verdict(agrees: bool | None) -> str:
    return _("未能复算") if agrees is None else _("一致") if agrees else _("不一致")


def case_table(cases: list[Any], title: str, *, linked: bool = False) -> Table:
    rules, sources = {c.rule for c in cases}, {words.cite(c.source) for c in cases}
    same = linked and len(cases) > 1
    colon = ": " if words.english() else "："
    columns = [
        Column("title", _("项目"), wide=True), Column("region", _("地区")), Column("period", _("期间")), Column("published", _("公布值"), number=True),
        Column("computed", _("复算值"), number=True), Column("difference", _("相差"), number=True), Column("agrees", _("结论")),
        *([] if same and len(rules) == 1 else [Column("rule", _("取舍规则"), wide=True)]), *([] if same and len(sources) == 1 else [Column("source", _("来源"), wide=True)]),
        Column("sure", _("核实")),
    ]  # fmt: skip
    notes = [f"{_('取舍规则')}{colon}{x}" for x in rules if same and len(rules) == 1] + [
        f"{_('来源')}{colon}{x}" for x in sources if same and len(sources) == 1
    ]
    rows, marked = [], {}
    for i, c in enumerate(cases):
        if not c.agrees:
            marked[i] = "disagrees"
        rows.append({
            "title": Cell(words.name_of(c), url=f"?case={c.id}#case" if linked else ""), "region": region_name(c.region), "period": period_name(c.period),
            "published": Cell(c.published if c.published is not None else c.published_text, text=c.published_text, order=c.published),
            "computed": Cell(c.computed, text=c.computed_text, reason="；".join(c.reasons) or _("缺少输入，未能复算。"), order=c.computed),
            "difference": Cell(c.difference, reason=_("公布的是结论，不比数值。")), "agrees": _verdict(c.agrees), "rule": Cell(c.rule, html=words.as_written(c.rule)), "source": Cell(words.cite(c.source), html=words.citation(c.source)), "sure": Cell(words.word(c.confidence.label), html=confidence(c.confidence) or words.word(c.confidence.label)),
        })  # fmt: skip
    return Table(columns, rows, title=title, marked=marked, name=_("复算核对"), notes=notes)
