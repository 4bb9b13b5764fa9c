"""The unit check: what a formula's result is measured in, and the conversions it needs, exactly.

Products and quotients carry their units along. Sums and comparisons need like with like; where only the
size differs (吨 and 万吨) the right-hand side is converted. The root is converted to the declared unit.
The difference of two % is 百分点, and 百分点 never passes for %.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from lvheng.core import quantity
from lvheng.core.formula.syntax import (
    Bands,
    Base,
    Binary,
    Children,
    Coalesce,
    Compare,
    Function,
    If,
    Lag,
    Logic,
    Name,
    Negative,
    Node,
    Number,
    Param,
    Power,
    Round,
    Scale,
    SumOver,
    Ytd,
)
from lvheng.core.problem import Place, Problem, ProblemError

_POINT = quantity.measure("百分点")[0]


@dataclass(frozen=True, slots=True)
class Measured:
    """A node with its unit: value × size is in base units of the dimension.

    ``label`` names it in messages. ``free``: a literal zero, which fits any unit. ``percent``: stated as a
    percentage, so that differences are 百分点. ``difference``: of two ratios, may be declared as 百分点.
    """

    node: Node
    dimension: quantity.Dimension
    size: Fraction
    label: str
    free: bool = False
    percent: bool = False
    difference: bool = False


UnitOf = Callable[[str], str]
T = TypeVar("T")


def convert(
    node: Node, unit: str, *, variable: UnitOf, parameter: UnitOf, bands: Callable[[str], tuple[str, str]], place: Place
) -> Node:
    """The formula with conversions put in so that its value is in ``unit``.

    ``variable`` and ``parameter`` give the unit of a name, ``bands`` the units of bounds and rates of a
    table; they raise ProblemError for what they do not know. Raises ProblemError on a mismatch.
    """
    checker = _Checker(variable, parameter, bands, place)
    result = checker.measure(node)
    dimension, size = quantity.measure(unit)
    if result.free or result.dimension == dimension:
        return _scaled(result, size)
    if result.difference and dimension == _POINT and not result.dimension:
        return _scaled(replace(result, size=result.size * 100), size)
    raise checker.problem(
        "算出的计量单位与声明的不符", node, got=result.label, wanted=unit,
        fix="核对公式和计量单位；两个百分数之差的单位是百分点。" if _POINT in (result.dimension, dimension) else
        "核对公式各项的计量单位。",
    )  # fmt: skip


def _scaled(m: Measured, size: Fraction) -> Node:
    if m.free or m.size == size:
        return m.node
    if isinstance(m.node, Round):  # what is rounded is the converted figure
        return replace(m.node, of=Scale(m.node.of, m.size / size, column=m.node.column))
    return Scale(m.node, m.size / size, column=m.node.column)


def _unit_label(unit: str) -> str:
    return unit if unit not in ("", "1") else "无量纲"


class _Checker:
    def __init__(self, variable: UnitOf, parameter: UnitOf, bands: Callable[[str], tuple[str, str]], place: Place):
        self.variable, self.parameter, self.bands, self.place = variable, parameter, bands, place

    def problem(self, message: str, node: Node, *, got: str, wanted: str, fix: str) -> ProblemError:
        place = replace(self.place, start=max(node.column - 1, 0))
        return ProblemError(
            Problem("core.formula.unit", f"公式{message}", place=place, got=got, wanted=wanted, fix=fix)
        )

    def leaf(self, node: Node, unit: str, name: str) -> Measured:
        try:
            dimension, size = quantity.measure(unit)
        except ProblemError as error:
            raise ProblemError(replace(p, place=replace(self.place, start=node.column - 1)) for p in error) from None
        percent = not dimension and unit.strip() in ("%", "％", "‰")
        return Measured(node, dimension, size, f"{name}（{_unit_label(unit)}）", percent=percent)

    def known(self, ask: Callable[[str], T], word: str, node: Node) -> T:
        """What is known of a word; what is said against it gets its place."""
        try:
            return ask(word)
        except ProblemError as error:
            raise ProblemError(replace(p, place=replace(self.place, start=node.column - 1)) for p in error) from None

    def measure(self, node: Node) -> Measured:
        match node:
            case Number():
                return Measured(node, frozenset(), Fraction(1), f"{node.value}（无量纲）", free=node.value == 0)
            case Name():
                return self.leaf(node, self.known(self.variable, node.code, node), node.code)
            case Param():
                return self.leaf(node, self.known(self.parameter, node.rule, node), f"p.{node.rule}")
            case Negative() | Lag() | Base() | Ytd() | Children() | SumOver() | Round():
                inner = self.measure(node.of)
                return replace(inner, node=replace(node, of=inner.node))
            case Binary(op="+" | "-"):
                return self.sum(node)
            case Binary():
                return self.product(node)
            case Power():
                inner = self.measure(node.of)
                return Measured(
                    replace(node, of=inner.node),
                    frozenset((d, p * node.exponent) for d, p in inner.dimension if node.exponent),
                    inner.size**node.exponent,
                    f"{inner.label}的{node.exponent}次方",
                )
            case Coalesce() | Function(name="min" | "max"):
                return self.alike(node)
            case Function(name="abs"):
                inner = self.measure(node.items[0])
                return replace(inner, node=replace(node, items=(inner.node,)))
            case Function():  # ln, exp
                inner = self.measure(node.items[0])
                if inner.dimension:
                    raise self.problem(
                        f"函数{node.name}只用于无量纲的数",
                        node,
                        got=inner.label,
                        wanted="无量纲",
                        fix="先除以同类的数。",
                    )
                return Measured(
                    replace(node, items=(_scaled(inner, Fraction(1)),)), frozenset(), Fraction(1), node.name
                )
            case If():
                then, other = self.pair(node, self.measure(node.then), self.measure(node.other))
                return replace(
                    other if then.free else then,
                    node=replace(node, condition=self.condition(node.condition), then=then.node, other=other.node),
                )
            case Bands():
                return self.scale(node)
        raise TypeError(f"no unit rule for {type(node).__name__}")  # a bug: the parser makes no other node

    def sum(self, node: Binary) -> Measured:
        left, right = self.pair(node, self.measure(node.left), self.measure(node.right))
        whole = replace(node, left=left.node, right=right.node)
        lead = right if left.free else left
        if node.op == "-" and left.percent and right.percent:
            # sizes are equal by now; one % is one 百分点
            return Measured(whole, _POINT, left.size * 100, "百分点")
        ratio = not left.dimension and not (left.free or right.free)
        plain = ratio and node.op == "-" and not (isinstance(left.node, Number) or isinstance(right.node, Number))
        return replace(lead, node=whole, free=left.free and right.free, difference=plain)

    def product(self, node: Binary) -> Measured:
        left, right = self.measure(node.left), self.measure(node.right)
        sign = 1 if node.op == "*" else -1
        powers = dict(left.dimension)
        for name, power in right.dimension:
            powers[name] = powers.get(name, Fraction(0)) + sign * power
        number = isinstance(right.node, Number) or (node.op == "*" and isinstance(left.node, Number))
        return Measured(
            replace(node, left=left.node, right=right.node),
            frozenset((n, p) for n, p in powers.items() if p),
            left.size * right.size**sign,
            f"{left.label}{'×' if sign > 0 else '÷'}{right.label}",
            free=left.free or (sign > 0 and right.free),
            difference=number and (left.difference or right.difference),
        )

    def alike(self, node: Coalesce | Function) -> Measured:
        measured = [self.measure(item) for item in node.items]
        lead = next((m for m in measured if not m.free), measured[0])
        nodes = tuple(self.pair(node, lead, m)[1].node for m in measured)
        return replace(lead, node=replace(node, items=nodes))

    def condition(self, node: Node) -> Node:
        match node:
            case Compare():
                left, right = self.pair(node, self.measure(node.left), self.measure(node.right))
                return replace(node, left=left.node, right=right.node)
            case Logic():
                return replace(node, items=tuple(map(self.condition, node.items)))
        raise TypeError(f"no condition: {type(node).__name__}")

    def pair(self, node: Node, left: Measured, right: Measured) -> tuple[Measured, Measured]:
        """Two that are added or compared: of one dimension, the right in the size of the left."""
        if left.free or right.free:
            return left, right
        if left.dimension != right.dimension:
            raise self.problem(
                "相加减或比较的两项计量单位不同", node, got=f"{left.label}与{right.label}", wanted="同类计量单位",
                fix="百分点与%不能相加减。" if _POINT in (left.dimension, right.dimension) else
                "改正其中一项，或乘以规则库中的折算系数。",
            )  # fmt: skip
        return left, replace(right, node=_scaled(right, left.size), size=left.size)

    def scale(self, node: Bands) -> Measured:
        bound, rate = self.known(self.bands, node.rule, node)
        inner, table = self.measure(node.of), self.leaf(node, bound, f"p.{node.rule}")
        if not inner.free and inner.dimension != table.dimension:
            raise self.problem(
                "中的数与分档表的界限计量单位不同", node, got=inner.label, wanted=bound, fix="核对分档表的计量单位。"
            )
        rates = self.leaf(node, rate, f"p.{node.rule}")
        powers = dict(table.dimension)
        for name, power in rates.dimension:
            powers[name] = powers.get(name, Fraction(0)) + power
        return Measured(
            replace(node, of=_scaled(inner, table.size)),
            frozenset((n, p) for n, p in powers.items() if p),
            table.size * rates.size,
            table.label,
        )
