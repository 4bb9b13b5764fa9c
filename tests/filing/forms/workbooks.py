"""Workbooks as people send them, built here and not kept as files: each with the problems it must get.

``python -m tests.filing.forms.workbooks FOLDER`` writes them out to look at.
"""

from __future__ import annotations

import datetime
import io
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import xlsxwriter

HEAD = [
    "能源名称", "计量单位", "年初库存", "购进量本月", "购进量累计", "购自省外", "购进金额（千元）", "消费量本月", "消费量累计", "工业生产消费",
    "用于原材料", "非工业生产消费", "期末库存", "采用折标系数", "消费量折标准煤（吨标准煤）",
]  # fmt: skip
COAL: list[Any] = ["原煤", "吨", 100, 300, 1000, 0, 800, 250, 900, 890, 0, 10, 200, 0.7143, 642.87]
POWER: list[Any] = ["电力", "万千瓦时", 0, 40, 120.5, 0, 800, 40, 120.5, 120, 0, 0.5, 0, 1.229, 148.09]
GAS: list[Any] = ["天然气", "万立方米", 0, 10, 30, 0, 1050, 10, 30, 30, 0, 0, 0, 12.143, 364.29]
TOTAL: list[Any] = ["能源合计", "吨标准煤", *[None] * 12, 1155.25]
ROWS = [COAL, POWER, GAS, TOTAL]
SHEET = "能源购进、消费与库存"
PERIOD = "2024-03"


@dataclass(frozen=True)
class Workbook:
    """``expected``: codes of problems worse than a notice. ``rows``: rows that must be read."""

    name: str
    content: bytes
    expected: frozenset[str] = frozenset()
    rows: int | None = 4


_MADE: dict[str, Callable[[], Workbook]] = {}


def made(function: Callable[[], Workbook]) -> Callable[[], Workbook]:
    _MADE[function.__name__] = function
    return function


CLEAN: list[str] = []


def clean(function: Callable[[], Workbook]) -> Callable[[], Workbook]:
    """Of those with nothing wrong in them, which must all read as ``good``."""
    CLEAN.append(function.__name__)
    return made(function)


def build(name: str) -> Workbook:
    return _MADE[name]()


def names() -> list[str]:
    return list(_MADE)


def rows(**changes: dict[str, Any]) -> list[list[Any]]:
    """The good rows with cells changed: ``rows(原煤={"期末库存": 5})``."""
    out = []
    for row in ROWS:
        new = list(row)
        for column, value in changes.get(row[0], {}).items():
            new[HEAD.index(column)] = value
        out.append(new)
    return out


def xlsx(
    body: list[list[Any]], head: list[Any] | None = None, *, sheet: str = SHEET, top: list[list[Any]] | None = None, options: dict[str, Any] | None = None,
    more: Callable[[Any, Any], None] | None = None, merged_title: str = "", before: list[str] | None = None,
) -> bytes:  # fmt: skip
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, options or {})
    for name in before or []:
        book.add_worksheet(name).write(0, 0, "无关内容")
    page = book.add_worksheet(sheet)
    head = HEAD if head is None else head
    lines = [*(top or []), head, *body]
    start = 0
    if merged_title:
        page.merge_range(0, 0, 0, len(head) - 1, merged_title)
        start = 1
    for r, line in enumerate(lines, start):
        for c, value in enumerate(line):
            if isinstance(value, str) and value.startswith("=="):
                page.write_formula(r, c, value[1:], None, "")
            elif isinstance(value, str):
                page.write_string(r, c, value)
            elif value is not None:
                page.write(r, c, value)
    if more:
        more(book, page)
    book.close()
    return out.getvalue()


@clean
def good() -> Workbook:
    return Workbook("205-1.xlsx", xlsx(rows()))


@clean
def columns_moved_and_added() -> Workbook:
    order = [0, 14, 3, 2, 5, 4, 1, 7, 6, 9, 8, 11, 10, 13, 12]
    head = [HEAD[i] for i in order] + ["备注", "车间"]
    body = [[row[i] for i in order] + ["自用", "一车间"] for row in rows()]
    return Workbook("移动栏目.xlsx", xlsx(body, head))


@clean
def blank_rows_and_notes() -> Workbook:
    good_rows = rows()
    body = [
        [],
        good_rows[0],
        [],
        [None] * 5,
        good_rows[1],
        good_rows[2],
        [],
        good_rows[3],
        [],
        ["单位负责人：张三"],
        ["注：本表由能源统计员填写。"],
    ]
    return Workbook("空行.xlsx", xlsx(body, merged_title="福建某公司 2024年3月", top=[["填报单位：某公司"], []]))


@clean
def text_numbers() -> Workbook:
    body = rows(
        原煤={
            "年初库存": "１００",
            "购进量累计": "1,000",
            "购进量本月": " 300 ",
            "期末库存": "２００．００",
            "购进金额（千元）": "800 千元",
        },
        电力={"消费量累计": "1.205E2"},
    )
    return Workbook("文字数字.xlsx", xlsx(body))


@clean
def two_row_header() -> Workbook:
    """The shape of the official form: 消费量 over 合计 / 工业生产消费 …"""
    upper = [
        "能源名称",
        "计量单位",
        "年初库存",
        "购进量",
        None,
        None,
        "购进金额（千元）",
        "消费量",
        None,
        None,
        None,
        None,
        "期末库存",
        "采用折标系数",
        "消费量折标准煤",
    ]
    lower = [
        None,
        None,
        None,
        "本月",
        "累计",
        "购自省外",
        None,
        "本月",
        "累计",
        "工业生产消费",
        "用于原材料",
        "非工业生产消费",
        None,
        None,
        None,
    ]
    return Workbook("两行表头.xlsx", xlsx(rows(), lower, top=[["205-1表"], upper]))


@clean
def english_header() -> Workbook:
    head = [
        "Energy", "unit", "Opening stock of the year", "Purchased this month", "Purchased since January", "Of which from other provinces", "Purchase value",
        "Consumed this month", "Consumed since January", "Industrial production", "Of which feedstock", "Not industrial production", "Closing stock",
        "Factor used", "Consumption in tce",
    ]  # fmt: skip
    body = rows()
    for row, name in zip(body, ("Raw coal", "electricity", "Natural gas", "Total energy"), strict=True):
        row[0] = name
    return Workbook("english.xlsx", xlsx(body, head, sheet="energy"))


@clean
def sheets_in_any_order() -> Workbook:
    return Workbook("多表.xlsx", xlsx(rows(), sheet="Sheet3", before=["封面", "附注"]))


@made
def error_values() -> Workbook:
    def put(book: Any, page: Any) -> None:
        page.write_formula(1, HEAD.index("期末库存"), "=NA()", None, "#N/A")
        page.write_formula(2, HEAD.index("购进金额（千元）"), "=1/0", None, "#DIV/0!")

    return Workbook("错误值.xlsx", xlsx(rows(原煤={"期末库存": None}), more=put), frozenset({"filing.cell.error"}))


@clean
def formulas() -> Workbook:
    def put(book: Any, page: Any) -> None:
        page.write_formula(1, HEAD.index("消费量累计"), "=J2+L2", None, 900)
        page.write_formula(4, HEAD.index(HEAD[-1]), "=SUM(O2:O4)", None, 1155.25)

    return Workbook("公式.xlsx", xlsx(rows(), more=put))


@made
def formulas_never_computed() -> Workbook:
    book = openpyxl.Workbook()
    page = book.active
    page.title = SHEET
    page.append(HEAD)
    for row in rows(原煤={"消费量累计": "=J2+L2"}):
        page.append(row)
    out = io.BytesIO()
    book.save(out)
    return Workbook("未计算.xlsx", out.getvalue(), frozenset({"filing.cell.uncomputed"}))


@clean
def float_noise() -> Workbook:
    return Workbook(
        "浮点.xlsx", xlsx(rows(电力={"消费量累计": 120.4 + 0.1 + 1e-15, "工业生产消费": 0.1 + 0.2 + 119.7}))
    )


@made
def unit_slip_in_header() -> Workbook:
    head = [h.replace("（千元）", "（万元）") for h in HEAD]
    return Workbook("表头单位.xlsx", xlsx(rows(), head), frozenset({"filing.column.unit"}))


@made
def unit_slip_in_row() -> Workbook:
    return Workbook("行单位.xlsx", xlsx(rows(原煤={"计量单位": "万吨"})), frozenset({"filing.row.unit"}))


@made
def broken_identity() -> Workbook:
    return Workbook("不平.xlsx", xlsx(rows(原煤={"期末库存": 260})), frozenset({"filing.check.balance"}))


@made
def feedstock_above_use() -> Workbook:
    return Workbook("原料.xlsx", xlsx(rows(原煤={"用于原材料": 891})), frozenset({"filing.check.feedstock"}))


@made
def old_factor() -> Workbook:
    body = rows(电力={"采用折标系数": 4.04, HEAD[-1]: 486.82}, 能源合计={HEAD[-1]: 1493.98})
    return Workbook("旧系数.xlsx", xlsx(body), frozenset({"filing.check.factor_range", "filing.check.old_electricity"}))


@made
def price_in_yuan() -> Workbook:
    return Workbook("金额为元.xlsx", xlsx(rows(原煤={"购进金额（千元）": 800000})), frozenset({"filing.check.price"}))


@made
def unknown_fuel_and_text() -> Workbook:
    body = rows(原煤={"能源名称": "原媒", "期末库存": "二百"})
    return Workbook("错字.xlsx", xlsx(body), frozenset({"filing.cell.option", "filing.cell.number"}))


@made
def row_twice() -> Workbook:
    return Workbook("重复.xlsx", xlsx([*rows()[:3], COAL, TOTAL]), frozenset({"filing.row.twice"}))


@made
def row_without_name() -> Workbook:
    return Workbook("缺名称.xlsx", xlsx([*rows(), [None, "吨", 5, 5]]), frozenset({"filing.row.no_key"}))


@made
def column_missing() -> Workbook:
    at = HEAD.index("期末库存")
    return Workbook(
        "缺栏.xlsx",
        xlsx([r[:at] + r[at + 1 :] for r in rows()], HEAD[:at] + HEAD[at + 1 :]),
        frozenset({"filing.column.missing", "filing.cell.required"}),
    )


@made
def negative_and_blank() -> Workbook:
    body = rows(天然气={"年初库存": -5, "非工业生产消费": None, "期末库存": -5})
    return Workbook("负数.xlsx", xlsx(body), frozenset({"filing.cell.minimum", "filing.cell.required"}))


@made
def date_in_number() -> Workbook:
    def put(book: Any, page: Any) -> None:
        page.write_datetime(
            1,
            HEAD.index("购进量本月"),
            datetime.datetime.fromisoformat("2024-03-04"),
            book.add_format({"num_format": "m-d"}),
        )

    return Workbook("日期.xlsx", xlsx(rows(), more=put), frozenset({"filing.cell.number"}))


@made
def no_header() -> Workbook:
    return Workbook("无表头.xlsx", xlsx(rows(), rows()[0]), frozenset({"filing.sheet.missing"}), None)


@made
def empty_file() -> Workbook:
    return Workbook("空.xlsx", b"", frozenset({"filing.file.empty"}), None)


@made
def empty_workbook() -> Workbook:
    out = io.BytesIO()
    xlsxwriter.Workbook(out).close()
    return Workbook("空表.xlsx", out.getvalue(), frozenset({"filing.sheet.none"}), None)


@clean
def csv_utf8() -> Workbook:
    text = "\ufeff" + "\r\n".join(",".join("" if v is None else f'"{v}"' for v in line) for line in [HEAD, *rows()])
    return Workbook("205-1.csv", text.encode())


@clean
def csv_gbk_tabs() -> Workbook:
    text = "\n".join("\t".join("" if v is None else str(v) for v in line) for line in [["205-1表"], HEAD, *rows()])
    return Workbook("205-1.csv", text.encode("gb18030"))


@clean
def xls() -> Workbook:
    return Workbook("205-1.xls", biff(SHEET, [HEAD, *rows()]))


@made
def xls_with_a_ring_of_sectors() -> Workbook:
    """A chain that comes back to its start, which a reader would follow until memory ends."""
    content = bytearray(biff(SHEET, [HEAD, *rows()]))
    content[-512 + 4 : -512 + 8] = bytes(4)  # after the second sector the first again
    return Workbook("205-1.xls", bytes(content), frozenset({"filing.file.damaged"}), None)


@made
def xls_table_too_large() -> Workbook:
    """A damaged size record, by which a reader would set aside more memory than there is."""
    content = biff(SHEET, [HEAD, *rows()])
    at = content.index(struct.pack("<HHII", 0x200, 14, 0, len(ROWS) + 1))
    return Workbook(
        "205-1.xls", content[: at + 4] + b"\0\0\0\xe0" + content[at + 8 :], frozenset({"filing.file.too_far"}), None
    )


@made
def renamed_pdf() -> Workbook:
    return Workbook(
        "205-1.xlsx", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<<>>endobj", frozenset({"filing.file.renamed"}), None
    )


@made
def renamed_web_page() -> Workbook:
    page = "<html><body><table><tr><td>能源名称</td></tr></table></body></html>"
    return Workbook("205-1.xls", page.encode(), frozenset({"filing.file.renamed"}), None)


@made
def renamed_text() -> Workbook:
    return Workbook("205-1.xlsx", bytes(range(256)) * 20, frozenset({"filing.file.renamed"}), None)


@made
def word_document() -> Workbook:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<w:document/>")
    return Workbook("205-1.xlsx", out.getvalue(), frozenset({"filing.file.renamed"}), None)


@made
def password() -> Workbook:
    """The container of a protected workbook: a compound file holding an encrypted package."""
    stream = "EncryptedPackage".encode("utf-16-le") + bytes(4096)
    return Workbook(
        "205-1.xlsx",
        compound({"EncryptionInfo": bytes(4096), "EncryptedPackage": stream}),
        frozenset({"filing.file.password"}),
        None,
    )


@made
def zip_bomb() -> Workbook:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx(rows()))) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for item in old.infolist():
            new.writestr(item.filename, old.read(item))
        with new.open("xl/media/image1.png", "w", force_zip64=True) as part:
            for _ in range(700):
                part.write(bytes(1 << 20))
    return Workbook("205-1.xlsx", out.getvalue(), frozenset({"filing.file.bomb"}), None)


@made
def cell_far_away() -> Workbook:
    def put(book: Any, page: Any) -> None:
        page.write(1048575, 16383, 1)

    return Workbook("远.xlsx", xlsx(rows(), more=put), frozenset({"filing.file.too_far"}), None)


@made
def entity_expansion() -> Workbook:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(rows()))) as old, zipfile.ZipFile(out, "w") as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename == "xl/workbook.xml":
                data = data.replace(b"<workbook", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook', 1)
            new.writestr(item.filename, data)
    return Workbook("实体.xlsx", out.getvalue(), frozenset({"filing.file.damaged"}), None)


@made
def truncated() -> Workbook:
    return Workbook("截断.xlsx", xlsx(rows())[:3000], frozenset({"filing.file.damaged"}), None)


def compound(streams: dict[str, bytes]) -> bytes:
    """A compound file (MS-CFB, 512-byte sectors) whose streams are all of 4096 bytes or more."""
    fat: list[int] = []
    body, directory = b"", [("Root Entry", 5, 0xFFFFFFFE, 0)]
    for name, data in streams.items():
        size = max(len(data), 4096)
        data = data.ljust(-(-size // 512) * 512, b"\0")
        first, count = len(fat), len(data) // 512
        fat += [first + i + 1 for i in range(count - 1)] + [0xFFFFFFFE]
        directory.append((name, 2, first, size))
        body += data
    entries = b""
    for i, (name, kind, first, size) in enumerate(directory):
        wide = name.encode("utf-16-le") + b"\0\0"
        child = 1 if kind == 5 else 0xFFFFFFFF
        right = i + 1 if 0 < i < len(directory) - 1 else 0xFFFFFFFF
        entries += (
            wide.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(wide), kind, 1, 0xFFFFFFFF, right, child)
            + bytes(36)
            + struct.pack("<IQ", first, size)
        )
    empty = bytes(64) + struct.pack("<HBBIII", 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(48)
    entries += empty * (-len(directory) % 4)
    directory_at = len(fat)
    count = len(entries) // 512
    fat += [directory_at + i + 1 for i in range(count - 1)] + [0xFFFFFFFE]
    fat_at = len(fat)
    sectors = -(-(fat_at + 1) // 128)
    assert sectors == 1, "small files only"
    fat += [0xFFFFFFFD] + [0xFFFFFFFF] * (127 - fat_at)
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<IIIIIIIII", 0, 1, directory_at, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    head += struct.pack("<I", fat_at) + b"\xff" * (108 * 4)
    return head + body + entries + struct.pack("<128I", *fat)


def biff(sheet: str, lines: list[list[Any]]) -> bytes:
    """A BIFF8 workbook of one sheet of texts and numbers."""

    def record(kind: int, data: bytes) -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x809, struct.pack("<HHHHII", 0x600, kind, 0xDBB, 0x7CC, 0, 6))

    name = sheet.encode("utf-16-le")
    cells = b""
    for r, line in enumerate(lines):
        for c, value in enumerate(line):
            if isinstance(value, str):
                text = value.encode("utf-16-le")
                cells += record(0x204, struct.pack("<HHHHB", r, c, 0, len(value), 1) + text)
            elif value is not None:
                cells += record(0x203, struct.pack("<HHHd", r, c, 0, float(value)))
    dimensions = record(0x200, struct.pack("<IIHHH", 0, len(lines), 0, max(map(len, lines)), 0))
    page = begin(0x10) + dimensions + cells + record(0x0A, b"")
    page_name = struct.pack("<BB", len(sheet), 1) + name
    glob = begin(5) + record(0x42, struct.pack("<H", 1200))
    at = len(glob) + 4 + 6 + len(page_name) + 4
    glob += record(0x85, struct.pack("<IBB", at, 0, 0) + page_name) + record(0x0A, b"")
    return compound({"Workbook": glob + page})


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for each in names():
        workbook = build(each)
        (folder / f"{each}{Path(workbook.name).suffix}").write_bytes(workbook.content)
