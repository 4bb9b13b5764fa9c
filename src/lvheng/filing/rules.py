"""The way of a filing, free of storage: which step may follow which, who reviews next, what is risky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from lvheng.access.roles import Permission

EDITABLE = ("draft",)
REOPENED = ("returned", "withdrawn")  # a new version follows without being asked for
SOON = 7  # days before the deadline from which a filer is reminded
LONGEST_EXTENSION = (
    92  # days after the form's own deadline, the longest quarter: an open deadline would be none; a rule of this system
)


def reviewer(state: str, reviewers: Sequence[str]) -> Permission | None:
    """Whose turn it is: the permission that the next reviewer needs, None when nobody's."""
    if state == "submitted":
        return Permission.REVIEW_COUNTY if "county" in reviewers else Permission.REVIEW_CITY
    return Permission.REVIEW_CITY if state == "county_reviewed" else None


def after_review(state: str, reviewers: Sequence[str]) -> str:
    """The state after the reviewer whose turn it is has nothing against it."""
    return "county_reviewed" if state == "submitted" and "county" in reviewers and "city" in reviewers else "accepted"


def risk(findings: Mapping[str, int], *, late: bool, corrected: bool) -> int:
    """How much a reviewer should look: answered errors weigh most, then warnings, a correction, lateness; 0 is clean."""
    return 20 * findings.get("answered", 0) + 5 * findings.get("warning", 0) + 3 * corrected + 2 * late


def standing(state: str | None, due: date, today: date) -> str:
    """How a duty stands on a day: accepted, under_review, returned, late, soon, open."""
    if state == "accepted":
        return "accepted"
    if state in ("submitted", "county_reviewed"):
        return "under_review"
    if due < today:
        return "late"
    if state == "returned":
        return "returned"
    return "soon" if (due - today).days <= SOON else "open"


def latest_extension(due: date) -> date:
    """The last day to which a deadline may be extended, counted from the form's own deadline, not from an extended one."""
    return due + timedelta(days=LONGEST_EXTENSION)
