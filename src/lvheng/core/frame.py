"""The vector pass: all indicators for all regions and periods at once, on DuckDB, Polars or Spark.

Input is one or several tables (Arrow, Polars, DuckDB relation, or a dict of columns):

long   ``variable, region, period, value`` and, where they apply, ``item`` (of a dimension) and ``kind``
wide   ``region, period``, perhaps ``item``, and one column a variable

``period`` is :attr:`Period.index` of the kind; ``value`` is in the variable's unit, float64. Without ``kind``
the periods are of the kind that is evaluated; with it, finer periods are added up where the variable allows
(as in :mod:`lvheng.core.explain`, number by number, in Decimal).

Missing is null, never zero; no NaN or infinity comes out. float64 carries about 15 digits: the explanation
tree is the exact number, this pass the many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from lvheng.core.dense import Dense
from lvheng.core.engine import Engine, chosen, connect
from lvheng.core.formula import syntax as s
from lvheng.core.formula import vector
from lvheng.core.formula.model import Model
from lvheng.core.formula.rules import bands_units, parameter, steps
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.rulebook import Band
from lvheng.core.scope import Scope

KINDS = (Kind.YEAR, Kind.HALF, Kind.QUARTER, Kind.MONTH, Kind.YTD)
_KEYS = ["region", "period"]


@dataclass(frozen=True)
class Table:
    """The result: for each dimension ("" for none) a wide Arrow table keyed by region, period and item."""

    kind: Kind
    wide: Mapping[str, pa.Table]

    def long(self) -> pa.Table:
        """``variable, region, period (code), item, value``; what is missing has no row."""
        parts = []
        for dimension, table in self.wide.items():
            codes = np.array([_code(self.kind, i) for i in table["period"].to_pylist()], dtype=object)
            item = table["item"] if dimension else pa.array([""] * table.num_rows, pa.string())
            for name in table.column_names[3 if dimension else 2 :]:
                column = {
                    "variable": pa.array([name] * table.num_rows, pa.string()),
                    "region": table["region"].cast(pa.string()),
                    "period": pa.array(codes, pa.string()),
                    "item": item.cast(pa.string()),
                    "value": table[name],
                }
                parts.append(pa.table(column).filter(table[name].is_valid()))
        return pa.concat_tables(parts).combine_chunks() if parts else pa.table({})

    def to_polars(self) -> Any:
        """:meth:`long` as a polars DataFrame."""
        import polars as pl

        return pl.from_arrow(self.long())

    def dicts(self) -> Iterator[dict[str, Any]]:
        """:meth:`long` row by row."""
        return iter(self.long().to_pylist())

    def values(self, variable: str) -> dict[tuple[str, str, str], float]:
        """One variable: (region, period code, item) → value; what is missing has no key."""
        for dimension, table in self.wide.items():
            if variable in table.column_names:
                items = table["item"].to_pylist() if dimension else [""] * table.num_rows
                keys = zip(table["region"].to_pylist(), table["period"].to_pylist(), items, strict=True)
                rows = zip(keys, table[variable].to_pylist(), strict=True)
                return {(r, _code(self.kind, p), i): v for (r, p, i), v in rows if v is not None}
        return {}


def _code(kind: Kind, index: int) -> str:
    return Period.from_index(kind, index).code


def evaluate(
    model: Model,
    data: Any,
    *,
    kind: Kind,
    periods: Iterable[Period | int],
    engine: str | None = None,
    variables: Iterable[str] | None = None,
) -> Table:
    """All (or the named) variables for every region and the given periods of one kind.

    With a region tree every region of it has a row; without, those in the data. Raises ProblemError on
    faults of the model, an unknown engine, data of unknown regions or figures given twice.
    """
    model.require()
    wanted = list(variables) if variables is not None else list(model.variables)
    indices = sorted({p if isinstance(p, int) else p.index for p in periods})
    if kind not in KINDS or not indices:
        raise ProblemError(
            Problem(
                "core.frame.periods", "整表计算的期间有误", got=kind.value, wanted="年、半年、季、月或累计月，至少一期",
                fix="逐项计算请用说明树。",
            )
        )  # fmt: skip
    if chosen(engine) == "numpy":
        return Table(kind, Dense(model, kind, indices, wanted, data).run())
    return _Pass(model, kind, indices, wanted, connect(engine)).run(data)


@dataclass(slots=True)
class _Column:
    """One column to be computed: of a variable, or of an inner expression that a lag or sum needs."""

    name: str
    grid: str
    op: str  # observed, plain, window, base, children, sum_over, bring
    make: Callable[[], nw.Expr] | None = None
    source: str = ""  # the column that is added up or brought, and for sum_over its companion
    present: str = ""
    from_grid: str = ""
    needs: tuple[str, ...] = ()
    level: int = 0
    months: int = 0


@dataclass(slots=True)
class _Grid:
    """The rows of one dimension ("" for none) and the columns computed so far."""

    frame: nw.LazyFrame
    keys: list[str]
    pending: int = 0
    has: set[str] = field(default_factory=set)


class _Pass(Scope):
    def __init__(self, model: Model, kind: Kind, indices: list[int], wanted: list[str], on: Engine):
        super().__init__(model, kind, indices, wanted)
        self.on = on
        self.columns: dict[str, _Column] = {}
        self.grids: dict[str, _Grid] = {}
        self.inner: dict[tuple[str, s.Node], str] = {}
        self.name_of = {code: f"v{n}" for n, code in enumerate(self.codes)}

    # --- the run ------------------------------------------------------------------------------
    def run(self, data: Any) -> Table:
        for code in self.codes:
            self._plan(code)
        self._fill(data)
        levels = self._levels()
        for block in self._blocks(levels):
            self._compute(block)
        return Table(self.kind, self._result())

    def _result(self) -> dict[str, pa.Table]:
        out = {}
        for dimension, grid in self.grids.items():
            codes = [c for c in self.wanted if self.grid(c) == dimension]
            if codes:
                frame = grid.frame.filter(nw.col("period").is_in(self.indices))
                table = self.on.arrow(frame.select(*grid.keys, *(nw.col(self.name_of[c]) for c in codes)))
                out[dimension] = table.rename_columns([*grid.keys, *codes])
        return out

    # --- planning columns ---------------------------------------------------------------------
    def _plan(self, code: str) -> None:
        """The column of a variable: by formula where one is in force, else as observed."""
        grid, name = self.grid(code), self.name_of[code]
        ranges = self.model.stretches(code, self.span)
        if all(tree is None for _, _, tree in ranges):
            self.columns[name] = _Column(name, grid, "observed")
            return
        needs: list[str] = []
        for _, _, tree in ranges:
            if tree is not None:
                needs += self._needs(tree, grid)
        if any(tree is None for _, _, tree in ranges):
            needs.append(self._raw(name, grid))

        def make() -> nw.Expr:
            whole: nw.Expr | None = None
            for first, last, tree in reversed(ranges):
                e = nw.col(f"raw_{name}") if tree is None else vector.finite(self._express(tree, grid))
                inside = (nw.col("period") >= first) & (nw.col("period") <= last)
                whole = e if whole is None else nw.when(inside).then(e).otherwise(whole)
            assert whole is not None
            return whole

        self.columns[name] = _Column(name, grid, "plain", make, needs=tuple(dict.fromkeys(needs)))

    def _raw(self, name: str, grid: str) -> str:
        raw = f"raw_{name}"
        self.columns[raw] = _Column(raw, grid, "observed")
        return raw

    def _needs(self, node: s.Node, grid: str) -> list[str]:
        """Plans the columns that an expression in a grid refers to, and names them."""
        if isinstance(node, s.Name):
            return [self._name(node.code, grid)]
        if isinstance(node, s.WINDOWS):
            return [self._window(node, grid)]
        return [need for part in node.parts() for need in self._needs(part, grid)]

    def _name(self, code: str, grid: str) -> str:
        name, own = self.name_of[code], self.grid(code)
        if own == grid:
            return name
        brought = f"{name}_in_{grid}"
        if brought not in self.columns:
            self.columns[brought] = _Column(brought, grid, "bring", source=name, from_grid=own, needs=(name,))
        return brought

    def _plain(self, node: s.Node, grid: str) -> str:
        """A column with the value of an expression."""
        if isinstance(node, s.Name):
            return self._name(node.code, grid)
        if isinstance(node, s.WINDOWS):
            return self._window(node, grid)
        key = (grid, node)
        if key not in self.inner:
            name = self.inner[key] = f"x{len(self.inner)}"
            needs = tuple(dict.fromkeys(self._needs(node, grid)))
            self.columns[name] = _Column(
                name, grid, "plain", lambda: vector.finite(self._express(node, grid)), needs=needs
            )
        return self.inner[key]

    def _window(self, node: s.Node, grid: str) -> str:
        key = (grid, node)
        if key in self.inner:
            return self.inner[key]
        own = self.grid_of(node)
        if own != grid:
            once = self._window(node, own)
            name = self.inner[key] = f"{once}_in_{grid}"
            self.columns[name] = _Column(name, grid, "bring", source=once, from_grid=own, needs=(once,))
            return name
        name = self.inner[key] = f"w{len(self.inner)}"
        keys = ["region", "item"] if grid else ["region"]
        match node:
            case s.Lag():
                inner, n = self._plain(node.of, grid), self.steps(node.months)
                self._add_window(
                    name, grid, inner,
                    lambda: nw.col(inner).shift(n).over(*keys, order_by="period") if n else vector.missing(),
                    months=node.months,
                )  # fmt: skip
            case s.Base():
                inner, year = self._plain(node.of, grid), self.model.base_year * self.per_year
                base = (nw.col("period") >= year) & (nw.col("period") < year + self.per_year)
                self._add_window(name, grid, inner, lambda: nw.when(base).then(nw.col(inner)).max().over(*keys, "part"))
            case s.Ytd():
                inner = self._plain(node.of, grid)
                self._add_window(name, grid, inner, lambda: self._cumulated(inner, keys))
            case s.Children():
                inner = self._plain(node.of, grid)
                self.columns[name] = _Column(name, grid, "children", source=inner, needs=(inner,))
            case s.SumOver():
                inner, present = self._plain(node.of, node.dimension), self._present(node.of, node.dimension)
                self.columns[name] = _Column(
                    name, grid, "sum_over", source=inner, present=present, from_grid=node.dimension,
                    needs=(inner, present),
                )  # fmt: skip
        return name

    def _add_window(
        self, name: str, grid: str, inner: str, make: Callable[[], nw.Expr], months: int = 0, op: str = "window"
    ) -> None:
        self.columns[name] = _Column(name, grid, op, make, source=inner, needs=(inner,), months=months)

    def _cumulated(self, inner: str, keys: list[str]) -> nw.Expr:
        column = nw.col(inner)
        if not self.adds_up:
            return column
        count = column.cum_count().over(*keys, "year", order_by="period")
        total = column.cum_sum().over(*keys, "year", order_by="period")
        return nw.when(count == nw.col("part") + 1).then(total)

    def _present(self, node: s.Node, grid: str) -> str:
        """A column that is 1 where an item occurs: some figure of that item behind the expression is there."""
        return self._plain(self._presence(node), grid)

    def _presence(self, node: s.Node) -> s.Node:
        """1 or missing, as a formula: coalesce over the figures, each raised to the power 0."""
        unique = tuple(dict.fromkeys(s.Power(n, 0) for n in self.figures(node)))
        return unique[0] if len(unique) == 1 else s.Coalesce(unique)

    # --- expressions --------------------------------------------------------------------------
    def _express(self, tree: s.Node, grid: str) -> nw.Expr:
        def leaf(node: s.Node) -> nw.Expr:
            if isinstance(node, s.Param):
                rule = node.rule

                def value(day: Period, region: str) -> object:
                    return parameter(self.model.rulebook, rule, self.model.rule_day(day), region, [], [])

                return self._in_force(rule, value, lambda v: vector.missing() if v is None else vector.number(v))
            return nw.col(self._name(node.code, grid) if isinstance(node, s.Name) else self.inner[grid, node])

        def bands(rule: str, of: Callable[[Sequence[Band]], nw.Expr]) -> nw.Expr:
            units = bands_units(self.model.rulebook, rule)

            def value(day: Period, region: str) -> object:
                version = self.model.rulebook.find(rule, self.model.rule_day(day), region)
                return None if version is None else tuple(steps(version, *units))

            return self._in_force(rule, value, lambda v: vector.missing() if v is None else of(v))  # type: ignore[arg-type]

        return vector.express(tree, leaf, bands)

    def _in_force(self, rule: str, value: Callable[[Period, str], object], say: Callable[[object], nw.Expr]) -> nw.Expr:
        """What a rule says in each row: by stretches of periods, and by regions where it differs there."""

        def stretches(region: str) -> tuple[tuple[int, object], ...]:
            found: list[tuple[int, object]] = []
            for p in self.span:
                v = value(p, region)
                if not found or found[-1][1] != v:
                    found.append((p.index, v))
            return tuple(found)

        def over_time(parts: tuple[tuple[int, object], ...]) -> nw.Expr:
            whole = say(parts[0][1])
            for first, v in parts[1:]:
                whole = nw.when(nw.col("period") >= first).then(say(v)).otherwise(whole)
            return whole

        national = stretches("")
        whole = over_time(national)
        if any(v.entry.region for v in self.model.rulebook.versions(rule)):
            groups: dict[tuple[tuple[int, object], ...], list[str]] = {}
            for region in self.regions:
                if (found := stretches(region)) != national:
                    groups.setdefault(found, []).append(region)
            for found, members in groups.items():
                whole = nw.when(nw.col("region").is_in(members)).then(over_time(found)).otherwise(whole)
        return whole

    # --- order --------------------------------------------------------------------------------
    def _levels(self) -> list[list[_Column]]:
        """Columns that can be computed together; what lags inside a recursion does not wait for it."""
        looped = self._looped()
        done: dict[str, int] = {}

        def level(name: str) -> int:
            if name not in done:
                column = self.columns[name]
                done[name] = 0
                if column.op != "observed":
                    lag_inside = name in looped and column.op == "window" and column.months > 0
                    needs = [n for n in column.needs if not (lag_inside and n in looped)]
                    done[name] = 1 + max((level(n) for n in needs), default=0)
            return done[name]

        for name, column in self.columns.items():
            column.level = level(name)
        self.looped = looped
        depth = max((c.level for c in self.columns.values()), default=0)
        return [[c for c in self.columns.values() if c.level == n] for n in range(1, depth + 1)]

    def _looped(self) -> set[str]:
        """Columns on a path from a recursive variable to a recursive variable."""
        roots = {self.name_of[c] for c in self.codes if c in self.model.recursive}
        users: dict[str, set[str]] = {}
        for name, column in self.columns.items():
            for need in column.needs:
                users.setdefault(need, set()).add(name)
        if not roots:
            return set()
        return _closure(roots, lambda n: self.columns[n].needs) & _closure(roots, lambda n: users.get(n, ()))

    def _blocks(self, levels: list[list[_Column]]) -> Iterator[list[_Column]]:
        """Levels in order; the columns of recursions as often as there are periods, all levels of them each time."""
        if not self.looped:
            yield from levels
            return
        before = {n for c in self.looped for n in _closure({c}, lambda n: self.columns[n].needs)} - self.looped
        for columns in levels:
            yield [c for c in columns if c.name in before]
        looped = [[c for c in columns if c.name in self.looped] for columns in levels]
        looped = [columns for columns in looped if columns]
        start = max(self.low, self.model.first_year * self.per_year)
        for grid_name in {c.grid for columns in looped for c in columns}:
            names = [c.name for columns in looped for c in columns if c.grid == grid_name]
            self._put(grid_name, [vector.missing().alias(n) for n in names], names)
        # each pass settles as many more periods as the shortest lag; base() may have to wait for its year
        inside = [c for columns in looped for c in columns]
        shortest = min((self.steps(c.months) for c in inside if c.op == "window" and c.months), default=1)
        passes = -(-(self.high - start + 1) // max(shortest, 1))
        if any(c.op == "base" for c in inside):
            passes *= 2
        for _ in range(passes):
            yield from looped
            for grid in self.grids.values():
                grid.frame, grid.pending = self.on.keep(grid.frame), 0
        for columns in levels:
            yield [c for c in columns if c.name not in before and c.name not in self.looped]

    # --- computing ----------------------------------------------------------------------------
    def _put(self, grid_name: str, expressions: list[nw.Expr], names: list[str]) -> None:
        grid = self.grids[grid_name]
        grid.frame = grid.frame.with_columns(*expressions)
        grid.has |= set(names)
        grid.pending += 1

    def _compute(self, columns: list[_Column]) -> None:
        for name, grid in self.grids.items():
            own = [c for c in columns if c.grid == name and c.op in ("plain", "window", "base")]
            if own:
                self._put(name, [c.make().alias(c.name) for c in own if c.make], [c.name for c in own])
            if grid.pending >= 6:  # deep plans cost more than writing down
                grid.frame, grid.pending = self.on.keep(grid.frame), 0
        for op, work in (("children", self._children), ("sum_over", self._sum_over), ("bring", self._bring)):
            groups: dict[tuple[str, str], list[_Column]] = {}
            for c in columns:
                if c.op == op:
                    groups.setdefault((c.grid, c.from_grid), []).append(c)
            for (to, source), several in groups.items():
                work(to, source, several)

    def _join(self, grid_name: str, other: nw.LazyFrame, on: list[str], names: list[str]) -> None:
        grid = self.grids[grid_name]
        old = [n for n in names if n in grid.has]
        frame = grid.frame.drop(*old) if old else grid.frame
        grid.frame = self.on.keep(frame.join(other, on=on, how="left"))
        grid.has |= set(names)
        grid.pending = 0

    def _settled(self, grid_name: str) -> nw.LazyFrame:
        """The grid, written down first if anything is pending, for it is about to be read twice."""
        grid = self.grids[grid_name]
        if grid.pending:
            grid.frame, grid.pending = self.on.keep(grid.frame), 0
        return grid.frame

    def _children(self, to: str, source: str, columns: list[_Column]) -> None:
        frame, keys = self._settled(to), self.grids[to].keys
        up = frame.join(self._edges(), left_on="region", right_on="part_of_parent", how="inner")
        sums = []
        for c in columns:
            sums += [nw.col(c.source).sum().alias(c.name), nw.col(c.source).count().alias(f"n_{c.name}")]
        others = [k for k in keys if k != "region"]
        added = up.group_by("parent", *others).agg(*sums, nw.col("parts_of_parent").max().alias("n_parts"))
        whole = [
            nw.when(nw.col(f"n_{c.name}") == nw.col("n_parts")).then(nw.col(c.name)).alias(c.name) for c in columns
        ]
        added = added.select(nw.col("parent").alias("region"), *others, *whole)
        self._join(to, added, keys, [c.name for c in columns])

    def _sum_over(self, to: str, source: str, columns: list[_Column]) -> None:
        sums: list[nw.Expr] = []
        for c in columns:
            here = nw.when(~nw.col(c.present).is_null()).then(nw.col(c.source))
            sums += [here.sum().alias(c.name), here.count().alias(f"n_{c.name}"),
                     nw.col(c.present).count().alias(f"p_{c.name}")]  # fmt: skip
        added = self._settled(source).group_by(*_KEYS).agg(*sums)
        whole = [
            nw.when((nw.col(f"p_{c.name}") > 0) & (nw.col(f"n_{c.name}") == nw.col(f"p_{c.name}")))
            .then(nw.col(c.name))
            .alias(c.name)
            for c in columns
        ]
        self._join(to, added.select(*_KEYS, *whole), _KEYS, [c.name for c in columns])

    def _bring(self, to: str, source: str, columns: list[_Column]) -> None:
        other = self._settled(source).select(*_KEYS, *(nw.col(c.source).alias(c.name) for c in columns))
        self._join(to, other, _KEYS, [c.name for c in columns])

    # --- filling the grids --------------------------------------------------------------------
    def _edges(self, depth: int | None = None) -> nw.LazyFrame:
        """Regions and their parts (those of a depth), with the number of parts."""
        rows = [
            (r.code, part.code, len(parts))
            for r in self.model.regions or ()
            if depth is None or self.depth[r.code] == depth
            for parts in [self.parts[r.code]]
            for part in parts
        ]
        columns = list(zip(*rows, strict=True)) or [(), (), ()]
        names = ["parent", "part_of_parent", "parts_of_parent"]
        types = [pa.string(), pa.string(), pa.int64()]
        return self.on.load(pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)}))

    def _fill(self, data: Any) -> None:
        from lvheng.core.intake import Intake  # reads the tables that come in

        regions = self.model.regions
        self.parts: dict[str, list[Any]] = {}
        self.depth: dict[str, int] = {}
        if regions is not None:
            for r in regions:
                self.parts[r.code] = []
                depth, up = 0, r.parent
                while up:
                    depth, up = depth + 1, regions[up].parent
                self.depth[r.code] = depth
            for r in regions:
                if r.parent and r.counted:
                    self.parts[r.parent].append(r)
        names = {code: self.name_of[code] if self.columns[self.name_of[code]].op == "observed" else
                 f"raw_{self.name_of[code]}" for code in self.observed}  # fmt: skip
        dimensions = list(dict.fromkeys(["", *(c.grid for c in self.columns.values())]))
        windows = any(c.op in ("window", "base") for c in self.columns.values())
        intake = Intake(self.model, self.on, self.kind, self.span, names, dense=windows or regions is not None)
        self.regions = intake.read(data)
        for dimension in dimensions:
            frame, keys = intake.grid(dimension)
            columns = [names[c] for c in self.observed if self.grid(c) == dimension]
            self.grids[dimension] = _Grid(frame, keys, has=set(columns))
            self._roll_up(dimension, [c for c in self.observed if self.grid(c) == dimension], names)

    def _roll_up(self, dimension: str, codes: list[str], names: Mapping[str, str]) -> None:
        """Observed variables that add up over regions: where a region has none, the sum of its parts."""
        columns = [names[c] for c in codes if self.model[c].over_regions == "sum"]
        grid = self.grids[dimension]
        others = [k for k in grid.keys if k != "region"]
        for depth in sorted({self.depth[c] for c, parts in self.parts.items() if parts}, reverse=True):
            if not columns:
                return
            up = grid.frame.join(self._edges(depth), left_on="region", right_on="part_of_parent", how="inner")
            sums = [e for c in columns for e in (nw.col(c).sum().alias(f"s_{c}"), nw.col(c).count().alias(f"n_{c}"))]
            added = up.group_by("parent", *others).agg(*sums, nw.col("parts_of_parent").max().alias("n_parts"))
            whole = [
                nw.when(nw.col(f"n_{c}") == nw.col("n_parts")).then(nw.col(f"s_{c}")).alias(f"s_{c}") for c in columns
            ]
            added = added.select(nw.col("parent").alias("region"), *others, *whole)
            joined = grid.frame.join(added, on=grid.keys, how="left")
            joined = joined.with_columns(*(nw.coalesce(nw.col(c), nw.col(f"s_{c}")).alias(c) for c in columns))
            grid.frame = self.on.keep(joined.drop(*(f"s_{c}" for c in columns)))


def _closure(start: Iterable[str], step: Callable[[str], Iterable[str]]) -> set[str]:
    seen: set[str] = set(start)
    todo = list(seen)
    while todo:
        for name in step(todo.pop()):
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen
