"""Minute rows to hours: the Narwhals rules on DuckDB against hand-written DuckDB SQL in the same run.

    python -m bench.telemetry_rollup            # 5 million rows
    LVHENG_BENCH_ROWS=100000000 python -m bench.telemetry_rollup

Both read the same Parquet files of minutes, write hours as Parquet, and must give the same rows; each runs in a process
of its own, in turn, so that its peak memory (RSS) is its own. The ratio is of the best of ROUNDS.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROWS = int(os.environ.get("LVHENG_BENCH_ROWS", "5000000"))
ROUNDS = int(os.environ.get("LVHENG_BENCH_ROUNDS", "3"))
FILES = 12
START = (date(2026, 1, 1) - date(1970, 1, 1)).days * 1440

# what an analyst would write by hand for the same hours: same columns, same exact integers
BY_HAND = """
copy (
with s as (
    select series, minute // 60 as hour, count(*) as n,
        sum(case when state = 0 then 1 else 0 end) as n_valid, sum(case when state = 1 then 1 else 0 end) as n_stop,
        sum(case when state = 0 then value end) as value, sum(flow) as flow, count(flow) as n_flow, sum(o2) as o2, count(o2) as n_o2,
        sum(case when state = 0 then cast(floor(value::double * flow * 60e-9 + 0.5) as bigint) end) as weight,
        sum(case when state = 0 and value is not null then flow end) as weight_flow
    from read_parquet('{minutes}') group by all),
t as (
    select s.series, hour, n, n_valid, n_stop, n_valid >= 45 as fine, n_stop >= 45 as stopped,
        cast(floor(value / nullif(n_valid, 0)::double + 0.5) as bigint) as mean,
        cast(floor((weight * (1e9 / 60)) / nullif(weight_flow, 0)::double + 0.5) as bigint) as weighted,
        cast(floor(o2 / nullif(n_o2, 0)::double + 0.5) as bigint) as oxygen,
        case when n_flow >= 45 then cast(floor(flow / n_flow::double + 0.5) as bigint) end as flow, o2_reference
    from s join read_parquet('{series}') r using (series))
select series, hour, n, n_valid, n_stop, case when fine then 'valid' when stopped then 'stop' else 'invalid' end as state,
    case when fine then mean end as mean, case when fine then weighted end as weighted,
    case when fine and oxygen < 20500000 then cast(floor(mean::double * (21e6 - o2_reference) / (21e6 - oxygen) + 0.5) as bigint) end as converted,
    oxygen, flow, flow * 3600 as volume,
    case when fine then cast(floor(mean::double * flow * 3600e-12 + 0.5) as bigint) end as mass
from t) to '{out}' (format parquet, compression zstd)
"""


def make(folder: Path) -> None:
    """Minutes of ROWS ÷ 60 hours over 500 series, 12 files, with gaps and flags."""
    import duckdb
    import pyarrow.parquet as pq
    from tests.telemetry.validity.support import series as series_of

    n_series = min(500, max(1, ROWS // 1440))
    pq.write_table(series_of(*({"code": "a21002", "o2_reference": 9_000_000, "mn": f"M{n}"} for n in range(n_series))), folder / "series.parquet")  # fmt: skip
    (folder / "minutes").mkdir()
    per_file = ROWS // FILES
    minutes = ROWS // n_series
    with duckdb.connect() as db:
        for n in range(FILES):
            first = n * per_file
            db.execute(
                f"""copy (select cast(i // {minutes} + 1 as integer) as series, cast({START} + i % {minutes} as integer) as minute,
                    cast(40000000 + hash(i) % 20000000 as bigint) as value, cast(50000000 + hash(i + 7) % 9000000 as bigint) as flow,
                    cast(11000000 + hash(i + 9) % 2000000 as bigint) as o2,
                    cast(case when hash(i + 3) % 100 < 12 then 3 when hash(i + 3) % 100 < 14 then 1 else 0 end as tinyint) as state
                    from range({first}, {first + per_file}) r(i) where i // {minutes} < {n_series})
                    to '{folder}/minutes/{n:02d}.parquet' (format parquet, compression zstd)"""
            )


def run_hand(folder: Path) -> None:
    import duckdb

    with duckdb.connect() as db:
        db.execute(
            BY_HAND.format(
                minutes=folder / "minutes" / "*.parquet", series=folder / "series.parquet", out=folder / "hand.parquet"
            )
        )


def run_rules(folder: Path) -> None:
    from tests.telemetry.validity.support import RULES

    from lvheng.core.engine import DuckDB
    from lvheng.telemetry.validity import rollup
    from lvheng.telemetry.validity.run import scan

    on = DuckDB()
    minutes = scan(on, sorted((folder / "minutes").glob("*.parquet")))
    hours = rollup.hours(minutes, scan(on, [folder / "series.parquet"]), RULES)
    hours.to_native().write_parquet(str(folder / "rules.parquet"), compression="zstd")


def measured(which: str, folder: Path) -> dict[str, float]:
    """Seconds and peak MB of one run in a fresh process, without start-up and imports."""
    out = subprocess.run(
        [sys.executable, "-m", "bench.telemetry_rollup", which, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(out.stdout)


def main() -> None:
    if len(sys.argv) == 3:
        folder = Path(sys.argv[2])
        import duckdb
        from tests.telemetry.validity.support import RULES  # noqa: F401

        from lvheng.telemetry.validity import run as _run  # noqa: F401

        begin = time.perf_counter()
        {"hand": run_hand, "rules": run_rules}[sys.argv[1]](folder)
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    import duckdb

    with tempfile.TemporaryDirectory(dir=os.environ.get("LVHENG_BENCH_DIR")) as name:
        folder = Path(name)
        make(folder)
        best: dict[str, dict[str, float]] = {}
        for n in range(ROUNDS):
            for which in ("hand", "rules") if n % 2 == 0 else ("rules", "hand"):
                got = measured(which, folder)
                print(f"{which:6} {got['seconds']:7.2f} s {got['mb']:7.0f} MB", flush=True)
                if which not in best or got["seconds"] < best[which]["seconds"]:
                    best[which] = {**got, "mb": max(got["mb"], best.get(which, got)["mb"])}
        one, two = (f"select * from '{folder}/{w}.parquet'" for w in ("hand", "rules"))
        differing = duckdb.execute(
            f"select count(*) from (({one} except {two}) union all ({two} except {one}))"
        ).fetchall()[0]
        rows = duckdb.execute(f"select count(*), sum(n) from ({two})").fetchall()[0]
    print(f"{int(rows[1]):,} minute rows → {rows[0]:,} hours; rows that differ: {differing[0]}")
    print(
        f"by hand {best['hand']['seconds']:.2f} s, rules {best['rules']['seconds']:.2f} s: ratio {best['rules']['seconds'] / best['hand']['seconds']:.2f}, peak {best['rules']['mb']:.0f} MB"
    )
    if differing[0]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
