"""Scoring against gold files of any maker: places, kinds or fields may be missing."""

from __future__ import annotations

from typing import Any

import pytest

from lvheng.plan.reading import Draft, read_text
from lvheng.plan.reading.score import score

TEXT = (
    "某市“十四五”节能减排工作方案\n一、主要目标\n到2025年，全市单位GDP能耗比2020年下降14%，回收率达到50%以上。原料用能不纳入能耗双控考核。\n"
    "二、重点工程\n（一）工业。到2025年，全面完成锅炉改造。（市工信局牵头，市发改委、市财政局配合）\n"
)
GOLD: dict[str, Any] = {
    "targets": [
        {
            "anchor": "单位GDP能耗比2020年下降14%",
            "value": 14,
            "unit": "%",
            "comparator": "ge",
            "baseline_year": 2020,
            "deadline": "2025-12-31",
        },
        {
            "anchor": "回收率达到50%以上",
            "value": 50,
            "unit": "％",
            "comparator": "ge",
            "sentence": "到2025年，回收率达到50%以上。",
        },
        {"anchor": "原料用能不纳入能耗双控考核", "kind": "rule", "comparator": "rule"},
        {"anchor": "全面完成锅炉改造", "kind": "completion", "value": 100, "comparator": "ge", "value_written": False},
    ],
    "responsibilities": [{"clause": "二(一)", "lead": ["市工信局"], "cooperate": ["市财政局", "市发改委"]}],
}


@pytest.fixture
def draft() -> Draft:
    return read_text(TEXT)


def test_perfect_reading_without_places(draft: Draft) -> None:
    parts = score(draft, GOLD)
    for part in ("quantitative", "completion", "rules", "responsibilities"):
        assert (parts[part]["precision"], parts[part]["recall"]) == (1.0, 1.0), part
        assert parts[part]["found"] == parts[part]["expected"]
        assert parts[part]["missed"] == parts[part]["false"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", 15), ("unit", "个百分点"), ("comparator", "gt"), ("baseline_year", 2015), ("deadline", "2024-12-31")],
)
def test_one_wrong_field_is_a_miss(draft: Draft, field: str, value: object) -> None:
    """A quantitative target counts only when all five fields agree."""
    start = TEXT.index("14%")
    gold = {
        "targets": [
            {**GOLD["targets"][0], "span": [start - 12, start + 3], "value_span": [start, start + 2], field: value}
        ]
    }
    part = score(draft, gold)["quantitative"]
    assert part["found"] == 0
    assert part["missed"][0]["wrong"] == [field]


def test_missing_and_surplus_items(draft: Draft) -> None:
    gold = {
        "targets": [*GOLD["targets"][1:], {"anchor": "森林覆盖率达到35%", "value": 35, "unit": "%", "comparator": "ge"}]
    }
    part = score(draft, gold)["quantitative"]
    assert (part["found"], part["expected"], len(part["missed"]), len(part["false"])) == (1, 2, 1, 1)
    assert (part["precision"], part["recall"]) == (0.5, 0.5)


def test_wrong_lead_is_a_miss(draft: Draft) -> None:
    gold = {"responsibilities": [{"clause": "二(一)", "lead": ["市发改委"], "cooperate": ["市财政局", "市工信局"]}]}
    part = score(draft, gold)["responsibilities"]
    assert part["found"] == 0
    assert part["missed"][0]["wrong"] == ["lead", "others"]


def test_empty_gold(draft: Draft) -> None:
    parts = score(draft, {})
    assert len(parts["quantitative"]["false"]) == 2
    assert parts["quantitative"]["recall"] == 1.0
