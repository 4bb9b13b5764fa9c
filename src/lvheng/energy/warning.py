"""Early-warning grades of one figure under one published scheme. Schemes are data (rulebook/warning)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import show
from lvheng.core.rulebook import Dated, SourceEntry, Title, load_entries
from lvheng.core.yamlfile import Entry
from lvheng.plan.rules import HUNDRED, exact, telling

COLOUR_WORDS = {"green": "绿色", "yellow": "黄色", "orange": "橙色", "red": "红色"}
Measured = Literal["change", "decline", "gap", "gap_share", "completion"]


class Band(Entry):
    """One row of a scheme: the grade when ``of`` lies within the bounds; bounds are exact."""

    of: Measured
    gt: Decimal | Literal["tolerance"] | None = None
    ge: Decimal | None = None
    lt: Decimal | None = None
    le: Decimal | None = None
    period: Literal["H1", "Q1-3", ""] = ""
    severity: Literal[0, 1, 2, 3]
    level: int | None = None
    colour: Literal["green", "yellow", "orange", "red"]
    label: str

    def holds(self, value: Decimal, tolerance: Decimal | None) -> bool:
        gt = tolerance if self.gt == "tolerance" else self.gt
        if self.gt == "tolerance" and tolerance is None:
            raise ValueError("tolerance is checked by grade()")
        return (
            (gt is None or value > gt)
            and (self.ge is None or value >= self.ge)
            and (self.lt is None or value < self.lt)
            and (self.le is None or value <= self.le)
        )


class Dial(Entry):
    """What a scheme measures: intensity or total; whether a target is needed and must be positive."""

    of: Literal["intensity", "total"]
    target: Literal["positive", "any", "none"]
    subject: Literal["region", "enterprise"]
    needs: Literal["tolerance", ""] = ""


class Scheme(Dated):
    """A dated scheme of ``rulebook/warning``. ``scheme`` is what ``lvheng energy warn --scheme`` takes."""

    scheme: str
    title: Title
    dial: Dial
    bands: tuple[Band, ...]
    source: SourceEntry
    note: str = ""
    note_en: str = ""

    @property
    def key(self) -> str:
        return self.scheme

    @property
    def periods(self) -> set[str]:
        """The reporting periods it distinguishes; empty when it does not."""
        return {b.period for b in self.bands if b.period}

    @property
    def ref(self) -> str:
        """Identifies this version: any change to the entry changes it."""
        digest = hashlib.sha256(self.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:8]
        start = self.valid_from.isoformat() if self.valid_from else ""
        return f"{self.scheme}@{start}#{digest}"


def load_schemes(folder: Path | str) -> dict[str, Scheme]:
    """The schemes of a folder by id, in file order; raises ProblemError with every fault."""
    return {item.entry.scheme: item.entry for item in load_entries(folder, Scheme, "schemes")}


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade. ``severity`` 0–3 runs one way everywhere; ``level`` and ``label`` are the local ones."""

    severity: int
    label: str
    level: int | None
    colour: str
    reason: str


def reporting_period(text: str) -> str:
    """H1 or Q1-3 from the ways tables write it (上半年, 1-6月, 2023H1, 前三季度, Q1-Q3 …)."""
    word = re.sub(r"[\s年]", "", text).replace("—", "-").replace("–", "-").replace("至", "-").upper()
    bare = re.sub(r"^\d{4}", "", word)
    if bare in {"H1", "Q2", "上半", "上半年", "1-6月", "Q1-2", "Q1-Q2", "前二季度", "前两季度"}:
        return "H1"
    if bare in {"Q1-3", "Q1-Q3", "Q3", "前三季度", "1-9月", "1-3季度", "前3季度"}:
        return "Q1-3"
    try:
        period = Period.parse(text)
    except ProblemError:
        period = None
    if period and period.kind is Kind.YTD and period.part in (6, 9):
        return "H1" if period.part == 6 else "Q1-3"
    raise ProblemError(
        Problem("energy.warning.period", "预警时段无法识别", got=text, wanted="上半年或前三季度", fix="填写H1或Q1-3。")
    )


@exact
def quantities(dial: str, target: Decimal | None, change: Decimal) -> dict[str, Decimal]:
    """The measured quantities of a figure; those that need a target are absent without one.

    Intensity: ``target`` is a decline (positive). Total: ``target`` is the growth allowed.
    """
    found = {"change": change, "decline": -change}
    if target is not None:
        found["gap"] = target + change if dial == "intensity" else change - target
        if target > 0:
            found["gap_share"] = found["gap"] / target * HUNDRED
            found["completion"] = (-change if dial == "intensity" else change) / target * HUNDRED
    return found


def grade(
    scheme: Scheme,
    change: Decimal,
    target: Decimal | None = None,
    *,
    period: str = "",
    tolerance: Decimal | None = None,
) -> Grade:
    """The grade of one figure; raises ProblemError when the scheme needs something that is not given."""
    if scheme.dial.target != "none" and target is None:
        raise ProblemError(Problem("energy.warning.no_target", "该预警办法须有目标值", wanted="目标降幅，如3.0", fix="补填目标。"))  # fmt: skip
    if scheme.dial.target == "positive" and target is not None and target <= 0:
        raise ProblemError(
            Problem("energy.warning.target", "该预警办法按目标的比例分级，目标须为正数", got=show(target), fix="目标按下降为正填写。")
        )  # fmt: skip
    if scheme.dial.needs and tolerance is None:
        raise ProblemError(
            Problem(
                "energy.warning.unknown_threshold", "该预警办法的分级界限未公布，须由使用者录入", source=str(scheme.source.source),
                wanted="允许超出的百分点", fix="用 --tolerance 给出界限。",
            )
        )  # fmt: skip
    if scheme.periods:
        if not period:
            raise ProblemError(
                Problem("energy.warning.no_period", "该预警办法按时段分级，缺少时段", wanted="上半年（H1）或前三季度（Q1-3）", fix="补填period列，或用 --period 指定。")
            )  # fmt: skip
        period = reporting_period(period)
    found = quantities(scheme.dial.of, target, change)
    for band in scheme.bands:
        if band.period in ("", period) and band.of in found and band.holds(found[band.of], tolerance):
            return Grade(band.severity, band.label, band.level, band.colour, _reason(scheme.dial.of, found, target))
    raise ProblemError(
        Problem("energy.warning.no_band", "预警办法没有覆盖该数值", got=show(change), source=str(scheme.source.source), fix="核对预警办法的分级界限。")
    )  # fmt: skip


def _reason(dial: str, found: Mapping[str, Decimal], target: Decimal | None) -> str:
    change = found["change"]
    word = "下降" if change < 0 else "上升" if change > 0 else "持平"
    if target is None:
        return f"比上年{word}{show(abs(change), 2) + '%' if change else ''}。"
    aim = f"目标为{'下降' if dial == 'intensity' else '增长不超过'}"
    gap = found["gap"]
    actual, wanted = telling(abs(change), abs(target))
    moved = f"{word}{actual}%" if change else word
    if gap <= 0:
        return f"{moved}，{aim}{wanted}%，达到要求。"
    return f"{moved}，{aim}{wanted}%，相差{telling(gap, Decimal(0))[0]}个百分点。"
