"""A small city of its own: one county, two units, people of every role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from django.conf import settings

from lvheng.access.models import User
from lvheng.core.codes import credit_check, organisation_check
from lvheng.core.period import Period
from lvheng.filing import forms, registry
from lvheng.filing.models import Body
from lvheng.observations import services as observations
from lvheng.observations.models import Subject

PERIOD = Period.of_month(2026, 3)
FORM = "energy_purchase"


def credit_code(serial: int) -> str:
    body = f"YYYY{serial:04d}"
    first = f"91350100{body}{organisation_check(body)}"
    return first + credit_check(first)


@dataclass(frozen=True)
class People:
    enterprise: User
    colleague: User
    other_enterprise: User
    county: User
    other_county: User
    lead: User
    second_lead: User
    department: User
    auditor: User
    verifier: User
    administrator: User

    def every(self) -> dict[str, User]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def build() -> People:
    """Regions of the plan, two units in two counties, and people."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)  # else the file server complains
    observations.load_plans()
    first, second = Subject.objects.filter(kind="region", parent__code="350100").order_by("code")[:2]
    for serial, region in ((1, first), (2, second)):
        Subject.objects.create(code=credit_code(serial), kind="unit", name=f"试验{serial}号企业", parent=region, industry="3011", attributes={"能源类别": "重点用能单位（万吨以上）"})  # fmt: skip
    registry.refresh(since=date(2026, 1, 1))
    assert Body.objects.filter(kind="unit", energy_class="above_10000").count() == 2

    def person(name: str, role: str, **more: str) -> User:
        return User.objects.create(username=name, full_name=f"{name}某", role=role, password="!", **more)

    unit, other = credit_code(1), credit_code(2)
    return People(
        person("enterprise", "enterprise", unit=unit, region=first.code), person("colleague", "enterprise", unit=unit, region=first.code),
        person("other_enterprise", "enterprise", unit=other, region=second.code), person("county", "county", region=first.code),
        person("other_county", "county", region=second.code), person("lead", "lead", body="development_and_reform"),
        person("second_lead", "lead", body="ecology_and_environment"), person("department", "department", body="water"), person("auditor", "auditor"),
        person("verifier", "verifier", unit=unit, region=first.code), person("administrator", "administrator"),
    )  # fmt: skip


def purchase(electricity: str = "1000", **changes: str | None) -> forms.Data:
    """A clean 205-1 of March: electricity only."""
    use = Decimal(electricity)
    standard = f"{use * Decimal('1.229'):f}"
    cells: dict[str, str | None] = {
        "fuel": "electricity", "opening": "0", "purchase_month": f"{use / 4}", "purchase": electricity, "purchase_outside": "0",
        "amount": f"{use * 6:f}", "use_month": f"{use / 4}", "use": electricity, "use_industrial": electricity, "use_feedstock": "0", "use_other": "0",
        "use_transport": "0", "closing": "0", "factor": "1.229", "standard": standard, **changes,
    }  # fmt: skip
    total = {"fuel": "total", "standard": cells["standard"]}
    return {"energy": [forms.Row("total", dict(total)), forms.Row("electricity", cells)]}
