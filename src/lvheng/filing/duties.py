"""What is due, by whom, and how it stands: the calendar, the start page, the heat map of completeness."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from lvheng.access.models import User
from lvheng.access.roles import CITYWIDE, Owner, Permission, Role, may
from lvheng.core.period import Period
from lvheng.core.problem import ProblemError
from lvheng.filing import content, review, rules
from lvheng.filing.forms import Form
from lvheng.filing.models import UNDER_REVIEW, Body, Extension, Filing, FilingVersion

PERIODS = {"month": 3, "quarter": 2, "half": 2, "year": 1, "day": 1}  # periods shown back from the last one that ended


@dataclass(frozen=True, slots=True)
class Duty:
    """One form of one body for one period, begun or not."""

    form: Form
    body: Body
    period: Period
    due: date
    filing: Filing | None
    standing: str

    @property
    def open(self) -> bool:
        return self.standing not in ("accepted", "under_review")


def periods(form: Form, today: date) -> list[Period]:
    """The last periods of a form that have ended, latest first."""
    last = content.latest_period(form.frequency, today)
    return [last.shift(-n) for n in range(PERIODS[form.frequency.value])]


def duties(bodies: Sequence[Body], today: date | None = None) -> list[Duty]:
    """All duties of bodies, the most urgent first."""
    day = today or timezone.localdate()
    known = {(f.form, f.body_id, f.period): f for f in Filing.objects.filter(body__in=bodies)}
    found = []
    for form in content.book().all(day):
        for period in periods(form, day):
            try:
                version = content.form_at(form.id, period)
            except ProblemError:  # not yet in force in that period
                continue
            for body in bodies:
                if not body.active or not content.applies(version, body) or (body.since and period.end < body.since):
                    continue
                filing = known.get((form.id, body.pk, period.code))
                due = filing.due if filing else version.due(period)
                found.append(
                    Duty(version, body, period, due, filing, rules.standing(filing.state if filing else None, due, day))
                )
    return sorted(found, key=lambda d: (not d.open, d.due, d.form.code, d.body.subject.code))


def own_bodies(user: User, today: date | None = None) -> list[Body]:
    """The bodies that a person files for: its own and those handed over."""
    wanted, actor = Q(pk__in=[]), user.acting_on(today or timezone.localdate())
    for owner in {user.owner, *actor.stands_in}:
        wanted |= _body_of(owner)
    bodies = Body.objects.filter(wanted).select_related("subject")
    return [b for b in bodies if may(actor, Permission.FILE, b.owner)]


def _body_of(owner: Owner) -> Q:
    if owner.unit:
        return Q(kind="unit", subject__code=owner.unit)
    if owner.body:
        return Q(kind="department", subject__code=owner.body)
    return Q(kind="county", region=owner.region) if owner.region else Q(pk__in=[])


def seen(user: User) -> QuerySet[Filing]:
    """The filings that a person may read."""
    filings = Filing.objects.select_related("body__subject")
    actor = user.acting
    if not may(actor, Permission.VIEW_UNIT):
        return filings.none()
    if actor.role in CITYWIDE:
        return filings
    wanted = Q(pk__in=[])
    if actor.role is Role.COUNTY and actor.region:
        wanted |= Q(owner_region=actor.region)
    elif actor.unit:
        wanted |= Q(owner_unit=actor.unit)
    for owner in actor.stands_in:
        wanted |= Q(owner_region=owner.region, owner_unit=owner.unit, owner_body=owner.body)
    return filings.filter(wanted)


def may_read(user: User, filing: Filing) -> bool:
    actor = user.acting
    return may(actor, Permission.VIEW_UNIT, filing.owner) or may(actor, Permission.FILE, filing.owner)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A filing that waits for a reviewer, with what to look at."""

    filing: Filing
    version: FilingVersion
    form: Form
    risk: int

    @property
    def clean(self) -> bool:
        return self.risk == 0


def inbox(user: User, limit: int = 300) -> list[Waiting]:
    """What waits for this reviewer, the riskiest first, then the oldest."""
    actor = user.acting
    if not (may(actor, Permission.REVIEW_COUNTY) or may(actor, Permission.REVIEW_CITY)):
        return []
    versions = (
        FilingVersion.objects.filter(state__in=UNDER_REVIEW, filing__in=seen(user))
        .select_related("filing__body__subject")
        .defer("data")
    )
    found = []
    for version in versions.order_by("submitted_at")[: limit * 4]:
        filing = version.filing
        form = content.form_of(filing)
        permission = rules.reviewer(filing.state, form.entry.reviewers)
        if permission and may(actor, permission, filing.owner) and version.submitted_by_id != user.pk:
            found.append(Waiting(filing, version, form, review.risk_of(version)))
    found.sort(key=lambda w: (-w.risk, w.version.submitted_at))
    return found[:limit]


def extensions(user: User) -> list[Extension]:
    """Extensions that this person decides."""
    asked = Extension.objects.filter(state="asked", filing__in=seen(user)).select_related("filing__body__subject")
    return [
        e for e in asked if may(user.acting, review.extension_permission(content.form_of(e.filing)), e.filing.owner)
    ]


@dataclass(slots=True)
class Heat:
    """One cell of the heat map: how many have to file, have filed, were accepted, are late."""

    due: int = 0
    filed: int = 0
    accepted: int = 0
    late: int = 0

    @property
    def share(self) -> int | None:
        """Filed of due in whole percent, rounded down so that 100 means all; None when nothing is due."""
        return None if not self.due else self.filed * 100 // self.due

    @property
    def step(self) -> str:
        share = self.share
        return "none" if share is None else "full" if share == 100 else f"s{share // 25}"


def heat(
    user: User, today: date | None = None
) -> tuple[list[Form], list[str], dict[tuple[str, str], Heat], dict[str, Period]]:
    """Completeness of the last period of each form by county; ("" the city's departments)."""
    day = today or timezone.localdate()
    actor = user.acting
    forms_ = content.book().all(day)
    last = {f.id: content.latest_period(f.frequency, day) for f in forms_}
    states: dict[tuple[str, int], Filing] = {}
    for form in forms_:
        for filing in Filing.objects.filter(form=form.id, period=last[form.id].code):
            states[form.id, filing.body_id] = filing
    cells: dict[tuple[str, str], Heat] = defaultdict(Heat)
    bodies = [
        b
        for b in Body.objects.filter(active=True).select_related("subject")
        if may(actor, Permission.VIEW_INTERNAL, Owner(b.region) if b.region else b.owner)
    ]
    for body in bodies:
        for form in forms_:
            period = last[form.id]
            if not content.applies(form, body) or (body.since and period.end < body.since):
                continue
            cell, begun = cells[form.id, body.region], states.get((form.id, body.pk))
            cell.due += 1
            how = rules.standing(begun.state if begun else None, begun.due if begun else form.due(period), day)
            cell.filed += how in ("accepted", "under_review")
            cell.accepted += how == "accepted"
            cell.late += how == "late"
    regions = sorted({region for _, region in cells}, key=lambda r: (r == "", r))
    return [f for f in forms_ if any(c[0] == f.id for c in cells)], regions, cells, last


def summary(found: Iterable[Duty]) -> Counter[str]:
    return Counter(d.standing for d in found)


def upcoming(found: Iterable[Duty], today: date | None = None) -> list[Duty]:
    """Duties to remind of: late, returned, or due within days."""
    day = today or timezone.localdate()
    return [d for d in found if d.open and (d.due <= day + timedelta(days=rules.SOON) or d.standing == "returned")]
