"""Numbers in a phrase: figures and Chinese numerals with their units, years and names left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from lvheng.plan.reading import units

DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
STEPS = {"十": 10, "百": 100, "千": 1000}
CN = "零〇一二两三四五六七八九十百千"
MAX_DIGITS = 18

FIGURE = re.compile(r"(?P<sign>[-负])?(?P<num>\d+(?:\.\d+)?)")
PERCENT_WORD = re.compile(rf"百分之(?P<whole>[{CN}]+|\d+(?:\.\d+)?)(?:点(?P<part>[{CN}]+))?")
PERMILLE_WORD = re.compile(rf"千分之(?P<whole>[{CN}]+|\d+(?:\.\d+)?)")
FRACTION = re.compile(rf"(?P<den>[{CN}]{{1,3}})分之(?P<num>[{CN}]{{1,3}})")
TENTHS = re.compile(r"(?P<num>[一二两三四五六七八九])成(?P<half>半)?(?=以上|以下|左右|的|$)")
HALF = re.compile(r"(?:一半|半数)(?=以上|以下|左右|的|$)")
DOUBLE = re.compile(r"翻(?P<num>[一两二三])番")
COUNT_WORD = re.compile(
    rf"(?P<num>[{CN}]{{1,5}})(?P<unit>[万亿]?(?:吨标准煤|吨|千瓦时|千瓦|公里|平方米|立方米|亩)|[万亿]?(?:个|家|座|台|辆|户|艘)|条|套|处|项|所|倍)"
    r"(?!百分点|体|别|性|阶段|方面|领域|级|一|等级|层|环节|类|重点|结合|统一|转变|到位|率先|专项|坚持|必须|行动|原则|维度|月|小时|工作日|百分)"
)
# A figure after these is part of a name, an order or a clock, not an amount.
ORDER_BEFORE = re.compile(r"“$|\d×$|第$|前$|(?<![全各我中外本])国$")  # whatever unit follows
NAME_BEFORE = re.compile(r"[A-Za-zα-ωⅠ-Ⅻ#№+]$|第$|前$|(?<![全各我中外本])国$|\d[:：∶.]$")
NAME_AFTER = re.compile(r"[A-Za-z]|[:：∶]\d|\+\d|号(?!线)|届|[#＃]")
NOT_AMOUNT_UNITS = {"年", "月", "日", "分", "位", "期", "类", "部"}


@dataclass(slots=True)
class Number:
    """A number at [start, end) of its phrase; ``unit_end`` closes its unit. ``upper`` closes a range."""

    value: Decimal
    start: int
    end: int
    unit: str
    unit_end: int
    upper: Decimal | None = None
    written: str = ""
    figure: bool = True
    size_class: bool = False  # 5 万吨级: says what kind, never how much

    @property
    def is_ratio(self) -> bool:
        return self.unit in units.RATIOS

    @property
    def is_count(self) -> bool:
        _, unit = units.base(self.value, self.unit)
        return unit in units.COUNTS


def chinese(text: str) -> int | None:
    """A Chinese numeral below 十万 as an integer, None when it is none."""
    if not text or any(c not in CN for c in text):
        return None
    if all(c in DIGITS for c in text):
        return int("".join(str(DIGITS[c]) for c in text))
    total, digit = 0, 0
    for c in text:
        if c in DIGITS:
            digit = DIGITS[c]
        else:
            total += (digit or 1) * STEPS[c]
            digit = 0
    return total + digit


def _word(text: str) -> Decimal | None:
    if text and text[0].isdigit():
        return Decimal(text)
    n = chinese(text)
    return None if n is None else Decimal(n)


def _worded(text: str) -> list[Number]:
    """Numbers written in words."""
    found: list[Number] = []
    if "分之" in text:
        for pattern, unit in ((PERCENT_WORD, units.PERCENT), (PERMILLE_WORD, units.PERMILLE)):
            for m in pattern.finditer(text):
                value = _word(m["whole"])
                part = m.groupdict().get("part")
                if value is not None and part and chinese(part) is not None:
                    value += Decimal("0." + "".join(str(DIGITS.get(c, 0)) for c in part))
                if value is not None:
                    found.append(Number(value, m.start(), m.end(), unit, m.end(), written=m[0], figure=False))
        for m in FRACTION.finditer(text):
            den, num = chinese(m["den"]), chinese(m["num"])
            if den and num is not None and m["den"] not in ("百", "千"):
                value = (Decimal(num) * 100 / Decimal(den)).quantize(Decimal("0.01")).normalize()
                found.append(Number(value, m.start(), m.end(), units.PERCENT, m.end(), written=m[0], figure=False))
    for m in TENTHS.finditer(text):
        value = Decimal(DIGITS[m["num"]] * 10 + (5 if m["half"] else 0))
        found.append(Number(value, m.start(), m.end(), units.PERCENT, m.end(), written=m[0], figure=False))
    found.extend(
        Number(Decimal(50), m.start(), m.end(), units.PERCENT, m.end(), written=m[0], figure=False)
        for m in HALF.finditer(text)
    )
    for m in DOUBLE.finditer(text):
        value = Decimal(2) ** DIGITS[m["num"]]
        found.append(Number(value, m.start(), m.end(), units.TIMES, m.end(), written=m[0], figure=False))
    for m in COUNT_WORD.finditer(text):
        n = chinese(m["num"])
        vague = m["num"][0] in "百千"  # 千家企业, 百万亩: the name of a campaign or of a unit
        if (
            n is not None
            and n > 1
            and not vague
            and not text[: m.start()].endswith(("第", "十", "每", "前", "之", "数", "几"))
        ):
            end = m.end("num")
            found.append(
                Number(Decimal(n), m.start(), end, units.canonical(m["unit"]), m.end(), written=m["num"], figure=False)
            )
    return found


def _unit_at(text: str, position: int) -> tuple[str, int, bool]:
    """Unit written at a position: canonical name, its end, and whether it is a size class (吨级)."""
    m = units.UNIT.match(text, position)
    if not m:
        return "", position, False
    if m["unit"][-1].isascii() and m["unit"][-1].isalpha() and text[m.end("unit") : m.end("unit") + 1].isascii():
        after = text[m.end("unit") : m.end("unit") + 1]
        if after.isalpha():
            return "", position, False
    if m["unit"] == "个" and re.match(r"月|小时|工作日|季度|年度|方面", text[m.end() : m.end() + 3]):
        return "年", m.end(), False  # a length of time
    end = m.end() - (1 if m["ji"] else 0)
    return units.canonical(text[m.start() : end]), end, bool(m["ji"])


def find_numbers(text: str, taken: list[tuple[int, int]]) -> list[Number]:
    """Numbers of a phrase in order. ``taken`` are ranges (dates, names) that hold no numbers.

    A range (10%-15%, 10—15%, 10至15%) is one number with ``upper``.
    """
    found: list[Number] = []
    for m in FIGURE.finditer(text):
        start, end = m.start("num"), m.end()
        if any(a <= start < b for a, b in taken) or len(m["num"]) > MAX_DIGITS:
            continue
        before = text[max(0, start - 4) : start]
        unit, unit_end, size_class = _unit_at(text, end)
        if ORDER_BEFORE.search(before):
            continue
        if NAME_BEFORE.search(before) and (not unit or units.base(Decimal(1), unit)[1] in units.COUNTS):
            continue
        if not unit:
            magnitude = re.match(r"万亿|亿|万|千", text[end:])
            if magnitude:
                unit, unit_end = magnitude[0], end + len(magnitude[0])
            elif NAME_AFTER.match(text, end):
                continue
        if unit in NOT_AMOUNT_UNITS and unit != "分":
            continue
        value = Decimal(m["num"])
        negative = m["sign"] and not re.search(r"[\d%‰年月级吨]$", text[: m.start()])
        if negative:
            value, start = -value, m.start()
        found.append(Number(value, start, end, unit, unit_end, written=text[start:end], size_class=size_class))
    found.extend(n for n in _worded(text) if not any(a <= n.start < b for a, b in taken))
    found.sort(key=lambda n: (n.start, -n.end))
    return _ranges(_apart(found), text)


def _apart(found: list[Number]) -> list[Number]:
    """Drop numbers that lie inside another one."""
    kept: list[Number] = []
    for n in found:
        if not kept or n.start >= kept[-1].end:
            kept.append(n)
    return kept


def _ranges(found: list[Number], text: str) -> list[Number]:
    """Join ``a-b`` into one number with an upper end."""
    joined: list[Number] = []
    for n in found:
        last = joined[-1] if joined else None
        between = text[last.unit_end : n.start] if last else ""
        if (
            last
            and last.upper is None
            and re.fullmatch(r"[-~—至到]{1,2}", between)
            and (not last.unit or last.unit == n.unit)
        ):
            upper = abs(n.value) if n.value < 0 <= last.value else n.value
            if upper > last.value:
                last.upper, last.unit, last.unit_end = upper, n.unit, n.unit_end
                last.written = text[last.start : n.end]
                continue
        if last and n.value < 0 and last.unit_end == n.start and (not last.unit or last.unit == n.unit):
            last.upper, last.unit, last.unit_end = -n.value, n.unit, n.unit_end
            last.written = text[last.start : n.end]
            continue
        joined.append(n)
    return joined
