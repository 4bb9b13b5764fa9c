"""Targets of a plan's sentences: every number is a target, a baseline, a scope, a rule, or is left over."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from decimal import Decimal

from lvheng.plan.reading import comparators, units
from lvheng.plan.reading.clauses import Placed
from lvheng.plan.reading.comparators import Bound
from lvheng.plan.reading.completion import Hit, find_completion, find_rule
from lvheng.plan.reading.deadlines import When, find_dates, last_day, taken
from lvheng.plan.reading.model import ACTION, QUANTITATIVE, RULE, Draft, Period, Target
from lvheng.plan.reading.normalise import Mended
from lvheng.plan.reading.numbers import Number, find_numbers
from lvheng.plan.reading.sentences import Phrase, Sentence, sentences
from lvheng.plan.reading.subjects import MEASURE_NOUN, carried, clean, hedge_of, share_out

AMOUNT_VERBS = (
    "新建改造|新建和改造|新改扩建|改扩建|新建|新增|改建|扩建|建设|建成|建立|创建|培育|打造|完成|实施|开展|改造|淘汰|推广|推广应用|形成|发展|布局|"
    "投放|组织|整治|修复|治理|关停|退出|压减|削减|减少|更新|替代|引进|遴选|评选|认定|支持|安装|配备|建造|投运|投入|达成|实现|腾出|腾退|节约|节能|"
    "回收|利用|处置|处理|铺设|敷设|更换|拆除|搬迁|核发|推进|推出|营造|造林|绿化|增加|累计|培训|发展到|达到|规模|建有|设立|安排|争取|筹集|入选|节水|"
    "减排|消纳|替换|报废|清理|评定|选树|力争|新改建|带动|具备|拥有|储备|关闭|取缔|封井|填埋|压缩|调出|转移"
)
AMOUNT = re.compile(rf"(?:{AMOUNT_VERBS})")
NEW = re.compile(r"新增|新建|新改|累计|改造|腾出|形成")
ENUMERATED = re.compile(r"(?:等|共|共计)$")
REACH = re.compile(
    r"建成|达到|完成|实现|具备|配备|通过|开展|实施|采用|使用|安装|得到|建立|执行|纳入|符合|满足|覆盖|达标|创建|设置|配套|改造|退出|淘汰|利用|更新|建设|稳定|成为|有|用于"
)
MODAL = re.compile(
    r"(?<![响适反对供相照呼])(?:应当|应(?![急对用收答答变]|尽)|必须|须|不得|一律|严禁|禁止|原则上应|依法)"
)
MANAGED = re.compile(
    r"^(?:加强|强化|开展|实行|实施|对|督促|组织|严格|推动|健全|落实|完善)[^，]*(?:指导|管理|监管|审查|监察|审核|考核|监测|管控|评估|监控|审计|联网|减排|约束)"
)
HOLDERS = re.compile(
    r"的?(?:“[^”]{1,8}”)?(?:新建|现有|重点|工业|用能|用水|排污|建设|固定资产投资|“两高”|高耗能)*(?:项目|企业|单位|用户|地区|机组|锅炉|产品|设备|公共建筑|建筑|园区|车辆|装置|[县市区]|城市)"
)
MULTIPLE = re.compile(r"(?:及?以上)?倍?(?:及?以上)?[^，]{0,8}?(?:替代|置换|减量|削减)")
BASE_LEFT = re.compile(r"(?:比|较|从|由|自|相较|在|与)[^，]{0,16}?$")
PAST = re.compile(
    r"(?:已|共|累计)?(?:下降|降低|提高|达到|完成|减少|提升|增长|增加|淘汰|建成|实现|削减|达)了$|已(?:经)?[^，]{0,10}$|(?:同比|比上年|较上年)[^，]{0,6}$"
)
BACKGROUND = re.compile(r"现状|成效|回顾|形势|背景|面临|挑战|问题|工作基础|发展基础|进展|机遇|取得")
GOALS = re.compile(r"目标")
LEADING = re.compile(r"^(?:力争|确保|争取|努力)?(?:全[市省县区国])?(?:，|,)?$")
PRICE = re.compile(r"按(?:照)?(?P<y>(?:19|20)\d\d)年(?:可比|不变)?价")
EXCLUDED = re.compile(r"除外|不含|不包括|除(?=.{2,30}外)")
BINDING = {"基本目标": "basic", "激励目标": "incentive", "奋斗目标": "incentive", "力争目标": "incentive"}
PER_VALUE = re.compile(
    r"(?:万元|单位|每万元|亿元)(?:地区生产总值|国内生产总值|GDP|工业增加值|工业产值|产值|增加值|生产总值)"
)
PER_WRITTEN = re.compile(
    r"(?P<d>万元|亿元)(?:地区生产总值|国内生产总值|GDP|工业增加值|规模以上工业增加值|工业产值|产值|增加值|生产总值|规上)"
)
TEXT_LIMIT = 400  # no phrase of an official text is longer; guards against input without punctuation


@dataclass(slots=True)
class State:
    """What later phrases of a sentence, and later sentences of a paragraph, take over."""

    clause: str = ""
    subject: str = ""
    deadline: When | None = None  # of this sentence
    leading: When | None = None  # of an earlier sentence of the clause, or of the clause above
    base: When | None = None
    base_standing: When | None = None
    binding: str = ""
    goal: bool = False
    previous: Phrase | None = None
    dated: bool = False


@dataclass(slots=True)
class Reader:
    """Reads one mended text into targets; ``left`` are the numbers that no rule of grammar explains."""

    mended: Mended
    period: Period | None
    plan_year: int | None
    first_year: int | None
    targets: list[Target] = field(default_factory=list)
    left: list[tuple[int, int, str, str]] = field(default_factory=list)

    # -- walking the text ---------------------------------------------------------------------

    def read(self, placed: list[Placed], holes: list[tuple[int, int]]) -> None:
        """Read all prose paragraphs, clause by clause."""
        starts = [p.start for p in placed]
        leading: dict[str, When | None] = {}
        titles = {p.clause.id: p.clause.title for p in placed}
        parents = {p.clause.id: p.clause.parent for p in placed}
        hole_starts = sorted(holes)
        state = State()
        inside = 0
        for paragraph in self.mended.paragraphs:
            if paragraph.cells:
                continue
            at = bisect_right(starts, paragraph.start) - 1
            if at < 0:
                if placed:
                    continue
                owner, start = "", paragraph.start
            else:
                owner = placed[at].clause.id
                start = placed[at].body if placed[at].start == paragraph.start else paragraph.start
            path = _path(owner, titles, parents)
            if any(BACKGROUND.search(t) and not GOALS.search(t) for t in path):
                continue
            if owner != state.clause or at < 0:
                parent = parents.get(owner, "")
                inherited = leading.get(parent)
                title_dates = find_dates(titles.get(owner, ""), self.period, self.plan_year)
                dated = next((w for w in title_dates if w.role == "deadline"), None)
                state = State(owner, leading=dated or inherited, goal=any(GOALS.search(t) for t in path))
                leading[owner] = state.leading
            while inside < len(hole_starts) and hole_starts[inside][1] <= paragraph.start:
                inside += 1
            near = []
            i = inside
            while i < len(hole_starts) and hole_starts[i][0] < paragraph.end:
                near.append(hole_starts[i])
                i += 1
            for sentence in sentences(self.mended, start, paragraph.end, near):
                self._sentence(sentence, state)
            tail = self.mended.text[max(start, paragraph.end - 1) : paragraph.end]
            if tail == "：" and state.leading:
                leading[owner] = state.leading

    def _sentence(self, sentence: Sentence, state: State) -> None:
        state.subject = ""
        state.deadline = None
        state.base = state.base_standing
        state.binding = ""
        state.previous = None
        state.dated = False
        written = re.sub(r"\s", "", self.mended.text[sentence.start : sentence.end])
        first = len(self.targets)
        for phrase in sentence.phrases:
            self._phrase(phrase, state)
            for bracket in phrase.brackets:
                self._bracket(bracket, phrase, state, first)
            state.previous = phrase
        for target in self.targets[first:]:
            target.sentence = written[:600]

    def _bracket(self, bracket: Phrase, outer: Phrase, state: State, first: int) -> None:
        """Words in brackets: a price base, an exclusion, or a phrase with targets of its own."""
        price = PRICE.search(bracket.text)
        if price:
            for target in reversed(self.targets[first:]):
                target.price_base = int(price["y"])
                break
            return
        if EXCLUDED.search(bracket.text):
            for target in self.targets[first:]:
                if outer.at[0] <= target.span[0] or self.mended.at[outer.at[0]] <= target.span[0]:
                    target.exclusions = target.exclusions or bracket.text
            return
        if any(c.isdigit() for c in bracket.text):
            parts = _cut(bracket)
            for part in parts:
                self._phrase(part, state, bracketed=True)

    # -- one phrase ---------------------------------------------------------------------------

    def _phrase(self, phrase: Phrase, state: State, bracketed: bool = False) -> None:
        text = phrase.text
        if len(text) > TEXT_LIMIT:
            return
        dates = find_dates(text, self.period, self.plan_year)
        due = [w for w in dates if w.role == "deadline"]
        bases = [w for w in dates if w.role == "base"]
        if due:
            state.dated = True
        if bases:
            state.base = bases[-1]
            if re.match(r"以?(?:19|20)\d\d年(?:为|作为)?基(?:准|期|数)", text[bases[-1].start :]):
                state.base_standing = bases[-1]
        numbers = find_numbers(text, taken(text, dates))
        for word, kind in BINDING.items():
            if word in text:
                state.binding = kind
        before = len(self.targets)
        subject_before = state.subject
        if numbers:
            self._numbers(phrase, numbers, dates, due, state)
        if due:
            state.deadline = due[-1]
            rest = text[: due[0].start] + text[due[-1].end :]
            if due[-1].of_period or LEADING.match(rest) or (due[0].start == 0 and text[:1] in "到至截“"):
                state.leading = due[-1]
        if len(self.targets) == before and not bracketed:
            self._worded(phrase, state, due)
        if len(self.targets) == before:
            self._remember(text, dates, state, subject_before)

    def _remember(self, text: str, dates: list[When], state: State, subject_before: str) -> None:
        """A phrase that only names an indicator is the subject of the next one."""
        if state.subject == subject_before:
            subject, _ = clean(_without(text, 0, len(text), dates))
            if subject and MEASURE_NOUN.search(subject) and len(subject) < 40:
                state.subject = subject

    def _numbers(self, phrase: Phrase, numbers: list[Number], dates: list[When], due: list[When], state: State) -> None:
        text = phrase.text
        done = 0
        base_values: list[str] = []
        base_when: When | None = None
        subject_end: int | None = None
        for group in _groups(numbers, text):
            left = text[done : group[0].start]
            suffix, suffix_word, end = comparators.after(text, group[-1].unit_end)
            rest = text[end:]
            m = BASE_LEFT.search(left)
            base_when_here = next(
                (
                    w
                    for w in reversed(dates)
                    if w.role in ("base", "from") and done <= w.start and w.end <= group[0].start
                ),
                None,
            )
            if m and base_when_here and group[0].start - base_when_here.end <= 8 and _changes(rest):
                base_values = [n.written + text[n.end : n.unit_end] for n in group]
                base_when = base_when_here
                if subject_end is None:
                    subject_end = base_when_here.start
                done = end
                continue
            if (
                m
                and m[0][0] in "从由"
                and not base_when_here
                and re.match(r"(?:左右)?(?:提高|提升|降低|下降|降|增加|减少|上升|压减|增长|扩大)[到至为]", rest)
            ):
                base_values = [n.written + text[n.end : n.unit_end] for n in group]
                subject_end = done + m.start()
                done = end
                continue
            made = self._group(
                phrase, group, done, suffix, suffix_word, end, dates, due, state, base_values, base_when, subject_end
            )
            if made:
                base_values, base_when = [], None
                done = end

    def _group(
        self,
        phrase: Phrase,
        group: list[Number],
        done: int,
        suffix: str,
        suffix_word: str,
        end: int,
        dates: list[When],
        due: list[When],
        state: State,
        base_values: list[str],
        base_when: When | None,
        subject_end: int | None,
    ) -> bool:
        """Read one number, or numbers that stand in a list, and add what they ask for."""
        text = phrase.text
        first = group[0]
        left, rest = text[: first.start], text[end:]
        bound = comparators.before(text[: first.start], first.start)
        bound.rest = max(bound.rest, done)
        head_end = min(bound.rest, subject_end) if subject_end is not None else bound.rest
        raw = _without(text, done if subject_end is None else 0, head_end, dates)
        subject, scope = clean(re.sub(r"(?:基本|激励|奋斗|力争)目标值?[为是：]?", "", raw))
        if PAST.search(left) and not due and not state.deadline:
            return False
        deadline = next((w for w in reversed(due) if w.start < first.start), None) or state.deadline or state.leading
        if deadline and self.first_year and deadline.year < self.first_year:
            return False

        multiple = (first.unit in ("", units.TIMES)) and MULTIPLE.match(rest if suffix else text[first.unit_end :])
        if multiple and ("倍" in multiple[0] or first.unit == units.TIMES):
            stop = (end if suffix else first.unit_end) + multiple.end()
            self._add(phrase, first, 0, stop, Target(kind=RULE, indicator=subject if subject else "倍量替代系数", unit=units.TIMES, comparator="ge",
                      comparator_words=suffix_word, measure="multiplier", direction="up", reason="按倍量替代用语识别"), state, None)  # fmt: skip
            return True

        ratio = first.is_ratio
        role = self._role(text, group, bound, suffix, end, subject, left, rest)
        if role == "threshold":
            stop = len(text)
            comparator = (
                "ge" if suffix == "ge" else suffix or {"": "ge", "level": "ge"}.get(bound.comparator, bound.comparator)
            )
            self._add(phrase, first, 0, stop, Target(kind=RULE, indicator=subject, unit=first.unit, comparator=comparator,
                      comparator_words=bound.text(suffix_word), measure="threshold", confidence=0.8, reason="数量限定适用对象，按门槛识别"), state, None)  # fmt: skip
            return True
        if role in ("scope", "left"):
            reason = "限定对象的规模，不作目标" if role == "scope" else "未识别出比较或数量用语"
            for n in group:
                a, b = phrase.place(n.start, max(n.unit_end, n.end))
                self.left.append((*self.mended.span(a, b), text[max(0, n.start - 12) : end + 8], reason))
            return False

        if first.unit == units.TIMES and text[first.start : first.end].startswith("翻"):
            bound.change = ""
            bound.comparator = "ge"
        reasons: list[str] = []
        confidence = 0.95
        if role == "share":
            subject, share_scope = clean(re.split(r"[，；]", rest)[0].lstrip("的"))
            scope = scope or share_scope
            where = clean(_without(text, done, first.start, dates))[0]
            subject = (where + subject) if where else subject
            bound = Bound(first.start)
            stop = len(text)
        else:
            stop = end
            if not subject and state.subject:
                reasons.append("主语承前")
                confidence -= 0.05
            fuller = carried(subject, state.subject)
            if not fuller and rest:
                fuller = clean(rest)[0]
            subject = fuller
        share = re.search(r"(?P<v>达到|达|超过|占到?|约占|高于)(?P<whole>[^，]{2,30})的$", left)
        if share and ratio and role != "share":
            bound = Bound(first.start, {"超过": "gt", "高于": "gt"}.get(share["v"], "level"), words=[share["v"]])
            subject = clean(_without(text, done, share.start(), dates))[0] + "占" + share["whole"] + "比例"
        enumerated = ENUMERATED.search(left) is not None and first.is_count
        verb = None
        if role == "amount":
            verb = next(iter(list(AMOUNT.finditer(text, done, first.start))[-1:]), None)
            subject = subject if len(subject) > 1 and not AMOUNT.fullmatch(subject) else clean(rest)[0] or subject
            if verb and verb.start() <= first.start and rest and not suffix:
                stop = len(text) if len(rest) <= 40 else end
            comparator, direction, measure = "ge", "up", "count" if first.is_count else "cumulative_amount"
            if bound.change == "down":
                direction = "down"
            if suffix == "approx":
                comparator = "approx"
            elif suffix == "le" or bound.comparator in ("le", "lt"):
                comparator = suffix or bound.comparator
            elif bound.comparator == "gt":
                comparator = "gt"
            remarks: list[str] = []
        else:
            comparator, direction, measure, remarks = comparators.decide(bound, suffix, subject, first.unit)
            if bound.annual:
                measure = "annual_rate"
        if remarks:
            confidence -= 0.1 * len(remarks)
            reasons += remarks
        if not subject:
            confidence -= 0.3
            reasons.append("未找到指标名称")
        if not first.figure:
            confidence -= 0.1
            reasons.append("中文数字")
        kind = QUANTITATIVE
        normative = MODAL.search(left) and not (due or state.dated)
        if enumerated:
            kind = ACTION
            reasons.append("列举对象的数目")
        elif normative and (role != "amount" or not first.is_count):
            kind = RULE
            reasons.append("“应、须”且无时限，按规则")

        names, dues, spread_note = self._spread(text, group, bound, subject, due, deadline, first)
        if spread_note:
            reasons.append(spread_note[0])
            confidence -= spread_note[1]
        unit_group = group[-1].unit
        state.subject = subject
        for i, (number, name) in enumerate(
            (n, s) for n in group for s in (names if len(group) == 1 else [names[group.index(n)]])
        ):
            index = group.index(number)
            unit = number.unit or unit_group
            if unit == units.PERCENT and unit_group == units.POINT:
                unit = units.POINT
            start = max(done, 0) if index == 0 else number.start
            if index == 0:
                start = _anchor_start(text, start, first.start, subject_end, due)
            finish = stop if index == len(group) - 1 else number.unit_end
            when = dues[index] if index < len(dues) else deadline
            target = Target(
                kind=kind, indicator=name, scope=scope, unit=unit, comparator=comparator, comparator_words=bound.text(suffix_word) or (verb[0] if verb else ""),
                direction=direction, measure=measure, confidence=max(0.2, round(confidence, 2)),
            )  # fmt: skip
            if number.upper is not None:
                target.value_upper = number.upper
                if comparator == "ge" and direction == "down" and not bound.change:
                    target.comparator = "le"
                reasons_here = [*reasons, "区间，取下限并保留上限"]
            else:
                reasons_here = list(reasons)
            base = base_when or next((w for w in reversed(dates) if w.role == "base" and w.start < number.start), None)
            changes = measure in (
                "cumulative_decline",
                "cumulative_growth",
                "percentage_point_drop",
                "percentage_point_rise",
                "cumulative_amount",
                "multiplier",
            )
            if base is None and ((changes and bound.change) or state.base_standing) and state.base:
                base = state.base
            if base:
                target.baseline_year = base.year
            if index < len(base_values):
                target.baseline_value = base_values[index]
            elif base_values and len(base_values) == 1:
                target.baseline_value = base_values[0]
            self._implied_base(target, when, role == "amount" and bool(NEW.search(text[done : first.start])), bound)
            target.binding = state.binding
            target.reason = "；".join(reasons_here)
            self._add(phrase, number, start, finish, target, state, when, inherited=not due and state.deadline is None)
            _share_base(self.targets, target)
            if len(names) > 1 and len(group) == 1 and i + 1 < len(names):
                continue
        return True

    def _role(
        self, text: str, group: list[Number], bound: Bound, suffix: str, end: int, subject: str, left: str, rest: str
    ) -> str:
        """What a number is for: target (a comparison), amount, share (70%以上的…), threshold, scope, or left over."""
        first = group[0]
        plain = units.base(Decimal(1), first.unit)[1] if first.unit else ""
        if first.size_class or plain == "吨级":
            return "scope"
        compared = bool(bound.comparator or bound.change)
        of_holder = HOLDERS.match(rest) is not None
        if first.is_ratio or first.unit in (units.POINT, units.PERMILLE):
            if (
                not compared
                and rest
                and REACH.search(rest)
                and (suffix or rest.startswith("的"))
                and not rest.startswith("的比例")
            ):
                return "share"
            if compared:
                if (
                    of_holder
                    and rest.startswith("的")
                    and bound.comparator in ("gt", "lt", "ge", "le", "level")
                    and not bound.change
                ):
                    return "threshold" if MODAL.search(rest) or MANAGED.match(text) else "scope"
                if of_holder and MODAL.search(rest):
                    return "threshold"
                return "target"
            if rest and of_holder and suffix:
                return "threshold" if MODAL.search(rest) or MANAGED.match(text) else "scope"
            if MEASURE_NOUN.search(subject) and (not rest or suffix or rest.startswith(("的", "、"))):
                return "target"
            if suffix and not rest and subject:
                return "target"
            if comparators.DECLINE_NOUN.search(subject):
                return "target"
            if text[: first.start].endswith("的") and re.search(r"达到?|超过|占", left):
                return "target"
            return "left"
        if not first.unit and not compared:
            return "left"
        if plain in units.CHARACTER and (rest or not compared):
            if suffix or compared:
                return self._scope_or_rule(text, rest, suffix)
            return "scope"
        if (
            rest
            and (suffix or (compared and rest.startswith("的")))
            and not re.match(r"的?(?:目标|水平|比例|规模|能力|任务)", rest)
        ):
            adjacent = re.search(rf"(?:{AMOUNT_VERBS})$", left)
            if (
                suffix == "ge"
                and adjacent
                and (first.is_count or adjacent[0] in ("新增", "形成", "完成", "实现", "新建", "建成"))
            ):
                return "amount"
            if compared and bound.comparator == "ge" and suffix != "le" and first.is_count and adjacent:
                return "amount"
            if compared and not rest.startswith("的") and not of_holder:
                return "target" if bound.comparator not in ("", "level") or bound.change else "scope"
            return self._scope_or_rule(text, rest, suffix)
        verb = AMOUNT.search(left) or (ENUMERATED.search(left) if first.is_count else None)
        if compared and not (bound.comparator == "ge" and bound.words[-1:] == ["完成"] and first.is_count):
            if bound.comparator == "level" and first.is_count and rest:
                return "amount" if verb else "left"
            return "target" if first.unit or bound.change else "left"
        if verb or (compared and first.is_count):
            return "amount"
        if MEASURE_NOUN.search(subject) and not rest and first.unit:
            return "target"
        if suffix and not rest and subject:
            return "target"
        return "left"

    @staticmethod
    def _scope_or_rule(text: str, rest: str, suffix: str) -> str:
        """A number that says which things are meant: a threshold where the phrase sets a duty for them."""
        if rest.startswith("的") and (MODAL.search(rest) or MANAGED.match(text)):
            return "threshold"
        if suffix and MANAGED.match(text) and HOLDERS.match(rest):
            return "threshold"
        return "scope"

    def _spread(
        self,
        text: str,
        group: list[Number],
        bound: Bound,
        subject: str,
        due: list[When],
        deadline: When | None,
        first: Number,
    ) -> tuple[list[str], list[When | None], tuple[str, float] | None]:
        """Indicator and deadline of each number of a list, and of one number that is for several (均)."""
        count = len(group)
        before = [w for w in due if w.start < first.start]
        if count == 1:
            if bound.spread == "均" and re.search(r"[、和与及]", subject):
                for n in (4, 3, 2, 5, 6, 7, 8):
                    names = share_out(subject, n)
                    if names:
                        return names, [deadline] * n, (f"“均”：一个数用于{n}项指标", 0.05)
            return [subject], [deadline], None
        if len(before) == count:
            return [subject] * count, list(before), ("按年份依次分配", 0.05)
        names = share_out(subject, count)
        if names:
            return names, [deadline] * count, ("“分别”依次分配", 0.0 if bound.spread else 0.1)
        return (
            [f"{subject}（第{i + 1}项）" for i in range(count)],
            [deadline] * count,
            ("并列数字与指标个数不符，请核对", 0.35),
        )

    def _implied_base(self, target: Target, when: When | None, new: bool, bound: Bound) -> None:
        """Base year that the plan period implies: for declines over the period, and for what is newly built."""
        if target.baseline_year or not self.period:
            return
        if (
            when
            and when.of_period
            and when.first_year
            and target.measure in ("cumulative_decline", "cumulative_growth")
            and bound.change
        ):
            target.baseline_year = when.first_year - 1
        elif new and target.measure == "cumulative_amount" and (when is None or when.date == last_day(self.period.end)):
            target.baseline_year = self.period.base_year

    def _add(
        self,
        phrase: Phrase,
        number: Number | None,
        start: int,
        end: int,
        target: Target,
        state: State,
        when: When | None,
        inherited: bool = False,
    ) -> None:
        """Complete a target with its place, deadline and base value and keep it."""
        if number is not None:
            target.value = number.value
            target.value_written = True
            target.value_span = self.mended.span(*phrase.place(number.start, number.end))
        target.unit_written = target.unit
        if target.unit and "/" not in target.unit and target.measure == "level":
            m = PER_WRITTEN.search(target.indicator)
            if m:
                target.unit = f"{target.unit}/{m['d']}"
                target.reason = "；".join(filter(None, (target.reason, f"单位按指标名称补“/{m['d']}”")))
        if target.value is not None and target.unit:
            target.value_base, target.unit_base = units.base(target.value, target.unit)
        target.span = self.mended.span(*phrase.place(start, min(end, len(phrase.text))))
        target.anchor = re.sub(r"\s*\n\s*", "", self.mended.original[target.span[0] : target.span[1]])
        target.clause = state.clause
        target.hedge = target.hedge or hedge_of(phrase.text)
        if when:
            target.deadline, target.deadline_words, target.deadline_inherited = when.date, when.words, inherited
        elif target.kind == QUANTITATIVE and self.period:
            target.deadline = last_day(self.period.end)
            target.confidence = max(0.2, round(target.confidence - 0.1, 2))
            target.reason = "；".join(filter(None, (target.reason, "句中无时限，按规划期末")))
        target.reason = target.reason or "比较、数值、单位、时限齐全"
        self.targets.append(target)

    # -- words without numbers ------------------------------------------------------------------

    def _worded(self, phrase: Phrase, state: State, due: list[When]) -> None:
        """A completion target or a rule in words."""
        text = phrase.text
        if len(text) < 5:
            return
        previous = state.previous
        rule = find_rule(text)
        start = 0
        hit: Hit | None = rule
        if not hit:
            exempt = previous is not None and previous.text.startswith("除")
            hit = find_completion(text, state.dated, exempt, state.goal and bool(state.leading))
        if not hit:
            return
        body_start = _body_start(text, due)
        indicator, scope = clean(_without(text, body_start, len(text), []))
        target = Target(
            kind=hit.kind, indicator=indicator[:60], scope=scope, value=hit.value, unit=hit.unit, comparator=hit.comparator, comparator_words=hit.words,
            direction=hit.direction, measure=hit.measure, confidence=hit.confidence, reason=hit.reason,
        )  # fmt: skip
        if hit.kind == RULE and previous is not None and previous.text.startswith("除"):
            target.exclusions = previous.text.lstrip("除")
        when = due[-1] if due else state.deadline
        if not when and hit.comparator == "qualitative" and state.goal:
            when = state.leading
        if hit.kind == RULE and not due:
            when = None
        self._add(phrase, None, start, len(text), target, state, when, inherited=not due and state.deadline is None)
        if hit.kind == RULE and text[:1] in "其该" and previous is not None:
            added = self.targets[-1]
            begin = self.mended.span(previous.at[0], previous.at[0] + 1)[0]
            added.span = (begin, added.span[1])
            added.anchor = re.sub(r"\s*\n\s*", "", self.mended.original[begin : added.span[1]])


def _path(owner: str, titles: dict[str, str], parents: dict[str, str]) -> list[str]:
    """Titles from a clause up to the top."""
    path = []
    while owner:
        path.append(titles.get(owner, ""))
        owner = parents.get(owner, "")
    return path


def _cut(bracket: Phrase) -> list[Phrase]:
    """Phrases of the words in a bracket."""
    parts: list[Phrase] = []
    last = 0
    for i, c in enumerate(bracket.text + "，"):
        if c in "，；。":
            if i > last:
                parts.append(Phrase(bracket.text[last:i], bracket.at[last:i], bracketed=True))
            last = i + 1
    return parts


def _groups(numbers: list[Number], text: str) -> list[list[Number]]:
    """Numbers that stand in one list: 7.0%、8.6%; 15%以上、20%以上; 10、20个百分点."""
    groups: list[list[Number]] = []
    for n in numbers:
        if groups:
            last = groups[-1][-1]
            between = text[last.unit_end : n.start]
            if re.fullmatch(
                r"(?:及?以上|以下|以内|左右)?(?:、|和|及|与|以及|，)(?:约|近|超过|不低于)?", between
            ) and _alike(last, n):
                groups[-1].append(n)
                continue
        groups.append([n])
    return groups


def _alike(a: Number, b: Number) -> bool:
    """Whether two numbers can stand in one list: their units agree up to the magnitude, or the first has none."""
    if not a.unit:
        return True
    if a.size_class or b.size_class:
        return False
    return units.base(Decimal(1), a.unit)[1] == units.base(Decimal(1), b.unit)[1] or (a.unit, b.unit) == (
        units.PERCENT,
        units.POINT,
    )


def _changes(rest: str) -> bool:
    """Whether a change follows a base value."""
    return (
        re.match(r"[^，]{0,12}?(?:下降|降低|减少|削减|提高|提升|增加|增长|上升|压减|降|扩大|缩|达到|控制在|增)", rest)
        is not None
    )


def _without(text: str, start: int, end: int, dates: list[When]) -> str:
    """A part of a phrase without its dates and the words that tie a base year to it."""
    kept = []
    i = start
    for w in dates:
        if w.end <= i or w.start >= end:
            continue
        kept.append(text[i : max(i, w.start)])
        i = max(i, w.end)
        if w.role == "base":
            m = re.match(r"(?:的?(?:实际)?(?:同期|基础上|水平|基数|排放量|为基准|为基数|相比|实际))+", text[i:end])
            if m:
                i += m.end()
    kept.append(text[i:end])
    return "".join(kept)


def _anchor_start(text: str, start: int, number: int, subject_end: int | None, due: list[When]) -> int:
    """Where the words of a target begin: after a leading date and marks, at the phrase's subject."""
    if subject_end is not None:
        start = 0
    for w in due:
        if w.start <= start + 2 and w.end < number and w.end - w.start < number - start:
            start = w.end
    while start < number and text[start] in "，、：；的":
        start += 1
    return start


def _body_start(text: str, due: list[When]) -> int:
    """Where a phrase begins after its leading date."""
    for w in due:
        if w.start <= 2:
            return w.end
    return 0


def _share_base(targets: list[Target], target: Target) -> None:
    """降到0.85…，比2010年的1.02…下降16%: the level of the same indicator has the same base."""
    if len(targets) < 2 or not target.baseline_value:
        return
    before = targets[-2]
    if (
        before.clause == target.clause
        and before.measure == "level"
        and before.baseline_year is None
        and before.indicator == target.indicator
    ):
        before.baseline_year, before.baseline_value = target.baseline_year, target.baseline_value


def read_targets(
    draft: Draft, mended: Mended, placed: list[Placed], holes: list[tuple[int, int]], plan_year: int | None
) -> None:
    """Find the targets of all prose and put them, and the numbers left over, into the draft."""
    first_year = draft.period.start if draft.period else None
    reader = Reader(mended, draft.period, plan_year, first_year)
    reader.read(placed, holes)
    draft.targets.extend(reader.targets)
    for start, end, words, reason in reader.left:
        draft.notes.append({"kind": "number", "span": [start, end], "text": words, "reason": reason})
