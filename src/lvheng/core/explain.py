"""One number, computed in Decimal and explained down to its observations.

The tree can be shown level by level, printed, or recomputed from its leaves to its root. What is missing
says why: a missing figure makes everything above it missing and its reason travels up.
Arithmetic keeps 50 significant digits (:mod:`lvheng.core.formula.exact`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from lvheng.core.formula import exact, tiling
from lvheng.core.formula import syntax as s
from lvheng.core.formula.model import Model, Variable, shift_period
from lvheng.core.formula.rules import bands_units, parameter, parameter_unit, steps
from lvheng.core.period import Kind, Period
from lvheng.core.quantity import factor, show
from lvheng.core.rulebook import Band, Version

OPS = {
    "observed": "观测", "formula": "公式", "same": "同期取值", "time": "按期间合计", "mean": "按期间平均", "last": "期末值",
    "regions": "按地区合计", "lag": "前期", "base": "基年", "ytd": "当年累计", "children": "下级地区合计",
    "sum_over": "分项合计", "parameter": "参数", "table": "分档表", "missing": "缺失",
}  # fmt: skip
_ADDED = {"time", "regions", "ytd", "children", "sum_over"}
_PASSED = {"same", "last", "lag", "base"}


@dataclass(frozen=True, slots=True)
class Cell:
    """An observed figure. ``payload`` is the caller's own (observation, vintage, source), handed back as it is."""

    value: Decimal
    unit: str
    payload: Any = None


Lookup = Callable[[str, str, Period, str], Cell | None]
Items = Callable[[str, str, Period], Iterable[str]]


@dataclass(slots=True, eq=False)
class Node:
    """A number and what it is made of. ``value`` is None when missing, and ``reason`` says why."""

    op: str
    label: str
    code: str
    region: str
    period: Period
    item: str = ""
    value: Decimal | None = None
    unit: str = ""
    text: str = ""
    reason: str = ""
    children: list[Node] = field(default_factory=list)
    refs: tuple[str, ...] = ()
    payload: Any = None
    region_name: str = ""
    tree: s.Node | None = field(default=None, repr=False)
    inputs: dict[s.Node, Node] = field(default_factory=dict, repr=False)
    bands: dict[str, Sequence[Band]] = field(default_factory=dict, repr=False)

    def recompute(self) -> Decimal | None:
        """The value reckoned afresh from the leaves; equals ``value`` when the tree is sound."""
        return _recompute(self, {})

    def leaves(self) -> list[Node]:
        """The observations, parameters and gaps it rests on, each once."""
        found: dict[int, Node] = {}
        seen: set[int] = set()
        todo = [self]
        while todo:
            node = todo.pop()
            if id(node) not in seen:
                seen.add(id(node))
                todo += reversed(node.children)
                if not node.children:
                    found[id(node)] = node
        return list(found.values())

    def rule_refs(self) -> list[str]:
        """The versions of all rules used anywhere below, to be kept with the result."""
        return sorted({ref for leaf in self.leaves() for ref in leaf.refs})

    def as_dict(self, depth: int | None = None) -> dict[str, Any]:
        """Plain values for JSON, down to so many levels; numbers as text, so that none is rounded."""
        data: dict[str, Any] = {
            "op": self.op, "op_label": OPS[self.op], "label": self.label, "code": self.code, "region": self.region,
            "region_name": self.region_name, "period": self.period.code, "item": self.item,
            "value": None if self.value is None else format(self.value, "f"), "unit": self.unit, "text": self.text,
            "reason": self.reason, "refs": list(self.refs), "parts": len(self.children),
        }  # fmt: skip
        if depth is None or depth > 0:
            data["children"] = [c.as_dict(None if depth is None else depth - 1) for c in self.children]
        return data


def explain(
    model: Model, lookup: Lookup, code: str, region: str, period: Period, item: str = "", *, items: Items | None = None
) -> Node:
    """The value of one indicator with its explanation.

    ``lookup(code, region, period, item)`` gives an observed :class:`Cell` or None; ``items(dimension, region,
    period)`` the items that may occur (default: the model's lists). Raises ProblemError when the model has
    faults or the code is unknown; missing data never raise.
    """
    return Explainer(model, lookup, items=items)(code, region, period, item)


class Explainer:
    """As :func:`explain`, remembering what it has computed: use one for many numbers of one state of data."""

    def __init__(self, model: Model, lookup: Lookup, *, items: Items | None = None):
        model.require()
        self.model, self.lookup = model, lookup
        self.items: Items = items or (lambda dimension, region, period: model.dimensions.get(dimension, ()))
        self._memo: dict[tuple[str, str, Period, str], Node] = {}

    def __call__(self, code: str, region: str, period: Period, item: str = "") -> Node:
        if code in self.model.recursive and period.kind.per_year:
            first = Period(period.kind, self.model.first_year).index
            for index in range(first, period.index):  # from the beginning on, so that recursion stays shallow
                self.resolve(code, region, Period.from_index(period.kind, index), item)
        return self.resolve(code, region, period, item)

    # --- variables ----------------------------------------------------------------------------
    def resolve(self, code: str, region: str, period: Period, item: str = "") -> Node:
        variable = self.model[code]
        key = (code, region, period, item if variable.dimensions else "")
        node = self._memo.get(key)
        if node is None:
            node = self._memo[key] = self._resolve(variable, region, period, key[3])
        return node

    def node(self, op: str, variable: Variable, region: str, period: Period, item: str, **more: Any) -> Node:
        return Node(
            op, variable.label, variable.code, region, period, item, unit=variable.unit, region_name=self.named(region), **more
        )  # fmt: skip

    def named(self, region: str) -> str:
        regions = self.model.regions
        return regions[region].name if regions is not None and region in regions else region

    def _resolve(self, variable: Variable, region: str, period: Period, item: str) -> Node:
        found = self.model.tree(variable.code, self.model.rule_day(period))
        if found is None:
            return self._observed(variable, region, period, item)
        if variable.code in self.model.recursive and period.start.year < self.model.first_year:
            return self._observed(variable, region, period, item)
        formula, tree = found
        node = self.node("formula", variable, region, period, item, text=formula.text)
        return self._evaluate(node, tree)

    def _observed(self, variable: Variable, region: str, period: Period, item: str) -> Node:
        """Directly, else from other periods, else from the parts of the region, else missing."""
        if direct := self._direct(variable, region, period, item):
            return direct
        gaps: list[Node] = []
        for _, parts in tiling.sources(period):
            used = tiling.used(parts, variable.over_time)
            cells = [self._direct(variable, region, part, item) for part in used]
            known = [c for c in cells if c is not None]
            if used and len(known) == len(used):
                op = "same" if len(parts) == 1 else {"mean": "mean", "last": "last"}.get(variable.over_time, "time")
                return self._combined(self.node(op, variable, region, period, item, children=known))
            if known:
                absent = "、".join(p.label for p, c in zip(used, cells, strict=True) if c is None)
                gaps.append(
                    self.node(
                        "missing", variable, region, period, item,
                        reason=f"缺少{self.named(region)}{absent}的{variable.label}", children=known,
                    )
                )  # fmt: skip
        parts_of = self._parts(region) if variable.over_regions == "sum" else []
        if parts_of:
            below = [self.resolve(variable.code, part, period, item) for part in parts_of]
            node = self._combined(self.node("regions", variable, region, period, item, children=below))
            if node.value is not None or (not gaps and any(c.value is not None for c in below)):
                return node
        if gaps:
            return min(gaps, key=lambda g: len(g.reason))
        which = f"（{item}）" if item else ""
        reason = f"缺少{self.named(region)}{period.label}的{variable.label}{which}"
        return self.node("missing", variable, region, period, item, reason=reason)

    def _direct(self, variable: Variable, region: str, period: Period, item: str) -> Node | None:
        cell = self.lookup(variable.code, region, period, item)
        if cell is None or not cell.value.is_finite():
            return None
        value = exact.CONTEXT.multiply(cell.value, factor(cell.unit, variable.unit))
        return self.node("observed", variable, region, period, item, value=value, payload=cell.payload)

    def _parts(self, region: str) -> list[str]:
        regions = self.model.regions
        return [r.code for r in regions.parts(region)] if regions is not None and region in regions else []

    def _combined(self, node: Node) -> Node:
        """Fill in the value of a sum, mean or passed-on figure, or why it is missing."""
        node.value = _combine(node, [c.value for c in node.children])
        if node.value is None:
            node.reason = node.reason or _joined(c.reason for c in node.children)
        return node

    # --- formulas -----------------------------------------------------------------------------
    def _evaluate(self, node: Node, tree: s.Node) -> Node:
        node.tree = tree
        reasons: list[str] = []

        def leaf(n: s.Node) -> Decimal | None:
            if n not in node.inputs:
                node.inputs[n] = self._leaf(n, node)
                node.children.append(node.inputs[n])
            found = node.inputs[n]
            if found.value is None:
                reasons.append(found.reason)
            return found.value

        def bands(rule: str) -> Sequence[Band] | None:
            return self._bands(rule, node, reasons)

        node.value = exact.evaluate(tree, leaf, bands, reasons)
        if node.value is None:
            node.reason = _joined(reasons) or "超出可计算的范围"
        return node

    def _leaf(self, n: s.Node, at: Node) -> Node:
        region, period, item = at.region, at.period, at.item
        match n:
            case s.Name():
                return self.resolve(n.code, region, period, item)
            case s.Param():
                return self._parameter(n.rule, at)
            case s.Lag():
                moved = shift_period(period, n.months)
                return self._moved("lag", n.of, at, moved, f"{period.label}没有提前{n.months}个月的同类期间")
            case s.Base():
                year = Period.of_year(self.model.base_year)
                moved = year if period.kind is Kind.PLAN else period.lag(period.year - self.model.base_year)
                return self._moved("base", n.of, at, moved, "")
            case s.Ytd():
                return self._ytd(n.of, at)
            case s.Children():
                return self._added("children", n.of, at, [(part, period, item) for part in self._parts(region)],
                                   f"{self.named(region)}没有下级地区")  # fmt: skip
            case s.SumOver():
                items = [i for i in self.items(n.dimension, region, period) if self._present(n.of, region, period, i)]
                return self._added("sum_over", n.of, at, [(region, period, i) for i in items],
                                   f"{self.named(region)}{period.label}没有分项数据")  # fmt: skip
        raise TypeError(f"no leaf: {type(n).__name__}")  # a bug: evaluate() handles every other node

    def _inner(self, n: s.Node, at: Node, region: str, period: Period, item: str) -> Node:
        """The value of an expression somewhere else: a variable is itself, the rest a formula of its own."""
        if isinstance(n, s.Name):
            return self.resolve(n.code, region, period, item)
        inner = Node(
            "formula", at.label, at.code, region, period, item, text=written(n), region_name=self.named(region)
        )
        return self._evaluate(inner, n)

    def _here(self, op: str, n: s.Node, at: Node, **more: Any) -> Node:
        unit = self.model[n.code].unit if isinstance(n, s.Name) else ""
        return Node(op, OPS[op], at.code, at.region, at.period, at.item, unit=unit, text=written(n),
                    region_name=at.region_name, **more)  # fmt: skip

    def _moved(self, op: str, n: s.Node, at: Node, period: Period | None, why_not: str) -> Node:
        if period is None:
            return self._here("missing", n, at, reason=why_not)
        return self._combined(self._here(op, n, at, children=[self._inner(n, at, at.region, period, at.item)]))

    def _added(self, op: str, n: s.Node, at: Node, where: list[tuple[str, Period, str]], why_not: str) -> Node:
        if not where:
            return self._here("missing", n, at, reason=why_not)
        return self._combined(self._here(op, n, at, children=[self._inner(n, at, *place) for place in where]))

    def _ytd(self, n: s.Node, at: Node) -> Node:
        period = at.period
        if period.kind in (Kind.YEAR, Kind.YTD):
            return self._moved("ytd", n, at, period, "")
        if not period.kind.per_year:
            return self._here("missing", n, at, reason=f"{period.label}没有当年累计")
        parts = [Period(period.kind, period.year, part) for part in range(1, period.part + 1)]
        return self._added("ytd", n, at, [(at.region, p, at.item) for p in parts], "")

    def _present(self, n: s.Node, region: str, period: Period, item: str) -> bool:
        """Whether an item occurs: some figure of that item behind the expression is there."""
        match n:
            case s.Name():
                variable = self.model[n.code]
                if not variable.dimensions:
                    return False
                found = self.model.tree(n.code, self.model.rule_day(period))
                if found is None:
                    return self.resolve(n.code, region, period, item).value is not None
                return self._present(found[1], region, period, item)
            case s.Lag():
                moved = shift_period(period, n.months)
                return moved is not None and self._present(n.of, region, moved, item)
            case s.Base():
                return self._present(n.of, region, period.lag(period.year - self.model.base_year), item)
            case s.Children():
                return any(self._present(n.of, part, period, item) for part in self._parts(region))
        return any(self._present(part, region, period, item) for part in n.parts())

    # --- rules --------------------------------------------------------------------------------
    def _parameter(self, rule: str, at: Node) -> Node:
        book, day = self.model.rulebook, self.model.rule_day(at.period)
        refs: list[str] = []
        reasons: list[str] = []
        value = parameter(book, rule, day, at.region, refs, reasons)
        version = book.find(rule, day, at.region)
        label = version.title if version else rule
        return Node("parameter", label, rule, at.region, at.period, value=value, unit=parameter_unit(book, rule),
                    reason=_joined(reasons), refs=tuple(refs), payload=version, region_name=at.region_name)  # fmt: skip

    def _bands(self, rule: str, at: Node, reasons: list[str]) -> Sequence[Band] | None:
        book, day = self.model.rulebook, self.model.rule_day(at.period)
        version: Version | None = book.find(rule, day, at.region)
        if version is None:
            reasons.append(f"分档表{rule}在{day}没有有效版本")
            return None
        if rule not in at.bands:
            at.bands[rule] = steps(version, *bands_units(book, rule))
            at.children.append(
                Node("table", version.title, rule, at.region, at.period, refs=(version.ref,), payload=version,
                     region_name=at.region_name)
            )  # fmt: skip
        return at.bands[rule]


def _combine(node: Node, values: list[Decimal | None]) -> Decimal | None:
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return None
    if node.op in _PASSED:
        return known[0]
    total = exact.total(known)
    return exact.CONTEXT.divide(total, Decimal(len(known))) if node.op == "mean" else total


def _recompute(node: Node, memo: dict[int, Decimal | None]) -> Decimal | None:
    if id(node) in memo:
        return memo[id(node)]
    if node.tree is not None:
        value = exact.evaluate(node.tree, lambda n: _recompute(node.inputs[n], memo), node.bands.get, [])
    elif node.op in _ADDED | _PASSED | {"mean"}:
        value = _combine(node, [_recompute(c, memo) for c in node.children])
    else:
        value = node.value
    memo[id(node)] = value
    return value


def _joined(reasons: Iterable[str]) -> str:
    """Different reasons, each once; many are cut short."""
    found = list(dict.fromkeys(part for r in reasons for part in r.split("；") if part))
    return "；".join(found[:5]) + (f"；等{len(found)}项" if len(found) > 5 else "")


# --- showing ------------------------------------------------------------------------------------


def written(node: s.Node) -> str:
    """A formula as text again, without the unit conversions that were put in."""
    match node:
        case s.Number():
            return str(node.value)
        case s.Name():
            return node.code
        case s.Param():
            return f"p.{node.rule}"
        case s.Scale():
            return written(node.of)
        case s.Negative():
            return f"-{_bracketed(node.of)}"
        case s.Binary():
            return f"{_bracketed(node.left)} {node.op} {_bracketed(node.right)}"
        case s.Power():
            return f"{_bracketed(node.of)} ** {node.exponent}"
        case s.Compare():
            return f"{written(node.left)} {node.op} {written(node.right)}"
        case s.Logic(op="not"):
            return f"not ({written(node.items[0])})"
        case s.Logic():
            return f" {node.op} ".join(f"({written(i)})" for i in node.items)
        case s.Lag():
            span = f"{node.months // 12}y" if node.months % 12 == 0 else f"{node.months}m"
            return f"lag({written(node.of)}, {span})"
        case s.SumOver():
            return f"sum_over({written(node.of)}, {node.dimension})"
        case s.Bands():
            return f"bands({written(node.of)}, p.{node.rule})"
        case s.Round():
            return f"round_({written(node.of)}, {node.places})"
        case s.If():
            return f"if_({written(node.condition)}, {written(node.then)}, {written(node.other)})"
        case s.Coalesce():
            return f"coalesce({', '.join(map(written, node.items))})"
        case s.Function():
            return f"{node.name}({', '.join(map(written, node.items))})"
    name = {s.Base: "base", s.Ytd: "ytd", s.Children: "children"}[type(node)]
    return f"{name}({', '.join(map(written, node.parts()))})"


def _bracketed(node: s.Node) -> str:
    inner = node.of if isinstance(node, s.Scale) else node
    text = written(inner)
    return f"({text})" if isinstance(inner, s.Binary | s.Negative | s.Power) else text


def line(node: Node, places: int = 6) -> str:
    """One line about a node: what, where, when, how much, or why not."""
    head = node.label + (f"（{node.item}）" if node.item else "")
    where = f"{node.region_name} {node.period.label}".strip()
    if node.value is not None:
        digits = -int(node.value.as_tuple().exponent)
        figure = f"{show(node.value, places if digits > places else None)}{'' if node.unit == '1' else ' ' + node.unit}"
    else:
        figure = node.reason and f"缺失：{node.reason}"
    how = OPS[node.op] + (f" {node.text}" if node.text else "")
    return "  ".join(part for part in (head, where, figure, f"〔{how}〕", *node.refs) if part)


def render(node: Node, depth: int | None = None) -> Any:
    """The tree as a rich.tree.Tree for the terminal."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(line(node)))

    def grow(branch: Tree, parent: Node, left: int | None) -> None:
        for child in parent.children if left is None or left > 0 else ():
            grow(branch.add(Text(line(child))), child, None if left is None else left - 1)

    grow(tree, node, depth)
    return tree
