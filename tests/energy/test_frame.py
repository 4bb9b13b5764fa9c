"""One conversion on DuckDB, Polars and Spark: the same to the last digit, and equal to plain integers."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import polars as pl
import pytest

from lvheng.energy.frame import exact_rows, tce_by

ROWS = pl.DataFrame({
    "region": [1, 1, 2, 2, 2], "quantity": [9_999_999_999, 12_345, None, 7, 0], "factor": [133_000, 7_143, 14_571, 14_571, 1],
}, schema={"region": pl.Int64, "quantity": pl.Int64, "factor": pl.Int64})  # fmt: skip
EXPECTED = {
    (1,): (Decimal(9_999_999_999 * 133_000 + 12_345 * 7_143).scaleb(-8), 0),
    (2,): (Decimal(7 * 14_571).scaleb(-8), 1),
}


def test_polars_and_duckdb():
    assert exact_rows(tce_by(ROWS.lazy(), ["region"]).to_native().collect().to_dicts(), ["region"]) == EXPECTED
    table = duckdb.sql("SELECT * FROM ROWS")
    assert exact_rows(tce_by(table, ["region"]).to_native().pl().to_dicts(), ["region"]) == EXPECTED


@pytest.mark.spark
def test_spark(tmp_path):
    from pyspark.sql import SparkSession

    ROWS.write_parquet(tmp_path / "rows.parquet")
    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    frame = spark.read.parquet(str(tmp_path / "rows.parquet"))
    rows = [r.asDict() for r in tce_by(frame, ["region"]).to_native().collect()]
    assert exact_rows(rows, ["region"]) == EXPECTED
