"""Search over clauses, targets, tasks, bodies, regions, indicators and rules."""

from __future__ import annotations

import unicodedata

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from lvheng.web.pages.common import page, respond
from lvheng.web.sight import sight_of

KINDS = {
    "target": _("目标"), "clause": _("条款"), "task": _("任务"), "region": _("地区"), "body": _("单位"), "indicator": _("指标"), "rule": _("规则"),
}  # fmt: skip


@page
def search(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    asked = unicodedata.normalize("NFKC", request.GET.get("q", "")).strip()[:80]
    hits = sight.view.search(asked) if asked else []
    groups = [(name, [h for h in hits if h.kind == kind]) for kind, name in KINDS.items()]
    context = {"asked": asked, "groups": [(name, found) for name, found in groups if found], "count": len(hits)}
    return respond(request, "web/search.html", context)
