"""复算核对: published figures recomputed, side by side with the difference and the rounding rule."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from lvheng.observations import verification as store
from lvheng.web import words
from lvheng.web.pages.common import page, respond
from lvheng.web.sight import sight_of
from lvheng.web.tables import Cell, Column, Table, download, wanted_format
from lvheng.web.templatetags.figures import confidence


@page
def verification(request: HttpRequest) -> HttpResponse:
    """``?differ=1`` shows only what does not agree; ``?group=`` one group; ``?case=`` fills the margin."""
    sight = sight_of(request)
    groups = store.cases()
    cases = [case for group in groups for case in group.cases]
    only, chosen_group = request.GET.get("differ") == "1", request.GET.get("group", "")
    shown = [c for c in cases if (not only or not c.agrees) and (not chosen_group or c.group == chosen_group)]
    if fmt := wanted_format(request):
        return download(case_table(shown, _("复算核对")), fmt)
    chosen = next((c for c in cases if c.id == request.GET.get("case")), None)
    if request.headers.get("HX-Target") == "margin" and chosen is not None:
        return respond(request, "web/_verification_margin.html", {"case": chosen})
    tables = []
    for group in groups:
        some = [c for c in shown if c in group.cases]
        if some:
            table = case_table(some, words.name_of(group), linked=True)
            table.formats = ()
            tables.append((group, table, sum(not c.agrees for c in group.cases)))
    context: dict[str, Any] = {
        "tables": tables, "groups": groups, "only": only, "chosen_group": chosen_group, "total": len(cases),
        "differ": sum(not c.agrees for c in cases), "case": chosen, "shown": len(shown),
    }  # fmt: skip
    return respond(request, "web/verification.html", context)


def case_table(cases: list[Any], title: str, *, linked: bool = False) -> Table:
    columns = [
        Column("title", _("项目"), wide=True), Column("region", _("地区")), Column("published", _("公布值"), number=True), Column("computed", _("复算值"), number=True),
        Column("difference", _("相差"), number=True), Column("agrees", _("结论")), Column("rule", _("取舍规则"), wide=True), Column("source", _("来源"), wide=True),
        Column("sure", _("核实")),
    ]  # fmt: skip
    rows, marked = [], {}
    for i, c in enumerate(cases):
        if not c.agrees:
            marked[i] = "disagrees"
        rows.append({
            "title": Cell(words.name_of(c), url=f"?case={c.id}" if linked else ""), "region": c.region, "published": Cell(c.published, text=c.published_text),
            "computed": Cell(c.computed, reason=_("缺少输入，未能复算。")), "difference": Cell(c.difference), "agrees": _("一致") if c.agrees else _("不一致"),
            "rule": c.rule, "source": str(c.source), "sure": Cell(words.word(c.confidence.label), html=confidence(c.confidence) or words.word(c.confidence.label)),
        })  # fmt: skip
    return Table(columns, rows, title=title, marked=marked, name=_("复算核对"))
