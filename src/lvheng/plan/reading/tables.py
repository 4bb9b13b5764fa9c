"""Indicator tables of plans."""

from __future__ import annotations

from lvheng.plan.reading.clauses import Placed
from lvheng.plan.reading.model import Draft
from lvheng.plan.reading.normalise import Mended


def read_tables(draft: Draft, mended: Mended, placed: list[Placed]) -> None:
    return
