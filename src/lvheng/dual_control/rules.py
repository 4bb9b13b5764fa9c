"""Decomposition of targets to counties, budgets and their arithmetic: pure and exact.

City and counties hang together by ``Σ s_i (1−t_i) ≤ 1−T`` with
``s_i = E_i0·(G_i1/G_i0) / [ΣE_i0 · ΣG_i1/ΣG_i0]`` (algebra of the intensity definition): structure shift
between counties is part of the result, so weighting by base energy is wrong.
Percentages as published; declines positive. Checks of the constraint are in exact fractions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from enum import StrEnum
from fractions import Fraction

from lvheng.core.problem import Problem, Severity
from lvheng.core.quantity import show
from lvheng.plan.rules import HUNDRED, ONE, exact

ZERO = Decimal(0)


class Method(StrEnum):
    """How the burden is shaped before the common shift closes the city's target."""

    EQUAL = "equal"
    BANDED = "banded"
    POTENTIAL = "potential"

    @property
    def label(self) -> str:
        return {"equal": "等比例", "banded": "按得分分档", "potential": "按节能潜力"}[self.value]


@dataclass(frozen=True, slots=True)
class County:
    """One county of a decomposition. Energy and GDP in any one unit, GDP at constant prices.

    ``gdp1`` is the GDP expected at the end; ``offset`` the points of its band against the common rate;
    ``potential`` its saving potential (any positive measure); ``pin`` a fixed target.
    """

    code: str
    name: str
    energy0: Decimal
    gdp0: Decimal
    gdp1: Decimal
    low: Decimal
    high: Decimal
    offset: Decimal = ZERO
    potential: Decimal = ONE
    pin: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What one county gets: target (per cent), its weight s, and whether it stands at a bound or is pinned."""

    code: str
    name: str
    target: Decimal
    weight: Decimal
    at: str = ""  # low, high, pin


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A solution, or why there is none. ``implied`` is the city's decline that the shares bring, per cent."""

    shares: tuple[Share, ...]
    implied: Decimal | None
    feasible: bool
    problems: tuple[Problem, ...] = ()
    shift: Decimal | None = None


def _weights(counties: Sequence[County]) -> list[Fraction]:
    """s_i as exact fractions."""
    energy = sum((Fraction(c.energy0) for c in counties), Fraction(0))
    gdp0 = sum((Fraction(c.gdp0) for c in counties), Fraction(0))
    growth = sum((Fraction(c.gdp1) for c in counties), Fraction(0)) / gdp0
    return [Fraction(c.energy0) * Fraction(c.gdp1) / Fraction(c.gdp0) / (energy * growth) for c in counties]


def _decimal(value: Fraction) -> Decimal:
    with localcontext(prec=50):
        return Decimal(value.numerator) / Decimal(value.denominator)


def implied_decline(counties: Sequence[County], targets: Sequence[Decimal]) -> Decimal:
    """The city's decline that county targets bring, per cent: 1 − Σ s_i (1−t_i)."""
    return _decimal(_implied(_weights(counties), targets))


def _implied(weights: Sequence[Fraction], targets: Sequence[Decimal]) -> Fraction:
    left = sum((s * (1 - Fraction(t) / 100) for s, t in zip(weights, targets, strict=True)), Fraction(0))
    return (1 - left) * 100


def check_counties(counties: Sequence[County]) -> list[Problem]:
    """Impossible inputs: none, twice, non-positive energy or GDP, bounds out of order, a pin outside 0–100."""
    problems: list[Problem] = []
    if not counties:
        problems.append(Problem("dual_control.decomposition.none", "没有参加分解的地区", fix="至少选择一个地区。"))
    seen: set[str] = set()
    for c in counties:
        if c.code in seen:
            problems.append(
                Problem("dual_control.decomposition.twice", f"“{c.name}”列了两次", fix="每个地区只列一次。")
            )
        seen.add(c.code)
        for value, title in ((c.energy0, "基年能耗"), (c.gdp0, "基年地区生产总值"), (c.gdp1, "期末地区生产总值")):
            if value <= 0:
                problems.append(Problem("dual_control.decomposition.base", f"“{c.name}”{title}须为正数", got=show(value), fix="补录基年数据；数据不全的地区不能分解。"))  # fmt: skip
        if not ZERO <= c.low <= c.high < HUNDRED:
            problems.append(Problem("dual_control.decomposition.bounds", f"“{c.name}”目标上下限有误", got=f"{show(c.low)}至{show(c.high)}", wanted="0≤下限≤上限<100", fix="改正上下限。"))  # fmt: skip
        if c.pin is not None and not ZERO <= c.pin < HUNDRED:
            problems.append(Problem("dual_control.decomposition.pin", f"“{c.name}”指定目标应在0至100之间", got=show(c.pin), fix="改正指定值。"))  # fmt: skip
        if c.potential < 0:
            problems.append(Problem("dual_control.decomposition.potential", f"“{c.name}”节能潜力为负数", got=show(c.potential), fix="改正节能潜力。"))  # fmt: skip
    return problems


def solve(
    counties: Sequence[County], target: Decimal, method: Method, *, step: Decimal = Decimal("0.1")
) -> Decomposition:
    """County targets on the grid of ``step`` points that bring the city its ``target`` with as little excess as possible.

    equal: one rate λ for all. banded: λ + offset. Both take the smallest λ on the grid. potential: in
    proportion to the potential, then rounded by largest remainder. Bounds hold for all but pinned counties.
    Infeasible (also with every free county at its upper bound) is said, with what is missing.
    """
    problems = check_counties(counties)
    if problems:
        return Decomposition((), None, feasible=False, problems=tuple(problems))
    weights = _weights(counties)
    wanted = Fraction(target)
    top = _clipped(counties, [c.high for c in counties], step)
    best = _implied(weights, top)
    if best < wanted:
        return Decomposition(
            _shares(counties, top, weights, step), _decimal(best), False, (_why(counties, target, best, step),)
        )
    if method is Method.POTENTIAL:
        shift, targets = _by_potential(counties, weights, wanted, step)
    else:
        shift, targets = _by_shift(counties, weights, wanted, step, banded=method is Method.BANDED)
    return Decomposition(
        _shares(counties, targets, weights, step), _decimal(_implied(weights, targets)), True, shift=shift
    )


def _bounds(county: County, step: Decimal) -> tuple[Decimal, Decimal]:
    """The bounds moved inward onto the grid."""
    low = (county.low / step).to_integral_value(ROUND_CEILING) * step
    high = (county.high / step).to_integral_value(ROUND_FLOOR) * step
    return (low, high) if low <= high else (county.high, county.high)


def _clipped(counties: Sequence[County], raw: Iterable[Decimal], step: Decimal) -> list[Decimal]:
    out = []
    for county, value in zip(counties, raw, strict=True):
        low, high = _bounds(county, step)
        out.append(county.pin if county.pin is not None else min(max(value, low), high))
    return out


def _by_shift(
    counties: Sequence[County], weights: Sequence[Fraction], wanted: Fraction, step: Decimal, *, banded: bool
) -> tuple[Decimal, list[Decimal]]:
    """Smallest λ on the grid: whole-number bisection, since the implied decline never falls as λ rises."""
    offsets = [c.offset if banded else ZERO for c in counties]

    def at(n: int) -> list[Decimal]:
        raw = [((n * step + o) / step).to_integral_value(ROUND_CEILING) * step for o in offsets]
        return _clipped(counties, raw, step)

    span = int(HUNDRED / step) + int(max(map(abs, offsets), default=ZERO) / step) + 1
    low, high = -span, span
    while low < high:
        middle = (low + high) // 2
        if _implied(weights, at(middle)) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low * step, at(low)


def _by_potential(
    counties: Sequence[County], weights: Sequence[Fraction], wanted: Fraction, step: Decimal
) -> tuple[Decimal, list[Decimal]]:
    """λ·potential: bisect λ unrounded, round down to the grid, then raise by one step in order of the remainder."""
    strongest = max((c.potential for c in counties), default=ONE) or ONE
    weakest = min((c.potential for c in counties if c.potential > 0), default=ONE)
    low, high = ZERO, HUNDRED / weakest
    with localcontext(prec=50):
        for _ in range(120):
            middle = (low + high) / 2
            if _implied(weights, _clipped(counties, [middle * c.potential for c in counties], step)) >= wanted:
                high = middle
            else:
                low = middle
            if (high - low) * strongest < Decimal("1e-20"):
                break
        raw = _clipped(counties, [high * c.potential for c in counties], step)
    targets = [
        t if c.pin is not None else max((t / step).to_integral_value(ROUND_FLOOR) * step, _bounds(c, step)[0])
        for c, t in zip(counties, raw, strict=True)
    ]
    order = sorted(range(len(counties)), key=lambda i: (-(raw[i] - targets[i]), i))
    while _implied(weights, targets) < wanted:
        before = list(targets)
        for i in order:
            if counties[i].pin is None and targets[i] + step <= _bounds(counties[i], step)[1]:
                targets[i] += step
                if _implied(weights, targets) >= wanted:
                    break
        if before == targets:  # cannot happen: solve() has checked that every county at its bound suffices
            raise AssertionError("no county left to raise")
    return high, targets


def _shares(
    counties: Sequence[County], targets: Sequence[Decimal], weights: Sequence[Fraction], step: Decimal
) -> tuple[Share, ...]:
    out = []
    for c, t, s in zip(counties, targets, weights, strict=True):
        low, high = _bounds(c, step)
        at = "pin" if c.pin is not None else "high" if t >= high else "low" if t <= low else ""
        out.append(Share(c.code, c.name, t, _decimal(s), at))
    return tuple(out)


def _why(counties: Sequence[County], target: Decimal, best: Fraction, step: Decimal) -> Problem:
    pinned = [f"{c.name}{show(c.pin)}%" for c in counties if c.pin is not None]
    fix = "提高部分地区的上限"
    if pinned:
        fix += f"，或放开指定值（{'、'.join(pinned)}）"
    return Problem(
        "dual_control.decomposition.infeasible", f"各地区都取上限（按{show(step)}个百分点取整），仍达不到全市目标，无法分解",
        got=f"最多可降{show(_decimal(best), 4)}%", wanted=f"{show(target)}%", fix=fix + "，或调整增速。",
    )  # fmt: skip


# --- scoring ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Factor:
    """A factor of the burden: ``sign`` +1 when a higher value asks for more, −1 for less; weight ≥ 0."""

    code: str
    name: str
    sign: int
    weight: Decimal


@dataclass(frozen=True, slots=True)
class Scored:
    """A county's score (Σ weight·sign·z / Σ weight) and the part of each factor in it."""

    code: str
    score: Decimal
    parts: dict[str, Decimal] = field(default_factory=dict)


@exact
def score(
    values: Mapping[str, Mapping[str, Decimal | None]], factors: Sequence[Factor]
) -> tuple[list[Scored], list[Problem]]:
    """z-scores of the factors over the counties (population standard deviation; no spread gives 0).

    ``values[county][factor]``; a missing value is a problem and no county is scored: missing is not average.
    """
    problems = [
        Problem("dual_control.factor.missing", f"缺少{factor.name}，不能评分", got=county, fix="补录该项数据，或将该因素的权重设为0。")
        for county, row in values.items() for factor in factors
        if factor.weight and row.get(factor.code) is None
    ]  # fmt: skip
    weight = sum((f.weight for f in factors), ZERO)
    if weight <= 0:
        problems.append(
            Problem(
                "dual_control.factor.weight", "各因素权重之和须为正数", got=show(weight), fix="至少给一个因素设定权重。"
            )
        )
    if problems:
        return [], problems
    parts: dict[str, dict[str, Decimal]] = {county: {} for county in values}
    for f in factors:
        if not f.weight:
            continue
        column = {county: row[f.code] or ZERO for county, row in values.items()}
        mean = sum(column.values(), ZERO) / len(column)
        spread = (sum(((v - mean) ** 2 for v in column.values()), ZERO) / len(column)).sqrt()
        for county, v in column.items():
            parts[county][f.code] = f.sign * f.weight * (v - mean) / spread / weight if spread else ZERO
    return [Scored(county, sum(p.values(), ZERO), p) for county, p in parts.items()], []


def band_offset(score_: Decimal, bands: Sequence[tuple[Decimal | None, Decimal]]) -> Decimal:
    """Points of the band a score falls in; ``bands`` are (lower bound with it, points), highest first, last open."""
    for lower, points in bands:
        if lower is None or score_ >= lower:
            return points
    return ZERO


def with_offsets(counties: Sequence[County], offsets: Mapping[str, Decimal]) -> list[County]:
    return [replace(c, offset=offsets.get(c.code, ZERO)) for c in counties]


# --- tons and totals -------------------------------------------------------------------------------
def largest_remainder(total: int, shares: Sequence[Decimal]) -> list[int]:
    """Whole tons that sum exactly to ``total``; ties go to the earlier one. Shares ≥ 0, not all zero."""
    whole = sum((Fraction(s) for s in shares), Fraction(0))
    if whole <= 0 or any(s < 0 for s in shares):
        raise ValueError("shares must be non-negative and not all zero")
    quotas = [Fraction(s) * total / whole for s in shares]
    out = [q.numerator // q.denominator for q in quotas]
    order = sorted(range(len(shares)), key=lambda i: (-(quotas[i] - out[i]), i))
    for i in order[: total - sum(out)]:
        out[i] += 1
    return out


@exact
def total_budget(
    energy_before: Decimal, growth_target: Decimal, decline: Decimal, growth_actual: Decimal | None = None
) -> Decimal:
    """E* = E(t−1)·(1+g)·(1−r); re-set with the actual growth when that exceeds the expected one (弹性总量)."""
    growth = growth_target if growth_actual is None else max(growth_target, growth_actual)
    return energy_before * (ONE + growth / HUNDRED) * (ONE - decline / HUNDRED)


@dataclass(frozen=True, slots=True)
class Budget:
    """One year's total-energy budget."""

    year: int
    planned: Decimal
    reset: Decimal  # with the actual growth where it exceeded the expected; else the planned one
    exempt: bool  # the incentive target is met, so that the total is not assessed


@exact
def budgets(
    energy0: Decimal,
    first_year: int,
    growth: Sequence[Decimal],
    decline: Decimal,
    actual_growth: Sequence[Decimal | None] = (),
    actual_energy: Sequence[Decimal | None] = (),
    exempt: Sequence[bool] = (),
) -> list[Budget]:
    """Budgets by year: each from the actual energy of the year before where known, else from its budget."""
    out = []
    before = energy0
    for i, g in enumerate(growth):
        real = actual_growth[i] if i < len(actual_growth) else None
        planned = total_budget(before, g, decline)
        reset = total_budget(before, g, decline, real)
        out.append(Budget(first_year + i, planned, reset, i < len(exempt) and exempt[i]))
        known = actual_energy[i] if i < len(actual_energy) else None
        before = known if known is not None else reset
    return out


def total_problem(energy: Decimal, budget: Budget) -> Problem | None:
    """The total exceeded, unless exempt."""
    if budget.exempt or energy <= budget.reset:
        return None
    return Problem(
        "dual_control.total.exceeded", f"{budget.year}年能源消费总量超出目标", Severity.WARNING, got=show(energy, 2),
        wanted=f"不大于{show(budget.reset, 2)}", fix="分析原因；强度达到激励目标的，总量免予考核。",
    )  # fmt: skip
