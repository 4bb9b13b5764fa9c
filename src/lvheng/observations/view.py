"""One consistent look at a plan: as of a ledger position, by the rules and files of that moment.

:func:`current` gives the present :class:`View`; pages and commands ask it for standings, paths,
series and explanations. Figures that people sign for are computed number by number in exact
decimals (:mod:`lvheng.core.explain`); the vector engines serve tables (:mod:`.tabulate`).
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from lvheng.core.explain import Cell, Explainer, Node
from lvheng.core.formula import Formula, Model, Variable
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.quantity import compatible, factor, show
from lvheng.core.region import Region
from lvheng.core.rulebook import Rulebook
from lvheng.observations.catalogue import Catalogue, Indicator, load_catalogue
from lvheng.observations.models import Observation, SourceDocument, Subject
from lvheng.observations.store import position
from lvheng.plan import rules
from lvheng.plan.rules import State, Thresholds
from lvheng.plan.schema import Body, Clause, Header, Plan, Target, Task, load_plan

logger = logging.getLogger(__name__)
_FAR_BEHIND = "progress.standing.far_behind_gap_pct"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an observed number in an explanation rests on."""

    observation: int
    vintage: int
    quality: str
    source: str
    confidence: str
    synthetic: bool
    posting: int


@dataclass(frozen=True, slots=True)
class TargetStanding:
    """Where a target stands for one region, with the sentence that says why."""

    target: Target
    region: Region
    state: State
    reason: str
    value: Decimal | None
    unit: str
    places: int
    period: Period | None
    goal: Decimal | None
    goal_note: str
    progress: Decimal | None
    schedule: Decimal | None
    complete: bool
    synthetic: bool
    quality: str

    @property
    def value_text(self) -> str:
        return show(self.value, self.places)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a decision in force gives one region to reach of one target, in the target's unit."""

    target: str
    region: str
    value: Decimal


# Rooms above that issue targets add a function here: plan id → goals in force.
goal_sources: list[Callable[[str], Iterable[Goal]]] = []


@dataclass(frozen=True, slots=True)
class Point:
    """One year of a target's path, in the target's own terms."""

    period: Period
    value: Decimal | None
    schedule: Decimal | None
    forecast: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """One finding of the search."""

    kind: str
    title: str
    subtitle: str
    url_name: str
    url_args: tuple[str, ...]


def variables_of(catalogue: Catalogue) -> list[Variable]:
    """The catalogue as the formula engine sees it."""
    return [
        Variable(
            i.code, i.unit, i.frequency, i.over_regions, i.over_time, i.dimensions,
            tuple(Formula(f.formula, f.valid_from, f.valid_to, catalogue.places[i.code]) for f in i.formulas),
            i.name.zh, catalogue.places[i.code],
        )
        for i in catalogue
    ]  # fmt: skip


class UnitExplainer(Explainer):
    """The figures of one unit: what it filed itself first, else what its figures give by the formula."""

    def __init__(
        self,
        model: Model,
        name: str,
        cells: Mapping[tuple[str, str, str, str], Cell],
        items: Mapping[str, tuple[str, ...]],
    ):
        super().__init__(
            model,
            lambda code, unit, period, item: cells.get((code, unit, period.code, item)),
            items=lambda dimension, unit, period: items.get(dimension, ()),
        )
        self.name = name

    def named(self, region: str) -> str:
        return self.name

    def _resolve(self, variable: Variable, region: str, period: Period, item: str) -> Node:
        filed = self._observed(variable, region, period, item)
        return filed if filed.value is not None else super()._resolve(variable, region, period, item)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit's own figures in a view."""

    code: str
    name: str
    cells: Mapping[tuple[str, str, str, str], Cell]
    explainer: UnitExplainer

    def latest(self, indicator: str) -> Period | None:
        """The last period for which it has a figure, the longest that ends then."""
        periods = [Period.parse(period) for code, _unit, period, _item in self.cells if code == indicator]
        return max(periods, key=lambda p: (p.end, -p.start.toordinal()), default=None)

    def items(self, indicator: str, period: Period) -> list[str]:
        """The items for which it has a figure of the indicator in the period."""
        return sorted(i for code, _unit, when, i in self.cells if i and (code, when) == (indicator, period.code))

    def explain(self, indicator: str, period: Period, item: str = "") -> Node:
        return self.explainer(indicator, self.code, period, item)


class View:
    """See the module. Computed lazily and remembered; share one instance between threads for reading."""

    def __init__(
        self,
        plan: Plan,
        plans: list[Header],
        catalogue: Catalogue,
        rulebook: Rulebook,
        at: int,
        fingerprint: str,
        issued: Iterable[Goal] = (),
    ):
        self.plan, self.plans, self.catalogue, self.rulebook = plan, plans, catalogue, rulebook
        self.position, self.fingerprint = at, fingerprint
        self._issued = {(g.target, g.region): g.value for g in issued}
        self.today = timezone.localdate()
        self._lock = threading.RLock()
        self._standings: dict[tuple[str, str], TargetStanding] = {}
        self._synthetic: dict[int, tuple[bool, str]] = {}
        self._cells, self._items = self._read()
        header = plan.header
        self.model = Model(variables_of(catalogue), rulebook, plan.regions, header.base_year, dimensions=self._items)
        self.model.require()
        self._explain = Explainer(self.model, self._lookup)

    # --- data ---------------------------------------------------------------------------------
    def _read(
        self, subject: int | None = None
    ) -> tuple[dict[tuple[str, str, str, str], Cell], dict[str, tuple[str, ...]]]:
        """Latest figures of regions, or of one subject, as of the position, and the items of each dimension."""
        sources = {
            pk: (str(doc), doc.confidence, doc.synthetic) for pk, doc in SourceDocument.objects.in_bulk().items()
        }
        sql = (
            "SELECT o.indicator, s.code, o.period, o.item, o.mantissa, o.scale, o.unit, o.id, o.vintage, o.quality, o.source_id, o.posting_id "
            f"FROM {Observation._meta.db_table} o JOIN {Subject._meta.db_table} s ON s.id = o.subject_id "
            f"WHERE {'s.kind = %s' if subject is None else 's.id = %s'} AND o.posting_id <= %s ORDER BY o.vintage"
        )  # fmt: skip
        cells: dict[tuple[str, str, str, str], Cell] = {}
        items: dict[str, set[str]] = {}
        with connection.cursor() as cursor:
            cursor.execute(sql, ["region" if subject is None else subject, self.position])
            for (
                indicator,
                code,
                period,
                item,
                mantissa,
                scale,
                unit,
                pk,
                vintage,
                quality,
                source,
                posting,
            ) in cursor.fetchall():
                key = (indicator, code, period, item)
                if mantissa is None:
                    cells.pop(key, None)
                    continue
                text, confidence, synthetic = sources[source]
                evidence = Evidence(pk, vintage, quality, text, confidence, synthetic, posting)
                cells[key] = Cell(Decimal(mantissa).scaleb(-scale), unit, evidence)
                if item and indicator in self.catalogue:
                    for dimension in self.catalogue[indicator].dimensions:
                        items.setdefault(dimension, set()).add(item)
        return cells, {d: tuple(sorted(found)) for d, found in items.items()}

    def _lookup(self, code: str, region: str, period: Period, item: str) -> Cell | None:
        return self._cells.get((code, region, period.code, item))

    def explain(self, indicator: str, region: str, period: Period, item: str = "") -> Node:
        """The value and what it is made of; raises ProblemError on an unknown indicator."""
        with self._lock:
            return self._explain(indicator, region, period, item)

    def unit(self, text: str) -> Unit | None:
        """A unit by code, or by its name where only one has it; None when there is none."""
        word = text.strip()
        found = list(Subject.objects.filter(Q(code=word) | Q(name=word), kind="unit")[:2])
        exact = next((s for s in found if s.code == word), found[0] if len(found) == 1 else None)
        if exact is None:
            return None
        cells, items = self._read(exact.pk)
        return Unit(exact.code, exact.name, cells, UnitExplainer(self.model, exact.name, cells, items))

    def value(self, indicator: str, region: str, period: Period, item: str = "") -> Decimal | None:
        return self.explain(indicator, region, period, item).value

    def series(
        self, indicator: str, region: str, kind: Kind | None = None, item: str = ""
    ) -> list[tuple[Period, Decimal | None]]:
        """From the base year to the last period with data, gaps as None."""
        entry = self.catalogue[indicator]
        kind = kind or entry.frequency
        span = self.data_years(indicator)
        if span is None:
            return []
        first, last = min(span[0], self.plan.header.base_year), span[1]
        per_year = kind.per_year
        if per_year is None:  # days, hours, plan periods: those that figures are of
            needed = self.model.needs([indicator])
            own = {Period.parse(period) for code, where, period, _ in self._cells if code in needed and where == region}
            found = [(p, self.value(indicator, region, p, item)) for p in sorted(p for p in own if p.kind is kind)]
            return [(p, value) for p, value in found if value is not None]
        periods = [Period(kind, year, part) for year in range(first, last + 1) for part in range(1, per_year + 1)]
        found = [(p, self.value(indicator, region, p, item)) for p in periods]
        while found and found[-1][1] is None:
            found.pop()
        while found and found[0][1] is None:
            found.pop(0)
        return found

    @cached_property
    def _years(self) -> dict[str, tuple[int, int]]:
        """First and last year with any observation, by observed indicator."""
        spans: dict[str, tuple[int, int]] = {}
        for indicator, _, period, _ in self._cells:
            year = int(period[:4])
            low, high = spans.get(indicator, (year, year))
            spans[indicator] = (min(low, year), max(high, year))
        return spans

    def data_years(self, indicator: str) -> tuple[int, int] | None:
        """First and last year in which anything that the indicator rests on was observed."""
        spans = [self._years[code] for code in self.model.needs([indicator]) if code in self._years]
        return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None

    def is_synthetic(self, node: Node) -> tuple[bool, str]:
        """(whether any figure below is synthetic, the weakest quality below)."""
        known = self._synthetic.get(id(node))
        if known is None:
            if isinstance(node.payload, Evidence):
                known = (node.payload.synthetic, node.payload.quality)
            else:
                below = [self.is_synthetic(child) for child in node.children]
                qualities = [q for _, q in below if q]
                known = (any(s for s, _ in below), max(qualities, key=_QUALITY_RANK.index) if qualities else "")
            self._synthetic[id(node)] = known
        return known

    # --- regions and goals --------------------------------------------------------------------
    @property
    def city(self) -> Region:
        return self.plan.regions[self.plan.header.city]

    @cached_property
    def counties(self) -> list[Region]:
        return self.plan.regions.parts(self.plan.header.city, all_shown=True)

    def unit_of(self, target: Target) -> str:
        """The unit that values of a target are shown in: of a threshold, that of what is counted above it."""
        indicator = self.catalogue.by_code.get(target.indicator)
        own = "" if target.measure == "threshold" else target.unit
        return own or (indicator.unit if indicator else "")

    def goal(self, target: Target, region: str) -> tuple[Decimal | None, str]:
        """What the region has to reach, in the unit of the target, and a remark on where that comes from."""
        if target.measure == "threshold":  # the number is the scope; all within it have to comply
            return Decimal(100), f"门槛{show(target.value)}{target.unit}以上应全部落实"
        if region == self.plan.region_of(target):
            return target.value, ""
        if (target.id, region) in self._issued:
            return self._issued[target.id, region], "分解下达"
        for share in self.plan.county_targets:
            if share.target == target.id and share.region == region and share.binding == "basic":
                return share.value * factor(share.unit, target.unit), "演示分解" if share.synthetic else "分解下达"
        if target.counties == "each":
            return target.value, "参照全市目标"
        return None, "未分解到本地区"

    # --- standings ----------------------------------------------------------------------------
    @cached_property
    def thresholds(self) -> Thresholds:
        version = self.rulebook.at(_FAR_BEHIND, self.plan.header.period.end, self.plan.header.city)
        assert version.value is not None
        return Thresholds(version.value)

    def standing(self, target_id: str, region_code: str | None = None) -> TargetStanding:
        """The standing of one target; raises ProblemError on an unknown target or region."""
        try:
            target = self.plan.target_by_id[target_id]
        except KeyError:
            raise ProblemError(
                Problem("plan.target.unknown", "方案中没有这个目标", got=target_id, wanted=f"{self.plan.targets[0].id}至{self.plan.targets[-1].id}" if self.plan.targets else "")
            ) from None  # fmt: skip
        region = region_code or self.plan.region_of(target)
        key = (target_id, region)
        with self._lock:
            if key not in self._standings:
                self._standings[key] = self._stand(target, self.plan.regions[region])
            return self._standings[key]

    def standings(self, region_code: str | None = None) -> list[TargetStanding]:
        """All targets in plan order: each for its own region, or those that bind the given region."""
        if region_code is None or region_code == self.plan.header.city:
            return [self.standing(t.id) for t in self.plan.targets]
        own = [t for t in self.plan.targets if t.counties != "none" or t.region == region_code]
        return [self.standing(t.id, region_code) for t in own]

    def county_standings(self, target_id: str) -> list[TargetStanding]:
        target = self.plan.target_by_id[target_id]
        if target.counties == "none":
            return []
        return [self.standing(target_id, region.code) for region in self.counties]

    def reference_year(self, target: Target) -> int | None:
        """The latest year, within the deadline, for which the target's own region has a complete value."""
        if not target.indicator or (span := self.data_years(target.indicator)) is None:
            return None
        region, limit = self.plan.region_of(target), self._deadline_year(target)
        for year in range(min(span[1], limit), self._start_year(target), -1):
            if self.value(target.indicator, region, self.target_period(target, year)) is not None:
                return year
        return None

    def target_period(self, target: Target, year: int) -> Period:
        """What a target's value of a year is of: that year, or for amounts the plan's years up to it."""
        indicator = self.catalogue[target.indicator]
        if target.measure == "cumulative_amount" and indicator.over_time == "sum" and year > self._start_year(target):
            return Period.plan(self._start_year(target) + 1, year)
        return Period.of_year(year)

    def _start_year(self, target: Target) -> int:
        return target.baseline_year or self.plan.header.base_year

    def _deadline_year(self, target: Target) -> int:
        return target.deadline.year if target.deadline else self.plan.header.last_year

    def _stand(self, target: Target, region: Region) -> TargetStanding:
        goal, note = self.goal(target, region.code)
        indicator = self.catalogue.by_code.get(target.indicator)
        unit, places = self.unit_of(target), indicator.places if indicator else 2
        start, end = self._start_year(target), self._deadline_year(target)
        year = self.reference_year(target)
        value = baseline = None
        period, synthetic, quality, missing = None, False, "", ""
        if year is not None and indicator is not None:
            period = self.target_period(target, year)
            node = self.explain(indicator.code, region.code, period)
            value, missing = self._in(node.value, indicator, unit), node.reason
            synthetic, quality = self.is_synthetic(node)
            base = target.baseline_value
            baseline = (
                base
                if base is not None
                else self._in(self.value(indicator.code, region.code, Period.of_year(start)), indicator, unit)
            )

        def made(
            state: State, reason: str, progress: Decimal | None = None, schedule: Decimal | None = None
        ) -> TargetStanding:
            return TargetStanding(target, region, state, reason, value, unit, places, period, goal, note, progress, schedule,
                                  value is not None, synthetic, quality)  # fmt: skip

        if target.measure == "assessment_rule":
            return made(State.NOT_DUE, "规则条款，按条文适用，不作进度评判。")
        if target.not_issued:
            return made(State.NO_DATA, "目标尚未下达。")
        if indicator is None:
            return made(State.NO_DATA, "尚未指定统计指标。")
        if goal is None and target.comparator in ("qualitative", "rule"):
            said = f"{period.label}为{show(value, places)}{unit}。" if period and value is not None else "尚无数据。"
            return made(State.NOT_DUE if value is not None else State.NO_DATA, f"定性要求，未设数值；{said}")
        if goal is None and target.value is None:
            goal = _implied(target)
            if goal is None:
                return made(State.NO_DATA, "原文未写明数值，也无法推定。")
        if year is None and self.today.year > start:
            return made(State.NO_DATA, "尚无数据。")
        elapsed = Decimal(min(max((year or start) - start, 0), end - start)) / Decimal(max(end - start, 1))
        comparator = target.comparator
        if comparator not in _TESTS or target.measure == "threshold":
            comparator = "le" if target.direction == "down" and goal == 0 else "ge"
        found = rules.standing(
            target=goal, value=value, measure="ratio" if target.measure == "threshold" else target.measure, thresholds=self.thresholds,
            elapsed=elapsed, comparator=comparator, baseline=baseline, unit=unit, places=places,
        )  # fmt: skip
        reason = found.reason
        if goal is None:
            reason = f"{note or '目标值尚未下达'}。"
        elif value is None and missing:
            reason = (
                f"尚无数据：{missing}。"
                if period is None
                else f"{period.label}{missing if missing.startswith('缺') else '缺少数据'}，不作评判。"
            )
        elif period is not None and value is not None:
            reason = f"{period.label}，{reason}"
        return made(found.state, reason, found.progress, found.schedule)

    def _in(self, value: Decimal | None, indicator: Indicator, unit: str) -> Decimal | None:
        if value is None or not unit or unit == indicator.unit:
            return value
        return value * factor(indicator.unit, unit) if compatible(indicator.unit, unit) else value

    def path(self, target_id: str, region_code: str | None = None) -> list[Point]:
        """Yearly from the base year to the deadline: measured, scheduled, and carried on at the average pace so far."""
        target = self.plan.target_by_id[target_id]
        indicator = self.catalogue.by_code.get(target.indicator)
        if indicator is None:
            return []
        region = region_code or self.plan.region_of(target)
        unit = self.unit_of(target)
        start, end = self._start_year(target), self._deadline_year(target)
        values = {
            year: self._in(self.value(indicator.code, region, self.target_period(target, year)), indicator, unit) for year in range(start, end + 1)
        }  # fmt: skip
        if target.measure in _FROM_ZERO:
            values[start] = Decimal(0)
        goal = self.goal(target, region)[0]
        if goal is None and target.value is None and target.comparator not in ("qualitative", "rule"):
            goal = _implied(target)  # of what was asked without a number nothing is scheduled
        baseline = target.baseline_value if target.baseline_value is not None else values.get(start)
        known = [year for year, value in values.items() if value is not None]
        points = []
        for year in range(start, end + 1):
            n, total = year - start, max(end - start, 1)
            scheduled = _scheduled(target.measure, goal, baseline, n, total)
            forecast = None
            if known and year >= known[-1] > start:
                forecast = _carried_on(target.measure, values, known[-1] - start, start, n)
            points.append(Point(Period.of_year(year), values[year], scheduled, forecast))
        return points

    def warm(self) -> None:
        """Compute every standing now, so that no visitor waits for it."""
        for target in self.plan.targets:
            self.standing(target.id)
            self.county_standings(target.id)

    # --- the plan's own questions -------------------------------------------------------------
    def clause_state(self, clause_id: str) -> State | None:
        """The worst state among the clause's targets and those of the clauses below it; None without any."""
        clause = self.plan.clause_by_id[clause_id]

        def ids(c: Clause) -> Iterable[str]:
            yield c.id
            for child in c.children:
                yield from ids(child)

        within = set(ids(clause))
        states = [
            self.standing(t.id).state
            for t in self.plan.targets
            if t.clause in within and t.measure != "assessment_rule"
        ]
        return min(states, key=lambda s: s.rank, default=None)

    def body_duties(self, body: Body | str) -> list[tuple[Clause, str, list[TargetStanding], list[Task]]]:
        """(clause, role, targets of the clause, tasks of the clause that name the body or nobody) in plan order."""
        entry = self.plan.body_by_code[body] if isinstance(body, str) else body
        found = []
        for clause in self.plan.clause_list:
            for known, _, role in self.plan.bodies_of(clause.id):
                if known is not None and known.code == entry.code:
                    tasks = [
                        t for t in self.plan.tasks_of(clause.id)
                        if not t.bodies or any(self.plan.body_by_name.get(name) is known for name in t.bodies)
                    ]  # fmt: skip
                    targets = [self.standing(t.id, self._seen_by(t, entry)) for t in self.plan.targets_of(clause.id)]
                    found.append((clause, role, targets, tasks))
                    break
        return found

    def _seen_by(self, target: Target, body: Body) -> str | None:
        """A county government sees its own county's standing where the target binds counties."""
        return body.region if body.region and target.counties != "none" and body.region in self.plan.regions else None

    def search(self, text: str, limit: int = 60) -> list[Hit]:
        """Clauses, targets, tasks, bodies, regions, indicators and rules that hold every word."""
        words = text.casefold().split()
        if not words:
            return []
        plan, hits = self.plan, []

        def look(hay: Iterable[str], hit: Hit) -> None:
            joined = " ".join(hay).casefold()
            if all(word in joined for word in words):
                hits.append(hit)

        for t in plan.targets:
            look(
                (t.id, t.title, t.title_en, t.short, t.quote, t.scope),
                Hit("target", t.title, f"{t.clause} {t.quote}", "target", (t.id,)),
            )
        for c in plan.clause_list:
            look((c.id, c.number, c.title, c.title_en), Hit("clause", c.title, c.id, "clause", (c.id,)))
        for b in plan.bodies:
            look((b.name, b.full_name, b.name_en, *b.aliases), Hit("body", b.name, b.full_name, "body", (b.code,)))
        for r in plan.regions:
            if r.code == plan.header.city or r.parent == plan.header.city:
                look(
                    (r.name, r.short, r.name_en, r.code, *r.aliases), Hit("region", r.name, r.code, "region", (r.code,))
                )
        for task in plan.tasks:
            look((task.id, task.title, task.title_en), Hit("task", task.title, task.clause, "clause", (task.clause,)))
        for i in self.catalogue:
            look((i.code, i.name.zh, i.name.en), Hit("indicator", i.name.zh, i.unit, "indicator", (i.code,)))
        for v in self.rulebook:
            look(
                (v.rule, v.title, v.entry.title.en, str(v.source)),
                Hit("rule", v.title, str(v.source), "rule", (v.rule,)),
            )
        unique = {(h.kind, h.title, h.url_args): h for h in hits}
        return list(unique.values())[:limit]


_QUALITY_RANK = ["", "measured", "published", "statistics", "filed", "substituted", "estimated", "withdrawn"]
_TESTS = {"ge", "gt", "le", "lt", "eq", "approx"}
_FROM_ZERO = {
    "cumulative_decline",
    "cumulative_growth",
    "cumulative_amount",
    "percentage_point_drop",
    "percentage_point_rise",
}


def _implied(target: Target) -> Decimal | None:
    """The number behind 全部, 全覆盖, 基本消除, 零: 100 % going up, 0 going down."""
    if target.measure in ("completion", "ratio") or target.unit == "%":
        return Decimal(100)
    return Decimal(0) if target.comparator in ("le", "lt") or target.direction == "down" else None


def _scheduled(measure: str, goal: Decimal | None, baseline: Decimal | None, n: int, total: int) -> Decimal | None:
    if goal is None:
        return None
    if measure == "cumulative_decline" and 0 < goal < 100:
        return rules.schedule(goal, n, total)
    if measure in _FROM_ZERO or measure in ("count", "completion", "enumerated_places"):
        start = (
            baseline if measure in ("count", "completion", "enumerated_places") and baseline is not None else Decimal(0)
        )
        return start + (goal - start) * n / total
    return None if baseline is None else baseline + (goal - baseline) * n / total


def _carried_on(measure: str, values: dict[int, Decimal | None], done: int, start: int, n: int) -> Decimal | None:
    """At the average pace of the years done: geometric for declines, linear for the rest."""
    last, first = values[start + done], values[start]
    if last is None or done <= 0:
        return None
    if measure == "cumulative_decline":
        return rules.schedule(last, n, done) if 0 < last < 100 else last * n / done
    return None if first is None else first + (last - first) * n / done


# --- the present view -----------------------------------------------------------------------------
_lock = threading.Lock()
_views: dict[tuple[str, str, int, date, tuple[Goal, ...]], View] = {}
_files: tuple[float, str] = (0.0, "")
_loaded: dict[str, tuple[dict[str, Plan], Catalogue, dict[str, Rulebook]]] = {}


def files_fingerprint() -> str:
    """Of names, sizes and times of all plan and rulebook files; looked at most every two seconds."""
    global _files
    now = time.monotonic()
    if _files[1] and now - _files[0] < 2:
        return _files[1]
    digest = hashlib.sha256()
    for folder in (*settings.PLAN_FOLDERS, settings.RULEBOOK_FOLDER, settings.HOME / "demo"):
        for path in sorted(Path(folder).rglob("*.yaml")):
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    _files = (now, digest.hexdigest()[:16])
    return _files[1]


def _load(fingerprint: str) -> tuple[dict[str, Plan], Catalogue, dict[str, Rulebook]]:
    """Plans, catalogue and rulebooks of the files as they are; a faulty edit is told in the log and changes nothing."""
    if fingerprint not in _loaded:
        try:
            fresh = _read_files()
        except ProblemError as error:
            if not _loaded:
                raise
            logger.error("规则或方案文件有误，沿用上次读入的内容：\n%s", error)
            fresh = next(iter(_loaded.values()))
        _loaded.clear()
        _loaded[fingerprint] = fresh
    return _loaded[fingerprint]


def _read_files() -> tuple[dict[str, Plan], Catalogue, dict[str, Rulebook]]:
    plans: dict[str, Plan] = {}
    for folder in settings.PLAN_FOLDERS:
        own = Path(folder) / "plan.yaml"
        for path in [own] if own.exists() else sorted(Path(folder).glob("*/plan.yaml")):
            plan = load_plan(path.parent, shares=settings.HOME / "demo" / path.parent.name / "county_targets.yaml")
            plans[plan.id] = plan
    if not plans:
        raise ProblemError(
            Problem("plan.none", "没有可用的方案", got="、".join(map(str, settings.PLAN_FOLDERS)), fix="用 lvheng plan read 读入方案，存为 plans/<名称>/plan.yaml。")
        )  # fmt: skip
    catalogue = load_catalogue(settings.RULEBOOK_FOLDER / "indicators")
    rulebooks = {p.id: Rulebook.load(settings.RULEBOOK_FOLDER, p.regions) for p in plans.values()}
    return plans, catalogue, rulebooks


def plans() -> dict[str, Plan]:
    """All plans of the site by id."""
    with _lock:
        return _load(files_fingerprint())[0]


def catalogue() -> Catalogue:
    with _lock:
        return _load(files_fingerprint())[1]


Key = tuple[str, str, int, date, tuple[Goal, ...]]


def current(plan_id: str | None = None, *, at: int | None = None) -> View:
    """The view of a plan (the first issued one by default) as of the present position, or an earlier one.

    Raises ProblemError on an unknown plan or faulty files. Cheap when nothing has changed. Pages take
    theirs from :mod:`.serving`, which does not wait.
    """
    return keyed(plan_id, at)[1]


def present_key(plan_id: str, at: int | None = None) -> Key:
    """All that a view depends on, as it is now: plan, files, position, day, goals in force."""
    issued = tuple(goal for source in goal_sources for goal in source(plan_id))
    return (plan_id, files_fingerprint(), position() if at is None else at, timezone.localdate(), issued)


def keyed(plan_id: str | None, at: int | None = None) -> tuple[Key, View]:
    """As :func:`current`, with the key that the view was made for."""
    with _lock:
        plans_, catalogue_, rulebooks = _load(files_fingerprint())
        ordered = sorted(plans_.values(), key=lambda p: (not p.header.issued, p.header.first_year, p.id))
        chosen = plan_id or ordered[0].id
        if chosen not in plans_:
            raise ProblemError(Problem("plan.unknown", "没有这个方案", got=chosen, wanted="、".join(plans_)))
        key = present_key(chosen, at)
        view = _views.get(key)
        if view is None:
            _, fingerprint, where, _, issued = key
            stamp = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
            headers = [p.header for p in ordered]
            try:
                view = View(plans_[chosen], headers, catalogue_, rulebooks[chosen], where, stamp, issued)
            except ProblemError as error:  # formulas that no longer fit together
                view = next((v for k, v in reversed(_views.items()) if k[0] == chosen and k[2] == where), None)
                if view is None:
                    raise
                logger.error("指标公式有误，沿用上次读入的内容：\n%s", error)
            for old in [k for k in _views if k[0] == chosen and (k[1] != fingerprint or k[4] != issued or at is None)]:
                del _views[old]
            _views[key] = view
        return key, view
