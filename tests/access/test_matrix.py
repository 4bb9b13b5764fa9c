"""Every address × every role × own and other body, from the table of addresses, so that a new page cannot be forgotten.

A page of filing or of accounts that is not in ``EXPECTED`` fails here. Of other rooms' pages the common rules are held:
no answer is a breakdown, and nobody changes anything without signing in unless the page is made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve
from django.utils import timezone

from tests.filing.town import FORM, PERIOD, People, credit_code, purchase

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Route:
    name: str
    path: str  # with {param}
    params: tuple[str, ...]
    room: str


def routes() -> list[Route]:
    return list(_routes(get_resolver().url_patterns, "", ""))


def _routes(patterns: Any, prefix: str, room: str) -> Iterator[Route]:
    for p in patterns:
        where = prefix + str(p.pattern)
        if isinstance(p, URLResolver):
            module = getattr(
                p.urlconf_name, "__name__", str(p.urlconf_name) if isinstance(p.urlconf_name, str) else room
            )
            yield from _routes(p.url_patterns, where, module if module.startswith("lvheng") else room)
        elif isinstance(p, URLPattern):
            path = where
            for name, converter in p.pattern.converters.items():
                for written in (f"<{type(converter).__name__.removesuffix('Converter').lower()}:{name}>", f"<{name}>"):
                    path = path.replace(written, f"{{{name}}}")
                for kind in ("int", "str", "slug", "path", "uuid"):
                    path = path.replace(f"<{kind}:{name}>", f"{{{name}}}")
            yield Route(
                p.name or getattr(p.callback, "__name__", ""),
                "/" + path,
                tuple(p.pattern.converters),
                room or p.callback.__module__,
            )


@dataclass
class Ground:
    """What the addresses are asked for: a unit's filing under review, and another's."""

    people: People
    filing: dict[str, int]
    unit: dict[str, str]
    job: dict[str, int]
    attachment: dict[str, int]
    extension: dict[str, int]
    invitation: str
    token: int
    letter: int


@pytest.fixture
def ground(town: People) -> Ground:
    from lvheng.access.models import Invitation
    from lvheng.filing import evidence, services
    from lvheng.filing.models import ApiToken, Attachment, Extension, ImportJob, Letter

    own = services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    other = services.start(town.other_enterprise, FORM, credit_code(2), PERIOD)
    now = timezone.now()
    found: dict[str, dict[str, int]] = {"job": {}, "attachment": {}, "extension": {}}
    digest = evidence.keep(b"%PDF-1.4 %%EOF")
    for side, filing, person in (("own", own, town.enterprise), ("other", other, town.other_enterprise)):
        found["job"][side] = ImportJob.objects.create(
            filing=filing, name="x.csv", digest=digest, state="failed", at=now, beat=now, by="x"
        ).pk
        found["attachment"][side] = Attachment.objects.create(
            filing=filing, name="x.pdf", kind="pdf", size=1, digest=digest, at=now, by="x"
        ).pk
        found["extension"][side] = Extension.objects.create(
            filing=filing, until=date(2030, 1, 1), reason="x", asked_at=now, asked_by="x"
        ).pk
        services.save_draft(person, filing.pk, purchase())
        services.submit(person, filing.pk)
    token = ApiToken.objects.create(
        user=town.enterprise, name="x", digest="ground", tail="x", made_at=now, expires_at=now + timedelta(days=1)
    )
    letter = Letter.objects.create(
        person=town.enterprise,
        kind="digest",
        day=date(2026, 4, 1),
        address="x@example.cn",
        subject="x",
        text="x",
        state="failed",
        tries=1,
    )
    Invitation.objects.create(
        digest="x", full_name="x", role="county", made_by="x", made_at=now, expires_at=now + timedelta(days=1)
    )
    return Ground(
        town,
        {"own": own.pk, "other": other.pk},
        {"own": credit_code(1), "other": credit_code(2)},
        **found,
        invitation="x",
        token=token.pk,
        letter=letter.pk,
    )


# --- who is let in; "own" is the first unit and its county ------------------------------------------------
SIDE = {"own": ("enterprise", "colleague", "verifier", "county"), "other": ("other_enterprise", "other_county")}
CITY = {"lead", "second_lead", "department", "auditor"}
UNIT = {"own": {"enterprise", "colleague"}, "other": {"other_enterprise"}}
COUNTY = {"own": {"county"}, "other": {"other_county"}}
EVERY = {
    "enterprise",
    "colleague",
    "other_enterprise",
    "county",
    "other_county",
    "lead",
    "second_lead",
    "department",
    "auditor",
    "verifier",
    "administrator",
}
FILERS = {"enterprise", "colleague", "other_enterprise", "county", "other_county", "lead", "second_lead", "department"}
INNER = {"county", "other_county", "lead", "second_lead", "department", "auditor"}
Who = Callable[[str], set[str]]


def same(people: set[str]) -> Who:
    return lambda side: people


def readers(side: str) -> set[str]:
    return CITY | UNIT[side] | COUNTY[side] | ({"verifier"} if side == "own" else set())


def inner_readers(side: str) -> set[str]:
    return CITY | COUNTY[side]


def filers(side: str) -> set[str]:
    return UNIT[side]


def keepers(side: str) -> set[str]:
    return {"administrator", "lead", "second_lead"} | COUNTY[side]


def reviewers(side: str) -> set[str]:
    return COUNTY[side]  # a unit's monthly form waits for the county first


# name → (who may read by GET, who may act by POST); None: the method is not offered
EXPECTED: dict[str, tuple[Who | None, Who | None]] = {
    "filings": (same(EVERY - {"administrator"}), None),
    "filing_start": (None, same(FILERS)),
    "filing_completeness": (same(INNER), None),
    "filing_keys": (same(FILERS), same(FILERS)),
    "filing": (readers, None),
    "filing_save": (None, filers),
    "filing_act": (None, filers),
    "filing_template": (readers, None),
    "filing_attachment": (readers, None),
    "filing_history": (readers, None),
    "filing_upload": (None, filers),
    "filing_import": (readers, None),
    "filing_marked": (readers, None),
    "filing_import_act": (None, filers),
    "filing_reviews": (same(INNER), same({"county", "other_county", "lead", "second_lead"})),
    "filing_review": (inner_readers, None),
    "filing_review_act": (None, reviewers),
    "filing_extension": (None, reviewers),
    "filing_bodies": (same(EVERY), same({"administrator", "lead", "second_lead"})),
    "filing_body_add": (same({"administrator", "lead", "second_lead", "county", "other_county"}), same({"administrator", "lead", "second_lead", "county", "other_county"})),
    "filing_body": (lambda side: readers(side) | {"administrator"}, keepers),
    "people": (same({"administrator"}), None),
    "person": (same({"administrator"}), same({"administrator"})),
    "person_invite": (same({"administrator"}), same({"administrator"})),
    "invitation_withdraw": (None, same({"administrator"})),
    "person_leave": (None, same({"administrator"})),
    "person_password": (None, same({"administrator"})),
    "person_factor_reset": (None, same({"administrator"})),
    "safety": (same({"administrator"}), same({"administrator"})),
    "filing_tokens": (same({"administrator"}), None),
    "filing_token_revoke": (None, same({"administrator"})),
    "filing_reminders": (same({"administrator"}), same({"administrator"})),
    "filing_letter": (same({"administrator"}), same({"administrator"})),
    "filing_extensions": (same({"administrator", "auditor"}), None),
    "account": (same(EVERY), None),
    "account_contact": (None, same(EVERY)),
    "second_factor": (same(EVERY), None),
    "second_factor_act": (None, same(EVERY)),
    "account_password": (None, same(EVERY)),
    "account_hand_over": (None, same(EVERY)),
    "account_take_back": (None, same(EVERY)),
    "audit": (same({"auditor", "administrator"}), None),
}  # fmt: skip
FOR_ANYBODY = {
    "join",
    "password_reset",
    "sign_in_code",
    "sign_in_enrol",
    "api_docs",
    "openapi-json",
    "api-root",
}  # without an account, and harmless
OPEN = {  # pages that answer somebody without an account; those of monitoring show published or synthetic outlets only
    "plan", "plan_read", "shapes", "regions", "bodies", "indicators", "rules", "verification", "search", "sign_in", "api_docs", "openapi-json",
    "barometer", "energy_balance", "energy_fuels", "energy_sectors", "energy_industries", "energy_deductions", "outlets", "telemetry_alarms", "telemetry_leads", "telemetry_rates",
}  # fmt: skip
EXAMPLES: dict[str, str] = {}  # parameter → a value that its converter takes
CHANGES_WITHOUT_ACCOUNT = {"language", "set_language", "plan_read", "sign_in", "sign_out", "join", "openapi-json"}


def address(route: Route, ground: Ground, side: str) -> str:
    given = {
        "pk": ground.filing[side], "job": ground.job[side], "attachment_id": ground.attachment[side], "extension_id": ground.extension[side],
        "code": ground.unit[side], "name": {"filing_act": "submit", "filing_import_act": "confirm", "filing_review_act": "begin", "second_factor_act": "confirm"}.get(route.name, "x"),
        "user_id": ground.people.enterprise.pk, "invitation_id": 1, "delegation_id": 1, "secret": "none", "form": FORM,
        "token_id": ground.token, "letter_id": ground.letter, **EXAMPLES,
    }  # fmt: skip
    return route.path.format(**{p: given.get(p, 1) for p in route.params})


def let_in(response: Any) -> bool:
    if response.status_code in (301, 302) and "/sign-in/" in response["Location"]:
        return False
    return response.status_code not in (401, 403, 404)


def ours() -> list[Route]:
    return [
        r for r in routes() if r.room.startswith(("lvheng.filing", "lvheng.access")) and not r.path.startswith("/api/")
    ]


def test_every_address_of_the_table_is_really_asked(ground: Ground) -> None:
    """The address that is made for a route leads to that route, so that no answer of another page is taken for it."""
    faults = []
    for route in routes():
        url = address(route, ground, "own")
        try:
            match = resolve(url)
        except Resolver404:
            faults.append(f"{route.name}: {url} leads nowhere; name an example of {route.params} in EXAMPLES")
            continue
        if match.url_name != route.name and not route.path.startswith("/api/"):  # there the method tells them apart
            faults.append(f"{route.name}: {url} leads to {match.url_name}")
    assert not faults, "\n".join(faults)
    assert len(routes()) > 100, "the table was read"
    assert {r.room.split(".")[1] for r in routes() if r.room.startswith("lvheng.")} >= {"access", "filing", "web"}


def test_what_is_open_to_anybody_is_named(ground: Ground) -> None:
    """A page of any room that answers somebody without an account must stand in OPEN."""
    client, faults = Client(), []
    for route in routes():
        response = client.get(address(route, ground, "own"))
        if response.status_code >= 500:
            faults.append(f"{route.name}: {response.status_code}")
        elif response.status_code == 200 and route.name not in OPEN:
            faults.append(f"{route.name} answers anybody: ask for an account, or say in OPEN that it is public")
    assert not faults, "\n".join(faults)


def test_no_page_of_filing_or_accounts_is_forgotten() -> None:
    missing = {r.name for r in ours()} - set(EXPECTED) - FOR_ANYBODY
    assert not missing, f"say in EXPECTED who may open: {sorted(missing)}"


@pytest.mark.parametrize("side", ["own", "other"])
def test_everybody_is_let_in_exactly_where_it_may(ground: Ground, side: str) -> None:
    faults = []
    people = ground.people.every()
    clients: dict[str, Client] = {"": Client()}
    for name, person in people.items():
        clients[name] = Client()
        clients[name].force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    from django.db import transaction

    for route in ours():
        if route.name in FOR_ANYBODY:
            continue
        for method, who in zip(("GET", "POST"), EXPECTED[route.name], strict=True):
            for name, client in clients.items():
                try:
                    with transaction.atomic():
                        if route.name == "filing_save" and method == "POST":
                            response = client.post(
                                address(route, ground, side), data="{}", content_type="application/json"
                            )
                        else:
                            response = (
                                client.generic(method, address(route, ground, side))
                                if method == "GET"
                                else client.post(address(route, ground, side), {"number": "1"})
                            )
                        if method == "POST":
                            transaction.set_rollback(True)  # each asks the same ground
                except Exception as error:
                    faults.append(f"{name} {method} {route.name}: {type(error).__name__} {error}")
                    continue
                wanted = who is not None and name in who(side)
                if who is None:
                    good = response.status_code in (302, 403, 404, 405)
                else:
                    good = let_in(response) == wanted
                if response.status_code >= 500 or not good:
                    faults.append(
                        f"{name or 'nobody'} {method} {route.name} {side}: {response.status_code}, wanted {'in' if wanted else 'out'}"
                    )
    assert not faults, "\n".join(faults)


def api_operations() -> list[tuple[str, str]]:
    from lvheng.filing.api import api

    return [
        (method.upper(), path)
        for path, found in api.get_openapi_schema(path_prefix="/api/")["paths"].items()
        for method in found
    ]


@pytest.mark.parametrize("side", ["own", "other"])
def test_the_api_lets_in_as_the_pages_do(ground: Ground, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import transaction

    from lvheng.filing.models import ApiRate, ApiToken
    from lvheng.filing.tokens import _digest

    now = timezone.now()
    people = ground.people.every()
    for name, person in people.items():
        ApiToken.objects.create(
            user=person,
            name="x",
            digest=_digest(f"key-{name}"),
            tail="x",
            made_at=now,
            expires_at=now + timedelta(days=1),
        )
    ApiToken.objects.create(
        user=ground.people.enterprise,
        name="x",
        digest=_digest("key-old"),
        tail="x",
        made_at=now,
        expires_at=now - timedelta(days=1),
    )
    faults = []
    bodies = {
        "/api/filings": {"form": FORM, "body": ground.unit[side], "period": PERIOD.code}, "/api/filings/{pk}": {"sheets": {}},
        "/api/filings/{pk}/dry-run": {"sheets": {}}, "/api/filings/{pk}/correct": {"reason": "x"}, "/api/filings/{pk}/nil": {"reason": "x"},
        "/api/filings/{pk}/answers": {"check": "x", "reason": "原因说明"}, "/api/filings/{pk}/extensions": {"until": "2030-01-02", "reason": "x"}, "/api/filings/{pk}/submit": {},
    }  # fmt: skip
    for method, path in api_operations():
        for name in ("", "old", "wrong", *people):
            ApiRate.objects.all().delete()  # the rate is another test's business
            url = path.format(pk=ground.filing[side], job=ground.job[side], form=FORM)
            more: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer key-{name}"} if name else {}
            with transaction.atomic():
                if path.endswith(("/file", "/attachments")):
                    from django.core.files.uploadedfile import SimpleUploadedFile

                    response = Client().post(url, {"file": SimpleUploadedFile("x.pdf", b"%PDF-1.4 %%EOF")}, **more)
                else:
                    response = Client().generic(
                        method, url, __import__("json").dumps(bodies.get(path, {})), "application/json", **more
                    )
                transaction.set_rollback(True)
            if "{pk}" in path:
                wanted = name in (readers(side) if method == "GET" else filers(side))
            elif method == "POST":
                wanted = name in filers(side)
            else:
                wanted = name in people
            answered = response.status_code not in (401, 403) and not (
                response.status_code == 404 and "filing.unknown" in response.content.decode()
            )
            if response.status_code >= 500 or answered != wanted:
                faults.append(
                    f"{name or 'nobody'} {method} {path} {side}: {response.status_code}, wanted {'in' if wanted else 'out'} {response.content.decode()[:120]}"
                )
            if response.status_code >= 400 and response["Content-Type"] != "application/problem+json":
                faults.append(f"{method} {path}: {response['Content-Type']}")
    assert not faults, "\n".join(faults)


def test_nobody_changes_anything_without_signing_in(ground: Ground) -> None:
    faults = []
    client = Client()
    for route in routes():
        if route.name in CHANGES_WITHOUT_ACCOUNT or route.path.startswith("/static"):
            continue
        url = address(route, ground, "own")
        response = client.post(url)
        if response.status_code < 300 or response.status_code >= 500:
            if (
                response.status_code == 200
                and response.headers.get("Cache-Control", "").startswith("private")
                and not response.cookies
            ):
                continue  # a page for everybody that answers POST as GET
            faults.append(f"POST {route.name} {url}: {response.status_code}")
    assert not faults, "\n".join(faults)
