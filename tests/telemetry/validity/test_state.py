"""Bringing what a logger sends to mg/m³, dry, at standard state: by switch of the outlet, minute by minute."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.engine import connect
from lvheng.core.formula import compute
from lvheng.core.problem import ProblemError
from lvheng.telemetry.validity.run import read, roll_up

from .support import BOOK, RULES, START, series, value, write

DAY = START.date()


def hour(
    tmp_path: Path, one: dict[str, Any], sent: dict[str, float | None], engine: str = "duckdb", **more: Any
) -> dict[str, Any]:
    """The first hour of a series of whose minutes each holds the same values."""
    table = series({"code": "a21026", **one}, {"code": "a00000", "kind": "flow", **more})
    rows = [value(c, START + timedelta(minutes=n), v) for n in range(60) for c, v in sent.items()]
    roll_up(write(tmp_path / "lake", rows), table, DAY, DAY, RULES, tmp_path / "out", on=connect(engine))
    return {r["series"]: r for r in read(tmp_path / "out", "hours").to_pylist() if r["hour"] % 24 == 0}  # type: ignore[return-value]


FLUE = {"a01012": 120.0, "a01013": -0.3, "a01014": 8.0}


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_the_worked_examples_of_the_standard(tmp_path: Path, engine: str) -> None:
    raw = {"actual": True, "wet": True}
    hours: Any = hour(tmp_path, raw, {"a21026": 100.0, "a00000": 7.0 * 12, **FLUE}, engine, **raw)
    assert round(hours[2]["volume"] / 1e6, 1) == 192686.8  # F 7 m², V 12 m/s: m³/h, dry, standard
    assert round(hours[1]["mean"] / 1e6, 4) == round(144.38354 / 0.92, 4)


def test_ppm_of_nox_counts_as_nitrogen_dioxide(tmp_path: Path) -> None:
    hours: Any = hour(tmp_path, {"code": "a21002", "ppm": True}, {"a21002": 50.0})
    assert round(hours[1]["mean"] / 1e6, 2) == 102.68


def test_without_a_switch_nothing_is_changed(tmp_path: Path) -> None:
    hours: Any = hour(tmp_path, {}, {"a21026": 100.0, "a00000": 84.0, **FLUE})
    assert (hours[1]["mean"], hours[2]["mean"]) == (100_000_000, 84_000_000)


@pytest.mark.parametrize("lacking", FLUE)
def test_a_reading_that_is_wanting_is_no_zero(tmp_path: Path, lacking: str) -> None:
    sent = {"a21026": 100.0, **{c: v for c, v in FLUE.items() if c != lacking}}
    hours: Any = hour(tmp_path, {"actual": True, "wet": True}, sent)
    assert (hours[1]["state"], hours[1]["mean"], hours[1]["mass"]) == ("invalid", None, None)


def test_readings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    hours: Any = hour(tmp_path, {"wet": True}, {"a21026": 100.0, "a01014": 100.0})
    assert hours[1]["state"] == "invalid"


def test_a_pollutant_without_molar_mass_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="没有分子量"):
        hour(tmp_path, {"code": "a34013", "ppm": True}, {"a34013": 5.0})


@settings(max_examples=20, deadline=None)
@given(
    st.decimals("0.1", "4000", places=2), st.decimals("-20", "400", places=1), st.decimals("-5", "5", places=2),
    st.decimals("0", "40", places=1), st.decimals("95", "103", places=2),
)  # fmt: skip
def test_minutes_follow_the_rulebooks_formulas(
    tmp_path_factory: pytest.TempPathFactory, c: Decimal, t: Decimal, p: Decimal, x: Decimal, ambient: Decimal
) -> None:
    flue = {"a21026": float(c), "a01012": float(t), "a01013": float(p), "a01014": float(x)}
    switches = {"actual": True, "wet": True, "ambient": int(ambient * 1_000_000)}
    hours: Any = hour(tmp_path_factory.mktemp("p"), switches, flue)
    inputs = {"measured": c, "ambient": ambient, "static": p, "temperature": t}
    at_state = compute(BOOK, "telemetry.standard_state", DAY, inputs).value
    expected = compute(BOOK, "telemetry.dry_basis", DAY, {"measured": at_state, "humidity": x}).value
    assert expected is not None
    assert abs(Decimal(hours[1]["mean"]) / 1_000_000 - expected) <= Decimal("0.0002")  # the rules round to four places
