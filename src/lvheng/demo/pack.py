"""The whole demonstration of one plan: subjects, postings in order, and the truth of the faults.

Pure: nothing is stored here. The postings come in the order in which a real city would have made
them, so that figures have a history: first reports, settled figures, and one census revision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lvheng.core.problem import Place, Problem, ProblemError, Severity
from lvheng.demo import balance, economy, electricity, energy, errors, programmes, units
from lvheng.demo.city import City, Row, build_city
from lvheng.observations.catalogue import Catalogue
from lvheng.plan.schema import Plan

NOT_DEMO = "published"  # fed from published tables only


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that are posted together."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class UnitSubject:
    """An energy user as a subject of figures."""

    code: str
    name: str
    parent: str
    industry: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pack:
    city: City
    subjects: tuple[UnitSubject, ...]
    batches: tuple[Batch, ...]
    truths: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return sum(len(b.rows) for b in self.batches)


def assemble(plan: Plan, catalogue: Catalogue, folder: Path, seed: int | None = None) -> Pack:
    """Generate everything; raises ProblemError when parameters, plan and catalogue do not fit together."""
    city = build_city(plan, folder, seed)
    wealth = economy.generate(city)
    totals = energy.totals(city, wealth)
    users = units.generate(city, energy.industry_to_use(city, wealth, totals), wealth.industry)
    accounts = energy.generate(city, totals, users)
    power = electricity.generate(city, accounts, users)
    balances = balance.generate(city, accounts, users, power, energy.feedstock(accounts), energy.produced(accounts))
    filed = errors.generate(city, users)
    settled = (
        *economy.rows(wealth),
        *energy.rows(accounts),
        *energy.deducted(accounts, balance.exact_feedstock(balances)),
        *balance.rows(balances),
        *balance.divisions(city, wealth, accounts, users),
        *electricity.rows(power),
        *units.rows(city, users),
        *programmes.rows(city, catalogue),
    )
    batches = (
        Batch("演示数据：初步核算数", (*economy.first_rows(wealth), *energy.first_rows(accounts))),
        Batch("演示数据：统计数据", settled),
        Batch("演示数据：用能单位填报", tuple(errors.rows(filed))),
        Batch("演示数据：普查后修订数", tuple(economy.revised_rows(wealth))),
    )
    check(city, catalogue, batches)
    return Pack(city, tuple(_subjects(users)), tuple(b for b in batches if b.rows), tuple(filed.truths))


def fed(batches: Iterable[Batch]) -> set[str]:
    return {row.indicator for batch in batches for row in batch.rows}


def check(city: City, catalogue: Catalogue, batches: Iterable[Batch]) -> None:
    """Nothing is fed that the catalogue does not observe, nothing is called empty that has figures."""
    have = fed(batches)
    empty = {e.indicator for e in city.parameters.empty}
    place = Place(file=f"data/demo/{city.plan.id}.yaml")
    problems = [
        Problem("demo.indicator.unknown", "演示数据的指标不在目录中，或不是填报指标", place=place, got=code, fix="改正指标代码。")
        for code in sorted((have | empty) - {i.code for i in catalogue if i.observed})
    ]  # fmt: skip
    problems += [
        Problem("demo.indicator.both", "写明不填的指标却有数", place=place, got=code, fix="二者留一。")
        for code in sorted(have & empty)
    ]
    if problems:
        raise ProblemError(problems)


def unfed(pack: Pack, catalogue: Catalogue) -> list[Problem]:
    """Observed indicators, other than published ones, that have neither figures nor a reason for having none."""
    known = fed(pack.batches) | {e.indicator for e in pack.city.parameters.empty}
    return [
        Problem(
            "demo.indicator.unfed", "演示数据没有这个指标的数，也没有说明原因", Severity.WARNING, Place(file=f"data/demo/{pack.city.plan.id}.yaml"),
            got=i.code, fix="在programmes中给出，或在empty中写明原因。",
        )
        for i in catalogue if i.observed and i.fed_by != NOT_DEMO and i.code not in known
    ]  # fmt: skip


def _subjects(users: units.Units) -> Iterator[UnitSubject]:
    for unit, energy_ in zip(users.units, units.base_energy(users), strict=True):
        yield UnitSubject(
            unit.code, unit.name, unit.region, unit.industry.code,
            {
                "能源类别": units.energy_class(energy_),
                "能源品种": [fuel.name for fuel in unit.fuels],
                "主要产品": unit.industry.product,
                "说明": "演示数据，单位为虚构",
            },
        )  # fmt: skip


def csv_text(rows: Iterable[Row]) -> str:
    """Rows as CSV, one line each, with the digits they have. No field holds a comma, quote or line end."""
    head = ",".join(Row._fields)
    return "\n".join([head, *(",".join([r[0], r[1], r[2], f"{r.value:f}", *r[4:]]) for r in rows)]) + "\n"


def write(pack: Pack, out: Path) -> dict[str, str]:
    """Write CSV files, the truth and a list of their SHA-256; returns the digests by file name.

    The same seed gives the same bytes on every machine.
    """
    out.mkdir(parents=True, exist_ok=True)
    texts = {f"{n}-{batch.title.split('：')[-1]}.csv": csv_text(batch.rows) for n, batch in enumerate(pack.batches, 1)}
    texts["units.json"] = _json([{"code": s.code, "name": s.name, "parent": s.parent, "industry": s.industry, **s.attributes} for s in pack.subjects])  # fmt: skip
    texts["truth.json"] = _json({"note": "注入的错误及其真值；只供测试比对，产品不读取。", "faults": list(pack.truths)})
    digests = {}
    for name, text in texts.items():
        data = text.encode()
        (out / name).write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    (out / "manifest.json").write_bytes(
        _json({"plan": pack.city.plan.id, "seed": pack.city.seed, "sha256": digests}).encode()
    )
    return digests


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
