"""Energy accounts of a unit by GB/T 2589 from its 205-1/205-2 lines.

当量 (calorific) and 等价 (equivalent) are always computed side by side and kept apart by type; where an
等价 factor of the year is not entered the 等价 result is None, never the 当量 one in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from lvheng.core.problem import Place, Problem, Severity
from lvheng.core.quantity import show
from lvheng.plan.rules import HUNDRED, exact

ZERO = Decimal(0)


class FactorKind(StrEnum):
    """Where a factor comes from."""

    MEASURED = "measured"
    REFERENCE = "reference"
    CHOSEN = "chosen"

    @property
    def label(self) -> str:
        return {"measured": "实测", "reference": "参考系数", "chosen": "区间内选定"}[self.value]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A form of energy: reference factors in tce per ``unit``; ``low`` < ``high`` is a range to choose from.

    ``equivalent`` is the 等价 factor of the year for electricity and heat, None while not entered; for every
    other carrier 等价 equals 当量.
    """

    code: str
    name: str
    group: str
    unit: str
    low: Decimal
    high: Decimal
    equivalent: Decimal | None = None
    co2: str = ""

    @property
    def secondary(self) -> bool:
        return self.group in ("power", "heat")


@dataclass(frozen=True, slots=True)
class Line:
    """One carrier's line of a unit. Quantities in the carrier's unit; None is not filed, zero is zero.

    ``consumption`` is the total of 205-1, conversion input included; ``measured_factor`` is tce per unit
    from the unit's own heating value; ``chosen_factor`` with ``reason`` is the value taken from a range.
    """

    carrier: str
    consumption: Decimal | None
    feedstock: Decimal = ZERO
    conversion_input: Decimal = ZERO
    conversion_output: Decimal = ZERO
    recovered: Decimal = ZERO
    measured_factor: Decimal | None = None
    chosen_factor: Decimal | None = None
    reason: str = ""
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Pair:
    """An energy amount, tce, in both conventions; ``equivalent`` None when a factor of the year is missing."""

    calorific: Decimal
    equivalent: Decimal | None

    def __add__(self, other: Pair) -> Pair:
        whole = self.equivalent is not None and other.equivalent is not None
        return Pair(
            self.calorific + other.calorific,
            self.equivalent + other.equivalent if whole else None,  # type: ignore[operator]
        )

    def __sub__(self, other: Pair) -> Pair:
        whole = self.equivalent is not None and other.equivalent is not None
        return Pair(
            self.calorific - other.calorific,
            self.equivalent - other.equivalent if whole else None,  # type: ignore[operator]
        )


NOTHING = Pair(ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class LineResult:
    """One line in standard coal."""

    carrier: Carrier
    factor: Decimal
    factor_kind: FactorKind
    consumption: Pair
    feedstock: Pair
    conversion_input: Pair
    conversion_output: Pair
    recovered: Pair
    comprehensive: Pair


@dataclass(frozen=True, slots=True)
class Account:
    """A unit's account. ``comprehensive`` = final use + conversion input − conversion output − recovered use."""

    lines: tuple[LineResult, ...]
    final_use: Pair
    conversion_input: Pair
    conversion_output: Pair
    recovered: Pair
    comprehensive: Pair
    feedstock: Pair
    complete: bool
    problems: tuple[Problem, ...]


def choose_factor(carrier: Carrier, line: Line, band_pct: Decimal) -> tuple[Decimal | None, FactorKind, list[Problem]]:
    """The factor by the order of the standard: measured, then chosen in the range, then the one reference value.

    ``band_pct`` is how far a measured value may lie outside the reference range before it must be explained.
    """
    problems: list[Problem] = []
    if line.measured_factor is not None:
        low = carrier.low * (1 - band_pct / HUNDRED)
        high = carrier.high * (1 + band_pct / HUNDRED)
        if line.measured_factor <= 0:
            problems.append(_bad("factor", f"“{carrier.name}”实测折标系数须为正数", line, show(line.measured_factor), "大于0", "改正实测值。"))  # fmt: skip
            return None, FactorKind.MEASURED, problems
        if not low <= line.measured_factor <= high:
            severity = Severity.WARNING if line.reason else Severity.BLOCKER
            problems.append(
                _bad("factor_range", f"“{carrier.name}”实测折标系数超出合理范围", line, show(line.measured_factor),
                     f"{show(low, 4)}至{show(high, 4)}吨标准煤/{carrier.unit}", "核对化验报告和计量单位；确属煤质差异的，写明理由。", severity)
            )  # fmt: skip
        return line.measured_factor, FactorKind.MEASURED, problems
    if carrier.low == carrier.high:
        return carrier.low, FactorKind.REFERENCE, problems
    wanted = f"{show(carrier.low)}至{show(carrier.high)}吨标准煤/{carrier.unit}，并写明理由"
    if line.chosen_factor is None or not line.reason.strip():
        got = "" if line.chosen_factor is None else show(line.chosen_factor)
        problems.append(_bad("choose", f"“{carrier.name}”的参考系数是一个区间，须选定数值并写明理由", line, got, wanted, "按供应合同或化验报告选定系数。"))  # fmt: skip
        return None, FactorKind.CHOSEN, problems
    if not carrier.low <= line.chosen_factor <= carrier.high:
        problems.append(_bad("factor_range", f"“{carrier.name}”选定的折标系数不在参考区间内", line, show(line.chosen_factor), wanted, "在区间内选定；有实测值的填入实测系数。"))  # fmt: skip
        return None, FactorKind.CHOSEN, problems
    return line.chosen_factor, FactorKind.CHOSEN, problems


def _bad(
    code: str, message: str, line: Line, got: str, wanted: str, fix: str, severity: Severity = Severity.BLOCKER
) -> Problem:
    return Problem(f"energy.account.{code}", message, severity, line.place, got, wanted, fix=fix)


def _check_line(carrier: Carrier, line: Line) -> list[Problem]:
    problems = []
    for name, title in (
        ("consumption", "消费量"), ("feedstock", "用于原材料"), ("conversion_input", "加工转换投入"),
        ("conversion_output", "加工转换产出"), ("recovered", "回收利用"),
    ):  # fmt: skip
        value = getattr(line, name)
        if value is not None and value < 0:
            problems.append(_bad("negative", f"“{carrier.name}”{title}为负数", line, show(value), "不小于0", "改正数值；冲减上期的，应改正上期数据。"))  # fmt: skip
    if line.consumption is None:
        problems.append(_bad("missing", f"“{carrier.name}”消费量未填", line, "", "数值；未消费的填0", "补填。", Severity.WARNING))  # fmt: skip
        return problems
    if line.consumption < 0:
        return problems  # the parts cannot be held against it
    if line.feedstock > line.consumption:
        problems.append(_bad("feedstock", f"“{carrier.name}”用于原材料的数量大于消费量", line, show(line.feedstock), f"不大于{show(line.consumption)}", "核对原料用能。"))  # fmt: skip
    if line.conversion_input > line.consumption:
        problems.append(_bad("conversion", f"“{carrier.name}”加工转换投入大于消费量", line, show(line.conversion_input), f"不大于{show(line.consumption)}", "205-1消费量应包含加工转换投入，核对两表。"))  # fmt: skip
    return problems


@exact
def account(lines: Iterable[Line], carriers: Mapping[str, Carrier], *, band_pct: Decimal) -> Account:
    """The account of one unit and period: exact totals and every problem found.

    A line with a blocker or without a filed consumption is left out and the account is not ``complete``.
    """
    results: list[LineResult] = []
    problems: list[Problem] = []
    complete = True
    seen: set[str] = set()
    for line in lines:
        carrier = carriers.get(line.carrier)
        if carrier is None:
            problems.append(
                _bad("carrier", "能源品种不在目录中", line, line.carrier, "205-1目录中的品种", "改正品种名称或代码。")
            )
            complete = False
            continue
        if line.carrier in seen:
            problems.append(_bad("twice", f"“{carrier.name}”写了两行", line, "", "每种能源一行", "合并为一行。"))
            complete = False
            continue
        seen.add(line.carrier)
        found = _check_line(carrier, line)
        factor, kind, more = choose_factor(carrier, line, band_pct)
        problems += found + more
        if factor is None or line.consumption is None or any(p.severity is Severity.BLOCKER for p in found + more):
            complete = False
            continue
        equivalent = carrier.equivalent if carrier.secondary else factor
        if equivalent is None and any((line.consumption, line.conversion_output, line.recovered)):
            problems.append(
                _bad("no_equivalent", f"“{carrier.name}”当年等价值系数未录入，等价值不予计算", line, "", "由统计部门核定的系数", "在规则库录入当年系数。", Severity.WARNING)
            )  # fmt: skip

        def pair(quantity: Decimal, k: Decimal = factor, e: Decimal | None = equivalent) -> Pair:
            return Pair(quantity * k, quantity * e if e is not None else (ZERO if quantity == 0 else None))

        total = pair(line.consumption)
        out, back = pair(line.conversion_output), pair(line.recovered)
        results.append(
            LineResult(
                carrier, factor, kind, total, pair(line.feedstock), pair(line.conversion_input), out, back,
                total - out - back,
            )
        )  # fmt: skip

    def add(name: str) -> Pair:
        return sum((getattr(r, name) for r in results), NOTHING)

    consumption, put, out = add("consumption"), add("conversion_input"), add("conversion_output")
    # output may come from carriers whose own lines lack an equivalent factor; only calorific can be judged
    if out.calorific > put.calorific:
        problems.append(
            Problem(
                "energy.account.efficiency", "加工转换产出大于投入（当量值），转换效率超过100%", Severity.BLOCKER,
                got=f"{show(out.calorific, 2)}吨标准煤", wanted=f"不大于{show(put.calorific, 2)}吨标准煤", fix="核对205-2投入和产出的计量单位。",
            )
        )  # fmt: skip
        complete = False
    comprehensive = add("comprehensive")
    if comprehensive.calorific < 0:
        problems.append(
            Problem("energy.account.below_zero", "综合能源消费量为负数", got=f"{show(comprehensive.calorific, 2)}吨标准煤", wanted="不小于0", fix="核对产出和回收利用的数量。")
        )  # fmt: skip
        complete = False
    return Account(
        tuple(results), consumption - put, put, out, add("recovered"), comprehensive, add("feedstock"), complete,
        tuple(problems),
    )  # fmt: skip


@exact
def unit_product(energy: Decimal, output: Decimal) -> Decimal | None:
    """Energy of one product by its output, in the energy's unit per the output's unit; None without output."""
    return energy / output if output > 0 else None


def flagged(result: Account) -> list[str]:
    """Carriers whose reference factor was used instead of a measured heating value, for the remark of a report."""
    return [r.carrier.name for r in result.lines if r.factor_kind is FactorKind.REFERENCE and not r.carrier.secondary]


# --- many units at once ----------------------------------------------------------------------------
SCALE = 10_000  # quantities and factors as integers of 1/10000


def exact_total(quantities: Sequence[int], factors: Sequence[int]) -> Decimal:
    """Σ quantity × factor over integer arrays of 1/10000, exact, as Decimal tce.

    int64 products are summed in blocks; a block whose sum could leave int64 is split in two parts of the quantity
    first, and summed in Python integers only when even that could.
    """
    import numpy as np

    q, k = np.asarray(quantities, dtype=np.int64), np.asarray(factors, dtype=np.int64)
    total = 0
    block, part = 1 << 18, 1 << 20
    for i in range(0, len(q), block):
        a, b = q[i : i + block], k[i : i + block]
        top_a, top_b = (max(int(x.max()), -int(x.min())) for x in (a, b))
        if top_a * top_b * len(a) < 2**63:
            total += int(np.multiply(a, b).sum())
        elif max(top_a // part + 1, part) * top_b * len(a) < 2**63:
            high = a >> 20
            total += int(np.multiply(high, b).sum()) * part + int(np.multiply(a & (part - 1), b).sum())
        else:
            total += sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
    return Decimal(total).scaleb(-8)
