"""Regional accounts: energy by sector, the balance with its statistical difference, yearly change. Pure and exact.

Energy in one unit throughout (等价 for totals and intensity); GDP at constant prices of one year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.problem import Problem, Severity
from lvheng.core.quantity import show
from lvheng.plan.rules import HUNDRED, exact

ZERO = Decimal(0)
SECTORS = {
    "agriculture": "第一产业", "industry": "工业", "construction": "建筑业", "services": "第三产业", "living": "居民生活",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Balance:
    """A region's balance of one carrier or of all in tce; None is not known.

    Available = production + inflow − outflow + opening stock − closing stock. Use = final consumption by sector
    + conversion input − conversion output + losses.
    """

    production: Decimal | None
    inflow: Decimal | None
    outflow: Decimal | None
    opening_stock: Decimal | None
    closing_stock: Decimal | None
    final: Mapping[str, Decimal | None]
    conversion_input: Decimal | None = ZERO
    conversion_output: Decimal | None = ZERO
    losses: Decimal | None = ZERO


@dataclass(frozen=True, slots=True)
class Balanced:
    """The two sides and their statistical difference (平衡差额 = available − use); None where a part is missing."""

    available: Decimal | None
    use: Decimal | None
    difference: Decimal | None
    difference_pct: Decimal | None
    problems: tuple[Problem, ...]


@exact
def balance(b: Balance, *, tolerance_pct: Decimal) -> Balanced:
    """Both sides of the balance. A difference beyond ``tolerance_pct`` of what is available is a warning, never hidden."""
    supply = {"生产量": (1, b.production), "调入量": (1, b.inflow), "调出量": (-1, b.outflow), "年初库存": (1, b.opening_stock), "年末库存": (-1, b.closing_stock)}  # fmt: skip
    demand = {**{SECTORS.get(k, k): (1, v) for k, v in b.final.items()}, "加工转换投入": (1, b.conversion_input), "加工转换产出": (-1, b.conversion_output), "损失量": (1, b.losses)}  # fmt: skip
    problems = []
    sides: list[Decimal | None] = []
    for parts in (supply, demand):
        missing = [name for name, (_, value) in parts.items() if value is None]
        for name, (_, value) in parts.items():
            if value is not None and value < 0:
                problems.append(
                    Problem(
                        "energy.balance.negative", f"{name}为负数", got=show(value), wanted="不小于0", fix="改正数值。"
                    )
                )
        for name in missing:
            problems.append(
                Problem("energy.balance.missing", f"缺少{name}，平衡不完整", Severity.WARNING, fix="补录；没有的填0。")
            )
        sides.append(None if missing else sum((sign * (value or ZERO) for sign, value in parts.values()), ZERO))
    available, use = sides
    difference = available - use if available is not None and use is not None else None
    share = difference / available * HUNDRED if difference is not None and available else None
    if share is not None and abs(share) > tolerance_pct:
        problems.append(
            Problem("energy.balance.difference", "平衡差额过大", Severity.WARNING, got=f"{show(share, 2)}%", wanted=f"±{show(tolerance_pct)}%以内", fix="核对调入调出和库存。")
        )  # fmt: skip
    return Balanced(available, use, difference, share, tuple(problems))


@dataclass(frozen=True, slots=True)
class SectorTotal:
    """A region's total with its sectors; ``complete`` False when a sector is missing, and then ``total`` is None."""

    total: Decimal | None
    production_sectors: Decimal | None
    missing: tuple[str, ...]


@exact
def sector_total(sectors: Mapping[str, Decimal | None]) -> SectorTotal:
    """Sum over the five sectors; living is apart from what produces."""
    missing = tuple(SECTORS[k] for k in SECTORS if sectors.get(k) is None)
    produces = [sectors.get(k) for k in SECTORS if k != "living"]
    partial = None if any(v is None for v in produces) else sum((v for v in produces if v is not None), ZERO)
    living = sectors.get("living")
    return SectorTotal(partial + living if partial is not None and living is not None else None, partial, missing)


def check_city(city: Decimal | None, counties: Sequence[Decimal | None], *, tolerance_pct: Decimal) -> list[Problem]:
    """Σ counties against the city's own figure; a missing county makes the sum incomplete, not smaller."""
    if city is None or not counties or any(c is None for c in counties):
        return [
            Problem(
                "energy.regional.incomplete",
                "县（市）区数据不完整，不能与全市核对",
                Severity.WARNING,
                fix="补齐缺报的县（市）区。",
            )
        ]
    whole = sum((c for c in counties if c is not None), ZERO)
    if city == 0 or abs(whole / city - 1) * HUNDRED > tolerance_pct:
        return [
            Problem("energy.regional.sum", "各县（市）区之和与全市数不符", Severity.WARNING, got=show(whole), wanted=f"{show(city)}±{show(tolerance_pct)}%", fix="核对重复和遗漏。")
        ]  # fmt: skip
    return []
