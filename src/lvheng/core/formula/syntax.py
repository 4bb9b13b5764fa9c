"""The language of formulas: parsed with Python's ``ast`` under a white list, never evaluated as code.

Numbers, names of indicators, ``p.rule.id`` (a dated parameter of the rulebook), + − × ÷ and whole powers,
comparisons joined by and/or/not inside ``if_``, and these functions::

    lag(x, 1y)        the same period earlier (y, q, m)       base(x)    the same period of the base year
    ytd(x)            cumulated since January                 children(x)  added over the parts of the region
    sum_over(x, dim)  added over the items of a dimension     coalesce(a, b, …)  the first that is not missing
    if_(c, a, b)      a where c holds, else b                 bands(x, p.table)  tax by marginal bands
    min(a, b) max(a, b) abs(x) ln(x) exp(x)
    round_(x, places) 四舍五入 in the unit that the value is then used in (of the sum it stands in, or declared)
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from fractions import Fraction

from lvheng.core.problem import Place, Problem, ProblemError

MAX_LENGTH = 4000
MAX_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all nodes; ``column`` counts from 1 and takes no part in equality."""

    column: int = field(default=0, compare=False, kw_only=True)

    def parts(self) -> Iterator[Node]:
        """The nodes directly below."""
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Node):
                yield value
            elif isinstance(value, tuple):
                yield from (v for v in value if isinstance(v, Node))

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for part in self.parts():
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Number(Node):
    value: Decimal


@dataclass(frozen=True, slots=True)
class Name(Node):
    code: str


@dataclass(frozen=True, slots=True)
class Param(Node):
    rule: str


@dataclass(frozen=True, slots=True)
class Negative(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``op`` is one of + - * /."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Power(Node):
    of: Node
    exponent: int


@dataclass(frozen=True, slots=True)
class Compare(Node):
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """``op`` is and, or, not."""

    op: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lag(Node):
    of: Node
    months: int


@dataclass(frozen=True, slots=True)
class Base(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Ytd(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class Children(Node):
    of: Node


@dataclass(frozen=True, slots=True)
class SumOver(Node):
    of: Node
    dimension: str


@dataclass(frozen=True, slots=True)
class Coalesce(Node):
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If(Node):
    condition: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Bands(Node):
    of: Node
    rule: str


@dataclass(frozen=True, slots=True)
class Function(Node):
    """``name`` is one of min, max, abs, ln, exp."""

    name: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Round(Node):
    of: Node
    places: int


@dataclass(frozen=True, slots=True)
class Scale(Node):
    """A unit conversion, put in by the unit check: value × factor."""

    of: Node
    factor: Fraction


WINDOWS = (Lag, Base, Ytd, Children, SumOver)
FUNCTIONS = [
    "lag",
    "base",
    "ytd",
    "children",
    "sum_over",
    "coalesce",
    "if_",
    "bands",
    "min",
    "max",
    "abs",
    "ln",
    "exp",
    "round_",
]

_SPAN = re.compile(r"(?<![\w.])(\d{1,3})([yqm])(?!\w)")
_NUMBER = re.compile(r"\d[\d_]*(\.[\d_]*)?([eE][+-]?\d{1,2})?|\.\d[\d_]*([eE][+-]?\d{1,2})?")
_FULL_WIDTH = dict(zip("（），＋－×÷＊／＝＞＜≥≤；。、．", "(),+-*/*/=><≥≤;.,.", strict=True))
_OPS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def parse(text: str, place: Place | None = None) -> Node:
    """The tree of a formula; raises ProblemError (with the column in the formula) when it is not one."""
    return _Reader(text, place or Place()).read()


def span_months(text: str) -> int | None:
    """``1y`` → 12, ``2q`` → 6, ``3m`` → 3; None when it is no span."""
    m = _SPAN.fullmatch(text)
    return int(m[1]) * {"y": 12, "q": 3, "m": 1}[m[2]] if m else None


class _Reader:
    def __init__(self, text: str, place: Place):
        self.place = place
        self.text = re.sub(r"\s", " ", text)
        self.spans: dict[int, str] = {}

    def problem(self, message: str, column: int, *, code: str = "syntax", got: str = "", wanted: str = "", fix: str):
        place = replace(self.place, start=column - 1)
        return ProblemError(
            Problem(
                f"core.formula.{code}",
                f"公式{message}",
                place=place,
                got=got or self.text[:200],
                wanted=wanted,
                fix=fix,
            )
        )

    def read(self) -> Node:
        if not self.text.strip():
            raise self.problem("没有内容", 1, wanted="公式", fix="填写公式。")
        if len(self.text) > MAX_LENGTH:
            raise self.problem(
                "过长", MAX_LENGTH, got=f"{len(self.text)}字", wanted=f"至多{MAX_LENGTH}字",
                fix="分成几个指标分别计算。",
            )  # fmt: skip
        for i, character in enumerate(self.text):
            if character in _FULL_WIDTH:
                raise self.problem(
                    "用了全角符号", i + 1, got=character, wanted=_FULL_WIDTH[character], fix="改用半角符号。"
                )
        shown = len(self.text) - len(self.text.lstrip())
        masked = _SPAN.sub(self._mask, self.text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's remarks on odd spacing are not for our users
                tree = ast.parse(masked[shown:], mode="eval")
        except SyntaxError as error:
            at = min((error.offset or len(masked)) + shown, len(self.text))  # 0 means the end
            percent = "百分数改写为小数，如0.14。" if "%" in self.text else ""
            raise self.problem("写法有误", at, fix=percent or "核对括号是否成对、运算符是否齐全。") from None
        except (RecursionError, MemoryError, ValueError):
            raise self.problem("无法读懂", 1, wanted="较短、较浅的公式", fix="分成几个指标分别计算。") from None
        self.shown = len(self.text[:shown].encode())
        return self.node(tree.body, 0)

    def _mask(self, m: re.Match[str]) -> str:
        """1y is no Python; underscores of the same length keep every column in its place."""
        self.spans[len(self.text[: m.start()].encode())] = m[0]
        return "_" * len(m[0])

    def column(self, node: ast.AST) -> int:
        offset = getattr(node, "col_offset", 0) + self.shown
        return len(self.text.encode()[:offset].decode(errors="ignore")) + 1

    # --- one node -----------------------------------------------------------------------------
    def node(self, n: ast.expr, depth: int) -> Node:
        at = self.column(n)
        if depth > MAX_DEPTH:
            raise self.problem("嵌套过深", at, wanted=f"至多{MAX_DEPTH}层", fix="分成几个指标分别计算。")
        deeper = depth + 1
        match n:
            case ast.Constant():
                return Number(self.number(n), column=at)
            case ast.Name() if set(n.id) == {"_"}:
                raise self.problem("的时间跨度放错了位置", at, wanted="lag(指标, 1y)", fix="时间跨度只用在lag中。")
            case ast.Name() if n.id == "p":
                raise self.problem("缺少规则编号", at, wanted="p.规则编号", fix="写出规则编号。")
            case ast.Name():
                return Name(n.id, column=at)
            case ast.Attribute():
                dotted = self.dotted(n)
                return Param(dotted[2:], column=at) if dotted.startswith("p.") else Name(dotted, column=at)
            case ast.UnaryOp(op=ast.USub()):
                return Negative(self.node(n.operand, deeper), column=at)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.node(n.operand, deeper)
            case ast.BinOp(op=ast.Pow()):
                return Power(self.node(n.left, deeper), self.whole(n.right, "乘方的指数", -9, 9), column=at)
            case ast.BinOp() if type(n.op) in _OPS:
                return Binary(_OPS[type(n.op)], self.node(n.left, deeper), self.node(n.right, deeper), column=at)
            case ast.BinOp(op=ast.Mod()):
                raise self.problem("用了百分号", at, wanted="小数，如0.14", fix="百分数改写为小数，或用规则库参数。")
            case ast.Call():
                return self.call(n, at, deeper)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                raise self.problem("的比较放错了位置", at, wanted="if_(条件, 甲, 乙)", fix="条件只用在if_的第一项。")
        raise self.problem(
            "有公式不允许的写法",
            at,
            wanted="数字、指标、p.规则编号、加减乘除、乘方和规定的函数",
            fix="改用允许的写法。",
        )

    def condition(self, n: ast.expr, depth: int) -> Node:
        at = self.column(n)
        match n:
            case ast.Compare() if len(n.ops) > 1:
                raise self.problem("的比较连写", at, wanted="a < b and b < c", fix="拆成两个比较，用and连接。")
            case ast.Compare() if type(n.ops[0]) in _COMPARE:
                left, right = self.node(n.left, depth + 1), self.node(n.comparators[0], depth + 1)
                return Compare(_COMPARE[type(n.ops[0])], left, right, column=at)
            case ast.BoolOp() if depth <= MAX_DEPTH:
                op = "and" if isinstance(n.op, ast.And) else "or"
                return Logic(op, tuple(self.condition(v, depth + 1) for v in n.values), column=at)
            case ast.UnaryOp(op=ast.Not()) if depth <= MAX_DEPTH:
                return Logic("not", (self.condition(n.operand, depth + 1),), column=at)
        raise self.problem("此处不是条件", at, wanted="如 a >= 0 and b > 1", fix="if_的第一项写成比较。")

    def number(self, n: ast.Constant) -> Decimal:
        at = self.column(n)
        start, end = n.col_offset + self.shown, (n.end_col_offset or 0) + self.shown
        written = self.text.encode()[start:end].decode(errors="ignore")
        if isinstance(n.value, bool | str | bytes) or not _NUMBER.fullmatch(written) or len(written) > 40:
            raise self.problem("此处不是数字", at, got=written[:40], wanted="如1.4571", fix="只写十进制数字。")
        return Decimal(written.replace("_", ""))

    def whole(self, n: ast.expr, what: str, low: int, high: int) -> int:
        sign = 1
        inner = n
        if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
            sign, inner = -1, inner.operand
        if isinstance(inner, ast.Constant) and type(inner.value) is int and low <= sign * inner.value <= high:
            return sign * inner.value
        raise self.problem(f"{what}不合规定", self.column(n), wanted=f"{low}至{high}的整数", fix="改为整数。")

    def dotted(self, n: ast.expr) -> str:
        if isinstance(n, ast.Name):
            return n.id
        if isinstance(n, ast.Attribute):
            return f"{self.dotted(n.value)}.{n.attr}"
        raise self.problem("有公式不允许的写法", self.column(n), wanted="指标或p.规则编号", fix="改用允许的写法。")

    # --- functions ----------------------------------------------------------------------------
    def call(self, n: ast.Call, at: int, depth: int) -> Node:
        name = n.func.id if isinstance(n.func, ast.Name) else ""
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 1, 0.5)
            hint = "if_" if name == "if" else near[0] if near else ""
            raise self.problem(
                "有不认识的函数", at, code="function", got=name, wanted="、".join(FUNCTIONS),
                fix=f"是否应为“{hint}”？" if hint else "改用规定的函数。",
            )  # fmt: skip
        if n.keywords or any(isinstance(a, ast.Starred) for a in n.args):
            raise self.problem("函数的写法有误", at, wanted=f"{name}(甲, 乙)", fix="只按顺序写各项。")
        args = n.args
        low, high = {
            "lag": (2, 2), "sum_over": (2, 2), "if_": (3, 3), "bands": (2, 2), "round_": (2, 2),
            "coalesce": (2, 20), "min": (2, 20), "max": (2, 20),
        }.get(name, (1, 1))  # fmt: skip
        if not low <= len(args) <= high:
            wanted = f"{low}项" if low == high else f"{low}至{high}项"
            raise self.problem(f"函数{name}的项数不对", at, got=f"{len(args)}项", wanted=wanted, fix="补上或删去各项。")
        if name == "if_":
            condition = self.condition(args[0], depth)
            return If(condition, self.node(args[1], depth), self.node(args[2], depth), column=at)
        if name in ("coalesce", "min", "max", "ln", "exp", "abs"):
            items = tuple(self.node(a, depth) for a in args)
            return Coalesce(items, column=at) if name == "coalesce" else Function(name, items, column=at)
        of = self.node(args[0], depth)
        match name:
            case "lag":
                return Lag(of, self.span(args[1]), column=at)
            case "sum_over":
                return SumOver(of, self.word(args[1]), column=at)
            case "round_":
                return Round(of, self.whole(args[1], "保留位数", -12, 12), column=at)
            case "bands":
                rule = self.dotted(args[1])
                if not rule.startswith("p."):
                    raise self.problem("此处不是规则库中的分档表", self.column(args[1]), got=rule, wanted="p.规则编号",
                                       fix="写成p.规则编号。")  # fmt: skip
                return Bands(of, rule[2:], column=at)
        return {"base": Base, "ytd": Ytd, "children": Children}[name](of, column=at)

    def span(self, n: ast.expr) -> int:
        written = self.spans.get(getattr(n, "col_offset", -1) + self.shown, "")
        months = span_months(written) if isinstance(n, ast.Name) else None
        if not months:
            raise self.problem(
                "的时间跨度有误", self.column(n), wanted="1y、2q、3m之类", fix="写明提前几年、几季或几月。"
            )
        return months

    def word(self, n: ast.expr) -> str:
        if isinstance(n, ast.Name) and set(n.id) != {"_"}:
            return n.id
        raise self.problem("此处不是维度名称", self.column(n), wanted="如fuel", fix="写维度名称。")


def names(node: Node) -> set[str]:
    """Codes of the indicators a formula speaks of."""
    return {n.code for n in node.walk() if isinstance(n, Name)}


def rules(node: Node) -> set[str]:
    """Ids of the rules a formula speaks of."""
    return {n.rule for n in node.walk() if isinstance(n, Param | Bands)}
