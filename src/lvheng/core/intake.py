"""Tables of figures on their way into the vector pass: brought to one kind of period, one row a region
and period (and item), one column a variable. Raises ProblemError on unknown regions and on figures given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

import narwhals as nw
import pyarrow as pa

from lvheng.core.engine import Engine
from lvheng.core.formula import tiling, vector
from lvheng.core.formula.model import Model
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError

_LONG = ["variable", "region", "period", "item", "value"]


class Intake:
    """``names``: the columns wanted, variable → column name. ``dense``: every region has every period."""

    def __init__(
        self, model: Model, on: Engine, kind: Kind, span: list[Period], names: Mapping[str, str], *, dense: bool
    ):
        self.model, self.on, self.kind, self.span, self.names, self.dense = model, on, kind, span, names, dense
        self.long: nw.LazyFrame | None = None
        self.wide: dict[str, nw.LazyFrame] = {}

    def read(self, data: Any) -> list[str]:
        """Take all tables in; the regions that will have rows."""
        long, wide = separate(data, self.model, list(self.names))
        for grid, table in wide.items():
            self._wide(grid, table)
        if long is not None:
            self.long = self._one_kind(self._long(long))
        if self.model.regions is None:
            self.regions = self._regions()
        else:
            self.regions = [r.code for r in self.model.regions]
            unknown_regions(r for r in self._regions() if r not in self.model.regions)
        return self.regions

    def _long(self, table: pa.Table) -> nw.LazyFrame:
        frame = self.on.load(table)
        names = table.column_names
        columns = [
            nw.col("variable"), nw.col("region").cast(nw.String), nw.col("period").cast(nw.Int64),
            nw.col("item").cast(nw.String) if "item" in names else nw.lit("").alias("item"),
            nw.col("value").cast(nw.Float64),
            nw.col("kind").cast(nw.String) if "kind" in names else nw.lit(self.kind.value).alias("kind"),
        ]  # fmt: skip
        frame = frame.select(*columns).filter(nw.col("variable").is_in(list(self.names)))
        return frame.filter(nw.col("value").is_finite())

    def _wide(self, grid: str, table: pa.Table) -> None:
        keys = self._keys(grid)
        columns = [nw.col(k).cast(nw.Int64 if k == "period" else nw.String) for k in keys]
        columns += [
            vector.finite(nw.col(c).cast(nw.Float64)).alias(self.names[c])
            for c in table.column_names
            if c in self.names
        ]
        self.wide[grid] = self.on.load(table).select(*columns)
        self._once(self.wide[grid].group_by(*keys).agg(nw.len().alias("rows")).filter(nw.col("rows") > 1), keys)

    def _keys(self, grid: str) -> list[str]:
        return ["region", "period", "item"] if grid else ["region", "period"]

    def _regions(self) -> list[str]:
        frames = [*self.wide.values(), *([] if self.long is None else [self.long])]
        found: set[str] = set()
        for frame in frames:
            found |= set(self.on.arrow(frame.select("region").unique())["region"].to_pylist())
        return sorted(found)

    def _once(self, repeated: nw.LazyFrame, keys: Iterable[str]) -> None:
        rows = self.on.arrow(repeated.select(*keys).head(1)).to_pylist()
        if rows:
            row = rows[0]
            period = Period.from_index(Kind(row.get("kind", self.kind)), row["period"]).label
            twice(row.get("variable", ""), str(row["region"]), period, row.get("item", ""))

    # --- periods ------------------------------------------------------------------------------
    def _one_kind(self, frame: nw.LazyFrame) -> nw.LazyFrame:
        """Figures of other kinds of period brought to the kind that is evaluated, direct ones first."""
        kinds = {Kind(k) for k in self.on.arrow(frame.select("kind").unique())["kind"].to_pylist()}
        others = kinds - {self.kind}
        inside = (nw.col("period") >= self.span[0].index) & (nw.col("period") <= self.span[-1].index)
        direct = frame.filter((nw.col("kind") == self.kind.value) & inside).select(*_LONG)
        if not others:
            return direct
        keys = ["variable", "region", "period", "item", "kind"]
        frame = frame.filter(nw.col("kind").is_in([k.value for k in others]))
        self._once(frame.group_by(*keys).agg(nw.len().alias("rows")).filter(nw.col("rows") > 1), keys)
        candidates = [direct.with_columns(nw.lit(0).cast(nw.Int64).alias("rank"))]
        for over_time in dict.fromkeys(self.model[c].over_time for c in self.names):
            codes = [c for c in self.names if self.model[c].over_time == over_time]
            tiles = self._tiles(others, over_time)
            if tiles.num_rows == 0:
                continue
            parts = frame.filter(nw.col("variable").is_in(codes)).rename({"period": "of"})
            joined = parts.join(self.on.load(tiles), on=["kind", "of"], how="inner")
            added = joined.group_by("variable", "region", "period", "item", "rank").agg(
                nw.col("value").sum(), nw.len().alias("rows"), nw.col("parts").max()
            )
            added = added.filter(nw.col("rows") == nw.col("parts"))
            if over_time == "mean":
                added = added.with_columns((nw.col("value") / nw.col("parts")).alias("value"))
            candidates.append(added.select(*_LONG, nw.col("rank").cast(nw.Int64)))
        whole = self.on.keep(nw.concat(candidates))
        best = nw.col("rank").min().over("variable", "region", "period", "item")
        return whole.filter(nw.col("rank") == best).select(*_LONG)

    def _tiles(self, kinds: set[Kind], over_time: str) -> pa.Table:
        """Which periods of other kinds each period is made of, in order of preference."""
        rows = []
        for target in self.span:
            for rank, (kind, parts) in enumerate(tiling.sources(target), 1):
                used = tiling.used(parts, over_time)
                if kind in kinds:
                    rows += [(kind.value, part.index, target.index, rank, len(used)) for part in used]
        columns = list(zip(*rows, strict=True)) or [()] * 5
        types = [pa.string(), *[pa.int64()] * 4]
        names = ["kind", "of", "period", "rank", "parts"]
        return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})

    # --- grids --------------------------------------------------------------------------------
    def grid(self, dimension: str) -> tuple[nw.LazyFrame, list[str]]:
        """The rows of a dimension with the observed columns, and the keys of a row."""
        keys = self._keys(dimension)
        columns = [
            c for c in self.names if (self.model[c].dimensions[0] if self.model[c].dimensions else "") == dimension
        ]
        filled = self._filled(dimension, columns, keys)
        if self.dense:
            rows = self._rows(dimension, filled)
            frame = rows if filled is None else rows.join(filled, on=keys, how="left")
        elif dimension:
            frame = filled if filled is not None else self.on.load(_empty(keys))
        else:
            frame = self._sparse(filled)
        have = set(frame.collect_schema().names())
        absent = [self.names[c] for c in columns if self.names[c] not in have]
        extra = [vector.missing().alias(n) for n in absent]
        if self.dense:
            n = self.kind.per_year or 1
            extra += [(nw.col("period") % n).alias("part"), (nw.col("period") // n).alias("year")]
        return self.on.keep(frame.with_columns(*extra) if extra else frame), keys

    def _filled(self, dimension: str, columns: list[str], keys: list[str]) -> nw.LazyFrame | None:
        if dimension in self.wide:
            return self.wide[dimension]
        if self.long is None or not columns:
            return None
        own = self.long.filter(nw.col("variable").is_in(columns))
        own = own.filter(nw.col("item") != "") if dimension else own.filter(nw.col("item") == "")
        cells = [nw.when(nw.col("variable") == c).then(nw.col("value")).max().alias(self.names[c]) for c in columns]
        filled = self.on.keep(own.group_by(*keys).agg(*cells, nw.len().alias("rows")))
        known = [nw.when(nw.col(self.names[c]).is_null()).then(nw.lit(0)).otherwise(nw.lit(1)) for c in columns]
        self._once(filled.filter(nw.col("rows") > nw.sum_horizontal(*known)), keys)
        return filled.drop("rows")

    def _rows(self, dimension: str, filled: nw.LazyFrame | None) -> nw.LazyFrame:
        periods = self.on.load(pa.table({"period": pa.array([p.index for p in self.span], pa.int64())}))
        if not dimension:
            rows = self.on.load(pa.table({"region": pa.array(self.regions, pa.string())}))
        else:
            pairs: set[tuple[str, str]] = set()
            if filled is not None:
                found = self.on.arrow(filled.select("region", "item").unique())
                pairs = set(zip(found["region"].to_pylist(), found["item"].to_pylist(), strict=True))
            for region, item in list(pairs):  # what the parts have, the whole has
                up = self.model.regions[region].parent if self.model.regions else ""
                while up:
                    pairs.add((up, item))
                    up = self.model.regions[up].parent if self.model.regions else ""
            ordered = sorted(pairs)
            rows = self.on.load(
                pa.table(
                    {
                        "region": pa.array([r for r, _ in ordered], pa.string()),
                        "item": pa.array([i for _, i in ordered], pa.string()),
                    }
                )
            )
        return rows.join(periods, how="cross")

    def _sparse(self, filled: nw.LazyFrame | None) -> nw.LazyFrame:
        """Only the regions and periods that the data speak of, in any dimension."""
        keys = [f.select("region", "period") for f in self.wide.values()]
        if self.long is not None:
            keys.append(self.long.select("region", "period"))
        if filled is not None and len(keys) == 1:
            return filled
        rows = nw.concat(keys).unique() if len(keys) > 1 else keys[0].unique()
        return rows if filled is None else rows.join(filled, on=["region", "period"], how="left")


def _empty(keys: list[str]) -> pa.Table:
    return pa.table({k: pa.array([], pa.int64() if k == "period" else pa.string()) for k in keys})


def twice(*where: str) -> NoReturn:
    """Raise the Problem of a figure that is given twice."""
    raise ProblemError(
        Problem(
            "core.frame.twice", "同一指标、地区、期间的数据不止一个", got=" ".join(w for w in where if w),
            wanted="每个指标、地区、期间一个数", fix="先选定一个版本再计算。",
        )
    )  # fmt: skip


def unknown_regions(regions: Iterable[str]) -> None:
    """Raise the Problem of regions that the tree does not have, if there are any."""
    if found := list(regions):
        raise ProblemError(
            Problem(
                "core.frame.region", "数据中有区划表以外的地区", got="、".join(map(str, found[:10])),
                fix="在区划表中登记，或改正地区代码。",
            )
        )  # fmt: skip


def separate(data: Any, model: Model, codes: Sequence[str]) -> tuple[pa.Table | None, dict[str, pa.Table]]:
    """One long table (or None) and the wide tables by dimension; raises ProblemError on missing columns."""
    long: list[pa.Table] = []
    wide: dict[str, pa.Table] = {}
    for given in data if isinstance(data, list | tuple) else [data]:
        table = to_arrow(given)
        names = set(table.column_names)
        missing = {"region", "period"} - names or ({"value"} - names if "variable" in names else set())
        if missing:
            raise ProblemError(
                Problem(
                    "core.frame.columns", "数据表缺少栏目", got="、".join(sorted(names)), wanted="、".join(sorted(missing)),
                    fix="补上缺少的栏目。",
                )
            )  # fmt: skip
        if "variable" in names:
            long.append(_typed(table))
            continue
        dimensions = {(*model[c].dimensions, "")[0] for c in table.column_names if c in codes}
        if not dimensions:
            continue  # none of its figures is asked for
        grid = dimensions.pop()
        if dimensions or grid in wide or bool(grid) != ("item" in names):
            raise ProblemError(
                Problem(
                    "core.frame.wide", "宽表的指标维度不一致，或同一维度给了两张宽表",
                    got="、".join(table.column_names[:20]), wanted="每个维度一张宽表，有维度的带“item”栏",
                    fix="按维度拆分或合并数据表。",
                )
            )  # fmt: skip
        wide[grid] = table
    both = {(*model[c].dimensions, "")[0] for c in codes} & set(wide) if long else set()
    if both:
        given_long = {v for t in long for v in t["variable"].unique().to_pylist() if v in codes}
        if any((*model[v].dimensions, "")[0] in both for v in given_long):
            raise ProblemError(
                Problem("core.frame.wide", "同一维度的数据既有长表又有宽表", fix="同一维度的数据合为一种表。")
            )
    return (pa.concat_tables(long, promote_options="permissive") if long else None), wide


def _typed(table: pa.Table) -> pa.Table:
    """A long table with plain types: an empty column, for one, has none of its own."""
    plain = {
        "variable": pa.string(),
        "item": pa.string(),
        "kind": pa.string(),
        "period": pa.int64(),
        "value": pa.float64(),
    }
    for n, name in enumerate(table.column_names):
        wanted = plain.get(name, pa.string() if pa.types.is_null(table.schema.field(n).type) else None)
        if wanted is not None and table.schema.field(n).type != wanted:
            table = table.set_column(n, name, table[name].cast(wanted))
    return table


def to_arrow(given: Any) -> pa.Table:
    """Arrow from what callers have: Arrow, Polars, a DuckDB relation, or a dict of columns."""
    if isinstance(given, pa.Table):
        return given
    if isinstance(given, Mapping):
        return pa.table(dict(given))
    if hasattr(given, "to_arrow_table"):
        return given.to_arrow_table()
    if hasattr(given, "collect"):
        given = given.collect()
    return given.to_arrow()
