"""Filling in a downloaded template as a person would: by the words in its header."""

from __future__ import annotations

import io
from collections.abc import Mapping

import openpyxl


def fill(raw: bytes, rows: list[Mapping[str, object]], sheet: str = "能源购进") -> bytes:
    """Write rows below the header; the first goes into the first line below it."""
    book = openpyxl.load_workbook(io.BytesIO(raw))
    page = book[next(n for n in book.sheetnames if n.startswith(sheet))]
    head = next(r for r in range(1, 12) if "能源名称" in str(page.cell(r, 1).value))
    columns = {
        str(page.cell(head, c).value).split("（")[0].strip("*＊ "): c
        for c in range(1, page.max_column + 1)
        if page.cell(head, c).value
    }
    for n, row in enumerate(rows, 1):
        for title, value in row.items():
            page.cell(head + n, columns[title]).value = value
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def comments(raw: bytes) -> list[str]:
    """What is written at the cells of a marked workbook."""
    return [
        cell.comment.text
        for page in openpyxl.load_workbook(io.BytesIO(raw))
        for row in page.iter_rows()
        for cell in row
        if cell.comment
    ]
