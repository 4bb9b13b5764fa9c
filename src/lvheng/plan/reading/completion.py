"""Targets and rules without a written number: 全部, 基本完成, 全覆盖, 零…, 免于考核 and their like."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from lvheng.plan.reading.model import ACTION, COMPLETION, RULE
from lvheng.plan.reading.subjects import MEASURE_NOUN

HUNDRED, ZERO = Decimal(100), Decimal(0)


@dataclass(slots=True)
class Hit:
    """What a phrase asks for without a number; ``start`` and ``end`` are the words in the phrase."""

    kind: str
    comparator: str
    words: str
    start: int
    end: int
    value: Decimal | None = None
    unit: str = ""
    measure: str = "completion"
    direction: str = "up"
    confidence: float = 0.9
    reason: str = ""


DONE = "完成|建成|实现|普及|淘汰|退出|解决|达标|覆盖|关停|取缔|取消|关闭|整治|改造|搬迁|消纳|替代|脱硫|脱硝|转型"
FINISH = (
    "完成(?!情况|率)|建成(?!区)|关停|关闭|淘汰(?!类|政策|方案|任务|目录|机制|制度|计划|标准|补偿|的)|取缔|退出(?!机制|政策|方案|制度)|"
    "停用|拆除|达标(?!期限|率|情况|排放计划)|投产|投运|停止|清零|划定|搬迁(?!方案|计划)|取消|封堵|拔除|停产|建立|出台|消除|杜绝|并网"
)
REACH = f"{DONE}|建设|达到|实施|采用|使用|安装|配备|供应|执行|落实|具备|纳入|完工|稳定|开展|配套|建立|接入|联网|拆除|停止|更换|更新|入园|收集|处理|处置|实行|符合|通过|满足|禁止|禁用|清零|推行|推广|停用|停产|关闭|投运|发放|签订|设置"
BASICALLY_GONE = re.compile(r"基本(?:消除|消灭|清除)")
BASICALLY_DONE = re.compile(rf"基本(?:实现)?(?:{DONE})")
ALL_COVERED = re.compile(
    r"全(?:面|部)?覆盖|(?<![安健齐完])全(?:达标|收集|处理|入网|替代|接管|接入|清零|利用)(?!率)|(?<=实现)应[\u4e00-\u9fff]尽[\u4e00-\u9fff]$"
)
ALL_DONE = re.compile(rf"全部(?!的|或|任务|内容|工作|责任|要求|门类)(?:[^，]{{0,6}}?)(?:{REACH})|(?<=[^，])全部$|100%")
WHOLLY_DONE = re.compile(
    r"全面(?:[^，]{0,4}?)(?:完成|实现|建成|普及|淘汰|取缔|关停|消除|停止|禁止|退出|达标|清零|达到|取消)"
)
WHOLLY_STANDARD = re.compile(
    r"全面(?:实施|执行|推行)(?=[^，]*(?:标准|限值|排放要求|汽油|柴油|油品)[^，]{0,4}$|[^，]*标准和)"
)
WHOLLY_BUILT = re.compile(r"全面(?:建设|建立|实施|实行|推行|供应|使用|推广)")
NONE_OF = re.compile(
    r"(?:实现|达到|保持|做到|力争|确保|基本)[^，]{0,20}?(?P<z>“?零(?!碳|售|部件|星|散|距离)[\u4e00-\u9fff]{2,4}”?)$|(?P<y>“?零(?:填埋|排放|直排|增长|进口|容忍|新增|事故|超标|上路|焚烧)”?)$"
)
ZERO_STATE = re.compile(r"^[^，]{2,30}?(?P<z>“零[\u4e00-\u9fff]{2,3}”|清零)$|动态清零")
WITHOUT = re.compile(
    r"(?<=[\u4e00-\u9fff”])无(?!害|人|障|线|论|法|偿|组织|废|形|机|序|关|缝|毒|元|氟|污|烟|证|照|纸|接触)[\u4e00-\u9fff]{2,12}(?:现象|水体|断面|行为|直排|堆放|散煤|污染|问题)$"
)
REMOVE = re.compile(
    r"(?<!基本)(?:消除|消灭|杜绝)(?=[^，]*(?:空白|黑臭|盲区|死角|劣[ⅤV五]类|重污染天气|直排|散煤|散乱污|露天焚烧))"
)
ADVANCED = re.compile(r"(?:达到|迈入|进入|处于|保持)[^，]{0,10}(?:先进|领先|一流|前列)(?:水平|行列)?$")
CONTROLLED = re.compile(r"(?:得到|实现|保持)(?:合理|有效|基本|总体|明显)?(?:控制|遏制|稳定|好转)$")
TREND = re.compile(
    r"(?:(?:大幅度?|明显|显著|持续|进一步|稳步|有效|不断|总体|逐步|逐年|稳定|整体|全面|稳中有|合理|实现)+"
    r"(?:提升|提高|下降|降低|减少|改善|增强|增加|增长|扩大|优化|好转|上升|升高))$"
)
A_BATCH = re.compile(r"(?:建成|创建|打造|形成|培育|建设|推出|实施)[^，]{0,6}?一批")
DATED_DONE = re.compile(
    rf"(?<!加快)(?<!推动)(?<!推进)(?<!鼓励)(?<!支持)(?<!持续)(?<!加大)(?<!促进)(?<!依法)(?<!引导)(?:{FINISH})"
)
DRAW = re.compile(r"^(?:将|把)[^，]{2,40}(?:划定为|划为|纳入高污染燃料禁燃区)")
NOT_DONE = re.compile(
    r"(?:提前[^，]{1,3}年|率先)(?:基本)?完成$|^(?:限期|依法|责令|坚决|一律|必要时)(?:予以|责令|依法)*[^，]{1,4}$|^(?:禁止|严禁|不得|不再|不予)|(?:目标|任务|指标|工作|要求|各项)[^，]{0,4}$|(?:建立|出台|健全|形成)[^，]*(?:体系|机制|制度|格局|模式|平台)$|(?:提前|按期|按时|按计划|确保|超额|如期|全力|努力|圆满|顺利)完成|(?:加快|推动|推进|鼓励|持续|促进|探索|研究|引导|支持|加强)[^，]{0,12}(?:淘汰|退出|建立|关闭|拆除|搬迁)|尚未|未完成|没有|不能|无法|未按|已完成|已建成|完成情况"
)
VERB_FIRST = re.compile(
    r"^(?:推动|推进|促进|提升|提高|加强|强化|加快|引导|鼓励|支持|加大|深化|优化|完善|严格|严控|控制|坚决|严禁|做好)"
)
RULES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"(?:免于|免予|不参加|不参与)[^，]{0,12}(?:考核|评价)|(?:考核|评价)中?(?:免于|免予)考核"), "免于考核"),
    (re.compile(r"不(?:再)?(?:纳入|计入|列入)[^，]{0,28}(?:考核|控制|核算|总量|统计|范围|强度)"), "不纳入"),
    (re.compile(r"^对[^，]{4,60}(?:给予|予以)(?:[^，]{0,8})(?:奖励|表彰|奖补|激励|倾斜|支持)$"), "给予奖励"),
    (re.compile(r"(?:实行|实施|执行)[^，]{0,10}(?:“?一票否决”?|区域限批|缓批限批|限批)"), "约束措施"),
    (
        re.compile(r"^对[^，]{4,60}(?:地区|企业|单位|[县市区])[^，]{0,6}(?:暂停|暂缓|停止)(?:审批|核准|新增)"),
        "约束措施",
    ),
    (re.compile(r"(?:等量|减量|倍量|等量或减量|等量或者减量|等量或倍量)(?:削减)?(?:替代|置换)$"), "等量或减量替代"),
]
REWARD_GROUND = re.compile(r"考核|评价|超额|完成|达到|优秀|先进|成效|突出|显著")


def _every(m: re.Match[str], reason: str, **more: object) -> Hit:
    return Hit(COMPLETION, "ge", m[0], m.start(), m.end(), HUNDRED, "%", "ratio", reason=reason, **more)  # type: ignore[arg-type]


def find_rule(text: str) -> Hit | None:
    """A rule in words (免于考核, 不纳入…考核, 给予奖励, 区域限批)."""
    for pattern, words in RULES:
        m = pattern.search(text)
        if m and (words != "给予奖励" or REWARD_GROUND.search(m[0])):
            return Hit(
                RULE,
                "rule",
                words,
                m.start(),
                m.end(),
                measure="assessment_rule",
                direction="",
                reason="按规则用语识别",
            )
    return None


def find_completion(text: str, dated: bool, rule_context: bool, goal: bool) -> Hit | None:
    """What a phrase without a number asks to be completed, or None.

    ``dated``: the sentence names a deadline; ``rule_context``: the phrase before begins with 除…外;
    ``goal``: the clause states goals, so trends count there even when the date stands before.
    """
    if GRADES.search(text):
        return None
    readers: tuple[Callable[[], Hit | None], ...] = (
        lambda: _eliminated(text, dated),
        lambda: _whole(text, dated, rule_context),
        lambda: _qualitative(text, dated, goal),
        lambda: _dated(text, dated),
        lambda: _places(text),
    )
    for read in readers:
        hit = read()
        if hit:
            return hit
    return None


def _eliminated(text: str, dated: bool) -> Hit | None:
    m = BASICALLY_GONE.search(text)
    if m:
        return Hit(COMPLETION, "basically_eliminate", m[0], m.start(), m.end(), direction="down", reason="“基本消除”")
    m = BASICALLY_DONE.search(text)
    if m and not re.search(r"(?:提前[^，]{1,3}年|率先)基本完成$", text):
        direction = "down" if re.search(r"淘汰|退出|关停|取缔|关闭|取消", m[0]) else "up"
        return Hit(COMPLETION, "basically_complete", m[0], m.start(), m.end(), direction=direction, reason=f"“{m[0]}”")
    for pattern in (NONE_OF, ZERO_STATE):
        m = pattern.search(text)
        if m:
            return Hit(COMPLETION, "le", m[0][-8:], m.start(), m.end(), ZERO, "", "level", "down", 0.85, "“零…”按0取值")
    m = WITHOUT.search(text)
    if m and dated:
        return Hit(COMPLETION, "le", "无", m.start(), m.end(), ZERO, "个", "count", "down", 0.85, "“无…”按0取值")
    m = REMOVE.search(text)
    if m and (dated or not VERB_FIRST.match(text)):
        return Hit(COMPLETION, "le", m[0], m.start(), m.end(), ZERO, "处", "level", "down", 0.85, "“消除”按0取值")
    return None


ASSIGNED = re.compile(r"完成[^，]*(?:目标|任务|指标)(?:任务)?$")  # to reach what others assigned asks nothing new
PLACES = re.compile(
    r"(?P<verb>建设|创建|打造|实施|推进)(?P<names>(?:[\u4e00-\u9fff]{2,4}、){2,}[\u4e00-\u9fff]{2,4}?)"
    r"(?:国家级|省级|市级|县级|整县|整镇|整区)[^，]*(?:项目|试点|工程|示范区|基地)$"
)
GRADES = re.compile(r"等级|分为|划分|等次|档次")  # names of grades: 超额完成、基本完成、未完成
# Names of campaigns hold such words without asking for the whole: 实施…全面达标排放计划.
CAMPAIGN = re.compile(
    r"^(?:组织|深入|继续|持续)?(?:实施|开展|推进|推动|启动|制定|落实|执行)[^，]*(?:计划|行动|工程|活动|方案|制度|机制|试点)$"
)


def _whole(text: str, dated: bool, rule_context: bool) -> Hit | None:
    if CAMPAIGN.match(text) or ASSIGNED.search(text):
        return None
    m = ALL_COVERED.search(text)
    if (
        m
        and not text[m.end() :].startswith(("面", "的", "率"))
        and not re.search(r"(?:推动|推进)[^，]{0,8}$", text[: m.start()] if not dated else "")
    ):
        return _every(m, "“全覆盖”按100%取值")
    m = ALL_DONE.search(text)
    if m:
        hit = _every(m, "“全部”按100%取值")
        hit.words = "全部"
        if rule_context:
            hit.kind, hit.reason = RULE, "“除…外，全部…”为规则"
        return hit
    m = WHOLLY_DONE.search(text)
    if m:
        return _every(m, "“全面”按100%取值", confidence=0.85)
    m = WHOLLY_STANDARD.search(text)
    if m:
        return Hit(COMPLETION, "complete", m[0], m.start(), m.end(), reason="“全面实施…标准”")
    m = WHOLLY_BUILT.search(text)
    if m and dated:
        return _every(m, "有时限的“全面”按100%取值", confidence=0.75)
    return None


def _qualitative(text: str, dated: bool, goal: bool) -> Hit | None:
    m = ADVANCED.search(text)
    if m:
        return Hit(
            COMPLETION,
            "qualitative",
            m[0],
            m.start(),
            m.end(),
            measure="level",
            confidence=0.8,
            reason="定性：达到先进水平",
        )
    m = A_BATCH.search(text)
    if m and dated:
        return Hit(
            COMPLETION,
            "qualitative",
            "一批",
            m.start(),
            m.end(),
            None,
            "个",
            "count",
            confidence=0.7,
            reason="定性：“一批”未写数量",
        )
    if not (dated or goal):
        return None
    m = CONTROLLED.search(text) or TREND.search(text)
    if m and MEASURE_NOUN.search(text[: m.start()]) and (dated or not VERB_FIRST.match(text)):
        direction = "down" if re.search(r"下降|降低|减少|控制|遏制", m[0]) else "up"
        ratio = re.search(r"(?:率|占比|比例|比重)$", text[: m.start()])
        return Hit(COMPLETION, "qualitative", m[0], m.start(), m.end(), None, "%" if ratio else "", "ratio" if ratio else "level",
                   direction, 0.7, "定性：只写变化方向")  # fmt: skip
    return None


def _places(text: str) -> Hit | None:
    """Works at listed places: 建设甲、乙、丙、丁省级…整县推进项目. Their number follows from the names."""
    m = PLACES.match(text)
    if not m:
        return None
    count = m["names"].count("、") + 1
    return Hit(ACTION, "ge", m["verb"], 0, len(text), Decimal(count), "个", "enumerated_places", confidence=0.7,
               reason=f"列举{count}处，未写数目")  # fmt: skip


def _dated(text: str, dated: bool) -> Hit | None:
    m = DRAW.search(text)
    if m:
        return Hit(ACTION, "complete", "划定", m.start(), m.end(), reason="“将…划定为…”")
    if not dated or NOT_DONE.search(text):
        return None
    m = DATED_DONE.search(text)
    if m and len(text) - (m.end() - m.start()) >= 3:
        down = re.search(r"关停|关闭|淘汰|取缔|退出|停用|拆除|停止|清零|取消|拔除|停产|消除|杜绝", m[0])
        return Hit(ACTION, "complete", m[0], m.start(), m.end(), direction="down" if down else "up", confidence=0.8,
                   reason=f"有时限的“{m[0]}”")  # fmt: skip
    return None
