"""Reminders by mail: filers before and after a deadline, those who stand in for them, and reviewers of what waits.

A day's letters are written to the database first, each with what it reminds of; a unique constraint keeps every stage of every duty,
and every letter of a person and day, to one. Then they are sent. A letter that was being sent when the process died is not sent
again by itself, for nobody can know whether it went; the administrator sees it and may send it again.
"""

from __future__ import annotations

import smtplib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from lvheng.access import services as people
from lvheng.access import site
from lvheng.access.models import User, append_event
from lvheng.access.roles import GRANTS, Permission
from lvheng.filing import duties
from lvheng.filing.duties import Duty
from lvheng.filing.models import Letter, Reminder
from lvheng.filing.services import refuse

SETTING = "reminders"
USUAL = {"before": [7, 1], "after": [1, 7, 30], "digest": "daily"}
DIGESTS = {"daily": gettext_noop("每个工作日"), "weekly": gettext_noop("每周一"), "never": gettext_noop("不寄")}
FURTHEST, MOST = 60, 6  # days from the deadline; stages on each side
TRIES = 5  # of sending a letter that the mail server did not take
AGAIN = timedelta(minutes=30)  # between two tries
STUCK = timedelta(minutes=10)  # sending for longer: the process died
LISTED = 40  # duties written out in one letter


# --- what the administrator decides -----------------------------------------------------------------------
def schedule() -> dict[str, object]:
    """Days before and after a deadline on which filers are written to, and when reviewers are."""
    return {**USUAL, **site.value(SETTING, {})}


def set_schedule(user: User, before: str, after: str, digest: str) -> None:
    if digest not in DIGESTS:
        raise refuse(
            "reminders.digest",
            "没有选择待审提醒的频度",
            got=digest[:20],
            wanted="、".join(DIGESTS.values()),
            fix="从列表中选择。",
        )
    new = {"before": _days(before, "期限前"), "after": _days(after, "期限后"), "digest": digest}
    site.change(user, SETTING, new, "催报")


def _days(text: str, words: str) -> list[int]:
    parts = text.replace("，", " ").replace("、", " ").replace(",", " ").split()
    if len(parts) > MOST or not all(p.isascii() and p.isdigit() and int(p) <= FURTHEST for p in parts):
        raise refuse(
            "reminders.days", f"{words}的天数写得不对", got=text[:60], wanted=f"0至{FURTHEST}的整数，至多{MOST}个，用顿号或空格隔开", fix="改正天数；不寄的留空。"
        )  # fmt: skip
    return sorted({int(p) for p in parts}, reverse=words == "期限前")


def stage_of(due: date, day: date, before: Iterable[int], after: Iterable[int]) -> int | None:
    """The last stage reached on a day, in days after the deadline; None before the first."""
    reached = [o for o in (*(-n for n in before), *after) if due + timedelta(days=o) <= day]
    return max(reached) if reached else None


# --- writing ------------------------------------------------------------------------------------------------
@dataclass
class Draft:
    """A letter to be written: to whom, of which kind, and what it reminds of."""

    person: User
    kind: str
    subject: str
    text: str
    items: list[tuple[Duty, int]] = field(default_factory=list)


def drafts(day: date) -> list[Draft]:
    """What is to be written on a day and was not yet."""
    return [*_reminders(day), *_digests(day)]


def _with(*permissions: Permission) -> list[User]:
    """People who have one of the permissions and want mail."""
    roles = [role.value for role, granted in GRANTS.items() if granted & set(permissions)]
    found = User.objects.filter(is_active=True, reminded=True, role__in=roles).exclude(email="")
    return list(found.filter(Q(leaves_on=None) | Q(leaves_on__gte=timezone.localdate())).order_by("pk"))


def _reminders(day: date) -> list[Draft]:
    plan = schedule()
    own = {person: duties.own_bodies(person, day) for person in _with(Permission.FILE)}
    bodies = {body.pk: body for found in own.values() for body in found}
    reached: dict[int, list[tuple[Duty, int]]] = defaultdict(list)
    for duty in duties.duties(list(bodies.values()), day) if bodies else ():
        stage = stage_of(duty.due, day, plan["before"], plan["after"]) if duty.open else None  # type: ignore[arg-type]
        if stage is not None:
            reached[duty.body.pk].append((duty, stage))
    known = set(
        Reminder.objects.filter(body__in=bodies).values_list("person_id", "form", "body_id", "period", "due", "stage")
    )
    written = set(Letter.objects.filter(kind="reminder", day=day).values_list("person_id", flat=True))
    found = []
    for person, held in own.items():
        items = [(d, s) for body in held for d, s in reached[body.pk] if (person.pk, *_mark(d), s) not in known]
        if items and person.pk not in written:
            items.sort(key=lambda i: (i[0].due, i[0].form.code, i[0].body.pk))
            found.append(Draft(person, "reminder", *_reminder_words(person, items, day), items))
    return found


def _mark(duty: Duty) -> tuple[str, int, str, date]:
    return duty.form.id, duty.body.pk, duty.period.code, duty.due


def _reminder_words(person: User, items: Sequence[tuple[Duty, int]], day: date) -> tuple[str, str]:
    late = [d for d, _stage in items if d.due < day]
    soon = [d for d, _stage in items if d.due >= day]
    parts = ([f"{len(late)}张报表已逾期"] if late else []) + (
        [f"{len(soon)}张报表将到期，最早{_day(soon[0].due)}"] if soon else []
    )
    lines = [f"{person.full_name or person.username}：", "", "下列报表尚未报送。"]
    for title, found in (("已逾期", late), ("将到期", soon)):
        if found:
            lines += ["", title]
            lines += [
                f"{n}. {d.body.name}　{d.form.title}（{d.period.label}），期限{_day(d.due)}{_standing(d, day)}"
                for n, d in enumerate(found[:LISTED], 1)
            ]
            lines += [f"另有{len(found) - LISTED}张，见填报页面。"] if len(found) > LISTED else []
    lines += [
        "",
        f"请登录绿衡办理{_link('filings')}。不能按期报送的，可在填报页面申请延期；已经报送的，不必理会本邮件。",
        *_end(),
    ]
    return "【绿衡】" + "，".join(parts), "\n".join(lines)


def _standing(duty: Duty, day: date) -> str:
    returned = (
        "，已退回待更正" if duty.standing == "returned" or (duty.filing and duty.filing.state == "returned") else ""
    )
    days = (day - duty.due).days
    return (f"，已逾期{days}日" if days > 0 else "，今日到期" if days == 0 else "") + returned


def _digests(day: date) -> list[Draft]:
    when = schedule()["digest"]
    if when == "never" or day.weekday() > 4 or (when == "weekly" and day.weekday() != 0):
        return []
    written = set(Letter.objects.filter(kind="digest", day=day).values_list("person_id", flat=True))
    found = []
    for person in _with(Permission.REVIEW_COUNTY, Permission.REVIEW_CITY):
        inbox = duties.inbox(person) if person.pk not in written else []
        asked = duties.extensions(person) if person.pk not in written else []
        if not inbox and not asked:
            continue
        lines = [f"{person.full_name or person.username}：", ""]
        if inbox:
            risky = sum(not w.clean for w in inbox)
            lines += [f"有{len(inbox)}份填报待您审核，其中{risky}份有需要留意之处，列在前面：", ""]
            lines += [
                f"{n}. {w.filing.body.name}　{w.form.title}（{w.filing.when.label}），{w.filing.state_label}"
                for n, w in enumerate(inbox[:LISTED], 1)
            ]
            lines += [f"另有{len(inbox) - LISTED}份，见审核页面。"] if len(inbox) > LISTED else []
        if asked:
            lines += ["", f"有{len(asked)}份延期申请待批。"]
        lines += ["", f"请登录绿衡办理{_link('filing_reviews')}。", *_end()]
        counts = ([f"{len(inbox)}份填报待审核"] if inbox else []) + ([f"{len(asked)}份延期申请待批"] if asked else [])
        found.append(Draft(person, "digest", "【绿衡】" + "，".join(counts), "\n".join(lines)))
    return found


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _link(name: str) -> str:
    return f"（{settings.SITE_ADDRESS}{reverse(name)}）" if settings.SITE_ADDRESS else ""


def _end() -> list[str]:
    return ["", "本邮件由系统发送，请勿回复。不需要邮件提醒的，可在“我的账号”中关闭。"]


def write(found: Iterable[Draft], day: date) -> int:
    """Keep the letters with what they remind of; one that another process wrote at the same time is passed over."""
    made = 0
    for draft in found:
        try:
            with transaction.atomic():
                letter = Letter.objects.create(
                    person=draft.person, kind=draft.kind, day=day, address=draft.person.email, subject=draft.subject[:160], text=draft.text
                )  # fmt: skip
                for duty, stage in draft.items:
                    Reminder.objects.create(
                        letter=letter, person=draft.person, form=duty.form.id, body=duty.body, period=duty.period.code, due=duty.due, stage=stage
                    )  # fmt: skip
            made += 1
        except IntegrityError:
            continue
    return made


# --- sending ------------------------------------------------------------------------------------------------
def deliver() -> Counter[str]:
    """Send what waits, and once more what the mail server did not take; returns how many ended in which state."""
    now, ended = timezone.now(), Counter[str]()
    Letter.objects.filter(state="sending", tried_at__lt=now - STUCK).update(state="unsure", error="寄送时系统中断")
    due = Letter.objects.filter(Q(state="waiting") | Q(state="failed", tries__lt=TRIES, tried_at__lt=now - AGAIN))
    connection: BaseEmailBackend | None = None
    for letter in due.order_by("pk"):
        if not Letter.objects.filter(pk=letter.pk, state=letter.state, tries=letter.tries).update(
            state="sending", tries=letter.tries + 1, tried_at=timezone.now()
        ):
            continue  # another process has it
        connection = connection or get_connection()
        state, error = _send(letter, connection)
        Letter.objects.filter(pk=letter.pk, state="sending").update(state=state, error=error[:200])
        ended[state] += 1
    if connection is not None:
        connection.close()
    return ended


def _send(letter: Letter, connection: BaseEmailBackend) -> tuple[str, str]:
    """Hand one letter to the mail server: (state, why not)."""
    where = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].rstrip(">") or "localhost"
    message = EmailMessage(
        letter.subject, letter.text, to=[letter.address], connection=connection,
        headers={"Message-ID": f"<letter-{letter.pk}-{letter.day:%Y%m%d}@{where}>", "Auto-Submitted": "auto-generated"},
    )  # fmt: skip
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        return "failed", f"连不上邮件服务器：{error}"
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        return "failed", f"邮件服务器不收这个邮箱：{_said(next(iter(error.recipients.values()), None))}"
    except smtplib.SMTPResponseException as error:
        return "failed", f"邮件服务器没有接受：{_said((error.smtp_code, error.smtp_error))}"
    except (OSError, smtplib.SMTPException) as error:  # may have been taken before the line broke
        connection.close()
        return "unsure", f"寄送时连接中断：{error}"
    return "sent", ""


def _said(answer: tuple[int, bytes | str] | None) -> str:
    if answer is None:
        return ""
    code, text = answer
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"


def run(day: date) -> str:
    """The daily job: write what is due and send it; what was done in words."""
    made = write(drafts(day), day)
    ended = deliver()
    return f"写信{made}封，寄出{ended['sent']}封" + (
        f"，未寄出{ended['failed'] + ended['unsure']}封" if ended["failed"] or ended["unsure"] else ""
    )


def send_again(user: User, letter_id: int) -> Letter:
    """An administrator sends a letter again that failed or may not have gone."""
    by = people.administrator(user)
    with transaction.atomic():
        if not Letter.objects.filter(pk=letter_id, state__in=("failed", "unsure")).update(
            state="waiting", tries=0, error=""
        ):
            raise refuse(
                "letter.state", "这封邮件不需要重寄", wanted="未寄出的，或不能确定是否寄出的", fix="刷新页面。"
            )
        append_event(by, "重寄邮件", f"邮件{letter_id}")
    deliver()
    return Letter.objects.get(pk=letter_id)


def send_trial(user: User) -> None:
    """A mail to the administrator's own address, to see that mail goes out; raises ProblemError when it does not."""
    people.administrator(user)
    if not user.email:
        raise refuse(
            "letter.address", "您的账号没有邮箱", wanted="“我的账号”中的联系邮箱", fix="先填写邮箱，再寄试验邮件。"
        )
    text = "\n".join(
        [f"{user.full_name or user.username}：", "", "这是绿衡的试验邮件。收到即表示邮件设置可用。", *_end()]
    )
    letter = Letter(pk=0, day=timezone.localdate(), address=user.email, subject="【绿衡】试验邮件", text=text)
    state, error = _send(letter, get_connection())
    if state != "sent":
        raise refuse(
            "letter.trial", "试验邮件没有寄出", got=error, wanted=way(), fix="核对 LVHENG_MAIL 和网络，重新启动后再试。"
        )


def way() -> str:
    """How mail leaves this site, in words."""
    match settings.EMAIL_BACKEND.rsplit(".", 1)[-2]:
        case "django.core.mail.backends.smtp":
            given = {"server": f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}", "sender": settings.DEFAULT_FROM_EMAIL}
            return _("经邮件服务器 %(server)s 寄出，发件人 %(sender)s。") % given
        case "django.core.mail.backends.filebased":
            return _("没有设置邮件服务器：邮件只写成文件，不会寄给任何人。")
    return _("没有设置邮件服务器：邮件只显示在终端，不会寄给任何人。")


def goes_out() -> bool:
    """Whether mail really leaves."""
    return bool(settings.EMAIL_BACKEND.startswith("django.core.mail.backends.smtp"))
