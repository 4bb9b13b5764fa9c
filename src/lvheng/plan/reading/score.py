"""Scoring a reading against a hand-labelled gold file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from lvheng.plan.reading import units
from lvheng.plan.reading.model import ACTION, COMPLETION, QUANTITATIVE, RULE, Draft, Responsibility, Target

SETS = {QUANTITATIVE: "quantitative", COMPLETION: "completion", ACTION: "actions", RULE: "rules"}
WORDS = frozenset({"complete", "basically_complete", "basically_eliminate", "qualitative"})


@dataclass(slots=True)
class Part:
    """The score of one kind of item."""

    expected: int = 0
    found: int = 0
    missed: list[dict[str, Any]] = field(default_factory=list)
    false: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """``found`` is the number of expected items found exactly; no items expected or given counts as 1."""
        given = self.found + len(self.false)
        return {
            "precision": round(self.found / given, 4) if given else 1.0,
            "recall": round(self.found / self.expected, 4) if self.expected else 1.0,
            "found": self.found,
            "expected": self.expected,
            "missed": self.missed,
            "false": self.false,
        }


def _decimal(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None


def kind_of(gold: Mapping[str, Any]) -> str:
    """Kind of a gold target; when it is not labelled, a written number makes it quantitative."""
    kind = gold.get("kind")
    if kind in SETS:
        return str(kind)
    if gold.get("comparator") == "rule":
        return RULE
    if gold.get("value") is None or gold.get("comparator") in WORDS:
        return COMPLETION
    return QUANTITATIVE


def _squeezed(text: Any) -> str:
    return re.sub(r"\s+", "", str(text or "")).translate(str.maketrans("（）[]【】,;:％", "()〔〕〔〕，；：%"))


def _overlap(a: Any, b: Any) -> int:
    if not a or not b:
        return 0
    return max(0, min(a[1], b[1]) - max(a[0], b[0]))


def differences(gold: Mapping[str, Any], target: Target) -> list[str]:
    """Fields in which a target differs from its gold: value, unit, comparator, baseline, deadline.

    A field that the gold leaves out or leaves empty is not compared.
    """
    wrong = []
    value = _decimal(gold.get("value"))
    if value is not None and value != target.value:
        wrong.append("value")
    unit = gold.get("unit")
    if unit and units.canonical(unit) not in (units.canonical(target.unit), units.canonical(target.unit_written)):
        wrong.append("unit")
    if gold.get("comparator") and gold["comparator"] != target.comparator:
        wrong.append("comparator")
    if gold.get("baseline_year") and gold["baseline_year"] != target.baseline_year:
        wrong.append("baseline_year")
    if gold.get("baseline_value") and _squeezed(gold["baseline_value"]) != _squeezed(target.baseline_value):
        wrong.append("baseline_value")
    if gold.get("deadline") and str(gold["deadline"]) != target.deadline:
        wrong.append("deadline")
    return wrong


def _likeness(gold: Mapping[str, Any], target: Target) -> float:
    """How well a found target stands for a gold one; 0 when it does not.

    Places count first (the number's own place, then the words); without places, equal values in the
    same sentence, or words that hold one another.
    """
    value = _decimal(gold.get("value"))
    written = gold.get("value_written", gold.get("value") is not None)
    points = 0.0
    if gold.get("value_span") and target.value_span:
        points += 8 * (_overlap(gold["value_span"], target.value_span) > 0)
        if not points:
            return 0.0
    if gold.get("span"):
        shared = _overlap(gold["span"], target.span)
        if not shared:
            return 0.0
        points += 2 * shared / max(gold["span"][1] - gold["span"][0], target.span[1] - target.span[0], 1)
    else:
        mine, theirs = _squeezed(target.anchor), _squeezed(gold.get("anchor"))
        if theirs and (mine in theirs or theirs in mine):
            points += 2
        elif gold.get("sentence") and target.sentence:
            a, b = _squeezed(gold["sentence"]), _squeezed(target.sentence)
            points += 1 if a in b or b in a else 0
        if not points or (value is not None and written and value != target.value):
            return 0.0
    if value is not None and target.value is not None:
        points += 4 if value == target.value else (-1 if written else 0)
    if written and target.value_span is None and value is not None and not gold.get("value_span"):
        points -= 2
    points += 1 if gold.get("comparator") == target.comparator else 0
    points += 0.5 if gold.get("deadline") and gold.get("deadline") == target.deadline else 0
    points += (
        0.5 if gold.get("indicator") and _squeezed(gold["indicator"])[:4] == _squeezed(target.indicator)[:4] else 0
    )
    points += 1 if kind_of(gold) == target.kind else 0
    return max(points, 0.0)


def pair(golds: list[Mapping[str, Any]], targets: list[Target]) -> dict[int, int]:
    """One found target for each gold one, the likest first."""
    scored = []
    for i, gold in enumerate(golds):
        for j, target in enumerate(targets):
            points = _likeness(gold, target)
            if points > 0:
                scored.append((-points, i, j))
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in sorted(scored):
        if i not in pairs and j not in used:
            pairs[i] = j
            used.add(j)
    return pairs


def _brief(gold: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "clause", "indicator", "anchor", "value", "unit", "comparator", "baseline_year", "deadline")
    return {k: gold[k] for k in keys if gold.get(k) is not None}


def _brief_target(target: Target) -> dict[str, Any]:
    value = None if target.value is None else str(target.value)
    return {"id": target.id, "clause": target.clause, "indicator": target.indicator, "anchor": target.anchor, "value": value, "unit": target.unit,
            "comparator": target.comparator, "baseline_year": target.baseline_year, "deadline": target.deadline}  # fmt: skip


def _everyone(note: Mapping[str, Any]) -> set[str]:
    return {
        _squeezed(b) for key in ("others", "cooperate", "implement", "local_governments") for b in note.get(key) or []
    }


def _score_notes(golds: list[Mapping[str, Any]], notes: list[Responsibility]) -> Part:
    """Notes with the same lead and the same other bodies."""
    part = Part(expected=len(golds))
    used: set[int] = set()
    for gold in golds:
        best, best_points = None, 0.0
        for j, note in enumerate(notes):
            if j in used:
                continue
            if gold.get("span"):
                points = float(_overlap(gold["span"], note.span))
            elif gold.get("text"):
                points = 1.0 if _squeezed(gold["text"]).strip("()〔〕") in _squeezed(note.text) else 0.0
            else:
                points = 0.5 if gold.get("clause") == note.clause else 0.0
            if points > best_points:
                best, best_points = j, points
        if best is None:
            part.missed.append({"clause": gold.get("clause"), "text": gold.get("text"), "wrong": ["not found"]})
            continue
        used.add(best)
        note = notes[best]
        wrong = []
        if {_squeezed(b) for b in gold.get("lead") or []} != {_squeezed(b) for b in note.lead}:
            wrong.append("lead")
        mine = {_squeezed(b) for b in [*note.others, *note.cooperate, *note.implement, *note.local_governments]}
        if _everyone(gold) != mine:
            wrong.append("others")
        if wrong:
            part.missed.append(
                {
                    "clause": gold.get("clause"),
                    "text": gold.get("text"),
                    "wrong": wrong,
                    "lead": note.lead,
                    "others": sorted(mine),
                }
            )
        else:
            part.found += 1
    part.false = [{"clause": n.clause, "text": n.text} for j, n in enumerate(notes) if j not in used]
    return part


def score(draft: Draft, gold: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Scores by kind: quantitative (exact in five fields), completion, actions, rules, responsibilities.

    A completion, action or rule is found when a found item of any kind stands at its place.
    A found item that stands for no gold item is false, in the part of its own kind.
    """
    golds = list(gold.get("targets") or [])
    pairs = pair(golds, draft.targets)
    parts = {name: Part() for name in SETS.values()}
    for i, item in enumerate(golds):
        kind = kind_of(item)
        part = parts[SETS[kind]]
        part.expected += 1
        if i not in pairs:
            part.missed.append({**_brief(item), "wrong": ["not found"]})
            continue
        target = draft.targets[pairs[i]]
        wrong = differences(item, target) if kind == QUANTITATIVE else []
        if wrong:
            part.missed.append({**_brief(item), "wrong": wrong, "read": _brief_target(target)})
        else:
            part.found += 1
    used = set(pairs.values())
    for j, target in enumerate(draft.targets):
        if j not in used:
            parts[SETS[target.kind]].false.append(_brief_target(target))
    result = {name: part.as_dict() for name, part in parts.items()}
    result["responsibilities"] = _score_notes(
        list(gold.get("responsibilities") or []), draft.responsibilities
    ).as_dict()
    return result
