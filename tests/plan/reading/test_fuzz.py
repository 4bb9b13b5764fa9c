"""No text whatever makes the reader fail otherwise than with Problems, and none makes it slow."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvheng.core.problem import ProblemError
from lvheng.plan.reading import Draft, read_text, to_plan_dict
from lvheng.plan.reading.edit import segments
from lvheng.plan.reading.normalise import mend
from lvheng.plan.reading.score import score

TEXTS = [
    yaml.safe_load(p.read_text(encoding="utf-8"))["text"]
    for p in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
]
PIECES = st.sampled_from(
    ["比2020年", "下降", "14%", "（", "）", "〔", "。", "，", "、", "分别", "和", "到2025年", "一、", "（一）", "1.", "牵头", "负责", "等", "\n", "\t",
     "指标\t2020年\t2025年\n", "9" * 60, "-", "—", "0", "99月99日", "9999年", "翻一番", "百分之", "三分之", "均", "全部", "除", "其", "\u3000", "\x00", "\ud800", "𝟙", "²", "①"]
)  # fmt: skip
JUNK = st.one_of(PIECES, st.text(max_size=8))


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A plan text with pieces deleted, doubled, moved and foreign ones put in."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 12))):
        a = draw(st.integers(0, len(text)))
        b = min(len(text), a + draw(st.integers(0, 80)))
        kind = draw(st.sampled_from(["delete", "insert", "double", "swap"]))
        if kind == "delete":
            text = text[:a] + text[b:]
        elif kind == "insert":
            text = text[:a] + draw(JUNK) + text[a:]
        elif kind == "double":
            text = text[:b] + text[a:b] + text[b:]
        else:
            text = text[b:] + text[a:b] + text[:a]
    return text


def whole(draft: Draft) -> None:
    """A draft that can be shown and saved."""
    assert "".join(words for words, _ in segments(draft)) == draft.text
    for item in [*draft.targets, *draft.responsibilities, *draft.clauses]:
        assert 0 <= item.span[0] <= item.span[1] <= len(draft.text)
    yaml.safe_dump(to_plan_dict(draft), allow_unicode=True)
    score(draft, {"targets": [], "responsibilities": []})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated())
def test_mutated_plans(text: str) -> None:
    whole(read_text(text, gate=False))


@settings(max_examples=100, deadline=None)
@given(st.lists(JUNK, max_size=60).map("".join))
def test_any_text(text: str) -> None:
    whole(read_text(text, gate=False))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300))
def test_mending_keeps_places(text: str) -> None:
    mended = mend(text)
    assert len(mended.at) == len(mended.text)
    assert mended.at == sorted(mended.at)


@settings(max_examples=30, deadline=None)
@given(mutated())
def test_the_gate_stops_only_with_problems(text: str) -> None:
    try:
        draft = read_text(text)
    except ProblemError:
        return
    whole(draft)


@pytest.mark.parametrize(
    "unit",
    ["（", "比2020年", "分别", "、", "1", "一", "\n（一）", "下降14%、", "市发改委、", "指标\t2025年\n", "“", "《", "的", "由市发改委", "附件", "2020年", "全面", "加强"],
)  # fmt: skip
def test_linear_in_monotonous_text(unit: str) -> None:
    """Work grows with the length: twice the text makes no more than about twice the calls into the grammar."""
    import sys

    def calls(count: int) -> int:
        seen = 0

        def trace(*_: object) -> None:
            nonlocal seen
            seen += 1

        text = unit * count
        sys.setprofile(trace)
        try:
            read_text(text, gate=False)
        finally:
            sys.setprofile(None)
        return seen

    small, large = calls(600), calls(1200)
    assert large < 3 * small + 2000
