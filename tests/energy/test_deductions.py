"""Deductions, certificates and carbon."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.problem import ProblemError
from lvheng.energy import carbon
from lvheng.energy.deductions import (
    Block,
    Contract,
    Series,
    Year,
    certificate_deduction,
    check,
    check_blocks,
    deductible_nonfossil,
    renewable_increment,
    three_series,
)  # fmt: skip

part = st.none() | st.decimals(0, 300, places=2)


def year(t, energy="1000", gdp="1000", **more):
    more = {k: Decimal(v) if isinstance(v, str) else v for k, v in more.items()}
    return Year("甲", t, Decimal(energy), Decimal(gdp), **more)


@given(
    st.lists(
        st.tuples(st.decimals(700, 2000, places=2), part, part, st.decimals(0, 50, places=2)), min_size=1, max_size=6
    )
)
def test_a_deduction_never_raises_a_series(rows):
    years = [Year("甲", 2020 + n, e, Decimal(1000), f, x, carve_out=m) for n, (e, f, x, m) in enumerate(rows)]
    assert not check(years)
    found = three_series(years, 2020)
    for t in {s.year for s in found}:
        levels = [next(s for s in found if s.year == t and s.series is k) for k in Series]
        for before, after in pairwise(levels):
            if after.energy is not None:
                assert before.energy is not None
                assert after.energy <= before.energy
                assert after.intensity <= before.intensity


def test_unknown_feedstock_leaves_the_series_empty_not_equal():
    found = three_series([year(2020, feedstock="100"), year(2021)], 2020)
    assert next(s.energy for s in found if s.year == 2021 and s.series is Series.LESS_FEEDSTOCK) is None
    assert next(s.decline for s in found if s.year == 2021 and s.series is Series.MEASURED) == 0


def test_no_base_year_no_decline():
    assert {s.decline for s in three_series([year(2021)], 2020)} == {None}


@pytest.mark.parametrize(("years", "code"), [
    ([year(2020, feedstock="1001")], "energy.deduction.feedstock"),
    ([year(2020, feedstock="600", nonfossil="500")], "energy.deduction.total"),
    ([year(2020, energy="-5")], "energy.deduction.negative"),
    ([year(2020), year(2020)], "energy.deduction.twice"),
    ([year(2020, price_base=2020), year(2021, price_base=2015)], "energy.deduction.price_base"),
])  # fmt: skip
def test_impossible_parts(years, code):
    assert code in [p.code for p in check(years)]


def test_certificates_are_capped_after_physical_power():
    assert certificate_deduction(Decimal(60), Decimal(98), Decimal(50)) == 49
    assert deductible_nonfossil(Decimal(200), Decimal(10), Decimal(98), Decimal(50)) == 210
    assert renewable_increment(Decimal(90), Decimal(100), Decimal(3)) == 0


# --- certificates
blocks = st.lists(
    st.builds(
        lambda i, start, n, holder, y: Block(str(i), "S", start, start + n, holder, y),
        st.integers(), st.integers(1, 60), st.integers(0, 10), st.sampled_from("甲乙"), st.sampled_from([2023, 2024]),
    ),
    max_size=8,
)  # fmt: skip


@given(blocks)
def test_overlap_is_found_exactly_when_a_serial_is_used_twice(items):
    used = [n for b in items for n in range(b.start, b.end + 1)]
    assert bool(check_blocks(items)) == (len(used) != len(set(used)))


def test_series_do_not_overlap_each_other():
    assert not check_blocks([Block("1", "A", 1, 9, "甲", 2023), Block("2", "B", 1, 9, "乙", 2024)])


def test_the_same_power_by_contract_and_certificate():
    contract = Contract("G-1", "甲", 2024, Decimal(9000))
    bundled, own = Block("1", "A", 1, 9, "甲", 2024, contract="G-1"), Block("2", "A", 10, 12, "甲", 2024)
    assert [p.code for p in check_blocks([bundled, own], [contract])] == ["energy.certificate.with_contract"]
    assert check_blocks([own], [contract]) == []
    assert [p.code for p in check_blocks([], [contract, contract])] == ["energy.certificate.contract_twice"]


# --- carbon
def test_regional_and_enterprise_never_add_up():
    factors = {"coal": Decimal("2.66"), "oil": Decimal("1.73"), "gas": Decimal("1.56")}
    region = carbon.regional(
        {"coal": Decimal(100), "oil": Decimal(10), "gas": Decimal(1)}, factors, Decimal(1000), Decimal("0.55")
    )
    assert region.tons == Decimal("266") + Decimal("17.3") + Decimal("1.56") + Decimal("0.55")
    unit = carbon.enterprise([("柴油", "diesel", Decimal(97))], {"diesel": Decimal("3.0959")}, Decimal(0), None)
    assert unit.tons == Decimal("300.3023")
    with pytest.raises(ProblemError):
        region + unit


def test_a_missing_factor_is_incomplete_not_zero():
    assert not carbon.regional(
        {"coal": Decimal(1)}, {"coal": Decimal(2), "oil": Decimal(2)}, Decimal(0), Decimal(1)
    ).complete
    found = carbon.enterprise([("褐煤", "", Decimal(5))], {}, Decimal(10), None)
    assert not found.complete
    assert len(found.problems) == 2


def test_value_added_of_carved_out_projects_that_is_not_known_is_not_zero():
    years = [Year("甲", y, *(Decimal(n) for n in (100, 100, 10, 5, 8)), carve_out_gdp=None) for y in (2020, 2021)]
    kept, removed = (three_series(years, 2020, carve_out_removes_gdp=switch) for switch in (False, True))
    assert all(s.intensity is not None for s in kept)
    assert [s.series.value for s in removed if s.intensity is not None] == ["measured"] * 2
