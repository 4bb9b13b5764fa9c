"""The way in for files, pasted cells and JSON: read, match, check, compare; then confirm, or undo.

The dry run writes nothing into the draft. A long file is read by a thread of the server, so that leaving the
page does not stop it; its stages and counts are in the job. When the process dies, another takes the job over and
reads the kept file again. What is confirmed becomes the draft in one transaction.
"""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.db import OperationalError, close_old_connections, transaction
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
BEAT = 10  # seconds between signs of life of a reading
SILENT = timedelta(minutes=1)  # a running job without a sign of life for longer was interrupted
ATTEMPTS = 3  # readings of one file before it is given up
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
    with transaction.atomic():  # the file is there before the row is
        job = _open(user, filing_id, name, hashlib.sha256(raw).hexdigest(), "file")
        evidence.keep(raw)
    _begin(job, raw)
    return job


def _begin(job: ImportJob, raw: bytes) -> None:
    """Read now, or in a thread when it takes longer."""
    if len(raw) <= AT_ONCE:
        _read(job, raw)
    else:
        thread = threading.Thread(target=_in_background, args=(job.pk, job.attempts, raw), name=f"import-{job.pk}")
        transaction.on_commit(thread.start)


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
    _editable(filing)
    ImportJob.objects.filter(filing=filing, state__in=("ready", "failed")).update(state="abandoned", data=None)
    now = timezone.now()
    return ImportJob.objects.create(
        filing=filing,
        name=name[:160],
        digest=digest,
        origin=origin,
        stage="收到文件",
        at=now,
        beat=now,
        by=by,
        keeper=_keeper(),
    )


def _editable(filing: Filing) -> None:
    if filing.state not in ("draft", *services.REOPENED):
        raise refuse(
            "sealed",
            "这份填报已提交，不能再导入",
            got=filing.state_label,
            wanted="草稿或已退回的填报",
            fix="审核开始前可撤回提交；接收后需要更正的，用“更正”另报一版。",
        )


def _keeper() -> str:
    return f"{socket.gethostname()[:60]}/{os.getpid()}"


def _in_background(job_id: int, attempt: int, raw: bytes) -> None:
    """Read in a thread, with signs of life until it is done."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(BEAT):
                ImportJob.objects.filter(pk=job_id, attempts=attempt, state="running").update(beat=timezone.now())
        finally:
            close_old_connections()

    pulse = threading.Thread(target=beat, name=f"import-beat-{job_id}", daemon=True)
    try:
        job = ImportJob.objects.select_related("filing__body__subject").get(pk=job_id)
        if job.attempts == attempt:
            pulse.start()
            _read(job, raw)
    finally:
        done.set()
        if pulse.is_alive():
            pulse.join()
        close_old_connections()


class _TakenOverError(Exception):
    """Another process reads this job now; nothing more is written here."""


def _keep(job: ImportJob, **fields: Any) -> None:
    """Write to the job, if it is still this reading's."""
    fields["beat"] = timezone.now()
    if not ImportJob.objects.filter(pk=job.pk, state="running", attempts=job.attempts).update(**fields):
        raise _TakenOverError
    for field, value in fields.items():
        setattr(job, field, value)


def _stage(job: ImportJob, stage: str, done: int = 0, total: int = 0) -> None:
    _keep(job, stage=stage, done=done, total=total)


def _fail(job: ImportJob, message: str, fix: str) -> None:
    _keep(
        job, state="failed", stage="中断", problems=[FilingProblem("filing.import.broken", message, fix=fix).as_dict()]
    )


def _read(job: ImportJob, raw: bytes) -> None:
    try:
        try:
            form = content.form_of(job.filing)
            if _same_again(job):
                return
            _stage(job, "读取")
            _weigh(job, form, forms.read_file(raw, job.name, form, job.filing.when))
        except (
            _TakenOverError,
            OperationalError,
        ):  # a database that is away is no fault of the file: the job is taken over later
            raise
        except Exception:
            _fail(job, "读取时系统出错，没有导入任何内容", "点“重新处理”再试一次；仍不成功的，将文件交系统管理员。")
            raise
    except _TakenOverError:
        job.refresh_from_db()


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
    summary = {
        **s, "new": 0, "changed": 0, "same": rows, "removed": 0, "cells_changed": 0, "changes": [], "added": [], "gone": [], "nothing": True,
    }  # fmt: skip
    _keep(job, summary=summary, problems=last.problems, edits=version.edits, state="ready", stage="待确认")
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
    problems = [as_stored(p) for p in sorted(found, key=lambda p: p.severity.rank)[:TOLD]]
    summary = {
        "rows": reading.seen.rows, "cells": reading.seen.cells, "new": len(difference.new), "changed": len(difference.changed),
        "same": len(difference.same), "removed": len(difference.removed), "wrong": len(wrong), "counts": content.counts(found),
        "cells_changed": len(difference.cells), "changes": [asdict(c) for c in difference.cells[:500]], "added": difference.new[:500],
        "gone": difference.removed[:500], "nothing": bool(reading.data) and difference.nothing,
    }  # fmt: skip
    data = forms.dump(reading.data) if reading.data else None
    state, stage = ("ready", "待确认") if reading.data else ("failed", "没有可导入的内容")
    _keep(job, problems=problems, summary=summary, edits=version.edits, data=data, state=state, stage=stage)


def as_stored(problem: FilingProblem) -> dict[str, Any]:
    return {k: v for k, v in problem.as_dict().items() if v not in ("", None)}


def as_problem(stored: dict[str, Any]) -> FilingProblem:
    return FilingProblem(
        **{**stored, "severity": Severity(stored["severity"]), "place": Place(**stored.get("place", {}))}
    )


def refresh(job: ImportJob) -> ImportJob:
    """The job as it is; one whose process died is taken over."""
    if job.state == "running" and adopt(job):
        job.refresh_from_db()
    return job


def resume() -> int:
    """Take over every job whose process died; returns how many."""
    running = ImportJob.objects.filter(state="running").select_related("filing__body__subject")
    return sum(adopt(job) for job in running.defer("data", "before"))


def adopt(job: ImportJob) -> bool:
    """Read a job again whose process died, or say why that cannot be; False when it is alive or another took it."""
    if not _orphaned(job):
        return False
    claim = {"attempts": job.attempts + 1, "beat": timezone.now(), "keeper": _keeper()}
    if not ImportJob.objects.filter(pk=job.pk, state="running", attempts=job.attempts, beat=job.beat).update(**claim):
        return False
    job.attempts += 1
    if job.attempts > ATTEMPTS:
        _fail(
            job, f"读取{ATTEMPTS}次都被中断，没有导入任何内容", "点“重新处理”再试一次；仍不成功的，将文件交系统管理员。"
        )
    elif not job.digest:
        _fail(job, "处理时系统中断，没有导入任何内容", "重新粘贴或发送一次。")
    elif not evidence.path_of(job.digest).exists():
        _fail(job, "处理时系统中断，文件没有存下，没有导入任何内容", "重新上传文件。")
    else:
        _begin(job, evidence.read(job.digest))
    return True


def _orphaned(job: ImportJob) -> bool:
    """Whether nobody reads the job any more: its process on this machine is gone, or it has been silent."""
    if timezone.now() - job.beat > SILENT:
        return True
    host, _, number = job.keeper.rpartition("/")
    if host != socket.gethostname()[:60] or not number.isdigit() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's process of that number
        pass
    return False


def again(user: User, filing_id: int, job_id: int) -> ImportJob:
    """Read the kept file of a failed job once more."""
    with transaction.atomic():
        filing = locked(filing_id)
        need(user, Permission.FILE, filing.owner)
        job = _job(filing, job_id)
        if job.state != "failed" or not job.digest:
            raise refuse(
                "import.state",
                "这次导入没有可重新处理的文件",
                got=job.state_label,
                wanted="未能读取的文件",
                fix="重新上传文件。",
            )
        raw = evidence.read(job.digest)
        _editable(filing)
        job.state, job.stage, job.done, job.total, job.problems, job.summary = "running", "收到文件", 0, 0, [], {}
        job.attempts, job.beat, job.keeper = 1, timezone.now(), _keeper()
        job.save()
    _begin(job, raw)
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
