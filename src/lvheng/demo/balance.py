"""The energy balance of regions and industry by division: fuels, sectors and the total agree by construction.

Quantities are whole units of a carrier and factors whole ten-thousandths, so that tce are whole ten-thousandths:
every sum is exact. What whole units leave over of a sector goes to 其他燃料, which is counted in tce itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.demo.city import City, Row, decimal, whole
from lvheng.demo.draw import capped, split
from lvheng.demo.economy import Economy
from lvheng.demo.electricity import Electricity
from lvheng.demo.energy import Accounts, Table
from lvheng.demo.rows import regional
from lvheng.demo.units import ELECTRICITY, Units

SOURCE = "demo.energy"
OTHER, HEAT = "other_fuel", "heat"
TEN_THOUSAND = 10_000
GROUPS = {
    "coal_for_energy": ("bituminous_coal", "coke"),
    "oil_for_energy": ("gasoline", "diesel", "fuel_oil", "lpg", "petroleum_coke"),
    "gas_for_energy": ("natural_gas", "lng"),
}
SUPPLY = ("production", "inflow", "outflow", "opening_stock", "closing_stock")
Flows = dict[str, dict[str, int]]  # flow → fuel → whole units (of other_fuel: 1/10000 tce)


@dataclass
class Balances:
    """Flows by region and year; factors are calorific, 1/10000 tce a unit."""

    city: City
    factors: dict[str, int]
    flows: dict[str, dict[Period, Flows]] = field(default_factory=dict)

    def tce(self, code: str, year: Period, flow: str, fuels: tuple[str, ...] = ()) -> int:
        """1/10000 tce, calorific, of some fuels or of all."""
        row = self.flows[code][year].get(flow, {})
        return sum(n * self.factors[f] for f, n in row.items() if not fuels or f in fuels)


def generate(city: City, accounts: Accounts, units: Units, power: Electricity, feedstock: Table, produced: Table) -> Balances:  # fmt: skip
    factors = {f.code: whole(f.factor, 4) for f in city.parameters.units.fuels} | {OTHER: 1}
    found = Balances(city, factors)
    for region in city.everyone:
        code = region.code
        found.flows[code] = {}
        stock: dict[str, int] = {}
        used = _industrial_use(city, units, code)
        for n, year in enumerate(city.years):
            period = Period.of_year(year)
            sectors = {name: table[code][period] * TEN_THOUSAND for name, table in accounts.sectors.items()}
            flows = _use(city, factors, code, sectors, used[n], power, year, feedstock[code][period] * TEN_THOUSAND)
            stock = _supply(city, factors, code, year, flows, stock, produced[code][period] * TEN_THOUSAND)
            found.flows[code][period] = flows
    return found


def _industrial_use(city: City, units: Units, code: str) -> list[dict[str, int]]:
    """By complete year: whole units of each fuel that the region's industrial units used."""
    years = np.array([m.year for m in city.months])
    found: list[dict[str, int]] = [{} for _ in city.years]
    for i in np.flatnonzero(units.of_region(code) & units.industrial):
        for j, fuel in enumerate(units.units[i].fuels):
            for n, year in enumerate(city.years):
                found[n][fuel.code] = found[n].get(fuel.code, 0) + int(units.use[i, j][years == year].sum())
    return [{f: v // 100 for f, v in row.items()} for row in found]


def _fail(code: str, year: int, what: str) -> ProblemError:
    return ProblemError(Problem("demo.parameters.balance", f"能源平衡表的参数不成立：{what}", place=Place(file="data/demo", field=f"{code} {year}"), fix="调整用电、分行业或燃料构成的参数。"))  # fmt: skip


def _spread(budget: int, mix: dict[str, int], factors: dict[str, int]) -> dict[str, int]:
    """A budget of 1/10000 tce over fuels in whole units; what is left over is other fuel."""
    parts = dict(zip(mix, split(budget, list(mix.values())), strict=True))
    amounts = {f: v // factors[f] for f, v in parts.items()}
    return amounts | {OTHER: amounts.get(OTHER, 0) + budget - sum(n * factors[f] for f, n in amounts.items())}


def _use(
    city: City, factors: dict[str, int], code: str, sectors: dict[str, int], units: dict[str, int], power: Electricity,
    year: int, feedstock: int,
) -> Flows:  # fmt: skip
    """Final use by sector, conversion, losses and feedstock of one region and year."""
    numbers = city.parameters.energy
    equivalent = whole(numbers.electricity_equivalent, 4)
    own = numbers.industry_sector
    whole_power, industry_power = power.year(code, year)
    others = [s for s in sectors if s != own]
    caps = [sectors[s] * 97 // 100 // equivalent for s in others]
    weights = [sectors[s] // TEN_THOUSAND * numbers.power_shares[s] for s in others]
    electric = dict(zip(others, capped(whole_power - industry_power, weights, caps), strict=True))
    if sum(electric.values()) != whole_power - industry_power:
        raise _fail(code, year, "其他部门用电超过其用能")
    losses = min(whole_power // 50, industry_power // 4)
    flows: Flows = {"losses": {ELECTRICITY: losses}}
    for sector in others:
        name = sector.removeprefix("energy_")
        flows[name] = {ELECTRICITY: electric[sector]}
        rest = sectors[sector] - electric[sector] * equivalent
        for fuel, amount in _spread(rest, numbers.mixes[sector], factors).items():
            flows[name][fuel] = amount
    # conversion: heat made for the region's industry as far as its energy bears the loss (the rest is brought in),
    # and electricity where there is a coal plant
    spare = sectors[own] - sum(n * (equivalent if f == ELECTRICITY else factors[f]) for f, n in (units | {ELECTRICITY: industry_power}).items())  # fmt: skip
    heat = min(units.get(HEAT, 0), max(0, spare) * 3 // factors[HEAT])
    generated = whole_power * city.numbers(code).thermal // 1000
    coal = (
        heat * factors[HEAT] * 100 // 86 // factors["bituminous_coal"]
        + generated * equivalent // factors["bituminous_coal"]
    )
    flows["conversion_input"] = {"bituminous_coal": coal}
    flows["conversion_output"] = {HEAT: heat, ELECTRICITY: generated}
    lost = coal * factors["bituminous_coal"] - heat * factors[HEAT] - generated * equivalent
    industry = {ELECTRICITY: industry_power - losses, **{f: v for f, v in units.items() if f != ELECTRICITY}}
    known = sum(n * (equivalent if f == ELECTRICITY else factors[f]) for f, n in industry.items())
    rest = sectors[own] - known - losses * equivalent - lost
    if rest < 0:
        raise _fail(code, year, "规上工业分品种用能超过工业用能")
    for fuel, amount in _spread(rest, numbers.mixes[own], factors).items():
        industry[fuel] = industry.get(fuel, 0) + amount
    flows["industry"] = industry
    fuels = numbers.feedstock_fuels  # no more than industry has of them
    parts = capped(feedstock, list(fuels.values()), [industry.get(f, 0) * factors[f] * 95 // 100 for f in fuels])
    flows["feedstock"] = {fuel: part // factors[fuel] for fuel, part in zip(fuels, parts, strict=True)}
    return flows


def _supply(
    city: City,
    factors: dict[str, int],
    code: str,
    year: int,
    flows: Flows,
    opening: dict[str, int],
    produced: int,
) -> dict[str, int]:
    """Production, trade and stocks to match, with small statistical differences; returns the closing stocks."""
    equivalent = whole(city.parameters.energy.electricity_equivalent, 4)
    for flow in SUPPLY:
        flows[flow] = {}
    closing: dict[str, int] = {}
    finals = [s.removeprefix("energy_") for s in city.parameters.energy.sectors]
    draws = city.stream("balance", code, year).integers(-40, 41, (len(factors), 2))
    need = {f: sum(flows[x].get(f, 0) for x in (*finals, "losses", "conversion_input")) - flows["conversion_output"].get(f, 0) for f in factors}  # fmt: skip
    grown = min(need["biomass"], produced // factors["biomass"])
    flows["production"] = {"biomass": grown, ELECTRICITY: (produced - grown * factors["biomass"]) // equivalent}
    flows["production"][OTHER] = produced - grown * factors["biomass"] - flows["production"][ELECTRICITY] * equivalent
    for (fuel, amount), (stock, off) in zip(need.items(), draws.tolist(), strict=True):
        stored = fuel in city.parameters.energy.stocked
        closing[fuel] = amount * (400 + stock) // 10_000 if stored else 0
        flows["opening_stock"][fuel] = opening.get(fuel, closing[fuel])
        flows["closing_stock"][fuel] = closing[fuel]
        difference = amount * off // 10_000 if stored else 0  # up to 0.4 %
        bought = amount + difference + closing[fuel] - flows["opening_stock"][fuel] - flows["production"].get(fuel, 0)
        flows["inflow"][fuel], flows["outflow"][fuel] = max(0, bought), max(0, -bought)
    return closing


def exact_feedstock(balances: Balances) -> Table:
    """Feedstock of regions in 1/10000 tce, as the whole units of the balance give it."""
    return {c: {y: balances.tce(c, y, "feedstock") for y in row} for c, row in balances.flows.items()}


def rows(balances: Balances) -> Iterator[Row]:
    """Every flow of every fuel, none left out: what did not happen is zero; then what is burnt, and electricity brought in."""
    city = balances.city
    finals = [s.removeprefix("energy_") for s in city.parameters.energy.sectors]
    for flow in (*SUPPLY, "conversion_input", "conversion_output", "losses", *finals, "feedstock"):
        for fuel, factor in balances.factors.items():
            table = {
                c: {y: flows[flow].get(fuel, 0) * factor for y, flows in row.items()}
                for c, row in balances.flows.items()
            }
            yield from regional(city, f"balance_{flow}", "吨标准煤", 4, table, SOURCE, item=fuel)
    for fuel, factor in balances.factors.items():
        shown = TEN_THOUSAND if fuel == OTHER else factor
        for code in (*balances.flows, city.code):
            for year in city.years:
                yield Row("balance_factor", code, Period.of_year(year).code, decimal(shown, 4), "1", SOURCE, fuel)
    for name, fuels in GROUPS.items():
        burnt = {
            c: {y: sum(balances.tce(c, y, flow, fuels) for flow in (*finals, "conversion_input")) - balances.tce(c, y, "feedstock", fuels) for y in row}
            for c, row in balances.flows.items()
        }  # fmt: skip
        yield from regional(city, name, "万吨标准煤", 8, burnt, SOURCE)
    net = {
        c: {y: f["inflow"][ELECTRICITY] - f["outflow"][ELECTRICITY] for y, f in row.items()}
        for c, row in balances.flows.items()
    }
    yield from regional(city, "net_power_import", "亿千瓦时", 4, net, SOURCE)


def divisions(city: City, economy: Economy, accounts: Accounts, units: Units) -> Iterator[Row]:
    """Energy by month and value added by year of each division of industry; they add up to the region's."""
    used = units.energy(equivalent=True)
    energy: dict[str, Table] = {}
    value: dict[str, Table] = {}
    codes = np.array([u.industry.code[:2] for u in units.units])
    years = np.array([m.year for m in city.months])
    for region in city.everyone:
        mine = units.of_region(region.code) & units.industrial
        present = sorted({str(c) for c in codes[mine]})
        if not present:
            continue
        members = [np.flatnonzero(mine & (codes == d)) for d in present]
        tce = np.array([used[m].sum(axis=0) for m in members])
        output = np.array([units.output[m].sum(axis=0) for m in members])
        for n, month in enumerate(city.months):
            parts = split(accounts.industry[region.code][month], [int(v) // 1000 for v in tce[:, n]])
            for division, part in zip(present, parts, strict=True):
                energy.setdefault(division, {}).setdefault(region.code, {})[month] = part
        for year in city.years:
            sums = output[:, years == year].sum(axis=1)
            parts = split(economy.industry[region.code][year], [int(v) for v in sums])
            for division, part in zip(present, parts, strict=True):
                value.setdefault(division, {}).setdefault(region.code, {})[Period.of_year(year)] = part
    for division, table in sorted(energy.items()):
        yield from regional(city, "industry_energy_division", "万吨标准煤", 4, table, SOURCE, item=division)
        yield from regional(city, "industry_va_division", "亿元", 2, value[division], SOURCE, item=division)
