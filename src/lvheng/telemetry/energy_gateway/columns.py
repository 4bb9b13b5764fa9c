"""The rules of :mod:`registers` over integer columns: the same spans, for backlogs of millions of readings.

Registers are integers in the meter's smallest digit (12.50 kWh of a two-decimal meter is 1250), so sums are exact. One pass
after sorting: the cost grows with the number of readings, not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

KINDS = ("measured", "gap", "rolled", "exchanged", "reset", "over_limit")
MEASURED, GAP, ROLLED, EXCHANGED, RESET, OVER_LIMIT = range(len(KINDS))


@dataclass(frozen=True, slots=True)
class Spans:
    """Columns of spans: start (seconds), number of slots, amount (smallest digits; 0 where not ``known``), kind."""

    start: Ints
    slots: Ints
    amount: Ints
    known: npt.NDArray[np.bool_]
    kind: npt.NDArray[np.int8]
    refused: int

    @property
    def total(self) -> int:
        return int(self.amount[self.known].sum())


def consumption_columns(
    times: Any,
    registers: Any,
    step: int,
    *,
    capacity: int | None = None,
    roll_percent: int = 10,
    limit: int | None = None,
    exchanges: Sequence[tuple[int, int, int]] = (),
) -> Spans:
    """Spans from readings at ``times`` (seconds, any order) of ``registers``; ``step`` in seconds.

    ``limit`` is the most per hour; ``exchanges`` are (time, final, first). See :func:`registers.consumption` for the rules.
    """
    when, value = np.asarray(times, np.int64), np.asarray(registers, np.int64)
    if when.size and np.any(when[1:] < when[:-1]):
        order = np.argsort(when, kind="stable")
        when, value = when[order], value[order]
    good = value >= 0
    if when.size:
        good &= (when - when[0]) % step == 0
    refused = int(when.size - good.sum())
    when, value = when[good], value[good]
    if when.size:
        first = np.concatenate(([True], when[1:] != when[:-1]))
        of = np.maximum.accumulate(np.where(first, np.arange(when.size), 0))
        refused += int(np.sum(value != value[of]))
        when, value = when[first], value[first]
    before, after = value[:-1], value[1:]
    seconds = np.diff(when)
    slots = seconds // step
    amount = after - before
    kind = np.where(slots == 1, MEASURED, GAP).astype(np.int8)
    fell = amount < 0
    if np.any(fell):
        rolled = np.zeros_like(fell)
        if capacity is not None:
            edge = capacity * roll_percent
            rolled = fell & (before * 100 >= capacity * 100 - edge) & (before <= capacity) & (after * 100 <= edge)
            amount = np.where(rolled, amount + capacity, amount)
        kind[fell] = RESET
        kind[rolled] = ROLLED
    touched: dict[int, list[tuple[int, int, int]]] = {}
    for change in sorted(exchanges):
        span = int(np.searchsorted(when, change[0], side="right")) - 1
        if 0 <= span < amount.size:
            touched.setdefault(span, []).append(change)
    for span, changes in touched.items():
        low, total, known = int(before[span]), 0, True
        for final, begin in [(f, b) for _, f, b in changes]:
            part = _step(low, final, capacity, roll_percent)
            known &= part is not None
            total += part or 0
            low = begin
        part = _step(low, int(after[span]), capacity, roll_percent)
        known &= part is not None
        amount[span] = total + (part or 0)
        kind[span] = EXCHANGED if known else RESET
    if limit is not None:
        kind[(kind != RESET) & (amount * 3600 > limit * seconds)] = OVER_LIMIT
    known_spans = (kind != RESET) & (kind != OVER_LIMIT)
    return Spans(when[:-1], slots, np.where(known_spans, amount, 0), known_spans, kind, refused)


def _step(before: int, after: int, capacity: int | None, roll_percent: int) -> int | None:
    if after >= before:
        return after - before
    if capacity is not None:
        edge = capacity * roll_percent
        if capacity * 100 - edge <= before * 100 <= capacity * 100 and after * 100 <= edge:
            return capacity - before + after
    return None
