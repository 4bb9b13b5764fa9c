"""Where a fact comes from, how long it holds and how sure we are of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Confidence(StrEnum):
    """The marks of the fact books. Everything but CONFIRMED is shown to people as 待核."""

    CONFIRMED = "V"  # read in the document itself
    KNOWN_HIGH = "K-h"
    KNOWN_MEDIUM = "K-m"
    KNOWN_LOW = "K-l"
    UNKNOWN = "U"  # to be entered by the user

    @property
    def label(self) -> str:
        return {
            "V": "已核",
            "K-h": "待核（把握较大）",
            "K-m": "待核（把握一般）",
            "K-l": "待核（把握较小）",
            "U": "待录入",
        }[self.value]

    @property
    def confirmed(self) -> bool:
        return self is Confidence.CONFIRMED


@dataclass(frozen=True, slots=True)
class Source:
    """A document and the place in it. ``url`` only where the host is official."""

    document: str
    number: str = ""  # 发改环资〔2022〕803号
    article: str = ""
    issuer: str = ""
    date: date | None = None
    url: str = ""
    confidence: Confidence = Confidence.UNKNOWN
    note: str = ""

    def __str__(self) -> str:
        """《文件》（文号）条款, as a citation in official Chinese."""
        title = self.document if self.document[:1] in "《“" else f"《{self.document}》"
        return title + (f"（{self.number}）" if self.number else "") + self.article


@dataclass(frozen=True, slots=True)
class Validity:
    """From the first day to the last day in force, both included; None is open."""

    valid_from: date | None = None
    valid_to: date | None = None

    def covers(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def overlaps(self, other: Validity) -> bool:
        a, b = self.valid_from or date.min, self.valid_to or date.max
        c, d = other.valid_from or date.min, other.valid_to or date.max
        return a <= d and c <= b

    @property
    def label(self) -> str:
        def day(d: date) -> str:
            return f"{d.year}年{d.month}月{d.day}日"

        if self.valid_from and self.valid_to:
            return f"{day(self.valid_from)}至{day(self.valid_to)}"
        if self.valid_from:
            return f"{day(self.valid_from)}起"
        return f"至{day(self.valid_to)}" if self.valid_to else "长期"
