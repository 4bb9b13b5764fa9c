"""Loading the words of a plan file: plain text, Word document, PDF with text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lvheng.core.problem import Place, Problem, ProblemError

MAX_BYTES = 30 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024
MAX_CHARACTERS = 1_000_000
SCANNED_BELOW = 12  # characters a page
ENCODINGS = ("utf-8-sig", "gb18030")
KINDS = ".txt、.docx 或含文字的 PDF 文件"


def _stop(code: str, message: str, path: Path, *, got: str = "", wanted: str = "", fix: str = "") -> ProblemError:
    return ProblemError(
        Problem(f"plan.file.{code}", message, place=Place(file=path.name), got=got, wanted=wanted, fix=fix)
    )


def load(path: Path) -> str:
    """The text of a plan file. The content decides its kind, not the name.

    Raises ProblemError for a missing, empty, oversized, encrypted, scanned or foreign file.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise _stop("directory", "这是文件夹，不是文件", path, wanted=KINDS, fix="请选择文件夹中的方案正文文件")
        if size > MAX_BYTES:
            raise _stop("too_large", "文件过大", path, got=f"{size // 1024 // 1024} MB", wanted=f"不超过{MAX_BYTES // 1024 // 1024} MB",
                        fix="请只导入方案正文，去掉图片和附件")  # fmt: skip
        data = path.read_bytes()
    except OSError as error:
        reason = "文件不存在" if isinstance(error, FileNotFoundError) else "文件无法打开"
        raise _stop("unreadable", reason, path, fix="请检查文件名、路径和读取权限") from None
    return decode(data, path)


def decode(data: bytes, path: Path) -> str:
    """The text of a file's bytes; see :func:`load`."""
    if not data.strip(b"\x00\r\n\t "):
        raise _stop("empty", "文件为空", path, fix="请选择方案正文文件")
    if data[:1024].lstrip()[:5] == b"%PDF-":
        text = _pdf(data, path)
    elif data[:4] == b"PK\x03\x04":
        text = _docx(data, path)
    elif data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise _stop(
            "old_word",
            "这是旧版 Word（.doc）或加密的 Office 文件，不能读取",
            path,
            wanted=KINDS,
            fix="请去掉密码，另存为 .docx 后再导入",
        )
    else:
        text = _plain(data, path)
    if not text.strip():
        raise _stop("empty", "文件中没有文字", path, fix="请选择方案正文文件")
    if len(text) > MAX_CHARACTERS:
        raise _stop("too_long", "文本过长，不像一份方案", path, got=f"{len(text)} 字", wanted=f"不超过 {MAX_CHARACTERS} 字",
                    fix="请只导入方案正文")  # fmt: skip
    return text


def _plain(data: bytes, path: Path) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise _stop(
                "encoding", "文字编码无法识别", path, wanted="UTF-8 或 GB18030", fix="请另存为 UTF-8 编码的文本文件"
            ) from None
    head = data[:4096]
    if head.count(0) > 0 or sum(b < 9 or 13 < b < 32 for b in head) > len(head) // 50:
        raise _stop("kind", "不是文本文件", path, wanted=KINDS, fix="请导入方案的文字版")
    for encoding in ENCODINGS:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _stop("encoding", "文字编码无法识别", path, wanted="UTF-8 或 GB18030", fix="请另存为 UTF-8 编码的文本文件")


def _docx(data: bytes, path: Path) -> str:
    import io

    import docx
    from docx.opc.exceptions import PackageNotFoundError

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if sum(i.file_size for i in archive.infolist()) > MAX_UNPACKED:
                raise _stop("too_large", "文件展开后过大", path, fix="请只导入方案正文，去掉图片和附件")
        if "word/document.xml" not in names:
            raise _stop("kind", "不是 Word 文档", path, wanted=KINDS, fix="请导入方案的文字版")
        document = docx.Document(io.BytesIO(data))
        return "\n".join(_blocks(document))
    except ProblemError:
        raise
    except (
        zipfile.BadZipFile,
        PackageNotFoundError,
        KeyError,
        ValueError,
        SyntaxError,
        OSError,
        RuntimeError,
        NotImplementedError,
    ):
        raise _stop("damaged", "Word 文档已损坏，不能读取", path, fix="请用 Word 或 WPS 打开后另存一份再导入") from None


def _blocks(document: Any) -> Iterator[str]:
    """Paragraphs and table rows of a document in their order; cells are parted by tabs."""
    from docx.table import Table
    from docx.text.paragraph import Paragraph

    for block in document.iter_inner_content():
        if isinstance(block, Paragraph):
            yield block.text
        elif isinstance(block, Table):
            for row in block.rows:
                seen: list[Any] = []
                cells: list[str] = []
                for cell in row.cells:
                    if any(cell._tc is other for other in seen):
                        continue  # a merged cell is given once for each column it covers
                    seen.append(cell._tc)
                    cells.append(" ".join(cell.text.split()))
                yield "\t".join(cells)


def _pdf(data: bytes, path: Path) -> str:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise _stop("encrypted", "PDF 已加密，不能读取", path, fix="请去掉密码后再导入") from None
        raise _stop("damaged", "PDF 已损坏，不能读取", path, fix="请重新下载或另存一份再导入") from None
    try:
        pages = []
        for page in document:
            text_page = page.get_textpage()
            pages.append(text_page.get_text_bounded())
            text_page.close()
            page.close()
    except pdfium.PdfiumError:
        raise _stop("damaged", "PDF 已损坏，不能读取", path, fix="请重新下载或另存一份再导入") from None
    finally:
        document.close()
    text = "\n".join(pages)
    if sum(not c.isspace() for c in text) < SCANNED_BELOW * max(len(pages), 1):
        raise _stop(
            "scanned",
            "PDF 中没有文字，是扫描件",
            path,
            got=f"{len(pages)} 页",
            wanted="含文字的 PDF",
            fix="请先做文字识别并校对，再导入文字版",
        )
    return text.replace("\r\n", "\n")
