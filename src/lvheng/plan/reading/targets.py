"""Targets of a plan's phrases: every number is a target, a baseline, a scope, a rule, or is left over."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from lvheng.plan.reading import comparators, roles, units
from lvheng.plan.reading.comparators import Bound
from lvheng.plan.reading.completion import Hit, find_completion, find_rule
from lvheng.plan.reading.deadlines import When, find_dates, last_day, taken
from lvheng.plan.reading.model import ACTION, QUANTITATIVE, RULE, Period, Target
from lvheng.plan.reading.normalise import Mended
from lvheng.plan.reading.numbers import Number, find_numbers
from lvheng.plan.reading.roles import Candidate
from lvheng.plan.reading.sentences import Phrase
from lvheng.plan.reading.subjects import MEASURE_NOUN, carried, clean, hedge_of, share_out

NEW = re.compile(r"新增|新建|新改|累计|改造|腾出|形成")
MULTIPLE = re.compile(r"(?:及?以上)?倍?(?:及?以上)?[^，]{0,8}?(?:替代|置换|减量|削减)")
BASE_LEFT = re.compile(r"(?:比|较|从|由|自|相较|在|与)[^，]{0,16}?$")
FROM_LEFT = re.compile(r"[从由][^，从由]{0,8}$")
BETWEEN_BASE = re.compile(r"的?(?:实际|基数|约|为|水平)*")
CHANGE_FOLLOWS = re.compile(
    r"[^，]{0,12}?(?:下降|降低|减少|削减|提高|提升|增加|增长|上升|压减|降|扩大|缩|达到|控制在|增)"
)
CHANGE_TO = re.compile(r"(?:左右)?(?:提高|提升|降低|下降|降|增加|减少|上升|压减|增长|扩大)[到至为]")
PAST = re.compile(
    r"(?:下降|降低|提高|达到|完成|减少|提升|增长|增加|淘汰|建成|实现|削减|达)了$|(?<![而早])已(?:经)?[^，]{0,10}$"
)
YEAR_ON_YEAR = re.compile(r"同比|比上年|较上年|比上一年|比前一年")
SPREAD_BEFORE_BASE = re.compile(r"(?:分别|均|都)$")
VERB_FIRST = re.compile(r"(?P<down>减少|降低|削减|压减)|(?P<up>提高|提升|增加)")
BY_THEN = re.compile(r"[前月]")  # 2023年底前 holds for its sentence, 到2025年 for the rest of the clause
LEADING = re.compile(r"^(?:力争|确保|争取|努力)?(?:全[市省县区国])?(?:，|,)?$")
STANDING_BASE = re.compile(r"以?(?:19|20)\d\d年(?:为|作为)?基(?:准|期|数)")
BINDING = {"基本目标": "basic", "激励目标": "incentive", "奋斗目标": "incentive", "力争目标": "incentive"}
BINDING_WORDS = re.compile(r"(?:基本|激励|奋斗|力争)目标值?[为是：]?|(?:基本|激励|奋斗)$")
SHARE_OF_WHOLE = re.compile(r"(?P<v>达到|达|超过|占到?|约占|高于)(?P<whole>[^，]{2,30})的$")
STANDARD = re.compile(r"(?:要求|标准|规定|目标|任务|水平)$")
SUMMED = re.compile(r"(?:共|合计|总计|约)?\d|/\d")  # 3台共18万千瓦
PER_WRITTEN = re.compile(
    r"(?P<d>万元|亿元)(?:地区生产总值|国内生产总值|GDP|规模以上工业增加值|工业增加值|工业产值|产值|增加值|生产总值)"
)
AMOUNT_VERB_IN = re.compile(r"^(?:年|级|以上|以下|以内)|达到|实现|实施|下降|降低|提高|提升|控制")
RATE = re.compile(r"(?:率|比例|占比|比重)$")
PER_DAY = re.compile(r"(?:每|日均|平均每)(?P<d>日|天|年|小时)$")
LIST_GAP = re.compile(r"(?:及?以上|以下|以内|左右)?(?:、|和|及|与|以及|，)(?:约|近|超过|不低于)?")
CHANGES = frozenset(
    ("cumulative_decline", "cumulative_growth", "percentage_point_drop", "percentage_point_rise", "cumulative_amount", "multiplier", "annual_rate")
)  # fmt: skip
SCOPE_REASON = "限定对象的规模，不作目标"
UNEXPLAINED = "未识别出比较或数量用语"
TEXT_LIMIT = 400  # no phrase of an official text is longer; guards against input without punctuation


@dataclass(slots=True)
class State:
    """What later phrases of a sentence, and later sentences of a clause, take over."""

    clause: str = ""
    subject: str = ""
    deadline: When | None = None  # of this sentence
    leading: When | None = None  # of an earlier sentence of the clause, or of the clause above
    base: When | None = None
    base_standing: When | None = None
    binding: str = ""
    change: str = ""
    goal: bool = False
    previous: Phrase | None = None
    dated: bool = False
    following: str = ""  # the next phrase of the sentence
    years: list[When] = field(default_factory=list)  # 到2023年和2025年，…分别…
    first_sentence: bool = True  # of the clause
    counting: bool = False  # the phrase before told how many are to be built
    sharing: bool = False  # the phrase before gave a rate

    def new_sentence(self) -> None:
        """Forget what holds for one sentence only."""
        self.subject = self.binding = self.change = ""
        self.deadline = self.previous = None
        self.years = []
        self.base = self.base_standing
        self.dated = self.counting = self.sharing = False


@dataclass(slots=True)
class PhraseReader:
    """Reads phrases into targets; ``left`` are the numbers that no rule of grammar explains."""

    mended: Mended
    period: Period | None
    plan_year: int | None
    targets: list[Target] = field(default_factory=list)
    left: list[tuple[int, int, str, str]] = field(default_factory=list)

    def phrase(self, phrase: Phrase, state: State, bracketed: bool = False) -> None:
        """Read one phrase and carry on what the next ones need."""
        text = phrase.text
        if len(text) > TEXT_LIMIT:
            return
        dates = find_dates(text, self.period, self.plan_year)
        due = [w for w in dates if w.role == "deadline"]
        bases = [w for w in dates if w.role == "base"]
        state.dated = state.dated or bool(due)
        if bases:
            state.base = bases[-1]
            if STANDING_BASE.match(text[bases[-1].start :]):
                state.base_standing = bases[-1]
        state.binding = next((kind for word, kind in BINDING.items() if word in text), "")
        coming = [w for w in due if not self._past(w)]
        before, subject_before = len(self.targets), state.subject
        numbers = find_numbers(text, taken(text, dates))
        if numbers:
            self._numbers(phrase, numbers, dates, due, state, bracketed)
        if due and not bracketed:
            state.deadline = (coming or due)[-1]
            others = text[: due[0].start] + text[due[-1].end :]
            leads = due[-1].of_period or LEADING.match(others) or (due[0].start == 0 and text[:1] in "到至截“")
            # 到2018年 in a clause's first sentence holds on; 用3年时间, or a date further down, does not.
            lasting = state.first_sentence and not due[-1].of_period and not BY_THEN.search(due[-1].words)
            if leads and not self._past(due[-1]) and (lasting or self._to_the_end(due[-1]) or not self.period):
                state.leading = due[-1]
            state.years = due
        if len(self.targets) == before:
            if not bracketed:
                self._worded(phrase, state, dates, coming or due)
            if len(self.targets) == before and state.subject == subject_before:
                # A phrase that only names an indicator is the subject of the next one.
                subject, _ = clean(_without(text, 0, len(text), dates))
                if MEASURE_NOUN.search(subject) and len(subject) < 40:
                    state.subject = subject

    # -- numbers --------------------------------------------------------------------------------

    def _numbers(
        self,
        phrase: Phrase,
        numbers: list[Number],
        dates: list[When],
        due: list[When],
        state: State,
        bracketed: bool = False,
    ) -> None:
        """Read the numbers of a phrase from left to right; base values wait for the number they are the base of."""
        text = phrase.text
        done = 0
        base_values: list[str] = []
        base_when: When | None = None
        subject_end: int | None = None
        made_before = False
        groups = _groups(numbers, text)
        for index, group in enumerate(groups):
            suffix, suffix_word, end = comparators.after(text, group[-1].unit_end)
            start = _base_start(text, group, done, end, dates)
            if start is not None:
                begin, when = start
                base_values = [n.written + text[n.end : n.unit_end] for n in group]
                base_when = when
                if when:
                    state.base = when
                subject_end = begin if subject_end is None else subject_end
                done = end
                continue
            candidate = Candidate(text, group, done, end, suffix, suffix_word, dates, due, base_values=base_values,
                                  base_when=base_when, subject_end=subject_end)  # fmt: skip
            if index + 1 < len(groups):
                candidate.item_end = _item_end(text, end, groups[index + 1][0].start)
            candidate.bracketed = bracketed
            candidate.again = made_before and bool(roles.AGAIN.fullmatch(text[done : group[0].start]))
            if self._candidate(phrase, candidate, state):
                base_values, base_when, made_before = [], None, True
                done = max(end, candidate.item_end)

    def _candidate(self, phrase: Phrase, c: Candidate, state: State) -> bool:
        """Add what one number, or a list of numbers, asks for; False when it asks for nothing."""
        text, first = c.text, c.first
        bound = c.bound = comparators.before(c.left, _bound_end(c))
        bound.rest = max(bound.rest, c.done)
        head_end = min(bound.rest, c.subject_end) if c.subject_end is not None else bound.rest
        raw = _without(text, c.done if c.subject_end is None else 0, head_end, c.dates)
        spread = SPREAD_BEFORE_BASE.search(raw)
        if spread and not bound.spread:
            bound.spread = "分别" if spread[0] == "分别" else "均"
        c.subject, c.scope = clean(BINDING_WORDS.sub("", raw))
        c.following = state.following
        c.listed = state.counting and c.done == 0 and not c.due
        c.rated = state.sharing and c.done == 0
        c.weighs = "权重" in text or (state.previous is not None and "权重" in state.previous.text)
        c.carries = bool(state.subject) and bound.rest == c.done
        if not (bound.comparator or bound.change) and (first.is_ratio or first.unit == units.POINT):
            m = VERB_FIRST.match(c.subject)  # 减少氮肥施用10%
            if m and len(c.subject) > len(m[0]) + 1 and not c.rest:
                bound.change, c.subject = "down" if m["down"] else "up", c.subject[m.end() :]
                bound.words.append(m[0])
        if PAST.search(c.left) and not c.due and not state.deadline:
            return False
        deadline = next((w for w in reversed(c.due) if w.start < first.start), None) or state.deadline or state.leading
        if deadline and self._past(deadline):
            return False  # what an earlier period reached
        if self._multiple(phrase, c, state):
            return True
        role = roles.role_of(c)
        if role == roles.THRESHOLD:
            comparator = c.suffix or {"": "ge", "level": "ge"}.get(bound.comparator, bound.comparator)
            target = Target(kind=RULE, indicator=c.subject, unit=first.unit, comparator=comparator, comparator_words=bound.text(c.suffix_word),
                            measure="threshold", confidence=0.8, reason="数量限定适用对象，按门槛识别")  # fmt: skip
            self._add(phrase, first, 0, len(text), target, state, None)
            return True
        if role in (roles.SCOPE, roles.UNKNOWN):
            reason = SCOPE_REASON if role == roles.SCOPE else UNEXPLAINED
            for n in c.group:
                a, b = phrase.place(n.start, max(n.unit_end, n.end))
                self.left.append((*self.mended.span(a, b), text[max(0, n.start - 12) : c.end + 8], reason))
            return False
        self._targets(phrase, c, role, deadline, state)
        return True

    def _multiple(self, phrase: Phrase, c: Candidate, state: State) -> bool:
        """A rule such as 1.2倍及以上替代."""
        first = c.first
        if first.unit not in ("", units.TIMES):
            return False
        begin = c.end if c.suffix else first.unit_end
        m = MULTIPLE.match(c.text, begin)
        if not m or not ("倍" in m[0] or first.unit == units.TIMES):
            return False
        target = Target(kind=RULE, indicator=c.subject or "倍量替代系数", unit=units.TIMES, comparator="ge", comparator_words=c.suffix_word,
                        measure="multiplier", direction="up", reason="按倍量替代用语识别")  # fmt: skip
        self._add(phrase, first, 0, m.end(), target, state, None)
        return True

    def _targets(self, phrase: Phrase, c: Candidate, role: str, deadline: When | None, state: State) -> None:
        """Add the targets of a candidate whose role asks for something."""
        text, first, bound = c.text, c.first, c.bound
        reasons: list[str] = []
        confidence = 0.95
        stop = self._name(c, role, state, reasons)
        if "主语承前" in reasons:
            confidence -= 0.05
        comparator, direction, measure, verb, remarks = self._bounds(c, role, state)
        if role == roles.AMOUNT and c.item_end:
            stop = c.item_end
        elif role == roles.AMOUNT and c.rest and not c.suffix:
            stop = len(text) if len(c.rest) <= 40 and not any(ch.isdigit() for ch in c.rest) else c.end
        reasons += remarks
        confidence -= 0.1 * len(remarks)
        if not c.subject:
            confidence -= 0.3
            reasons.append("未找到指标名称")
        if not first.figure:
            confidence -= 0.1
            reasons.append("中文数字")
        kind = QUANTITATIVE
        if roles.LISTED.search(c.left) and first.is_count:
            kind = ACTION
            reasons.append("列举对象的数目")
        elif (
            (roles.MODAL.search(c.left) or "原则上" in c.left)
            and not state.dated
            and not (role == roles.AMOUNT and first.is_count)
        ):
            kind = RULE
            reasons.append("“应、须”且无时限，按规则")
        spread, note, cost = _spread(c, deadline, state.years)
        if note:
            reasons.append(note)
            confidence -= cost
        state.subject = c.subject
        state.change = bound.change
        start = _anchor_start(c)
        for index, (number, name, when) in enumerate(spread):
            unit = _unit(number, c)
            own = comparators.after(text, number.unit_end)
            if own[0] and own[0] != c.suffix and role != roles.AMOUNT:  # 15%以上、20%左右
                comparator, direction, measure, _ = comparators.decide(bound, own[0], c.subject, unit)
            alone = len(c.group) == 1
            target = Target(kind=kind, indicator=name, scope=c.scope, unit=unit, comparator=comparator, direction=direction, measure=measure,
                            comparator_words=bound.text(c.suffix_word) or verb, binding=state.binding, confidence=max(0.2, round(confidence, 2)),
                            reason="；".join(reasons))  # fmt: skip
            if number.upper is not None:
                target.value_upper = number.upper
                target.reason = "；".join([*reasons, "区间，取下限并保留上限"])
            self._baseline(target, c, number, when, role, state)
            if c.base_values:
                target.baseline_value = c.base_values[min(index, len(c.base_values) - 1)]
            begin = start if alone or index == 0 else number.start
            finish = stop if alone or index == len(spread) - 1 else number.unit_end
            self._add(
                phrase, number, begin, finish, target, state, when, inherited=not c.due and state.deadline is None
            )
            _share_base(self.targets)

    def _name(self, c: Candidate, role: str, state: State, reasons: list[str]) -> int:
        """Settle the indicator's name; returns where the words of the target end."""
        text, first = c.text, c.first
        if role == roles.SHARE:
            named, scope = clean(c.rest.lstrip("的"))
            c.scope = c.scope or scope
            where = clean(_without(text, c.done, c.bound.rest, c.dates))[0]
            c.subject = where + named
            c.bound = Bound(c.bound.rest, c.bound.comparator, words=c.bound.words)
            return len(text)
        share = SHARE_OF_WHOLE.search(text, c.done, first.start)
        if share and first.is_ratio:
            c.bound = Bound(first.start, {"超过": "gt", "高于": "gt"}.get(share["v"], "level"), words=[share["v"]])
            part = clean(_without(text, c.done, share.start(), c.dates))[0]
            if STANDARD.search(share["whole"]):  # 达到国家要求的95%
                c.subject = carried(part, state.subject)
            else:
                c.subject = f"{part}占{share['whole']}比例"
            return c.end
        if role == roles.AMOUNT:
            if c.item_end:  # 建设100个…基地、80个…城市
                c.subject = clean(text[c.end : c.item_end].lstrip("的"))[0]
            elif c.again and c.rest and not SUMMED.match(c.rest):
                c.subject = clean(c.rest.lstrip("的"))[0]
            elif SUMMED.match(c.rest):
                previous = clean(state.previous.text)[0] if state.previous else ""
                c.subject = c.subject if len(c.subject) > 2 else state.subject or previous[:20]
            elif (
                c.rest and c.rest[0] not in "、和及与，" and (c.left.endswith("的") or roles.VERB_AT_END.search(c.left))
            ):
                c.subject = clean(c.rest)[0] or c.subject
            elif len(c.subject) < 2 or roles.AMOUNT_VERB.fullmatch(c.subject):
                c.subject = clean(c.rest)[0] or (state.subject if c.again else c.subject)
            elif c.done:
                verbs = [v[0] for v in roles.AMOUNT_VERB.finditer(text, 0, c.done) if v[0] in roles.CREATING]
                told = not verbs or verbs[-1] in c.subject or roles.AMOUNT_VERB.match(c.subject) is not None
                c.subject = c.subject if told else verbs[-1] + c.subject
            return c.end
        if not c.subject and state.subject:
            reasons.append("主语承前")
        c.subject = carried(c.subject, state.subject) or clean(c.rest)[0]
        return c.end

    def _bounds(self, c: Candidate, role: str, state: State) -> tuple[str, str, str, str, list[str]]:
        """Comparator, direction, measure, verb and remarks of a candidate."""
        bound, first = c.bound, c.first
        if role == roles.AMOUNT:
            verb = next(iter(list(roles.AMOUNT_VERB.finditer(c.text, 0, first.start))[-1:]), None)
            measure = "count" if first.is_count else "cumulative_amount"
            comparator = "approx" if c.suffix == "approx" or (bound.rough and not c.suffix) else "ge"
            if c.suffix == "le" or bound.comparator in ("le", "lt", "gt"):
                comparator = c.suffix if c.suffix == "le" else bound.comparator
            return comparator, "down" if bound.change == "down" else "up", measure, verb[0] if verb else "", []
        if first.written.startswith("翻"):
            bound.change, bound.comparator = "", "ge"
        elif (
            state.change
            and not bound.change
            and (bound.comparator in ("", "level") or bound.words[-1:] in (["完成"], ["实现"]))
            and c.subject == state.subject
            and first.is_ratio
        ):
            # 下降14%以上、力争达到15%: the second number goes on with the change.
            before = self.targets[-1] if self.targets else None
            if before and before.unit == first.unit and before.measure in CHANGES:
                bound.change = state.change
        comparator, direction, measure, remarks = comparators.decide(bound, c.suffix, c.subject, _unit(first, c))
        if measure == "level" and first.is_count and roles.AMOUNT_VERB.search(c.left, c.done, bound.rest):
            measure = "count"
        return comparator, direction, "annual_rate" if bound.annual else measure, "", remarks

    def _baseline(
        self, target: Target, c: Candidate, number: Number, when: When | None, role: str, state: State
    ) -> None:
        """The base year, written in the phrase, carried on, or implied by the period."""
        base = c.base_when or next((w for w in reversed(c.dates) if w.role == "base" and w.start < number.start), None)
        changes = target.measure in CHANGES and bool(c.bound.change)
        if base is None and state.base and (changes or state.base_standing or c.base_values):
            base = state.base if target.measure != "annual_rate" or state.base_standing else None
        if base:
            target.baseline_year = base.year
        elif YEAR_ON_YEAR.search(c.left) and (year := self._year(when)):
            target.baseline_year = year - 1
        elif not self.period:
            return
        elif (
            when
            and when.of_period
            and when.first_year
            and target.measure in ("cumulative_decline", "cumulative_growth")
            and changes
        ):
            target.baseline_year = when.first_year - 1
        elif changes and any("累计" in w for w in c.bound.words) and self._to_the_end(when):
            target.baseline_year = self.period.base_year
        elif self._to_the_end(when) and role == roles.AMOUNT and target.measure == "cumulative_amount":
            own = roles.AMOUNT_VERB.match(c.text[c.done : number.start].lstrip("、，和及"))
            new = NEW.search(c.text, c.done if own else 0, number.start)  # 新增能力12万吨/日、管网300公里
            target.baseline_year = self.period.base_year if new else None

    def _year(self, when: When | None) -> int | None:
        """The year a target speaks of: its deadline's, or that of a plan for one year."""
        if when and when.year:
            return when.year
        return self.period.end if self.period and self.period.start == self.period.end else None

    def _past(self, when: When) -> bool:
        """Whether a date lies before the plan period."""
        return self.period is not None and 0 < when.year < self.period.start

    def _to_the_end(self, when: When | None) -> bool:
        """Whether a deadline is the end of the plan period."""
        return self.period is not None and (when is None or when.date == last_day(self.period.end))

    # -- words without numbers --------------------------------------------------------------------

    def _worded(self, phrase: Phrase, state: State, dates: list[When], due: list[When]) -> None:
        """A completion target or a rule in words."""
        text, previous = phrase.text, state.previous
        if len(text) < 5:
            return
        exempt = previous is not None and previous.text.startswith("除")
        begun = next((w for w in dates if w.role == "from" and w.words.endswith("起")), None)
        dated = state.dated or begun is not None
        hit: Hit | None = find_rule(text) or find_completion(text, dated, exempt, state.goal and bool(state.leading))
        if not hit:
            return
        start = next((w.end for w in due if w.start <= 2), 0)
        indicator, scope = clean(_without(text, start, len(text), []))
        target = Target(kind=hit.kind, indicator=indicator[:60], scope=scope, value=hit.value, unit=hit.unit, comparator=hit.comparator,
                        comparator_words=hit.words, direction=hit.direction, measure=hit.measure, confidence=hit.confidence,
                        reason=hit.reason)  # fmt: skip
        when = due[-1] if due else state.deadline or begun
        if hit.kind == RULE:
            when = due[-1] if due else None
            target.exclusions = previous.text.lstrip("除") if exempt and previous else ""
        elif not when and hit.comparator == "qualitative" and state.goal:
            when = state.leading
        self._add(phrase, None, start, len(text), target, state, when, inherited=not due and state.deadline is None)
        if hit.kind == RULE and text[0] in "其该" and previous is not None:
            begin = self.mended.span(previous.at[0], previous.at[0] + 1)[0]
            self._place(target, begin, target.span[1])

    # -- keeping ------------------------------------------------------------------------------------

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
        self._place(target, *self.mended.span(*phrase.place(start, min(end, len(phrase.text)))))
        target.clause = state.clause
        target.hedge = hedge_of(phrase.text[: number.start] if number else phrase.text)
        if when:
            target.deadline, target.deadline_words, target.deadline_inherited = when.date, when.words, inherited
        elif target.kind == QUANTITATIVE and self.period:
            target.deadline = last_day(self.period.end)
            target.confidence = max(0.2, round(target.confidence - 0.1, 2))
            target.reason = "；".join(filter(None, (target.reason, "句中无时限，按规划期末")))
        if target.kind == QUANTITATIVE and not target.deadline:
            target.confidence = min(target.confidence, 0.6)
            target.reason = "；".join(filter(None, (target.reason, "时限不明，请补充")))
        target.reason = target.reason or "比较、数值、单位、时限齐全"
        self.targets.append(target)

    def _place(self, target: Target, start: int, end: int) -> None:
        target.span = (start, end)
        target.anchor = re.sub(r"\s*\n\s*", "", self.mended.original[start:end])


def _groups(numbers: list[Number], text: str) -> list[list[Number]]:
    """Numbers that stand in one list: 7.0%、8.6%; 15%以上、20%以上; 10、20个百分点."""
    groups: list[list[Number]] = []
    for n in numbers:
        if groups:
            last = groups[-1][-1]
            if LIST_GAP.fullmatch(text, last.unit_end, n.start) and _alike(last, n):
                groups[-1].append(n)
                continue
        groups.append([n])
    for group in groups:
        for n in group:
            n.unit = n.unit or group[-1].unit  # 57、54、55微克/立方米
    return groups


def _item_end(text: str, start: int, following: int) -> int:
    """End of the noun that a number counts, when more numbers follow in a list (100个…基地、80个…); else 0."""
    item = text[start:following]
    cut = re.search(r"(?:、|和|及|以及|与)$", item)
    at = cut.start() if cut else item.rfind("、")
    if at <= 0 or item[0] in "、，和及与共合左以（" or AMOUNT_VERB_IN.search(item, 0, at):
        return 0
    return start + at


def _alike(a: Number, b: Number) -> bool:
    """Whether two numbers can stand in one list: their units agree up to the magnitude, or the first has none."""
    if not a.unit:
        return True
    if a.size_class or b.size_class:
        return False
    same = units.base(Decimal(1), a.unit)[1] == units.base(Decimal(1), b.unit)[1]
    return same or (a.unit in (units.PERCENT, "个") and b.unit == units.POINT)  # 10%、20个百分点; 5个和2个百分点


def _base_start(
    text: str, group: list[Number], done: int, end: int, dates: list[When]
) -> tuple[int, When | None] | None:
    """Where the words of a base value begin, when the group is one (比2010年的13.0万吨、1.45万吨分别减少…)."""
    first = group[0].start
    m = BASE_LEFT.search(text[done:first])
    if not m:
        return None
    when = next((w for w in reversed(dates) if w.role in ("base", "from") and done <= w.start and w.end <= first), None)
    if when:
        follows = CHANGE_FOLLOWS.match(text, end)
        return (when.start, when) if BETWEEN_BASE.fullmatch(text, when.end, first) and follows else None
    m = FROM_LEFT.search(text[done:first])
    return (done + m.start(), None) if m and CHANGE_TO.match(text, end) else None


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


def _bound_end(c: Candidate) -> int:
    """Where the words of comparison end: before the date in 提高到2025年的20%."""
    for w in c.dates:
        if w.words[:1] in ("到", "至") and c.text[w.end : c.first.start] == "的":
            return w.start + 1
    return c.first.start


def _unit(number: Number, c: Candidate) -> str:
    """The unit of one number of a list: the last one's where it has none; per day where 每日 stands before."""
    last = c.group[-1].unit
    unit = number.unit or last
    if not unit and not number.value and RATE.search(c.subject):
        unit = units.PERCENT  # 比例为0
    if unit in (units.PERCENT, "个") and last == units.POINT:
        unit = units.POINT
    m = PER_DAY.search(c.left)
    if m and unit and "/" not in unit and unit not in units.RATIOS:
        unit = f"{unit}/{'日' if m['d'] == '天' else m['d']}"
    return unit


def _spread(
    c: Candidate, deadline: When | None, years: list[When]
) -> tuple[list[tuple[Number, str, When | None]], str, float]:
    """Number, indicator and deadline of each target of a list (分别), or of one number for several (均)."""
    group, subject = c.group, c.subject
    count = len(group)
    if count == 1:
        names = None
        if c.bound.spread and re.search(r"[、和与及]", subject):
            likely = [len(c.base_values)] if len(c.base_values) > 1 else [4, 3, 2, 5, 6, 7, 8]
            names = next((found for n in likely if (found := share_out(subject, n))), None)
        if names:
            return (
                [(group[0], name, deadline) for name in names],
                f"“{c.bound.spread}”：一个数用于{len(names)}项指标",
                0.05,
            )
        return [(group[0], subject, deadline)], "", 0.0
    before = [w for w in c.due if w.start < c.first.start] or years
    if len(before) == count:
        return [(n, subject, w) for n, w in zip(group, before, strict=True)], "按年份依次分配", 0.05
    names = share_out(subject, count)
    if names:
        cost = 0.0 if c.bound.spread else 0.1
        return [(n, name, deadline) for n, name in zip(group, names, strict=True)], "“分别”依次分配", cost
    numbered = [(n, f"{subject}（第{i}项）", deadline) for i, n in enumerate(group, 1)]
    return numbered, "并列数字与指标个数不符，请核对", 0.35


def _anchor_start(c: Candidate) -> int:
    """Where the words of a target begin: after a leading date and marks, at the phrase's subject."""
    start = 0 if c.subject_end is not None else c.done
    number = c.first.start
    for w in c.due:
        if w.start <= start + 2 and w.end < number and w.end - w.start < number - start:
            start = w.end
    while start < number and c.text[start] in "，、：；的":
        start += 1
    return start


def _share_base(targets: list[Target]) -> None:
    """降到0.85…，比2010年的1.02…下降16%: the level of the same indicator has the same base."""
    if len(targets) < 2 or not targets[-1].baseline_value:
        return
    before, target = targets[-2], targets[-1]
    same = before.clause == target.clause and before.indicator == target.indicator
    if same and before.measure == "level" and before.baseline_year is None:
        before.baseline_year, before.baseline_value = target.baseline_year, target.baseline_value
