"""How figures appear on a page."""

from __future__ import annotations

from decimal import Decimal

from django import template

from lvheng.core.quantity import show

register = template.Library()


@register.filter
def figure(value: Decimal | None, places: int | None = None) -> str:
    """Thousands separators, a true minus sign, a dash for what is missing."""
    return show(value, places)
