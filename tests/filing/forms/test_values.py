"""From what cells hold to canonical text."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.core.rulebook import Title
from lvheng.filing.forms.compare import compare
from lvheng.filing.forms.data import Row, number
from lvheng.filing.forms.entries import Column, Option
from lvheng.filing.forms.guard import cell_index, cell_name
from lvheng.filing.forms.options import Options
from lvheng.filing.forms.values import CANONICAL, canonical, fast_numbers, from_float, other_unit, read_number

NONE = Options("", ())
COLUMN = Column(code="v", title=Title(zh="数"), unit="吨")


@pytest.mark.parametrize(
    ("written", "unit", "read"),
    [
        ("１２３．５", "吨", "123.5"), ("1,234,567.8", "吨", "1234567.8"), ("1，234", "吨", "1234"), ("12,34", "吨", None), ("1.2E3", "吨", "1200"), ("-0", "吨", "0"),
        ("(1,234)", "吨", "-1234"), ("−5", "吨", "-5"), ("+5", "吨", "5"), ("007", "吨", "7"), (".5", "吨", "0.5"), ("5.", "吨", "5"), ("", "吨", None), (".", "吨", None),
        ("120吨", "吨", "120"), ("120 吨", "吨", "120"), ("120千克", "吨", None), ("1.2万", "吨", None), ("5%", "%", "5"), ("5%", "1", "0.05"), ("5%", "吨", None),
        ("nan", "吨", None), ("1e400", "吨", None), ("1_000", "吨", None), ("二百", "吨", None), ("1.50", "吨", "1.50"),
    ],
)  # fmt: skip
def test_written_numbers(written: str, unit: str, read: str | None) -> None:
    from lvheng.filing.forms.values import fold

    assert read_number(fold(written), unit) == read


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=4))
def test_numbers_typed_as_text_keep_every_digit(value: Decimal) -> None:
    for text in (f"{value:f}", f"{value:,f}", f"　{value:f} "):
        got = canonical(text, COLUMN, NONE)
        assert got is not None
        assert number(got) == value


@given(st.floats(-1e300, 1e300))
def test_floats_become_the_digits_excel_shows(value: float) -> None:
    text = from_float(value)
    assert CANONICAL.fullmatch(text)
    assert float(text) == pytest.approx(value, rel=1e-14)
    assert fast_numbers([value, "", 1.0]) == [text, None, "1"]
    assert canonical(value, COLUMN, NONE) == text


@given(
    st.one_of(st.text(max_size=30), st.floats(), st.integers(), st.booleans(), st.dates(), st.times(), st.none()),
    st.sampled_from(["number", "integer", "text", "date", "option", "yesno"]),
)
def test_reading_is_steady(value: object, kind: Any) -> None:
    options = Options("", (Option(code="a", name="甲"),)) if kind == "option" else NONE
    column = Column(
        code="v", title=Title(zh="数"), type=kind, options=(Option(code="a", name="甲"),) if kind == "option" else ()
    )
    once = canonical(value, column, options)
    assert once is None or isinstance(once, str)
    if once is not None:
        again = canonical(once, column, options)
        assert (
            again is None
            or compare({"s": [Row("", {"v": once})]}, {"s": [Row("", {"v": again})]}).nothing
            or again == once.strip("'")
        )


def test_dates_choices_and_yes() -> None:
    day = Column(code="d", title=Title(zh="日"), type="date")
    for written in (
        "2024-1-5",
        "2024/01/05",
        "2024.1.5",
        "2024年1月5日",
        "20240105",
        datetime.date(2024, 1, 5),
        datetime.datetime(2024, 1, 5),  # noqa: DTZ001
    ):
        assert canonical(written, day, NONE) == "2024-01-05"
    assert canonical("2024-02-30", day, NONE) == "2024-02-30"  # kept for the check to name
    fuels = Options(
        "fuels",
        (
            Option(code="waste_heat", name="余热余压", name_en="Waste heat"),
            Option(code="methanol", name="甲醇（用作燃料）"),
        ),
    )
    choice = Column(code="f", title=Title(zh="能源"), type="option", options="fuels")
    for written in ("余热余压", "余热 余压", "WASTE HEAT", "waste_heat"):
        assert canonical(written, choice, fuels) == "waste_heat"
    assert canonical("甲醇", choice, fuels) == "methanol"
    assert canonical("乙醇", choice, fuels) == "乙醇"
    yes = Column(code="y", title=Title(zh="是否"), type="yesno")
    assert [canonical(v, yes, NONE) for v in ("是", "√", True, 1.0, "否", False, "×", "—", "也许")] == [
        "1",
        "1",
        "1",
        "1",
        "0",
        "0",
        "0",
        None,
        "也许",
    ]


def test_units_in_headers() -> None:
    assert other_unit("购进金额（万元）", "千元") == "万元"
    assert other_unit("购进金额（千元）", "千元") == ""
    assert other_unit("工业总产值（现价）（万元）", "万元") == ""
    assert other_unit("用电量(kWh)", "万千瓦时") == "kWh"
    assert other_unit("用电量(10000kWh)", "万千瓦时") == ""  # not a unit we know: nothing is claimed


@given(st.integers(0, 1048575), st.integers(0, 16383))
def test_cell_names(row: int, column: int) -> None:
    assert cell_index(cell_name(row, column)) == (row, column)
