"""Real measurements through the lake and the roll-up: a gas turbine's hours and a sewage works' days.

Foreign plants stand in for local ones; the rules in force in 2026 are tried on them.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lvheng.core.engine import connect
from lvheng.telemetry.screens import Channel, constant, read_values
from lvheng.telemetry.screens.inject import inject, score
from lvheng.telemetry.validity.run import read, roll_up

from .support import BOOK, ROOT, RULES, WATER, series, value, write

SAMPLES = ROOT / "data" / "telemetry-samples"


def turbine() -> list[dict[str, str]]:
    with gzip.open(SAMPLES / "uci_gas_turbine_2011_2015.csv.gz", "rt", encoding="utf-8-sig") as handle:
        return list(csv.DictReader(handle))


def column(rows: list[dict[str, str]], start: str) -> str:
    return next(c for c in rows[0] if c.lower().startswith(start))


def test_hours_of_a_gas_turbine(tmp_path: Path) -> None:
    rows = turbine()
    assert len(rows) == 36_733
    nox = [float(r[column(rows, "nitrogen")]) for r in rows[: 24 * 60]]
    begin = datetime(2026, 1, 1)  # noqa: DTZ001 the sample has no time; it is laid out from a day on
    data = [value("a21002", begin + timedelta(hours=n), x) for n, x in enumerate(nox)]
    one = series({"code": "a21002", "interval": 60, "flow_code": "", "o2_code": ""})
    roll_up(
        write(tmp_path / "lake", data),
        one,
        date(2026, 1, 1),
        date(2026, 3, 1),
        RULES,
        tmp_path / "out",
        on=connect("duckdb"),
    )
    days, months = read(tmp_path / "out", "days").to_pylist(), read(tmp_path / "out", "months").to_pylist()
    assert [m["state"] for m in months] == ["valid", "valid", "invalid"]  # 31, 28 and 1 days
    for n, day in enumerate(days):
        assert day["mean"] / 1e6 == pytest.approx(np.mean(nox[24 * n : 24 * n + 24]), abs=1e-5)
    assert days[0]["mass"] is None  # no flow was measured, so no amount is made up


def test_load_of_a_sewage_works(tmp_path: Path) -> None:
    with (SAMPLES / "melbourne_eastern_wwtp_daily_2014_2019.csv").open(encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 1382
    flow, cod = (
        next(c for c in rows[0] if all(w in c.lower() for w in words))
        for words in (("inflow",), ("chemical", "oxygen"))
    )
    days = {
        date(int(float(r["Year"])), int(float(r["Month"])), int(float(r["Day"]))): (float(r[flow]), float(r[cod]))
        for r in rows
    }
    month = {d: x for d, x in days.items() if (d.year, d.month) == (2014, 3)}
    assert 0 < len(month) < 31  # the published days have gaps
    data: list[dict[str, Any]] = []
    for d, (q, c) in month.items():
        for hour in range(24):
            at = datetime(d.year, d.month, d.day, hour)  # noqa: DTZ001
            data += [value("w01018", at, c), value("w00000", at, q * 1000)]
    out = tmp_path / "out"
    roll_up(
        write(tmp_path / "lake", data), WATER, date(2014, 3, 1), date(2014, 3, 31), RULES, out, on=connect("duckdb")
    )
    found = [d for d in read(out, "days").to_pylist() if d["series"] == 1 and d["state"] == "valid"]
    assert len(found) == len(month)
    for day in found:
        q, c = month[date(1970, 1, 1) + timedelta(days=day["day"])]
        assert day["mass"] / 1e9 == pytest.approx(q * c * 86.4 / 1000, rel=1e-6)  # tons: m³/s × mg/L × 86.4 is kg a day
        assert day["mean"] / 1e6 == pytest.approx(c, rel=1e-6)


def test_a_held_value_is_found_in_real_hours() -> None:
    """The published set holds NOx at 60.38 for 102 hours while the turbine's other readings move: a real find."""
    rows = turbine()[:2400]
    name, carbon = column(rows, "nitrogen"), column(rows, "carbon")
    x = np.round(np.array([float(r[name]) for r in rows]), 2)
    none, still = np.full(len(x), np.nan), np.zeros(len(x), dtype=bool)
    channel = Channel(1, 0, x, x, none, np.full(len(x), 50.0), still, 100.0)
    values = read_values(BOOK, date(2026, 6, 1))
    (real,) = constant(channel, values)
    assert (real.first, real.last, real.seen["value"]) == (1336, 1437, 60.38)
    assert len({r[carbon] for r in rows[1336:1438]}) > 1
    later = replace(
        channel, mean=x[1440:], converted=x[1440:], oxygen=none[1440:], flow=channel.flow[1440:], stopped=still[1440:]
    )
    assert not constant(later, values)
    changed, truth = inject("F01", later, np.random.default_rng(1))
    got = score("F01", constant(changed, values), [truth])
    assert (got.precision, got.recall) == (1.0, 1.0)
