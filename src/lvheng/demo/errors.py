"""What units file: what they truly used, but for a known share of them with a known fault each.

The truth of every fault is kept apart and never read by the product. Figures of regions stay true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from lvheng.core.period import Period
from lvheng.demo.city import City, Row, decimal, whole
from lvheng.demo.draw import Ints, Stream
from lvheng.demo.units import ELECTRICITY, Unit, Units, base_energy

SOURCE = "demo.units"
KEY_USER = 5_000  # tce a year, calorific: monthly output and metered electricity are filed from here
MISSING = -1
Truth = dict[str, Any]


@dataclass
class Filed:
    """What is filed; starts as a copy of the truth. Energy and stocks are 0.01 tce, calorific; −1 is not filed."""

    city: City
    units: Units
    energy: Ints  # [unit, slot, month]
    output: Ints  # [unit, month] 万元
    product: Ints  # [unit, year]
    meter: Ints  # [unit, month] 0.01 万千瓦时
    opening: Ints  # [unit, year] of the unit's main solid fuel
    purchased: Ints
    closing: Ints
    key: np.ndarray  # [unit] whether output and meter are filed by month
    truths: list[Truth] = field(default_factory=list)

    def solid(self, unit: Unit) -> int | None:
        """The slot of the unit's main solid fuel, which it keeps a stock of."""
        return next((j for j, fuel in enumerate(unit.fuels) if fuel.solid), None)

    def power(self, unit: Unit) -> int:
        """The slot of its electricity; every industry has it, so a missing one is a fault of the parameters."""
        return next(j for j, fuel in enumerate(unit.fuels) if fuel.code == ELECTRICITY)

    def months_of(self, year: int) -> list[int]:
        return [n for n, m in enumerate(self.city.months) if m.year == year]

    def note(self, kind: str, unit: Unit, indicator: str, periods: list[Period], item: str, filed: list[Decimal], true: list[Decimal], what: str, other: str = "") -> None:  # fmt: skip
        self.truths.append(
            {
                "kind": kind, "subject": unit.code, "indicator": indicator, "item": item, "periods": [p.code for p in periods],
                "filed": [f"{v:f}" for v in filed], "true": [f"{v:f}" for v in true], "other_subject": other, "note": what,
            }
        )  # fmt: skip


def truthful(city: City, units: Units) -> Filed:
    """Everything as it is, with stocks that balance."""
    calorific = units.factors[0]
    energy = (units.use * calorific[:, :, None] + 5_000) // 10_000
    count, years = len(units.units), city.years
    opening = np.zeros((count, len(years)), dtype=np.int64)
    purchased, closing = np.zeros_like(opening), np.zeros_like(opening)
    draws = city.stream("units", "stock").integers(20, 90, (count, len(years) + 1))  # ‰ of a year's use
    base = base_energy(units)
    filed = Filed(
        city, units, energy, units.output.copy(), units.product.copy(), units.electricity(), opening, purchased, closing,
        np.array([b >= KEY_USER for b in base]),
    )  # fmt: skip
    for i, unit in enumerate(units.units):
        if (slot := filed.solid(unit)) is None:
            continue
        stock = int(energy[i, slot, :12].sum()) * int(draws[i, 0]) // 1000
        for n, year in enumerate(years):
            used = int(energy[i, slot, filed.months_of(year)].sum())
            end = used * int(draws[i, n + 1]) // 1000
            if used + end < stock:
                end = stock
            opening[i, n], purchased[i, n], closing[i, n] = stock, used + end - stock, end
            stock = end
    return filed


def generate(city: City, units: Units) -> Filed:
    """The filed figures with faults in ``error_share`` of the units, each unit at most one."""
    filed = truthful(city, units)
    wanted = whole(Decimal(len(units.units)) * city.parameters.units.error_share, 0)
    left = city.stream("errors", "who").shuffled(len(units.units))
    kinds = list(FAULTS)
    while kinds and len(filed.truths) < wanted:
        for kind in list(kinds):
            chosen = next((i for i in left if FAULTS[kind](filed, i, city.stream("errors", kind, i))), None)
            if chosen is None:
                kinds.remove(kind)
            else:
                left.remove(chosen)
    return filed


def _tce(values: Ints) -> list[Decimal]:
    return [decimal(int(v), 2) for v in values]


def _working(filed: Filed, i: int, length: int, stream: Stream) -> int | None:
    """A first month from which the unit works ``length`` months on end that its region has reported."""
    unit = filed.units.units[i]
    last = min(unit.end_month, sum(filed.city.has_reported(unit.region, m) for m in filed.city.months))
    if last - unit.first_month < length + 1:
        return None
    return stream.one(unit.first_month, last - length)


def _unit_slip(factor: int, words: str) -> Callable[[Filed, int, Stream], bool]:
    def fault(filed: Filed, i: int, stream: Stream) -> bool:
        unit = filed.units.units[i]
        slot = filed.power(unit)
        month = _working(filed, i, 1, stream)
        if month is None or not filed.energy[i, slot, month]:
            return False
        true = filed.energy[i, slot, month].copy()
        filed.energy[i, slot, month] = true * factor
        filed.note("unit_slip", unit, "energy_use", [filed.city.months[month]], ELECTRICITY, [decimal(int(true) * factor, 2)], [decimal(int(true), 2)], words)  # fmt: skip
        return True

    return fault


def _constant(filed: Filed, i: int, stream: Stream) -> bool:
    """The same figure month after month."""
    unit = filed.units.units[i]
    start = _working(filed, i, 8, stream)
    if start is None:
        return False
    slot, months = filed.power(unit), slice(start, start + 8)
    true = filed.energy[i, slot, months].copy()
    filed.energy[i, slot, months] = true[0]
    filed.note("constant", unit, "energy_use", filed.city.months[months], ELECTRICITY, _tce(filed.energy[i, slot, months]), _tce(true), "连续八个月填报同一数值")  # fmt: skip
    return True


def _zero_gap(filed: Filed, i: int, stream: Stream) -> bool:
    """Months that were not measured filed as zero."""
    unit = filed.units.units[i]
    start = _working(filed, i, 2, stream)
    if start is None:
        return False
    slot, months = filed.power(unit), slice(start, start + 2)
    true = filed.energy[i, slot, months].copy()
    filed.energy[i, slot, months] = 0
    filed.note("zero_for_missing", unit, "energy_use", filed.city.months[months], ELECTRICITY, _tce(filed.energy[i, slot, months]), _tce(true), "缺数以零填报")  # fmt: skip
    return True


def _not_filed(filed: Filed, i: int, stream: Stream) -> bool:
    unit = filed.units.units[i]
    start = _working(filed, i, 3, stream)
    if start is None:
        return False
    months = slice(start, start + 3)
    true = filed.energy[i, :, months].sum(axis=0)
    filed.energy[i, :, months] = MISSING
    filed.note("not_filed", unit, "energy_use", filed.city.months[months], "", [], _tce(true), "漏报三个月，各品种均缺")
    return True


def _double_count(filed: Filed, i: int, _stream: Stream) -> bool:
    """The electricity of another unit of the county is filed once more, on top of the unit's own, for a year."""
    unit = filed.units.units[i]
    others = [
        k for k, u in enumerate(filed.units.units) if u.region == unit.region and k != i and u.end_month - u.first_month == len(filed.city.months)
    ]  # fmt: skip
    months = filed.months_of(filed.city.years[-1])
    if not others or unit.first_month > months[0] or unit.end_month <= months[-1]:
        return False
    other = others[i % len(others)]
    slot = filed.power(unit)
    true = filed.energy[i, slot, months].copy()
    filed.energy[i, slot, months] += filed.energy[other, filed.power(filed.units.units[other]), months]
    filed.note(
        "double_count", unit, "energy_use", [filed.city.months[n] for n in months], ELECTRICITY, _tce(filed.energy[i, slot, months]), _tce(true),
        "将另一单位的用电量计入本单位，两家各计一次", filed.units.units[other].code,
    )  # fmt: skip
    return True


def _stock_mismatch(filed: Filed, i: int, stream: Stream) -> bool:
    """Opening + purchased − used ≠ closing."""
    unit = filed.units.units[i]
    n = stream.one(1, len(filed.city.years))
    slot = filed.solid(unit)
    if slot is None or not filed.purchased[i, n]:
        return False
    true = int(filed.closing[i, n])
    filed.closing[i, n] = true + int(filed.purchased[i, n]) * 12 // 100 + 100
    year = Period.of_year(filed.city.years[n])
    filed.note("stock_mismatch", unit, "energy_closing_stock", [year], unit.fuels[slot].code, [decimal(int(filed.closing[i, n]), 2)], [decimal(true, 2)], "期初库存加购进量减消费量不等于期末库存")  # fmt: skip
    return True


def _equal_to_target(filed: Filed, i: int, _stream: Stream) -> bool:
    """Output that makes energy per output fall by exactly the equal yearly rate of the plan's target."""
    unit = filed.units.units[i]
    years = filed.city.years
    if unit.first_month or unit.end_month < len(filed.city.months) or not filed.output[i].all():
        return False
    rate = 1 - filed.city.parameters.energy.target / filed.city.plan.header.years / 100
    energy = [int(filed.energy[i, :, filed.months_of(y)].sum()) for y in years]
    output = [int(filed.output[i, filed.months_of(y)].sum()) for y in years]
    made = [whole(Decimal(output[0] * used) / energy[0] / rate**n, 0) for n, used in enumerate(energy)]
    least = [int(filed.output[i, filed.months_of(y)].min()) for y in years]
    if any(low + (m - o) // 12 <= 12 for low, m, o in zip(least, made, output, strict=True)):
        return False
    for n, year in enumerate(years):
        months = filed.months_of(year)
        values = filed.output[i, months]
        filed.output[i, months] = values + (made[n] - output[n]) // len(months)
        filed.output[i, months[-1]] += made[n] - int(filed.output[i, months].sum())
    filed.note(
        "equal_to_target", unit, "industry_output", [Period.of_year(y) for y in years], "", [Decimal(v) for v in made], [Decimal(v) for v in output],
        "单位产值能耗逐年降幅恰等于目标的年均降幅",
    )  # fmt: skip
    return True


def _output_up(filed: Filed, i: int, _stream: Stream) -> bool:
    """Output up by two fifths in the last year with energy as before."""
    unit = filed.units.units[i]
    months = filed.months_of(filed.city.years[-1])
    if unit.first_month > months[0] - 12 or unit.end_month <= months[-1]:
        return False
    true = filed.output[i, months].copy()
    filed.output[i, months] = true * 14 // 10
    year = Period.of_year(filed.city.years[-1])
    filed.note("output_inflated", unit, "industry_output", [year], "", [Decimal(int(filed.output[i, months].sum()))], [Decimal(int(true.sum()))], "产值虚增四成，用电量未变")  # fmt: skip
    return True


def _after_closing(filed: Filed, i: int, _stream: Stream) -> bool:
    """A unit that has stopped goes on filing."""
    unit = filed.units.units[i]
    start = unit.end_month
    last = sum(filed.city.has_reported(unit.region, m) for m in filed.city.months)
    if last - start < 2 or start < 1:
        return False
    months = slice(start, min(last, start + 6))
    for slot in range(len(unit.fuels)):
        filed.energy[i, slot, months] = filed.energy[i, slot, start - 1]
    filed.note("after_closing", unit, "energy_use", filed.city.months[months], "", _tce(filed.energy[i, :, months].sum(axis=0)), [Decimal(0)] * (months.stop - start), "停产后仍填报")  # fmt: skip
    return True


def _meter_differs(filed: Filed, i: int, stream: Stream) -> bool:
    """Electricity filed a fifth below the meter, for half a year."""
    unit = filed.units.units[i]
    start = _working(filed, i, 6, stream)
    if start is None or not filed.key[i]:
        return False
    slot, months = filed.power(unit), slice(start, start + 6)
    true = filed.energy[i, slot, months].copy()
    filed.energy[i, slot, months] = true * 8 // 10
    filed.note("below_meter", unit, "energy_use", filed.city.months[months], ELECTRICITY, _tce(filed.energy[i, slot, months]), _tce(true), "填报用电量低于在线计量两成")  # fmt: skip
    return True


FAULTS: dict[str, Callable[[Filed, int, Stream], bool]] = {
    "unit_slip_10000": _unit_slip(10_000, "千瓦时按万千瓦时填报，放大一万倍"),
    "stock_mismatch": _stock_mismatch,
    "constant": _constant,
    "double_count": _double_count,
    "below_meter": _meter_differs,
    "zero_for_missing": _zero_gap,
    "after_closing": _after_closing,
    "equal_to_target": _equal_to_target,
    "not_filed": _not_filed,
    "output_inflated": _output_up,
    "unit_slip_1000": _unit_slip(1_000, "计量单位放大一千倍"),
}


def rows(filed: Filed) -> Iterator[Row]:
    """What the units have filed: energy by fuel and month, output, product, stocks, and metered electricity."""
    city = filed.city
    codes = [m.code for m in city.months]
    counted: dict[str, int] = {r.code: sum(city.has_reported(r.code, m) for m in city.months) for r in city.everyone}
    for i, unit in enumerate(filed.units.units):
        last = counted[unit.region]
        worked = filed.energy[i, : len(unit.fuels), :last].sum(axis=0) != 0
        for slot, fuel in enumerate(unit.fuels):
            for code, value, on in zip(codes, filed.energy[i, slot].tolist(), worked.tolist(), strict=False):
                if on and value != MISSING:
                    yield Row("energy_use", unit.code, code, decimal(value, 2), "吨标准煤", SOURCE, fuel.code, "filed")
        if filed.key[i]:
            for code, value, meter, on in zip(
                codes, filed.output[i].tolist(), filed.meter[i].tolist(), worked.tolist(), strict=False
            ):
                if on:
                    yield Row("industry_output", unit.code, code, Decimal(value), "万元", SOURCE, "", "filed")
                    if meter:
                        yield Row(
                            "unit_electricity", unit.code, code, decimal(meter, 2), "万千瓦时", SOURCE, "", "measured"
                        )
        yield from _yearly(filed, i, unit)


def _yearly(filed: Filed, i: int, unit: Unit) -> Iterator[Row]:
    slot = filed.solid(unit)
    for n, year in enumerate(filed.city.years):
        period = Period.of_year(year).code
        output = int(filed.output[i, filed.months_of(year)].sum())
        if not filed.key[i] and output:
            yield Row("industry_output", unit.code, period, Decimal(output), "万元", SOURCE, "", "filed")
        if product := int(filed.product[i, n]):
            yield Row("product_output", unit.code, period, Decimal(product), unit.industry.product_unit, SOURCE, unit.industry.product, "filed")  # fmt: skip
        if slot is not None and filed.purchased[i, n] + filed.opening[i, n]:
            for indicator, table in (("energy_opening_stock", filed.opening), ("energy_purchased", filed.purchased), ("energy_closing_stock", filed.closing)):  # fmt: skip
                yield Row(
                    indicator,
                    unit.code,
                    period,
                    decimal(int(table[i, n]), 2),
                    "吨标准煤",
                    SOURCE,
                    unit.fuels[slot].code,
                    "filed",
                )
