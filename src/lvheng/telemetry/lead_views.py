"""Pages of leads: what the screens saw, over which hours, and what the check on site found."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from lvheng.access.roles import Owner, Permission, may
from lvheng.core.problem import ProblemError
from lvheng.shell import words
from lvheng.shell.context import actor_of
from lvheng.shell.pages import live, problem_page, respond
from lvheng.shell.sight import sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format
from lvheng.shell.templatetags.figures import address
from lvheng.telemetry import leads, screens, services
from lvheng.telemetry.models import VERDICTS, Lead
from lvheng.telemetry.views import denied, lead_row, moment_words, sees, unit_words


@live
def all_leads(request: HttpRequest) -> HttpResponse:
    """``?state=&screen=`` filter; ``?format=`` exports."""
    sight, actor = sight_of(request), actor_of(request)
    asked = {k: request.GET.get(k, "") for k in ("state", "screen")}
    names = screens.names(services.rulebook(), timezone.localdate())
    query = Lead.objects.select_related("factor__outlet")
    if not may(actor, Permission.VIEW_INTERNAL):
        query = query.filter(factor__outlet__synthetic=True)
    counts = dict(query.values_list("screen").annotate(Count("id")).order_by())
    for key in ("state", "screen"):
        if asked[key]:
            query = query.filter(**{key: asked[key]})
    found = [x for x in query if sees(actor, x.factor.outlet)]
    pages = Paginator(found, 50).get_page(request.GET.get("page"))
    fmt = wanted_format(request)
    rows = [
        {
            "screen": Cell(row["name"], url=row["url"]), "outlet": Cell(x.factor.outlet.name, url=address({"sight": sight}, "outlet", x.factor.outlet.code)),
            "factor": row["factor"], "first": row["first"], "last": row["last"], "seen": row["seen"], "state": x.state_label,
        }
        for x in (found if fmt else pages) for row in [lead_row(x, names, sight)]
    ]  # fmt: skip
    columns = [
        Column("screen", _("疑点")), Column("outlet", _("排口")), Column("factor", _("因子")), Column("first", _("开始")), Column("last", _("至")),
        Column("seen", _("所见"), wide=True), Column("state", _("状态")),
    ]  # fmt: skip
    table = Table(columns, rows, title=_("疑点线索"), name=_("疑点线索"), empty=_("没有符合条件的线索。"))
    if fmt:
        return download(table, fmt)
    kinds = [(code, words.word(name), counts[code]) for code, (name, _meaning) in names.items() if counts.get(code)]
    return respond(
        request, "telemetry/leads.html",
        {
            "table": table, "page": pages, "asked": asked, "kinds": kinds, "states": [("open", _("待核查")), *VERDICTS.items()],
            "synthetic": any(x.factor.outlet.synthetic for x in pages), "screens": [(words.word(n), words.word(m)) for n, m in names.values()],
            "rule": services.rulebook().versions("telemetry.screen_values")[-1],
        },
    )  # fmt: skip


@live
def lead(request: HttpRequest, pk: int) -> HttpResponse:
    """One lead with its window of evidence; POST decides."""
    found = get_object_or_404(Lead.objects.select_related("factor__outlet"), pk=pk)
    actor, outlet = actor_of(request), found.factor.outlet
    if not sees(actor, outlet):
        return denied(request)
    owner = Owner(outlet.region, outlet.unit)
    allowed = may(actor, Permission.REVIEW_CITY, owner) or may(actor, Permission.REVIEW_COUNTY, owner)
    if request.method == "POST":
        if not allowed:
            return denied(request)
        try:
            leads.decide(found, request.POST.get("verdict", ""), reason=request.POST.get("reason", ""), by=actor.name)
        except ProblemError as error:
            return problem_page(request, error.problems)
        messages.success(request, _("已记录核查结论。"))
        return HttpResponseRedirect(reverse("telemetry_lead", args=[pk]))
    names = screens.names(services.rulebook(), timezone.localdate())
    row = lead_row(found, names, sight_of(request))
    first, last = services.hour_of(found.first), services.hour_of(found.last)
    margin = max(48, (last - first) // 2)
    factor = found.factor
    chart: dict[str, Any] = {
        "url": reverse("outlet_series", args=[outlet.code, factor.pk]) + f"?from={first - margin}&to={last + margin}", "name": row["factor"],
        "unit": unit_words(factor.unit), "limit": float(factor.limit_high) if factor.limit_high is not None else None,
        "words": {"over": _("超标"), "limit": _("限值"), "substituted": _("无效或缺失"), "mark": _("标记"), "lead": _("疑点"), "stop": _("停运")},
    }  # fmt: skip
    return respond(
        request, "telemetry/lead.html",
        {
            "lead": found, "row": row, "outlet": outlet, "chart": chart, "allowed": allowed, "verdicts": VERDICTS.items(),
            "known": moment_words(found.known), "decisions": list(found.decisions.all()),
        },
    )  # fmt: skip
