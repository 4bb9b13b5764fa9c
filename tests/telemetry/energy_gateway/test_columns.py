"""The columns give the same spans as the readable rules, whatever the readings."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lvheng.telemetry.energy_gateway.columns import KINDS, consumption_columns
from lvheng.telemetry.energy_gateway.registers import Exchange, Meter, consumption

START = datetime(2026, 6, 1)  # noqa: DTZ001 wall time
readings = st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 1000)), max_size=40)
odd = st.lists(st.tuples(st.integers(0, 2400), st.integers(0, 1000)), max_size=3)
changes = st.lists(st.tuples(st.integers(0, 2400), st.integers(0, 1000), st.integers(0, 1000)), max_size=3)


@given(readings, odd, changes, st.sampled_from([None, 1000]), st.sampled_from([None, 4000]))
def test_same_spans(slots, off, exchanges, capacity, limit):
    rows = [(n * 60, r) for n, r in slots] + off
    plain = consumption(
        [(START + timedelta(seconds=t), Decimal(r)) for t, r in rows],
        timedelta(minutes=1),
        Meter(None if capacity is None else Decimal(capacity), limit=None if limit is None else Decimal(limit)),
        [Exchange(START + timedelta(seconds=t), Decimal(a), Decimal(b)) for t, a, b in sorted(exchanges)],
    )
    fast = consumption_columns(
        [t for t, _ in rows], [r for _, r in rows], 60, capacity=capacity, limit=limit, exchanges=exchanges
    )
    assert [
        ((s.start - START).total_seconds(), s.slots, None if s.amount is None else int(s.amount), s.kind)
        for s in plain.spans
    ] == [
        (t, n, int(a) if k else None, KINDS[kind])
        for t, n, a, k, kind in zip(fast.start, fast.slots, fast.amount, fast.known, fast.kind, strict=True)
    ]
    assert fast.total == plain.total
    assert fast.refused == len(plain.refused)


@given(st.integers(2, 500), st.randoms())
def test_the_sum_of_slots_is_the_register_difference(n, random):
    times = np.arange(n) * 60
    registers = np.cumsum([random.randrange(1000) for _ in range(n)])
    spans = consumption_columns(times, registers, 60)
    assert spans.total == int(registers[-1] - registers[0])
