"""What a pass over tables has to cover."""

from __future__ import annotations

from collections.abc import Iterator

from lvheng.core.formula import syntax as s
from lvheng.core.formula.model import Model
from lvheng.core.period import Kind, Period
from lvheng.core.source import Validity


class Scope:
    """What a pass has to cover: variables in order, and periods as far back as any formula reaches."""

    def __init__(self, model: Model, kind: Kind, indices: list[int], wanted: list[str]):
        self.model, self.kind, self.indices = model, kind, indices
        self.wanted = [model[code].code for code in wanted]
        self.codes = model.needs(wanted)
        self.per_year = kind.per_year or 1
        self.low = self._history()
        self.high = max(indices)
        self.span = [Period.from_index(kind, i) for i in range(self.low, self.high + 1)]
        self.stretches = {code: self._stretches(code) for code in self.codes}
        self.observed = [
            code
            for code in self.codes
            if code in model.recursive or any(tree is None for _, _, tree in self.stretches[code])
        ]

    # --- what is needed -----------------------------------------------------------------------
    def _history(self) -> int:
        """The first period that any formula reaches back to."""
        first = min(self.indices)
        start = self.model.first_year * self.per_year
        need: dict[str, int] = {}
        todo = [(code, first) for code in self.wanted]
        lowest = first
        while todo:
            code, low = todo.pop()
            if need.get(code, low + 1) <= low:
                continue
            need[code] = low
            lowest = min(lowest, low)
            if not code:
                continue
            if code in self.model.recursive:
                if low > start:  # its own past counts from the beginning
                    todo.append((code, start))
                low = max(low, start)
            for _, tree in self.model.trees(code):
                todo += list(self._reach(tree, low))
        return lowest

    def _reach(self, node: s.Node, low: int) -> Iterator[tuple[str, int]]:
        """The variables behind an expression and their first periods; "" for the expression itself."""
        yield "", low
        match node:
            case s.Name():
                yield node.code, low
            case s.Lag():
                yield from self._reach(node.of, low - self.steps(node.months))
            case s.Base():
                yield from self._reach(node.of, min(low, self.model.base_year * self.per_year))
            case s.Ytd():
                yield from self._reach(node.of, low - low % self.per_year if self.adds_up else low)
            case _:
                for part in node.parts():
                    yield from self._reach(part, low)

    @property
    def adds_up(self) -> bool:
        """Whether cumulating since January means adding periods of this kind."""
        return self.kind in (Kind.MONTH, Kind.QUARTER, Kind.HALF)

    def steps(self, months: int) -> int:
        """Rows back for a lag; 0 when this kind of period has no such neighbour."""
        size = {Kind.YEAR: 12, Kind.HALF: 6, Kind.QUARTER: 3, Kind.MONTH: 1, Kind.YTD: 12}[self.kind]
        if months % size:
            return 0
        return months if self.kind is Kind.YTD else months // size

    def grid(self, code: str) -> str:
        """The dimension of a variable, "" for none."""
        return (*self.model[code].dimensions, "")[0]

    def grid_of(self, node: s.Node) -> str:
        """The dimension that the value of an expression has by itself."""
        if isinstance(node, s.Name):
            return self.grid(node.code)
        return "" if isinstance(node, s.SumOver) else max((self.grid_of(part) for part in node.parts()), default="")

    def _stretches(self, code: str) -> list[tuple[int, int, s.Node | None]]:
        """First and last period of each formula of a variable, in order; None where it is observed."""
        variable = self.model[code]
        trees = dict(self.model.trees(code))
        always = not variable.formulas or (len(trees) == 1 and variable.formulas[0].validity == Validity())
        if always and code not in self.model.recursive:
            return [(self.low, self.high, next(iter(trees.values()), None))]
        return self.model.stretches(code, self.span)

    def figures(self, node: s.Node) -> Iterator[s.Node]:
        match node:
            case s.Name():
                if not self.model[node.code].dimensions:
                    return
                if node.code in self.observed:
                    yield node
                for _, tree in self.model.trees(node.code):
                    yield from self.figures(tree)
            case s.Lag():
                yield from (s.Lag(n, node.months) for n in self.figures(node.of))
            case s.Base():
                yield from (s.Base(n) for n in self.figures(node.of))
            case _:
                for part in node.parts():
                    yield from self.figures(part)
