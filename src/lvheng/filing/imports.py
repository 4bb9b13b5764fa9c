"""The way in for files, pasted cells and JSON: read, match, check, compare; then confirm, or undo.

The dry run writes nothing into the draft. A long file is read by a thread of the server, so that leaving the
page does not stop it; its stages and counts are in the job. What is confirmed becomes the draft in one transaction.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, transaction
from django.utils import timezone

from lvheng.access.models import User
from lvheng.access.roles import Permission
from lvheng.core.problem import Place, Severity, stops
from lvheng.filing import content, evidence, forms, services
from lvheng.filing.forms import FilingProblem, Form, Reading
from lvheng.filing.models import Filing, FilingVersion, ImportJob
from lvheng.filing.services import draft_of, locked, need, new_version, note, refuse

LARGEST = 40 * 1024 * 1024
AT_ONCE = 600 * 1024  # files up to this size are read while the person waits
SILENT = timedelta(minutes=2)  # a running job without a sign of life for longer was interrupted
TOLD = 2000  # problems kept with a job


def upload(user: User, filing_id: int, raw: bytes, name: str) -> ImportJob:
    """Keep the file and dry-run it; the job tells the rest. Nothing of the filing changes."""
    if len(raw) > LARGEST:
        raise refuse(
            "file.too_big",
            "文件过大",
            got=f"{len(raw) // 1024 // 1024} MB",
            wanted=f"不超过{LARGEST // 1024 // 1024} MB",
            fix="只保留本表的工作表，另存后再上传。",
        )
    job = _open(user, filing_id, name, hashlib.sha256(raw).hexdigest(), "file")
    evidence.keep(raw)
    if len(raw) <= AT_ONCE:
        _read(job, raw)
    else:
        thread = threading.Thread(target=_in_background, args=(job.pk, raw), name=f"import-{job.pk}")
        transaction.on_commit(thread.start)
    return job


def take(user: User, filing_id: int, read: Callable[[Form], Reading], name: str, origin: str) -> ImportJob:
    """Dry-run what was pasted or sent as JSON, by the same way as a file."""
    job = _open(user, filing_id, name, "", origin)
    form = content.form_of(job.filing)
    _weigh(job, form, read(form))
    return job


@transaction.atomic
def _open(user: User, filing_id: int, name: str, digest: str, origin: str) -> ImportJob:
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    if filing.state not in ("draft", *services.REOPENED):
        raise refuse(
            "sealed",
            "这份填报已提交，不能再导入",
            got=filing.state_label,
            wanted="草稿或已退回的填报",
            fix="审核开始前可撤回提交；接收后需要更正的，用“更正”另报一版。",
        )
    ImportJob.objects.filter(filing=filing, state__in=("ready", "failed")).update(state="abandoned", data=None)
    now = timezone.now()
    return ImportJob.objects.create(
        filing=filing, name=name[:160], digest=digest, origin=origin, stage="收到文件", at=now, beat=now, by=by
    )


def _in_background(job_id: int, raw: bytes) -> None:
    try:
        job = ImportJob.objects.select_related("filing__body__subject").get(pk=job_id)
        _read(job, raw)
    finally:
        close_old_connections()


def _stage(job: ImportJob, stage: str, done: int = 0, total: int = 0) -> None:
    job.stage, job.done, job.total, job.beat = stage, done, total, timezone.now()
    job.save(update_fields=["stage", "done", "total", "beat"])


def _read(job: ImportJob, raw: bytes) -> None:
    form = content.form_of(job.filing)
    if _same_again(job):
        return
    try:
        _stage(job, "读取")
        _weigh(job, form, forms.read_file(raw, job.name, form, job.filing.when))
    except Exception:
        job.state, job.stage = "failed", "中断"
        job.problems = [
            FilingProblem(
                "filing.import.broken",
                "读取时系统出错，没有导入任何内容",
                fix="请再试一次；仍不成功的，将文件交系统管理员。",
            ).as_dict()
        ]
        job.save()
        raise


def _same_again(job: ImportJob) -> bool:
    """The very file that the draft was last filled from, and the draft untouched since: nothing to read again."""
    version = FilingVersion.objects.filter(filing=job.filing).defer("data").latest("number")
    last = (
        ImportJob.objects.filter(filing=job.filing, state="confirmed")
        .exclude(digest="")
        .defer("data", "before")
        .first()
    )
    if last is None or last.digest != job.digest or (version.state, version.edits) != ("draft", last.edits):
        return False
    s = last.summary
    rows = s["new"] + s["changed"] + s["same"]
    job.summary = {
        **s,
        "new": 0,
        "changed": 0,
        "same": rows,
        "removed": 0,
        "cells_changed": 0,
        "changes": [],
        "added": [],
        "gone": [],
        "nothing": True,
    }
    job.problems, job.edits, job.state, job.stage, job.beat = (
        last.problems,
        version.edits,
        "ready",
        "待确认",
        timezone.now(),
    )
    job.save()
    return True


def _weigh(job: ImportJob, form: Form, reading: Reading) -> None:
    """Check and compare what was read; the job is then ready, or failed."""
    filing = job.filing
    version = FilingVersion.objects.filter(filing=filing).latest("number")
    found = list(reading.problems)
    if reading.data:
        _stage(job, "核对", reading.seen.rows, reading.seen.rows)
        found += reading.locate(content.findings(filing, form, reading.data))
    _stage(job, "比较", reading.seen.rows, reading.seen.rows)
    difference = forms.compare(forms.load(version.data), reading.data)
    wrong = {(p.sheet, p.key) for p in found if p.key and p.severity in (Severity.BLOCKER, Severity.ERROR)}
    job.problems = [as_stored(p) for p in sorted(found, key=lambda p: p.severity.rank)[:TOLD]]
    job.summary = {
        "rows": reading.seen.rows, "cells": reading.seen.cells, "new": len(difference.new), "changed": len(difference.changed),
        "same": len(difference.same), "removed": len(difference.removed), "wrong": len(wrong), "counts": content.counts(found),
        "cells_changed": len(difference.cells), "changes": [asdict(c) for c in difference.cells[:500]], "added": difference.new[:500],
        "gone": difference.removed[:500], "nothing": bool(reading.data) and difference.nothing,
    }  # fmt: skip
    job.edits = version.edits
    job.data = forms.dump(reading.data) if reading.data else None
    job.state = "ready" if reading.data else "failed"
    job.stage, job.beat = "待确认" if reading.data else "没有可导入的内容", timezone.now()
    job.save()


def as_stored(problem: FilingProblem) -> dict[str, Any]:
    return {k: v for k, v in problem.as_dict().items() if v not in ("", None)}


def as_problem(stored: dict[str, Any]) -> FilingProblem:
    return FilingProblem(
        **{**stored, "severity": Severity(stored["severity"]), "place": Place(**stored.get("place", {}))}
    )


def refresh(job: ImportJob) -> ImportJob:
    """A job whose process was killed says so instead of running for ever."""
    if job.state == "running" and timezone.now() - job.beat > SILENT:
        ImportJob.objects.filter(pk=job.pk, state="running").update(state="failed", stage="中断")
        job.refresh_from_db()
    return job


@transaction.atomic
def confirm(user: User, filing_id: int, job_id: int) -> FilingVersion:
    """Make the dry-run content the draft. The same content again changes nothing."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    job = _job(filing, job_id)
    if job.state != "ready":
        raise refuse(
            "import.state", "这次导入不在待确认状态", got=job.state_label, wanted="待确认", fix="重新上传文件。"
        )
    if stops(problems := [as_problem(p) for p in job.problems]):
        raise refuse(
            "import.blockers",
            f"文件中还有{sum(p.severity is Severity.BLOCKER for p in problems)}处必须改正，没有导入",
            wanted="先改正标明的单元格",
            fix="下载已标注的文件，改正后重新上传。",
        )
    before = FilingVersion.objects.filter(filing=filing).latest("number")
    if before.edits != job.edits:
        raise refuse(
            "draft.changed",
            "核对之后草稿又有改动，没有导入",
            got=f"第{before.edits}次保存",
            wanted=f"第{job.edits}次保存",
            fix="重新上传，再看一次差异。",
        )
    if job.summary.get("nothing"):
        job.state = "confirmed"
        job.before = None
        job.save(update_fields=["state", "before"])
        return before
    version = draft_of(filing, by)
    job.before = version.data
    services._put(version, job.data, job.origin)
    job.state, job.edits, job.data = "confirmed", version.edits, None
    job.save(update_fields=["state", "before", "edits", "data"])
    services._touch(filing)
    s = job.summary
    note(
        filing,
        "import",
        by,
        f"{job.name}：新增{s['new']}行，修改{s['changed']}行，删除{s['removed']}行，相同{s['same']}行",
    )
    return version


@transaction.atomic
def undo(user: User, filing_id: int, job_id: int) -> FilingVersion:
    """Put back what the draft held before the import; a submission not yet under review is withdrawn with it."""
    filing = locked(filing_id)
    by = need(user, Permission.FILE, filing.owner)
    job = _job(filing, job_id)
    version = FilingVersion.objects.filter(filing=filing).latest("number")
    if job.state != "confirmed" or job.before is None:
        raise refuse("undo.state", "这次导入没有可撤销的内容", got=job.state_label, wanted="已导入")
    if (
        filing.imports.filter(state="confirmed", pk__gt=job.pk).exclude(before=None).exists()
        or version.edits != job.edits
    ):
        raise refuse(
            "undo.edited",
            "导入之后内容又有改动，撤销会丢失这些改动",
            wanted="导入后未再改动",
            fix="直接修改草稿，或重新导入。",
        )
    if filing.state == "draft":
        services._put(version, job.before, version.origin)
    else:
        services._take_back(filing)
        version = new_version(filing, by, job.before)
    job.state = "undone"
    job.save(update_fields=["state"])
    note(filing, "undo", by, job.name)
    return version


def _job(filing: Filing, job_id: int) -> ImportJob:
    found = ImportJob.objects.select_for_update().filter(filing=filing, pk=job_id).first()
    if found is None:
        raise refuse("import.unknown", "没有这次导入", fix="从填报页面进入。")
    return found


def marked(job: ImportJob) -> bytes:
    """The uploaded workbook with the cells marked; raises ProblemError when it is no workbook any more."""
    raw = evidence.read(job.digest)
    form = content.form_of(job.filing)
    return forms.marked(raw, form, [as_problem(p) for p in job.problems])
