"""A backlog of two meters, one reading a minute: rows a second at 1, 30 and 365 days, columns against the readable rules.

    python -m bench.telemetry_meters

Median of ROUNDS rounds of CPU seconds; a flat backlog has the same rate at every length.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

import numpy as np

from lvheng.telemetry.energy_gateway.columns import consumption_columns
from lvheng.telemetry.energy_gateway.registers import consumption

ROUNDS = 9


def backlog(days: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(days)
    n = days * 1440
    times, registers = np.arange(n) * 60, np.cumsum(rng.integers(0, 900, n))
    kept = rng.random(n) > 0.02  # outages
    return times[kept], registers[kept]


def main() -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001 wall time
    sizes = {days: [backlog(days) for _ in range(2)] for days in (1, 30, 365)}
    seconds: dict[int, list[float]] = {days: [] for days in sizes}
    for _ in range(ROUNDS):  # rounds take all sizes in turn: what else the machine does meets every one
        for days, meters in sizes.items():
            again = max(1, 60 // days)  # a day is over too soon to be timed alone
            began = time.process_time()
            for _ in range(again):
                for times, registers in meters:
                    consumption_columns(times, registers, 60, capacity=10**9, limit=10**6)
            seconds[days].append((time.process_time() - began) / again)
    times, registers = sizes[30][0]
    readings = [(start + timedelta(seconds=int(t)), Decimal(int(r))) for t, r in zip(times, registers, strict=True)]
    began = time.process_time()
    consumption(readings, timedelta(minutes=1))
    base = len(readings) / (time.process_time() - began)
    rates = {d: sum(t.size for t, _ in m) / median(seconds[d]) for d, m in sizes.items()}
    for days, rate in rates.items():
        rows = sum(t.size for t, _ in sizes[days])
        spread = f"{rows / max(seconds[days]):,.0f} to {rows / min(seconds[days]):,.0f}"
        print(
            f"{days:4d} days  {rows:9,d} rows  {rate:14,.0f} rows/s of CPU ({spread})  {rate / base:6.0f} × the readable rules"
        )
    print(f"365 days against 30 days: {rates[365] / rates[30]:.2f}")


if __name__ == "__main__":
    main()
