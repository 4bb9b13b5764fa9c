"""The store of observations: append-only, vintages, every row with its source.

A *posting* is one act of recording (an import, an accepted filing, a month's roll-up). Postings are
numbered in commit order; that number is the **ledger position**. Reading is always as of a position:
of each key (indicator, subject, period, item) the latest vintage posted by then.

Values are an integer and a power of ten, exact and equal on SQLite and PostgreSQL, and keep the
digits they were published with: 14.0 is (140, 1).
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _

from lvheng.core.period import Period
from lvheng.core.source import Confidence

QUALITIES = {
    "measured": "监测", "filed": "填报", "published": "公开发布", "statistics": "统计", "estimated": "估算", "substituted": "替代", "withdrawn": "撤回",
}  # fmt: skip
SUBJECT_KINDS = {
    "region": "地区",
    "unit": "用能单位",
    "outlet": "排口",
    "plant": "处理厂",
    "facility": "设施",
    "body": "部门",
}


class Subject(models.Model):
    """What a figure is of. Regions come from the plan; units and outlets from registers."""

    code = models.CharField(_("代码"), max_length=32, unique=True)
    kind = models.CharField(_("类别"), max_length=12, choices=list(SUBJECT_KINDS.items()))
    name = models.CharField(_("名称"), max_length=120)
    name_en = models.CharField(max_length=160, blank=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="parts")
    industry = models.CharField(_("行业"), max_length=8, blank=True, help_text="GB/T 4754-2017 code")
    synthetic = models.BooleanField(_("演示数据"), default=False)
    attributes = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table_comment = "Regions, units, outlets and other subjects of observations"
        indexes = [models.Index(fields=["kind", "parent"])]

    def __str__(self) -> str:
        return self.name


class SourceDocument(models.Model):
    """A document that figures are taken from; rows never change."""

    key = models.CharField(max_length=80, unique=True)
    document = models.CharField(_("文件"), max_length=240)
    number = models.CharField(_("文号"), max_length=80, blank=True)
    article = models.CharField(_("条款或表号"), max_length=120, blank=True)
    issuer = models.CharField(_("发布单位"), max_length=120, blank=True)
    date = models.DateField(_("日期"), null=True, blank=True)
    url = models.URLField(max_length=300, blank=True)
    confidence = models.CharField(_("核实程度"), max_length=4, choices=[(c.value, c.label) for c in Confidence])
    synthetic = models.BooleanField(_("演示数据"), default=False)
    note = models.TextField(blank=True)

    class Meta:
        db_table_comment = "Sources of observations; append-only"

    def __str__(self) -> str:
        title = self.document if self.document[:1] in "《“" else f"《{self.document}》"
        return title + (f"（{self.number}）" if self.number else "") + self.article

    @property
    def confidence_label(self) -> str:
        return Confidence(self.confidence).label


class Posting(models.Model):
    """One act of recording. Its number is the ledger position after it."""

    number = models.BigIntegerField(primary_key=True)
    recorded_at = models.DateTimeField(_("记录时间"))
    recorded_by = models.CharField(_("记录人"), max_length=80)
    kind = models.CharField(_("来源方式"), max_length=24)  # published, demo, filing, telemetry, correction
    title = models.CharField(_("摘要"), max_length=200)
    rows = models.PositiveIntegerField(_("行数"))
    digest = models.CharField(max_length=64, help_text="SM3 of the rows in order, so that a re-import is recognised")

    class Meta:
        db_table_comment = "Acts of recording; append-only; number = ledger position"
        ordering = ["number"]


class Observation(models.Model):
    """One figure of one vintage."""

    posting = models.ForeignKey(Posting, models.PROTECT, related_name="observations")
    indicator = models.CharField(_("指标"), max_length=64)
    subject = models.ForeignKey(Subject, models.PROTECT, related_name="observations")
    period = models.CharField(_("期间"), max_length=16)
    item = models.CharField(_("分项"), max_length=32, blank=True, default="")
    mantissa = models.BigIntegerField(null=True)
    scale = models.SmallIntegerField(default=0)
    unit = models.CharField(_("单位"), max_length=24)
    quality = models.CharField(_("数据性质"), max_length=12, choices=list(QUALITIES.items()))
    vintage = models.PositiveIntegerField(_("版次"))
    source = models.ForeignKey(SourceDocument, models.PROTECT, related_name="observations")
    reference = models.CharField(
        _("出处"), max_length=160, blank=True, help_text="table and row, file and cell, lake partition"
    )

    class Meta:
        db_table_comment = "Figures, append-only; key is indicator, subject, period, item; latest vintage wins"
        constraints = [
            models.UniqueConstraint(fields=["subject", "indicator", "period", "item", "vintage"], name="observation_key"),
            models.CheckConstraint(condition=models.Q(scale__gte=0, scale__lte=12), name="observation_scale"),
            models.CheckConstraint(condition=models.Q(vintage__gte=1), name="observation_vintage"),
            models.CheckConstraint(
                condition=models.Q(mantissa__isnull=False) | models.Q(quality="withdrawn"), name="observation_value_or_withdrawn"
            ),
        ]  # fmt: skip

    @property
    def value(self) -> Decimal | None:
        return None if self.mantissa is None else Decimal(self.mantissa).scaleb(-self.scale)

    @property
    def when(self) -> Period:
        return Period.parse(self.period)

    @property
    def quality_label(self) -> str:
        return QUALITIES[self.quality]
