"""Outlook and the running of warnings."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.period import Period
from lvheng.core.problem import ProblemError
from lvheng.dual_control import outlook
from lvheng.dual_control.early_warning import Operation, Reading, check_issue, operate
from lvheng.energy import data

BASIS = outlook.Basis(0.5, 2.0, 5.0, 3.0, 5.0, 2.0, 0.5, 6)
RUN = Operation(raise_after=1, lower_after=2, completeness=Decimal(100))


def test_nowcast_weights_the_parts():
    assert outlook.energy_nowcast({"industry": 66.5, "other": 33.5}, {"industry": 2, "other": 4}) == pytest.approx(2.67)
    with pytest.raises(ProblemError):
        outlook.energy_nowcast({"industry": 1}, {})


def test_three_cases_are_in_order_and_the_base_case_is_exact():
    good, base, bad = outlook.three_cases(BASIS)
    assert good.change < base.change < bad.change
    assert base.energy_growth == 2.5
    assert base.change == pytest.approx((1.025 / 1.05 - 1) * 100)


def test_simulation_is_reproducible_and_centred_on_the_base_case():
    one, two = (outlook.simulate(BASIS, 8, 2, -3, 1, seed=7) for _ in range(2))
    assert (one.year_changes == two.year_changes).all()
    assert one.year_changes.mean() == pytest.approx(outlook.three_cases(BASIS)[1].change, abs=0.05)
    assert outlook.simulate(BASIS, 8, 2, -3, 1, seed=8).chance_of_year(2.4) != one.chance_of_year(2.4)


def test_a_closed_year_leaves_no_chance():
    done = outlook.Basis(1.0, 2.0, 5.0, 0, 0, 2, 1, 0)
    found = outlook.simulate(done, 10, 0, 0, 0)
    change = outlook.change_of(2, 5)
    assert found.chance_of_year(-change - 0.001) == 1
    assert found.chance_of_year(-change + 0.001) == 0
    assert outlook.rest_of_year_need(done, 3) is None


def test_need_of_the_rest_closes_the_year():
    growth = outlook.rest_of_year_need(BASIS, 3.0)
    energy = 0.5 * 2 + 0.5 * growth
    assert outlook.change_of(energy, 5) == pytest.approx(-3)


def test_backtest_judges_all_on_the_same_periods():
    found = outlook.backtest([1.0, 2.0, None, 4.0], {"a": [1.0, 3.0, 1, 4.0], "b": [None, 2.0, 1, 6.0]})
    assert [(t.name, t.periods, t.error, t.bias) for t in found] == [("a", 2, 0.5, 0.5), ("b", 2, 1.0, 1.0)]
    assert math.isnan(outlook.backtest([None], {"a": [1.0]})[0].error)


def test_contributions_of_the_largest():
    rows = outlook.contributions({"a": 10, "b": 5}, {"a": 14, "b": 5, "c": 1}, top=2)
    assert rows == [("a", 4, 80), ("b", 0, 0)]
    assert math.isnan(outlook.contributions({"a": 1}, {"a": 1})[0][2])


# --- running
def run(*changes, target="3", operation=RUN, scheme="national-2020"):
    readings = [
        Reading(
            Period.parse(f"{2023 + (m - 1) // 12}-{(m - 1) % 12 + 1:02d}YTD"),
            None if c is None else Decimal(c),
            Decimal(target),
            Decimal(100),
        )
        for m, c in enumerate(changes, 1)
    ]
    return operate(data.schemes()[scheme], readings, operation)


def test_up_at_once_down_only_after_two():
    labels = [s.effective.label for s in run("-3", "-2", "-3", "-2.8", "-3", "-3", "-3")]
    assert labels == ["三级", "一级", "一级", "二级", "二级", "三级", "三级"]


def test_incomplete_months_have_no_grade_and_break_no_row():
    found = run("-2", "-3", None, "-3")
    assert [s.effective.label if s.effective else None for s in found] == ["一级", "一级", None, "三级"]
    assert not found[2].can_issue
    assert check_issue(found[2], "甲县")[0].code == "dual_control.warning.incomplete"
    assert check_issue(found[3], "甲县")[0].code == "dual_control.warning.none"
    assert check_issue(found[0], "甲县") == []


def test_completeness_below_the_limit_is_never_graded():
    reading = Reading(Period.parse("2023-06YTD"), Decimal(5), Decimal(3), Decimal("99.9"), ("乙镇6月",))
    (found,) = operate(data.schemes()["national-2021"], [reading], RUN)
    assert (found.raw, found.effective) == (None, None)
    assert "乙镇6月" in found.reason


@given(st.lists(st.none() | st.decimals(-6, 3, places=1), max_size=14), st.integers(1, 3), st.integers(1, 3))
def test_the_grade_in_effect_is_always_one_that_was_read(changes, up, down):
    found = run(*changes, operation=Operation(up, down, Decimal(100)))
    read = set()
    for s in found:
        if s.raw:
            read.add(s.raw.severity)
            assert s.effective.severity in read
        else:
            assert s.effective is None
