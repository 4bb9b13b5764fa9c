"""Workbooks broken at random: never a traceback, and whatever is refused says where.

``LVHENG_MUTATIONS=1000`` for the long run.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import random
import zipfile
from typing import Any

import pytest

from lvheng.core.period import Period
from lvheng.core.problem import Severity
from lvheng.filing import forms
from tests.filing.forms import workbooks

COUNT = int(os.environ.get("LVHENG_MUTATIONS", "150"))
NASTY: list[Any] = [
    None, "", " ", "0", "-", "—", "abc", "#N/A", "１２３", "1,234.5", "12,34", "1e5", "1E400", "-0", "NaN", "inf", "1_000", "0x1F", "１，２", "9" * 30, "9" * 400, "0.1" * 50,
    "=1+1", "'=1", "+cmd", "@x", "是", "TRUE", True, False, 0, -1, 1e308, -1e308, 1e-308, 0.1 + 0.2, 123456789012345678, 1e15, 5e-324,
    "2024-02-30", "2024-03-31", "45000", "合计", "总计", "注：", "\u200b", "\ufeff", "😀", "\x1f", "（120）", "(5)", "5%", "５％", "1万", "1/2", "a|b", "|", "能源名称", "购进量累计",
    "x" * 32767, "\n", "a\tb", '"', "'", "<&>", "\u202e", "\u2028", "\x85", "a\x0bb", "\x01\x02", "𠮷", datetime.datetime(2024, 3, 1), datetime.datetime(1900, 1, 1), datetime.time(5, 6),  # noqa: DTZ001
]  # fmt: skip


KINDS = {"csv": 0, "xls": 1}


def mutate(seed: int, only: str = "") -> tuple[bytes, str]:
    """A broken workbook and its name; one kind of file ``only``, or mostly xlsx."""
    rng = random.Random(seed)
    table: list[list[Any]] = [list(workbooks.HEAD), *workbooks.rows()]
    for _ in range(rng.randint(1, 8)):
        match rng.randrange(9):
            case 0 | 1 | 2:
                row = rng.choice(table)
                if row:
                    row[rng.randrange(len(row))] = rng.choice(NASTY)
            case 3:
                table.insert(rng.randrange(len(table) + 1), [rng.choice(NASTY) for _ in range(rng.randrange(18))])
            case 4:
                table.pop(rng.randrange(len(table))) if len(table) > 1 else None
            case 5:
                j, what = rng.randrange(15), rng.choice(NASTY)
                for row in table:
                    row.insert(min(j, len(row)), what)
            case 6:
                j = rng.randrange(15)
                for row in table:
                    if j < len(row):
                        row.pop(j)
            case 7:
                rng.shuffle(table)
            case 8:
                table.append(list(rng.choice(table)))
    kind = rng.randrange(10)
    if only:
        kind = max(kind, 2) if only == "xlsx" else KINDS[only]
    if kind == 0:
        text = "\n".join(rng.choice([",", "\t"]).join("" if v is None else str(v) for v in row) for row in table)
        return text.encode(rng.choice(["utf-8", "gb18030", "utf-16"]), "replace"), "a.csv"
    if kind == 1:
        plain = [
            [
                v
                if isinstance(v, str) or v is None
                else float(v)
                if not isinstance(v, (datetime.datetime, datetime.time))
                else "日期"
                for v in row
            ]
            or [None]
            for row in table
        ]
        plain = [[v[:500] if isinstance(v, str) else v for v in row] for row in plain]
        content = workbooks.biff(rng.choice([workbooks.SHEET, "Sheet1"]), plain)
        return (damage(content, rng) if rng.random() < 0.5 else content), "a.xls"
    content = workbooks.xlsx(
        table[1:],
        table[0],
        sheet=rng.choice([workbooks.SHEET, "Sheet1", "205-1", "x"]),
        options={"nan_inf_to_errors": True},
    )
    if kind == 2:
        content = damage(content, rng)
    elif kind in (3, 4):
        content = damaged_part(content, rng)
    return content, "a.xlsx"


def damage(content: bytes, rng: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(len(data))]) if rng.random() < 0.3 else bytes(data)


def damaged_part(content: bytes, rng: random.Random) -> bytes:
    """A sound archive with a damaged part inside."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        items = old.infolist()
        bad = rng.choice(items).filename
        for item in items:
            data = old.read(item)
            if item.filename == bad:
                match rng.randrange(4):
                    case 0:
                        data = damage(data, rng)
                    case 1:
                        data = data[: rng.randrange(len(data) + 1)]
                    case 2:
                        data = data.replace(b'"1"', rng.choice([b'"-1"', b'"99999999999"', b'""', b'"A"']))
                    case 3:
                        data = data.replace(b'r="', rng.choice([b'r="ZZZ', b'r="0', b'q="', b'r="A99999999']))
            new.writestr(item.filename, data)
    return out.getvalue()


@pytest.mark.parametrize("block", range(10))
def test_never_a_traceback_and_always_a_place(block: int, purchase: forms.Form, period: Period) -> None:
    for seed in range(block, COUNT, 10):
        content, name = mutate(seed)
        reading = forms.read_file(content, name, purchase, period)
        problems = list(reading.problems)
        found = (
            forms.check(purchase, reading.data, forms.Context(period, previous=reading.data)) if reading.data else []
        )
        problems += reading.locate(found)
        json.dumps(forms.dump(reading.data), ensure_ascii=False)
        forms.compare(reading.data, reading.data)
        forms.figures(purchase, reading.data, "u1", period)
        assert reading.data or any(p.severity is Severity.BLOCKER for p in problems), seed
        for p in problems:
            assert p.place.file == name, (seed, p)
            assert p.place.cell or p.code.startswith("filing.file."), (seed, p)
            assert p.message, (seed, p)
            assert p.fix or p.severity is Severity.NOTICE, (seed, p)
        if seed % 5 == 0:
            forms.marked(content, purchase, problems, name)


@pytest.mark.parametrize("seed", [100673])
def test_a_file_that_kills_its_reader_is_refused(seed: int, purchase: forms.Form, period: Period) -> None:
    """Found by the long run: this .xls makes the reader ask for more memory than any machine has."""
    content, name = mutate(seed, "xls")
    problems = forms.read_file(content, name, purchase, period).problems
    assert [p.code for p in problems] == ["filing.file.damaged"]
