"""From a figure down to the form, sheet and cell that it came from, and from a county's figure to its units' forms.

That a county's figure rests on what its units file is said by ``sums`` of the county's form; the figures are the
accepted ones of the store, as of the position in view.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.urls import reverse

from lvheng.access.roles import Actor, Owner, Permission, may
from lvheng.core.formula.exact import total
from lvheng.core.period import Period
from lvheng.core.quantity import factor
from lvheng.filing import content, review
from lvheng.filing.anchors import anchor
from lvheng.filing.forms.entries import Sum
from lvheng.filing.models import Filing
from lvheng.filing.sums import counts
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject

REFERENCE = re.compile(r"填报(\d+) 第(\d+)版 ([^/ ]+)/(.*)")


@dataclass(frozen=True, slots=True)
class FiledCell:
    """The cell of a filing that a figure was read from."""

    url: str
    words: str


@dataclass(frozen=True, slots=True)
class FiledFigure:
    """One figure of a unit, with its cell when it came by a form."""

    observation: Observation
    cell: FiledCell | None


@dataclass(slots=True)
class FiledUnit:
    """A unit with its figures of one period and their sum."""

    subject: Subject
    value: Decimal
    figures: list[FiledFigure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FiledBelow:
    """What units filed below a county's figure; ``hidden`` units are not for this reader."""

    entry: Sum
    unit: str
    units: list[FiledUnit]
    value: Decimal | None
    hidden: int


def rests_on(indicator: str, period: Period, below: str) -> Sum | None:
    """The sum over ``below`` (units, counties) that figures of the indicator are held against, None when there is none."""
    for form in content.book().all(period.end):
        if form.frequency is not period.kind:
            continue
        for entry, _home, _value in form.sums:
            gives = (p.indicator for p in form.entry.publishes if (p.sheet, p.value) == (entry.sheet, entry.column))
            if entry.below == below and (entry.indicator or below == "counties") and indicator in gives:
                return entry
    return None


def below(actor: Actor, indicator: str, region: str, period: Period, position: int) -> FiledBelow | None:
    """What the region's units filed, as of a ledger position; None where nothing is said to be below."""
    entry = rests_on(indicator, period, "units")
    if entry is None:
        return None
    subjects = {
        s.pk: s
        for s in Subject.objects.filter(kind="unit", parent__code=region).select_related("parent")
        if counts(entry, s.industry)
    }
    latest: dict[tuple[int, str], Observation] = {}
    rows = Observation.objects.filter(
        subject__in=subjects, indicator=entry.indicator, period=period.code, posting__lte=position
    )
    for o in rows.order_by("vintage"):
        latest[o.subject_id, o.item] = o
    kept = [o for o in latest.values() if o.value is not None]
    known = cells(kept)
    unit = view.catalogue()[entry.indicator].unit
    units: dict[int, FiledUnit] = {}
    for o in sorted(kept, key=lambda o: o.item):
        found = units.setdefault(o.subject_id, FiledUnit(subjects[o.subject_id], Decimal(0)))
        found.value = total([found.value, (o.value or Decimal(0)) * factor(o.unit, unit)])
        found.figures.append(FiledFigure(o, known.get(o.pk)))
    seen = [u for u in units.values() if may(actor, Permission.VIEW_UNIT, Owner(region, u.subject.code))]
    value = total([u.value for u in units.values()]) if units and len(seen) == len(units) else None
    by_form = sorted(seen, key=lambda u: (not any(f.cell for f in u.figures), -u.value, u.subject.code))
    return FiledBelow(entry, unit, by_form, value, len(units) - len(seen))


def cells(observations: Iterable[Observation]) -> dict[int, FiledCell]:
    """The cells that figures came from, by observation; figures that came by no form are left out."""
    named = {o.pk: (o, m) for o in observations if (m := REFERENCE.fullmatch(o.reference))}
    filings = Filing.objects.select_related("body__subject").in_bulk({int(m[1]) for _, m in named.values()})
    found = {}
    for pk, (o, m) in named.items():
        filing = filings.get(int(m[1]))
        if filing is None:
            continue
        form, sheet = content.form_of(filing), m[3]
        key, column = "", ""
        for publish, gives, _where in form.publishes:
            if (publish.indicator, publish.sheet) == (o.indicator, sheet) and m[4].endswith(f"/{publish.value}"):
                key = m[4][: -len(publish.value) - 1]
                column = next((r.column for r in gives.refs.values() if r.how == "same" and not r.source), "")
        url = f"{reverse('filing', args=[filing.pk])}?version={m[2]}#{anchor(sheet, key, column)}"
        words = f"{form.code} {review.cell_words(form, (sheet, key, column))} 第{m[2]}版"
        found[pk] = FiledCell(url, words)
    return found
