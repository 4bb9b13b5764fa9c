"""All indicators at once, on a vector engine: the tables behind ``lvheng evaluate`` and exports.

float64, about 15 digits; a figure that is signed for is the exact one of :mod:`.view`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
from django.conf import settings

from lvheng.core import frame
from lvheng.core.period import Kind, Period
from lvheng.core.quantity import factor
from lvheng.core.tables import Column
from lvheng.observations.store import read
from lvheng.observations.view import View

COLUMNS = (
    Column("indicator", "指标代码"), Column("name", "指标"), Column("region", "地区代码"), Column("region_name", "地区"), Column("period", "期间"),
    Column("item", "分项"), Column("value", "数值"), Column("unit", "单位"),
)  # fmt: skip


def inputs(look: View) -> pl.DataFrame:
    """Observations of the plan's regions as the engines take them, in the units of the catalogue.

    Columns: variable, region, period (index of its kind), kind, item, value.
    """
    table = read(look.position, subject_kinds=["region"])
    codes = [region.code for region in look.plan.regions]
    table = table.filter(pl.col("subject").is_in(codes), pl.col("indicator").is_in(list(look.catalogue.by_code)))
    kinds = {code: Period.parse(code) for code in table["period"].unique()}
    kinds = {code: p for code, p in kinds.items() if p.kind in frame.KINDS}
    units = table.select("indicator", "unit").unique()
    factors = {(i, u): float(factor(u, look.catalogue[i].unit)) for i, u in units.iter_rows()}
    scale = pl.DataFrame(
        {"indicator": [k[0] for k in factors], "unit": [k[1] for k in factors], "factor": list(factors.values())},
        schema={"indicator": pl.String, "unit": pl.String, "factor": pl.Float64},
    )
    when = pl.DataFrame(
        {
            "period": list(kinds),
            "index": [p.index for p in kinds.values()],
            "kind": [p.kind.value for p in kinds.values()],
        },
        schema={"period": pl.String, "index": pl.Int64, "kind": pl.String},
    )
    return (
        table.join(scale, on=["indicator", "unit"])
        .join(when, on="period")
        .select(
            variable="indicator", region="subject", period="index", kind="kind", item="item", value=pl.col("value") * pl.col("factor"),
        )
    )  # fmt: skip


def table(
    look: View, *, kind: str = "year", engine: str | None = None, indicators: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """Rows of COLUMNS for every region and period of a kind, missing as None.

    Raises ProblemError on an unknown indicator.
    """
    wanted = [look.catalogue[code].code for code in indicators] if indicators else [i.code for i in look.catalogue]
    data = inputs(look)
    which = Kind(kind)
    years = (
        sorted({Period.parse(p).year for p in read(look.position, subject_kinds=["region"])["period"].unique()})
        if data.height
        else []
    )
    header = look.plan.header
    first, last = header.base_year, min(max(years, default=header.base_year), header.last_year)
    periods = [
        Period(which, year, part) for year in range(first, last + 1) for part in range(1, (which.per_year or 1) + 1)
    ]
    result = frame.evaluate(
        look.model, data.to_arrow(), kind=which, periods=periods, engine=engine or settings.ENGINE, variables=wanted
    )
    rows = []
    for code in wanted:
        indicator = look.catalogue[code]
        values = result.values(code)
        items = sorted({item for _, _, item in values}) or [""]
        for region in look.plan.regions:
            for period in periods:
                for item in items:
                    rows.append(
                        {
                            "indicator": code, "name": indicator.name.zh, "region": region.code, "region_name": region.name, "period": period.code,
                            "item": item, "value": values.get((region.code, period.code, item)), "unit": indicator.unit,
                        }
                    )  # fmt: skip
    return rows
