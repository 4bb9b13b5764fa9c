"""Official paper as docx, in the layout of GB/T 9704: page, type sizes, headings, tables, pictures, page numbers."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from docx import Document
from docx.enum.table import WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from docx.table import Table
from docx.text.paragraph import Paragraph

TITLE, BODY, HEAD, SUBHEAD = "方正小标宋简体", "仿宋_GB2312", "黑体", "楷体_GB2312"
# What a reader takes where a machine does not have the font of the standard.
FALLBACKS = {
    TITLE: "方正小标宋_GBK,FZXiaoBiaoSong-B05,华文中宋,STZhongsong,宋体,SimSun,Noto Serif CJK SC",
    BODY: "仿宋,FangSong,华文仿宋,STFangsong,Noto Serif CJK SC",
    HEAD: "SimHei,微软雅黑,Microsoft YaHei,Noto Sans CJK SC",
    SUBHEAD: "楷体,KaiTi,华文楷体,STKaiti,Noto Serif CJK SC",
}
TEXT_WIDTH = 156  # mm between the margins
SIZE = 16  # 3号
LEFT, CENTRE, RIGHT = WD_ALIGN_PARAGRAPH.LEFT, WD_ALIGN_PARAGRAPH.CENTER, WD_ALIGN_PARAGRAPH.RIGHT


def chinese_day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


class Paper:
    """A document that is written from top to bottom."""

    def __init__(self) -> None:
        """A4, margins 37/35/28/26 mm, 3号 body with 28-point lines, page number below."""
        self.doc = Document()
        section = self.doc.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin = Mm(37), Mm(35)
        section.left_margin, section.right_margin = Mm(28), Mm(26)
        section.footer_distance = Mm(28)
        style = self.doc.styles["Normal"]
        style.font.name, style.font.size = BODY, Pt(SIZE)
        style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), BODY)
        style.paragraph_format.line_spacing = Pt(28)
        style.paragraph_format.space_after = Pt(0)
        self._tables = self._pictures = 0
        self._name_fallbacks()
        self._number_pages()

    def _name_fallbacks(self) -> None:
        for part in self.doc.part.package.iter_parts():
            if part.partname == "/word/fontTable.xml":
                entries = "".join(f'<w:font w:name="{name}"><w:altName w:val="{others}"/></w:font>' for name, others in FALLBACKS.items())  # fmt: skip
                part._blob = part.blob.replace(b"</w:fonts>", entries.encode() + b"</w:fonts>")  # no public way in

    def _number_pages(self) -> None:
        paragraph = self.doc.sections[0].footer.paragraphs[0]
        paragraph.alignment = CENTRE
        for text, field in (("— ", ""), ("", "PAGE"), (" —", "")):
            run = paragraph.add_run(text)
            _dress(run, "宋体", 14)
            if field:
                for kind, body in (("begin", ""), ("", field), ("end", "")):
                    element = OxmlElement("w:fldChar" if kind else "w:instrText")
                    if kind:
                        element.set(qn("w:fldCharType"), kind)
                    else:
                        element.text = body
                    run._r.append(element)

    # --- text -------------------------------------------------------------------------------------
    def text(self, text: str, *, font: str = BODY, size: float = SIZE, align: WD_ALIGN_PARAGRAPH | None = None, indent: bool = True) -> Paragraph:  # fmt: skip
        paragraph = self.doc.add_paragraph()
        if align is not None:
            paragraph.alignment = align
        elif indent:
            paragraph.paragraph_format.first_line_indent = Pt(size * 2)
        if size < 14:
            paragraph.paragraph_format.line_spacing = Pt(size * 1.6)
        _dress(paragraph.add_run(text), font, size)
        return paragraph

    def title(self, text: str, number: str = "") -> None:
        heading = self.text(text, font=TITLE, size=22, align=CENTRE)
        heading.paragraph_format.line_spacing = Pt(36)
        if number:
            self.text(number, align=CENTRE)
        self.doc.add_paragraph()

    def head(self, text: str) -> None:
        """一、"""
        self.text(text, font=HEAD).paragraph_format.keep_with_next = True

    def subhead(self, text: str) -> None:
        """（一）"""
        self.text(text, font=SUBHEAD).paragraph_format.keep_with_next = True

    def sign(self, name: str, day: date) -> None:
        """Who signs and when, right, four characters from the margin."""
        self.doc.add_paragraph()
        for line in filter(None, (name, chinese_day(day))):
            self.text(line, align=RIGHT).paragraph_format.right_indent = Pt(SIZE * 4)

    def note(self, text: str) -> None:
        self.text(text, size=10.5, indent=False)

    # --- tables and pictures ----------------------------------------------------------------------
    def table(self, caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], *, unit: str = "", widths: Sequence[float] = (), foot: bool = False) -> None:  # fmt: skip
        """A numbered table; the first column left, the others right. ``foot``: the last row is a total, set bold."""
        self._tables += 1
        title = self.text(f"表{self._tables}　{caption}", font=HEAD, size=12, align=CENTRE)
        title.paragraph_format.keep_with_next = True
        title.paragraph_format.space_before = Pt(8)
        if unit:
            line = self.text(f"单位：{unit}", size=10.5, align=RIGHT)
            line.paragraph_format.keep_with_next = True
        rows = [list(row) for row in rows]
        table = self.doc.add_table(rows=0, cols=len(header), style="Table Grid")
        table.alignment = WD_TABLE_ALIGNMENT.CENTER
        table.autofit = False
        _tighten(table)
        first = 34.0 if len(header) > 2 else 60.0
        across = list(widths) or [first, *([(TEXT_WIDTH - first) / (len(header) - 1)] * (len(header) - 1))]
        for n, values in enumerate([list(header), *rows]):
            row = table.add_row()
            properties = row._tr.get_or_add_trPr()
            properties.append(OxmlElement("w:cantSplit"))
            if n == 0:
                properties.append(OxmlElement("w:tblHeader"))
            for i, (cell, value) in enumerate(zip(row.cells, values, strict=True)):
                cell.width = Mm(across[i])
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.line_spacing = Pt(17)
                paragraph.alignment = (
                    RIGHT if n and i and _numeric(value) else LEFT if n and (i == 0 or len(value) > 10) else CENTRE
                )
                bold = n == 0 or (foot and n == len(rows))
                _dress(paragraph.add_run(value), HEAD if bold else BODY, 10.5)
        for column, width in zip(table.columns, across, strict=True):
            column.width = Mm(width)
        after = self.doc.add_paragraph()
        after.paragraph_format.line_spacing = Pt(12)

    def picture(self, png: bytes, caption: str, source: str = "") -> None:
        """A numbered picture over the width of the text, its caption below."""
        self._pictures += 1
        self.doc.add_picture(io.BytesIO(png), width=Mm(TEXT_WIDTH - 6))
        paragraph = self.doc.paragraphs[-1]
        paragraph.alignment = CENTRE
        paragraph.paragraph_format.line_spacing_rule = WD_LINE_SPACING.SINGLE  # a fixed line would cut the picture
        paragraph.paragraph_format.keep_with_next = True
        self.text(f"图{self._pictures}　{caption}", font=HEAD, size=12, align=CENTRE)
        if source:
            self.text(source, size=10.5, align=CENTRE)

    def bytes(self) -> bytes:
        out = io.BytesIO()
        self.doc.save(out)
        return out.getvalue()


def _tighten(table: Table) -> None:
    """Cells with 0.7 mm to either side, so that narrow columns hold two characters."""
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        edge = OxmlElement(f"w:{side}")
        edge.set(qn("w:w"), "40")
        edge.set(qn("w:type"), "dxa")
        margins.append(edge)
    table._tbl.tblPr.append(margins)


def _dress(run: object, font: str, size: float) -> None:
    run.font.name, run.font.size = font, Pt(size)  # type: ignore[attr-defined]
    run.font.color.rgb = RGBColor(0, 0, 0)  # type: ignore[attr-defined]
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), font)  # type: ignore[attr-defined]


def _numeric(text: str) -> bool:
    try:
        Decimal(text.replace(",", "").replace("−", "-").removesuffix("%"))
    except ArithmeticError:
        return text == "—"
    return True
