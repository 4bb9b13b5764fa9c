"""Formulas: what they mean, their units, and what is said when they are wrong."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lvheng.core import quantity
from lvheng.core.explain import Cell, Explainer, render, written
from lvheng.core.formula import Formula, Model, Variable, names, parse, shift_period
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from tests.core.world import ITEMS, REGIONS

VARIABLES = [
    Variable("energy", "万吨标准煤", over_regions="sum", over_time="sum", name="能源消费总量"),
    Variable("gdp", "亿元", over_regions="sum", over_time="sum", name="地区生产总值"),
    Variable("coal", "万吨", over_regions="sum", over_time="sum"),
    Variable("share", "%", over_regions="ratio", over_time="ratio"),
    Variable("rate", "‰"),
    Variable("fuel_use", "吨标准煤", over_regions="sum", over_time="sum", dimensions=("fuel",)),
]


def checked(text: str, unit: str, **more: object) -> list[str]:
    """The problems of one formula over the variables above."""
    new = Variable("new", unit, formulas=(Formula(text),), **more)  # type: ignore[arg-type]
    return [str(p) for p in Model([*VARIABLES, new], regions=REGIONS, dimensions=ITEMS).check()]


def value(text: str, unit: str, figures: dict[str, str], dimensions: tuple[str, ...] = ()) -> Decimal | None:
    """The exact value of one formula for 2021, figures in the units of the variables above."""
    new = Variable("new", unit, formulas=(Formula(text),), dimensions=dimensions)
    model = Model([*VARIABLES, new], regions=REGIONS, dimensions=ITEMS)
    assert not model.check()

    def lookup(code: str, region: str, period: Period, item: str) -> Cell | None:
        key = f"{code}{period.year if period.year != 2021 else ''}{item}"
        return Cell(Decimal(figures[key]), model[code].unit) if key in figures and region == "11" else None

    return Explainer(model, lookup)("new", "11", Period.of_year(2021)).value


@pytest.mark.parametrize(
    ("text", "unit", "figures", "expected"),
    [
        ("energy / gdp", "吨标准煤/万元", {"energy": "400", "gdp": "1000"}, "0.4"),
        ("energy / gdp", "千克标准煤/元", {"energy": "400", "gdp": "1000"}, "0.04"),
        ("energy / gdp / lag(energy / gdp, 1y) - 1", "%",
         {"energy": "97", "gdp": "100", "energy2020": "100", "gdp2020": "100"}, "-3"),
        ("1 - share", "%", {"share": "14"}, "86"),
        ("share - lag(share, 1y)", "百分点", {"share": "14", "share2020": "12.5"}, "1.5"),
        ("rate - lag(share, 1y)", "百分点", {"rate": "140", "share2020": "12.5"}, "1.5"),
        ("energy / gdp * gdp", "吨标准煤", {"energy": "400", "gdp": "1000"}, "4000000"),
        ("if_(share > 0.1, energy, 0)", "万吨标准煤", {"share": "11", "energy": "3"}, "3"),
        ("max(energy - 2 * energy, 0)", "万吨标准煤", {"energy": "3"}, "0"),
        ("round_(share / 3, 2)", "%", {"share": "10"}, "3.33"),
        ("round_(share / 3, 1) * energy", "吨标准煤", {"share": "10", "energy": "1"}, "330"),
        ("round_(energy / coal, 1)", "千克标准煤/吨", {"energy": "1", "coal": "3"}, "333.3"),
        ("sum_over(fuel_use, fuel)", "万吨标准煤", {"fuel_usecoal": "10000", "fuel_usegas": "5000"}, "1.5"),
        ("energy + 0", "吨标准煤", {"energy": "1677.7217"}, "16777217"),
        ("coal * 1", "吨", {"coal": "900719925474.0993"}, "9007199254740993"),
        ("share ** 2", "1", {"share": "50"}, "0.25"),
    ],
)  # fmt: skip
def test_units_are_converted_exactly(text: str, unit: str, figures: dict[str, str], expected: str) -> None:
    assert value(text, unit, figures) == Decimal(expected)


@pytest.mark.parametrize(
    ("text", "unit", "said"),
    [
        ("coal + energy", "万吨", "coal（万吨）与energy（万吨标准煤）"),
        ("energy / gdp", "吨标准煤", "公式算出的计量单位与声明的不符"),
        ("share - lag(share, 1y)", "%", "两个百分数之差的单位是百分点"),
        ("share", "百分点", "公式算出的计量单位与声明的不符"),
        ("energy + 1", "万吨标准煤", "energy（万吨标准煤）与1（无量纲）"),
        ("ln(energy)", "1", "函数ln只用于无量纲的数"),
        ("if_(energy > gdp, 1, 0)", "1", "energy（万吨标准煤）与gdp（亿元）"),
        ("enrgy / gdp", "吨标准煤/万元", "是否应为“energy”"),
        ("lagg(energy, 1y)", "万吨标准煤", "是否应为“lag”"),
        ("if(share > 1, 1, 0)", "1", "公式写法有误"),
        ("lag(energy, 5)", "万吨标准煤", "时间跨度有误"),
        ("lag(energy, 1m)", "万吨标准煤", "滞后期与指标的频度不合"),
        ("1y", "1", "时间跨度放错了位置"),
        ("energy > 1", "1", "比较放错了位置"),
        ("energy × 2", "万吨标准煤", "全角符号"),
        ("children(share)", "%", "比率"),
        ("ytd(energy / gdp)", "吨标准煤/万元", "比率"),
        ("fuel_use", "吨标准煤", "公式的维度与指标“new”的不符"),
        ("sum_over(energy, fuel)", "吨标准煤", "按没有的维度加总"),
        ("p.nowhere * energy", "万吨标准煤", "规则库中没有这条规则"),
        ("energy ** 0.5", "1", "乘方的指数不合规定"),
        ("new + 0 * energy", "万吨标准煤", "new → new"),
        ("base(new)", "万吨标准煤", "成环"),
        ("", "1", "没有内容"),
        ("energy +", "1", "第8字：公式写法有误"),
        ("coalesce(energy)", "万吨标准煤", "项数不对"),
    ],
)  # fmt: skip
def test_faults_are_told(text: str, unit: str, said: str) -> None:
    told = checked(text, unit)
    assert any(said in p for p in told), told


def test_the_column_is_told_in_characters() -> None:
    with pytest.raises(ProblemError) as error:
        parse("能耗 / 总产值 + foo(1)")
    assert error.value.problems[0].place.start == 11


def test_a_cycle_names_its_path_and_a_lag_breaks_it() -> None:
    def cycle(text: str) -> list[str]:
        a = Variable("a", "1", formulas=(Formula("b + 1"),), name="甲")
        b = Variable("b", "1", formulas=(Formula(text),), name="乙")
        return [p.got for p in Model([a, b]).check()]

    assert cycle("a * 2") == ["甲 → 乙 → 甲"]
    assert cycle("lag(a, 1y) * 2") == []


def test_a_formula_can_be_written_out_again() -> None:
    text = "if_(a > 1 and not (b < 2), lag(a / (b - c), 1y), -sum_over(d ** 2, fuel)) + coalesce(base(a), p.x.y)"
    assert parse(written(parse(text))) == parse(text)
    assert names(parse(text)) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("period", "months", "expected"),
    [
        ("2021", 12, "2020"), ("2021", 6, None), ("2021Q1", 3, "2020Q4"), ("2021-03YTD", 12, "2020-03YTD"),
        ("2021-03YTD", 1, None), ("2021-01", 1, "2020-12"), ("2024-02-29", 12, "2023-02-28"), ("2021/2025", 12, None),
    ],
)  # fmt: skip
def test_the_same_period_earlier(period: str, months: int, expected: str | None) -> None:
    found = shift_period(Period.parse(period), months)
    assert (found and found.code) == expected


class TestMissing:
    """What is missing makes everything above it missing, and says why."""

    model = Model(
        [*VARIABLES, Variable("intensity", "吨标准煤/万元", formulas=(Formula("energy / gdp"),))], regions=REGIONS
    )

    def explained(self, figures: dict[tuple[str, str, str], str], region: str, period: str):
        cells = {(c, r, p): Cell(Decimal(v), self.model[c].unit) for (c, r, p), v in figures.items()}
        ex = Explainer(self.model, lambda code, r, p, item: cells.get((code, r, p.code)))
        return ex("intensity", region, Period.parse(period))

    def test_the_reason_names_region_period_and_figure(self) -> None:
        node = self.explained({("gdp", "11", "2021"): "5"}, "11", "2021")
        assert (node.value, node.reason) == (None, "缺少甲县2021年的能源消费总量")

    def test_a_sum_lacks_one_county(self) -> None:
        figures = {(c, r, "2021"): "5" for c in ("energy", "gdp") for r in ("11", "12")}
        assert (
            self.explained(figures, "1", "2021").reason == "缺少丙县2021年的能源消费总量；缺少丙县2021年的地区生产总值"
        )

    def test_a_year_lacks_some_months(self) -> None:
        figures = {("energy", "11", f"2021-{m:02d}"): "1" for m in range(1, 11)} | {("gdp", "11", "2021"): "5"}
        assert self.explained(figures, "11", "2021").reason == "缺少甲县2021年11月、2021年12月的能源消费总量"

    def test_zero_gdp(self) -> None:
        assert (
            self.explained({("energy", "11", "2021"): "1", ("gdp", "11", "2021"): "0"}, "11", "2021").reason
            == "除数为零"
        )

    def test_a_year_is_its_last_cumulative_month(self) -> None:
        figures = {("energy", "11", "2021-12YTD"): "3", ("gdp", "11", "2021-12YTD"): "2"}
        node = self.explained(figures, "11", "2021")
        assert node.value == Decimal("1.5")
        assert [c.op for c in node.children] == ["same", "same"]

    def test_a_part_not_counted_is_left_out(self) -> None:
        figures = {(c, r, "2021"): "4" for c in ("energy", "gdp") for r in ("11", "12", "13", "19")}
        node = self.explained(figures, "1", "2021")
        assert node.children[0].value == 12
        assert "丙县" in "\n".join(str(leaf.region_name) for leaf in node.leaves())
        assert render(node).children


def test_areas_convert_as_rationals() -> None:
    assert quantity.factor("亩", "平方米") * 3 == pytest.approx(Decimal(2000))
    assert quantity.factor("万吨标准煤", "百万千焦") == 293070
    assert not quantity.compatible("百分点", "%")
    assert not quantity.compatible("吨标准煤", "吨")
    assert Kind.YEAR.per_year == 1
