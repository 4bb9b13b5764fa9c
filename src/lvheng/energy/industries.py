"""规上工业 by division of GB/T 4754: which indicators hold it and which divisions a region has."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lvheng.core.codes import CodeList, load_codes
from lvheng.core.period import Period
from lvheng.energy.data import rulebook_folder
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
