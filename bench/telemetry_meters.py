"""A backlog of two meters, one reading a minute: rows a second at 1, 30 and 365 days, columns against the readable rules.

python bench/telemetry_meters.py
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from lvheng.telemetry.energy_gateway.columns import consumption_columns
from lvheng.telemetry.energy_gateway.registers import consumption


def backlog(days: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(days)
    n = days * 1440
    times, registers = np.arange(n) * 60, np.cumsum(rng.integers(0, 900, n))
    kept = rng.random(n) > 0.02  # outages
    return times[kept], registers[kept]


def main() -> None:
    base = 0.0
    start = datetime(2026, 1, 1)  # noqa: DTZ001 wall time
    for days in (1, 30, 365):
        meters = [backlog(days) for _ in range(2)]
        rows = sum(t.size for t, _ in meters)
        best = 1e9
        for _ in range(5):
            began = time.perf_counter()
            for times, registers in meters:
                consumption_columns(times, registers, 60, capacity=10**9, limit=10**6)
            best = min(best, time.perf_counter() - began)
        if days <= 30:
            readings = [(start + timedelta(seconds=int(t)), Decimal(int(r))) for t, r in zip(*meters[0], strict=True)]
            began = time.perf_counter()
            consumption(readings, timedelta(minutes=1))
            base = len(readings) / (time.perf_counter() - began)
        print(
            f"{days:4d} days  {rows:9,d} rows  {rows / best:14,.0f} rows/s  {rows / best / base:6.0f} × the readable rules"
        )


if __name__ == "__main__":
    main()
