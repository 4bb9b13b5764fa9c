"""A filing's sheets as tables for a page: values in words, findings, remarks and differences at their cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lvheng.core.quantity import show
from lvheng.filing.anchors import anchor
from lvheng.filing.forms import Data, FilingProblem, Form, Row
from lvheng.filing.forms.data import number
from lvheng.filing.forms.entries import Column, Sheet
from lvheng.filing.models import Remark

MOST_ROWS = 200  # rows shown at once; longer sheets have pages
BLANK = 3  # empty rows offered at the end of a sheet that may grow


@dataclass(frozen=True, slots=True)
class Sight:
    """What is looked at: the data, what was found in it, what was remarked, and what it is compared with."""

    form: Form
    data: Data
    findings: Sequence[FilingProblem]
    remarks: Sequence[Remark]
    against: Data | None = None


@dataclass(slots=True)
class Cell:
    column: Column
    value: str  # as edited: names of options, plain digits
    text: str  # as read: thousands separators
    unit: str
    old: str = ""
    change: str = ""  # in % against what it is compared with
    fixed: bool = False
    faults: list[FilingProblem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    address: str = ""
    anchor: str = ""

    @property
    def grade(self) -> str:
        return min((p.severity for p in self.faults), key=lambda s: s.rank).value if self.faults else ""


@dataclass(slots=True)
class Line:
    key: str
    title: str
    cells: list[Cell]
    kept: bool  # a row that must stand
    unit: str = ""  # of the row's figures, where rows differ


@dataclass(slots=True)
class Grid:
    sheet: Sheet
    lines: list[Line]
    columns: Sequence[Column]
    options: dict[str, list[str]]
    total: int
    long: bool
    grows: bool
    faults: list[FilingProblem] = field(default_factory=list)
    page: int = 1
    pages: range = range(1, 2)


def grids(sight: Sight, *, edit: bool, page: int = 1) -> list[Grid]:
    """Every sheet; of a long one the page asked for, or its last."""
    return [_grid(sight, sheet, edit, page) for sheet in sight.form.sheets]


def merged(kept: Sequence[Row], shown: Sequence[str], given: Sequence[Row]) -> list[Row]:
    """A long sheet after one page of it was edited: the rows shown give way to those given, the others stay."""
    gone, at = set(shown), next((i for i, r in enumerate(kept) if r.key in set(shown)), len(kept))
    before, after = kept[:at], [r for r in kept[at:] if r.key not in gone]
    return [*(r for r in before if r.key not in gone), *given, *after]


def _grid(sight: Sight, sheet: Sheet, edit: bool, page: int) -> Grid:
    form = sight.form
    rows = {r.key: r for r in sight.data.get(sheet.sheet, [])}
    musts = form.keys(sheet)
    keys = list(dict.fromkeys([*musts, *rows])) if edit else list(rows)
    old = {r.key: r for r in (sight.against or {}).get(sheet.sheet, [])}
    faults: dict[tuple[str, str], list[FilingProblem]] = {}
    for p in sight.findings:
        if p.sheet == sheet.sheet:
            faults.setdefault((p.key, p.column), []).append(p)
    remarks: dict[tuple[str, str], list[Remark]] = {}
    for r in sight.remarks:
        if r.sheet == sheet.sheet:
            remarks.setdefault((r.key, r.column), []).append(r)
    long = len(keys) > MOST_ROWS
    pages = range(1, max(1, -(-len(keys) // MOST_ROWS)) + 1)
    page = min(max(page, 1), pages[-1])
    lines = [
        _line(form, sheet, rows.get(k, Row(k, _keyed(sheet, k))), old.get(k), faults, remarks, k in musts)
        for k in keys[(page - 1) * MOST_ROWS : page * MOST_ROWS]
    ]
    grows = sheet.key is not None and not sheet.key.fixed
    if edit and grows and page == pages[-1]:
        lines += [_line(form, sheet, Row("", {}), None, {}, {}, False) for _ in range(BLANK)]
    options = {c.code: [o.name for o in form.options(sheet.sheet, c.code)] for c in sheet.columns if c.type == "option"}
    shown = {(line.key, cell.column.code) for line in lines for cell in line.cells}
    rest = [p for at, found in faults.items() if at not in shown for p in found]
    return Grid(sheet, lines, sheet.columns, options, len(rows), long, grows and page == pages[-1], rest, page, pages)


def _keyed(sheet: Sheet, key: str) -> dict[str, str | None]:
    return dict(zip(sheet.key.columns, key.split("|"), strict=False)) if sheet.key and key else {}


def _line(
    form: Form, sheet: Sheet, row: Row, old: Row | None, faults: dict[Any, Any], remarks: dict[Any, Any], must: bool
) -> Line:
    cells = []
    names = sheet.key.columns if sheet.key else ()
    for column in sheet.columns:
        value = row.cells.get(column.code)
        before = old.cells.get(column.code) if old else None
        options = form.options(sheet.sheet, column.code)
        cell = Cell(
            column, _edited(column, value, options), _read(column, value, options), form.unit(sheet, column, row.key), fixed=must and column.code in names,
            faults=faults.get((row.key, column.code), []), remarks=remarks.get((row.key, column.code), []),
            address="\x1f".join((sheet.sheet, row.key, column.code)), anchor=anchor(sheet.sheet, row.key, column.code) if row.key or sheet.record else "",
        )  # fmt: skip
        if before is not None and before != value:
            cell.old = _read(column, before, options)
            cell.change = _change(value, before) if column.numeric else ""
        cells.append(cell)
    unit = next((c.unit for c in cells if c.column.unit == "@"), "")
    return Line(row.key, form.key_name(sheet, row.key), cells, must, unit)


def _edited(column: Column, value: str | None, options: Any) -> str:
    if value is None:
        return ""
    if column.type == "option":
        return str(options.name_of(value))
    return {"1": "是", "0": "否"}.get(value, value) if column.type == "yesno" else value


def _read(column: Column, value: str | None, options: Any) -> str:
    exact = number(value) if column.numeric else None
    return show(exact) if exact is not None else _edited(column, value, options)


def _change(new: str | None, old: str) -> str:
    a, b = number(new), number(old)
    if a is None or b is None or not b:
        return ""
    share = (a - b) / abs(b) * Decimal(100)
    return ("+" if share > 0 else "") + show(share.quantize(Decimal("0.1")), 1) + "%"
