"""From a corrected draft to a plan file. Pure: plain values in, plain values and problems out.

The draft is the plain form of :class:`lvheng.plan.reading.Draft` (``to_plan_dict``), each item with an
``id`` and, once a person has looked at it, ``confirmed``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

import yaml

from lvheng.core import yamlfile
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.quantity import unit as read_unit
from lvheng.core.region import Region, RegionTree
from lvheng.plan import reading, schema
from lvheng.plan.reading.model import Span

Data = dict[str, Any]

COMPARATORS, MEASURES, KINDS = get_args(schema.Comparator), get_args(schema.Measure), get_args(schema.TargetKind)
TARGET_FIELDS = (
    "clause", "kind", "indicator", "value", "unit", "comparator", "measure", "direction", "baseline_year", "deadline", "scope",
    "exclusions", "hedge", "anchor",
)  # fmt: skip
NOTE_FIELDS = ("clause", "lead", "others", "cooperate", "local_governments", "open_ended", "inherit", "text")
HEADER_FIELDS = ("id", "title", "short", "number", "issuer", "date", "city", "first_year", "last_year", "base_year")
LISTS = {"lead", "others", "cooperate", "local_governments"}
_NAMES = {
    "clause": "所在条款", "kind": "类别", "indicator": "目标名称", "value": "数值", "unit": "单位", "baseline_year": "基年", "deadline": "完成期限",
    "anchor": "原文", "text": "原文", "comparator": "比较方式", "measure": "算法", "first_year": "起始年", "last_year": "终止年", "base_year": "基年",
    "date": "成文日期", "title": "标题", "city": "城市区划代码", "id": "编号", "direction": "方向", "scope": "范围", "exclusions": "除外", "hedge": "语气",
    "lead": "牵头单位", "others": "责任单位", "cooperate": "配合单位", "local_governments": "地方政府", "open_ended": "未列尽", "inherit": "以下各条同样适用",
    "short": "简称", "number": "文号", "issuer": "发文机关",
}  # fmt: skip


def draft_of(text: str, data: Data) -> reading.Draft:
    """The draft as the reading knows it, for showing where the items stand."""

    def made(kind: Any, item: Mapping[str, Any]) -> Any:
        known = {f.name for f in fields(kind)}
        values = {k: v for k, v in item.items() if k in known}
        for name in ("span", "value_span"):
            if values.get(name):
                values[name] = (int(values[name][0]), int(values[name][1]))
        return kind(**values)

    return reading.Draft(
        text,
        clauses=[made(reading.Clause, c) for c in data.get("clauses", [])],
        targets=[made(reading.Target, t) for t in data.get("targets", [])],
        responsibilities=[made(reading.Responsibility, r) for r in data.get("responsibilities", [])],
        notes=[n for n in data.get("notes", []) if "span" in n],
    )


def find(data: Data, item: str) -> tuple[str, Data] | None:
    """The list an item is in, and the item."""
    for part in ("targets", "responsibilities"):
        for entry in data.get(part, []):
            if entry.get("id") == item:
                return part, entry
    return None


def locate(text: str, quote: str) -> Span | None:
    """Where a quote stands in the text; spaces and line ends do not matter."""
    letters = [re.escape(c) for c in quote if not c.isspace()]
    if not letters:
        return None
    hit = re.search(r"\s*".join(letters), text)
    return hit.span() if hit else None


def _teller(problems: list[Problem]) -> Callable[..., None]:
    """What adds a problem of one field: ``say(field, message, got=, wanted=, fix=)``."""

    def say(field: str, message: str, got: str = "", wanted: str = "", fix: str = "") -> None:
        place = Place(field=_NAMES.get(field, field))
        problems.append(Problem(f"plan.draft.{field}", message, place=place, got=got, wanted=wanted, fix=fix))

    return say


def correct(text: str, data: Data, part: str, item: Data, given: Mapping[str, str]) -> list[Problem]:
    """Put what a person filled in into an item; with problems nothing is changed."""
    names = TARGET_FIELDS if part == "targets" else NOTE_FIELDS
    changed: Data = {}
    problems: list[Problem] = []
    say = _teller(problems)

    for name in names:
        raw = given.get(name, "").strip()
        if name in LISTS:
            changed[name] = [word for word in re.split(r"[、，,；;\s]+", raw) if word]
        elif name in ("open_ended", "inherit"):
            changed[name] = raw in ("1", "on", "true")
        elif name in ("value",):
            changed[name] = _number(raw, name, say)
        elif name == "baseline_year":
            changed[name] = _year(raw, name, say)
        elif name == "deadline":
            changed[name] = _day(raw, name, say)
        else:
            changed[name] = raw
    if changed["clause"] not in {c["id"] for c in data.get("clauses", [])}:
        say("clause", "所在条款不存在", got=changed["clause"], fix="从列表中选择条款。")
    if part == "targets":
        for name, allowed in (("kind", KINDS), ("comparator", COMPARATORS), ("measure", MEASURES)):
            if changed[name] not in allowed:
                say(name, "所选项不在目录中", got=changed[name], fix="从列表中选择。")
        if not changed["indicator"]:
            say("indicator", "没有填写目标名称", fix="填写指标或工作的名称。")
        if changed["kind"] == "quantitative" and changed["value"] is None and not problems:
            say("value", "定量目标没有数值", fix="补上数值，或改为完成类目标。")
        if changed["unit"]:
            try:
                read_unit(changed["unit"])
            except ProblemError as error:
                say(
                    "unit",
                    error.problems[0].message,
                    got=changed["unit"],
                    wanted=error.problems[0].wanted,
                    fix=error.problems[0].fix,
                )
    quote = changed.get("anchor" if part == "targets" else "text", "")
    span = locate(text, quote)
    if span is None:
        say(
            "anchor" if part == "targets" else "text",
            "原文中找不到这段话",
            got=quote[:40],
            wanted="从正文中照录的一段话",
            fix="从左侧正文中选取后粘贴。",
        )
    if problems:
        return problems
    if span != tuple(item.get("span") or ()):
        changed["span"] = list(span or ())
    if part == "targets" and str(item.get("value", "")) != str(
        changed["value"] if changed["value"] is not None else ""
    ):
        item.pop("value_span", None)
        item.pop("value_base", None)
        item.pop("unit_base", None)
    item.update(changed)
    item["confirmed"] = True
    return []


def shown(entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Fields as a form shows them: lists with 、 between, a tick as 1, missing as empty."""
    said = {}
    for name in names:
        value = entry.get(name)
        said[name] = (
            "、".join(value or [])
            if name in LISTS
            else ("1" if value is True else "" if value in (None, False) else str(value))
        )
    return said


def mark_of(entry: Mapping[str, Any], names: Iterable[str]) -> str:
    """Of what a form was filled with: it comes back with the form, and tells whether another has changed the entry since."""
    return hashlib.sha256(json.dumps(shown(entry, names), ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def conflict(
    entry: Mapping[str, Any],
    names: Iterable[str],
    given: Mapping[str, str],
    by: str,
    words: Mapping[str, Mapping[str, str]],
) -> list[Problem]:
    """A problem with the other's change when ``given["mark"]`` is not of the entry as it is now; ``words`` say choices."""
    names = tuple(names)
    if given.get("mark", "") == mark_of(entry, names):
        return []
    theirs = shown(entry, names)

    def say(name: str, value: str) -> str:
        if name in ("open_ended", "inherit"):
            return "是" if value else "否"
        return str(words.get(name, {}).get(value, value)) or "空"

    differs = [
        f"{_NAMES.get(name, name)}现为{say(name, theirs[name])}，您填{say(name, given[name].strip())}"
        for name in names
        if name in given and given[name].strip() != theirs[name]
    ]
    return [
        Problem(
            "plan.draft.conflict",
            f"您打开以后，{by or '他人'}改动了这一项，您的改动尚未保存",
            got="；".join(differs) or "与您所填相同",
            fix="核对后再次提交，则以您所填为准；不提交，则沿用现有内容。",
        )
    ]


def _number(raw: str, name: str, say: Any) -> str | int | None:
    if not raw:
        return None
    try:
        value = Decimal(raw.replace(",", "").replace("，", "").replace("−", "-"))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or abs(value) > Decimal(10) ** 15:
        say(name, "数值无法识别", got=raw[:40], wanted="数字，如 14 或 30.5", fix="只填数字，单位填在单位栏。")
        return None
    return int(value) if value == value.to_integral_value() else format(value, "f")


def _year(raw: str, name: str, say: Any) -> int | None:
    if not raw:
        return None
    if not re.fullmatch(r"(19|20)\d\d", raw):
        say(name, "年份无法识别", got=raw[:20], wanted="四位年份，如 2020", fix="改写年份。")
        return None
    return int(raw)


def _day(raw: str, name: str, say: Any) -> str:
    if not raw:
        return ""
    try:
        return date.fromisoformat(raw).isoformat()
    except ValueError:
        say(name, "日期无法识别", got=raw[:20], wanted="年-月-日，如 2025-12-31", fix="改写日期。")
        return ""


def add(text: str, data: Data, part: str, given: Mapping[str, str]) -> tuple[Data | None, list[Problem]]:
    """A new item of what a person filled in; (item, problems)."""
    item: Data = {"id": _next_id(data, part), "confidence": 1.0, "reason": "人工补充"}
    problems = correct(text, data, part, item, given)
    if problems:
        return None, problems
    data.setdefault(part, []).append(item)
    data[part].sort(key=lambda i: (i.get("span") or [0, 0])[0])
    return item, []


def _next_id(data: Data, part: str) -> str:
    letter = "T" if part == "targets" else "R"
    used = [int(m[1]) for i in data.get(part, []) if (m := re.fullmatch(rf"{letter}(\d+)", str(i.get("id", ""))))]
    return f"{letter}{max(used, default=0) + 1:0{3 if letter == 'T' else 2}d}"


def remove(data: Data, item: str) -> bool:
    """Take an item out; it is kept among the removed ones, from where it can come back."""
    found = find(data, item)
    if found is None:
        return False
    part, entry = found
    data[part].remove(entry)
    data.setdefault("removed", []).append({**entry, "part": part})
    return True


def restore(data: Data, item: str) -> bool:
    for entry in data.get("removed", []):
        if entry.get("id") == item:
            data["removed"].remove(entry)
            part = entry.pop("part")
            data[part].append(entry)
            data[part].sort(key=lambda i: (i.get("span") or [0, 0])[0])
            return True
    return False


# --- the plan file --------------------------------------------------------------------------------
def header_of(data: Data) -> Data:
    """The header as far as it is known: what was read, then what a person filled in."""
    doc = data.get("doc", {})
    first, last = (doc.get("period") or [None, None])[:2]
    read = {
        "id": "", "title": doc.get("title", ""), "short": "", "number": doc.get("number", ""), "issuer": doc.get("issuer", ""), "date": doc.get("date", ""),
        "city": "", "first_year": first, "last_year": last, "base_year": first - 1 if first else None,
    }  # fmt: skip
    return {**read, **{k: v for k, v in data.get("header", {}).items() if v not in (None, "")}}


def correct_header(data: Data, given: Mapping[str, str]) -> list[Problem]:
    """Put the header a person filled in into the draft; with problems nothing is changed."""
    problems: list[Problem] = []
    say = _teller(problems)

    changed: Data = {}
    for name in HEADER_FIELDS:
        raw = given.get(name, "").strip()
        if name.endswith("_year"):
            changed[name] = _year(raw, name, say)
        else:
            changed[name] = _day(raw, name, say) if name == "date" else raw
    if changed["id"] and not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,40}", changed["id"]):
        say("id", "编号只用小写字母、数字和连字符", got=changed["id"][:40], wanted="如 city-145", fix="改写编号。")
    if not problems:
        data["header"] = changed
    return problems


def plan_file(data: Data) -> Data:
    """``plan.yaml`` of a draft as plain values, in the shape of :class:`lvheng.plan.schema.PlanFile`."""
    header = header_of(data)
    head = {k: v for k, v in header.items() if v not in (None, "") or k in ("number", "issuer")}
    head.setdefault("id", "draft")
    head.setdefault("short", head.get("title", "")[:20])
    return {
        "plan": head, "clauses": _nested(data.get("clauses", [])), "targets": [_target(t) for t in data.get("targets", [])],
        "notes": [_note(r) for r in data.get("responsibilities", [])],
    }  # fmt: skip


def _nested(flat: list[Data], parent: str = "") -> list[Data]:
    found = []
    for c in flat:
        if c.get("parent", "") == parent:
            entry: Data = {k: c[k] for k in ("id", "number", "title", "level", "span") if k in c}
            entry.setdefault("title", "")
            if below := _nested(flat, c["id"]) if c["id"] != parent else []:
                entry["children"] = below
            found.append(entry)
    return found


def _target(t: Data) -> Data:
    kept = (
        "id", "clause", "scope", "exclusions", "baseline_year", "baseline_value", "value", "unit", "value_base", "unit_base", "comparator_words", "direction",
        "deadline", "deadline_words", "deadline_inherited", "hedge", "binding", "price_base", "span", "value_span", "value_written", "value_upper", "nature",
    )  # fmt: skip
    found = {k: t[k] for k in kept if t.get(k) not in (None, "", [])}
    found["kind"] = t["kind"] if t.get("kind") in KINDS else "quantitative"
    found["title"] = t.get("indicator") or t.get("anchor", "")[:40]
    found["comparator"] = t["comparator"] if t.get("comparator") in COMPARATORS else "qualitative"
    found["measure"] = t["measure"] if t.get("measure") in MEASURES else "level"
    found["quote"] = t.get("anchor") or t.get("sentence", "")
    found["confirmed"] = bool(t.get("confirmed"))
    found.update(_doubt(t))
    if t.get("baseline_value") and not re.fullmatch(r"-?\d+(\.\d+)?", str(t["baseline_value"])):
        found.pop("baseline_value", None)
    return found


def _doubt(item: Data) -> Data:
    """How sure the reading was and why, until a person has confirmed the item."""
    if item.get("confirmed") or item.get("confidence") is None:
        return {}
    return {"confidence": str(item["confidence"]), "reason": item.get("reason", "")}


def _note(r: Data) -> Data:
    kept = (
        "id",
        "clause",
        "lead",
        "others",
        "cooperate",
        "style",
        "open_ended",
        "local_governments",
        "inherit",
        "span",
    )
    found = {k: r[k] for k in kept if r.get(k) not in (None, "", [])}
    if r.get("implement"):
        found["others"] = [*found.get("others", []), *r["implement"]]
    return {**found, **_doubt(r)}


def to_yaml(data: Data) -> str:
    return yaml.safe_dump(plan_file(data), allow_unicode=True, sort_keys=False, width=120)


def check(data: Data, regions: RegionTree | None = None) -> list[Problem]:
    """What stands between the draft and a plan that can be used: shape, references, units, what is not confirmed."""
    header = header_of(data)
    problems = [
        Problem(
            f"plan.draft.{name}", f"还没有填写{_NAMES[name]}", place=Place(field=_NAMES[name]), fix="在上面填写后保存。"
        )
        for name in ("title", "id", "city", "date", "first_year", "last_year", "base_year")
        if header.get(name) in (None, "")
    ]
    if problems:
        return problems
    text = to_yaml(data)
    try:
        document = yamlfile.load(Path("plan.yaml"), text=text)
        file = yamlfile.validate(schema.PlanFile, document)
    except ProblemError as error:
        return error.problems
    tree = (
        regions
        if regions is not None and file.plan.city in regions
        else RegionTree([Region(file.plan.city, file.plan.city, kind="city")])
    )
    problems += schema.check_plan(schema.Plan(Path(), file, tree, (), ()), document)
    return problems
