"""GDP and industrial value added at base-year prices, with the revisions that statistics know.

The city's growth follows published figures where there are some (the parameters say which); the split
over regions is invented. Regions add up to the city in every vintage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Period
from lvheng.demo.city import City, Row, decimal, whole
from lvheng.demo.draw import split
from lvheng.demo.rows import regional

SOURCE = "demo.economy"
PLACES = 2  # of 亿元
Table = dict[str, dict[int, int]]  # region → year → whole units of 0.01 亿元


@dataclass(frozen=True)
class Economy:
    """Final figures and the earlier vintages of GDP. Years run into the running year, at a full year's rate."""

    city: City
    gdp: Table
    settled_gdp: Table  # as settled a year later, before a census
    first_gdp: Table  # as first reported
    industry: Table  # value added of industry above designated size


def generate(city: City) -> Economy:
    numbers = city.parameters.economy
    total = whole(numbers.base_gdp, PLACES)
    base = city.years[0]
    levels = city.share_out(total, city.weights("gdp"))
    counted = sum(city.weights("gdp"))
    levels |= {r.code: total * city.numbers(r.code).gdp // counted for r in city.beside}
    gdp = _grow(city, "gdp", levels, numbers.growth)
    made = {r.code: gdp[r.code][base] * city.numbers(r.code).industry // 1000 for r in city.everyone}
    industry = _grow(city, "industry", made, numbers.industry_growth)
    settled = {code: dict(row) for code, row in gdp.items()}
    if numbers.revised_year in city.years:
        _restate(city, settled, numbers.revised_year, 1 / (1 + numbers.revision / 100))
    first = {code: dict(row) for code, row in settled.items()}
    for year in city.years[1:]:
        off = city.stream("economy", "first report", year).one(-60, 61)  # up to 0.6 %
        _restate(city, first, year, 1 + Decimal(off) / 10_000)
    return Economy(city, gdp, settled, first, industry)


def _grow(city: City, name: str, base: dict[str, int], growth: tuple[Decimal, ...]) -> Table:
    """Levels by region and year from base levels and the city's growth, each region at its own pace."""
    first, *later = city.all_years
    table: Table = {code: {first: value} for code, value in base.items()}
    for year, rate in zip(later, growth, strict=True):
        jitter = city.stream("economy", name, year).around_one(0.012, len(city.everyone))
        raw = {}
        for region, factor in zip(city.everyone, jitter, strict=True):
            own = float(1 + (rate + city.numbers(region.code).growth) / 100)
            raw[region.code] = table[region.code][year - 1] * own * float(factor)
        before = sum(table[r.code][year - 1] for r in city.parts)
        total = whole(decimal(before, PLACES) * (1 + rate / 100), PLACES)
        shares = city.share_out(total, [raw[r.code] for r in city.parts])
        for region in city.everyone:
            table[region.code][year] = shares.get(region.code, int(raw[region.code]))
    return table


def _restate(city: City, table: Table, year: int, factor: Decimal) -> None:
    """Put one year at another level; the parts add up again."""
    total = whole(decimal(sum(table[r.code][year] for r in city.parts), PLACES) * factor, PLACES)
    parts = city.share_out(total, [table[r.code][year] for r in city.parts])
    beside = {r.code: whole(decimal(table[r.code][year], PLACES) * factor, PLACES) for r in city.beside}
    for code, value in (parts | beside).items():
        table[code][year] = value


def monthly(city: City, name: str, table: Table, season: tuple[int, ...]) -> dict[str, dict[Period, int]]:
    """Region → month → value, the months of a year adding up to it."""
    found: dict[str, dict[Period, int]] = {}
    for code, years in table.items():
        own = city.stream("season", name, code).around_one(0.05, (len(years), 12))
        found[code] = {}
        for (year, value), factors in zip(years.items(), own, strict=True):
            for m, part in enumerate(split(value, [s * float(f) for s, f in zip(season, factors, strict=True)])):
                if (month := Period.of_month(year, m + 1)).end <= city.last_month.end:
                    found[code][month] = part
    return found


def _years(city: City, table: Table) -> dict[str, dict[Period, int]]:
    return {code: {Period.of_year(y): row[y] for y in city.years} for code, row in table.items()}


def _quarters(city: City, name: str, table: Table) -> dict[str, dict[Period, int]]:
    months = monthly(city, name, table, city.parameters.economy.season)
    return {
        code: {q: sum(row[m] for m in q.months()) for q in city.quarters} for code, row in months.items()
    }  # fmt: skip


def rows(economy: Economy) -> Iterator[Row]:
    """GDP at constant and current prices, indices, industrial value added: as settled, before any census revision."""
    city = economy.city
    yield from regional(city, "gdp_constant", "亿元", PLACES, _years(city, economy.settled_gdp), SOURCE)
    yield from regional(city, "gdp_constant", "亿元", PLACES, _quarters(city, "gdp", economy.settled_gdp), SOURCE)
    yield from _before_base(economy)
    yield from _nominal(economy)
    yield from _indices(city, "gdp_index", economy.gdp)
    yield from _indices(city, "industry_index", economy.industry)
    va = monthly(city, "industry", economy.industry, city.parameters.economy.season)
    yield from regional(city, "industry_va", "亿元", PLACES, va, SOURCE)
    everyone = _scaled(city, economy.industry, Decimal("1.12"))  # with the enterprises below designated size
    yield from regional(city, "industry_va_all", "亿元", PLACES, _quarters(city, "industry", everyone), SOURCE)


def first_rows(economy: Economy) -> Iterator[Row]:
    """GDP as first reported, for years whose settled figure differs."""
    city = economy.city
    table = {code: {y: v for y, v in row.items() if y > city.years[0]} for code, row in economy.first_gdp.items()}
    periods = {code: {Period.of_year(y): row[y] for y in city.years[1:]} for code, row in table.items()}
    yield from regional(city, "gdp_constant", "亿元", PLACES, periods, SOURCE)


def revised_rows(economy: Economy) -> Iterator[Row]:
    """GDP of the year that a census revised, year and quarters, and of the years after it, if they changed."""
    city, year = economy.city, economy.city.parameters.economy.revised_year
    if year not in city.years:
        return
    annual = {code: {Period.of_year(year): row[year]} for code, row in economy.gdp.items()}
    quarters = {
        code: {q: v for q, v in row.items() if q.year == year}
        for code, row in _quarters(city, "gdp", economy.gdp).items()
    }
    yield from regional(city, "gdp_constant", "亿元", PLACES, annual, SOURCE)
    yield from regional(city, "gdp_constant", "亿元", PLACES, quarters, SOURCE)


def _before_base(economy: Economy) -> Iterator[Row]:
    """GDP of the year before the base year, from the published index of the base year where there is one."""
    city, base = economy.city, economy.city.years[0]
    table: dict[str, dict[Period, int]] = {}
    for region in city.everyone:
        index = city.numbers(region.code).base_index
        if index is not None:
            before = whole(decimal(economy.gdp[region.code][base], PLACES) * 100 / index, PLACES)
            table[region.code] = {Period.of_year(base - 1): before}
    if all(r.code in table for r in city.parts):
        yield from regional(city, "gdp_constant", "亿元", PLACES, table, SOURCE)


def _nominal(economy: Economy) -> Iterator[Row]:
    city = economy.city
    level, table = Decimal(1), {code: {city.years[0]: row[city.years[0]]} for code, row in economy.gdp.items()}
    for year, rate in zip(city.years[1:], city.parameters.economy.price_growth, strict=True):
        level *= 1 + rate / 100
        total = whole(decimal(sum(economy.gdp[r.code][year] for r in city.parts), PLACES) * level, PLACES)
        shares = city.share_out(total, [economy.gdp[r.code][year] for r in city.parts])
        for region in city.everyone:
            own = whole(decimal(economy.gdp[region.code][year], PLACES) * level, PLACES)
            table[region.code][year] = shares.get(region.code, own)
    yield from regional(city, "gdp_nominal", "亿元", PLACES, _years(city, table), SOURCE)


def _indices(city: City, indicator: str, table: Table) -> Iterator[Row]:
    """Previous year = 100; an index is never added up, so the city's is reckoned from its own levels."""
    levels = table | {city.code: {y: sum(table[r.code][y] for r in city.parts) for y in city.years}}
    for code, row in levels.items():
        for year in city.years[1:]:
            if row[year - 1]:
                value = whole(Decimal(row[year]) * 100 / Decimal(row[year - 1]), 1)
                yield Row(indicator, code, Period.of_year(year).code, decimal(value, 1), "上年=100", SOURCE)


def _scaled(city: City, table: Table, factor: Decimal) -> Table:
    """A table in proportion to another; the city's is the sum, so no rounding is shared out."""
    return {
        code: {y: whole(decimal(v, PLACES) * factor, PLACES) for y, v in row.items()} for code, row in table.items()
    }


__all__ = ["Economy", "first_rows", "generate", "monthly", "revised_rows", "rows"]
