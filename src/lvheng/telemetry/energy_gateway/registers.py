"""Cumulative registers to consumption by slot, by stated rules.

A slot's consumption is the difference of the register at its two bounds. The rules:

1. A slot is *measured* when the register was read at both bounds. Otherwise it lies in a *gap*: the consumption of the whole
   gap is known (the difference over it) and is reported once, over the gap; its slots hold no number. A gap is never zero.
2. A drop of the register is a *roll-over* when the meter's capacity is known, the reading before lies within ``roll_share`` of
   the capacity from the top and the one after within ``roll_share`` from zero: consumption = capacity − before + after.
3. A recorded *exchange* (time, final reading of the old meter, first of the new) splits the difference:
   (final − before) + (after − first). One at the very moment of a reading belongs to the slot after, unless that reading is
   the new meter's first: then the change is over and belongs to the slot before.
4. A drop without either is a *reset*: what was consumed between the two readings is unknown. The span holds no number and is
   reported for a person to settle.
5. A difference above ``limit`` per hour (the most the connection can carry) is *over_limit*: the number is kept out, the span
   is reported; nothing is clipped.

So Σ slots + Σ gaps equals the sum of the register's steps over all spans that have a number, exactly (Decimal).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

Reading = tuple[datetime, Decimal]


@dataclass(frozen=True, slots=True)
class Meter:
    """What is known of a meter. ``capacity`` is the register's modulus; ``factor`` multiplies a step (CT·PT ratio)."""

    capacity: Decimal | None = None
    factor: Decimal = Decimal(1)
    limit: Decimal | None = None  # most per hour, in units after the factor
    roll_share: Decimal = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A meter was changed: the old one's last reading and the new one's first."""

    at: datetime
    final: Decimal
    first: Decimal


@dataclass(frozen=True, slots=True)
class Span:
    """Consumption between two readings. ``amount`` is None where it is unknown.

    ``kind``: measured (one slot), gap (several slots, amount known), rolled, exchanged, reset, over_limit. ``slots`` is the
    number of slots that the span covers; only a span of one slot gives that slot a number.
    """

    start: datetime
    end: datetime
    amount: Decimal | None
    kind: str
    slots: int


@dataclass(frozen=True, slots=True)
class Series:
    """Spans in order of time; ``refused`` are readings that contradict another of the same time."""

    spans: tuple[Span, ...]
    refused: tuple[Reading, ...]
    step: timedelta

    @property
    def total(self) -> Decimal:
        """Everything that is known to have been consumed."""
        return sum((s.amount for s in self.spans if s.amount is not None), Decimal(0))

    def slots(self) -> list[tuple[datetime, Decimal | None]]:
        """One row a slot from the first reading to the last: its consumption, or None."""
        out: list[tuple[datetime, Decimal | None]] = []
        for span in self.spans:
            for n in range(span.slots):
                out.append((span.start + n * self.step, span.amount if span.slots == 1 else None))
        return out

    @property
    def unknown(self) -> tuple[Span, ...]:
        """Spans that a person has to settle."""
        return tuple(s for s in self.spans if s.amount is None)


def consumption(
    readings: Iterable[Reading],
    step: timedelta,
    meter: Meter | None = None,
    exchanges: Sequence[Exchange] = (),
) -> Series:
    """Spans of consumption from register readings, in one pass after sorting.

    ``readings`` are (slot bound, register) in any order; repeated equal readings count once, contradicting ones of the same
    time are refused (the first stays). Readings off the slot grid of the first one are refused as well.
    """
    meter = meter or Meter()
    kept: dict[datetime, Decimal] = {}
    refused: list[Reading] = []
    ordered = sorted(readings, key=lambda r: r[0])
    origin = ordered[0][0] if ordered else None
    for when, register in ordered:
        assert origin is not None
        if (when - origin) % step or not register.is_finite() or register < 0 or kept.get(when, register) != register:
            refused.append((when, register))
            continue
        kept.setdefault(when, register)
    changes = sorted((_settled(e, kept) for e in exchanges), key=lambda e: e.at)
    at = 0
    spans = []
    for (start, before), (end, after) in pairwise(kept.items()):
        while at < len(changes) and changes[at].at < start:
            at += 1
        within = []
        n = at
        while n < len(changes) and changes[n].at < end:
            within.append(changes[n])
            n += 1
        spans.append(_span(start, before, end, after, within, step, meter))
    return Series(tuple(spans), tuple(refused), step)


def _settled(change: Exchange, kept: dict[datetime, Decimal]) -> Exchange:
    """A change at the moment of a reading that is the new meter's already, put just before it."""
    if kept.get(change.at) == change.first != change.final:
        return replace(change, at=change.at - timedelta.resolution)
    return change


def _span(
    start: datetime,
    before: Decimal,
    end: datetime,
    after: Decimal,
    exchanges: Sequence[Exchange],
    step: timedelta,
    meter: Meter,
) -> Span:
    slots = (end - start) // step
    kind = "measured" if slots == 1 else "gap"
    amount: Decimal | None = after - before
    if exchanges:
        kind = "exchanged"
        amount = Decimal(0)
        low = before
        for change in exchanges:
            part = _step(low, change.final, meter)
            amount = None if amount is None or part is None else amount + part
            low = change.first
        part = _step(low, after, meter)
        amount = None if amount is None or part is None else amount + part
    elif after < before:
        amount = _step(before, after, meter)
        kind = "rolled" if amount is not None else "reset"
    if amount is None:
        return Span(start, end, None, "reset", slots)
    amount *= meter.factor
    hours = Decimal((end - start) // timedelta(seconds=1)) / 3600
    if meter.limit is not None and amount > meter.limit * hours:
        return Span(start, end, None, "over_limit", slots)
    return Span(start, end, amount, kind, slots)


def _step(before: Decimal, after: Decimal, meter: Meter) -> Decimal | None:
    """The step of one register, over its top where the readings allow; None when it fell otherwise."""
    if after >= before:
        return after - before
    if meter.capacity is not None:
        edge = meter.capacity * meter.roll_share
        if meter.capacity - edge <= before <= meter.capacity and after <= edge:
            return meter.capacity - before + after
    return None


def completeness(series: Series, start: datetime, end: datetime) -> Decimal:
    """Measured slots over slots due in ``[start, end)``."""
    due = (end - start) // series.step
    have = sum(1 for when, amount in series.slots() if amount is not None and start <= when < end)
    return Decimal(have) / due if due else Decimal(0)


def day_against_month(days: Iterable[Decimal], month: Decimal) -> Decimal | None:
    """Relative deviation of the sum of days from the month; None when the month is zero and the days are not."""
    total = sum(days, Decimal(0))
    if not month:
        return None if total else Decimal(0)
    return abs(total - month) / abs(month)
