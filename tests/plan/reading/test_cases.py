"""Plans of other places and times, written for these tests: every target, rule and note of each text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lvheng.plan.reading import Draft, read_text
from lvheng.plan.reading.model import ACTION, COMPLETION, QUANTITATIVE, RULE

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
ROLES = ("lead", "others", "cooperate", "implement", "local_governments")


def case(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def row(*parts: object) -> str:
    return " | ".join("" if part is None else str(part) for part in parts)


def quantitative(draft: Draft) -> list[str]:
    return [
        row(
            t.indicator,
            t.comparator,
            f"{t.value}~{t.value_upper}" if t.value_upper is not None else t.value,
            t.unit,
            t.deadline,
            t.baseline_year,
        )
        for t in draft.targets
        if t.kind == QUANTITATIVE
    ]


def worded(draft: Draft, kind: str) -> list[str]:
    return [row(re.sub(r"\s", "", t.anchor), t.comparator, t.deadline) for t in draft.targets if t.kind == kind]


@pytest.fixture(params=CASES, ids=lambda p: p.stem)
def known(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Draft]:
    wanted = case(request.param)
    return wanted, read_text(wanted["text"])


def test_there_are_many_styles() -> None:
    assert len(CASES) >= 12


def test_clauses_and_period(known: tuple[dict[str, Any], Draft]) -> None:
    wanted, draft = known
    assert [c.id for c in draft.clauses] == wanted["clauses"]
    if "period" in wanted:
        assert draft.period is not None
        assert [draft.period.start, draft.period.end] == wanted["period"]


def test_quantitative_targets(known: tuple[dict[str, Any], Draft]) -> None:
    wanted, draft = known
    assert quantitative(draft) == wanted["quantitative"]


@pytest.mark.parametrize(("kind", "key"), [(COMPLETION, "completion"), (ACTION, "actions"), (RULE, "rules")])
def test_targets_in_words(known: tuple[dict[str, Any], Draft], kind: str, key: str) -> None:
    wanted, draft = known
    assert worded(draft, kind) == wanted.get(key, [])


def test_responsibilities(known: tuple[dict[str, Any], Draft]) -> None:
    wanted, draft = known
    read = [
        {"clause": n.clause}
        | {role: getattr(n, role) for role in ROLES if getattr(n, role)}
        | ({"inherit": True} if n.inherit else {})
        for n in draft.responsibilities
    ]
    assert read == wanted.get("responsibilities", [])


def test_places_are_of_the_original_text(known: tuple[dict[str, Any], Draft]) -> None:
    """Every written number is found again at its place; every target lies inside its clause."""
    _, draft = known
    spans = {c.id: c.span for c in draft.clauses}
    for t in draft.targets:
        assert 0 <= t.span[0] < t.span[1] <= len(draft.text)
        start, end = spans.get(t.clause, (0, len(draft.text)))
        assert start <= t.span[0] < end
        if t.value_span:
            words = re.sub(r"\s", "", draft.text[t.value_span[0] : t.value_span[1]])
            assert words
            if words.replace(".", "").isdigit():
                assert t.value is not None
                assert float(words) == float(t.value)


def test_every_item_says_how_sure_and_why(known: tuple[dict[str, Any], Draft]) -> None:
    _, draft = known
    for item in [*draft.targets, *draft.responsibilities]:
        assert 0 < item.confidence <= 1
        assert item.reason
