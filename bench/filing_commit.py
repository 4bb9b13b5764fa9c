"""Committing 50,000 rows × 30 columns: dry run, confirmation in one transaction, and the same file again.

    python -m bench.filing_commit [rows]                                       on SQLite
    python -m tests.support.postgres python -m bench.filing_commit [rows]      on PostgreSQL

The baseline is the bare insertion of the same content as one JSON value in the same database, in the same run.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path


def main(rows: int = 50_000) -> None:
    folder = tempfile.mkdtemp(prefix="lvheng-bench-")
    os.environ |= {"LVHENG_HOME": folder, "DJANGO_SETTINGS_MODULE": "lvheng.web.settings"}
    warnings.simplefilter("ignore")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from bench.filing import form_of, workbook
    from lvheng.access.models import User
    from lvheng.core.period import Period
    from lvheng.filing import content, evidence, imports
    from lvheng.filing.models import Body, Filing, FilingVersion, ImportJob
    from lvheng.observations.models import Subject

    call_command("migrate", verbosity=0, skip_checks=True)
    form = form_of(Path(folder))
    content.form_of = lambda filing: form  # the rulebook has no form of this size
    subject = Subject.objects.create(code="990101", kind="region", name="试验县")
    body = Body.objects.create(subject=subject, kind="county", region=subject.code)
    user = User.objects.create(username="bench", role="county", region=subject.code)
    now = timezone.now()
    filing = Filing.objects.create(
        form="bench",
        body=body,
        period=Period.of_month(2025, 6).code,
        due=now.date(),
        changed_at=now,
        owner_region=subject.code,
    )
    FilingVersion.objects.create(filing=filing, number=1, form_version="bench", made_at=now, made_by="bench")
    raw = workbook(rows)

    def dry_run() -> tuple[float, ImportJob]:
        job = imports._open(user, filing.pk, "bench.xlsx", evidence.keep(raw), "file")
        start = time.perf_counter()
        imports._read(job, raw)
        return time.perf_counter() - start, job

    first, job = dry_run()
    start = time.perf_counter()
    imports.confirm(user, filing.pk, job.pk)
    commit = time.perf_counter() - start
    again, same = dry_run()
    start = time.perf_counter()
    imports.confirm(user, filing.pk, same.pk)
    again_commit = time.perf_counter() - start
    assert same.summary["nothing"], same.summary
    data = FilingVersion.objects.get(filing=filing).data
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_bare (content {'jsonb' if connection.vendor == 'postgresql' else 'text'})")
        start = time.perf_counter()
        import json

        cursor.execute("INSERT INTO bench_bare VALUES (%s)", [json.dumps(data, ensure_ascii=False)])
        bare = time.perf_counter() - start
    print(
        f"{connection.vendor}，{rows:,}行：dry run {first:.2f}秒，确认入库 {commit:.2f}秒；同一文件再次导入 {again:.2f}＋{again_commit:.2f}秒；只写入一个JSON值 {bare:.2f}秒（确认为其{commit / bare:.1f}倍）"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
