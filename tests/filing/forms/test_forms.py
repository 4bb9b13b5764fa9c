"""The forms that are shipped: sound, complete for the catalogue, and each with a template that reads back."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal

import openpyxl
import pytest

from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError, Severity
from lvheng.filing import forms
from lvheng.filing.forms.entries import Due
from lvheng.observations.catalogue import load_catalogue
from tests.filing.forms.conftest import REGIONS, RULEBOOK

PERIODS = {Kind.YEAR: "2024", Kind.QUARTER: "2024Q2", Kind.MONTH: "2024-03", Kind.HALF: "2024H1"}
ALL = forms.load_forms(RULEBOOK / "forms", lists={"regions": REGIONS}, base=RULEBOOK)
WANTED = {
    "energy_purchase", "energy_conversion", "unit_energy", "energy_report", "county_monthly", "county_quarterly", "energy_deductions", "pollutant_report",
    "voc_ledger",
}  # fmt: skip


def sample(form: forms.Form, period: Period) -> forms.Data:
    """Data that fills every cell of a form with something of its type."""
    data: forms.Data = {}
    for sheet in form.sheets:
        rows = []
        keys = form.keys(sheet) or [""]
        if sheet.key and not form.keys(sheet):
            lists = [form.options(sheet.sheet, c) for c in sheet.key.columns]
            keys = ["|".join(next(iter(o)).code if len(o) else "甲" for o in lists)]
        for key in keys:
            parts = dict(zip(sheet.key.columns, key.split("|"), strict=False)) if sheet.key else {}
            cells: dict[str, str | None] = {}
            for c in sheet.columns:
                options = form.options(sheet.sheet, c.code)
                value = {
                    "number": "12.5",
                    "integer": "12",
                    "text": "文字",
                    "date": "2024-05-06",
                    "yesno": "1",
                    "option": next((o.code for o in options), "x"),
                }[c.type]
                if c.numeric and c.minimum is not None and Decimal(value) < c.minimum:
                    value = str(c.minimum)
                cells[c.code] = parts.get(c.code, value)
            rows.append(forms.Row(key, cells))
        data[sheet.sheet] = rows
    return data


def fill(form: forms.Form, content: bytes, data: forms.Data) -> bytes:
    """The template typed into, by what its header says."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    for sheet, page in zip(form.sheets, book.worksheets[1:], strict=False):
        by_title = {c.title.zh: c for c in sheet.columns}

        def title(text: object, by_title: dict[str, forms.Column] = by_title) -> str:
            word = str(text or "").lstrip("*")
            return word if word in by_title else word.rsplit("（", 1)[0]

        def shown(column: forms.Column, text: str | None, sheet: forms.Sheet = sheet) -> object:
            if text is None:
                return None
            if column.type == "option":
                return form.options(sheet.sheet, column.code).name_of(text)
            if column.type == "date":
                return date.fromisoformat(text)
            return {"1": "是", "0": "否"}[text] if column.type == "yesno" else float(text) if column.numeric else text

        for n, row in enumerate(data[sheet.sheet]):
            if sheet.record:
                for line in page.iter_rows(min_row=5):
                    if column := by_title.get(title(line[0].value)):
                        line[2].value = shown(column, row.cells[column.code])
                continue
            for j, head in enumerate(page[4]):
                if column := by_title.get(title(head.value)):
                    page.cell(5 + n, j + 1).value = shown(column, row.cells[column.code])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_forms_of_the_issue_are_there() -> None:
    assert set(ALL.ids) >= WANTED
    departments = {b for f in ALL if f.entry.filer.role == "department" for b in f.entry.filer.body}
    assert departments >= {
        "agriculture",
        "construction",
        "urban_management",
        "transport",
        "port_centre",
        "government_offices",
        "commerce",
        "water",
        "big_data",
    }


def test_each_form_is_sound() -> None:
    _, problems = forms.read_forms(RULEBOOK / "forms", base=RULEBOOK)
    assert problems == []


def test_every_filed_indicator_of_a_region_has_a_form() -> None:
    published = {p.indicator for f in ALL for p, _, _ in f.publishes}
    wanted = {
        i.code for i in load_catalogue(RULEBOOK / "indicators")
        if not i.formulas and i.fed_by in ("statistics", "registers", "filing") and {"city", "county"} & set(i.subjects)
    }  # fmt: skip
    assert wanted - published == set()


def test_no_city_is_named_in_a_form() -> None:
    for path in (RULEBOOK / "forms").rglob("*.yaml"):
        assert "福州" not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize("form_id", ALL.ids)
def test_a_filled_template_reads_back_as_it_was_filled(form_id: str) -> None:
    found = ALL.at(form_id, date(2024, 6, 30))
    period = Period.parse(PERIODS[found.frequency])
    data = sample(found, period)
    content = fill(found, forms.template(found, period, "某单位", data), data)
    reading = forms.read_file(content, "模板.xlsx", found, period)
    assert [p for p in reading.problems if p.severity is not Severity.NOTICE] == []
    assert (reading.form_id, reading.period) == (form_id, period.code)
    assert forms.compare(data, reading.data).nothing, forms.compare(data, reading.data).cells[:5]
    kinds = {p.code for p in forms.check(found, reading.data, forms.Context(period))}
    assert not kinds & {
        "filing.cell.number",
        "filing.cell.option",
        "filing.cell.date",
        "filing.cell.yesno",
        "filing.cell.required",
        "filing.row.missing",
    }
    again = forms.from_json(
        {"sheets": {s.sheet: [dict(r.cells) for r in reading.data[s.sheet]] for s in found.sheets}}, found
    )
    assert not again.problems
    assert forms.compare(data, again.data).nothing
    assert forms.load(forms.dump(data)) == data
    forms.figures(found, data, "u1", period)


@pytest.mark.parametrize("form_id", ALL.ids)
def test_an_empty_template_is_not_a_filing(form_id: str) -> None:
    found = ALL.at(form_id, date(2024, 6, 30))
    period = Period.parse(PERIODS[found.frequency])
    reading = forms.read_file(forms.template(found, period, "某单位"), "模板.xlsx", found, period)
    assert not any(
        v
        for s, rows in reading.data.items()
        for r in rows
        for c, v in r.cells.items()
        if c not in getattr(found.sheet(s).key, "columns", ())
    )


def test_schema_names_every_column() -> None:
    found = ALL.at("energy_report", date(2024, 12, 31))
    sheets = forms.schema(found)["properties"]["sheets"]["properties"]
    assert sheets["basic"]["properties"]["credit_code"]["maxLength"] == 18
    assert sheets["structure"]["items"]["properties"]["opening"]["minimum"] == 0
    assert "raw_coal" in sheets["structure"]["items"]["properties"]["fuel"]["enum"]


def test_deadlines() -> None:
    assert Due(day=31, month=3).of(Period.parse("2024")) == date(2025, 3, 31)
    assert Due(day=10, months_after=1).of(Period.parse("2024-12")) == date(2025, 1, 10)
    assert Due(day=31, months_after=2).of(Period.parse("2023Q4")) == date(2024, 2, 29)
    assert Due(day=29, month=2).of(Period.parse("2024")) == date(2025, 2, 28)


def test_unknown_form_and_code() -> None:
    with pytest.raises(ProblemError, match="energy_purchase"):
        ALL.at("205-1", date(2024, 1, 1))
    with pytest.raises(ProblemError, match="没有有效版本"):
        ALL.at("energy_purchase", date(2019, 1, 1))
