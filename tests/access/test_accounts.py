"""Accounts: invitations, passwords, handing over; the audit chain names the first altered row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from lvheng.access import services
from lvheng.access.models import AuditEvent, User, append_event, verify_chain
from lvheng.core.problem import ProblemError
from tests.filing.town import People

GOOD = "长乐-江田-7731-潮"


def test_an_invitation_opens_one_account_with_the_role_it_was_made_for(town: People) -> None:
    secret = services.invite(town.administrator, {"full_name": "林某", "role": "county", "region": "350102"})
    made = services.join(secret, "lin", GOOD)
    assert (made.role, made.region, made.check_password(GOOD)) == ("county", "350102", True)
    with pytest.raises(ProblemError):
        services.join(secret, "lin2", GOOD)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"full_name": "x"},
        {"full_name": "x", "role": "root"},
        {"full_name": "x", "role": "public"},
        {"full_name": "x", "role": "enterprise"},
    ],
)
def test_an_incomplete_invitation_is_refused(town: People, given: dict[str, str]) -> None:
    with pytest.raises(ProblemError):
        services.invite(town.administrator, given)


@pytest.mark.parametrize("password", ["", "short", "1234567890123", "password123", "lin-lin-lin"])
def test_weak_passwords_are_refused_and_leave_no_account(town: People, password: str) -> None:
    secret = services.invite(town.administrator, {"full_name": "林某", "role": "auditor"})
    with pytest.raises(ProblemError):
        services.join(secret, "lin-lin-lin", password)
    assert not User.objects.filter(username="lin-lin-lin").exists()


def test_only_administrators_invite_and_nobody_promotes_itself(town: People) -> None:
    for name, person in town.every().items():
        if name != "administrator":
            with pytest.raises(ProblemError):
                services.invite(person, {"full_name": "x", "role": "administrator"})
    with pytest.raises(ProblemError):
        services.change_person(town.administrator, town.administrator.pk, {"role": "lead"})


def test_duties_go_to_people_who_file_and_come_back(town: People) -> None:
    today = timezone.localdate()
    with pytest.raises(ProblemError):
        services.hand_over(town.enterprise, "auditor", today, today, "出差")
    with pytest.raises(ProblemError):
        services.hand_over(town.enterprise, "colleague", today, today - timedelta(days=1), "出差")
    made = services.hand_over(town.enterprise, "colleague", today, today, "出差")
    assert town.enterprise.owner in User.objects.get(username="colleague").acting.stands_in
    services.take_back(town.colleague, made.pk)
    assert User.objects.get(username="colleague").acting.stands_in, "only the giver takes back"
    services.take_back(town.enterprise, made.pk)
    assert not User.objects.get(username="colleague").acting.stands_in


def test_duties_stay_in_the_body_and_no_account_is_betrayed(town: People) -> None:
    today = timezone.localdate()
    said = set()
    for receiver in ("other_county", "county", "other_enterprise", "lead", "auditor", "enterprise", "nobody-at-all"):
        with pytest.raises(ProblemError) as error:
            services.hand_over(town.enterprise, receiver, today, today, "出差")
        problem = error.value.problems[0]
        assert problem.got == receiver
        said.add((problem.code, problem.message, problem.wanted, problem.fix))
    assert len(said) == 1, "the answer does not tell whether the account exists"
    with pytest.raises(ProblemError):
        services.set_leaving(town.administrator, town.enterprise.pk, today, "other_county")
    services.set_leaving(town.administrator, town.enterprise.pk, today, "other_enterprise")


@pytest.mark.parametrize("attack", ["change", "remove"])
def test_the_chain_names_the_first_altered_row(db: None, attack: str) -> None:
    for n in range(6):
        append_event("甲", "试验", f"对象{n}")
    assert verify_chain()[1] is None
    victim = AuditEvent.objects.order_by("id")[2].pk
    with connection.cursor() as cursor:  # as somebody who holds the database file
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE access_auditevent DISABLE TRIGGER USER")
        else:
            cursor.execute("DROP TRIGGER access_auditevent_no_update")
            cursor.execute("DROP TRIGGER access_auditevent_no_delete")
        if attack == "change":
            cursor.execute("UPDATE access_auditevent SET subject = '别物' WHERE id = %s", [victim])
        else:
            cursor.execute("DELETE FROM access_auditevent WHERE id = %s", [victim])
    _rows, problem = verify_chain()
    assert problem is not None
    assert problem.place.row == (victim if attack == "change" else victim + 1)
