"""The clause tree: numbered headings of every usual make, nested by the make of their numbers."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from lvheng.plan.reading.model import Clause
from lvheng.plan.reading.normalise import NUMERALS, Mended

# Makes of numbers from the highest to the lowest: pattern of the number, and how it is written in an id.
MAKES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"附[件表录](?P<n>\d{1,2})?(?=：|[^\d，。；、》）]{0,20}$)"), "附件{n}"),
    (re.compile(rf"第(?P<n>[{NUMERALS}\d]{{1,5}})[编部](?:分)?"), "第{n}部分"),
    (re.compile(rf"第(?P<n>[{NUMERALS}\d]{{1,5}})章"), "第{n}章"),
    (re.compile(rf"第(?P<n>[{NUMERALS}\d]{{1,5}})节"), "第{n}节"),
    (re.compile(rf"第(?P<n>[{NUMERALS}\d]{{1,5}})条"), "第{n}条"),
    (re.compile(rf"(?P<n>[{NUMERALS}]{{1,4}})[、.．]"), "{n}"),
    (re.compile(rf"（(?P<n>[{NUMERALS}]{{1,4}})）[、.]?"), "({n})"),
    (re.compile(r"(?P<n>\d{1,2})[.、](?!\d)|(?P<m>\d{1,2})[.、](?=(?:19|20)\d\d年)"), "{n}"),
    (re.compile(r"(?P<n>\d{1,2})）"), "{n})"),
    (re.compile(r"（(?P<n>\d{1,2})）"), "({n})"),
    (re.compile(r"(?P<n>[①-⑳])"), "{n}"),
]
TITLE_LIMIT = 40
PLAN_TITLE = re.compile(r"[^，。；：、]{4,50}(?:方案|规划|意见|计划|要点|细则|措施)(?:（[^）]{1,20}）)?")
# Words that a title does not hold: then the first sentence is the clause's own text.
NOT_TITLE = re.compile(r"[，；]|\d%|^到\d{4}年")


@dataclass(slots=True)
class Placed:
    """A clause with its range in the mended text: heading, own text, and end of all below it."""

    clause: Clause
    start: int
    body: int
    end: int
    rank: int


def _numbering(text: str, start: int, end: int) -> tuple[int, str, int] | None:
    """Rank, id part and end of the number that opens a paragraph."""
    head = text[start : min(end, start + 40)]
    if head[:1] not in "附第（" and not head[:1].isdigit() and head[:1] not in NUMERALS and not "①" <= head[:1] <= "⑳":
        return None
    for rank, (pattern, form) in enumerate(MAKES):
        m = pattern.match(head)
        if m:
            return rank, form.format(n=next((g for g in m.groups() if g), "")), start + m.end()
    return None


def _title(text: str, start: int, end: int) -> tuple[str, int]:
    """The title that follows a number, and where the clause's own text begins."""
    stop = start
    limit = min(end, start + TITLE_LIMIT + 1)
    while stop < limit and text[stop] not in "。：\n":
        stop += 1
    title = text[start:stop]
    if stop >= limit and stop < end:
        return "", start
    if NOT_TITLE.search(title):
        return "", start
    return title, min(stop + 1, end)


def find_clauses(mended: Mended) -> list[Placed]:
    """All clauses in the order of the text, each spanning everything below it.

    A number's make gives its depth: a clause closes all open clauses of the same or a lower make, so
    numbering that runs on across parents and plans that begin with （一） nest as they are meant.
    """
    text = mended.text
    placed: list[Placed] = []
    stack: list[Placed] = []
    seen: dict[str, int] = {}
    titled = False  # a title of a plan stands right above
    for paragraph in mended.paragraphs:
        if paragraph.cells:
            continue
        found = _numbering(text, paragraph.start, paragraph.end)
        if not found:
            words = text[paragraph.start : paragraph.end]
            titled = bool(placed) and (titled or PLAN_TITLE.fullmatch(words) is not None)
            continue
        rank, part, body = found
        if titled and part == "一" and part in seen and not any(p.clause.id.startswith("附") for p in placed):
            placed, stack, seen = [], [], {}  # what stood before was the notice that issues the plan
        titled = False
        while stack and stack[-1].rank >= rank:
            stack.pop()
        parent = stack[-1].clause.id if stack else ""
        name = parent + part
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:  # a number used twice under one parent stays distinct
            name = f"{name}#{seen[name]}"
        title, content = _title(text, body, paragraph.end)
        number = text[paragraph.start : body]
        clause = Clause(name, number, title, len(stack) + 1, (0, 0), parent)
        item = Placed(clause, paragraph.start, content, len(text), rank)
        placed.append(item)
        stack.append(item)
    ends = _ends(placed, len(text))
    for item, end in zip(placed, ends, strict=True):
        while end > item.start and text[end - 1] in "\n\t":
            end -= 1
        item.end = end
        item.clause.span = mended.span(item.start, end)
    return placed


def _ends(placed: list[Placed], size: int) -> list[int]:
    """End of each clause: the start of the next clause that is not below it."""
    ends = [size] * len(placed)
    open_items: list[int] = []
    for i, item in enumerate(placed):
        while open_items and placed[open_items[-1]].rank >= item.rank:
            ends[open_items.pop()] = item.start
        open_items.append(i)
    return ends


def clause_at(placed: list[Placed], starts: list[int], position: int) -> Placed | None:
    """The innermost clause that a position of the mended text stands in."""
    i = bisect_right(starts, position) - 1
    return placed[i] if i >= 0 else None
