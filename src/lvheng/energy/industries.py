"""规上工业 by division of GB/T 4754: which indicators hold it and which divisions a region has."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from django.db import connection

from lvheng.core.codes import CodeList, load_codes
from lvheng.core.period import Period
from lvheng.energy.carbon import CO2
from lvheng.energy.data import rulebook_folder
from lvheng.energy.unit_table import emissions_of_tce
from lvheng.observations.models import Observation, Subject
from lvheng.observations.view import View

DIVISION_ENERGY = "industry_energy_division"  # 万吨标准煤, 等价, by month; item: two digits
DIVISION_OUTPUT = "industry_va_division"  # 亿元, constant prices, by year
INDUSTRY_SECTIONS = ("B", "C", "D")


@lru_cache(maxsize=2)
def _codes(folder: Path) -> CodeList:
    return load_codes(folder / "codes" / "gbt4754.yaml")


@lru_cache(maxsize=2)
def _divisions(folder: Path) -> tuple[tuple[str, str], ...]:
    codes = _codes(folder)
    return tuple((d.code, d.name) for section in INDUSTRY_SECTIONS for d in codes.children(section))


def industry_name(code: str) -> str:
    """The name of an industry by its GB/T 4754 code of any level; empty for none."""
    codes = _codes(rulebook_folder())
    return codes[code].name if code in codes else ""


def divisions(view: View, region: str, year: int) -> list[tuple[str, str]]:
    """(code, name) of the divisions that have energy in the region in some month of the year or the one before.

    A division with a gap is among them, so that what is missing is seen; in the order of codes.
    """
    known = set(view.model.dimensions.get("industry", ()))
    periods = [Period.of_month(y, m) for y in (year, year - 1) for m in range(1, 13)]
    return [
        (code, name)
        for code, name in _divisions(rulebook_folder())
        if code in known and any(view.value(DIVISION_ENERGY, region, p, code) is not None for p in periods)
    ]


def filed_co2(view: View, region: str, period: Period) -> dict[str, CO2]:
    """CO₂ by division from what the region's units filed of a period (enterprise method), as of the view's position.

    Filed energy is 当量 tce by fuel; it is put back into the fuel's unit by the reference factor. A fuel without a
    settled factor or a default CO₂ factor makes its division incomplete.
    """
    months = [m.code for m in period.months()]
    used: dict[str, dict[str, Decimal]] = {}
    for industry, item, scale, total in _filed(view, region, months[0], months[-1]):
        division = used.setdefault(industry[:2], {})
        division[item] = division.get(item, Decimal(0)) + Decimal(int(total)).scaleb(-scale)
    return {code: emissions_of_tce(tce, period.year) for code, tce in used.items()}


def _filed(view: View, region: str, first: str, last: str) -> list[tuple[str, str, int, int]]:
    """(industry, fuel, scale, sum of mantissas) of the latest filed figures of the region's industrial units, in months."""
    o, s = Observation._meta.db_table, Subject._meta.db_table
    city = region == view.plan.header.city
    codes = [p.code for p in view.plan.regions.parts(region)] if city else [region]
    newer = (
        f"SELECT 1 FROM {o} n WHERE n.subject_id = o.subject_id AND n.indicator = o.indicator AND n.period = o.period "
        "AND n.item = o.item AND n.vintage > o.vintage AND n.posting_id <= %s"
    )
    sql = (
        f"SELECT s.industry, o.item, o.scale, SUM(o.mantissa) FROM {s} s JOIN {s} r ON r.id = s.parent_id JOIN {o} o ON o.subject_id = s.id "
        f"WHERE s.kind = 'unit' AND r.code IN ({', '.join(['%s'] * len(codes))}) AND s.industry BETWEEN '06' AND '47' "
        "AND o.indicator = 'energy_use' AND o.period BETWEEN %s AND %s AND length(o.period) = 7 AND o.posting_id <= %s "
        f"AND o.mantissa IS NOT NULL AND NOT EXISTS ({newer}) GROUP BY s.industry, o.item, o.scale"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [*codes, first, last, view.position, view.position])
        return cursor.fetchall()
