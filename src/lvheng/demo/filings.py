"""Filings of a demo site, in every state, for all of its units: the last month that has ended, and for key users the one before.

Quantities follow from what the unit used in the same months of the demonstration, so that nothing contradicts its
history; which state a filing is in follows from the unit's code, so that the same site always looks the same. The
filings accepted are the source of their figures. Everything is 演示数据.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from statistics import median
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from lvheng.access.models import Delegation, User, append_event
from lvheng.access.roles import Role
from lvheng.core.period import Kind, Period
from lvheng.core.source import Confidence, Source
from lvheng.demo.accounts import people
from lvheng.demo.city import load_parameters
from lvheng.demo.units import ELECTRICITY, is_industry
from lvheng.filing import content, forms, registry
from lvheng.filing.models import Answer, Body, Extension, Filing, FilingVersion, Remark, Step
from lvheng.observations import view
from lvheng.observations.models import Observation
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, record

FULL, BRIEF = "energy_purchase", "unit_energy_brief"
BY, FILER, COUNTY, CITY = "演示数据生成器", "演示·单位经办人", "演示·县级审核人", "演示·市级审核人"
ZONE = ZoneInfo("Asia/Shanghai")
# of a hundred units: so many in each state. What is not said of the brief form falls to accepted: it has no city review.
SHARES = (
    ("accepted", 34), ("county_reviewed", 14), ("submitted", 18), ("returned", 8), ("corrected", 6), ("corrected_accepted", 4), ("draft", 6),
    ("extension_asked", 3), ("extension_granted", 3), ("nil", 4),
)  # fmt: skip
PASSED = ("review", "county_review", "accept")
HISTORY: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "draft": (("start",),),
    "extension_asked": (("start", "extension_ask"),),
    "extension_granted": (("start", "extension_ask", "extension_grant"),),
    "submitted": (("start", "submit"),),
    "county_reviewed": (("start", "submit", "review", "county_review"),),
    "accepted": (("start", "submit", *PASSED),),
    "nil": (("start", "nil", "submit", *PASSED),),
    "returned": (("start", "submit", "review", "remark", "return"),),
    "corrected": (("start", "submit", "review", "remark", "return"), ("correct", "submit")),
    "corrected_accepted": (("start", "submit", "review", "remark", "return"), ("correct", "submit", *PASSED)),
}
STATE = {"extension_asked": "draft", "extension_granted": "draft", "corrected": "submitted", "corrected_accepted": "accepted", "nil": "accepted"}  # fmt: skip
ACTORS = {"review": COUNTY, "remark": COUNTY, "return": COUNTY, "county_review": COUNTY, "extension_grant": COUNTY, "accept": CITY}  # fmt: skip
TEXTS = {"return": "请核对用电量", "remark": "能源消费 电力 消费量本月：与供电企业抄表数不符，请核对", "correct": "按抄表数更正",
         "nil": "本月停产检修，没有能源消费", "extension_ask": "抄表推迟，数据未齐"}  # fmt: skip
REASON = "含上年补缴的电费"  # why an odd price stands
MISREAD = Decimal("1.25")  # what was returned had read the meter so
ODD_PRICE = 40  # times the usual: still what the check calls incredible


@dataclass
class _Made:
    """Rows to be written at once."""

    versions: list[FilingVersion] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    remarks: list[tuple[int, Remark]] = field(default_factory=list)  # with the place of its version
    answers: list[Answer] = field(default_factory=list)
    extensions: list[Extension] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


Use = Mapping[int, Mapping[str, Mapping[int, Decimal]]]  # subject → fuel → month → quantity in the fuel's unit


def load_filings(today: date | None = None) -> int:
    """Put filings into a demo site that has none; returns how many. A site whose rulebook lacks the forms gets none."""
    if Filing.objects.exists():
        return 0
    period = content.latest_period(Kind.MONTH, today or timezone.localdate())
    if FULL not in content.book() or BRIEF not in content.book():
        return 0
    full, brief = content.form_at(FULL, period), content.form_at(BRIEF, period)
    with transaction.atomic():
        registry.refresh(since=period.shift(-2).start)
        plan = view.current().plan
        to_try = {p.unit for p in people(plan) if p.role is Role.ENTERPRISE}  # has its form still to file
        factors = {f.code: f.factor for f in load_parameters(plan, settings.DATA_FOLDER).units.fuels}
        units = list(Body.objects.filter(kind="unit", subject__synthetic=True).select_related("subject").order_by("pk"))
        use = _use(units, factors)
        held = _hand_over([b for b in units if b.subject.code not in to_try])
        made = 0
        for when, form, only in ((period.shift(-1), full, "accepted"), (period, full, ""), (period, brief, "")):
            mine = [b for b in units if content.applies(form, b) and (only or b.subject.code not in to_try)]
            known = [b for b in mine if b.subject_id in use]
            chosen = [(b, only or _state(b.subject.code, form)) for b in known]
            if form.entry.nil_return:  # those that have stopped
                chosen += [(b, "nil") for b in mine if b.subject_id not in use]
            made += _fill(form, when, chosen, use, factors, held)
        made += _counties(period)
    return made


def _draw(code: str, purpose: str) -> int:
    """0–99, the same for a unit on every site."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {code}".encode()).digest()[:4], "big") % 100


def _state(code: str, form: forms.Form) -> str:
    draw, found = _draw(code, "filing"), "accepted"
    for state, share in SHARES:
        if draw < share:
            found = state
            break
        draw -= share
    if (found == "county_reviewed" and "city" not in form.entry.reviewers) or (found == "nil" and not form.entry.nil_return):  # fmt: skip
        return "accepted"
    return found


def _hand_over(units: list[Body]) -> dict[str, str]:
    """A few units whose duties a person of another unit of the county holds: unit → who files for it."""
    day, held = timezone.localdate(), {}
    for n, (giver, receiver) in enumerate(zip(units[0:60:20], units[1:60:20], strict=False), 1):
        pair = [
            User.objects.create(
                username=f"filer-{n}-{who}", password="!", role=Role.ENTERPRISE.value, full_name=f"演示·经办人{n}{word}", unit=b.subject.code, region=b.region
            )
            for who, word, b in ((1, "甲", giver), (2, "乙", receiver))
        ]  # fmt: skip
        Delegation.objects.create(
            giver=pair[0], receiver=pair[1], first_day=day - timedelta(days=30), last_day=day + timedelta(days=30), reason="产假期间代办", made_by=pair[0].full_name,
            made_at=timezone.now(),
        )  # fmt: skip
        held[giver.subject.code] = f"{pair[1].full_name}（代{pair[0].full_name}）"
    return held


def _fill(form: forms.Form, period: Period, chosen: list[tuple[Body, str]], use: Use, factors: Mapping[str, Decimal], held: Mapping[str, str]) -> int:  # fmt: skip
    """File the form for each body, in its state; all of them are one posting."""
    due = form.due(period)
    moment = datetime.combine(due - timedelta(days=2), time(9, 30), ZONE)
    Filing.objects.bulk_create(
        (
            Filing(
                form=form.id, body=b, period=period.code, due=due + timedelta(days=20 * (s == "extension_granted")), state=STATE.get(s, s),
                number=len(HISTORY[s]), owner_region=b.region, owner_unit=b.subject.code, changed_at=moment,
                review_started_at=moment if s in ("accepted", "county_reviewed", "nil", "returned") else None,
                review_started_by=COUNTY if s in ("accepted", "county_reviewed", "nil", "returned") else "",
            )
            for b, s in chosen
        ),
        batch_size=500,
    )  # fmt: skip
    filings = {f.body_id: f for f in Filing.objects.filter(form=form.id, period=period.code)}
    source = ensure_source(
        Source(form.title.zh, form.code, "演示填报", confidence=Confidence.UNKNOWN, note="演示数据"), synthetic=True
    )
    made = _Made()
    for n, (body, state) in enumerate(chosen):
        filing = filings[body.pk]
        filing.body = body
        sent = moment + timedelta(days=5 if n % 11 == 0 else 0, seconds=20 * n)
        data = {} if state == "nil" else _rows(form, body, period, use[body.subject_id], factors, odd=n % 9 == 0)
        _one(made, form, filing, state, data, sent, held.get(body.subject.code, FILER), source)
    posting = None
    if made.figures:
        posting = record(
            made.figures, kind="demo", title=f"演示填报：{form.code} {period.label}", by=BY, catalogue=view.catalogue()
        ).posting
    for version in made.versions:
        version.posting = posting if version.state == "accepted" and not version.nil else None
    FilingVersion.objects.bulk_create(made.versions, batch_size=400)
    for place, remark in made.remarks:
        remark.version = made.versions[place]
    Step.objects.bulk_create(made.steps, batch_size=1000)
    Remark.objects.bulk_create((r for _, r in made.remarks), batch_size=1000)
    Answer.objects.bulk_create(made.answers, batch_size=1000)
    Extension.objects.bulk_create(made.extensions, batch_size=1000)
    digests = hashlib.new("sm3", "".join(v.digest for v in made.versions).encode()).hexdigest()
    append_event(
        BY,
        "演示填报",
        f"{form.title.zh} {period.label}",
        {
            "份数": len(chosen),
            "接收": sum(v.state == "accepted" for v in made.versions),
            "版数": len(made.versions),
            "摘要值": digests,
        },
    )
    return len(chosen)


def _one(made: _Made, form: forms.Form, filing: Filing, state: str, data: forms.Data, sent: datetime, filer: str, source: str) -> None:  # fmt: skip
    """One filing with its versions, history, remark, answer, extension and figures."""
    body, period, story = filing.body, filing.when, HISTORY[state]
    for number, actions in enumerate(story, 1):
        last = number == len(story)
        nil = state == "nil"
        given = {} if nil else (data if last else _misread(data))
        at = sent + timedelta(days=number - 1)
        answers = {} if nil else _answered(made, form, filing, given, at, filer, keep=last and "submit" in actions)
        found = [] if nil else forms.check(form, given, forms.Context(period, body.subject.code, answers=answers))
        stored = forms.dump(given)
        made.versions.append(
            FilingVersion(
                filing=filing, number=number, state=STATE.get(state, state) if last else "returned", form_version=form.version, data=stored,
                digest=content.digest_of(stored), origin="nil" if nil else "demo", nil=nil, note=TEXTS["nil"] if nil else "", edits=1,
                findings=content.counts(found), made_at=at, made_by=filer, submitted_at=at if "submit" in actions else None,
            )
        )  # fmt: skip
        for k, action in enumerate(actions):
            by = COUNTY if action == "accept" and "city" not in form.entry.reviewers else ACTORS.get(action, filer)
            if action == "county_review" and "city" not in form.entry.reviewers:
                continue
            made.steps.append(
                Step(filing=filing, number=number, action=action, at=at + timedelta(hours=k), by=by, text=TEXTS.get(action, ""))
            )  # fmt: skip
        if "remark" in actions:
            cell = ("energy", ELECTRICITY, "use_month")
            made.remarks.append(
                (
                    len(made.versions) - 1,
                    Remark(
                        sheet=cell[0],
                        key=cell[1],
                        column=cell[2],
                        got=content.value_at(stored, cell),
                        text="与供电企业抄表数不符，请核对",
                        at=at + timedelta(hours=3),
                        by=COUNTY,
                    ),
                )
            )
    if state.startswith("extension"):
        granted = state == "extension_granted"
        made.extensions.append(
            Extension(
                filing=filing, until=filing.due if granted else filing.due + timedelta(days=20), reason=TEXTS["extension_ask"], asked_at=sent, asked_by=filer,
                state="granted" if granted else "asked", decided_at=sent + timedelta(hours=2) if granted else None, decided_by=COUNTY if granted else "",
            )
        )  # fmt: skip
    if filing.state == "accepted" and state != "nil":
        made.figures += [
            Figure(f.indicator, f.subject, f.period, f.value, f.unit, "filed", source, f.item, f"填报{filing.pk} 第{filing.number}版 {f.reference}")
            for f in forms.figures(form, data, body.subject.code, period)
        ]  # fmt: skip


def _answered(made: _Made, form: forms.Form, filing: Filing, data: forms.Data, at: datetime, filer: str, *, keep: bool) -> dict[tuple[str, str, str, str], str]:  # fmt: skip
    """An odd price is answered before it is submitted; in a draft it is still open."""
    row = next((r for r in data["energy"] if r.key == ELECTRICITY), None)
    amount = row.cells.get("amount") if row else None
    if row is None or amount is None or not keep or Decimal(amount) < 20 * Decimal(row.cells["purchase"] or 0):
        return {}
    cell = ("energy", ELECTRICITY, "amount")
    made.answers.append(
        Answer(
            filing=filing,
            check_id="price",
            sheet=cell[0],
            key=cell[1],
            column=cell[2],
            got=amount,
            reason=REASON,
            at=at,
            by=filer,
        )
    )
    return {("price", *cell): REASON}


# --- counties and the city --------------------------------------------------------------------------------
def _counties(period: Period) -> int:
    """What counties and the statistics of the city filed for the month; none is accepted, so that no figure is made.

    One county's energy is far too small for what its units filed: the reviewer is to see it.
    """
    made = 0
    county, city = (
        content.book().at(f, period.end) if f in content.book() else None
        for f in ("county_monthly", "department_statistics_monthly")
    )
    if county is None:
        return 0
    bodies = list(Body.objects.filter(kind="county").select_related("subject").order_by("region"))
    gives = {p.indicator: p.value for p in county.entry.publishes}
    months = [Period.of_month(period.year - n, period.part).code for n in range(1, 8)]
    rows = Observation.objects.filter(
        subject__in=[b.subject_id for b in bodies], indicator__in=gives, period__in=months
    )
    known: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for o in rows.order_by("period", "vintage"):  # the latest year wins
        if o.value is not None:
            known[o.subject_id][gives[o.indicator]] = o.value
    total: dict[str, Decimal] = defaultdict(Decimal)
    complete = [b for b in bodies if set(known[b.subject_id]) == set(gives.values())]
    for n, body in enumerate(complete):
        growth = Decimal(101 + _draw(body.subject.code, "growth") % 4) / 100
        cells = {c: (v * growth).quantize(Decimal("0.0001")) for c, v in known[body.subject_id].items()}
        if n == 1:
            cells["industry_energy"] = (cells["industry_energy"] / 10).quantize(Decimal("0.0001"))
        for column, value in cells.items():
            total[column] += value
        made += _submitted(county, body, period, {c: f"{v:f}" for c, v in cells.items()})
    office = (
        None
        if city is None
        else Body.objects.filter(kind="department", subject__code__in=city.entry.filer.body).first()
    )
    if city is not None and office is not None and complete:
        made += _submitted(city, office, period, {c.code: f"{total[c.code]:f}" for c in city.sheets[0].columns})
    return made


def _submitted(form: forms.Form, body: Body, period: Period, cells: dict[str, str | None]) -> int:
    """One filing of a single row that waits for the city's review."""
    data = {form.sheets[0].sheet: [forms.Row("", cells)]}
    due, owner = form.due(period), body.owner
    at = datetime.combine(due - timedelta(days=1), time(16, 0), ZONE)
    filing = Filing.objects.create(
        form=form.id, body=body, period=period.code, due=due, state="submitted", owner_region=owner.region, owner_unit=owner.unit, owner_body=owner.body,
        changed_at=at,
    )  # fmt: skip
    stored = forms.dump(data)
    found = forms.check(form, data, forms.Context(period, content.figure_subject(body)))
    digest = content.digest_of(stored)
    FilingVersion.objects.create(
        filing=filing, number=1, state="submitted", form_version=form.version, data=stored, digest=digest, origin="demo", edits=1,
        findings=content.counts(found), made_at=at, made_by=BY, submitted_at=at,
    )  # fmt: skip
    Step.objects.bulk_create(Step(filing=filing, number=1, action=a, at=at, by=BY) for a in ("start", "submit"))
    append_event(BY, "演示填报", f"填报{filing.pk}", {"报表": form.title.zh, "摘要值": digest})
    return 1


# --- what is filed ----------------------------------------------------------------------------------------
def _use(units: list[Body], factors: Mapping[str, Decimal]) -> Use:
    """What each unit used in each calendar month, the latest that is known, in the units of its fuels.

    A month that is not known counts as a usual one. A figure twenty times the usual one is one of the
    demonstration's injected slips, and is not filed once more.
    """
    known = Observation.objects.filter(indicator="energy_use", subject__in=[b.subject_id for b in units])
    last = known.filter(item=ELECTRICITY).aggregate(last=Max("period"))["last"]
    if last is None:
        return {}
    latest = Period.parse(last)
    months = [latest.shift(-n).code for n in range(12)]
    rows = known.filter(period__in=months, mantissa__isnull=False).order_by("vintage")
    tce: dict[int, dict[str, dict[int, Decimal]]] = defaultdict(lambda: defaultdict(dict))
    for subject, item, period, mantissa, scale in rows.values_list(
        "subject_id", "item", "period", "mantissa", "scale"
    ).iterator(chunk_size=20_000):
        if item in factors and mantissa:
            tce[subject][item][int(period[5:7])] = Decimal(mantissa).scaleb(-scale)
    found: dict[int, dict[str, dict[int, Decimal]]] = {}
    for subject, fuels in tce.items():
        kept = {}
        for fuel, values in fuels.items():
            usual = median(values.values())
            filled = {m: values.get(m, usual) for m in range(1, 13)}
            kept[fuel] = {m: (v if v < 20 * usual else usual) / factors[fuel] for m, v in filled.items()}
        if ELECTRICITY in kept:
            found[subject] = kept
    return found


def _rows(form: forms.Form, body: Body, period: Period, use: Mapping[str, Mapping[int, Decimal]], factors: Mapping[str, Decimal], *, odd: bool) -> forms.Data:  # fmt: skip
    """The rows of the form: this month's use and that since January, a few per cent off the year before."""
    growth = Decimal(96 + _draw(body.subject.code, "growth") % 11) / 100
    rows = []
    for fuel, months in use.items():
        quantity = [(months[m] * growth).quantize(Decimal("0.01")) for m in range(1, period.part + 1)]
        month, since, factor = quantity[-1], sum(quantity, Decimal(0)), factors[fuel]
        cells: dict[str, str | None] = {"fuel": fuel, "use_month": f"{month:f}", "use": f"{since:f}", "factor": f"{factor:f}"}  # fmt: skip
        if form.id == BRIEF:
            rows.append(forms.Row(fuel, {**cells, "standard": f"{_cents(month * factor)}"}))
            continue
        industrial = is_industry(body.subject.industry)
        price = _price(form, fuel, period) * (ODD_PRICE if odd and fuel == ELECTRICITY else 1)
        cells |= {
            "opening": "0", "purchase_month": f"{month:f}", "purchase": f"{since:f}", "purchase_outside": "0",
            "amount": f"{(since * price / 1000).quantize(Decimal(1)):f}", "produced": None, "use_industrial": f"{since:f}" if industrial else "0",
            "use_feedstock": "0", "use_other": "0" if industrial else f"{since:f}", "use_transport": "0", "supplied": None, "closing": "0",
            "standard": f"{_cents(since * factor)}",
        }  # fmt: skip
        rows.append(forms.Row(fuel, cells))
    if form.id == FULL:
        total = sum((Decimal(r.cells["standard"] or 0) for r in rows), Decimal(0))
        rows.insert(0, forms.Row("total", {"fuel": "total", "standard": f"{total:f}"}))
    return {"energy": rows}


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))


def _price(form: forms.Form, fuel: str, period: Period) -> Decimal:
    """元 per unit: twice the lower limit of what is credible, or ten where there is none."""
    low = form.attribute(form.sheet("energy"), "price_low", fuel, period.end)
    return low * 4 if low is not None and fuel == ELECTRICITY else low * 2 if low is not None else Decimal(10)


def _misread(data: forms.Data) -> forms.Data:
    """The version that was returned: more electricity than the meter showed, sound in itself."""

    def more(row: forms.Row) -> Iterator[tuple[str, str | None]]:
        for code, value in row.cells.items():
            grows = code.startswith(("use", "purchase", "standard", "amount")) and value not in (None, "0")
            yield code, f"{(Decimal(value or 0) * MISREAD).normalize():f}" if grows else value

    rows = [forms.Row(r.key, dict(more(r)) if r.key == ELECTRICITY else dict(r.cells)) for r in data["energy"]]
    if total := next((r for r in rows if r.key == "total"), None):
        added = sum((Decimal(r.cells["standard"] or 0) for r in rows if r is not total), Decimal(0))
        total.cells["standard"] = f"{added:f}"
    return {"energy": rows}
