"""A formula as one Narwhals expression over whole columns of float64.

Missing is null throughout. A division by zero, a logarithm of what is not positive and whatever leaves the
range of numbers give null, on every engine alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import narwhals as nw

from lvheng.core.formula import syntax as s
from lvheng.core.rulebook import Band


def missing() -> nw.Expr:
    return nw.lit(None, dtype=nw.Float64)


def number(value: object) -> nw.Expr:
    return nw.lit(float(value))  # type: ignore[arg-type]


def finite(e: nw.Expr) -> nw.Expr:
    """Null where the value is no number or infinite."""
    return nw.when(e.is_finite()).then(e)


def divide(a: nw.Expr, b: nw.Expr) -> nw.Expr:
    return a / nw.when(b != 0.0).then(b)


def express(
    node: s.Node,
    leaf: Callable[[s.Node], nw.Expr],
    bands: Callable[[str, Callable[[Sequence[Band]], nw.Expr]], nw.Expr],
) -> nw.Expr:
    """The expression of a formula.

    ``leaf`` gives the column of a name or of a lag, sum, … computed before, and the value of a parameter;
    ``bands(rule, of)`` applies ``of`` to the steps in force in each row.
    """

    def go(n: s.Node) -> nw.Expr:
        return express(n, leaf, bands)

    match node:
        case s.Number():
            return number(node.value)
        case s.Scale():
            return go(node.of) * number(node.factor)
        case s.Negative():
            return go(node.of) * number(-1)
        case s.Binary(op="+"):
            return go(node.left) + go(node.right)
        case s.Binary(op="-"):
            return go(node.left) - go(node.right)
        case s.Binary(op="*"):
            return go(node.left) * go(node.right)
        case s.Binary():
            return divide(go(node.left), go(node.right))
        case s.Power():
            return _power(go(node.of), node.exponent)
        case s.Coalesce():
            return nw.coalesce(*map(go, node.items))
        case s.If():
            holds = _condition(node.condition, go)
            return nw.when(holds).then(go(node.then)).otherwise(nw.when(~holds).then(go(node.other)))
        case s.Function():
            return _function(node.name, [go(item) for item in node.items])
        case s.Round():
            return _round(go(node.of), node.places)
        case s.Bands():
            of = go(node.of)
            return bands(node.rule, lambda steps: _marginal(of, steps))
    return leaf(node)


def _condition(node: s.Node, go: Callable[[s.Node], nw.Expr]) -> nw.Expr:
    if isinstance(node, s.Compare):
        a, b = go(node.left), go(node.right)
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[node.op]
    assert isinstance(node, s.Logic)
    items = [_condition(item, go) for item in node.items]
    if node.op == "not":
        return ~items[0]
    whole = items[0]
    for item in items[1:]:
        whole = whole & item if node.op == "and" else whole | item
    return whole


def _power(e: nw.Expr, exponent: int) -> nw.Expr:
    if exponent == 0:
        return nw.when(~e.is_null()).then(number(1))
    raised = e ** abs(exponent)
    return raised if exponent > 0 else divide(number(1), raised)


def _function(name: str, items: list[nw.Expr]) -> nw.Expr:
    first = items[0]
    match name:
        case "abs":
            return first.abs()
        case "exp":  # beyond 709 there is no float64; some engines would raise
            return nw.when(first < 709.0).then(first).exp()
        case "ln":
            return nw.when(first > 0.0).then(first).log()
    for other in items[1:]:
        keep = first <= other if name == "min" else first >= other
        first = nw.when(keep).then(first).otherwise(nw.when(~keep).then(other))
    return first


def _round(e: nw.Expr, places: int) -> nw.Expr:
    """四舍五入; two units in the last place of float64 count as reaching the half."""
    size = number(10.0**places)
    steps = (e.abs() * size * number(1 + 2**-51) + number(0.5)).floor()
    whole = steps / size
    return nw.when(e < 0.0).then(whole * number(-1)).otherwise(whole)


def _marginal(e: nw.Expr, steps: Sequence[Band]) -> nw.Expr:
    total = e * number(0)  # missing stays missing
    for step in steps:
        top = e if step.upper is None else nw.when(e < float(step.upper)).then(e).otherwise(number(step.upper))
        part = (top - number(step.lower)) * number(step.rate)
        total = total + nw.when(e > float(step.lower)).then(part).otherwise(number(0))
    return total
