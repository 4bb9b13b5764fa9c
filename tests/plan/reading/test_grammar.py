"""The small grammars: numbers, units, dates, comparisons, lists, places."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from lvheng.plan.reading import read_text, units
from lvheng.plan.reading.deadlines import find_dates, find_period
from lvheng.plan.reading.edit import marks, segments
from lvheng.plan.reading.model import ACTION, COMPLETION, QUANTITATIVE, RULE, Period
from lvheng.plan.reading.normalise import mend
from lvheng.plan.reading.numbers import chinese, find_numbers
from lvheng.plan.reading.responsibilities import restore_prefix, split_bodies
from lvheng.plan.reading.subjects import share_out

FRAME = "某市“十四五”节能减排工作方案\n一、重点工程\n（一）推进工作。{}\n二、保障措施\n落实责任，推进节能减排工程，加强污染治理，完成各项任务和目标，确保措施到位，绿色低碳发展。\n"


def read_one(sentence: str) -> list[Any]:
    return read_text(FRAME.format(sentence)).targets


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十五", 15),
        ("二十", 20),
        ("一百零五", 105),
        ("三千二百", 3200),
        ("二〇二五", 2025),
        ("两", 2),
        ("百", 100),
        ("甲", None),
    ],
)
def test_chinese_numerals(text: str, value: int | None) -> None:
    assert chinese(text) == value


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("百分之十五", "15", "%"),
        ("百分之三点五", "3.5", "%"),
        ("千分之二", "2", "‰"),
        ("三分之一", "33.33", "%"),
        ("两成以上", "20", "%"),
        ("一半以上", "50", "%"),
        ("12m³/万元", "12", "立方米/万元"),
        ("30.5万吨/日", "30.5", "万吨/日"),
        ("35蒸吨/小时", "35", "蒸吨/小时"),
        ("280克标煤/千瓦时", "280", "克标准煤/千瓦时"),
        ("28μg/m3", "28", "微克/立方米"),
        ("20个百分点", "20", "个百分点"),
        ("5万tce", "5", "万吨标准煤"),
    ],
)
def test_numbers_with_units(text: str, value: str, unit: str) -> None:
    (number,) = find_numbers(text, [])
    assert (number.value, number.unit) == (Decimal(value), unit)


@pytest.mark.parametrize(
    "text", ["推进5G应用", "开展VOCs2.0治理", "PM2.5治理", "实施国六标准", "第3批名单", "排名前10位", "执行GB18918标准"]
)
def test_names_are_no_numbers(text: str) -> None:
    assert find_numbers(text, []) == []


def test_ranges() -> None:
    for text in ("10%-15%", "10—15%", "10%至15%", "10~15%"):
        (number,) = find_numbers(text, [])
        assert (number.value, number.upper, number.unit) == (10, 15, "%")


@pytest.mark.parametrize(
    ("one", "other"),
    [("m³/万元", "立方米/万元"), ("m³/万元", "立方米每万元"), ("％", "%"), ("吨标煤", "吨标准煤"), ("t/h", "吨/小时")],
)
def test_units_have_one_spelling(one: str, other: str) -> None:
    assert units.canonical(one) == units.canonical(other)


def test_base_units() -> None:
    assert units.base(Decimal(5), "万吨标准煤") == (Decimal(50000), "吨标准煤")
    assert units.base(Decimal("30.5"), "万吨/日") == (Decimal(305000), "吨/日")
    assert units.base(Decimal(12), "%") == (Decimal(12), "%")


@pytest.mark.parametrize(
    ("text", "role", "date"),
    [
        ("到2025年", "deadline", "2025-12-31"),
        ("2023年底前", "deadline", "2023-12-31"),
        ("2024年6月底前", "deadline", "2024-06-30"),
        ("截至2025年10月15日", "deadline", "2025-10-15"),
        ("2024年2月底前", "deadline", "2024-02-29"),
        ("“十四五”时期", "deadline", "2025-12-31"),
        ("到“十五五”末", "deadline", "2030-12-31"),
        ("五年内", "deadline", "2025-12-31"),
        ("2021—2025年", "deadline", "2025-12-31"),
        ("比2020年", "base", "2020-12-31"),
        ("与2020年相比", "base", "2020-12-31"),
        ("以2020年为基准", "base", "2020-12-31"),
        ("按2015年可比价", "price", "2015-12-31"),
        ("2020年以来", "from", "2020-12-31"),
    ],
)
def test_dates(text: str, role: str, date: str) -> None:
    first = find_dates(text, Period(2021, 2025), 2022)[0]
    assert (first.role, first.date) == (role, date)


@pytest.mark.parametrize(
    ("title", "years"),
    [
        ("某市“十一五”节能规划", (2006, 2010)),
        ("某省“十五五”节能减排方案", (2026, 2030)),
        ("某市大气攻坚方案（2018—2020年）", (2018, 2020)),
        ("某区2023年工作要点", (2023, 2023)),
    ],
)
def test_plan_period(title: str, years: tuple[int, int]) -> None:
    period = find_period(title, "", "")
    assert period is not None
    assert (period.start, period.end) == years


@pytest.mark.parametrize(
    ("sentence", "comparator", "value", "unit"),
    [
        ("到2025年，单位GDP能耗比2020年下降14%以上。", "ge", "14", "%"),
        ("到2025年，煤炭消费量控制在120万吨以内。", "le", "120", "万吨"),
        ("到2025年，回收率不低于50%。", "ge", "50", "%"),
        ("到2025年，漏损率不超过9%。", "le", "9", "%"),
        ("到2025年，处理率达85%左右。", "approx", "85", "%"),
        ("到2025年，达标率超过95%。", "gt", "95", "%"),
        ("到2025年，PM2.5浓度降至30微克/立方米以下。", "le", "30", "微克/立方米"),
        ("到2025年，使用比例降低20个百分点。", "ge", "20", "个百分点"),
        ("到2025年，万元工业增加值用水量为12立方米。", "le", "12", "立方米/万元"),
        ("到2025年，死亡率控制在2‰以下。", "le", "2", "‰"),
        ("到2025年，70%以上的机关建成节约型机关。", "ge", "70", "%"),
        ("到2025年，回收率力争达到百分之六十。", "ge", "60", "%"),
        ("到2025年，新增造林不少于3万亩。", "ge", "3", "万亩"),
    ],
)
def test_comparisons(sentence: str, comparator: str, value: str, unit: str) -> None:
    (target,) = read_one(sentence)
    assert (target.kind, target.comparator, target.value, target.unit) == (
        QUANTITATIVE,
        comparator,
        Decimal(value),
        unit,
    )
    assert target.deadline == "2025-12-31"


@pytest.mark.parametrize(
    "sentence",
    [
        "“十三五”期间，单位GDP能耗累计下降18%，超额完成任务。",
        "2019年，全市污水处理率达到92%。",
        "推进3千吨级以上泊位建设。",
        "全市已建成充电桩2000个。",
        "落实《节约用水条例》第12条。",
        "开展“5个一”活动。",
        "实施“1+6”体系建设。",
    ],
)
def test_not_targets(sentence: str) -> None:
    assert read_one(sentence) == []


@pytest.mark.parametrize(
    ("sentence", "kind", "comparator"),
    [
        ("农村生活垃圾全面实现无害化处理。", COMPLETION, "ge"),
        ("到2025年，基本消除黑臭水体。", COMPLETION, "basically_eliminate"),
        ("力争实现原生垃圾“零填埋”。", COMPLETION, "le"),
        ("逐步实现管网全覆盖。", COMPLETION, "ge"),
        ("2024年底前，关停不达标小造纸企业。", ACTION, "complete"),
        ("完成甲河、乙河等2条河流的排污口整治。", ACTION, "ge"),
        ("原料用能不纳入能耗双控考核。", RULE, "rule"),
        ("新建项目实行1.5倍及以上倍量替代。", RULE, "ge"),
        ("年排放量大于10吨的企业应安装在线监控。", RULE, "gt"),
        ("有条件的单位应配建不低于10%的充电车位。", RULE, "ge"),
    ],
)
def test_kinds(sentence: str, kind: str, comparator: str) -> None:
    (target,) = read_one(sentence)
    assert (target.kind, target.comparator) == (kind, comparator)


def test_share_out() -> None:
    assert share_out("化学需氧量、氨氮排放总量", 2) == ["化学需氧量排放总量", "氨氮排放总量"]
    assert share_out("公路和水路单位周转量能耗", 2) == ["公路单位周转量能耗", "水路单位周转量能耗"]
    assert share_out("甲率、乙率", 2) == ["甲率", "乙率"]
    assert share_out("甲率", 2) is None


def test_hedges_exclusions_and_prices() -> None:
    (one,) = read_one("到2025年，力争80%以上的机关建成节约型机关。")
    assert one.hedge == "力争"
    (two,) = read_one("到2025年，沿海港口70%以上专业化泊位（危险货物泊位除外）具备岸电能力。")
    assert two.exclusions == "危险货物泊位除外"
    (three,) = read_one("到2025年，万元GDP能耗降到0.5吨标准煤以下（按2020年价格）。")
    assert (three.price_base, three.unit, three.unit_written) == (2020, "吨标准煤/万元", "吨标准煤")


def test_bodies() -> None:
    names, opened = split_bodies(
        "市发改委、元翔（福州）航空港有限公司，各县（市、区）人民政府和高新区管委会，市住房和城乡建设局等部门"
    )
    assert names == [
        "市发改委",
        "元翔（福州）航空港有限公司",
        "各县（市、区）人民政府",
        "高新区管委会",
        "市住房和城乡建设局",
    ]
    assert opened
    assert restore_prefix(["市发改委", "财政局", "市场监管局", "国网某某供电公司"]) == [
        "市发改委",
        "市财政局",
        "市市场监管局",
        "国网某某供电公司",
    ]


def test_unknown_bodies_are_reported() -> None:
    text = FRAME.format("推进工作。（市发改委、市幸福局按职责分工负责）")
    draft = read_text(text, bodies={"市发改委": "某市发展和改革委员会"})
    assert [p.got for p in draft.problems if p.code == "plan.body.unknown"] == ["市幸福局"]


def test_breaks_inside_words_are_mended() -> None:
    mended = mend(
        "（一）集群治理。鼓励企业加快工艺革新，实施涂\n\n装类产业集群分类治理，比例达到\u3000100 %。\n- 3 -\n（市工\n\n信局牵头)"
    )
    assert "实施涂装类产业集群分类治理，比例达到100%。" in mended.text
    assert "（市工信局牵头）" in mended.text
    assert "3" not in mended.text.replace("100", "")
    for i, c in enumerate(mended.text):
        if c not in "\n\t（）":
            assert mended.original[mended.at[i]] == c


def test_marks_and_segments_cover_the_text() -> None:
    text = FRAME.format("到2025年，回收率达到 50%。（市发改委负责）")
    draft = read_text(text)
    found = marks(draft)
    assert {m[2] for m in found} >= {"clause", QUANTITATIVE, "value", "responsibility"}
    (value,) = [m for m in found if m[2] == "value"]
    assert text[value[0] : value[1]] == "50"
    cut = segments(draft)
    assert "".join(words for words, _ in cut) == text
    assert ("50", (("clause", "一"),)) not in cut
    assert any(words == "50" and ("value", "T001") in over for words, over in cut)
