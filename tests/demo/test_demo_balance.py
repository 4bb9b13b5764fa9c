"""The generated energy balance: fuels, sectors and the total agree exactly, in every region and year."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.demo.test_demo_pack import latest

SUPPLY = {"production": 1, "inflow": 1, "outflow": -1, "opening_stock": 1, "closing_stock": -1}
CONVERSION = {"losses": 1, "conversion_input": 1, "conversion_output": -1}


@pytest.fixture(scope="module", params=["pack", "mini_pack"])
def any_pack(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def world(any_pack):
    city = any_pack.city
    fuels = [*(f.code for f in city.parameters.units.fuels), "other_fuel"]
    sectors = [s.removeprefix("energy_") for s in city.parameters.energy.sectors]
    regions = [*(r.code for r in city.everyone), city.code]
    keys = [(r, str(y)) for r in regions for y in city.years]
    rows = latest(any_pack)

    def value(indicator, region, year, item=""):
        return rows[indicator, region, year, item].value

    equivalent = city.parameters.energy.electricity_equivalent / Decimal("1.229")

    def tce(flows, region, year):
        """Signed sum of flows over fuels, electricity by its equivalent factor."""
        return sum(
            sign * value(f"balance_{flow}", region, year, f) * (equivalent if f == "electricity" else 1)
            for f in fuels for flow, sign in flows.items()
        )  # fmt: skip

    return city, keys, fuels, sectors, value, tce


def test_fuels_are_sectors_are_the_total(world):
    city, keys, _fuels, sectors, value, tce = world
    for region, year in keys:
        for sector in sectors:
            flows = {sector: 1} | (CONVERSION if f"energy_{sector}" == city.parameters.energy.industry_sector else {})
            assert abs(tce(flows, region, year) - value(f"energy_{sector}", region, year) * 10_000) < Decimal("1e-6")
        whole = tce(dict.fromkeys(sectors, 1) | CONVERSION, region, year)
        assert abs(whole - value("energy_total", region, year) * 10_000) < Decimal("1e-6")


def test_the_statistical_difference_is_small_but_there(world):
    _city, keys, _fuels, sectors, value, tce = world
    found = [
        (tce(SUPPLY, r, y) - tce(dict.fromkeys(sectors, 1) | CONVERSION, r, y)) / value("energy_total", r, y) / 100
        for r, y in keys
    ]
    assert all(abs(share) < 1 for share in found)
    assert any(found)


def test_counties_add_up_and_electricity_is_that_of_society(world):
    city, _keys, fuels, sectors, value, _tce = world
    for year in map(str, city.years):
        for flow in (*SUPPLY, *CONVERSION, *sectors, "feedstock"):
            for fuel in fuels:
                parts = sum(value(f"balance_{flow}", r.code, year, fuel) for r in city.parts)
                assert parts == value(f"balance_{flow}", city.code, year, fuel)
        used = sum(value(f"balance_{s}", city.code, year, "electricity") for s in (*sectors, "losses"))
        months = sum(value("electricity_total", city.code, f"{year}-{m:02d}") for m in range(1, 13))
        assert used == months * Decimal("1.229")


def test_divisions_add_up_to_industry(any_pack):
    rows, city = latest(any_pack), any_pack.city
    divisions = {k[3] for k in rows if k[0] == "industry_energy_division"}
    for region in city.everyone:
        for month in city.months:
            parts = [rows.get(("industry_energy_division", region.code, month.code, d)) for d in divisions]
            whole = rows.get(("industry_energy", region.code, month.code, ""))
            if whole and any(parts):
                assert sum(p.value for p in parts if p) == whole.value


def test_units_use_no_more_fuel_than_industry_has(world, any_pack):
    city, _keys, _fuels, _sectors, value, _tce = world
    faulty = {t["subject"] for t in any_pack.truths}
    units = {u.code: u for u in any_pack.subjects if u.code not in faulty and 6 <= int(u.industry[:2]) <= 46}
    filed: dict[tuple[str, str, str], Decimal] = {}
    for (indicator, subject, period, item), row in latest(any_pack).items():
        if indicator == "energy_use" and subject in units and item != "electricity" and int(period[:4]) in city.years:
            key = units[subject].parent, period[:4], item
            filed[key] = filed.get(key, Decimal(0)) + row.value
    assert filed
    for (region, year, fuel), amount in filed.items():
        assert amount <= value("balance_industry", region, year, fuel) + len(units), (region, year, fuel)
