"""About 100 invented outlets with a month of on-line data in the lake, rolled up, with a few frauds among them.

Half-hour values under the minute cycle keep it light. All codes begin with ``DEMO``; everything is marked 演示数据. What
was injected is kept beside the lake in ``demo_truth.json`` and never read by the product.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from django.conf import settings
from django.db import transaction

from lvheng.core.region import Region
from lvheng.plan.schema import Plan
from lvheng.telemetry import services
from lvheng.telemetry.lake import VALUES, Lake
from lvheng.telemetry.models import Factor, Outlet
from lvheng.telemetry.screens import Channel, Floats
from lvheng.telemetry.screens.inject import honest, inject

SEED, GAS, WATER = 212, 72, 28
FIRST, LAST = date(2026, 5, 1), date(2026, 5, 31)
HOURS = ((LAST - FIRST).days + 1) * 24
START = (FIRST - date(1970, 1, 1)).days * 24
FRAUDS = ("F01", "F02", "F06", "F08", "F12")
EVERY = 9  # one outlet in so many carries a fraud
Progress = Callable[[str, int, int], None]
_GAS = (("a21002", "氮氧化物", "nox", 50), ("a21026", "二氧化硫", "so2", 35))
_WATER = (("w01018", "化学需氧量", "cod", 50), ("w21003", "氨氮", "nh3n", 5))


def load_outlets(plan: Plan, progress: Progress | None = None) -> int:
    """Registers the outlets, writes their lake, rolls it up, screens it and raises alarms; 0 when already there or with
    real outlets in the register."""
    if Outlet.objects.exists():
        return 0
    dice = np.random.default_rng(SEED)
    places = _places()
    counties = [r for r in plan.regions if r.code in places] or list(plan.regions)
    with transaction.atomic():
        made = [_register(n, counties[n % len(counties)], places, dice) for n in range(GAS + WATER)]
    truths: list[dict[str, Any]] = []
    columns: dict[str, list[Any]] = {n: [] for n in ("mn", "st", "code", "flag", "values")}
    earlier: list[Channel] = []
    for n, outlet in enumerate(made):
        if progress and n % 50 == 0:
            progress("生成排口数据", n, len(made))
        _data(n, outlet, dice, columns, earlier, truths)
    lake = services.lake_folder()
    _write(Lake(lake), columns)
    Lake(lake).store.write("demo_truth.json", json.dumps(truths, ensure_ascii=False).encode())
    if progress:
        progress("汇总排口数据", 0, 1)
    services.refresh(FIRST, LAST)
    return len(made)


def _register(n: int, county: Region, places: dict[str, list[float]], dice: np.random.Generator) -> Outlet:
    gas = n < GAS
    number = n + 1 if gas else n - GAS + 1
    where = places.get(county.code)
    x, y = (None, None) if where is None else (round(Decimal(c + dice.uniform(-0.06, 0.06)), 6) for c in where)
    short = county.short or county.name
    outlet = Outlet.objects.create(
        code=f"DEMO{'G' if gas else 'W'}{number:04d}", name=f"{short}{'废气' if gas else '废水'}{number}号排口（演示）",
        unit_name=f"{short}第{number}{'热力' if gas else '污水'}厂（演示）", region=county.code, medium="gas" if gas else "water", longitude=x,
        latitude=y, mn=f"DEMO{n:020d}", version=(2017, 2017, 2025, 2005)[n % 4], interval=30, o2_reference=Decimal(9) if gas else None,
        synthetic=True,
    )  # fmt: skip
    for code, name, item, limit in _GAS if gas else _WATER:
        Factor.objects.create(
            outlet=outlet, code=code, name=name, unit="mg/m3" if gas else "mg/L", limit_high=Decimal(limit), item=item,
            permitted_kg=Decimal(200_000),
        )  # fmt: skip
    Factor.objects.create(
        outlet=outlet, code="a00000" if gas else "w00000", name="流量", kind="flow", unit="m3/s" if gas else "L/s"
    )
    if gas:
        Factor.objects.create(outlet=outlet, code="a19001", name="氧含量", kind="o2", unit="%")
    return outlet


def _data(
    n: int, outlet: Outlet, dice: np.random.Generator, columns: dict[str, list[Any]], earlier: list[Channel], truths: list[dict[str, Any]]
) -> None:  # fmt: skip
    gas = outlet.medium == "gas"
    base = honest(n, dice, HOURS, START, 50.0)
    if gas and n % EVERY == 7:
        base, truth = inject(FRAUDS[n // EVERY % len(FRAUDS)], base, dice, earlier[-20:])
        truths.append({"outlet": outlet.code, **asdict(truth)})
    elif dice.random() < 0.93:  # most keep well below their limits
        base = replace(base, mean=np.round(base.mean * 0.7, 2), converted=base.converted * 0.7)
    earlier.append(base)
    level = dice.uniform(0.3, 0.8)
    if gas:
        given = {"a21002": base.mean, "a21026": np.round(base.mean * level + dice.normal(0, 0.5, HOURS), 2), "a00000": base.flow,
                 "a19001": base.oxygen}  # fmt: skip
    else:
        given = {
            "w01018": np.round(base.converted * 0.8, 1),
            "w21003": np.round(base.converted * level * 0.08, 3),
            "w00000": base.flow,
        }
    outage = dice.random() < 0.1
    lost = slice(*sorted(dice.integers(0, HOURS, 2))) if outage else slice(0, 0)
    if outage:
        lost = slice(lost.start, min(lost.stop, lost.start + 60))
    flags = np.where(base.stopped, "F", np.where(np.isnan(base.mean), "D", "N")).astype(object)
    for code, x in given.items():
        values = np.array(x, dtype=np.float64)
        own = flags if code not in ("a00000", "a19001", "w00000") else np.full(HOURS, "N", dtype=object)
        values = np.where(np.isnan(values) & (own != "N"), 0.0, np.maximum(values, 0))
        present = np.ones(HOURS, dtype=bool)
        present[lost] = False
        columns["mn"].append(outlet.mn)
        columns["st"].append("31" if gas else "32")
        columns["code"].append(code)
        columns["flag"].append(own)
        columns["values"].append(np.where(present, values, np.nan))


def _write(lake: Lake, columns: dict[str, list[Any]]) -> None:
    """One file a day and system: every value twice an hour."""
    values: Floats = np.vstack(columns["values"])
    flags = np.vstack(columns["flag"])
    names = {k: np.array(columns[k], dtype=object) for k in ("mn", "st", "code")}
    start = datetime(FIRST.year, FIRST.month, FIRST.day)  # noqa: DTZ001 wall time
    for day in range(HOURS // 24):
        hours = np.repeat(np.arange(24), 2)
        stamps = np.array([start + timedelta(days=day, minutes=30 * k) for k in range(48)], dtype="datetime64[us]")
        for st in ("31", "32"):
            mine = np.flatnonzero(names["st"] == st)
            block = values[np.ix_(mine, day * 24 + hours)]
            marks = flags[np.ix_(mine, day * 24 + hours)]
            keep = ~np.isnan(block)
            rows, slots = np.nonzero(keep)
            number = block[keep]
            n = len(number)
            table = {
                "mn": names["mn"][mine][rows], "cn": _same("2051", n), "cycle": _same("minute", n), "data_time": stamps[slots],
                "code": names["code"][mine][rows], "suffix": _same("Avg", n), "value": number, "flag": marks[keep],
                "late": np.zeros(n, dtype=bool), "qn": _same("", n), "part": np.zeros(n, dtype=np.int16),
                "recv_time": stamps[slots] + np.timedelta64(30, "m"), "journal": _same("demo", n), "position": np.arange(n),
                "seq": np.zeros(n, dtype=np.int32),
                "day": np.full(n, (start + timedelta(days=day)).date()), "st": _same(st, n),
            }  # fmt: skip
            table["code_sent"] = table["code"]
            made = {f.name: pa.array(table[f.name], f.type) for f in VALUES if f.name != "value_text"}
            made["value_text"] = pa.compute.cast(made["value"], pa.string())
            lake.write_values(pa.table({name: made[name] for name in VALUES.names}, schema=VALUES), "demo")


def _same(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([text]))


@cache
def _places() -> dict[str, list[float]]:
    """Region → centre, from the boundaries that the site has."""
    found = {}
    for path in sorted(Path(settings.DATA_FOLDER, "geo").glob("*.geojson")):
        for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
            about = feature["properties"]
            if "center" in about:
                found[str(about["adcode"])] = about["center"]
    return found
