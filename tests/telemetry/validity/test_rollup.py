"""Minutes to months on every embedded engine: worked examples, and the same bits whatever the split."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.engine import DuckDB, connect
from lvheng.core.problem import ProblemError
from lvheng.telemetry.lake import connect as lake_views
from lvheng.telemetry.validity.run import MARKS, Done, read, roll_up

from .support import GAS, RULES, START, WATER, value, write

ENGINES = ("duckdb", "polars")
DAY = START.date()


def run(lake: Path, out: Path, series: pa.Table = GAS, last: date = DAY, engine: str = "duckdb", **more: Any) -> Done:
    return roll_up(lake, series, DAY, last, RULES, out, on=connect(engine), **more)


def rows(folder: Path, table: str, series: int = 1) -> list[dict[str, Any]]:
    return [r for r in read(folder, table).to_pylist() if r["series"] == series]


def gas_minutes(n: int, when: datetime = START, nox: float = 40.0, flow: float = 50.0, oxygen: float = 12.0, flag: str = "N") -> list[dict[str, Any]]:  # fmt: skip
    out = []
    for i in range(n):
        at = when + timedelta(minutes=i)
        out += [value("a21002", at, nox, flag), value("a00000", at, flow), value("a19001", at, oxygen)]
    return out


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("n", "state"), [(44, "invalid"), (45, "valid")])
def test_an_hour_of_gas_needs_45_valid_minutes(tmp_path: Path, engine: str, n: int, state: str) -> None:
    lake = write(tmp_path / "lake", gas_minutes(n) + gas_minutes(60 - n, START + timedelta(minutes=n), flag="D"))
    run(lake, tmp_path / "out", engine=engine)
    hour = rows(tmp_path / "out", "hours")[0]
    assert (hour["n"], hour["n_valid"], hour["state"]) == (60, n, state)


@pytest.mark.parametrize("engine", ENGINES)
def test_amount_of_an_hour_is_mean_times_flow_and_the_mean_is_converted(tmp_path: Path, engine: str) -> None:
    # HJ 75: 40 mg/m³ at 192,686.8 m³/h is 7.7075 kg/h; GB 13271: 60 mg at 12 % O2 is 80 at 9 %
    lake = write(
        tmp_path / "lake", gas_minutes(60, flow=192686.8 / 3600) + gas_minutes(60, START + timedelta(hours=1), 60.0)
    )
    run(lake, tmp_path / "out", engine=engine)
    first, second = rows(tmp_path / "out", "hours")[:2]
    assert round(first["mass"] / 1e6, 4) == 7.7075
    assert second["converted"] == 80_000_000
    assert second["mean"] == 60_000_000
    assert first["judged"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_packet_sent_again_does_not_undo_a_revision(tmp_path: Path, engine: str) -> None:
    said = []
    for n, (number, qn) in enumerate([(40.0, "1"), (45.0, "2"), (40.0, "1")]):
        for row in gas_minutes(60, nox=number):
            said.append({**row, "qn": qn, "recv_time": row["recv_time"] + timedelta(minutes=n), "position": len(said)})
    late = [{**row, "position": -n} for n, row in enumerate(gas_minutes(60, START + timedelta(hours=1), 41.0), 1)]
    lake = write(tmp_path / "lake", said + late)
    run(lake, tmp_path / "out", engine=engine)
    assert [h["mean"] for h in rows(tmp_path / "out", "hours")[:2]] == [45_000_000, 41_000_000]
    with lake_views(lake) as db:
        found = db.execute(
            "select distinct value_text, received, revisions from effective where code = 'a21002' order by all"
        )
        assert found.fetchall() == [("41.0", 1, 1), ("45.0", 3, 2)]
    back = [{**row, "qn": "3" if row["position"] >= 360 else row["qn"]} for row in said]  # said anew: a revision
    run(write(tmp_path / "lake2", back), tmp_path / "out2", engine=engine)
    assert rows(tmp_path / "out2", "hours")[0]["mean"] == 40_000_000


@pytest.mark.parametrize("engine", ENGINES)
def test_no_conversion_at_stand_by(tmp_path: Path, engine: str) -> None:
    lake = write(tmp_path / "lake", gas_minutes(60, oxygen=20.9))
    run(lake, tmp_path / "out", engine=engine)
    hour = rows(tmp_path / "out", "hours")[0]
    assert hour["state"] == "valid"
    assert hour["converted"] is None


@pytest.mark.parametrize("engine", ENGINES)
def test_water_means_are_weighted_by_flow(tmp_path: Path, engine: str) -> None:
    given = [(40, 100), (50, 200), (60, 300), (55, 0)]  # mg/L, m³ in the hour
    data = []
    for n, (cod, volume) in enumerate(given):
        at = START + timedelta(hours=n)
        data += [value("w01018", at, float(cod)), value("w00000", at, volume * 1000 / 3600)]
    for n in range(4, 24):  # the rest of the day stands still
        data += [value("w01018", START + timedelta(hours=n), 55.0), value("w00000", START + timedelta(hours=n), 0.0)]
    run(write(tmp_path / "lake", data), tmp_path / "out", WATER, engine=engine)
    day = rows(tmp_path / "out", "days")[0]
    assert day["state"] == "valid"
    assert (day["n_valid"], day["n_stop"]) == (3, 21)
    assert round(day["mean"] / 1e6, 4) == 53.3333
    assert round(day["mass"] / 1e6, 3) == 32.0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("good", "state"), [(19, "invalid"), (20, "valid")])
def test_a_day_of_gas_needs_20_hours(tmp_path: Path, engine: str, good: int, state: str) -> None:
    data = [r for h in range(good) for r in gas_minutes(60, START + timedelta(hours=h))]
    run(write(tmp_path / "lake", data), tmp_path / "out", engine=engine)
    day = rows(tmp_path / "out", "days")[0]
    assert (day["n_valid"], day["n_received"], day["state"]) == (good, good, state)


@pytest.mark.parametrize(("flag", "state"), [("N", "valid"), ("F", "stop"), ("M", "invalid"), ("S", "invalid"), ("T", "invalid"), ("?", "invalid")])  # fmt: skip
def test_flags_say_what_a_minute_is(tmp_path: Path, flag: str, state: str) -> None:
    run(write(tmp_path / "lake", gas_minutes(60, flag=flag)), tmp_path / "out")
    hour = rows(tmp_path / "out", "hours")[0]
    assert hour["state"] == state
    assert hour["judged"] == (state == "valid")


def test_marks_take_hours_out_of_judgement_but_not_out_of_amounts(tmp_path: Path) -> None:
    lake = write(tmp_path / "lake", [r for h in range(3) for r in gas_minutes(60, START + timedelta(hours=h))])
    hour = (DAY - date(1970, 1, 1)).days * 24
    effects = ("not_judged", "invalid", "stop")
    marks = pa.Table.from_pylist(
        [{"series": 1, "hour": hour + n, "effect": e} for n, e in enumerate(effects)], schema=MARKS
    )
    run(lake, tmp_path / "out", marks=marks)
    a, b, c = rows(tmp_path / "out", "hours")[:3]
    assert (a["state"], a["judged"], a["basis"]) == ("valid", False, "measured")
    assert (b["state"], b["judged"], b["mass"]) == ("invalid", False, None)
    assert (c["state"], c["judged"], c["amount"]) == ("stop", False, 0)


def test_what_arrives_after_the_patch_window_changes_nothing(tmp_path: Path) -> None:
    late = [
        value("a21002", START + timedelta(minutes=i), 10.0, recv_time=START + timedelta(days=11)) for i in range(60)
    ]
    run(write(tmp_path / "a", gas_minutes(60)), tmp_path / "one")
    run(write(tmp_path / "b", gas_minutes(60) + late), tmp_path / "two")
    assert read(tmp_path / "one", "hours").equals(read(tmp_path / "two", "hours"))


def test_a_revision_within_the_window_counts(tmp_path: Path) -> None:
    patch = [
        value("a21002", START + timedelta(minutes=i), 10.0, recv_time=START + timedelta(days=9)) for i in range(60)
    ]
    run(write(tmp_path / "lake", gas_minutes(60) + patch), tmp_path / "out")
    assert rows(tmp_path / "out", "hours")[0]["mean"] == 10_000_000


def test_a_month_is_valid_with_25_days(tmp_path: Path) -> None:
    data = []
    for day in range(25):
        for hour in range(20):
            data += [value(c, START + timedelta(days=day, hours=hour), v) for c, v in (("a21002", 40.0), ("a00000", 50.0), ("a19001", 12.0))]  # fmt: skip
    wide = GAS.set_column(GAS.column_names.index("interval"), "interval", pa.array([60] * 3, pa.int32()))
    lake = write(tmp_path / "lake", data)
    run(lake, tmp_path / "out", wide, last=date(2026, 6, 30))
    month = rows(tmp_path / "out", "months")[0]
    assert (month["n_valid"], month["days"], month["state"], month["mean"]) == (25, 30, "valid", 40_000_000)
    assert (month["received"], month["valid"], month["hours"]) == (500, 500, 720)


def noisy(seed: int, hours: int = 30) -> list[dict[str, Any]]:
    dice = random.Random(seed)
    out = []
    for i in range(hours * 60):
        at = START + timedelta(minutes=i)
        for code, level in (("a21002", 43.2101), ("a00000", 51.377), ("a19001", 11.9)):
            if dice.random() > 0.05:
                out.append(value(code, at, round(level * dice.uniform(0.7, 1.3), 5), dice.choice("NNNNNNNNND")))
    return out


def test_any_split_and_engine_gives_the_same_bits(tmp_path: Path) -> None:
    data = noisy(7)
    found = set()
    for n, (engine, pieces) in enumerate([("duckdb", 1), ("duckdb", 7), ("polars", 3)]):
        shuffled = data[:]
        random.Random(n).shuffle(shuffled)
        lake = write(tmp_path / f"lake{n}", shuffled, pieces)
        done = run(lake, tmp_path / f"out{n}", last=DAY + timedelta(days=1), engine=engine)
        found.add(tuple(done.digests.values()))
    assert len(found) == 1


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_thread_counts_and_splits_change_no_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, pieces: int
) -> None:
    home = tmp_path_factory.mktemp("bits")
    data = noisy(seed, 12)
    found = set()
    for n, threads in enumerate((1, 2, 4)):
        shuffled = data[:]
        random.Random(seed + n).shuffle(shuffled)
        on = DuckDB()
        on.connection.execute(f"set threads = {threads}")
        lake = write(home / f"lake{n}", shuffled, 1 + (pieces + n) % 6)
        done = roll_up(lake, GAS, DAY, DAY, RULES, home / f"out{n}", on=on)
        found.add(tuple(done.digests.values()))
    assert len(found) == 1


def test_problems_are_said(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="起始日晚于截止日"):
        roll_up(tmp_path, GAS, DAY, DAY - timedelta(days=1), RULES, tmp_path / "o", on=connect("duckdb"))
    with pytest.raises(ProblemError, match="没有登记排口"):
        roll_up(tmp_path, GAS.slice(0, 0), DAY, DAY, RULES, tmp_path / "o", on=connect("duckdb"))


def test_an_empty_lake_is_all_missing(tmp_path: Path) -> None:
    run(tmp_path / "none", tmp_path / "out")
    assert {h["state"] for h in rows(tmp_path / "out", "hours")} == {"missing"}
    assert rows(tmp_path / "out", "days")[0]["mass"] is None
