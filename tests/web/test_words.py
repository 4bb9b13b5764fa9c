"""Words, formulas, marks and tables as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.utils.translation import override
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lvheng.core.period import Period
from lvheng.core.tables import to_csv
from lvheng.observations.view import Point
from lvheng.plan.rules import State
from lvheng.shell import formulas, words
from lvheng.shell.tables import Cell, Column, Table, download
from lvheng.shell.templatetags import figures

if TYPE_CHECKING:
    from lvheng.observations.view import View

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def english() -> Iterator[None]:
    with override("en"):
        yield


@pytest.mark.parametrize(
    ("code", "chinese", "english"),
    [
        ("2023", "2023年", "2023"), ("2023-06YTD", "2023年1—6月", "Jan–Jun 2023"), ("2023Q3", "2023年三季度", "Q3 2023"),
        ("2023H1", "2023年上半年", "H1 2023"), ("2021/2025", "2021—2025年", "2021–2025"), ("2023-06-30", "2023年6月30日", "30 Jun 2023"),
    ],
)  # fmt: skip
def test_periods_in_both_languages(code: str, chinese: str, english: str) -> None:
    assert words.period_label(code) == chinese
    with override("en"):
        assert words.period_label(Period.parse(code)) == english


@pytest.mark.usefixtures("english")
def test_clause_numbers_in_english() -> None:
    assert words.clause_id("三(十一)") == "3(11)"
    assert words.clause_id("四(二十)") == "4(20)"
    assert words.clause_number("（十）").strip() == "(10)"
    assert words.clause_number("一、").strip() == "1."


def test_clause_numbers_stay_in_chinese() -> None:
    assert words.clause_id("三(十一)") == "三(十一)"


@pytest.mark.usefixtures("english")
@pytest.mark.parametrize("unit", ["吨标准煤/万元", "万吨标准煤", "个百分点", "立方米/万元", "万千瓦时", "吨"])
def test_units_have_english(unit: str) -> None:
    assert not HAN.search(words.unit_label(unit))


@pytest.mark.usefixtures("english")
def test_every_state_has_english() -> None:
    for state in State:
        assert not HAN.search(figures.state(state).replace(state.mark, ""))


def test_a_formula_is_said_with_names() -> None:
    names = {"energy": "能源消费总量", "gdp": "地区生产总值", "a": "甲", "b": "乙", "c": "丙"}
    said = formulas.spoken("1 - (energy / gdp) / base(energy / gdp)", names.__getitem__, str)
    assert said == "1 − 能源消费总量 ÷ 地区生产总值 ÷ 基年（能源消费总量 ÷ 地区生产总值）"
    assert formulas.spoken("a - (b + c)", names.__getitem__, str) == "甲 − (乙 + 丙)"
    assert formulas.spoken("a / (b * c)", names.__getitem__, str) == "甲 ÷ (乙 × 丙)"
    assert (
        formulas.spoken("lag(a, 1y) + sum_over(b, fuel)", names.__getitem__, str)
        == "上年同期（甲） + 按能源品种合计（乙）"
    )
    assert formulas.spoken("这不是公式", str, str) == "这不是公式"


def test_missing_is_a_dash_with_its_reason_and_never_zero() -> None:
    shown = figures.amount(None, "吨", 2, reason="尚无数据。")
    assert "—" in shown
    assert 'tabindex="0"' in shown
    assert "尚无数据。" in shown
    assert "0" not in re.sub(r'tabindex="0"', "", shown)


def test_a_figure_carries_unit_period_and_true_minus() -> None:
    shown = figures.amount(Decimal("-1234.5"), "吨", 2, "2023", source="/x/", synthetic=True)
    for part in ("−1,234.50", "吨", "2023年", 'href="/x/"', "演示数据"):
        assert part in shown


def test_marks() -> None:
    assert "待核" in figures.confidence("K-h")
    assert figures.confidence("V") == ""
    assert figures.confidence(SimpleNamespace(confidence="U", synthetic=True)) == ""
    assert figures.demo(False) == ""
    assert "不完整" in figures.incomplete(False)
    assert figures.state(None) == ""


def test_json_of_a_chart_cannot_close_its_element() -> None:
    text = figures.safe_json({"x": "</script><b>&"})
    assert "<" not in text
    assert ">" not in text
    assert "&" not in text


MAYBE = st.none() | st.integers(-(10**11), 10**11).map(lambda n: Decimal(n) / 100)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(MAYBE, MAYBE), max_size=12))
def test_a_spark_stays_in_its_frame(values: list[tuple[Decimal | None, Decimal | None]]) -> None:
    points = [Point(Period.of_year(2020 + i), v, s) for i, (v, s) in enumerate(values)]
    for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", figures.spark(points, 96, 26)):
        assert 0 <= float(x) <= 96
        assert 0 <= float(y) <= 26


# --- tables ---------------------------------------------------------------------------------------
def table(*rows: dict[str, object], **more: object) -> Table:
    return Table([Column("name", "名称"), Column("value", "数值", "吨", 2, True)], list(rows), title="表", **more)  # type: ignore[arg-type]


def test_quotients_are_exported_to_ten_decimals_and_figures_as_they_are_kept() -> None:
    body = download(table({"name": "商", "value": Decimal(2) / 3}, {"name": "数", "value": Decimal("1.20")}), "csv")
    assert [line.split(",")[1] for line in body.content.decode().splitlines()[1:3]] == ["0.6666666667", "1.20"]


def test_text_that_a_spreadsheet_would_run_is_neutralised_and_numbers_are_not() -> None:
    body = download(
        table({"name": "=cmd()", "value": Decimal("-3.20")}, {"name": Cell("@x", url="/y/"), "value": None}), "csv"
    ).content.decode()
    assert "'=cmd()" in body
    assert "'@x" in body
    assert ",-3.20" in body
    assert body.endswith("'@x,\r\n")


def test_a_missing_cell_shows_why_and_sorts_last() -> None:
    _mark, cells = table({"name": "甲", "value": Cell(None, reason="未报")}).body[0]
    assert "—" in cells[1]
    assert "未报" in cells[1]
    assert "data-order" not in cells[1]


def test_a_cell_is_escaped() -> None:
    _mark, cells = table({"name": "<b>", "value": Decimal(1)}).body[0]
    assert "&lt;b&gt;" in cells[0]


def test_the_unit_stands_in_the_header_of_an_export() -> None:
    assert "数值（吨）" in download(table({"name": "甲", "value": 1}), "csv").content.decode()
    assert to_csv([], []) == "\ufeff\r\n"


def test_reasons_and_gaps_are_said_in_english_on_english_pages(plan_view: View) -> None:
    from dataclasses import replace

    from django.utils import translation

    standing = plan_view.standing("T001")
    made = replace(standing, value=Decimal("11.98"), period=Period.of_year(2024), complete=True, progress=Decimal("84.6"), schedule=Decimal(80), goal=Decimal(14))  # fmt: skip
    endings = ("达到序时进度", "落后序时进度1.2个百分点", "已达到目标", "已提前达到目标值，须保持到期末", "无基期数值，到期再作评判", "到期未达到目标")  # fmt: skip
    whole = (
        "目标尚未下达。",
        "尚无数据。",
        "规则条款，按条文适用，不作进度评判。",
        "2024年缺少福州市2024年的能源消费总量，不作评判。",
    )
    gap = {"reason": "缺少福州市2024年的能源消费总量", "parts": 0, "indicator": plan_view.catalogue["energy_total"], "label": "", "region": None, "region_name": "", "period": Period.of_year(2024)}  # fmt: skip
    with translation.override("en"):
        said = [words.reason_of(replace(made, reason=f"2024年，累计下降11.98%，{e}。")) for e in endings]
        said += [words.reason_of(replace(made, value=None, reason=r)) for r in whole]
        said += [words.gap_of(gap), words.gap_of(gap | {"parts": 2}), words.word("门槛5万吨标准煤以上应全部落实")]
        marked = words.as_written("〔<b>")
    assert not [text for text in said if re.search("[\u4e00-\u9fff]", text)], said
    assert "1.2 points behind schedule" in said[1]
    assert marked == "〔<b>"
    assert words.as_written("原文<b>") == "原文<b>"  # escaped by the template on a Chinese page
