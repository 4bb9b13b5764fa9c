"""Keys to the API: a random secret shown once, kept as its digest, for one person's body and some days."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from lvheng.access.models import User, append_event
from lvheng.access.roles import Permission
from lvheng.access.services import administrator
from lvheng.filing.models import ApiToken
from lvheng.filing.services import need, refuse

LONGEST = 366
MOST = 10


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def issue(user: User, name: str, days: str) -> str:
    """A new key; the answer is the only time that it is seen."""
    by = need(user, Permission.FILE)
    if not name.strip():
        raise refuse("key.name", "没有填写用途", fix="写明哪个系统使用。")
    if not (days.isascii() and days.isdigit() and len(days) <= 3 and 1 <= int(days) <= LONGEST):
        raise refuse("key.days", "有效天数不在允许范围", got=days[:10], wanted=f"1至{LONGEST}天", fix="改正天数。")
    now = timezone.now()
    if user.tokens.filter(revoked_at=None, expires_at__gt=now).count() >= MOST:
        raise refuse("key.many", "有效密钥过多", wanted=f"不超过{MOST}个", fix="先停用不再使用的密钥。")
    secret = f"lvheng-{secrets.token_urlsafe(32)}"
    ApiToken.objects.create(
        user=user,
        name=name.strip()[:80],
        digest=_digest(secret),
        tail=secret[-6:],
        made_at=now,
        expires_at=now + timedelta(days=int(days)),
    )
    append_event(by, "发放接口密钥", user.username, {"用途": name.strip()[:80], "天数": int(days)})
    return secret


@transaction.atomic
def revoke(user: User, token_id: int) -> None:
    if user.tokens.filter(pk=token_id, revoked_at=None).update(revoked_at=timezone.now()):
        append_event(user.actor.name, "停用接口密钥", user.username, {"编号": token_id})


@transaction.atomic
def revoke_any(user: User, token_id: int) -> None:
    """An administrator stops anybody's key."""
    by = administrator(user)
    token = ApiToken.objects.select_related("user").filter(pk=token_id).first()
    if token is None:
        raise refuse("key.unknown", "没有这个密钥", fix="从接口密钥页面进入。")
    if ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=timezone.now()):
        append_event(by, "停用接口密钥", token.user.username, {"编号": token_id, "用途": token.name})


def holder(secret: str) -> ApiToken | None:
    """The valid key of an active person, noted as used today."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None or not token.valid or not token.user.is_active or token.user.has_left:
        return None
    if token.used_at is None or timezone.now() - token.used_at > timedelta(minutes=10):
        ApiToken.objects.filter(pk=token.pk).update(used_at=timezone.now())
    return token
