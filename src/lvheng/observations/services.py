"""Use cases of the store: regions, sources, and the published tables."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django.conf import settings
from django.db import transaction

from lvheng.core.source import Source
from lvheng.observations import view
from lvheng.observations.models import SourceDocument, Subject
from lvheng.observations.published import Published
from lvheng.observations.published import load_published as read_published
from lvheng.observations.store import Figure, Progress, Recorded, record


@transaction.atomic
def load_plans() -> int:
    """Make a subject of every region of every plan; returns how many there are."""
    regions = [r for plan in view.plans().values() for r in plan.regions]
    for region in regions:
        ensure_region(region.code, region.name, region.name_en, region.parent)
    return len(regions)


def ensure_region(code: str, name: str, name_en: str = "", parent: str = "") -> Subject:
    """A region as a subject of figures, made or brought up to date."""
    up = Subject.objects.filter(code=parent).first() if parent else None
    subject, made = Subject.objects.get_or_create(
        code=code, defaults={"kind": "region", "name": name, "name_en": name_en, "parent": up}
    )
    wanted = (name, name_en or subject.name_en, up.pk if up else subject.parent_id)
    if not made and (subject.name, subject.name_en, subject.parent_id) != wanted:
        subject.name, subject.name_en, subject.parent_id = wanted
        subject.save()
    return subject


def ensure_source(source: Source, *, synthetic: bool = False) -> str:
    """The key of a source, kept once. Sources never change: a corrected citation is another source."""
    words = [source.document, source.number, source.article, source.issuer, str(source.date or ""), source.url, source.confidence.value,
             source.note, "1" if synthetic else ""]  # fmt: skip
    key = hashlib.new("sm3", "\x1f".join(words).encode()).hexdigest()[:32]
    if not SourceDocument.objects.filter(key=key).exists():
        SourceDocument.objects.create(
            key=key, document=source.document, number=source.number, article=source.article, issuer=source.issuer, date=source.date,
            url=source.url, confidence=source.confidence.value, synthetic=synthetic, note=source.note,
        )  # fmt: skip
    return key


@lru_cache(maxsize=1)
def published() -> Published:
    """The published tables of ``data/published``; raises ProblemError with every fault at table and row."""
    return read_published(settings.DATA_FOLDER, view.catalogue())


@transaction.atomic
def load_published(progress: Progress | None = None) -> Recorded:
    """Load the published tables as observations; loading again changes nothing."""
    tables = published()
    for region in tables.regions:
        ensure_region(region.code, region.name, region.name_en, region.parent)
    titles = {table.id: table.title.zh for table in tables.tables}
    keys: dict[Source, str] = {}
    figures = []
    for row in tables.rows():
        if row.source not in keys:
            keys[row.source] = ensure_source(row.source)
        figures.append(
            Figure(row.indicator, row.region, row.period.code, row.value, row.unit, row.quality, keys[row.source], row.item, f"表“{titles[row.table]}”第{row.row}行")
        )  # fmt: skip
    return record(
        figures, kind="published", title="公开发布的统计数据", by="系统", catalogue=view.catalogue(), progress=progress
    )
