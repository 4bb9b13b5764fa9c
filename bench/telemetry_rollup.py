"""Minute rows to hours: the Narwhals rules on DuckDB against hand-written DuckDB SQL in the same run.

    python -m bench.telemetry_rollup            # 5 million rows
    LVHENG_BENCH_ROWS=100000000 python -m bench.telemetry_rollup

Both read the same Parquet files of minutes, write hours as Parquet, and must give the same rows. Each runs in a process of its
own, so that its peak memory (RSS) is its own, in rounds that take turns at going first (hand, rules; rules, hand; ...): what
else the machine does meets both. Said are the median of the rounds' own ratios, wall and CPU seconds, and the spread.
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
from statistics import median

ROWS = int(os.environ.get("LVHENG_BENCH_ROWS", "5000000"))
ROUNDS = int(os.environ.get("LVHENG_BENCH_ROUNDS", "5"))
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
    """Wall and CPU seconds and peak MB of one run in a fresh process, without start-up and imports."""
    out = subprocess.run(
        [sys.executable, "-m", "bench.telemetry_rollup", which, str(folder)], capture_output=True, text=True, check=True
    )
    return json.loads(out.stdout)


def one(which: str, folder: Path) -> None:
    import duckdb  # noqa: F401
    from tests.telemetry.validity.support import RULES  # noqa: F401

    from lvheng.telemetry.validity import run as _run  # noqa: F401

    wall, cpu = time.perf_counter(), time.process_time()
    {"hand": run_hand, "rules": run_rules}[which](folder)
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({**found, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def main() -> None:
    if len(sys.argv) == 3:
        one(sys.argv[1], Path(sys.argv[2]))
        return
    import duckdb

    with tempfile.TemporaryDirectory(dir=os.environ.get("LVHENG_BENCH_DIR")) as name:
        folder = Path(name)
        make(folder)
        for which in ("hand", "rules"):
            measured(which, folder)  # the files are in the page cache for both
        rounds: list[dict[str, dict[str, float]]] = []
        for n in range(ROUNDS):
            order = ("hand", "rules") if n % 2 == 0 else ("rules", "hand")
            rounds.append({which: measured(which, folder) for which in order})
            for which in order:
                got = rounds[-1][which]
                print(f"{which:6} {got['wall']:7.2f} s wall {got['cpu']:7.2f} s CPU {got['mb']:7.0f} MB", flush=True)
        hand, rules = (f"select * from '{folder}/{w}.parquet'" for w in ("hand", "rules"))
        found = duckdb.execute(
            f"select count(*) from (({hand} except {rules}) union all ({rules} except {hand}))"
        ).fetchone()
        rows = duckdb.execute(f"select count(*), sum(n) from ({rules})").fetchone()
    assert found is not None
    assert rows is not None
    print(f"{int(rows[1]):,} minute rows → {rows[0]:,} hours; rows that differ: {found[0]}")
    for kind in ("wall", "cpu"):
        ratios = sorted(r["rules"][kind] / r["hand"][kind] for r in rounds)
        by_hand, by_rules = (median(r[w][kind] for r in rounds) for w in ("hand", "rules"))
        print(
            f"{kind}: by hand {by_hand:.2f} s, rules {by_rules:.2f} s (medians); ratio {median(ratios):.2f} (median of {ROUNDS} rounds,"
            f" {ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    print(f"peak memory of the rules: {max(r['rules']['mb'] for r in rounds):.0f} MB")
    if found[0]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
