"""Damaged rule files and formulas are told as Problems; nothing else ever comes out."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvheng.core.formula import Formula, Model, Variable, parse
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.rulebook import Rulebook
from tests.core.test_rulebook import GOOD

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = ["\x00", "\t", "{", "}", "[", "]", ":", "- ", "&a ", "*a", "!!python/object:os.system ", "|", "'", '"', "（",
          "nan", "1e999999999", "0x1f", "null", "true", "2021-02-30", "p.", "**", "lag(", "1y", "\ud7ff", "9" * 5000,
          "((" * 200, "~", "%", "@", "\n", "  ", "rules:", "-1", "<<: *a"]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text with a few pieces cut out, put in, or doubled."""
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        piece = draw(st.one_of(st.sampled_from(PIECES), st.just(text[start:end] * 2), st.text(max_size=5)))
        text = text[:start] + piece + text[end:]
    return text


@FUZZ
@given(damaged(GOOD))
def test_damaged_rule_files_never_give_a_traceback(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.yaml").write_text(text, encoding="utf-8", errors="surrogatepass")
    book, problems = Rulebook.read(tmp_path)
    for problem in problems:
        assert isinstance(problem, Problem)
        assert problem.place.file, problem
        assert problem.message
    assert len(book) <= 20


@FUZZ
@given(st.one_of(damaged("(x - lag(x, 1y)) / base(y) * p.a.b + if_(x > 0, 1, 2)"), st.text(max_size=60)))
def test_damaged_formulas_never_give_a_traceback(text: str) -> None:
    model = Model([Variable("x", "吨"), Variable("y", "吨"), Variable("z", "吨", formulas=(Formula(text),))])
    assert all(isinstance(p, Problem) for p in model.check())


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_no_traceback(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rules.yaml").write_bytes(content)
    Rulebook.read(tmp_path)


def test_nothing_is_run() -> None:
    for text in ("__import__('os')", "x.__class__", "[1]", "(lambda: 1)()", "x if y else z", "f'{x}'", "x := 1", "1j"):
        try:
            tree = parse(text)
        except ProblemError:
            continue
        assert text == "x.__class__"  # a dotted name, which no model knows
        assert Model([Variable("x", "吨"), Variable("v", "吨", formulas=(Formula(text),))]).check(), tree
