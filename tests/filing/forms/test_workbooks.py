"""Workbooks as people send them get exactly the problems they should, each at a place, and come back marked."""

from __future__ import annotations

import io

import openpyxl
import pytest

from lvheng.core.period import Period
from lvheng.core.problem import Severity
from lvheng.filing import forms
from lvheng.filing.forms.reading import SUMMARY
from tests.filing.forms import workbooks


def findings(
    form: forms.Form, workbook: workbooks.Workbook, period: Period
) -> tuple[forms.Reading, list[forms.FilingProblem]]:
    reading = forms.read_file(workbook.content, workbook.name, form, period)
    problems = list(reading.problems)
    if reading.data:
        problems += reading.locate(forms.check(form, reading.data, forms.Context(period)))
    return reading, problems


@pytest.mark.parametrize("name", workbooks.names())
def test_problems_are_the_expected_ones(name: str, purchase: forms.Form, period: Period) -> None:
    workbook = workbooks.build(name)
    reading, problems = findings(purchase, workbook, period)
    told = {p.code for p in problems if p.severity is not Severity.NOTICE}
    assert told == workbook.expected, "\n".join(map(str, problems))
    if workbook.rows is not None:
        assert len(reading.data["energy"]) == workbook.rows
    for p in problems:
        assert p.place.file == workbook.name
        if p.sheet:
            assert p.place.sheet, str(p)
            assert p.place.cell, str(p)
        assert p.message
        assert p.severity is Severity.NOTICE or p.fix, str(p)


@pytest.mark.parametrize("name", workbooks.CLEAN)
def test_clean_workbooks_read_alike(name: str, purchase: forms.Form, period: Period) -> None:
    good = forms.read_file(workbooks.build("good").content, "good.xlsx", purchase)
    reading, _ = findings(purchase, workbooks.build(name), period)
    assert forms.compare(good.data, reading.data).nothing


@pytest.mark.parametrize(
    "name",
    [
        "broken_identity",
        "unknown_fuel_and_text",
        "csv_utf8",
        "xls",
        "zip_bomb",
        "password",
        "formulas_never_computed",
        "two_row_header",
    ],
)
def test_marked_workbook_opens_and_reads_the_same(name: str, purchase: forms.Form, period: Period) -> None:
    workbook = workbooks.build(name)
    reading, problems = findings(purchase, workbook, period)
    content = forms.marked(workbook.content, purchase, problems, workbook.name)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert SUMMARY in book.sheetnames
    assert book[SUMMARY].max_row == len(problems) + 1
    for p in problems:
        if p.place.sheet in book.sheetnames and p.place.cell:
            assert p.message[:10] in book[p.place.sheet][p.place.cell].comment.text
    if reading.data and name != "formulas_never_computed":
        again = forms.read_file(content, "again.xlsx", purchase)
        assert forms.compare(reading.data, again.data).nothing


def test_fifty_thousand_rows(book: forms.FormBook) -> None:
    form = book.at("voc_ledger", Period.parse("2024").end)
    head = [c.title.zh for c in form.sheet("materials").columns]
    line = ["丙烯酸漆", "涂料", "是", 0, 10, 10, 0, 40, 420, 0, 0.5, "R-1"]
    content = workbooks.xlsx([[f"M{r}", *line] for r in range(50_000)], head, sheet="原辅材料")
    reading = forms.read_file(content, "台账.xlsx", form)
    assert len(reading.data["materials"]) == 50_000
    problems = forms.check(form, reading.data, forms.Context(Period.parse("2024")))
    assert {p.code for p in problems} == {"filing.sheet.empty"}  # the summary is not there


def test_many_faults_are_counted_not_listed(book: forms.FormBook) -> None:
    form = book.at("voc_ledger", Period.parse("2024").end)
    head = [c.title.zh for c in form.sheet("materials").columns]
    line = ["漆", "涂料", "是", 0, 10, 9, 0, 40, 420, 0, 0.5, "R-1"]
    content = workbooks.xlsx([[f"M{r}", *line] for r in range(1000)], head, sheet="原辅材料")
    problems = forms.check(form, forms.read_file(content, "台账.xlsx", form).data, forms.Context(Period.parse("2024")))
    balance = [p for p in problems if p.check == "balance"]
    assert len(balance) == 100
    assert any("还有900处" in p.message for p in problems)


def test_dates_of_1904(book: forms.FormBook) -> None:
    form = book.at("energy_report", Period.parse("2024").end)
    head = ["序号", "项目名称", "改造内容", "投资", "年节能量", "开工日期", "进展"]

    def put(b, page) -> None:
        import datetime

        page.write_datetime(1, 5, datetime.datetime(2024, 5, 6), b.add_format({"num_format": "yyyy/m/d"}))  # noqa: DTZ001

    content = workbooks.xlsx(
        [["1", "电机", "更换", 5, 8, None, "在建"]],
        head,
        sheet="表7 节能改造项目",
        options={"date_1904": True},
        more=put,
    )
    assert forms.read_file(content, "表7.xlsx", form).data["projects"][0].cells["start"] == "2024-05-06"


def test_percent_cells_mean_what_is_shown(book: forms.FormBook) -> None:
    form = book.at("energy_report", Period.parse("2024").end)

    def put(b, page) -> None:
        page.write_number(1, 1, -0.0325, b.add_format({"num_format": "0.00%"}))
        page.write_number(2, 1, -3.25)
        page.write_string(3, 1, "－3.25％")

    body = [["单位产值能耗", None, "改造"], ["单位产品能耗", None, "改造"], ["用水", None, "改造"]]
    content = workbooks.xlsx(body, ["指标名称", "变化率（%）", "变化原因"], sheet="表5 变化原因", more=put)
    rows = forms.read_file(content, "表5.xlsx", form).data["reasons"]
    assert {
        forms.compare(
            {"r": [forms.Row("", {"v": "-3.25"})]}, {"r": [forms.Row("", {"v": row.cells["change"]})]}
        ).nothing
        for row in rows
    } == {True}


@pytest.mark.parametrize(("unit", "told"), [("万吨", {"filing.column.unit"}), ("吨", set()), ("实物量", set())])
def test_a_unit_in_the_header_is_held_against_the_unit_of_each_row(
    purchase: forms.Form, unit: str, told: set[str]
) -> None:
    text = f"能源名称,消费量累计（{unit}）,期末库存\n焦炭,28,0\n"
    read = forms.read_file(text.encode(), "205-1.csv", purchase)
    assert {p.code for p in read.problems if p.code == "filing.column.unit"} == told


def test_a_small_percent_in_the_old_format_is_to_be_looked_at(book: forms.FormBook) -> None:
    form = book.at("energy_report", Period.parse("2024").end)
    for value, told in ((0.85, True), (85.5, False)):
        raw = workbooks.biff("表5 变化原因", [["指标名称", "变化率（%）", "变化原因"], ["用水", value, "改造"]])
        read = forms.read_file(raw, "表5.xls", form)
        assert read.data["reasons"][0].cells["change"] == str(value)
        assert ("filing.column.percent" in {p.code for p in read.problems}) is told


def test_a_percent_is_the_same_number_after_the_workbook_was_marked(book: forms.FormBook) -> None:
    form = book.at("energy_report", Period.parse("2024").end)

    def put(b, page) -> None:
        for row in (1, 2):
            page.write_number(row, 1, -0.0325, b.add_format({"num_format": "0.00%"}))
        page.write_formula(3, 1, "=1+1", None, "")  # a formula without a value: the workbook is written anew

    body = [["单位产值能耗", None, "改造"], ["单位产品能耗", None, "改造"], ["用水", None, "改造"]]
    raw = workbooks.xlsx(body, ["指标名称", "变化率（%）", "变化原因"], sheet="表5 变化原因", more=put)
    read = forms.read_file(raw, "表5.xlsx", form)
    told = read.locate(
        [forms.FilingProblem("x", "看一看", sheet="reasons", key=read.data["reasons"][0].key, column="change")]
    )
    again = forms.read_file(forms.marked(raw, form, told), "表5.xlsx", form)
    assert [r.cells["change"] for r in again.data["reasons"][:2]] == [
        r.cells["change"] for r in read.data["reasons"][:2]
    ]


def test_a_key_merged_over_rows_counts_for_each(book: forms.FormBook) -> None:
    form = book.at("pollutant_report", Period.parse("2024").end)
    head = [
        "排口编号",
        "污染物",
        "废水或废气排放量（万立方米）",
        "年均浓度",
        "最高浓度",
        "浓度限值",
        "排放量（吨）",
        "核算方法",
        "超标小时或天数",
    ]
    body = [
        [None, "氮氧化物", 100, 50, 80, 100, 0.05, "自动监测", 0],
        [None, "二氧化硫", 100, 20, 30, 50, 0.02, "自动监测", 0],
    ]

    def put(b, page) -> None:
        page.merge_range(1, 0, 2, 0, "DA001")

    reading = forms.read_file(workbooks.xlsx(body, head, sheet="污染物排放量", more=put), "年报.xlsx", form)
    assert [r.key for r in reading.data["emissions"]] == ["DA001|nox", "DA001|so2"]


def test_formula_injection_is_kept_as_text_and_neutralised(book: forms.FormBook) -> None:
    form = book.at("voc_ledger", Period.parse("2024").end)
    head = [c.title.zh for c in form.sheet("materials").columns]
    line = ['=HYPERLINK("http://x")', "涂料", "是", 0, 10, 10, 0, 40, 420, 0, 0.5, "@SUM(A1)"]
    content = workbooks.xlsx([["M1", *line]], head, sheet="原辅材料")
    period = Period.parse("2024")
    reading = forms.read_file(content, "台账.xlsx", form)
    assert {
        p.column for p in forms.check(form, reading.data, forms.Context(period)) if p.code == "filing.cell.formula"
    } == {"name", "report"}
    page = openpyxl.load_workbook(io.BytesIO(forms.template(form, period, "=cmd|' /C calc'!A0", reading.data)))
    assert not [c.coordinate for s in page.worksheets for row in s.iter_rows() for c in row if c.data_type == "f"]


def test_template_of_another_form_or_period_is_told(book: forms.FormBook, purchase: forms.Form, period: Period) -> None:
    other = forms.template(book.at("unit_energy", period.end), period, "某公司")
    assert "filing.file.other_form" in {p.code for p in forms.read_file(other, "a.xlsx", purchase).problems}
    earlier = forms.template(purchase, period.shift(-1), "某公司")
    assert "filing.file.other_period" in {p.code for p in forms.read_file(earlier, "a.xlsx", purchase, period).problems}
