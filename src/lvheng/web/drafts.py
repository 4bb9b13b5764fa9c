"""Use cases of reading a plan in the browser: one transaction each, every change in the audit chain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.db import transaction

from lvheng.access.models import append_event
from lvheng.core.problem import Problem, ProblemError
from lvheng.plan import drafting, reading
from lvheng.plan.models import PlanDraft
from lvheng.plan.reading import source

TRIAL_CHARACTERS = 60_000  # what the public may try at a time
TRIAL_BYTES = 2 * 1024 * 1024


def read(data: bytes, name: str, *, trial: bool, bodies: Mapping[str, str] | None = None) -> reading.Draft:
    """Read an uploaded or pasted plan; raises ProblemError when it cannot be read or is too long for a trial."""
    if trial and len(data) > TRIAL_BYTES:
        raise ProblemError(_too_long(f"{len(data) // 1024} KB", f"不超过{TRIAL_BYTES // 1024 // 1024} MB"))
    text = source.decode(data, Path(name or "正文.txt"))
    if trial and len(text) > TRIAL_CHARACTERS:
        raise ProblemError(_too_long(f"{len(text)}字", f"不超过{TRIAL_CHARACTERS}字"))
    return reading.read_text(text.replace("\r\n", "\n").replace("\r", "\n"), name=name, bodies=bodies)


def _too_long(got: str, wanted: str) -> Problem:
    return Problem(
        "plan.draft.trial", "试读的文本过长", got=got, wanted=wanted, fix="只贴方案正文，或请牵头部门登录后读入。"
    )


def keep(draft: reading.Draft, name: str, by: str) -> PlanDraft:
    """Keep a draft for correction."""
    data = reading.to_plan_dict(draft)
    with transaction.atomic():
        kept = PlanDraft.objects.create(
            title=(draft.doc.get("title") or name or "未题名的方案")[:200], file_name=name[:200], text=draft.text, data=data, created_by=by, changed_by=by
        )  # fmt: skip
        append_event(
            by,
            "读入方案",
            f"方案草案{kept.pk}",
            {"标题": kept.title, "目标": len(data["targets"]), "责任分工": len(data["responsibilities"])},
        )
    return kept


def change(
    pk: int, by: str, action: str, what: str, edit: Callable[[PlanDraft, dict[str, Any]], list[Problem]]
) -> tuple[PlanDraft, list[Problem]]:
    """Change a draft: ``edit`` gets the draft and its data and returns problems; with problems nothing is saved."""
    with transaction.atomic():
        draft = PlanDraft.objects.select_for_update().get(pk=pk)
        if problems := edit(draft, draft.data):
            return PlanDraft.objects.get(pk=pk), problems  # as it is stored, without the refused change
        draft.version += 1
        draft.changed_by = by
        draft.title = (drafting.header_of(draft.data)["title"] or draft.title)[:200]
        draft.save()
        append_event(by, action, f"方案草案{pk}", {"对象": what})
    return draft, []
