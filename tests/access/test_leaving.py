"""Leaving: the account ends with its last day, the successor holds its filing, keys end with it; sessions end by themselves."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.conf import settings as site
from django.test import Client
from django.utils import timezone

from lvheng.access import daily, services, wall
from lvheng.access.models import AuditEvent, DailyRun, User
from lvheng.core.problem import ProblemError
from tests.filing.town import People

PASSWORD = "长乐-江田-7731-潮"


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def test_a_successor_holds_the_filing_from_the_day_after(town: People) -> None:
    today = timezone.localdate()
    services.set_leaving(town.administrator, town.enterprise.pk, today, "other_enterprise")
    assert fresh(town.enterprise).owner not in fresh(town.other_enterprise).acting.stands_in, (
        "today it is still its own"
    )
    tomorrow = today + timedelta(days=1)
    with mock.patch("django.utils.timezone.localdate", return_value=tomorrow):
        assert services.close_left() == 1
        assert services.close_left() == 0
        assert fresh(town.enterprise).owner in fresh(town.other_enterprise).acting.stands_in
    assert not fresh(town.enterprise).is_active
    assert AuditEvent.objects.filter(action="离任停用账号", subject="enterprise").exists()


def test_who_left_cannot_sign_in_nor_use_its_keys(town: People) -> None:
    from lvheng.filing import tokens

    town.enterprise.set_password(PASSWORD)
    town.enterprise.save()
    key = tokens.issue(town.enterprise, "试验", "30")
    User.objects.filter(pk=town.enterprise.pk).update(leaves_on=timezone.localdate() - timedelta(days=1))
    assert tokens.holder(key) is None
    client = Client()
    response = client.post("/sign-in/", {"username": "enterprise", "password": PASSWORD})
    assert response["Location"] == "/sign-in/"
    assert client.get("/account/").status_code == 302
    assert not fresh(town.enterprise).is_active


def test_leaving_is_arranged_by_an_administrator_and_can_be_taken_back(town: People) -> None:
    today = timezone.localdate()
    for name, person in town.every().items():
        if name != "administrator":
            with pytest.raises(ProblemError):
                services.set_leaving(person, town.colleague.pk, today)
    with pytest.raises(ProblemError):
        services.set_leaving(town.administrator, town.administrator.pk, today)
    with pytest.raises(ProblemError):
        services.set_leaving(town.administrator, town.enterprise.pk, today - timedelta(days=1))
    with pytest.raises(ProblemError):
        services.set_leaving(town.administrator, town.enterprise.pk, today, "auditor")
    assert fresh(town.enterprise).leaves_on is None
    services.set_leaving(town.administrator, town.enterprise.pk, today, "other_enterprise")
    with pytest.raises(ProblemError):
        services.hand_over(town.other_enterprise, "enterprise", today, today, "出差")
    services.set_leaving(town.administrator, town.enterprise.pk, None)
    assert fresh(town.enterprise).leaves_on is None
    assert not town.enterprise.handed_over.filter(ended_at=None).exists()


def test_sessions_end_by_themselves_and_with_a_stopped_account(town: People) -> None:
    assert 0 < site.SESSION_COOKIE_AGE <= 12 * 3600
    client = Client()
    client.force_login(town.enterprise, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/account/").status_code == 200
    services.change_person(town.administrator, town.enterprise.pk, {"active": "0"})
    assert client.get("/account/").status_code == 302
    services.change_person(town.administrator, town.enterprise.pk, {"active": "1"})
    client.force_login(fresh(town.enterprise), backend="django.contrib.auth.backends.ModelBackend")
    later = timezone.now() + timedelta(seconds=site.SESSION_COOKIE_AGE + 60)
    with mock.patch("django.contrib.sessions.backends.db.timezone.now", return_value=later):
        assert client.get("/account/").status_code == 302


def test_five_wrong_passwords_pause_signing_in(town: People) -> None:
    town.enterprise.set_password(PASSWORD)
    town.enterprise.save()
    for _n in range(5):
        response = Client().post("/sign-in/", {"username": "enterprise", "password": "wrong"})
    assert response.status_code in (403, 429)
    right = Client().post("/sign-in/", {"username": "enterprise", "password": PASSWORD})
    assert right.status_code in (403, 429)


@pytest.mark.parametrize("given", [{"email": "no address"}, {"full_name": " "}, {"role": "county", "region": ""}])
def test_a_faulty_change_of_a_person_changes_nothing(town: People, given: dict[str, str]) -> None:
    with pytest.raises(ProblemError):
        services.change_person(town.administrator, town.auditor.pk, given)
    kept = fresh(town.auditor)
    assert (kept.email, kept.full_name, kept.role) == ("", "auditor某", "auditor")


def test_a_daily_job_runs_once_a_day_and_again_when_its_process_died(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []

    def job(day: object) -> str:
        ran.append(day)
        return "做了"

    monkeypatch.setattr(daily, "_daily", {"试验": job})
    today = timezone.localdate()
    assert daily.run("试验", today)
    assert not daily.run("试验", today)
    assert DailyRun.objects.get().outcome == "做了"
    DailyRun.objects.update(finished_at=None)
    assert not daily.run("试验", today), "it may be running"
    DailyRun.objects.update(started_at=timezone.now() - daily.ABANDONED - timedelta(minutes=1))
    assert daily.run("试验", today)
    assert len(ran) == 2


def test_a_job_that_fails_stops_no_other(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def fails() -> None:
        raise ValueError("坏了")

    monkeypatch.setattr(daily, "_often", {"坏": fails, "好": lambda: ran.append("好")})
    monkeypatch.setattr(daily, "_daily", {})
    monkeypatch.setattr(daily, "close_old_connections", lambda: None)
    daily.look()
    assert ran == ["好"]
    assert "坏了" in caplog.text


def test_the_check_says_whether_row_security_holds(db: None) -> None:
    from django.db import connection

    problem = wall.standing()
    found = wall.check_wall(databases=["default"])
    if connection.vendor == "postgresql":  # the tests connect as superuser
        assert problem is not None
        assert found[0].id == "lvheng.W001"
        with connection.cursor() as cursor:
            cursor.execute("CREATE ROLE lvheng_plain NOLOGIN")
            cursor.execute("SET ROLE lvheng_plain")
            assert wall.standing() is None
            cursor.execute("RESET ROLE")
    else:
        assert problem is None
        assert found == []
    assert wall.check_wall() == [], "asks no database that was not named"
