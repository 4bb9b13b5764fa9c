"""What a closed month stands on: a digest of each partition's receptions that counted, whatever files they lie in.

Compaction, repair and what arrives after the window change files but not these digests; a changed, added or lost value that
counted does. With the digests kept, the raw data may go when their time is up (:mod:`lvheng.telemetry.retention`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from lvheng.core.problem import Place, Problem
from lvheng.telemetry.lake import Lake

_ROW = (
    "concat_ws(chr(31), data_time, value_text, coalesce(value::varchar, ''), flag, recv_time, journal, position, seq)"
)
_COUNTED = "cycle = 'minute' and suffix = 'Avg'"


@dataclass(frozen=True, slots=True)
class Part:
    """A partition (``day=2026-06-01/st=31``), how many receptions of it counted, and their SHA-256."""

    partition: str
    rows: int
    sha256: str


def evidence(
    lake: Path | str, first: date, last: date, patch_days: int, late_until: datetime | None = None
) -> list[Part]:
    """The partitions of the days as roll-ups count them: minutes' means received within ``patch_days`` (or until
    ``late_until``). In order; days without such data are left out."""
    home, parts = Lake(lake), []
    for folder, files in home.partitions("values", first, last).items():
        with duckdb.connect() as db:
            db.register("files", home.dataset(files))
            on_time = "recv_time <= data_time + to_days($days) or recv_time <= $until"
            groups = db.execute(
                f"""
                select mn, code, count(*), sha256(string_agg({_ROW}, chr(10) order by data_time, recv_time, journal, position, seq))
                from (select distinct on (journal, position, seq) * from files where {_COUNTED} and ({on_time}))
                group by mn, code order by mn, code
                """,
                {"days": patch_days, "until": late_until},
            ).fetchall()
        if groups:
            text = "\n".join(f"{mn}\x1f{code}\x1f{n}\x1f{part}" for mn, code, n, part in groups)
            name = folder.removeprefix("values/")
            parts.append(Part(name, sum(g[2] for g in groups), hashlib.sha256(text.encode()).hexdigest()))
    return sorted(parts, key=lambda p: p.partition)


def digest_of(parts: Sequence[Part]) -> str:
    """One SHA-256 for a month's parts."""
    return hashlib.sha256("\n".join(f"{p.partition} {p.rows} {p.sha256}" for p in parts).encode()).hexdigest()


def compare(then: Sequence[Part], now: Sequence[Part]) -> list[Problem]:
    """Partitions that are not what they were; [] when the evidence is the same."""
    was, have = {p.partition: p for p in then}, {p.partition: p for p in now}
    problems = []
    for name in sorted(was.keys() | have.keys()):
        old, new = was.get(name), have.get(name)
        if old != new:
            got, wanted = (f"{p.rows}条，摘要{p.sha256[:16]}" if p else "没有数据" for p in (new, old))
            problems.append(Problem("telemetry.close.partition", "数据湖分区与关账时不同", place=Place(file=name), got=got, wanted=wanted))  # fmt: skip
    return problems


def late(lake: Path | str, first: date, last: date, patch_days: int) -> list[dict[str, Any]]:
    """What arrived after the window and so counts in no version yet: mn, code, rows, from, to, received (last).

    A new version of the month is made by :func:`.run.roll_up` with ``late_until``; it does not happen by itself.
    """
    home = Lake(lake)
    files = home.files("values", first, last)
    if not files:
        return []
    with duckdb.connect() as db:
        db.register("files", home.dataset(files))
        found = db.execute(
            f"""
            select mn, code, count(*) as rows, min(data_time) as "from", max(data_time) as "to", max(recv_time) as received
            from (select distinct on (day, st, journal, position, seq) * from files
                  where {_COUNTED} and recv_time > data_time + to_days($days))
            group by mn, code order by mn, code
            """,
            {"days": patch_days},
        )
        names = [c[0] for c in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
