"""``lvheng energy progress`` and ``warn`` on files as people make them."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
import xlsxwriter
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.problem import ProblemError, Severity
from lvheng.energy import data, progress_table, tabular
from lvheng.energy.commands import energy
from lvheng.plan.rules import Thresholds

LIMITS = Thresholds(Decimal(10))
HEAD = "region,target_pct,years,year,change_pct\n"
QINGHAI = HEAD + "青海,17,5,2008,-4.18\n青海,17,5,2006,1.51\n青海,17,5,2007,-2.20\n"


@pytest.fixture
def write(tmp_path):
    def make(text, name="表.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return make


def one(path):
    (result,), problems = progress_table.progress(path, LIMITS)
    return result, problems


def codes(path, scheme=None):
    chosen = data.schemes()[scheme] if scheme else None
    with pytest.raises(ProblemError) as caught:
        progress_table.warn(path, chosen) if chosen else progress_table.progress(path, LIMITS)
    return [p.code for p in caught.value], caught.value.problems


def test_published_result_of_qinghai_with_years_out_of_order(write):
    result, problems = one(write(QINGHAI))
    assert not problems
    row = result.as_dict()
    assert row["cumulative_decline_pct"] == pytest.approx(4.87, abs=0.005)
    assert row["progress_pct"] == pytest.approx(26.8, abs=0.05)
    assert row["schedule_pct"] == 60
    assert row["remaining_per_year_pct"] == pytest.approx(6.59, abs=0.005)
    assert (row["first_year"], row["last_year"], row["met"]) == (2006, 2008, False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(write, encoding):
    assert one(write(QINGHAI, encoding=encoding))[0].region == "青海"


def test_chinese_headers_full_width_digits_signs_and_a_title_above(write):
    text = "表1 能耗强度变化\n\n地区\t目标（%）\t规划期年数\t年份\t上升或下降（±%）\n河南\t１６％\t5年\t2016年\t－７．６４％\n"
    result, _ = one(write(text))
    assert (result.target, result.first_year) == (16, 2016)
    assert round(result.progress, 2) == Decimal("45.58")


def test_true_minus_thousands_and_points(write):
    assert tabular.parse_number("−1,234.5%") == Decimal("-1234.5")
    assert tabular.parse_number("+1.51") == Decimal("1.51")
    assert tabular.parse_number("3个百分点") == 3
    assert tabular.parse_number("—") is None
    for bad in ("1,23", "3.2.1", "nan", "inf", "1e5", "-4.0~-4.5", "3‰", "+", "."):
        with pytest.raises(ValueError, match=r"数|‰"):
            tabular.parse_number(bad)


def test_xlsx_with_merged_cells(tmp_path):
    path = tmp_path / "表.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("结果")
        sheet.write_row(0, 0, ["地区", "目标", "年数", "年份", "变化率(%)"])
        sheet.merge_range("A2:A4", "青海")
        sheet.merge_range("B2:B4", 17)
        sheet.merge_range("C2:C4", 5)
        for i, (year, change) in enumerate([(2006, 1.51), (2007, -2.2), (2008, -4.18)], start=1):
            sheet.write_row(i, 3, [year, change])
    result, _ = one(path)
    assert round(result.cumulative_decline, 2) == Decimal("4.87")


def test_a_span_of_years_counts_its_years(write):
    result, _ = one(write(HEAD + "全国,13.5,5,2021-2023,-7.3\n全国,13.5,5,2024,-3.8\n"))
    assert (result.done, result.schedule) == (4, 80)


def test_target_only_in_the_first_row_and_future_years_left_empty(write):
    result, problems = one(write(HEAD + "甲,14,5,2021,-3\n甲,,,2022,-2\n甲,,,2023,\n甲,,,2024,—\n"))
    assert (result.done, result.complete, problems) == (2, True, [])


def test_rounding_edge_is_not_met(write):
    result, _ = one(write(HEAD + "甲,14,1,2021,-13.999\n"))
    assert result.as_dict()["met"] is False
    assert result.state != "done"


def test_over_fulfilled_need_is_room(write):
    result, _ = one(write(HEAD + "甲,14,5,2021,-15\n"))
    assert result.remaining_per_year < 0
    assert result.over_fulfilment > 0


def test_a_year_without_data_is_incomplete_not_computed(write):
    result, problems = one(write(HEAD + "甲,14,5,2021,-3\n甲,14,5,2022,—\n甲,14,5,2023,-3\n"))
    assert result.cumulative_decline is None
    assert result.as_dict()["complete"] is False
    assert result.missing_years == [2022]
    assert [p.severity for p in problems] == [Severity.WARNING]


@pytest.mark.parametrize(("rows", "code", "line", "column"), [
    ("甲,14,5,2021,-3\n甲,14,5,2021,-3\n", "energy.progress.year_twice", 3, 4),
    ("甲,14,5,2021-2022,-3\n甲,14,5,2022,-3\n", "energy.progress.year_twice", 3, 4),
    ("甲,14,5,2021,-3\n甲,15,5,2022,-3\n", "energy.table.contradiction", 3, 2),
    ("甲,14,2,2021,-3\n甲,14,2,2022,-3\n甲,14,2,2023,-3\n", "energy.progress.too_many", 4, 4),
    ("甲,-14,5,2021,-3\n", "energy.progress.target", 2, 2),
    ("甲,100,5,2021,-3\n", "energy.progress.target", 2, 2),
    ("甲,14,2.5,2021,-3\n", "energy.progress.years", 2, 3),
    ("甲,14,5,二〇二一,-3\n", "energy.progress.year", 2, 4),
    ("甲,14,5,2021,三\n", "energy.table.number", 2, 5),
    ("甲,14,5,2021,-100\n", "energy.progress.change", 2, 5),
    (",14,5,2021,-3\n", "energy.table.no_region", 2, 1),
    ("甲,,5,2021,-3\n", "energy.table.missing", 2, 2),
])  # fmt: skip
def test_bad_input_has_row_and_column(write, rows, code, line, column):
    found, problems = codes(write(HEAD + rows))
    assert code in found
    place = next(p for p in problems if p.code == code).place
    assert (place.line, place.column) == (line, column)
    assert all(p.fix for p in problems)


@pytest.mark.parametrize(("content", "code"), [
    (b"", "energy.table.empty"), (b"a,b\n1,2\n", "energy.table.header"), (HEAD.encode(), "energy.table.no_rows"),
    (b"PK\x03\x04broken", "energy.table.damaged"), (b"\x81\x00\xff\xfe\x00", "energy.table.encoding"),
    ((HEAD + '甲,14,5,2021,"-3\n').encode(), "energy.table.csv"),
    (b"region,region,target_pct,years,year,change_pct\na,a,1,1,1,1\n", "energy.table.column_twice"),
])  # fmt: skip
def test_unreadable_files(write, content, code):
    assert code in codes(write(content))[0]


def test_all_faults_are_told_at_once(write):
    assert len(codes(write(HEAD + "甲,x,5,2021,-3\n乙,14,y,2021,z\n"))[0]) >= 3


def test_a_share_cell_in_a_workbook_is_not_taken_for_per_cent(tmp_path):
    path = tmp_path / "表.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["region", "target_pct", "years", "year", "change_pct"])
        sheet.write_row(1, 0, ["甲", 0.17, 5, 2021, -0.03])
    assert "energy.progress.fraction" in codes(path)[0]


def test_a_cell_shown_as_per_cent_is_read_as_it_is_shown(tmp_path):
    path = tmp_path / "表.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet, share = book.add_worksheet(), book.add_format({"num_format": "0.00%"})
        sheet.write_row(0, 0, ["region", "target_pct", "years", "year", "change_pct"])
        sheet.write_row(1, 0, ["甲", 17, 5, 2021])
        sheet.write_number(1, 4, -0.0479, share)
        sheet.write_row(2, 0, ["乙"])
        sheet.write_number(2, 1, 0.17, share)
        sheet.write_row(2, 2, [5, 2021, -4.79])
    results, _ = progress_table.progress(path, LIMITS)
    assert [(r.target, r.cumulative_decline) for r in results] == [(17, Decimal("4.79")), (17, Decimal("4.79"))]


def test_a_carve_out_that_one_row_lacks_is_not_zero(write):
    head = "region,year,energy,gdp,feedstock,carve_out\n"
    series, _ = progress_table.deduct(write(head + "甲,2020,10,10,1,0\n甲,2021,12,13,1,\n"))
    found = {(s.year, s.series.value): s.decline for s in series}
    assert found[2021, "measured"] is not None
    assert found[2021, "less_feedstock"] is None


@given(st.binary(max_size=300))
def test_any_bytes_give_a_table_or_problems(tmp_path_factory, blob):
    path = tmp_path_factory.mktemp("t") / "x.csv"
    path.write_bytes(blob)
    with suppress(ProblemError):  # anything else is a bug
        progress_table.progress(path, LIMITS)


# --- grades
def test_boundaries_of_the_2020_rule(write):
    path = write("region,target_pct,change_pct\n达标,3,-3.0\n差一成,3,-2.7\n超一成,3,-2.6999\n上升,3,0.1\n")
    results, _ = progress_table.warn(path, data.schemes()["national-2020"])
    assert [(r.label, r.severity) for r in results] == [("三级", 0), ("二级", 1), ("一级", 3), ("一级", 3)]


def test_boundaries_of_the_2021_rule(write):
    path = write("region,target_pct,change_pct\n持平,2,0\n达标,2,-2\n升,2,0.01\n")
    results, _ = progress_table.warn(path, data.schemes()["national-2021"])
    assert [r.level for r in results] == [2, 3, 1]


@pytest.mark.parametrize(("period", "gaps", "colours"), [
    ("上半年", ["0.29", "0.3", "0.99", "1", "2", "2.01"], ["green", "yellow", "yellow", "orange", "orange", "red"]),
    ("2013年1-9月", ["0", "0.01", "0.49", "0.5", "1", "1.01"], ["green", "yellow", "yellow", "orange", "orange", "red"]),
])  # fmt: skip
def test_hangzhou_bands(write, period, gaps, colours):
    rows = "".join(f"{i},{g},0,{period}\n" for i, g in enumerate(gaps))
    results, _ = progress_table.warn(write("地区,目标,变化,时段\n" + rows), data.schemes()["hangzhou-125"])
    assert [r.colour for r in results] == colours


def test_numbers_run_the_other_way_elsewhere():
    schemes = data.schemes()
    worst = {k: max(s.bands, key=lambda b: b.severity) for k, s in schemes.items()}
    assert worst["national-2021"].level == 1
    assert worst["hangzhou-125"].level == 3


@given(st.decimals(-90, 90, places=3), st.decimals(min_value="0.1", max_value=30, places=2))
def test_every_scheme_grades_every_figure_once(change, target):
    from lvheng.energy.warning import grade, quantities

    for scheme in data.schemes().values():
        for period in scheme.periods or {""}:
            bands = [b for b in scheme.bands if b.period == period]
            found = quantities(scheme.dial.of, target, change)
            assert any(b.holds(found[b.of], Decimal(1)) for b in bands)
            assert grade(scheme, change, target, period=period, tolerance=Decimal(1)).severity in range(4)


def test_missing_figures_get_no_grade(write):
    path = write("region,target_pct,change_pct\n甲,3,—\n乙,,-2\n")
    results, problems = progress_table.warn(path, data.schemes()["national-2021"])
    assert [r.severity for r in results] == [None, None]
    assert len(problems) == 2


def test_what_a_scheme_needs_is_asked_for(write):
    path = write("region,target_pct,change_pct\n甲,3,-2\n")
    assert codes(path, "hangzhou-125")[0] == ["energy.warning.no_period"]
    assert codes(path, "national-2021-total")[0] == ["energy.warning.unknown_threshold"]
    assert codes(write("region,target_pct,change_pct\n甲,0,-2\n"), "ratio-2010")[0] == ["energy.warning.target"]


# --- command line
def test_json_of_the_command_line(write):
    out = CliRunner().invoke(energy, ["progress", str(write(QINGHAI)), "--json"])
    (row,) = json.loads(out.stdout)
    assert {"region", "cumulative_decline_pct", "progress_pct", "schedule_pct", "over_fulfilment_pct", "remaining_per_year_pct"} <= row.keys()  # fmt: skip
    out = CliRunner().invoke(
        energy, ["warn", str(write("地区,变化\n甲,-5\n")), "--scheme", "fuzhou-enterprise", "--json"]
    )
    assert json.loads(out.stdout)[0]["label"] == "绿色"
    assert CliRunner().invoke(energy, ["progress", str(write(QINGHAI))]).stdout.startswith("■ 青海")


def test_list_of_schemes_and_unknown_scheme(write):
    out = CliRunner().invoke(energy, ["warn", "--list", "--json"])
    assert {"national-2020", "national-2021", "hangzhou-125", "ratio-2010", "fuzhou-enterprise"} <= {s["id"] for s in json.loads(out.stdout)}  # fmt: skip
    out = CliRunner().invoke(energy, ["warn", str(write(QINGHAI)), "--scheme", "x"])
    assert isinstance(out.exception, ProblemError)


def test_a_skipped_year_is_incomplete_and_leaves_the_others(tmp_path):
    path = tmp_path / "表.csv"
    path.write_text(
        "region,target_pct,years,year,change_pct\n甲,14,5,2023,-3\n甲,14,5,2021,-3\n乙,14,5,2021,-3\n", encoding="utf-8"
    )
    (gap, whole), problems = progress_table.progress(path, Thresholds(Decimal(10)))
    assert (gap.missing_years, gap.complete, gap.cumulative_decline, gap.progress) == ([2022], False, None, None)
    assert (whole.complete, whole.cumulative_decline) == (True, Decimal(3))
    assert [(p.code, p.place.line) for p in problems] == [("energy.progress.year_gap", 2)]
