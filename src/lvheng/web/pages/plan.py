"""The plan in its own order: every clause with its targets as live lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from lvheng.observations.view import Point, TargetStanding
from lvheng.plan.rules import State
from lvheng.plan.schema import KIND_WORDS, Body, Clause, Task
from lvheng.shell import words
from lvheng.shell.pages import as_of, known_or_404, page, respond
from lvheng.shell.sight import Sight, sight_of
from lvheng.shell.tables import Cell, Column, Table, download, wanted_format

LATE = {State.BEHIND, State.FAR_BEHIND}
SHOWN_STATES = (State.FAR_BEHIND, State.BEHIND, State.ON_SCHEDULE, State.DONE, State.NOT_DUE, State.NO_DATA)
FILTERS = ("state", "body", "programme", "kind")


@dataclass(slots=True)
class Line:
    """A target as one live line."""

    standing: TargetStanding
    points: list[Point]
    bodies: list[tuple[Body | None, str, str]]
    clause: Clause

    @property
    def target(self) -> Any:
        return self.standing.target

    @property
    def late(self) -> bool:
        return self.standing.state in LATE

    @property
    def first_body(self) -> tuple[Body | None, str] | None:
        """Who leads, or the first who shares the work; local governments last."""
        order = {"lead": 0, "shared": 1, "cooperate": 2, "local": 3}
        ranked = sorted(self.bodies, key=lambda b: order.get(b[2], 9))
        return ranked[0][:2] if ranked else None

    @property
    def more_bodies(self) -> int:
        return len(self.bodies) - 1


@dataclass(slots=True)
class Section:
    """A clause as it is shown."""

    clause: Clause
    state: State | None
    lines: list[Line] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    bodies: list[tuple[Body | None, str, str]] = field(default_factory=list)
    open_ended: bool = False
    inside: bool = False  # some clause below it is shown

    @property
    def duties(self) -> list[tuple[str, list[tuple[Body | None, str]]]]:
        """(role, bodies) in the order of the roles."""
        return [
            (role, found) for role in words.BODY_ROLES if (found := [(b, n) for b, n, r in self.bodies if r == role])
        ]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader asked to see; from the query string, unknown values ignored."""

    state: str = ""
    body: str = ""
    programme: str = ""
    kind: str = ""
    late_first: bool = False

    @classmethod
    def of(cls, request: HttpRequest, sight: Sight) -> Asked:
        get = request.GET.get
        return cls(
            state=get("state", "") if get("state") in {s.value for s in State} else "",
            body=get("body", "") if get("body") in sight.plan.body_by_code else "",
            programme=get("programme", "") if get("programme") in sight.plan.clause_by_id else "",
            kind=get("kind", "") if get("kind") in KIND_WORDS else "",
            late_first=get("sort") == "late",
        )

    @property
    def filtered(self) -> bool:
        return any(getattr(self, name) for name in FILTERS)

    def admits(self, line: Line) -> bool:
        return (
            (not self.state or line.standing.state.value == self.state)
            and (not self.body or any(b is not None and b.code == self.body for b, _, _ in line.bodies))
            and (not self.programme or line.clause.id == self.programme)
            and (not self.kind or line.target.kind == self.kind)
        )


def sections_of(sight: Sight, asked: Asked) -> list[Section]:
    """All clauses that are shown, in the order of the document."""
    plan = sight.plan
    standings = {s.target.id: s for s in sight.standings()}
    found: list[Section] = []
    for clause in plan.clause_list:
        bodies = plan.bodies_of(clause.id)
        lines = [Line(standings[t.id], sight.path(t.id), bodies, clause) for t in plan.targets_of(clause.id)]
        kept = [line for line in lines if asked.admits(line)]
        notes = plan.notes_of(clause.id)
        section = Section(
            clause,
            state_of(sight, clause),
            kept,
            plan.tasks_of(clause.id),
            bodies if notes else [],
            any(n.open_ended for n in notes),
        )
        found.append(section)
    if not asked.filtered:
        return found
    shown = {s.clause.id for s in found if s.lines}
    for section in found:
        section.tasks = []
        section.inside = any(c.id in shown for c in section.clause.children)
    return [s for s in found if s.lines or s.inside]


def state_of(sight: Sight, clause: Clause) -> State | None:
    """The worst state among what the reader sees of a clause and the clauses below it."""
    ids = {c.id for c in _within(clause)}
    states = [s.state for s in sight.standings() if s.target.clause in ids and s.target.measure != "assessment_rule"]
    return min(states, key=lambda s: s.rank, default=None)


def _within(clause: Clause) -> Iterable[Clause]:
    yield clause
    for child in clause.children:
        yield from _within(child)


def tally(standings: Iterable[TargetStanding]) -> list[tuple[State, int]]:
    """How many targets stand in each state, worst first."""
    counts = Counter(s.state for s in standings)
    return [(state, counts[state]) for state in SHOWN_STATES if counts[state]]


def plan_table(sight: Sight, lines: list[Line]) -> Table:
    """The shown targets as a table for export."""
    columns = [
        Column("clause", _("条款")), Column("target", _("目标"), wide=True), Column("goal", _("目标值"), number=True), Column("value", _("最新值"), number=True),
        Column("unit", _("单位")), Column("period", _("期间")), Column("progress", _("完成进度"), "%", 1), Column("schedule", _("序时进度"), "%", 1),
        Column("state", _("状态")), Column("why", _("说明"), wide=True), Column("bodies", _("责任单位"), wide=True), Column("nature", _("数据性质")),
    ]  # fmt: skip
    rows = [
        {
            "clause": words.clause_id(line.clause.id), "target": words.name_of(line.target), "goal": line.standing.goal, "value": line.standing.value,
            "unit": words.unit_label(line.standing.unit), "period": words.period_label(line.standing.period), "progress": line.standing.progress,
            "schedule": line.standing.schedule, "state": Cell(words.word(line.standing.state.label)), "why": words.reason_of(line.standing),
            "bodies": words.listed((name for _b, name, _r in line.bodies), "、"), "nature": _("演示数据") if line.standing.synthetic else "",
        }
        for line in lines
    ]  # fmt: skip
    return Table(columns, rows, title=words.name_of(sight.plan.header), notes=[as_of(sight)])


def outline_of(sight: Sight) -> str:
    """The left column: every clause with the state mark; kept for all pages of the plan."""

    def make() -> dict[str, Any]:
        def entry(clause: Clause) -> dict[str, Any]:
            return {"clause": clause, "state": state_of(sight, clause), "below": [entry(c) for c in clause.children]}

        return {"entries": [entry(c) for c in sight.plan.clauses]}

    return mark_safe(sight.fragment("web/_outline.html", make))


@page
def plan(request: HttpRequest) -> HttpResponse:
    """The plan page. ``?state= body= programme= kind= sort=late`` choose; ``?target=`` fills the margin."""
    sight = sight_of(request)
    asked = Asked.of(request, sight)
    if fmt := wanted_format(request):
        return download(plan_table(sight, shown_lines(sight, asked)), fmt)
    chosen = request.GET.get("target", "")
    if chosen and chosen not in sight.plan.target_by_id:
        chosen = ""
    part = request.headers.get("HX-Target", "")
    if part == "margin" and chosen:
        return respond(request, "web/_target_margin.html", margin_of(sight, chosen))

    body = mark_safe(
        sight.fragment(
            "web/_plan_body.html", lambda: {**body_context(sight, asked), "chosen_target": chosen}, asked, chosen
        )
    )
    if part == "plan-body":
        return HttpResponse(body)
    context: dict[str, Any] = {"outline": outline_of(sight), "body": body, "asked": asked, "chosen": chosen}
    if chosen:
        context |= margin_of(sight, chosen)
    else:
        context["overview"] = mark_safe(sight.fragment("web/_plan_margin.html", lambda: overview_of(sight)))
    return respond(request, "web/plan.html", context)


def shown_lines(sight: Sight, asked: Asked) -> list[Line]:
    lines = [line for section in sections_of(sight, asked) for line in section.lines]
    return sorted(lines, key=_lateness) if asked.late_first else lines


def _lateness(line: Line) -> tuple[int, float]:
    """Worst state first, then the widest gap behind the schedule."""
    s = line.standing
    gap = float(s.schedule - s.progress) if s.progress is not None and s.schedule is not None else 0.0
    return s.state.rank, -gap


def body_context(sight: Sight, asked: Asked) -> dict[str, Any]:
    sections = sections_of(sight, asked)
    lines = [line for section in sections for line in section.lines]
    if asked.late_first:
        lines.sort(key=_lateness)
    chosen = {name: getattr(asked, name) for name in FILTERS} | {"sort": "late" if asked.late_first else ""}
    return {
        "asked": asked, "sections": sections, "lines": lines, "count": len(lines), "total": len(sight.plan.targets), "tally": tally(sight.standings()),
        "bodies": [b for b in sight.plan.bodies if b.kind != "set"], "programmes": [c for c in sight.plan.clause_list if c.programme],
        "kinds": KIND_WORDS, "chosen": {k: v for k, v in chosen.items() if v},
    }  # fmt: skip


def overview_of(sight: Sight) -> dict[str, Any]:
    """The margin when nothing is selected: how to read the page, and where each county stands."""
    counties = []
    for region in sight.view.counties:
        found = sight.standings(region.code)
        counties.append(
            (region, sum(s.state in LATE for s in found), sum(s.state is State.NO_DATA for s in found), len(found))
        )
    return {
        "states": SHOWN_STATES, "counties": counties,
        "synthetic": any(s.synthetic for s in sight.standings()),
    }  # fmt: skip


def margin_of(sight: Sight, target_id: str) -> dict[str, Any]:
    """What the margin says of a selected target."""
    target = known_or_404(sight.plan.target_by_id.get(target_id))
    standing = sight.standing(target_id)
    counties = sorted(sight.county_standings(target_id), key=lambda s: s.state.rank)
    clause = sight.plan.clause_by_id[target.clause]
    bodies = sight.plan.bodies_of(target.clause)
    indicator = sight.view.catalogue.by_code.get(target.indicator)
    return {
        "standing": standing, "target": target, "clause": clause, "late_counties": [s for s in counties if s.state in LATE],
        "counties": counties, "points": sight.path(target_id), "indicator": indicator,
        "duties": Section(clause, None, bodies=bodies).duties, "tasks": [t for t in sight.plan.tasks if t.target == target_id],
    }  # fmt: skip


@page
def clause(request: HttpRequest, clause_id: str) -> HttpResponse:
    """The address of a clause: its place on the plan page."""
    from lvheng.shell.templatetags.figures import address

    sight = sight_of(request)
    known_or_404(sight.plan.clause_by_id.get(clause_id))
    return redirect(address({"sight": sight}, "plan") + f"#{clause_id}")
