"""``lvheng plan read`` and ``lvheng plan score``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from lvheng.plan.commands import plan_group

TEXT = (
    "某市“十四五”节能减排工作方案\n一、主要目标\n到2025年，全市单位GDP能耗比2020年下降14.5%，推进污染治理，落实任务。\n"
    "二、重点工程\n（一）工业。实施改造，推进绿色发展。（市工信局牵头，市发改委配合）\n"
)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(plan_group, [str(w) for w in words])


def test_draft_as_yaml_and_json(plan: Path) -> None:
    """Exact numbers stay exact: integers, or text for decimals. The plan file says what the draft says."""
    as_yaml = yaml.safe_load(run("read", plan).stdout)
    as_json = json.loads(run("read", plan, "--json").stdout)
    assert set(as_json) == {"doc", "clauses", "targets", "responsibilities", "notes"}
    (target,) = as_json["targets"]
    assert (target["value"], target["unit"], target["clause"]) == ("14.5", "%", "一")
    assert as_json["doc"]["period"] == [2021, 2025]
    (written,) = as_yaml["targets"]
    assert (str(written["value"]), written["unit"], written["clause"]) == ("14.5", "%", "一")
    assert [n["lead"] for n in as_yaml["notes"]] == [n["lead"] for n in as_json["responsibilities"]]


def test_output_file_is_not_overwritten_unasked(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.yaml"
    assert run("read", plan, "-o", out).exit_code == 0
    first = out.read_bytes()
    refused = run("read", plan, "-o", out)
    assert refused.exit_code == 1
    assert "未覆盖" in refused.stderr
    assert out.read_bytes() == first
    assert run("read", plan, "-o", out, "--force").exit_code == 0


def test_bad_input_is_told_and_changes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    result = run("read", tmp_path / "absent.txt", "-o", out)
    assert result.exit_code == 1
    assert "文件不存在" in result.stderr
    assert not out.exists()


def test_score(plan: Path, tmp_path: Path) -> None:
    gold = tmp_path / "gold.json"
    gold.write_text(
        json.dumps(
            {
                "targets": [{"anchor": "下降14.5%", "value": 14.5, "unit": "%", "comparator": "ge"}],
                "responsibilities": [],
            }
        ),
        encoding="utf-8",
    )
    parts = json.loads(run("score", plan, gold, "--json").stdout)
    assert list(parts["quantitative"]) == ["precision", "recall", "found", "expected", "missed", "false"]
    assert parts["quantitative"]["found"] == 1
    assert "定量目标：应有 1，读对 1，多读 0" in run("score", plan, gold).stdout


@pytest.mark.parametrize("content", ["{", "[1]", "a: [", '{"targets": 3}', '{"targets": [1]}', ""])
def test_bad_gold(plan: Path, tmp_path: Path, content: str) -> None:
    gold = tmp_path / "gold.json"
    gold.write_text(content, encoding="utf-8")
    result = run("score", plan, gold)
    assert result.exit_code == 1
    assert "答案文件" in result.stderr
