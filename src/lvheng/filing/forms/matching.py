"""Where a form's sheet lies in a grid of cells: header rows or labels, moved, merged or in English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lvheng.filing.forms.entries import Sheet
from lvheng.filing.forms.options import bare, plain
from lvheng.filing.forms.values import fold

_SEARCH_ROWS = 40
_SEARCH_COLUMNS = 300
_UNIT_HEADS = {"计量单位", "单位", "unit", "units"}
_VALUE_HEADS = {
    "本期",
    "本期数",
    "填报值",
    "填报数",
    "数值",
    "内容",
    "指标值",
    "本期值",
    "实际值",
    "value",
    "填报内容",
    "本年",
    "本月",
    "本季",
}


@dataclass(slots=True)
class Grid:
    """A sheet's cells by row and column from 0."""

    title: str
    rows: list[list[Any]]
    merged: list[tuple[tuple[int, int], tuple[int, int]]]
    percents: set[tuple[int, int]]
    hidden: bool = False

    def at(self, row: int, column: int) -> Any:
        return self.rows[row][column] if 0 <= row < len(self.rows) and column < len(self.rows[row]) else None

    def put(self, cells: Mapping[tuple[int, int], str]) -> None:
        """Set cells the reader left blank, growing the grid where they lie outside it."""
        for (r, c), text in cells.items():
            while len(self.rows) <= r:
                self.rows.append([""] * (len(self.rows[0]) if self.rows else c + 1))
            row = self.rows[r]
            row.extend([""] * (c + 1 - len(row)))
            if row[c] in ("", None):
                row[c] = text

    def text(self, row: int, column: int) -> str:
        value = self.at(row, column)
        return (
            value.strip() if isinstance(value, str) else "" if value is None or isinstance(value, float) else str(value)
        )


@dataclass(slots=True)
class Header:
    """Rows ``row`` … ``last`` name the ``columns`` (column → index); of a record, ``cells`` and ``labels`` (row, column)."""

    row: int
    last: int
    first: int
    columns: dict[str, int]
    cells: dict[str, tuple[int, int]]
    labels: dict[str, tuple[int, int]]
    texts: dict[str, str]
    unknown: list[str]
    again: list[tuple[str, int]]
    share: float
    units: int | None = None  # column of 计量单位, where rows have units of their own


def words_of(sheet: Sheet) -> dict[str, str]:
    """Every way to write a column's title, folded; a word that could mean two columns means none."""
    found: dict[str, set[str]] = {}
    sure: dict[str, str] = {}
    for column in sheet.columns:
        for word in (column.title.zh, column.title.en, column.code, *column.aliases):
            if word:
                sure.setdefault(plain(word), column.code)
                found.setdefault(bare(word), set()).add(column.code)
                if column.unit and column.unit != "@":
                    for written in (f"{word}{column.unit}", f"{word}({column.unit})"):
                        found.setdefault(plain(written), set()).add(column.code)
    return {w: next(iter(c)) for w, c in found.items() if len(c) == 1 and w} | {w: c for w, c in sure.items() if w}


def title_score(sheet: Sheet, name: str) -> float:
    """Whether a workbook's sheet is called as the form's: 1 the same, 0.5 contained, 0 no."""
    word = bare(name)
    known = {bare(w) for w in (sheet.title.zh, sheet.title.en, sheet.sheet, *sheet.aliases) if w}
    if word in known:
        return 1.0
    return 0.5 if len(word) >= 2 and any(w and len(w) >= 3 and (w in word or word in w) for w in known) else 0.0


def _code(text: str, words: Mapping[str, str]) -> str | None:
    return words.get(plain(text)) or words.get(bare(text)) if text else None


def find_header(sheet: Sheet, grid: Grid) -> Header | None:
    """The best header of one to three rows among the first rows, or None when nothing looks like one."""
    words = words_of(sheet)
    best: tuple[tuple[int, int, int], Header] | None = None
    width = min(max(map(len, grid.rows[:_SEARCH_ROWS]), default=0), _SEARCH_COLUMNS)
    texts = [[grid.text(r, j) for j in range(width)] for r in range(min(_SEARCH_ROWS, len(grid.rows)))]
    filled = [_filled(row) for row in texts]
    for r, row in enumerate(texts):
        if not any(row):
            continue
        for span in (1, 2, 3):
            if r + span > len(texts):
                break
            header = _header_at(sheet, words, texts, filled, r, span, width)
            rank = (len(header.columns), -span, -r)
            if header.columns and (best is None or rank > best[0]):
                best = (rank, header)
    if best is None or len(best[1].columns) < min(2, len(sheet.columns)):
        return None
    return best[1]


def _filled(row: list[str]) -> list[str]:
    """Blank cells take the text to their left, as merged headers do."""
    out, last = [], ""
    for text in row:
        last = text or last
        out.append(last)
    return out


def _header_at(sheet: Sheet, words: Mapping[str, str], texts: list[list[str]], filled: list[list[str]], r: int, span: int, width: int) -> Header:  # fmt: skip
    columns: dict[str, int] = {}
    shown: dict[str, str] = {}
    unknown, again, units = [], [], None
    for j in range(width):
        lower = texts[r + span - 1][j]
        uppers = [filled[k][j] for k in range(r, r + span - 1)]
        candidates = [lower] if lower else [texts[k][j] for k in range(r + span - 2, r - 1, -1) if texts[k][j]][:1]
        if lower:
            candidates += ["".join(uppers[k:]) + lower for k in range(len(uppers))]
        pairs = [(text, _code(text, words)) for text in reversed(candidates)]  # the fullest name first
        text, code = next(((t, c) for t, c in pairs if c), (lower, None))
        if code is None:
            if plain(lower) in _UNIT_HEADS:
                units = j
            elif lower:
                unknown.append(lower)
        elif code in columns:
            again.append((code, j))
        else:
            columns[code], shown[code] = j, text
    wanted = [c.code for c in sheet.columns if c.required] or [c.code for c in sheet.columns]
    share = sum(code in columns for code in wanted) / len(wanted)
    return Header(
        r, r + span - 1, min(columns.values(), default=0), columns, {}, {}, shown, unknown, again, share, units
    )


def find_labels(sheet: Sheet, grid: Grid) -> Header | None:
    """A record's lines: the column with most labels, and beside it the values."""
    words = words_of(sheet)
    best: tuple[int, dict[str, tuple[int, int]], list[str]] = (0, {}, [])
    width = min(max(map(len, grid.rows), default=0), 12)
    for j in range(width):
        found: dict[str, tuple[int, int]] = {}
        for r in range(min(len(grid.rows), 2000)):
            code = _code(grid.text(r, j), words)
            if code and code not in found:
                found[code] = (r, j)
        if len(found) > best[0]:
            best = (len(found), found, [])
    count, labels, _ = best
    if not count:
        return None
    value = _value_column(sheet, grid, labels, width)
    wanted = [c.code for c in sheet.columns if c.required] or [c.code for c in sheet.columns]
    rows = [r for r, _ in labels.values()]
    first = min(rows)
    texts = {code: grid.text(*at) for code, at in labels.items()}
    cells = {code: (r, value) for code, (r, _) in labels.items()}
    share = sum(code in labels for code in wanted) / len(wanted)
    return Header(first, first, next(iter(labels.values()))[1], {}, cells, labels, texts, [], [], share)


def _value_column(sheet: Sheet, grid: Grid, labels: Mapping[str, tuple[int, int]], width: int) -> int:
    """Headed 本期 or the like; else the first column right of the labels that does not hold the units."""
    j = next(iter(labels.values()))[1]
    top = min(r for r, _ in labels.values())
    for r in range(top):
        for c in range(j + 1, width):
            if plain(grid.text(r, c)) in _VALUE_HEADS:
                return c
    units = {fold(c.unit) for c in sheet.columns if c.unit}
    for c in range(j + 1, max(width, j + 2)):
        cells = [grid.at(r, c) for r, _ in labels.values()]
        written = [fold(v) for v in cells if isinstance(v, str) and v]
        if any(v not in ("", None) for v in cells) and not (
            written and len(written) * 2 > len(cells) * 0.5 and set(written) <= units | {"-"}
        ):
            return c
    return j + 1
