"""Bodies and regions of the plan in view by name, for pages that would else show codes."""

from __future__ import annotations

from typing import Any

from django import template

from lvheng.access.models import Invitation, User

register = template.Library()


@register.filter
def place_of(plan: Any, person: User | Invitation) -> str:
    """The body or region that a person stands for, by name."""
    if person.role in ("county", "enterprise", "verifier"):
        return next((r.name for r in plan.regions if r.code == person.region), person.region) if plan else person.region
    return next((b.name for b in plan.bodies if b.code == person.body), person.body) if plan else person.body


@register.filter
def departments(plan: Any) -> list[Any]:
    """The bodies of the plan that a person may belong to."""
    return [b for b in plan.bodies if b.kind not in ("set", "zone")] if plan else []


@register.filter
def counties(plan: Any) -> list[Any]:
    """The city of the plan and its counties."""
    return [r for r in plan.regions if r.code == plan.header.city or r.parent == plan.header.city] if plan else []
