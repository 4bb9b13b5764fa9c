"""A month's close from the store: exact, with corrections, withdrawals and positions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from lvheng.core.source import Confidence, Source
from lvheng.energy.accounts import Carrier
from lvheng.energy.close import in_tce, month_close, totals
from lvheng.observations.models import Subject
from lvheng.observations.services import ensure_region, ensure_source
from lvheng.observations.store import Figure, position, record

pytestmark = pytest.mark.django_db
COAL = Carrier("raw_coal", "原煤", "coal", "吨", Decimal("0.7143"), Decimal("0.7143"))


@pytest.fixture
def post():
    county = ensure_region("c1", "甲县")
    for code in ("u1", "u2"):
        Subject.objects.create(code=code, kind="unit", name=code, parent=county)
    source = ensure_source(Source("测试", confidence=Confidence.KNOWN_LOW), synthetic=True)

    def write(*rows):
        figures = [Figure("energy_use", unit, period, None if value is None else Decimal(value), "吨", "withdrawn" if value is None else "filed", source, "raw_coal") for unit, period, value in rows]  # fmt: skip
        record(figures, kind="demo", title="测试", by="测试")
        return position()

    return write


def test_month_and_year_to_date_with_last_year(post):
    at = post(
        ("u1", "2024-01", "100.5"),
        ("u1", "2024-02", "50"),
        ("u2", "2024-02", "0.25"),
        ("u1", "2023-02", "40"),
        ("u1", "2024-03", "9"),
    )
    (row,) = month_close(2024, 2, at=at)
    assert (row.region, row.carrier, row.unit) == ("c1", "raw_coal", "吨")
    assert (row.month, row.to_date, row.month_before, row.to_date_before) == (
        Decimal("50.25"),
        Decimal("150.75"),
        40,
        40,
    )
    assert row.units_now == 2


def test_corrections_and_withdrawals_as_of_a_position(post):
    before = post(("u1", "2024-01", "100"), ("u2", "2024-01", "10"))
    corrected = post(("u1", "2024-01", "90.125"))
    gone = post(("u2", "2024-01", None))
    assert [month_close(2024, 1, at=p)[0].month for p in (before, corrected, gone)] == [
        110,
        Decimal("100.125"),
        Decimal("90.125"),
    ]


def test_tce_of_a_close_names_what_it_leaves_out(post):
    rows = month_close(2024, 1, at=post(("u1", "2024-01", "100")))
    assert totals(rows, {"raw_coal": COAL})["c1"][0].calorific == Decimal("71.43")
    assert totals(rows, {})["c1"][1] == ["raw_coal"]
    assert in_tce(Decimal(1), Carrier("g", "天然气", "gas", "吨", Decimal(1), Decimal(2)), "吨") is None
