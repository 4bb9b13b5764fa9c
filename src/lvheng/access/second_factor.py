"""The second factor of signing in: a code by time (RFC 6238), and recovery codes for a lost telephone.

Devices are django-otp's, which refuses a code that was used before and makes guessing slower each time; wrong codes count towards the
lock-out of signing in as well. Recovery codes are shown once; the table holds keyed digests of them.
"""

from __future__ import annotations

import secrets
import unicodedata
from base64 import b32encode
from datetime import timedelta
from math import ceil
from typing import Any

import segno
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from lvheng.access.models import User, append_event
from lvheng.access.services import administrator, person_of, refuse
from lvheng.access.site import change, value

CODES = 10  # recovery codes
REQUIRED = "second_factor_roles"
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken for another


def device(user: User) -> TOTPDevice | None:
    """The confirmed device, None when the second factor is off."""
    return TOTPDevice.objects.filter(user=user, confirmed=True).first()


def required(user: User) -> bool:
    """Whether an administrator asks it of the person's role."""
    return user.role in value(REQUIRED, [])


def require(user: User, roles: list[str]) -> None:
    """Ask the second factor of these roles from their next signing in."""
    change(user, REQUIRED, sorted(roles), "要求两步验证的角色")


@transaction.atomic
def begin(user: User) -> TOTPDevice:
    """The device to be set up, the same until it is confirmed or has waited for a day."""
    if device(user) is not None:
        raise refuse("factor.on", "两步验证已经开启", fix="更换手机的，先关闭再重新开启。")
    TOTPDevice.objects.filter(user=user, confirmed=False, created_at__lt=timezone.now() - timedelta(days=1)).delete()
    found = TOTPDevice.objects.filter(user=user, confirmed=False).first()
    return found or TOTPDevice.objects.create(user=user, name="手机", confirmed=False)


def picture(found: TOTPDevice) -> str:
    """The QR code as a data address of an SVG."""
    return str(segno.make(found.config_url, error="m").svg_data_uri(scale=5, border=3, dark="#111", light="#fff"))


def secret(found: TOTPDevice) -> str:
    """The secret for typing, in groups of four."""
    text = b32encode(found.bin_key).decode()
    return " ".join(text[n : n + 4] for n in range(0, len(text), 4))


def confirm(user: User, code: str) -> list[str]:
    """Switch it on by a first code; returns the recovery codes, shown once."""
    with transaction.atomic():
        found = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
        if found is None:
            raise refuse("factor.begin", "没有待确认的两步验证", fix="重新扫码。")
        good = _tries(found, code)
        if good:
            found.confirmed = True
            found.save(update_fields=["confirmed"])
            fresh = _new_codes(user)
            append_event(user.actor.name, "开启两步验证", user.username)
    if not good:
        raise _wrong(found)
    return fresh


def check(user: User, code: str) -> None:
    """Take a code of the telephone, or a recovery code; raises ProblemError when it is wrong or was used."""
    with transaction.atomic():  # what a wrong code counts is kept, so nothing is raised in here
        found: Any = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True).first()
        spare = StaticDevice.objects.select_for_update().filter(user=user).first()
        written = _plain(code)
        if written.isdigit() or spare is None:
            good = found is not None and _tries(found, written)
        else:
            found = spare
            good = spare.verify_token(_mark(user, written))
            if good:
                append_event(user.actor.name, "使用恢复码", user.username, {"剩余": spare.token_set.count()})
    if not good:
        raise _wrong(found)


def _tries(found: TOTPDevice, code: str) -> bool:
    written = _plain(code)
    return written.isascii() and len(written) == found.digits and bool(found.verify_token(written))


def _plain(code: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", code).lower() if c.isalnum())[:32]


def _wrong(found: Any) -> Exception:
    allowed, why = found.verify_is_allowed() if found is not None else (True, None)
    seconds = (
        ceil((why["locked_until"] - timezone.now()).total_seconds())
        if not allowed and why and "locked_until" in why
        else 0
    )
    wait = f"约{seconds}秒后，" if seconds > 1 else ""
    return refuse(
        "factor.code", "验证码不对，或已经用过", field="验证码", wanted="手机上当前显示的6位数字，或一个未用过的恢复码",
        fix=f"{wait}等手机显示下一个验证码后再试；核对手机时间是否准确。",
    )  # fmt: skip


def _mark(user: User, code: str) -> str:
    return salted_hmac("lvheng.recovery", f"{user.pk}:{code}", algorithm="sha256").hexdigest()[:16]


def _new_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    held = StaticDevice.objects.create(user=user, name="恢复码")
    fresh = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(CODES)]
    for code in fresh:
        held.token_set.create(token=_mark(user, code))
    return [f"{code[:5]}-{code[5:]}" for code in fresh]


def codes_left(user: User) -> int:
    return sum(d.token_set.count() for d in StaticDevice.objects.filter(user=user))


def renew_codes(user: User, code: str) -> list[str]:
    """Fresh recovery codes; those before hold no longer."""
    check(user, code)
    with transaction.atomic():
        fresh = _new_codes(user)
        append_event(user.actor.name, "更换恢复码", user.username)
    return fresh


def switch_off(user: User, password: str, code: str) -> None:
    """By password and code, and only where the role may do without."""
    if required(user):
        raise refuse("factor.required", "您的角色须使用两步验证，不能关闭", fix="更换手机的，请系统管理员重置。")
    if not user.check_password(password):
        raise refuse("password.wrong", "现口令不对", field="现口令", fix="核对后重新填写。")
    check(user, code)
    _remove(user, user.actor.name, "关闭两步验证")


def reset(user: User, user_id: int) -> User:
    """Take a person's second factor away: the telephone is lost. Nobody does it to itself."""
    by = administrator(user)
    found = person_of(user_id)
    if found.pk == user.pk:
        raise refuse(
            "person.self",
            "不能重置自己的两步验证",
            wanted="由另一位系统管理员办理",
            fix="用恢复码登录，或请另一位系统管理员办理。",
        )
    if device(found) is None:
        raise refuse("factor.off", "此人没有开启两步验证", fix="无需重置。")
    _remove(found, by, "重置两步验证")
    return found


@transaction.atomic
def _remove(user: User, by: str, words: str) -> None:
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    append_event(by, words, user.username)
