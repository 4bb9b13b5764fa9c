"""Energy is conserved in all seven meter cases: clean, outage, outage with burst, over limit, roll-over, exchange to 0 and
exchange to 50,000. The truth is the hidden consumption of every slot; the meter only shows its register."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvheng.telemetry.energy_gateway.registers import (
    Exchange,
    Meter,
    completeness,
    consumption,
    day_against_month,
)

STEP = timedelta(minutes=15)
START = datetime(2026, 6, 1)  # noqa: DTZ001 wall time
CAPACITY = Decimal(100_000)

use = st.lists(st.integers(0, 999).map(lambda n: Decimal(n) / 100), min_size=4, max_size=60)


def register(slots, first=Decimal(1000), capacity=None):
    """Readings of a register that starts at ``first``."""
    out, value = [(START, first)], first
    for n, amount in enumerate(slots, 1):
        value += amount
        if capacity is not None and value > capacity:
            value -= capacity
        out.append((START + n * STEP, value))
    return out


def truth(slots, span):
    a = (span.start - START) // STEP
    return sum(slots[a : a + span.slots], Decimal(0))


def conserved(slots, series):
    """Every span with an amount holds exactly what was used in it; the sum is that of the register's steps."""
    assert sum(s.slots for s in series.spans) == len(slots)
    for span in series.spans:
        if span.amount is not None:
            assert span.amount == truth(slots, span)
    assert series.total == sum((truth(slots, s) for s in series.spans if s.amount is not None), Decimal(0))
    known = [a for _, a in series.slots() if a is not None]
    gaps = [s.amount for s in series.spans if s.amount is not None and s.slots > 1]
    assert sum(known, Decimal(0)) + sum(gaps, Decimal(0)) == series.total


@given(use)
def test_clean(slots):
    series = consumption(register(slots), STEP)
    conserved(slots, series)
    assert [a for _, a in series.slots()] == slots
    assert series.total == sum(slots)


@given(use, st.data())
def test_outage(slots, data):
    readings = register(slots)
    lost = data.draw(st.sets(st.integers(1, len(slots) - 1)))
    series = consumption([r for n, r in enumerate(readings) if n not in lost], STEP)
    conserved(slots, series)
    assert series.total == readings[-1][1] - readings[0][1] == sum(slots)
    by_slot = [a for _, a in series.slots()]
    for n, amount in enumerate(by_slot):
        gap = n in lost or n + 1 in lost
        assert (amount is None) is gap  # a gap is never zero


@given(use, st.integers(1, 3), st.integers(10_000, 99_999))
def test_outage_with_burst(slots, at, burst):
    """What was used during an outage comes all at once; it stays in the gap and is not put into one slot."""
    slots = [*slots, Decimal(1), Decimal(2)]
    slots[at] = Decimal(burst)
    readings = register(slots)
    del readings[at]
    series = consumption(readings, STEP)
    conserved(slots, series)
    assert all(a is None or a < 10_000 for _, a in series.slots())


@given(use, st.integers(0, 3))
def test_over_limit(slots, at):
    slots[at] = Decimal(5000)
    series = consumption(register(slots), STEP, Meter(limit=Decimal(100)))
    (span,) = series.unknown
    assert (span.kind, span.start) == ("over_limit", START + at * STEP)
    conserved(slots, series)
    assert series.total == sum(slots) - 5000


@given(use)
def test_roll_over(slots):
    first = CAPACITY - sum(slots) / 2
    readings = register(slots, first, CAPACITY)
    series = consumption(readings, STEP, Meter(capacity=CAPACITY))
    conserved(slots, series)
    assert series.total == sum(slots)
    assert not series.unknown


@pytest.mark.parametrize("begin", [Decimal(0), Decimal(50_000)])
@given(slots=use, data=st.data())
def test_exchange(begin, slots, data):
    """The meter is changed within a slot for one that shows ``begin``; both its last and first reading are on record."""
    at = data.draw(st.integers(0, len(slots) - 1))
    share = data.draw(st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(1)]))
    readings = register(slots)
    final = readings[at][1] + slots[at] * share
    shift = begin - final
    readings = readings[: at + 1] + [(t, v + shift) for t, v in readings[at + 1 :]]
    exchange = Exchange(readings[at][0] + STEP / 2, final, begin)
    series = consumption(readings, STEP, Meter(), [exchange])
    conserved(slots, series)
    assert series.total == sum(slots)
    assert series.spans[at].kind == "exchanged"


@pytest.mark.parametrize(
    ("bound", "kinds", "amounts"),
    [(50_000, ["exchanged", "measured"], [1, 2]), (501, ["measured", "exchanged"], [1, 2])],
)
def test_an_exchange_at_the_moment_of_a_reading_goes_by_whose_reading_it_is(bound, kinds, amounts):
    readings = [(START, Decimal(500)), (START + STEP, Decimal(bound)), (START + 2 * STEP, Decimal(50_002))]
    series = consumption(readings, STEP, Meter(), [Exchange(START + STEP, Decimal(501), Decimal(50_000))])
    assert [s.kind for s in series.spans] == kinds
    assert [s.amount for s in series.spans] == amounts


def test_a_drop_without_explanation_is_unknown_not_zero():
    series = consumption([(START, Decimal(500)), (START + STEP, Decimal(3))], STEP)
    assert [(s.kind, s.amount) for s in series.spans] == [("reset", None)]
    assert series.slots() == [(START, None)]


@given(use, st.randoms())
def test_order_and_repetition_change_nothing(slots, random):
    readings = register(slots)
    mixed = readings + readings[: len(readings) // 2]
    random.shuffle(mixed)
    assert consumption(mixed, STEP) == consumption(readings, STEP)


def test_contradicting_and_misplaced_readings_are_refused_and_named():
    readings = [*register([Decimal(1), Decimal(2)]), (START + STEP, Decimal(9)), (START + STEP / 2, Decimal(7))]
    series = consumption(readings, STEP)
    assert set(series.refused) == {(START + STEP, Decimal(9)), (START + STEP / 2, Decimal(7))}
    assert series.total == 3


def test_the_factor_of_transformers_applies_to_every_step():
    series = consumption(register([Decimal(1), Decimal(2)]), STEP, Meter(factor=Decimal(40)))
    assert [a for _, a in series.slots()] == [40, 80]


def test_completeness_and_day_against_month():
    readings = [r for n, r in enumerate(register([Decimal(1)] * 96)) if n not in (10, 50)]
    assert completeness(consumption(readings, STEP), START, START + timedelta(days=1)) == Decimal(92) / 96
    assert day_against_month([Decimal(10)] * 30, Decimal(310)) == Decimal(10) / 310
    assert day_against_month([], Decimal(0)) == 0
    assert day_against_month([Decimal(1)], Decimal(0)) is None
