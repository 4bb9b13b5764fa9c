"""The workbook a filer downloads: instructions, one sheet for each of the form's, drop-downs, locked headers.

Last period's figures stand beside, grey and locked. A hidden sheet says which form and period the file is for.
"""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import xlsxwriter
from xlsxwriter.utility import xl_col_to_name, xl_rowcol_to_cell

from lvheng.core.period import Kind, Period
from lvheng.core.quantity import show
from lvheng.core.tables import safe_text
from lvheng.filing.forms.book import Form
from lvheng.filing.forms.data import Data, Row, number
from lvheng.filing.forms.entries import Column, Sheet
from lvheng.filing.forms.reading import META

BLANK_ROWS = 200
INLINE_LIST = 250  # characters Excel takes in a drop-down without a range
_LINE = "#C9D2CC"
_HEADER = 3  # row of the header from 0: title, subject and period, help above
_FREQUENCY = {Kind.YEAR: "年报", Kind.HALF: "半年报", Kind.QUARTER: "季报", Kind.MONTH: "月报", Kind.DAY: "日报"}
_TYPES = {"number": "数字", "integer": "整数", "text": "文字", "date": "日期", "option": "选项", "yesno": "是或否"}


def template(form: Form, period: Period, subject_name: str, previous: Data | None = None) -> bytes:
    """An xlsx for one subject and period."""
    return _Writer(form, period, subject_name, previous or {}).write()


class _Writer:
    def __init__(self, form: Form, period: Period, subject: str, previous: Data):
        self.form, self.period, self.subject, self.previous = form, period, subject, previous
        self.out = io.BytesIO()
        self.book = xlsxwriter.Workbook(
            self.out,
            {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        self._formats: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._lists: dict[tuple[str, ...], str] = {}
        self._list_sheet: Any = None

    def style(self, **more: Any) -> Any:
        key = tuple(sorted(more.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format(
                {"font_name": "宋体", "font_size": 10.5, "valign": "vcenter", **more}
            )
        return self._formats[key]

    def write(self) -> bytes:
        help_page = self.book.add_worksheet("填报说明")
        pages = [self.book.add_worksheet(_sheet_name(s.title.zh)) for s in self.form.sheets]
        self._instructions(help_page)
        for sheet, page in zip(self.form.sheets, pages, strict=True):
            (self._record if sheet.record else self._table)(sheet, page)
        meta = self.book.add_worksheet(META)
        for r, (word, value) in enumerate(
            (
                ("form", self.form.id),
                ("version", self.form.version),
                ("period", self.period.code),
                ("subject", safe_text(self.subject)),
            )
        ):
            meta.write_string(r, 0, word)
            meta.write_string(r, 1, value)
        meta.very_hidden()
        pages[0].activate()
        self.book.close()
        return self.out.getvalue()

    # --- instructions -------------------------------------------------------------------------------
    def _instructions(self, page: Any) -> None:
        form, entry = self.form, self.form.entry
        due = form.due(self.period)
        page.hide_gridlines(2)
        page.set_column(0, 0, 22)
        page.set_column(1, 3, 14)
        page.set_column(4, 4, 70)
        page.write_string(0, 0, f"{form.code} {form.title.zh}", self.style(bold=True, font_size=16))
        facts = [
            ("填报单位", self.subject), ("所属期", f"{self.period.label}（{_FREQUENCY.get(form.frequency, '')}）"), ("报送期限", f"{due.year}年{due.month}月{due.day}日前"),
            ("依据", str(entry.source.source) + ("" if entry.source.confidence.confirmed else f"　{entry.source.confidence.label}")),
        ]  # fmt: skip
        r = 1
        for word, value in facts:
            page.write_string(r, 0, word, self.style(bold=True))
            page.write_string(r, 1, safe_text(value), self.style())
            r += 1
        rules = [
            "只填白色单元格；表头、计量单位和灰色的上期数不用改。",
            "带*的栏目必填。没有发生的填0，不要留空；确无此项的能源或产品不列行。",
            "可以移动栏目、增加自用的栏目和空行，上传时按表头文字识别。",
            *entry.instructions,
        ]
        for n, text in enumerate(rules, 1):
            page.merge_range(r, 0, r, 4, safe_text(f"{n}. {text}"), self.style(text_wrap=True))
            r += 1
        r += 1
        head = self.style(bold=True, bg_color="#EEF2EF", border=1, border_color=_LINE)
        cell = self.style(border=1, border_color=_LINE, text_wrap=True)
        for sheet in form.sheets:
            page.write_string(r, 0, sheet.title.zh, self.style(bold=True, font_size=12))
            if sheet.help:
                page.write_string(r, 1, safe_text(sheet.help), self.style())
            r += 1
            for c, word in enumerate(("栏目", "计量单位", "类型", "要求", "填报说明")):
                page.write_string(r, c, word, head)
            r += 1
            for column in sheet.columns:
                limits = [
                    f"≥{show(column.minimum)}" if column.minimum is not None else "",
                    f"≤{show(column.maximum)}" if column.maximum is not None else "",
                ]
                need = " ".join(
                    w for w in ("必填" if column.required else "按条件必填" if column.required_if else "", *limits) if w
                )
                unit = "按行" if column.unit == "@" else column.unit
                note = column.help + (f"（{column.article}）" if column.article else "")
                for c, word in enumerate((column.title.zh, unit, _TYPES[column.type], need, note)):
                    page.write_string(r, c, safe_text(word), cell)
                r += 1
            r += 1

    # --- sheets ---------------------------------------------------------------------------------------
    def _top(self, sheet: Sheet, page: Any, width: int) -> None:
        page.hide_gridlines(2)
        page.protect(
            "",
            {
                "format_columns": True,
                "format_rows": True,
                "insert_rows": True,
                "sort": True,
                "autofilter": True,
                "select_locked_cells": True,
            },
        )
        page.merge_range(
            0,
            0,
            0,
            max(width - 1, 1),
            f"{self.form.code} {sheet.title.zh}",
            self.style(bold=True, font_size=14, align="center"),
        )
        page.write_string(1, 0, safe_text(f"填报单位：{self.subject}　　所属期：{self.period.label}"), self.style())
        page.write_string(2, 0, safe_text(sheet.help), self.style(font_color="#667069"))

    def _heading(self, column: Column) -> str:
        star = "*" if column.required else ""
        unit = f"（{column.unit}）" if column.unit not in ("", "@", "1") else ""
        return f"{star}{column.title.zh}{unit}"

    def _table(self, sheet: Sheet, page: Any) -> None:
        assert sheet.key is not None
        columns = list(sheet.columns)
        by_unit = next((c for c in columns if c.unit == "@"), None)
        before = {r.key: r for r in self.previous.get(sheet.sheet, [])}
        keys = list(
            dict.fromkeys([*self.form.keys(sheet), *([] if sheet.key.fixed else before or self._regions(sheet))])
        )
        first = len(sheet.key.columns)
        shift = {
            c.code: j + (1 if by_unit is not None and j >= first else 0) for j, c in enumerate(self._ordered(sheet))
        }
        beside = [c for c in columns if c.code not in sheet.key.columns and c.numeric] if before else []
        width = len(columns) + (1 if by_unit else 0)
        self._top(sheet, page, width)
        head = self.style(
            bold=True, bg_color="#EEF2EF", border=1, border_color=_LINE, text_wrap=True, align="center", locked=True
        )
        past = self.style(bg_color="#F3F4F3", font_color="#667069", border=1, border_color=_LINE, locked=True)
        for column in columns:
            j = shift[column.code]
            page.write_string(_HEADER, j, self._heading(column), head)
            page.set_column(j, j, 24 if column.code in sheet.key.columns or column.type in ("text", "option") else 13)
            if column.help:
                page.write_comment(_HEADER, j, column.help, {"x_scale": 2})
        if by_unit:
            page.write_string(_HEADER, first, "计量单位", head)
        for n, column in enumerate(beside):
            page.write_string(_HEADER, width + 1 + n, f"上期{column.title.zh}", past)
            page.set_column(width + 1 + n, width + 1 + n, 12)
        page.set_row(_HEADER, 42)
        page.freeze_panes(_HEADER + 1, first)
        last = _HEADER + max(len(keys), 1) + (0 if sheet.key.fixed else BLANK_ROWS)
        for r in range(_HEADER + 1, last + 1):
            key = keys[r - _HEADER - 1] if r - _HEADER - 1 < len(keys) else ""
            parts = key.split("|") if key else []
            for column in columns:
                j = shift[column.code]
                if column.code in sheet.key.columns and parts:
                    k = sheet.key.columns.index(column.code)
                    page.write_string(
                        r,
                        j,
                        safe_text(self.form.options(sheet.sheet, column.code).name_of(parts[k])),
                        past if key in self.form.keys(sheet) else self._open(column),
                    )
                else:
                    page.write_blank(r, j, None, self._open(column))
            if by_unit:
                page.write_string(r, first, self.form.unit(sheet, by_unit, key) if key else "", past)
            for n, column in enumerate(beside):
                self._past(page, r, width + 1 + n, before.get(key), column, past)
        for column in columns:
            j = shift[column.code]
            self._validate(sheet, column, page, f"{xl_rowcol_to_cell(_HEADER + 1, j)}:{xl_rowcol_to_cell(last, j)}")

    def _regions(self, sheet: Sheet) -> list[str]:
        """Where rows are regions, the city's and its counties' stand ready; the nation and provinces (…0000) do not."""
        assert sheet.key is not None
        if len(sheet.key.columns) > 1 or self.form.column(sheet.sheet, sheet.key.columns[0]).options != "regions":
            return []
        return [o.code for o in self.form.options(sheet.sheet, sheet.key.columns[0]) if not o.code.endswith("0000")]

    def _ordered(self, sheet: Sheet) -> list[Column]:
        """Key columns first, in the key's order."""
        names = sheet.key.columns if sheet.key else ()
        return [self.form.column(sheet.sheet, k) for k in names] + [c for c in sheet.columns if c.code not in names]

    def _record(self, sheet: Sheet, page: Any) -> None:
        rows = self.previous.get(sheet.sheet, [])
        before = rows[0] if rows else None
        self._top(sheet, page, 5)
        head = self.style(bold=True, bg_color="#EEF2EF", border=1, border_color=_LINE, align="center", locked=True)
        label = self.style(border=1, border_color=_LINE, text_wrap=True, locked=True)
        past = self.style(bg_color="#F3F4F3", font_color="#667069", border=1, border_color=_LINE, locked=True)
        note = self.style(font_color="#667069", text_wrap=True, border=1, border_color=_LINE, locked=True)
        for c, (word, size) in enumerate(
            (("项目", 44), ("计量单位", 16), ("本期", 24), ("上期", 18), ("填报说明", 60))
        ):
            page.write_string(_HEADER, c, word, head)
            page.set_column(c, c, size)
        page.freeze_panes(_HEADER + 1, 1)
        for n, column in enumerate(sheet.columns):
            r = _HEADER + 1 + n
            page.write_string(r, 0, f"{'*' if column.required else ''}{column.title.zh}", label)
            page.write_string(r, 1, column.unit, label)
            page.write_blank(r, 2, None, self._open(column))
            self._past(page, r, 3, before, column, past)
            page.write_string(r, 4, safe_text(column.help), note)
            self._validate(sheet, column, page, xl_rowcol_to_cell(r, 2))

    def _open(self, column: Column) -> Any:
        more: dict[str, Any] = {"border": 1, "border_color": _LINE, "locked": False}
        if column.type == "number":
            more["num_format"] = "#,##0" + ("." + "0" * column.places if column.places else "")
        elif column.type == "integer":
            more["num_format"] = "#,##0" if column.unit else "0"
        elif column.type == "date":
            more["num_format"] = "yyyy-mm-dd"
        elif column.type == "text":
            more["num_format"] = "@"
        return self.style(**more)

    def _past(self, page: Any, r: int, c: int, row: Row | None, column: Column, style: Any) -> None:
        text = row.cells.get(column.code) if row else None
        value = number(text) if column.numeric else None
        if value is not None and len(value.as_tuple().digits) <= 15:
            page.write_number(r, c, float(value), style)
        else:
            page.write_string(r, c, safe_text(text or ""), style)

    def _validate(self, sheet: Sheet, column: Column, page: Any, cells: str) -> None:
        note = {"error_title": "请核对", "ignore_blank": True, "error_type": "stop"}
        first, _, last = cells.partition(":")
        match column.type:
            case "option":
                names = [o.name for o in self.form.options(sheet.sheet, column.code)]
                if names:
                    source: Any = (
                        names
                        if len(",".join(names)) <= INLINE_LIST and not any("," in n for n in names)
                        else self._range(names)
                    )
                    page.data_validation(
                        f"{first}:{last or first}",
                        {
                            **note,
                            "validate": "list",
                            "source": source,
                            "error_type": "warning",
                            "error_message": "请从下拉列表中选择。",
                        },
                    )
            case "yesno":
                page.data_validation(
                    f"{first}:{last or first}",
                    {**note, "validate": "list", "source": ["是", "否"], "error_message": "请填是或否。"},
                )
            case "number" | "integer":
                low, high = column.minimum, column.maximum
                span = {
                    "criteria": "between",
                    "minimum": float(low if low is not None else Decimal("-1e15")),
                    "maximum": float(high if high is not None else Decimal("1e15")),
                }
                words = (
                    "请填"
                    + _TYPES[column.type]
                    + (f"，不小于{show(low)}" if low is not None else "")
                    + (f"，不大于{show(high)}" if high is not None else "")
                    + "。"
                )
                page.data_validation(
                    f"{first}:{last or first}",
                    {
                        **note,
                        "validate": "integer" if column.type == "integer" else "decimal",
                        **span,
                        "error_message": words,
                    },
                )

    def _range(self, names: list[str]) -> str:
        """A drop-down's choices on a hidden sheet, written once for each list."""
        key = tuple(names)
        if key not in self._lists:
            if self._list_sheet is None:
                self._list_sheet = self.book.add_worksheet("_lists")
                self._list_sheet.very_hidden()
            c = len(self._lists)
            for r, name in enumerate(names):
                self._list_sheet.write_string(r, c, name)
            letters = xl_col_to_name(c)
            self._lists[key] = f"=_lists!${letters}$1:${letters}${len(names)}"
        return self._lists[key]


def _sheet_name(title: str) -> str:
    """A title as Excel allows it for a sheet."""
    return "".join("、" if c in "[]:*?/\\" else c for c in title).strip("'")[:31]
