"""The first page: what waits for the person who is signed in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from lvheng.access.roles import Owner, Permission, may
from lvheng.plan.rules import State
from lvheng.shell.context import actor_of
from lvheng.shell.pages import page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.web.pages.plan import LATE, tally


@page
def home(request: HttpRequest) -> HttpResponse:
    """What waits for the person who is signed in; the plan for everybody else."""
    actor = actor_of(request)
    if not actor.signed_in:
        return redirect("plan")
    sight = sight_of(request)
    body = sight.plan.body_by_code.get(actor.body)
    region = sight.region(actor.region)
    own = _own_standings(sight, body, region)
    context = {
        "body": body, "region": region, "late": sorted((s for s in own if s.state in LATE), key=lambda s: s.state.rank),
        "absent": [s for s in own if s.state is State.NO_DATA], "tally": tally(own), "total": len(own), "sections": waiting(request, sight),
        "may_edit_plan": may(actor, Permission.EDIT_PLAN),
    }  # fmt: skip
    return respond(request, "web/home.html", context)


def _own_standings(sight: Sight, body: Any, region: Any) -> list[Any]:
    """The targets a person answers for: of the county, of the body, or all."""
    if region is not None and region.code != sight.plan.header.city:
        return sight.standings(region.code)
    if body is not None:
        found = {(s.target.id, s.region.code): s for _, _, standings, _ in sight.body_duties(body) for s in standings}
        return list(found.values())
    return sight.standings() if may(sight.actor, Permission.VIEW_INTERNAL, Owner()) else []


def waiting(request: HttpRequest, sight: Sight) -> list[dict[str, Any]]:
    """Sections of work to do. Rooms that hold such work add theirs here; drafts of plans are the first."""
    from lvheng.filing.waiting import sections
    from lvheng.plan.models import PlanDraft

    found: list[dict[str, Any]] = sections(request.user)
    if may(sight.actor, Permission.EDIT_PLAN):
        drafts = PlanDraft.objects.filter(finished=False).order_by("-changed_at")[:8]
        found.append({"title": _("读入待核对的方案"), "items": [(d.get_absolute_url(), d.title, d.summary) for d in drafts], "empty": _("没有待核对的方案。")})  # fmt: skip
    return found
