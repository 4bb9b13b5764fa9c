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
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.dual_control import rules as control
from lvheng.dual_control.barometer import Barometer
from lvheng.dual_control.early_warning import check_issue
from lvheng.dual_control.models import KINDS, STEPS, Decision, DecisionStep
from lvheng.dual_control.rules import County, Method
from lvheng.dual_control.workbench import PARTS, Bench, Settings
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


# --- decomposition ----------------------------------------------------------------------------------
def draft_decomposition(
    view: View, target: Target, settings: Settings, bench: Bench, *, by: str, replaces: Decision | None = None
) -> Decision:
    """Keep a solved bench as a draft; raises ProblemError when it is infeasible or incomplete."""
    if not bench.feasible:
        raise ProblemError(
            bench.problems or [Problem("dual_control.decomposition.open", "分解未能求解", fix="改正后再拟定。")]
        )
    if replaces is not None and replaces.last_step not in ("draft", "consultation"):
        raise ProblemError(Problem("dual_control.decision.issued", "已印发的分解不能改稿", fix="撤销原件后重新拟定。"))
    inputs = {
        "target": target.id, "indicator": target.indicator, "city_target": settings.target, "method": settings.method.value,
        "step": settings.step, "incentive": settings.incentive, "growth": settings.growth,
        "counties": [asdict(c) for c in bench.counties],
        "weights": {f.code: f.weight for f in bench.factors},
        "scores": {r.region.code: r.score.score for r in bench.rows if r.score},
    }  # fmt: skip
    outcome = {
        "implied": bench.implied,
        "targets": {r.region.code: r.target for r in bench.rows},
        "incentive": {r.region.code: r.incentive for r in bench.rows},
        "yearly": {r.region.code: r.yearly for r in bench.rows},
        "budgets": yearly_budgets(view, target, settings, bench),
    }
    header = view.plan.header
    title = f"{header.period.label}{target.title}目标分解方案"
    why = f"按{settings.method.label}分解，全市目标{settings.target}%，各地区合成{bench.implied:.4f}%，不低于全市目标。" if bench.implied is not None else ""  # fmt: skip
    return _make(
        "decomposition", view, title, header.city, header.period, bench.rule_refs, inputs, outcome, why, by, replaces
    )


def yearly_budgets(view: View, target: Target, settings: Settings, bench: Bench) -> dict[str, list[Decimal]]:
    """Total-energy budgets of every county and plan year under its basic target and expected growth, in the unit of energy.

    E* = E(t−1)·(1+g)·(1−r) from the settled energy of the year before where known, else from its budget; re-set
    with the actual growth when that exceeds the expected one.
    """
    energy, output = PARTS[target.indicator]
    header = view.plan.header
    out = {}
    for row in bench.rows:
        if row.energy0 is None or row.growth is None or row.yearly is None:
            continue
        years = range(header.first_year, header.last_year + 1)
        levels = {
            y: [view.value(code, row.region.code, Period.of_year(y)) for code in (energy, output)]
            for y in range(header.base_year, header.last_year + 1)
        }
        growths: list[Decimal | None] = []
        for y in years:
            now, before = levels[y][1], levels[y - 1][1] if y - 1 in levels else None
            growths.append((now / before - 1) * 100 if now is not None and before else None)
        found = control.budgets(
            row.energy0,
            header.first_year,
            [row.growth] * header.years,
            row.yearly,
            growths,
            [levels[y][0] for y in years],
        )
        out[row.region.code] = [b.reset.quantize(Decimal("0.01")) for b in found]
    return out


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
    target = None if kept["target"] is None else Decimal(kept["target"])
    raw = grade(scheme, Decimal(kept["change"]), target, period=kept["reporting"], tolerance=None if kept["tolerance"] is None else Decimal(kept["tolerance"]))  # fmt: skip
    if raw.label != decision.outcome["raw"]:
        differs("当期等级", raw.label, decision.outcome["raw"])
    goals = {code: Decimal(v) for code, v in kept["goals"].items()}
    tolerance = None if kept["tolerance"] is None else Decimal(kept["tolerance"])
    standing = Barometer(view, scheme, goals, tolerance).line(decision.subject).at(Period.parse(decision.period))
    effective = standing.effective.label if standing and standing.effective else None
    if effective != decision.outcome["label"]:
        differs("预警等级", effective, decision.outcome["label"])
    if standing and standing.reading.change is not None and standing.reading.change != Decimal(kept["change"]):
        differs("变化率", standing.reading.change, kept["change"])
    return problems


def goals_in_force(plan: str, indicator: str) -> dict[str, Decimal]:
    """County targets of the decomposition in force; empty when there is none."""
    for decision in Decision.objects.filter(kind="decomposition", plan=plan).prefetch_related("steps"):
        if decision.last_step == "in_force" and decision.inputs["indicator"] == indicator:
            return {code: Decimal(v) for code, v in decision.outcome["targets"].items()}
    return {}


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
    if problems := check_issue(standing, place.name):
        raise ProblemError(problems)
    assert standing.effective is not None
    assert standing.raw is not None
    duplicate = Decision.objects.filter(kind="warning", plan=view.plan.id, subject=region, period=period.code)
    if any(d.last_step not in ("withdrawn",) and d.inputs["scheme"]["scheme"] == scheme.scheme for d in duplicate):
        raise ProblemError(Problem("dual_control.warning.twice", f"“{place.name}”该期预警已经拟定", got=period.label, fix="打开原件办理，或先撤销。"))  # fmt: skip
    r = standing.reading
    measures = [
        {"measure": row["measure"], "code": row["code"], "days": int(row["days"] or 0)}
        for row in view.rulebook.at("warning.measures", view.today, view.plan.header.city).rows()
        if row["severity"] == standing.effective.severity
    ]
    inputs = {
        "scheme": scheme.model_dump(mode="json", exclude_unset=True), "change": r.change, "target": r.target,
        "completeness": r.completeness, "reporting": period.code if scheme.periods else "", "tolerance": barometer.tolerance,
        "goals": barometer.goals,
    }  # fmt: skip
    outcome = {
        "severity": standing.effective.severity, "label": standing.effective.label, "level": standing.effective.level,
        "colour": standing.effective.colour, "raw": standing.raw.label, "measures": measures,
    }  # fmt: skip
    refs = [scheme.ref, view.rulebook.at("warning.measures", view.today, view.plan.header.city).ref]
    title = f"{place.name}{period.label}{'能耗强度' if scheme.dial.of == 'intensity' else '能源消费总量'}{standing.effective.label}预警通知"
    return _make("warning", view, title, region, period, refs, inputs, outcome, standing.reason, by)


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
    if step == "closed" and not decision.steps.filter(step="feedback").exists():
        raise ProblemError(
            Problem("dual_control.step.feedback", "尚无整改反馈，不能办结", fix="待被预警地区反馈后再办结。")
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
    fits = [s for s in known.values() if s.dial.of == dial and s.validity.covers(view.today) and not s.dial.needs]
    if not fits:
        fits = [s for s in known.values() if s.dial.of == dial and not s.dial.needs and not s.periods]
    return max(fits, key=lambda s: s.valid_from or date.min)
