"""People who sign in, and the audit chain."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lvheng.access.roles import ROLE_WORDS, Actor, Owner, Role
from lvheng.access.storable import StorableCharField, storable
from lvheng.core.problem import Place, Problem

GENESIS = "0" * 64


class User(AbstractUser):
    """A person; what it may do follows from its role and the body it belongs to."""

    role = models.CharField(
        _("角色"), max_length=16, choices=[(r.value, w) for r, w in ROLE_WORDS.items()], default=Role.PUBLIC.value
    )
    full_name = StorableCharField(_("姓名"), max_length=40, blank=True)
    body = models.CharField(
        _("单位"), max_length=64, blank=True, help_text="code of the body in the plan's bodies.yaml"
    )
    region = models.CharField(_("所属地区"), max_length=16, blank=True)
    unit = models.CharField(_("所属企业"), max_length=32, blank=True, help_text="code of the unit's subject")
    reminded = models.BooleanField(_("接收催报邮件"), default=True)
    leaves_on = models.DateField(_("离任日期"), null=True, blank=True, help_text="last day of the account")

    class Meta:
        db_table_comment = "Accounts of people; roles per design 3"

    @property
    def actor(self) -> Actor:
        return Actor(Role(self.role), self.full_name or self.username, self.body, self.region, self.unit)

    @property
    def acting(self) -> Actor:
        """The actor with the duties handed over to the person today."""
        return self.acting_on(timezone.localdate())

    def acting_on(self, today: date) -> Actor:
        held = self.held.filter(ended_at=None, first_day__lte=today, last_day__gte=today).select_related("giver")
        # who was stopped gives nothing on; who left does, to the successor
        given = tuple(d.giver.owner for d in held if d.giver.is_active or d.giver.has_left)
        own = self.actor
        return Actor(own.role, own.name, own.body, own.region, own.unit, given) if given else own

    @property
    def owner(self) -> Owner:
        """Whose things are the person's own."""
        role = Role(self.role)
        if role is Role.ENTERPRISE:
            return Owner(self.region, self.unit)
        if role is Role.COUNTY:
            return Owner(self.region)
        return Owner(body=self.body)

    @property
    def role_label(self) -> str:
        return Role(self.role).label

    @property
    def has_left(self) -> bool:
        return self.leaves_on is not None and self.leaves_on < timezone.localdate()


class Setting(models.Model):
    """What an administrator decided for the whole site, by name."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField()
    changed_by = StorableCharField(max_length=80)

    class Meta:
        db_table_comment = "Settings of the site that administrators change; changes are in the audit chain"


class DailyRun(models.Model):
    """One daily job on one day: whichever process takes it first runs it."""

    name = models.CharField(max_length=40)
    day = models.DateField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table_comment = "Daily jobs that the site runs itself"
        ordering = ["-day", "name"]
        constraints = [models.UniqueConstraint(fields=["name", "day"], name="daily_once")]


class Invitation(models.Model):
    """An account offered to a person; the link holds the secret, the table its digest."""

    digest = models.CharField(max_length=64, unique=True)
    full_name = StorableCharField(_("姓名"), max_length=40)
    email = models.EmailField(_("邮箱"), blank=True)
    role = models.CharField(_("角色"), max_length=16, choices=[(r.value, w) for r, w in ROLE_WORDS.items()])
    body = models.CharField(_("单位"), max_length=64, blank=True)
    region = models.CharField(_("所属地区"), max_length=16, blank=True)
    unit = models.CharField(_("所属企业"), max_length=32, blank=True)
    made_by = StorableCharField(_("邀请人"), max_length=80)
    made_at = models.DateTimeField(_("时间"))
    expires_at = models.DateTimeField(_("失效时间"))
    used_by = models.OneToOneField(User, models.PROTECT, null=True, blank=True, related_name="invitation")
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table_comment = "Invitations to open an account"
        ordering = ["-id"]

    @property
    def role_label(self) -> str:
        return Role(self.role).label

    @property
    def open(self) -> bool:
        return self.used_by_id is None and self.withdrawn_at is None and self.expires_at > timezone.now()


class Delegation(models.Model):
    """A person's duties handed over to another for some days."""

    giver = models.ForeignKey(User, models.PROTECT, related_name="handed_over")
    receiver = models.ForeignKey(User, models.PROTECT, related_name="held")
    first_day = models.DateField(_("开始"))
    last_day = models.DateField(_("结束"))
    reason = StorableCharField(_("事由"), max_length=200)
    made_by = StorableCharField(_("办理人"), max_length=80)
    made_at = models.DateTimeField(_("时间"))
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table_comment = "Duties of one person held by another for some days"
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(giver=models.F("receiver")), name="delegation_to_another"),
            models.CheckConstraint(condition=models.Q(last_day__gte=models.F("first_day")), name="delegation_days"),
        ]

    def holds(self, day: date) -> bool:
        return self.ended_at is None and self.first_day <= day <= self.last_day


class AuditEvent(models.Model):
    """One change of state, hashed (SM3) with the one before; rows never change (database trigger)."""

    at = models.DateTimeField(_("时间"))
    actor = StorableCharField(_("操作人"), max_length=80)
    action = StorableCharField(_("操作"), max_length=64)
    subject = StorableCharField(_("对象"), max_length=160)
    data = models.JSONField(_("内容"), default=dict)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        db_table_comment = "Hash chain of all changes of state; append-only"
        ordering = ["id"]

    def reckon(self) -> str:
        """The digest that the row must have."""
        body = [self.at.astimezone(timezone.get_default_timezone()).isoformat(timespec="microseconds"), self.actor, self.action, self.subject,
                json.dumps(self.data, ensure_ascii=False, sort_keys=True, separators=(",", ":")), self.previous]  # fmt: skip
        return hashlib.new("sm3", "\x1f".join(body).encode()).hexdigest()


def append_event(actor: str, action: str, subject: str, data: dict[str, Any] | None = None) -> AuditEvent:
    """Append to the chain inside the caller's transaction."""
    with transaction.atomic():
        lock_ledger()
        last = AuditEvent.objects.order_by("-id").first()
        event = AuditEvent(
            at=timezone.now(), actor=storable(actor or "系统"), action=action, subject=storable(subject),
            data=storable(json.loads(json.dumps(data or {}, ensure_ascii=False, default=str))), previous=last.digest if last else GENESIS,
        )  # fmt: skip
        event.digest = event.reckon()
        event.save(force_insert=True)
    return event


def lock_ledger() -> None:
    """One writer at a time to the chain and the ledger; positions are then in commit order.

    SQLite serialises writers itself; PostgreSQL holds an advisory lock to the end of the transaction.
    """
    connection = transaction.get_connection()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(212127)")


def verify_chain() -> tuple[int, Problem | None]:
    """Walk the chain; (rows read, the first altered or missing row as a Problem)."""
    previous, count = GENESIS, 0
    for event in AuditEvent.objects.order_by("id").iterator(chunk_size=2000):
        count += 1
        if event.previous != previous or event.reckon() != event.digest:
            return count, Problem(
                "access.audit.broken", "审计链在此处断开，该行或其前一行被改动或删除",
                place=Place(table="access_auditevent", row=event.pk),
                got=f"{event.at:%Y-%m-%d %H:%M:%S} {event.actor} {event.action}", wanted="与前一行衔接的摘要",
                fix="以备份核对该行，追查改动来源；不得自行修补。",
            )  # fmt: skip
        previous = event.digest
    return count, None
