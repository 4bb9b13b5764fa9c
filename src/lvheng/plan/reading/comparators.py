"""Words of comparison around a number, and what they ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lvheng.plan.reading import units

# Words before a number, longest first: comparator. "level" words name the wanted level without a bound.
BEFORE: dict[str, tuple[str, ...]] = {
    "ge": (
        "不低于", "不少于", "不小于", "不得低于", "不得少于", "不应低于", "不应少于", "至少", "最低", "不短于",
        "≥", ">=", "提高到", "提高至", "提升到", "提升至", "提升为", "提高为", "增加到", "增加至", "增长到", "增长至", "增至", "增到", "上升到", "上升至",
        "扩大到", "扩大至", "发展到", "恢复到", "稳定在", "保持在", "维持在", "稳定达到", "稳定保持在", "完成", "巩固在", "升至", "做到",
    ),
    "gt": ("超过", "大于", "高于", "多于", "突破", "超", ">", "优于", "跨越"),
    "le": (
        "不高于", "不超过", "不大于", "不多于", "不得超过", "不得高于", "不得大于", "不应超过", "不应高于", "不超", "不突破", "控制在", "控制到", "控制为",
        "控制目标为", "控制目标", "限制在", "约束在", "降至", "降到", "降低到", "降低至", "下降到", "下降至", "下降为", "降为", "减少到", "减少至", "减至",
        "削减到", "削减至", "压减到", "压减至", "压缩到", "压缩至", "压降至", "压降到", "缩小到", "缩短到", "≤", "<=", "最高",
    ),
    "lt": ("低于", "小于", "少于", "<"),
    "level": ("保持", "维持", "稳定", "达到", "达", "实现", "目标为", "目标值为", "目标是", "目标", "为", "是", "占到", "占", "约占", "到", "至"),
}  # fmt: skip
DOWN = (
    "累计下降",
    "下降",
    "降低",
    "减少",
    "削减",
    "压减",
    "压缩",
    "缩减",
    "消减",
    "下调",
    "减排",
    "节约",
    "压降",
    "降",
    "减",
)
UP = ("累计提高", "提高", "提升", "增加", "增长", "上升", "新增", "递增", "扩大", "增")
# Words that may stand between and change nothing, or say how the number is spread.
FILL = (
    "分别", "均", "都", "各", "全部", "总体", "平均", "累计", "年均", "每年", "总计", "合计", "共计", "共", "力争", "争取", "确保", "努力", "应当", "应", "要",
    "须", "必须", "再", "也", "将", "约", "近", "接近", "基本", "：", "幅度", "分别比", "进一步", "有效", "同比", "不同程度", "净", "逐年", "大约",
)  # fmt: skip
_LOOKUP: dict[str, tuple[str, str]] = {
    **dict.fromkeys(FILL, ("fill", "")),
    **dict.fromkeys(DOWN, ("down", "")),
    **dict.fromkeys(UP, ("up", "")),
    **{w: ("compare", kind) for kind, words in BEFORE.items() for w in words},
}
_LONGEST = max(map(len, _LOOKUP))
AFTER = re.compile(
    r"(?P<ge>及其?以上|以上|及以上)|(?P<le>及其?以下|以下|以内|之内|内(?![河湖海陆部外]))|(?P<approx>左右|上下)"
)
AFTER_WORDS = {"ge": "以上", "le": "以下", "approx": "左右"}
# Nouns of what is wanted small: a level without a bound is then a ceiling.
SMALL = re.compile(
    r"(?:用水量|用水总量|取水量|取水总量|耗水量|水耗|能耗|能耗水平|电耗|煤耗|油耗|综合能耗|能源消耗|能源消费总量|能源消费量|消费总量|消费量|消费增量|"
    r"排放量|排放总量|排放强度|排放系数|排放绩效|(?<!减)排放|强度|浓度|平均浓度|均值|漏损率|损失率|损耗率|线损率|厂用电率|使用量|施用量|死亡率|发生率|"
    r"填埋率|填埋比例|填埋占比|热耗|消耗量|消耗|用能|劣[ⅤV五]类.{0,12}(?:比例|占比|断面|水体)|污染天数|污染天数比率|超标率|能耗增量|"
    r"(?<![\u4e00-\u9fff])(?:煤炭|燃煤|化石能源|一次性塑料).{0,12}(?:比重|比例|占比)|使用强度|降尘量|事故率|化学需氧量|氨氮|二氧化硫|氮氧化物|挥发性有机物|总磷|总氮|二氧化碳|颗粒物|"
    r"PUE值?|电能利用效率|能源使用效率(?:值)?|PM2\.5|PM10|烟粉尘|COD|NH3-N|SO2|NO[xX]|VOC[sS])(?:控制)?(?:目标值?|指标)?$"
)
ANNUAL = re.compile(r"年均(?:增|下降|降低|提高|减|递|[^，]{0,4}(?:增速|增长|降幅))")
# Amounts that add up over the plan period.
TOTAL_NOUN = re.compile(
    r"(?:减排量|节能量|削减量|节水量|替代量|压减量|节电量|减碳量|节约量)$|^(?:新增|新建|累计|改造|新改)"
)
DECLINE_NOUN = re.compile(
    r"(?:下降|降低|减少|削减|递减|压减)(?:率|幅度|比例|量|目标|幅)?$|降幅$|降低率$|减排比例$|削减率$|减排率$"
)
GROWTH_NOUN = re.compile(r"(?:增长|提高|提升|增加|上升)(?:率|幅度|比例|速度|目标)?$|增幅$|增速$|年均增速$")


@dataclass(slots=True)
class Bound:
    """What the words around a number say; ``rest`` is the end of the subject before these words."""

    rest: int
    comparator: str = ""  # ge gt le lt level, or "" when no word says so
    change: str = ""  # "down", "up" or ""
    words: list[str] = field(default_factory=list)
    spread: str = ""  # 分别, 均
    annual: bool = False
    rough: bool = False  # 约

    def text(self, suffix: str) -> str:
        """The words that carry the comparison, joined by … round the number."""
        before = "".join(w for w in reversed(self.words) if w not in ("：",))
        return f"{before}…{suffix}" if before and suffix else before or suffix


def before(text: str, end: int) -> Bound:
    """Read the words of comparison that stand before position ``end``, from the number outwards."""
    bound = Bound(end)
    for _ in range(8):
        for size in range(min(_LONGEST, bound.rest), 0, -1):
            word = text[bound.rest - size : bound.rest]
            role, kind = _LOOKUP.get(word, ("", ""))
            if role:
                break
        else:
            return bound
        if role == "compare":
            if (
                kind == "level"
                and word in ("到", "至", "为", "是", "达", "占")
                and bound.comparator in ("ge", "gt", "le", "lt")
            ):
                bound.words.append(word)
            elif bound.comparator and bound.comparator != "level":
                return bound
            elif bound.change:
                return bound  # 实现…下降: the verb belongs to the subject
            else:
                bound.comparator = kind
                bound.words.append(word)
        elif role in ("down", "up"):
            if bound.change:
                return bound
            if bound.comparator == "level" and bound.words[-1] in ("到", "至", "为"):
                bound.comparator = "le" if role == "down" else "ge"
                bound.words.append(word)
            elif bound.comparator and bound.words[-1] not in (
                "超过",
                "达到",
                "达",
                "不低于",
                "不少于",
                "至少",
                "大于",
                "高于",
                "不超过",
                "不高于",
                "超",
                "为",
                "控制在",
            ):
                return bound
            else:
                bound.change = role
                bound.words.append(word)
        else:
            each = word == "年均" and text[: bound.rest - 2][-4:].isdigit()  # 比2020年均下降: every one, not yearly
            if word in ("分别", "均", "都", "各", "分别比"):
                bound.spread = "分别" if word.startswith("分别") else "均"
            if word in ("约", "大约", "近", "接近"):
                bound.rough = True
            if each:
                bound.spread = "均"
            elif word in ("年均", "每年", "平均", "逐年", "递增"):
                bound.annual = True
        bound.rest -= size
    return bound


def after(text: str, start: int) -> tuple[str, str, int]:
    """The word of comparison after a number: comparator, word, end."""
    m = AFTER.match(text, start)
    if not m:
        return "", "", start
    return m.lastgroup or "", m[0], m.end()


def decide(bound: Bound, suffix: str, subject: str, unit: str) -> tuple[str, str, str, list[str]]:
    """Comparator, direction and measure of a number, with remarks that lower confidence.

    For a decline the tested value is the decline itself, so 下降14% is ``ge``.
    """
    remarks: list[str] = []
    if bound.rough and not suffix and bound.comparator in ("", "level"):
        suffix = "approx"
    change = bound.change
    if not change and DECLINE_NOUN.search(subject):
        change = "down"
    elif not change and GROWTH_NOUN.search(subject):
        change = "up"
    if change:
        if suffix == "approx":
            comparator = "approx"
        elif suffix in ("ge", "le"):
            comparator = "gt" if suffix == "ge" and bound.comparator == "gt" else suffix
        else:
            comparator = bound.comparator if bound.comparator in ("gt", "le", "lt", "ge") else "ge"
        if bound.annual or ANNUAL.search(subject):
            measure = "annual_rate"
        elif unit == units.POINT:
            measure = "percentage_point_drop" if change == "down" else "percentage_point_rise"
        elif unit in units.RATIOS:
            measure = "cumulative_decline" if change == "down" else "cumulative_growth"
        elif unit == units.TIMES:
            measure = "multiplier"
        else:
            measure = "cumulative_amount"
        return comparator, change if change == "down" else "up", measure, remarks
    small = bool(SMALL.search(subject))
    if suffix == "approx":
        comparator = "approx"
    elif suffix:
        comparator = "gt" if suffix == "ge" and bound.comparator == "gt" else suffix
    elif small and "优于" in bound.words:
        comparator = "lt"
    elif bound.comparator in ("ge", "gt", "le", "lt"):
        comparator = bound.comparator
    else:
        comparator = "le" if small else "ge"
        if small:
            remarks.append("无上下限用语，按指标性质取“不高于”")
        elif not bound.comparator:
            remarks.append("无比较用语，按“不低于”")
    down = comparator in ("le", "lt") or (comparator == "approx" and small)
    if unit in units.RATIOS:
        measure = "ratio"
    elif unit == units.TIMES:
        measure = "multiplier"
    elif TOTAL_NOUN.search(subject) and unit and comparator not in ("le", "lt"):
        measure = "cumulative_amount"
    elif unit == units.POINT:
        measure = "percentage_point_rise"
    else:
        measure = "level"
    return comparator, "down" if down else "up", measure, remarks
