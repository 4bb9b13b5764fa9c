"""A month's close for 2,000 units × 60 months × 20 fuels, from the database, in a fresh process.

Builds the rows once in a throw-away SQLite store, then closes the last month in new processes and prints the
best and worst time, the time of the reading alone, and that the total equals an independent sum in integers.
Usage: ``python bench/energy_close.py [--units 2000] [--runs 3]``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FUELS, MONTHS = 20, [f"{y}-{m:02d}" for y in range(2020, 2025) for m in range(1, 13)]


def build(units: int) -> int:
    """Fill the store by plain SQL (the product's own recording is measured elsewhere); the sum of 2024 in 1/100 units."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from lvheng.observations.models import Observation, Posting, SourceDocument, Subject

    call_command("migrate", verbosity=0)
    rng = random.Random(1)
    regions = [Subject.objects.create(code=f"r{i}", kind="region", name=f"县{i}") for i in range(14)]
    Subject.objects.bulk_create(
        Subject(code=f"u{i}", kind="unit", name=f"单位{i}", parent=regions[i % 14]) for i in range(units)
    )
    source = SourceDocument.objects.create(key="s", document="bench", confidence="U")
    from django.utils import timezone

    Posting.objects.create(
        number=1, recorded_at=timezone.now(), recorded_by="x", kind="demo", title="x", rows=units * 1200, digest=""
    )
    ids = list(Subject.objects.filter(kind="unit").values_list("pk", flat=True))
    total = 0
    sql = (
        f"INSERT INTO {Observation._meta.db_table} (posting_id, indicator, subject_id, period, item, mantissa, scale, unit, "
        "quality, vintage, source_id, reference) VALUES (1, 'energy_use', %s, %s, %s, %s, 2, '吨标准煤', 'filed', 1, %s, '')"
    )
    with connection.cursor() as cursor:
        for pk in ids:
            rows = []
            for period in MONTHS:
                for fuel in range(FUELS):
                    value = rng.randrange(1, 10**7)
                    total += value if period[:4] == "2024" else 0
                    rows.append((pk, period, f"f{fuel}", value, source.pk))
            cursor.executemany(sql, rows)
    return total


CHILD = """
import sys, time
start = time.perf_counter()
import django; django.setup()
from lvheng.energy.close import month_close
ready = time.perf_counter()
rows = month_close(2024, 12, at=1)
done = time.perf_counter()
print(done - start, done - ready, sum(int(r.to_date * 100) for r in rows), len(rows))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"LVHENG_HOME": home, "LVHENG_DATABASE": "", "DJANGO_SETTINGS_MODULE": "lvheng.web.settings"}
        start = time.perf_counter()
        expected = build(asked.units)
        built = time.perf_counter() - start
        whole, reading = [], []
        for _ in range(asked.runs):
            out = subprocess.run(
                [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
            )
            a, b, total, groups = out.stdout.split()
            assert int(total) == expected, "the close does not equal the independent sum"
            whole.append(float(a))
            reading.append(float(b))
    print(json.dumps({
        "rows": asked.units * len(MONTHS) * FUELS, "groups": int(groups), "built_s": round(built, 1), "exact": True,
        "process_s": [round(min(whole), 2), round(max(whole), 2)], "close_s": [round(min(reading), 2), round(max(reading), 2)],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
