"""Row security on PostgreSQL: a query without any condition still shows a unit its own filings only."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import Client
from django.utils import timezone

from lvheng.access.models import Delegation, User
from lvheng.filing import security, services, tokens
from lvheng.filing.models import (
    Answer,
    ApiToken,
    Attachment,
    Body,
    Extension,
    Filing,
    IdempotencyKey,
    ImportJob,
    Letter,
    Remark,
    Reminder,
    step,
)
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase
from tests.support.server import City

ROLE = "lvheng_site"


@pytest.fixture
def plain(town: People) -> Iterator[People]:
    """The connection as a role that is no superuser, as a site should connect."""
    now = timezone.now()
    for n, person in ((1, town.enterprise), (2, town.other_enterprise)):
        filing = services.start(person, FORM, credit_code(n), PERIOD)
        evidence = Attachment.objects.create(filing=filing, name="x", kind="pdf", size=1, digest="x", at=now, by="x")
        Answer.objects.create(filing=filing, check_id="x", reason="x", evidence=evidence, at=now, by="x")
        Remark.objects.create(version=filing.versions.get(), text="x", at=now, by="x")
        Extension.objects.create(filing=filing, until=filing.due, reason="x", asked_at=now, asked_by="x")
        ImportJob.objects.create(filing=filing, name="x", digest="x", at=now, beat=now, by="x")
        step(filing, "import", "x")
        ApiToken.objects.create(user=person, name="x", digest=f"d{n}", tail="x", made_at=now, expires_at=now)
        IdempotencyKey.objects.create(user=person, key="x", request="x", status=200, answer={}, at=now)
        letter = Letter.objects.create(
            person=person, kind="reminder", day=filing.due, address="x@example.cn", subject="x", text="x"
        )
        Reminder.objects.create(
            letter=letter, person=person, form=FORM, body=filing.body, period=filing.period, due=filing.due, stage=1
        )
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
        cursor.execute(f"SET ROLE {ROLE}")
    yield town
    security.release()
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


TABLES = {  # every table of filing that holds rows of a unit → how many of them are one unit's
    "filing_filing": 1, "filing_filingversion": 1, "filing_step": 2, "filing_remark": 1, "filing_attachment": 1, "filing_answer": 1,
    "filing_extension": 1, "filing_importjob": 1, "filing_apitoken": 1, "filing_idempotencykey": 1, "filing_letter": 1, "filing_reminder": 1,
}  # fmt: skip
OPEN = {"filing_apirate"}  # numbers of keys and moments only
OF_PERSONS = {
    "filing_apitoken",
    "filing_idempotencykey",
    "filing_letter",
    "filing_reminder",
}  # seen by their holder, not by its county


def count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])


def as_(user: User | None) -> None:
    security.release()
    if user is not None:
        security.hold(user)


@pytest.mark.postgres
def test_every_table_of_filing_is_walled_or_said_to_be_open() -> None:
    from django.apps import apps

    assert {m._meta.db_table for m in apps.get_app_config("filing").get_models()} == {*TABLES, *OPEN, "filing_body"}


@pytest.mark.postgres
@pytest.mark.parametrize("table", TABLES)
def test_the_database_itself_shows_each_only_its_own(plain: People, table: str) -> None:
    own = TABLES[table]
    as_(None)
    assert count(table) == 2 * own, "commands see all"
    for person in (plain.enterprise, plain.other_enterprise):
        as_(person)
        assert count(table) == own, person.username
    for person in (plain.lead, plain.auditor):
        as_(person)
        assert count(table) == 2 * own, person.username
    for person in (plain.county, plain.other_county, plain.colleague):
        as_(person)
        assert count(table) == (0 if table in OF_PERSONS else own), person.username


@pytest.mark.postgres
def test_the_registry_shows_a_unit_no_other_unit(plain: People) -> None:
    def units() -> list[str]:
        return list(Body.objects.filter(kind="unit").values_list("subject__code", flat=True))

    as_(plain.enterprise)
    assert units() == [credit_code(1)]
    assert Body.objects.exclude(kind="unit").exists(), "counties and departments are no secret"
    as_(plain.other_county)
    assert units() == [credit_code(2)]
    as_(plain.lead)
    assert len(units()) == 2
    as_(plain.enterprise)
    assert Body.objects.filter(subject__code=credit_code(2)).update(phone="1") == 0


@pytest.mark.postgres
def test_who_stands_in_sees_both(plain: People) -> None:
    today = timezone.localdate()
    Delegation.objects.create(
        giver=plain.enterprise, receiver=plain.other_enterprise, first_day=today, last_day=today, reason="离任移交", made_by="x", made_at=timezone.now()
    )  # fmt: skip
    as_(plain.other_enterprise)
    assert count("filing_filing") == 2
    assert count("filing_remark") == 2


@pytest.mark.postgres
def test_the_database_itself_refuses_to_file_for_another(plain: People) -> None:
    other = Filing.objects.get(owner_unit=credit_code(2))
    version = other.versions.get()
    body = other.body
    as_(plain.enterprise)
    assert Filing.objects.filter(pk=other.pk).update(changed_at=other.changed_at) == 0
    now = other.changed_at
    for write in (
        lambda: Filing.objects.create(
            form="x", body=body, period="2026-04", due=other.due, changed_at=now, owner_unit=credit_code(2)
        ),
        lambda: Remark.objects.create(version=version, text="x", at=now, by="x"),
        lambda: Answer.objects.create(filing=other, check_id="y", reason="x", at=now, by="x"),
        lambda: Attachment.objects.create(filing=other, name="x", kind="pdf", size=1, digest="x", at=now, by="x"),
        lambda: ApiToken.objects.create(
            user=plain.other_enterprise, name="x", digest="z", tail="x", made_at=now, expires_at=now
        ),
    ):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            write()


@pytest.mark.postgres
def test_a_person_files_through_the_wall(plain: People) -> None:
    as_(plain.enterprise)
    filing = Filing.objects.get()
    services.save_draft(plain.enterprise, filing.pk, purchase())
    assert services.submit(plain.enterprise, filing.pk).state == "submitted"


@pytest.mark.postgres
def test_pages_and_api_hold_the_wall_and_let_it_go(plain: People) -> None:
    """Signed in as a unit by page and by key: both work behind the wall, and the connection is free again after."""
    key = tokens.issue(plain.enterprise, "试验", "30")
    client = Client()
    client.force_login(plain.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/filing/").status_code == 200
    assert client.get(f"/registry/{credit_code(1)}/").status_code == 200
    assert client.get(f"/registry/{credit_code(2)}/").status_code in (403, 404)
    found = Client().get("/api/filings", HTTP_AUTHORIZATION=f"Bearer {key}").json()
    assert found["count"] == 1
    as_(None)
    assert count("filing_filing") == 2


@pytest.mark.postgres
def test_a_site_set_up_as_told_stands_behind_the_wall(city: City) -> None:
    """``lvheng database user`` makes a role; the site runs, migrates and files as that role, and every wall holds."""
    assert city.run("database", "check").returncode == 1, "the tests' own role is a superuser"
    warned = city.run("manage", "check", "--deploy", "--database", "default")
    assert "超级用户" in warned.stderr
    made = city.run("database", "user", "lvheng_plain", "--password", "long-enough-1")
    assert made.returncode == 0, made.stdout + made.stderr
    assert city.run("database", "user", "lvheng_plain", "--password", "long-enough-2").returncode == 0, "again mends it"
    parts = urlsplit(city.database)
    address = urlunsplit(parts._replace(netloc=f"lvheng_plain:long-enough-2@{parts.hostname}:{parts.port}"))
    as_plain = City(city.home, address)
    checked = as_plain.run("database", "check")
    assert "行级安全有效" in checked.stdout, checked.stdout + checked.stderr
    assert "超级用户" not in as_plain.run("manage", "check", "--deploy", "--database", "default").stderr
    assert as_plain.run("manage", "migrate").returncode == 0
    assert as_plain.run("audit", "verify").returncode == 0
    assert as_plain.run("database", "user", "another", "--password", "long-enough-3").returncode == 1, (
        "it makes no users"
    )
    look = """
from lvheng.filing import security
from lvheng.access.models import Delegation, User
from lvheng.filing.models import Filing
all_ = Filing.objects.count()
security.hold(User.objects.get(username='demo-county'))
print(all_ > Filing.objects.count() > 0)
"""
    assert as_plain.run("manage", "shell", "-v", "0", "-c", look).stdout.strip() == "True"


def test_without_postgresql_the_command_says_that_there_is_no_wall(city: City) -> None:
    if city.database:
        return
    done = city.run("database", "check")
    assert (done.returncode, "没有行级安全" in done.stdout) == (0, True)
    assert city.run("database", "user", "x", "--password", "long-enough-1").returncode == 1
