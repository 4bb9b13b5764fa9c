"""A city adds a form without a line of code; slips in the file are told at their line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from lvheng.core.period import Period
from lvheng.core.problem import ProblemError
from lvheng.filing import forms
from lvheng.filing.commands import forms as command
from tests.filing.forms.conftest import RULEBOOK

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "forms.md").read_text(encoding="utf-8")
EXAMPLE = TEXT.split("```yaml\n", 1)[1].split("```", 1)[0]  # the handbook's own example


@pytest.fixture
def added(tmp_path: Path) -> Path:
    path = tmp_path / "street_lamps.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    return path


def test_the_example_of_the_handbook_works_from_template_to_figures(added: Path, tmp_path: Path) -> None:
    period = Period.parse("2024Q1")
    form = forms.load_forms(added, base=RULEBOOK).at("street_lamps", period.end)
    reading = forms.from_json(
        {
            "sheets": {
                "lamps": [
                    {"kind": "led", "lamps": 900, "replaced": 300, "electricity": "41.5"},
                    {"kind": "sodium", "lamps": 100, "replaced": 0, "electricity": 20},
                ],
                "totals": {"electricity": 61.5},
            }
        },
        form,
    )
    assert forms.check(form, reading.data, forms.Context(period)) == []
    assert forms.template(form, period, "某县路灯管理所", reading.data)
    wrong = forms.from_json(
        {
            "sheets": {
                "lamps": [
                    {"kind": "led", "lamps": 900, "replaced": 901, "electricity": 41.5},
                    {"kind": "sodium", "lamps": 1, "replaced": 0, "electricity": 1},
                ],
                "totals": {"electricity": 42.5},
            }
        },
        form,
    )
    (problem,) = forms.check(form, wrong.data, forms.Context(period))
    assert (problem.check, problem.key, problem.column) == ("replaced", "led", "replaced")
    assert [f.value for f in forms.figures(form, reading.data, "990101", period)] == [Decimal("61.5")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expr: replaced <= lamps", "expr: replaced <= lamp", "没有这个栏目"),
        ("expr: replaced <= lamps", "expr: replaced <= ", "写法有误"),
        ("expr: replaced <= lamps", "expr: replaced <= ytd(lamps)", "没有的函数"),
        ("expr: replaced <= lamps", "expr: replaced <= p.no.such", "不在规则库中"),
        ("indicator: electricity_total", "indicator: electricity_totl", "不在指标目录中"),
        ("unit: 万千瓦时, minimum", "unit: 万千瓦小, minimum", "计量单位"),
        ("type: integer, unit: 个", "type: integr, unit: 个", "取值不在允许范围"),
        ("columns: [kind]", "columns: [kinds]", "没有这个关键栏目"),
        ("due: {months_after: 1, day: 15}", "due: {day: 15}", "期限"),
        ("    frequency: quarter\n", "", "缺少必填项"),
        ("code: electricity,", "code: lamps,", "重复"),
        ("at: replaced", "at: nothing", "所标的单元格不存在"),
    ],
)  # fmt: skip
def test_slips_are_told_with_file_and_line(added: Path, old: str, new: str, said: str) -> None:
    assert old in EXAMPLE
    added.write_text(EXAMPLE.replace(old, new), encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        forms.load_forms(added, base=RULEBOOK)
    assert any(said in str(p) for p in caught.value), caught.value
    assert all(p.place.file and p.place.line for p in caught.value)
    result = CliRunner().invoke(command, ["check", str(added)])
    assert result.exit_code == 1
    assert said in result.output


def test_commands_from_template_to_marked_workbook(tmp_path: Path) -> None:
    run = CliRunner()
    assert "37张表" not in run.invoke(command, ["list"]).output
    assert run.invoke(command, ["check", str(RULEBOOK / "forms")]).output.startswith("共")
    out, marked = tmp_path / "t.xlsx", tmp_path / "m.xlsx"
    assert run.invoke(command, ["template", "205-1", "--period", "2024-03", "-o", str(out)]).exit_code == 0
    result = run.invoke(command, ["validate", "205-1", str(out), "--json", "--marked", str(marked)])
    assert result.exit_code == 0
    assert '"rows": 1' in result.output
    assert marked.exists()
    assert isinstance(
        run.invoke(command, ["template", "205-1", "--period", "2024", "-o", str(out)]).exception, ProblemError
    )
    bad = tmp_path / "bad.csv"
    bad.write_text("能源名称,年初库存\n原煤,x\n", encoding="utf-8")
    assert run.invoke(command, ["validate", "205-1", str(bad), "--period", "2024-03"]).exit_code == 1
