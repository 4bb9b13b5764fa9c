"""Decomposition, budgets, tons, LMDI: constraints that must hold for any input."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.problem import ProblemError
from lvheng.dual_control import rules
from lvheng.dual_control.lmdi import Category, lmdi
from lvheng.dual_control.rules import County, Factor, Method, solve

amount = st.decimals(min_value=1, max_value=5000, places=1)


@st.composite
def counties(draw, most=8):
    out = []
    for n in range(draw(st.integers(1, most))):
        gdp0 = draw(amount)
        growth = draw(st.decimals(min_value="0.8", max_value=2, places=3))
        low = draw(st.decimals(0, 15, places=1))
        out.append(
            County(
                f"c{n}", f"县{n}", draw(amount), gdp0, gdp0 * growth, low, low + draw(st.decimals(0, 10, places=1)),
                offset=draw(st.sampled_from([Decimal(-1), Decimal(0), Decimal("0.5"), Decimal(1)])), potential=draw(st.decimals("0.1", 40, places=1)),
                pin=draw(st.none() | st.none() | st.decimals(0, 25, places=2)),
            )
        )  # fmt: skip
    return out


def left_exactly(rows, targets):
    """Σ E0·(G1/G0)·(1−t) over [ΣE0·ΣG1/ΣG0], in fractions, from the definition of intensity."""
    e0, g0, g1 = (sum(Fraction(getattr(c, k)) for c in rows) for k in ("energy0", "gdp0", "gdp1"))
    e1 = sum(Fraction(c.energy0) * Fraction(c.gdp1) / Fraction(c.gdp0) * (1 - Fraction(t) / 100) for c, t in zip(rows, targets, strict=True))  # fmt: skip
    return (e1 / g1) / (e0 / g0)


@settings(max_examples=300)
@given(counties(), st.decimals(min_value=1, max_value=25, places=1), st.sampled_from(Method), st.sampled_from([Decimal("0.1"), Decimal("0.5"), Decimal("0.01")]))  # fmt: skip
def test_the_city_target_is_always_met_within_the_bands_or_said_to_be_impossible(rows, target, method, step):
    found = solve(rows, target, method, step=step)
    targets = [s.target for s in found.shares]
    if not found.feasible:
        assert found.problems
        assert found.implied < target
        assert 1 - left_exactly(rows, targets) < Fraction(target) / 100
        return
    assert left_exactly(rows, targets) <= 1 - Fraction(target) / 100
    for c, share in zip(rows, found.shares, strict=True):
        if c.pin is not None:
            assert share.target == c.pin
        else:
            assert c.low <= share.target <= c.high
            if c.high - c.low >= step:
                assert share.target % step == 0


@given(counties(), st.decimals(min_value=1, max_value=20, places=1))
def test_one_step_less_for_all_would_not_do(rows, target):
    step = Decimal("0.1")
    rows = [replace(c, low=Decimal(0), high=Decimal(40), pin=None) for c in rows]
    found = solve(rows, target, Method.EQUAL, step=step)
    if found.feasible and found.shares[0].target > 0:
        assert left_exactly(rows, [s.target - step for s in found.shares]) > 1 - Fraction(target) / 100
        assert len({s.target for s in found.shares}) == 1


@given(counties(), st.decimals(min_value=1, max_value=20, places=1), st.decimals("0.1", "0.9", places=2))
def test_a_county_split_in_two_gives_the_same_city(rows, target, part):
    first = rows[0]
    two = [
        replace(first, code="a", energy0=first.energy0 * part, gdp0=first.gdp0 * part, gdp1=first.gdp1 * part),
        replace(first, code="b", energy0=first.energy0 * (1 - part), gdp0=first.gdp0 * (1 - part), gdp1=first.gdp1 * (1 - part)),
    ]  # fmt: skip
    whole = solve(rows, target, Method.BANDED)
    split = solve([*two, *rows[1:]], target, Method.BANDED)
    assert whole.feasible == split.feasible
    assert [s.target for s in split.shares] == [whole.shares[0].target, *(s.target for s in whole.shares)]
    assert abs(whole.implied - split.implied) < Decimal("1e-20")


def city():
    return [
        County(
            "a",
            "甲",
            Decimal(600),
            Decimal(1000),
            Decimal(1200),
            Decimal(8),
            Decimal(20),
            offset=Decimal(1),
            potential=Decimal(3),
        ),
        County(
            "b",
            "乙",
            Decimal(400),
            Decimal(1000),
            Decimal(1400),
            Decimal(8),
            Decimal(20),
            offset=Decimal(-1),
            potential=Decimal(1),
        ),
    ]


def test_bands_keep_their_distance_and_potential_its_proportion():
    banded = solve(city(), Decimal(14), Method.BANDED)
    a, b = (s.target for s in banded.shares)
    assert a - b == 2
    share = solve(
        [replace(c, low=Decimal(0), high=Decimal(60)) for c in city()],
        Decimal(14),
        Method.POTENTIAL,
        step=Decimal("0.01"),
    )
    a, b = (s.target for s in share.shares)
    assert abs(a / b - 3) < Decimal("0.01")


def test_a_pin_moves_the_burden_to_the_others():
    free = solve(city(), Decimal(14), Method.EQUAL)
    pinned = solve([replace(city()[0], pin=Decimal(8)), city()[1]], Decimal(14), Method.EQUAL)
    assert pinned.feasible
    assert pinned.shares[1].target > free.shares[1].target


def test_infeasible_says_what_is_missing():
    found = solve([replace(c, high=Decimal(9)) for c in city()], Decimal(14), Method.EQUAL)
    assert not found.feasible
    (problem,) = found.problems
    assert "最多可降" in problem.got
    assert problem.wanted == "14%"


@pytest.mark.parametrize(
    "change",
    [
        {"energy0": Decimal(0)},
        {"gdp1": Decimal(-1)},
        {"low": Decimal(21)},
        {"pin": Decimal(100)},
        {"potential": Decimal(-1)},
    ],
)
def test_impossible_counties(change):
    found = solve([replace(city()[0], **change), city()[1]], Decimal(14), Method.EQUAL)
    assert not found.feasible
    assert found.problems
    assert found.shares == ()


def test_scores_show_the_part_of_each_factor_and_refuse_missing():
    factors = [Factor("output_rate", "能源产出率", -1, Decimal(2)), Factor("industry", "工业占比", 1, Decimal(1))]
    values = {
        "a": {"output_rate": Decimal(2), "industry": Decimal(40)},
        "b": {"output_rate": Decimal(4), "industry": Decimal(20)},
    }
    scored, problems = rules.score(values, factors)
    assert not problems
    assert [s.score for s in scored] == [1, -1]
    assert scored[0].parts == {"output_rate": pytest.approx(Decimal(2) / 3), "industry": pytest.approx(Decimal(1) / 3)}
    _, problems = rules.score({**values, "c": {"output_rate": None, "industry": Decimal(1)}}, factors)
    assert problems[0].got == "c"
    assert rules.band_offset(Decimal("0.5"), [(Decimal("0.5"), Decimal(1)), (None, Decimal(0))]) == 1


@given(st.integers(0, 10**6), st.lists(st.decimals(0, 1000, places=3), min_size=1, max_size=20).filter(any))
def test_tons_sum_exactly_and_stay_within_one_of_the_share(total, shares):
    got = rules.largest_remainder(total, shares)
    assert sum(got) == total
    whole = sum(map(Fraction, shares))
    assert all(abs(g - Fraction(s) * total / whole) < 1 for g, s in zip(got, shares, strict=True))


def test_ties_go_to_the_earlier():
    assert rules.largest_remainder(1100, [Decimal(1)] * 13) == [85] * 8 + [84] * 5


def test_budget_chain_is_reset_only_when_growth_exceeds():
    chain = rules.budgets(
        Decimal(1000),
        2021,
        [Decimal(6), Decimal(6), Decimal(6)],
        Decimal(3),
        [Decimal(8), Decimal(5), None],
        [Decimal(1040), None, None],
    )
    assert [round(b.reset, 2) for b in chain] == [Decimal("1047.60"), Decimal("1069.33"), Decimal("1099.48")]
    assert chain[0].planned == Decimal("1028.2")
    assert rules.total_problem(Decimal(1050), chain[0])
    assert rules.total_problem(Decimal(1040), chain[0]) is None
    assert rules.total_problem(Decimal(2000), replace(chain[0], exempt=True)) is None


# --- LMDI
positive = st.decimals(min_value="0.001", max_value=10**7, places=3)


@given(st.lists(st.tuples(positive, positive, positive, positive), min_size=1, max_size=10))
def test_effects_sum_to_the_change(rows):
    found = lmdi([Category(str(n), *row) for n, row in enumerate(rows)])
    change = sum(r[1] for r in rows) - sum(r[0] for r in rows)
    assert abs(found.change - change) < Decimal("1e-9")
    assert abs(sum(e.total for e in found.grouped(lambda n: str(int(n) % 2))) - change) < Decimal("1e-9")


@pytest.mark.parametrize(("row", "expected"), [
    ((0, 5, 0, 10), ("structure", 5)), ((5, 0, 10, 0), ("structure", -5)),
    ((0, 5, 10, 10), ("intensity", 5)), ((5, 0, 10, 10), ("intensity", -5)), ((0, 0, 0, 0), ("activity", 0)),
])  # fmt: skip
def test_zero_rule(row, expected):
    found = lmdi([Category("零", *map(Decimal, row)), Category("常", Decimal(1), Decimal(1), Decimal(1), Decimal(1))])
    name, value = expected
    assert getattr(found.effects[0], name) == value
    assert found.effects[0].total == value


@pytest.mark.parametrize("row", [(-1, 1, 1, 1), (1, 1, 0, 1), (0, 0, 0, 0)])
def test_what_cannot_be_decomposed(row):
    with pytest.raises(ProblemError):
        lmdi([Category("x", *map(Decimal, row))])
