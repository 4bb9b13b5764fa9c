"""NOx reckoned from NO and NO₂ where nothing else is sent."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lvheng.core.engine import connect
from lvheng.core.problem import ProblemError
from lvheng.telemetry.validity.rules import read_rules
from lvheng.telemetry.validity.run import read, roll_up

from .support import BOOK, RULES, START, series, value, write

DAY = START.date()


def hour(tmp_path: Path, rows: list[dict[str, Any]], engine: str = "duckdb", **switch: Any) -> dict[str, Any]:
    """The first hour of NOx at an outlet that is registered to have it reckoned."""
    table = series({"code": "a21002", "derived": True, **switch}, {"code": "a00000", "kind": "flow"})
    roll_up(write(tmp_path / "lake", rows), table, DAY, DAY, RULES, tmp_path / "out", on=connect(engine))
    found: dict[str, Any] = next(
        r for r in read(tmp_path / "out", "hours").to_pylist() if r["hour"] % 24 == 0 and r["series"] == 1
    )
    return found


def sent(values: dict[str, float | None], minutes: range = range(60), **more: Any) -> list[dict[str, Any]]:
    return [value(c, START + timedelta(minutes=n), v, **more) for n in minutes for c, v in values.items()]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_nox_counts_as_nitrogen_dioxide(tmp_path: Path, engine: str) -> None:
    found = hour(tmp_path, sent({"a21003": 30.0, "a21004": 4.0, "a00000": 50.0}), engine)
    assert (found["state"], found["mean"], found["mass"]) == (
        "valid",
        50_000_000,
        9_000_000,
    )  # mg of 50 m³/s in an hour


def test_volume_concentrations_are_added_as_they_are(tmp_path: Path) -> None:
    found = hour(tmp_path, sent({"a21003": 45.0, "a21004": 5.0}), ppm=True)
    assert round(found["mean"] / 1e6, 2) == 102.68  # as 50 ppm of NOx


def test_what_is_sent_itself_is_kept(tmp_path: Path) -> None:
    rows = sent({"a21003": 30.0, "a21004": 4.0}) + sent({"a21002": 20.0}, range(30))
    assert hour(tmp_path, rows)["mean"] == 35_000_000


@pytest.mark.parametrize("lacking", ["a21003", "a21004"])
def test_one_part_alone_is_no_value(tmp_path: Path, lacking: str) -> None:
    parts: dict[str, float | None] = {"a21003": 30.0, "a21004": 4.0}
    del parts[lacking]
    assert hour(tmp_path, sent(parts))["state"] == "missing"


@pytest.mark.parametrize("broken", ["a21003", "a21004"])
def test_an_invalid_part_makes_the_whole_invalid(tmp_path: Path, broken: str) -> None:
    other = "a21004" if broken == "a21003" else "a21003"
    found = hour(tmp_path, sent({broken: 30.0}, flag="D") + sent({other: 4.0}))
    assert (found["state"], found["n"], found["mean"]) == ("invalid", 60, None)
    found = hour(tmp_path / "none", sent({broken: None}) + sent({other: 4.0}))
    assert (found["state"], found["mean"]) == ("invalid", None)


def test_without_the_switch_nothing_is_reckoned(tmp_path: Path) -> None:
    assert hour(tmp_path, sent({"a21003": 30.0, "a21004": 4.0}), derived=False)["state"] == "missing"


def test_a_factor_without_a_rule_is_said(tmp_path: Path) -> None:
    table = series({"code": "a21026", "derived": True})
    with pytest.raises(ProblemError, match="没有由组分计算的规则"):
        roll_up(write(tmp_path / "lake", []), table, DAY, DAY, RULES, tmp_path / "out", on=connect("duckdb"))


def test_the_rule_is_dated() -> None:
    assert [part for part, _weight in RULES.derived["a21002"]] == ["a21003", "a21004"]
    assert BOOK.find("telemetry.gas.derived", date(2018, 2, 28)) is None
    assert read_rules(BOOK, date(2026, 6, 1)).derived
