"""The ways in: a workbook, a CSV file, JSON, or cells pasted into the grid; all end as the same Data.

Reading finds sheets, headers and rows wherever they stand and turns cells into canonical text. Whether the
figures are right is the business of :mod:`lvheng.filing.forms.checking`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from lvheng.core.period import Period
from lvheng.core.problem import Place, ProblemError, Severity
from lvheng.core.quantity import measure
from lvheng.filing.forms import apart, guard
from lvheng.filing.forms.book import Form
from lvheng.filing.forms.data import Data, Row
from lvheng.filing.forms.entries import Column, Sheet
from lvheng.filing.forms.matching import Grid, Header, find_header, find_labels, title_score
from lvheng.filing.forms.options import bare, plain
from lvheng.filing.forms.problems import Collector, FilingProblem
from lvheng.filing.forms.values import canonical, fast_numbers, fold, other_unit

META = "_lvheng"
SUMMARY = "核对结果"
OWN = {"填报说明", SUMMARY, "Instructions", "_lists", META}
UNCOMPUTED = "="  # stands in a cell whose formula was never computed
_TOTALS = {"合计", "总计", "小计", "总和", "共计", "total", "sum", "subtotal", "grandtotal"}
_NOTES = ("注", "说明", "填表", "填报", "单位负责", "审核", "联系", "报出", "统计负责", "制表", "备注", "note", "本表")
_NOT_PASTED = {"filing.column.missing", "filing.column.absent"}  # a paste need not hold every column
_FILLED_BESIDE = ("上期", "上年同期", "参考", "填报说明", "行次", "序号")


class Places(Mapping[tuple[str, str, str], tuple[str, str]]):
    """(sheet, key, column) → (name of the workbook's sheet, cell), worked out when asked."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, int]] = {}
        self.columns: dict[tuple[str, str], int] = {}
        self.cells: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.heads: dict[str, tuple[str, str]] = {}  # sheet → its name in the workbook and the header's first cell

    def __getitem__(self, cell: tuple[str, str, str]) -> tuple[str, str]:
        if cell in self.cells:
            return self.cells[cell]
        sheet, key, column = cell
        title, row = self.rows[sheet, key]
        return title, guard.cell_name(row, self.columns[sheet, column])

    def __iter__(self):
        yield from self.cells
        yield from ((s, k, c) for s, k in self.rows for t, c in self.columns if t == s)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def find(self, sheet: str, key: str = "", column: str = "") -> tuple[str, str]:
        """The cell, or the row's key cell, or the sheet's header: the nearest that there is."""
        if (sheet, key, column) in self.cells:
            return self.cells[sheet, key, column]
        if (sheet, key) in self.rows:
            title, row = self.rows[sheet, key]
            at = self.columns.get((sheet, column))
            if at is None:
                at = min((c for (s, _), c in self.columns.items() if s == sheet), default=0)
            return title, guard.cell_name(row, at)
        if (sheet, column) in self.columns and sheet in self.heads:
            title, head = self.heads[sheet]
            return title, guard.cell_name(guard.cell_index(head)[0], self.columns[sheet, column])
        return self.heads.get(sheet, ("", ""))


@dataclass(slots=True)
class Seen:
    """What was found in the file."""

    sheets: int = 0
    rows: int = 0
    cells: int = 0
    skipped_rows: int = 0


@dataclass(slots=True)
class Reading:
    """What was read. ``form_id``/``period``: what the template says it was made for ("" when no template)."""

    data: Data
    problems: list[FilingProblem]
    places: Places = field(default_factory=Places)
    seen: Seen = field(default_factory=Seen)
    name: str = ""
    kind: str = "json"
    form_id: str = ""
    period: str = ""

    def locate(self, problems: Sequence[FilingProblem]) -> list[FilingProblem]:
        """The problems with the file's sheet and cell as their place."""
        out = []
        for p in problems:
            title, cell = self.places.find(p.sheet, p.key, p.column) if p.sheet else ("", "")
            if title or self.name:
                p = replace(
                    p, place=replace(p.place, file=self.name, sheet=title or p.place.sheet, cell=cell or p.place.cell)
                )
            out.append(p)
        return out


class _Reader:
    """One reading of one file: grids by sheet name, problems, places."""

    def __init__(self, form: Form, name: str):
        self.form, self.name = form, name
        self.problems = Collector()
        self.reading = Reading({}, [], name=name)

    def tell(self, code: str, message: str, *, severity: Severity = Severity.BLOCKER, sheet: str = "", key: str = "", column: str = "",
             title: str = "", cell: str = "", got: str = "", wanted: str = "", fix: str = "") -> None:  # fmt: skip
        place = Place(file=self.name, sheet=title, cell=cell)
        self.problems.add(
            FilingProblem(f"filing.{code}", message, severity, place, got[:120], wanted, "", fix, sheet, key, column)
        )

    def done(self) -> Reading:
        self.reading.problems = self.problems.list()
        return self.reading

    # --- finding sheets ---------------------------------------------------------------------------
    def match(self, grids: Sequence[Grid]) -> None:
        free = [g for g in grids if g.rows and g.title not in OWN]
        self.reading.seen.sheets = len(free)
        if not free:
            self.tell(
                "sheet.none",
                "文件中没有内容",
                wanted="、".join(s.title.zh for s in self.form.sheets),
                fix="下载模板填写后再上传。",
                title=grids[0].title if grids else "",
                cell="A1",
            )
            return
        scored = []
        for order, sheet in enumerate(self.form.sheets):
            for position, grid in enumerate(free):
                named = title_score(sheet, grid.title)
                found = self._header(sheet, grid)
                if found is not None and (named or found.share >= 0.5):
                    scored.append((-(named * 2 + found.share), abs(order - position), order, position, found))
        scored.sort(key=lambda s: s[:4])
        taken: dict[int, tuple[int, Header]] = {}
        for _, _, order, position, found in scored:
            if order not in taken and position not in {p for p, _ in taken.values()}:
                taken[order] = (position, found)
        for order, sheet in enumerate(self.form.sheets):
            if order in taken:
                position, header = taken[order]
                (self._record if sheet.record else self._table)(sheet, free[position], header)
            elif sheet.required:
                named_grid = next((g for g in free if title_score(sheet, g.title)), free[0])
                titles = [c.title.zh for c in sheet.columns if c.required] or [c.title.zh for c in sheet.columns]
                self.tell(
                    "sheet.missing", f"没有找到“{sheet.title}”的表头", sheet=sheet.sheet, title=named_grid.title, cell="A1",
                    got="工作表：" + "、".join(g.title for g in free[:8]), wanted="表头含" + "、".join(titles[:6]), fix="用下载的模板填写，保留表头一行。",
                )  # fmt: skip
        unused = [g.title for i, g in enumerate(free) if i not in {p for p, _ in taken.values()} and not g.hidden]
        if unused and taken:
            self.tell(
                "sheet.extra",
                "有工作表不属于本表，未读取",
                severity=Severity.NOTICE,
                title=unused[0],
                cell="A1",
                got="、".join(unused[:8]),
            )

    def _header(self, sheet: Sheet, grid: Grid) -> Header | None:
        across = find_header(sheet, grid)
        if not sheet.record:
            return across
        down = find_labels(sheet, grid)
        return down if down and (across is None or len(down.cells) >= len(across.columns)) else across

    # --- a record: labels down, or one row under a header ------------------------------------------
    def _record(self, sheet: Sheet, grid: Grid, header: Header) -> None:
        self._head_problems(sheet, grid, header)
        cells: dict[str, str | None] = {}
        places = self.reading.places
        places.heads[sheet.sheet] = (grid.title, guard.cell_name(header.row, header.first))
        positions = dict(header.cells)
        if header.columns:
            below = [
                r
                for r in range(header.last + 1, len(grid.rows))
                if any(grid.at(r, j) not in (None, "") for j in header.columns.values())
            ]
            if len(below) > 1:
                self.tell(
                    "row.extra",
                    f"“{sheet.title}”只填一行，多出的行未读取",
                    severity=Severity.WARNING,
                    sheet=sheet.sheet,
                    title=grid.title,
                    cell=guard.cell_name(below[1], header.first),
                )
            at = below[0] if below else header.last + 1
            positions = {code: (at, j) for code, j in header.columns.items()}
        for column in sheet.columns:
            if column.code in positions:
                r, c = positions[column.code]
                self._old_percents(sheet, column, [grid.at(r, c)], grid.title, guard.cell_name(r, c))
                cells[column.code] = canonical(
                    grid.at(r, c), column, self.form.options(sheet.sheet, column.code), percent=(r, c) in grid.percents
                )
                places.cells[sheet.sheet, "", column.code] = (grid.title, guard.cell_name(r, c))
            else:
                cells[column.code] = None
        self.reading.data[sheet.sheet] = [Row("", cells)]
        self.reading.seen.rows += 1
        self.reading.seen.cells += sum(v is not None for v in cells.values())

    # --- a table ------------------------------------------------------------------------------------
    def _table(self, sheet: Sheet, grid: Grid, header: Header) -> None:
        assert sheet.key is not None
        self._head_problems(sheet, grid, header)
        places = self.reading.places
        places.heads[sheet.sheet] = (grid.title, guard.cell_name(header.last, header.first))
        for code, j in header.columns.items():
            places.columns[sheet.sheet, code] = j
        keys = [k for k in sheet.key.columns if k in header.columns]
        if len(keys) < len(sheet.key.columns):
            self.reading.data[sheet.sheet] = []
            return
        used = list(header.columns.values())
        self._fill_merged(grid, header, [header.columns[k] for k in keys])
        numbers, kept = [], []
        for r in range(header.last + 1, len(grid.rows)):
            row = grid.rows[r]
            if any(row[j] not in ("", None) for j in used if j < len(row)):  # the first used cell is mostly filled
                numbers.append(r)
                kept.append(row)
        columns: dict[str, list[str | None]] = {}
        for column in sheet.columns:
            at = header.columns.get(column.code)
            if at is not None:
                cell = guard.cell_name(header.last, at)
                self._old_percents(sheet, column, [row[at] for row in kept if at < len(row)], grid.title, cell)
            columns[column.code] = (
                [None] * len(kept) if at is None else self._column(sheet, column, grid, kept, numbers, at)
            )
        self._rows(sheet, grid, header, columns, numbers)

    def _old_percents(self, sheet: Sheet, column: Column, values: Sequence[Any], title: str, cell: str) -> None:
        """The old format does not tell 85% from 0.85: such figures are to be looked at."""
        if (
            self.reading.kind == "xls"
            and column.unit == "%"
            and any(type(v) is float and 0 < abs(v) <= 1 for v in values)
        ):
            self.tell("column.percent", f"旧版xls不含百分比格式，“{column.title}”按单元格所存的数读取", severity=Severity.WARNING, sheet=sheet.sheet, column=column.code, title=title, cell=cell,
                      got="绝对值不大于1的数", wanted="以百分数计的数，如85%填85", fix="核对本栏；单元格按百分比显示的，另存为xlsx后再上传。")  # fmt: skip

    def _fill_merged(self, grid: Grid, header: Header, key_columns: list[int]) -> None:
        """A key written once over merged rows stands in each of them."""
        for (r0, c0), (r1, c1) in grid.merged:
            if r0 > header.last and c0 in key_columns and r1 > r0 and c0 == c1 and r1 - r0 < 10_000:
                for r in range(r0 + 1, min(r1 + 1, len(grid.rows))):
                    grid.rows[r][c0] = grid.rows[r0][c0]

    def _column(
        self, sheet: Sheet, column: Column, grid: Grid, rows: list[list[Any]], numbers: list[int], j: int
    ) -> list[str | None]:
        cells = [row[j] if j < len(row) else "" for row in rows]
        options = self.form.options(sheet.sheet, column.code)
        if not (grid.percents and any(c == j for _, c in grid.percents)):
            if column.numeric and (fast := fast_numbers(cells)) is not None:
                return fast
            known: dict[Any, str | None] = {}
            out = []
            for v in cells:
                if type(v) is str:
                    if v not in known:
                        known[v] = canonical(v, column, options)
                    out.append(known[v])
                else:
                    out.append(canonical(v, column, options))
            return out
        return [
            canonical(v, column, options, percent=(r, j) in grid.percents) for v, r in zip(cells, numbers, strict=True)
        ]

    def _rows(
        self, sheet: Sheet, grid: Grid, header: Header, columns: dict[str, list[str | None]], numbers: list[int]
    ) -> None:
        assert sheet.key is not None
        names = [c.code for c in sheet.columns]
        key_names = sheet.key.columns
        others = [n for n in names if n not in key_names]
        first = header.columns[key_names[0]]
        titles = {plain(c.title.zh) for c in sheet.columns}
        options = self.form.options(sheet.sheet, key_names[0])
        by_unit = next((c for c in sheet.columns if c.unit == "@"), None)
        headed = [c for c in sheet.columns if c.unit == "@" and "(" in fold(header.texts.get(c.code, ""))]
        out: list[Row] = []
        at: dict[str, int] = {}
        for r, values in zip(numbers, zip(*(columns[n] for n in names), strict=True), strict=True):
            cells = dict(zip(names, values, strict=True))
            parts = [cells[k] for k in key_names]
            lead = parts[0] or ""
            empty = all(cells[n] is None for n in others)
            if lead and len(options) and lead not in options:
                word = bare(lead)
                if word in titles and plain(lead) == plain(fold(str(sheet_title(sheet, key_names[0])))):
                    continue  # the header printed again on a later page
                if word in _TOTALS or (len(key_names) > 1 and plain(lead) in _TOTALS):
                    self.reading.seen.skipped_rows += 1
                    continue
            elif plain(lead) in _TOTALS and not len(options):
                self.reading.seen.skipped_rows += 1
                continue
            if empty and (not lead or lead.startswith(_NOTES) or len(lead) > 40):
                self.reading.seen.skipped_rows += 1
                continue
            if (
                empty
                and sheet.key.fixed is False
                and all(p in options or p is None for p in parts[:1])
                and len(options)
                and not sheet.key.rows
            ):
                self.reading.seen.skipped_rows += 1  # a line of the template left unused
                continue
            if any(p is None for p in parts):
                missing = next(k for k, p in zip(key_names, parts, strict=True) if p is None)
                title = sheet_title(sheet, missing)
                self.tell("row.no_key", f"这一行没有填写“{title}”", sheet=sheet.sheet, column=missing, title=grid.title,
                          cell=guard.cell_name(r, header.columns[missing]), got="空", wanted=f"填写“{title}”", fix=f"补填“{title}”，或删去这一行。")  # fmt: skip
                continue
            key = "|".join(str(p).replace("|", "｜") for p in parts)
            if key in at:
                self.tell(
                    "row.twice", f"“{self.form.key_name(sheet, key)}”重复填报", sheet=sheet.sheet, key=key, column=key_names[0], title=grid.title,
                    cell=guard.cell_name(r, first), got=f"第{at[key] + 1}行已有", wanted="每项只填一行", fix="合并为一行，或删去其中一行。",
                )  # fmt: skip
                continue
            at[key] = r
            if by_unit is not None and header.units is not None:
                self._unit(sheet, grid, key, r, header.units, self.form.unit(sheet, by_unit, key))
            for column in [c for c in headed if cells[c.code] is not None]:
                wanted = self.form.unit(sheet, column, key)
                if other := other_unit(header.texts[column.code], wanted):
                    self.tell("column.unit", f"“{column.title}”的计量单位与规定不符", sheet=sheet.sheet, key=key, column=column.code, title=grid.title,
                              cell=guard.cell_name(r, header.columns[column.code]), got=other, wanted=wanted, fix=f"把数字换算成{wanted}，并改正表头。")  # fmt: skip
                    headed.remove(column)  # said once a column
            self.reading.places.rows[sheet.sheet, key] = (grid.title, r)
            out.append(Row(key, cells))
        self.reading.data[sheet.sheet] = out
        self.reading.seen.rows += len(out)
        self.reading.seen.cells += sum(len(c) - c.count(None) for c in columns.values())

    def _unit(self, sheet: Sheet, grid: Grid, key: str, r: int, c: int, wanted: str) -> None:
        """The unit written in a row must be the catalogue's."""
        written = fold(grid.text(r, c))
        if not written or not wanted or written == fold(wanted):
            return
        try:
            if measure(written) == measure(wanted):
                return
        except ProblemError:
            pass
        self.tell(
            "row.unit", f"“{self.form.key_name(sheet, key)}”的计量单位与目录不符", sheet=sheet.sheet, key=key, title=grid.title, cell=guard.cell_name(r, c),
            got=written, wanted=wanted, fix=f"把这一行换算成{wanted}后填写。",
        )  # fmt: skip

    # --- what the header lacks ---------------------------------------------------------------------
    def _head_problems(self, sheet: Sheet, grid: Grid, header: Header) -> None:
        found = header.columns or header.cells
        where = guard.cell_name(header.last, header.first)
        loose = [t for t in header.unknown if not fold(t).startswith(_FILLED_BESIDE)]
        absent = []
        for column in sheet.columns:
            title = column.title.zh
            if column.code not in found:
                if not column.required and not (sheet.key and column.code in sheet.key.columns):
                    absent.append(title)
                    continue
                self.tell(
                    "column.missing", f"“{sheet.title}”缺少“{title}”一栏", sheet=sheet.sheet, column=column.code, title=grid.title, cell=where,
                    got="未对上的表头：" + "、".join(loose[:6]) if loose else "", wanted=f"表头“{title}”", fix="按模板补上这一栏，表头文字照抄。",
                )  # fmt: skip
                continue
            written = header.texts.get(column.code, "")
            at = (
                guard.cell_name(header.last, header.columns[column.code])
                if header.columns
                else guard.cell_name(*header.labels[column.code])
            )
            if other := other_unit(written, column.unit):
                self.tell("column.unit", f"“{title}”的计量单位与规定不符", severity=Severity.BLOCKER, sheet=sheet.sheet, column=column.code, title=grid.title, cell=at, got=other,
                          wanted=column.unit, fix=f"把数字换算成{column.unit}，并改正表头。")  # fmt: skip
            if sheet.exact_header and bare(written) != bare(title):
                self.tell("column.title", f"表头与规定的“{title}”不一致", severity=Severity.ERROR, sheet=sheet.sheet, column=column.code, title=grid.title, cell=at,
                          got=written, wanted=title, fix="表头文字照模板抄录。")  # fmt: skip
        if absent:
            self.tell(
                "column.absent", f"“{sheet.title}”没有这些选填栏目，按未填处理", severity=Severity.NOTICE, sheet=sheet.sheet, title=grid.title, cell=where,
                got="未对上的表头：" + "、".join(loose[:6]) if loose else "", wanted="、".join(absent[:10]),
            )  # fmt: skip
        if header.columns:
            for code, j in header.again:
                if any(grid.at(r, j) not in (None, "") for r in range(header.last + 1, len(grid.rows))):
                    title = sheet_title(sheet, code)
                    self.tell("column.twice", f"“{title}”有两栏，且都填了数", sheet=sheet.sheet, column=code, title=grid.title, cell=guard.cell_name(header.last, j),
                              got=f"另一栏在{guard.cell_name(header.last, header.columns[code])}", wanted="只留一栏", fix="删去多余的一栏。")  # fmt: skip
            if loose:
                self.tell(
                    "column.extra",
                    f"“{sheet.title}”有不属于本表的栏目，未读取",
                    severity=Severity.NOTICE,
                    sheet=sheet.sheet,
                    title=grid.title,
                    cell=where,
                    got="、".join(loose[:8]),
                )


def sheet_title(sheet: Sheet, code: str) -> str:
    return next(c.title.zh for c in sheet.columns if c.code == code)


# --- files --------------------------------------------------------------------------------------------
def read_file(content: bytes, name: str, form: Form, period: Period | None = None) -> Reading:
    """A workbook (.xlsx, .xls) or a CSV file as Data.

    Never raises for what a file holds: a file that cannot be read comes back with no data and a blocker.
    """
    reader = _Reader(form, name)
    try:
        traits = guard.inspect(content, name)
        grids = _csv_grids(content, name) if traits.kind == "csv" else _grids(content, name, traits)
    except ProblemError as error:
        for p in error:
            reader.problems.add(FilingProblem(p.code, p.message, p.severity, p.place, p.got, p.wanted, p.source, p.fix))
        return reader.done()
    reader.reading.kind = traits.kind
    meta = next((g for g in grids if g.title == META), None)
    if meta is not None:
        words = {str(row[0]): str(row[1]) for row in meta.rows if len(row) > 1}
        reader.reading.form_id, reader.reading.period = words.get("form", ""), words.get("period", "")
        _of_another(reader, form, period)
    reader.match(grids)
    return reader.done()


def _of_another(reader: _Reader, form: Form, period: Period | None) -> None:
    reading = reader.reading
    if reading.form_id and reading.form_id != form.id:
        reader.tell(
            "file.other_form",
            "这个文件是另一张表的模板",
            title="填报说明",
            cell="A1",
            got=reading.form_id,
            wanted=f"{form.code} {form.title}",
            fix="选择对应的表上传，或下载本表模板。",
        )
    if period is not None and reading.period and reading.period != period.code:
        try:
            label = Period.parse(reading.period).label
        except ProblemError:
            label = reading.period
        reader.tell(
            "file.other_period",
            "这个文件是另一期的模板",
            severity=Severity.ERROR,
            title="填报说明",
            cell="A1",
            got=label,
            wanted=period.label,
            fix="确认填报的是本期数据；如是，请用本期模板填报。",
        )


def _grids(content: bytes, name: str, traits: guard.Traits) -> list[Grid]:
    if traits.kind == "xls":
        content += bytes(-len(content) % 512)  # the reader wants whole sectors
    read = apart.sheets_apart if traits.kind == "xls" else apart.sheets
    try:
        found = read(content, guard.MAX_ROWS, guard.MAX_AREA)
    except apart.Password:
        raise guard._protected(name) from None
    except apart.Broken:
        raise guard.refuse(
            "damaged", "文件已损坏，读不出内容", name, fix="用Excel打开并修复，另存为xlsx后再上传。"
        ) from None
    grids = []
    for sheet in found:
        if sheet.rows is None:
            raise guard.refuse(
                "too_far",
                f"工作表“{sheet.name}”的使用范围过大",
                name,
                got=f"{sheet.height}行{sheet.width}列",
                wanted=f"不超过{guard.MAX_ROWS}行",
                fix="删去表格以外的行和列，另存后再上传。",
            )
        percents = traits.percents.get(sheet.position, set())
        grid = Grid(sheet.name, sheet.rows, sheet.merged, percents, sheet.hidden)
        grid.put(traits.errors.get(sheet.position, {}))
        grid.put(dict.fromkeys(traits.uncomputed.get(sheet.position, ()), UNCOMPUTED))
        grids.append(grid)
    return grids


def _csv_grids(content: bytes, name: str) -> list[Grid]:
    text = guard.decode(content, name)
    sample = "\n".join(text.splitlines()[:50])
    delimiter = max(",\t;", key=sample.count)
    csv.field_size_limit(1_000_000)
    try:
        rows: list[list[Any]] = list(csv.reader(io.StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter))
    except csv.Error:
        raise guard.refuse(
            "damaged", "CSV文件的引号或分栏有误", name, fix="用Excel打开后另存为xlsx，再上传。"
        ) from None
    if len(rows) > guard.MAX_ROWS:
        raise guard.refuse(
            "too_far",
            "文件行数过多",
            name,
            got=f"{len(rows)}行",
            wanted=f"不超过{guard.MAX_ROWS}行",
            fix="分成几个文件上传。",
        )
    width = max(map(len, rows), default=0)
    if width > 2000:
        raise guard.refuse(
            "too_far", "文件栏数过多", name, got=f"{width}栏", wanted="不超过2000栏", fix="只保留填报的栏目。"
        )
    stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return [Grid(stem, [row + [""] * (width - len(row)) for row in rows], [], set(), False)]


# --- JSON and paste -----------------------------------------------------------------------------------
def from_json(obj: Any, form: Form) -> Reading:
    """``{"sheets": {sheet: [{column: value, …}] or, for a record, {column: value}}}`` as Data.

    Values are numbers, text, true/false or null. Unknown sheets and columns are problems, not passed over.
    """
    reader = _Reader(form, "")
    sheets = obj.get("sheets") if isinstance(obj, Mapping) else None
    if not isinstance(sheets, Mapping):
        reader.tell("json.shape", "提交的数据缺少“sheets”", wanted='{"sheets": {…}}', fix="按接口说明的结构提交。")
        return reader.done()
    for name in sheets:
        if not form.has(str(name)):
            reader.tell(
                "json.sheet",
                "没有这个工作表",
                title=str(name)[:60],
                got=str(name),
                wanted="、".join(s.sheet for s in form.sheets),
                fix="核对工作表编号。",
            )
    for sheet in form.sheets:
        given = sheets.get(sheet.sheet)
        rows = [given] if sheet.record and isinstance(given, Mapping) else given
        if given is None:
            continue
        if (
            not isinstance(rows, Sequence)
            or isinstance(rows, str)
            or not all(isinstance(r, Mapping) for r in rows)
            or (sheet.record and len(rows) > 1)
        ):
            reader.tell(
                "json.shape",
                f"“{sheet.title}”的结构不对",
                sheet=sheet.sheet,
                title=sheet.title.zh,
                wanted="对象" if sheet.record else "对象的列表",
                fix="按接口说明的结构提交。",
            )
            continue
        _json_rows(reader, sheet, rows)
    return reader.done()


def _json_rows(reader: _Reader, sheet: Sheet, rows: Sequence[Mapping[str, Any]]) -> None:
    form = reader.form
    out: list[Row] = []
    seen: dict[str, int] = {}
    known = {c.code: c for c in sheet.columns}
    for n, given in enumerate(rows, 1):
        for name in given:
            if name not in known:
                reader.tell(
                    "json.column",
                    f"“{sheet.title}”没有这个栏目",
                    sheet=sheet.sheet,
                    title=sheet.title.zh,
                    cell=f"第{n}行",
                    got=str(name),
                    wanted="、".join(known),
                    fix="核对栏目编号。",
                )
        cells: dict[str, str | None] = {}
        for code, column in known.items():
            value = given.get(code)
            if isinstance(value, Decimal):
                value = str(value)  # never spread out: the exponent may be huge
            if isinstance(value, (list, dict, tuple, set)):
                reader.tell(
                    "json.value",
                    f"“{column.title}”不是单个值",
                    sheet=sheet.sheet,
                    column=code,
                    title=sheet.title.zh,
                    cell=f"第{n}行",
                    got=str(value),
                    wanted="数字、文字、是否或空",
                    fix="改为单个值。",
                )
                value = None
            if isinstance(value, bool) and column.type != "yesno":
                value = str(value)
            if isinstance(value, int) and abs(value) >= 10**40:
                value = "9" * 61
            cells[code] = canonical(value, column, form.options(sheet.sheet, code))
        key = ""
        if sheet.key:
            parts = [cells[k] for k in sheet.key.columns]
            if any(p is None for p in parts):
                missing = next(k for k, p in zip(sheet.key.columns, parts, strict=True) if p is None)
                reader.tell(
                    "row.no_key",
                    f"这一行没有填写“{known[missing].title}”",
                    sheet=sheet.sheet,
                    column=missing,
                    title=sheet.title.zh,
                    cell=f"第{n}行",
                    got="空",
                    wanted=f"填写“{known[missing].title}”",
                    fix="补填，或删去这一行。",
                )
                continue
            key = "|".join(str(p).replace("|", "｜") for p in parts)
        if key in seen:
            reader.tell(
                "row.twice",
                f"“{form.key_name(sheet, key)}”重复填报",
                sheet=sheet.sheet,
                key=key,
                title=sheet.title.zh,
                cell=f"第{n}行",
                got=f"第{seen[key]}行已有",
                wanted="每项只填一行",
                fix="删去其中一行。",
            )
            continue
        seen[key] = n
        out.append(Row(key, cells))
    reader.reading.data[sheet.sheet] = out
    reader.reading.seen.rows += len(out)
    reader.reading.seen.cells += sum(v is not None for row in out for v in row.cells.values())


def from_paste(
    text: str, form: Form, sheet: str, start: tuple[str, str] | None = None, keys: Sequence[str] = ()
) -> Reading:
    """Cells copied from a spreadsheet (tabs and lines) as Data holding only what was pasted.

    With a header row among them, columns are matched by it. Else ``start`` = (row key, column) is the corner they are
    pasted at and ``keys`` the rows shown in the grid, in order; pasting at a key column makes rows of its own.
    """
    reader = _Reader(form, "")
    entry = form.sheet(sheet)
    rows: list[list[Any]] = [
        line.split("\t") for line in text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    ]
    width = max(map(len, rows))
    if len(rows) > guard.MAX_ROWS or width > 2000:
        reader.tell(
            "paste.too_big",
            "粘贴的内容过多",
            sheet=sheet,
            title=entry.title.zh,
            got=f"{len(rows)}行{width}栏",
            fix="改用上传文件。",
        )
        return reader.done()
    grid = Grid(entry.title.zh, [row + [""] * (width - len(row)) for row in rows], [], set(), False)
    header = reader._header(entry, grid)
    named = len(header.columns or header.cells) if header is not None else 0
    if header is not None and named >= 2 and named >= len(header.unknown):
        (reader._record if entry.record else reader._table)(entry, grid, header)
        reader.reading.problems = [p for p in reader.problems.list() if p.code not in _NOT_PASTED]
        return reader.reading
    codes = [c.code for c in entry.columns]
    key, column = start or ("", codes[0])
    span = codes[codes.index(column) :] if column in codes else []
    if width > len(span):
        reader.tell(
            "paste.wide",
            "粘贴的栏数多于表格",
            sheet=sheet,
            column=column,
            title=entry.title.zh,
            got=f"{width}栏",
            wanted=f"不多于{len(span)}栏",
            fix="核对起始单元格。",
        )
        return reader.done()
    if entry.record:
        return _paste_record(reader, entry, codes, column, grid)
    assert entry.key is not None
    if set(entry.key.columns) <= set(span[:width]):
        header = Header(-1, -1, 0, {code: j for j, code in enumerate(span[:width])}, {}, {}, {}, [], [], 1.0)
        reader._table(entry, grid, header)
        reader.reading.problems = [p for p in reader.problems.list() if p.code not in _NOT_PASTED]
        return reader.reading
    shown = list(keys)
    at = shown.index(key) if key in shown else len(shown)
    if at + len(rows) > len(shown):
        reader.tell(
            "paste.long",
            "粘贴的行数多于表格",
            sheet=sheet,
            column=column,
            title=entry.title.zh,
            got=f"{len(rows)}行",
            wanted=f"不多于{len(shown) - at}行",
            fix="先添加行，或连同关键栏目一起粘贴。",
        )
        return reader.done()
    out = []
    for row_key, row in zip(shown[at:], grid.rows, strict=False):
        cells = {
            code: canonical(v, form.column(sheet, code), form.options(sheet, code))
            for code, v in zip(span, row, strict=False)
        }
        out.append(Row(row_key, cells))
    reader.reading.data[sheet] = out
    reader.reading.seen.rows = len(out)
    return reader.done()


def _paste_record(reader: _Reader, sheet: Sheet, codes: list[str], column: str, grid: Grid) -> Reading:
    """Downwards from the line named: one value a line (the last filled cell of each)."""
    span = codes[codes.index(column) :]
    if len(grid.rows) > len(span):
        reader.tell(
            "paste.long",
            "粘贴的行数多于表格",
            sheet=sheet.sheet,
            column=column,
            title=sheet.title.zh,
            got=f"{len(grid.rows)}行",
            wanted=f"不多于{len(span)}行",
            fix="核对起始单元格。",
        )
        return reader.done()
    cells = {}
    for code, row in zip(span, grid.rows, strict=False):
        filled = [v for v in row if v not in ("", None)]
        cells[code] = canonical(
            filled[-1] if filled else None,
            reader.form.column(sheet.sheet, code),
            reader.form.options(sheet.sheet, code),
        )
    reader.reading.data[sheet.sheet] = [Row("", cells)]
    reader.reading.seen.rows = 1
    return reader.done()
