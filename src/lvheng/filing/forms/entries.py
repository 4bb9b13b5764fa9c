"""A form as written in ``rulebook/forms/*.yaml``; what cannot be said here cannot be asked of a filer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Severity
from lvheng.core.rulebook import Dated, Fault, Number, SourceEntry, Title
from lvheng.core.yamlfile import Entry

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
RESERVED = {"prev", "last_year", "total", "row", "key", "other", "period", "p", "chosen", "filled"}


class Option(Entry):
    """One choice of an inline list; more attributes (unit …) in ``more``."""

    code: str
    name: str
    name_en: str = ""
    aliases: tuple[str, ...] = ()
    unit: str = ""


class Column(Entry):
    """A column (of a record sheet: a line).

    ``minimum``/``maximum`` are hard limits; ``usual`` bounds and ``change`` (% against last period) ask for a reason.
    ``unit: "@"`` is the unit of the row's key. ``within`` names the column whose code must stand above this one's.
    """

    code: Code
    title: Title
    unit: str = ""
    type: Literal["number", "integer", "text", "date", "option", "yesno"] = "number"
    places: int = Field(default=2, ge=0, le=8)
    minimum: Number | None = None
    maximum: Number | None = None
    usual_minimum: Number | None = None
    usual_maximum: Number | None = None
    change: Number | None = None
    required: bool = False
    required_if: str = ""
    options: str | tuple[Option, ...] = ()
    level: str = ""
    within: str = ""
    format: Literal["", "credit_code", "year", "phone", "region"] = ""
    length: int = Field(default=200, ge=1, le=4000)
    help: str = ""
    article: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        return self.type in ("number", "integer")


class Attribute(Entry):
    """A column of a dated table of the rulebook whose column ``by`` holds the key."""

    rule: str
    column: str
    by: str = "code"


class Keys(Entry):
    """What makes a row: one or more columns; ``rows`` the rows that must all stand, ``fixed`` no others.

    ``totals``: keys of rows that add up others, left out of ``total.column``.
    ``attributes``: numbers of a dated table by the code of the (first) key column, as ``key.name`` in expressions.
    """

    columns: tuple[Code, ...]
    rows: tuple[str, ...] = ()
    fixed: bool = False
    totals: tuple[str, ...] = ("total",)
    attributes: dict[Code, Attribute] = {}


class Sheet(Entry):
    """One sheet. Without ``key`` it is a record: one row, laid out downwards."""

    sheet: Code
    title: Title
    aliases: tuple[str, ...] = ()
    key: Keys | None = None
    columns: tuple[Column, ...] = Field(min_length=1)
    required: bool = True
    exact_header: bool = False
    help: str = ""

    @property
    def record(self) -> bool:
        return self.key is None


class Check(Entry):
    """A comparison that must hold. Missing numbers make it not applicable, never zero.

    ``scope`` row: each row of ``sheet``; sheet/form: once; previous and other_form: as row (or once without a keyed
    sheet), told apart for people. ``tolerance`` is in the unit of the sides, ``relative`` in % of the larger side.
    """

    check: Code
    scope: Literal["row", "sheet", "form", "previous", "other_form"]
    sheet: str = ""
    expr: str
    when: str = ""
    at: str = ""
    tolerance: Number = Decimal(0)
    relative: Number = Decimal(0)
    severity: Severity = Severity.ERROR
    message: Title
    wanted: str = ""
    fix: str = ""
    source: str = ""


class Publish(Entry):
    """An indicator that accepted rows give: ``value`` is an expression over the row, in ``unit``.

    ``item``: key column whose code is the item ("" none). ``subject``: key column whose code is the region.
    ``period``: the kind recorded under when not the form's own (a December month also gives the year).
    """

    indicator: str
    sheet: Code
    value: str
    unit: str = ""
    item: str = ""
    subject: str = ""
    where: str = ""
    period: Kind | None = None


class Sum(Entry):
    """What bodies below filed beside a figure of a record sheet: ``value`` added over the rows of their ``form``.

    ``below`` units: the units of the county that file; counties: those of the city. ``row``: that row alone.
    ``divisions``: first and last division of GB/T 4754 that counts. ``relation`` at_most: the sum may not be
    more than the figure; equal: it is the figure once all have filed. ``relative`` is in % of the larger side.
    ``indicator``: what the accepted ``value`` is recorded under, so that an explanation can go down to the forms.
    """

    sum: Code
    title: Title
    sheet: Code
    column: Code
    below: Literal["units", "counties"]
    form: Code
    of: Code
    value: str
    row: str = ""
    divisions: tuple[str, str] | None = None
    relation: Literal["equal", "at_most"] = "equal"
    relative: Number = Decimal(0)
    indicator: str = ""
    fix: str = ""
    source: str = ""


class Filer(Entry):
    role: Literal["enterprise", "county", "department"]
    body: tuple[str, ...] = ()
    energy_class: tuple[str, ...] = ()
    discharger: bool = False


class Due(Entry):
    """``months_after`` the period's last month and the day in it; or a month and day of the following year."""

    day: int = Field(ge=1, le=31)
    months_after: int | None = Field(default=None, ge=1, le=24)
    month: int | None = Field(default=None, ge=1, le=12)

    def of(self, period: Period) -> date:
        """The last day to file for a period (the month's last day where it is shorter)."""
        end = period.end
        if self.month is not None:
            year, month = end.year + 1, self.month
        else:
            index = end.year * 12 + end.month - 1 + (self.months_after or 1)
            year, month = index // 12, index % 12 + 1
        return date(year, month, min(self.day, Period.of_month(year, month).end.day))


class FormEntry(Dated):
    """One version of a form."""

    form: Code
    code: str
    title: Title
    source: SourceEntry
    filer: Filer
    reviewers: tuple[Literal["county", "city"], ...] = ("city",)
    frequency: Kind
    due: Due
    nil_return: bool = False
    instructions: tuple[str, ...] = ()
    sheets: tuple[Sheet, ...] = Field(min_length=1)
    checks: tuple[Check, ...] = ()
    publishes: tuple[Publish, ...] = ()
    sums: tuple[Sum, ...] = ()

    @property
    def key(self) -> str:
        return self.form

    def faults(self) -> Iterator[Fault]:
        yield from super().faults()
        if self.frequency in (Kind.PLAN, Kind.HOUR, Kind.YTD):
            yield Fault(
                "frequency", "填报频度不合规定", got=self.frequency.value, wanted="year、half、quarter、month、day"
            )
        if (self.due.month is None) == (self.due.months_after is None):
            yield Fault("due", "期限须写月份或期后几个月之一", wanted="months_after和day，或month和day")
        if self.due.month is not None and self.frequency is not Kind.YEAR:
            yield Fault("due", "只有年报可用次年某月某日作期限", got=self.frequency.value, wanted="months_after和day")
        yield from _twice("sheets", "工作表编号", [s.sheet for s in self.sheets])
        yield from _twice("sheets", "工作表名称", [s.title.zh for s in self.sheets])
        yield from _twice("checks", "审核关系编号", [c.check for c in self.checks])
        yield from _twice("sums", "汇总核对编号", [s.sum for s in self.sums])
        for sheet in self.sheets:
            yield from _twice("sheets", f"“{sheet.title}”的栏目编号", [c.code for c in sheet.columns])
            yield from _twice("sheets", f"“{sheet.title}”的栏目名称", [c.title.zh for c in sheet.columns])
            yield from _sheet(sheet)


def _twice(field: str, what: str, words: list[str]) -> Iterator[Fault]:
    for word in sorted({w for w in words if words.count(w) > 1}):
        yield Fault(field, f"{what}重复", got=word, fix="改用不同的名称。")


def _sheet(sheet: Sheet) -> Iterator[Fault]:
    codes = {c.code for c in sheet.columns}
    title = sheet.title.zh
    if sheet.sheet in RESERVED:
        yield Fault("sheets", "工作表编号与表达式的用词相同", got=sheet.sheet, fix="改用其他编号。")
    for name in sheet.key.columns if sheet.key else ():
        if name not in codes:
            yield Fault("sheets", f"“{title}”没有这个关键栏目", got=name, wanted="、".join(sorted(codes)))
    if sheet.key and sheet.key.fixed and not sheet.key.rows:
        yield Fault("sheets", f"“{title}”行次固定，却没有列出各行", wanted="rows")
    for column in sheet.columns:
        name = f"“{title}”的“{column.title}”"
        if column.code in RESERVED:
            yield Fault("sheets", f"{name}编号与表达式的用词相同", got=column.code, fix="改用其他编号。")
        if (column.type == "option") != bool(column.options):
            yield Fault("sheets", f"{name}的类型与选项不一致", got=column.type, wanted="type: option与options同时写")
        if column.minimum is not None and column.maximum is not None and column.minimum > column.maximum:
            yield Fault("sheets", f"{name}的下限大于上限", got=str(column.minimum), wanted=f"不大于{column.maximum}")
        if column.within and column.within not in codes:
            yield Fault("sheets", f"{name}的上级栏目不存在", got=column.within, wanted="、".join(sorted(codes)))
        limits = (column.minimum, column.maximum, column.usual_minimum, column.usual_maximum, column.change)
        if not column.numeric and any(v is not None for v in limits):
            yield Fault("sheets", f"{name}不是数字，不能有上下限", got=column.type)
        if column.numeric and (column.format or column.level or column.within):
            yield Fault("sheets", f"{name}是数字，不能有格式或上级", got=column.type)
