"""Walking the prose of a plan clause by clause, sentence by sentence."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate

from lvheng.plan.reading.clauses import Placed
from lvheng.plan.reading.deadlines import When, find_dates
from lvheng.plan.reading.model import Draft
from lvheng.plan.reading.normalise import Mended
from lvheng.plan.reading.sentences import Phrase, Sentence, sentences
from lvheng.plan.reading.targets import UNEXPLAINED, PhraseReader, State

# Clauses that tell how things stand hold no targets, whatever numbers they name.
BACKGROUND = re.compile(r"现状|成效|回顾|形势|背景|面临|挑战|问题|工作基础|发展基础|进展|机遇|取得")
PRICE = re.compile(r"(?:按(?:照)?)?(?P<y>(?:19|20)\d\d)年(?:可比|不变)?价")
EXCLUDED = re.compile(r"除外|不含|不包括|除(?=.{2,30}外)")
SENTENCE_LIMIT = 600
# Goals that a plan states before its first numbered clause: 具体指标：到2017年…
GOALS = re.compile(r"[^，。：]{0,8}(?:目标|指标)(?:任务|和指标|要求)?(?:：|。)")
OF_GOALS = re.compile(r"(?:到|力争|其中|——|“十)")
ASIDE = re.compile(r"(?:不?含|或|即|折合|约合|相当于|包括|每年?折)")


def read_prose(
    draft: Draft, mended: Mended, placed: list[Placed], holes: list[tuple[int, int]], plan_year: int | None
) -> None:
    """Put the targets of all prose, and the numbers left over, into the draft. ``holes`` are not read."""
    reader = PhraseReader(mended, draft.period, plan_year)
    starts = [p.start for p in placed]
    titles = {p.clause.id: p.clause.title for p in placed}
    parents = {p.clause.id: p.clause.parent for p in placed}
    leading: dict[str, When | None] = {}
    state = State()
    first_hole = 0
    goals_told = False
    for paragraph in mended.paragraphs:
        if paragraph.cells:
            continue
        at = bisect_right(starts, paragraph.start) - 1
        if at < 0 and placed:
            head = mended.text[paragraph.start : min(paragraph.end, paragraph.start + 20)]
            goals_told = bool(GOALS.match(head)) or (goals_told and bool(OF_GOALS.match(head)))
            if not goals_told:
                continue  # what stands before the first clause introduces
        owner = placed[at].clause.id if at >= 0 else ""
        start = placed[at].body if at >= 0 and placed[at].start == paragraph.start else paragraph.start
        path = _path(owner, titles, parents)
        goal = (goals_told and at < 0) or any("目标" in title for title in path)
        if not goal and any(BACKGROUND.search(title) for title in path):
            continue
        if owner != state.clause or at < 0:
            dated = find_dates(titles.get(owner, ""), draft.period, plan_year)
            own = next((w for w in dated if w.role == "deadline"), None)
            state = State(owner, leading=own or leading.get(parents.get(owner, "")), goal=goal)
            leading[owner] = state.leading
        while first_hole < len(holes) and holes[first_hole][1] <= paragraph.start:
            first_hole += 1
        near = first_hole
        while near < len(holes) and holes[near][0] < paragraph.end:
            near += 1
        read_range(reader, start, paragraph.end, holes[first_hole:near], state)
        if mended.text[max(start, paragraph.end - 1) : paragraph.end] == "：" and state.leading:
            leading[owner] = state.leading
    draft.targets.extend(reader.targets)
    covers = _covers(sorted(t.span for t in reader.targets if not t.value_written))
    for begin, end, words, reason in reader.left:
        if reason == UNEXPLAINED and covers(begin, end):
            continue  # 应100%预留: read as words
        draft.notes.append({"kind": "number", "span": [begin, end], "text": words, "reason": reason})


def _covers(spans: list[tuple[int, int]]) -> Callable[[int, int], bool]:
    """Whether a range lies inside one of the sorted ``spans``; each asked in the time of one look-up."""
    starts = [a for a, _ in spans]
    reach = list(accumulate((b for _, b in spans), max))
    return lambda begin, end: (i := bisect_right(starts, begin)) > 0 and reach[i - 1] >= end


def read_range(reader: PhraseReader, start: int, end: int, holes: list[tuple[int, int]], state: State) -> None:
    """Read the sentences of a range of the mended text."""
    for sentence in sentences(reader.mended, start, end, holes):
        _sentence(reader, sentence, state)


def _path(owner: str, titles: dict[str, str], parents: dict[str, str]) -> list[str]:
    """Titles from a clause up to the top."""
    path = []
    while owner:
        path.append(titles.get(owner, ""))
        owner = parents.get(owner, "")
    return path


def _sentence(reader: PhraseReader, sentence: Sentence, state: State) -> None:
    state.new_sentence()
    first = len(reader.targets)
    for i, phrase in enumerate(sentence.phrases):
        state.following = sentence.phrases[i + 1].text if i + 1 < len(sentence.phrases) else ""
        begin = len(reader.targets)
        reader.phrase(phrase, state)
        for bracket in phrase.brackets:
            _bracket(reader, bracket, state, begin)
        state.previous = phrase
        if len(phrase.text) <= 3:
            continue  # 其中，城区…
        state.counting = len(reader.targets) > begin and reader.targets[-1].measure in ("count", "cumulative_amount")
        state.sharing = len(reader.targets) > begin and reader.targets[-1].measure == "ratio"
    state.first_sentence = False
    if len(reader.targets) > first:
        written = re.sub(r"\s", "", reader.mended.text[sentence.start : sentence.end])[:SENTENCE_LIMIT]
        for target in reader.targets[first:]:
            target.sentence = written


def _bracket(reader: PhraseReader, bracket: Phrase, state: State, begin: int) -> None:
    """Words in brackets: a price base, an exclusion, or phrases with targets of their own."""
    price = PRICE.search(bracket.text)
    if price:
        for target in reader.targets[begin:]:
            target.price_base = int(price["y"])
    elif EXCLUDED.search(bracket.text):
        for target in reader.targets[begin:]:
            target.exclusions = target.exclusions or bracket.text
    elif any(c.isdigit() for c in bracket.text) and not ASIDE.match(bracket.text):
        for part in _cut(bracket):
            reader.phrase(part, state, bracketed=True)


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
