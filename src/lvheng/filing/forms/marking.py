"""The filer's own workbook back, with the cells marked, comments on them, and a sheet that lists the problems."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import openpyxl
import xlsxwriter
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill

from lvheng.core.problem import ProblemError, Severity
from lvheng.core.tables import safe_text
from lvheng.filing.forms import guard
from lvheng.filing.forms.book import Form
from lvheng.filing.forms.matching import Grid
from lvheng.filing.forms.problems import FilingProblem
from lvheng.filing.forms.reading import META, OWN, SUMMARY, _csv_grids, _grids

COLOURS = {Severity.BLOCKER: "F6C8C2", Severity.ERROR: "FBDDB2", Severity.WARNING: "FFF3B8", Severity.NOTICE: "DDE8F3"}
EDIT_LIMIT = 3 * 1024 * 1024  # bytes; larger workbooks come back as plain cells, written anew
_HEADS = ("轻重", "工作表", "单元格", "项目", "问题", "现为", "应为", "依据", "改法")


def marked(content: bytes, form: Form, problems: Sequence[FilingProblem], name: str = "") -> bytes:
    """An xlsx with the problems (located by ``Reading.locate``) marked in place.

    The same workbook when it is an xlsx of ordinary size; else its cells written anew. A file that cannot be read
    gives a workbook with the list of problems alone.
    """
    ordered = sorted(problems, key=lambda p: p.severity.rank)
    try:
        traits = guard.inspect(content, name)
        if traits.kind == "xlsx" and len(content) <= EDIT_LIMIT and not any(traits.uncomputed.values()):
            return _edited(content, ordered)
        grids = _csv_grids(content, name) if traits.kind == "csv" else _grids(content, name, traits)
    except ProblemError:
        grids = []
    return _anew(grids, ordered)


def _line(problem: FilingProblem) -> list[str]:
    words = (
        problem.severity.label,
        problem.place.sheet,
        problem.place.cell,
        problem.place.field,
        problem.message,
        problem.got,
        problem.wanted,
        problem.source,
        problem.fix,
    )
    return [safe_text(w) for w in words]


def _words(problems: Sequence[FilingProblem]) -> str:
    """A comment's text; many problems of one cell are cut short."""
    parts = []
    for p in problems[:4]:
        tail = [f"应为：{p.wanted}" if p.wanted else "", p.fix]
        parts.append(f"【{p.severity.label}】{p.message}" + "".join(f"\n{t}" for t in tail if t))
    return "\n\n".join(parts)[:1500]


def _by_cell(problems: Sequence[FilingProblem]) -> dict[tuple[str, str], list[FilingProblem]]:
    found: dict[tuple[str, str], list[FilingProblem]] = {}
    for p in problems:
        if p.place.sheet and p.place.cell and p.place.cell[:1].isalpha():
            found.setdefault((p.place.sheet, p.place.cell), []).append(p)
    return found


def _edited(content: bytes, problems: Sequence[FilingProblem]) -> bytes:
    try:
        book = openpyxl.load_workbook(io.BytesIO(content))
    except Exception:  # the reader accepted what this library does not: give the list alone
        return _anew([], problems)
    for (title, cell), several in _by_cell(problems).items():
        if title not in book.sheetnames or not hasattr(book[title], "cell"):
            continue
        row, column = guard.cell_index(cell)
        target = _anchor(book[title], row + 1, column + 1)
        target.fill = PatternFill("solid", start_color=COLOURS[several[0].severity])
        target.comment = Comment(_words(several), "核对", height=160, width=320)
    if SUMMARY in book.sheetnames:
        del book[SUMMARY]
    page = book.create_sheet(SUMMARY)
    page.append(list(_HEADS))
    for p in problems:
        page.append(_line(p))
        page.cell(page.max_row, 1).fill = PatternFill("solid", start_color=COLOURS[p.severity])
        if p.place.cell and p.place.sheet in book.sheetnames:
            link = page.cell(page.max_row, 3)
            link.hyperlink = f"#'{p.place.sheet}'!{p.place.cell}"
            link.font = Font(color="0B6B4F", underline="single")
    for c, width in enumerate((12, 20, 9, 26, 46, 20, 30, 30, 40), 1):
        page.column_dimensions[openpyxl.utils.get_column_letter(c)].width = width
    for row in page.iter_rows():
        for target in row:
            target.alignment = Alignment(wrap_text=True, vertical="top")
            if row[0].row == 1:
                target.font = Font(bold=True)
    page.freeze_panes = "A2"
    out = io.BytesIO()
    try:
        book.save(out)
    except Exception:
        return _anew([], problems)
    return out.getvalue()


def _anchor(page: Any, row: int, column: int) -> Any:
    """The cell, or the first of the merged range it lies in (the only one that can be marked)."""
    target = page.cell(row, column)
    if type(target).__name__ == "MergedCell":
        for span in page.merged_cells.ranges:
            if span.min_row <= row <= span.max_row and span.min_col <= column <= span.max_col:
                return page.cell(span.min_row, span.min_col)
    return target


def _anew(grids: Sequence[Grid], problems: Sequence[FilingProblem]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out,
        {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": True,
        },
    )
    fills = {s: book.add_format({"bg_color": f"#{c}"}) for s, c in COLOURS.items()}
    styles: dict[tuple[str, str], Any] = {}

    def style(fill: str, value: Any, percent: bool) -> Any:
        """What a value is shown as is part of it: 85% written back as 0.85 would be read as another number."""
        shown = "0.00########%" if percent else "yyyy-mm-dd" if isinstance(value, date) else ""
        look = {k: v for k, v in (("bg_color", fill), ("num_format", shown)) if v}
        if look and (fill, shown) not in styles:
            styles[fill, shown] = book.add_format(look)
        return styles.get((fill, shown))

    cells = _by_cell(problems)
    used: set[str] = set()
    for grid in grids:
        title = _unused(grid.title, used)
        if grid.title in OWN - {META}:
            continue
        page = book.add_worksheet(title)
        if grid.title == META:
            page.very_hidden()
        marks = {guard.cell_index(cell): several for (sheet, cell), several in cells.items() if sheet == grid.title}
        for r, row in enumerate(grid.rows):
            for c, value in enumerate(row):
                if value not in ("", None):
                    _write(page, r, c, value, style("", value, (r, c) in grid.percents))
        for (r, c), several in marks.items():
            value = grid.at(r, c)
            if value in ("", None):
                page.write_blank(r, c, None, fills[several[0].severity])
            else:
                fill = f"#{COLOURS[several[0].severity]}"
                _write(page, r, c, value, style(fill, value, (r, c) in grid.percents))
            page.write_comment(r, c, _words(several), {"x_scale": 2.5, "y_scale": 2})
    page = book.add_worksheet(_unused(SUMMARY, used))
    bold, wrap = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
    for c, (word, width) in enumerate(zip(_HEADS, (12, 20, 9, 26, 46, 20, 30, 30, 40), strict=True)):
        page.write_string(0, c, word, bold)
        page.set_column(c, c, width)
    for r, p in enumerate(problems, 1):
        for c, word in enumerate(_line(p)):
            page.write_string(r, c, word, fills[p.severity] if c == 0 else wrap)
    page.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def _write(page: Any, r: int, c: int, value: Any, style: Any) -> None:
    if isinstance(value, bool):
        page.write_boolean(r, c, value, style)
    elif isinstance(value, int | float):
        page.write_number(r, c, value, style)
    elif isinstance(value, str):
        page.write_string(r, c, safe_text(value)[:32767], style)
    elif isinstance(value, date):
        page.write_datetime(r, c, value, style)
    else:
        page.write_string(r, c, str(value), style)


def _unused(title: str, used: set[str]) -> str:
    """A name Excel takes and this book does not have yet."""
    base = "".join("、" if ch in "[]:*?/\\" else ch for ch in title).strip("'")[:28] or "数据"
    name, n = base, 1
    while name.casefold() in used:
        n += 1
        name = f"{base}{n}"
    used.add(name.casefold())
    return name
