"""The observations that accepted data give: what ``publishes`` asks for, exact and with its cell."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.formula.exact import total
from lvheng.core.period import Kind, Period
from lvheng.filing.forms import expression
from lvheng.filing.forms.book import Form
from lvheng.filing.forms.checking import Context, Values
from lvheng.filing.forms.data import Data
from lvheng.filing.forms.entries import Publish


@dataclass(frozen=True, slots=True)
class FiledFigure:
    """As ``observations.store.Figure`` without source and quality, which the filing knows."""

    indicator: str
    subject: str
    period: str
    value: Decimal
    unit: str
    item: str
    reference: str  # sheet/key/column or expression


def figures(form: Form, data: Data, subject: str, period: Period, previous: Data | None = None) -> list[FiledFigure]:
    """The figures of a filing. A blank cell gives none; ``previous`` feeds expressions with ``prev.``.

    Rows that give the same figure (one pollutant at several outlets) are added exactly.
    """
    values = Values(form, data, Context(period, subject, previous=previous))
    out: dict[tuple[str, str, str, str], FiledFigure] = {}
    for publish, gives, where in form.publishes:
        sheet = form.sheet(publish.sheet)
        table = values.table("", publish.sheet)
        unit = publish.unit or _unit(form, publish)
        code = _period(period, publish.period)
        names = sheet.key.columns if sheet.key else ()
        for i, row in enumerate(table.rows):
            if sheet.key and row.key in sheet.key.totals:
                continue
            if where is not None and expression.holds(where.node, values.leaf(where.refs, sheet, i)) is not True:
                continue
            value = expression.evaluate(gives, values.leaf(gives.refs, sheet, i))
            if value is None:
                continue
            parts = dict(zip(names, row.key.split("|"), strict=False))
            whose = parts.get(publish.subject, subject) if publish.subject else subject
            item = parts.get(publish.item, "") if publish.item else ""
            at = (publish.indicator, whose, code, item)
            where_from = "/".join((publish.sheet, row.key, publish.value))
            if (other := out.get(at)) is not None:
                value, where_from = total([other.value, value]), other.reference
            out[at] = FiledFigure(publish.indicator, whose, code, value, unit, item, where_from)
    return list(out.values())


def _unit(form: Form, publish: Publish) -> str:
    """The unit of the plain column published; for an expression the form says it (checked when it loads)."""
    return form.column(publish.sheet, publish.value).unit


def _period(period: Period, kind: Kind | None) -> str:
    """The period of another kind that ends with the filing's, or its own."""
    return period.code if kind is None else Period.containing(period.end, kind).code
