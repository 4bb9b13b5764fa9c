"""The vector pass on dense NumPy arrays: for tables that fit in memory, by far the quickest.

An array has one row a region (or a region and item) and one column a period; missing is NaN, which every
step carries on. Regions are worked through in blocks that fit the processor's cache (threads gain nothing:
the steps are short). The same formulas, the same answers as the other engines; no Narwhals, because arrays
need no plan.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lvheng.core.formula import syntax as s
from lvheng.core.formula import tiling
from lvheng.core.formula.model import Model
from lvheng.core.formula.rules import bands_units, parameter, steps
from lvheng.core.intake import separate, twice, unknown_regions
from lvheng.core.period import Kind, Period
from lvheng.core.rulebook import Band
from lvheng.core.scope import Scope

Array = npt.NDArray[np.float64]
BLOCK = 65_536  # cells of a block: few enough to stay in the cache, enough to be worth a call


@dataclass(slots=True)
class _Rows:
    """The rows of one dimension, ordered by region: row → region, item, and the figures."""

    region: npt.NDArray[np.intp]
    items: pa.Array | None
    values: dict[str, Array] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)  # variables without a gap


class Dense(Scope):
    """Figures taken in once, ready to be computed: ``Dense(…, data).run()``."""

    def __init__(self, model: Model, kind: Kind, indices: list[int], wanted: list[str], data: Any):
        super().__init__(model, kind, indices, wanted)
        self.rows: dict[str, _Rows] = {}
        self._take_in(data)
        self._roll_up()
        for rows in self.rows.values():
            rows.whole = {code for code, array in rows.values.items() if not np.isnan(array).any()}

    # --- taking in ----------------------------------------------------------------------------
    def _take_in(self, data: Any) -> None:
        long, wide = separate(data, self.model, self.observed)
        regions = self.model.regions
        columns = [t["region"] for t in [*wide.values(), *([long] if long is not None else [])]]
        columns = [c.cast(pa.string()) for c in columns] if regions is not None else columns
        if regions is not None:
            self.regions: pa.Array = pa.array([r.code for r in regions], pa.string())
            for column in columns:
                unknown_regions(r for r in column.unique().to_pylist() if r not in regions)
        elif len(wide) > 1 and "" in wide and long is None:  # rows of the first table, then what others add
            first = wide[""]["region"].combine_chunks()
            more = [c.filter(_outside(c, first)) for c in columns]
            added = pa.chunked_array([m for c in more for m in c.chunks], first.type).unique()
            self.regions = (
                pa.concat_arrays([first.unique() if self._many(first) else first, added])
                if len(added)
                else (first.unique() if self._many(first) else first)
            )
        else:
            self.regions = (
                pa.chunked_array([k for c in columns for k in c.chunks]).unique() if columns else pa.array([])
            )
        self._running = _run_of_numbers(self.regions)
        self.rows[""] = _Rows(np.arange(len(self.regions)), None)
        for dimension, table in wide.items():
            self._wide(dimension, table)
        if long is not None:
            self._long(long)
        names = {d for c in self.codes for d in self.model[c].dimensions}
        for dimension in names - set(self.rows):
            self.rows[dimension] = _Rows(np.arange(0), pa.array([], pa.string()))

    def _many(self, column: pa.Array) -> bool:
        return len(self.span) > 1 or not _distinct(column)

    def _region(self, column: pa.ChunkedArray | pa.Array) -> npt.NDArray[np.intp]:
        typed = column.cast(self.regions.type)
        if self._running:
            return typed.to_numpy().astype(np.intp) - int(self.regions[0].as_py())
        found = pc.index_in(typed, value_set=self.regions)
        return np.asarray(found.to_numpy(), dtype=np.intp)

    def _wide(self, dimension: str, table: pa.Table) -> None:
        region = self._region(table["region"])
        period = table["period"].to_numpy().astype(np.intp) - self.low
        rows = self._rows_for(dimension, region, table["item"] if dimension else None)
        inside = (period >= 0) & (period < len(self.span))
        at = self._at(dimension, region, table["item"] if dimension else None) * len(self.span) + period
        if not inside.all():
            at = at[inside]
        self._once(at, dimension)
        for code in table.column_names:
            if code in self.observed:
                values = table[code].cast(pa.float64()).to_numpy()
                self._put(rows, code, at, values if inside.all() else values[inside])

    def _rows_for(self, dimension: str, region: npt.NDArray[np.intp], item: pa.ChunkedArray | None) -> _Rows:
        """The rows of a dimension: every region and item that the data or the parts of a region name."""
        if not dimension:
            return self.rows[""]
        assert item is not None
        if len(self.span) == 1 and self.model.regions is None and _distinct(item):
            order = np.argsort(region, kind="stable") if (np.diff(region) < 0).any() else np.arange(len(region))
            self._index = (order, None)
            self.rows[dimension] = _Rows(region[order], item.combine_chunks().take(pa.array(order)))
            return self.rows[dimension]
        encoded = item.combine_chunks().dictionary_encode()
        words, code = encoded.dictionary, encoded.indices.to_numpy().astype(np.intp)
        pairs = np.unique(region * len(words) + code)
        tree = self.model.regions
        if tree is not None:  # what the parts have, the whole has
            up = np.array([self._place(r.parent) if r.parent else -1 for r in tree])
            found = [pairs]
            while len(found[-1]):
                above = up[found[-1] // len(words)]
                found.append(np.unique((above * len(words) + found[-1] % len(words))[above >= 0]))
            pairs = np.unique(np.concatenate(found))
        self._index = (pairs, words)
        self.rows[dimension] = _Rows(pairs // len(words), words.take(pa.array(pairs % len(words))))
        return self.rows[dimension]

    def _place(self, region: str) -> int:
        return self.regions.index(region).as_py()

    def _at(self, dimension: str, region: npt.NDArray[np.intp], item: pa.ChunkedArray | None) -> npt.NDArray[np.intp]:
        """The row of each figure."""
        if not dimension:
            return region
        pairs, words = self._index
        if words is None:
            inverse = np.empty(len(pairs), dtype=np.intp)
            inverse[pairs] = np.arange(len(pairs))
            return inverse
        assert item is not None
        code = np.asarray(pc.index_in(item, value_set=words).to_numpy(), dtype=np.intp)
        return np.searchsorted(pairs, region * len(words) + code)

    def _once(self, at: npt.NDArray[np.intp], what: str) -> None:
        """Raise ProblemError when two figures fall on one cell."""
        if len(at) and (np.diff(at) <= 0).any():
            ordered = np.sort(at)
            again = np.flatnonzero(np.diff(ordered) == 0)
            if len(again):
                row, period = divmod(int(ordered[again[0]]), len(self.span))
                rows = self.rows[what if what in self.rows else ""]
                twice(str(self.regions[int(rows.region[row])]), self.span[period].label)

    def _put(self, rows: _Rows, code: str, at: npt.NDArray[np.intp], values: Array) -> None:
        shape = (len(rows.region), len(self.span))
        if len(at) == shape[0] * shape[1] and (len(at) == 0 or (np.diff(at) == 1).all()):
            array = np.array(values, dtype=float).reshape(shape)
        else:
            array = np.full(shape, np.nan)
            array.reshape(-1)[at] = values
        array[~np.isfinite(array)] = np.nan
        rows.values[code] = array

    def _long(self, table: pa.Table) -> None:
        kinds = [Kind(k) for k in table["kind"].unique().to_pylist()] if "kind" in table.column_names else [self.kind]
        groups: dict[str, list[str]] = {}
        for code in self.observed:
            dimension = self.model[code].dimensions[0] if self.model[code].dimensions else ""
            groups.setdefault(dimension, []).append(code)
        for dimension, codes in groups.items():
            own = table.filter(pc.is_in(table["variable"], value_set=pa.array(codes)))
            if "item" in own.column_names:
                empty = pc.equal(own["item"], "")
                own = own.filter(pc.invert(empty) if dimension else empty)
            elif dimension:
                continue
            item = own["item"] if dimension else None
            region = self._region(own["region"])
            rows = self._rows_for(dimension, region, item) if dimension not in self.rows or not dimension else None
            if rows is None or not own.num_rows:
                continue
            at = self._at(dimension, region, item)
            variable = np.asarray(pc.index_in(own["variable"], value_set=pa.array(codes)).to_numpy(), dtype=np.intp)
            kind = None
            if "kind" in own.column_names:
                kind = np.asarray(pc.index_in(own["kind"], value_set=pa.array([k.value for k in kinds])).to_numpy())
            period, values = own["period"].to_numpy().astype(np.intp), own["value"].to_numpy()
            order = np.argsort(variable, kind="stable")
            edges = np.searchsorted(variable, np.arange(len(codes) + 1), sorter=order)
            for n, code in enumerate(codes):
                mine = order[edges[n] : edges[n + 1]]
                mine = mine[np.isfinite(values[mine])]
                by_kind = {}
                for k, name in enumerate(kinds):
                    these = mine if kind is None else mine[kind[mine] == k]
                    by_kind[name] = self._cells(rows, name, at[these], period[these], values[these])
                rows.values[code] = self._one_kind(code, rows, by_kind)

    def _cells(
        self, rows: _Rows, kind: Kind, at: npt.NDArray[np.intp], period: npt.NDArray[np.intp], values: Array
    ) -> tuple[int, Array]:
        """A dense array of one variable and kind of period, and its first period."""
        if kind is self.kind:
            low, high = self.low, self.high
        else:
            low, high = (
                Period.containing(self.span[0].start, kind).index,
                Period.containing(self.span[-1].end, kind).index,
            )
        mine = (period >= low) & (period <= high)
        array = np.full((len(rows.region), high - low + 1), np.nan)
        cell = at[mine] * (high - low + 1) + period[mine] - low
        if (np.diff(cell) <= 0).any() and len(np.unique(cell)) < len(cell):
            row, column = divmod(int(np.sort(cell)[np.flatnonzero(np.diff(np.sort(cell)) == 0)[0]]), high - low + 1)
            twice(str(self.regions[int(rows.region[row])]), Period.from_index(kind, low + column).label)
        array.reshape(-1)[cell] = values[mine]
        return low, array

    def _one_kind(self, code: str, rows: _Rows, by_kind: Mapping[Kind, tuple[int, Array]]) -> Array:
        """Direct figures, else those of other kinds of period that fill the period."""
        shape = (len(rows.region), len(self.span))
        result = by_kind[self.kind][1] if self.kind in by_kind else np.full(shape, np.nan)
        over_time = self.model[code].over_time
        for column, target in enumerate(self.span) if set(by_kind) - {self.kind} else ():
            for kind, parts in tiling.sources(target):
                used = tiling.used(parts, over_time)
                if kind in by_kind and used:
                    low, array = by_kind[kind]
                    picked = array[:, [p.index - low for p in used]]
                    found = picked.mean(axis=1) if over_time == "mean" else picked.sum(axis=1)
                    gap = np.isnan(result[:, column])
                    result[gap, column] = found[gap]
        return result

    def _roll_up(self) -> None:
        """Observed variables that add up over regions: where a region has none, the sum of its parts."""
        self.parts: list[tuple[int, list[int]]] = []
        tree = self.model.regions
        if tree is None:
            return
        place = {r.code: n for n, r in enumerate(tree)}
        depth: dict[str, int] = {}
        for r in tree:
            up, depth[r.code] = r.parent, 0
            while up:
                depth[r.code], up = depth[r.code] + 1, tree[up].parent
        below: dict[str, list[int]] = {}
        for r in tree:
            if r.parent and r.counted:
                below.setdefault(r.parent, []).append(place[r.code])
        for code in sorted(below, key=lambda c: -depth[c]):
            self.parts.append((place[code], below[code]))
        for dimension, rows in self.rows.items():
            added = [c for c in self.observed if c in rows.values and self.model[c].over_regions == "sum"]
            for region, parts in self.parts if added else ():
                for row, of in self.rows_below(dimension, rows, region, parts):
                    for code in added:
                        array = rows.values[code]
                        gap = np.isnan(array[row])
                        if gap.any():
                            array[row, gap] = array[of].sum(axis=0)[gap] if of is not None else np.nan

    def rows_below(
        self, dimension: str, rows: _Rows, region: int, parts: list[int]
    ) -> list[tuple[int, list[int] | None]]:
        """For each row of a region: the rows of its parts that add up to it, or None when a part lacks the item."""
        if not dimension:
            return [(region, parts)]
        assert rows.items is not None
        if not hasattr(self, "_where"):
            self._where: dict[str, dict[tuple[int, str], int]] = {}
        if dimension not in self._where:
            items = rows.items.to_pylist()
            self._where[dimension] = {(int(r), i): n for n, (r, i) in enumerate(zip(rows.region, items, strict=True))}
        where = self._where[dimension]
        found: list[tuple[int, list[int] | None]] = []
        first, last = np.searchsorted(rows.region, [region, region + 1])
        for row in range(int(first), int(last)):
            item = str(rows.items[row])
            of = [where.get((part, item), -1) for part in parts]
            found.append((row, None if -1 in of else of))
        return found

    # --- computing ----------------------------------------------------------------------------
    def run(self) -> dict[str, pa.Table]:
        """Wide Arrow tables by dimension, keyed by region, period and item."""
        trees = [t for c in self.codes for _, t in self.model.trees(c)]
        across = any(isinstance(n, s.Children) for t in trees for n in t.walk())
        keep = [i - self.low for i in self.indices]
        self.rules: dict[tuple[str, Any], Any] = {}
        out = {c: np.empty((len(self.rows[self.grid(c)].region), len(keep))) for c in self.wanted}

        with np.errstate(all="ignore"):  # what comes of 0/0 and the like is made missing below
            for block in [(0, len(self.regions))] if across else self._blocks():
                part = _Block(self, *block)
                for code in self.wanted:
                    first, last = part.bounds(self.grid(code))
                    found = part.value(code)
                    out[code][first:last] = found if len(keep) == len(self.span) else found[:, keep]
        return self._tables(out)

    def _blocks(self) -> list[tuple[int, int]]:
        """Stretches of regions of about equal work."""
        largest = max(len(rows.region) for rows in self.rows.values()) * len(self.span)
        count = max(1, min(len(self.regions), -(-largest // BLOCK)))
        edges = np.linspace(0, len(self.regions), count + 1).astype(int)
        return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]

    def figures_of(self, node: s.Node) -> list[s.Node]:
        """As :meth:`figures`, each once, looked up once."""
        key = ("figures", node)
        if key not in self.rules:
            self.rules[key] = list(dict.fromkeys(self.figures(node)))
        return self.rules[key]

    def in_force(self, rule: str, ask: Callable[[str, Period, str], Any]) -> Any:
        """What a rule says, looked up once: one value, or an array by period and, where it differs, by region."""
        key = (ask.__name__, rule)
        if key not in self.rules:
            regional = any(v.entry.region for v in self.model.rulebook.versions(rule))
            where = [str(r) for r in self.regions.to_pylist()] if regional else [""]
            same: dict[Any, Any] = {}  # equal values become one object, so that steps can be told apart
            rows = [[same.setdefault(v, v) for p in self.span for v in [ask(rule, p, r)]] for r in where]
            if len(same) == 1:
                self.rules[key] = next(iter(same))
            elif ask.__name__ == "_number":
                self.rules[key] = np.array(rows, dtype=float)
            else:
                table = np.empty((len(rows), len(self.span)), dtype=object)
                for i, row in enumerate(rows):
                    for j, v in enumerate(row):
                        table[i, j] = v
                self.rules[key] = table
        return self.rules[key]

    def _tables(self, out: Mapping[str, Array]) -> dict[str, pa.Table]:
        tables = {}
        for dimension, rows in self.rows.items():
            codes = [c for c in self.wanted if self.grid(c) == dimension]
            if not codes:
                continue
            n = len(self.indices)
            take = np.repeat(rows.region, n) if n > 1 or dimension else None
            columns: dict[str, Any] = {
                "region": self.regions if take is None else self.regions.take(pa.array(take)),
                "period": pa.array(np.tile(np.array(self.indices, dtype=np.int64), len(rows.region))),
            }
            if rows.items is not None:
                columns["item"] = rows.items.take(pa.array(np.repeat(np.arange(len(rows.region)), n)))
            for code in codes:
                columns[code] = pa.array(out[code].reshape(-1), from_pandas=True)  # NaN becomes null
            tables[dimension] = pa.table(columns)
        return tables


Masked = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_] | None]  # what holds, and where that is known


class _Block:
    """The values of a stretch of regions, each computed once."""

    def __init__(self, dense: Dense, first: int, last: int):
        self.dense, self.model = dense, dense.model
        self.first, self.last = first, last
        self.values: dict[tuple[str, s.Node | str], Array] = {}
        self.owned: dict[str, tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_] | None]] = {}
        self.cut: dict[str, tuple[int, int]] = {"": (first, last)}

    def bounds(self, dimension: str) -> tuple[int, int]:
        """The rows of a dimension that belong to the block's regions."""
        if dimension not in self.cut:
            a, b = np.searchsorted(self.dense.rows[dimension].region, [self.first, self.last])
            self.cut[dimension] = int(a), int(b)
        return self.cut[dimension]

    def shape(self, dimension: str) -> tuple[int, int]:
        a, b = self.bounds(dimension)
        return b - a, len(self.dense.span)

    def empty(self, dimension: str) -> Array:
        return np.full(self.shape(dimension), np.nan)

    # --- variables ----------------------------------------------------------------------------
    def value(self, code: str) -> Array:
        key = (self.dense.grid(code), code)
        if key not in self.values:
            if code in self.model.recursive:
                self._settle()
            else:
                self.values[key] = self._compute(code)
        return self.values[key]

    def _compute(self, code: str) -> Array:
        grid = self.dense.grid(code)
        ranges = self.dense.stretches[code]
        result: Array | None = None
        for first, last, tree in ranges:
            if tree is None:
                a, b = self.bounds(grid)
                stored = self.dense.rows[grid].values.get(code)
                found = self.empty(grid) if stored is None else stored[a:b]
            else:
                found = np.asarray(self.evaluate(tree, grid), dtype=float)
                if np.isinf(found).any():
                    found = np.where(np.isinf(found), np.nan, found)
                if found.shape != self.shape(grid):
                    found = np.broadcast_to(found, self.shape(grid))
            if len(ranges) == 1:
                return found
            if result is None:
                result = self.empty(grid)
            columns = slice(first - self.dense.low, last - self.dense.low + 1)
            result[:, columns] = found[:, columns]
        assert result is not None
        return result

    def _settle(self) -> None:
        """Variables that refer to their own past: as often as it takes until nothing changes."""
        dense = self.dense
        own = [c for c in dense.codes if c in self.model.recursive]
        between = [c for c in dense.codes if c in own or self._leads(c, own)]
        for code in between:
            self.values[dense.grid(code), code] = self.empty(dense.grid(code))
        for _ in range(2 * len(dense.span) + 1):
            before = [self.values[dense.grid(c), c] for c in own]
            done = {k: v for k, v in self.values.items() if isinstance(k[1], str)}
            self.values = done  # inner expressions are computed afresh
            for code in between:
                self.values[dense.grid(code), code] = self._compute(code)
            if all(
                np.array_equal(b, self.values[dense.grid(c), c], equal_nan=True)
                for b, c in zip(before, own, strict=True)
            ):
                return

    def _leads(self, code: str, own: list[str]) -> bool:
        """Whether a variable stands between two recursive ones."""
        below = self.model.needs([code])
        return any(c in below for c in own) and any(code in self.model.needs([c]) for c in own)

    # --- expressions --------------------------------------------------------------------------
    def evaluate(self, node: s.Node, grid: str) -> Any:
        """An array of the grid's shape, or something that broadcasts to it."""
        match node:
            case s.Number():
                return float(node.value)
            case s.Name():
                return self.named(node.code, grid)
            case s.Param():
                return self.rule(node.rule, grid, self._number)
            case s.Scale():
                return self.evaluate(node.of, grid) * float(node.factor)
            case s.Negative():
                return -self.evaluate(node.of, grid)
            case s.Binary(op="+"):
                return self.evaluate(node.left, grid) + self.evaluate(node.right, grid)
            case s.Binary(op="-"):
                return self.evaluate(node.left, grid) - self.evaluate(node.right, grid)
            case s.Binary(op="*"):
                return self.evaluate(node.left, grid) * self.evaluate(node.right, grid)
            case s.Binary():
                return _divide(self.evaluate(node.left, grid), self.evaluate(node.right, grid))
            case s.Power():
                return _power(self.evaluate(node.of, grid), node.exponent)
            case s.Function():
                return _function(node.name, [self.evaluate(i, grid) for i in node.items])
            case s.Round():
                return _round(self.evaluate(node.of, grid), node.places)
            case s.Coalesce():
                result = self.evaluate(node.items[0], grid)
                for item in node.items[1:]:
                    gap = np.isnan(result)
                    if gap.any():
                        result = np.where(gap, self.evaluate(item, grid), result)
                return result
            case s.If():
                holds, known = self.condition(node.condition, grid)
                result = np.where(holds, self.evaluate(node.then, grid), self.evaluate(node.other, grid))
                return result if known is None else np.where(known, result, np.nan)
            case s.Bands():
                return self.bands(node, grid)
        own = self.dense.grid_of(node)
        if (own, node) not in self.values:
            self.values[own, node] = self.window(node, own)
        return self.brought(self.values[own, node], own, grid)

    def named(self, code: str, grid: str) -> Array:
        return self.brought(self.value(code), self.dense.grid(code), grid)

    def brought(self, value: Array, own: str, grid: str) -> Array:
        """What stands once for a region, repeated for each of its items."""
        if own == grid:
            return value
        a, b = self.bounds(grid)
        return value[self.dense.rows[grid].region[a:b] - self.first]

    def condition(self, node: s.Node, grid: str) -> Masked:
        if isinstance(node, s.Compare):
            a, b = self.evaluate(node.left, grid), self.evaluate(node.right, grid)
            compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
                       "==": np.equal, "!=": np.not_equal}[node.op]  # fmt: skip
            gaps = [np.isnan(x) for x, n in ((a, node.left), (b, node.right)) if not self.complete(n, grid)]
            known = None if not gaps else ~(gaps[0] | gaps[1]) if len(gaps) > 1 else ~gaps[0]
            return compare(a, b), known
        assert isinstance(node, s.Logic)
        holds, known = self.condition(node.items[0], grid)
        if node.op == "not":
            return ~holds, known
        for item in node.items[1:]:
            more, sure = self.condition(item, grid)
            if known is not None or sure is not None:  # a known true decides an or, a known false an and
                k1, k2 = (np.True_ if k is None else k for k in (known, sure))
                decided = (k1 & holds) | (k2 & more) if node.op == "or" else (k1 & ~holds) | (k2 & ~more)
                known = (k1 & k2) | decided
                holds = decided if node.op == "or" else ~decided
            else:
                holds = holds | more if node.op == "or" else holds & more
        return holds, known

    def complete(self, node: s.Node, grid: str) -> bool:
        """Whether an operand is surely never missing."""
        if isinstance(node, s.Name):
            rows = self.dense.rows[self.dense.grid(node.code)]
            return node.code in rows.whole and not self.model[node.code].formulas
        return isinstance(node, s.Number)

    def window(self, node: s.Node, grid: str) -> Array:
        dense = self.dense
        if isinstance(node, s.SumOver):
            return self.sum_over(node)
        inner = self.evaluate(node.of, grid)  # type: ignore[attr-defined]
        if np.shape(inner) != self.shape(grid):
            inner = np.broadcast_to(inner, self.shape(grid))
        result = self.empty(grid)
        match node:
            case s.Lag():
                n = dense.steps(node.months)
                if n and n < len(dense.span):
                    result[:, n:] = inner[:, :-n]
            case s.Base():
                for column, period in enumerate(dense.span):
                    at = self.model.base_year * dense.per_year + period.index % dense.per_year - dense.low
                    if 0 <= at < len(dense.span):
                        result[:, column] = inner[:, at]
            case s.Ytd():
                if not dense.adds_up:
                    return inner
                for column, period in enumerate(dense.span):
                    if period.part == 1:
                        result[:, column] = inner[:, column]
                    elif column:
                        result[:, column] = result[:, column - 1] + inner[:, column]
            case s.Children():
                rows = dense.rows[grid]
                for region, parts in dense.parts:
                    for row, of in dense.rows_below(grid, rows, region, parts):
                        if of is not None:
                            result[row] = inner[of].sum(axis=0)
        return result

    def sum_over(self, node: s.SumOver) -> Array:
        dense, dimension = self.dense, node.dimension
        if not self.shape(dimension)[0]:
            return self.empty("")
        inner = np.broadcast_to(self.evaluate(node.of, dimension), self.shape(dimension))
        figures = dense.figures_of(node.of)
        if any(self.complete(f, dimension) for f in figures):
            region, none = self.owners(dimension)
            total = _sums(inner, region, self.shape("")[0])
            if none is not None:
                total[none] = np.nan
            return total
        present = np.zeros(self.shape(dimension), dtype=bool)
        for figure in figures:
            present |= ~np.isnan(self.evaluate(figure, dimension))
        region, _ = self.owners(dimension)
        some = _sums(present.astype(float), region, self.shape("")[0]) > 0
        return np.where(some, _sums(np.where(present, inner, 0.0), region, self.shape("")[0]), np.nan)

    def owners(self, dimension: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_] | None]:
        """The region of each row of a dimension, and which regions have no row (None: all have)."""
        if dimension not in self.owned:
            a, b = self.bounds(dimension)
            region = self.dense.rows[dimension].region[a:b] - self.first
            none = np.bincount(region, minlength=self.shape("")[0]) == 0
            self.owned[dimension] = region, none if none.any() else None
        return self.owned[dimension]

    # --- rules --------------------------------------------------------------------------------
    def bands(self, node: s.Bands, grid: str) -> Any:
        of = self.evaluate(node.of, grid)
        choices = self.rule(node.rule, grid, self._steps)
        if not isinstance(choices, list):
            return _marginal(of, choices)
        result = np.full(self.shape(grid), np.nan)
        of = np.broadcast_to(of, self.shape(grid))
        for steps_, mask in choices:
            if steps_ is not None:
                np.copyto(result, _marginal(of, steps_), where=mask)
        return result

    def _number(self, rule: str, period: Period, region: str) -> Any:
        value = parameter(self.model.rulebook, rule, self.model.rule_day(period), region, [], [])
        return np.nan if value is None else float(value)

    def _steps(self, rule: str, period: Period, region: str) -> Any:
        version = self.model.rulebook.find(rule, self.model.rule_day(period), region)
        return None if version is None else tuple(steps(version, *bands_units(self.model.rulebook, rule)))

    def rule(self, rule: str, grid: str, ask: Callable[[str, Period, str], Any]) -> Any:
        """What a rule says: one value, or values by region and period; steps come with the cells they hold for."""
        found = self.dense.in_force(rule, ask)
        if not isinstance(found, np.ndarray):
            return found
        if found.shape[0] > 1:
            a, b = self.bounds(grid)
            found = found[self.dense.rows[grid].region[a:b]]
        if found.dtype != object:
            return found
        different = list({id(v): v for v in found.reshape(-1)}.values())
        same = [(v, np.array([[x is v for x in row] for row in found])) for v in different]
        return [(v, np.broadcast_to(mask, self.shape(grid))) for v, mask in same]


def _run_of_numbers(column: pa.Array) -> bool:
    """Whether a column counts 5, 6, 7, … so that a place in it can be reckoned and need not be looked up."""
    if not pa.types.is_integer(column.type) or not len(column):
        return False
    numbers = column.to_numpy()
    return bool((np.diff(numbers) == 1).all())


def _outside(column: pa.ChunkedArray, known: pa.Array) -> Any:
    """A mask of the values that are not among the known ones."""
    if _run_of_numbers(known) and pa.types.is_integer(column.type):
        numbers = column.to_numpy()
        return pa.array((numbers < known[0].as_py()) | (numbers > known[-1].as_py()))
    return pc.invert(pc.is_in(column, value_set=known))


def _distinct(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether no value comes twice; running numbers are seen at once."""
    if pa.types.is_integer(column.type) and len(column):
        numbers = column.to_numpy()
        low, high = numbers.min(), numbers.max()
        if high - low < 4 * len(numbers):
            return bool(np.bincount(numbers - low).max() == 1)
    return pc.count_distinct(column).as_py() == len(column)


def _sums(inner: Array, region: npt.NDArray[np.intp], regions: int) -> Array:
    """Column sums by region; bincount is several times quicker than reduceat and carries NaN as well."""
    columns = [np.bincount(region, inner[:, n], minlength=regions) for n in range(inner.shape[1])]
    return np.stack(columns, axis=1)


def _divide(a: Any, b: Any) -> Any:
    if np.ndim(b) == 0:
        return a / b if b != 0 else np.asarray(a) * np.nan
    return a / np.where(b == 0.0, np.nan, b)


def _power(a: Any, exponent: int) -> Any:
    if exponent == 0:
        return np.where(np.isnan(a), np.nan, 1.0)
    raised = a
    for _ in range(abs(exponent) - 1):
        raised = raised * a
    return raised if exponent > 0 else _divide(1.0, raised)


def _function(name: str, items: list[Any]) -> Any:
    match name:
        case "abs":
            return np.abs(items[0])
        case "exp":
            return np.exp(np.where(np.less(items[0], 709.0), items[0], np.nan))
        case "ln":
            return np.log(np.where(np.greater(items[0], 0.0), items[0], np.nan))
    result = items[0]
    for other in items[1:]:
        result = np.minimum(result, other) if name == "min" else np.maximum(result, other)
    return result


def _round(a: Any, places: int) -> Any:
    """四舍五入; two units in the last place of float64 count as reaching the half."""
    size = 10.0**places
    return np.copysign(np.floor(np.abs(a) * size * (1 + 2**-51) + 0.5) / size, a)


def _marginal(a: Any, bands: Sequence[Band] | None) -> Any:
    if bands is None:
        return np.asarray(a) * np.nan
    total: Any = np.asarray(a) * 0.0  # missing stays missing
    for band in bands:
        lower, upper = float(band.lower), np.inf if band.upper is None else float(band.upper)
        total = total + (np.clip(a, lower, upper) - lower) * float(band.rate)
    return total
