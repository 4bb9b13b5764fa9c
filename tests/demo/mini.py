"""A small city with a zone inside a county and one region that is shown but not counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lvheng.plan.schema import Plan, load_plan

ROOT = Path(__file__).parents[2]
REGIONS = [
    {"code": "990000", "name": "演示省", "kind": "province"},
    {"code": "990100", "name": "演示市", "parent": "990000", "kind": "city"},
    {"code": "990101", "name": "甲区", "short": "甲", "parent": "990100"},
    {"code": "990102", "name": "乙区", "short": "乙", "parent": "990100"},
    {"code": "990121", "name": "丙县", "short": "丙", "parent": "990100"},
    {"code": "990121-z", "name": "丁新区", "parent": "990100", "kind": "zone", "within": "990121"},
    {"code": "990122", "name": "戊县", "parent": "990100", "counted": False},
]
NUMBERS = {
    "990101": {"gdp": 400, "intensity": 0.2, "industry": 100, "industry_energy": 200, "population": 500, "rural": 20, "port": 5},
    "990102": {"gdp": 300, "intensity": 0.5, "industry": 300, "industry_energy": 500, "population": 400, "rural": 100, "port": 9, "late": 1},
    "990121": {"gdp": 200, "intensity": 0.9, "industry": 400, "industry_energy": 700, "population": 300, "rural": 200, "feedstock": 50},
    "990121-z": {"gdp": 60, "intensity": 0.3, "industry": 300, "industry_energy": 400, "population": 60, "rural": 10},
    "990122": {"gdp": 90, "intensity": 0.4, "industry": 200, "industry_energy": 300, "population": 150, "rural": 100, "port": 2},
}  # fmt: skip


def write_mini(root: Path, programmes: int | None = None, **changes: Any) -> tuple[Plan, Path]:
    """A plan folder and a data folder of the small city; parameters follow the first city's, without its places.

    With ``programmes`` only so many of its statistics are kept.
    """
    plan_folder, data = root / "plans" / "mini", root / "data"
    plan_folder.mkdir(parents=True)
    (data / "demo").mkdir(parents=True)
    header = {
        "id": "mini", "title": "演示市方案", "short": "演示市方案", "number": "演政〔2022〕1号", "issuer": "演示市人民政府", "date": "2022-01-01",
        "city": "990100", "first_year": 2021, "last_year": 2025, "base_year": 2020,
    }  # fmt: skip
    target = {
        "id": "T1", "clause": "一", "kind": "quantitative", "title": "减排量", "indicator": "cod_project_reduction", "value": 1003, "unit": "吨",
        "comparator": "ge", "measure": "cumulative_amount", "counties": "share", "quote": "1003吨",
    }  # fmt: skip
    text = {
        "plan": header,
        "clauses": [{"id": "一", "number": "一、", "title": "目标", "level": 1}],
        "targets": [target],
    }
    (plan_folder / "plan.yaml").write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
    (plan_folder / "regions.yaml").write_text(
        yaml.safe_dump({"regions": REGIONS}, allow_unicode=True), encoding="utf-8"
    )
    numbers = yaml.safe_load((ROOT / "data" / "demo" / "fuzhou-145.yaml").read_text(encoding="utf-8"))
    numbers["programmes"] = numbers["programmes"][:programmes]
    for entry in numbers["programmes"]:
        for key in ("only", "behind", "ahead", "late"):
            entry.pop(key, None)
    for industry in numbers["units"]["industries"]:
        industry.pop("only", None)
    numbers["units"] |= {
        "count": 90,
        "per_region": {c: n["population"] for c, n in NUMBERS.items()},
        "error_share": 0.3,
    }
    numbers |= {"plan": "mini", "regions": NUMBERS, "shares": [{"target": "T1", "share": "population"}]} | changes
    (data / "demo" / "mini.yaml").write_text(yaml.safe_dump(numbers, allow_unicode=True), encoding="utf-8")
    return load_plan(plan_folder), data
