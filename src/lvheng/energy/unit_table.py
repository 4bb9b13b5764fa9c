"""``lvheng energy account``: one unit's lines from a table to its account and its carbon dioxide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.energy import data
from lvheng.energy.accounts import Account, Carrier, Line, Pair, account
from lvheng.energy.carbon import CO2, enterprise
from lvheng.energy.rules import coefficient
from lvheng.energy.tabular import Column, read_table

COLUMNS = (
    Column("carrier", "能源品种", ("能源名称", "品种", "能源", "代码")),
    Column("consumption", "消费量", ("消费量合计", "消费合计", "实物消费量"), kind="number"),
    Column("feedstock", "用于原材料", ("原料用能", "其中用于原材料"), kind="number", required=False),
    Column("conversion_input", "加工转换投入", ("加工转换投入合计",), kind="number", required=False),
    Column("conversion_output", "加工转换产出", ("加工转换产出合计",), kind="number", required=False),
    Column("recovered", "回收利用", (), kind="number", required=False),
    Column("lhv", "实测低位发热量", ("低位发热量", "热值"), kind="number", required=False),
    Column("factor", "选定系数", ("折标系数", "采用折标系数"), kind="number", required=False),
    Column("reason", "理由", ("说明", "备注"), required=False),
)


def lines_of(path: Path | str, year: int) -> tuple[list[Line], list[Problem]]:
    """The lines of a table, and the faults of those that could not be read; an empty optional cell is none of it."""
    known = data.carriers(year)
    names = {c.name: c.code for c in known.values()}
    table = read_table(path, COLUMNS)
    problems, lines = list(table.problems), []
    for row in table.rows:
        code = (
            row["carrier"]
            if row["carrier"] in known
            else names.get(row["carrier"].replace("(", "（").replace(")", "）"), "")
        )
        if not code:
            problems.append(Problem("energy.account.carrier", "能源品种不在目录中", place=row.place_of("carrier"), got=row["carrier"], wanted="205-1目录中的名称，如原煤、电力", fix="改正名称。"))  # fmt: skip
            continue
        lhv = row["lhv"]
        # LHV of 1 kg or m³ in kJ gives kgce per kg or m³; per ton the same number, per 10 000 m³ ten times it
        measured = None if lhv is None else coefficient(lhv) * (10 if known[code].unit == "万立方米" else 1)
        lines.append(
            Line(
                code, row["consumption"], row["feedstock"] or Decimal(0), row["conversion_input"] or Decimal(0),
                row["conversion_output"] or Decimal(0), row["recovered"] or Decimal(0), measured, row["factor"], row["reason"] or "",
                row.place_of("consumption"),
            )
        )  # fmt: skip
    if not table.rows:
        problems.append(
            Problem(
                "energy.table.no_rows", "表中没有数据行", place=Place(file=Path(path).name), fix="在表头下填写数据。"
            )
        )
    return lines, problems


def account_of(path: Path | str, year: int) -> tuple[Account, CO2]:
    """Account and CO₂ of a table; raises ProblemError with every fault of its lines."""
    known = data.carriers(year)
    lines, problems = lines_of(path, year)
    found = account(lines, known, band_pct=data.measured_band(year))
    if stops(problems):
        raise ProblemError([*problems, *found.problems])
    return found, emissions(lines, known, year)


def emissions(lines: Sequence[Line], known: Mapping[str, Carrier], year: int) -> CO2:
    """CO₂ by the enterprise method, with the national electricity factor of the year or none.

    Carbon balance of fuels: consumption (conversion input included) less feedstock, less what leaves as
    conversion output, less recovered energy, whose carbon was counted where it went in.
    """
    burnt = [
        (known[x.carrier].name, known[x.carrier].co2, (x.consumption or Decimal(0)) - x.feedstock - x.recovered - x.conversion_output)
        for x in lines if not known[x.carrier].secondary
    ]  # fmt: skip
    bought = {
        x.carrier: (x.consumption or Decimal(0)) - x.conversion_output for x in lines if known[x.carrier].secondary
    }
    factor = data.power_co2(year)
    return enterprise(
        burnt, data.fuel_co2(year), bought.get("electricity", Decimal(0)) * 10_000, factor[0] if factor else None,
        bought.get("heat", Decimal(0)),
    )  # fmt: skip


def emissions_of_tce(amounts: Mapping[str, Decimal], year: int) -> CO2:
    """CO₂ by the enterprise method of filed energy by fuel, tce (当量), put back into the fuels' units by the reference factors.

    A fuel without a settled reference factor, or without a default CO₂ factor, makes the result incomplete.
    """
    known = data.carriers(year)
    burnt: list[tuple[str, str, Decimal]] = []
    bought = {"electricity": Decimal(0), "heat": Decimal(0)}
    for code, amount in amounts.items():
        carrier = known.get(code)
        if carrier is None or carrier.low != carrier.high:
            burnt.append((carrier.name if carrier else code, "", amount))
        elif code in bought:
            bought[code] = amount / carrier.low
        else:
            burnt.append((carrier.name, carrier.co2, amount / carrier.low))
    power = data.power_co2(year)
    return enterprise(
        burnt, data.fuel_co2(year), bought["electricity"] * 10_000, power[0] if power else None, bought["heat"]
    )  # fmt: skip


def as_dict(found: Account, emitted: CO2) -> dict[str, Any]:
    """For JSON: exact numbers as text, since they are accounts."""

    def pair(p: Pair) -> dict[str, str | None]:
        return {
            "calorific_tce": format(p.calorific, "f"),
            "equivalent_tce": None if p.equivalent is None else format(p.equivalent, "f"),
        }

    return {
        "lines": [
            {"carrier": r.carrier.code, "name": r.carrier.name, "factor": format(r.factor, "f"), "factor_kind": r.factor_kind.value, "consumption": pair(r.consumption), "comprehensive": pair(r.comprehensive)}
            for r in found.lines
        ],
        "final_use": pair(found.final_use), "conversion_input": pair(found.conversion_input), "conversion_output": pair(found.conversion_output),
        "recovered": pair(found.recovered), "comprehensive": pair(found.comprehensive), "feedstock": pair(found.feedstock),
        "complete": found.complete, "co2_t": format(emitted.tons, "f"), "co2_method": emitted.method.value, "co2_complete": emitted.complete,
    }  # fmt: skip
