"""What the terminal and exports say of a plan's standing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lvheng.core.quantity import show
from lvheng.core.tables import Column
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject
from lvheng.observations.view import TargetStanding, View
from lvheng.plan.rules import State
from lvheng.plan.schema import COMPARATOR_WORDS, KIND_WORDS

STANDING_COLUMNS = (
    Column("id", "编号"), Column("clause", "条款"), Column("title", "目标"), Column("region", "地区"), Column("kind", "类别"), Column("comparator", "要求"),
    Column("goal", "目标值"), Column("unit", "单位"), Column("deadline", "期限"), Column("period", "数据期间"), Column("value", "现值"),
    Column("progress", "完成进度", "%", 1), Column("schedule", "序时进度", "%", 1), Column("state", "状态"), Column("reason", "说明"), Column("note", "备注"),
)  # fmt: skip


def standing_row(s: TargetStanding) -> dict[str, Any]:
    """One standing as a row of STANDING_COLUMNS; exact numbers, rounded only for show."""
    remarks = [s.goal_note, "演示数据" if s.synthetic else ""]
    return {
        "id": s.target.id, "clause": s.target.clause, "title": s.target.title, "region": s.region.name, "kind": KIND_WORDS[s.target.kind],
        "comparator": COMPARATOR_WORDS[s.target.comparator], "goal": s.goal, "unit": s.unit,
        "deadline": s.target.deadline.isoformat() if s.target.deadline else None, "period": s.period.label if s.period else None,
        "value": None if s.value is None else round(s.value, s.places), "progress": None if s.progress is None else round(s.progress, 1),
        "schedule": None if s.schedule is None else round(s.schedule, 1), "state": s.state.label, "reason": s.reason,
        "note": "；".join(r for r in remarks if r) or None,
    }  # fmt: skip


def counts(look: View) -> dict[State, int]:
    """How many of the city's targets are in each state, worst first; rules are not counted."""
    found = Counter(s.state for s in look.standings() if s.target.measure != "assessment_rule")
    return {state: found[state] for state in sorted(State, key=lambda s: s.rank)}


def summary() -> str:
    """A short account for the terminal after ``lvheng run``."""
    look = view.current()
    header = look.plan.header
    lines = [
        "",
        f"{header.title}（{header.number}）",
        f"  条款{len(look.plan.clause_list)}条，目标与规则{len(look.plan.targets)}项，责任说明{len(look.plan.notes)}处，任务{len(look.plan.tasks)}项，责任单位{len(look.plan.bodies)}个",
        f"  指标{len(look.catalogue)}项，规则{len(look.rulebook)}条，数据{Observation.objects.count():,}条，用能单位{Subject.objects.filter(kind='unit').count():,}家，截至第{look.position}次入库",
        "  " + "　".join(f"{state.mark} {state.label} {n}" for state, n in counts(look).items() if n),
    ]  # fmt: skip
    main = look.standing(look.plan.targets[0].id) if look.plan.targets else None
    if main is not None:
        lines.append(f"  {main.target.title}：{main.reason}" + ("（演示数据）" if main.synthetic else ""))
    return "\n".join(lines)


def headline(s: TargetStanding) -> str:
    """Title, value, unit and state in one line."""
    goal = "—" if s.goal is None else show(s.goal)
    value = f"{s.value_text}{s.unit}" if s.value is not None else "—"
    return (
        f"{s.state.mark} {s.target.id} {s.target.title}　{s.region.name}　{value} / 目标{goal}{s.unit}　{s.state.label}"
    )
