"""What a number speaks of: the words before it without adverbs, lists shared out item by item."""

from __future__ import annotations

import re

MEASURE_NOUN = re.compile(
    r"(?:率|比例|比重|占比|量|总量|强度|浓度|水平|能力|面积|规模|里程|长度|天数|指数|产值|能耗|水耗|电耗|煤耗|消耗|排放|增加值|数|价|容量|系数|"
    r"标准|投资|收入|效率|装机|个数|数量|用能|水质|断面|普及|覆盖|幅度|份额|蓄积|储量|产量|产能|需求|密度|均值|温度|时间|次数|值|贡献率|资金|质量)$"
)
ADVERBS = re.compile(
    r"^(?:力争|争取|确保|努力|其中|同时|实现|推动|推进|促进|全面|切实|应当|原则上|基本(?!农田|公共)|逐步|持续|进一步|有效|加快|保持|做到|达到|对于|按照|相比|"
    r"——|—是|—|[一二三四五六七八九]是(?!否)|主要指标|具体目标|约束性指标|预期性指标|各项|分别|每年|年均|平均(?!浓度)|累计|届时|通过[^，]{2,16}?行动|"
    r"基本目标[为是：]?|激励目标[为是：]?|奋斗目标[为是：]?|工作目标|不断|大力|严格|积极|落实|完成|实施(?=.{4})|开展(?=.{4})|当年|底前|时期|期间|今年|年底前|"
    r"使(?!用)|让|将|并(?!网)|且|要(?!素)|应(?![急用对收])|需(?!求|水|氧)|须|在(?![线建役岗产用册校])|或(?!者)|把|均(?!值|价)|也|又|约(?!束)|即|"
    r"其(?![他它余中])|该|[的：，、])+"
)
SCOPE = re.compile(r"^(?:全[市省县区州国盟旗域]|本[市省县区]|我[市省县区]|全自治区|全区域)")
LIST_MARK = re.compile(r"[、和与]|以及|及(?!其|以)")
HEDGES = ("力争", "原则上", "逐步实现", "逐步", "争取", "努力", "鼓励", "有条件的", "具备条件的")
# Names that share the words after the last of them: pollutants, gases, fuels, crops' inputs.
SHARERS = (
    "化学需氧量", "氨氮", "总氮", "总磷", "二氧化硫", "氮氧化物", "挥发性有机物", "细颗粒物", "可吸入颗粒物", "颗粒物", "臭氧", "烟粉尘", "二氧化碳",
    "甲烷", "COD", "NH3-N", "SO2", "NOx", "NOX", "VOCs", "VOCS", "PM2.5", "PM10", "O3", "TP", "TN", "化肥", "农药", "油墨", "涂料", "胶粘剂",
    "清洗剂", "煤炭", "天然气", "石油", "电力", "一般工业固体废物", "危险废物", "建筑垃圾", "生活垃圾", "城市", "县城", "农村", "乡镇", "建制镇", "市区",
    "公路", "铁路", "水路", "公交车", "公交", "出租车", "出租", "货车", "客车", "粗钢", "水泥", "电解铝", "平板玻璃", "合成氨", "烧碱", "营运车辆", "营运船舶", "城区", "县级", "市级", "地级",
    "重金属", "铅", "汞", "镉", "铬", "砷",
)  # fmt: skip
_SHARER = sorted(SHARERS, key=len, reverse=True)
TAILS = re.compile(
    r"(?:排放(?:总)?量|重点工程减排量|使用比例|综合利用率|利用率|覆盖率|处理率|回收率|达标率|普及率|占比|比例|比重|率|量|强度|浓度|改造|能力|面积)$"
)
PLACE = re.compile(r"[\u4e00-\u9fff]{1,6}?[市县区州镇乡]")


def hedge_of(text: str) -> str:
    """The word that softens a phrase, "" when none does."""
    best = ""
    position = len(text)
    for word in HEDGES:
        i = text.find(word)
        if 0 <= i < position:
            best, position = word, i
    return best


def clean(subject: str) -> tuple[str, str]:
    """The subject without leading adverbs, and its scope word (全市)."""
    scope = ""
    for _ in range(4):
        short = ADVERBS.sub("", subject)
        m = SCOPE.match(short)
        if m and len(short) > len(m[0]):
            scope, short = m[0], short[len(m[0]) :]
        if short == subject:
            break
        subject = short
    subject = re.sub(r"(?:比|较)上(?:一)?年(?:同期|度)?$", "", subject)
    subject = re.sub(r"在[^，]{2,14}(?:基础|水平)上$", "", subject) or subject
    subject = (
        re.sub(
            r"(?:的目标|目标值|控制目标|目标|指标)$",
            "",
            re.sub(
                r"(?:分别|均|都|各|基本|力争|每[日天年]|日均|(?<![供响反效适])应|要|须|将)+$",
                "",
                subject.strip("“”，、：；的"),
            ),
        )
        or subject
    )
    subject = subject.strip("，、：；")
    if subject.count("“") != subject.count("”"):  # a quoted name at the edge lost one of its marks
        subject = "“" + subject if subject.count("”") > subject.count("“") else subject + "”"
    return subject, scope


def carried(subject: str, before: str) -> str:
    """The subject of a phrase that leaves it out, or names only another scope (县城达85%)."""
    if not subject:
        return before
    if before and subject.startswith("占"):
        return before + subject
    if not before or MEASURE_NOUN.search(subject) or len(subject) > 14:
        return subject
    m = re.match(
        r"(?:全市|市区|城区|县城|城市|农村|乡镇|建制镇|重点区域|[\u4e00-\u9fff]{1,6}?[市县区州](?![域间场]))", before
    )
    tail = before[m.end() :] if m and len(before) > m.end() + 1 else before
    if re.search(r"(?:[市县区州镇乡村城域]|地区|流域|海域|其他|其余|其它|企业|机关|城镇|区域)$", subject):
        return subject + tail
    return subject


def share_out(subject: str, count: int) -> list[str] | None:
    """Names of the ``count`` items that 分别 spreads numbers over; None when they cannot be told apart."""
    parts = [p for p in LIST_MARK.split(subject) if p]
    if len(parts) != count:
        parts = [p for p in subject.split("、") if p]
        if len(parts) == count - 1 and parts:
            pair = LIST_MARK.split(parts[-1], maxsplit=1)
            parts = parts[:-1] + [p for p in pair if p]
        if len(parts) != count:
            return None
    if all(MEASURE_NOUN.search(p) and not p.endswith("需氧量") for p in parts[:-1]) and "占" not in parts[-1]:
        return parts
    last = parts[-1]
    tail = _shared_tail(parts, last)
    own = last.removesuffix(tail).removesuffix("等") if tail else last
    return [p + tail for p in parts[:-1]] + [own + tail if tail else last]


def _shared_tail(parts: list[str], last: str) -> str:
    """The words after the last item's own name, which the items before it share."""
    if "占" in last[1:] and not any("占" in p for p in parts[:-1]):
        return last[last.index("占", 1) :]
    m = re.search(r"等(?:重点)?(?:区域|地区|城市|流域|领域|县|市|行业)", last)
    if m and m.end() < len(last):
        return last[m.end() :]
    for name in _SHARER:
        if last.startswith(name) and len(name) < len(last):
            return last[len(name) :].removeprefix("等")
    m = re.search(r"(?:单位|人均|万元|平均|综合|均)(?!综合)", last[1:])
    if m:
        return last[1 + m.start() :]
    m = PLACE.match(last)
    if m and all(PLACE.search(p) for p in parts[:-1]):
        return last[m.end() :]
    m = TAILS.search(last)
    if m and len(m[0]) < len(last):
        return m[0]
    size = sorted(len(p) for p in parts[:-1])[(len(parts) - 2) // 2]
    return last[size:] if size < len(last) else ""
