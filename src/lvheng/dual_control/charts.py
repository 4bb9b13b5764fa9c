"""Charts as pictures for documents, drawn with Pillow: axes with titles and units, labels on the lines, Chinese text.

The font is the project's own (Noto Sans SC from npm), else one that the system has; without any a picture
carries figures only, and ``FONT_NOTE`` says so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from django.conf import settings
from PIL import Image, ImageDraw, ImageFont

OWN_FONT = "node_modules/@fontsource/noto-sans-sc/files/noto-sans-sc-chinese-simplified-400-normal.woff"
SYSTEM_FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "SourceHanSansSC-Regular.otf", "msyh.ttc", "simhei.ttf", "PingFang.ttc", "wqy-microhei.ttc",
)  # fmt: skip
FONT_NOTE = "（本机没有中文字体，图中文字从略。）"
INK, PALE, GRID = "#33373b", "#6b7176", "#dcdfe1"
PINE, GREY, AMBER, RED = "#1f5f4a", "#8a9095", "#b8742a", "#a8322a"
WIDTH, HEIGHT = 1500, 760
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; None is a gap. Dashed for what is not measured."""

    name: str
    values: Sequence[float | None]
    colour: str = PINE
    dashed: bool = False


@lru_cache(maxsize=1)
def _font_file() -> str | None:
    for name in (str(Path(settings.ROOT) / OWN_FONT), *SYSTEM_FONTS):
        try:
            ImageFont.truetype(name, 24)
        except OSError:
            continue
        return name
    return None


def chinese() -> bool:
    """Whether there is a font for Chinese text."""
    return _font_file() is not None


@lru_cache(maxsize=8)
def _font(size: int) -> Font:
    name = _font_file()
    return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)


class _Sheet:
    """A picture with a plotting area and a vertical axis over round numbers."""

    def __init__(self, values: Sequence[float], unit: str, *, from_zero: bool, left: int = 120, bottom: int = 110):
        self.image = Image.new("RGB", (WIDTH, HEIGHT), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.left, self.top, self.right, self.bottom = left, 90, WIDTH - 60, HEIGHT - bottom
        low, high = min(values, default=0.0), max(values, default=1.0)
        if from_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        self.step = _round_step((high - low) or abs(high) or 1.0)
        self.low = self.step * (low // self.step)
        self.high = self.step * -(-high // self.step)
        if self.high <= self.low:
            self.high = self.low + self.step
        self.text(40, 34, unit, colour=PALE, anchor="lm")
        self.across = 40 + (_font(28).getlength(unit) if chinese() else 0) + 60  # where the legend begins

    def y(self, value: float) -> float:
        return self.bottom - (value - self.low) / (self.high - self.low) * (self.bottom - self.top)

    def grid(self) -> None:
        places = 0 if self.step >= 1 else 1 if self.step >= 0.1 else 2
        n = round((self.high - self.low) / self.step)
        for i in range(n + 1):
            v = self.low + i * self.step
            strong = abs(v) < self.step / 1e6
            self.draw.line([(self.left, self.y(v)), (self.right, self.y(v))], fill=PALE if strong else GRID, width=2)
            self.text(self.left - 16, self.y(v), f"{v:.{places}f}".replace("-", "−" if chinese() else "-"), size=28, colour=PALE, anchor="rm")  # fmt: skip

    def text(self, x: float, y: float, text: str, *, size: int = 28, colour: str = INK, anchor: str = "mm") -> None:
        if not chinese():
            text = text.encode("ascii", "ignore").decode()
        if text:
            self.draw.text((x, y), text, font=_font(size), fill=colour, anchor=anchor)

    def legend(self, line: Line) -> None:
        """One entry, left to right behind the unit of the axis."""
        _stroke(self.draw, (self.across, 36), (self.across + 56, 36), line)
        self.text(self.across + 68, 36, line.name, colour=line.colour, anchor="lm")
        self.across += 108 + (_font(28).getlength(line.name) if chinese() else 60)

    def png(self) -> bytes:
        out = io.BytesIO()
        self.image.save(out, "PNG", dpi=(254, 254))
        return out.getvalue()


def _round_step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that divides the span into four to eight."""
    power = 1.0
    while span / power > 80:
        power *= 10
    while span / power < 8:
        power /= 10
    return next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= 8)


def line_chart(labels: Sequence[str], lines: Sequence[Line], *, unit: str, axis: str) -> bytes:
    """Lines over labelled steps as PNG: title of each axis, unit, and the legend above."""
    known = [v for line in lines for v in line.values if v is not None]
    sheet = _Sheet(known or [0.0, 1.0], unit, from_zero=True)
    sheet.grid()

    def x(i: int) -> float:
        return sheet.left + 40 + i * (sheet.right - sheet.left - 80) / max(len(labels) - 1, 1)

    every = -(-len(labels) // 14)
    for i, label in enumerate(labels):
        if i % every == 0:
            sheet.text(x(i), sheet.bottom + 34, label, colour=PALE)
    sheet.text((sheet.left + sheet.right) / 2, HEIGHT - 28, axis, colour=PALE)
    for line in lines:
        points = [(x(i), sheet.y(v)) if v is not None else None for i, v in enumerate(line.values)]
        for a, b in pairwise(points):
            if a is not None and b is not None:
                _stroke(sheet.draw, a, b, line)
        for p in points:
            if p is not None:
                sheet.draw.ellipse([p[0] - 7, p[1] - 7, p[0] + 7, p[1] + 7], fill=line.colour)
        sheet.legend(line)
    return sheet.png()


def _stroke(draw: ImageDraw.ImageDraw, a: tuple[float, float], b: tuple[float, float], line: Line) -> None:
    if not line.dashed:
        draw.line([a, b], fill=line.colour, width=6)
        return
    length = ((b[0] - a[0]) ** 2 + (b[1] - a[1]) ** 2) ** 0.5
    n = max(1, round(length / 15))
    for i in range(0, n, 2):
        s, e = i / n, min(1.0, (i + 1) / n)
        draw.line([(a[0] + (b[0] - a[0]) * s, a[1] + (b[1] - a[1]) * s), (a[0] + (b[0] - a[0]) * e, a[1] + (b[1] - a[1]) * e)], fill=line.colour, width=4)  # fmt: skip


def bar_chart(labels: Sequence[str], values: Sequence[float | None], *, unit: str, marks: Sequence[float | None] = (), mark_name: str = "") -> bytes:  # fmt: skip
    """Bars from zero, one a label, gaps left empty; an optional mark over each (what was asked). As PNG."""
    known = [v for v in (*values, *marks) if v is not None]
    sheet = _Sheet(known or [0.0, 1.0], unit, from_zero=True, bottom=90)
    sheet.grid()
    slot = (sheet.right - sheet.left) / max(len(labels), 1)
    size = 28 if slot >= 110 else 24
    for i, label in enumerate(labels):
        middle = sheet.left + (i + 0.5) * slot
        value = values[i]
        if value is not None:
            asked = marks[i] if i < len(marks) else None
            good = asked is None or value <= asked
            top, foot = sorted((sheet.y(value), sheet.y(0.0)))
            sheet.draw.rectangle([middle - slot * 0.3, top, middle + slot * 0.3, foot], fill=PINE if good else AMBER)
        if i < len(marks) and (asked := marks[i]) is not None:
            sheet.draw.line([(middle - slot * 0.42, sheet.y(asked)), (middle + slot * 0.42, sheet.y(asked))], fill=RED, width=5)  # fmt: skip
        sheet.text(middle, sheet.bottom + 36, label, size=size, colour=PALE)
    if mark_name:
        sheet.legend(Line(mark_name, (), RED))
    return sheet.png()
