"""Errors as data.

A check returns problems; only bugs raise. Where a caller must stop (a file that cannot be read),
it raises :class:`ProblemError`, which carries the same problems and nothing else.
Texts are Chinese, for the person who has to mend the input; ``code`` is for machines and is never
shown alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How far a problem lets the work go on."""

    BLOCKER = "blocker"  # nothing is done with the input
    ERROR = "error"  # may pass only with a stated reason
    WARNING = "warning"  # shown, does not stop
    NOTICE = "notice"  # said for completeness

    @property
    def label(self) -> str:
        return {"blocker": "必须改正", "error": "须改正或说明", "warning": "请核对", "notice": "提示"}[self.value]

    @property
    def rank(self) -> int:
        return ["blocker", "error", "warning", "notice"].index(self.value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem stands; every part is optional and shown only when known.

    ``line`` and ``column`` count from 1; ``start``/``end`` are code points in a text, half open.
    """

    file: str = ""
    sheet: str = ""
    cell: str = ""
    table: str = ""
    row: int | None = None
    field: str = ""
    line: int | None = None
    column: int | None = None
    start: int | None = None
    end: int | None = None
    packet: int | None = None

    def __str__(self) -> str:
        parts = [self.file] if self.file else []
        if self.line is not None:
            parts.append(f"第{self.line}行" + (f"第{self.column}列" if self.column is not None else ""))
        if self.sheet:
            parts.append(f"工作表“{self.sheet}”")
        if self.cell:
            parts.append(f"单元格{self.cell}")
        if self.table:
            parts.append(f"表“{self.table}”")
        if self.row is not None:
            parts.append(f"第{self.row}行")
        if self.field:
            parts.append(f"“{self.field}”")
        if self.start is not None:
            parts.append(f"第{self.start + 1}字")
        if self.packet is not None:
            parts.append(f"第{self.packet}个报文")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: what, where, what was got, what was wanted, by which rule, how to mend it."""

    code: str  # "plan.number.blanked": room.subject.fault
    message: str  # one sentence
    severity: Severity = Severity.BLOCKER
    place: Place = field(default_factory=Place)
    got: str = ""
    wanted: str = ""
    source: str = ""  # document, number, article; or the rule's id
    fix: str = ""

    def __str__(self) -> str:
        head = f"{self.place}：{self.message}" if str(self.place) else self.message
        tail = [
            f"{word}{text}"
            for word, text in (
                ("现为：", self.got),
                ("应为：", self.wanted),
                ("依据：", self.source),
                ("改法：", self.fix),
            )
            if text
        ]
        return "\n  ".join([f"【{self.severity.label}】{head}", *tail])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; empty parts are left out."""
        data = asdict(self)
        data["severity"] = self.severity.value
        data["place"] = {k: v for k, v in data["place"].items() if v not in ("", None)}
        return {k: v for k, v in data.items() if v not in ("", {}, None)}


class ProblemError(Exception):
    """The work stopped because of these problems; nothing was changed."""

    def __init__(self, problems: Problem | Iterable[Problem]):
        self.problems: list[Problem] = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.problems)


def worst(problems: Sequence[Problem]) -> Severity | None:
    """The gravest severity among the problems, or None when there are none."""
    return min((p.severity for p in problems), key=lambda s: s.rank, default=None)


def stops(problems: Iterable[Problem]) -> bool:
    """Whether any of the problems forbids going on."""
    return any(p.severity is Severity.BLOCKER for p in problems)
