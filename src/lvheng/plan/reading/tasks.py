"""Tables of tasks: rows of 任务 | 牵头单位 | 配合单位 | 完成时限, read as sentences and notes of responsibility."""

from __future__ import annotations

import re

from lvheng.plan.reading.deadlines import find_dates
from lvheng.plan.reading.model import Draft, Responsibility
from lvheng.plan.reading.normalise import Mended, Paragraph
from lvheng.plan.reading.prose import read_range
from lvheng.plan.reading.responsibilities import looks_like_bodies, restore_prefix, split_bodies
from lvheng.plan.reading.targets import PhraseReader, State

# What a column holds, by its head; the first that matches.
HEADS = (
    ("deadline", re.compile(r"时限|时间|期限|进度")),
    ("lead", re.compile(r"牵头|主办|主责")),
    ("cooperate", re.compile(r"配合|协办|协同|参与|参加")),
    ("others", re.compile(r"责任|部门|单位|落实")),
    ("task", re.compile(r"任务|内容|措施|举措|事项|要求|工作|项目|目标")),
)


def read_tasks(draft: Draft, mended: Mended, table: list[Paragraph], clause: str, plan_year: int | None) -> None:
    """Add the targets and notes of a table of tasks; a table without bodies or tasks is left alone."""
    roles = [next((role for role, pattern in HEADS if pattern.search(cell.text)), "") for cell in table[0].cells]
    if "task" not in roles or not {"lead", "others"} & set(roles):
        return
    reader = PhraseReader(mended, draft.period, plan_year)
    for row in table[1:]:
        if len(row.cells) != len(roles):
            continue
        note = Responsibility(clause=clause, confidence=0.85, reason="由任务分工表读取")
        state = State(clause)
        for role, cell in zip(roles, row.cells, strict=True):
            if role == "deadline":
                dates = find_dates(cell.text, draft.period, plan_year)
                state.leading = next((w for w in dates if w.role == "deadline"), None)
            elif role in ("lead", "others", "cooperate") and cell.text:
                names, opened = split_bodies(cell.text)
                if looks_like_bodies(names) >= 0.6:
                    setattr(note, role, restore_prefix(names))
                    note.open_ended |= opened
        for role, cell in zip(roles, row.cells, strict=True):
            if role == "task" and cell.text:
                read_range(reader, cell.start, cell.end, [], state)
        if note.bodies():
            if not note.lead and (note.cooperate or len(note.others) == 1):
                note.lead, note.others = note.others, []
            note.style = (
                "lead+shared"
                if note.lead and len(note.bodies()) > len(note.lead)
                else "sole"
                if note.lead
                else "shared"
            )
            note.span = mended.span(row.start, row.end)
            note.text = mended.original[note.span[0] : note.span[1]]
            note.id = f"R{len(draft.responsibilities) + 1:02d}"
            draft.responsibilities.append(note)
    draft.targets.extend(reader.targets)
    draft.notes.extend(
        {"kind": "number", "span": [start, end], "text": words, "reason": reason}
        for start, end, words, reason in reader.left
    )
