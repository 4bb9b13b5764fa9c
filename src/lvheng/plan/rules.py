"""How far a target is: the arithmetic of progress, exact and free of storage.

All rates are in per cent as published: a *decline* is positive when the value fell, a *change* carries
its sign (−3.2 is a fall of 3.2 %). Numbers are Decimal with 50 digits of working precision and are
never rounded here: whether a target is met is decided on the exact value.

Sources: 青海省统计局 2009-10-13 (cumulative, equal rate, logarithmic progress, remaining need),
河南省 2016 assessment notice (progress), 国家发展改革委 国家统计局公告2011年第9号 (over-fulfilment).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from functools import wraps
from typing import Any, TypeVar

from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import rounded, show

HUNDRED = Decimal(100)
ONE = Decimal(1)
F = TypeVar("F", bound=Callable[..., Any])


def exact(function: F) -> F:
    """Run with 50 digits, whatever context the caller has."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with localcontext(prec=50):
            return function(*args, **kwargs)

    return run  # type: ignore[return-value]


# --- rates ----------------------------------------------------------------------------------------
def _factor(decline: Decimal, what: str) -> Decimal:
    """1 − decline; a decline of 100 % or more leaves nothing and has no rate."""
    if decline >= HUNDRED:
        raise ProblemError(
            Problem("plan.rate.impossible", f"{what}达到或超过100%，无法计算", got=f"{show(decline)}%", wanted="小于100%", fix="核对数值和单位。")
        )  # fmt: skip
    return ONE - decline / HUNDRED


def _target(target: Decimal) -> Decimal:
    if target <= 0:
        raise ProblemError(
            Problem("plan.target.not_positive", "降低目标须为正数", got=f"{show(target)}%", wanted="大于0、小于100", fix="目标按下降为正填写，如14。")
        )  # fmt: skip
    return _factor(target, "目标")


@exact
def cumulative_decline(changes: Iterable[Decimal]) -> Decimal:
    """C = 1 − Π(1 + change), per cent. Yearly changes in per cent, falls negative; order does not matter."""
    left = ONE
    for change in changes:
        left *= _factor(-change, "年度降幅")
    return (ONE - left) * HUNDRED


@exact
def decline_between(before: Decimal, after: Decimal) -> Decimal:
    """Decline from one level to another, per cent."""
    if before == 0:
        raise ProblemError(Problem("plan.rate.no_base", "基期数值为零，无法计算变化", got="0", fix="核对基期数值。"))
    return (ONE - after / before) * HUNDRED


@exact
def equal_annual_rate(target: Decimal, years: int) -> Decimal:
    """r̄ = 1 − (1−T)^(1/N): the decline that every year must bring, per cent."""
    return schedule(target, 1, years)


@exact
def schedule(target: Decimal, done: int | Decimal, years: int) -> Decimal:
    """Cumulative decline due after ``done`` of ``years`` years, 1 − (1−T)^(n/N), per cent."""
    if years <= 0:
        raise ProblemError(
            Problem("plan.years.not_positive", "规划期年数须为正数", got=str(years), fix="填写整年数，如5。")
        )
    if done == years:
        _target(target)
        return +target
    return (ONE - _target(target) ** (Decimal(done) / Decimal(years))) * HUNDRED


@exact
def time_schedule(done: int | Decimal, years: int) -> Decimal:
    """序时进度 n/N, per cent."""
    if years <= 0:
        raise ProblemError(
            Problem("plan.years.not_positive", "规划期年数须为正数", got=str(years), fix="填写整年数，如5。")
        )
    return Decimal(done) / Decimal(years) * HUNDRED


@exact
def progress_share(cumulative: Decimal, target: Decimal) -> Decimal:
    """P = ln(1−C) / ln(1−T), per cent: the published definition. Negative when the value rose."""
    return _factor(cumulative, "累计降幅").ln() / _target(target).ln() * HUNDRED


@exact
def remaining(target: Decimal, cumulative: Decimal) -> Decimal:
    """R = 1 − (1−T)/(1−C), per cent: the decline still needed; negative is the room left when met."""
    return (ONE - _target(target) / _factor(cumulative, "累计降幅")) * HUNDRED


@exact
def remaining_per_year(target: Decimal, cumulative: Decimal, years_left: int | Decimal) -> Decimal | None:
    """1 − ((1−T)/(1−C))^(1/k), per cent a year; None when no year is left. Negative as in :func:`remaining`."""
    if years_left <= 0:
        return None
    return (ONE - (_target(target) / _factor(cumulative, "累计降幅")) ** (ONE / Decimal(years_left))) * HUNDRED


@exact
def over_fulfilment(cumulative: Decimal, target: Decimal) -> Decimal:
    """(C−T)/T, per cent: linear, not logarithmic; negative is what is short."""
    _target(target)
    return (cumulative - target) / target * HUNDRED


@exact
def linear_share(value: Decimal, target: Decimal, baseline: Decimal = Decimal(0)) -> Decimal | None:
    """(value − baseline)/(target − baseline), per cent, for amounts, levels, ratios and 百分点; None without a way to go."""
    way = target - baseline
    return (value - baseline) / way * HUNDRED if way else None


@exact
def growth_share(growth: Decimal, target: Decimal) -> Decimal:
    """ln(1+C)/ln(1+T), per cent, for targets of cumulative growth."""
    return _factor(-growth, "累计降幅").ln() / (ONE + target / HUNDRED).ln() * HUNDRED


# --- showing without lying -------------------------------------------------------------------------
def telling(value: Decimal, limit: Decimal, places: int = 2, most: int = 10) -> tuple[str, str]:
    """Both numbers with the fewest places (at least ``places``) at which they do not look equal unless they are."""
    for n in range(places, most):
        if value == limit or rounded(value, n) != rounded(limit, n):
            return show(value, n), show(limit, n)
    return show(value), show(limit)


def shown_share(share: Decimal, places: int = 1) -> Decimal:
    """A share for people; one below 100 is never rounded up to 100."""
    nearest = share.quantize(ONE.scaleb(-places), rounding=ROUND_HALF_UP)
    if nearest == HUNDRED and share < HUNDRED:
        return share.quantize(ONE.scaleb(-places), rounding=ROUND_DOWN)
    return nearest


# --- standing --------------------------------------------------------------------------------------
class State(StrEnum):
    """Where a target stands; shape, word and colour together in one place."""

    DONE = "done"
    ON_SCHEDULE = "on_schedule"
    BEHIND = "behind"
    FAR_BEHIND = "far_behind"
    NO_DATA = "no_data"
    NOT_DUE = "not_due"

    @property
    def label(self) -> str:
        return {
            "done": "已完成", "on_schedule": "按进度", "behind": "落后", "far_behind": "严重落后",
            "no_data": "无数据", "not_due": "未到期",
        }[self.value]  # fmt: skip

    @property
    def mark(self) -> str:
        return {
            "done": "●", "on_schedule": "◐", "behind": "▲", "far_behind": "■", "no_data": "○", "not_due": "◌",
        }[self.value]  # fmt: skip

    @property
    def rank(self) -> int:
        """For sorting, worst first."""
        return ["far_behind", "behind", "no_data", "on_schedule", "not_due", "done"].index(self.value)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When behind becomes far behind: the gap as a share of the schedule (before the deadline) or the target (at it).

    The numbers come from the rulebook (``progress.standing``).
    """

    far_behind_gap_pct: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """The state, one sentence of reason, and the exact shares behind it (per cent, None where there is none)."""

    state: State
    reason: str
    progress: Decimal | None = None
    schedule: Decimal | None = None
    met: bool | None = None


# measures whose value, once reached, cannot be lost again
_KEPT = {"cumulative_amount", "count", "completion", "enumerated_places"}


def is_met(value: Decimal, target: Decimal, comparator: str) -> bool:
    """Whether the exact value satisfies the target; the words 左右 and 基本 count as at least."""
    match comparator:
        case "gt":
            return value > target
        case "le":
            return value <= target
        case "lt":
            return value < target
        case "eq":
            return value == target
        case _:
            return value >= target


def share_of(
    value: Decimal, target: Decimal, measure: str, comparator: str = "ge", baseline: Decimal | None = None
) -> Decimal | None:
    """The share of the way gone, per cent, by the measure of the target; None where no way is defined.

    ``value`` is in the target's own terms: the cumulative decline for ``cumulative_decline``, the tons for
    ``cumulative_amount``, the points for ``percentage_point_drop``, the level for ``level`` and ``ratio``.
    """
    if measure == "cumulative_decline":
        return progress_share(value, target) if target > 0 else None
    if measure == "cumulative_growth":
        return growth_share(value, target) if target > 0 else None
    if measure in ("level", "ratio", "threshold"):
        if baseline is None or is_met(baseline, target, comparator):
            return None
        return linear_share(value, target, baseline)
    return linear_share(value, target)


@exact
def standing(
    *,
    target: Decimal | None,
    value: Decimal | None,
    measure: str,
    thresholds: Thresholds,
    elapsed: Decimal,
    comparator: str = "ge",
    baseline: Decimal | None = None,
    unit: str = "%",
    places: int = 2,
    complete: bool = True,
) -> Standing:
    """Where one target stands at one time.

    ``elapsed`` is the share of the time gone, 0 to 1 (n/N; 1 at or after the deadline). A value that is
    known to be incomplete gives NO_DATA with its reason: an incomplete number is never judged.
    """
    due = elapsed >= 1
    plan = min(max(elapsed, Decimal(0)), ONE) * HUNDRED
    if target is None:
        return Standing(State.NO_DATA, "目标值尚未下达。", schedule=plan)
    if value is None or not complete:
        if elapsed <= 0:
            return Standing(State.NOT_DUE, "规划期尚未开始。", schedule=plan)
        return Standing(State.NO_DATA, "数据不完整，不作评判。" if value is not None else "尚无数据。", schedule=plan)
    met = is_met(value, target, comparator)
    share = share_of(value, target, measure, comparator, baseline)
    if share is not None:
        share = rounded(share, 20)  # a logarithm is never exact: equal to 20 places is equal
    now, wanted = telling(value, target, places)
    figures = f"{_noun(measure)}{now}{unit}，目标{wanted}{unit}"
    if met:
        if due or measure in _KEPT:
            return Standing(State.DONE, f"{figures}，已达到目标。", share, plan, met)
        return Standing(State.ON_SCHEDULE, f"{figures}，已提前达到目标值，须保持到期末。", share, plan, met)
    gap_limit = thresholds.far_behind_gap_pct
    if share is None:  # no base value: only the end can be judged
        if not due:
            return Standing(State.NOT_DUE, f"{figures}，无基期数值，到期再作评判。", None, plan, met)
        short = abs(target - value) / abs(target) * HUNDRED if target else HUNDRED
        state = State.FAR_BEHIND if short > gap_limit else State.BEHIND
        return Standing(state, f"{figures}，到期未达到目标。", None, plan, met)
    if not due and share >= plan:
        ahead = f"完成目标进度{show(shown_share(share))}%，序时进度{show(plan, 1)}%"
        return Standing(State.ON_SCHEDULE, f"{figures}，{ahead}，达到序时进度。", share, plan, met)
    late = plan - share
    state = State.FAR_BEHIND if late > gap_limit * plan / HUNDRED else State.BEHIND
    a, b = telling(share, plan, 1)
    word = "到期未达到目标" if due else f"落后序时进度{show(rounded(late, 1) or late)}个百分点"
    return Standing(state, f"{figures}，完成目标进度{a}%，序时进度{b}%，{word}。", share, plan, met)


def _noun(measure: str) -> str:
    return {
        "cumulative_decline": "累计下降", "cumulative_growth": "累计增长", "cumulative_amount": "累计",
        "percentage_point_drop": "累计下降", "percentage_point_rise": "累计提高",
    }.get(measure, "现为")  # fmt: skip
