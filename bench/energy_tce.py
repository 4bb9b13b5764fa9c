"""Conversion to standard coal: rows a second with exact totals, beside plain float code of the same run.

Prints rows a second of :func:`lvheng.energy.accounts.exact_total` (integers, exact), of a plain numpy float64
version, of pandas where it is installed, and of a Decimal loop, and how far the float totals are off.
Usage: ``python bench/energy_tce.py [--rows 5000000]``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from decimal import Decimal

import numpy as np

from lvheng.energy.accounts import exact_total


def timed(work, repeat: int = 5):
    best, value = float("inf"), None
    for _ in range(repeat):
        start = time.perf_counter()
        value = work()
        best = min(best, time.perf_counter() - start)
    return best, value


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    n = parser.parse_args().rows
    rng = np.random.default_rng(1)
    factors = rng.integers(1_000, 133_000, 40)  # 1/10000 tce per unit
    fuel = rng.integers(0, 40, n)
    quantity = rng.integers(0, 10**10, n)  # 1/10000 units
    q_float, k_float = quantity / 1e4, factors / 1e4
    seconds, exact = timed(lambda: exact_total(quantity, factors[fuel]))
    plain_s, plain = timed(lambda: float((q_float * k_float[fuel]).sum()))
    few = 200_000
    loop_s, _ = timed(lambda: sum((Decimal(int(q)).scaleb(-4) * Decimal(int(k)).scaleb(-4) for q, k in zip(quantity[:few], factors[fuel[:few]], strict=True)), Decimal(0)), 1)  # fmt: skip
    report = {
        "rows": n, "exact_rows_per_s": round(n / seconds), "numpy_float_rows_per_s": round(n / plain_s),
        "decimal_loop_rows_per_s": round(few / loop_s), "float_off_by_tce": str(abs(Decimal(plain) - exact)),
    }  # fmt: skip
    if importlib.util.find_spec("pandas"):
        import pandas

        frame = pandas.DataFrame({"fuel": fuel, "quantity": q_float})
        table = pandas.Series(k_float)
        pandas_s, _ = timed(lambda: float((frame["quantity"] * frame["fuel"].map(table)).sum()))
        report["pandas_rows_per_s"] = round(n / pandas_s)
    else:
        report["pandas_rows_per_s"] = None  # not installed here
    print(json.dumps(report))


if __name__ == "__main__":
    main()
