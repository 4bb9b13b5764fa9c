"""What a new version changes against the one before, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass, field

from lvheng.filing.forms.data import Data, Row, number


@dataclass(frozen=True, slots=True)
class CellChange:
    sheet: str
    key: str
    column: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class Differences:
    """Rows as (sheet, key) and the cells of changed rows."""

    new: list[tuple[str, str]] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    same: list[tuple[str, str]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)
    cells: list[CellChange] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether the new version says nothing new."""
        return not (self.new or self.changed or self.removed)

    def __str__(self) -> str:
        return f"新增{len(self.new)}行，修改{len(self.changed)}行（{len(self.cells)}格），相同{len(self.same)}行，删除{len(self.removed)}行"


def compare(old: Data | None, new: Data) -> Differences:
    """Rows new, changed, the same and removed. 1.50 and 1.5 are the same figure; blank and 0 are not."""
    found = Differences()
    before = {sheet: {row.key: row for row in rows} for sheet, rows in (old or {}).items()}
    for sheet, rows in new.items():
        known = before.get(sheet, {})
        for row in rows:
            past = known.pop(row.key, None)
            if past is None:
                found.new.append((sheet, row.key))
            elif past.cells == row.cells or not (cells := _cells(sheet, past, row)):
                found.same.append((sheet, row.key))
            else:
                found.changed.append((sheet, row.key))
                found.cells += cells
    found.removed = [(sheet, key) for sheet, rows in before.items() for key in rows]
    return found


def _cells(sheet: str, old: Row, new: Row) -> list[CellChange]:
    return [
        CellChange(sheet, new.key, column, a, b)
        for column in dict.fromkeys([*new.cells, *old.cells])
        if (a := old.cells.get(column)) != (b := new.cells.get(column)) and not _equal(a, b)
    ]


def _equal(a: str | None, b: str | None) -> bool:
    x, y = number(a), number(b)
    return x is not None and x == y
