"""Small lakes and series for tests of validity."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from lvheng.core.rulebook import Rulebook
from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.validity.rules import Rules, read_rules
from lvheng.telemetry.validity.run import SERIES

ROOT = Path(__file__).parents[3]
BOOK = Rulebook.load(ROOT / "rulebook" / "telemetry")
RULES: Rules = read_rules(BOOK, date(2026, 6, 1))
START = datetime(2026, 6, 1)  # noqa: DTZ001 wall time


def series(*rows: dict[str, Any]) -> pa.Table:
    base = {"outlet": "DA001", "mn": "M1", "kind": "value", "medium": "gas", "version": 2017, "interval": 1, "flow_code": "a00000",
            "o2_code": "a19001", "o2_reference": None, "limit_low": None, "limit_high": None}  # fmt: skip
    return pa.Table.from_pylist([{**base, "series": n, **row} for n, row in enumerate(rows, 1)], schema=SERIES)


GAS = series(
    {"code": "a21002", "o2_reference": 9_000_000, "limit_high": 50_000_000},
    {"code": "a00000", "kind": "flow"},
    {"code": "a19001", "kind": "o2"},
)
WATER = series(
    {"code": "w01018", "medium": "water", "flow_code": "w00000", "interval": 60, "limit_high": 50_000_000},
    {"code": "w00000", "medium": "water", "kind": "flow", "flow_code": "w00000", "interval": 60},
)


def value(code: str, when: datetime, number: float | None, flag: str = "N", **more: Any) -> dict[str, Any]:
    text = "" if number is None else repr(number)
    return {
        "mn": "M1", "cn": "2051", "cycle": "minute", "data_time": when, "code": code, "code_sent": code, "suffix": "Avg",
        "value_text": text, "value": number, "flag": flag, "late": False, "qn": "", "part": 0,
        "recv_time": when + timedelta(minutes=1), "journal": "a/1", "position": 0, "seq": 0, "day": when.date(),
        "st": "31", **more,
    }  # fmt: skip


def write(root: Path, rows: list[dict[str, Any]], pieces: int = 1) -> Path:
    for n in range(pieces):
        part = rows[n::pieces]
        if part:
            Lake(root).write_values(pa.Table.from_pylist(part, schema=VALUES), f"part-{n}")
    return root
