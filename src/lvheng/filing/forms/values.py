"""From what a cell holds to canonical text, by the column's type; what cannot be understood stays as written.

A number in a workbook is a float: it is taken with 15 significant digits, which is what Excel itself keeps and
shows, so that 0.1 + 0.2 is 0.3.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from lvheng.core.problem import ProblemError
from lvheng.core.quantity import measure
from lvheng.filing.forms.entries import Column
from lvheng.filing.forms.options import Options

CANONICAL = re.compile(r"-?\d+(\.\d+)?")
_NUMBER = re.compile(r"([+-]?)(\d+|\d{1,3}(?:,\d{3})+)?(\.\d*)?(?:e([+-]?\d{1,3}))?", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]00?:00(?::00)?)?")
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
BLANKS = {"", "-", "--", "---", "—", "——", "–", "－", "―", "/", "／", "…"}
_YES = {"是", "y", "yes", "true", "√", "有", "1", "✓", "☑"}
_NO = {"否", "n", "no", "false", "×", "无", "0", "x", "☐"}
# controls, lone surrogates, marks of direction and other characters that nobody sees: they never get beyond this module
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Without the characters that nobody sees, and that databases and workbooks refuse."""
    return _CONTROL.sub("", text)


def fold(text: str) -> str:
    """Half width, without control and invisible characters, trimmed."""
    return unicodedata.normalize("NFKC", visible(text)).strip()


def from_float(value: float) -> str:
    """A float's decimal digits as Excel shows them."""
    text = f"{value:.15g}"
    if "e" in text or "n" in text:
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        text = f"{Decimal(text):f}"
    return "0" if text == "-0" else text


def canonical(value: Any, column: Column, options: Options, *, percent: bool = False) -> str | None:
    """The cell as canonical text, None when blank; text that could not be understood comes back as written."""
    if value is None:
        return None
    if isinstance(value, str):
        text = fold(value)
        if text in BLANKS:
            return None
    else:
        text = ""
    match column.type:
        case "number" | "integer":
            return _number(value, text, column, percent)
        case "date":
            return _date(value, text)
        case "yesno":
            return _yesno(value, text)
        case "option":
            written = text or _text(value)
            return options.find(written) or written
    return _text(value) if not text else _unguarded(text if column.format else _CONTROL.sub("", str(value)).strip())


def _unguarded(text: str) -> str:
    """Without the apostrophe that our own exports set before = + - @."""
    return text[1:] if text[:1] == "'" and text[1:2] in "=+-@" else text


def _text(value: Any) -> str:
    match value:
        case bool():
            return "是" if value else "否"
        case int():
            return str(value)
        case float():
            return from_float(value)
        case datetime():
            return value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()
        case date() | time() | timedelta():
            return str(value)
    return _CONTROL.sub("", str(value)).strip()


def _number(value: Any, text: str, column: Column, percent: bool) -> str:
    if isinstance(value, (bool, date, time, timedelta)):
        return _text(value)
    if isinstance(value, int):
        return str(value * 100 if percent and column.unit == "%" else value)
    if isinstance(value, float):
        written = from_float(value)
        if percent and column.unit == "%" and CANONICAL.fullmatch(written):
            return tidy(Decimal(written) * 100)
        return written
    return read_number(text, column.unit) or text


def read_number(text: str, unit: str = "") -> str | None:
    """A written number as canonical digits; None when it is none, or its unit is another.

    Understood: full width digits, thousands separators in threes, exponents, a percent sign where the column is
    in % or a bare ratio, (1,234) for a negative, and the column's own unit behind the number.
    """
    body = text.replace(" ", "").replace("\u00a0", "").replace("−", "-").replace("，", ",")
    negative = body.startswith("(") and body.endswith(")") and any(c.isdigit() for c in body)
    if negative:
        body = body[1:-1]
    scale = 0
    if body.endswith("%") and unit in ("%", "1"):
        body, scale = body[:-1], 0 if unit == "%" else -2
    elif unit and unit not in ("%", "@") and body.endswith(folded := fold(unit).replace(" ", "")):
        body = body[: -len(folded)]
    m = _NUMBER.fullmatch(body)
    if m is None or not (m[2] or (m[3] and len(m[3]) > 1)) or len(body) > 60:
        return None
    if CANONICAL.fullmatch(body) and not scale and not negative and body.lstrip("-")[:1] != "0":
        return body  # the usual case, digits as they stand
    digits = (m[2] or "0").replace(",", "") + (m[3] if m[3] and len(m[3]) > 1 else "")
    exponent = int(m[4] or 0) + scale
    if abs(exponent) > 30:
        return None
    number = Decimal(digits).scaleb(exponent)
    return tidy(-number if (m[1] == "-") != negative else number)


def tidy(number: Decimal) -> str:
    """Plain digits, no exponent, no minus before zero; digits after the point are kept as given."""
    text = f"{number:f}"
    return text.lstrip("-") if not number else text


def _date(value: Any, text: str) -> str:
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    written = text or _text(value)
    if m := _DATE.fullmatch(written) or _COMPACT.fullmatch(written):
        try:
            return date(int(m[1]), int(m[2]), int(m[3])).isoformat()
        except ValueError:
            return written
    return written


def _yesno(value: Any, text: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    word = (text or _text(value)).casefold()
    return "1" if word in _YES else "0" if word in _NO else text or _text(value)


def fast_numbers(cells: list[Any]) -> list[str | None] | None:
    """A whole column of floats and blanks; None when anything else stands in it."""
    kinds = set(map(type, cells))
    if not kinds <= {float, str, int}:
        return None
    if str in kinds and any(c for c in cells if type(c) is str):
        return None
    out = [f"{c:.15g}" if c != "" else None for c in cells]
    for i, text in enumerate(out):
        if text is not None and ("e" in text or "n" in text or text == "-0"):
            out[i] = from_float(cells[i])
    return out


def other_unit(header: str, unit: str) -> str:
    """The unit written in a header's brackets when it is a known unit other than the column's, else ""."""
    if not unit or unit == "@":
        return ""
    for found in re.findall(r"[((\[【（]([^()（）\[\]【】]{1,20})[))\]】）]", unicodedata.normalize("NFKC", header)):
        written = found.strip()
        if fold(written) == fold(unit) or not written or re.fullmatch(r"[\d.、\-]+", written):
            continue
        try:
            if measure(written) != measure(unit):
                return written
        except ProblemError:  # a note in brackets, not a unit
            continue
    return ""
