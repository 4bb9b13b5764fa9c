"""Checks against past and other forms, answers, figures, and the screen that must never hide a fault."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.core.period import Period
from lvheng.core.problem import Severity
from lvheng.filing import forms
from lvheng.filing.forms import expression
from lvheng.filing.forms.checking import Values
from lvheng.filing.forms.data import Table
from tests.filing.forms.conftest import RULEBOOK
from tests.filing.forms.workbooks import build

GOOD = build("good")


def purchase_data(form: forms.Form, **changes: dict[str, str | None]) -> forms.Data:
    data = forms.read_file(GOOD.content, GOOD.name, form).data
    for row in data["energy"]:
        row.cells.update(changes.get(row.key, {}))
    return data


def told(form: forms.Form, data: forms.Data, context: forms.Context) -> set[tuple[str, str, str]]:
    return {(p.check, p.key, p.column) for p in forms.check(form, data, context) if p.severity is not Severity.NOTICE}


def test_good_data_has_nothing_against_it(purchase: forms.Form, period: Period) -> None:
    assert told(purchase, purchase_data(purchase), forms.Context(period)) == set()


def test_month_against_month(purchase: forms.Form, period: Period) -> None:
    before = purchase_data(purchase, raw_coal={"use": "650"}, electricity={"use": "80.5"}, natural_gas={"use": "20"})
    assert told(purchase, purchase_data(purchase), forms.Context(period, previous=before)) == set()
    before = purchase_data(
        purchase, raw_coal={"use": "640", "opening": "90"}, electricity={"use": "80.5"}, natural_gas={"use": "20"}
    )
    assert told(purchase, purchase_data(purchase), forms.Context(period, previous=before)) == {
        ("cumulative", "raw_coal", "use"),
        ("opening_fixed", "raw_coal", "opening"),
    }


def test_ten_thousand_fold_slip(purchase: forms.Form, period: Period) -> None:
    before = purchase_data(
        purchase, raw_coal={"use": "650", "amount": "0.08"}, electricity={"use": "80.5"}, natural_gas={"use": "20"}
    )
    assert ("unit_slip", "raw_coal", "amount") in told(
        purchase, purchase_data(purchase), forms.Context(period, previous=before)
    )


def test_january_opens_with_december(purchase: forms.Form) -> None:
    data = purchase_data(
        purchase,
        raw_coal={"use_month": "900", "purchase_month": "1000"},
        electricity={"use_month": "120.5"},
        natural_gas={"use_month": "30"},
    )
    context = forms.Context(Period.parse("2024-01"), previous=purchase_data(purchase, raw_coal={"closing": "150"}))
    assert told(purchase, data, context) == {("opening_carried", "raw_coal", "opening")}


def test_an_answer_makes_an_error_a_notice_but_never_a_blocker(purchase: forms.Form, period: Period) -> None:
    data = purchase_data(purchase, raw_coal={"closing": "260", "use_feedstock": "891"})
    answers = {
        ("balance", "raw_coal", "closing"): "",
        ("balance", "energy", "raw_coal", "closing"): "盘盈60吨，附盘点表",
        ("feedstock", "energy", "raw_coal", "use_feedstock"): "是",
    }
    found = {p.check: p for p in forms.check(purchase, data, forms.Context(period, answers=answers))}  # type: ignore[arg-type]
    assert found["balance"].severity is Severity.NOTICE
    assert found["balance"].answer == "盘盈60吨，附盘点表"
    assert found["feedstock"].severity is Severity.BLOCKER


def test_other_forms_of_the_same_day(book: forms.FormBook, purchase: forms.Form, period: Period) -> None:
    conversion = book.at("energy_conversion", period.end)
    reading = forms.from_json(
        {"sheets": {
            "conversion": [{"fuel": "原煤", "input": 950, "for_thermal": 950, "output": 0, "recovered": 0, "factor": 0.7143}],
            "efficiency": [{"conversion": "thermal", "input": 678.6, "output": 102}],
            "summary": {"industrial_use": 635.73, "output": 102, "recovered": 0, "comprehensive": 533.73, "feedstock": 0},
        }}, conversion,
    )  # fmt: skip
    other = {"energy_purchase": purchase_data(purchase)}
    assert told(conversion, reading.data, forms.Context(period, other=other.get)) == {
        ("input_in_use", "raw_coal", "input"),
        ("efficiency_thermal", "thermal", "output"),
    }
    assert told(conversion, reading.data, forms.Context(period)) == {("efficiency_thermal", "thermal", "output")}


def test_industry_codes_must_nest(book: forms.FormBook) -> None:
    form = book.at("energy_report", Period.parse("2024").end)
    data = forms.from_json(
        {
            "sheets": {
                "basic": {
                    "section": "C",
                    "division": "30",
                    "group": "251",
                    "credit_code": "91350100M000100Y43",
                    "phone": "123",
                }
            }
        },
        form,
    ).data
    found = {(p.code, p.column) for p in forms.check(form, data, forms.Context(Period.parse("2024")))}
    assert {("filing.cell.nesting", "group"), ("filing.cell.phone", "phone")} <= found
    assert ("filing.cell.nesting", "division") not in found


def test_figures_of_a_month_and_of_december(purchase: forms.Form, period: Period) -> None:
    data = purchase_data(purchase)
    month = {(f.indicator, f.item): f.value for f in forms.figures(purchase, data, "u1", period)}
    assert month == {
        ("energy_use", "raw_coal"): Decimal("178.575"),
        ("energy_use", "electricity"): Decimal("49.160"),
        ("energy_use", "natural_gas"): Decimal("121.430"),
    }
    december = forms.figures(purchase, data, "u1", Period.parse("2024-12"))
    assert {(f.indicator, f.period) for f in december} == {
        ("energy_use", "2024-12"), ("energy_opening_stock", "2024"), ("energy_purchased", "2024"), ("energy_closing_stock", "2024"),
    }  # fmt: skip


def test_department_figures_are_of_their_regions(book: forms.FormBook) -> None:
    period = Period.parse("2024-03")
    form = book.at("department_urban_management_monthly", period.end)
    reading = forms.from_json(
        {
            "sheets": {
                "counties": [
                    {"region": "乙区", "waste_generated": 200, "waste_recyclables": 60},
                    {"region": "丙县", "waste_generated": None},
                ]
            }
        },
        form,
    )
    got = {(f.subject, f.indicator, f.value) for f in forms.figures(form, reading.data, "990100", period)}
    assert got == {("990101", "waste_generated", Decimal(200)), ("990101", "waste_recyclables", Decimal(60))}


def test_paste(purchase: forms.Form) -> None:
    with_header = forms.from_paste("能源名称\t年初库存\t期末库存\n原煤\t1,000\t２０\n柴油\t3\t\n", purchase, "energy")
    assert not with_header.problems
    assert {r.key: (r.cells["opening"], r.cells["closing"]) for r in with_header.data["energy"]} == {
        "raw_coal": ("1000", "20"),
        "diesel": ("3", None),
    }
    corner = forms.from_paste("1\t2\n3\t4", purchase, "energy", ("raw_coal", "opening"), ["raw_coal", "diesel"])
    assert [r.cells for r in corner.data["energy"]] == [
        {"opening": "1", "purchase_month": "2"},
        {"opening": "3", "purchase_month": "4"},
    ]
    too_long = forms.from_paste("1\n2\n3", purchase, "energy", ("diesel", "opening"), ["raw_coal", "diesel"])
    assert [p.code for p in too_long.problems] == ["filing.paste.long"]
    rows = forms.from_paste("原煤\t5\n电力\t0", purchase, "energy", ("", "fuel"))
    assert [(r.key, r.cells["opening"]) for r in rows.data["energy"]] == [("raw_coal", "5"), ("electricity", "0")]


def test_json_that_is_no_filing(purchase: forms.Form) -> None:
    wrong: Any
    for wrong in (None, [], {}, {"sheets": 5}, {"sheets": {"energy": 5}}, {"sheets": {"energy": [5]}}, {"sheets": {"no": []}}, {"sheets": {"energy": [{"no": 1, "fuel": "原煤"}]}},
                  {"sheets": {"energy": [{"fuel": "原煤", "opening": [1]}]}}, {"sheets": {"energy": [{"opening": 1}]}}, {"sheets": {"energy": [{"fuel": "原煤"}, {"fuel": "raw_coal"}]}}):  # fmt: skip
        assert forms.from_json(wrong, purchase).problems, wrong
    huge = forms.from_json(
        {"sheets": {"energy": [{"fuel": "原煤", "opening": 10**400, "closing": float("nan"), "use": True}]}}, purchase
    )
    assert {
        p.column
        for p in forms.check(purchase, huge.data, forms.Context(Period.parse("2024-03")))
        if p.code == "filing.cell.number"
    } == {"opening", "closing", "use"}


EXPRESSIONS = [
    ("a == b + c", "0", "0"), ("a == b - c", "0.05", "0"), ("a <= b", "0", "1"), ("a < b * c", "0", "0"), ("a >= b / c", "0.01", "0"), ("a > -b", "0", "0"),
    ("a != b", "0.5", "0"), ("coalesce(a, 0) == coalesce(b, c)", "0.1", "2"), ("a <= b and b <= c", "0", "0"), ("a <= b or not (b > c)", "0", "0"),
    ("abs(a - b) <= max(a, b, c) * 0.1", "0", "0"), ("round_(a, 1) == a", "0", "0"), ("if_(a > b, a, c) >= b", "0", "0"), ("a ** 2 <= b", "0", "0"), ("min(a, c) * 100 / b <= 20", "0", "5"),
]  # fmt: skip
CELL = st.one_of(
    st.none(),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["0", "0.1", "0.2", "0.3", "1", "100", "1000000000", "0.000001"]),
)


@pytest.fixture(scope="module")
def abc(tmp_path_factory: pytest.TempPathFactory) -> forms.Form:
    path: Path = tmp_path_factory.mktemp("forms") / "abc.yaml"
    checks = "".join(
        f'      - {{check: e{i}, scope: row, sheet: s, expr: "{e}", tolerance: {t}, relative: {r}, message: {{zh: 不合}}}}\n'
        for i, (e, t, r) in enumerate(EXPRESSIONS)
    )
    columns = "".join(f"          - {{code: {c}, title: {{zh: {c}}}}}\n" for c in "abc")
    path.write_text(
        "forms:\n  - form: abc\n    code: abc\n    title: {zh: 试表}\n    source: {document: 试, confidence: V}\n    filer: {role: county}\n    frequency: month\n"
        "    due: {months_after: 1, day: 1}\n    sheets:\n      - sheet: s\n        title: {zh: 表}\n        key: {columns: [k]}\n        columns:\n"
        f"          - {{code: k, title: {{zh: 键}}, type: text}}\n{columns}    checks:\n{checks}",
        encoding="utf-8",
    )  # fmt: skip
    return forms.load_forms(path, base=RULEBOOK).at("abc", Period.parse("2024-03").end)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8))
def test_the_screen_never_hides_what_the_exact_look_finds(abc: forms.Form, rows: list[tuple[str | None, ...]]) -> None:
    data = {"s": [forms.Row(str(i), dict(zip("kabc", (str(i), *row), strict=True))) for i, row in enumerate(rows)]}
    values = Values(abc, data, forms.Context(Period.parse("2024-03")))
    sheet = abc.sheet("s")
    for check, test, _ in abc.checks:
        exact = {
            i for i in range(len(rows))
            if expression.broken(test.node, values.leaf(test.refs, sheet, i), check.tolerance, check.relative)
        }  # fmt: skip
        screened = set(
            map(
                int,
                expression.suspects(
                    test.node, values.floats(test.refs, sheet), check.tolerance, check.relative, len(rows)
                ),
            )
        )
        assert exact <= screened, (check.expr, rows)


def test_totals_leave_out_rows_of_totals_and_blanks() -> None:
    table = Table(
        [
            forms.Row("a", {"v": "0.1"}),
            forms.Row("b", {"v": "0.2"}),
            forms.Row("c", {"v": None}),
            forms.Row("total", {"v": "9"}),
        ],
        ["total"],
    )
    assert table.sum("v") == Decimal("0.3")
    assert table.sum("w") is None
