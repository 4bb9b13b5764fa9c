"""Variables and the model that holds them together: checked once, then computed as often as wanted."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Literal

from lvheng.core.formula.rules import bands_units, parameter_unit
from lvheng.core.formula.spelling import unknown
from lvheng.core.formula.syntax import (
    Bands,
    Base,
    Binary,
    Children,
    Coalesce,
    Function,
    If,
    Lag,
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
    parse,
)
from lvheng.core.formula.units import convert
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.core.quantity import measure
from lvheng.core.region import RegionTree
from lvheng.core.rulebook import Rulebook
from lvheng.core.source import Validity

OverRegions = Literal["sum", "last", "ratio", "none"]
OverTime = Literal["sum", "last", "mean", "ratio", "none"]


@dataclass(frozen=True, slots=True)
class Formula:
    """The text of a formula and the days it is in force; ``place`` is where it is written."""

    text: str
    valid_from: date | None = None
    valid_to: date | None = None
    place: Place = field(default_factory=Place, compare=False)

    @property
    def validity(self) -> Validity:
        return Validity(self.valid_from, self.valid_to)


@dataclass(frozen=True, slots=True)
class Variable:
    """An indicator as the engines see it: observed when it has no formula in force, else computed.

    An observed variable that adds up (``sum``) is also derived by addition where no direct observation
    exists: over finer periods, then over the parts of a region. Ratios never are.
    """

    code: str
    unit: str
    frequency: Kind = Kind.YEAR
    over_regions: OverRegions = "none"
    over_time: OverTime = "none"
    dimensions: tuple[str, ...] = ()
    formulas: tuple[Formula, ...] = ()
    name: str = ""
    place: Place = field(default_factory=Place, compare=False)

    @property
    def label(self) -> str:
        return self.name or self.code

    def formula_on(self, day: date) -> Formula | None:
        """The formula in force on a day, or None when the variable is observed then."""
        return next((f for f in self.formulas if f.validity.covers(day)), None)


def shift_period(period: Period, months: int) -> Period | None:
    """The same period so many months earlier; None when the kind of period has no such neighbour.

    A cumulative month moves by whole years only: 1—5月 has no "month before".
    """
    if period.kind in (Kind.DAY, Kind.HOUR, Kind.PLAN):
        whole = period.kind is not Kind.PLAN and months % 12 == 0
        return period.lag(months // 12) if whole else None
    size = {Kind.YEAR: 12, Kind.HALF: 6, Kind.QUARTER: 3, Kind.MONTH: 1, Kind.YTD: 12}[period.kind]
    if months % size:
        return None
    steps = months if period.kind is Kind.YTD else months // size
    return period.shift(-steps)


class Model:
    """Variables, rulebook and regions. Building it never raises; :meth:`check` tells what is wrong.

    ``base_year``: what ``base(x)`` refers to. ``first_year``: where formulas that refer to their own past begin
    (default: the base year). ``dimensions``: the items of each dimension, where a list is fixed.
    ``rules_on``: a day whose rules are used for all periods (a final assessment may ask for that);
    by default each period uses the rules in force on its last day.
    """

    def __init__(
        self,
        variables: Iterable[Variable],
        rulebook: Rulebook | None = None,
        regions: RegionTree | None = None,
        base_year: int = 2020,
        *,
        first_year: int | None = None,
        dimensions: Mapping[str, Sequence[str]] | None = None,
        rules_on: date | None = None,
    ):
        self.rulebook = rulebook or Rulebook(regions=regions)
        self.regions = regions
        self.base_year = base_year
        self.first_year = base_year if first_year is None else first_year
        self.dimensions = dict(dimensions or {})
        self.rules_on = rules_on
        self.variables: dict[str, Variable] = {}
        self._problems: list[Problem] = []
        self._trees: dict[tuple[str, Formula], Node] = {}
        for variable in variables:
            if variable.code in self.variables:
                self._tell(
                    variable.place, "twice", "指标代码重复", got=variable.code, fix="删去其中一条，或改用其他代码。"
                )
            self.variables[variable.code] = variable
        for variable in self.variables.values():
            self._compile(variable)
        self._order()

    # --- asking -------------------------------------------------------------------------------
    def __getitem__(self, code: str) -> Variable:
        """Raises ProblemError with the nearest codes when there is no such indicator."""
        return self.variables[code] if code in self.variables else unknown(code, self.variables, "指标")

    def check(self) -> list[Problem]:
        """All problems of names, units, dimensions, sums of ratios and cycles."""
        return list(self._problems)

    def require(self) -> None:
        """Raise ProblemError when a problem forbids computing."""
        if stops(self._problems):
            raise ProblemError(self._problems)

    def rule_day(self, period: Period) -> date:
        """The day whose rules hold for a period."""
        return self.rules_on or period.end

    def tree(self, code: str, day: date) -> tuple[Formula, Node] | None:
        """The formula in force on a day, and its tree with unit conversions; None where observed."""
        formula = self[code].formula_on(day)
        return None if formula is None else (formula, self._trees[code, formula])

    def trees(self, code: str) -> list[tuple[Formula, Node]]:
        """All formulas of an indicator."""
        return [(f, self._trees[code, f]) for f in self[code].formulas if (code, f) in self._trees]

    def stretches(self, code: str, span: Sequence[Period]) -> list[tuple[int, int, Node | None]]:
        """First and last index of each formula of an indicator over neighbouring periods; None where it is observed."""
        variable = self[code]
        trees = dict(self.trees(code))
        found: list[tuple[int, int, Node | None]] = []
        for p in span:
            formula = variable.formula_on(self.rule_day(p))
            if code in self.recursive and p.year < self.first_year:
                formula = None
            tree = trees[formula] if formula is not None else None
            if found and found[-1][2] is tree:
                found[-1] = (found[-1][0], p.index, tree)
            else:
                found.append((p.index, p.index, tree))
        return found

    def needs(self, codes: Iterable[str]) -> list[str]:
        """The codes and everything they depend on, in an order of computing."""
        wanted, todo = set(), [self[code].code for code in codes]
        while todo:
            code = todo.pop()
            if code not in wanted:
                wanted.add(code)
                todo += [name for name, _ in self.edges(code)]
        return [code for code in self.order if code in wanted]

    def edges(self, code: str) -> list[tuple[str, int]]:
        """What an indicator refers to, with the months back (0: the same period, or not surely earlier)."""
        return list(dict.fromkeys(e for _, tree in self.trees(code) for e in _references(tree, 0)))

    # --- checking -----------------------------------------------------------------------------
    def _tell(self, place: Place, code: str, message: str, *, got: str = "", wanted: str = "", fix: str) -> None:
        self._problems.append(Problem(f"core.model.{code}", message, place=place, got=got, wanted=wanted, fix=fix))

    def _unit(self, name: str) -> str:
        return self[name].unit

    def _compile(self, variable: Variable) -> None:
        try:
            measure(variable.unit)
        except ProblemError as error:
            self._problems += [replace(p, place=_or(p.place, variable)) for p in error]
            return
        ordered = sorted(variable.formulas, key=lambda f: f.valid_from or date.min)
        for before, after in itertools.pairwise(ordered):
            if before.validity.overlaps(after.validity):
                self._tell(
                    after.place, "overlap", f"指标“{variable.label}”的两个公式有效期重叠", got=after.validity.label,
                    wanted=f"不与{before.validity.label}重叠", fix="给前一公式填写失效日期。",
                )  # fmt: skip
        for formula in variable.formulas:
            try:
                tree = parse(formula.text, _or(formula.place, variable))
                self._check_tree(variable, formula, tree)
                self._trees[variable.code, formula] = convert(
                    tree, variable.unit, variable=self._unit, place=_or(formula.place, variable),
                    parameter=lambda rule: parameter_unit(self.rulebook, rule),
                    bands=lambda rule: bands_units(self.rulebook, rule),
                )  # fmt: skip
            except ProblemError as error:
                self._problems += error.problems

    def _check_tree(self, variable: Variable, formula: Formula, tree: Node) -> None:
        place = _or(formula.place, variable)

        def stop(node: Node, code: str, message: str, got: str, wanted: str, fix: str) -> ProblemError:
            at = replace(place, start=max(node.column - 1, 0))
            return ProblemError(Problem(f"core.formula.{code}", message, place=at, got=got, wanted=wanted, fix=fix))

        for node in tree.walk():
            if isinstance(node, Name):
                if node.code not in self.variables:
                    try:
                        unknown(node.code, self.variables, "指标")
                    except ProblemError as error:
                        raise ProblemError(
                            replace(p, place=replace(place, start=node.column - 1)) for p in error
                        ) from None
            elif isinstance(node, Children | SumOver | Ytd):
                axis = {Ytd: "over_time", Children: "over_regions", SumOver: "over_items"}[type(node)]
                if self._adds(node.of, axis) == "ratio":
                    raise stop(
                        node, "sum_of_ratio", "公式把比率或不可加的数相加", formula.text, "可加总的指标",
                        "先分别加总分子和分母，再相除。",
                    )  # fmt: skip
            elif isinstance(node, Lag) and variable.frequency in _MONTHS and node.months % _MONTHS[variable.frequency]:
                raise stop(
                    node, "lag_span", "公式的滞后期与指标的频度不合", f"{node.months}个月",
                    f"{_MONTHS[variable.frequency]}个月的整倍数", "改用与频度相合的滞后期。",
                )  # fmt: skip
        dimensions = self._dimensions(tree, stop)
        if dimensions != set(variable.dimensions):
            raise stop(
                tree, "dimension", f"公式的维度与指标“{variable.label}”的不符", "、".join(sorted(dimensions)) or "无",
                "、".join(variable.dimensions) or "无", "用sum_over按维度加总，或改正指标的维度。",
            )  # fmt: skip
        if len(dimensions) > 1:
            raise stop(
                tree,
                "dimension",
                "公式同时用到几个维度",
                "、".join(sorted(dimensions)),
                "至多一个维度",
                "先按其中一个维度加总。",
            )

    def _dimensions(self, node: Node, stop: Callable[..., ProblemError]) -> set[str]:
        if isinstance(node, Name):
            return set(self[node.code].dimensions)
        inner = set().union(*(self._dimensions(part, stop) for part in node.parts()))
        if isinstance(node, SumOver):
            if node.dimension not in inner:
                raise stop(
                    node, "dimension", "公式按没有的维度加总", node.dimension, "、".join(sorted(inner)) or "该指标没有维度",
                    "改正维度名称。",
                )  # fmt: skip
            inner -= {node.dimension}
        return inner

    def _adds(self, node: Node, axis: str) -> Literal["sum", "ratio", "constant"]:
        """Whether adding the values of an expression over regions or time has a meaning."""
        match node:
            case Number() | Param():
                return "constant"
            case Name():
                variable = self[node.code]
                if axis == "over_items":
                    return "ratio" if "ratio" in (variable.over_regions, variable.over_time) else "sum"
                return "sum" if getattr(variable, axis) == "sum" else "ratio"
            case Binary(op="*" | "/"):
                a, b = self._adds(node.left, axis), self._adds(node.right, axis)
                if node.op == "*":  # an amount × a rate is an amount
                    return "sum" if "sum" in (a, b) else "constant" if a == b == "constant" else "ratio"
                return "sum" if a == "sum" and b != "sum" else "constant" if a == b == "constant" else "ratio"
            case Power():
                return "constant" if self._adds(node.of, axis) == "constant" else "ratio"
            case Function(name="ln" | "exp"):
                return "ratio"
            case Bands():
                return self._adds(node.of, axis)
            case If():
                kinds = {self._adds(node.then, axis), self._adds(node.other, axis)}
            case Negative() | Lag() | Base() | Ytd() | Children() | SumOver() | Round() | Scale():
                return self._adds(node.of, axis)
            case Coalesce() | Function() | Binary():
                kinds = {self._adds(part, axis) for part in node.parts()}
            case _:
                return "ratio"
        return "ratio" if "ratio" in kinds else "sum" if "sum" in kinds else "constant"

    def _order(self) -> None:
        """An order of computing within one period; tells cycles that never reach an earlier period."""
        self.order: list[str] = []
        state: dict[str, int] = {}
        for start in self.variables:
            stack: list[tuple[str, Iterator[str]]] = []
            if start not in state:
                state[start] = 1
                stack.append((start, self._now(start)))
            while stack:
                code, rest = stack[-1]
                for below in rest:
                    if state.get(below) == 1:
                        path = [c for c, _ in stack]
                        self._cycle(path[path.index(below) :])
                    elif below not in state:
                        state[below] = 1
                        stack.append((below, self._now(below)))
                        break
                else:
                    state[code] = 2
                    self.order.append(code)
                    stack.pop()

    def _now(self, code: str) -> Iterator[str]:
        return iter([name for name, months in self.edges(code) if months == 0])

    def _cycle(self, path: list[str]) -> None:
        words = " → ".join(self.variables[c].label for c in [*path, path[0]])
        first = self.variables[path[0]]
        place = first.formulas[0].place if first.formulas else first.place
        self._tell(
            _or(place, first), "cycle", "指标在同一期间内互相引用成环", got=words, wanted="公式只引用自身较早的期间，如lag(x, 1y)",
            fix="拆开其中一个公式，或改为引用上期。",
        )  # fmt: skip

    @cached_property
    def recursive(self) -> frozenset[str]:
        """Indicators that refer to their own past, directly or through others."""
        reach: dict[str, set[str]] = {}
        below = {code: {n for n, _ in self.edges(code)} for code in self.variables}
        for code in self.variables:
            seen: set[str] = set()
            todo = list(below[code])
            while todo:
                c = todo.pop()
                if c not in seen:
                    seen.add(c)
                    todo += below[c]
            reach[code] = seen
        return frozenset(code for code, seen in reach.items() if code in seen)


_MONTHS = {Kind.YEAR: 12, Kind.HALF: 6, Kind.QUARTER: 3, Kind.MONTH: 1, Kind.YTD: 12}


def _references(node: Node, back: int) -> Iterator[tuple[str, int]]:
    if isinstance(node, Name):
        yield node.code, back
    elif isinstance(node, Lag):
        yield from _references(node.of, back + node.months)
    elif isinstance(node, Base | Ytd):  # may be this very period
        yield from _references(node.of, 0 if isinstance(node, Base) else back)
    else:
        for part in node.parts():
            yield from _references(part, back)


def _or(place: Place, variable: Variable) -> Place:
    """A place that at least names the indicator."""
    if place.file or place.line:
        return place
    return replace(variable.place if variable.place.file else place, field=place.field or variable.code)
