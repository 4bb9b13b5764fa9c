"""What one person sees of the plan in view: the shared view, cut to what the role may see.

Figures that are published, and synthetic ones, are for everybody. All others need the right to see
internal figures of that region; without it a figure is missing, with the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import get_language

from lvheng.access.roles import Actor, Owner, Permission, may
from lvheng.core.region import Region
from lvheng.observations.serving import view_for
from lvheng.observations.view import Point, TargetStanding, View, current
from lvheng.plan.rules import State
from lvheng.plan.schema import Body, Clause, Plan, Task
from lvheng.shell.context import actor_of

NOT_PUBLIC = "该数据尚未公开。"


class Sight:
    """A view with its reader. ``chosen`` is the plan named in the address, empty for the default one."""

    def __init__(self, view: View, actor: Actor, chosen: str = ""):
        self.view, self.actor, self.chosen = view, actor, chosen
        self.plan: Plan = view.plan

    @cached_property
    def scope(self) -> str:
        """Everything of the reader that changes what is seen."""
        inner = may(self.actor, Permission.VIEW_INTERNAL)
        return f"{self.actor.role}|{self.actor.region}|{self.actor.unit}" if inner else "public"

    def key(self, *parts: object) -> str:
        """Cache key: the state of the data, the reader's scope, the language, and the caller's parts."""
        said = "|".join(map(str, (self.view.fingerprint, self.scope, get_language(), self.chosen, *parts)))
        return f"lvheng.{hashlib.sha256(said.encode()).hexdigest()}"

    def sees(self, region: str, *, open_to_all: bool) -> bool:
        """Whether figures of a region are shown to the reader."""
        owner = None if region == self.plan.header.city else Owner(region)
        return open_to_all or may(self.actor, Permission.VIEW_INTERNAL, owner)

    def _cut(self, standing: TargetStanding) -> TargetStanding:
        open_to_all = standing.synthetic or standing.quality == "published" or standing.value is None
        if self.sees(standing.region.code, open_to_all=open_to_all):
            return standing
        return replace(standing, value=None, period=None, progress=None, state=State.NO_DATA, reason=NOT_PUBLIC)

    def standing(self, target: str, region: str | None = None) -> TargetStanding:
        return self._cut(self.view.standing(target, region))

    def standings(self, region: str | None = None) -> list[TargetStanding]:
        return [self._cut(s) for s in self.view.standings(region)]

    def county_standings(self, target: str) -> list[TargetStanding]:
        return [self._cut(s) for s in self.view.county_standings(target)]

    def path(self, target: str, region: str | None = None) -> list[Point]:
        points = self.view.path(target, region)
        if self.standing(target, region).reason != NOT_PUBLIC:
            return points
        return [replace(p, value=None, forecast=None) for p in points]

    def body_duties(self, body: Body) -> list[tuple[Clause, str, list[TargetStanding], list[Task]]]:
        return [
            (c, role, [self._cut(s) for s in found], tasks) for c, role, found, tasks in self.view.body_duties(body)
        ]

    def region(self, code: str) -> Region | None:
        """A region of the plan by its code; None when there is no such region."""
        return self.plan.regions[code] if code in self.plan.regions else None  # noqa: SIM401 - a tree, not a dict

    def fragment(self, template: str, context: Callable[[], dict[str, Any]], *parts: object) -> str:
        """A rendered part of a page, kept while data, scope and language stay the same."""
        key = self.key("fragment", template, *parts)
        found = cache.get(key)
        if found is None:
            found = render_to_string(template, {"sight": self, **context()})
            cache.set(key, found, 3600)
        return found


CHANGED = "changed"  # in a session: the last event of the audit chain after the person's last change


def own_change(request: HttpRequest) -> int:
    """The event of the audit chain that the reader's own last change was told in, or before; 0 without any."""
    known = settings.SESSION_COOKIE_NAME in request.COOKIES and hasattr(request, "session")
    return int(request.session.get(CHANGED, 0)) if known else 0


def sight_of(request: HttpRequest) -> Sight:
    """The sight of this request, made once. The plan is named by ``?plan=``.

    What is about to change something sees the present; a reader sees at least what he has changed himself.
    """
    found = getattr(request, "_sight", None)
    if found is None:
        chosen = request.GET.get("plan", "")
        reading = request.method in ("GET", "HEAD")
        view = view_for(chosen or None, own_change(request)) if reading else current(chosen or None)
        default = not chosen or view.plans[0].id == chosen
        found = Sight(view, actor_of(request), "" if default else chosen)
        request._sight = found  # type: ignore[attr-defined]
    return found
