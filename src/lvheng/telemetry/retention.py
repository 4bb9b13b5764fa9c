"""Jobs of the lake: merging small files, and removing what the law no longer asks to keep.

Nothing is removed before its period is over. A day of pollution data also stays until its month is closed and the month's
evidence digest is kept: from then on the closed figures can be told from any others without the raw data. What was removed,
and by which rule, is written to ``<lake>/retained/`` first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from lvheng.core.rulebook import Rulebook
from lvheng.telemetry import journal
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.ingest import ENERGY_SYSTEM, checkpoint
from lvheng.telemetry.lake import Lake, day_of
from lvheng.telemetry.storage import File

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Periods:
    """Years to keep each kind of data, never less than the law's; ``ref`` is the rule's version."""

    years: dict[str, int]
    ref: str


def read_periods(book: Rulebook, day: date) -> Periods:
    """The periods in force on ``day``: values, energy, packets, journal. Raises ProblemError when there is no rule."""
    version = book.at("telemetry.retention", day)
    rows: list[dict[str, Any]] = list(version.entry.rows)
    return Periods({r["what"]: max(int(r["keep"]), int(r["law"] or 0)) for r in rows}, version.ref)


def due(day: date, years: int) -> date:
    """The first day on which data of ``day`` need no longer be kept."""
    try:
        return day.replace(year=day.year + years) + timedelta(days=1)
    except ValueError:  # 29 February
        return date(day.year + years, 3, 2)


@dataclass(frozen=True, slots=True)
class Item:
    """A partition of the lake or a segment of the journal whose period is over: removed, or held back for a reason."""

    what: str  # values, energy, packets, journal
    name: str
    files: tuple[str, ...]
    size: int
    held: str = ""


def compact(lake: Lake, before: date, tell: Tell = lambda name, n, of: None) -> list[str]:
    """Merge the partitions of days before ``before`` that have several files; returns the files made."""
    work = [
        (kind, folder, files)
        for kind in ("values", "packets")
        for folder, files in lake.partitions(kind, last=before - timedelta(days=1)).items()
        if len(files) > 1
    ]
    made = []
    for n, (kind, folder, files) in enumerate(work, 1):
        made += lake.merge(kind, folder, files)
        tell(folder, n, len(work))
    return made


def examine(lake: Lake, journal_root: Path, periods: Periods, today: date, closed: Collection[str]) -> list[Item]:
    """Everything whose period is over on ``today``. ``closed``: months (``2026-06``) whose evidence digest is kept."""
    items = []
    for kind in ("values", "packets"):
        for folder, files in lake.partitions(kind, last=today).items():
            what = kind if kind == "packets" else "energy" if folder.endswith(f"st={ENERGY_SYSTEM}") else "values"
            day = day_of(folder)
            if due(day, periods.years[what]) > today:
                continue
            held = "该月尚未关账" if what == "values" and f"{day:%Y-%m}" not in closed else ""
            items.append(_item(what, folder, files, held))
    oldest_held = min((day_of(i.name) for i in items if i.held), default=None)
    for stream in journal.streams(journal_root):
        items += _segments(lake, journal_root, stream, periods, today, oldest_held)
    return items


def _item(what: str, name: str, files: list[File], held: str) -> Item:
    return Item(what, name, tuple(f.name for f in files), sum(f.size for f in files), held)


def _segments(
    lake: Lake, journal_root: Path, stream: str, periods: Periods, today: date, oldest_held: date | None
) -> list[Item]:
    """Segments of a stream whose period is over: the oldest in a row, never the last one, never one not yet decoded."""
    reached = checkpoint(lake, stream).get("segment", 1)
    items = []
    for path in journal.segments(journal_root, stream)[:-1]:
        last = _last_received(path)
        if last is None or due(last, periods.years["journal"]) > today:
            break
        held = ""
        if int(path.stem) >= reached:
            held = "尚未解入数据湖"
        elif oldest_held is not None and oldest_held <= last:
            held = "其中数据所属月份尚未关账"
        items.append(Item("journal", f"{stream}/{path.name}", (str(path),), path.stat().st_size, held))
        if held:
            break
    return items


def _last_received(path: Path) -> date | None:
    blocks = journal.salvage(path)
    if not blocks:
        return None
    return max(local_time(record.micros).date() for record in blocks[-1])


def remove(lake: Lake, items: list[Item], periods: Periods, now: datetime) -> list[Item]:
    """Remove what is not held back, after writing down what and by which rule; returns what was removed."""
    going = [i for i in items if not i.held]
    if not going:
        return []
    note = {"at": f"{now:%Y-%m-%dT%H:%M:%S}", "rule": periods.ref, "removed": [asdict(i) for i in going]}
    data = json.dumps(note, ensure_ascii=False, indent=1).encode()
    lake.store.write(f"retained/{now:%Y%m%dT%H%M%S}-{hashlib.sha256(data).hexdigest()[:16]}.json", data)
    for item in going:
        if item.what == "journal":
            journal.prune(Path(item.files[0]))
        else:
            lake.store.remove(item.files)
    return going
