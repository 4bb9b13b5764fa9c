"""Rule files: what is refused and where, and which version is in force."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lvheng.core.formula import check_examples, compute
from lvheng.core.problem import ProblemError
from lvheng.core.region import Region, RegionTree
from lvheng.core.rulebook import Rulebook, describe

GOOD = """\
rules:
  - rule: energy.factor.diesel
    title: {zh: 柴油折标准煤系数, en: Coefficient of diesel}
    kind: parameter
    valid_from: 2008-06-01
    valid_to: 2021-03-31
    value: 1.4571
    unit: 千克标准煤/千克
    source: {document: 综合能耗计算通则, number: GB/T 2589-2008, article: 附录A, confidence: K-h}
  - rule: energy.factor.diesel
    title: {zh: 柴油折标准煤系数}
    kind: parameter
    valid_from: 2021-04-01
    value: 1.4571
    unit: 吨标准煤/吨
    source: {document: 综合能耗计算通则, number: GB/T 2589-2020, confidence: K-h}
  - rule: energy.factor.diesel
    title: {zh: 柴油折标准煤系数（本市）}
    kind: parameter
    valid_from: 2023-01-01
    region: "350100"
    value: 1.46
    unit: 吨标准煤/吨
    source: {document: 市统计局通知, confidence: V}
  - rule: energy.decline
    title: {zh: 能耗强度累计下降率}
    kind: formula
    unit: "%"
    inputs: {energy0: 万吨标准煤, gdp0: 亿元, energy1: 吨标准煤, gdp1: 亿元}
    formula: 1 - (energy1 / gdp1) / (energy0 / gdp0)
    rounding: {places: 2}
    example:
      - {inputs: {energy0: 1000, gdp0: 1000, energy1: 11800000, gdp1: 1280}, expected: 7.81}
    source: {document: 能源数据公报, confidence: V}
  - rule: energy.diesel_energy
    title: {zh: 柴油折标准煤}
    kind: formula
    unit: 吨标准煤
    inputs: {diesel: 万吨}
    formula: diesel * p.energy.factor.diesel
    source: {document: 甲, confidence: V}
  - rule: price.steps
    title: {zh: 阶梯电价加价}
    kind: table
    unit: 千瓦时
    rate_unit: 元/千瓦时
    bands:
      - {from: 0, to: 100, rate: 0}
      - {from: 100, to: 200, rate: 0.1}
      - {from: 200, rate: 0.3}
    source: {document: 甲, confidence: V}
  - rule: price.surcharge
    title: {zh: 加价电费}
    kind: formula
    unit: 元
    inputs: {power: 万千瓦时}
    formula: bands(power, p.price.steps)
    example: [{inputs: {power: 0.03}, expected: 40}]
    source: {document: 甲, confidence: V}
  - rule: levels
    title: {zh: 能效水平}
    kind: table
    columns: {product: text, advanced: 千克标准煤/吨}
    rows:
      - {product: 水泥, advanced: 100.5}
    source: {document: 甲, confidence: V}
"""


def book(tmp_path: Path, text: str = GOOD, **more: object) -> Rulebook:
    (tmp_path / "energy.yaml").write_text(text, encoding="utf-8")
    return Rulebook.load(tmp_path, **more)  # type: ignore[arg-type]


def refused(tmp_path: Path, old: str, new: str) -> list[str]:
    """What is said when one part of a good file is changed."""
    assert old in GOOD
    (tmp_path / "energy.yaml").write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ProblemError) as error:
        Rulebook.load(tmp_path)
    return [str(p) for p in error.value.problems]


def test_the_version_in_force_on_a_day(tmp_path: Path) -> None:
    rules = book(tmp_path)
    old = rules.at("energy.factor.diesel", date(2021, 3, 31))
    new = rules.at("energy.factor.diesel", date(2021, 4, 1))
    assert (old.source.number, new.source.number) == ("GB/T 2589-2008", "GB/T 2589-2020")
    assert new.ref.startswith("energy.factor.diesel@2021-04-01#")
    assert rules.by_ref(new.ref) is new
    assert len(rules.versions("energy.factor.diesel")) == 3
    assert [v.rule for v in rules.search("柴油 2020")] == ["energy.factor.diesel"]
    assert rules.at("levels", date(2021, 1, 1)).rows(product="水泥")[0]["advanced"] == Decimal("100.5")


def test_a_day_without_a_version_says_when_there_is_one(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="2008年6月1日至2021年3月31日；2021年4月1日起"):
        book(tmp_path).at("energy.factor.diesel", date(2000, 1, 1))


def test_an_unknown_rule_says_what_was_probably_meant(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"是否应为“energy\.factor\.diesel”"):
        book(tmp_path).at("energy.factor.deisel", date(2021, 1, 1))


def test_the_nearer_region_wins(tmp_path: Path) -> None:
    day = date(2023, 5, 1)
    rules = book(tmp_path)
    assert rules.at("energy.factor.diesel", day, "350102").value == Decimal("1.46")  # by GB/T 2260
    assert rules.at("energy.factor.diesel", day, "350200").value == Decimal("1.4571")
    assert "[350100]" in rules.at("energy.factor.diesel", day, "350100").ref
    tree = RegionTree([Region("350100", "市"), Region("zone", "区", "350100")])
    assert book(tmp_path, regions=tree).at("energy.factor.diesel", day, "zone").value == Decimal("1.46")


def test_a_changed_entry_changes_its_reference(tmp_path: Path) -> None:
    before = book(tmp_path)
    after = book(tmp_path, GOOD.replace("value: 1.46\n", "value: 1.47\n"))
    old = before.at("energy.factor.diesel", date(2023, 5, 1), "350100")
    assert before.fingerprint != after.fingerprint
    with pytest.raises(ProblemError, match="内容已改动"):
        after.by_ref(old.ref)
    assert before.by_ref(old.ref).ref == old.ref


def test_worked_examples_are_executed(tmp_path: Path) -> None:
    assert check_examples(book(tmp_path)) == []
    (problem,) = check_examples(book(tmp_path, GOOD.replace("expected: 7.81", "expected: 7.82")))
    assert "算例与公式不符" in problem.message
    assert problem.got == "7.81"


def test_formulas_convert_units_and_record_every_version(tmp_path: Path) -> None:
    rules = book(tmp_path)
    outcome = compute(rules, "energy.diesel_energy", date(2022, 1, 1), {"diesel": Decimal(2)})
    assert outcome.value == Decimal("29142.0")
    assert [ref.split("#")[0] for ref in outcome.refs] == ["energy.diesel_energy@", "energy.factor.diesel@2021-04-01"]
    early = compute(rules, "energy.diesel_energy", date(2000, 1, 1), {"diesel": Decimal(2)})
    assert early.value is None
    assert "没有有效版本" in early.reasons[0]
    missing = compute(rules, "energy.diesel_energy", date(2022, 1, 1), {"diesel": None})
    assert (missing.value, missing.reasons) == (None, ("缺少diesel",))


def test_an_entry_can_be_shown(tmp_path: Path) -> None:
    shown = describe(book(tmp_path).at("price.steps", date(2022, 1, 1)).entry)
    assert shown["bands"][1] == {"from": "100", "to": "200", "rate": "0.1"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    value: 1.46\n", "    valeu: 1.46\n", "第22行：“valeu”有不认识的项"),
        ("    source: {document: 市统计局通知, confidence: V}\n", "", "第17行：“source”缺少必填项"),
        ("    valid_from: 2021-04-01\n", "    valid_from: 2021-03-01\n", "第10行：“energy.factor.diesel”两个版本的有效期重叠"),
        ("    value: 1.46\n", "    value: 一点四六\n", "第22行：“value”不是数字"),
        ("    value: 1.46\n", "    value: .nan\n", "第22行：“value”不是数字"),
        ("    value: 1.46\n", "", "第17行：参数没有数值"),
        ("    value: 1.46\n    unit: 吨标准煤/吨", "    value: 1.46\n    unit: 吨标煤/吨", "第23行：计量单位无法识别"),
        ("    value: 1.46\n    unit: 吨标准煤/吨", "    value: 1.46\n    unit: 吨", "各版本的计量单位不能换算"),
        ("    valid_to: 2021-03-31\n", "    valid_to: 2001-03-31\n", "第6行：失效日期早于生效日期"),
        ("gdp1: 亿元}", "gdp1: 万吨}", "公式相加减或比较的两项计量单位不同"),
        ("    unit: 元\n", "    unit: 千瓦时\n", "公式算出的计量单位与声明的不符"),
        ("1 - (energy1 / gdp1)", "1 - (energy1 / gdp2)", "公式中的输入不存在"),
        ("1 - (energy1 / gdp1)", "1 - (energy1 + gdp1)", "energy1（吨标准煤）与gdp1（亿元）"),
        ("diesel * p.energy.factor.diesel", "lag(diesel, 1y) * p.energy.factor.diesel", "不能跨时期"),
        ("diesel * p.energy.factor.diesel", "diesel * p.energy.factor.petrol", "规则库中没有这条规则"),
        ("diesel * p.energy.factor.diesel", "diesel * p.levels", "不是参数"),
        ("inputs: {power: 万千瓦时}", "inputs: {power: 万千瓦时, more: 元}", "没有用到所列的输入"),
        ("{from: 100, to: 200", "{from: 110, to: 200", "分档不衔接"),
        ("{product: 水泥, advanced: 100.5}", "{product: 水泥, advanced: 高}", "“advanced”不是数字"),
        ("{product: 水泥, advanced: 100.5}", "{product: 水泥, advance: 100.5}", "栏目"),
        ("    kind: parameter\n    valid_from: 2023", "    kind: text\n    valid_from: 2023", "“unit”不属于这一类规则"),
        ("confidence: V}\n  - rule: energy.decline", "confidence: 确定}\n  - rule: energy.decline", "取值不在允许范围"),
        ("rules:\n", "rule:\n", "没有这条规则"),
        ("    rounding: {places: 2}", "    rounding: {places: 两位}", "应为整数"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    if old == "rules:\n":  # a file that holds no rules belongs to someone else
        assert len(book(tmp_path, GOOD.replace(old, new, 1))) == 0
        return
    told = refused(tmp_path, old, new)
    assert any(said in p for p in told), told
    assert all("energy.yaml" in p for p in told)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("value: 1.46\n", "value: x\n").replace("gdp1: 亿元}", "gdp1: 吨}").replace("to: 100, ", "")
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("rules: [", encoding="utf-8")
    _, problems = Rulebook.read(tmp_path)
    assert len(problems) >= 4
    assert {p.place.file.split("/")[-1] for p in problems} == {"a.yaml", "b.yaml"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="规则文件夹不存在"):
        Rulebook.load(tmp_path / "nowhere")
