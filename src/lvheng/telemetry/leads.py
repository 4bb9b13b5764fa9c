"""Leads of the screens of honesty: kept from round to round, decided by a person with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from lvheng.access.models import append_event
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry.clock import instant
from lvheng.telemetry.models import VERDICTS, Lead, LeadDecision
from lvheng.telemetry.screens import Lead as Found


def keep(found: Iterable[Found], now: datetime | None = None) -> int:
    """Store what the screens found; a lead that meets a known one of its screen and series is that one. Returns how many are new.

    A lead that was decided on is left as it was: the same hours are not brought up again.
    """
    now, hour, made = now or timezone.now(), timedelta(hours=1), 0
    with transaction.atomic():
        known: dict[tuple[str, int], list[Lead]] = {}
        for lead in Lead.objects.select_for_update():
            known.setdefault((lead.screen, lead.factor_id), []).append(lead)
        for x in found:
            first, last, at = instant(x.first), instant(x.last) + hour, instant(x.known) + hour
            mine = known.setdefault((x.screen, x.series), [])
            old = next((y for y in mine if y.first <= last and y.last >= first), None)
            if old is None:
                mine.append(Lead.objects.create(screen=x.screen, factor_id=x.series, first=first, last=last, known=at, seen=x.seen, found=now))  # fmt: skip
                made += 1
            elif old.state == "open" and (last > old.last or x.seen != old.seen):
                old.last, old.seen = max(last, old.last), x.seen
                old.save(update_fields=["last", "seen"])
    return made


def decide(lead: Lead, verdict: str, *, reason: str, by: str) -> LeadDecision:
    """Confirm or exclude a lead; raises ProblemError without a reason. A later decision stands beside the earlier one."""
    if verdict not in VERDICTS:
        raise ProblemError(Problem("telemetry.lead.verdict", "没有这种结论", got=verdict, wanted="确认、排除"))
    if not reason.strip():
        raise ProblemError(Problem("telemetry.lead.reason", "没有写明核查情况", fix="填写核查情况和依据。"))
    with transaction.atomic():
        held = Lead.objects.select_for_update().get(pk=lead.pk)
        made = LeadDecision.objects.create(lead=held, verdict=verdict, reason=reason.strip(), by=by, at=timezone.now())
        held.state = lead.state = verdict
        held.save(update_fields=["state"])
        append_event(
            by,
            "核查疑点线索",
            f"{held.factor.outlet.code} {held.screen} {held.pk}",
            {"结论": str(VERDICTS[verdict]), "情况": reason},
        )
    return made
