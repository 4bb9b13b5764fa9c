"""Reading a plan in the browser: give a text, see what was found in its place, correct, confirm, save.

Anybody may try a reading; the result is shown and not kept. Those who may edit the plan keep it as a
draft, correct it item by item and take ``plan.yaml`` away.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from lvheng.access.roles import Permission, may
from lvheng.core.problem import Place, Problem, ProblemError, Severity
from lvheng.plan import drafting, reading, schema
from lvheng.plan.models import PlanDraft
from lvheng.plan.reading.edit import segments
from lvheng.shell.context import actor_of
from lvheng.shell.words import MEASURES
from lvheng.web import drafts as services

PARTS = ("targets", "responsibilities")
LOW = 0.7  # confidence below which an item is marked


def _need(request: HttpRequest) -> Any:
    actor = actor_of(request)
    if not may(actor, Permission.EDIT_PLAN):
        raise PermissionDenied(_("核对方案需要市级牵头部门的账号。"))
    return actor


@require_http_methods(["GET", "POST"])
def read(request: HttpRequest) -> HttpResponse:
    """The form; what is posted is read. Kept as a draft for those who may edit, shown once for all others."""
    actor = actor_of(request)
    keeps = may(actor, Permission.EDIT_PLAN)
    context: dict[str, Any] = {"keeps": keeps, "text": "", "drafts": PlanDraft.objects.all()[:20] if keeps else []}
    context |= {"characters": services.TRIAL_CHARACTERS, "bytes": services.TRIAL_BYTES // 1024 // 1024}
    if request.method == "GET":
        return render(request, "web/draft/read.html", context)
    upload, text = request.FILES.get("file"), request.POST.get("text", "")
    context["text"] = text[: services.TRIAL_CHARACTERS]
    try:
        if upload is None and not text.strip():
            raise ProblemError(
                Problem(
                    "plan.draft.empty", "没有选择文件，也没有粘贴正文", fix="选择一个文件，或把方案正文粘贴到文本框。"
                )
            )
        raw, name = (upload.read(), upload.name or "") if upload is not None else (text.encode(), "")
        found = services.read(raw, name, trial=not keeps)
    except ProblemError as error:
        return render(request, "web/draft/read.html", context | {"problems": error.problems}, status=422)
    if keeps:
        return redirect(services.keep(found, name, actor.name))
    data = reading.to_plan_dict(found)
    if request.POST.get("download"):
        return _yaml(data, name="plan.yaml")
    return render(
        request,
        "web/draft/draft.html",
        _shown(found.text, data) | {"trial": True, "text": found.text, "data_problems": found.problems},
    )


def _shown(text: str, data: drafting.Data, pk: int | None = None) -> dict[str, Any]:
    """What the review page needs: the text in pieces with their marks, and the items by clause."""
    pieces = []
    first: set[str] = set()
    items = {i["id"]: i for part in PARTS for i in data.get(part, [])}
    for words, marks in segments(drafting.draft_of(text, data)):
        kinds = [kind for kind, _id in marks]
        own = [i for kind, i in marks if i and kind != "clause"]
        ident = own[-1] if own else ""
        clause = next((i for kind, i in marks if kind == "clause"), "")
        anchor = ""
        if ident and ident not in first:
            first.add(ident)
            anchor = ident
        pieces.append({
            "text": words, "kinds": " ".join(dict.fromkeys(f"mark-{k}" for k in kinds)), "id": ident, "anchor": anchor,
            "clause": clause if clause and f"c{clause}" not in first else "", "confirmed": bool(items.get(ident, {}).get("confirmed")),
        })  # fmt: skip
        if clause:
            first.add(f"c{clause}")
    clauses = []
    for c in data.get("clauses", []):
        found = [_card(i) for part in PARTS for i in data.get(part, []) if i.get("clause") == c["id"]]
        clauses.append({"clause": c, "found": found, "open": sum(not i["confirmed"] for i in found)})
    every = [*data.get("targets", []), *data.get("responsibilities", [])]
    return {
        "pieces": pieces, "clauses": clauses, "items": every, "low": LOW, "pk": pk, "done": sum(bool(i.get("confirmed")) for i in every),
        "doubtful": sum(i.get("confidence", 1) < LOW and not i.get("confirmed") for i in every), "header": drafting.header_of(data),
        "unread": [n for n in data.get("notes", []) if n.get("kind") == "number"], "removed": [_card(i) for i in data.get("removed", [])],
        "orphans": [_card(i) for i in every if i.get("clause") not in {c["id"] for c in data.get("clauses", [])}],
    }  # fmt: skip


def _card(i: drafting.Data) -> dict[str, Any]:
    """One found item in short."""
    value = "" if i.get("value") is None else f"{i['value']}{i.get('unit_written') or i.get('unit', '')}"
    bodies = "；".join("、".join(i[role]) for role in ("lead", "others", "cooperate", "implement") if i.get(role))
    return {
        "id": i["id"], "name": i.get("indicator") or i.get("anchor") or _("责任分工"), "value": value, "bodies": bodies, "reason": i.get("reason", ""),
        "confirmed": bool(i.get("confirmed")), "doubtful": i.get("confidence", 1) < LOW and not i.get("confirmed"),
    }  # fmt: skip


@require_http_methods(["GET"])
def draft(request: HttpRequest, pk: int) -> HttpResponse:
    _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    context = _shown(kept.text, kept.data, pk) | {"draft": kept, "data_problems": _said(kept.data)}
    chosen = drafting.find(kept.data, request.GET.get("item", ""))
    if chosen is not None:
        context |= _form(kept, *chosen)
    if request.headers.get("HX-Target") == "margin":
        return render(request, "web/draft/_item.html" if chosen else "web/draft/_items.html", context)
    return render(request, "web/draft/draft.html", context)


def _said(data: drafting.Data) -> list[Problem]:
    """The problems of reading, as they were kept with the draft."""
    found = []
    for note in data.get("notes", []):
        if "problem" in note:
            p = dict(note["problem"])
            found.append(Problem(**{**p, "severity": Severity(p["severity"]), "place": Place(**p.get("place", {}))}))
    return found


def _form(
    kept: PlanDraft, part: str, entry: drafting.Data, given: Any = None, problems: list[Problem] | None = None
) -> dict[str, Any]:
    """The form of one item, filled with what was given before when there are problems."""
    names = _names(part)
    values = drafting.shown(entry, names) if given is None else {n: given.get(n, "") for n in names}
    return {
        "draft": kept, "part": part, "entry": _card(entry), "values": values, "mark": drafting.mark_of(entry, names), "problems": problems or [], "wrong": _wrong(problems or []), "pk": kept.pk, "low": LOW,
        "clause_list": kept.data.get("clauses", []), "kinds": schema.KIND_WORDS, "comparators": schema.COMPARATOR_WORDS, "measures": _measures(),
    }  # fmt: skip


def _names(part: str) -> tuple[str, ...]:
    return drafting.TARGET_FIELDS if part == "targets" else drafting.NOTE_FIELDS


def _words() -> dict[str, dict[str, str]]:
    """What the choices of a form are called."""
    return {
        "kind": schema.KIND_WORDS,
        "comparator": schema.COMPARATOR_WORDS,
        "measure": _measures(),
        "direction": {"": _("不限"), "up": _("上升"), "down": _("下降")},
    }


def _wrong(problems: list[Problem]) -> set[str]:
    """Names of the fields that the problems speak of, to be marked in the form."""
    return {p.code.rsplit(".", 1)[-1] for p in problems}


def _measures() -> dict[str, str]:
    return {name: str(MEASURES[name]) for name in drafting.MEASURES}


@require_http_methods(["GET", "POST"])
def item(request: HttpRequest, pk: int, item: str) -> HttpResponse:
    """One found item: GET shows its form; POST saves, confirms, removes or brings back by ``action``."""
    actor = _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    if request.method == "GET":
        return redirect(f"{kept.get_absolute_url()}?item={item}")
    action = request.POST.get("action", "save")

    def edit(row: PlanDraft, data: drafting.Data) -> list[Problem]:
        if action == "restore":
            return [] if drafting.restore(data, item) else [_gone(item)]
        found = drafting.find(data, item)
        if found is None:
            return [_gone(item)]
        part, entry = found
        if clash := drafting.conflict(entry, _names(part), request.POST, entry.get("changed_by", ""), _words()):
            return clash
        if action == "remove":
            drafting.remove(data, item)
        elif action == "confirm":
            entry["confirmed"] = True
        elif faults := drafting.correct(row.text, data, part, entry, request.POST):
            return faults
        entry["changed_by"] = actor.name
        return []

    words = {
        "save": "更正方案草案",
        "confirm": "确认方案草案",
        "remove": "删去方案草案条目",
        "restore": "恢复方案草案条目",
    }
    kept, problems = services.change(pk, actor.name, words.get(action, words["save"]), item, edit)
    if problems:
        found = drafting.find(kept.data, item)
        if found is None:
            return _answer(
                request,
                kept,
                "web/draft/_items.html",
                _shown(kept.text, kept.data, pk) | {"draft": kept, "problems": problems},
                422,
            )
        context = _form(kept, *found, given=request.POST, problems=problems)
        return _answer(request, kept, "web/draft/_item.html", context, status=422)
    following = _next_open(kept.data, item) if action in ("save", "confirm") else None
    if request.headers.get("HX-Request"):
        response = render(
            request,
            "web/draft/_after.html",
            _shown(kept.text, kept.data, pk) | {"draft": kept, **(_form(kept, *following) if following else {})},
        )
        response["HX-Push-Url"] = kept.get_absolute_url() + (f"?item={following[1]['id']}" if following else "")
        return response
    return redirect(kept.get_absolute_url() + (f"?item={following[1]['id']}" if following else ""))


def _next_open(data: drafting.Data, item: str) -> tuple[str, drafting.Data] | None:
    """The next item in the order of the text that nobody has looked at yet."""
    every = sorted(
        ((part, i) for part in PARTS for i in data.get(part, [])), key=lambda x: (x[1].get("span") or [0, 0])[0]
    )
    at = next((n for n, (_p, i) in enumerate(every) if i.get("id") == item), -1)
    return next((x for x in every[at + 1 :] + every[: max(at, 0)] if not x[1].get("confirmed")), None)


def _gone(item: str) -> Problem:
    return Problem("plan.draft.unknown", "草案中没有这一项，可能已被他人删去", got=item[:20], fix="刷新页面后再核对。")


def _answer(
    request: HttpRequest, kept: PlanDraft, part: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    """A part for htmx, which takes only good answers for parts; the whole page with its status for everybody else."""
    if request.headers.get("HX-Request"):
        return render(request, part, context)
    return render(request, "web/draft/draft.html", _shown(kept.text, kept.data, kept.pk) | context, status=status)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, pk: int, part: str) -> HttpResponse:
    """Add a target or a responsibility note that the reading did not find."""
    actor = _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    if part not in PARTS:
        return redirect(kept)
    blank = {
        "id": "",
        "kind": "quantitative",
        "comparator": "ge",
        "measure": "level",
        "anchor": request.GET.get("quote", ""),
        "text": request.GET.get("quote", ""),
    }
    if request.method == "GET":
        context = _form(kept, part, blank) | {"adding": True}
        return _answer(request, kept, "web/draft/_item.html", context)
    made: list[drafting.Data] = []

    def edit(row: PlanDraft, data: drafting.Data) -> list[Problem]:
        entry, problems = drafting.add(row.text, data, part, request.POST)
        if entry is not None:
            made.append(entry)
        return problems

    kept, problems = services.change(pk, actor.name, "补充方案草案", part, edit)
    if problems:
        return _answer(
            request,
            kept,
            "web/draft/_item.html",
            _form(kept, part, blank, request.POST, problems) | {"adding": True},
            422,
        )
    if request.headers.get("HX-Request"):
        response = render(request, "web/draft/_after.html", _shown(kept.text, kept.data, pk) | {"draft": kept})
        response["HX-Push-Url"] = kept.get_absolute_url()
        return response
    return redirect(f"{kept.get_absolute_url()}?item={made[0]['id']}")


@require_http_methods(["GET", "POST"])
def header(request: HttpRequest, pk: int) -> HttpResponse:
    """Title, number, date, city and years of the plan; and what still keeps the draft from being a plan."""
    actor = _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    problems: list[Problem] = []
    if request.method == "POST":

        def edit(row: PlanDraft, data: drafting.Data) -> list[Problem]:
            by = data.get("header_changed_by", "")
            if clash := drafting.conflict(drafting.header_of(data), drafting.HEADER_FIELDS, request.POST, by, {}):
                return clash
            data["header_changed_by"] = actor.name
            return drafting.correct_header(data, request.POST)

        kept, problems = services.change(pk, actor.name, "更正方案抬头", "header", edit)
        if not problems:
            return redirect("plan_draft_header", pk)
    stored = drafting.header_of(kept.data)
    values = request.POST.dict() if problems else drafting.shown(stored, drafting.HEADER_FIELDS)
    context = {
        "mark": drafting.mark_of(stored, drafting.HEADER_FIELDS),
        "draft": kept,
        "values": values,
        "problems": problems,
        "wrong": _wrong(problems),
        "waiting": drafting.check(kept.data),
        "pk": pk,
    }
    return render(request, "web/draft/header.html", context, status=422 if problems else 200)


@require_http_methods(["POST"])
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a draft off the list of what waits, or put it back."""
    actor = _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    done = request.POST.get("finished") == "1"

    def edit(row: PlanDraft, data: drafting.Data) -> list[Problem]:
        row.finished = done
        return []

    services.change(pk, actor.name, "方案草案核完" if done else "方案草案重新核对", "草案", edit)
    return redirect("plan_draft_header", kept.pk)


@require_http_methods(["GET"])
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """``plan.yaml`` as the draft stands; what is not confirmed says so in the file."""
    _need(request)
    kept = get_object_or_404(PlanDraft, pk=pk)
    return _yaml(kept.data, name="plan.yaml")


def _yaml(data: drafting.Data, name: str) -> HttpResponse:
    response = HttpResponse(drafting.to_yaml(data), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
