"""Row security on PostgreSQL: a query without any condition still shows a unit its own filings only."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import ProgrammingError, connection, transaction

from lvheng.access.models import User
from lvheng.filing import security, services
from lvheng.filing.models import Filing, FilingVersion, Step
from tests.filing.town import FORM, PERIOD, People, credit_code

ROLE = "lvheng_site"


@pytest.fixture
def plain(town: People) -> Iterator[People]:
    """The connection as a role that is no superuser, as a site should connect."""
    services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    services.start(town.other_enterprise, FORM, credit_code(2), PERIOD)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE} NOLOGIN")
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
        cursor.execute(f"SET ROLE {ROLE}")
    yield town
    security.release()
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def seen(user: User | None) -> tuple[int, int, int]:
    security.release()
    if user is not None:
        security.hold(user)
    return Filing.objects.count(), FilingVersion.objects.count(), Step.objects.count()


@pytest.mark.postgres
def test_the_database_itself_shows_each_only_its_own(plain: People) -> None:
    assert seen(None) == (2, 2, 2)
    for person in (plain.enterprise, plain.colleague, plain.other_enterprise, plain.county, plain.other_county):
        assert seen(person) == (1, 1, 1), person.username
    for person in (plain.lead, plain.auditor):
        assert seen(person) == (2, 2, 2), person.username


@pytest.mark.postgres
def test_the_database_itself_refuses_to_file_for_another(plain: People) -> None:
    other = Filing.objects.get(owner_unit=credit_code(2))
    security.hold(plain.enterprise)
    assert Filing.objects.filter(pk=other.pk).update(changed_at=other.changed_at) == 0
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        Filing.objects.create(
            form="x",
            body=other.body,
            period="2026-04",
            due=other.due,
            changed_at=other.changed_at,
            owner_unit=credit_code(2),
        )


@pytest.mark.postgres
def test_a_person_files_through_the_wall(plain: People) -> None:
    security.hold(plain.enterprise)
    from tests.filing.town import purchase

    filing = Filing.objects.get()
    services.save_draft(plain.enterprise, filing.pk, purchase())
    assert services.submit(plain.enterprise, filing.pk).state == "submitted"
