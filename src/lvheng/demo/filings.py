"""Filings of a demo site, in every state, for the last month that has ended.

The units that have to file the monthly form of purchase and consumption file what their last known month suggests;
which state each is in follows from its code, so that the same site always looks the same. Everything is 演示数据.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lvheng.access.models import append_event
from lvheng.access.roles import Role
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.demo.accounts import people
from lvheng.filing import content, forms, registry
from lvheng.filing.models import Body, Filing, FilingVersion, Remark, Step
from lvheng.observations import view
from lvheng.observations.models import Observation
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, record

FORM = "energy_purchase"
BY = "演示数据生成器"
# of a hundred units: so many in each state; the rest have not begun
SHARES = (("accepted", 34), ("county_reviewed", 14), ("submitted", 24), ("returned", 8), ("draft", 10))
HISTORY = {
    "draft": ("start",), "submitted": ("start", "submit"), "county_reviewed": ("start", "submit", "review", "county_review"),
    "accepted": ("start", "submit", "review", "county_review", "accept"), "returned": ("start", "submit", "review", "remark", "return"),
}  # fmt: skip


def load_filings(today: date | None = None) -> int:
    """Put filings into a demo site that has none; returns how many. A site whose rulebook lacks the form gets none."""
    if Filing.objects.exists():
        return 0
    period = content.latest_period(Kind.MONTH, today or timezone.localdate())
    try:
        form = content.form_at(FORM, period)
    except ProblemError:
        return 0
    with transaction.atomic():
        registry.refresh(since=period.start)
        to_try = {
            p.unit for p in people(view.current().plan) if p.role is Role.ENTERPRISE
        }  # has its form still to file
        units = (
            Body.objects.filter(kind="unit", subject__synthetic=True)
            .exclude(subject__code__in=to_try)
            .select_related("subject")
        )
        return _fill([b for b in units if content.applies(form, b)], form, period)


def _state(code: str) -> str:
    draw = int.from_bytes(hashlib.sha256(f"filing {code}".encode()).digest()[:4], "big") % 100
    for state, share in SHARES:
        if draw < share:
            return state
        draw -= share
    return ""


def _fill(bodies: list[Body], form: forms.Form, period: Period) -> int:
    power = _electricity(bodies)
    moment = datetime.combine(form.due(period) - timedelta(days=2), time(9, 30), ZoneInfo("Asia/Shanghai"))
    chosen = [(b, s) for b in bodies if (s := _state(b.subject.code)) and b.pk in power]
    Filing.objects.bulk_create(
        Filing(form=FORM, body=b, period=period.code, due=form.due(period), state=s, owner_region=b.region, owner_unit=b.subject.code, changed_at=moment)
        for b, s in chosen
    )  # fmt: skip
    filings = {f.body_id: f for f in Filing.objects.filter(form=FORM, period=period.code)}
    versions, figures, steps = [], [], []
    source = ensure_source(
        Source(form.title.zh, form.code, "演示填报", confidence=Confidence.UNKNOWN, note="演示数据"), synthetic=True
    )
    for n, (body, state) in enumerate(chosen):
        data = _content(power[body.pk], period, answerable=n % 7 == 0)
        found = forms.check(form, data, forms.Context(period, body.subject.code))
        late = n % 11 == 0
        sent = moment + timedelta(days=5 if late else 0, minutes=n)
        stored = forms.dump(data)
        filing = filings[body.pk]
        versions.append(
            FilingVersion(
                filing=filing, number=1, state=state, form_version=form.version, data=stored, digest=content.digest_of(stored), origin="demo", edits=1,
                findings=content.counts(found), made_at=moment, made_by=BY, submitted_at=None if state == "draft" else sent,
            )
        )  # fmt: skip
        steps += [
            Step(filing=filing, number=1, action=a, at=sent, by=BY, text="请核对用电量" if a == "return" else "")
            for a in HISTORY[state]
        ]
        if state == "accepted":
            figures += [
                Figure(f.indicator, f.subject, f.period, f.value, f.unit, "filed", source, f.item, f"填报{filing.pk} 第1版 {f.reference}")
                for f in forms.figures(form, data, body.subject.code, period)
            ]  # fmt: skip
    posting = (
        record(figures, kind="demo", title=f"演示填报：{period.label}", by=BY, catalogue=view.catalogue()).posting
        if figures
        else None
    )
    for version in versions:
        version.posting = posting if version.state == "accepted" else None
    FilingVersion.objects.bulk_create(versions)
    Step.objects.bulk_create(steps)
    returned = FilingVersion.objects.filter(state="returned", filing__form=FORM).defer("data")
    Remark.objects.bulk_create(
        Remark(
            version=v,
            sheet="energy",
            key="electricity",
            column="use_month",
            text="与供电企业抄表数不符，请核对",
            at=moment,
            by=BY,
        )
        for v in returned
    )
    append_event(
        BY,
        "演示填报",
        f"{form.title.zh} {period.label}",
        {"份数": len(versions), "接收": sum(v.state == "accepted" for v in versions)},
    )
    return len(versions)


def _electricity(bodies: list[Body]) -> dict[int, Decimal]:
    """Each unit's electricity of its last known month, 万千瓦时."""
    known = Observation.objects.filter(indicator="unit_electricity", subject__in=[b.subject_id for b in bodies])
    last = known.aggregate(last=Max("period"))["last"]
    by_subject = {b.subject_id: b.pk for b in bodies}
    rows = known.filter(period=last).order_by("vintage")
    return {by_subject[o.subject_id]: o.value.quantize(Decimal("0.01")) for o in rows if o.value}


def _content(power: Decimal, period: Period, *, answerable: bool) -> forms.Data:
    """Electricity alone: this month ``power``, since January as many months of it; some with an odd price."""
    use, factor = power * period.part, Decimal("1.229")
    price = Decimal("0.9") if answerable else Decimal("6.2")  # 千元 per 万千瓦时
    standard = f"{(use * factor).quantize(Decimal('0.01')):f}"
    cells = {
        "fuel": "electricity", "opening": "0", "purchase_month": f"{power:f}", "purchase": f"{use:f}", "purchase_outside": "0", "amount": f"{(use * price).quantize(Decimal(1)):f}",
        "produced": None, "use_month": f"{power:f}", "use": f"{use:f}", "use_industrial": f"{use:f}", "use_feedstock": "0", "use_other": "0", "use_transport": "0",
        "supplied": None, "closing": "0", "factor": f"{factor}", "standard": standard,
    }  # fmt: skip
    return {"energy": [forms.Row("total", {"fuel": "total", "standard": standard}), forms.Row("electricity", cells)]}
