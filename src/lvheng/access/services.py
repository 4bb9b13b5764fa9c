"""Use cases of accounts: invitations, joining, handing duties over, stopping an account. All in the audit chain."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import date, timedelta

from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from lvheng.access.models import Delegation, Invitation, User, append_event
from lvheng.access.roles import Permission, Role, may
from lvheng.access.storable import storable
from lvheng.core.problem import Place, Problem, ProblemError

VALID = timedelta(days=7)
LONGEST = timedelta(days=92)
LEFT = "离任移交"


def refuse(code: str, message: str, *, field: str = "", got: str = "", wanted: str = "", fix: str = "") -> ProblemError:
    return ProblemError(Problem(f"access.{code}", message, place=Place(field=field), got=got, wanted=wanted, fix=fix))


def administrator(user: User) -> str:
    """The name of the administrator; raises ProblemError for everybody else."""
    if not may(user.actor, Permission.ADMINISTER):
        raise refuse("denied", "您没有办理此事的权限", wanted="系统管理员的账号", fix="请系统管理员办理。")
    return user.actor.name


def person_of(user_id: int) -> User:
    found = User.objects.filter(pk=user_id).first()
    if found is None:
        raise refuse("person.unknown", "没有这个人员", fix="从人员页面进入。")
    return found


def mail_address(text: str) -> str:
    """A mail address, or "" for none; raises ProblemError for what is none."""
    written = text.strip()
    if written:
        try:
            validate_email(written)
        except ValidationError:
            raise refuse(
                "email",
                "邮箱写得不对",
                field="邮箱",
                got=written[:60],
                wanted="如 name@example.cn",
                fix="改正后再保存；不用邮件的留空。",
            ) from None
    return written[:254]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def scope_is_given(role: str, given: Mapping[str, str]) -> None:
    """A role is for a region, a unit or a body; raises ProblemError where it is not said."""
    need = {"county": "region", "enterprise": "unit", "verifier": "unit", "department": "body", "lead": "body"}.get(
        role, ""
    )
    if need and not given.get(need, "").strip():
        words = {"region": "所属地区", "unit": "所属企业", "body": "单位"}[need]
        raise refuse(
            "scope", f"没有填写{words}", field=words, wanted=f"{Role(role).label}须写明{words}", fix="填写后再保存。"
        )


@transaction.atomic
def invite(user: User, given: Mapping[str, str]) -> str:
    """Offer an account; returns the secret of the link, shown once."""
    by = administrator(user)
    role, name = given.get("role", ""), given.get("full_name", "").strip()
    if not name:
        raise refuse("invite.name", "没有填写姓名", field="姓名", fix="填写受邀人姓名。")
    if role not in {r.value for r in Role if r is not Role.PUBLIC}:
        raise refuse("invite.role", "没有选择角色", field="角色", fix="从列表中选择。")
    scope_is_given(role, given)
    secret = secrets.token_urlsafe(32)
    now = timezone.now()
    scope = {k: storable(given.get(k, "").strip()) for k in ("body", "region", "unit")}
    Invitation.objects.create(digest=_digest(secret), full_name=name[:40], email=mail_address(given.get("email", "")), role=role, made_by=by, made_at=now, expires_at=now + VALID,
                              body=scope["body"][:64], region=scope["region"][:16], unit=scope["unit"][:32])  # fmt: skip
    append_event(by, "邀请人员", name[:40], {"角色": role, **scope})
    return secret


@transaction.atomic
def withdraw_invitation(user: User, invitation_id: int) -> None:
    by = administrator(user)
    if Invitation.objects.filter(pk=invitation_id, used_by=None, withdrawn_at=None).update(withdrawn_at=timezone.now()):
        append_event(by, "撤回邀请", f"邀请{invitation_id}")


def invitation(secret: str) -> Invitation:
    """The open invitation of a link; raises ProblemError when there is none."""
    found = Invitation.objects.filter(digest=_digest(secret)).first()
    if found is None or not found.open:
        raise refuse("invitation.unknown", "邀请不存在、已使用或已过期", fix="请系统管理员重新邀请。")
    return found


@transaction.atomic
def join(secret: str, username: str, password: str) -> User:
    """Open the account that was offered."""
    offered = Invitation.objects.select_for_update().get(pk=invitation(secret).pk)
    if not offered.open:
        raise refuse("invitation.unknown", "邀请已使用", fix="请直接登录。")
    name = username.strip()
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        raise refuse(
            "join.username", "账号只能用文字、数字和 @.+-_", field="账号", got=name[:40], fix="换一个账号。"
        ) from None
    if not name or len(name) > 60 or User.objects.filter(username__iexact=name).exists():
        raise refuse(
            "join.username",
            "账号已有人使用，或长度不合要求",
            field="账号",
            got=name[:40],
            wanted="60字以内、未被使用的账号",
            fix="换一个账号。",
        )
    user = User(
        username=name,
        full_name=offered.full_name,
        email=offered.email,
        role=offered.role,
        body=offered.body,
        region=offered.region,
        unit=offered.unit,
    )
    _good(password, user)
    user.set_password(password)
    user.save()
    offered.used_by = user
    offered.save(update_fields=["used_by"])
    append_event(user.actor.name, "开立账号", name, {"角色": user.role})
    return user


def _good(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise refuse(
            "password.weak",
            "口令不合要求",
            field="口令",
            wanted="至少10位，不全是数字，不是常用口令，不与账号姓名相似",
            fix="；".join(error.messages),
        ) from None


@transaction.atomic
def change_password(user: User, old: str, new: str) -> None:
    if not user.check_password(old):
        raise refuse("password.wrong", "现口令不对", field="现口令", fix="核对后重新填写。")
    _good(new, user)
    user.set_password(new)
    user.save(update_fields=["password"])
    append_event(user.actor.name, "修改口令", user.username)


@transaction.atomic
def change_person(user: User, user_id: int, given: Mapping[str, str]) -> User:
    """Change a person's role and body, or stop the account; nobody does it to itself."""
    by = administrator(user)
    person_of(user_id)
    person = User.objects.select_for_update().get(pk=user_id)
    if person.pk == user.pk:
        raise refuse("person.self", "不能改动自己的角色和状态", wanted="由另一位系统管理员办理")
    before = {f: getattr(person, f) for f in ("full_name", "email", "role", "body", "region", "unit", "is_active")}
    if given.get("role") in {r.value for r in Role}:
        person.role = given["role"]
    if "email" in given:
        person.email = mail_address(given["email"])
    if "full_name" in given and not given["full_name"].strip():
        raise refuse("invite.name", "没有填写姓名", field="姓名", fix="填写姓名。")
    for field, longest in (("full_name", 40), ("body", 64), ("region", 16), ("unit", 32)):
        if field in given:
            setattr(person, field, storable(given[field].strip()[:longest]))
    if "active" in given:
        person.is_active = given["active"] == "1"
    if person.is_active:
        scope_is_given(person.role, {f: getattr(person, f) for f in ("body", "region", "unit")})
    person.save()
    after = {f: getattr(person, f) for f in before}
    append_event(by, "变更人员", person.username, {k: [before[k], after[k]] for k in before if before[k] != after[k]})
    return person


def _receiver(giver: User, receiver: str, *, of_its_body: bool) -> User:
    """Who takes over a person's filing; raises ProblemError when it cannot.

    A person hands over within its own body; an administrator also to a person of the same role elsewhere. One
    answer for all that cannot be, so that nobody learns from it which accounts there are.
    """
    other = User.objects.filter(username=storable(receiver.strip()), is_active=True).first()
    fits = (
        other is not None
        and other.pk != giver.pk
        and not other.leaves_on
        and other.role == giver.role
        and may(other.actor, Permission.FILE)
        and (other.owner == giver.owner or not of_its_body)
    )
    if other is None or not fits:
        raise refuse(
            "hand_over.receiver",
            "填报不能移交给这个账号" if of_its_body else "填报不能由这个账号接手",
            field="移交给",
            got=receiver[:40],
            wanted="本单位其他在用的填报账号" if of_its_body else "同一角色、在用且不离任的其他填报账号",
            fix="核对账号；须由其他单位代办的，请系统管理员登记。" if of_its_body else "核对账号。",
        )
    return other


@transaction.atomic
def hand_over(user: User, receiver: str, first: date, last: date, reason: str) -> Delegation:
    """Let a colleague of one's own body do one's filing for some days."""
    if not may(user.actor, Permission.FILE):
        raise refuse("hand_over.role", "您没有填报职责，不需要移交", field="移交给", fix="由经办人本人移交。")
    other = _receiver(user, receiver, of_its_body=True)
    if last < first or last - first > LONGEST or last < timezone.localdate():
        raise refuse(
            "hand_over.days",
            "起止日期不合要求",
            field="日期",
            wanted=f"结束不早于开始和今天，不超过{LONGEST.days}天",
            fix="改正日期。",
        )
    if not reason.strip():
        raise refuse("hand_over.reason", "没有填写事由", field="事由", fix="填写事由。")
    made = Delegation.objects.create(
        giver=user,
        receiver=other,
        first_day=first,
        last_day=last,
        reason=reason.strip()[:200],
        made_by=user.actor.name,
        made_at=timezone.now(),
    )
    append_event(user.actor.name, "移交填报", other.username, {"起": first, "止": last, "事由": reason.strip()[:200]})
    return made


@transaction.atomic
def take_back(user: User, delegation_id: int) -> None:
    if Delegation.objects.filter(pk=delegation_id, giver=user, ended_at=None).update(ended_at=timezone.now()):
        append_event(user.actor.name, "收回移交", f"移交{delegation_id}")


@transaction.atomic
def change_contact(user: User, email: str, *, reminded: bool) -> None:
    """One's own mail address, and whether reminders are wanted."""
    address = mail_address(email)
    if (address, reminded) != (user.email, user.reminded):
        user.email, user.reminded = address, reminded
        user.save(update_fields=["email", "reminded"])
        append_event(user.actor.name, "修改联系邮箱", user.username, {"接收催报邮件": reminded})


@transaction.atomic
def set_leaving(user: User, user_id: int, day: date | None, successor: str = "") -> User:
    """The last day of a person's account; a successor holds its filing from the next day on. None: it stays after all."""
    by = administrator(user)
    person_of(user_id)
    person = User.objects.select_for_update().get(pk=user_id)
    if person.pk == user.pk:
        raise refuse("person.self", "不能登记自己离任", wanted="由另一位系统管理员办理", fix="请另一位系统管理员办理。")
    if day is not None and day < timezone.localdate():
        raise refuse(
            "leave.day",
            "离任日期已经过去",
            field="离任日期",
            got=f"{day}",
            wanted="今天或以后",
            fix="立即停用的，把状态改为停用。",
        )
    Delegation.objects.filter(giver=person, ended_at=None, reason=LEFT).update(ended_at=timezone.now())
    other = _receiver(person, successor, of_its_body=False) if day is not None and successor.strip() else None
    person.leaves_on = day
    if day is None or not person.is_active:
        person.is_active = True
    person.save(update_fields=["leaves_on", "is_active"])
    if other is not None and day is not None:
        start = day + timedelta(days=1)
        Delegation.objects.create(
            giver=person, receiver=other, first_day=start, last_day=start + LONGEST, reason=LEFT, made_by=by, made_at=timezone.now()
        )  # fmt: skip
    append_event(
        by,
        "登记离任" if day else "取消离任",
        person.username,
        {"离任日期": day, "接手人": other.username if other else ""},
    )
    return person


@transaction.atomic
def close_left(today: date | None = None) -> int:
    """Stop the accounts whose last day is over, and end what they held for others; returns how many."""
    day = today or timezone.localdate()
    left = list(User.objects.select_for_update().filter(is_active=True, leaves_on__lt=day))
    for person in left:
        person.is_active = False
        person.save(update_fields=["is_active"])
        person.held.filter(ended_at=None).update(ended_at=timezone.now())
        append_event("", "离任停用账号", person.username, {"离任日期": person.leaves_on})
    return len(left)


def reset_link(user: User, user_id: int) -> tuple[str, str]:
    """The two parts of a link by which a person sets a new password; it holds once and for three days."""
    by = administrator(user)
    person = person_of(user_id)
    if not person.is_active:
        raise refuse("person.stopped", "该账号已停用，不能重置口令", fix="先恢复账号。")
    append_event(by, "发放重置口令链接", person.username)
    return urlsafe_base64_encode(str(person.pk).encode()), default_token_generator.make_token(person)


def reset_of(code: str, token: str) -> User:
    """Whose link it is; raises ProblemError when it does not hold any more."""
    try:
        person = User.objects.filter(pk=int(urlsafe_base64_decode(code)), is_active=True).first()
    except (ValueError, OverflowError):
        person = None
    if person is None or not default_token_generator.check_token(person, token):
        raise refuse("reset.unknown", "链接不存在、已使用或已过期", fix="请系统管理员重新发放。")
    return person


@transaction.atomic
def reset_password(code: str, token: str, password: str) -> User:
    person = User.objects.select_for_update().get(pk=reset_of(code, token).pk)
    reset_of(code, token)
    _good(password, person)
    person.set_password(password)
    person.save(update_fields=["password"])
    append_event(person.actor.name, "重置口令", person.username)
    return person
