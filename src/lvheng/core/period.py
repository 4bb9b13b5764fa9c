"""Periods of Chinese official statistics: a type, never a naive datetime.

The commonest shape is the cumulative month (2023年1—6月), which is neither a month nor a half-year.
All periods are of the calendar in Asia/Shanghai; days and hours are civil time there, which has had
no summer time since 1991.

Codes (stable, sortable within a kind)::

    2023  2023H1  2023Q2  2023-06  2023-06YTD  2023-06-30  2023-06-30T08  2021/2025
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import total_ordering
from zoneinfo import ZoneInfo

from lvheng.core.problem import Problem, ProblemError

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Kind(StrEnum):
    """Frequencies, and the plan period."""

    YEAR = "year"
    HALF = "half"
    QUARTER = "quarter"
    MONTH = "month"
    YTD = "ytd"
    DAY = "day"
    HOUR = "hour"
    PLAN = "plan"

    @property
    def per_year(self) -> int | None:
        """How many make a year; None where the question has no meaning."""
        return {"year": 1, "half": 2, "quarter": 4, "month": 12, "ytd": 12}.get(self.value)


_CODE = re.compile(
    r"(?P<plan>(\d{4})/(\d{4}))|(?P<hour>\d{4}-\d\d-\d\dT\d\d)|(?P<day>\d{4}-\d\d-\d\d)|(?P<ytd>\d{4}-\d\dYTD)"
    r"|(?P<month>\d{4}-\d\d)|(?P<quarter>\d{4}Q[1-4])|(?P<half>\d{4}H[12])|(?P<year>\d{4})"
)
_WORDS = re.compile(
    r"(?P<y>\d{4})年?(?:(?P<half>[上下])半年|第?(?P<q>[一二三四1-4])季度|前(?P<pq>[一二三123])季度|"
    r"(?P<a>1)[-—－~至到](?P<b>\d{1,2})月(?:累计|份)?|(?P<m>\d{1,2})月(?:份)?(?:(?P<d>\d{1,2})日)?|全年)?"
)


@total_ordering
@dataclass(frozen=True, slots=True)
class Period:
    """One period. ``year`` and ``part`` (1-based half, quarter, month; for YTD the last month).

    A plan period holds its first year in ``year`` and its last in ``part``.
    """

    kind: Kind
    year: int
    part: int = 1
    day: int = 0
    hour: int = 0

    def __post_init__(self) -> None:
        limit = {Kind.HALF: 2, Kind.QUARTER: 4}.get(self.kind, 12)
        good = 1 <= self.year <= 9999
        if self.kind is Kind.PLAN:
            good &= self.year <= self.part <= 9999
        else:
            good &= 1 <= self.part <= (1 if self.kind is Kind.YEAR else limit)
        if good and self.kind in (Kind.DAY, Kind.HOUR):
            good &= 1 <= self.day <= monthrange(self.year, self.part)[1] and 0 <= self.hour <= 23
        if not good:
            raise _bad_period(f"{self.year}/{self.part}/{self.day}")

    # --- making -------------------------------------------------------------------------------
    @classmethod
    def parse(cls, text: str | int) -> Period:
        """A period from its code or from Chinese words (2023年1—6月, 2023年上半年, 2023年前三季度).

        Raises ProblemError when the text names no period.
        """
        raw = str(text).strip()
        if m := _CODE.fullmatch(raw):
            kind = Kind(m.lastgroup or "year")
            if kind is Kind.PLAN:
                return cls(kind, int(m[2]), int(m[3]))
            numbers = [int(n) for n in re.findall(r"\d+", raw)]
            return cls(kind, *numbers)
        if m := _WORDS.fullmatch(re.sub(r"\s", "", raw)):
            year = int(m["y"])
            ordinal = {"一": 1, "二": 2, "三": 3, "四": 4}
            if m["half"]:
                return cls(Kind.HALF, year, 1 if m["half"] == "上" else 2)
            if m["q"]:
                return cls(Kind.QUARTER, year, ordinal.get(m["q"]) or int(m["q"]))
            if m["pq"]:
                return cls(Kind.YTD, year, 3 * (ordinal.get(m["pq"]) or int(m["pq"])))
            if m["b"]:
                return cls(Kind.YTD, year, int(m["b"]))
            if m["d"]:
                return cls(Kind.DAY, year, int(m["m"]), int(m["d"]))
            if m["m"]:
                return cls(Kind.MONTH, year, int(m["m"]))
            return cls(Kind.YEAR, year)
        raise _bad_period(raw)

    @classmethod
    def of_year(cls, year: int) -> Period:
        return cls(Kind.YEAR, year)

    @classmethod
    def of_month(cls, year: int, month: int) -> Period:
        return cls(Kind.MONTH, year, month)

    @classmethod
    def plan(cls, first: int, last: int) -> Period:
        return cls(Kind.PLAN, first, last)

    @classmethod
    def containing(cls, moment: date | datetime, kind: Kind) -> Period:
        """The period of a kind that a day or an aware moment falls in."""
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise ValueError("a moment without a time zone has no period")
            moment = moment.astimezone(SHANGHAI)
        y, m = moment.year, moment.month
        match kind:
            case Kind.YEAR:
                return cls(kind, y)
            case Kind.HALF:
                return cls(kind, y, (m + 5) // 6)
            case Kind.QUARTER:
                return cls(kind, y, (m + 2) // 3)
            case Kind.DAY:
                return cls(kind, y, m, moment.day)
            case Kind.HOUR:
                return cls(kind, y, m, moment.day, moment.hour if isinstance(moment, datetime) else 0)
            case Kind.PLAN:
                raise ValueError("a plan period is named by its plan")
            case _:
                return cls(kind, y, m)

    # --- saying -------------------------------------------------------------------------------
    @property
    def code(self) -> str:
        y = f"{self.year:04d}"
        match self.kind:
            case Kind.YEAR:
                return y
            case Kind.HALF:
                return f"{y}H{self.part}"
            case Kind.QUARTER:
                return f"{y}Q{self.part}"
            case Kind.MONTH:
                return f"{y}-{self.part:02d}"
            case Kind.YTD:
                return f"{y}-{self.part:02d}YTD"
            case Kind.DAY:
                return f"{y}-{self.part:02d}-{self.day:02d}"
            case Kind.HOUR:
                return f"{y}-{self.part:02d}-{self.day:02d}T{self.hour:02d}"
            case Kind.PLAN:
                return f"{y}/{self.part:04d}"

    __str__ = code.fget  # type: ignore[attr-defined]

    @property
    def label(self) -> str:
        """As official Chinese writes it."""
        y = f"{self.year}年"
        match self.kind:
            case Kind.YEAR:
                return y
            case Kind.HALF:
                return y + ("上半年" if self.part == 1 else "下半年")
            case Kind.QUARTER:
                return y + "一二三四"[self.part - 1] + "季度"
            case Kind.MONTH:
                return f"{y}{self.part}月"
            case Kind.YTD:
                return f"{y}1—{self.part}月" if self.part > 1 else f"{y}1月"
            case Kind.DAY:
                return f"{y}{self.part}月{self.day}日"
            case Kind.HOUR:
                return f"{y}{self.part}月{self.day}日{self.hour}时"
            case Kind.PLAN:
                return f"{self.year}—{self.part}年"

    # --- reckoning ----------------------------------------------------------------------------
    @property
    def index(self) -> int:
        """Position on the number line of its kind, so that neighbours differ by one."""
        match self.kind:
            case Kind.YEAR:
                return self.year
            case Kind.HALF | Kind.QUARTER | Kind.MONTH | Kind.YTD:
                return self.year * (self.kind.per_year or 1) + self.part - 1
            case Kind.DAY:
                return date(self.year, self.part, self.day).toordinal()
            case Kind.HOUR:
                return date(self.year, self.part, self.day).toordinal() * 24 + self.hour
            case Kind.PLAN:
                raise ValueError("plan periods have no neighbours")

    @classmethod
    def from_index(cls, kind: Kind, index: int) -> Period:
        if kind is Kind.YEAR:
            return cls(kind, index)
        if (n := kind.per_year) is not None:
            return cls(kind, index // n, index % n + 1)
        day, hour = (index, 0) if kind is Kind.DAY else divmod(index, 24)
        d = date.fromordinal(day)
        return cls(kind, d.year, d.month, d.day, hour)

    def shift(self, n: int) -> Period:
        """n neighbours on (a YTD moves by its last month)."""
        return self.from_index(self.kind, self.index + n)

    def lag(self, years: int = 1) -> Period:
        """The same period, years earlier (上年同期); 29 February goes to the 28th."""
        if self.kind is Kind.PLAN:
            raise ValueError("plan periods have no same period of last year")
        day = min(self.day, monthrange(self.year - years, self.part)[1]) if self.day else 0
        return Period(self.kind, self.year - years, self.part, day, self.hour)

    @property
    def start(self) -> date:
        """First day."""
        match self.kind:
            case Kind.YEAR | Kind.YTD | Kind.PLAN:
                return date(self.year, 1, 1)
            case Kind.HALF:
                return date(self.year, 6 * self.part - 5, 1)
            case Kind.QUARTER:
                return date(self.year, 3 * self.part - 2, 1)
            case Kind.MONTH:
                return date(self.year, self.part, 1)
            case _:
                return date(self.year, self.part, self.day)

    @property
    def end(self) -> date:
        """Last day."""
        match self.kind:
            case Kind.PLAN:
                return date(self.part, 12, 31)
            case Kind.YEAR:
                return date(self.year, 12, 31)
            case Kind.HALF | Kind.QUARTER | Kind.MONTH | Kind.YTD:
                month = {Kind.HALF: 6, Kind.QUARTER: 3}.get(self.kind, 1) * self.part
                return date(self.year, month, monthrange(self.year, month)[1])
            case _:
                return self.start

    def months(self) -> Iterator[Period]:
        """The months inside (of a day: its month)."""
        first = Period(Kind.MONTH, self.start.year, self.start.month).index
        last = Period(Kind.MONTH, self.end.year, self.end.month).index
        return (Period.from_index(Kind.MONTH, i) for i in range(first, last + 1))

    def years(self) -> list[int]:
        return list(range(self.start.year, self.end.year + 1))

    def contains(self, other: Period) -> bool:
        return self.start <= other.start and other.end <= self.end

    @property
    def days(self) -> int:
        return (self.end - self.start + timedelta(days=1)).days

    def __lt__(self, other: Period) -> bool:
        if not isinstance(other, Period):
            return NotImplemented
        return (self.end, -self.start.toordinal(), self.hour) < (other.end, -other.start.toordinal(), other.hour)


def _bad_period(got: str) -> ProblemError:
    return ProblemError(
        Problem(
            "core.period.unreadable",
            "期间无法识别",
            got=got,
            wanted="2023、2023H1、2023Q2、2023-06、2023-06YTD，或2023年、2023年上半年、2023年1—6月",
            fix="按上述写法之一改写期间。",
        )
    )
