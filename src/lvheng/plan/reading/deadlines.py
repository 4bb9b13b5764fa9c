"""Dates in a phrase: deadlines, baseline years, price years, plan periods."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass

from lvheng.plan.reading.model import Period
from lvheng.plan.reading.numbers import chinese

YEAR = r"(?:19|20)\d\d"
FIVE_YEAR_FIRST = 2006  # 十一五; each later plan begins five years on
FIVE_YEAR_NAMES = "一二三四五六七"

DATE = re.compile(
    rf"(?P<pre>截止到|截至到|相对于|相比于|相较于|力争到|截至|截止|按照|相对|相比|相较|到|至|于|在|自|从|由|(?<!占)比|较|与|同|以|按)?"
    rf"(?P<y>{YEAR})(?:年?[-—~至到]{{1,2}}(?P<y2>(?:19|20)?\d\d))?年度?"
    r"(?:(?P<m>\d{1,2})月份?(?:(?P<d>\d{1,2})日)?)?"
    r"(?P<post>年底以?前|年底|年末|底之前|底以前|底前|末以前|末前|以前|之前|底|末|前|起|以来|初|上半年|下半年|内)?"
)
YEAR_LIST = re.compile(rf"{YEAR}年?(?:[、和及与]{YEAR}年?)+(?:底前|年底|底|末|前)?")
PLAN_PERIOD = re.compile(
    rf"(?P<pre>比|较|到|至|与|在)?[“\x22]?十(?P<n>[{FIVE_YEAR_NAMES}])五[”\x22]?(?P<post>规划期末|规划期间|规划期|期末|末|期间|时期|期内|期|以来)?"
)
WITHIN = re.compile(
    r"(?P<n>[一二两三四五六七八九十]|\d{1,2})年(?:时间)?(?:内|左右|(?=累计|共))|(?:用|通过|经过)(?P<n2>[一二两三四五六七八九十]|\d{1,2})年(?:左右)?(?:的)?(?:时间|努力)?"
)
MONTH = re.compile(r"(?<![\d年])(?P<m>\d{1,2})月(?:份)?(?:(?P<d>\d{1,2})日)?(?P<post>底前|底|前|末|以前|之前)")
THIS_YEAR = re.compile(r"(?:今年|本年度?|全年|年内)(?:年?底前?|内)?|(?<!\d)年底(?:以?前|之前)")
OTHER_DATE = re.compile(
    r"(?:表|专栏|图|附件|附表|附录)\d+|\d{1,4}(?:年|月|日|时|点)(?!均)|第[\d一二三四五六七八九十百]+"
)
AFTER_BASE = re.compile(
    r"(?:的?(?:为)?基(?:准|数|期|础)|相比|(?:的?(?:实际)?(?:排放)?水平)(?:上)?(?:分别)?(?:下降|降低|提高|减少|削减|增|上))"
)
AFTER_PRICE = re.compile(r"(?:不变|可比)?价(?:格)?")
OF_THINGS = re.compile(  # 2005年以前注册营运的黄标车, 2000年前建成的小区
    r"[^，。]{0,3}?(?:注册|登记|建成|生产|出厂|投产|投运|建造|竣工|制造|上牌|购置|安装|审批|备案)[^，。]{0,8}?的|(?:注册|登记|上牌)"
)
AFTER_NONE = re.compile(r"(?:版|修订|印发|发布|版本)|(?:的?[^，。]{0,12}(?:基础上))")
BASE_PRE = {"比", "较", "相对于", "相比于", "相较于", "相对", "相较", "相比"}
START_PRE = {"自", "从", "由"}


@dataclass(slots=True)
class When:
    """A date at [start, end) of its phrase. ``role``: deadline, base, price, from, or name (says nothing)."""

    start: int
    end: int
    role: str
    year: int
    date: str  # ISO date of the deadline
    words: str
    first_year: int | None = None  # of a period: its first year
    of_period: bool = False


def last_day(year: int, month: int = 12, day: int | None = None) -> str:
    """The ISO date on which a deadline written with these parts ends; odd months count as the year's end."""
    if not 1 <= month <= 12:
        month, day = 12, None
    length = monthrange(year, month)[1]
    return f"{year:04d}-{month:02d}-{min(day, length) if day and day > 0 else length:02d}"


def five_year(number: str) -> tuple[int, int]:
    """First and last year of a five-year plan by its numeral: 四 -> 2021, 2025."""
    first = FIVE_YEAR_FIRST + 5 * FIVE_YEAR_NAMES.index(number)
    return first, first + 4


def _dated(m: re.Match[str], text: str) -> When:
    pre, post = m["pre"] or "", m["post"] or ""
    year = int(m["y"])
    first = None
    if m["y2"]:
        first, year = year, int(m["y2"]) if len(m["y2"]) == 4 else year // 100 * 100 + int(m["y2"])
    after = text[m.end() : m.end() + 16]
    if AFTER_PRICE.match(after):
        role = "price"
    elif pre in BASE_PRE or AFTER_BASE.match(after):
        role = "base"
    elif post in ("起", "以来") or pre in START_PRE or AFTER_NONE.match(after):
        role = "from"
    elif pre in ("与", "同") and after.startswith(("相比", "比")):
        role = "base"
    elif pre == "以" or (after[:1] == "的" and not pre and not post) or (post and OF_THINGS.match(after)):
        role = "name"
    else:
        role = "deadline"
    month = {"上半年": 6, "初": 3}.get(post) or (int(m["m"]) if m["m"] else 12)
    day = int(m["d"]) if m["d"] else None
    start = m.start() if pre not in ("与", "同") or role == "base" else m.start("y")
    return When(start, m.end(), role, year, last_day(year, month, day), text[start : m.end()], first)


def find_dates(text: str, period: Period | None, plan_year: int | None) -> list[When]:
    """All dates of a phrase in order. ``plan_year`` gives bare months their year."""
    found: list[When] = []
    if "年" in text:
        found.extend(_dated(m, text) for m in DATE.finditer(text))
        for m in YEAR_LIST.finditer(text):
            for y in re.finditer(YEAR, m[0]):
                a = m.start() + y.start()
                if not any(w.start <= a < w.end for w in found):
                    year = int(y[0])
                    found.append(When(a, a + 4, "deadline", year, last_day(year), y[0] + "年"))
    if "五" in text:
        for m in PLAN_PERIOD.finditer(text):
            first, last = five_year(m["n"])
            post, pre = m["post"] or "", m["pre"] or ""
            if pre in ("比", "较", "与"):
                role = "base"
            elif post and post != "以来":
                role = "deadline"
            else:
                role = "deadline" if pre in ("到", "至") else "name"
            found.append(When(m.start(), m.end(), role, last, last_day(last), m[0].lstrip("在"), first, of_period=True))
    if "年" in text and period:
        for m in WITHIN.finditer(text):
            word = m["n"] or m["n2"]
            n = int(word) if word.isdigit() else chinese(word)
            if n and not any(w.start < m.end() and m.start() < w.end for w in found):
                year = min(period.start - 1 + n, period.end)
                found.append(
                    When(m.start(), m.end(), "deadline", year, last_day(year), m[0], period.start, of_period=True)
                )
    if "月" in text or "年" in text:
        # Without a known year the words are still a date: the deadline stays empty and is asked for.
        year = plan_year or 0
        for m in MONTH.finditer(text):
            if not any(w.start <= m.start() < w.end for w in found):
                date = last_day(year, int(m["m"]), int(m["d"]) if m["d"] else None) if year else ""
                found.append(When(m.start(), m.end(), "deadline", year, date, m[0]))
        for m in THIS_YEAR.finditer(text):
            if not any(w.start <= m.start() < w.end for w in found):
                found.append(When(m.start(), m.end(), "deadline", year, last_day(year) if year else "", m[0]))
    found.sort(key=lambda w: w.start)
    return found


def taken(text: str, dates: list[When]) -> list[tuple[int, int]]:
    """Ranges of a phrase whose digits are dates, orders or durations, so no amounts."""
    ranges = [(w.start, w.end) for w in dates]
    ranges.extend(m.span() for m in OTHER_DATE.finditer(text))
    return ranges


def _plausible(last: int, named: list[str]) -> bool:
    """Whether a five-year plan named in the text can be the plan's own: enough deadlines name its last year."""
    return len(named) < 3 or 4 * named.count(str(last)) >= len(named)


def find_period(title: str, text: str, date: str) -> Period | None:
    """The plan period, from the title (十四五, 2021—2025年, 2023年度), else from the opening words.

    Without either, the last year that several deadlines name, counted from the year of the document.
    """
    named = re.findall(rf"(?:到|截至|至)({YEAR})年", text)
    for source in (title, text[:1500]):
        m = re.search(rf"十([{FIVE_YEAR_NAMES}])五", source)
        if m:
            first, last = five_year(m[1])
            if source is title or _plausible(last, named):
                return Period(first, last, m[0])
        m = re.search(rf"({YEAR})年?[-—~至到]{{1,2}}({YEAR})年", source)
        if m and int(m[1]) < int(m[2]):
            return Period(int(m[1]), int(m[2]), m[0])
        m = re.search(rf"({YEAR})年", source) if source is title else None
        if m:
            return Period(int(m[1]), int(m[1]), m[0])
    years = [int(y) for y in named]
    if years:
        last = max(set(years), key=lambda y: (years.count(y), y))
        first = int(date[:4]) if date else last - 4
        return Period(min(first, *years), last, f"到{last}年")
    return None
