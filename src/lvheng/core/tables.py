"""Writing a table as JSON, CSV or xlsx, the same cells everywhere.

Cells that a spreadsheet would take for a formula (= + - @, tab, return) are written as text. Numbers
are written as numbers with the digits they have; missing is an empty cell, never zero.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

FORMATS = ("json", "csv", "xlsx")
CONTENT_TYPES = {
    "json": "application/json; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_RISKY = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: key in the rows, title for people, unit shown in the header, decimals for numbers."""

    key: str
    title: str
    unit: str = ""
    places: int | None = None

    @property
    def heading(self) -> str:
        return f"{self.title}（{self.unit}）" if self.unit else self.title


def safe_text(text: str) -> str:
    """Text that no spreadsheet will run as a formula."""
    return f"'{text}" if text.startswith(_RISKY) else text


def plain(value: Any) -> Any:
    """A value for JSON: exact decimals stay numbers when they survive, else text."""
    if isinstance(value, Decimal):
        number = int(value) if value == value.to_integral_value() and abs(value) < 2**53 else float(value)
        return number if Decimal(str(number)) == value else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return str(value)


def to_json(rows: Iterable[dict[str, Any]]) -> str:
    return json.dumps([plain(row) for row in rows], ensure_ascii=False, indent=2)


def to_csv(columns: Sequence[Column], rows: Iterable[dict[str, Any]]) -> str:
    """CSV with a byte-order mark, so that Excel reads the Chinese."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([c.heading for c in columns])
    for row in rows:
        writer.writerow([_cell(row.get(c.key)) for c in columns])
    return "\ufeff" + out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    return safe_text(str(plain(value)))


def to_xlsx(
    columns: Sequence[Column],
    rows: Iterable[dict[str, Any]],
    *,
    title: str = "",
    notes: Sequence[str] = (),
    sheet: str = "数据",
) -> bytes:
    """A workbook: title, header row (frozen), rows, and notes (sources, as-of) below."""
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    page = book.add_worksheet(sheet[:31])
    head = book.add_format(
        {
            "bold": True,
            "bg_color": "#EEF2EF",
            "border": 1,
            "border_color": "#C9D2CC",
            "text_wrap": True,
            "valign": "vcenter",
        }
    )
    big = book.add_format({"bold": True, "font_size": 14})
    text = book.add_format({"border": 1, "border_color": "#E3E8E4"})
    numbers: dict[int, Any] = {}
    line = 0
    if title:
        page.write_string(0, 0, title, big)
        line = 2
    widths = [len(c.heading) for c in columns]
    for j, column in enumerate(columns):
        page.write_string(line, j, column.heading, head)
    page.freeze_panes(line + 1, 1)
    for row in rows:
        line += 1
        for j, column in enumerate(columns):
            value = row.get(column.key)
            if value is None:
                page.write_blank(line, j, None, text)
                continue
            if isinstance(value, (Decimal, int, float)) and not isinstance(value, bool):
                places = column.places if column.places is not None else _places(value)
                if places not in numbers:
                    numbers[places] = book.add_format(
                        {
                            "border": 1,
                            "border_color": "#E3E8E4",
                            "num_format": "#,##0" + ("." + "0" * places if places else ""),
                        }
                    )
                page.write_number(line, j, float(value), numbers[places])
            else:
                page.write_string(line, j, safe_text(str(plain(value))), text)
            widths[j] = max(widths[j], len(str(plain(value))))
    for j, width in enumerate(widths):
        page.set_column(j, j, min(60, max(8, width * 1.7)))
    for note in notes:
        line += 1
        page.write_string(line + 1, 0, safe_text(note))
    book.close()
    return out.getvalue()


def _places(value: Any) -> int:
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return max(0, -exponent) if isinstance(exponent, int) else 0
    return 0 if isinstance(value, int) else 4


def render(
    columns: Sequence[Column], rows: Sequence[dict[str, Any]], fmt: str, *, title: str = "", notes: Sequence[str] = ()
) -> bytes:
    """The table in one of FORMATS."""
    if fmt == "json":
        return to_json({c.key: row.get(c.key) for c in columns} for row in rows).encode()
    if fmt == "csv":
        return to_csv(columns, rows).encode()
    return to_xlsx(columns, rows, title=title, notes=notes)
