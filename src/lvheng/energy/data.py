"""Where the rulebook lies, and what this room reads from it."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from lvheng.core.rulebook import Rulebook
from lvheng.energy.accounts import Carrier
from lvheng.energy.warning import Scheme, load_schemes
from lvheng.plan.rules import Thresholds


def rulebook_folder() -> Path:
    """``LVHENG_RULEBOOK``, or ``rulebook/`` beside the source."""
    return Path(os.environ.get("LVHENG_RULEBOOK") or Path(__file__).resolve().parents[3] / "rulebook")


@lru_cache(maxsize=4)
def _book(folder: Path) -> Rulebook:
    return Rulebook.load(folder)


def energy_rules(part: str = "") -> Rulebook:
    """The energy rules, or those of one file of them; raises ProblemError with every fault in them.

    A command reads only the files it needs, so that a slip in one does not stop the others.
    """
    return _book(rulebook_folder() / "energy" / (f"{part}.yaml" if part else ""))


def schemes() -> dict[str, Scheme]:
    """Early-warning schemes by id."""
    return load_schemes(rulebook_folder() / "warning")


def thresholds(day: date) -> Thresholds:
    """When a target that lags is far behind, as the rulebook has it on a day."""
    value = energy_rules("progress").at("progress.standing.far_behind_gap_pct", day).value
    assert value is not None  # the entry is checked on load: only U may be empty
    return Thresholds(far_behind_gap_pct=value)


def carriers(year: int) -> dict[str, Carrier]:
    """The carriers of the directory by code, with the factors of a year; 等价 of electricity and heat where entered.

    Raises ProblemError for a year before any edition of the factors.
    """
    day = date(year, 12, 31)
    book = _book(rulebook_folder() / "energy" / "factors.yaml")
    power = _book(rulebook_folder() / "energy" / "electricity.yaml")
    equivalents = {}
    for group, rule in (("power", "energy.electricity_equivalent"), ("heat", "energy.heat_equivalent")):
        version = power.find(rule, day)
        equivalents[group] = version.value if version else None
    out = {}
    for row in book.at("energy.factors", day).rows():
        low, high = row["low"], row["high"]
        assert isinstance(low, Decimal)
        assert isinstance(high, Decimal)
        group = str(row["group"])
        out[str(row["code"])] = Carrier(
            str(row["code"]), str(row["name"]), group, str(row["unit"]), low, high, equivalents.get(group), str(row["co2"] or "")
        )  # fmt: skip
    return out


def measured_band(year: int) -> Decimal:
    """How far a measured factor may lie from the reference, per cent."""
    value = energy_rules("factors").at("energy.lhv_band", date(year, 12, 31)).value
    assert value is not None
    return value


def fuel_co2(year: int) -> dict[str, Decimal]:
    """tCO₂ per unit of the fuels that have a default factor (enterprise method)."""
    rows = energy_rules("carbon").at("carbon.fuels", date(year, 12, 31)).rows()
    return {str(r["code"]): r["factor"] for r in rows if isinstance(r["factor"], Decimal)}


def power_co2(year: int, area: str = "nation", kind: str = "average") -> tuple[Decimal, str] | None:
    """(kgCO₂/kWh, confidence) of a year and area; None where it is not published or not entered."""
    rows = energy_rules("carbon").versions("carbon.electricity")[0].rows(year=Decimal(year), area=area, kind=kind)
    if not rows or not isinstance(rows[0]["factor"], Decimal):
        return None
    return rows[0]["factor"], str(rows[0]["confidence"])
