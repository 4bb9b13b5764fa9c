"""Decisions of dual control: decompositions and warnings. Rows never change; state is the sequence of steps."""

from __future__ import annotations

from datetime import date

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

KINDS = {"decomposition": _("目标分解"), "warning": _("预警")}
STEPS = {
    "draft": _("拟定"), "consultation": _("征求意见"), "remark": _("反馈意见"), "issued": _("印发"), "in_force": _("施行"),
    "receipt": _("签收"), "feedback": _("整改反馈"), "closed": _("办结"), "withdrawn": _("撤销"),
}  # fmt: skip


class Decision(models.Model):
    """What was decided, on which inputs, at which ledger position, by which rule versions.

    ``inputs`` are all numbers used (decimals as text) and ``outcome`` the result; replaying the rules on the
    inputs gives the outcome again. A changed draft is a new row that ``replaces`` the old one.
    """

    kind = models.CharField(_("类别"), max_length=16, choices=list(KINDS.items()))
    plan = models.CharField(_("方案"), max_length=40)
    title = models.CharField(_("标题"), max_length=160)
    subject = models.CharField(_("对象"), max_length=32, help_text="code of the region or unit it is addressed to")
    period = models.CharField(_("期间"), max_length=16)
    position = models.BigIntegerField(_("入库序号"))
    rules = models.JSONField(_("规则版本"), default=list)
    inputs = models.JSONField(_("依据数据"))
    outcome = models.JSONField(_("结果"))
    explanation = models.TextField(_("说明"), blank=True)
    digest = models.CharField(max_length=64, help_text="SM3 of rules, inputs and outcome")
    replaces = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="replaced_by")
    made_at = models.DateTimeField(_("时间"))
    made_by = models.CharField(_("拟定人"), max_length=80)

    class Meta:
        db_table_comment = "Decisions with their inputs and rule versions; append-only"
        ordering = ["-id"]
        indexes = [models.Index(fields=["kind", "subject", "period"])]

    def __str__(self) -> str:
        return self.title

    @property
    def last_step(self) -> str:
        """The latest step that changes the state."""
        return next(
            (s.step for s in reversed(self.steps.all()) if s.step not in ("remark", "receipt", "feedback")), "draft"
        )

    @property
    def due(self) -> date | None:
        """The latest deadline set."""
        return next((s.due for s in reversed(self.steps.all()) if s.due), None)

    @property
    def unit(self) -> dict[str, str] | None:
        """Code, name and county of the unit it is addressed to; None when that is a region."""
        return self.inputs.get("unit")

    @property
    def region(self) -> str:
        """The region it is addressed to, or that the unit lies in."""
        return self.unit["region"] if self.unit else self.subject

    @property
    def places(self) -> int:
        """Decimals of a decomposition's targets, so that all are shown alike."""
        return max((len(v.partition(".")[2].rstrip("0")) for v in self.outcome["targets"].values()), default=0)

    @property
    def answered(self) -> bool:
        return any(s.step == "feedback" for s in self.steps.all())

    @property
    def overdue(self) -> bool:
        """Whether a warning's feedback was due and has not come."""
        running = self.kind == "warning" and self.last_step == "issued" and not self.answered
        return running and self.due is not None and self.due < timezone.localdate()

    @property
    def state_label(self) -> str:
        return str(STEPS[self.last_step])


class DecisionStep(models.Model):
    """One step of a decision: consultation, a county's remark, issue, receipt, feedback, closing."""

    decision = models.ForeignKey(Decision, models.PROTECT, related_name="steps")
    step = models.CharField(_("环节"), max_length=16, choices=list(STEPS.items()))
    region = models.CharField(_("地区或单位"), max_length=32, blank=True)
    number = models.CharField(_("文号"), max_length=80, blank=True)
    text = models.TextField(_("内容"), blank=True)
    due = models.DateField(_("期限"), null=True, blank=True)
    at = models.DateTimeField(_("时间"))
    by = models.CharField(_("办理人"), max_length=80)

    class Meta:
        db_table_comment = "Steps of decisions; append-only"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["decision", "step"],
                condition=models.Q(step__in=["draft", "consultation", "issued", "in_force", "closed", "withdrawn"]),
                name="decision_step_once",
            )
        ]

    @property
    def step_label(self) -> str:
        return str(STEPS[self.step])
