"""A plan as data: the folder ``plans/<id>/`` read into immutable values.

Files of the folder (all but ``plan.yaml`` may be absent):

========================  ==========================================================================
``plan.yaml``             header, clauses, targets and rules, responsibility notes, tasks
``regions.yaml``          the city, its counties and zones, and what they lie in
``bodies.yaml``           responsible bodies with canonical names and the ways they are written
``county_targets.yaml``   what each county was given, where it has been issued
========================  ==========================================================================

The full official text is not kept; quotes are short and spans refer to the official publication.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Literal

from lvheng.core.period import Kind, Period
from lvheng.core.problem import Place, Problem, ProblemError, Severity, stops
from lvheng.core.quantity import compatible, unit
from lvheng.core.region import Region, RegionTree
from lvheng.core.yamlfile import Document, Entry, load, validate

Comparator = Literal["ge", "gt", "le", "lt", "eq", "approx", "qualitative", "complete", "basically_complete", "basically_eliminate", "rule"]  # fmt: skip
Measure = Literal[
    "cumulative_decline", "cumulative_amount", "level", "ratio", "percentage_point_drop", "percentage_point_rise", "cumulative_growth",
    "count", "completion", "enumerated_places", "multiplier", "threshold", "assessment_rule", "annual_rate",
]  # fmt: skip

COMPARATOR_WORDS = {
    "ge": "不低于", "gt": "高于", "le": "不高于", "lt": "低于", "eq": "等于", "approx": "左右", "qualitative": "定性",
    "complete": "全面完成", "basically_complete": "基本完成", "basically_eliminate": "基本淘汰", "rule": "规则",
}  # fmt: skip
TargetKind = Literal["quantitative", "completion", "dated_or_counted_action", "rule"]
KIND_WORDS = {
    "quantitative": "定量目标", "completion": "完成类目标", "dated_or_counted_action": "限时限量工作", "rule": "规则与门槛",
}  # fmt: skip


class Header(Entry):
    """The document and its frame."""

    id: str
    title: str
    short: str
    number: str
    issuer: str
    date: date
    parent: str = ""
    url: str = ""
    city: str  # region code
    first_year: int
    last_year: int
    base_year: int
    price_base_year: int | None = None
    issued: bool = True  # False: a template whose targets are not issued yet
    title_en: str = ""
    note: str = ""

    @property
    def period(self) -> Period:
        return Period.plan(self.first_year, self.last_year)

    @property
    def years(self) -> int:
        return self.last_year - self.first_year + 1


class Clause(Entry):
    """A clause; ``id`` is its path as cited: 三(十一)."""

    id: str
    number: str
    title: str
    title_en: str = ""
    level: int
    span: tuple[int, int] | None = None
    programme: bool = False  # one of the engineering programmes, to filter by
    children: tuple[Clause, ...] = ()


class Target(Entry):
    """A target, a dated work or a rule; see COMPARATOR_WORDS and the plan-text notes for the words."""

    id: str
    clause: str
    kind: TargetKind
    code: str = ""  # stable code of the target
    indicator: str = ""  # code in the indicator catalogue of the value that is tested
    title: str
    title_en: str = ""
    short: str = ""
    scope: str = ""
    region: str = ""  # region it speaks of when not the city
    exclusions: str = ""
    baseline_year: int | None = None
    baseline_value: Decimal | None = None
    value: Decimal | None = None
    unit: str = ""
    value_base: Decimal | None = None
    unit_base: str = ""
    comparator: Comparator
    comparator_words: str = ""
    direction: Literal["up", "down", ""] = ""
    measure: Measure
    deadline: date | None = None
    deadline_words: str = ""
    deadline_inherited: bool = False
    hedge: str = ""
    binding: Literal["basic", "incentive", ""] = ""
    counties: Literal["each", "share", "none"] = "none"  # each: same yardstick; share: tons are shared out
    quote: str
    span: tuple[int, int] | None = None
    value_span: tuple[int, int] | None = None
    value_written: bool = True
    price_base: int | None = None
    value_upper: Decimal | None = None  # of a range
    nature: str = ""  # 约束性, 预期性
    confirmed: bool = True
    confidence: Decimal | None = None  # of the reading, 0 to 1, until a person confirms
    reason: str = ""  # of that confidence
    not_issued: bool = False
    note: str = ""

    @property
    def is_rule(self) -> bool:
        return self.kind == "rule"


class Note(Entry):
    """A responsibility note at the end of a clause."""

    id: str
    clause: str
    lead: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    cooperate: tuple[str, ...] = ()
    style: str = ""
    open_ended: bool = False
    local_governments: tuple[str, ...] = ()
    inherit: bool = False  # binds local governments in all later clauses
    span: tuple[int, int] | None = None
    confidence: Decimal | None = None
    reason: str = ""
    note: str = ""


class Task(Entry):
    """A duty without a figure: who does what, in our own short words."""

    id: str
    clause: str
    title: str
    title_en: str = ""
    bodies: tuple[str, ...] = ()  # empty: those of the clause's note
    deadline: date | None = None
    target: str = ""


class PlanFile(Entry):
    """``plan.yaml``."""

    plan: Header
    clauses: tuple[Clause, ...]
    targets: tuple[Target, ...] = ()
    notes: tuple[Note, ...] = ()
    tasks: tuple[Task, ...] = ()


class RegionEntry(Entry):
    """A row of ``regions.yaml``; see :class:`lvheng.core.region.Region`."""

    code: str
    name: str
    parent: str = ""
    short: str = ""
    name_en: str = ""
    kind: Literal["nation", "province", "city", "county", "zone"] = "county"
    within: str = ""
    counted: bool = True
    note: str = ""
    aliases: tuple[str, ...] = ()


class RegionsFile(Entry):
    regions: tuple[RegionEntry, ...]


class Body(Entry):
    """A responsible body: canonical name, full name and the ways plans write it."""

    code: str
    name: str
    full_name: str = ""
    name_en: str = ""
    aliases: tuple[str, ...] = ()
    kind: Literal["department", "government", "zone", "enterprise", "party", "agency", "set"] = "department"
    region: str = ""
    note: str = ""


class BodiesFile(Entry):
    bodies: tuple[Body, ...]


class CountyTarget(Entry):
    """What one county was given of a target."""

    target: str
    region: str
    value: Decimal
    unit: str
    binding: Literal["basic", "incentive"] = "basic"
    issued: bool = True
    synthetic: bool = False
    source: str = ""


class CountyTargetsFile(Entry):
    targets: tuple[CountyTarget, ...]


class Plan:
    """A loaded plan with its indexes. Values are immutable; share one instance."""

    def __init__(
        self,
        folder: Path,
        file: PlanFile,
        regions: RegionTree,
        bodies: tuple[Body, ...],
        shares: tuple[CountyTarget, ...],
    ):
        self.folder, self.header = folder, file.plan
        self.clauses, self.targets, self.notes, self.tasks = file.clauses, file.targets, file.notes, file.tasks
        self.regions, self.bodies, self.county_targets = regions, bodies, shares
        self.problems: list[Problem] = []  # found on loading, none of which stops the work

    @property
    def id(self) -> str:
        return self.header.id

    @cached_property
    def clause_list(self) -> list[Clause]:
        """All clauses in the order of the document."""

        def walk(clauses: tuple[Clause, ...]) -> list[Clause]:
            return [c for clause in clauses for c in (clause, *walk(clause.children))]

        return walk(self.clauses)

    @cached_property
    def clause_by_id(self) -> dict[str, Clause]:
        return {c.id: c for c in self.clause_list}

    @cached_property
    def target_by_id(self) -> dict[str, Target]:
        return {t.id: t for t in self.targets}

    @cached_property
    def body_by_name(self) -> dict[str, Body]:
        """By canonical name, full name and every alias."""
        return {word: b for b in self.bodies for word in (b.name, b.full_name, *b.aliases) if word}

    @cached_property
    def body_by_code(self) -> dict[str, Body]:
        return {b.code: b for b in self.bodies}

    def targets_of(self, clause: str) -> list[Target]:
        return [t for t in self.targets if t.clause == clause]

    def notes_of(self, clause: str) -> list[Note]:
        return [n for n in self.notes if n.clause == clause]

    def tasks_of(self, clause: str) -> list[Task]:
        return [t for t in self.tasks if t.clause == clause]

    def bodies_of(self, clause: str) -> list[tuple[Body | None, str, str]]:
        """(body or None if unknown, name as written, role) for a clause, the inheritance rule included.

        Roles: lead 牵头, shared 负责, cooperate 配合, local 落实.
        """
        order = [c.id for c in self.clause_list]
        if clause not in order:
            return []
        found: dict[str, tuple[Body | None, str, str]] = {}

        def add(names: tuple[str, ...], role: str) -> None:
            for name in names:
                found.setdefault(name, (self.body_by_name.get(name), name, role))

        for note in self.notes_of(clause):
            add(note.lead, "lead")
            add(note.others, "shared")
            add(note.cooperate, "cooperate")
            add(note.local_governments, "local")
        for note in self.notes:
            if note.inherit and note.clause in order and order.index(note.clause) <= order.index(clause):
                add(note.local_governments, "local")
        return list(found.values())

    def region_of(self, target: Target) -> str:
        return target.region or self.header.city


def load_plan(folder: Path | str, *, shares: Path | None = None, name: str = "plan.yaml") -> Plan:
    """Read and check a plan folder; raises ProblemError with every fault found, at file and line.

    ``shares``: a file of county targets to use where the folder has none of its own; ``name``: a draft under
    another name.
    """
    root = Path(folder)
    problems: list[Problem] = []

    def part(filename: str, model: type[Entry], *, needed: bool = False) -> tuple[Entry | None, Document | None]:
        path = root / filename
        if not path.exists() and filename == "county_targets.yaml" and shares is not None:
            path = shares
        if not path.exists():
            if needed:
                problems.append(
                    Problem("plan.file.missing", f"方案目录缺少{filename}", place=Place(file=str(path)), fix="用 lvheng plan read 生成，或从样例复制。")
                )  # fmt: skip
            return None, None
        try:
            document = load(path)
            return validate(model, document), document
        except ProblemError as error:
            problems.extend(error.problems)
            return None, None

    file, document = part(name, PlanFile, needed=True)
    regions_file, _ = part("regions.yaml", RegionsFile)
    bodies_file, _ = part("bodies.yaml", BodiesFile)
    shares_file, shares_doc = part("county_targets.yaml", CountyTargetsFile)
    if problems or not isinstance(file, PlanFile) or document is None:
        raise ProblemError(problems)
    rows = regions_file.regions if isinstance(regions_file, RegionsFile) else ()
    regions = (
        RegionTree(Region(**r.model_dump()) for r in rows)
        if rows
        else RegionTree([Region(file.plan.city, file.plan.city, kind="city")])
    )
    bodies = bodies_file.bodies if isinstance(bodies_file, BodiesFile) else ()
    given = shares_file.targets if isinstance(shares_file, CountyTargetsFile) else ()
    plan = Plan(root, file, regions, bodies, given)
    problems = check_plan(plan, document, shares_doc)
    if stops(problems):
        raise ProblemError(problems)
    plan.problems = problems
    return plan


def check_plan(plan: Plan, document: Document, shares: Document | None = None) -> list[Problem]:
    """Everything that holds between the parts of a plan: identities, references, units, dates."""
    problems: list[Problem] = []

    def say(
        code: str, message: str, path: tuple[object, ...], severity: Severity = Severity.BLOCKER, **more: str
    ) -> None:
        problems.append(Problem(f"plan.{code}", message, severity, document.place(path), **more))

    if not plan.header.first_year <= plan.header.last_year or plan.header.base_year > plan.header.first_year:
        say(
            "header.years",
            "规划起止年或基年先后有误",
            ("plan", "first_year"),
            fix="基年不晚于起始年，起始年不晚于终止年。",
        )
    if plan.header.city not in plan.regions:
        say(
            "header.city",
            "方案所属城市不在区划表中",
            ("plan", "city"),
            got=plan.header.city,
            fix="在regions.yaml补录。",
        )
    clause_ids = [c.id for c in plan.clause_list]
    for twice in {i for i in clause_ids if clause_ids.count(i) > 1}:
        say("clause.twice", "条款编号重复", ("clauses",), got=twice, fix="改正编号。")
    sections: dict[str, tuple[Target | Note | Task, ...]] = {
        "targets": plan.targets,
        "notes": plan.notes,
        "tasks": plan.tasks,
    }
    for section, rows in sections.items():
        seen: set[str] = set()
        for i, row in enumerate(rows):
            if row.id in seen:
                say("id.twice", "编号重复", (section, i, "id"), got=row.id, fix="改正编号。")
            seen.add(row.id)
            if row.clause not in plan.clause_by_id:
                say(
                    "clause.unknown",
                    "所在条款不存在",
                    (section, i, "clause"),
                    got=row.clause,
                    fix="填写clauses中已有的条款编号。",
                )
    for i, target in enumerate(plan.targets):
        at = ("targets", i)
        if target.kind == "quantitative" and target.value is None:
            say("target.no_value", "定量目标没有数值", (*at, "value"), got=target.quote, fix="补上目标值。")
        if target.region and target.region not in plan.regions:
            say("target.region", "目标所指地区不在区划表中", (*at, "region"), got=target.region, fix="填写区划代码。")
        for name in ("unit", "unit_base"):
            try:
                unit(getattr(target, name))
            except ProblemError as error:
                say("target.unit", error.problems[0].message, (*at, name), got=getattr(target, name), wanted=error.problems[0].wanted, fix=error.problems[0].fix)  # fmt: skip
                break
        else:
            if target.unit and target.unit_base and not compatible(target.unit, target.unit_base):
                say("target.unit", "换算单位与原单位不是同一种量", (*at, "unit_base"), got=f"{target.unit}→{target.unit_base}", fix="改正换算单位。")  # fmt: skip
        if target.deadline and target.deadline.year < plan.header.base_year:
            say(
                "target.deadline",
                "完成期限早于基年",
                (*at, "deadline"),
                Severity.WARNING,
                got=str(target.deadline),
                fix="核对年份。",
            )
    if plan.bodies:
        for i, note in enumerate(plan.notes):
            for name in (*note.lead, *note.others, *note.cooperate, *note.local_governments):
                if name not in plan.body_by_name:
                    say("body.unknown", "责任单位不在单位名录中", ("notes", i), Severity.WARNING, got=name, fix="在bodies.yaml补录，或加入别名。")  # fmt: skip
    for i, share in enumerate(plan.county_targets):
        place = shares.place(("targets", i)) if shares else Place()
        if share.target not in plan.target_by_id or share.region not in plan.regions:
            problems.append(Problem("plan.share.unknown", "分解目标所指的目标或地区不存在", place=place, got=f"{share.target} {share.region}", fix="改正编号。"))  # fmt: skip
    return problems


__all__ = [
    "Body",
    "Clause",
    "CountyTarget",
    "Header",
    "Kind",
    "Note",
    "Plan",
    "PlanFile",
    "Target",
    "Task",
    "check_plan",
    "load_plan",
]
