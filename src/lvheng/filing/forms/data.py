"""What is filed, as plain values, and the tables that checks read it through.

``Data`` is ``{sheet: [Row]}``. Cells are text: numbers as plain decimal digits, dates ISO, options by code,
yes/no as 1/0; a cell that could not be understood keeps what was written, and the check names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

import numpy as np

from lvheng.core.formula.exact import total


@dataclass(slots=True)
class Row:
    """One row: its key ("" in a record; several key columns joined by "|") and its cells by column."""

    key: str
    cells: dict[str, str | None]


Data = dict[str, list[Row]]
_NUMERALS = frozenset("0123456789.-")
MAX_DIGITS = 40  # characters of a number; longer is no figure of a form


def dump(data: Data) -> dict[str, list[dict[str, Any]]]:
    """Plain values for JSON."""
    return {sheet: [{"key": r.key, "cells": r.cells} for r in rows] for sheet, rows in data.items()}


def load(stored: Mapping[str, Iterable[Mapping[str, Any]]] | None) -> Data | None:
    """What :func:`dump` gave, as Data again."""
    if stored is None:
        return None
    return {sheet: [Row(r["key"], dict(r["cells"])) for r in rows] for sheet, rows in stored.items()}


def number(text: str | None) -> Decimal | None:
    """The number of a canonical cell, None when empty or not one."""
    if not text or len(text) > MAX_DIGITS or not _NUMERALS.issuperset(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


class Table:
    """One sheet of filed data, by row and by column."""

    def __init__(self, rows: list[Row], totals: Iterable[str] = ()):
        self.rows, self.totals = rows, frozenset(totals)
        self._floats: dict[str, np.ndarray] = {}
        self._sums: dict[str, Decimal | None] = {}

    @cached_property
    def index(self) -> dict[str, int]:
        return {row.key: i for i, row in enumerate(self.rows)}

    def text(self, i: int, column: str) -> str | None:
        return self.rows[i].cells.get(column)

    def exact(self, i: int | None, column: str) -> Decimal | None:
        return None if i is None else number(self.rows[i].cells.get(column))

    def column(self, column: str) -> list[str | None]:
        return [row.cells.get(column) for row in self.rows]

    def floats(self, column: str) -> np.ndarray:
        """The column as float64, NaN where there is no number: for screening only."""
        if column not in self._floats:
            self._floats[column] = floats(self.column(column))
        return self._floats[column]

    def sum(self, column: str) -> Decimal | None:
        """The exact sum of what is filled in, leaving out rows that add up others; None when nothing is."""
        if column not in self._sums:
            found = [
                v for row in self.rows if row.key not in self.totals if (v := number(row.cells.get(column))) is not None
            ]
            self._sums[column] = total(found) if found else None
        return self._sums[column]


def floats(cells: list[str | None]) -> np.ndarray:
    """Float64 of canonical cells, NaN for the others."""
    if plain(cells):
        try:
            return np.array([float(c) if c else np.nan for c in cells], dtype=np.float64)
        except ValueError:
            pass
    return np.array([np.nan if (v := number(c)) is None else float(v) for c in cells], dtype=np.float64)


def plain(cells: list[str | None]) -> bool:
    """Whether no cell of a column holds anything but digits, point and minus (their order is not looked at)."""
    return _NUMERALS.issuperset("".join([c for c in cells if c]))
