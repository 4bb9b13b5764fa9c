"""The generated city: it adds up, it is the same each time, and its faults are known."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal

import pytest

from lvheng.core.codes import credit_code_problem, load_codes
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.core.rulebook import Rulebook
from lvheng.demo import pack as packing
from lvheng.demo.city import Row, county_targets
from lvheng.demo.errors import FAULTS
from lvheng.demo.pack import Batch, Pack, assemble, write
from lvheng.demo.units import SYNTHETIC_PREFIX
from tests.demo.mini import ROOT, write_mini


@pytest.fixture(params=["mini_pack", "pack"], ids=["small city", "first city"])
def any_pack(request: pytest.FixtureRequest) -> Pack:
    return request.getfixturevalue(request.param)


def latest(pack: Pack) -> dict[tuple[str, str, str, str], Row]:
    return {(r.indicator, r.subject, r.period, r.item): r for b in pack.batches for r in b.rows}


def by_region(pack: Pack, batch: Batch, catalogue) -> dict[tuple[str, str, str], dict[str, Decimal]]:
    regions = {r.code for r in pack.city.everyone} | {pack.city.code}
    table: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(dict)
    for row in batch.rows:
        if row.subject in regions and catalogue[row.indicator].over_regions == "sum":
            table[row.indicator, row.period, row.item][row.subject] = row.value
    return table


def test_counties_add_up_to_the_city_exactly_in_every_posting(any_pack, catalogue):
    city, compared = any_pack.city, 0
    counted = {r.code for r in city.parts}
    for batch in any_pack.batches:
        for key, values in by_region(any_pack, batch, catalogue).items():
            if city.code in values and len(values) > 1:
                assert sum(v for c, v in values.items() if c in counted) == values[city.code], key
                compared += 1
    assert compared > 1500


def test_a_partial_sum_is_never_given(any_pack, catalogue):
    """A late region leaves the city without the figure."""
    city = any_pack.city
    late = {r.code for r in city.parts if city.numbers(r.code).late}
    assert late
    table = by_region(any_pack, next(b for b in any_pack.batches if "统计" in b.title), catalogue)
    last = city.last_month.code
    energy = table["industry_energy", last, ""]
    assert not late & set(energy)
    assert city.code not in energy
    assert len(energy) == len(city.everyone) - len(late)


def test_an_uncounted_region_reports_but_counts_in_nothing(mini_pack, catalogue):
    gdp = {
        r.subject: r.value for r in latest(mini_pack).values() if r.indicator == "gdp_constant" and r.period == "2024"
    }
    assert gdp["990122"] > 0
    assert gdp["990100"] == gdp["990101"] + gdp["990102"] + gdp["990121"] + gdp["990121-z"]


def test_months_and_quarters_add_up_to_the_year(any_pack):
    rows = latest(any_pack)
    city = any_pack.city
    for region in [*[r.code for r in city.everyone], city.code]:
        for year in city.years:
            for indicator in ("gdp_constant", "energy_total"):
                quarters = [rows[indicator, region, f"{year}Q{q}", ""].value for q in range(1, 5)]
                assert sum(quarters) == rows[indicator, region, str(year), ""].value, (indicator, region, year)


def test_sectors_add_up_to_the_total(any_pack):
    rows, city = latest(any_pack), any_pack.city
    for region in [*[r.code for r in city.everyone], city.code]:
        for year in city.years:
            sectors = [rows[name, region, str(year), ""].value for name in city.parameters.energy.sectors]
            assert sum(sectors) == rows["energy_total", region, str(year), ""].value
            months = [rows["industry_energy", region, f"{year}-{m:02d}", ""].value for m in range(1, 13)]
            assert sum(months) <= rows[city.parameters.energy.industry_sector, region, str(year), ""].value


def test_no_part_is_more_than_its_whole(any_pack):
    rows = latest(any_pack)
    for entry in any_pack.city.parameters.programmes:
        if entry.how == "part" and not entry.uncapped and max(entry.years) <= 100:
            mine = {k: r for k, r in rows.items() if k[0] == entry.indicator and k[3] == entry.item}
            assert mine
            for (_, subject, period, item), row in mine.items():
                total = rows.get((entry.of, subject, period, item)) or rows.get((entry.of, subject, period, ""))
                if total is not None and total.unit == row.unit:
                    assert row.value <= total.value, (entry.indicator, subject, period)


def test_what_is_kept_never_falls(any_pack, catalogue):
    """Villages done, berths fitted: a county does not lose them."""
    city, seen = any_pack.city, defaultdict(list)
    rising = {
        e.indicator for e in city.parameters.programmes
        if catalogue[e.indicator].over_time == "last" and list(e.years) == sorted(e.years) and e.how == "part"
        and next(w for w in city.parameters.programmes if w.indicator == e.of and w.item in (e.item, "")).years[0] > 0
        and not e.item
    }  # fmt: skip
    steady = {e.indicator for e in city.parameters.programmes if len(set(e.years)) == 1}
    wholes = {e.indicator: e.of for e in city.parameters.programmes}
    for (indicator, subject, period, _), row in latest(any_pack).items():
        if indicator in rising and wholes[indicator] in steady:
            seen[indicator, subject].append((Period.parse(period), row.value))
    assert len(seen) > 50
    for key, series in seen.items():
        values = [v for _, v in sorted(series)]
        assert values == sorted(values), key


def test_figures_fit_the_catalogue(any_pack, catalogue):
    for batch in any_pack.batches:
        for row in batch.rows:
            indicator = catalogue[row.indicator]
            assert indicator.observed
            assert row.value >= 0
            assert bool(row.item) == bool(indicator.dimensions), row
    kinds = {Period.parse(r.period).kind for b in any_pack.batches for r in b.rows}
    assert kinds == {Kind.YEAR, Kind.QUARTER, Kind.MONTH}


def test_every_observed_indicator_is_fed_or_has_a_reason(any_pack, catalogue):
    assert not packing.unfed(any_pack, catalogue)
    assert all(e.reason for e in any_pack.city.parameters.empty)


def test_an_unfed_indicator_is_told(tmp_path, catalogue):
    plan, data = write_mini(tmp_path, empty=[])
    found = packing.unfed(assemble(plan, catalogue, data), catalogue)
    assert {p.got for p in found} >= {"cooling_sold", "new_unit_coal"}
    assert all(p.fix and p.place.file == "data/demo/mini.yaml" for p in found)


def test_an_unknown_indicator_is_a_problem(tmp_path, catalogue):
    plan, data = write_mini(
        tmp_path,
        empty=[{"indicator": "moonlight", "reason": "无"}, {"indicator": "cod_project_reduction", "reason": "无"}],
    )
    with pytest.raises(ProblemError) as error:
        assemble(plan, catalogue, data)
    assert [p.got for p in error.value] == ["moonlight", "cod_project_reduction"]


def test_units_are_well_formed_and_clearly_invented(any_pack):
    codes = [s.code for s in any_pack.subjects]
    assert len(set(codes)) == len(codes) == any_pack.city.parameters.units.count
    assert len({s.name for s in any_pack.subjects}) == len(codes)
    for unit in any_pack.subjects:
        assert credit_code_problem(unit.code) is None
        assert unit.code[8:12] == SYNTHETIC_PREFIX
        assert unit.name.endswith("（演示）")
    assert {s.parent for s in any_pack.subjects} == {r.code for r in any_pack.city.everyone}


def test_industries_and_fuels_are_of_the_code_lists(pack):
    industries = load_codes(ROOT / "rulebook" / "codes" / "gbt4754.yaml")
    numbers = pack.city.parameters.units
    for industry in numbers.industries:
        assert industry.code in industries, industry
    fuels = load_codes(ROOT / "rulebook" / "codes" / "fuels.yaml")
    book = Rulebook.load(ROOT / "rulebook" / "energy")
    day = Period.of_year(pack.city.years[-1]).end
    table = {row["code"]: row for row in book.at("energy.factors", day).rows()}
    assert book.at("energy.electricity_equivalent", day).value == pack.city.parameters.energy.electricity_equivalent
    for fuel in numbers.fuels:
        assert fuel.code in fuels
        assert fuel.unit == fuels[fuel.code].more["unit"]
        assert Decimal(table[fuel.code]["low"]) <= fuel.factor <= Decimal(table[fuel.code]["high"]), fuel.code


def test_units_use_two_to_four_fuels(pack):
    fuels = defaultdict(set)
    for batch in pack.batches:
        for row in batch.rows:
            if row.indicator == "energy_use":
                fuels[row.subject].add(row.item)
    assert len(fuels) > 1990
    assert {len(f) for f in fuels.values()} <= {2, 3, 4}


def test_faults_are_as_the_truth_says(any_pack):
    """What was filed stands in the rows; what is true does not."""
    rows = latest(any_pack)
    assert any_pack.truths
    for fault in any_pack.truths:
        assert any(s.code == fault["subject"] for s in any_pack.subjects)
        assert fault["note"]
        if fault["indicator"] == "industry_output" or not fault["item"]:
            continue
        for n, period in enumerate(fault["periods"]):
            row = rows[fault["indicator"], fault["subject"], period, fault["item"]]
            assert row.value == Decimal(fault["filed"][n])
        assert fault["filed"] != fault["true"]
    not_filed = [f for f in any_pack.truths if f["kind"] == "not_filed"]
    for fault in not_filed:
        assert not [k for k in rows if k[0] == "energy_use" and k[1] == fault["subject"] and k[2] in fault["periods"]]


def test_every_kind_of_fault_is_there_once_a_unit(pack):
    assert {f["kind"] for f in pack.truths} == {name.rsplit("_1", 1)[0] for name in FAULTS}
    assert len({f["subject"] for f in pack.truths}) == len(pack.truths)
    assert len(pack.truths) < len(pack.subjects) / 20


def test_stocks_balance_but_for_the_faults(pack):
    rows = latest(pack)
    wrong = {(f["subject"], f["periods"][0]) for f in pack.truths if f["kind"] == "stock_mismatch"}
    others = {f["subject"] for f in pack.truths if f["kind"] != "stock_mismatch"}
    found, checked = set(), 0
    for (indicator, subject, year, fuel), row in rows.items():
        if indicator != "energy_closing_stock" or subject in others:
            continue
        used = sum(
            rows[k].value for m in range(1, 13) if (k := ("energy_use", subject, f"{year}-{m:02d}", fuel)) in rows
        )
        left = (
            rows["energy_opening_stock", subject, year, fuel].value
            + rows["energy_purchased", subject, year, fuel].value
            - used
        )
        checked += 1
        if left != row.value:
            found.add((subject, year))
    assert checked > 200
    assert found == wrong


def test_regions_are_the_sum_of_what_units_truly_used(tmp_path, catalogue):
    """Faults are of units alone: without them the statistics are the same, and the units add up to them."""
    plan, data = write_mini(tmp_path / "with")
    with_faults = assemble(plan, catalogue, data)
    plan, data = write_mini(
        tmp_path / "without", units=with_faults.city.parameters.units.model_dump(mode="json") | {"error_share": 0}
    )
    clean = assemble(plan, catalogue, data)
    assert not clean.truths
    assert [b for b in clean.batches if "填报" not in b.title] == [
        b for b in with_faults.batches if "填报" not in b.title
    ]
    region_of = {s.code: s.parent for s in clean.subjects}
    industrial = {s.code for s in clean.subjects if 6 <= int(s.industry[:2]) <= 46}
    equivalent = clean.city.parameters.energy.electricity_equivalent
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    rows = latest(clean)
    for (indicator, subject, period, fuel), row in rows.items():
        if indicator == "energy_use" and subject in industrial:
            value = row.value if fuel != "electricity" else row.value / Decimal("1.229") * equivalent
            sums[region_of[subject], period] += value
    assert len(sums) > 300
    for (region, month), tce in sums.items():
        assert abs(tce - rows["industry_energy", region, month, ""].value * 10_000) < 2, (region, month)


def test_the_same_seed_gives_the_same_bytes(mini_pack, tmp_path, catalogue):
    first = write(mini_pack, tmp_path / "a")
    plan, data = write_mini(tmp_path / "again")
    assert write(assemble(plan, catalogue, data), tmp_path / "b") == first
    other = write(assemble(plan, catalogue, data, seed=7), tmp_path / "c")
    assert all(other[name] != digest for name, digest in first.items())
    for name in first:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_longer_list_of_one_subject_leaves_the_others_as_they_were(tmp_path, catalogue, mini_pack):
    """Each subject draws from its own stream."""
    numbers = mini_pack.city.parameters.units.model_dump(mode="json")
    plan, data = write_mini(tmp_path, units=numbers | {"error_share": 0.1})
    other = assemble(plan, catalogue, data)
    assert [b.rows for b in other.batches[:2]] == [b.rows for b in mini_pack.batches[:2]]


def test_gdp_has_a_history(pack):
    city = pack.city
    values = defaultdict(list)
    for batch in pack.batches:
        for row in batch.rows:
            if row.indicator == "gdp_constant":
                values[row.subject, row.period].append(row.value)
    revised = city.parameters.economy.revised_year
    assert len(values[city.code, str(revised)]) == 3
    assert len(set(values[city.code, str(revised)])) == 3
    assert len(values[city.code, str(city.years[0])]) == 1


def test_published_growth_is_kept(pack):
    """Parameters name the published figures they are taken from; the figures made of them agree."""
    rows, city = latest(pack), pack.city.code
    assert rows["gdp_index", city, "2021", ""].value == Decimal("108.4")
    assert rows["gdp_nominal", city, "2021", ""].value == pytest.approx(Decimal("11324.48"), abs=Decimal("3"))
    for region in pack.city.everyone:
        index = pack.city.numbers(region.code).base_index
        ratio = (
            rows["gdp_constant", region.code, "2020", ""].value / rows["gdp_constant", region.code, "2019", ""].value
        )
        assert abs(ratio * 100 - index) < Decimal("0.01")


def test_county_targets_share_out_whole(mini_pack, tmp_path):
    plan, data = write_mini(tmp_path)
    shares = county_targets(plan, data)
    assert sum(s.value for s in shares) == 1003
    assert all(s.synthetic and s.source for s in shares)
    assert {s.region for s in shares} == {r.code for r in mini_pack.city.parts}


def test_county_targets_of_the_first_city(first_city):
    shares = county_targets(first_city, ROOT / "data")
    given = defaultdict(list)
    for share in shares:
        given[share.target].append(share)
    for target, rows in given.items():
        goal = first_city.target_by_id[target]
        if goal.measure in ("cumulative_amount", "count"):
            assert sum(r.value for r in rows) <= goal.value
        else:
            assert all(abs(r.value - goal.value) <= Decimal("1.5") for r in rows)
    assert {"T001", "T003", "T011"} <= set(given)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plan": "other"}, "不属于这个方案"),
        ({"regions": {"990101": {"gdp": 1, "intensity": 1, "industry": 1, "industry_energy": 1, "population": 1, "rural": 1}}}, "地区与方案区划表不一致"),
        ({"last_year": 2019}, "最末整年"),
        ({"seed": "x"}, "不是整数|应为整数"),
        ({"colour": 1}, "不认识的项"),
    ],
)  # fmt: skip
def test_bad_parameters_are_told_with_file_and_line(tmp_path, catalogue, changes, words):
    plan, data = write_mini(tmp_path, **changes)
    with pytest.raises(ProblemError, match=words) as error:
        assemble(plan, catalogue, data)
    assert all(p.place.file == "data/demo/mini.yaml" and p.place.line for p in error.value)


def test_a_plan_without_parameters_is_told(tmp_path, catalogue, mini):
    plan, _ = mini
    with pytest.raises(ProblemError, match="没有演示数据参数"):
        assemble(plan, catalogue, tmp_path)


def test_the_truth_is_written_apart_and_nowhere_else(mini_pack, tmp_path):
    write(mini_pack, tmp_path)
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert len(truth["faults"]) == len(mini_pack.truths)
    subjects = json.dumps([s.attributes for s in mini_pack.subjects], ensure_ascii=False)
    assert "错误" not in subjects
    for path in (ROOT / "src" / "lvheng").rglob("*.py"):
        if path.parent.name != "demo":
            text = path.read_text(encoding="utf-8")
            assert "truth.json" not in text
            assert "demo.errors" not in text
            assert "demo.pack" not in text
