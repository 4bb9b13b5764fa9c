"""Running grades from month to month: hysteresis, and no grade without complete data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from lvheng.core.period import Period
from lvheng.core.problem import Problem
from lvheng.core.quantity import show
from lvheng.energy.warning import Grade, Scheme, grade


@dataclass(frozen=True, slots=True)
class Operation:
    """How a scheme is run; the numbers are the rulebook's (table ``warning.operation``)."""

    raise_after: int
    lower_after: int
    completeness: Decimal  # per cent of the figures due that must be there
    between: str = "none"  # months between settled figures: nowcast or none
    measures: str = "warning.measures"  # the table of what follows from a grade


@dataclass(frozen=True, slots=True)
class Reading:
    """One cumulative period of one region: change and required change in per cent, and how complete the data are.

    ``estimated``: a month between settled figures, told by the nowcast; graded to be seen, never to be acted on.
    """

    period: Period
    change: Decimal | None
    target: Decimal | None
    completeness: Decimal
    missing: tuple[str, ...] = ()
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The grade of the figure and the grade in effect; both None where the data do not allow one.

    An estimated month has a grade of its figure and none in effect.
    """

    reading: Reading
    raw: Grade | None
    effective: Grade | None
    reason: str
    held: str = ""  # raise or lower: the figure's grade is not yet in effect, and which way it points

    @property
    def shown(self) -> Grade | None:
        """What a page shows: the grade in effect, of an estimated month that of its figure."""
        return self.raw if self.reading.estimated else self.effective

    @property
    def can_issue(self) -> bool:
        return self.effective is not None and self.effective.severity > 0


def operate(
    scheme: Scheme,
    readings: Sequence[Reading],
    operation: Operation,
    *,
    tolerance: Decimal | None = None,
    reporting: str = "",
) -> list[Standing]:
    """Grades in order of the periods.

    A worse grade takes effect after ``raise_after`` readings in a row that are worse than the one in effect
    (the mildest of them), a better one after ``lower_after`` (the worst of them). An incomplete reading has
    no grade, neither raises nor lowers, and breaks no row; nor does an estimated one, which has the grade of
    its figure alone.
    """
    out: list[Standing] = []
    effective: Grade | None = None
    worse: list[Grade] = []
    better: list[Grade] = []
    for reading in sorted(readings, key=lambda r: r.period):
        needs_target = scheme.dial.target != "none"
        if (
            reading.change is None
            or (needs_target and reading.target is None)
            or reading.completeness < operation.completeness
        ):
            what = "、".join(reading.missing) or "缺少数据"
            out.append(
                Standing(reading, None, None, f"数据不完整（完整率{show(reading.completeness, 0)}%，{what}），不评级。")
            )
            continue
        when = reporting or (reading.period.code if scheme.periods else "")
        raw = grade(scheme, reading.change, reading.target, period=when, tolerance=tolerance)
        if reading.estimated:
            out.append(Standing(reading, raw, None, raw.reason + "本期为测算，不作预警依据。"))
            continue
        note = held = ""
        if effective is None or raw.severity == effective.severity:
            effective, worse, better = raw, [], []
        elif raw.severity > effective.severity:
            worse, better = [*worse, raw], []
            if len(worse) >= operation.raise_after:
                effective, worse = min(worse, key=lambda g: g.severity), []
            else:
                held = "raise"
                note = f"本期为{raw.label}，连续{operation.raise_after}期后升级，暂按{effective.label}。"
        else:
            better, worse = [*better, raw], []
            if len(better) >= operation.lower_after:
                effective, better = max(better, key=lambda g: g.severity), []
            else:
                held = "lower"
                note = f"本期为{raw.label}，连续{operation.lower_after}期后降级，暂按{effective.label}。"
        out.append(Standing(reading, raw, effective, raw.reason + note, held))
    return out


def check_issue(standing: Standing, region: str) -> list[Problem]:
    """What forbids issuing a warning: an estimated month, incomplete data, or no warning grade in effect."""
    if standing.reading.estimated:
        return [
            Problem("dual_control.warning.estimated", f"“{region}”{standing.reading.period.label}为测算数，不能发布预警", wanted="季末核算数", fix="待季度核算数据入库后再发布。")
        ]  # fmt: skip
    if standing.effective is None:
        return [
            Problem("dual_control.warning.incomplete", f"“{region}”数据不完整，不能发布预警", got=standing.reason, wanted="完整的数据", fix="补齐数据后再发布。")
        ]  # fmt: skip
    if standing.effective.severity == 0:
        return [
            Problem("dual_control.warning.none", f"“{region}”未达到预警等级，不需要发布", got=standing.effective.label, fix="无需处理。")
        ]  # fmt: skip
    return []
