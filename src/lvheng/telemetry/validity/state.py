"""Concentrations and flows brought to what the rules speak of: mg/m³, dry, at 273 K and 101.325 kPa.

Loggers as a rule send that already. Where an outlet's permit says that hers sends volume concentrations (``ppm``), the state
in the flue (``actual``) or on wet gas (``wet``), the register's switches say so, and each minute is corrected by the readings
of the same minute (HJ 212—2017 appendix D; rulebook telemetry.standard_state, dry_basis, standard_flow, molar_mass). A minute
whose readings are wanting is not corrected by a guess: it is a fault.
"""

from __future__ import annotations

from decimal import Decimal

import narwhals as nw
import pyarrow as pa

from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry.validity.rules import Rules

READINGS = {"temperature": "a01012", "static": "a01013", "humidity": "a01014"}  # ℃, kPa, %
SWITCHES = ("ppm", "actual", "wet")
_MOLAR_VOLUME = Decimal("22.4")
_STANDARD = 101.325
_ZERO = 273.0


def wanted(series: pa.Table) -> bool:
    """Whether any series is to be corrected."""
    return any(any(series[switch].to_pylist()) for switch in SWITCHES)


def factors(series: pa.Table, rules: Rules) -> pa.Table:
    """series, by_mass (factor of ppm, else 1), ambient (kPa), actual, wet, kind: what :func:`corrected` needs of each.

    Raises ProblemError when a series in ppm has no molar mass in the rulebook.
    """
    rows = []
    for r in series.to_pylist():
        mass = Decimal(1)
        if r["ppm"]:
            if r["code"] not in rules.molar:
                raise ProblemError(
                    Problem("telemetry.rollup.molar", "该因子没有分子量，不能由ppm换算", got=r["code"], wanted="、".join(rules.molar),
                            fix="在规则库telemetry.molar_mass中补登，或改正排口登记。")
                )  # fmt: skip
            mass = rules.molar[r["code"]] / _MOLAR_VOLUME
        ambient = rules.ambient if r["ambient"] is None else Decimal(r["ambient"]) / 1_000_000
        rows.append((r["series"], float(mass), float(ambient), bool(r["actual"]), bool(r["wet"]), r["kind"]))
    names = ("series", "by_mass", "ambient", "actual", "wet", "correct")
    types = (pa.int32(), pa.float64(), pa.float64(), pa.bool_(), pa.bool_(), pa.string())
    return pa.table({n: pa.array([r[i] for r in rows], t) for i, (n, t) in enumerate(zip(names, types, strict=True))})


def corrected(rows: nw.LazyFrame, good: nw.LazyFrame, of: nw.LazyFrame) -> nw.LazyFrame:
    """``rows`` (series, mn, data_time, value) with ``value`` corrected; null where a reading that is needed is wanting.

    ``good``: valid readings (mn, data_time, code, reading). ``of``: :func:`factors`. Pressures in kPa, humidity in %.
    """
    frame = rows.join(of, on="series", how="inner")
    for name, code in READINGS.items():
        one = good.filter(nw.col("code") == code).select("mn", "data_time", nw.col("reading").alias(name))
        frame = frame.join(one, on=["mn", "data_time"], how="left")
    warmth = (nw.col("temperature") + _ZERO) / _ZERO
    pressure = (nw.col("ambient") + nw.col("static")) / _STANDARD
    dry = 1.0 - nw.col("humidity") / 100.0
    sane = (pressure > 0) & (warmth > 0)
    flow = nw.col("correct") == "flow"
    value = nw.col("value") * nw.col("by_mass")
    at_state = (
        nw.when(sane & flow).then(value / warmth * pressure).otherwise(nw.when(sane).then(value * warmth / pressure))
    )
    at_state = (
        nw.when(nw.col("correct") == "o2").then(value).otherwise(at_state)
    )  # a share does not change with the state
    value = nw.when(nw.col("actual")).then(at_state).otherwise(value)
    on_dry = nw.when((dry > 0) & flow).then(value * dry).otherwise(nw.when(dry > 0).then(value / dry))
    value = nw.when(nw.col("wet")).then(on_dry).otherwise(value)
    return frame.with_columns(value=value).drop("by_mass", "ambient", "actual", "wet", "correct", *READINGS)
