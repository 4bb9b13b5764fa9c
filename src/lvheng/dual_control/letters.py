"""Official documents of dual control as docx, in the layout of GB/T 9704: target letter, warning notice, outlook report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from docx import Document
from docx.document import Document as Docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor
from PIL import Image, ImageDraw, ImageFont

from lvheng.core.period import Period
from lvheng.core.quantity import show
from lvheng.dual_control.models import Decision
from lvheng.dual_control.workbench import PARTS
from lvheng.observations.view import View

TITLE, BODY, HEAD = "方正小标宋简体", "仿宋_GB2312", "黑体"


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _document() -> Docx:
    """A4, margins 37/35/28/26 mm, 3号 body with 28-point lines."""
    doc = Document()
    section = doc.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.top_margin, section.bottom_margin, section.left_margin, section.right_margin = (
        Mm(37),
        Mm(35),
        Mm(28),
        Mm(26),
    )
    style = doc.styles["Normal"]
    style.font.name, style.font.size = BODY, Pt(16)
    style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), BODY)
    style.paragraph_format.line_spacing = Pt(28)
    style.paragraph_format.space_after = Pt(0)
    return doc


def _text(
    doc: Docx, text: str, *, font: str = BODY, size: float = 16, align: int | None = None, indent: bool = True
) -> None:
    paragraph = doc.add_paragraph()
    if align is not None:
        paragraph.alignment = align  # type: ignore[assignment]
    elif indent:
        paragraph.paragraph_format.first_line_indent = Pt(size * 2)
    run = paragraph.add_run(text)
    run.font.name, run.font.size = font, Pt(size)
    run.font.color.rgb = RGBColor(0, 0, 0)
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), font)


def _title(doc: Docx, text: str, number: str = "") -> None:
    _text(doc, text, font=TITLE, size=22, align=WD_ALIGN_PARAGRAPH.CENTER)
    if number:
        _text(doc, number, align=WD_ALIGN_PARAGRAPH.CENTER)
    doc.add_paragraph()


def _table(doc: Docx, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = doc.add_table(rows=1, cols=len(header), style="Table Grid")
    for cells, values in [(table.rows[0].cells, header), *((table.add_row().cells, row) for row in rows)]:
        for i, (cell, value) in enumerate(zip(cells, values, strict=True)):
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.line_spacing = Pt(18)
            paragraph.alignment = WD_ALIGN_PARAGRAPH.LEFT if i == 0 else WD_ALIGN_PARAGRAPH.RIGHT
            run = paragraph.add_run(value)
            run.font.size = Pt(12)
    doc.add_paragraph()


def _evidence(doc: Docx, decision: Decision, view: View) -> None:
    """What the figures rest on, so that the paper can be traced and replayed."""
    doc.add_paragraph()
    _text(doc, f"依据：数据截至第{decision.position}次入库；规则版本{'、'.join(decision.rules)}；决定编号{decision.pk}，摘要值{decision.digest[:16]}。", size=10.5, indent=False)  # fmt: skip
    if _synthetic(decision, view):
        _text(doc, "演示数据，不得作为正式文件使用。", font=HEAD, size=12, indent=False)


def _synthetic(decision: Decision, view: View) -> bool:
    energy, _ = PARTS["energy_intensity_decline"]
    regions = [decision.subject] if decision.kind == "warning" else [r.code for r in view.counties]
    year = Period.of_year(view.plan.header.base_year)
    return any(view.is_synthetic(view.explain(energy, r, year))[0] for r in regions)


def _bytes(doc: Docx) -> bytes:
    out = io.BytesIO()
    doc.save(out)
    return out.getvalue()


def _stage(decision: Decision) -> tuple[str, date]:
    issued = next((s for s in decision.steps.all() if s.step == "issued"), None)
    if issued is None:
        return "（征求意见稿）", decision.made_at.date()
    return issued.number, issued.at.date()


def target_letter(decision: Decision, view: View) -> bytes:
    """The letter that gives the counties their targets; a draft says so under its title."""
    doc = _document()
    number, day = _stage(decision)
    target = view.plan.target_by_id[decision.inputs["target"]]
    header = view.plan.header
    _title(doc, f"关于下达{header.period.label}{target.title}目标的通知", number)
    _text(doc, "各县（市）区人民政府：", indent=False)
    _text(
        doc,
        f"为落实《{header.title}》（{header.number}）关于“{target.quote}”的要求，现将{header.period.label}各地区目标下达如下。",
    )
    rows = [
        [view.plan.regions[code].name, f"{show(Decimal(value))}%", f"{show(Decimal(decision.outcome['incentive'][code]))}%",
         f"{show(Decimal(decision.outcome['yearly'][code]), 2)}%" if decision.outcome["yearly"][code] else "—"]
        for code, value in decision.outcome["targets"].items()
    ]  # fmt: skip
    _table(doc, ["地区", "基本目标", "激励目标", "年均下降"], rows)
    _text(doc, f"一、全市目标为下降{show(Decimal(decision.inputs['city_target']))}%。按上述目标和预期增速测算，全市合成下降{show(Decimal(decision.outcome['implied']), 2)}%，不低于全市目标。")  # fmt: skip
    _text(doc, "二、基本目标为约束性目标。达到激励目标的地区，其能源消费总量在当期能耗双控考核中免于考核。")
    _text(doc, "三、各地区应将目标逐年落实，每季度报送进展情况。")
    budgets = decision.outcome.get("budgets", {})
    if budgets:
        _text(doc, "各年能源消费总量目标（万吨标准煤），经济增速超过预期的按实际增速重新核定：")
        years = [str(y) for y in range(header.first_year, header.last_year + 1)]
        _table(
            doc,
            ["地区", *years],
            [[view.plan.regions[code].name, *(show(Decimal(v), 2) for v in row)] for code, row in budgets.items()],
        )
    remarks = [s for s in decision.steps.all() if s.step == "remark"]
    if remarks:
        _text(doc, f"四、征求意见期间收到{len(remarks)}条意见，已逐条研究。")
    _text(doc, _day(day), align=WD_ALIGN_PARAGRAPH.RIGHT)
    _evidence(doc, decision, view)
    return _bytes(doc)


def warning_notice(decision: Decision, view: View) -> bytes:
    """The notice of a warning with its explanation, measures and deadline."""
    doc = _document()
    number, day = _stage(decision)
    place = view.plan.regions[decision.subject].name
    scheme = decision.inputs["scheme"]
    _title(doc, decision.title, number)
    _text(doc, f"{place}人民政府：", indent=False)
    period = Period.parse(decision.period).label
    _text(
        doc,
        f"经核算，{period}你地区{decision.explanation}按{scheme['title']['zh']}，预警等级为{decision.outcome['label']}。",
    )
    _text(doc, "请落实以下措施：")
    issued = next((s for s in decision.steps.all() if s.step == "issued"), None)
    for i, measure in enumerate(decision.outcome["measures"], 1):
        until = f"（{measure['days']}日内）" if measure["days"] else "（自通知之日起）"
        _text(doc, f"{i}. {measure['measure']}{until}。")
    if issued and issued.due:
        _text(doc, f"请于{_day(issued.due)}前反馈落实情况。")
    _text(doc, _day(day), align=WD_ALIGN_PARAGRAPH.RIGHT)
    _evidence(doc, decision, view)
    return _bytes(doc)


# --- pictures ---------------------------------------------------------------------------------------
def line_chart(labels: Sequence[str], series: Sequence[Sequence[float | None]]) -> bytes:
    """A plain line chart as PNG: first series pine green, second grey, third dashed; labels are figures only."""
    width, height, left, low = 1200, 520, 90, 60
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(22)
    known = [v for s in series for v in s if v is not None]
    if not known:
        known = [0.0]
    top, bottom = max(*known, 0.0) * 1.08 or 1.0, min(*known, 0.0)
    span = (top - bottom) or 1.0

    def x(i: int) -> float:
        return left + i * (width - left - 60) / max(len(labels) - 1, 1)

    def y(v: float) -> float:
        return height - low - (v - bottom) / span * (height - low - 30)

    for n in range(6):
        v = bottom + span * n / 5
        draw.line([(left, y(v)), (width - 50, y(v))], fill="#dddddd")
        draw.text((10, y(v) - 12), f"{v:.1f}", fill="#555555", font=font)
    for i, label in enumerate(labels):
        draw.text((x(i) - 24, height - low + 15), label, fill="#555555", font=font)
    for s, colour in zip(series, ("#1f5f4a", "#999999", "#c08030"), strict=False):
        points = [(x(i), y(v)) for i, v in enumerate(s) if v is not None]
        if len(points) > 1:
            draw.line(points, fill=colour, width=5 if colour == "#1f5f4a" else 3)
        for px, py in points:
            draw.ellipse([px - 6, py - 6, px + 6, py + 6], fill=colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
