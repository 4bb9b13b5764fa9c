"""The dated rules of validity, read from the rulebook for one day, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from lvheng.core.rulebook import Rulebook, Version

MICRO = 1_000_000
STATES = {
    "valid": 0,
    "stop": 1,
    "maintenance": 2,
    "fault": 3,
    "calibration": 4,
    "over_range": 5,
    "set": 6,
    "unknown": 7,
}
LARGEST = 100_000  # of any unit sent: beyond it a value is implausible and counts as a fault, never as a number


@dataclass(frozen=True, slots=True)
class Step:
    """One rung of the missing-data ladder: capture rate from (with) to (without), run up to, window; in % and hours."""

    capture_from: Decimal
    capture_to: Decimal | None
    run_to: int | None
    window: int | None


@dataclass(frozen=True, slots=True)
class MarkKind:
    """What may be marked: family (condition, instrument), effect (stop, not_judged, invalid)."""

    family: str
    code: str
    name: str
    effect: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Validity rules in force on a day, and the references of the versions used."""

    gas_hour_minutes: int
    gas_day_hours: int
    gas_month_days: int
    gas_month_days_february: int
    water_hour_minutes: int
    water_day_hours: int
    water_month_share: Decimal
    flags: dict[tuple[int, str], str]
    ladder: tuple[Step, ...]
    patch_days: int
    o2_standby: Decimal
    o2_air: Decimal
    marks: dict[str, MarkKind]
    failed_checks: bool  # whether a failed check of a water analyser makes its data invalid
    molar: dict[str, Decimal]  # code → molar mass in g
    derived: dict[str, tuple[tuple[str, Decimal], ...]]  # code → its two parts with their weights
    ambient: Decimal  # kPa, where an outlet states none
    constant_samples: int  # equal samples in a row of water before an alarm
    median: tuple[str, ...]  # codes of water filled by the median, without amounts
    refs: tuple[str, ...]
    unsure: tuple[str, ...]  # titles of rules that are not confirmed (待核)

    @property
    def windows(self) -> tuple[int, ...]:
        """The look-back windows of the ladder, in valid hours."""
        return tuple(sorted({s.window for s in self.ladder if s.window is not None}))


def read_rules(book: Rulebook, day: date, region: str = "") -> Rules:
    """The rules in force on ``day``; raises ProblemError naming the rule that is not in force."""
    used: list[Version] = []

    def at(name: str) -> Version:
        version = book.at(f"telemetry.{name}", day, region)
        used.append(version)
        return version

    def number(name: str) -> Decimal:
        value = at(name).value
        assert value is not None
        return value

    def rows(name: str) -> list[dict[str, Any]]:
        return list(at(name).entry.rows)

    days = {r["month"]: int(r["days"]) for r in rows("gas.month_days")}
    share = number("water.day_share")
    failed = book.find("telemetry.water.failed_check", day, region)
    if failed is not None:
        used.append(failed)
    derived: dict[str, tuple[tuple[str, Decimal], ...]] = {}
    for r in _rows(book, "telemetry.gas.derived", day, used):
        derived[r["code"]] = (*derived.get(r["code"], ()), (r["part"], r["counts"] / r["of"]))
    return Rules(
        gas_hour_minutes=int(number("gas.hour_minutes")),
        gas_day_hours=int(number("gas.day_hours")),
        gas_month_days=days["other"],
        gas_month_days_february=days["february"],
        water_hour_minutes=int(number("water.hour_minutes")),
        water_day_hours=-int(-share * 24 // 100),
        water_month_share=number("water.month_share"),
        flags={(int(r["version"]), r["letter"]): r["meaning"] for r in rows("flags")},
        ladder=tuple(
            Step(r["capture_from"], r["capture_to"], _whole(r["run_to"]), _whole(r["window"]))
            for r in rows("gas.substitution")
        ),
        patch_days=int(number("patch_days")),
        o2_standby=number("o2_standby"),
        o2_air=number("o2_air"),
        marks={
            r["code"]: MarkKind(r["family"], r["code"], r["name"], r["effect"])
            for r in _rows(book, "telemetry.marks", day, used)
        },
        failed_checks=failed is not None,
        molar={r["code"]: r["mass"] for r in rows("molar_mass")},
        derived=derived,
        ambient=number("ambient_pressure"),
        constant_samples=int(number("water.constant_samples")),
        median=tuple(r["code"] for r in rows("water.median")),
        refs=tuple(v.ref for v in used),
        unsure=tuple(v.title for v in used if not v.confidence.confirmed),
    )


def _rows(book: Rulebook, name: str, day: date, used: list[Version]) -> list[dict[str, Any]]:
    """Rows of a table that is not always in force: none before it came into force (as the kinds of marks)."""
    version = book.find(name, day)
    if version is None:
        return []
    used.append(version)
    return list(version.entry.rows)


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
