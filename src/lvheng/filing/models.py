"""What is filed, by whom, in which state.

A :class:`Filing` is one form of one body for one period. Its content lives in versions: a draft may change,
a version that was submitted never does (database trigger), and a correction is a new version. What happened
to a filing is its steps, which only grow.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from lvheng.access.roles import Owner
from lvheng.access.storable import StorableCharField, StorableJSONField
from lvheng.core.period import Period
from lvheng.observations.models import Subject

BODY_KINDS = {"unit": _("用能单位"), "county": _("县（市）区"), "department": _("部门")}
ENERGY_CLASSES = {"above_10000": _("万吨以上"), "from_5000": _("五千至一万吨"), "other": _("五千吨以下")}
DISCHARGER_CLASSES = {"key": _("重点管理"), "simplified": _("简化管理"), "registered": _("登记管理")}
STATES = {
    "draft": _("草稿"), "submitted": _("待审核"), "county_reviewed": _("待市级审核"), "accepted": _("已接收"), "returned": _("已退回"),
    "withdrawn": _("已撤回"),
}  # fmt: skip
UNDER_REVIEW = ("submitted", "county_reviewed")
ORIGINS = {
    "file": _("文件导入"),
    "grid": _("在线填写"),
    "paste": _("粘贴"),
    "api": _("接口"),
    "nil": _("零报告"),
    "demo": _("演示"),
}
ACTIONS = {
    "start": _("开始填报"), "import": _("导入"), "undo": _("撤销导入"), "nil": _("作零报告"), "submit": _("提交"), "withdraw": _("撤回提交"),
    "review": _("开始审核"), "remark": _("批注"), "county_review": _("县级审核通过"), "accept": _("接收"), "return": _("退回"), "correct": _("更正"),
    "answer": _("说明审核提示"), "answer_end": _("撤销说明"), "attach": _("上传附件"), "extension_ask": _("申请延期"),
    "extension_grant": _("同意延期"), "extension_refuse": _("不同意延期"),
}  # fmt: skip
JOB_STATES = {
    "running": _("正在处理"), "ready": _("待确认"), "confirmed": _("已导入"), "undone": _("已撤销"), "failed": _("未能读取"), "abandoned": _("已放弃"),
}  # fmt: skip


class Body(models.Model):
    """Who files: a unit, a county, a department. Its name, and its figures, are its subject's."""

    subject = models.OneToOneField(Subject, models.PROTECT, related_name="registered")
    kind = StorableCharField(_("类别"), max_length=12, choices=list(BODY_KINDS.items()))
    credit_code = StorableCharField(_("统一社会信用代码"), max_length=18, blank=True)
    region = StorableCharField(_("所属地区"), max_length=16, blank=True)
    park = StorableCharField(_("所在园区"), max_length=80, blank=True)
    energy_class = StorableCharField(_("用能类别"), max_length=16, blank=True, choices=list(ENERGY_CLASSES.items()))
    discharger_class = StorableCharField(
        _("排污许可类别"), max_length=16, blank=True, choices=list(DISCHARGER_CLASSES.items())
    )
    contact = StorableCharField(_("联系人"), max_length=40, blank=True)
    phone = StorableCharField(_("联系电话"), max_length=20, blank=True)
    active = models.BooleanField(_("在册"), default=True)
    since = models.DateField(_("在册起"), null=True, blank=True)

    class Meta:
        db_table_comment = "Registry of bodies and units that file; industry and name are the subject's"
        ordering = ["kind", "region", "subject__code"]
        constraints = [
            models.UniqueConstraint(
                fields=["credit_code"], condition=~models.Q(credit_code=""), name="body_credit_code"
            )
        ]
        indexes = [models.Index(fields=["kind", "region"])]

    def __str__(self) -> str:
        return self.subject.name

    @property
    def name(self) -> str:
        return self.subject.name

    @property
    def owner(self) -> Owner:
        match self.kind:
            case "unit":
                return Owner(self.region, self.subject.code)
            case "county":
                return Owner(self.region)
        return Owner(body=self.subject.code)

    def get_absolute_url(self) -> str:
        return reverse("filing_body", args=[self.subject.code])


class Filing(models.Model):
    """One form of one body for one period. State and number are those of the latest version."""

    form = StorableCharField(_("报表"), max_length=64)
    body = models.ForeignKey(Body, models.PROTECT, related_name="filings")
    period = StorableCharField(_("期间"), max_length=16)
    due = models.DateField(_("报送期限"))
    state = StorableCharField(_("状态"), max_length=16, choices=list(STATES.items()), default="draft")
    number = models.PositiveIntegerField(_("版次"), default=1)
    # whose it is, kept here for the row security of the database
    owner_region = StorableCharField(max_length=16, blank=True)
    owner_unit = StorableCharField(max_length=32, blank=True)
    owner_body = StorableCharField(max_length=64, blank=True)
    review_started_at = models.DateTimeField(null=True, blank=True)
    review_started_by = StorableCharField(max_length=80, blank=True)
    changed_at = models.DateTimeField(_("更新时间"))

    class Meta:
        db_table_comment = "Filings: one a form, body and period"
        ordering = ["due", "pk"]
        constraints = [models.UniqueConstraint(fields=["form", "body", "period"], name="filing_once")]
        indexes = [models.Index(fields=["state", "due"]), models.Index(fields=["form", "period"])]

    def get_absolute_url(self) -> str:
        return reverse("filing", args=[self.pk])

    @property
    def owner(self) -> Owner:
        return Owner(self.owner_region, self.owner_unit, self.owner_body)

    @property
    def when(self) -> Period:
        return Period.parse(self.period)

    @property
    def state_label(self) -> str:
        return str(STATES[self.state])

    @property
    def editable(self) -> bool:
        return self.state == "draft"

    def overdue(self, today: date | None = None) -> bool:
        return self.state in ("draft", "returned", "withdrawn") and self.due < (today or timezone.localdate())


class FilingVersion(models.Model):
    """The content of a filing. Sealed when submitted: only the state goes on."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("版次"))
    state = StorableCharField(_("状态"), max_length=16, choices=list(STATES.items()), default="draft")
    form_version = StorableCharField(
        _("表式版本"), max_length=80, help_text="form and the date its version came into force"
    )
    data = StorableJSONField(_("内容"), default=dict)
    digest = StorableCharField(max_length=64, blank=True, help_text="SM3 of the content")
    origin = StorableCharField(_("来源"), max_length=8, choices=list(ORIGINS.items()), default="grid")
    nil = models.BooleanField(_("零报告"), default=False)
    note = StorableCharField(_("说明"), max_length=400, blank=True)
    findings = StorableJSONField(_("审核提示"), default=dict, help_text="counts by severity; unanswered errors")
    edits = models.PositiveIntegerField(
        default=0, help_text="counts saves of a draft, so that nobody overwrites unseen"
    )
    made_at = models.DateTimeField(_("建立时间"))
    made_by = StorableCharField(_("建立人"), max_length=80)
    submitted_at = models.DateTimeField(_("提交时间"), null=True, blank=True)
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    posting = models.BigIntegerField(_("入库序号"), null=True, blank=True)

    class Meta:
        db_table_comment = "Versions of filings; sealed by trigger once submitted"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["filing", "number"], name="version_number"),
            models.UniqueConstraint(fields=["filing"], condition=models.Q(state="draft"), name="version_one_draft"),
        ]

    @property
    def state_label(self) -> str:
        return str(STATES[self.state])

    @property
    def late(self) -> bool:
        return self.submitted_at is not None and timezone.localdate(self.submitted_at) > self.filing.due


class Step(models.Model):
    """One thing that happened to a filing. Steps only grow."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="steps")
    number = models.PositiveIntegerField(_("版次"))
    action = StorableCharField(_("事项"), max_length=20, choices=list(ACTIONS.items()))
    text = StorableCharField(_("说明"), max_length=400, blank=True)
    at = models.DateTimeField(_("时间"))
    by = StorableCharField(_("办理人"), max_length=80)

    class Meta:
        db_table_comment = "History of filings; append-only"
        ordering = ["id"]

    @property
    def action_label(self) -> str:
        return str(ACTIONS[self.action])


class Remark(models.Model):
    """A reviewer's remark on a cell ("" row and column: on the whole), for one version."""

    version = models.ForeignKey(FilingVersion, models.PROTECT, related_name="remarks")
    sheet = StorableCharField(max_length=64, blank=True)
    key = StorableCharField(max_length=160, blank=True)
    column = StorableCharField(max_length=64, blank=True)
    got = StorableCharField(_("当时的值"), max_length=200, blank=True)
    text = StorableCharField(_("意见"), max_length=400)
    at = models.DateTimeField(_("时间"))
    by = StorableCharField(_("审核人"), max_length=80)

    class Meta:
        db_table_comment = "Remarks of reviewers, by cell; append-only"
        ordering = ["id"]


class Attachment(models.Model):
    """Evidence. The file lies under its digest outside the web root; it is there before the row is."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="attachments")
    name = StorableCharField(_("文件名"), max_length=160)
    kind = StorableCharField(_("类型"), max_length=8)
    size = models.PositiveIntegerField(_("大小"))
    digest = StorableCharField(max_length=64)
    at = models.DateTimeField(_("时间"))
    by = StorableCharField(_("上传人"), max_length=80)

    class Meta:
        db_table_comment = "Evidence of filings; append-only; files under their SHA-256"
        ordering = ["id"]


class Answer(models.Model):
    """Why a check does not hold here: with a reason, evidence, an author and an end."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="answers")
    check_id = StorableCharField(max_length=120)
    sheet = StorableCharField(max_length=64, blank=True)
    key = StorableCharField(max_length=160, blank=True)
    column = StorableCharField(max_length=64, blank=True)
    got = StorableCharField(_("所答的值"), max_length=200, blank=True, help_text="another value needs another answer")
    reason = StorableCharField(_("理由"), max_length=400)
    evidence = models.ForeignKey(Attachment, models.PROTECT, null=True, blank=True)
    at = models.DateTimeField(_("时间"))
    by = StorableCharField(_("说明人"), max_length=80)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = StorableCharField(max_length=80, blank=True)

    class Meta:
        db_table_comment = "Answers to checks (suppression with reason)"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["filing", "check_id", "sheet", "key", "column"], condition=models.Q(ended_at=None), name="answer_once"
            )
        ]  # fmt: skip


class Extension(models.Model):
    """A later deadline that was asked for with a reason, and what was decided."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="extensions")
    until = models.DateField(_("延至"))
    reason = StorableCharField(_("事由"), max_length=400)
    state = StorableCharField(
        max_length=8, default="asked", choices=[("asked", _("待批")), ("granted", _("同意")), ("refused", _("不同意"))]
    )
    asked_at = models.DateTimeField()
    asked_by = StorableCharField(max_length=80)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = StorableCharField(max_length=80, blank=True)
    answer = StorableCharField(_("批复"), max_length=400, blank=True)

    class Meta:
        db_table_comment = "Extensions of deadlines"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["filing"], condition=models.Q(state="asked"), name="extension_one_asked")
        ]


class ImportJob(models.Model):
    """One upload: read, matched, checked, compared; nothing is in the draft until it is confirmed."""

    filing = models.ForeignKey(Filing, models.PROTECT, related_name="imports")
    name = StorableCharField(_("文件名"), max_length=160)
    digest = StorableCharField(max_length=64)
    path = StorableCharField(max_length=120, blank=True, help_text="where the file is kept, below the data folder")
    origin = StorableCharField(max_length=8, choices=list(ORIGINS.items()), default="file")
    state = StorableCharField(_("状态"), max_length=12, choices=list(JOB_STATES.items()), default="running")
    stage = StorableCharField(_("阶段"), max_length=20, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    data = StorableJSONField(null=True)
    before = StorableJSONField(null=True, help_text="the draft before the import, for undo")
    problems = StorableJSONField(default=list)
    summary = StorableJSONField(default=dict)
    edits = models.PositiveIntegerField(default=0, help_text="edits of the draft that the comparison was made with")
    at = models.DateTimeField(_("时间"))
    beat = models.DateTimeField(help_text="last sign of life")
    keeper = StorableCharField(max_length=80, blank=True, help_text="host and process that reads it")
    attempts = models.PositiveSmallIntegerField(default=1, help_text="readings begun; an older one writes nothing")
    by = StorableCharField(_("上传人"), max_length=80)

    class Meta:
        db_table_comment = "Uploads: dry run, confirmation, undo"
        ordering = ["-id"]

    def get_absolute_url(self) -> str:
        return reverse("filing_import", args=[self.filing_id, self.pk])

    @property
    def state_label(self) -> str:
        return str(JOB_STATES[self.state])


class ApiToken(models.Model):
    """A key to the API for one person's body; the table holds its digest."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="tokens")
    name = StorableCharField(_("用途"), max_length=80)
    digest = StorableCharField(max_length=64, unique=True)
    tail = StorableCharField(max_length=6, help_text="last characters, to tell keys apart")
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField(_("失效时间"))
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table_comment = "Keys to the API, scoped to the person's body"
        ordering = ["-id"]

    @property
    def valid(self) -> bool:
        return self.revoked_at is None and self.expires_at > timezone.now()


class ApiRate(models.Model):
    """How far a key has used its allowance: the moment at which it will be whole again, in seconds since 1970."""

    token = models.BigIntegerField(primary_key=True)
    whole_at = models.FloatField()

    class Meta:
        db_table_comment = "Use of the API by key; not logged on PostgreSQL, lost with a crash"


LETTER_STATES = {
    "waiting": _("待寄"), "sending": _("正在寄"), "sent": _("已寄"), "failed": _("未寄出"), "unsure": _("不能确定是否寄出"),
}  # fmt: skip
LETTER_KINDS = {"reminder": _("催报"), "digest": _("待审提醒")}


class Letter(models.Model):
    """One mail to one person: at most one a kind and day. Written before it is sent, and sent at most once by itself."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="letters")
    kind = StorableCharField(_("类别"), max_length=8, choices=list(LETTER_KINDS.items()))
    day = models.DateField(_("日期"))
    address = models.EmailField(_("邮箱"))
    subject = StorableCharField(_("标题"), max_length=160)
    text = models.TextField(_("内容"))
    state = StorableCharField(_("状态"), max_length=8, choices=list(LETTER_STATES.items()), default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    error = StorableCharField(_("原因"), max_length=200, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table_comment = "Reminders and digests by mail"
        ordering = ["-day", "-id"]
        constraints = [models.UniqueConstraint(fields=["person", "kind", "day"], name="letter_once")]
        indexes = [models.Index(fields=["state"])]


class Reminder(models.Model):
    """One duty that a person was reminded of at one stage (days after the deadline; before it negative)."""

    letter = models.ForeignKey(Letter, models.PROTECT, related_name="reminders")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    form = StorableCharField(max_length=64)
    body = models.ForeignKey(Body, models.PROTECT, related_name="+")
    period = StorableCharField(max_length=16)
    due = models.DateField()
    stage = models.SmallIntegerField()

    class Meta:
        db_table_comment = "What was reminded of; each stage once"
        constraints = [
            models.UniqueConstraint(fields=["person", "form", "body", "period", "due", "stage"], name="reminder_once")
        ]


class IdempotencyKey(models.Model):
    """What a write through the API answered, so that sending it again answers the same."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    key = StorableCharField(max_length=80)
    request = StorableCharField(max_length=64, help_text="digest of method, path and body")
    status = models.PositiveSmallIntegerField()
    answer = StorableJSONField()
    at = models.DateTimeField()

    class Meta:
        db_table_comment = "Answers to writes by idempotency key"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_once")]


def step(filing: Filing, action: str, by: str, text: str = "", number: int | None = None, at: Any = None) -> Step:
    """Note what happened to a filing."""
    return Step.objects.create(
        filing=filing, number=filing.number if number is None else number, action=action, text=text[:400], at=at or timezone.now(), by=by
    )  # fmt: skip
