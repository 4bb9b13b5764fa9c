"""Files of every kind that people hand in, and what is said of those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import docx
import pytest

from lvheng.core.problem import ProblemError
from lvheng.plan.reading import read_file
from lvheng.plan.reading.source import load

BODY = (
    "某市“十四五”节能减排工作方案\n一、主要目标\n到2025年，全市单位GDP能耗比2020年下降14%，化学需氧量减排量达到1600吨。\n"
    "二、重点工程\n（一）工业。推进节能改造和污染治理工程。（市工信局牵头，市发改委配合）\n"
)


def code(path: Path) -> str:
    with pytest.raises(ProblemError) as caught:
        read_file(path)
    problem = caught.value.problems[0]
    assert problem.fix
    assert problem.place.file == path.name
    return problem.code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_text_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "plan.txt"
    path.write_bytes(BODY.encode(encoding))
    draft = read_file(path)
    assert [t.value for t in draft.targets] == [14, 1600]


def test_word_document_with_a_table_in_its_place(tmp_path: Path) -> None:
    document = docx.Document()
    for line in BODY.split("\n")[:3]:
        document.add_paragraph(line)
    rows = [
        ("指标", "单位", "2020年", "2025年", "属性"),
        ("非化石能源消费比重", "%", "15.2", "20", "约束性"),
        ("细颗粒物\n年均浓度", "微克/立方米", "35", "≤30", "预期性"),
    ]
    table = document.add_table(rows=0, cols=5)
    for row in rows:
        for cell, words in zip(table.add_row().cells, row, strict=True):
            cell.text = words
    for line in BODY.split("\n")[3:]:
        document.add_paragraph(line)
    path = tmp_path / "plan.docx"
    document.save(str(path))
    draft = read_file(path)
    read = [(t.indicator, str(t.value), t.unit, t.comparator, t.nature, t.baseline_value) for t in draft.targets[2:]]
    assert read == [
        ("非化石能源消费比重", "20", "%", "ge", "约束性", "15.2"),
        ("细颗粒物年均浓度", "30", "微克/立方米", "le", "预期性", "35"),
    ]
    assert {t.clause for t in draft.targets} == {"一"}
    assert draft.responsibilities[0].lead == ["市工信局"]


def test_merged_cells_are_given_once(tmp_path: Path) -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "合并"
    table.cell(0, 2).text = "右"
    path = tmp_path / "merged.docx"
    document.save(str(path))
    assert load(path).split("\n")[0] == "合并\t右"


def pdf(lines: list[str], encrypt: bool = False) -> bytes:
    """A small PDF whose text is found through its character map."""
    show = " ".join(f"<{line.encode('utf-16-be').hex()}> Tj 0 -20 Td" for line in lines)
    stream = f"BT /F1 12 Tf 40 780 Td {show} ET".encode()
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /A def /CMapType 2 def "
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange 1 beginbfrange <0000> <FFFF> <0000> endbfrange endcmap end end"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 1000 >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap),
        b"<< /Filter /Standard /V 1 /R 2 /O (%s) /U (%s) /P -4 >>" % (b"o" * 32, b"u" * 32),
    ]
    out = b"%PDF-1.5\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    secret = b" /Encrypt 8 0 R /ID [<00> <00>]" if encrypt else b""
    return out + b"trailer << /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, secret, start)


def test_text_of_a_pdf(tmp_path: Path) -> None:
    path = tmp_path / "plan.pdf"
    path.write_bytes(pdf(BODY.split("\n")))
    assert [t.value for t in read_file(path).targets] == [14, 1600]


def test_pdf_without_text_or_under_a_password(tmp_path: Path) -> None:
    scanned = tmp_path / "scanned.pdf"
    scanned.write_bytes(pdf([]))
    assert code(scanned) == "plan.file.scanned"
    locked = tmp_path / "locked.pdf"
    locked.write_bytes(pdf(BODY.split("\n"), encrypt=True))
    assert code(locked) == "plan.file.encrypted"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("empty.txt", b"", "plan.file.empty"),
        ("blank.txt", b" \n\n ", "plan.file.empty"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(200), "plan.file.kind"),
        ("sheet.docx", b"PK\x03\x04broken", "plan.file.damaged"),
        ("broken.pdf", b"%PDF-1.5\nnothing", "plan.file.damaged"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "plan.file.old_word"),
        ("odd.txt", "节能".encode("gb18030") + b"\xff\xff\xff", "plan.file.encoding"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert code(path) == fault


def test_absent_file_folder_and_foreign_package(tmp_path: Path) -> None:
    assert code(tmp_path / "absent.txt") == "plan.file.unreadable"
    assert code(tmp_path) == "plan.file.directory"
    import zipfile

    path = tmp_path / "sheet.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert code(path) == "plan.file.kind"


def test_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.txt"
    path.write_text(BODY, encoding="utf-8")
    monkeypatch.setattr("lvheng.plan.reading.source.MAX_BYTES", 10)
    assert code(path) == "plan.file.too_large"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("节能减排", "plan.text.too_short"),
        ("春眠不觉晓处处闻啼鸟夜来风雨声花落知多少" * 5, "plan.text.not_a_plan"),
        (
            BODY + "利用率达到90，回收率达到80以上，处理率达到95，能耗下降14。".join([""] * 3).replace("%", ""),
            "plan.text.percent_lost",
        ),
        ((BODY + "污水处理率达到**%，能耗下降××%，新增**万吨。"), "plan.text.blanked"),
        (BODY.replace("节能", "节■能").replace("污染", "污◆染").replace("工程", "工●程"), "plan.text.junk"),
        (BODY + "锟斤拷锟斤拷" * 20, "plan.text.broken"),
    ],
)
def test_quality_gate(tmp_path: Path, text: str, fault: str) -> None:
    """Damaged copies are refused with the place and the remedy."""
    path = tmp_path / "plan.txt"
    path.write_text(
        text.replace("14%", "14").replace("比2020年", "") if fault.endswith("percent_lost") else text, encoding="utf-8"
    )
    with pytest.raises(ProblemError) as caught:
        read_file(path)
    problem = next(p for p in caught.value.problems if p.code == fault)
    assert problem.fix
    if fault not in ("plan.text.too_short", "plan.text.not_a_plan"):
        assert problem.place.start is not None
        assert problem.got


def test_a_sound_plan_raises_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    path.write_text(BODY, encoding="utf-8")
    assert read_file(path).problems == []
