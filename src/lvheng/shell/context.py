"""What every page has: the actor, the plan in view, and the navigation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from lvheng.access.roles import ANYONE, Actor, Permission, may
from lvheng.core.problem import ProblemError

# (address name, title, permission). A room whose address does not exist yet is passed over.
NAVIGATION = (
    ("filings", pgettext_lazy("navigation", "填报"), Permission.VIEW_UNIT),
    ("plan", _("方案"), Permission.VIEW_PUBLIC),
    ("regions", _("县区"), Permission.VIEW_PUBLIC),
    ("bodies", pgettext_lazy("navigation", "责任单位"), Permission.VIEW_PUBLIC),
    ("indicators", pgettext_lazy("navigation", "指标"), Permission.VIEW_PUBLIC),
    ("energy_balance", pgettext_lazy("navigation", "能耗核算"), Permission.VIEW_PUBLIC),
    ("barometer", pgettext_lazy("navigation", "能耗双控"), Permission.VIEW_PUBLIC),
    ("outlets", pgettext_lazy("navigation", "在线监测"), Permission.VIEW_UNIT),
    ("rules", _("规则"), Permission.VIEW_PUBLIC),
    ("verification", _("复算核对"), Permission.VIEW_PUBLIC),
    ("plan_read", pgettext_lazy("navigation", "读方案"), Permission.VIEW_PUBLIC),
    ("people", _("人员"), Permission.ADMINISTER),
    ("audit", _("审计"), Permission.AUDIT),
)


def actor_of(request: HttpRequest) -> Actor:
    """Who asks; anyone who is not signed in is the public."""
    user = getattr(request, "user", None)
    return user.actor if user is not None and user.is_authenticated else ANYONE


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The entries of the top bar that the reader may open."""
    actor, here = actor_of(request), getattr(request.resolver_match, "url_name", "")
    room = request.path.split("/")[1]  # a page deep in a room keeps the room's entry marked
    found = []
    for name, title, permission in NAVIGATION:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        if may(actor, permission):
            found.append({"name": name, "title": title, "url": url, "here": name == here})
    if not any(entry["here"] for entry in found):
        for entry in found:
            entry["here"] = bool(room) and str(entry["url"]).split("/")[1] == room
    return found


def shell(request: HttpRequest) -> dict[str, Any]:
    from lvheng.shell.sight import sight_of

    def sight() -> Any:
        try:
            return sight_of(request)
        except ProblemError:  # the page itself says what is wrong with the plan
            return None

    return {
        "actor": actor_of(request),
        "sight": SimpleLazyObject(sight),
        "navigation": SimpleLazyObject(lambda: navigation(request)),
    }
