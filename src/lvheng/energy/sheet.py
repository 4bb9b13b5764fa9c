"""A region's energy balance of a year as the view knows it: 实物量 and 标准量, 当量 and 等价, with CO₂ by the regional method.

Nothing is filled in: a flow that was not reported is None and everything that needs it is None too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from lvheng.core.period import Period
from lvheng.core.problem import Problem
from lvheng.energy import data
from lvheng.energy.accounts import Carrier
from lvheng.energy.regional import Balance, Balanced, balance
from lvheng.observations.view import View
from lvheng.plan.rules import exact

ZERO = Decimal(0)
SUPPLY = {"production": 1, "inflow": 1, "outflow": -1, "opening_stock": 1, "closing_stock": -1}
CONVERSION = {"conversion_input": 1, "conversion_output": -1, "losses": 1}
FINAL = ("agriculture", "industry", "construction", "transport", "trade", "services", "living")
FLOWS = (*SUPPLY, *CONVERSION, *FINAL, "feedstock")
TITLES = {
    "production": "一次能源生产", "inflow": "调入", "outflow": "调出", "opening_stock": "年初库存", "closing_stock": "年末库存",
    "conversion_input": "加工转换投入", "conversion_output": "加工转换产出", "losses": "损失", "agriculture": "农林牧渔业", "industry": "工业",
    "construction": "建筑业", "transport": "交通运输、仓储和邮政业", "trade": "批发零售和住宿餐饮业", "services": "其他行业", "living": "居民生活",
    "feedstock": "其中：用作原料材料",
}  # fmt: skip
# the five sectors, and what they are made of
SECTORS = {
    "第一产业": ("agriculture",), "工业": ("industry",), "建筑业": ("construction",), "第三产业": ("transport", "trade", "services"), "居民生活": ("living",),
}  # fmt: skip
CO2_GROUPS = {
    "coal": "coal",
    "coking": "coal",
    "oil": "oil",
    "gas": "gas",
}  # of the directory → of the regional factors


@dataclass(frozen=True, slots=True)
class FuelRow:
    """One carrier: tce (当量) by flow, its factor, and the 等价 factor over the 当量 one (1 unless electricity)."""

    carrier: Carrier
    tce: Mapping[str, Decimal | None]
    factor: Decimal | None
    ratio: Decimal | None

    def amount(self, flow: str, measure: str) -> Decimal | None:
        """A flow as ``physical``, ``calorific`` or ``equivalent``."""
        value = self.tce.get(flow)
        if value is None or measure == "calorific":
            return value
        if measure == "physical":
            return value / self.factor if self.factor else None
        return None if self.ratio is None else value * self.ratio

    def total(self, flows: Mapping[str, int], measure: str) -> Decimal | None:
        """The signed sum of some flows; None when one of them is not known."""
        parts = [(sign, self.amount(flow, measure)) for flow, sign in flows.items()]
        if any(v is None for _, v in parts):
            return None
        return sum((sign * v for sign, v in parts if v is not None), ZERO)


CONSUMED = dict.fromkeys(FINAL, 1) | CONVERSION
BURNT = {**dict.fromkeys(FINAL, 1), "conversion_input": 1, "feedstock": -1}


class Sheet:
    """The balance of one region and year."""

    def __init__(self, view: View, region: str, year: int):
        self.view, self.region, self.year = view, region, year
        self.period = Period.of_year(year)

    def _value(self, code: str, item: str = "") -> Decimal | None:
        return self.view.value(code, self.region, self.period, item) if code in self.view.catalogue else None

    @cached_property
    def rows(self) -> list[FuelRow]:
        """Carriers that have any figure in the region and year, in the order of the directory."""
        found = []
        for code, carrier in data.carriers(self.year).items():
            tce = {flow: self._value(f"balance_{flow}", code) for flow in FLOWS}
            if all(v is None for v in tce.values()):
                continue
            found.append(FuelRow(carrier, tce, self._value("balance_factor", code), self._ratio(carrier)))
        return found

    @staticmethod
    def _ratio(carrier: Carrier) -> Decimal | None:
        """Statistics replace the factor of electricity alone; heat keeps its 当量 one."""
        if carrier.group != "power":
            return Decimal(1)
        return None if carrier.equivalent is None else carrier.equivalent / carrier.low

    @exact
    def sum(self, flows: Mapping[str, int], measure: str, rows: Iterable[FuelRow] | None = None) -> Decimal | None:
        """Over carriers, in tce; None when one is not known or there is none."""
        found = [r.total(flows, measure) for r in (self.rows if rows is None else rows)]
        return None if not found or any(v is None for v in found) else sum((v for v in found if v is not None), ZERO)

    def balanced(self, measure: str, tolerance_pct: Decimal) -> Balanced:
        """Both sides and the statistical difference, over all carriers."""

        def one(flow: str) -> Decimal | None:
            return self.sum({flow: 1}, measure)

        return balance(
            Balance(
                one("production"), one("inflow"), one("outflow"), one("opening_stock"), one("closing_stock"),
                {TITLES[f]: one(f) for f in FINAL}, one("conversion_input"), one("conversion_output"), one("losses"),
            ),
            tolerance_pct=tolerance_pct,
        )  # fmt: skip

    def check_total(self) -> list[Problem]:
        """The balance against the total of the accounts; equal but for the rounding of the total."""
        whole, told = self.sum(CONSUMED, "equivalent"), self._value("energy_total")
        if whole is None or told is None or abs(whole - told * 10_000) < 100:
            return []
        return [Problem("energy.balance.total", "平衡表的能源消费总量与核算数不符", got=f"{whole / 10_000:.2f}万吨标准煤", wanted=f"{told:.2f}万吨标准煤", fix="核对平衡表各品种和分行业数。")]  # fmt: skip

    # --- carbon dioxide, regional method -----------------------------------------------------------
    @cached_property
    def co2_factors(self) -> dict[str, Decimal]:
        """tCO₂/tce of coal, oil and gas, and of electricity brought in (kgCO₂/kWh), as the rulebook has them for the year."""
        day = self.period.end
        book = self.view.rulebook
        return {
            k: v for k in ("coal", "oil", "gas", "power")
            if (found := book.find(f"carbon.regional.{k}", day, self.region)) is not None and (v := found.value) is not None
        }  # fmt: skip

    @exact
    def co2_of(self, row: FuelRow, sector: str = "") -> Decimal | None:
        """Tons: what is burnt of a carrier times its group's factor, of all sectors or of one.

        Electricity bears the net import; a sector's part is its share of the electricity used. Heat bears nothing:
        its coal is counted where it is burnt.
        """
        if row.carrier.group == "power":
            net, used = row.total({"inflow": 1, "outflow": -1}, "physical"), row.total(dict.fromkeys((*FINAL, "losses"), 1), "physical")  # fmt: skip
            factor = self.co2_factors.get("power")
            if net is None or factor is None:
                return None
            if not sector:
                return net * 10 * factor
            own = row.total({sector: 1} | ({"losses": 1} if sector == "industry" else {}), "physical")
            return None if not used or own is None else net * 10 * factor * own / used
        group = CO2_GROUPS.get(row.carrier.group)
        if group is None:
            return ZERO
        flows = BURNT if not sector else {"industry": 1, "conversion_input": 1, "feedstock": -1} if sector == "industry" else {sector: 1}  # fmt: skip
        burnt, factor = row.total(flows, "calorific"), self.co2_factors.get(group)
        return None if burnt is None or factor is None else burnt * factor

    @exact
    def co2(self, sector: str = "") -> Decimal | None:
        found = [self.co2_of(r, sector) for r in self.rows]
        return None if not found or any(v is None for v in found) else sum((v for v in found if v is not None), ZERO)


def years_of(view: View) -> list[int]:
    """The years that have a balance or accounts, latest first."""
    span = view.data_years("energy_total")
    return list(range(span[1], max(span[0], view.plan.header.base_year) - 1, -1)) if span else []
