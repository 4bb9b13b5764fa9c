"""The synthetic city: its parameters, its regions and what every subject module shares.

Parameters are ``data/demo/<plan-id>.yaml``; all of it is invented except the anchors, which name the
published figure they are taken from. Nothing here knows a particular city.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.region import Region
from lvheng.core.yamlfile import Entry, load, validate
from lvheng.demo.draw import Stream, split
from lvheng.plan.schema import CountyTarget, Plan

VERSION = 2  # raised when the same parameters give other figures
SOURCES = {
    "demo.economy": "国民经济",
    "demo.energy": "能源消费与双控",
    "demo.electricity": "全社会用电量",
    "demo.units": "用能单位填报",
    "demo.programmes": "重点工程统计",
}


class Row(NamedTuple):
    """One figure, as :class:`lvheng.observations.store.Figure`, free of storage."""

    indicator: str
    subject: str
    period: str
    value: Decimal
    unit: str
    source: str
    item: str = ""
    quality: str = "statistics"
    reference: str = ""


class Anchor(Entry):
    """A published figure that a parameter is taken from."""

    what: str
    value: str
    source: str
    used_for: str


class RegionNumbers(Entry):
    """What is invented about one region. Weights are shares of the city, in any common measure."""

    gdp: int = Field(gt=0)
    base_index: Decimal | None = None  # GDP of the base year, the year before = 100, where published
    growth: Decimal = Decimal(0)  # percentage points beside the city's growth, every year
    intensity: Decimal = Field(gt=0)  # tce per 万元 in the base year
    pace: Decimal = Decimal(1)  # share of the equal yearly decline of energy intensity that is reached
    industry: int = Field(ge=0)  # value added of industry above designated size, ‰ of GDP
    industry_energy: int = Field(ge=0, le=950)  # its energy, ‰ of the total
    industry_pace: Decimal = Decimal(1)
    population: int = Field(gt=0)
    rural: int = Field(ge=0)
    port: int = Field(ge=0, default=0)
    feedstock: int = Field(ge=0, le=300, default=0)  # ‰ of total energy used as raw material
    nonfossil: int = Field(ge=0, le=900, default=100)  # ‰ of total energy that is not fossil
    thermal: int = Field(ge=0, le=2000, default=0)  # ‰ of the region's electricity that its coal plants generate
    effort: Decimal = Decimal(1)  # progress of the programmes beside the city's
    late: int = Field(ge=0, le=12, default=0)  # months not yet reported

    @property
    def industry_value(self) -> int:
        return self.gdp * self.industry

    @property
    def urban(self) -> int:
        return max(1, self.population - self.rural)

    @property
    def same(self) -> int:
        return 1

    @property
    def fewer(self) -> int:
        """For what is spread over regions more evenly than people are."""
        return self.population + 200


class Economy(Entry):
    base_gdp: Decimal  # 亿元, base-year prices
    growth: tuple[Decimal, ...]  # per cent, from the first year to the running year
    industry_growth: tuple[Decimal, ...]
    price_growth: tuple[Decimal, ...]  # per cent, for GDP at current prices, of the complete years after the base
    season: tuple[int, ...] = Field(min_length=12, max_length=12)
    revised_year: int | None = None
    revision: Decimal = Decimal(0)  # per cent, of that year's GDP


class Energy(Entry):
    target: Decimal  # per cent, five-year decline that the pace is measured by
    pace: tuple[Decimal, ...]  # the city's, year by year, from the first year to the running year
    industry_target: Decimal
    industry_pace: tuple[Decimal, ...]
    feedstock_growth: Decimal
    nonfossil_growth: Decimal
    season: tuple[int, ...] = Field(min_length=12, max_length=12)
    electricity_equivalent: Decimal  # tce per 万千瓦时, 等价
    renewable_share: int = Field(ge=0, le=1000)  # of non-fossil energy that is renewable power, ‰
    produced_share: int = Field(ge=0)  # of energy that is produced in the region, ‰
    sectors: dict[str, int]  # indicator → weight in what is not industry above designated size
    industry_sector: str  # the sector that industry above designated size is a part of
    power_share: int = Field(ge=0, le=1000)  # of the other sectors' energy that is electricity, ‰
    small_industry_power: int = Field(ge=0)  # of industrial electricity used below designated size, ‰
    power_season: tuple[int, ...] = Field(min_length=12, max_length=12)
    power_shares: dict[str, int]  # sector → weight of its energy in the electricity outside industry
    mixes: dict[str, dict[str, int]]  # sector → fuel → weight in its energy that is not electricity
    feedstock_fuels: dict[str, int]  # fuel → per cent of the energy used as raw material
    stocked: tuple[str, ...]  # fuels of which stocks are kept


class Fuel(Entry):
    """A fuel as it is filed; ``factor`` is tce (calorific) per ``unit``."""

    code: str
    name: str
    unit: str
    factor: Decimal
    source: str
    solid: bool = False


class Industry(Entry):
    code: str  # GB/T 4754-2017
    word: str  # in the names of units
    only: tuple[str, ...] = ()  # regions it exists in; none: everywhere
    count: int = Field(gt=0)  # weight in the number of units
    size: int = Field(gt=0)
    fuels: dict[str, int]
    product: str = ""
    product_unit: str = ""
    product_energy: Decimal | None = None  # tce per product unit
    output_energy: Decimal  # tce per 万元 of output


class UnitNumbers(Entry):
    count: int = Field(gt=0)
    per_region: dict[str, int]
    first_words: tuple[str, ...] = Field(min_length=4)
    fuels: tuple[Fuel, ...]
    industries: tuple[Industry, ...]
    error_share: Decimal = Decimal("0.02")


class Programme(Entry):
    """How one observed indicator is generated; see :mod:`lvheng.demo.programmes`.

    ``years`` are the city's values from the base year (or ``from_year``) on: amounts in the catalogue's unit,
    per cent of ``of`` for a part. Indicators by month or quarter have one more, the running year at a full
    year's rate.
    """

    indicator: str
    how: Literal["amount", "part", "level"] = "amount"
    years: tuple[Decimal, ...] = ()
    of: str = ""  # the indicator it is a part of
    uncapped: bool = False  # a part that may exceed the whole
    share: str = "population"  # weight of regions
    only: tuple[str, ...] = ()  # regions it exists in; none: all with a weight
    city_only: bool = False
    spread: Decimal = Decimal("0.08")
    places: int = 0
    item: str = ""
    behind: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    late: tuple[str, ...] = ()  # regions that have not reported the end
    from_year: int | None = None


class Empty(Entry):
    """An observed indicator that the demonstration leaves without data, and why."""

    indicator: str
    reason: str


class Share(Entry):
    """How the tons of a target are shared out, or what yardstick each county gets."""

    target: str
    share: str = ""
    spread: Decimal = Decimal(0)  # percentage points about the city's value, for rates
    leave_out: tuple[str, ...] = ()  # regions that have not been given a value yet


class Parameters(Entry):
    plan: str
    seed: int
    last_year: int  # last complete year
    last_month: str  # last complete month
    note: str
    anchors: tuple[Anchor, ...] = ()
    regions: dict[str, RegionNumbers]
    economy: Economy
    energy: Energy
    units: UnitNumbers
    programmes: tuple[Programme, ...] = ()
    empty: tuple[Empty, ...] = ()
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class City:
    """A plan's regions with their invented numbers, and the time that is covered."""

    plan: Plan
    parameters: Parameters
    seed: int

    @cached_property
    def parts(self) -> list[Region]:
        """The regions that add up to the city, in the order of the plan."""
        return self.plan.regions.parts(self.code)

    @cached_property
    def beside(self) -> list[Region]:
        """Regions shown but not added into the city: they report, and count in nothing."""
        return [r for r in self.plan.regions.parts(self.code, all_shown=True) if not r.counted]

    @cached_property
    def everyone(self) -> list[Region]:
        return [*self.parts, *self.beside]

    @property
    def code(self) -> str:
        return self.plan.header.city

    @cached_property
    def years(self) -> list[int]:
        """Base year to the last complete year."""
        return list(range(self.plan.header.base_year, self.parameters.last_year + 1))

    @cached_property
    def last_month(self) -> Period:
        return Period.parse(self.parameters.last_month)

    @cached_property
    def all_years(self) -> list[int]:
        """With the running year, of which only months are known."""
        return list(range(self.plan.header.base_year, self.last_month.year + 1))

    @cached_property
    def months(self) -> list[Period]:
        first = Period.of_month(self.plan.header.base_year, 1)
        return [Period.from_index(Kind.MONTH, i) for i in range(first.index, self.last_month.index + 1)]

    @cached_property
    def quarters(self) -> list[Period]:
        """Complete quarters."""
        first = Period(Kind.QUARTER, self.plan.header.base_year)
        last = Period(Kind.QUARTER, self.last_month.year, (self.last_month.part + 2) // 3)
        if last.end > self.last_month.end:
            last = last.shift(-1)
        return [Period.from_index(Kind.QUARTER, i) for i in range(first.index, last.index + 1)]

    def numbers(self, region: str) -> RegionNumbers:
        return self.parameters.regions[region]

    def stream(self, *words: object) -> Stream:
        return Stream(self.seed, self.plan.id, *words)

    def weights(self, name: str, regions: Sequence[Region] | None = None) -> list[int]:
        return [int(getattr(self.numbers(r.code), name)) for r in (self.parts if regions is None else regions)]

    def share_out(self, total: int, weights: Sequence[float | int]) -> dict[str, int]:
        """A city's whole number over :attr:`parts`, adding up exactly."""
        return dict(zip([r.code for r in self.parts], split(total, weights), strict=True))

    @cached_property
    def reported_until(self) -> dict[str, date]:
        """The last day that each region has reported; of the city, the last that all its parts have."""
        until = {r.code: self.last_month.shift(-self.numbers(r.code).late).end for r in self.everyone}
        return until | {self.code: min(until[r.code] for r in self.parts)}

    def has_reported(self, region: str, period: Period) -> bool:
        return period.end <= self.reported_until[region]


def decimal(mantissa: int, places: int) -> Decimal:
    """An exact number from whole units of its last place, with the digits it has."""
    return Decimal(mantissa).scaleb(-places)


def whole(value: Decimal, places: int) -> int:
    """A number in whole units of its last place; half away from zero."""
    scaled = value.scaleb(places)
    return int(scaled.to_integral_value(rounding="ROUND_HALF_UP"))


def parameter_file(folder: Path, plan_id: str) -> Path:
    return folder / "demo" / f"{plan_id}.yaml"


def load_parameters(plan: Plan, folder: Path) -> Parameters:
    """The parameters of a plan's demonstration; raises ProblemError with file and line.

    ``folder`` is the data folder. Every region of the plan's city must have numbers, lists by year must
    be as long as the years.
    """
    path = parameter_file(folder, plan.id)
    if not path.exists():
        raise ProblemError(
            Problem(
                "demo.parameters.missing", "这个方案没有演示数据参数", place=Place(file=f"data/demo/{path.name}"), got=plan.id,
                fix="从已有城市的参数文件复制，按本方案的地区改写。",
            )
        )  # fmt: skip
    document = load(path, shown_as=f"data/demo/{path.name}")
    parameters = validate(Parameters, document)
    problems = []

    def say(code: str, message: str, *at: object, got: str = "", wanted: str = "") -> None:
        problems.append(
            Problem(f"demo.parameters.{code}", message, place=document.place(at), got=got, wanted=wanted, fix="改正参数文件。")
        )  # fmt: skip

    if parameters.plan != plan.id:
        say("plan", "参数文件不属于这个方案", "plan", got=parameters.plan, wanted=plan.id)
    shown = {r.code for r in plan.regions.parts(plan.header.city, all_shown=True)}
    for code in sorted(shown ^ set(parameters.regions)):
        say("regions", "地区与方案区划表不一致", "regions", got=code)
    running = Period.parse(parameters.last_month).year
    wanted = running - plan.header.base_year
    for section, names in (("economy", ("growth", "industry_growth")), ("energy", ("pace", "industry_pace"))):
        for name in names:
            if (n := len(getattr(getattr(parameters, section), name))) != wanted:
                say("years", "逐年参数的个数与年份不符", section, name, got=f"{n}个", wanted=f"{wanted}个")
    if parameters.last_year not in (running, running - 1):
        say("years", "最末整年应为最末月份所在年或其上一年", "last_year", got=str(parameters.last_year))
    for i, p in enumerate(parameters.programmes):
        for code in {*p.only, *p.behind, *p.ahead, *p.late} - shown:
            say("regions", "地区不在方案区划表中", "programmes", i, got=f"{p.indicator} {code}")
    fuels = {f.code for f in parameters.units.fuels}
    for i, industry in enumerate(parameters.units.industries):
        for code in sorted(set(industry.fuels) - fuels):
            say("fuels", "能源品种不在目录中", "units", "industries", i, got=code)
    if problems:
        raise ProblemError(problems)
    return parameters


def build_city(plan: Plan, folder: Path, seed: int | None = None) -> City:
    parameters = load_parameters(plan, folder)
    return City(plan, parameters, parameters.seed if seed is None else seed)


def fingerprint(plan: Plan, folder: Path, seed: int | None = None) -> str:
    """What the figures follow from, in 12 characters: known without generating them."""
    parameters = load_parameters(plan, folder)
    body = hashlib.sha256()
    body.update(f"{VERSION}\x1f{parameters.seed if seed is None else seed}\x1f{plan.header.base_year}\x1f".encode())
    body.update(parameter_file(folder, plan.id).read_bytes())
    body.update(repr([(r.code, r.name, r.parent, r.counted, r.within) for r in plan.regions]).encode())
    return body.hexdigest()[:12]


def county_targets(plan: Plan, folder: Path, seed: int | None = None) -> tuple[CountyTarget, ...]:
    """What each county is given in the demonstration: tons shared out whole, rates about the city's.

    No county's target has been published; all are marked synthetic. A county left out has none yet.
    """
    city = build_city(plan, folder, seed)
    found: list[CountyTarget] = []
    for rule in city.parameters.shares:
        target = plan.target_by_id.get(rule.target)
        if target is None or target.value is None:
            continue
        exponent = target.value.as_tuple().exponent
        places = max(0, -exponent) if isinstance(exponent, int) else 0
        if rule.share:
            total = whole(target.value, places)
            values = {c: decimal(n, places) for c, n in city.share_out(total, city.weights(rule.share)).items()}
        else:
            steps = whole(rule.spread * 2, 0)  # half points
            draws = city.stream("county_targets", rule.target).integers(-steps, steps + 1, len(city.parts))
            values = {r.code: target.value + decimal(5 * int(d), 1) for r, d in zip(city.parts, draws, strict=True)}
        found += [
            CountyTarget(
                target=rule.target, region=code, value=value, unit=target.unit, synthetic=True,
                source="演示数据：各县（市）区分解目标未公开",
            )
            for code, value in values.items()
            if code not in rule.leave_out and (value or not rule.share)
        ]  # fmt: skip
    return tuple(found)
