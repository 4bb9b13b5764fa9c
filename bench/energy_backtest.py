"""Back-test of the nowcast on published series: intensity change of provinces in 2020 from electricity alone.

The only early sign published for all is electricity per GDP; it is set against "same change as last year" and
"mean of 2016–2019" on the provinces for which all are published. Prints mean absolute errors in points.
Usage: ``python bench/energy_backtest.py``.
"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

from lvheng.dual_control.outlook import backtest

DATA = Path(__file__).parents[1] / "data" / "published"


def read(name: str) -> dict[str, dict[str, str]]:
    with (DATA / name).open(encoding="utf-8-sig") as file:
        return {row["region"]: row for row in csv.DictReader(file)}


def main() -> None:
    past, last = read("provincial_intensity_2016_2019.csv"), read("provincial_energy_2020.csv")
    years = [c for c in next(iter(past.values())) if c.strip("y").isdigit()]
    intensity = next(c for c in next(iter(last.values())) if "intensity" in c)
    power = next(c for c in next(iter(last.values())) if "power" in c or "electric" in c)
    regions = [r for r in past if r in last and all(past[r][y] for y in years)]
    actual = [float(last[r][intensity]) for r in regions]
    mean = [sum(float(past[r][y]) for y in years) / len(years) for r in regions]
    found = backtest(actual, {
        "electricity": [float(last[r][power]) for r in regions],
        "same_as_last_year": [float(past[r][years[-1]]) for r in regions], "mean_2016_2019": mean,
    })  # fmt: skip
    print(json.dumps([{"method": t.name, "provinces": t.periods, "error_points": None if math.isnan(t.error) else round(t.error, 2)} for t in found]))  # fmt: skip


if __name__ == "__main__":
    main()
