"""Knowing good data from bad: minutes become hours, days and months by dated rules; amounts, judgements and rates follow.

Pure: tables in, tables out, written once in Narwhals for DuckDB, Polars and Spark. All sums are of integers and every
division is one IEEE operation on exact sums, so results are the same to the bit on every engine and thread count.

Units at rest: ``micro`` = 10⁻⁶ of the unit sent (mg/m³, mg/L, %, m³/s for gas, L/s for water); amounts in milligrams;
``minute``, ``hour`` and ``day`` count from 1970-01-01 00:00 wall time UTC+8; ``month`` is year × 12 + month − 1.
"""
