"""Files given as evidence or for import: known by content, kept under their SHA-256 outside the web root.

The file is written, synced and renamed before its row is: a row always has its file. A file whose row was rolled
back is an orphan, found by :func:`sweep`.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from PIL import Image

from lvheng.access.models import User
from lvheng.access.roles import Permission
from lvheng.core import content as contents
from lvheng.filing import services
from lvheng.filing.models import Attachment, ImportJob

FOLDER = "filed"
LARGEST = 20 * 1024 * 1024
EXPANDED = 200 * 1024 * 1024  # bytes of a workbook unpacked
MOST = 30  # attachments of a filing
TYPES = {
    "pdf": "application/pdf", "png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip


def kind_of(raw: bytes) -> str:
    """The type by content, whatever the name says; empty for what is not taken."""
    if raw[:5] == b"%PDF-" and b"%%EOF" in raw[-2048:]:
        return "pdf"
    if raw[:4] == b"PK\x03\x04":
        try:
            with zipfile.ZipFile(io.BytesIO(raw)) as book:
                names = set(book.namelist())
                if sum(part.file_size for part in book.infolist()) > EXPANDED:
                    return ""  # nobody could open it
        except zipfile.BadZipFile:
            return ""
        good = "xl/workbook.xml" in names and "[Content_Types].xml" in names
        return "xlsx" if good and not any("vbaProject" in n for n in names) else ""
    try:
        with Image.open(io.BytesIO(raw), formats=["PNG", "JPEG", "GIF", "WEBP"]) as image:
            image.verify()
            return (image.format or "").lower()
    except Exception:  # Pillow raises many kinds for what is no picture
        return ""


def path_of(digest: str) -> Path:
    return contents.path_of(Path(settings.HOME) / FOLDER, digest)


def keep(raw: bytes) -> str:
    """Write the content once; returns its SHA-256."""
    return contents.keep(Path(settings.HOME) / FOLDER, raw)


def read(digest: str) -> bytes:
    """The content; raises ProblemError when the file is gone or is not what was kept."""
    path = path_of(digest)
    if not digest or not path.exists():
        raise services.refuse("evidence.gone", "文件不在了", fix="请系统管理员从备份恢复。")
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != digest:
        raise services.refuse("evidence.altered", "文件与入库时不一致，不能使用", fix="请系统管理员从备份恢复。")
    return raw


def attach(user: User, filing_id: int, raw: bytes, name: str) -> Attachment:
    """Add evidence to a filing; the type is told from the content."""
    kind = kind_of(raw)
    if not kind:
        raise services.refuse(
            "evidence.kind",
            "不收这种文件",
            got=name[:80],
            wanted="PDF、图片（PNG、JPEG、GIF、WebP）、不含宏的xlsx",
            fix="转换为所列类型后再上传；只改扩展名无效。",
        )
    if len(raw) > LARGEST:
        raise services.refuse(
            "evidence.size",
            "文件过大",
            got=f"{len(raw) / 1024 / 1024:.1f} MB",
            wanted=f"不超过{LARGEST // 1024 // 1024} MB",
            fix="压缩或拆分后再上传。",
        )
    digest = keep(raw)
    with transaction.atomic():
        filing = services.locked(filing_id)
        by = services.need(user, Permission.FILE, filing.owner)
        if filing.attachments.count() >= MOST:
            raise services.refuse("evidence.many", "附件过多", wanted=f"不超过{MOST}个", fix="合并后再上传。")
        if same := filing.attachments.filter(digest=digest).first():
            return same
        made = Attachment.objects.create(
            filing=filing, name=clean_name(name), kind=kind, size=len(raw), digest=digest, at=timezone.now(), by=by
        )
        services.note(filing, "attach", by, made.name)
    return made


def clean_name(name: str) -> str:
    """A file name without folders and control characters."""
    bare = "".join(c for c in name.replace("\\", "/").rsplit("/", 1)[-1] if c.isprintable()).strip(" .")
    return bare[-160:] or "附件"


def sweep(*, older_than_hours: int = 24) -> int:
    """Remove files that no row names; returns how many. Fresh ones stay: their row may be on its way."""
    known = set(Attachment.objects.values_list("digest", flat=True)) | set(
        ImportJob.objects.values_list("digest", flat=True)
    )
    limit = timezone.now().timestamp() - older_than_hours * 3600
    gone = 0
    for path in (Path(settings.HOME) / FOLDER).glob("??/*"):
        if path.name not in known and path.stat().st_mtime < limit:
            path.unlink(missing_ok=True)
            gone += 1
    return gone
