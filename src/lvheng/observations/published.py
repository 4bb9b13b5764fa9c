"""Published tables: ``data/published/*.yaml``, each beside its CSV, read into rows of exact figures.

The YAML says what the table is, where it is from and how its columns are to be read:

``values``   a wide table: each named column is an indicator (with its unit, and its period where the columns are
             years); the row gives the region, ``period`` is the table's own or a column of that name.
``long``     one figure a row, in columns region, period, indicator, item, value, unit.
``grades``   outcomes in words or grades, not numbers: assessment grades (超额完成 …) and early-warning grades (1 red,
             2 yellow, 3 green). They are no observations, since a grade is neither measured nor added up; the pages
             read them with :func:`load_published` as :class:`PublishedGrade`.

Columns ``document``, ``url``, ``confidence`` and ``note`` of a row, where given, say it more exactly than the table does.
Values keep the digits they were published with; an empty cell is no figure, never zero. Regions are codes of
``data/regions-cn.yaml``. A figure may stand in one table only.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from lvheng.core.period import Period
from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.core.quantity import compatible
from lvheng.core.region import Region, RegionTree
from lvheng.core.rulebook import SourceEntry, Title
from lvheng.core.source import Confidence, Source
from lvheng.core.yamlfile import Document, Entry, load, validate
from lvheng.observations.catalogue import Catalogue
from lvheng.plan.schema import RegionsFile

ASSESSMENT_GRADES = ("超额完成", "完成", "基本完成", "未完成", "年度完成但落后进度")  # the last was used for 2011 only


class ValueColumn(Entry):
    """A column that holds one indicator."""

    column: str
    indicator: str
    unit: str
    period: str = ""
    item: str = ""


class GradeColumns(Entry):
    """The columns of a table of grades."""

    kind: Literal["assessment", "warning"]
    scope: str
    period: str
    dial: str
    outcome: str


class TableHead(Entry):
    """What a table is and how to read it."""

    id: str
    title: Title
    file: str
    source: SourceEntry
    period: str = ""
    values: tuple[ValueColumn, ...] = ()
    long: bool = False
    grades: GradeColumns | None = None
    confidence: str = ""  # the column that holds it, where rows differ
    note: str = ""


class TableFile(Entry):
    table: TableHead


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One published figure. ``row`` is the line in the CSV, from 1 with the header."""

    indicator: str
    region: str
    period: Period
    item: str
    value: Decimal
    unit: str
    source: Source
    table: str
    row: int
    note: str = ""
    quality: str = "published"

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.indicator, self.region, self.period.code, self.item


@dataclass(frozen=True, slots=True)
class PublishedGrade:
    """One published outcome: an assessment grade in words, or an early-warning grade (1 is worst)."""

    kind: str
    scope: str  # the region whose authority graded its parts
    dial: str
    region: str
    period: Period
    outcome: str
    source: Source
    table: str
    row: int


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table with its figures and grades; ``digest`` changes with any byte of either file."""

    id: str
    title: Title
    source: Source
    note: str
    digest: str
    rows: tuple[PublishedRow, ...] = ()
    grades: tuple[PublishedGrade, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """All published tables and the regions they speak of."""

    regions: RegionTree
    tables: tuple[PublishedTable, ...] = field(default=())

    def rows(self) -> Iterator[PublishedRow]:
        return (row for table in self.tables for row in table.rows)

    def grades(self) -> Iterator[PublishedGrade]:
        return (grade for table in self.tables for grade in table.grades)


def load_regions(path: Path | str) -> RegionTree:
    """The regions of a file like ``data/regions-cn.yaml``. Raises ProblemError."""
    file = validate(RegionsFile, load(path, shown_as=Path(path).name))
    return RegionTree(Region(**r.model_dump()) for r in file.regions)


def load_published(data: Path | str, catalogue: Catalogue) -> Published:
    """Everything under ``data/``; raises ProblemError with every fault at table and row."""
    published, problems = read_published(data, catalogue)
    if stops(problems):
        raise ProblemError(problems)
    return published


def read_published(data: Path | str, catalogue: Catalogue) -> tuple[Published, list[Problem]]:
    """All tables that can be read, and every problem found in them."""
    root = Path(data)
    try:
        regions = load_regions(root / "regions-cn.yaml")
    except ProblemError as error:
        return Published(RegionTree([])), error.problems
    tables: list[PublishedTable] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str, str, str], PublishedRow] = {}
    for path in sorted((root / "published").glob("*.yaml")):
        try:
            document = load(path, shown_as=path.name)
            reader = _Reader(path.parent, validate(TableFile, document).table, document, regions, catalogue)
            table = reader.read()
        except ProblemError as error:
            problems += error.problems
            continue
        problems += reader.problems
        for row in table.rows:
            if (first := seen.setdefault(row.key, row)) is not row:
                problems.append(
                    Problem(
                        "observations.published.twice", "同一数据在公开发布表中出现两次",
                        place=Place(table=table.id, row=row.row), got=f"{row.value}{row.unit}",
                        wanted=f"只在表“{first.table}”第{first.row}行", fix="删去其中一处。",
                    )
                )  # fmt: skip
        tables.append(table)
    return Published(regions, tuple(tables)), problems


class _Reader:
    def __init__(self, folder: Path, head: TableHead, document: Document, regions: RegionTree, catalogue: Catalogue):
        self.folder, self.head, self.document, self.regions, self.catalogue = folder, head, document, regions, catalogue
        self.source = head.source.source
        self.problems: list[Problem] = []

    def problem(self, row: int, column: str, message: str, *, got: str, wanted: str = "", fix: str) -> None:
        place = Place(file=self.head.file, table=self.head.title.zh, row=row, field=column)
        self.problems.append(
            Problem("observations.published.cell", message, place=place, got=got, wanted=wanted, fix=fix)
        )

    def read(self) -> PublishedTable:
        """The table; cells that cannot be read become problems. Raises ProblemError for the file as a whole."""
        head = self.head
        try:
            content = (self.folder / head.file).read_bytes()
            text = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            raise ProblemError(
                Problem("core.file.unreadable", "数据表读不出", place=self.document.place(("table", "file")), got=head.file,
                        fix="核对文件名，用UTF-8编码保存。")
            ) from None  # fmt: skip
        lines = csv.DictReader(text.splitlines())
        missing = [c for c in self.columns() if c not in (lines.fieldnames or ())]
        if missing or [head.long, bool(head.values), bool(head.grades)].count(True) != 1:
            raise ProblemError(
                Problem("observations.published.columns", "数据表的栏目与说明不符", place=self.document.place(("table",)),
                        got="、".join(lines.fieldnames or ()), wanted="、".join(missing) or "long、values、grades三者之一",
                        fix="核对表头和说明文件。")
            )  # fmt: skip
        rows: list[PublishedRow] = []
        grades: list[PublishedGrade] = []
        for cells in lines:
            number = lines.line_num
            if None in cells or None in cells.values():
                self.problem(number, "", "栏数与表头不符", got=str(len(cells)), fix="逐栏补齐，没有数的留空。")
                continue
            if head.grades:
                grades += self.grade(cells, number, head.grades)
            else:
                rows += self.figures(cells, number)
        digest = hashlib.sha256(self.document.file.encode() + repr(self.document.data).encode() + content).hexdigest()
        return PublishedTable(head.id, head.title, self.source, head.note, digest, tuple(rows), tuple(grades))

    def columns(self) -> list[str]:
        head = self.head
        if head.grades:
            return ["region", head.grades.scope, head.grades.period, head.grades.dial, head.grades.outcome]
        if head.long:
            return ["region", "period", "indicator", "item", "value", "unit"]
        return ["region", *(v.column for v in head.values)] + ([head.confidence] if head.confidence else [])

    def figures(self, cells: dict[str, str], row: int) -> Iterator[PublishedRow]:
        if self.head.long:
            yield from self.figure(
                cells, row, "value", cells["indicator"], cells["unit"], cells["period"], cells["item"]
            )
            return
        for v in self.head.values:
            yield from self.figure(cells, row, v.column, v.indicator, v.unit, v.period or self.head.period, v.item)

    def figure(
        self, cells: dict[str, str], row: int, column: str, indicator: str, unit: str, period: str, item: str
    ) -> Iterator[PublishedRow]:
        if not cells[column].strip():
            return
        value, when = self.number(cells[column], row, column), self.period(period, row)
        place, source = self.region(cells["region"], row), self.source_of(cells, row)
        if indicator not in self.catalogue:
            self.problem(row, column, "指标目录中没有这个指标", got=indicator, fix="改正指标代码，或在指标目录补录。")
            return
        entry = self.catalogue[indicator]
        try:
            fits = compatible(unit, entry.unit)
        except ProblemError:
            fits = False
        if not fits:
            self.problem(
                row, column, "计量单位与指标不符", got=unit, wanted=f"可换算为{entry.unit}的单位", fix="改正计量单位。"
            )
            return
        if bool(item) != bool(entry.dimensions):
            self.problem(
                row, column, "分项与指标不符", got=item, wanted="、".join(entry.dimensions) or "空", fix="改正分项。"
            )
            return
        if value is not None and when is not None and place:
            yield PublishedRow(
                indicator, place, when, item, value, unit, source, self.head.id, row, cells.get("note", "")
            )

    def grade(self, cells: dict[str, str], row: int, columns: GradeColumns) -> Iterator[PublishedGrade]:
        when = self.period(cells[columns.period], row)
        scope, place = self.region(cells[columns.scope], row), self.region(cells["region"], row)
        outcome = cells[columns.outcome].strip()
        allowed = ("1", "2", "3") if columns.kind == "warning" else ASSESSMENT_GRADES
        if outcome not in allowed:
            self.problem(row, columns.outcome, "等级不认识", got=outcome, wanted="、".join(allowed), fix="按原文改正。")
        elif when is not None and scope and place:
            source = self.source_of(cells, row)
            yield PublishedGrade(
                columns.kind, scope, cells[columns.dial], place, when, outcome, source, self.head.id, row
            )

    # --- cells --------------------------------------------------------------------------------
    def number(self, text: str, row: int, column: str) -> Decimal | None:
        try:
            value = Decimal(text.strip())
        except InvalidOperation:
            value = Decimal("NaN")
        if value.is_finite():
            return value
        self.problem(row, column, "不是数字", got=text, wanted="数字，如-1.83", fix="只写数字，单位写在单位栏。")
        return None

    def period(self, text: str, row: int) -> Period | None:
        try:
            return Period.parse(text)
        except ProblemError as error:
            fault = error.problems[0]
            self.problem(row, "period", fault.message, got=text, wanted=fault.wanted, fix=fault.fix)
            return None

    def region(self, text: str, row: int) -> str:
        if text in self.regions:
            return text
        self.problem(row, "region", "地区不在区划表中", got=text, wanted="区划代码", fix="在regions-cn.yaml补录。")
        return ""

    def source_of(self, cells: dict[str, str], row: int) -> Source:
        """The table's source, told more exactly where the row says more."""
        named = cells.get("document", "").strip()
        source = self.source
        if named and named != source.document:
            source = Source(named, url=cells.get("url", ""), confidence=source.confidence)
        elif cells.get("url"):
            source = replace(source, url=cells["url"])
        mark = cells.get(self.head.confidence or "confidence", "").strip()
        if mark:
            try:
                source = replace(source, confidence=Confidence(mark))
            except ValueError:
                self.problem(
                    row, "confidence", "核实程度不认识", got=mark, wanted="V、K-h、K-m、K-l、U", fix="改正标记。"
                )
        return source
