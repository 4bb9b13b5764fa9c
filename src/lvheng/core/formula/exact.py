"""Number by number, in Decimal: what a formula gives, and why it gives nothing.

Sums, differences and products of figures are exact up to 50 significant digits; quotients, ``ln`` and ``exp``
are rounded there. A missing operand makes the result missing (comparisons too, by three-valued logic).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from lvheng.core.formula.syntax import (
    Bands,
    Binary,
    Coalesce,
    Compare,
    Function,
    If,
    Logic,
    Negative,
    Node,
    Number,
    Power,
    Round,
    Scale,
)
from lvheng.core.rulebook import Band

PRECISION = 50
# no traps: an impossible operation gives NaN or infinity, which _finite turns into "missing"
CONTEXT = decimal.Context(prec=PRECISION, rounding=decimal.ROUND_HALF_EVEN, Emax=99999, Emin=-99999, traps=[])

Value = Decimal | None
Leaf = Callable[[Node], Value]


def evaluate(node: Node, leaf: Leaf, bands: Callable[[str], Sequence[Band] | None], reasons: list[str]) -> Value:
    """The value of a formula, or None with the reason added to ``reasons``.

    ``leaf`` gives the value of names, parameters, lags and sums (and records its own reasons); ``bands``
    the steps of a table. Only the branch taken of ``if_`` and ``coalesce`` is evaluated.
    """

    def go(n: Node) -> Value:
        return evaluate(n, leaf, bands, reasons)

    match node:
        case Number():
            return node.value
        case Scale():
            value = go(node.of)
            return None if value is None else _finite(times(value, node.factor))
        case Negative():
            value = go(node.of)
            return None if value is None else CONTEXT.minus(value)
        case Binary():
            return _binary(node.op, go(node.left), go(node.right), reasons)
        case Power():
            value = go(node.of)
            if value == 0 and node.exponent < 0:
                reasons.append("除数为零")
                return None
            return (
                None if value is None else _finite(CONTEXT.power(value, node.exponent)) if node.exponent else Decimal(1)
            )
        case Coalesce():
            tried: list[str] = []
            for item in node.items:
                value = evaluate(item, leaf, bands, tried)
                if value is not None:
                    return value
            reasons += tried
            return None
        case If():
            holds = _holds(node.condition, go)
            return None if holds is None else go(node.then if holds else node.other)
        case Function():
            return _function(node.name, [go(item) for item in node.items], reasons)
        case Round():
            value = go(node.of)
            return None if value is None else _round(value, node.places)
        case Bands():
            value, steps = go(node.of), bands(node.rule)
            return None if value is None or steps is None else marginal(value, steps)
    return leaf(node)


def times(value: Decimal, factor: Fraction) -> Decimal:
    """Value × rational, exact where it ends within the precision."""
    product = CONTEXT.multiply(value, Decimal(factor.numerator))
    return product if factor.denominator == 1 else CONTEXT.divide(product, Decimal(factor.denominator))


def total(values: Sequence[Decimal]) -> Decimal:
    """The exact sum."""
    result = Decimal(0)
    for value in values:
        result = CONTEXT.add(result, value)
    return result


def marginal(value: Decimal, steps: Sequence[Band]) -> Decimal:
    """Σ rate × the part of the value inside each step."""
    result = Decimal(0)
    for step in steps:
        if value > step.lower:
            part = value if step.upper is None else min(value, step.upper)
            result = CONTEXT.add(result, CONTEXT.multiply(CONTEXT.subtract(part, step.lower), step.rate))
    return result


def _finite(value: Decimal) -> Value:
    return value if value.is_finite() else None


def _binary(op: str, a: Value, b: Value, reasons: list[str]) -> Value:
    if a is None or b is None:
        return None
    if op == "/" and b == 0:
        reasons.append("除数为零")
        return None
    operate = {"+": CONTEXT.add, "-": CONTEXT.subtract, "*": CONTEXT.multiply, "/": CONTEXT.divide}[op]
    return _finite(operate(a, b))


def _holds(node: Node, go: Callable[[Node], Value]) -> bool | None:
    if isinstance(node, Compare):
        a, b = go(node.left), go(node.right)
        if a is None or b is None:
            return None
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[node.op]
    assert isinstance(node, Logic)
    known = [_holds(item, go) for item in node.items]
    if node.op == "not":
        return None if known[0] is None else not known[0]
    decisive = node.op == "or"  # one true decides an or, one false an and
    return decisive if decisive in known else None if None in known else not decisive


def _function(name: str, values: list[Value], reasons: list[str]) -> Value:
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return None
    match name:
        case "min":
            return min(known)
        case "max":
            return max(known)
        case "abs":
            return abs(known[0])
        case "exp":
            return _finite(CONTEXT.exp(known[0]))
    if known[0] <= 0:
        reasons.append("对数的真数不是正数")
        return None
    return _finite(CONTEXT.ln(known[0]))


def _round(value: Decimal, places: int) -> Value:
    return _finite(value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=CONTEXT))
