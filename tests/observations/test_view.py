"""A plan as of a ledger position: standings and explanations on the demo city, exact and vector alike."""

from __future__ import annotations

import json

import pytest

from tests.support.server import City


def test_every_target_has_a_standing_with_a_sentence(city: City) -> None:
    done = city.run("progress", "--format", "json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 73
    assert all(row["reason"] and row["state"] for row in rows)
    assert {"已完成", "按进度", "落后", "严重落后", "无数据", "未到期"} == {row["state"] for row in rows}


def test_a_county_is_explained_down_to_its_observations(city: City) -> None:
    done = city.run("explain", "T001", "--region", "闽侯县", "--json")
    assert done.returncode == 0, done.stderr
    tree = json.loads(done.stdout)

    def leaves(node: dict) -> list[dict]:
        return [leaf for child in node["children"] for leaf in leaves(child)] if node["children"] else [node]

    assert {leaf["code"] for leaf in leaves(tree)} == {"energy_total", "gdp_constant"}
    assert all(leaf["op"] == "observed" and leaf["value"] for leaf in leaves(tree))


def test_the_vector_engine_gives_the_exact_numbers(city: City) -> None:
    """Every computed indicator, region and year: 12 digits alike between DuckDB and exact decimals."""
    script = """
import json
from lvheng.core.period import Period
from lvheng.observations import tabulate, view
look = view.current()
wrong, compared = [], 0
for row in tabulate.table(look, kind="year"):
    if look.catalogue[row["indicator"]].observed:
        continue
    exact = look.value(row["indicator"], row["region"], Period.parse(row["period"]), row["item"])
    compared += exact is not None
    if (exact is None) != (row["value"] is None) or (exact is not None and abs(float(exact) - row["value"]) > 1e-11 * max(1, abs(row["value"]))):
        wrong.append([row["indicator"], row["region"], row["period"], str(exact), row["value"]])
print(json.dumps([compared, wrong[:20]]))
"""
    done = city.run("manage", "shell", "--no-imports", "-c", script)
    assert done.returncode == 0, done.stderr
    compared, wrong = json.loads(done.stdout.splitlines()[-1])
    assert wrong == []
    assert compared > 3000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explain", "T999"], "没有这个目标或指标"),
        (["explain", "T001", "--region", "火星"], "没有这个地区"),
        (["explain", "T001", "--period", "2023x"], "期间无法识别"),
        (["progress", "--plan", "x"], "没有这个方案"),
        (["progress", "--format", "xlsx"], "xlsx不能显示在终端"),
        (["progress", "--wrong"], "没有这个选项"),
        (["evaluate", "--indicator", "x"], "指标目录中没有这个指标"),
    ],
)
def test_a_wrong_command_line_is_told_in_chinese(city: City, arguments: list[str], says: str) -> None:
    done = city.run(*arguments)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_a_faulty_edit_of_a_rule_or_plan_changes_nothing(tmp_path, settings, monkeypatch, caplog) -> None:
    import shutil

    from lvheng.observations import view

    for name in ("plans", "rulebook"):
        shutil.copytree(settings.ROOT / name, tmp_path / name)
    settings.PLAN_FOLDERS, settings.RULEBOOK_FOLDER = [tmp_path / "plans"], tmp_path / "rulebook"
    monkeypatch.setattr(view, "_files", (0.0, ""))
    monkeypatch.setattr(view, "_loaded", {})
    monkeypatch.setattr(view, "_views", {})
    before = view.current()
    catalogue = tmp_path / "rulebook" / "indicators" / "energy.yaml"
    sound = catalogue.read_text(encoding="utf-8")
    for broken in ("indicators: [", sound.replace("energy_total / gdp_constant", "energy_total / gdp_konstant")):
        catalogue.write_text(broken, encoding="utf-8")
        monkeypatch.setattr(view, "_files", (0.0, ""))
        caplog.clear()
        after = view.current()
        assert len(after.catalogue) == len(before.catalogue)
        assert "沿用上次读入的内容" in caplog.text
    catalogue.write_text(sound, encoding="utf-8")
    monkeypatch.setattr(view, "_files", (0.0, ""))
    assert view.current().plan.id == before.plan.id
