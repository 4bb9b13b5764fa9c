"""One set of laws in two programs: OpenFisca's country template (``disposable_income``) and ours.

The same law, the same million persons, the same month. OpenFisca (core 46, country template) is installed by
this bench in a throw-away environment and run as a process of its own; it times ``calculate`` alone, with the
inputs already set and persons already joined to households; ours is the dense engine, computing alone in the
same way, with units checked and missing values carried. A second ratio counts taking the inputs in on both
sides (OpenFisca's ``set_input``; ours from Arrow, with the join and the search for doubles). The results must agree to the float32 that OpenFisca counts in; ours are
compared with Decimal too. Usage: ``python bench/openfisca_compare.py [--persons 1000000]``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import venv
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from lvheng.core.dense import Dense
from lvheng.core.explain import Cell, explain
from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.frame import evaluate
from lvheng.core.period import Kind, Period
from lvheng.core.rulebook import Dated, Rulebook, load_entries
from lvheng.core.yamlfile import Entry

HERE = Path(__file__).parent / "openfisca"
PACKAGES = ["openfisca-core==46.*", "openfisca-country-template==8.*"]
MONTHS = ["2016-01", "2017-01"]  # two states of the law
REPEAT = 5


class FormulaEntry(Entry):
    """A formula of a variable and the days it is in force."""

    formula: str
    valid_from: date | None = None
    valid_to: date | None = None


class VariableEntry(Dated):
    """A variable as written in variables.yaml."""

    code: str
    unit: str
    dimension: str = ""
    formulas: list[FormulaEntry] = []

    @property
    def key(self) -> str:
        return self.code

    def variable(self) -> Variable:
        formulas = tuple(Formula(f.formula, f.valid_from, f.valid_to) for f in self.formulas)
        dimensions = (self.dimension,) if self.dimension else ()
        return Variable(self.code, self.unit, Kind.MONTH, "sum", "sum", dimensions, formulas)


PEER = """
import json, sys, time
import numpy as np
from openfisca_core.simulation_builder import SimulationBuilder
from openfisca_country_template import CountryTaxBenefitSystem

data, months, repeat, out = np.load(sys.argv[1]), sys.argv[2].split(","), int(sys.argv[3]), sys.argv[4]
system = CountryTaxBenefitSystem()
seconds, results = {}, {}
for month in months:
    best = with_inputs = float("inf")
    for _ in range(repeat):
        builder = SimulationBuilder()
        builder.create_entities(system)
        builder.declare_person_entity("person", np.arange(len(data["salary"])))
        household = builder.declare_entity("household", np.arange(len(data["rent"])))
        roles = np.where(data["adult"] == 1, "adult", "child")
        builder.join_with_persons(household, data["household"], roles)
        simulation = builder.build(system)
        t0 = time.perf_counter()
        for name in ("salary", "capital_returns", "age"):
            simulation.set_input(name, month, data[name])
        for name in ("rent", "accommodation_size"):
            simulation.set_input(name, month, data[name])
        status = np.array(["owner", "tenant", "free_lodger", "homeless"])[data["occupancy"].astype(int)]
        simulation.set_input("housing_occupancy_status", month, status)
        t1 = time.perf_counter()
        results[month] = simulation.calculate("disposable_income", month)
        t2 = time.perf_counter()
        best, with_inputs = min(best, t2 - t1), min(with_inputs, t2 - t0)
    seconds[month] = [best, with_inputs]
np.savez(out, **results)
print(json.dumps(seconds))
"""


def model() -> Model:
    """The law of the template, from the two YAML files."""
    entries = load_entries(HERE / "variables.yaml", VariableEntry, "variables")
    return Model([e.entry.variable() for e in entries], Rulebook.load(HERE / "rules.yaml"), base_year=2016)


def population(persons: int) -> dict[str, np.ndarray]:
    """Households of one to three persons, the same for both programs."""
    rng = np.random.default_rng(7)
    households = persons // 2
    household = np.sort(np.concatenate([np.arange(households), rng.integers(0, households, persons - households)]))
    first = np.r_[True, household[1:] != household[:-1]]
    age = np.where(first, rng.integers(18, 90, persons), rng.integers(0, 90, persons))
    salary = np.where(age >= 18, np.round(rng.gamma(2, 2500, persons), 2), 0) * (rng.random(persons) < 0.7)
    return {
        "household": household,
        "age": age,
        "adult": (age >= 18).astype(int),
        "salary": salary,
        "capital_returns": np.round(rng.exponential(100, persons), 2),
        "rent": np.round(rng.uniform(0, 2000, households), 2),
        "accommodation_size": np.round(rng.uniform(10, 200, households), 1),
        "occupancy": rng.integers(0, 4, households),
    }


def tables(data: dict[str, np.ndarray], month: str) -> list[pa.Table]:
    """The population as two wide tables."""
    index = Period.parse(month).index
    persons, households = len(data["salary"]), len(data["rent"])
    people = {
        "region": pa.array(data["household"]),
        "item": pa.array(np.arange(persons)),
        "period": pa.array(np.full(persons, index)),
        **{n: pa.array(data[n].astype(float)) for n in ("salary", "capital_returns", "age", "adult")},
    }
    homes = {
        "region": pa.array(np.arange(households)),
        "period": pa.array(np.full(households, index)),
        **{n: pa.array(data[n].astype(float)) for n in ("rent", "accommodation_size", "occupancy")},
    }
    return [pa.table(people), pa.table(homes)]


def ours(m: Model, data: dict[str, np.ndarray], month: str) -> tuple[float, float, np.ndarray]:
    """Seconds of computing alone and with taking the tables in (the best of a few), and the result."""
    period, given = Period.parse(month), tables(data, month)
    alone = whole = float("inf")
    for _ in range(REPEAT):
        start = time.perf_counter()
        ready = Dense(m, Kind.MONTH, [period.index], ["disposable_income"], given)
        between = time.perf_counter()
        table = ready.run()[""]
        end = time.perf_counter()
        alone, whole = min(alone, end - between), min(whole, end - start)
    order = np.argsort(table["region"].to_numpy())
    return alone, whole, table["disposable_income"].to_numpy()[order]


def theirs(data: dict[str, np.ndarray], folder: Path) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Seconds by month (calculate; with set_input) and disposable income by household."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True, stderr=subprocess.DEVNULL)
    (folder / "peer.py").write_text(PEER, encoding="utf-8")
    np.savez(folder / "data.npz", **data)
    arguments = [folder / "peer.py", folder / "data.npz", ",".join(MONTHS), str(REPEAT), folder / "out.npz"]
    run = subprocess.run([python, *arguments], check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1]), dict(np.load(folder / "out.npz"))


def exactly(m: Model, data: dict[str, np.ndarray], month: str, household: int) -> Decimal:
    """Disposable income of one household in Decimal."""
    members = {str(i): i for i in np.flatnonzero(data["household"] == household)}

    def lookup(code: str, region: str, period: Period, item: str) -> Cell | None:
        if code not in data:
            return None
        value = data[code][members[item]] if item else data[code][household]
        return Cell(Decimal(str(value)), m[code].unit)

    node = explain(m, lookup, "disposable_income", str(household), Period.parse(month), items=lambda *_: list(members))
    assert node.value is not None, node.reason
    return node.value


def beyond_24_bits(m: Model) -> float:
    """What ours gives for a single salary of 2^24 + 1, which float32 cannot hold."""
    index = Period.parse("2017-01").index
    table = {"region": ["h"], "item": ["p"], "period": [index], "salary": [16_777_217.0]}
    result = evaluate(m, table, kind=Kind.MONTH, periods=[index], variables=["household_income"])
    return result.values("household_income")["h", "2017-01", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=1_000_000)
    options = parser.parse_args()
    m, data = model(), population(options.persons)
    with tempfile.TemporaryDirectory() as folder:
        peer_seconds, peer = theirs(data, Path(folder))
    report: dict[str, object] = {"persons": options.persons, "households": len(data["rent"])}
    good = True
    for month in MONTHS:
        seconds, whole, income = ours(m, data, month)
        alone, with_inputs = peer_seconds[month]
        apart = np.abs(income - peer[month]) / np.maximum(1, np.abs(income))
        sample = range(0, len(income), max(1, len(income) // 50))
        from_exact = max(abs(Decimal(float(income[h])) - exactly(m, data, month, h)) for h in sample)
        good &= bool(apart.max() < 1e-5) and from_exact < Decimal("1e-9") and not np.isnan(income).any()
        report[month] = {
            "ours, rows a second": round(options.persons / seconds),
            "OpenFisca, rows a second": round(options.persons / alone),
            "ours against OpenFisca": round(alone / seconds, 2),
            "both with taking the inputs in": round(with_inputs / whole, 2),
            "largest relative difference (float32 is 6e-8)": float(f"{apart.max():.2e}"),
            "ours from Decimal, largest": float(f"{from_exact:.2e}"),
        }
    report["2^24 + 1 in ours"] = beyond_24_bits(m)
    report["2^24 + 1 in float32"] = float(np.float32(16_777_217))
    good &= report["2^24 + 1 in ours"] == 16_777_217
    report["results agree"] = good
    print(json.dumps(report, ensure_ascii=False, indent=2))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
