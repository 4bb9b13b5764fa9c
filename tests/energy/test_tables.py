"""Accounts, deductions and balances from tables and from the rulebook."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from lvheng.core.problem import ProblemError
from lvheng.energy import data, progress_table
from lvheng.energy.commands import energy
from lvheng.energy.regional import Balance, balance, check_city, sector_total
from lvheng.energy.rules import coefficient, intensity_change_of_levels

LHV = {"raw_coal": 20934, "washed_coal": 26377, "coke": 28470, "crude_oil": 41868, "gasoline": 43124, "diesel": 42705, "lpg": 50242, "refinery_gas": 46055, "lng": 51498}  # fmt: skip


def write(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return path


def run(*args):
    return CliRunner().invoke(energy, [str(a) for a in args])


def test_reference_factors_agree_with_their_heating_values():
    for code, lhv in LHV.items():
        assert abs(coefficient(Decimal(lhv)) - data.carriers(2022)[code].low) < Decimal("0.0001"), code


def test_factors_are_of_their_year():
    assert data.carriers(2020)["electricity"].equivalent == Decimal("2.87")
    assert data.carriers(2019)["electricity"].equivalent == Decimal("2.89")
    assert data.carriers(2022)["heat"].equivalent is None
    with pytest.raises(ProblemError):
        data.carriers(2000)
    assert data.power_co2(2023) == (Decimal("0.5306"), "V")
    assert data.power_co2(2023, "350000") is None


def test_account_of_a_unit(tmp_path):
    path = write(
        tmp_path,
        "能源品种,消费量,加工转换投入,加工转换产出,实测低位发热量,选定系数,理由\n原煤,1000,800,,20934,,\n电力,50,,120,,,\n天然气,2,,,,12.143,合同热值\n柴油,97,,,,,\n",
    )
    out = run("account", path, "--year", 2022, "--json")
    got = json.loads(out.stdout)
    assert got["complete"]
    kinds = {r["carrier"]: r["factor_kind"] for r in got["lines"]}
    assert kinds == {"raw_coal": "measured", "electricity": "reference", "natural_gas": "chosen", "diesel": "reference"}
    expected = (
        coefficient(Decimal(20934)) * 1000
        + (50 - 120) * Decimal("1.229")
        + 2 * Decimal("12.143")
        + 97 * Decimal("1.4571")
    )
    assert abs(Decimal(got["comprehensive"]["calorific_tce"]) - expected) < Decimal("1e-20")
    assert got["comprehensive"]["equivalent_tce"] != got["comprehensive"]["calorific_tce"]


@pytest.mark.parametrize("row", ["原煤,-5,,", "天然气,5,,", "火星煤,5,,", "原煤,5,6,", "原煤,5,,209340"])
def test_impossible_units_are_refused(tmp_path, row):
    path = write(tmp_path, f"能源品种,消费量,用于原材料,低位发热量\n{row}\n")
    out = run("account", path, "--year", 2022)
    assert isinstance(out.exception, ProblemError)
    assert out.stdout == ""


def test_three_series_from_a_table(tmp_path):
    path = write(tmp_path, "地区,年份,能耗,可比价GDP,原料用能\n甲,2020,1000,1000,100\n甲,2021,1180,1280,220\n")
    last = json.loads(run("deduct", path, "--json").stdout)[-1]
    assert last["measured_decline_pct"] == 7.8125
    assert last["less_feedstock_decline_pct"] == 16.666667
    assert last["less_nonfossil_decline_pct"] is None
    assert "16.67%" in run("deduct", path).stdout


def test_mixed_prices_are_refused(tmp_path):
    path = write(tmp_path, "region,year,energy,gdp,price_base\n甲,2020,1,1,2020\n甲,2021,1,1,2015\n")
    with pytest.raises(ProblemError) as caught:
        progress_table.deduct(path)
    assert caught.value.problems[0].code == "energy.deduction.price_base"
    assert caught.value.problems[0].place.line == 3


def test_four_decimals_before_dividing():
    args = (Decimal("0.50004"), Decimal(1), Decimal("0.48996"), Decimal(1))
    assert intensity_change_of_levels(*args, 4) == Decimal("-2.00")
    assert intensity_change_of_levels(*args, None) != Decimal("-2.00")


def test_balance_shows_its_difference_and_says_when_it_is_incomplete():
    final = {"industry": Decimal(60), "living": Decimal(15)}
    whole = balance(
        Balance(Decimal(20), Decimal(70), Decimal(5), Decimal(3), Decimal(4), final, losses=Decimal(1)),
        tolerance_pct=Decimal(5),
    )
    assert (whole.available, whole.use, whole.difference) == (84, 76, 8)
    assert [p.code for p in whole.problems] == ["energy.balance.difference"]
    part = balance(Balance(Decimal(20), None, Decimal(5), Decimal(3), Decimal(4), final), tolerance_pct=Decimal(5))
    assert (part.available, part.difference) == (None, None)


def test_sectors_and_counties_are_never_summed_with_a_gap():
    full = dict.fromkeys(("agriculture", "industry", "construction", "services", "living"), Decimal(1))
    assert (sector_total(full).total, sector_total(full).production_sectors) == (5, 4)
    assert sector_total({**full, "living": None}).total is None
    assert sector_total({**full, "living": None}).missing == ("居民生活",)
    assert check_city(Decimal(3), [Decimal(1), Decimal(2)], tolerance_pct=Decimal(1)) == []
    assert check_city(Decimal(3), [Decimal(1), None], tolerance_pct=Decimal(1))[0].code == "energy.regional.incomplete"
    assert check_city(Decimal(3), [Decimal(1), Decimal(1)], tolerance_pct=Decimal(1))[0].code == "energy.regional.sum"
