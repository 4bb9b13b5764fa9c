"""What every page has: the actor, the plan in view, and the navigation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from lvheng.access.roles import ANYONE, Actor


def actor_of(request: HttpRequest) -> Actor:
    """Who asks; anyone who is not signed in is the public."""
    user = getattr(request, "user", None)
    return user.actor if user is not None and user.is_authenticated else ANYONE


def shell(request: HttpRequest) -> dict[str, Any]:
    return {"actor": actor_of(request)}
