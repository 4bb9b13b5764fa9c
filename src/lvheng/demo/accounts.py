"""Accounts of a demo site, one a role.

Passwords follow from the site's own secret key, so that they differ from site to site, can be printed
again, and are stored nowhere but as hashes. A person who changes such a password keeps the new one.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b32encode
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from django.conf import settings
from django.contrib.auth.hashers import identify_hasher, make_password

from lvheng.access.models import User
from lvheng.access.roles import Role
from lvheng.observations.models import Posting, Subject
from lvheng.plan.schema import Body, Plan

CHANGED = "（口令已改）"


@dataclass(frozen=True, slots=True)
class Account:
    """What is printed: name to sign in with, password, role and whom it stands for."""

    username: str
    password: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class _Person:
    username: str
    role: Role
    name: str
    body: str = ""
    region: str = ""
    unit: str = ""


def accounts() -> list[dict[str, str]]:
    """The accounts that can be tried (title, username, password), for the sign-in page; none where there is no demonstration or under HTTPS.

    A site that is served by HTTPS is open to others: there the passwords are printed in the terminal only.
    """
    if settings.HTTPS or not Posting.objects.filter(kind="demo").exists():
        return []
    known = User.objects.filter(username__startswith="demo-").order_by("pk")
    shown = [_shown(user) for user in known if user.is_active]
    return [asdict(a) | {"title": f"{a.role}（{a.name.removeprefix('演示·')}）"} for a in shown]


def ensure_accounts(plan: Plan) -> list[Account]:
    """Make the accounts that are missing; the others stay as they are."""
    known = {u.username: u for u in User.objects.filter(username__startswith="demo-")}
    shown = []
    for person in people(plan):
        user = known.get(person.username)
        if user is None:
            user = User.objects.create(
                username=person.username, password=make_password(_password(person.username), _salt(person.username)), role=person.role.value,
                full_name=person.name, body=person.body, region=person.region, unit=person.unit,
            )  # fmt: skip
        shown.append(_shown(user))
    return shown


def _shown(user: User) -> Account:
    """The password is known as long as the salt is ours: a changed password has a new one."""
    same = identify_hasher(user.password).decode(user.password)["salt"] == _salt(user.username)
    return Account(user.username, _password(user.username) if same else CHANGED, user.role_label, user.full_name)


def _derived(purpose: str, username: str) -> str:
    digest = hmac.new(settings.SECRET_KEY.encode(), f"demo {purpose} {username}".encode(), hashlib.sha256).digest()
    return b32encode(digest).decode().lower().rstrip("=")


def _password(username: str) -> str:
    text = _derived("password", username)
    return "-".join((text[:4], text[4:8], text[8:12], text[12:16]))


def _salt(username: str) -> str:
    return _derived("salt", username)[:32]


def people(plan: Plan) -> Iterator[_Person]:
    """One person a role, of bodies and places that the plan names."""
    leads = Counter(name for note in plan.notes for name in note.lead)
    shared = Counter(name for note in plan.notes for name in note.others)

    def bodies(names: Counter[str]) -> list[Body]:
        found = [plan.body_by_name[n] for n, _ in names.most_common() if n in plan.body_by_name]
        return [b for b in found if b.kind == "department"]

    main = bodies(leads)[:2]
    for n, body in enumerate(main, 1):
        yield _Person("demo-lead" if n == 1 else f"demo-lead{n}", Role.LEAD, f"演示·{body.name}", body.code)
    rest = [b for b in bodies(shared) if b not in main]
    for body in rest[:1]:
        yield _Person("demo-department", Role.DEPARTMENT, f"演示·{body.name}", body.code)
    governments = {b.region: b for b in plan.bodies if b.region and b.region != plan.header.city}
    counties = [r for r in plan.regions.parts(plan.header.city, all_shown=True) if r.kind == "county"]
    users = Counter(Subject.objects.filter(kind="unit", synthetic=True).values_list("parent__code", flat=True))
    chosen = sorted(counties, key=lambda r: (-users[r.code], r.code))[:2]
    for n, county in enumerate(chosen, 1):
        government = governments.get(county.code)
        yield _Person(
            "demo-county" if n == 1 else f"demo-county{n}", Role.COUNTY, f"演示·{county.name}", government.code if government else "", county.code
        )  # fmt: skip
    unit = next((found for c in chosen if (found := _key_user(c.code))), None)
    if unit is not None:
        parent = unit.parent.code if unit.parent else ""
        yield _Person("demo-enterprise", Role.ENTERPRISE, unit.name[:40], "", parent, unit.code)
        yield _Person("demo-verifier", Role.VERIFIER, "演示·核查机构", "", parent, unit.code)
    yield _Person("demo-auditor", Role.AUDITOR, "演示·审计监督")
    yield _Person("demo-admin", Role.ADMINISTRATOR, "演示·系统管理员")


def _key_user(region: str) -> Subject | None:
    """The first unit of the region that files by month, else the first one."""
    units = Subject.objects.filter(kind="unit", parent__code=region, synthetic=True).order_by("code")
    return units.filter(observations__indicator="unit_electricity").first() or units.first()
