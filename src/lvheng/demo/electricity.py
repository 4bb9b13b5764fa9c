"""Electricity of all society and of industry, by month and region, in whole 万千瓦时."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lvheng.core.period import Period
from lvheng.demo.city import City, Row
from lvheng.demo.draw import split
from lvheng.demo.energy import Accounts
from lvheng.demo.rows import regional
from lvheng.demo.units import Units

SOURCE = "demo.electricity"


def rows(city: City, accounts: Accounts, units: Units) -> Iterator[Row]:
    """Industrial units' electricity as used, small industry beside it, and what the other sectors use."""
    numbers = city.parameters.energy
    metered = units.electricity()
    industry: dict[str, dict[Period, int]] = {}
    society: dict[str, dict[Period, int]] = {}
    for region in city.everyone:
        code = region.code
        mine = units.of_region(code) & units.industrial
        sums = metered[mine].sum(axis=0) if mine.any() else np.zeros(len(city.months), np.int64)
        wobble = city.stream("electricity", code).integers(-30, 31, len(city.months))
        industry[code], society[code] = {}, {}
        other = _others(city, accounts, code)
        for m, hundredths, off in zip(city.months, sums, wobble, strict=True):
            industry[code][m] = int(hundredths) * (1000 + numbers.small_industry_power) // 100_000
            society[code][m] = industry[code][m] + other[m] * (1000 + int(off)) // 1000
    yield from regional(city, "electricity_industry", "万千瓦时", 0, industry, SOURCE)
    yield from regional(city, "electricity_total", "万千瓦时", 0, society, SOURCE)


def _others(city: City, accounts: Accounts, code: str) -> dict[Period, int]:
    """万千瓦时 a month outside industry, from the other sectors' energy; the running year as the last."""
    numbers = city.parameters.energy
    equivalent = float(numbers.electricity_equivalent)
    found: dict[Period, int] = {}
    for year in city.all_years:
        known = Period.of_year(min(year, city.years[-1]))
        large = sum(v for m, v in accounts.industry[code].items() if m.year == known.year)
        rest = accounts.years[code][known] - large
        power = int(rest * numbers.power_share / 1000 / equivalent)
        for m, value in enumerate(split(power, numbers.power_season)):
            found[Period.of_month(year, m + 1)] = value
    return found
