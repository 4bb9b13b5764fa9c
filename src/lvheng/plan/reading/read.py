"""From a text or a file to a draft."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lvheng.core.problem import Place, Problem, ProblemError, Severity, stops
from lvheng.plan.reading import quality, responsibilities
from lvheng.plan.reading.clauses import find_clauses
from lvheng.plan.reading.deadlines import find_period
from lvheng.plan.reading.model import Draft
from lvheng.plan.reading.normalise import Mended, mend
from lvheng.plan.reading.prose import read_prose
from lvheng.plan.reading.source import load
from lvheng.plan.reading.tables import read_tables

NUMBER = re.compile(r"[\u4e00-\u9fff（）]{1,10}〔(?:19|20)\d\d〕\d{1,4}号")
DATE = re.compile(r"(?P<y>(?:19|20)\d\d)年(?P<m>\d{1,2})月(?P<d>\d{1,2})日")
ISSUER = re.compile(
    r"[\u4e00-\u9fff]{2,20}(?:人民政府(?:办公[厅室])?|委员会|委员会办公室|领导小组(?:办公室)?|厅|局|国务院(?:办公厅)?)"
)
TITLE = re.compile(r"(?:方案|规划|意见|计划|要点|办法|纲要|决定|条例|清单|目标)(?:（[^）]{1,20}）)?$")


def _header(mended: Mended, first_clause: int) -> dict[str, Any]:
    """Title, number, issuer and date, from what stands before the first clause."""
    text = mended.text
    head = text[: min(first_clause, 3000)]
    doc: dict[str, Any] = {}
    lines = [text[p.start : p.end] for p in mended.paragraphs if p.start < max(first_clause, 1) and not p.cells][:40]
    titles = [line for line in lines if TITLE.search(line) and 4 <= len(line) <= 70 and "，" not in line]
    quoted = re.search(r"关于(?:印发|发布|下达)《?(?P<t>[^》\n]{4,60}?)》?的通知", head)
    if titles:
        doc["title"] = titles[-1]
    elif quoted:
        doc["title"] = quoted["t"]
    elif lines and len(lines[0]) <= 60:
        doc["title"] = lines[0]
    m = NUMBER.search(head)
    if m:
        doc["number"] = m[0]
    m = DATE.search(head) or next(
        (d for p in mended.paragraphs[-12:] if (d := DATE.fullmatch(text[p.start : p.end]))), None
    )
    if m and 1 <= int(m["m"]) <= 12 and 1 <= int(m["d"]) <= 31:
        doc["date"] = f"{m['y']}-{int(m['m']):02d}-{int(m['d']):02d}"
    for line in lines:
        m2 = ISSUER.fullmatch(line.removesuffix("文件"))
        if m2:
            doc["issuer"] = m2[0]
            break
    return doc


def read_text(text: str, *, name: str = "", bodies: Mapping[str, str] | None = None, gate: bool = True) -> Draft:
    """Read a plan text into a draft.

    ``bodies`` maps names as written to canonical names; bodies it does not hold are reported.
    Raises ProblemError when the text cannot be read as a plan (quality gate), nothing else.
    """
    mended = mend(text)
    problems = [*mended.problems, *quality.check(mended, name)]
    if gate and stops(problems):
        raise ProblemError(problems)
    draft = Draft(text, problems=problems)
    placed = find_clauses(mended)
    draft.clauses = [p.clause for p in placed]
    draft.doc = _header(mended, placed[0].start if placed else len(mended.text))
    draft.period = find_period(draft.doc.get("title", ""), mended.text, draft.doc.get("date", ""))
    notes = responsibilities.find_notes(mended, placed)
    draft.responsibilities = [found.note for found in notes]
    if bodies:
        draft.problems.extend(responsibilities.match_bodies(notes, bodies))
    plan_year = None
    if draft.period and draft.period.start == draft.period.end:
        plan_year = draft.period.end
    elif draft.doc.get("date"):
        plan_year = int(draft.doc["date"][:4])
    elif number := re.search(r"〔(\d{4})〕", draft.doc.get("number", "")):
        plan_year = int(number[1])
    read_prose(draft, mended, placed, [(f.start, f.end) for f in notes if not f.inline], plan_year)
    read_tables(draft, mended, placed, plan_year)
    draft.targets.sort(key=lambda t: (t.span, t.value_span or t.span))
    for i, target in enumerate(draft.targets, 1):
        target.id = f"T{i:03d}"
    draft.problems.extend(_doubts(draft, name))
    return draft


def _doubts(draft: Draft, name: str) -> list[Problem]:
    """What the reader could not find in the whole text, for a person to supply."""
    doubts = []
    if not draft.clauses:
        doubts.append(
            ("no_clauses", "未读出条款编号", "请检查编号（一、（一）1.等）是否保留；Word 自动编号请先转为文字")
        )
    if not draft.targets:
        doubts.append(("no_targets", "未读出目标", "请确认导入的是方案正文而不是通知或解读"))
    if draft.period is None:
        doubts.append(("no_period", "未能确定规划期，没有写时限的目标须逐项补充时限", "请在方案文件中填写规划期"))
    return [
        Problem(f"plan.text.{code}", message, Severity.WARNING, Place(file=name), fix=fix)
        for code, message, fix in doubts
    ]


def read_file(path: Path | str, *, bodies: Mapping[str, str] | None = None) -> Draft:
    """Read a plan from a .txt, .docx or text PDF file. Raises ProblemError when it cannot be read."""
    path = Path(path)
    return read_text(load(path), name=path.name, bodies=bodies)
