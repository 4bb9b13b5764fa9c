"""The expressions of checks and published figures: core's formula syntax with names for cells.

=======================  ====================================================================
``use``                  the column, in the same row (of a record sheet: the line)
``total.use``            the column added over the sheet's rows, rows of totals left out
``row.coal.use``         the column in the row with that key
``balance.use``          the column in another sheet: same key, or the line of a record sheet
``balance.total.use``    … ``balance.row.coal.use``
``prev.use``             the same in last period's filing; ``last_year.…`` a year earlier
``other.form.sheet.use`` the same in another form of the same subject ending on the same day
``key.factor_low``       a number of the row's key, from the rulebook
``chosen.kind.solar``    1 when the option is chosen, else 0; ``filled.use`` 1 when not blank
``period.month``         also ``quarter`` and ``year``, of the period's last day
``p.rule.id``            a parameter of the rulebook in force on the period's last day
=======================  ====================================================================

A missing number makes the whole expression missing; ``coalesce(x, 0)`` says where zero is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from lvheng.core.formula import exact
from lvheng.core.formula.syntax import (
    WINDOWS,
    Bands,
    Binary,
    Coalesce,
    Compare,
    Function,
    If,
    Logic,
    Name,
    Negative,
    Node,
    Number,
    Param,
    Power,
    Round,
    parse,
)
from lvheng.core.problem import Place, Problem, ProblemError

_WORDS = {"==": "", "!=": "不等于", "<": "小于", "<=": "不大于", ">": "大于", ">=": "不小于"}
_EDGE = 1e-9  # far above the rounding of a few float operations, far below any tolerance in use


@dataclass(frozen=True, slots=True)
class Ref:
    """A name resolved. ``source``: "" this filing, prev, last_year, or the id of another form.

    ``how``: same (row), row, total, key, chosen, filled, period.
    """

    how: str
    sheet: str = ""
    column: str = ""
    key: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed text with its names resolved."""

    text: str
    node: Node
    refs: dict[str, Ref]

    @property
    def rules(self) -> set[str]:
        return {n.rule for n in self.node.walk() if isinstance(n, Param)}

    @property
    def first(self) -> str:
        """The first plain column named: where a broken identity is shown unless the check says otherwise."""
        plain = [
            n.code
            for n in self.node.walk()
            if isinstance(n, Name) and self.refs[n.code].how == "same" and not self.refs[n.code].source
        ]
        return plain[0] if plain else ""


Resolve = Callable[[str], Ref | str]  # a Ref, or what is wrong with the name


def condition(text: str, resolve: Resolve, place: Place) -> Expression:
    """A comparison (with and/or/not). Raises ProblemError at the file's line."""
    tree = _parse(f"if_({text}, 1, 0)", place)
    assert isinstance(tree, If)
    return _expression(text, tree.condition, resolve, place)


def value(text: str, resolve: Resolve, place: Place) -> Expression:
    """A number. Raises ProblemError at the file's line."""
    return _expression(text, _parse(text, place), resolve, place)


def _parse(text: str, place: Place) -> Node:
    try:
        return parse(text)
    except ProblemError as error:
        raise ProblemError(replace(p, place=place, code="filing.form.expression") for p in error) from None


def _expression(text: str, node: Node, resolve: Resolve, place: Place) -> Expression:
    refs: dict[str, Ref] = {}

    def fault(message: str, got: str, wanted: str = "") -> ProblemError:
        return ProblemError(Problem("filing.form.expression", f"表达式{message}", place=place, got=got, wanted=wanted, fix="按表单说明中的写法改正。"))  # fmt: skip

    for n in node.walk():
        if isinstance(n, (*WINDOWS, Bands)):
            raise fault("用了表单中没有的函数", text, "prev.栏目、total.栏目、row.行.栏目等")
        if isinstance(n, Name):
            found = resolve(n.code)
            if isinstance(found, str):
                raise fault(found, n.code)
            refs[n.code] = found
    return Expression(text, node, refs)


# --- exact ------------------------------------------------------------------------------------------
Leaf = Callable[[Node], Decimal | None]


@dataclass(frozen=True, slots=True)
class Broken:
    """A comparison that does not hold, with both sides."""

    op: str
    left: Decimal
    right: Decimal

    @property
    def words(self) -> str:
        return _WORDS[self.op]


def evaluate(expression: Expression, leaf: Leaf) -> Decimal | None:
    return exact.evaluate(expression.node, leaf, lambda _: None, [])


def broken(node: Node, leaf: Leaf, tolerance: Decimal, relative: Decimal) -> Broken | None:
    """The first comparison that fails, or None when the condition holds or cannot be told."""
    state, why = _holds(node, leaf, tolerance, relative)
    return why if state is False else None


def holds(node: Node, leaf: Leaf) -> bool | None:
    return _holds(node, leaf, Decimal(0), Decimal(0))[0]


def _holds(node: Node, leaf: Leaf, tolerance: Decimal, relative: Decimal) -> tuple[bool | None, Broken | None]:
    if isinstance(node, Compare):
        left, right = (exact.evaluate(side, leaf, lambda _: None, []) for side in (node.left, node.right))
        if left is None or right is None:
            return None, None
        allowed = max(tolerance, relative / 100 * max(abs(left), abs(right)))
        gap = exact.CONTEXT.subtract(left, right)
        good = {
            "==": abs(gap) <= allowed, "!=": abs(gap) > allowed, "<=": gap <= allowed, "<": gap < allowed,
            ">=": gap >= -allowed, ">": gap > -allowed,
        }[node.op]  # fmt: skip
        return good, None if good else Broken(node.op, left, right)
    assert isinstance(node, Logic)
    parts = [_holds(item, leaf, tolerance, relative) for item in node.items]
    states = [state for state, _ in parts]
    if node.op == "not":
        return (None if states[0] is None else not states[0]), Broken("!=", Decimal(1), Decimal(1))
    decisive = node.op == "or"
    state = decisive if decisive in states else None if None in states else not decisive
    return state, next((why for _, why in parts if why is not None), None)


# --- whole columns, to find the rows worth an exact look --------------------------------------------
def suspects(
    node: Node, column: Callable[[Node], np.ndarray], tolerance: Decimal, relative: Decimal, count: int
) -> Iterator[int]:
    """Rows for which the condition may fail; rows left out hold (or cannot be told) beyond float error."""
    with np.errstate(all="ignore"):
        sure = _sure(node, column, float(tolerance), float(relative) / 100, count)
    return iter(np.flatnonzero(~sure))


def _sure(
    node: Node, column: Callable[[Node], np.ndarray], tolerance: float, relative: float, count: int
) -> np.ndarray:
    """Whether a condition surely does not fail, row by row."""
    if isinstance(node, Compare):
        (a, a_size), (b, b_size) = (_float(side, column, count) for side in (node.left, node.right))
        edge = _EDGE * (a_size + b_size)
        allowed = np.maximum(tolerance, relative * np.maximum(abs(a), abs(b)))
        gap = a - b
        unknown = np.isnan(a_size) | np.isnan(b_size)  # an operand is missing
        match node.op:
            case "==":
                good = abs(gap) + edge < allowed
            case "<=" | "<":
                good = gap + edge < allowed
            case ">=" | ">":
                good = gap - edge > -allowed
            case _:
                good = abs(gap) - edge > allowed
        return good | unknown
    assert isinstance(node, Logic)
    parts = [_sure(item, column, tolerance, relative, count) for item in node.items]
    if node.op == "and":
        return np.logical_and.reduce(parts)
    return np.zeros(count, dtype=bool)  # or, not: every row gets the exact look


Sized = tuple[np.ndarray, np.ndarray]  # value, and the sum of magnitudes that went into it (NaN: missing)


def _float(node: Node, column: Callable[[Node], np.ndarray], count: int) -> Sized:
    match node:
        case Number():
            found = np.full(count, float(node.value))
            return found, abs(found)
        case Negative():
            a, size = _float(node.of, column, count)
            return -a, size
        case Binary():
            (a, a_size), (b, b_size) = _float(node.left, column, count), _float(node.right, column, count)
            match node.op:
                case "+":
                    return a + b, a_size + b_size
                case "-":
                    return a - b, a_size + b_size
                case "*":
                    return a * b, a_size * b_size
            quotient = np.where(b == 0, np.nan, a / b)
            return quotient, np.where(np.isnan(quotient), np.nan, (a_size / abs(b)) * (b_size / abs(b)))
        case Power():
            a, size = _float(node.of, column, count)
            found = a**node.exponent
            return found, np.where(np.isnan(a), np.nan, abs(found) + size ** abs(node.exponent))
        case Coalesce():
            found, size = _float(node.items[-1], column, count)
            for item in reversed(node.items[:-1]):
                a, a_size = _float(item, column, count)
                blank = np.isnan(a_size)
                found, size = np.where(blank, found, a), np.where(blank, size, a_size)
            return found, size
        case Function(name="min" | "max" | "abs"):
            parts = [_float(item, column, count) for item in node.items]
            size = np.sum([s for _, s in parts], axis=0)
            if node.name == "abs":
                return abs(parts[0][0]), size
            return (np.minimum if node.name == "min" else np.maximum).reduce([a for a, _ in parts]), size
        case If() | Function() | Round():
            return np.zeros(count), np.full(count, 1e150)  # left to the exact look
    found = column(node)
    return found, abs(found)
