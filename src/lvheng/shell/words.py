"""Words that data bring along (states, units, periods, roles) in the language of the page.

The data speak Chinese; these functions give the English where the page asks for it and leave
everything else as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import is_aware, localtime
from django.utils.translation import get_language, gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from lvheng.core.codes import load_codes
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
    _("地区"), _("用能单位"), _("排口"), _("处理厂"), _("设施"), _("部门"), _("系统"), _("分解下达"), _("未分解到本地区"),
    _("观测"), _("同期取值"), _("按期间合计"), _("按期间平均"), _("期末值"), _("按地区合计"), _("前期"), _("基年"), _("当年累计"), _("下级地区合计"), _("分项合计"),
    _("分档表"), _("缺失"),
    _("“两高”项目管控"), _("主要污染物减排"), _("交通物流节能减排"), _("公共机构能效提升"), _("公开发布数据"), _("农业农村节能减排"), _("商贸领域能效提升"),
    _("园区节能环保"), _("城镇绿色节能改造"), _("挥发性有机物综合整治"), _("煤炭清洁高效利用"), _("环境基础设施"), _("用能单位能源平衡"), _("能源平衡"), _("碳排放双控"),
    _("考核与奖励"), _("能源消费分行业"), _("能耗双控"), _("重点行业绿色转型"), _("重点领域污染物减排"),
    _("交通运输"), _("供电企业"), _("公安"), _("农业农村"), _("发改"), _("商务"), _("城市管理"), _("大数据"), _("工信"), _("市场监管"), _("建设"), _("机关事务"),
    _("水利"), _("港口"), _("生态环境"),
)  # fmt: skip

# Units are translated factor by factor: 吨标准煤/万元 → tce / 10 000 yuan.
UNIT_WORDS = (
    _("吨标准煤"), _("万吨标准煤"), _("千克标准煤"), _("克标准煤"), _("吨"), _("万吨"), _("亿吨"), _("千克"), _("元"), _("万元"), _("亿元"), _("千瓦时"), _("万千瓦时"),
    _("亿千瓦时"), _("立方米"), _("万立方米"), _("亿立方米"), _("百分点"), _("个百分点"), _("个"), _("家"), _("县"), _("条"), _("处"), _("倍"), _("公里"), _("日"), _("年"),
    _("项"), _("台"), _("辆"), _("人"), _("万人"), _("公顷"), _("万亩"), _("亩"), _("次"), _("座"), _("艘"), _("户"), _("分"), _("吨公里"), _("万吨公里"), _("蒸吨"),
    _("小时"), _("上年=100"), _("吉焦"), _("兆焦"), _("吨二氧化碳"), _("万吨二氧化碳"), _("平方米"), _("万平方米"), _("平方公里"), _("泊位"), _("克"), _("千克二氧化碳"), _("千焦"), _("月"), _("片"), _("百万千焦"), _("百吨"),
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
    if english() and (found := _THRESHOLD.fullmatch(text or "")):
        return gettext("门槛%s以上应全部落实") % (found[1] + " " + unit_label(found[2]))
    return gettext(text) if text else ""


_THRESHOLD = re.compile(r"门槛([\d.,−]+)(.*)以上应全部落实")  # as a standing says it; see observations.view


def name_of(thing: Any) -> str:
    """The title or name of a clause, target, body, region, rule, indicator in the language of the page."""
    if thing is None:
        return ""
    if hasattr(thing, "entry"):  # a version of a rule
        thing = thing.entry
    own: Any = next((v for n in ("title", "name") if (v := getattr(thing, n, None))), "")
    if hasattr(own, "zh"):
        return (own.en or own.zh) if english() else own.zh
    if english():
        return getattr(thing, "title_en", "") or getattr(thing, "name_en", "") or str(own)
    return str(own)


@lru_cache(maxsize=1)
def _items() -> dict[str, tuple[str, str]]:
    """Code → names of fuels, pollutants and industries, from the code lists of the rulebook."""
    from django.conf import settings

    found: dict[str, tuple[str, str]] = {}
    for path in sorted((settings.RULEBOOK_FOLDER / "codes").glob("*.yaml")):
        if path.stem in ("fuels", "pollutants", "gbt4754"):
            found |= {c.code: (c.name, c.name_en) for c in load_codes(path)}
    return found


def item_label(item: str) -> str:
    """The name of an item: 原煤 for raw_coal; an item without a code stays as it is."""
    names = _items().get(item)
    return item if names is None else (names[1] or names[0]) if english() else names[0]


_DIGITS = "零一二三四五六七八九"


def _numeral(text: str) -> int:
    """一 … 九十九 as a number."""
    tens, _ten, ones = text.rpartition("十")
    return (_DIGITS.index(tens or "一") * 10 if "十" in text else 0) + (_DIGITS.index(ones) if ones else 0)


def clause_number(number: str) -> str:
    """一、 and （一） as the document writes them; 1. and (1) in English."""
    if not english():
        return number
    ascii_ = number.translate(str.maketrans("（）、．", "()..")).strip()
    found = re.sub(r"[一二三四五六七八九十]+", lambda m: str(_numeral(m[0])), ascii_)
    return found + " "


def clause_id(ident: str) -> str:
    """三(十一); 3(11) in English."""
    return re.sub(r"[一二三四五六七八九十]+", lambda m: str(_numeral(m[0])), ident) if english() else ident


def bracketed(text: str) -> str:
    """A remark in the brackets of the language; nothing for nothing."""
    return "" if not text else f" ({text})" if english() else f"（{text}）"


def listed(parts: Any, between: str = "，") -> str:
    """Parts joined by the comma or semicolon of the language; empty ones are left out."""
    return ({"，": ", ", "；": "; ", "、": ", "}[between] if english() else between).join(str(p) for p in parts if p)


_CHINESE = {"min": "分钟", "h": "小时", "s": "秒", "d": "日"}


def unit_label(unit: str) -> str:
    """A unit as people write it; in English factor by factor."""
    if not unit or unit == "1":
        return ""
    if not english():
        return "".join(_CHINESE.get(part, part) for part in re.split(r"([/·*])", unit))
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
    """2023年6月30日; 30 June 2023. A moment is told by its day here, not in Greenwich."""
    if day is None:
        return ""
    if isinstance(day, datetime) and is_aware(day):
        day = localtime(day)
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
    if value is None or target.value is None:  # what is asked for was not written as a number
        return word({"complete": "全面完成", "basically_complete": "基本完成", "basically_eliminate": "基本淘汰", "rule": "规则"}.get(target.comparator, "定性"))  # fmt: skip
    return f"{SYMBOLS.get(target.comparator, '')} {show(value)} {unit_label(target.unit)}".strip()


# How a sentence of :mod:`lvheng.plan.rules` ends, and what that is called on an English page.
_ENDINGS = (
    (re.compile("已提前达到目标值"), _("已提前达到目标值，须保持到期末")),
    (re.compile("已达到目标"), _("已达到目标")),
    (re.compile("无基期数值"), _("无基期数值，到期再作评判")),
    (re.compile("到期未达到目标"), _("到期未达到目标")),
    (re.compile("达到序时进度"), _("达到序时进度")),
    (re.compile(r"落后序时进度([\d.,]+)个百分点"), _("落后序时进度%s个百分点")),
    (re.compile("^定性要求"), _("定性要求，未设数值")),
)
SENTENCES = (
    _("规则条款，按条文适用，不作进度评判。"), _("目标尚未下达。"), _("目标值尚未下达。"), _("尚未指定统计指标。"), _("尚无数据。"), _("规划期尚未开始。"),
    _("原文未写明数值，也无法推定。"), _("数据不完整，不作评判。"), _("该数据尚未公开。"), _("未分解到本地区。"), _("定性要求，未设数值；尚无数据。"),
)  # fmt: skip


def reason_of(standing: Any) -> str:
    """The sentence that says why; in English made anew from the same figures."""
    said: str = standing.reason
    if not english():
        return said
    if (whole := gettext(said)) != said:
        return whole
    if standing.value is None:
        at = standing.period
        return gettext("尚无数据。") if at is None else gettext("%s数据不全，不作评判。") % period_label(at)
    if not standing.complete:
        return gettext("数据不完整，不作评判。")
    value = f"{show(standing.value, standing.places)} {unit_label(standing.unit)}".strip()
    ending = next(((words, found) for pattern, words in _ENDINGS if (found := pattern.search(said))), None)
    parts = [
        f"{period_label(standing.period)}: {value}" if standing.period else value,
        gettext("目标%s") % goal_words(standing.target, standing.goal)
        if standing.goal is not None
        else word(standing.goal_note)
        if standing.goal_note
        else "",
        gettext("完成目标进度%s%%") % show(standing.progress, 1) if standing.progress is not None else "",
        gettext("序时进度%s%%") % show(standing.schedule, 1) if standing.schedule is not None else "",
        str(ending[0]).replace("%s", ending[1][1] if ending[1].lastindex else "") if ending else "",
    ]
    return listed(parts, "；") + "."


def gap_of(node: Mapping[str, Any]) -> str:
    """Why a number of an explanation is missing; in English by what it is of."""
    said: str = node["reason"]
    if not said or not english():
        return said
    if (whole := gettext(said)) != said:
        return whole
    if node["parts"]:
        return gettext("所需数据不全。")
    of = name_of(node["indicator"]) or node["label"]
    return gettext("缺少数据：%s") % listed(
        (of, name_of(node["region"]) or node["region_name"], period_label(node["period"]))
    )


def as_written(text: Any) -> SafeString | str:
    """Words that stay Chinese on every page (quotations, notes, citations), told to readers aloud as such."""
    said = str(text or "")
    return format_html('<span lang="zh-Hans">{}</span>', said) if english() and _HAN.search(said) else said


_HAN = re.compile("[\u4e00-\u9fff]")


def validity_label(validity: Any) -> str:
    """2021年1月1日起; from 1 January 2021."""
    if not english():
        return validity.label
    start, end = validity.valid_from, validity.valid_to
    if start and end:
        return f"{date_label(start)} – {date_label(end)}"
    return f"from {date_label(start)}" if start else f"until {date_label(end)}" if end else gettext("长期")


def citation(source: Any) -> SafeString:
    """A citation for a table: as it is written, whatever the language of the page."""
    return format_html('<span translate="no">{}</span>', as_written(cite(source)))


def cite(source: Any) -> str:
    """《文件》（文号）条款."""
    return str(getattr(source, "source", source))
