from __future__ import annotations

from pathlib import Path

import pytest

from lvheng.core.period import Period
from lvheng.filing import forms
from tests.filing.forms.workbooks import PERIOD

RULEBOOK = Path(__file__).resolve().parents[3] / "rulebook"
REGIONS = [
    forms.Option(code="990100", name="甲市"),
    forms.Option(code="990101", name="乙区", aliases=("乙",)),
    forms.Option(code="990102", name="丙县"),
]


@pytest.fixture(scope="session")
def book() -> forms.FormBook:
    return forms.load_forms(RULEBOOK / "forms", lists={"regions": REGIONS}, base=RULEBOOK)


@pytest.fixture(scope="session")
def period() -> Period:
    return Period.parse(PERIOD)


@pytest.fixture(scope="session")
def purchase(book: forms.FormBook, period: Period) -> forms.Form:
    return book.at("energy_purchase", period.end)
