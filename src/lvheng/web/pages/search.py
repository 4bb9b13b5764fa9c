"""Search over clauses, targets, tasks, bodies, regions, indicators and rules."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from lvheng.observations.view import Hit
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.words import name_of

KINDS = {
    "target": _("目标"), "clause": _("条款"), "task": _("任务"), "region": _("地区"), "body": _("单位"), "indicator": _("指标"), "rule": _("规则"),
}  # fmt: skip


def _title(sight: Sight, hit: Hit) -> str:
    """The name of what was found in the language of the page."""
    plan, view = sight.plan, sight.view
    ident = hit.url_args[0] if hit.url_args else hit.subtitle
    found: Any = None
    match hit.kind:
        case "target":
            found = plan.target_by_id.get(ident)
        case "clause":
            found = plan.clause_by_id.get(ident)
        case "task":
            found = next((t for t in plan.tasks if t.title == hit.title), None)
        case "body":
            found = plan.body_by_code.get(ident)
        case "region":
            found = sight.region(ident)
        case "indicator":
            found = view.catalogue.by_code.get(ident)
        case "rule":
            found = view.rulebook.versions(ident)[-1]
    return name_of(found) or hit.title


@page
def search(request: HttpRequest) -> HttpResponse:
    sight = sight_of(request)
    asked = unicodedata.normalize("NFKC", request.GET.get("q", "")).strip()[:80]
    hits = sight.view.search(asked) if asked else []
    groups = [(name, [(h, _title(sight, h)) for h in hits if h.kind == kind]) for kind, name in KINDS.items()]
    context = {"asked": asked, "groups": [(name, found) for name, found in groups if found], "count": len(hits)}
    return respond(request, "web/search.html", context)
