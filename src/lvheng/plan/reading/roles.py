"""What a number of a phrase is for: a target, an amount, a share of things, a threshold, a scope, or unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from lvheng.plan.reading import comparators, units
from lvheng.plan.reading.comparators import Bound
from lvheng.plan.reading.deadlines import When
from lvheng.plan.reading.numbers import Number
from lvheng.plan.reading.subjects import MEASURE_NOUN

TARGET = "target"  # compared with a bound or a change
AMOUNT = "amount"  # so many are to be built, created, saved
SHARE = "share"  # 70%以上的机关建成…
THRESHOLD = "threshold"  # which things a duty is laid upon
SCOPE = "scope"  # which things are meant
UNKNOWN = "unknown"

AMOUNT_VERB = re.compile(
    r"新建改造|新改扩建|改扩建|新改建|新建|新增|改建|扩建|建设|建成|建立|建造|建有|创建|培育|打造|完成|实施|开展|改造|淘汰|推广应用|推广|形成|发展|布局|投放|组织|整治|修复|"
    r"治理|关停|关闭|退出|压减|压缩|削减|减少|更新|更换|替代|替换|引进|遴选|评选|评定|认定|选树|支持|安装|配备|配置|投运|投入|达成|实现|腾出|腾退|节约|节能|节水|减排|回收|"
    r"利用|处置|处理|铺设|敷设|拆除|搬迁|核发|推进|推出|营造|造林|绿化|增加|累计|培训|规模|设立|安排|争取|筹集|入选|消纳|报废|清理|带动|具备|拥有|储备|取缔|填埋|调出|转移|"
    r"引导|推动|启动|开通|开行|加装|增设|布设|选择|选取|投放|启用|打通|疏浚|清淤|封育|创成|命名|摘牌|退减|压采|受理|化解|置换|"
    r"投产|竣工|落实|达到|力争|装机|供应|覆盖|惠及|受益|种植|退耕|还林|监测|检查|抽查|举办|发放|签订"
)
GROW_VERB = re.compile(r"(?:新增|形成|完成|实现|新建|建成)$")
VERB_AT_END = re.compile(rf"(?:{AMOUNT_VERB.pattern})$")
ENUMERATED = re.compile(r"(?:等|共|共计)$")
LISTED = re.compile(r"等(?:共计?)?$")  # 甲、乙、丙等3条河流
REACH = re.compile(
    r"建成|达到|完成|实现|具备|配备|通过|开展|实施|采用|使用|安装|得到|建立|执行|纳入|符合|满足|覆盖|达标|创建|设置|配套|改造|退出|淘汰|利用|更新|建设|稳定|成为|用于"
)
PASSING = re.compile(r"超(?![低高])|高于|超过|低于|优于|不足|未达")
CREATING = frozenset(
    [
        "新建改造",
        "改扩建",
        "新建",
        "新增",
        "改建",
        "扩建",
        "建设",
        "建成",
        "建立",
        "建造",
        "创建",
        "培育",
        "打造",
        "改造",
        "淘汰",
        "推广",
        "形成",
        "发展",
        "整治",
        "修复",
        "关停",
        "关闭",
        "退出",
        "压减",
        "削减",
        "更新",
        "更换",
        "替代",
        "引进",
        "遴选",
        "评选",
        "认定",
        "完成",
        "实施",
        "开展",
    ]
)
MODAL = re.compile(r"(?<![响适反对供相照呼])(?:应当|应(?![急用对收答变]|尽)|必须|须|不得|一律|严禁|禁止|依法)")
MANAGED = re.compile(
    r"^(?:加强|强化|开展|实行|实施|对|督促|组织|严格|推动|健全|落实|完善)[^，]*(?:指导|管理|监管|审查|监察|审核|考核|监测|管控|评估|监控|审计|联网|约束)"
)
HOLDERS = re.compile(
    r"的?(?:“[^”]{1,8}”)?(?:新建|现有|重点|工业|用能|用水|排污|建设|固定资产投资|“两高”|高耗能)*"
    r"(?:项目|企业|单位|用户|地区|机组|锅炉|产品|设备|公共建筑|建筑|园区|车辆|装置|[县市区](?!域)|城市)"
)
AGAIN = re.compile(r"(?:/|、|，|和|及|共|合计|共计|、共|，共|，共计)?")
UNITLESS = re.compile(r"(?:系数|指数|弹性|产出率|评分|得分|比|PUE值?|电能利用效率|能源使用效率值?|容积率|当量)$")
DOING = re.compile(r"(?:完成|新增|建成|形成|实现)$")
EARNED = re.compile(r"余额|完成|产值|收入|增加值|营业额|产出|规模|销售额|达到")
MONEY = re.compile(r"安排|补助|奖励|给予|支持|筹集|补贴|拨付|设立")  # means, not ends
DEALT_WITH = re.compile(r"由|应|须|要|实行|实施|开展|一律|按|给予|予以|严格|禁止|不得|不予|暂停|纳入|列入|进行")
WORKS = re.compile(r"淘汰|完成|关停|取缔|拆除|改造|替代|整治|关闭|退出")
ON_WHICH = re.compile(r"对(?:约|近)?$")  # 对3000万亩耕地实施治理
WORKED_ON = re.compile(r"^[^，的]{1,20}(?:实施|开展|进行|完成)[^，]{2,}$")
WANTED = re.compile(r"的?(?:目标|水平|比例|规模|能力|任务|标准)|的[^，]{0,8}(?:能力|规模|目标|水平)$")


@dataclass(slots=True)
class Candidate:
    """A number, or a list of numbers, with the words around it. Positions are of the phrase."""

    text: str
    group: list[Number]
    done: int  # where the words of the number before end
    end: int  # after the number, its unit and a word such as 以上
    suffix: str
    suffix_word: str
    dates: list[When]
    due: list[When]
    bound: Bound = field(default_factory=lambda: Bound(0))
    subject: str = ""
    scope: str = ""
    again: bool = False  # follows another number with no words of its own between
    base_values: list[str] = field(default_factory=list)
    base_when: When | None = None
    subject_end: int | None = None  # where the words of a base value begin
    carries: bool = False  # no words of its own stand before it, and the sentence has a subject
    following: str = ""  # the next phrase of the sentence
    listed: bool = False  # the phrase before told how many of something else are to be built
    rated: bool = False  # the phrase before gave a rate
    bracketed: bool = False
    weighs: bool = False  # the number is a weight of an assessment
    item_end: int = 0  # where the noun that the number counts ends, in a list of counted things

    @property
    def first(self) -> Number:
        return self.group[0]

    @property
    def left(self) -> str:
        return self.text[: self.first.start]

    @property
    def rest(self) -> str:
        """The words after the number; "" where the next item of a list follows."""
        rest = self.text[self.end :]
        return "" if rest.startswith("、") and not rest[1:2].isdigit() else rest


def role_of(c: Candidate) -> str:
    """The role of a candidate, decided by its unit, the words of comparison and what follows."""
    plain = units.base(Decimal(1), c.first.unit)[1] if c.first.unit else ""
    if c.first.size_class or plain == "吨级":
        return SCOPE
    if c.first.is_ratio or c.first.unit == units.POINT:
        return _ratio(c)
    return _quantity(c, plain)


def _ratio(c: Candidate) -> str:
    rest, bound = c.rest, c.bound
    if c.weighs:
        return UNKNOWN
    compared = bool(bound.comparator or bound.change)
    holder = HOLDERS.match(rest) is not None
    if (
        not compared
        and rest
        and not PASSING.search(c.left, c.done)
        and REACH.search(rest)
        and (c.suffix or rest.startswith("的") or (c.subject and REACH.match(rest)))
        and not rest.startswith("的比例")
    ):
        return SHARE
    if (
        bound.comparator in ("gt", "ge")
        and not bound.change
        and rest.startswith("的")
        and not holder
        and REACH.search(rest)
        and not MEASURE_NOUN.search(c.subject)
    ):
        return SHARE  # 超过90%的园区实施改造
    if compared:
        clause = holder and rest.startswith("的") and not bound.change
        if clause:
            return THRESHOLD if MODAL.search(rest) or MANAGED.match(c.text) else SCOPE
        return THRESHOLD if holder and MODAL.search(rest) else TARGET
    if holder and (c.suffix or (rest.startswith("的") and PASSING.search(c.left, c.done))):
        return THRESHOLD if MODAL.search(rest) or MANAGED.match(c.text) else SCOPE
    if MEASURE_NOUN.search(c.subject) and (not rest or c.suffix or rest.startswith(("的", "、"))):
        return TARGET
    if (c.suffix and not rest and c.subject) or comparators.DECLINE_NOUN.search(c.subject):
        return TARGET
    if c.left.endswith("的") and re.search(r"达到?|超过|占", c.left):
        return TARGET
    if VERB_AT_END.search(c.left) and WANTED.match(rest):
        return AMOUNT  # 具备5%以上的负荷响应能力
    if c.rated and not rest and 0 < len(c.subject) <= 12 and not REACH.search(c.subject):
        return TARGET  # 清洁取暖率达到85%，其中城区100%
    return TARGET if (c.again or c.carries) and not rest else UNKNOWN


def _quantity(c: Candidate, plain: str) -> str:
    rest, bound, first = c.rest, c.bound, c.first
    compared = bool(bound.comparator or bound.change)
    if not first.unit and not compared:
        return UNKNOWN
    if plain == "次":
        return UNKNOWN  # how often something is to be looked at
    if plain.startswith("元") and not EARNED.search(c.left) and not (compared and MEASURE_NOUN.search(c.subject)):
        return UNKNOWN
    if c.listed and not rest and not compared and first.unit and c.subject:
        return AMOUNT
    if (c.again or c.text.startswith("其中")) and not rest and first.unit and not compared:
        return AMOUNT
    if c.first.unit in units.CHARACTER and (rest or not compared):
        return scope_or_threshold(c) if c.suffix or compared else SCOPE
    if rest and (c.suffix or (compared and rest.startswith("的"))) and not WANTED.match(rest):
        return _followed(c, compared)
    verb = AMOUNT_VERB.search(c.left) or (ENUMERATED.search(c.left) if first.is_count else None)
    if ON_WHICH.search(c.left) and not c.suffix and WORKED_ON.match(rest):
        return AMOUNT
    if compared and _by_verb(c):
        return AMOUNT
    if compared and not first.unit and (UNITLESS if first.value else MEASURE_NOUN).search(c.subject):
        return TARGET
    if first.unit == units.TIMES and (compared or first.written.startswith("翻")):
        return TARGET
    if compared:
        if bound.comparator == "level" and first.is_count and rest:
            return AMOUNT if verb else UNKNOWN
        return TARGET if first.unit or bound.change else UNKNOWN
    if verb and not (plain == "元" and MONEY.search(c.left)):
        return AMOUNT
    if c.bracketed:
        return SCOPE  # （运距500公里以上）
    if MEASURE_NOUN.search(c.subject) and not rest and first.unit:
        return TARGET
    return TARGET if c.suffix and not rest and c.subject else UNKNOWN


def _by_verb(c: Candidate) -> bool:
    """完成5.3亿吨…改造, 实现节能量3万吨: the word of comparison is the verb that does the work."""
    words = c.bound.words[-1:]
    return words in (["完成"], ["实现"]) and not c.bound.change and (c.first.is_count or bool(c.rest))


def _followed(c: Candidate, compared: bool) -> str:
    """A bounded number that a noun follows: an amount after a verb, otherwise it says which things are meant."""
    if c.suffix and MODAL.search(c.rest):
        return THRESHOLD  # 新建30万千瓦以上机组须…
    adjacent = VERB_AT_END.search(c.left)
    if c.bound.comparator == "ge" and c.rest.startswith("的") and DOING.search(c.text[: c.bound.rest]):
        return AMOUNT  # 每年完成不少于30万平方米的改造
    if c.suffix == "approx" and adjacent and (c.first.is_count or c.rest.startswith("的")):
        return AMOUNT
    if adjacent and not c.first.is_count and HOLDERS.match(c.rest) and any(ch.isdigit() for ch in c.rest):
        return SCOPE  # 新建30万千瓦及以上机组煤耗低于282克
    if c.suffix == "ge" and adjacent and (c.first.is_count or GROW_VERB.search(adjacent[0])):
        return AMOUNT
    if compared and c.bound.comparator == "ge" and c.suffix != "le" and c.first.is_count and AMOUNT_VERB.search(c.left):
        return AMOUNT
    if compared and not c.rest.startswith("的") and not HOLDERS.match(c.rest):
        return TARGET if c.bound.comparator not in ("", "level") or c.bound.change else SCOPE
    return scope_or_threshold(c)


def scope_or_threshold(c: Candidate) -> str:
    """A number that says which things are meant: a threshold where the phrase sets a duty for them."""
    if c.rest.startswith("的") and HOLDERS.search(c.rest) and MODAL.match(c.following) and not WORKS.search(c.left):
        return THRESHOLD
    if c.rest.startswith("的") and (MODAL.search(c.rest) or MANAGED.match(c.text)):
        return THRESHOLD
    if c.suffix and c.text.startswith("对") and c.rest.startswith("的") and DEALT_WITH.match(c.following):
        return THRESHOLD
    if c.suffix and MANAGED.match(c.text) and HOLDERS.match(c.rest):
        return THRESHOLD
    return SCOPE
