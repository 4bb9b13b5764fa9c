"""The vector pass gives what the number-by-number pass gives, on every engine."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.frame import evaluate
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.core.region import Region, RegionTree
from lvheng.core.rulebook import Rulebook
from tests.core.world import World, tolerance, worlds

ENGINES = ["duckdb", "polars", "numpy"]
PROPERTY = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def same(world: World, engine: str) -> None:
    """Every value of every variable, and what is missing, is the same within float64 rounding."""
    assert not world.model.check()
    kind = world.periods[0].kind
    table = evaluate(world.model, world.table(), kind=kind, periods=world.periods, engine=engine)
    for code in world.model.variables:
        got, want = table.values(code), world.exact(code)
        formulas = [f.text for f in world.model[code].formulas]
        assert got.keys() == want.keys(), (code, formulas)
        for key, value in want.items():
            assert abs(Decimal(got[key]) - value) <= tolerance(world.model, code), (code, formulas, key)


@pytest.mark.parametrize("engine", ENGINES)
@PROPERTY
@given(worlds())
def test_vector_pass_equals_number_by_number(engine: str, world: World) -> None:
    same(world, engine)


@PROPERTY
@given(worlds())
def test_explanations_recompute_to_their_root(world: World) -> None:
    ex = world.explainer()
    for code in world.model.variables:
        for region in ("1", "11"):
            for item in ("coal",) if world.model[code].dimensions else ("",):
                node = ex(code, region, world.periods[-1], item)
                assert node.recompute() == node.value
                assert (node.value is None) == bool(node.reason)
                assert node.as_dict(depth=1)["value"] == (None if node.value is None else format(node.value, "f"))


@pytest.fixture(scope="module")
def spark():
    """A local Spark; without Java or PySpark the tests that need it are skipped, and say so."""
    pyspark = pytest.importorskip("pyspark", reason="未安装PySpark：跳过Spark一致性测试")
    if not shutil.which("java"):
        pytest.skip("没有Java：跳过Spark一致性测试")
    from pyspark.sql import SparkSession

    assert pyspark.__version__
    session = (
        SparkSession.builder.master("local[2]").appName("lvheng")
        .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2").getOrCreate()
    )  # fmt: skip
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")  # PySpark's own remarks on its surroundings
def test_spark_gives_the_same_table(spark) -> None:
    world = handmade()
    same(world, "pyspark")


def handmade() -> World:
    """One world with every kind of step in it."""
    from tests.core.world import ITEMS, OBSERVED, REGIONS, YEARS

    derived = [
        Variable("ratio", "1", formulas=(Formula("x / y"),)),
        Variable("growth", "%", formulas=(Formula("x / lag(x, 1y) - 1"),)),
        Variable("decline", "%", formulas=(Formula("1 - ratio / base(ratio)"),)),
        Variable("progress", "%", formulas=(Formula("ln(1 - decline) / ln(1 - 0.14)"),)),
        Variable("parts", "1", formulas=(Formula("children(x) + ytd(y)"),)),
        Variable("fuels", "1", formulas=(Formula("sum_over(fuel_use * coalesce(z, 2), fuel)"),)),
        Variable("branch", "1", formulas=(Formula("if_(growth > 0.1 or z == 3, max(x, y), round_(x / 7, 2))"),)),
        Variable("run", "1", formulas=(Formula("coalesce(lag(run, 1y), 0) + x"),)),
    ]
    model = Model([*OBSERVED, *derived], regions=REGIONS, base_year=2020, dimensions=ITEMS)
    figures = {}
    for n, code in enumerate(["x", "y", "z", "stock"]):
        for m, region in enumerate(["11", "12", "13", "19"]):
            for p in YEARS:
                if (n + m + p.year) % 7:
                    figures[code, region, p, ""] = Decimal((n * 3 + m * 5 + p.year * 7) % 11)
    for m in range(1, 13):
        figures["x", "11", Period.of_month(2020, m), ""] = Decimal(m)
    figures["fuel_use", "11", YEARS[1], "coal"] = Decimal(5)
    figures["fuel_use", "11", YEARS[2], "gas"] = Decimal("2.5")
    return World(model, figures, YEARS)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_kind_of_step(engine: str) -> None:
    same(handmade(), engine)


PAIR = RegionTree([Region("1", "市"), Region("2", "县", "1")])


@pytest.mark.parametrize("engine", ENGINES)
class TestEdges:
    def run(self, engine: str, formulas: dict[str, str], columns: dict, **more) -> dict[str, float | None]:
        """Formulas over one row of columns; missing is None."""
        variables = [Variable(c, "1") for c in columns]
        variables += [Variable(c, "1", formulas=(Formula(t),)) for c, t in formulas.items()]
        model = Model(variables, **more)
        table = {"region": ["a"], "period": [2021], **{c: pa.array([v], pa.float64()) for c, v in columns.items()}}
        result = evaluate(model, table, kind=Kind.YEAR, periods=[2021], engine=engine, variables=formulas)
        return {c: result.values(c).get(("a", "2021", "")) for c in formulas}

    def test_no_infinity_and_no_nan_comes_out(self, engine: str) -> None:
        got = self.run(
            engine,
            {
                "zero": "x / zero_", "log": "ln(zero_)", "log_negative": "ln(-x)", "power": "zero_ ** -1",
                "large": "exp(x * 1000)", "overflow": "big * big", "nan": "from_nan + 1", "inf": "from_inf + 1",
            },
            {"x": 2.0, "zero_": 0.0, "big": 1e300, "from_nan": float("nan"), "from_inf": float("inf")},
        )  # fmt: skip
        assert set(got.values()) == {None}

    def test_missing_is_never_zero(self, engine: str) -> None:
        got = self.run(
            engine,
            {
                "added": "x + gone", "product": "0 * gone", "branch": "if_(gone > 1, x, 0)", "smallest": "min(x, gone)",
                "other": "if_(x > 1, x, gone)", "either": "if_(x > 1 or gone > 1, 7, 8)", "first": "coalesce(gone, x)",
            },
            {"x": 2.0, "gone": None},
        )  # fmt: skip
        assert got == {
            "added": None, "product": None, "branch": None, "smallest": None, "other": 2.0, "either": 7.0, "first": 2.0,
        }  # fmt: skip

    def test_half_is_rounded_up_away_from_zero(self, engine: str) -> None:
        formulas = {"a": "round_(x, 2)", "b": "round_(-x, 2)", "c": "round_(y, 0)"}
        assert self.run(engine, formulas, {"x": 2.675, "y": 2.5}) == {"a": 2.68, "b": -2.68, "c": 3.0}

    def test_ratios_are_not_added_up(self, engine: str) -> None:
        model = Model([Variable("r", "%", over_regions="ratio"), Variable("s", "1", over_regions="sum")], regions=PAIR)
        data = {"variable": ["r", "s"], "region": ["2", "2"], "period": [2021, 2021], "value": [1.0, 1.0]}
        result = evaluate(model, data, kind=Kind.YEAR, periods=[2021], engine=engine)
        assert list(result.values("r")) == [("2", "2021", "")]
        assert result.values("s")["1", "2021", ""] == 1.0

    def test_a_figure_given_twice_is_refused(self, engine: str) -> None:
        model = Model([Variable("s", "1")], regions=PAIR)
        data = {"variable": ["s", "s"], "region": ["2", "2"], "period": [2021, 2021], "value": [1.0, 2.0]}
        with pytest.raises(ProblemError, match="不止一个"):
            evaluate(model, data, kind=Kind.YEAR, periods=[2021], engine=engine)

    def test_an_unknown_region_is_refused(self, engine: str) -> None:
        model = Model([Variable("s", "1")], regions=PAIR)
        data = {"variable": ["s"], "region": ["9"], "period": [2021], "value": [1.0]}
        with pytest.raises(ProblemError, match="区划表以外"):
            evaluate(model, data, kind=Kind.YEAR, periods=[2021], engine=engine)

    def test_no_data_at_all(self, engine: str) -> None:
        model = Model([Variable("s", "1"), Variable("t", "1", formulas=(Formula("s + 1"),))], regions=PAIR)
        data = {"variable": pa.array([], pa.string()), "region": pa.array([], pa.string()),
                "period": pa.array([], pa.int64()), "value": pa.array([], pa.float64())}  # fmt: skip
        result = evaluate(model, data, kind=Kind.YEAR, periods=[2021], engine=engine)
        assert result.long().num_rows == 0
        assert list(result.dicts()) == []

    def test_the_rule_in_force_in_each_period_and_region(self, engine: str, tmp_path) -> None:
        (tmp_path / "a.yaml").write_text(
            """
rules:
  - &a
    rule: factor
    title: {zh: 系数}
    kind: parameter
    valid_to: 2020-12-31
    value: 2
    unit: 千克/吨
    source: {document: 甲, confidence: V}
  - {<<: *a, valid_from: 2021-01-01, valid_to: 2021-12-31, value: 3}
  - {<<: *a, valid_to: 2021-12-31, region: "2", value: 0.005, unit: 吨/吨}
""",
            encoding="utf-8",
        )
        book = Rulebook.load(tmp_path, PAIR)
        model = Model(
            [Variable("s", "吨"), Variable("t", "千克", formulas=(Formula("s * p.factor"),))], book, regions=PAIR
        )
        rows = [("s", r, y, 1.0) for r in ("1", "2") for y in (2020, 2021, 2022)]
        data = dict(zip(["variable", "region", "period", "value"], map(list, zip(*rows, strict=True)), strict=True))
        result = evaluate(model, data, kind=Kind.YEAR, periods=[2020, 2021, 2022], engine=engine).values("t")
        assert {k[:2]: v for k, v in result.items()} == {
            ("1", "2020"): 2.0, ("1", "2021"): 3.0, ("2", "2020"): 5.0, ("2", "2021"): 5.0,
        }  # fmt: skip


def test_an_unknown_engine_is_told() -> None:
    with pytest.raises(ProblemError, match="没有这种计算引擎"):
        evaluate(Model([Variable("s", "1")]), {}, kind=Kind.YEAR, periods=[2021], engine="abacus")
