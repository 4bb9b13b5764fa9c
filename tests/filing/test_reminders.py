"""Reminders by mail: the right people at the right days, each once, whatever crashes; a real mail server takes them."""

from __future__ import annotations

import email
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from email.policy import default
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from lvheng.access import services as people
from lvheng.access.models import Delegation, User
from lvheng.core.problem import ProblemError
from lvheng.filing import reminders, services
from lvheng.filing.models import Filing, Letter, Reminder
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase
from tests.support.server import City

DUE = date(2026, 4, 10)


@pytest.fixture
def addressed(town: People, settings: Any) -> People:
    """Everybody has an address; mail goes to memory."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.SITE_ADDRESS = "https://site.example.cn"
    for name, person in town.every().items():
        person.email = f"{name}@example.cn"
        person.save()
    filing = services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    filing.due = DUE
    filing.save()
    return town


def to(name: str) -> list[mail.EmailMessage]:
    return [m for m in mail.outbox if m.to == [f"{name}@example.cn"]]


def stages(name: str) -> list[int]:
    found = Reminder.objects.filter(
        person__username=name, form=FORM, period=PERIOD.code, body__subject__code=credit_code(1)
    )
    return list(found.order_by("pk").values_list("stage", flat=True))


def submit(town: People) -> None:
    filing = Filing.objects.get()
    services.save_draft(town.enterprise, filing.pk, purchase())
    services.submit(town.enterprise, filing.pk)


@given(st.integers(-90, 90), st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_a_stage_is_reached_on_its_day_and_the_last_reached_counts(
    days: int, before: set[int], after: set[int]
) -> None:
    found = reminders.stage_of(DUE, DUE + timedelta(days=days), before, after)
    assert found == max((o for o in {-n for n in before} | after if o <= days), default=None)


def test_a_filer_is_reminded_once_a_stage(addressed: People) -> None:
    for days in range(-10, 41):
        reminders.run(DUE + timedelta(days=days))
        reminders.run(DUE + timedelta(days=days))
    assert stages("enterprise") == [-7, -1, 1, 7, 30]
    assert stages("colleague") == [-7, -1, 1, 7, 30]
    assert stages("county") == [], "a county is not asked for a unit's form"
    first = next(m for m in to("enterprise") if "2026年4月10日" in m.body)
    assert "【绿衡】" in first.subject
    assert "https://site.example.cn/filing/" in first.body


def test_days_that_were_missed_are_made_good_by_one_letter(addressed: People) -> None:
    reminders.run(DUE + timedelta(days=3))
    assert stages("enterprise") == [1], "not of the stages before, which are past"


def test_an_extended_deadline_reminds_anew_and_a_filed_form_no_more(addressed: People) -> None:
    reminders.run(DUE - timedelta(days=7))
    assert stages("enterprise") == [-7]
    Filing.objects.update(due=DUE + timedelta(days=20))
    reminders.run(DUE + timedelta(days=13))
    assert stages("enterprise") == [-7, -7]
    submit(addressed)
    reminders.run(DUE + timedelta(days=40))
    assert stages("enterprise") == [-7, -7]


def test_who_stands_in_is_reminded_too(addressed: People) -> None:
    today = timezone.localdate()
    Delegation.objects.create(
        giver=addressed.enterprise, receiver=addressed.other_enterprise, first_day=today, last_day=today + timedelta(days=30), reason="离任移交", made_by="x", made_at=timezone.now()
    )  # fmt: skip
    reminders.run(today)
    assert Reminder.objects.filter(person=addressed.other_enterprise, body__subject__code=credit_code(1)).exists()
    assert not Reminder.objects.filter(person=addressed.enterprise, body__subject__code=credit_code(2)).exists()


def test_who_declined_has_no_address_or_left_gets_none(addressed: People) -> None:
    people.change_contact(addressed.enterprise, "enterprise@example.cn", reminded=False)
    people.change_contact(addressed.colleague, "", reminded=True)
    User.objects.filter(username="other_enterprise").update(is_active=False)
    reminders.run(DUE)
    assert not Letter.objects.filter(person__username__in=("enterprise", "colleague", "other_enterprise")).exists()


def test_a_reviewer_gets_a_digest_of_what_waits_on_working_days(addressed: People) -> None:
    submit(addressed)
    friday, saturday, monday = date(2026, 4, 17), date(2026, 4, 18), date(2026, 4, 20)
    reminders.run(friday)
    reminders.run(friday)
    assert "试验1号企业" in Letter.objects.get(kind="digest", person__username="county", day=friday).text
    assert not Letter.objects.filter(kind="digest", person__username="other_county").exists()
    reminders.run(saturday)
    assert not Letter.objects.filter(kind="digest", day=saturday).exists()
    reminders.set_schedule(addressed.administrator, "7", "1", "never")
    reminders.run(monday)
    assert not Letter.objects.filter(kind="digest", day=monday).exists()


def test_the_days_are_the_administrators_and_faults_change_nothing(addressed: People) -> None:
    reminders.set_schedule(addressed.administrator, "3", "", "weekly")
    assert reminders.schedule() == {"before": [3], "after": [], "digest": "weekly"}
    for before, digest in (("three", "weekly"), ("99", "weekly"), ("1 2 3 4 5 6 7", "weekly"), ("3", "hourly"), ("-1", "weekly")):  # fmt: skip
        with pytest.raises(ProblemError):
            reminders.set_schedule(addressed.administrator, before, "", digest)
    with pytest.raises(ProblemError):
        reminders.set_schedule(addressed.lead, "5", "", "weekly")
    assert reminders.schedule()["before"] == [3]


def test_a_dry_run_writes_and_sends_nothing(addressed: People) -> None:
    assert reminders.drafts(DUE)
    assert (Letter.objects.count(), Reminder.objects.count(), len(mail.outbox)) == (0, 0, 0)


def letter(person: User, **more: Any) -> Letter:
    given = {"kind": "digest", "day": DUE, "address": "a@example.cn", "subject": "标题", "text": "内容", **more}
    return Letter.objects.create(person=person, **given)


def now_as(one: Letter) -> Letter:
    return Letter.objects.get(pk=one.pk)


def test_a_letter_whose_sender_died_is_not_sent_again_by_itself(addressed: People) -> None:
    dead = letter(addressed.lead, state="sending", tries=1, tried_at=timezone.now() - timedelta(hours=1))
    live = letter(addressed.county, state="sending", tries=1, tried_at=timezone.now())
    waits = letter(addressed.auditor)  # written, and the process died before sending
    reminders.deliver()
    reminders.deliver()
    assert [m.to for m in mail.outbox] == [["a@example.cn"]]
    assert [now_as(x).state for x in (dead, live, waits)] == ["unsure", "sending", "sent"]
    with pytest.raises(ProblemError):
        reminders.send_again(addressed.lead, dead.pk)
    assert reminders.send_again(addressed.administrator, dead.pk).state == "sent"
    with pytest.raises(ProblemError):
        reminders.send_again(addressed.administrator, dead.pk)


# --- a mail server on a socket -------------------------------------------------------------------------------
class Sink(socketserver.ThreadingTCPServer):
    """Takes mail by SMTP; ``refuse`` answers every recipient with 550, ``drop`` hangs up after the content."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.taken: list[bytes] = []
        self.mode = ""


class Talk(socketserver.StreamRequestHandler):
    server: Sink

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self) -> None:
        self.say("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say("354 go on")
                content = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    content += part
                self.server.taken.append(content)
                if self.server.mode == "drop":
                    return
                self.say("250 taken")
            elif verb == b"RCPT" and self.server.mode == "refuse":
                self.say("550 no such mailbox")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


@pytest.fixture
def by_smtp(addressed: People, settings: Any) -> Iterator[Sink]:
    server = Sink()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.server_address[1]
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_TIMEOUT = 5
    yield server
    server.shutdown()
    server.server_close()


def test_a_real_mail_server_gets_each_letter_once(addressed: People, by_smtp: Sink) -> None:
    reminders.run(DUE)
    reminders.run(DUE)
    found = [email.message_from_bytes(raw, policy=default) for raw in by_smtp.taken]
    own = [m for m in found if m["To"] == "enterprise@example.cn"]
    assert len(own) == 1
    assert own[0]["Subject"].strip().startswith("【绿衡】")
    assert own[0]["Message-ID"].startswith("<letter-")
    assert "能源" in own[0].get_content()
    assert set(Letter.objects.values_list("state", flat=True)) == {"sent"}


def test_what_the_mail_server_refuses_is_told_and_tried_again_later(addressed: People, by_smtp: Sink) -> None:
    by_smtp.mode = "refuse"
    one = letter(addressed.lead)
    reminders.deliver()
    assert now_as(one).state == "failed"
    assert "550 no such mailbox" in now_as(one).error
    reminders.deliver()
    assert now_as(one).tries == 1, "not at once"
    by_smtp.mode = ""
    Letter.objects.update(tried_at=timezone.now() - reminders.AGAIN - timedelta(minutes=1))
    reminders.deliver()
    assert (now_as(one).state, now_as(one).tries, len(by_smtp.taken)) == ("sent", 2, 1)


def test_a_line_that_broke_after_the_content_is_not_sent_twice(addressed: People, by_smtp: Sink) -> None:
    by_smtp.mode = "drop"
    one = letter(addressed.lead)
    reminders.deliver()
    assert now_as(one).state == "unsure"
    Letter.objects.update(tried_at=timezone.now() - timedelta(days=1))
    reminders.deliver()
    assert len(by_smtp.taken) == 1


def test_a_mail_server_that_is_away_loses_nothing(addressed: People, by_smtp: Sink, settings: Any) -> None:
    one = letter(addressed.lead)
    settings.EMAIL_PORT = 1  # nobody listens there
    reminders.deliver()
    assert now_as(one).state == "failed"
    assert "连不上邮件服务器" in now_as(one).error


# --- pages and command ----------------------------------------------------------------------------------------
def test_the_administrator_sees_how_mail_leaves_and_what_became_of_it(addressed: People, settings: Any) -> None:
    client, page = Client(), "/filing/administration/reminders/"
    client.force_login(addressed.administrator, backend="django.contrib.auth.backends.ModelBackend")
    memory, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "django.core.mail.backends.filebased.EmailBackend"
    assert "不会寄给任何人" in client.get(page).content.decode()
    settings.EMAIL_BACKEND = memory
    one = letter(addressed.lead, state="failed", tries=5, error="邮件服务器没有接受：550")
    shown = client.get(f"{page}?state=failed").content.decode()
    assert "标题" in shown
    assert "550" in shown
    assert client.post(f"{page}{one.pk}/").status_code == 302
    assert len(mail.outbox) == 1
    assert client.post(page, {"trial": "1"}).status_code == 302
    assert mail.outbox[-1].to == ["administrator@example.cn"]
    assert client.post(page, {"before": "x", "after": "", "digest": "daily"}).status_code == 422


def test_the_command_writes_once_and_lists_without_writing(city: City) -> None:
    give = "from lvheng.access.models import User; User.objects.filter(username='demo-enterprise').update(email='a@example.cn')"
    assert city.run("manage", "shell", "-c", give).returncode == 0
    day = ("--today", f"{timezone.localdate():%Y-%m-%d}")
    dry = city.run("remind", "--dry-run", *day)
    assert dry.returncode == 0, dry.stderr
    assert "a@example.cn" in dry.stdout
    assert "不会寄给任何人" in dry.stdout
    done = city.run("remind", *day)
    assert "写信1封，寄出1封" in done.stdout, done.stdout + done.stderr
    assert "写信0封，寄出0封" in city.run("remind", *day).stdout
    assert len(list((city.home / "mail").iterdir())) == 1
    assert city.run("remind", "--today", "nonsense").returncode == 2


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("smtp://u:p%40@mail.example.cn", "smtp mail.example.cn 587 True False"),
        ("smtps://mail.example.cn", "smtp mail.example.cn 465 False True"),
        ("smtp+plain://127.0.0.1:2525", "smtp 127.0.0.1 2525 False False"),
        ("", "filebased localhost 25 False False"),
        ("mail.example.cn", "LVHENG_MAIL 应为"),
    ],
)
def test_the_mail_setting_is_understood_or_refused(tmp_path: Any, value: str, wanted: str) -> None:
    ask = "from django.conf import settings as s; print(s.EMAIL_BACKEND.rsplit('.', 2)[1], s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, s.EMAIL_USE_SSL)"
    environment = {"LVHENG_HOME": str(tmp_path), "LVHENG_MAIL": value, "DJANGO_SETTINGS_MODULE": "lvheng.web.settings", "PYTHONPATH": ":".join(sys.path)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=False)
    assert wanted in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
