"""The reader of workbooks; for .xls in a process of its own.

A damaged .xls can make the reader (a Rust library) ask for more memory than there is, which ends the whole process
and cannot be caught in it. So the old format is read by this file run as a program: workbook in, pickled sheets out.
It imports the reader alone, so that it starts at once.
"""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import python_calamine

MEMORY = 2 * 1024**3  # bytes of address space that the reading process may take
SECONDS = 60


@dataclass(frozen=True)
class SheetRead:
    """One sheet. ``rows`` is None when its area is beyond what is read."""

    position: int
    name: str
    height: int
    width: int
    hidden: bool
    merged: list[Any]
    rows: list[list[Any]] | None


class Password(Exception):  # noqa: N818 not a fault of the program
    """The workbook is locked."""

    code = 3  # what the reading process ends with


class Broken(Exception):  # noqa: N818 not a fault of the program
    """The workbook cannot be read."""


def sheets(content: bytes, most_rows: int, most_area: int) -> list[SheetRead]:
    """The worksheets of a workbook; raises Password, or Broken whatever the reader's fault is."""
    try:
        return _sheets(content, most_rows, most_area)
    except python_calamine.PasswordError:
        raise Password from None
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the reader is Rust: its panics are no Exception
        raise Broken(type(error).__name__) from None


def _sheets(content: bytes, most_rows: int, most_area: int) -> list[SheetRead]:
    found = []
    with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
        for position, meta in enumerate(book.sheets_metadata):
            if meta.typ != python_calamine.SheetTypeEnum.WorkSheet:
                continue
            sheet = book.get_sheet_by_index(position)
            height, width = sheet.total_height, sheet.total_width
            fits = height * max(width, 1) <= most_area and height <= most_rows
            rows = sheet.to_python(skip_empty_area=False) if fits else None
            hidden = meta.visible != python_calamine.SheetVisibleEnum.Visible
            merged = list(sheet.merged_cell_ranges or [])
            found.append(SheetRead(position, meta.name, height, width, hidden, merged, rows))
    return found


def sheets_apart(content: bytes, most_rows: int, most_area: int) -> list[SheetRead]:
    """As :func:`sheets`, in a process of its own: whatever happens there, this one goes on."""
    command = [sys.executable, "-I", __file__, str(most_rows), str(most_area)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Broken("timeout") from None
    if done.returncode == Password.code:
        raise Password
    if done.returncode:
        raise Broken(str(done.returncode))
    return [SheetRead(*given) for given in pickle.loads(done.stdout)]  # by this very file


def _main(most_rows: int, most_area: int) -> int:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError):  # not on this system: then without a limit, still apart
        pass
    try:
        found = sheets(sys.stdin.buffer.read(), most_rows, most_area)
    except Password:
        return Password.code
    except (Broken, MemoryError):
        return 4
    plain = [(s.position, s.name, s.height, s.width, s.hidden, s.merged, s.rows) for s in found]
    sys.stdout.buffer.write(pickle.dumps(plain, protocol=5))
    return 0


if __name__ == "__main__":
    sys.exit(_main(int(sys.argv[1]), int(sys.argv[2])))
