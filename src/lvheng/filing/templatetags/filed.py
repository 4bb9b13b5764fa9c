"""Where a figure was filed, for pages of other rooms."""

from __future__ import annotations

from django import template
from django.utils.html import format_html

from lvheng.filing import provenance
from lvheng.observations.models import Observation

register = template.Library()


@register.simple_tag
def filed_cell(observation: Observation) -> str:
    """A link to the form and cell that the figure came from; otherwise what the store says of its place."""
    found = provenance.cells([observation]).get(observation.pk)
    if found is None:
        return observation.reference
    return format_html('<a href="{}">{}</a>', found.url, found.words)
