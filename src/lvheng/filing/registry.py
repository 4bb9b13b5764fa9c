"""The registry of bodies: departments and counties from the plan, units from registers and by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lvheng.access.models import User, append_event
from lvheng.access.roles import Permission, Role, may
from lvheng.core.codes import credit_code_problem
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.filing.models import DISCHARGER_CLASSES, ENERGY_CLASSES, Body
from lvheng.filing.services import refuse
from lvheng.observations import view
from lvheng.observations.models import Subject
from lvheng.plan.schema import Plan

# as the class of a unit's yearly energy is written in registers
_CLASS_WORDS = {"万吨以上": "above_10000", "五千至一万吨": "from_5000"}


@transaction.atomic
def refresh(plan: Plan | None = None, since: date | None = None) -> int:
    """Bring the registry in line with plan and registers: adds what is missing, changes nothing else; returns how many."""
    plan = plan or view.current().plan
    start = since or timezone.localdate().replace(day=1)
    known = set(Body.objects.values_list("subject__code", flat=True))
    departments = [b for b in plan.bodies if b.kind not in ("government", "zone", "set") and b.code not in known]
    subjects = {s.code: s for s in Subject.objects.filter(kind="body")}
    for b in departments:
        if b.code not in subjects:
            subjects[b.code] = Subject.objects.create(
                code=b.code, kind="body", name=b.full_name or b.name, name_en=b.name_en
            )
    fresh = [Body(subject=subjects[b.code], kind="department", since=start) for b in departments]
    counties = [r.code for r in plan.regions.parts(plan.header.city, all_shown=True) if r.code not in known]
    for subject in Subject.objects.filter(code__in=counties, kind="region"):
        fresh.append(Body(subject=subject, kind="county", region=subject.code, since=start))
    for unit in Subject.objects.filter(kind="unit", registered=None).select_related("parent"):
        code = unit.code if credit_code_problem(unit.code) is None else ""
        region = unit.parent.code if unit.parent else ""
        fresh.append(
            Body(subject=unit, kind="unit", region=region, credit_code=code, energy_class=_class_of(unit), since=start)
        )
    Body.objects.bulk_create(fresh, batch_size=500)
    return len(fresh)


def _class_of(unit: Subject) -> str:
    written = str(unit.attributes.get("能源类别", ""))
    return next((v for words, v in _CLASS_WORDS.items() if words in written), "other" if written else "")


def visible(user: User) -> QuerySet[Body]:
    """The bodies that a person may see: all, those of the county, or its own."""
    actor = user.acting
    bodies = Body.objects.select_related("subject")
    if actor.role in (Role.LEAD, Role.DEPARTMENT, Role.AUDITOR, Role.ADMINISTRATOR):
        return bodies
    if actor.role is Role.COUNTY:
        return bodies.filter(region=actor.region) if actor.region else bodies.none()
    return bodies.filter(subject__code=actor.unit) if actor.unit else bodies.none()


def may_see(user: User, body: Body) -> bool:
    actor = user.acting
    return may(actor, Permission.ADMINISTER) or may(actor, Permission.VIEW_UNIT, body.owner)


def may_edit(user: User, body: Body | None = None) -> bool:
    """Administrators and the leads keep the registry; a county keeps its units."""
    actor = user.acting
    if may(actor, Permission.ADMINISTER) or may(actor, Permission.EDIT_PLAN):
        return True
    return may(actor, Permission.REVIEW_COUNTY, body.owner if body else None) and (body is None or body.kind == "unit")


FIELDS = {
    "credit_code": 18,
    "region": 16,
    "park": 80,
    "energy_class": 16,
    "discharger_class": 16,
    "contact": 40,
    "phone": 20,
}  # longest text


def check(given: Mapping[str, str], regions: Iterable[str], code: str = "") -> list[Problem]:
    """What is wrong with the particulars of a unit."""
    found: list[Problem] = []

    def say(field: str, message: str, got: str = "", wanted: str = "", fix: str = "") -> None:
        found.append(Problem("filing.body.field", message, place=Place(field=field), got=got, wanted=wanted, fix=fix))

    uscc = given.get("credit_code", "").strip().upper()
    if uscc:
        if problem := credit_code_problem(uscc):
            found.append(problem)
        elif Body.objects.filter(credit_code=uscc).exclude(subject__code=code).exists():
            say("统一社会信用代码", "这个代码已有单位登记", uscc, fix="核对后在名录中查找该单位。")
    elif not code:
        say("统一社会信用代码", "没有填写", wanted="18位代码", fix="按营业执照填写。")
    if not given.get("name", "").strip():
        say("名称", "没有填写单位名称", fix="按营业执照填写。")
    if given.get("region") not in set(regions):
        say(
            "所属地区",
            "没有选择所属地区，或不在方案的地区之内",
            given.get("region", ""),
            "本市的县（市）区",
            "从列表中选择。",
        )
    if given.get("energy_class", "") not in ("", *ENERGY_CLASSES):
        say("用能类别", "没有这个类别", given.get("energy_class", ""))
    if given.get("discharger_class", "") not in ("", *DISCHARGER_CLASSES):
        say("排污许可类别", "没有这个类别", given.get("discharger_class", ""))
    industry = given.get("industry", "").strip()
    if industry and industry not in industries():
        say("行业", "行业代码不在《国民经济行业分类》中", industry, "GB/T 4754的4位或上级代码", "按代码表填写。")
    return found


def industries() -> set[str]:
    from lvheng.filing.content import book

    listed = book().lists.get("gbt4754")
    return {o.code for o in listed} if listed is not None else set()


@transaction.atomic
def save_unit(user: User, given: Mapping[str, str], code: str = "") -> Body:
    """Register a unit, or change its particulars; raises ProblemError with every fault."""
    body = (
        Body.objects.select_for_update(of=("self",)).select_related("subject").filter(subject__code=code).first()
        if code
        else None
    )
    if code and body is None:
        raise refuse("body.unknown", "单位名录中没有这个单位", got=code, fix="从名录进入。")
    if not may_edit(user, body):
        raise refuse(
            "access",
            "您没有办理此事的权限",
            wanted="系统管理员、牵头部门或所在县（市）区的账号",
            fix="请有权限的人员办理。",
        )
    regions = {r.code for r in view.current().plan.regions}
    if problems := check(given, regions, code):
        raise ProblemError(problems)
    by, region = user.acting.name, given["region"]
    if user.acting.role is Role.COUNTY and region != user.acting.region:
        raise refuse("access", "只能登记本地区的单位", got=region, wanted=user.acting.region, fix="请单位所在地办理。")
    parent = Subject.objects.filter(code=region).first()
    name, industry, uscc = (
        given["name"].strip(),
        given.get("industry", "").strip(),
        given.get("credit_code", "").strip().upper(),
    )
    if body is None:
        if Subject.objects.filter(code=uscc).exists():
            raise refuse("body.known", "该单位已在统计对象中，请先更新名录", got=uscc, fix="点“更新名录”。")
        subject = Subject.objects.create(code=uscc, kind="unit", name=name[:120], parent=parent, industry=industry)
        body = Body(subject=subject, kind="unit", since=timezone.localdate().replace(day=1))
    else:
        subject = body.subject
        subject.name, subject.parent, subject.industry = name[:120], parent, industry
        subject.save(update_fields=["name", "parent", "industry"])
    before = {f: getattr(body, f) for f in FIELDS}
    for field, longest in FIELDS.items():
        if field in given:
            setattr(body, field, given[field].strip()[:longest])
    body.credit_code = uscc
    body.save()
    if "active" in given:
        Body.objects.filter(pk=body.pk).update(active=given["active"] == "1")
    changes = {f: [before[f], getattr(body, f)] for f in FIELDS if before[f] != getattr(body, f)}
    append_event(by, "登记单位", f"单位{subject.code}", {"名称": subject.name, "变更": changes})
    return body
