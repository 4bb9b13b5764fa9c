"""What bodies below filed beside a figure under review: units against their county, counties against the city."""

from __future__ import annotations

from dataclasses import dataclass

from lvheng.core.period import Period
from lvheng.filing import content, forms
from lvheng.filing.anchors import anchor
from lvheng.filing.forms import Balance, Form
from lvheng.filing.forms.data import number
from lvheng.filing.forms.entries import Column, Sum
from lvheng.filing.models import UNDER_REVIEW, Body, Filing, FilingVersion
from lvheng.observations import view


@dataclass(frozen=True, slots=True)
class Beside:
    """One figure of a filing with the sum of what was filed below; ``filed`` of ``due`` bodies."""

    entry: Sum
    column: Column
    balance: Balance
    filed: int
    due: int

    @property
    def anchor(self) -> str:
        return anchor(self.entry.sheet, "", self.entry.column)

    @property
    def wrong(self) -> bool:
        return self.balance.agrees is False


def beside(filing: Filing, form: Form, data: forms.Data) -> list[Beside]:
    """Every sum that the form asks for, in the order of the form."""
    found = []
    for entry, home, value in form.sums:
        bodies = below(entry, home, filing.body)
        filed = latest(home, bodies, filing.when)
        given = [forms.filed_value(entry, home, value, d, filing.when) for d in filed]
        row = next(iter(data.get(entry.sheet, ())), None)
        own = number(row.cells.get(entry.column)) if row else None
        balance = forms.balance(entry, own, [g for g in given if g is not None], complete=len(filed) == len(bodies))
        found.append(Beside(entry, form.column(entry.sheet, entry.column), balance, len(filed), len(bodies)))
    return found


def below(entry: Sum, home: Form, body: Body) -> list[Body]:
    """The bodies whose filings make up the sum: they have to file the form, and nobody is counted twice."""
    if entry.below == "counties":
        plan = view.current().plan
        parts = [r.code for r in plan.regions.parts(plan.header.city)]
        wanted = Body.objects.filter(kind="county", region__in=parts)
    else:
        wanted = Body.objects.filter(kind="unit", region=body.region)
    listed = wanted.filter(active=True).select_related("subject")
    return [b for b in listed if content.applies(home, b) and counts(entry, b.subject.industry)]


def counts(entry: Sum, industry: str) -> bool:
    """Whether a unit of that industry (GB/T 4754) belongs to the sum."""
    return entry.divisions is None or entry.divisions[0] <= industry[:2] <= entry.divisions[1]


def latest(home: Form, bodies: list[Body], period: Period) -> list[forms.Data]:
    """What each body filed for the period: the accepted version, else the one under review."""
    versions = FilingVersion.objects.filter(
        filing__form=home.id, filing__period=period.code, filing__body__in=bodies, state__in=("accepted", *UNDER_REVIEW)
    ).order_by("number")
    found: dict[int, FilingVersion] = {}
    for version in versions.select_related("filing"):
        kept = found.get(version.filing.body_id)
        if kept is None or version.state == "accepted" or kept.state != "accepted":
            found[version.filing.body_id] = version
    return [forms.load(v.data) or {} for v in found.values()]
