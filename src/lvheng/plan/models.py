"""Drafts of plans that are being read and corrected in the browser."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class PlanDraft(models.Model):
    """A text as it was given, and the draft of the plan as corrected so far.

    ``data`` holds clauses, targets and responsibilities as plain values in the field names of the plan file.
    Every item has ``confirmed``; spans are code points of ``text``.
    """

    title = models.CharField(_("标题"), max_length=200)
    file_name = models.CharField(_("文件名"), max_length=200, blank=True)
    text = models.TextField(_("原文"))
    data = models.JSONField(_("草案"), default=dict)
    version = models.PositiveIntegerField(_("修改次数"), default=0)
    finished = models.BooleanField(_("已核完"), default=False)
    created_by = models.CharField(_("读入人"), max_length=80)
    created_at = models.DateTimeField(_("读入时间"), auto_now_add=True)
    changed_by = models.CharField(_("最后修改人"), max_length=80, blank=True)
    changed_at = models.DateTimeField(_("最后修改时间"), auto_now=True)

    class Meta:
        db_table_comment = "Plan texts being read and corrected before they become plan files"
        ordering = ["-changed_at"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("plan_draft", args=[self.pk])

    @property
    def summary(self) -> str:
        """How far the correction is."""
        items = [*self.data.get("targets", []), *self.data.get("responsibilities", [])]
        done = sum(bool(i.get("confirmed")) for i in items)
        return gettext("已核%(done)s项，共%(total)s项") % {"done": done, "total": len(items)}
