"""Tables of the rulebook as people read them: headings and values in words, codes small and grey.

A column or value that has no word here is shown as the rule file writes it, as a reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from lvheng.shell import words
from lvheng.shell.tables import Cell, Column, Table

COLUMNS = {
    "area": _("区域"), "co2": _("二氧化碳"), "code": _("代码"), "confidence": _("核实程度"), "sure": _("核实程度"), "days": _("天数"), "denominator": _("分母"), "factor": _("系数"),
    "group": _("分组"), "high": _("上限"), "kind": _("类别"), "low": _("下限"), "lower": _("下限"), "measure": _("措施"), "name": _("名称"),
    "numerator": _("分子"), "points": _("分值"), "severity": _("程度"), "sign": _("方向"), "unit": _("单位"), "weight": _("权重"), "year": _("年份"),
    "fuel": _("能源品种"), "pollutant": _("污染物"), "industry": _("行业"), "product": _("产品"), "value": _("数值"), "grade": _("等级"),
    "factor_low": _("折标系数下限"), "factor_high": _("折标系数上限"), "price_low": _("单价下限"), "price_high": _("单价上限"), "month": _("月份"), "version": _("标准版本"),
    "letter": _("标记"), "meaning": _("含义"), "capture_from": _("有效率下限"), "capture_to": _("有效率上限"), "run_to": _("缺失时长上限"), "window": _("参照时长"),
    "family": _("标记类别"), "effect": _("处理"), "oxygen": _("基准含氧量"), "basis": _("依据"), "mass": _("摩尔质量"), "what": _("数据种类"), "law": _("规定年限"), "keep": _("保存年限"),
    "screen": _("编号"), "scheme": _("预警办法"), "raise_after": _("升级所需期数"), "lower_after": _("降级所需期数"), "completeness": _("数据完整率"), "between": _("两期之间"),
    "measures": _("措施表"),
}  # fmt: skip
VALUES = {
    "nation": _("全国"), "average": _("平均"), "ex_market": _("不含市场化交易非化石电量"), "fossil": _("化石能源发电"), "market_enterprise": _("参加市场化交易企业"),
    "coal": _("煤"), "coking": _("焦炭及煤气"), "gas": _("天然气"), "oil": _("油品"), "other": _("其他"), "power": _("电力热力"), "february": _("二月"),
    "calibration": _("校准"), "fault": _("故障"), "maintenance": _("维护"), "over_range": _("超量程"), "set": _("手工设定"), "stop": _("停运"), "valid": _("有效"),
    "condition": _("工况"), "instrument": _("自动监测设备"), "invalid": _("数据无效"), "not_judged": _("不作超标判定"), "none": _("无"), "nowcast": _("按推算值"),
}  # fmt: skip
INPUTS = {
    "measured": _("实测值"), "reference": _("基准含氧量"), "oxygen": _("实测含氧量"), "ambient": _("大气压"), "static": _("静压"), "temperature": _("温度"),
    "humidity": _("含湿量"), "flow": _("工况流量"),
}  # fmt: skip
_CODE = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_ORDINALS = {"year", "version"}  # numbers that are names: never with a thousands separator


def rule_table(version: Any, name: Callable[[str], str]) -> Table | None:
    """The table of a rule's version; ``name`` gives the name of an indicator or rule, or nothing."""
    entry = version.entry
    if entry.kind != "table":
        return None
    if entry.bands:
        unit = words.unit_label(entry.unit or "")
        columns = [Column("lower", str(_("高于")), unit, None, True), Column("upper", str(_("至")), unit, None, True), Column("rate", str(_("取值")), words.unit_label(entry.rate_unit), None, True)]  # fmt: skip
        rows: list[dict[str, Any]] = [
            {
                "lower": b.lower,
                "upper": Cell(b.upper, text="" if b.upper is not None else str(_("不限"))),
                "rate": b.rate,
            }
            for b in entry.bands
        ]
        return Table(columns, rows, title="", formats=(), name=words.name_of(version))
    shown = {n: unit for n, unit in entry.columns.items() if not n.endswith("_en")}
    if "code" in shown and "name" in shown:  # names first, codes after them for reference
        shown = {"name": shown.pop("name"), **{n: u for n, u in shown.items() if n != "code"}, "code": shown["code"]}
    columns = [
        Column(
            n,
            str(COLUMNS.get(n, n)),
            "" if unit == "text" else words.unit_label(unit),
            None,
            unit != "text" and n not in _ORDINALS,
        )
        for n, unit in shown.items()
    ]
    rows = [{n: _cell(dict(row), n, name) for n in shown} for row in entry.rows]
    return Table(columns, rows, title="", formats=(), name=words.name_of(version))


def _cell(row: dict[str, Any], column: str, name: Callable[[str], str]) -> Any:
    value = row.get(column)
    if column in _ORDINALS and isinstance(value, Decimal):
        return f"{value:f}"
    if words.english() and (own := row.get(f"{column}_en")):
        return own
    if column in ("sure", "confidence") and value:
        from lvheng.core.source import Confidence

        return words.word(Confidence(value).label)
    if not isinstance(value, str):
        return value
    if not _CODE.fullmatch(value):
        return words.unit_label(value) if column == "unit" else Cell(value, html=words.as_written(value))
    said = "" if column == "code" and "name" in row else _word(value, name)
    return said or Cell(value, html=format_html('<code class="reference">{}</code>', value))


def _word(value: str, name: Callable[[str], str]) -> str:
    if value in VALUES:
        return str(VALUES[value])
    item = words.item_label(value)
    return item if item != value else name(value)
