"""The cases in tests/cases/formulas.yaml, which an official can read, computed both ways."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lvheng.core import yamlfile
from lvheng.core.explain import Cell, explain
from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.frame import evaluate
from lvheng.core.period import Kind, Period
from lvheng.core.region import Region, RegionTree

CASES = yamlfile.load(Path(__file__).parents[1] / "cases" / "formulas.yaml").data["cases"]
YEARS = {"本年": 2022, "上年": 2021, "基年": 2020}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_case(case: dict) -> None:
    variables = [Variable(code, given["unit"], name=code) for code, given in case["inputs"].items()]
    result = Variable("result", case["unit"], formulas=(Formula(case["formula"]),))
    model = Model([*variables, result], regions=RegionTree([Region("1", "某县")]), base_year=2020)
    figures = {
        (code, YEARS[year]): Decimal(str(value))
        for code, given in case["inputs"].items()
        for year, value in given.items()
        if year in YEARS and value is not None
    }

    def lookup(code: str, region: str, period: Period, item: str) -> Cell | None:
        value = figures.get((code, period.year))
        return None if value is None else Cell(value, model[code].unit)

    node = explain(model, lookup, "result", "1", Period.of_year(2022))
    rows = [(code, "1", year, float(value)) for (code, year), value in figures.items()]
    table = dict(zip(["variable", "region", "period", "value"], map(list, zip(*rows, strict=True)), strict=True))
    vector = {e: evaluate(model, table, kind=Kind.YEAR, periods=[2022], engine=e).values("result")
              for e in ("duckdb", "polars", "numpy")}  # fmt: skip
    if "missing" in case:
        assert (node.value, node.reason) == (None, case["missing"])
        assert not any(vector.values())
        return
    tolerance = Decimal(str(case["tolerance"]))
    assert node.value is not None
    assert abs(node.value - Decimal(str(case["expected"]))) <= tolerance
    for found in vector.values():
        assert found["1", "2022", ""] == pytest.approx(float(node.value), rel=1e-12)
