"""Sums over the filings of many bodies beside one figure: what units filed against their county, counties against the city."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.formula.exact import total
from lvheng.core.period import Period
from lvheng.filing.forms import expression
from lvheng.filing.forms.book import Form
from lvheng.filing.forms.checking import Context, Values
from lvheng.filing.forms.data import Data
from lvheng.filing.forms.entries import Sum
from lvheng.filing.forms.expression import Expression


def filed_value(entry: Sum, home: Form, value: Expression, data: Data, period: Period) -> Decimal | None:
    """What one body's filing adds to the sum; None when it says nothing. Rows that add up others are left out."""
    sheet = home.sheet(entry.of)
    values = Values(home, data, Context(period))
    totals = sheet.key.totals if sheet.key else ()
    found: list[Decimal] = []
    for i, row in enumerate(values.table("", entry.of).rows):
        if row.key in totals or (entry.row and row.key != entry.row):
            continue
        exact = expression.evaluate(value, values.leaf(value.refs, sheet, i))
        if exact is not None:
            found.append(exact)
    return total(found) if found else None


@dataclass(frozen=True, slots=True)
class Balance:
    """A figure beside the sum of what was filed below. ``agrees`` is None while it cannot be judged."""

    own: Decimal | None
    below: Decimal | None
    difference: Decimal | None
    share: Decimal | None  # difference in % of the figure
    agrees: bool | None


def balance(entry: Sum, own: Decimal | None, below: Iterable[Decimal], *, complete: bool) -> Balance:
    """Whether figure and sum agree. What is incomplete may be less than the figure, never more."""
    found = list(below)
    added = total(found) if found else None
    if own is None or added is None:
        return Balance(own, added, None, None, None)
    difference = added - own
    share = difference / abs(own) * 100 if own else None
    allowed = max(abs(own), abs(added)) * entry.relative / 100
    if difference > allowed:
        agrees: bool | None = False
    elif entry.relation == "at_most":
        agrees = True
    else:
        agrees = difference >= -allowed if complete else None
    return Balance(own, added, difference, share, agrees)
