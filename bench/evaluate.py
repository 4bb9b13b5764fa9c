"""Evaluating 3,000 counties × 72 months × 100 derived indicators, and how the time grows from 300.

Prints times and three ratios of the same run: 3,000 against 300 counties (linear is 10), and against plain
DuckDB SQL and plain numpy that a person wrote for the same hundred formulas, without units, missing
reasons or rules. Usage: ``python bench/evaluate.py [--engine duckdb|polars|numpy] [--counties 3000]``.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial

import duckdb
import numpy as np
import pyarrow as pa

from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.frame import evaluate
from lvheng.core.period import Kind, Period
from lvheng.core.region import Region, RegionTree

OBSERVED = 20
MONTHS = [Period.of_month(y, m) for y in range(2018, 2024) for m in range(1, 13)]
# five shapes of indicator, each twenty times: share, growth, cumulated, intensity against the base year, balance
SHAPES = ("share", "growth", "ytd", "decline", "balance")


def model(counties: int) -> Model:
    """A province of counties and a hundred derived indicators over twenty observed ones."""
    observed = [Variable(f"x{i}", "吨标准煤" if i % 2 else "万元", Kind.MONTH, "sum", "sum") for i in range(OBSERVED)]
    derived = []
    for i in range(OBSERVED):
        energy, gdp, other = f"x{i | 1}", f"x{i & ~1}", f"x{(i + 2) % OBSERVED}"
        derived += [
            Variable(f"share{i}", "%", Kind.MONTH, formulas=(Formula(f"x{i} / (x{i} + {other})"),)),
            Variable(f"growth{i}", "%", Kind.MONTH, formulas=(Formula(f"x{i} / lag(x{i}, 1y) - 1"),)),
            Variable(f"ytd{i}", "万吨标准煤" if i % 2 else "亿元", Kind.MONTH, formulas=(Formula(f"ytd(x{i})"),)),
            Variable(
                f"decline{i}", "%", Kind.MONTH,
                formulas=(Formula(f"1 - ({energy} / {gdp}) / base({energy} / {gdp})"),),
            ),
            Variable(
                f"balance{i}", "吨标准煤" if i % 2 else "万元", Kind.MONTH,
                formulas=(Formula(f"if_(growth{i} > 0.02, x{i} - lag(x{i}, 1y), coalesce(x{i} * 0.5, {other}))"),),
            ),
        ]  # fmt: skip
    regions = RegionTree([Region("top", "全省"), *(Region(f"c{i:05d}", f"县{i}", "top") for i in range(counties))])
    return Model([*observed, *derived], regions=regions, base_year=2018)


def figures(counties: int) -> pa.Table:
    """A wide table of the observed twenty, one in fifty missing."""
    rng = np.random.default_rng(1)
    rows = counties * len(MONTHS)
    columns: dict[str, pa.Array] = {
        "region": pa.array(np.repeat([f"c{i:05d}" for i in range(counties)], len(MONTHS))),
        "period": pa.array(np.tile([m.index for m in MONTHS], counties), pa.int64()),
    }
    for i in range(OBSERVED):
        columns[f"x{i}"] = pa.array(rng.uniform(1, 1000, rows), mask=rng.random(rows) < 0.02)
    return pa.table(columns)


def long(wide: pa.Table) -> pa.Table:
    """The same as a long table, as observations are kept."""
    names = [n for n in wide.column_names if n.startswith("x")]
    return pa.concat_tables(
        pa.table(
            {
                "variable": pa.array([n] * wide.num_rows),
                "region": wide["region"],
                "period": wide["period"],
                "value": wide[n],
            }
        ).filter(wide[n].is_valid())
        for n in names
    ).combine_chunks()


def by_sql(wide: pa.Table) -> int:
    """The hundred formulas as a person would write them in SQL, over the counties alone."""
    con = duckdb.connect()
    con.register("wide", wide)
    growth = [f"x{i} / nullif(lag(x{i}, 12) over w, 0) - 1 as growth{i}" for i in range(OBSERVED)]
    ratio = [f"x{i | 1} / nullif(x{i & ~1}, 0) as r{i}" for i in range(OBSERVED)]
    lags = [f"lag(x{i}, 12) over w as l{i}" for i in range(OBSERVED)]
    ytd = [
        f"case when count(x{i}) over y = period % 12 + 1 then sum(x{i}) over y / 10000 end as ytd{i}"
        for i in range(OBSERVED)
    ]
    last = []
    for i in range(OBSERVED):
        other = f"x{(i + 2) % OBSERVED}"
        last += [
            f"100 * x{i} / nullif(x{i} + {other}, 0) as share{i}", f"100 * growth{i} as growth_{i}", f"ytd{i}",
            f"100 * (1 - r{i} / nullif(max(case when period // 12 = 2018 then r{i} end) over b, 0)) as decline{i}",
            f"case when growth{i} > 0.02 then x{i} - l{i} when not growth{i} > 0.02 "
            f"then coalesce(x{i} * 0.5, {other}) end as balance{i}",
        ]  # fmt: skip
    query = (
        f"select region, period, {', '.join(last)} from (select *, {', '.join(growth + ratio + lags + ytd)} from wide "
        "window w as (partition by region order by period), y as (partition by region, period // 12 order by period)) "
        "window b as (partition by region, period % 12)"
    )
    return con.sql(query).to_arrow_table().num_rows


def by_numpy(wide: pa.Table, counties: int) -> int:
    """The same on a dense array, as fast as a person would write it: no regions, no keys, NaN for missing."""
    shape = (counties, len(MONTHS))
    x = [wide[f"x{i}"].to_numpy(zero_copy_only=False).reshape(shape) for i in range(OBSERVED)]
    out = []
    with np.errstate(all="ignore"):
        for i in range(OBSERVED):
            other = x[(i + 2) % OBSERVED]
            earlier = np.full(shape, np.nan)
            earlier[:, 12:] = x[i][:, :-12]
            growth = x[i] / earlier - 1
            ratio = x[i | 1] / x[i & ~1]
            first = np.tile(ratio[:, :12], 6)
            half = np.where(np.isnan(x[i]), other, x[i] * 0.5)
            balance = np.where(np.isnan(growth), np.nan, np.where(growth > 0.02, x[i] - earlier, half))
            ytd = x[i].reshape(counties, 6, 12).cumsum(axis=2).reshape(shape) / 1e4
            out += [100 * x[i] / (x[i] + other), 100 * growth, ytd, 100 * (1 - ratio / first), balance]
    return len(out) * out[0].size


def timed(work, repeat: int = 2) -> float:
    """The best of a few runs, in seconds."""
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="duckdb")
    parser.add_argument("--counties", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    many, few = options.counties, options.counties // 10
    seconds: dict[str, float] = {}
    tables = {n: figures(n) for n in (few, many)}
    for n in (few, many):
        m, wide = model(n), tables[n]
        tall = long(wide)
        wanted = [c for c in m.variables if not c.startswith("x")]
        arguments = {"kind": Kind.MONTH, "periods": MONTHS, "engine": options.engine, "variables": wanted}
        seconds[f"evaluate {n}, wide input"] = timed(partial(evaluate, m, wide, **arguments))
        seconds[f"evaluate {n}, long input"] = timed(partial(evaluate, m, tall, **arguments))
    seconds["hand-written SQL"] = timed(lambda: by_sql(tables[many]))
    seconds["hand-written numpy"] = timed(lambda: by_numpy(tables[many], many))
    whole = seconds[f"evaluate {many}, wide input"]
    result = {
        "seconds": {k: round(v, 3) for k, v in seconds.items()},
        "cells a second": round(many * len(MONTHS) * 100 / whole),
        f"{many} against {few} counties (linear: 10)": round(whole / seconds[f"evaluate {few}, wide input"], 2),
        "against hand-written SQL": round(whole / seconds["hand-written SQL"], 2),
        "against hand-written numpy": round(whole / seconds["hand-written numpy"], 2),
    }
    print(json.dumps(result, ensure_ascii=False, indent=None if options.json else 2))


if __name__ == "__main__":
    main()
