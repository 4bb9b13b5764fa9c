"""Electricity of all society and of industry, by month and region, in whole 万千瓦时."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lvheng.core.period import Period
from lvheng.demo.city import City, Row
from lvheng.demo.draw import split
from lvheng.demo.energy import Accounts
from lvheng.demo.rows import regional
from lvheng.demo.units import Units

SOURCE = "demo.electricity"


@dataclass(frozen=True)
class Electricity:
    """万千瓦时 by region and month: of all society, and of industry."""

    city: City
    society: dict[str, dict[Period, int]]
    industry: dict[str, dict[Period, int]]

    def year(self, region: str, year: int) -> tuple[int, int]:
        """All society's and industry's of a complete year."""
        months = [m for m in self.city.months if m.year == year]
        return sum(self.society[region][m] for m in months), sum(self.industry[region][m] for m in months)


def generate(city: City, accounts: Accounts, units: Units) -> Electricity:
    """Industrial units' electricity as used, small industry beside it, and what the other sectors use."""
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
        small = {y: _small(accounts, code, y, int(sums[[m.year == y for m in city.months]].sum())) for y in city.years}
        for m, hundredths, off in zip(city.months, sums, wobble, strict=True):
            more = small[min(m.year, city.years[-1])]
            industry[code][m] = int(hundredths) * (1000 + more) // 100_000
            society[code][m] = industry[code][m] + other[m] * (1000 + int(off)) // 1000
    return Electricity(city, society, industry)


def rows(power: Electricity) -> Iterator[Row]:
    yield from regional(power.city, "electricity_industry", "万千瓦时", 0, power.industry, SOURCE)
    yield from regional(power.city, "electricity_total", "万千瓦时", 0, power.society, SOURCE)


def _small(accounts: Accounts, code: str, year: int, used: int) -> int:
    """‰ of the units' electricity used by industry below designated size: no more than a third of its energy."""
    numbers, period = accounts.city.parameters.energy, Period.of_year(year)
    large = sum(v for m, v in accounts.industry[code].items() if m.year == year)
    energy = accounts.sectors[numbers.industry_sector][code][period] - large
    return min(
        numbers.small_industry_power, int(energy * 100_000 / (3 * numbers.electricity_equivalent)) // max(1, used)
    )


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
