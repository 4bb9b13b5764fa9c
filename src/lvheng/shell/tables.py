"""A table for a page, the same rows for the screen and for JSON, CSV and xlsx.

A row is a dict by column key. A cell is a plain value, or :class:`Cell` where the screen shows more
than the value (a link, a state, the reason why it is missing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from lvheng.core import tables as exports
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import rounded, show
from lvheng.plan.rules import State
from lvheng.shell.words import bracketed

EXPORTED = 10  # decimals: more than any rule states, and no quotient's endless tail


@dataclass(frozen=True, slots=True)
class Column:
    """``unit`` stands in the header; ``places`` fixes the decimals; ``number`` sets right; ``wide`` lets text wrap."""

    key: str
    title: str
    unit: str = ""
    places: int | None = None
    number: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """``value`` is exported; ``html`` (safe) or ``text`` is shown; ``order`` sorts."""

    value: Any = None
    text: str = ""
    url: str = ""
    html: SafeString | str = ""
    reason: str = ""
    order: Any = None
    places: int | None = None


@dataclass(slots=True)
class Table:
    """Columns and rows, with what print and export need: title, notes (sources, as-of), what totals say over."""

    columns: Sequence[Column]
    rows: list[dict[str, Any]]
    title: str = ""
    notes: Sequence[str] = ()
    foot: dict[str, Any] | None = None
    empty: str = ""
    name: str = "表"
    formats: tuple[str, ...] = exports.FORMATS
    filterable: bool = True
    export_query: str = ""  # an address, or what is added to the present one to name this table among several
    classes: str = ""
    marked: dict[int, str] = field(default_factory=dict)  # row number → class

    @property
    def body(self) -> list[tuple[str, list[SafeString]]]:
        return [
            (self.marked.get(i, ""), [_cell(c, row.get(c.key), first=j == 0) for j, c in enumerate(self.columns)])
            for i, row in enumerate(self.rows)
        ]

    @property
    def footer(self) -> list[SafeString]:
        return (
            [_cell(c, (self.foot or {}).get(c.key), first=i == 0) for i, c in enumerate(self.columns)]
            if self.foot
            else []
        )

    def plain_rows(self) -> list[dict[str, Any]]:
        return [
            {c.key: _plain(row.get(c.key)) for c in self.columns}
            for row in [*self.rows, *([self.foot] if self.foot else [])]
        ]


def _plain(value: Any) -> Any:
    """What is exported: figures as they are kept, quotients to EXPORTED decimals."""
    if isinstance(value, Cell):
        value = value.value
    if isinstance(value, Decimal) and value.is_finite() and value.as_tuple().exponent < -EXPORTED:  # type: ignore[operator]
        return rounded(value, EXPORTED)
    return gettext(value.label) if isinstance(value, State) else value


def _cell(column: Column, given: Any, *, first: bool) -> SafeString:
    cell = given if isinstance(given, Cell) else Cell(given)
    value, tag = cell.value, "th" if first else "td"
    numeric = column.number or (isinstance(value, (Decimal, int)) and not isinstance(value, bool))
    if cell.html:
        shown: Any = cell.html
    elif cell.text:
        shown = cell.text
    elif value is None and (numeric or cell.reason):
        why = cell.reason or gettext("尚无数据。")
        shown = format_html(
            '<span class="missing" tabindex="0" title="{0}">—<span class="unseen">{0}</span></span>', why
        )
    elif isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        shown = show(Decimal(value), cell.places if cell.places is not None else column.places)
    elif isinstance(value, State):
        from lvheng.shell.templatetags.figures import state

        shown = state(value)
    else:
        shown = "" if value is None else str(value)
    if cell.url:
        shown = format_html('<a href="{}">{}</a>', cell.url, shown)
    order = cell.order if cell.order is not None else value
    if isinstance(order, State):
        order = order.rank
    return format_html(
        "<{0}{1}{2}{3}>{4}</{0}>", tag, mark_safe(' scope="row"') if first else "",
        mark_safe(' class="n"') if numeric else mark_safe(' class="wide"') if column.wide else "",
        format_html(' data-order="{}"', order) if order is not None and (numeric or cell.order is not None or isinstance(value, State)) else "",
        shown,
    )  # fmt: skip


def wanted_format(request: HttpRequest) -> str:
    """The format asked for by ``?format=``; empty for the page. Raises ProblemError for one that does not exist."""
    asked = request.GET.get("format", "")
    if asked in ("", "html"):
        return ""
    if asked not in exports.FORMATS:
        raise ProblemError(
            Problem(
                "web.format.refused",
                "没有这种导出格式",
                got=asked[:20].upper(),
                wanted="、".join(f.upper() for f in exports.FORMATS),
                fix="改用所列格式之一。",
            )
        )
    return asked


def download(table: Table, fmt: str) -> HttpResponse:
    """The table as a file, with its title and notes."""
    columns = [exports.Column(c.key, c.title + bracketed(c.unit), "", c.places) for c in table.columns]
    body = exports.render(columns, table.plain_rows(), fmt, title=table.title, notes=table.notes)
    response = HttpResponse(body, content_type=exports.CONTENT_TYPES[fmt])
    if fmt != "json":
        response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(f'{table.title or table.name}.{fmt}')}"
    return response
