"""The missing-data ladder: window by capture rate and run, for amounts alone; water by the mean before."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.engine import connect
from lvheng.telemetry.validity.run import Frames, clock, ordered

from .support import GAS, RULES, WATER

FIRST, LAST = date(2026, 1, 1), date(2026, 3, 31)  # a quarter of 2160 hours
START = (FIRST - date(1970, 1, 1)).days * 24
SHAPE = pa.schema(
    [("series", pa.int32()), ("hour", pa.int32()), ("n", pa.int32()), ("n_valid", pa.int32()), ("n_stop", pa.int32()), ("state", pa.string())]
    + [(n, pa.int64()) for n in ("mean", "weighted", "converted", "oxygen", "flow", "volume", "mass")]
)  # fmt: skip


def hour(n: int, mass: int | None, state: str = "valid") -> dict[str, Any]:
    return {"series": 1, "hour": START + n, "n": 60, "n_valid": 60, "n_stop": 0, "state": state, "mean": mass, "weighted": mass,
            "converted": mass, "oxygen": None, "flow": 1, "volume": 3600, "mass": mass}  # fmt: skip


def filled(rows: list[dict[str, Any]], series: pa.Table = GAS, engine: str = "duckdb") -> list[dict[str, Any]]:
    on = connect(engine)
    frames = Frames(on, series.slice(0, 1), RULES)
    grid = frames.grid(on.load(pa.Table.from_pylist(rows, schema=SHAPE)), clock(FIRST, LAST), None)
    return on.arrow(ordered(frames.made(grid)["hours"], ["series", "hour"])).to_pylist()


def with_gap(at: int, length: int, state: str | None = None, extra_bad: int = 0) -> list[dict[str, Any]]:
    """2160 hours of 1000 + n mg, falling after the gap; the last ``extra_bad`` hours missing too."""
    rows = []
    for n in range(2160 - extra_bad):
        if at <= n < at + length:
            if state is not None:
                rows.append(hour(n, None, state))
            continue
        rows.append(hour(n, 100_000 - n))
    return rows


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize(
    ("length", "extra_bad", "window", "back"),
    [
        (24, 0, 180, 180),  # 98.9 % captured, a run of 24 hours
        (25, 0, 720, 720),  # one hour longer
        (24, 300, 2160, 1000),  # 85 %: the longest window, as far as there are hours
        (24, 600, None, None),  # 71 %: none
    ],
)
def test_the_ladder(engine: str, length: int, extra_bad: int, window: int | None, back: int | None) -> None:
    found = filled(with_gap(1000, length, extra_bad=extra_bad), engine=engine)
    gap = found[1000 : 1000 + length]
    assert {h["window"] for h in gap} == {window}
    expected = (
        None if back is None else 100_000 - (1000 - back)
    )  # masses fall, so the earliest of the window is the largest
    assert {h["amount"] for h in gap} == {expected}
    assert {h["basis"] for h in gap} == {"none" if window is None else "substituted"}
    assert not any(h["judged"] for h in gap)


def test_invalid_is_as_missing_and_standstill_is_nothing() -> None:
    rows = with_gap(1000, 10, "invalid")
    rows[500] = hour(500, None, "stop")
    found = filled(rows)
    assert {h["basis"] for h in found[1000:1010]} == {"substituted"}
    assert (found[500]["basis"], found[500]["amount"]) == ("stopped", 0)


def test_without_a_valid_hour_before_there_is_no_substitute() -> None:
    found = filled(with_gap(0, 5))
    assert [h["amount"] for h in found[:5]] == [None] * 5


def test_water_takes_the_mean_of_as_many_hours_before() -> None:
    found = filled(with_gap(1000, 4), WATER)
    assert {h["amount"] for h in found[1000:1004]} == {round(sum(100_000 - n for n in range(996, 1000)) / 4 + 0.01)}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2100), st.integers(1, 40)), min_size=1, max_size=12), st.integers(0, 10**6))
def test_against_a_plain_reckoning(gaps: list[tuple[int, int]], seed: int) -> None:
    bad = {n for at, length in gaps for n in range(at, at + length)}
    mass = {n: (n * 7919 + seed) % 99_991 for n in range(2160) if n not in bad}
    found = filled([hour(n, m) for n, m in mass.items()])
    rate = 100 * len(mass) / 2160
    for n in sorted(bad & set(range(2160))):
        low = high = n
        while low - 1 in bad:
            low -= 1
        while high + 1 in bad and high + 1 < 2160:
            high += 1
        window = 180 if rate >= 90 and high - low < 24 else 720 if rate >= 90 else 2160 if rate >= 75 else 0
        before = [mass[m] for m in range(low) if m in mass][-window:] if window else []
        assert found[n]["amount"] == (max(before) if before else None)
