"""pH: no amounts, means not weighted by flow, missing hours by the median. And equal values in a row, for gas and water."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.engine import connect
from lvheng.telemetry.validity import judge
from lvheng.telemetry.validity.run import read, roll_up

from .support import RULES, START, series, value, write

PH = series(
    {"code": "w01001", "medium": "water", "flow_code": "w00000", "interval": 60},
    {"code": "w00000", "medium": "water", "kind": "flow", "interval": 60},
)
DAY = START.date()


def hours(tmp_path: Path, values: dict[int, float], engine: str = "duckdb") -> list[dict[str, Any]]:
    rows = [value("w01001", START + timedelta(hours=n), v) for n, v in values.items()]
    rows += [value("w00000", START + timedelta(hours=n), 1.0 + n) for n in values]
    roll_up(write(tmp_path / "lake", rows), PH, DAY, DAY, RULES, tmp_path / "out", on=connect(engine))
    return [r for r in read(tmp_path / "out", "hours").to_pylist() if r["series"] == 1]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_missing_hour_of_ph_is_the_median_of_as_many_before(tmp_path: Path, engine: str) -> None:
    sent = {0: 9.0, 1: 7.1, 2: 7.3, 3: 6.0, 4: 7.2, 9: 7.4, 10: 7.0}
    found = hours(tmp_path, sent, engine)
    assert [h["substitute"] for h in found[:12]] == [None] * 5 + [7_150_000] * 4 + [None, None, 7_200_000]
    assert {h["mass"] for h in found} == {None}
    assert {h["basis"] for h in found} == {"none"}
    assert not any(h["judged"] for h in found[5:9])
    day = read(tmp_path / "out", "days").to_pylist()[0]
    assert day["mass"] is None


def test_the_mean_of_ph_is_not_weighted_by_flow(tmp_path: Path) -> None:
    rows = [value("w01001", START + timedelta(minutes=30 * n), v) for n, v in enumerate([6.0, 8.0])]
    rows += [value("w00000", START + timedelta(minutes=30 * n), v) for n, v in enumerate([1.0, 9.0])]
    half = PH.set_column(PH.column_names.index("interval"), "interval", pa.array([30, 30], pa.int32()))
    roll_up(write(tmp_path / "lake", rows), half, DAY, DAY, RULES, tmp_path / "out", on=connect("duckdb"))
    assert read(tmp_path / "out", "hours").to_pylist()[0]["mean"] == 7_000_000


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.integers(0, 23), st.integers(600, 900), min_size=1))
def test_against_a_plain_median(tmp_path_factory: pytest.TempPathFactory, sent: dict[int, int]) -> None:
    found = hours(tmp_path_factory.mktemp("ph"), {n: v / 100 for n, v in sent.items()})
    for n in range(24):
        expected = None
        if n not in sent:
            first = last = n
            while first - 1 not in sent and first > 0:
                first -= 1
            while last + 1 not in sent and last < 23:
                last += 1
            before = [sent[k] * 10_000 for k in sorted(sent) if k < first][-(last - first + 1) :]
            if before:
                ranked, half = sorted(before), len(before) // 2
                middle = ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2
                expected = int(middle + 0.5)
        assert found[n]["substitute"] == expected


def steady(values: list[tuple[int, int | None]], medium: str) -> list[tuple[int, int, int]]:
    """Runs found in (hour, mean or None for no valid hour)."""
    on = connect("duckdb")
    rows = [{"series": 1, "hour": h, "state": "valid" if v is not None else "stop", "mean": v} for h, v in values]
    shape = pa.schema([("series", pa.int64()), ("hour", pa.int64()), ("state", pa.string()), ("mean", pa.int64())])
    table = on.load(pa.Table.from_pylist(rows, schema=shape))
    of = on.load(series({"code": "x", "medium": medium}))
    found = on.arrow(judge.constant(table, of, 6, RULES.constant_samples)).to_pylist()
    return sorted((r["first"], r["last"], r["value"]) for r in found)


def test_gas_needs_six_neighbouring_hours() -> None:
    assert steady([(h, 5) for h in range(6)], "gas") == [(0, 5, 5)]
    assert steady([(h, 5) for h in range(5)], "gas") == []
    assert steady([(h, 5) for h in (0, 1, 2, 4, 5, 6)], "gas") == []
    assert steady([(h, 5) for h in range(6)] + [(h, 6) for h in range(6, 13)], "gas") == [(0, 5, 5), (6, 12, 6)]


def test_water_needs_eight_samples_whatever_lies_between() -> None:
    assert RULES.constant_samples == 8
    assert steady([(2 * h, 5) for h in range(8)], "water") == [(0, 14, 5)]
    assert steady([(h, 5) for h in range(7)], "water") == []
    assert steady([(h, 5 if h % 4 else None) for h in range(12)], "water") == [(1, 11, 5)]
    assert steady([(h, 5) for h in range(4)] + [(4, 6)] + [(h, 5) for h in range(5, 9)], "water") == []


def test_the_day_is_the_rulebooks() -> None:
    assert date(2026, 6, 1) == DAY
    assert RULES.median == ("w01001",)
