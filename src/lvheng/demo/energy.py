"""Energy accounts of regions: what industry may use, and from what it did use, the totals and sectors.

Energy is whole tce (equivalent value of electricity). Industry above designated size is the sum of its
units; the total follows the intensity path; what is left is divided over the other sectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.demo.city import City, Row, decimal, whole
from lvheng.demo.draw import split
from lvheng.demo.economy import Economy, monthly
from lvheng.demo.rows import regional
from lvheng.demo.units import MICRO, Units

SOURCE = "demo.energy"
UNIT, PLACES = "万吨标准煤", 4  # whole tce
Path = dict[str, dict[int, int]]  # region → year → tce
Table = dict[str, dict[Period, int]]


def intensities(city: City, name: str, base: dict[str, Decimal], target: Decimal, pace: tuple[Decimal, ...], own: dict[str, Decimal]) -> dict[str, dict[int, Decimal]]:  # fmt: skip
    """tce per 万元 by region and year: each year falls by target/N × the city's pace × the region's own."""
    first, *later = city.all_years
    years = city.plan.header.years
    table = {code: {first: value} for code, value in base.items()}
    for code in base:
        jitter = city.stream("energy", name, code).integers(-25, 26, len(later))  # hundredths of a point
        for n, year in enumerate(later):
            decline = target / years * pace[n] * own[code] + decimal(int(jitter[n]), 2)
            table[code][year] = table[code][year - 1] * (1 - decline / 100)
    return table


def totals(city: City, economy: Economy) -> Path:
    """Total energy of each region and year (the running year at a full year's rate), tce."""
    numbers = city.parameters.energy
    base = {r.code: city.numbers(r.code).intensity for r in city.everyone}
    own = {r.code: city.numbers(r.code).pace for r in city.everyone}
    path = intensities(city, "total", base, numbers.target, numbers.pace, own)
    return {
        code: {year: whole(decimal(economy.gdp[code][year], 2) * 10_000 * value, 0) for year, value in row.items()}
        for code, row in path.items()
    }


def industry_to_use(city: City, economy: Economy, total: Path) -> dict[str, list[int]]:
    """tce by region and month that industrial units are to come near to."""
    numbers = city.parameters.energy
    first = city.years[0]
    base, own = {}, {}
    for region in city.everyone:
        value_added = decimal(max(1, economy.industry[region.code][first]), 2) * 10_000
        energy = Decimal(total[region.code][first] * city.numbers(region.code).industry_energy) / 1000
        base[region.code], own[region.code] = energy / value_added, city.numbers(region.code).industry_pace
    path = intensities(city, "industry", base, numbers.industry_target, numbers.industry_pace, own)
    annual = {
        code: {year: whole(decimal(economy.industry[code][year], 2) * 10_000 * value, 0) for year, value in row.items()}
        for code, row in path.items()
    }
    months = monthly(city, "industry energy", annual, numbers.season)
    return {code: [row[m] for m in city.months] for code, row in months.items()}


@dataclass(frozen=True)
class Accounts:
    """Energy of each region: industrial by month, total by quarter, and by year the total and its sectors; tce."""

    city: City
    industry: Table
    quarters: Table
    years: Table
    sectors: dict[str, Table]  # indicator → region → year


def generate(city: City, total: Path, units: Units) -> Accounts:
    numbers = city.parameters.energy
    used = units.energy(equivalent=True)
    industry: Table = {}
    quarters: Table = {}
    years: Table = {}
    sectors: dict[str, Table] = {name: {} for name in numbers.sectors}
    if numbers.industry_sector not in sectors:
        raise ProblemError(Problem("demo.parameters.sector", "工业部门不在分行业目录中", place=Place(file="data/demo"), got=numbers.industry_sector, fix="改正参数文件。"))  # fmt: skip
    for region in city.everyone:
        code = region.code
        mine = units.of_region(code) & units.industrial
        sums = used[mine].sum(axis=0) if mine.any() else np.zeros(len(city.months), np.int64)
        industry[code] = {m: _rounded(int(s)) for m, s in zip(city.months, sums, strict=True)}
        quarters[code], years[code] = {}, {}
        for year in city.all_years:
            in_year = [m for m in city.months if m.year == year]
            large = sum(industry[code][m] for m in in_year)
            expected = large * 12 // len(in_year)
            rest = total[code][year] - expected
            if rest <= 0:
                raise ProblemError(
                    Problem("demo.parameters.energy", "规上工业用能超过能源消费总量，参数不成立", place=Place(file="data/demo", field=code),
                            got=f"{year}年 {expected}吨标准煤", wanted=f"小于{total[code][year]}吨标准煤", fix="调低该地区的工业用能占比。")
                )  # fmt: skip
            by_month = split(rest, numbers.season)
            for q in (q for q in city.quarters if q.year == year):
                quarters[code][q] = sum(industry[code][m] + by_month[m.part - 1] for m in q.months())
            if year in city.years:
                period = Period.of_year(year)
                years[code][period] = large + rest
                drift = {name: 100 * w + (year - city.years[0]) * (w % 7 - 3) for name, w in numbers.sectors.items()}
                for (name, _), value in zip(drift.items(), split(rest, list(drift.values())), strict=True):
                    sectors[name].setdefault(code, {})[period] = value + (
                        large if name == numbers.industry_sector else 0
                    )
    return Accounts(city, industry, quarters, years, sectors)


def _rounded(micro: int) -> int:
    """Millionths of a tce to whole tce, half up."""
    return (2 * micro + MICRO) // (2 * MICRO)


def rows(accounts: Accounts) -> Iterator[Row]:
    """Totals, sectors and industrial energy; as settled."""
    city = accounts.city
    yield from regional(city, "industry_energy", UNIT, PLACES, accounts.industry, SOURCE)
    yield from regional(city, "energy_total", UNIT, PLACES, accounts.quarters, SOURCE)
    yield from regional(city, "energy_total", UNIT, PLACES, accounts.years, SOURCE)
    for indicator, table in accounts.sectors.items():
        yield from regional(city, indicator, UNIT, PLACES, table, SOURCE)
    yield from regional(city, "energy_produced", UNIT, PLACES, produced(accounts), SOURCE)


def deducted(accounts: Accounts, feedstock: Table) -> Iterator[Row]:
    """What may be deducted. ``feedstock`` is in 1/10000 tce, as the balance has it."""
    city = accounts.city
    yield from regional(city, "feedstock_energy", UNIT, 8, feedstock, SOURCE)
    nonfossil = _shares(accounts, "nonfossil", city.parameters.energy.nonfossil_growth)
    yield from regional(city, "nonfossil_energy", UNIT, PLACES, nonfossil, SOURCE)
    power = {
        code: {y: whole(Decimal(v * city.parameters.energy.renewable_share) / 1000 / city.parameters.energy.electricity_equivalent, 0) for y, v in row.items()}
        for code, row in nonfossil.items()
    }  # fmt: skip
    yield from regional(city, "renewable_power_use", "万千瓦时", 0, power, SOURCE)
    none = {code: dict.fromkeys(row, 0) for code, row in accounts.years.items()}
    yield from regional(city, "listed_project_energy", UNIT, 2, none, SOURCE)


def produced(accounts: Accounts) -> Table:
    """Primary energy of regions, whole tce."""
    return _shares(accounts, "produced", Decimal(3))


def feedstock(accounts: Accounts) -> Table:
    """About what regions use as raw material, whole tce; whole units of fuel make it exact."""
    return _shares(accounts, "feedstock", accounts.city.parameters.energy.feedstock_growth)


def first_rows(accounts: Accounts) -> Iterator[Row]:
    """Total energy by year as first reported, before the accounts were settled."""
    city = accounts.city
    table: Table = {code: {} for code in accounts.years}
    for year in city.years[1:]:
        period = Period.of_year(year)
        off = city.stream("energy", "first report", year).one(-50, 51)  # up to 0.5 %
        for code, row in accounts.years.items():
            table[code][period] = row[period] * (10_000 + off) // 10_000
    yield from regional(city, "energy_total", UNIT, PLACES, table, SOURCE)


def _shares(accounts: Accounts, name: str, growth: Decimal) -> Table:
    """A part of the base year's total that grows at its own rate; regions without it have none."""
    city = accounts.city
    base = Period.of_year(city.years[0])
    table: Table = {}
    for region in city.everyone:
        share = (
            city.parameters.energy.produced_share if name == "produced" else getattr(city.numbers(region.code), name)
        )
        level = Decimal(accounts.years[region.code][base] * share) / 1000
        table[region.code] = {}
        for n, year in enumerate(city.years):
            table[region.code][Period.of_year(year)] = whole(level * (1 + growth / 100) ** n, 0)
    return table
