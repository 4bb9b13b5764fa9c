"""``lvheng plan read`` gives a draft in the shape that ``lvheng plan check`` asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lvheng.core.problem import ProblemError
from lvheng.plan.commands import plan_group
from lvheng.plan.schema import load_plan

TEXT = """试验市“十四五”节能减排综合工作实施方案
一、主要目标
到2025年，全市单位地区生产总值能源消耗比2020年下降13.5%，化学需氧量重点工程减排量达到500吨。（市工信局牵头，市生态环境局等按职责分工负责）
"""
HEADER = "  date: 2022-01-01\n  city: '990100'\n"


def read(folder: Path, name: str = "plan.yaml") -> Path:
    source, draft = folder / "方案.txt", folder / name
    source.write_text(TEXT, encoding="utf-8")
    result = CliRunner().invoke(plan_group, ["read", str(source), "-o", str(draft)])
    assert result.exit_code == 0, result.output
    return draft


def test_a_draft_says_how_sure_it_is_and_what_is_to_be_added(tmp_path: Path) -> None:
    draft = read(tmp_path)
    text = draft.read_text(encoding="utf-8")
    assert "# 待补：plan 下的 city。" in text
    assert "confidence:" in text
    with pytest.raises(ProblemError) as error:
        load_plan(tmp_path)
    assert {p.message for p in error.value} == {f"“{k}”缺少必填项" for k in ("date", "city")}
    assert all(p.place.line for p in error.value)


@pytest.mark.parametrize("name", ["plan.yaml", "draft.yaml"])
def test_with_its_header_filled_in_a_draft_is_a_plan(tmp_path: Path, name: str) -> None:
    draft = read(tmp_path, name)
    draft.write_text(draft.read_text(encoding="utf-8").replace("plan:\n", "plan:\n" + HEADER), encoding="utf-8")
    result = CliRunner().invoke(plan_group, ["check", str(draft)])
    assert result.exit_code == 0, result.output
    assert "未经人工确认2项" in result.output
    plan = load_plan(tmp_path, name=name)
    first = plan.targets[0]
    assert (str(first.value), first.unit, first.comparator, str(first.deadline)) == ("13.5", "%", "ge", "2025-12-31")
    assert plan.notes[0].lead == ("市工信局",)


def test_a_broken_plan_names_the_line_and_the_way_out(tmp_path: Path) -> None:
    draft = read(tmp_path)
    broken = (
        draft.read_text(encoding="utf-8")
        .replace("plan:\n", "plan:\n" + HEADER)
        .replace("comparator: ge", "comparator: 大于", 1)
    )
    draft.write_text(broken, encoding="utf-8")
    with pytest.raises(ProblemError) as error:
        load_plan(tmp_path)
    (problem,) = error.value.problems
    assert problem.got == "大于"
    assert problem.place.line == broken.splitlines().index("  comparator: 大于") + 1
    assert problem.fix
