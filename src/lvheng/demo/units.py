"""About as many energy users as the city has: who they are and what they truly used.

Codes are well-formed unified social credit codes (GB 32100-2015) whose organisation part begins with
``YYYY``, which no registration uses, so that no real enterprise can be meant; names end in （演示）.
Quantities are whole numbers of 0.01 of the fuel's unit; energy is whole millionths of a tce, so that
every sum is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

import numpy as np

from lvheng.core.codes import credit_check, organisation_check
from lvheng.core.period import Period
from lvheng.core.region import Region
from lvheng.demo.city import City, Fuel, Industry, Row, decimal, whole
from lvheng.demo.draw import Floats, Ints, split
from lvheng.demo.rows import regional

SYNTHETIC_PREFIX = "YYYY"
MICRO = 10**6  # millionths of a tce
ELECTRICITY = "electricity"
SOURCE = "demo.units"


def credit_code(division: str, serial: int) -> str:
    """A well-formed 18-character code in the synthetic range; ``division`` has six digits, serial < 10 000."""
    body = f"{SYNTHETIC_PREFIX}{serial:04d}"
    first = f"91{division}{body}{organisation_check(body)}"
    return first + credit_check(first)


def is_industry(code: str) -> bool:
    """Whether a GB/T 4754 code is industry (divisions 06–46)."""
    return 6 <= int(code[:2]) <= 46


@dataclass(frozen=True, slots=True)
class Unit:
    code: str
    name: str
    region: str
    industry: Industry
    fuels: tuple[Fuel, ...]
    first_month: int  # index in the city's months; later than 0 for a new unit
    end_month: int  # one past the last month of work
    serial: int


@dataclass(frozen=True)
class Units:
    """The units and their true use: ``use[unit, slot, month]`` in 0.01 fuel units; slot n is ``unit.fuels[n]``."""

    city: City
    units: tuple[Unit, ...]
    use: Ints
    output: Ints  # [unit, month] 万元
    product: Ints  # [unit, year] product units of complete years; 0 where there is no product

    @cached_property
    def factors(self) -> tuple[Ints, Ints]:
        """[unit, slot] millionths of a tce per 0.01 unit: calorific, equivalent."""
        equivalent = whole(self.city.parameters.energy.electricity_equivalent, 4)
        calorific = np.zeros(self.use.shape[:2], dtype=np.int64)
        for i, unit in enumerate(self.units):
            for j, fuel in enumerate(unit.fuels):
                calorific[i, j] = whole(fuel.factor, 4)
        power = np.zeros_like(calorific)
        for i, unit in enumerate(self.units):
            for j, fuel in enumerate(unit.fuels):
                power[i, j] = equivalent if fuel.code == ELECTRICITY else calorific[i, j]
        return calorific, power

    def energy(self, *, equivalent: bool) -> Ints:
        """[unit, month] millionths of a tce."""
        factor = self.factors[1 if equivalent else 0]
        return (self.use * factor[:, :, None]).sum(axis=1)

    @cached_property
    def industrial(self) -> np.ndarray:
        return np.array([is_industry(u.industry.code) for u in self.units])

    def of_region(self, region: str) -> np.ndarray:
        return np.array([u.region == region for u in self.units])

    def electricity(self) -> Ints:
        """[unit, month] 0.01 万千瓦时."""
        slots = np.array(
            [
                [j < len(u.fuels) and u.fuels[j].code == ELECTRICITY for j in range(self.use.shape[1])]
                for u in self.units
            ]
        )
        return (self.use * slots[:, :, None]).sum(axis=1)


def _identities(city: City) -> list[tuple[Region, Industry]]:
    """Which region and industry each unit belongs to."""
    numbers = city.parameters.units
    regions = city.everyone
    counts = split(numbers.count, [numbers.per_region[r.code] for r in regions])
    found: list[tuple[Region, Industry]] = []
    for region, count in zip(regions, counts, strict=True):
        own = [i for i in numbers.industries if not i.only or region.code in i.only]
        # the leading industries of a place exist at least once
        certain = [i for i in own if i.only][:count]
        weights = [i.count for i in own]
        picks = city.stream("units", "industries", region.code).pick(weights, max(0, count - len(certain)))
        found += [(region, i) for i in certain] + [(region, own[int(p)]) for p in picks]
    return found


def _division(city: City, region: Region) -> str:
    """Six digits of GB/T 2260 for the code of a unit; a zone takes those of the county it lies in."""
    for code in (region.code, region.within, city.code):
        if len(code) == 6 and code.isdigit():
            return code
    return "999999"


def _names(city: City, identities: list[tuple[Region, Industry]]) -> list[str]:
    words = city.parameters.units.first_words
    stream = city.stream("units", "names")
    draws = stream.integers(0, len(words), (len(identities), 2))
    used: dict[str, int] = {}
    names = []
    for (region, industry), (a, b) in zip(identities, draws, strict=True):
        stem = f"{region.short or region.name}{words[a]}{words[b]}{industry.word}"
        used[stem] = used.get(stem, 0) + 1
        serial = "" if used[stem] == 1 else "二三四五六七八九"[min(used[stem], 9) - 2]
        names.append(
            f"{stem}{serial}{'' if industry.word.endswith(('院', '校', '店', '中心', '场')) else '有限公司'}（演示）"
        )
    return names


def _fuel_mix(city: City, identities: list[tuple[Region, Industry]]) -> tuple[list[tuple[Fuel, ...]], Floats]:
    """Two to four fuels a unit and their shares of its energy (rows add up to about one)."""
    by_code = {f.code: f for f in city.parameters.units.fuels}
    most = 4
    stream = city.stream("units", "fuels")
    jitter = stream.around_one(0.5, (len(identities), 16))
    keep = stream.integers(0, 100, (len(identities), 16))
    chosen: list[tuple[Fuel, ...]] = []
    shares = np.zeros((len(identities), most))
    for i, (_region, industry) in enumerate(identities):
        order = sorted(industry.fuels.items(), key=lambda kv: -kv[1])
        taken = [kv for n, kv in enumerate(order) if n < 2 or keep[i, n] < 30][:most]
        chosen.append(tuple(by_code[c] for c, _ in taken))
        raw = [w * float(jitter[i, n]) for n, (_, w) in enumerate(taken)]
        total = sum(raw)
        shares[i, : len(raw)] = [r / total for r in raw]
    return chosen, shares


def generate(city: City, industry_energy: dict[str, list[int]], value_added: dict[str, dict[int, int]]) -> Units:
    """The units and their use. ``industry_energy`` is tce (equivalent) by region and month to come near to;
    ``value_added`` of industry, in 0.01 亿元 by region and year, gives the output of its units.

    The sum over industrial units *is* the region's industrial energy, so later figures are built on it.
    """
    months, n_months = city.months, len(city.months)
    identities = _identities(city)
    count = len(identities)
    names = _names(city, identities)
    fuels, shares = _fuel_mix(city, identities)
    life = city.stream("units", "life").integers(0, 1000, (count, 3))
    units = []
    for i, (region, industry) in enumerate(identities):
        first = int(life[i, 1]) % 40 + 6 if life[i, 0] < 40 and not industry.only else 0
        end = n_months - int(life[i, 2]) % 20 - 3 if 40 <= life[i, 0] < 60 and not industry.only else n_months
        units.append(
            Unit(
                credit_code(_division(city, region), i + 1), names[i], region.code, industry, fuels[i], min(first, n_months - 1), end, i + 1
            )
        )  # fmt: skip
    # The shape of each unit's energy over the months.
    years = np.array([m.year - city.plan.header.base_year for m in months])
    size = np.array([float(ind.size) for _, ind in identities]) * city.stream("units", "size").skewed(count)
    trend = 1.0 + (city.stream("units", "trend").integers(-40, 61, count) / 1000.0)[:, None] * years[None, :]
    shape = size[:, None] * trend * city.stream("units", "months").around_one(0.12, (count, n_months))
    for i, unit in enumerate(units):
        shape[i, : unit.first_month] = 0.0
        shape[i, unit.end_month :] = 0.0
    whole_shape = np.rint(shape * 1000.0).astype(np.int64)
    tce = np.zeros((count, n_months))
    industrial = np.array([is_industry(u.industry.code) for u in units])
    for region in city.everyone:
        mine = np.array([u.region == region.code for u in units]) & industrial
        if mine.any():
            sums = whole_shape[mine].sum(axis=0)
            tce[mine] = whole_shape[mine] * (np.array(industry_energy[region.code], dtype=np.float64) / sums)
    season = np.array([float(s) for s in city.parameters.energy.season])
    season = season * 12.0 / float(sum(city.parameters.energy.season))
    tce[~industrial] = whole_shape[~industrial] / 1000.0 * season[[m.part - 1 for m in months]][None, :]
    # Fuels: solid fuels give way slowly to electricity and gas.
    power_factor = float(city.parameters.energy.electricity_equivalent)
    use = np.zeros((count, shares.shape[1], n_months), dtype=np.int64)
    mix = city.stream("units", "mix").around_one(0.06, (count, shares.shape[1], n_months))
    for i, unit in enumerate(units):
        weights = mix[i] * shares[i][:, None]
        for j, fuel in enumerate(unit.fuels):
            drift = -0.02 if fuel.solid else 0.015
            weights[j] *= 1.0 + drift * years
        total = weights[0]
        for j in range(1, len(unit.fuels)):
            total = total + weights[j]
        for j, fuel in enumerate(unit.fuels):
            factor = power_factor if fuel.code == ELECTRICITY else float(fuel.factor)
            use[i, j] = np.rint(tce[i] * weights[j] / total / factor * 100.0).astype(np.int64)
    empty = np.zeros((0, 0), np.int64)
    made = Units(city, tuple(units), use, empty, empty)
    return Units(city, made.units, use, _output(city, made, value_added), _product(city, made))


def _efficiency(city: City, count: int) -> Floats:
    """Yearly gain in output per energy of each unit."""
    return city.stream("units", "efficiency").integers(-10, 50, count) / 1000.0


def _output(city: City, units: Units, value_added: dict[str, dict[int, int]]) -> Ints:
    """Output value by month from energy and slow gains; a region's industry comes near its value added × 4.2."""
    energy = units.energy(equivalent=True) / float(MICRO)
    count = len(units.units)
    age = np.array([m.year - city.years[0] for m in city.months])
    per_output = np.array([float(u.industry.output_energy) for u in units.units])
    wobble = city.stream("units", "output").around_one(0.06, energy.shape)
    raw = energy * (1.0 + _efficiency(city, count)[:, None] * age[None, :]) * wobble / per_output[:, None]
    whole_raw = np.rint(raw * 100.0).astype(np.int64)
    output = np.rint(raw).astype(np.int64)
    for region in city.everyone:
        mine = units.of_region(region.code) & units.industrial
        for year in city.all_years:
            months = np.array([m.year == year for m in city.months])
            sums = int(whole_raw[np.ix_(mine, months)].sum())
            if sums:
                wanted = value_added[region.code][year] * 100.0 * 4.2 * int(months.sum()) / 12.0  # 万元
                output[np.ix_(mine, months)] = np.rint(whole_raw[np.ix_(mine, months)] * (wanted / sums)).astype(
                    np.int64
                )
    return output


def _product(city: City, units: Units) -> Ints:
    """Product of each complete year in its own unit."""
    energy = units.energy(equivalent=True)
    count, years = len(units.units), city.years
    gain = _efficiency(city, count)
    wobble = city.stream("units", "product").around_one(0.03, (count, len(years)))
    per_product = np.array([float(u.industry.product_energy or 0) for u in units.units])
    has = per_product > 0
    product = np.zeros((count, len(years)), dtype=np.int64)
    for n, year in enumerate(years):
        months = np.array([m.year == year for m in city.months])
        tce = energy[:, months].sum(axis=1) / float(MICRO) * (1.0 + gain * n) * wobble[:, n]
        product[has, n] = np.rint(tce[has] / per_product[has]).astype(np.int64)
    return product


def energy_class(annual_tce: Decimal) -> str:
    """Class by yearly energy, as 重点用能单位节能管理办法 names it."""
    if annual_tce >= 10_000:
        return "重点用能单位（万吨以上）"
    if annual_tce >= 5_000:
        return "重点用能单位（五千至一万吨）"
    return "其他用能单位"


def base_energy(units: Units) -> list[Decimal]:
    """tce (calorific) of each unit in its first complete year of work, two decimals."""
    energy = units.energy(equivalent=False)
    found = []
    for i, unit in enumerate(units.units):
        start = min(unit.first_month, energy.shape[1] - 12)
        found.append(decimal(int(energy[i, start : start + 12].sum()) // 10**4, 2))
    return found


def rows(city: City, units: Units) -> Iterator[Row]:
    """Output of industry by region and month: the sum of its units, true."""
    table: dict[str, dict[Period, int]] = {}
    for region in city.everyone:
        mine = units.of_region(region.code) & units.industrial
        if mine.any():
            table[region.code] = dict(zip(city.months, (int(v) for v in units.output[mine].sum(axis=0)), strict=True))
    yield from regional(city, "industry_output", "亿元", 4, table, SOURCE)
