"""Papers for marks: kept by content, due by a day of the next month, without which a mark is set aside."""

from __future__ import annotations

import hashlib
import io
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from PIL import Image

from lvheng.access.models import append_event
from lvheng.core import content as contents
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry import services
from lvheng.telemetry.clock import SHANGHAI
from lvheng.telemetry.models import Mark, MarkPaper

LARGEST = 10 * 1024 * 1024
TYPES = {"pdf": "application/pdf", "png": "image/png", "jpeg": "image/jpeg"}


def kind_of(raw: bytes) -> str:
    """pdf, png or jpeg by content, whatever the name says; '' for anything else."""
    if raw[:5] == b"%PDF-" and b"%%EOF" in raw[-2048:]:
        return "pdf"
    try:
        with Image.open(io.BytesIO(raw), formats=["PNG", "JPEG"]) as image:
            image.verify()
            return (image.format or "").lower()
    except Exception:  # Pillow raises many kinds for what is no picture
        return ""


def _folder() -> Path:
    return services.data_folder() / "papers"


def path_of(digest: str) -> Path:
    return contents.path_of(_folder(), digest)


def hand_in(mark: Mark, name: str, raw: bytes, *, by: str, now: datetime | None = None) -> MarkPaper:
    """Keep a paper for a mark; raises ProblemError when it is too large, of no known type, or the day is past."""
    now = now or timezone.now()
    problems = []
    if len(raw) > LARGEST:
        problems.append(
            Problem(
                "telemetry.paper.large", "文件过大", wanted=f"不超过{LARGEST >> 20}兆字节", fix="压缩或分成几个文件。"
            )
        )
    if not kind_of(raw):
        problems.append(
            Problem(
                "telemetry.paper.kind",
                "文件类型不能接收",
                got=name[:60],
                wanted="PDF、PNG、JPEG",
                fix="换成所列类型后提交。",
            )
        )
    if now >= due(mark):
        problems.append(Problem("telemetry.paper.late", "已过证明材料提交期限", wanted=f"{due(mark):%Y-%m-%d}前"))
    if hasattr(mark, "withdrawal"):
        problems.append(Problem("telemetry.paper.withdrawn", "该标记已撤销，不再接收材料"))
    if problems:
        raise ProblemError(problems)
    digest = contents.keep(_folder(), raw)
    with transaction.atomic():
        made = MarkPaper.objects.create(
            mark=mark, name=Path(name).name[:160] or "材料", size=len(raw), digest=digest, by=by, at=now
        )
        append_event(by, "提交标记证明材料", f"{mark.outlet.code} {mark.pk}", {"文件": made.name, "摘要": digest})
    return made


def read(paper: MarkPaper) -> bytes:
    """The paper's bytes; raises ProblemError when it is gone or not what was kept."""
    path = path_of(paper.digest)
    raw = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(raw).hexdigest() != paper.digest:
        raise ProblemError(
            Problem("telemetry.paper.gone", "文件不在了或已损坏", got=paper.name, fix="请系统管理员从备份恢复。")
        )
    return raw


def due(mark: Mark) -> datetime:
    """The moment from which papers for a mark are too late: the end of the day of the next month that the rule names."""
    month = Period.containing(mark.begin.astimezone(SHANGHAI).date(), Kind.MONTH)
    day = int(services.rulebook().at("telemetry.mark_documents_day", month.end).value or 10)
    return datetime(month.end.year, month.end.month, month.end.day, tzinfo=SHANGHAI) + timedelta(days=1 + day)


def expire(now: datetime | None = None) -> int:
    """Set marks aside for which no paper came in time, so that the rates count anew. Returns how many."""
    now, done = now or timezone.now(), 0
    for mark in Mark.objects.filter(withdrawal=None, papers=None, begin__lt=now - timedelta(days=10)):
        if now >= due(mark):
            services.withdraw_mark(mark, reason="逾期未提交证明材料", by="系统")
            done += 1
    return done
