"""A province of 100,000 units × 12 months × 20 fuels in standard coal, on DuckDB and on Spark, with the same result to the last digit.

Usage: ``python bench/energy_province.py [--units 100000] [--fuels 20] [--engines duckdb,polars,pyspark]``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from lvheng.energy.frame import exact_rows, tce_by

KEYS = ["region", "fuel"]


def write(path: Path, units: int, fuels: int) -> int:
    """One row group per ten thousand units, so that the full province needs no more memory than a part of it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    rows, writer = 0, None
    for first in range(0, units, 10_000):
        unit = np.repeat(np.arange(first, min(first + 10_000, units)), 12 * fuels)
        fuel = np.tile(np.arange(fuels), len(unit) // fuels)
        part = pa.table({
            "region": unit % 100, "fuel": fuel, "quantity": rng.integers(0, 10**10, len(unit)),
            "factor": np.array([7143, 110_000, 14571, 12290])[fuel % 4],
        })  # fmt: skip
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
        rows += len(unit)
    assert writer is not None
    writer.close()
    return rows


def run(engine: str, path: Path) -> tuple[float, dict]:
    if engine == "pyspark":
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "4").getOrCreate()  # fmt: skip
        spark.sparkContext.setLogLevel("ERROR")
        start = time.perf_counter()
        rows = [r.asDict() for r in tce_by(spark.read.parquet(str(path)), KEYS).to_native().collect()]
        seconds = time.perf_counter() - start
        spark.stop()
        return seconds, exact_rows(rows, KEYS)
    start = time.perf_counter()
    frame = duckdb.sql(f"SELECT * FROM '{path}'") if engine == "duckdb" else pl.scan_parquet(path)
    native = tce_by(frame, KEYS).to_native()
    rows = (native.pl() if engine == "duckdb" else native.collect()).to_dicts()
    return time.perf_counter() - start, exact_rows(rows, KEYS)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--fuels", type=int, default=20)
    parser.add_argument("--engines", default="duckdb,polars,pyspark")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "province.parquet")
        rows = write(path, asked.units, asked.fuels)
        results = {name: run(name, path) for name in asked.engines.split(",")}
    first = next(iter(results.values()))[1]
    print(json.dumps({
        "rows": rows, "groups": len(first), "seconds": {name: round(s, 2) for name, (s, _) in results.items()},
        "same_result": all(found == first for _, found in results.values()),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
