"""Pages of filing: what waits for me, filling in, importing, reviewing, completeness, the registry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from lvheng.access.models import User
from lvheng.access.roles import Permission, may
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.filing import content, duties, evidence, forms, imports, registry, review, security, services, sums, tokens
from lvheng.filing.grid import Sight, grids, merged
from lvheng.filing.models import BODY_KINDS, DISCHARGER_CLASSES, ENERGY_CLASSES, Body, Filing, FilingVersion, ImportJob
from lvheng.filing.services import refuse
from lvheng.observations import view as observed

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Answer = Callable[..., HttpResponse]
STANDINGS = {
    "late": gettext_lazy("已逾期"), "returned": gettext_lazy("已退回"), "soon": gettext_lazy("将到期"), "open": gettext_lazy("待填报"), "under_review": gettext_lazy("审核中"), "accepted": gettext_lazy("已接收"),
}  # fmt: skip


def signed_in(permission: Permission) -> Callable[[Answer], Answer]:
    """Only for people who may; problems become a page that helps, never a traceback."""

    def wrap(view: Answer) -> Answer:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            try:
                if not may(person(request).acting, permission):
                    raise refuse(
                        "access", "您没有办理此事的权限", wanted="相应单位的账号", fix="换账号登录，或联系系统管理员。"
                    )
                security.hold(person(request))
                response = view(request, *args, **kwargs)
            except ProblemError as error:
                return problem_page(request, error.problems)
            response.headers.setdefault("Cache-Control", "private, no-store")
            return response

        return run

    return wrap


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def status_of(problems: list[Problem]) -> int:
    codes = {p.code for p in problems}
    if "filing.access" in codes:
        return 403
    if any(c.endswith(".unknown") for c in codes):
        return 404
    return (
        409
        if any(c.endswith((".state", ".changed", ".version", ".sealed", ".late", ".decided")) for c in codes)
        else 422
    )


def problem_page(request: HttpRequest, problems: list[Problem]) -> HttpResponse:
    return render(request, "web/problems.html", {"problems": problems}, status=status_of(problems))


def found(request: HttpRequest, pk: int) -> Filing:
    """The filing when the person may read it."""
    filing = Filing.objects.select_related("body__subject").filter(pk=pk).first()
    if filing is None:
        raise refuse("unknown", "没有这份填报", fix="从“填报”页面进入。")
    if not duties.may_read(person(request), filing):
        raise refuse("access", "您没有查看这份填报的权限", wanted="该单位或其审核单位的账号", fix="核对登录的账号。")
    return filing


def mine(request: HttpRequest, pk: int) -> Filing:
    """The filing when the person may file for its body."""
    filing = found(request, pk)
    services.need(person(request), Permission.FILE, filing.owner)
    return filing


def cell_of(text: str) -> tuple[str, str, str]:
    """Sheet, row and column of a cell's address on a page; empty parts for the whole."""
    sheet, key, column = [*text.split("\x1f"), "", "", ""][:3]
    return sheet, key, column


def day_of(text: str) -> date:
    try:
        given = parse_date(text)
    except ValueError:
        given = None
    if given is None:
        raise refuse("date", "日期没有填写，或不是日期", got=text[:20], wanted="年-月-日", fix="改正日期。")
    return given


def file_of(request: HttpRequest) -> tuple[bytes, str]:
    upload = request.FILES.get("file")
    if upload is None:
        raise refuse("file.none", "没有选择文件", fix="选择文件后再上传。")
    return upload.read(), evidence.clean_name(upload.name or "")


def download(raw: bytes, name: str, kind: str = XLSX) -> HttpResponse:
    response = HttpResponse(raw, content_type=kind)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


# --- what waits for me ----------------------------------------------------------------------------------
@signed_in(Permission.VIEW_UNIT)
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """What waits for me: to file, to review, to decide; and the calendar of dues."""
    user = person(request)
    own = duties.own_bodies(user) if may(user.acting, Permission.FILE) else []
    due = duties.duties(own)
    inbox = duties.inbox(user)
    context = {
        "bodies": own, "duties": due, "urgent": duties.upcoming(due), "calendar": _calendar(due), "inbox": inbox, "clean": sum(w.clean for w in inbox),
        "extensions": duties.extensions(user), "standings": STANDINGS, "several": len(own) > 1,
        "recent": duties.seen(user).order_by("-changed_at")[:10], "may_file": bool(own),
        "earlier": sorted({(d.form.id, d.body.pk): (d.form, d.body) for d in due}.values(), key=lambda fb: (fb[0].code, fb[1].pk)),
    }  # fmt: skip
    return render(request, "filing/home.html", context)


def _calendar(found: list[duties.Duty]) -> list[tuple[date, list[duties.Duty]]]:
    """Open duties by deadline."""
    days: dict[date, list[duties.Duty]] = {}
    for d in found:
        if d.open:
            days.setdefault(d.due, []).append(d)
    return sorted(days.items())


@signed_in(Permission.FILE)
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    period = Period.parse(request.POST.get("period", "")[:40])
    form, _space, body = request.POST.get("choice", "").partition(" ")
    form, body = request.POST.get("form", form), request.POST.get("body", body)
    return redirect(services.start(person(request), form[:64], body[:64], period))


# --- one filing -----------------------------------------------------------------------------------------
@signed_in(Permission.VIEW_UNIT)
@require_GET
def filing(request: HttpRequest, pk: int) -> HttpResponse:
    return filing_page(request, found(request, pk))


def filing_page(request: HttpRequest, it: Filing, problems: list[Problem] | None = None) -> HttpResponse:
    """The filing as its filer works on it, or as others read it."""
    user = person(request)
    versions = list(FilingVersion.objects.filter(filing=it).defer("data"))
    asked = request.GET.get("version", "")[:9]
    number = (
        int(asked)
        if asked.isascii() and asked.isdigit() and any(v.number == int(asked) for v in versions)
        else versions[-1].number
    )
    version = FilingVersion.objects.get(filing=it, number=number)
    form = content.form_of(it)
    data = forms.load(version.data) or {}
    own = may(user.acting, Permission.FILE, it.owner)
    edit = own and version.state == "draft"
    findings = content.findings(it, form, data) if not version.nil and not content.is_empty(version.data) else []
    earlier = versions[-2].number if len(versions) > 1 else None
    remarks = list(version.remarks.all()) or (
        list(FilingVersion.objects.get(filing=it, number=earlier).remarks.all()) if earlier and edit else []
    )
    sight = Sight(form, data, findings, remarks, review.compared(it, version)["previous"])
    context = {
        "filing": it, "form": form, "version": version, "versions": versions, "grids": grids(sight, edit=edit, page=_rows_page(request)), "edit": edit, "mine": own,
        "problems": problems or [], "findings": findings, "faults": content.open_faults(findings), "answers": it.answers.filter(ended_at=None),
        "answerable": [p for p in findings if p.check and p.severity in (Severity.ERROR, Severity.WARNING)], "attachments": it.attachments.all(),
        "imports": it.imports.exclude(state="abandoned")[:8], "asked": it.extensions.first(), "remarks": [(r, review.cell_words(form, (r.sheet, r.key, r.column))) for r in remarks],
        "may_withdraw": own and it.state == "submitted" and it.review_started_at is None, "may_correct": own and it.state in ("accepted", "returned", "withdrawn"),
        "may_review": review.may_review(user, it), "overdue": it.overdue(), "last": versions[-1].number,
    }  # fmt: skip
    return render(request, "filing/filing.html", context, status=status_of(problems) if problems else 200)


def _rows_page(request: HttpRequest) -> int:
    """The page of long sheets."""
    asked = request.GET.get("rows", "")[:6]
    return int(asked) if asked.isascii() and asked.isdigit() else 1


@signed_in(Permission.FILE)
@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    """Autosave of the grid: JSON in, the findings for the cells out. What cannot be saved is said, not lost."""
    try:
        it = mine(request, pk)
        given = content.read_json(request.body)
        pages = (given.get("shown") or {}) if isinstance(given, dict) else None
        if not isinstance(pages, dict) or not isinstance(given.get("edits"), int):
            raise refuse("draft.shape", "草稿的内容无法识别", fix="刷新页面后再填。")
        form = content.form_of(it)
        reading = forms.from_json(given, form)
        kept = forms.load(FilingVersion.objects.filter(filing=it).latest("number").data) or {}
        data = {**kept, **reading.data}
        shown = {s: [str(k) for k in keys] for s, keys in pages.items() if isinstance(keys, list) and form.has(s)}
        for sheet, keys in shown.items():
            rows = reading.data.get(sheet, [])
            if twice := {r.key for r in rows} & {r.key for r in kept.get(sheet, [])} - set(keys):
                name = form.key_name(form.sheet(sheet), min(twice))
                raise refuse(
                    "draft.twice", "这一行在本表的另一页已有，没有保存", got=name, fix="在那一页修改，或删去这一行。"
                )
            data[sheet] = merged(kept.get(sheet, []), keys, rows)
        version = services.save_draft(person(request), pk, data, given["edits"])
    except ValueError:  # no JSON
        return JsonResponse({"problems": [{"message": "草稿的内容无法识别", "severity": "blocker"}]}, status=422)
    except ProblemError as error:
        return JsonResponse({"problems": [imports.as_stored(p) if isinstance(p, forms.FilingProblem) else p.as_dict() for p in error.problems]}, status=status_of(error.problems))  # fmt: skip
    problems = [*reading.problems, *content.findings(it, form, data)]
    return JsonResponse(
        {
            "edits": version.edits,
            "number": version.number,
            "shown": {sheet: [r.key for r in reading.data.get(sheet, [])] for sheet in shown},
            "problems": [imports.as_stored(p) for p in problems[:500]],
            "saved": timezone.localtime().strftime("%H:%M"),
        }
    )


ACTIONS: dict[str, Callable[[HttpRequest, Filing], Any]] = {}


def action(name: str) -> Callable[[Callable[[HttpRequest, Filing], Any]], Callable[[HttpRequest, Filing], Any]]:
    def keep(function: Callable[[HttpRequest, Filing], Any]) -> Callable[[HttpRequest, Filing], Any]:
        ACTIONS[name] = function
        return function

    return keep


@action("submit")
def _submit(request: HttpRequest, it: Filing) -> str:
    edits = request.POST.get("edits", "")[:18]
    services.submit(
        person(request),
        it.pk,
        request.POST.get("note", ""),
        int(edits) if edits.isascii() and edits.isdigit() else None,
    )
    return _("已提交。")


@action("withdraw")
def _withdraw(request: HttpRequest, it: Filing) -> str:
    services.withdraw(person(request), it.pk)
    return _("已撤回，可继续修改。")


@action("correct")
def _correct(request: HttpRequest, it: Filing) -> str:
    services.correct(person(request), it.pk, request.POST.get("reason", ""))
    return _("已开始更正；提交并接收之前，原数据仍然有效。")


@action("nil")
def _nil(request: HttpRequest, it: Filing) -> str:
    services.file_nil(person(request), it.pk, request.POST.get("reason", ""))
    return _("已作零报告，请提交。")


@action("answer")
def _answer(request: HttpRequest, it: Filing) -> str:
    check, _mark, rest = request.POST.get("check", "").partition("\x1f")
    proof = request.POST.get("evidence", "")[:18]
    services.answer(
        person(request), it.pk, check, cell_of(rest), request.POST.get("reason", ""),
        int(proof) if proof.isascii() and proof.isdigit() else None,
    )  # fmt: skip
    return _("说明已保存。")


@action("end_answer")
def _end_answer(request: HttpRequest, it: Filing) -> str:
    chosen = request.POST.get("answer", "")[:18]
    services.end_answer(person(request), it.pk, int(chosen) if chosen.isascii() and chosen.isdigit() else 0)
    return _("说明已撤销。")


@action("attach")
def _attach(request: HttpRequest, it: Filing) -> str:
    evidence.attach(person(request), it.pk, *file_of(request))
    return _("附件已保存。")


@action("extension")
def _extension(request: HttpRequest, it: Filing) -> str:
    services.ask_extension(
        person(request), it.pk, day_of(request.POST.get("until", "")), request.POST.get("reason", "")
    )
    return _("延期申请已送审核单位。")


@signed_in(Permission.FILE)
@require_POST
def act(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """One act of the filer; what forbids it is shown on the filing's own page."""
    it = mine(request, pk)
    if name not in ACTIONS:
        raise refuse("action.unknown", "没有这个操作", fix="从填报页面办理。")
    try:
        messages.success(request, ACTIONS[name](request, it))
    except ProblemError as error:
        if status_of(error.problems) == 403:
            raise
        return filing_page(request, found(request, pk), error.problems)
    return redirect(it)


@signed_in(Permission.VIEW_UNIT)
@require_GET
def template(request: HttpRequest, pk: int) -> HttpResponse:
    """The workbook to fill in, with last period's figures beside."""
    it = found(request, pk)
    form = content.form_of(it)
    raw = forms.template(form, it.when, it.body.name, content.filed(it.form, it.body, it.when.shift(-1)))
    return download(raw, f"{form.code} {form.title} {it.when.label} {it.body.name}.xlsx")


@signed_in(Permission.VIEW_UNIT)
@require_GET
def attachment(request: HttpRequest, pk: int, attachment_id: int) -> HttpResponse:
    kept = found(request, pk).attachments.filter(pk=attachment_id).first()
    if kept is None:
        raise refuse("evidence.unknown", "没有这个附件")
    return download(evidence.read(kept.digest), kept.name, evidence.TYPES[kept.kind])


@signed_in(Permission.VIEW_UNIT)
@require_GET
def history(request: HttpRequest, pk: int) -> HttpResponse:
    """What happened to a filing, in words."""
    it = found(request, pk)
    return render(
        request,
        "filing/history.html",
        {"filing": it, "form": content.form_of(it), "steps": it.steps.all(), "versions": it.versions.defer("data")},
    )


# --- imports ----------------------------------------------------------------------------------------------
@signed_in(Permission.FILE)
@require_POST
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    it = mine(request, pk)
    try:
        return redirect(imports.upload(person(request), pk, *file_of(request)))
    except ProblemError as error:
        if status_of(error.problems) == 403:
            raise
        return filing_page(request, it, error.problems)


def _job(request: HttpRequest, pk: int, job: int) -> ImportJob:
    it = found(request, pk)
    kept = ImportJob.objects.filter(filing=it, pk=job).first()
    if kept is None:
        raise refuse("import.unknown", "没有这次导入", fix="从填报页面进入。")
    kept.filing = it
    return imports.refresh(kept)


@signed_in(Permission.VIEW_UNIT)
@require_GET
def import_job(request: HttpRequest, pk: int, job: int) -> HttpResponse:
    """The dry run: what is new, changed, the same, wrong; or how far reading has come."""
    return import_page(request, _job(request, pk, job))


def import_page(request: HttpRequest, job: ImportJob, problems: list[Problem] | None = None) -> HttpResponse:
    form = content.form_of(job.filing)
    found_ = [imports.as_problem(p) for p in job.problems]
    s = job.summary
    changes = [
        (review.cell_words(form, (c["sheet"], c["key"], c["column"])), c["old"], c["new"]) for c in s.get("changes", [])
    ]
    own = may(person(request).acting, Permission.FILE, job.filing.owner)
    running = job.state == "running"
    elapsed = (timezone.now() - job.at).total_seconds()
    left = round(elapsed / job.done * (job.total - job.done)) if running and job.done and job.total > job.done else None
    context = {
        "job": job, "filing": job.filing, "form": form, "found": found_, "stops": any(p.severity is Severity.BLOCKER for p in found_), "changes": changes,
        "added": [review.cell_words(form, (sheet, key, "")) for sheet, key in s.get("added", [])], "gone": [review.cell_words(form, (sheet, key, "")) for sheet, key in s.get("gone", [])],
        "mine": own, "running": running, "left": left, "problems": problems or [], "shown": found_[:200],
        "may_undo": own and job.state == "confirmed" and job.before is not None and not job.filing.review_started_at,
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "import-state"
    return render(
        request,
        "filing/_import_state.html" if part else "filing/import.html",
        context,
        status=status_of(problems) if problems else 200,
    )


@signed_in(Permission.FILE)
@require_POST
def import_act(request: HttpRequest, pk: int, job: int, name: str) -> HttpResponse:
    mine(request, pk)
    kept = _job(request, pk, job)
    try:
        if name == "confirm":
            imports.confirm(person(request), pk, job)
            messages.success(
                request,
                _("内容与现有草稿相同，没有改动。") if kept.summary.get("nothing") else _("已导入草稿，核对后请提交。"),
            )
        elif name == "undo":
            imports.undo(person(request), pk, job)
            messages.success(request, _("已撤销这次导入。"))
        elif name == "again":
            return redirect(imports.again(person(request), pk, job))
        else:
            raise refuse("action.unknown", "没有这个操作")
    except ProblemError as error:
        if status_of(error.problems) == 403:
            raise
        return import_page(request, _job(request, pk, job), error.problems)
    return redirect(kept.filing)


@signed_in(Permission.VIEW_UNIT)
@require_GET
def marked(request: HttpRequest, pk: int, job: int) -> HttpResponse:
    """The uploaded workbook with the cells marked."""
    kept = _job(request, pk, job)
    return download(imports.marked(kept), f"已标注 {kept.name.rsplit('.', 1)[0]}.xlsx")


# --- review -----------------------------------------------------------------------------------------------
@signed_in(Permission.VIEW_INTERNAL)
@require_http_methods(["GET", "POST"])
def reviews(request: HttpRequest) -> HttpResponse:
    """The inbox, risk first; what is clean can be passed on in bulk."""
    user = person(request)
    problems: list[Problem] = []
    if request.method == "POST":
        if not (may(user.acting, Permission.REVIEW_COUNTY) or may(user.acting, Permission.REVIEW_CITY)):
            raise refuse("access", "您没有办理此事的权限", wanted="审核单位的账号")
        chosen = []
        for text in request.POST.getlist("filing"):
            parts = text[:40].split("-")
            if len(parts) == 2 and all(p.isascii() and p.isdigit() for p in parts):
                chosen.append((int(parts[0]), int(parts[1])))
        passed, problems = review.pass_clean(user, chosen)
        messages.success(request, _("已通过%(n)s份。") % {"n": len(passed)})
        if not problems:
            return redirect("filing_reviews")
    inbox = duties.inbox(user)
    page = Paginator(inbox, 50).get_page(request.GET.get("page"))
    context = {
        "page_obj": page,
        "total": len(inbox),
        "clean": sum(w.clean for w in inbox),
        "extensions": duties.extensions(user),
        "problems": problems,
    }
    return render(request, "filing/reviews.html", context, status=422 if problems else 200)


@signed_in(Permission.VIEW_INTERNAL)
@require_GET
def reviewing(request: HttpRequest, pk: int) -> HttpResponse:
    return review_page(request, found(request, pk))


COMPARISONS = {
    "previous": gettext_lazy("上期"),
    "last_year": gettext_lazy("上年同期"),
    "version": gettext_lazy("上一版"),
}


def review_page(request: HttpRequest, it: Filing, problems: list[Problem] | None = None) -> HttpResponse:
    """The version under review with what it is compared with; each cell can be remarked on."""
    version = FilingVersion.objects.get(filing=it, number=it.number)
    form = content.form_of(it)
    data = forms.load(version.data) or {}
    sides = review.compared(it, version)
    asked = request.GET.get("against", "")
    against = (
        asked if asked in sides else next((n for n in ("version", "previous", "last_year") if sides[n]), "previous")
    )
    findings = [] if version.nil else content.findings(it, form, data)
    remarks = list(version.remarks.all())
    cell = cell_of(request.GET.get("cell", ""))
    sight = Sight(form, data, findings, remarks, sides[against])
    turn = review.may_review(person(request), it)
    context = {
        "filing": it, "form": form, "version": version, "grids": grids(sight, edit=False, page=_rows_page(request)), "problems": problems or [], "findings": findings,
        "turn": turn, "own": version.submitted_by_id == person(request).pk, "against": against, "sides": [(n, COMPARISONS[n], sides[n] is not None) for n in COMPARISONS],
        "remarks": [(r, review.cell_words(form, (r.sheet, r.key, r.column))) for r in remarks], "cell": "\x1f".join(cell), "cell_words": review.cell_words(form, cell),
        "answers": it.answers.filter(ended_at=None), "attachments": it.attachments.all(), "differences": forms.compare(sides[against], data) if sides[against] is not None else None,
        "sums": [] if version.nil else sums.beside(it, form, data), "final": (turn and it.state == "county_reviewed") or "county" not in form.entry.reviewers, "risk": review.risk_of(version), "next": _next_after(request, it),
    }  # fmt: skip
    return render(request, "filing/review.html", context, status=status_of(problems) if problems else 200)


def _next_after(request: HttpRequest, it: Filing) -> Filing | None:
    return next((w.filing for w in duties.inbox(person(request), 40) if w.filing.pk != it.pk), None)


@signed_in(Permission.VIEW_INTERNAL)
@require_POST
def review_act(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    it = found(request, pk)
    user, given = person(request), request.POST
    number = int(n) if (n := given.get("number", "")[:9]).isascii() and n.isdigit() else 0
    try:
        match name:
            case "begin":
                review.begin(user, pk, number)
            case "remark":
                cell = cell_of(given.get("cell", ""))
                review.remark(user, pk, number, cell, given.get("text", ""))
                messages.success(request, _("批注已保存。"))
            case "pass":
                review.pass_on(user, pk, number, given.get("text", ""))
                messages.success(request, _("已通过。"))
                return redirect("filing_reviews")
            case "return":
                review.return_(user, pk, number, given.get("text", ""))
                messages.success(request, _("已退回。"))
                return redirect("filing_reviews")
            case _:
                raise refuse("action.unknown", "没有这个操作")
    except ProblemError as error:
        if status_of(error.problems) in (403, 404):
            raise
        return review_page(request, found(request, pk), error.problems)
    return redirect("filing_review", pk=it.pk)


@signed_in(Permission.VIEW_INTERNAL)
@require_POST
def extension(request: HttpRequest, extension_id: int) -> HttpResponse:
    review.decide_extension(
        person(request), extension_id, granted=request.POST.get("granted") == "1", text=request.POST.get("text", "")
    )
    messages.success(request, _("批复已保存。"))
    return redirect("filing_reviews")


@signed_in(Permission.VIEW_INTERNAL)
@require_GET
def completeness(request: HttpRequest) -> HttpResponse:
    """How complete the last period is, by county and form."""
    forms_, regions, cells, last = duties.heat(person(request))
    names = {r.code: r for r in observed.current().plan.regions}
    rows = [(names.get(region), [cells.get((f.id, region)) for f in forms_]) for region in regions]
    heads = [(f, last[f.id].code) for f in forms_]
    return render(request, "filing/completeness.html", {"heads": heads, "rows": rows})


# --- registry ---------------------------------------------------------------------------------------------
@signed_in(Permission.VIEW_PUBLIC)
@require_http_methods(["GET", "POST"])
def bodies(request: HttpRequest) -> HttpResponse:
    user = person(request)
    if request.method == "POST":
        if not may(user.acting, Permission.ADMINISTER) and not may(user.acting, Permission.EDIT_PLAN):
            raise refuse("access", "您没有办理此事的权限", wanted="系统管理员或牵头部门的账号")
        messages.success(request, _("名录已更新，新增%(n)s家。") % {"n": registry.refresh()})
        return redirect("filing_bodies")
    listed = registry.visible(user)
    asked = {k: request.GET.get(k, "")[:40] for k in ("q", "kind", "region", "energy")}
    if asked["q"]:
        listed = listed.filter(Q(subject__name__icontains=asked["q"]) | Q(credit_code__startswith=asked["q"].upper()))
    for key, field in (("kind", "kind"), ("region", "region"), ("energy", "energy_class")):
        if asked[key]:
            listed = listed.filter(**{field: asked[key]})
    page = Paginator(listed, 50).get_page(request.GET.get("page"))
    names = {r.code: r for r in observed.current().plan.regions}
    context = {
        "page_obj": page, "rows": [(b, names.get(b.region)) for b in page], "asked": asked, "regions": list(names.values()), "kinds": BODY_KINDS,
        "classes": ENERGY_CLASSES, "may_add": registry.may_edit(user), "may_refresh": may(user.acting, Permission.ADMINISTER) or may(user.acting, Permission.EDIT_PLAN),
    }  # fmt: skip
    return render(request, "filing/bodies.html", context)


@signed_in(Permission.VIEW_PUBLIC)
@require_http_methods(["GET", "POST"])
def body(request: HttpRequest, code: str = "") -> HttpResponse:
    """A body's particulars and filings; with an empty code the form to register a unit."""
    user = person(request)
    kept = Body.objects.select_related("subject__parent").filter(subject__code=code).first() if code else None
    if code and kept is None:
        raise refuse("body.unknown", "单位名录中没有这个单位", fix="从名录进入。")
    if (kept is not None and not registry.may_see(user, kept)) or (kept is None and not registry.may_edit(user)):
        raise refuse("access", "您没有办理此事的权限", wanted="该单位、所在县（市）区或系统管理员的账号")
    problems: list[Problem] = []
    given: dict[str, str] = {f: getattr(kept, f) for f in registry.FIELDS} if kept else {}
    if kept:
        given |= {"name": kept.name, "industry": kept.subject.industry, "active": "1" if kept.active else "0"}
    if request.method == "POST":
        given = {k: str(v) for k, v in request.POST.items()}
        try:
            saved = registry.save_unit(user, given, code)
            messages.success(request, _("单位信息已保存。"))
            return redirect(saved)
        except ProblemError as error:
            if status_of(error.problems) == 403:
                raise
            problems = error.problems
    names = {r.code: r for r in observed.current().plan.regions}
    filings = (
        duties.seen(user).filter(body=kept).order_by("-period")[:40]
        if kept and may(user.acting, Permission.VIEW_UNIT)
        else []
    )
    context = {
        "body": kept, "given": given, "problems": problems, "regions": list(names.values()), "region": names.get(kept.region) if kept else None,
        "classes": ENERGY_CLASSES, "dischargers": DISCHARGER_CLASSES, "filings": [(f, content.book().at(f.form, f.when.end)) for f in filings],
        "edit": registry.may_edit(user, kept) and (kept is None or kept.kind == "unit"),
    }  # fmt: skip
    return render(request, "filing/body.html", context, status=422 if problems else 200)


# --- keys to the API -----------------------------------------------------------------------------------------
@signed_in(Permission.FILE)
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """The person's keys to the API; a new key is shown once."""
    user, fresh, problems = person(request), "", []
    if request.method == "POST":
        try:
            if chosen := request.POST.get("revoke", "")[:18]:
                tokens.revoke(user, int(chosen) if chosen.isascii() and chosen.isdigit() else 0)
                return redirect("filing_keys")
            fresh = tokens.issue(user, request.POST.get("name", ""), request.POST.get("days", ""))
        except ProblemError as error:
            problems = error.problems
    return render(
        request,
        "filing/keys.html",
        {"keys": user.tokens.all(), "fresh": fresh, "problems": problems},
        status=422 if problems else 200,
    )
