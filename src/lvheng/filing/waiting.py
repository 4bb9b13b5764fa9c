"""What waits for a person in filing, for the first page of the site."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from lvheng.access.roles import Permission, may
from lvheng.filing import duties

MOST = 6


def sections(user: Any) -> list[dict[str, Any]]:
    """Sections as the first page shows them: title, items (address, title, note), and what an empty one says."""
    from lvheng.shell.words import name_of, period_label

    actor, found = user.acting, []
    if may(actor, Permission.REVIEW_COUNTY) or may(actor, Permission.REVIEW_CITY):
        inbox = duties.inbox(user)
        items = [
            (
                reverse("filing_review", args=[w.filing.pk]),
                f"{w.filing.body.name} {name_of(w.form)} {period_label(w.filing.period)}",
                w.filing.state_label,
            )
            for w in inbox[:MOST]
        ]
        if len(inbox) > MOST:
            items.append((reverse("filing_reviews"), _("全部%(n)s份") % {"n": len(inbox)}, ""))
        found.append({"title": _("待我审核的填报"), "items": items, "empty": _("没有待审核的填报。")})
    if may(actor, Permission.FILE):
        urgent = duties.upcoming(duties.duties(duties.own_bodies(user)))
        items = [
            (d.filing.get_absolute_url() if d.filing else reverse("filings"), f"{name_of(d.form)} {period_label(d.period)}", _("期限 %(day)s") % {"day": f"{d.due:%Y-%m-%d}"})
            for d in urgent[:MOST]
        ]  # fmt: skip
        if len(urgent) > MOST:
            items.append((reverse("filings"), _("全部%(n)s份") % {"n": len(urgent)}, ""))
        found.append({"title": _("待我填报的表"), "items": items, "empty": _("没有即将到期的报表。")})
    return found
