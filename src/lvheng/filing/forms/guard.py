"""What a file really is, before anything parses it: renamed, protected, bloated or damaged files are told apart.

Workbooks are inflated once here under a limit, which also finds what the reader cannot tell: error values,
formulas never computed, percent formats, and cells so far out that the table between would not fit.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from lvheng.core.problem import Place, Problem, ProblemError

MAX_BYTES = 50 * 1024 * 1024
MAX_INFLATED = 600 * 1024 * 1024
MAX_AREA = 12_000_000  # cells between the first and last used cell of a sheet
MAX_ROWS = 200_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS = (
    (b"%PDF", "PDF文件"), (b"\x89PNG", "图片"), (b"\xff\xd8\xff", "图片"), (b"GIF8", "图片"), (b"Rar!", "RAR压缩包"),
    (b"7z\xbc\xaf", "7z压缩包"), (b"MZ", "程序文件"), (b"\x1f\x8b", "gz压缩包"), (b"{\\rtf", "RTF文档"),
)  # fmt: skip
_FAR = re.compile(rb'"(?:[A-Z]{3}[0-9]{1,7}|[A-Z]{1,2}[0-9]{6,7})"')
_ERROR_CELL = re.compile(
    rb'<(?:\w+:)?c\b(?=[^>]*\bt="e")[^>]*\br="([A-Z]{1,3}[0-9]{1,7})"[^>]*>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<',
    re.S,
)
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(/?)>")
_NO_VALUE = re.compile(
    rb'<(?:\w+:)?c\b[^>]*\br="([A-Z]{1,3}[0-9]{1,7})"[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>'
)
_XF = re.compile(rb"<(?:\w+:)?xf\b[^>]*>")


@dataclass(slots=True)
class Traits:
    """What the raw parts of one workbook tell, by position of the sheet in the workbook."""

    kind: str  # xlsx, xls, csv
    errors: dict[int, dict[tuple[int, int], str]] = field(default_factory=dict)  # (row, column) from 0 → "#N/A"
    uncomputed: dict[int, set[tuple[int, int]]] = field(default_factory=dict)
    percents: dict[int, set[tuple[int, int]]] = field(default_factory=dict)


def refuse(code: str, message: str, name: str, *, got: str = "", wanted: str = "", fix: str) -> ProblemError:
    return ProblemError(
        Problem(f"filing.file.{code}", message, place=Place(file=name or "上传的文件"), got=got, wanted=wanted, fix=fix)
    )


def inspect(content: bytes, name: str) -> Traits:
    """The kind of a file by its content. Raises ProblemError when it is none that can be filed."""
    if not content:
        raise refuse("empty", "文件是空的", name, got="0字节", wanted="xlsx、xls或csv文件", fix="重新保存后再上传。")
    if len(content) > MAX_BYTES:
        raise refuse("too_big", "文件过大", name, got=f"{len(content) / 1048576:.0f}MB", wanted=f"不超过{MAX_BYTES // 1048576}MB", fix="删去图片和无关的工作表后再上传。")  # fmt: skip
    if content.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(content, name)
    if content.startswith(_OLE):
        return _ole(content, name)
    for magic, what in _OTHERS:
        if content.startswith(magic):
            raise refuse(
                "renamed",
                "文件不是工作簿",
                name,
                got=what,
                wanted="xlsx、xls或csv文件",
                fix="用表格软件另存为xlsx后再上传。",
            )
    head = content[:2048].lstrip().lower()
    if head.startswith((b"<html", b"<!doctype", b"<table", b"<?xml")) or b"<table" in head:
        raise refuse(
            "renamed",
            "文件是网页或XML，只是改了后缀",
            name,
            got="网页格式",
            wanted="xlsx、xls或csv文件",
            fix="用Excel打开后另存为xlsx，再上传。",
        )
    if name.lower().endswith((".xlsx", ".xls", ".xlsm")) and not _texty(content):
        raise refuse(
            "renamed",
            "文件已损坏，或不是工作簿",
            name,
            wanted="xlsx、xls或csv文件",
            fix="用Excel打开后另存为xlsx，再上传。",
        )
    if not _texty(content):
        raise refuse(
            "renamed", "文件不是工作簿，也不是文字表格", name, wanted="xlsx、xls或csv文件", fix="另存为xlsx后再上传。"
        )
    return Traits("csv")


def decode(content: bytes, name: str) -> str:
    """The text of a CSV file: UTF-8 or GB 18030, or UTF-16 with its mark."""
    codecs = ["utf-16"] if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "gb18030"]
    for codec in codecs:
        try:
            return content.decode(codec)
        except UnicodeDecodeError:
            continue
    raise refuse("encoding", "文字编码无法识别", name, wanted="UTF-8或GB 18030", fix="用Excel另存为xlsx后再上传。")


def _texty(content: bytes) -> bool:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    sample = content[:65536]
    return b"\0" not in sample and sum(c < 9 or 13 < c < 32 for c in sample) * 200 <= len(sample)


def _ole(content: bytes, name: str) -> Traits:
    wide = content[: 4 * 1024 * 1024]
    if "EncryptedPackage".encode("utf-16-le") in wide or "EncryptionInfo".encode("utf-16-le") in wide:
        raise _protected(name)
    if "WordDocument".encode("utf-16-le") in wide or "PowerPoint".encode("utf-16-le") in wide:
        raise refuse(
            "renamed",
            "文件不是工作簿",
            name,
            got="Word或PowerPoint文档",
            wanted="xlsx、xls或csv文件",
            fix="把表格复制到模板中再上传。",
        )
    stream = _workbook_stream(content)
    if stream is None:
        raise refuse("damaged", "文件已损坏", name, fix="用Excel打开并修复，另存为xlsx后再上传。")
    traits = Traits("xls")
    for position, start in enumerate(_sheet_starts(stream)):
        traits.errors[position] = _scan_biff(stream, start, name)
    return traits


_BIFF_CELLS = {0x06, 0x201, 0x203, 0x204, 0x205, 0x27E, 0xBD, 0xBE, 0xD6, 0xFD, 0x02, 0x03, 0x04, 0x05, 0x206, 0x406}
_BIFF_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """The records of a BIFF stream from a place on."""
    while 0 <= at <= len(stream) - 4:
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _sheet_starts(stream: bytes) -> list[int]:
    """Where the sheets begin, in the order of the workbook."""
    found = []
    for kind, data in _records(stream, 0):
        if kind == 0x0A:
            break
        if kind == 0x85 and len(data) >= 6:
            found.append(int.from_bytes(data[:4], "little"))
    return found


def _scan_biff(stream: bytes, start: int, name: str) -> dict[tuple[int, int], str]:
    """The error values of a sheet. Raises ProblemError when the reader's table over its cells would not fit."""
    errors: dict[tuple[int, int], str] = {}
    rows = columns = depth = 0
    for kind, data in _records(stream, start):
        if kind in (0x809, 0x409, 0x209, 0x09):
            depth += 1
        elif kind == 0x0A:
            depth -= 1
            if depth <= 0:
                break
        elif kind == 0x200 and len(data) >= 10:
            first, last, left, right = (
                struct.unpack_from("<IIHH", data) if len(data) >= 14 else struct.unpack_from("<HHHH", data)
            )
            rows, columns = max(rows, first + 1, last + 1), max(columns, left + 1, right + 1)  # they may be reversed
        elif kind in _BIFF_CELLS and len(data) >= 6:
            row, column = struct.unpack_from("<HH", data)
            end = int.from_bytes(data[-2:], "little") if kind in (0xBD, 0xBE) else column
            rows, columns = max(rows, row + 1), max(columns, column + 1, end + 1)
            if kind == 0x205 and len(data) >= 8 and data[7]:
                errors[row, column] = _BIFF_ERRORS.get(data[6], "#N/A")
            elif kind in (0x06, 0x206, 0x406) and len(data) >= 14 and data[12:14] == b"\xff\xff" and data[6] == 2:
                errors[row, column] = _BIFF_ERRORS.get(data[8], "#N/A")
    if rows > MAX_ROWS or rows * columns > MAX_AREA:
        raise refuse(
            "too_far",
            "工作表的使用范围过大",
            name,
            got=f"{rows}行{columns}列",
            wanted=f"不超过{MAX_ROWS}行",
            fix="删去表格以外的行和列，另存为xlsx后再上传。",
        )
    return errors


def _workbook_stream(content: bytes) -> bytes | None:
    """The workbook in a compound file (MS-CFB), or None when there is none or a chain of sectors runs in a ring.

    The reader would follow a ring until memory ends.
    """
    shift = int.from_bytes(content[30:32], "little")
    if shift not in (9, 12) or len(content) < 1536:
        return None
    size = 1 << shift
    count = -(-len(content) // size) - 1

    def words(data: bytes) -> list[int]:
        return [w[0] for w in struct.iter_unpack("<I", data[: len(data) // 4 * 4])]

    def sector(n: int) -> bytes:
        return content[(n + 1) * size : (n + 2) * size].ljust(size, b"\0")

    def chain(table: list[int], first: int, limit: int) -> list[int] | None:
        """The sectors from the first on; None when they leave the file or come back."""
        found: list[int] = []
        seen: set[int] = set()
        while first < 0xFFFFFFF0:
            if first in seen or first >= min(len(table), limit):
                return None
            seen.add(first)
            found.append(first)
            first = table[first]
        return found

    header = words(content[44:512])
    fat_at, difat = header[8:], header[6]
    seen: set[int] = set()
    while difat < 0xFFFFFFF0:
        if difat in seen or difat >= count:
            return None
        seen.add(difat)
        *more, difat = words(sector(difat))
        fat_at += more
    fat = [w for n in fat_at if n < 0xFFFFFFF0 and n < count for w in words(sector(n))]
    if any(count <= n < 0xFFFFFFF0 for n in fat_at):
        return None
    directory = chain(fat, header[1], count)
    mini_sectors = chain(fat, header[4], count)
    if directory is None or mini_sectors is None:
        return None
    mini = [w for n in mini_sectors for w in words(sector(n))]
    entries = b"".join(map(sector, directory))
    books: list[bytes] = []
    root = b""
    for at in range(0, len(entries) - 127, 128):
        kind, first = entries[at + 66], int.from_bytes(entries[at + 116 : at + 120], "little")
        length = int.from_bytes(entries[at + 120 : at + 124], "little")
        if kind not in (2, 5) or (kind == 2 and length == 0):
            continue
        small = kind == 2 and length < header[3]
        sectors = chain(mini if small else fat, first, len(mini) if small else count)
        if sectors is None:
            return None
        if kind == 5:
            root = b"".join(map(sector, sectors))
        title = entries[at : at + 64].decode("utf-16-le", "replace").split("\0", 1)[0].lower()
        if title in ("workbook", "book"):
            parts = (root[n * 64 : n * 64 + 64] for n in sectors) if small else map(sector, sectors)
            books.append(b"".join(parts)[:length])
    return max(books, key=len, default=None)


def _protected(name: str) -> ProblemError:
    return refuse(
        "password",
        "文件设有打开密码，无法读取",
        name,
        wanted="没有打开密码的文件",
        fix="在Excel“文件—信息—保护工作簿”中取消密码，另存后再上传。",
    )


def _zip(content: bytes, name: str) -> Traits:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, struct.error, OSError, NotImplementedError, UnicodeDecodeError):
        raise refuse("damaged", "文件已损坏", name, fix="用Excel打开并修复，另存后再上传。") from None
    if any(i.flag_bits & 1 for i in archive.infolist()):
        raise _protected(name)
    lowered = {n.lower(): n for n in names}
    if "xl/workbook.xml" not in lowered:
        what = "Word文档" if "word/document.xml" in lowered else "演示文稿" if "ppt/presentation.xml" in lowered else "ODS表格" if "content.xml" in lowered else "二进制工作簿（xlsb）" if "xl/workbook.bin" in lowered else "压缩包"  # fmt: skip
        raise refuse(
            "renamed",
            "文件不是xlsx工作簿",
            name,
            got=what,
            wanted="xlsx、xls或csv文件",
            fix="用表格软件另存为xlsx后再上传。",
        )
    traits = Traits("xlsx")
    parts: dict[str, bytes] = {}
    left = MAX_INFLATED
    for info in archive.infolist():
        wanted = info.filename.lower().startswith("xl/worksheets/") or info.filename.lower() in (
            "xl/workbook.xml",
            "xl/styles.xml",
            "xl/_rels/workbook.xml.rels",
        )
        size, data = _inflate(content, info, left, keep=wanted)
        if size < 0:
            raise refuse("damaged", "文件已损坏", name, got=info.filename, fix="用Excel打开并修复，另存后再上传。")
        left -= size
        if left < 0:
            raise refuse("bomb", "文件展开后过大，不予打开", name, got=f"超过{MAX_INFLATED // 1048576}MB", wanted=f"不超过{MAX_INFLATED // 1048576}MB", fix="只保留填报的工作表，另存后再上传。")  # fmt: skip
        if wanted:
            if b"<!DOCTYPE" in data[:4096] or b"<!ENTITY" in data[:4096]:
                raise refuse(
                    "damaged",
                    "文件含有不允许的XML声明",
                    name,
                    got=info.filename,
                    fix="用Excel打开后另存为xlsx，再上传。",
                )
            parts[info.filename] = data
    order = _order(parts)
    percent_styles = _percent_styles(parts.get(lowered.get("xl/styles.xml", ""), b""))
    for position, (title, part) in enumerate(order):
        _scan(traits, position, title, parts.get(part, b""), percent_styles, name)
    return traits


def _inflate(content: bytes, info: zipfile.ZipInfo, limit: int, *, keep: bool) -> tuple[int, bytes]:
    """The true size of a part (its header may lie) and its bytes when kept; size −1 when damaged."""
    start = info.header_offset
    head = content[start : start + 30]
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        return -1, b""
    start += 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    raw = memoryview(content)[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_STORED:
        return len(raw), bytes(raw) if keep else b""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        return -1, b""
    inflater = zlib.decompressobj(-15)
    size, kept = 0, []
    pending: bytes | memoryview = raw
    try:
        while pending and not inflater.eof:
            piece = inflater.decompress(pending, 1 << 22)
            pending = inflater.unconsumed_tail
            size += len(piece)
            if keep:
                kept.append(piece)
            if size > limit:
                return size, b""
    except zlib.error:
        return -1, b""
    return size, b"".join(kept)


def _order(parts: dict[str, bytes]) -> list[tuple[str, str]]:
    """(sheet name, part) in the order of the workbook."""
    lowered = {n.lower(): n for n in parts}
    book, rels = (
        parts.get(lowered.get("xl/workbook.xml", ""), b""),
        parts.get(lowered.get("xl/_rels/workbook.xml.rels", ""), b""),
    )
    targets = {}
    for tag in re.findall(rb"<(?:\w+:)?Relationship\b[^>]*>", rels):
        key, target = re.search(rb'\bId="([^"]*)"', tag), re.search(rb'\bTarget="([^"]*)"', tag)
        if key and target:
            path = target[1].decode("utf-8", "replace")
            targets[key[1]] = path.lstrip("/") if path.startswith("/") else f"xl/{path}"
    found = []
    for tag in re.findall(rb"<(?:\w+:)?sheet\b[^>]*>", book):
        key, title = re.search(rb'\b\w+:id="([^"]*)"', tag), re.search(rb'\bname="([^"]*)"', tag)
        path = targets.get(key[1], "") if key else ""
        found.append((title[1].decode("utf-8", "replace") if title else "", lowered.get(path.lower(), path)))
    return found


def _percent_styles(styles: bytes) -> set[bytes]:
    """Indices of cell formats that show a percentage."""
    formats = {b"9", b"10"}
    for tag in re.findall(rb"<(?:\w+:)?numFmt\b[^>]*>", styles):
        key, code = re.search(rb'\bnumFmtId="(\d+)"', tag), re.search(rb'\bformatCode="([^"]*)"', tag)
        if key and code and b"%" in code[1]:
            formats.add(key[1])
    block = re.search(rb"<(?:\w+:)?cellXfs\b.*?</(?:\w+:)?cellXfs>", styles, re.S)
    if not block:
        return set()
    found = set()
    for i, tag in enumerate(_XF.findall(block[0])):
        key = re.search(rb'\bnumFmtId="(\d+)"', tag)
        if key and key[1] in formats:
            found.add(str(i).encode())
    return found


def cell_index(ref: str) -> tuple[int, int]:
    """(row, column) from 0 of "B7"."""
    letters = ref.rstrip("0123456789")
    column = 0
    for c in letters:
        column = column * 26 + ord(c) - 64
    return int(ref[len(letters) :]) - 1, column - 1


def cell_name(row: int, column: int) -> str:
    """ "B7" of (row, column) from 0."""
    letters = ""
    n = column + 1
    while n:
        n, rest = divmod(n - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"


def _scan(traits: Traits, position: int, title: str, xml: bytes, percent_styles: set[bytes], name: str) -> None:
    if _FAR.search(xml):
        found = [cell_index(m[0][1:-1].decode()) for m in _FAR.finditer(xml)]
        rows, columns = max(r for r, _ in found) + 1, max(c for _, c in found) + 1
        if rows > MAX_ROWS or rows * columns > MAX_AREA:
            far = cell_name(max(r for r, _ in found), max(c for _, c in found))
            raise ProblemError(
                Problem("filing.file.too_far", "工作表的使用范围过大", place=Place(file=name, sheet=title, cell=far), got=f"{rows}行{columns}列",
                        wanted=f"不超过{MAX_ROWS}行", fix="删去表格以外的行和列（选中后“删除”，不是“清除”），另存后再上传。")
            )  # fmt: skip
    if b't="e"' in xml:
        traits.errors[position] = {
            cell_index(m[1].decode()): m[2].decode("utf-8", "replace") for m in _ERROR_CELL.finditer(xml)
        }
    if re.search(rb"<(?:\w+:)?f\b", xml):
        traits.uncomputed[position] = {cell_index(m[1].decode()) for m in _NO_VALUE.finditer(xml)}
    if percent_styles and any(b's="' + s + b'"' in xml for s in percent_styles):
        cells = set()
        for m in _CELL.finditer(xml):
            style, ref = re.search(rb'\bs="(\d+)"', m[1]), re.search(rb'\br="([A-Z]{1,3}[0-9]{1,7})"', m[1])
            if style and ref and style[1] in percent_styles and not m[2]:
                cells.add(cell_index(ref[1].decode()))
        traits.percents[position] = cells
