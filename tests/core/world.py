"""A small made-up world for tests: one city, three counties, a few observed variables, random formulas."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from lvheng.core.explain import Cell, Explainer
from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.formula import syntax as s
from lvheng.core.period import Kind, Period
from lvheng.core.region import Region, RegionTree

REGIONS = RegionTree(
    [
        Region("1", "某市"),
        Region("11", "甲县", "1"),
        Region("12", "乙县", "1"),
        Region("13", "丙县", "1"),
        Region("19", "某区", "1", counted=False),
    ]
)
ITEMS = {"fuel": ("coal", "gas")}
YEARS = [Period.of_year(y) for y in range(2019, 2023)]
QUARTERS = [Period(Kind.QUARTER, y, q) for y in (2020, 2021) for q in (1, 2, 3, 4)]
OBSERVED = [
    Variable("x", "1", over_regions="sum", over_time="sum"),
    Variable("y", "1", over_regions="sum", over_time="sum"),
    Variable("z", "1", over_regions="ratio", over_time="ratio"),
    Variable("stock", "1", over_regions="sum", over_time="last"),
    Variable("fuel_use", "1", over_regions="sum", over_time="sum", dimensions=("fuel",)),
]

Key = tuple[str, str, Period, str]


@dataclass
class World:
    """A model with its figures."""

    model: Model
    figures: dict[Key, Decimal]
    periods: list[Period]

    def __repr__(self) -> str:
        derived = {c: [f.text for f in v.formulas] for c, v in self.model.variables.items() if v.formulas}
        return f"World({derived}, {len(self.figures)} figures)"

    def explainer(self) -> Explainer:
        def lookup(code: str, region: str, period: Period, item: str) -> Cell | None:
            value = self.figures.get((code, region, period, item))
            return None if value is None else Cell(value, self.model[code].unit)

        return Explainer(self.model, lookup)

    def table(self) -> dict[str, list]:
        """The figures as a long table."""
        rows = [(c, r, p.kind.value, p.index, i, float(v)) for (c, r, p, i), v in self.figures.items()]
        columns = zip(*rows, strict=True) if rows else [()] * 6
        names = ["variable", "region", "kind", "period", "item", "value"]
        return {n: list(c) for n, c in zip(names, columns, strict=True)}

    def exact(self, code: str) -> dict[tuple[str, str, str], Decimal]:
        """All values of a variable, number by number; what is missing has no key."""
        ex = self.explainer()
        items = ITEMS["fuel"] if self.model[code].dimensions else ("",)
        values = {
            (r.code, p.code, i): ex(code, r.code, p, i).value for r in REGIONS for p in self.periods for i in items
        }
        return {key: value for key, value in values.items() if value is not None}


# --- random formulas ------------------------------------------------------------------------------
# Denominators, logarithms and conditions are made of whole numbers only, so that rounding in float64 can
# move a result but never decide whether there is one.


WHOLE = ["x", "y", "z", "stock", "lag({}, 1y)", "lag({}, 2y)", "base({})", "children(x)", "ytd(y)",
         "sum_over(fuel_use, fuel)", "base(stock)", "base(children(y))"]  # fmt: skip
CONDITIONS = ["{0} < {1}", "{0} <= {1}", "{0} > {1}", "{0} >= {1}", "{0} == {1}", "{0} != {1}",
              "{0} > 0 and {1} < 3", "not ({0} > 0 or {1} == 1)"]  # fmt: skip
# {0} {1} any formula · {w} a whole number · {c} a condition
SHAPES = ["({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / {w})", "-{0}", "({0}) ** 2", "({0}) ** 0", "({w}) ** -1",
          "coalesce({0}, {1})", "if_({c}, {0}, {1})", "abs({0})", "min({0}, {1})", "max({0}, {1})", "ln({w})",
          "lag({0}, 1y)", "base({0})", "sum_over(fuel_use * {0}, fuel)", "children(x * {0})"]  # fmt: skip


@st.composite
def whole(draw: st.DrawFn, *, quarters: bool) -> str:
    """An expression whose values are whole numbers."""
    shape = draw(st.sampled_from(WHOLE + (["lag({}, 1q)"] if quarters else [])))
    return shape.format(draw(st.sampled_from(["x", "y", "z", "stock"]))) if "{}" in shape else shape


@st.composite
def formulas(draw: st.DrawFn, earlier: list[str], *, quarters: bool, depth: int = 3) -> str:
    """A formula over the observed variables and derived ones that stand before."""
    number = whole(quarters=quarters)
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.one_of(number, st.sampled_from(["2", "0.1", "3.75", *earlier])))
    shape = draw(st.sampled_from(SHAPES))
    condition = draw(st.sampled_from(CONDITIONS)).format(draw(number), draw(number)) if "{c}" in shape else ""
    inner = [draw(formulas(earlier, quarters=quarters, depth=depth - 1)) if f"{{{n}}}" in shape else "" for n in (0, 1)]
    return shape.format(*inner, w=draw(number) if "{w}" in shape else "", c=condition)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A model with four derived variables over yearly or quarterly figures, some of them missing."""
    quarters = draw(st.booleans())
    periods = QUARTERS if quarters else YEARS
    derived = []
    for n in range(3):
        texts = [draw(formulas([f"d{i}" for i in range(n)], quarters=quarters)) for _ in range(draw(st.integers(1, 2)))]
        day = Period.of_year(2020).end
        versions = [Formula(texts[0])] if len(texts) == 1 else [
            Formula(texts[0], valid_to=day), Formula(texts[1], valid_from=day.replace(year=2021, month=1, day=1)),
        ]  # fmt: skip
        kind = Kind.QUARTER if quarters else Kind.YEAR
        derived.append(Variable(f"d{n}", "1", kind, formulas=tuple(versions)))
    running = Variable("run", "1", periods[0].kind, formulas=(Formula("coalesce(lag(run, 1y), 0) + x"),))
    by_fuel = Variable("by_fuel", "1", periods[0].kind, dimensions=("fuel",), formulas=(Formula("fuel_use / y"),))
    model = Model([*OBSERVED, *derived, running, by_fuel], regions=REGIONS, base_year=2020, dimensions=ITEMS)
    values = st.one_of(st.none(), st.integers(-4, 9).map(Decimal))
    figures: dict[Key, Decimal] = {}
    for v in OBSERVED:
        for r in REGIONS:
            for p in periods + ([Period.of_month(2021, m) for m in range(1, 13)] if r.code == "11" else []):
                if r.code == "1" and v.code in ("x", "fuel_use"):
                    continue  # added up from its counties
                for i in ITEMS["fuel"] if v.dimensions else ("",):
                    if (value := draw(values)) is not None:
                        figures[v.code, r.code, p, i] = value
    return World(model, figures, periods)


def bound(model: Model, node: s.Node) -> float:
    """How large an intermediate result of a formula can get in these worlds."""
    inner = [bound(model, part) for part in node.parts()]
    match node:
        case s.Number():
            return float(abs(node.value))
        case s.Name():
            trees = [bound(model, t) for _, t in model.trees(node.code)] if node.code != "run" else []
            return max([9.0 * 12 * 4, *trees])
        case s.Binary(op="*"):
            return max(1.0, inner[0]) * max(1.0, inner[1])
        case s.Power():
            return max(1.0, inner[0]) ** abs(node.exponent)
        case s.Children() | s.SumOver() | s.Ytd():
            return 4 * inner[0]
    return sum(inner)


def tolerance(model: Model, code: str) -> float:
    """float64 rounding over a formula: a few units in the last place of the largest intermediate result."""
    return 1e-13 * max([1.0, *(bound(model, tree) for _, tree in model.trees(code))])
