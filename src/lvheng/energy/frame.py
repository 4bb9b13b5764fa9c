"""Standard coal of many units at once, on any engine, exact.

Written once in Narwhals; quantities and factors are integers of 1/10000 so that the sums are exact on DuckDB,
Polars and Spark alike (DuckDB's 128-bit and Spark's 64-bit sums included: the quantity is split in two).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import narwhals as nw

PART = 10_000


def tce_by(frame: Any, keys: list[str]) -> Any:
    """Lazy frame with ``keys``, ``high`` and ``low``: 1/10000² tce = high × 10000 + low.

    Input columns: the keys, ``quantity`` and ``factor`` (int64, 1/10000; not negative). Rows with a missing quantity
    or factor are counted in ``missing`` and not in the sums. A group may hold some 10⁷ rows of 10⁸ units each.
    """
    lazy = (
        nw.from_native(frame).lazy() if not isinstance(nw.from_native(frame), nw.LazyFrame) else nw.from_native(frame)
    )
    q, k = nw.col("quantity"), nw.col("factor")
    rest = q % PART
    return (
        lazy.with_columns(
            low=rest * k,
            high=((q - rest) / PART).cast(nw.Int64) * k,  # exact: below 2**53 before the division
            missing=(q.is_null() | k.is_null()).cast(nw.Int64),
        )
        .group_by(*keys)
        .agg(nw.col("high").sum(), nw.col("low").sum(), nw.col("missing").sum())
    )


def exact_rows(rows: list[dict[str, Any]], keys: list[str]) -> dict[tuple[Any, ...], tuple[Decimal, int]]:
    """Key → (tce, rows left out as missing) from collected rows of :func:`tce_by`."""
    return {
        tuple(r[k] for k in keys): (
            Decimal(int(r["high"] or 0) * PART + int(r["low"] or 0)).scaleb(-8),
            int(r["missing"]),
        )
        for r in rows
    }
