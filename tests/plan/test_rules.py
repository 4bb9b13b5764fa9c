"""Progress of targets: published practice, exact edges, states with their reasons."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lvheng.core.problem import ProblemError
from lvheng.plan import rules
from lvheng.plan.rules import State, Thresholds, standing

LIMITS = Thresholds(far_behind_gap_pct=Decimal(10))
changes = st.decimals(min_value=-30, max_value=30, places=2)
targets = st.decimals(min_value=1, max_value=60, places=2)


def stand(value, target=Decimal(14), elapsed="0.4", measure="cumulative_decline", **more):
    return standing(target=target, value=None if value is None else Decimal(value), measure=measure, thresholds=LIMITS, elapsed=Decimal(elapsed), **more)  # fmt: skip


# --- arithmetic
def test_published_practice_is_logarithmic_not_linear():
    assert round(rules.progress_share(Decimal("7.64"), Decimal(16)), 2) == Decimal("45.58")
    assert round(rules.over_fulfilment(Decimal("26.59"), Decimal(20)), 2) == Decimal("32.95")


@given(targets, st.integers(1, 10))
def test_equal_yearly_falls_close_the_target(target, years):
    rate = rules.equal_annual_rate(target, years)
    assert abs(rules.cumulative_decline([-rate] * years) - target) < Decimal("1e-24")


@given(targets, st.lists(changes, min_size=1, max_size=4))
def test_remaining_need_closes_the_target(target, done):
    c = rules.cumulative_decline(done)
    left = rules.remaining_per_year(target, c, 3)
    assert abs(rules.cumulative_decline([*done, -left, -left, -left]) - target) < Decimal("1e-24")


@given(targets, st.lists(changes, min_size=1, max_size=5))
def test_order_of_years_does_not_matter(target, done):
    a, b = rules.cumulative_decline(done), rules.cumulative_decline(reversed(done))
    assert abs(a - b) < Decimal("1e-40")


@given(targets, st.decimals(min_value=-50, max_value=60, places=4))
def test_share_is_full_exactly_when_the_target_is_met(target, c):
    assert (rules.progress_share(c, target) >= 100) == (c >= target)
    assert (rules.over_fulfilment(c, target) >= 0) == (c >= target)


def test_schedule_of_the_last_year_is_the_target_itself():
    assert rules.schedule(Decimal(14), 5, 5) == 14
    assert [round(rules.schedule(Decimal(14), n, 5), 3) for n in (1, 2)] == [Decimal("2.971"), Decimal("5.855")]


@pytest.mark.parametrize("call", [
    lambda: rules.progress_share(Decimal(5), Decimal(0)),
    lambda: rules.progress_share(Decimal(5), Decimal(-14)),
    lambda: rules.progress_share(Decimal(100), Decimal(14)),
    lambda: rules.cumulative_decline([Decimal(-100)]),
    lambda: rules.schedule(Decimal(14), 1, 0),
    lambda: rules.decline_between(Decimal(0), Decimal(1)),
])  # fmt: skip
def test_what_has_no_meaning_is_a_problem(call):
    with pytest.raises(ProblemError):
        call()


def test_no_year_left_has_no_yearly_need():
    assert rules.remaining_per_year(Decimal(14), Decimal(13), 0) is None


def test_the_context_of_the_caller_does_not_matter():
    from decimal import localcontext

    with localcontext(prec=5):
        share = rules.progress_share(Decimal("13.9999999"), Decimal(14))
    assert share < 100


# --- showing
def test_a_figure_just_short_never_looks_equal():
    assert rules.telling(Decimal("13.998"), Decimal(14)) == ("13.998", "14.000")
    assert rules.telling(Decimal(14), Decimal(14)) == ("14.00", "14.00")
    assert rules.shown_share(Decimal("99.98")) == Decimal("99.9")
    assert rules.shown_share(Decimal("100.04")) == Decimal("100.0")


# --- states
def test_on_schedule_behind_far_behind():
    need = rules.schedule(Decimal(14), 2, 5)
    assert stand(need).state is State.ON_SCHEDULE
    assert stand(need - Decimal("0.01")).state is State.BEHIND
    assert stand("3").state is State.FAR_BEHIND


@given(targets, st.integers(1, 4))
def test_exactly_ten_per_cent_behind_is_not_far_behind(target, n):
    plan = Decimal(n) / 5 * 100
    at_edge = standing(target=target, value=target * plan * Decimal("0.9") / 100, measure="cumulative_amount", thresholds=LIMITS, elapsed=Decimal(n) / 5)  # fmt: skip
    assert at_edge.state is State.BEHIND
    beyond = standing(target=target, value=target * plan * Decimal("0.8999") / 100, measure="cumulative_amount", thresholds=LIMITS, elapsed=Decimal(n) / 5)  # fmt: skip
    assert beyond.state is State.FAR_BEHIND


def test_rounding_edge_at_the_deadline():
    done, short = stand("14.00", elapsed="1"), stand("13.998", elapsed="1")
    assert done.state is State.DONE
    assert short.state is State.BEHIND
    assert short.met is False
    assert "13.998" in short.reason
    assert "100.0%" not in short.reason.split("序时")[0]


def test_no_data_incomplete_and_not_begun():
    assert stand(None).state is State.NO_DATA
    assert stand(None, elapsed="0").state is State.NOT_DUE
    incomplete = stand("13", complete=False)
    assert (incomplete.state, incomplete.progress) == (State.NO_DATA, None)
    assert "不完整" in incomplete.reason
    assert stand("1", target=None).state is State.NO_DATA


def test_an_early_fall_must_be_kept_but_tons_cannot_be_lost():
    assert stand("15", elapsed="0.6").state is State.ON_SCHEDULE
    assert (
        stand("1200", target=Decimal(1100), elapsed="0.6", measure="cumulative_amount", unit="吨").state is State.DONE
    )


def test_levels_are_judged_on_the_way_from_their_base():
    made = {"measure": "level", "comparator": "le", "target": Decimal(12), "unit": "立方米/万元"}
    assert stand("13", baseline=Decimal(14), elapsed="0.5", **made).state is State.ON_SCHEDULE
    assert stand("13.9", baseline=Decimal(14), elapsed="0.5", **made).state is State.FAR_BEHIND
    assert stand("13.9", elapsed="0.5", **made).state is State.NOT_DUE
    assert stand("12.5", elapsed="1", **made).state is State.BEHIND
    assert stand("12", elapsed="1", **made).state is State.DONE


def test_points_and_growth():
    assert stand("10", target=Decimal(20), elapsed="0.5", measure="percentage_point_drop", unit="百分点").progress == 50
    assert stand("10", target=Decimal(21), elapsed="0.5", measure="cumulative_growth").progress == pytest.approx(50)


@given(st.sampled_from(["cumulative_decline", "cumulative_amount", "level", "ratio", "percentage_point_drop"]),
       st.sampled_from(["ge", "le", "gt", "lt"]), st.decimals(-50, 90, places=2), targets,
       st.decimals(0, 1, places=2), st.none() | st.decimals(1, 100, places=1))  # fmt: skip
def test_every_reason_is_one_sentence_and_agrees_with_the_state(measure, comparator, value, target, elapsed, baseline):
    assume(baseline != target)
    if measure in ("cumulative_decline", "cumulative_amount", "percentage_point_drop"):
        comparator = "ge"
    s = standing(target=target, value=value, measure=measure, thresholds=LIMITS, elapsed=elapsed, comparator=comparator, baseline=baseline)  # fmt: skip
    assert s.reason.endswith("。")
    assert s.reason.count("。") == 1
    assert (s.state is State.DONE) <= bool(s.met)
    if elapsed >= 1:
        assert (s.state is State.DONE) == s.met
