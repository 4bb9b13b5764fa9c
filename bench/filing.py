"""A dry run of 50,000 rows × 30 columns from xlsx, beside the bare readers, in one run.

    python -m bench.filing [rows]

``dry run`` is everything a filer waits for: the file's safety, sheets and headers found, every cell read to
exact text, every column and check looked at, and the differences against the version before. ``calamine`` and
``openpyxl`` only read the same file's cells.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
import time
from pathlib import Path

import openpyxl
import python_calamine
import xlsxwriter

from lvheng.core.period import Period
from lvheng.filing import forms

HEAD = """
forms:
  - form: bench
    code: bench
    title: {zh: 大表}
    source: {document: 性能对比, confidence: V}
    filer: {role: county}
    frequency: month
    due: {months_after: 1, day: 10}
    sheets:
      - sheet: lines
        title: {zh: 明细}
        key: {columns: [number]}
        columns:
          - {code: number, title: {zh: 编号}, type: text, required: true}
          - {code: name, title: {zh: 名称}, type: text, required: true}
          - {code: fuel, title: {zh: 品种}, type: option, options: fuels, required: true}
          - {code: day, title: {zh: 日期}, type: date}
"""
CHECKS = """    checks:
      - {check: balance, scope: row, sheet: lines, expr: c3 == c0 + c1 - c2, tolerance: 0.01, message: {zh: 收支不平}}
      - {check: parts, scope: row, sheet: lines, expr: c4 == c5 + c6, tolerance: 0.01, message: {zh: 分项之和不等于合计}}
      - {check: part, scope: row, sheet: lines, expr: c7 <= c4, message: {zh: 其中项多于合计}}
      - {check: price, scope: row, sheet: lines, when: c1 > 0, expr: c8 / c1 >= 0.1 and c8 / c1 <= 100, message: {zh: 单价不合理}}
      - {check: before, scope: previous, sheet: lines, expr: c0 == prev.c3, tolerance: 0.01, message: {zh: 期初不等于上期期末}}
"""
NUMBERS = 26


def form_of(folder: Path) -> forms.Form:
    columns = "".join(
        f"          - {{code: c{i}, title: {{zh: 数值{i:02d}}}, unit: 吨, minimum: 0, required: true}}\n"
        for i in range(NUMBERS)
    )
    path = folder / "bench.yaml"
    path.write_text(HEAD.lstrip("\n") + columns + CHECKS, encoding="utf-8")
    return forms.load_forms(path).at("bench", Period.parse("2024-03").end)


def workbook(rows: int) -> bytes:
    rng = random.Random(1)
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True})
    page = book.add_worksheet("明细")
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    page.write_row(0, 0, ["编号", "名称", "品种", "日期", *(f"数值{i:02d}（吨）" for i in range(NUMBERS))])
    for r in range(1, rows + 1):
        page.write_row(r, 0, [f"N{r:06d}", f"第{r}号锅炉", ("原煤", "电力", "柴油")[r % 3]])
        page.write_number(r, 3, 45000 + r % 365, day)
        c = [round(rng.uniform(1, 1000), 2) for _ in range(NUMBERS)]
        c[2] = round(min(c[2], c[0] + c[1]), 2)
        c[3], c[4], c[7], c[8] = (
            round(c[0] + c[1] - c[2], 2),
            round(c[5] + c[6], 2),
            round(c[5] / 2, 2),
            round(c[1] * 2, 2),
        )
        page.write_row(r, 4, c)
    book.close()
    return out.getvalue()


def best(job, rounds: int = 2) -> float:  # type: ignore[no-untyped-def]
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        job()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    with tempfile.TemporaryDirectory() as folder:
        form = form_of(Path(folder))
    content = workbook(rows)
    period = Period.parse("2024-03")
    before = forms.read_file(content, "前.xlsx", form)
    assert not before.problems, before.problems[:3]

    def dry_run() -> None:
        reading = forms.read_file(content, "大表.xlsx", form)
        problems = forms.check(form, reading.data, forms.Context(period))
        differences = forms.compare(before.data, reading.data)
        assert not problems, problems[:3]
        assert len(differences.same) == rows

    def calamine() -> None:
        python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()

    def plain() -> None:
        for _ in openpyxl.load_workbook(io.BytesIO(content), read_only=True).worksheets[0].iter_rows(values_only=True):
            pass

    ours, theirs, slow = best(dry_run), best(calamine), best(plain, 1)
    print(f"{rows} rows x {NUMBERS + 4} columns, {len(content) / 1e6:.1f} MB")
    for name, seconds in (("dry run", ours), ("calamine alone", theirs), ("openpyxl alone", slow)):
        print(f"{name:16s} {seconds:6.2f} s {rows / seconds:10,.0f} rows/s {seconds / theirs:6.2f} x calamine")


if __name__ == "__main__":
    main()
