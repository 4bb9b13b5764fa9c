"""GB/T 2589 accounts of a unit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.energy.accounts import Carrier, FactorKind, Line, account, exact_total, flagged, unit_product

COAL = Carrier("raw_coal", "原煤", "coal", "吨", Decimal("0.7143"), Decimal("0.7143"))
GAS = Carrier("natural_gas", "天然气", "gas", "万立方米", Decimal("11"), Decimal("13.3"))
DIESEL = Carrier("diesel", "柴油", "oil", "吨", Decimal("1.4571"), Decimal("1.4571"))
POWER = Carrier("electricity", "电力", "power", "万千瓦时", Decimal("1.229"), Decimal("1.229"), Decimal("2.87"))
HEAT = Carrier("heat", "热力", "heat", "百万千焦", Decimal("0.0341"), Decimal("0.0341"))
ALL = {c.code: c for c in (COAL, GAS, DIESEL, POWER, HEAT)}


def run(*lines):
    return account(lines, ALL, band_pct=Decimal(30))


def line(code, use, **more):
    return Line(
        code, None if use is None else Decimal(use), **{k: v if k == "reason" else Decimal(v) for k, v in more.items()}
    )


def test_measured_first_then_reference_flagged():
    measured = run(line("raw_coal", "100", measured_factor="0.75"))
    assert measured.comprehensive.calorific == 75
    assert flagged(measured) == []
    assert measured.lines[0].factor_kind is FactorKind.MEASURED
    reference = run(line("diesel", "97"))
    assert reference.comprehensive.calorific == Decimal("141.3387")
    assert flagged(reference) == ["柴油"]


def test_a_range_demands_a_value_and_a_reason():
    for bad in (line("natural_gas", "1"), line("natural_gas", "1", chosen_factor="12"), line("natural_gas", "1", chosen_factor="14", reason="合同")):  # fmt: skip
        found = run(bad)
        assert found.problems
        assert not found.complete
    good = run(line("natural_gas", "2", chosen_factor="12.143", reason="供气合同载明热值"))
    assert good.complete
    assert good.comprehensive.calorific == Decimal("24.286")


def test_both_conventions_side_by_side_and_never_in_place_of_each_other():
    both = run(line("electricity", "10"), line("diesel", "1"))
    assert both.comprehensive.calorific == Decimal("13.7471")
    assert both.comprehensive.equivalent == Decimal("30.1571")
    without = run(line("electricity", "10"), line("heat", "10"))
    assert without.comprehensive.equivalent is None
    assert without.comprehensive.calorific == Decimal("12.631")
    assert "energy.account.no_equivalent" in [p.code for p in without.problems]


def test_comprehensive_is_use_plus_input_less_output_less_recovered():
    found = run(
        line("raw_coal", "1000", conversion_input="800"),
        line("electricity", "50", conversion_output="200", recovered="10"),
    )
    assert found.complete
    parts = found.final_use.calorific + found.conversion_input.calorific - found.conversion_output.calorific - found.recovered.calorific  # fmt: skip
    assert (
        found.comprehensive.calorific
        == parts
        == Decimal("1000") * Decimal("0.7143") + Decimal("-160") * Decimal("1.229")
    )


@pytest.mark.parametrize(("bad", "code"), [
    (line("raw_coal", "-1"), "negative"), (line("raw_coal", "5", feedstock="6"), "feedstock"),
    (line("raw_coal", "5", conversion_input="6"), "conversion"), (line("raw_coal", None), "missing"),
    (line("raw_coal", "5", measured_factor="7.143"), "factor_range"), (line("raw_coal", "5", measured_factor="0"), "factor"),
    (line("phlogiston", "5"), "carrier"), (line("electricity", "1", conversion_output="9"), "efficiency"),
])  # fmt: skip
def test_impossible_lines_leave_the_account_incomplete(bad, code):
    found = run(bad)
    assert f"energy.account.{code}" in [p.code for p in found.problems]
    assert not found.complete


def test_an_odd_measured_factor_passes_with_a_reason():
    found = run(line("raw_coal", "5", measured_factor="0.4", reason="掺烧煤泥，附化验单"))
    assert found.complete
    assert found.problems[0].severity.value == "warning"


def test_one_line_a_carrier():
    assert "energy.account.twice" in [p.code for p in run(line("diesel", "1"), line("diesel", "2")).problems]


def test_unit_product_energy():
    assert unit_product(Decimal(100), Decimal(40)) == Decimal("2.5")
    assert unit_product(Decimal(100), Decimal(0)) is None


@given(st.lists(st.tuples(st.integers(-(10**14), 10**14), st.integers(0, 150_000)), max_size=50))
def test_vector_total_is_exact(rows):
    got = exact_total([q for q, _ in rows], [k for _, k in rows])
    assert got == Decimal(sum(q * k for q, k in rows)).scaleb(-8)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("quantity", "factor"), [(10**10 + 7, 133_001), (9_000_000_000_001, 1_000_003), (2**62, 5)])
def test_vector_total_beyond_sixty_four_bits(quantity, factor, sign):
    rows = 3_000
    got = exact_total([sign * quantity] * rows, [factor] * rows)
    assert got == Decimal(sign * quantity * factor * rows).scaleb(-8)
