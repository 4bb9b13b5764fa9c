"""Decisions: made from a view, taken through their steps, replayed from what they kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from lvheng.access.models import append_event
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import rules as control
from lvheng.dual_control.barometer import Barometer, operation
from lvheng.dual_control.early_warning import check_issue
from lvheng.dual_control.models import KINDS, STEPS, Decision, DecisionStep
from lvheng.dual_control.rules import County, Method
from lvheng.dual_control.units import check_unit, unit_standings
from lvheng.dual_control.workbench import PARTS, Bench, Settings
from lvheng.dual_control.yearly import YearPlan, yearly_plans
from lvheng.energy import data
from lvheng.energy.warning import Scheme, grade
from lvheng.observations.view import Goal, View, current
from lvheng.plan.schema import Target

# step → the steps after which it may come
FLOWS: dict[str, dict[str, tuple[str, ...]]] = {
    "decomposition": {
        "consultation": ("draft",), "remark": ("consultation",), "issued": ("consultation",), "in_force": ("issued",),
        "receipt": ("issued", "in_force"), "withdrawn": ("draft", "consultation", "issued", "in_force"),
    },
    "warning": {
        "issued": ("draft",), "receipt": ("issued",), "feedback": ("issued",), "closed": ("issued",),
        "withdrawn": ("draft", "issued"),
    },
}  # fmt: skip
COUNTY_STEPS = {"remark", "receipt", "feedback"}
DIALS = {"intensity": "能耗强度", "total": "能源消费总量"}
CENT = Decimal("0.01")


def _text(value: Any) -> Any:
    """Decimals as text all the way down, so that JSON keeps them exactly."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return {str(k): _text(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_text(v) for v in value]
    return value


def _digest(rules: Any, inputs: Any, outcome: Any) -> str:
    body = json.dumps([rules, inputs, outcome], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.new("sm3", body.encode()).hexdigest()


def _make(
    kind: str, view: View, title: str, subject: str, period: Period, rules: Sequence[str], inputs: Any, outcome: Any,
    explanation: str, by: str, replaces: Decision | None = None,
) -> Decision:  # fmt: skip
    rules, inputs, outcome = list(rules), _text(inputs), _text(outcome)
    with transaction.atomic():
        try:
            with transaction.atomic():
                decision = Decision.objects.create(
                    kind=kind, plan=view.plan.id, title=title, subject=subject, period=period.code, position=view.position,
                    rules=rules, inputs=inputs, outcome=outcome, explanation=explanation, digest=_digest(rules, inputs, outcome),
                    replaces=replaces, made_at=timezone.now(), made_by=by,
                )  # fmt: skip
        except IntegrityError:
            raise ProblemError(
                Problem("dual_control.decision.replaced", "该稿已被另一稿替代", fix="打开最新一稿再修改。")
            ) from None
        DecisionStep.objects.create(decision=decision, step="draft", at=timezone.now(), by=by)
        append_event(by, f"{KINDS[kind]}拟定", f"决定{decision.pk}", {"标题": title, "摘要值": decision.digest})
    return decision


def _require_issued(target: Target) -> None:
    """Raises ProblemError on a target that stands in the plan as a template only."""
    if target.not_issued:
        raise ProblemError(Problem("dual_control.target.not_issued", f"“{target.title}”目标尚未下达，只供试算，不能据以作出决定", source=target.note, fix="待正式文件印发、录入目标后再办理。"))  # fmt: skip


def applies(view: View, scheme: Scheme, period: Period) -> bool:
    """Whether a scheme is in force at the end of the period in the plan's city or what it lies in."""
    return scheme.validity.covers(period.end) and scheme.region in _above(view)


def _above(view: View) -> set[str]:
    """The plan's city and all that it lies in; empty for the nation's own rules."""
    found, code = {""}, view.plan.header.city
    while code and code in view.plan.regions:
        found.add(code)
        code = view.plan.regions[code].parent
    return found


# --- decomposition ----------------------------------------------------------------------------------
def draft_decomposition(
    view: View, target: Target, settings: Settings, bench: Bench, *, by: str, replaces: Decision | None = None
) -> Decision:
    """Keep a solved bench as a draft; raises ProblemError when it is infeasible or incomplete."""
    if not bench.feasible:
        raise ProblemError(
            bench.problems or [Problem("dual_control.decomposition.open", "分解未能求解", fix="改正后再拟定。")]
        )
    _require_issued(target)
    if replaces is not None and replaces.last_step not in ("draft", "consultation"):
        raise ProblemError(Problem("dual_control.decision.issued", "已印发的分解不能改稿", fix="撤销原件后重新拟定。"))
    inputs = {
        "target": target.id, "indicator": target.indicator, "city_target": settings.target, "method": settings.method.value,
        "step": settings.step, "incentive": settings.incentive, "half_width": settings.half_width, "growth": settings.growth,
        "counties": [asdict(c) for c in bench.counties],
        "weights": {f.code: f.weight for f in bench.factors},
        "scores": {r.region.code: r.score.score for r in bench.rows if r.score},
    }  # fmt: skip
    outcome = {
        "implied": bench.implied,
        "targets": {r.region.code: r.target for r in bench.rows},
        "incentive": {r.region.code: r.incentive for r in bench.rows},
        "yearly": {r.region.code: r.yearly for r in bench.rows},
        "budgets": _yearly_budgets(view, target, settings, bench),
    }
    header = view.plan.header
    title = f"{header.period.label}{target.title}目标分解方案"
    why = f"分解方法为{settings.method.label}，全市目标{settings.target}%，各地区合成{bench.implied:.4f}%，不低于全市目标。" if bench.implied is not None else ""  # fmt: skip
    return _make(
        "decomposition", view, title, header.city, header.period, bench.rule_refs, inputs, outcome, why, by, replaces
    )


def _yearly_budgets(view: View, target: Target, settings: Settings, bench: Bench) -> dict[str, list[Decimal]]:
    """Total-energy budgets by county and plan year, re-set where growth is known to be higher, in the unit of energy."""
    goals = {r.region.code: r.target for r in bench.rows if r.target is not None}
    incentives = {r.region.code: r.incentive for r in bench.rows if r.incentive is not None}
    out: dict[str, list[Decimal]] = {}
    for row in yearly_plans(view, target, goals, incentives, settings.growth):
        if row.budget is not None:
            out.setdefault(row.region.code, []).append(row.budget.reset.quantize(CENT))
    return out


def plans_of(decision: Decision, view: View) -> list[YearPlan]:
    """The yearly plans under a decomposition, as the figures of a view have it."""
    kept = decision.inputs
    goals, incentives = ({c: Decimal(v) for c, v in decision.outcome[n].items()} for n in ("targets", "incentive"))
    growth = {code: Decimal(v) for code, v in kept["growth"].items()}
    return yearly_plans(view, view.plan.target_by_id[kept["target"]], goals, incentives, growth)


def _counties(rows: Sequence[Mapping[str, Any]]) -> list[County]:
    numbers = ("energy0", "gdp0", "gdp1", "low", "high", "offset", "potential")
    return [
        County(r["code"], r["name"], **{n: Decimal(r[n]) for n in numbers}, pin=None if r["pin"] is None else Decimal(r["pin"]))
        for r in rows
    ]  # fmt: skip


def replay(decision: Decision) -> list[Problem]:
    """Compute the decision again from what it kept, and what it kept from the store as of its position.

    Empty when digest, result and base figures all come out the same.
    """
    problems: list[Problem] = []

    def differs(what: str, got: Any, wanted: Any) -> None:
        problems.append(
            Problem("dual_control.replay.differs", f"复算与原决定不一致：{what}", got=str(got), wanted=str(wanted), fix="核对审计链和规则版本，查明改动来源。")
        )  # fmt: skip

    if (again := _digest(decision.rules, decision.inputs, decision.outcome)) != decision.digest:
        differs("摘要值", again, decision.digest)
    view = current(decision.plan, at=decision.position)
    if decision.kind == "decomposition":
        counties = _counties(decision.inputs["counties"])
        found = control.solve(
            counties, Decimal(decision.inputs["city_target"]), Method(decision.inputs["method"]), step=Decimal(decision.inputs["step"])
        )  # fmt: skip
        got = {s.code: format(s.target, "f") for s in found.shares}
        for code, wanted in decision.outcome["targets"].items():
            if Decimal(got.get(code, "NaN")) != Decimal(wanted):
                differs(code, got.get(code), wanted)
        energy, output = PARTS[decision.inputs["indicator"]]
        base = Period.of_year(
            view.plan.target_by_id[decision.inputs["target"]].baseline_year or view.plan.header.base_year
        )
        for c in counties:
            for code, kept in ((energy, c.energy0), (output, c.gdp0)):
                if (now := view.value(code, c.code, base)) != kept:
                    differs(f"{c.name}{view.catalogue[code].name.zh}", now, kept)
        return problems
    kept = decision.inputs
    scheme = Scheme.model_validate(kept["scheme"])
    if decision.unit is not None:
        period = Period.parse(decision.period)
        seen = next(iter(unit_standings(scheme, period.year, period.part if period.kind is Kind.YTD else 12, at=decision.position, limit=implausible(view), unit=decision.subject)), None)  # fmt: skip
        if seen is None or seen.grade is None or seen.change is None:
            differs("数据", "—" if seen is None else seen.reason, decision.outcome["label"])
        else:
            if seen.grade.label != decision.outcome["label"]:
                differs("颜色", seen.grade.label, decision.outcome["label"])
            if seen.change != Decimal(kept["change"]):
                differs("变化率", seen.change, kept["change"])
        return problems
    target, tolerance = (None if kept[name] is None else Decimal(kept[name]) for name in ("target", "tolerance"))
    raw = grade(scheme, Decimal(kept["change"]), target, period=kept["reporting"], tolerance=tolerance)
    if raw.label != decision.outcome["raw"]:
        differs("当期等级", raw.label, decision.outcome["raw"])
    goals = {code: Decimal(v) for code, v in kept["goals"].items()}
    standing = Barometer(view, scheme, tolerance, goals, kept.get("operation")).line(decision.subject).at(Period.parse(decision.period))  # fmt: skip
    effective = standing.effective.label if standing and standing.effective else None
    if effective != decision.outcome["label"]:
        differs("预警等级", effective, decision.outcome["label"])
    if standing and standing.reading.change is not None and standing.reading.change != Decimal(kept["change"]):
        differs("变化率", standing.reading.change, kept["change"])
    return problems


def issued_goals(plan: str) -> list[Goal]:
    """The county targets of all decompositions in force, the latest of each target, for the view of the plan."""
    goals: dict[tuple[str, str], Goal] = {}
    for decision in Decision.objects.filter(kind="decomposition", plan=plan).order_by("id").prefetch_related("steps"):
        if decision.last_step == "in_force":
            for code, value in decision.outcome["targets"].items():
                goals[decision.inputs["target"], code] = Goal(decision.inputs["target"], code, Decimal(value))
    return list(goals.values())


# --- warnings -----------------------------------------------------------------------------------------
def draft_warning(barometer: Barometer, region: str, period: Period, *, by: str) -> Decision:
    """A warning to a region for a period; raises ProblemError when data are incomplete or no grade calls for it."""
    view, scheme = barometer.view, barometer.scheme
    place = view.plan.regions[region]
    standing = barometer.line(region).at(period)
    if standing is None:
        raise ProblemError(
            Problem("dual_control.warning.no_period", "该期间没有数据", got=period.label, fix="改选期间。")
        )
    _require_issued(barometer.target)
    if not applies(view, scheme, period):
        raise ProblemError(Problem("dual_control.warning.not_in_force", "该预警办法不适用于本地区或该期间，只供对照，不能据以发布预警", got=scheme.title.zh, source=str(scheme.source.source), fix="改选现行适用的预警办法。"))  # fmt: skip
    if problems := check_issue(standing, place.name):
        raise ProblemError(problems)
    assert standing.effective is not None
    assert standing.raw is not None
    _only_once(view, region, period, scheme, place.name)
    r = standing.reading
    goal = barometer.goal(region)
    measures, ref = _measures(view, barometer.run.measures, standing.effective.severity)
    inputs = {
        "scheme": scheme.model_dump(mode="json", exclude_unset=True), "change": r.change, "target": r.target,
        "completeness": r.completeness, "reporting": period.code if scheme.periods else "", "tolerance": barometer.tolerance,
        "goals": {} if goal is None else {region: goal}, "operation": asdict(barometer.run),
    }  # fmt: skip
    outcome = {
        "severity": standing.effective.severity, "label": standing.effective.label, "level": standing.effective.level,
        "colour": standing.effective.colour, "raw": standing.raw.label, "measures": measures,
    }  # fmt: skip
    title = f"{place.name}{period.label}{DIALS[scheme.dial.of]}{standing.effective.label}预警通知"
    return _make("warning", view, title, region, period, [scheme.ref, barometer.run_ref, ref], inputs, outcome, standing.reason, by)  # fmt: skip


def draft_unit_warning(view: View, scheme: Scheme, unit: str, period: Period, *, by: str) -> Decision:
    """A warning to a unit by its colour; raises ProblemError when data are incomplete or no colour calls for it.

    ``period`` is a year or cumulative months.
    """
    months = period.part if period.kind is Kind.YTD else 12
    found = next(
        iter(unit_standings(scheme, period.year, months, at=view.position, limit=implausible(view), unit=unit)), None
    )
    if found is None:
        raise ProblemError(Problem("dual_control.unit.unknown", "没有这家单位该期间的能耗数据", got=unit, fix="从名单中选择单位。"))  # fmt: skip
    if problems := check_unit(found):
        raise ProblemError(problems)
    assert found.grade is not None
    _only_once(view, unit, period, scheme, found.unit.name)
    run, run_ref = operation(view, scheme.scheme, view.today)
    measures, ref = _measures(view, run.measures, found.grade.severity)
    inputs = {
        "scheme": scheme.model_dump(mode="json", exclude_unset=True), "change": found.change, "operation": asdict(run),
        "unit": {"code": found.unit.code, "name": found.unit.name, "region": found.unit.region},
        "energy": [found.unit.before, found.unit.now], "output": [found.output_before, found.output_now],
    }  # fmt: skip
    outcome = {
        "severity": found.grade.severity, "label": found.grade.label, "level": found.grade.level,
        "colour": found.grade.colour, "raw": found.grade.label, "measures": measures,
    }  # fmt: skip
    title = f"{found.unit.name}{period.label}单位产值能耗{found.grade.label}预警通知"
    return _make("warning", view, title, unit, period, [scheme.ref, run_ref, ref], inputs, outcome, found.reason, by)


def _only_once(view: View, subject: str, period: Period, scheme: Scheme, name: str) -> None:
    """Raises ProblemError when the same scheme has warned the same subject of the same period already."""
    known = Decision.objects.filter(kind="warning", plan=view.plan.id, subject=subject, period=period.code)
    if any(d.last_step != "withdrawn" and d.inputs["scheme"]["scheme"] == scheme.scheme for d in known):
        raise ProblemError(Problem("dual_control.warning.twice", f"“{name}”该期预警已经拟定", got=period.label, fix="打开原件办理，或先撤销。"))  # fmt: skip


def _measures(view: View, rule: str, severity: int) -> tuple[list[dict[str, Any]], str]:
    """What a grade asks for, and the version of the rule; raises ProblemError when the rulebook asks for nothing."""
    version = view.rulebook.at(rule, view.today, view.plan.header.city)
    found = [
        {
            "measure": row["measure"],
            "measure_en": row["measure_en"] or "",
            "code": row["code"],
            "days": int(row["days"] or 0),
        }
        for row in version.rows()
        if row["severity"] == severity
    ]
    if not found:
        raise ProblemError(Problem("dual_control.warning.measures", "规则库没有该等级的措施", got=str(severity), source=str(version.source), fix=f"在规则库{rule}中补录措施。"))  # fmt: skip
    return found, version.ref


# --- steps ---------------------------------------------------------------------------------------------
def advance(
    decision: Decision,
    step: str,
    *,
    by: str,
    region: str = "",
    number: str = "",
    text: str = "",
    due: date | None = None,
) -> DecisionStep:
    """Take a decision one step on; raises ProblemError when the step may not follow.

    Issuing needs a document number; closing a warning needs a feedback; remarks and feedbacks need a text.
    """
    flow = FLOWS[decision.kind]
    if step not in flow or decision.last_step not in flow[step]:
        raise ProblemError(
            Problem("dual_control.step.order", f"现为“{decision.state_label}”，不能{STEPS.get(step, step)}",
                    wanted="、".join(str(STEPS[s]) for s, after in flow.items() if decision.last_step in after), fix="按程序办理。")
        )  # fmt: skip
    if getattr(decision, "replaced_by", None) is not None:
        raise ProblemError(Problem("dual_control.decision.replaced", "该稿已被另一稿替代", fix="打开最新一稿办理。"))
    if step == "issued" and not number.strip():
        raise ProblemError(Problem("dual_control.step.number", "印发须有文号", fix="填写文号。"))
    if step in ("remark", "feedback", "withdrawn") and not text.strip():
        raise ProblemError(Problem("dual_control.step.text", f"{STEPS[step]}须写明内容", fix="填写内容。"))
    if step == "receipt" and decision.steps.filter(step="receipt", region=region).exists():
        raise ProblemError(Problem("dual_control.step.twice", "已经签收", fix="无需再次签收。"))
    if step == "closed" and not decision.steps.filter(step="feedback").exists():
        raise ProblemError(
            Problem("dual_control.step.feedback", "尚无整改反馈，不能办结", fix="待被预警地区或单位反馈后再办结。")
        )
    if step == "issued" and decision.kind == "warning" and due is None:
        days = max((m["days"] for m in decision.outcome["measures"]), default=0)
        due = timezone.localdate() + timedelta(days=days or 20)
    with transaction.atomic():
        try:
            with transaction.atomic():
                made = DecisionStep.objects.create(
                    decision=decision, step=step, region=region, number=number.strip()[:80], text=text.strip(), due=due,
                    at=timezone.now(), by=by,
                )  # fmt: skip
        except IntegrityError:
            raise ProblemError(
                Problem("dual_control.step.twice", f"“{STEPS[step]}”已经办过", fix="刷新页面查看最新状态。")
            ) from None
        append_event(
            by,
            f"{KINDS[decision.kind]}{STEPS[step]}",
            f"决定{decision.pk}",
            {"文号": number, "地区": region, "内容": text[:200]},
        )
    return made


def scheme_in_force(view: View, dial: str, chosen: str = "") -> Scheme:
    """The scheme asked for, or the latest of the dial for regions that is in force; raises ProblemError on an unknown one."""
    known = {k: s for k, s in data.schemes().items() if s.dial.subject == "region"}
    if chosen:
        if chosen not in known:
            raise ProblemError(
                Problem("energy.warning.unknown_scheme", "没有这个预警办法", got=chosen, wanted="、".join(known))
            )
        return known[chosen]
    fits = [s for s in known.values() if s.dial.of == dial and s.validity.covers(view.today)]
    if not fits:
        fits = [s for s in known.values() if s.dial.of == dial and not s.periods]
    return max(fits, key=lambda s: s.valid_from or date.min)


def implausible(view: View) -> Decimal:
    """The change of a unit's energy per output, per cent, beyond which data are checked before anything is said."""
    value = view.rulebook.at("warning.implausible_change", view.today, view.plan.header.city).value
    assert value is not None
    return value


def unit_scheme(view: View) -> Scheme:
    """The scheme for enterprises in force in the plan's city; raises ProblemError when there is none."""
    for scheme in data.schemes().values():
        if scheme.dial.subject == "enterprise" and scheme.validity.covers(view.today) and scheme.region in _above(view):
            return scheme
    raise ProblemError(Problem("dual_control.warning.no_unit_scheme", "规则库没有适用于本市企业的预警办法", fix="在规则库中录入预警办法。"))  # fmt: skip
