"""What is deducted from energy before it is assessed: feedstock, non-fossil, carve-out; three series side by side.

Sources: 发改环资〔2022〕803号 (feedstock, base and target year, GDP unchanged), 发改运行〔2022〕1258号
(growth of renewables over 2020, total only), 发改环资〔2024〕113号 (non-fossil, certificates capped),
发改环资〔2021〕1310号 (carve-out). Energy in tce (等价) or any one unit throughout; GDP at constant prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from lvheng.core.problem import Place, Problem
from lvheng.core.quantity import show
from lvheng.plan.rules import HUNDRED, ONE, exact

ZERO = Decimal(0)


class Series(StrEnum):
    """The three series, in the order in which they are shown."""

    MEASURED = "measured"
    LESS_FEEDSTOCK = "less_feedstock"
    LESS_NONFOSSIL = "less_nonfossil"

    @property
    def label(self) -> str:
        return {"measured": "原口径", "less_feedstock": "扣除原料用能", "less_nonfossil": "扣除原料用能和非化石能源"}[
            self.value
        ]


@dataclass(frozen=True, slots=True)
class Year:
    """A region's year. None is not known: the series that need it are then None, never computed with zero.

    ``nonfossil`` includes certificates only as far as :func:`certificate_deduction` allows. ``gdp`` is at
    the prices of ``price_base``.
    """

    region: str
    year: int
    energy: Decimal | None
    gdp: Decimal | None
    feedstock: Decimal | None = None
    nonfossil: Decimal | None = None
    carve_out: Decimal | None = ZERO
    carve_out_gdp: Decimal | None = ZERO
    price_base: int | None = None
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class YearSeries:
    """Energy, intensity and decline since the base year (per cent) of one year in one series."""

    region: str
    year: int
    series: Series
    energy: Decimal | None
    intensity: Decimal | None
    decline: Decimal | None


def check(years: Iterable[Year]) -> list[Problem]:
    """Impossible parts: negative amounts, feedstock or deductions above the energy, mixed price bases, twice."""
    problems: list[Problem] = []
    seen: set[tuple[str, int]] = set()
    bases: dict[str, int] = {}
    for y in years:
        where = f"“{y.region}”{y.year}年"
        if (y.region, y.year) in seen:
            problems.append(Problem("energy.deduction.twice", f"{where}写了两次", place=y.place, fix="每年只留一行。"))
        seen.add((y.region, y.year))
        for name, title in (
            ("energy", "能源消费总量"), ("gdp", "地区生产总值"), ("feedstock", "原料用能"), ("nonfossil", "非化石能源"),
            ("carve_out", "单列项目能耗"), ("carve_out_gdp", "单列项目增加值"),
        ):  # fmt: skip
            value = getattr(y, name)
            if value is not None and (value < 0 or (value == 0 and name in ("energy", "gdp"))):
                problems.append(Problem("energy.deduction.negative", f"{where}{title}须为正数", place=y.place, got=show(value), fix="改正数值。"))  # fmt: skip
        if y.energy is not None:
            if y.feedstock is not None and y.feedstock > y.energy:
                problems.append(Problem("energy.deduction.feedstock", f"{where}原料用能大于能源消费总量", place=y.place, got=show(y.feedstock), wanted=f"不大于{show(y.energy)}", fix="核对原料用能。"))  # fmt: skip
            parts = (y.feedstock or ZERO) + (y.nonfossil or ZERO) + (y.carve_out or ZERO)
            if parts > y.energy:
                problems.append(Problem("energy.deduction.total", f"{where}扣减合计大于能源消费总量", place=y.place, got=show(parts), wanted=f"不大于{show(y.energy)}", fix="核对各项扣减，查重复扣减。"))  # fmt: skip
        if y.price_base is not None and bases.setdefault(y.region, y.price_base) != y.price_base:
            problems.append(
                Problem("energy.deduction.price_base", f"{where}地区生产总值与其他年份不是同一年价格", place=y.place, got=f"{y.price_base}年价格", wanted=f"{bases[y.region]}年价格", fix="换算为同一基年的不变价。")
            )  # fmt: skip
    return problems


def _energy(y: Year, series: Series) -> Decimal | None:
    """Energy in a series; None when a part that it needs is not known."""
    taken: list[Decimal | None] = []
    if series is not Series.MEASURED:
        taken += [y.carve_out, y.feedstock]
    if series is Series.LESS_NONFOSSIL:
        taken.append(y.nonfossil)
    if y.energy is None or any(part is None for part in taken):
        return None
    return y.energy - sum((part for part in taken if part is not None), ZERO)


@exact
def three_series(years: Iterable[Year], base_year: int, *, carve_out_removes_gdp: bool = False) -> list[YearSeries]:
    """The three series of every region and year; the same deductions in the base year (803号).

    Callers run :func:`check` first. Carve-out is taken off in the two deducted series.
    """
    rows = sorted(years, key=lambda y: (y.region, y.year))
    base = {y.region: y for y in rows if y.year == base_year}

    def level(y: Year, series: Series) -> Decimal | None:
        energy = _energy(y, series)
        if energy is None or y.gdp is None:
            return None
        removed = y.carve_out_gdp if carve_out_removes_gdp and series is not Series.MEASURED else ZERO
        if removed is None:
            return None
        gdp = y.gdp - removed
        return energy / gdp if gdp > 0 else None

    found = []
    for y in rows:
        for series in Series:
            now = level(y, series)
            start = level(base[y.region], series) if y.region in base else None
            decline = (ONE - now / start) * HUNDRED if now is not None and start else None
            found.append(YearSeries(y.region, y.year, series, _energy(y, series), now, decline))
    return found


@exact
def renewable_increment(renewable: Decimal, renewable_2020: Decimal, factor: Decimal) -> Decimal:
    """1258号: (R_t − R_2020)·c, deducted from the total; a fall below 2020 gives nothing back.

    The sum of the yearly increments is the difference to 2020, so only the ends are needed.
    """
    return max(ZERO, renewable - renewable_2020) * factor


@exact
def saving_needed(gdp_end: Decimal, intensity_base: Decimal, target: Decimal) -> Decimal:
    """S = GDP_end × I_0 × T: what the target asks for. The exact official definition is not published."""
    return gdp_end * intensity_base * target / HUNDRED


@exact
def certificate_deduction(certificates: Decimal, saving: Decimal, cap_pct: Decimal) -> Decimal:
    """113号: certificates across provinces count up to the cap of the saving needed; all in tce."""
    return min(certificates, saving * cap_pct / HUNDRED)


def deductible_nonfossil(physical: Decimal, certificates: Decimal, saving: Decimal, cap_pct: Decimal) -> Decimal:
    """Physical non-fossil energy first, then certificates under the cap; tce."""
    return physical + certificate_deduction(certificates, saving, cap_pct)


def total_exempt(decline: Decimal, incentive_target: Decimal | None) -> bool:
    """激励目标 met: the total is not assessed in the period (exact comparison)."""
    return incentive_target is not None and decline >= incentive_target


# --- certificates and green power ------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Block:
    """Certificates used by one holder for one year: serials ``start``–``end`` of a ``series``, both included.

    One certificate is ``kwh_each`` kWh. ``contract`` names the green-power contract they were delivered with.
    """

    id: str
    series: str
    start: int
    end: int
    holder: str
    year: int
    contract: str = ""
    kwh_each: int = 1000
    cross_province: bool = False
    place: Place = field(default_factory=Place)

    @property
    def count(self) -> int:
        return self.end - self.start + 1

    @property
    def kwh(self) -> int:
        return self.count * self.kwh_each


@dataclass(frozen=True, slots=True)
class Contract:
    """Green power claimed by a holder for a year, kWh settled."""

    number: str
    holder: str
    year: int
    kwh: Decimal
    plant: str = ""
    place: Place = field(default_factory=Place)


def check_blocks(blocks: Sequence[Block], contracts: Sequence[Contract] = ()) -> list[Problem]:
    """Certificates used twice (in two years, by two holders, or at all) and kWh claimed by contract and certificate."""
    problems: list[Problem] = []
    groups: dict[str, list[Block]] = {}
    for b in blocks:
        if b.start < 1 or b.end < b.start:
            problems.append(Problem("energy.certificate.block", "绿证编号区间有误", place=b.place, got=f"{b.start}—{b.end}", wanted="起号不大于止号，从1起", fix="改正编号。"))  # fmt: skip
            continue
        groups.setdefault(b.series, []).append(b)
    for series, items in groups.items():
        items.sort(key=lambda b: (b.start, b.end))
        reach: Block | None = None
        for b in items:
            if reach is not None and b.start <= reach.end:
                last = min(b.end, reach.end)
                problems.append(
                    Problem(
                        "energy.certificate.twice", f"绿证重复使用：{series}第{b.start}—{last}号", place=b.place,
                        got=f"{b.holder}，{b.year}年", wanted=f"已由{reach.holder}用于{reach.year}年", source="发改环资〔2024〕113号",
                        fix="撤去其中一处；一张绿证只能由一个持有者在一个年度使用一次。",
                    )
                )  # fmt: skip
            if reach is None or b.end > reach.end:
                reach = b
    by_number: dict[str, Contract] = {}
    for c in contracts:
        if c.kwh < 0:
            problems.append(Problem("energy.certificate.contract_negative", "绿电合同电量为负数", place=c.place, got=show(c.kwh), fix="改正电量。"))  # fmt: skip
        if c.number in by_number:
            other = by_number[c.number]
            problems.append(Problem("energy.certificate.contract_twice", f"绿电合同{c.number}登记了两次", place=c.place, got=f"{c.holder}，{c.year}年", wanted=f"已由{other.holder}用于{other.year}年", fix="撤去其中一处。"))  # fmt: skip
        by_number.setdefault(c.number, c)
    for b in blocks:
        if b.contract and b.contract in by_number:
            c = by_number[b.contract]
            problems.append(
                Problem(
                    "energy.certificate.with_contract", f"同一电量既按绿电合同{b.contract}又按绿证计算", place=b.place,
                    got=f"绿证{show(Decimal(b.kwh))}千瓦时", wanted=f"合同已计入{c.holder}，{c.year}年{show(c.kwh)}千瓦时",
                    source="发改环资〔2024〕113号", fix="随绿电交付的绿证不再单独计算，撤去该批绿证。",
                )
            )  # fmt: skip
    return problems
