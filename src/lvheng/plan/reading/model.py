"""What reading a plan text gives: a draft of clauses, targets and responsibilities.

All spans are half-open code-point ranges of the original text, so that a review page can mark an
item where it stands. Field names are those of the plan file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from lvheng.core.problem import Problem

Span = tuple[int, int]

QUANTITATIVE = "quantitative"  # a number that must be reached
COMPLETION = "completion"  # to be completed, without a written number
ACTION = "dated_or_counted_action"  # dated or counted works
RULE = "rule"  # a threshold or a rule, not a target of the region


@dataclass(slots=True)
class Period:
    """The plan period; both years are included. ``words`` is where it was read from."""

    start: int
    end: int
    words: str = ""

    @property
    def base_year(self) -> int:
        return self.start - 1


@dataclass(slots=True)
class Clause:
    """One numbered part of the plan; ``id`` joins the numbers from the top, as in 三(十一)1."""

    id: str
    number: str
    title: str
    level: int
    span: Span
    parent: str = ""


@dataclass(slots=True)
class Target:
    """One target or rule. ``value`` is as written in ``unit``; ``value_base`` in ``unit_base``.

    ``value_upper`` closes a range. ``nature`` is 约束性 or 预期性; ``binding`` is basic or incentive.
    """

    id: str = ""
    clause: str = ""
    kind: str = QUANTITATIVE
    indicator: str = ""
    scope: str = ""
    exclusions: str = ""
    baseline_year: int | None = None
    baseline_value: str = ""
    value: Decimal | None = None
    value_upper: Decimal | None = None
    unit: str = ""
    unit_written: str = ""
    value_base: Decimal | None = None
    unit_base: str = ""
    comparator: str = ""
    comparator_words: str = ""
    direction: str = ""
    measure: str = ""
    deadline: str = ""
    deadline_words: str = ""
    deadline_inherited: bool = False
    hedge: str = ""
    nature: str = ""
    binding: str = ""
    price_base: int | None = None
    anchor: str = ""
    span: Span = (0, 0)
    value_span: Span | None = None
    value_written: bool = False
    sentence: str = ""
    confidence: float = 1.0
    reason: str = ""


@dataclass(slots=True)
class Responsibility:
    """One note of who does what: leading, sharing, supporting and carrying out."""

    id: str = ""
    clause: str = ""
    lead: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    cooperate: list[str] = field(default_factory=list)
    implement: list[str] = field(default_factory=list)
    local_governments: list[str] = field(default_factory=list)
    style: str = ""
    open_ended: bool = False
    inherit: bool = False
    text: str = ""
    span: Span = (0, 0)
    confidence: float = 1.0
    reason: str = ""

    def bodies(self) -> list[str]:
        """Every body named, in the order of the roles."""
        return [*self.lead, *self.others, *self.cooperate, *self.implement, *self.local_governments]


@dataclass(slots=True)
class Draft:
    """The draft of a plan, with what was doubtful (``problems``) and what was not read (``notes``)."""

    text: str
    doc: dict[str, Any] = field(default_factory=dict)
    period: Period | None = None
    clauses: list[Clause] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    responsibilities: list[Responsibility] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def _plain(value: Any) -> Any:
    """Values that YAML and JSON can hold: exact numbers stay exact (integer or text)."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**15 else str(value)
    if isinstance(value, tuple):
        return list(value)
    return value


def _filled(item: Any) -> dict[str, Any]:
    """The fields of a dataclass that say something."""
    data = {key: _plain(value) for key, value in asdict(item).items()}
    return {key: value for key, value in data.items() if value not in (None, "", [], False)}


def to_plan_dict(draft: Draft) -> dict[str, Any]:
    """The draft as plain values in the field names of the plan file; decimals are integers or text."""
    return {
        "doc": {**draft.doc, **({"period": [draft.period.start, draft.period.end]} if draft.period else {})},
        "clauses": [_filled(clause) for clause in draft.clauses],
        "targets": [_filled(target) for target in draft.targets],
        "responsibilities": [_filled(note) for note in draft.responsibilities],
        "notes": [*draft.notes, *({"problem": problem.as_dict()} for problem in draft.problems)],
    }
