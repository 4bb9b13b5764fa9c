"""Code lists and the check digits of the credit code."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.codes import credit_check, credit_code_problem, load_codes, load_groups, organisation_check
from lvheng.core.problem import ProblemError

CODES = Path(__file__).parents[2] / "rulebook" / "codes"
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


@pytest.fixture(scope="module")
def industries():
    return load_codes(CODES / "gbt4754.yaml")


def test_industries_are_complete_but_for_the_class_that_the_source_lacks(industries):
    levels = {level: sum(c.level == level for c in industries) for level in ("section", "division", "group", "class")}
    assert levels == {"section": 20, "division": 97, "group": 473, "class": 1381}
    assert not industries.source.confidence.confirmed
    assert "缺一个小类" in industries.source.note


def test_industries_nest(industries):
    assert [c.code for c in industries.path("3120")] == ["C", "31", "312", "3120"]
    assert industries["4411"].name == "火力发电"
    assert [c.code for c in industries.children()] == list("ABCDEFGHIJKLMNOPQRST")


def test_search_by_code_and_by_name(industries):
    assert industries.search("301")[0].code == "301"
    assert "3041" in [c.code for c in industries.search("平板玻璃")]
    assert industries.search("  ") == []


def test_unknown_code_is_a_problem_with_a_hint(industries):
    with pytest.raises(ProblemError) as caught:
        industries["3199"]
    assert "没有这个代码" in str(caught.value)
    assert "311" in caught.value.problems[0].wanted


def test_groups_stand_for_all_below(industries):
    groups = load_groups(CODES / "industry_groups.yaml", industries)
    assert industries.within("3120", groups["six_high_energy"].codes)
    assert not industries.within("1310", groups["six_high_energy"].codes)
    sectors = [g for g in groups.values() if g.id.startswith("energy_sector_")]
    covered = [c for g in sectors for c in g.codes]
    assert sorted(covered) == [c.code for c in industries.children()]  # each section once


@pytest.mark.parametrize("name", ["fuels", "pollutants"])
def test_other_lists_load(name):
    codes = load_codes(CODES / f"{name}.yaml")
    assert len(codes) > 10
    assert codes.source.document


def test_faulty_list_names_the_line(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "codes:\n  id: x\n  title: {zh: 表}\n  file: x.csv\n  source: {document: 文, confidence: V}\n", encoding="utf-8"
    )
    (tmp_path / "x.csv").write_text("code,name,parent\nA,甲,\nA,乙,\nB,丙,Q\n,丁,\nC,戊,,多\n", encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        load_codes(tmp_path / "x.yaml")
    assert [(p.code, p.place.line) for p in caught.value.problems] == [
        ("core.code.twice", 3), ("core.code.orphan", 4), ("core.code.row", 5), ("core.code.row", 6),
    ]  # fmt: skip


def build(first8: str, organisation: str) -> str:
    body = first8 + organisation + organisation_check(organisation)
    return body + credit_check(body)


BODY = st.builds(
    build,
    st.from_regex(r"9[1-3][0-9]{6}", fullmatch=True),
    st.text(alphabet="0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=8, max_size=8),
)


@given(BODY)
def test_built_codes_pass(code):
    assert credit_code_problem(code) is None


@given(BODY, st.integers(0, 17), st.sampled_from(ALPHABET))
def test_any_one_character_changed_is_found(code, at, other):
    changed = code[:at] + other + code[at + 1 :]
    assert (credit_code_problem(changed) is None) == (other == code[at])


@pytest.mark.parametrize("code", ["", "9135", "91350100I00000000X", "9135010015812312344", "o" * 18])
def test_malformed_codes_say_what_is_wanted(code):
    problem = credit_code_problem(code)
    assert problem
    assert problem.wanted
    assert problem.fix
