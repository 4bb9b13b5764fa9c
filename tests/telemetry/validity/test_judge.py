"""Rates, episodes and failed checks, by the worked examples of the rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lvheng.core.engine import connect
from lvheng.telemetry.validity import judge
from lvheng.telemetry.validity.checks import unproven
from lvheng.telemetry.validity.run import MARKS, read, roll_up

from .support import RULES, START, WATER, value, write

DAY = START.date()


def test_rates_by_the_worked_example() -> None:
    # due 2160 hours, got 2100, valid 1995
    rates = judge.Rates(2160, 2100, 1995)
    assert rates.transmission is not None
    assert rates.validity is not None
    assert rates.effective is not None
    assert [round(r, 2) for r in (rates.transmission, rates.validity, rates.effective)] == [
        Decimal("97.22"), Decimal("95.00"), Decimal("92.36"),
    ]  # fmt: skip
    assert judge.Rates(0, 0, 0).effective is None


def test_capture_rate_by_the_worked_example() -> None:
    found = judge.capture_rate(2160, 200, 150)  # hours of a quarter, standstill, invalid
    assert found is not None
    assert round(found, 3) == Decimal("92.347")
    assert judge.capture_rate(100, 100, 0) is None


def test_neighbouring_rows_are_one_episode() -> None:
    on = connect("duckdb")
    rows = [
        {"series": s, "at": h, "value": v, "limit": 50} for s, h, v in [(1, 5, 60), (1, 6, 70), (1, 8, 55), (2, 6, 90)]
    ]
    found = on.arrow(judge.episodes(on.load(pa.Table.from_pylist(rows)))).sort_by(
        [("series", "ascending"), ("first", "ascending")]
    )
    assert [tuple(r.values()) for r in found.to_pylist()] == [
        (1, 5, 6, 2, 70, 50),
        (1, 8, 8, 1, 55, 50),
        (2, 6, 6, 1, 90, 50),
    ]


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


BEGIN, END = at(0), at(24)


@pytest.mark.parametrize(
    ("checks", "spans"),
    [
        ([], []),
        ([(2, True), (10, True)], []),
        ([(2, True), (10, False), (12, True)], [(2, 12)]),
        ([(2, True), (10, False), (11, False), (12, True), (20, False)], [(2, 12), (12, 24)]),
        ([(10, False)], [(0, 24)]),
        ([(12, True), (10, False)], [(0, 12)]),
    ],
)
def test_data_are_unproven_from_the_last_passed_check_to_the_next(
    checks: list[tuple[int, bool]], spans: list[tuple[int, int]]
) -> None:
    assert unproven([(at(h), ok) for h, ok in checks], BEGIN, END) == [(at(a), at(b)) for a, b in spans]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_failed_check_makes_hours_invalid_and_they_are_filled(tmp_path: Path, engine: str) -> None:
    rows: list[dict[str, Any]] = []
    for n in range(24):
        rows += [value("w01018", at(n), 40.0), value("w00000", at(n), 10.0)]
    for hour, result in ((2.5, 1.0), (6.5, 0.0), (9.5, 1.0)):
        rows.append(value("w01018", at(hour), result, cycle="check", suffix="ResultType", cn="2062"))
    lake = write(tmp_path / "lake", rows)
    first = (DAY - datetime(1970, 1, 1).date()).days * 24  # noqa: DTZ001
    stop = pa.Table.from_pylist([{"series": 1, "hour": first + 4, "effect": "stop"}], schema=MARKS)
    roll_up(lake, WATER, DAY, DAY, RULES, tmp_path / "out", on=connect(engine), marks=stop)
    found = [r for r in read(tmp_path / "out", "hours").to_pylist() if r["series"] == 1]
    states = ["valid"] * 2 + ["invalid"] * 2 + ["stop"] + ["invalid"] * 5 + ["valid"] * 14
    assert [r["state"] for r in found] == states
    assert [r["basis"] for r in found[2:10]] == ["substituted"] * 2 + ["stopped"] + ["substituted"] * 5
    assert not any(r["judged"] for r in found[2:10])
    assert "telemetry.water.failed_check" in " ".join(RULES.refs)
