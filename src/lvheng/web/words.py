"""Words that data bring along (states, units, periods, roles) in the language of the page.

The data speak Chinese; these functions give the English where the page asks for it and leave
everything else as it is written.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import get_language, gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from lvheng.core.period import Kind, Period
from lvheng.core.quantity import show

# Every word here is looked up by its Chinese text; the tuple exists so that it is collected for translation.
DATA_WORDS = (
    _("已完成"), _("按进度"), _("落后"), _("严重落后"), _("无数据"), _("未到期"),
    _("定量目标"), _("完成类目标"), _("限时限量工作"), _("规则与门槛"),
    _("不低于"), _("高于"), _("不高于"), _("低于"), _("等于"), _("左右"), _("定性"), _("全面完成"), _("基本完成"), _("基本淘汰"), _("规则"),
    _("监测"), _("填报"), _("公开发布"), _("统计"), _("估算"), _("替代"), _("撤回"), _("计算"),
    _("统计报表"), _("工程台账"), _("减排项目核算"), _("在线监测"), _("公式计算"),
    _("越高越好"), _("越低越好"), _("中性"),
    _("各地区相加"), _("比率，不相加"), _("不汇总"), _("各期相加"), _("取期末值"), _("取平均值"),
    _("市级牵头部门"), _("责任部门"), _("县（市）区"), _("企业"), _("核查机构"), _("审计监督"), _("系统管理员"), _("公众"),
    _("已核"), _("待核（把握较大）"), _("待核（把握一般）"), _("待核（把握较小）"), _("待录入"),
    _("必须改正"), _("须改正或说明"), _("请核对"), _("提示"),
    _("参照全市目标"), _("演示分解"), _("长期"),
    _("参数"), _("表格"), _("公式"), _("文字"),
    _("地区"), _("用能单位"), _("排口"), _("处理厂"), _("设施"), _("部门"),
)  # fmt: skip

# Units are translated factor by factor: 吨标准煤/万元 → tce / 10 000 yuan.
UNIT_WORDS = (
    _("吨标准煤"), _("万吨标准煤"), _("千克标准煤"), _("克标准煤"), _("吨"), _("万吨"), _("亿吨"), _("千克"), _("元"), _("万元"), _("亿元"), _("千瓦时"), _("万千瓦时"),
    _("亿千瓦时"), _("立方米"), _("万立方米"), _("亿立方米"), _("百分点"), _("个百分点"), _("个"), _("家"), _("县"), _("条"), _("处"), _("倍"), _("公里"), _("日"), _("年"),
    _("项"), _("台"), _("辆"), _("人"), _("万人"), _("公顷"), _("万亩"), _("亩"), _("次"), _("座"), _("艘"), _("户"), _("分"), _("吨公里"), _("万吨公里"), _("蒸吨"),
    _("小时"), _("上年=100"), _("吉焦"), _("兆焦"), _("吨二氧化碳"), _("万吨二氧化碳"), _("平方米"), _("万平方米"), _("平方公里"), _("泊位"),
)  # fmt: skip

MEASURES = {
    "cumulative_decline": gettext_lazy("累计下降"),
    "cumulative_amount": gettext_lazy("累计量"),
    "level": gettext_lazy("水平"),
    "ratio": gettext_lazy("比率"),
    "percentage_point_drop": gettext_lazy("累计下降百分点"),
    "percentage_point_rise": gettext_lazy("累计提高百分点"),
    "cumulative_growth": gettext_lazy("累计增长"),
    "count": gettext_lazy("个数"),
    "completion": gettext_lazy("完成情况"),
    "enumerated_places": gettext_lazy("列名地点"),
    "multiplier": gettext_lazy("倍数"),
    "threshold": gettext_lazy("门槛"),
    "assessment_rule": gettext_lazy("考核规则"),
    "annual_rate": gettext_lazy("年均变化率"),
}
BODY_ROLES = {
    "lead": gettext_lazy("牵头"),
    "shared": gettext_lazy("负责"),
    "cooperate": gettext_lazy("配合"),
    "local": gettext_lazy("落实"),
}
FREQUENCIES = {
    Kind.YEAR: gettext_lazy("年"),
    Kind.HALF: gettext_lazy("半年"),
    Kind.QUARTER: gettext_lazy("季"),
    Kind.MONTH: gettext_lazy("月"),
    Kind.YTD: gettext_lazy("累计月"),
    Kind.DAY: gettext_lazy("日"),
    Kind.HOUR: gettext_lazy("小时"),
    Kind.PLAN: gettext_lazy("规划期"),
}
SYMBOLS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "eq": "=", "approx": "≈"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def english() -> bool:
    return (get_language() or "").startswith("en")


def word(text: str) -> str:
    """A word of the data in the language of the page."""
    return gettext(text) if text else ""


def name_of(thing: Any) -> str:
    """The title or name of a clause, target, body, region, rule, indicator in the language of the page."""
    if thing is None:
        return ""
    if hasattr(thing, "entry"):  # a version of a rule
        thing = thing.entry
    own = next((v for n in ("title", "name") if (v := getattr(thing, n, None))), "")
    if hasattr(own, "zh"):
        return (own.en or own.zh) if english() else own.zh
    if english():
        return getattr(thing, "title_en", "") or getattr(thing, "name_en", "") or str(own)
    return str(own)


def unit_label(unit: str) -> str:
    """A unit as people write it; in English factor by factor."""
    if not unit or unit == "1":
        return ""
    if not english():
        return unit
    return "".join(gettext(part) if part and part not in "/·" else part for part in re.split(r"([/·])", unit))


def period_label(period: Period | str | None) -> str:
    """2023年1—6月; Jan–Jun 2023."""
    if not period:
        return ""
    p = Period.parse(period) if isinstance(period, str) else period
    if not english():
        return p.label
    match p.kind:
        case Kind.HALF:
            return f"H{p.part} {p.year}"
        case Kind.QUARTER:
            return f"Q{p.part} {p.year}"
        case Kind.MONTH:
            return f"{_MONTHS[p.part - 1]} {p.year}"
        case Kind.YTD:
            return f"Jan–{_MONTHS[p.part - 1]} {p.year}" if p.part > 1 else f"Jan {p.year}"
        case Kind.DAY:
            return f"{p.day} {_MONTHS[p.part - 1]} {p.year}"
        case Kind.HOUR:
            return f"{p.day} {_MONTHS[p.part - 1]} {p.year}, {p.hour}:00"
        case Kind.PLAN:
            return f"{p.year}–{p.part}"
        case _:
            return str(p.year)


def date_label(day: date | None) -> str:
    """2023年6月30日; 30 June 2023."""
    if day is None:
        return ""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}" if english() else f"{day.year}年{day.month}月{day.day}日"


def deadline_label(day: date | None) -> str:
    """The year alone when the deadline is its end."""
    if day is None:
        return ""
    if (day.month, day.day) == (12, 31):
        return str(day.year) if english() else f"{day.year}年"
    return date_label(day)


def goal_words(target: Any, goal: Decimal | None = None) -> str:
    """What a target asks for, in short: ≥ 16,000 吨; 基本完成."""
    value = goal if goal is not None else target.value
    if value is None:
        return word({"complete": "全面完成", "basically_complete": "基本完成", "basically_eliminate": "基本淘汰", "rule": "规则"}.get(target.comparator, "定性"))  # fmt: skip
    return f"{SYMBOLS.get(target.comparator, '')} {show(value)} {unit_label(target.unit)}".strip()


def reason_of(standing: Any) -> str:
    """The sentence that says why; in English made anew from the same figures."""
    if not english():
        return standing.reason
    t, unit = standing.target, unit_label(standing.unit)
    if standing.value is None:
        return gettext("目标值尚未下达。") if standing.goal is None and t.value is None else gettext("尚无数据。")
    if not standing.complete:
        return gettext("数据不完整，不作评判。")
    parts = [f"{show(standing.value, standing.places)} {unit}".strip()]
    if standing.goal is not None:
        parts.append(f"target {goal_words(t, standing.goal)}")
    if standing.progress is not None:
        parts.append(f"{show(standing.progress, 1)} % of the way")
    if standing.schedule is not None:
        parts.append(f"schedule {show(standing.schedule, 1)} %")
    return "; ".join(parts) + "."


def validity_label(validity: Any) -> str:
    """2021年1月1日起; from 1 January 2021."""
    if not english():
        return validity.label
    start, end = validity.valid_from, validity.valid_to
    if start and end:
        return f"{date_label(start)} – {date_label(end)}"
    return f"from {date_label(start)}" if start else f"until {date_label(end)}" if end else gettext("长期")


def cite(source: Any) -> str:
    """《文件》（文号）条款."""
    return str(getattr(source, "source", source))
