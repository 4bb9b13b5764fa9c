"""Small tables from people: CSV or xlsx in, exact values with their places out.

Bears what such files hold: byte-order marks, UTF-8, GB 18030 and UTF-16, title rows above the header,
Chinese headers, full-width digits, thousands separators, per-cent signs, true minus signs, merged cells.
A dash or an empty cell is missing, never zero.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, XmlError, ZipError

from lvheng.core.problem import Place, Problem, ProblemError

_MISSING = {
    "",
    "-",
    "--",
    "---",
    "—",
    "——",
    "–",
    "…",
    "...",
    "/",
    "\\",
    "无",
    "缺",
    "暂无",
    "n/a",
    "na",
    "null",
    "none",
}
_HEADER_SEARCH = 30
_NUMBER = re.compile(r"[+-]?(\d{1,15}|\d{1,3}(,\d{3})+)?(\.\d{1,30})?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its name in results, its Chinese title, and the other headers it is known by."""

    name: str
    title: str
    aliases: tuple[str, ...] = ()
    kind: str = "text"  # text, number
    required: bool = True
    suffix: str = ""  # a word that may follow the number, e.g. 年


@dataclass(slots=True)
class Row:
    """One data row: exact values by column name (None where missing) and the place of every cell."""

    values: dict[str, Any]
    place_of: Callable[[str], Place]
    unreadable: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


@dataclass(slots=True)
class Table:
    """Rows read, and every fault found on the way."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    workbook: bool = False


def clean(text: str) -> str:
    """Half-width, trimmed, with one kind of minus."""
    return unicodedata.normalize("NFKC", text).strip().strip("\ufeff").replace("−", "-").replace("﹣", "-")


def parse_number(raw: Any) -> Decimal | None:
    """An exact number from a cell; None when missing; ValueError with a Chinese reason when it is none."""
    if raw is None:
        return None
    if isinstance(raw, bool):
        raise ValueError("应为数字")
    if isinstance(raw, int):
        return Decimal(raw)
    if isinstance(raw, float):
        if raw != raw or raw in (float("inf"), float("-inf")):
            raise ValueError("不是有限的数")
        return Decimal(format(raw, ".15g"))  # the digits that the spreadsheet itself keeps
    if not isinstance(raw, str):
        raise ValueError("应为数字")
    text = clean(raw)
    if text.lower() in _MISSING:
        return None
    bare = re.sub(r"(个?百分点|%|‰)$", lambda m: "‰" if m[0] == "‰" else "", text).strip()
    if bare.endswith("‰"):
        raise ValueError("单位为‰，应为%")
    bare = re.sub(r"^([+-])\s+", r"\1", bare)
    if not re.search(r"\d", bare) or not _NUMBER.fullmatch(bare):
        raise ValueError("不是数字")
    return Decimal(bare.replace(",", ""))


def _header_key(text: Any) -> str:
    word = clean(str(text or "")).lower()
    word = re.sub(r"[(\[](?:±|\+-|\+/-|%|单位[::]?%|个?百分点|年|\s)*[)\]]", "", word)
    return re.sub(r"[\s_\-:、]+", "", word)


def read_table(path: Path | str, columns: Sequence[Column]) -> Table:
    """Read one table.

    Raises ProblemError when the file cannot be read or its header lacks a column; faults of single cells
    are returned in ``problems`` with their row and column.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ProblemError(
            Problem("energy.table.unreadable", "文件打不开", place=Place(file=file.name), got=_why(error), fix="核对文件名和权限。")
        ) from None  # fmt: skip
    return read_bytes(data, file.name, columns)


def _why(error: OSError) -> str:
    for kind, words in (
        (FileNotFoundError, "没有这个文件"),
        (IsADirectoryError, "是文件夹"),
        (PermissionError, "没有读取权限"),
    ):
        if isinstance(error, kind):
            return words
    return "读取出错"


def read_bytes(data: bytes, name: str, columns: Sequence[Column]) -> Table:
    """As :func:`read_table`, of a file's content; ``name`` is how problems call it."""
    if not data.strip():
        raise ProblemError(
            Problem("energy.table.empty", "文件是空的", place=Place(file=name), fix="填写表头和数据后再试。")
        )
    workbook = data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
    table = Table(workbook=workbook)
    sheets = _sheets(name, data) if workbook else [("", _text_rows(name, data))]
    seen: list[Any] = []
    for sheet, rows in sheets:
        for number, cells in rows[:_HEADER_SEARCH]:
            found = _match(cells, columns)
            if all(c.name in found for c in columns if c.required):
                twice = [c.title for c in columns if len(found.get(c.name, [])) > 1]
                if twice:
                    raise ProblemError(
                        Problem("energy.table.column_twice", "表头有重复的列", place=Place(file=name, sheet=sheet, row=number), got="、".join(twice), fix="每列只留一个。")
                    )  # fmt: skip
                where = {name: positions[0] for name, positions in found.items()}
                _fill(table, name, sheet, [r for r in rows if r[0] > number], columns, where)
                return table
            if len(found) > len(_match(seen, columns)) or not seen:
                seen = cells
    have = _match(seen, columns)
    raise ProblemError(
        Problem(
            "energy.table.header", "表头缺少必需的列", place=Place(file=name),
            got="、".join(str(c) for c in seen if c not in (None, ""))[:120],
            wanted="、".join(f"{c.name}（{c.title}）" for c in columns if c.required and c.name not in have),
            fix="按列名补齐表头，中文或英文均可。",
        )
    )  # fmt: skip


def _match(cells: Sequence[Any], columns: Sequence[Column]) -> dict[str, list[int]]:
    """Column name → positions in a header row."""
    keys = [_header_key(c) for c in cells]
    found: dict[str, list[int]] = {}
    for column in columns:
        words = {_header_key(w) for w in (column.name, column.title, *column.aliases)}
        if hits := [i for i, key in enumerate(keys) if key and key in words]:
            found[column.name] = hits
    return found


def _fill(
    table: Table,
    file: str,
    sheet: str,
    rows: list[tuple[int, list[Any]]],
    columns: Sequence[Column],
    where: dict[str, int],
) -> None:
    for number, cells in rows:
        raw = {name: cells[i] if i < len(cells) else None for name, i in where.items()}
        if all(v is None or (isinstance(v, str) and not clean(v)) for v in raw.values()):
            continue

        def place_of(name: str, number: int = number) -> Place:
            i = where.get(name)
            title = next((c.title for c in columns if c.name == name), name)
            if sheet:
                return Place(
                    file=file, sheet=sheet, cell=f"{_letters(i)}{number}" if i is not None else "", field=title
                )
            return Place(file=file, line=number, column=i + 1 if i is not None else None, field=title)

        values: dict[str, Any] = {}
        unreadable: set[str] = set()
        for column in columns:
            cell = raw.get(column.name)
            if column.kind == "number":
                if column.suffix and isinstance(cell, str):
                    cell = clean(cell).removesuffix(column.suffix)
                try:
                    values[column.name] = parse_number(cell)
                except ValueError as error:
                    values[column.name] = None
                    unreadable.add(column.name)
                    table.problems.append(
                        Problem("energy.table.number", f"“{column.title}”{error}", place=place_of(column.name), got=str(cell)[:40], wanted="数字，如-3.20", fix="只填一个数字；缺数留空或填“—”。")
                    )  # fmt: skip
            else:
                values[column.name] = _text(cell)
        table.rows.append(Row(values, place_of, unreadable))


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date):
        return cell.isoformat()[:10]
    return clean(str(cell))


def _letters(index: int) -> str:
    word = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        word = chr(65 + rest) + word
    return word


def _sheets(name: str, data: bytes) -> Iterator[tuple[str, list[tuple[int, list[Any]]]]]:
    """Every sheet as (row number from 1, cells), merged cells filled with their first value."""
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        shares = _percentages(data)
        for sheet_name in book.sheet_names:
            sheet = book.get_sheet_by_name(sheet_name)
            grid = [list(row) for row in sheet.to_python(skip_empty_area=False)]
            for r, c in shares.get(sheet_name, ()):
                if r < len(grid) and c < len(grid[r]) and isinstance(grid[r][c], int | float):
                    grid[r][c] = f"{Decimal(format(grid[r][c], '.15g')) * 100:f}%"
            for (r0, c0), (r1, c1) in sheet.merged_cell_ranges or []:
                for r in range(r0, min(r1 + 1, len(grid))):
                    for c in range(c0, min(c1 + 1, len(grid[r]))):
                        grid[r][c] = grid[r0][c0]
            yield sheet_name, list(enumerate(grid, start=1))
    except PasswordError:
        raise ProblemError(
            Problem("energy.table.password", "工作簿设了密码", place=Place(file=name), fix="取消密码后再试。")
        ) from None
    except (CalamineError, XmlError, ZipError, OSError) as error:
        raise ProblemError(
            Problem("energy.table.damaged", "工作簿已损坏或不是Excel格式", place=Place(file=name), got=str(error)[:80], fix="用Excel或WPS打开后另存为xlsx。")
        ) from None  # fmt: skip


def _percentages(data: bytes) -> dict[str, list[tuple[int, int]]]:
    """Numeric cells of an xlsx shown as per cent, by sheet: what is stored is a hundredth of what people see.

    Empty for other workbooks and for those that this library cannot read: calamine, which reads the values, tells no formats.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
            found = {}
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                cells = (c for row in sheet.iter_rows() for c in row if isinstance(c.value, int | float))
                found[sheet.title] = [(c.row - 1, c.column - 1) for c in cells if "%" in c.number_format]
            return found
    except Exception:  # damaged in a way that the reader bears
        return {}


def _text_rows(name: str, data: bytes) -> list[tuple[int, list[Any]]]:
    text = _decode(name, data)
    lines = [line for line in text.splitlines() if line.strip()][:_HEADER_SEARCH]
    delimiter = max(",\t;|", key=lambda d: max((line.count(d) for line in lines), default=0))
    rows: list[tuple[int, list[Any]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            rows.append((start, list(cells)))
            start = reader.line_num + 1
    except csv.Error:
        raise ProblemError(
            Problem("energy.table.csv", "CSV写法有误", place=Place(file=name, line=start), got="引号没有成对", fix="检查该行的引号。")
        ) from None  # fmt: skip
    return rows


def _decode(name: str, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ProblemError(
        Problem("energy.table.encoding", "文件编码无法识别", place=Place(file=name), wanted="UTF-8、GBK的CSV，或xlsx", fix="另存为UTF-8编码的CSV或xlsx后再试。")
    )  # fmt: skip
