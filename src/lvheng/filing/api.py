"""The API of filing: what a page can file, a body's own system can file.

Keys are of a person and so of its body; faults are problem details (RFC 9457); writes take ``Idempotency-Key`` and,
where content is replaced, ``If-Match``. Everything runs through the same services as the pages.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import date, datetime
from functools import wraps
from typing import Annotated, Any

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, transaction
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import parse_etags
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_GET
from ninja import Field, File, NinjaAPI, Path, Query, Schema, Status
from ninja.errors import AuthenticationError, AuthorizationError, HttpError, Throttled, ValidationError
from ninja.files import UploadedFile
from ninja.parser import Parser
from ninja.security import HttpBearer

from lvheng.access.models import User
from lvheng.access.roles import Permission
from lvheng.access.storable import storable
from lvheng.core.period import Kind, Period
from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.filing import content, duties, evidence, forms, imports, rate, registry, security, services, tokens
from lvheng.filing.faults import PROBLEM_JSON, details, fault, one, plain
from lvheng.filing.models import Filing, FilingVersion, IdempotencyKey, ImportJob
from lvheng.filing.services import refuse

log = logging.getLogger(__name__)
PAGE = 50
FAULTS = frozenset({400, 401, 403, 404, 405, 409, 412, 413, 422, 429, 500})


class Key(HttpBearer):
    """接口密钥：``Authorization: Bearer lvheng-…``"""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        held = tokens.holder(token)
        if held is None:
            return None
        if wait := rate.take(held.pk):
            raise Throttled(wait)
        security.hold(held.user)
        return held.user


class Documented(NinjaAPI):
    """Faults are documented with the media type that they are sent with."""

    def get_openapi_schema(self, **more: Any) -> Any:
        schema = super().get_openapi_schema(**more)
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    if int(status) in FAULTS:
                        answer["content"] = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
        return schema


class Exact(Parser):
    """Numbers of a body with all the digits that they are written with."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        body: dict[str, Any] = content.read_json(request.body)
        return body


api = Documented(
    title="绿衡填报接口", version="1", description=_("密钥在“填报—接口密钥”发放，只能办理本单位的填报。"), auth=Key(), docs_url=None, urls_namespace="api",
    parser=Exact(),
)  # fmt: skip


# --- faults -------------------------------------------------------------------------------------------
class Fault(Schema):
    code: str
    message: str
    severity: str
    place: dict[str, Any] = {}
    got: str = ""
    wanted: str = ""
    source: str = ""
    fix: str = ""
    sheet: str = ""
    key: str = ""
    column: str = ""
    check: str = ""
    answer: str = ""


class ProblemDetails(Schema):
    type: str = Field("about:blank", description="问题类别的地址")
    title: str
    status: int
    problems: list[Fault]


@api.exception_handler(ProblemError)
def _on_problem(request: HttpRequest, error: ProblemError) -> HttpResponse:
    from lvheng.filing.views import status_of

    return details(error.problems, status_of(error.problems))


_WANTED = {
    "missing": "必填", "int_parsing": "整数", "int_type": "整数", "string_type": "文字", "dict_type": "对象",
    "greater_than_equal": "不小于{ge}", "less_than_equal": "不大于{le}", "string_too_long": "不超过{max_length}个字",
}  # fmt: skip


def _wanted(error: dict[str, Any]) -> str:
    kind = str(error.get("type", ""))
    written = "年-月-日，如2026-03-31" if kind.startswith("date") else "接口说明规定的类型和范围"
    return _WANTED.get(kind, written).format_map(error.get("ctx") or {})


@api.exception_handler(ValidationError)
def _on_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    found: list[Problem] = [
        Problem("filing.api.request", "请求的内容不合要求", got=str(e.get("input", ""))[:80], wanted=_wanted(e), fix="按接口说明改正：" + ".".join(map(str, e.get("loc", ()))))
        for e in error.errors[:50]
    ]  # fmt: skip
    return details(found, 422)


@api.exception_handler(AuthenticationError)
def _on_authentication(request: HttpRequest, error: Exception) -> HttpResponse:
    response = one("key", "没有密钥，或密钥无效、已过期", 401, fix="在“填报—接口密钥”发放新密钥。")
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(AuthorizationError)
def _on_authorization(request: HttpRequest, error: Exception) -> HttpResponse:
    return one("access", "没有办理此事的权限", 403)


@api.exception_handler(HttpError)
def _on_http(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error, Throttled):
        response = one(
            "rate",
            "请求过于频繁",
            429,
            wanted=f"每{rate.SECONDS:.0f}秒不超过{rate.REQUESTS}次",
            fix=f"{error.wait}秒后再试。",
        )
        response["Retry-After"] = str(error.wait)
        return response
    return one("request", "请求无法识别", error.status_code, fix="按接口说明改正。")


@api.exception_handler(RequestDataTooBig)
def _on_size(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return plain(413)


@api.exception_handler(Exception)
def _on_defect(request: HttpRequest, error: Exception) -> HttpResponse:
    log.exception("%s %s", request.method, request.path)
    return plain(500)


@api.exception_handler(Http404)
def _on_absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return plain(404)


# --- writes once ----------------------------------------------------------------------------------------
def once(view: Callable[..., Any]) -> Callable[..., Any]:
    """With ``Idempotency-Key`` the same request again gives the same answer and does nothing; a failed one may be retried."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return view(request, *args, **kwargs)
        if len(key) > 80 or not key.isprintable():
            return one("idempotency.key", "Idempotency-Key 应为不超过80个可见字符", 422)
        raw = b"" if request.FILES else request.body
        files = "".join(map(_content_mark, request.FILES.values()))
        mark = hashlib.sha256(f"{request.method} {request.path} {files} ".encode() + raw).hexdigest()
        user = user_of(request)
        if (kept := _kept(user, key, mark)) is not None:
            return kept
        try:
            with transaction.atomic():
                result = view(request, *args, **kwargs)
                if isinstance(result, HttpResponse):  # a fault: nothing was done, so nothing is kept
                    return result
                status, answer = _plain(result)
                IdempotencyKey.objects.create(
                    user=user, key=key, request=mark, status=status, answer=answer, at=timezone.now()
                )
        except IntegrityError:
            if (kept := _kept(user, key, mark)) is not None:
                return kept
            raise
        return Status(status, answer)

    return run


def _content_mark(file: Any) -> str:
    mark = hashlib.sha256(file.read()).hexdigest()
    file.seek(0)
    return mark


def _kept(user: User, key: str, mark: str) -> Any:
    found = IdempotencyKey.objects.filter(user=user, key=key).first()
    if found is None:
        return None
    if found.request != mark:
        return one("idempotency.other", "这个 Idempotency-Key 已用于另一个请求", 422, fix="换一个新的。")
    return Status(found.status, found.answer)


def _plain(result: Any) -> tuple[int, Any]:
    status, answer = (result.status_code, result.value) if isinstance(result, Status) else (200, result)
    return status, json.loads(json.dumps(answer, ensure_ascii=False, default=str))


def user_of(request: HttpRequest) -> User:
    user: User = request.auth  # type: ignore[attr-defined]
    return user


# --- shapes -------------------------------------------------------------------------------------------------
class FormOut(Schema):
    form: str
    code: str
    title: str
    frequency: Kind
    reviewers: list[str]


class BodyOut(Schema):
    code: str
    name: str
    kind: str
    region: str
    credit_code: str


class FilingOut(Schema):
    id: int
    form: str
    body: str
    period: str
    due: date
    state: str
    number: int
    edits: int
    changed_at: datetime


class FilingData(FilingOut):
    sheets: dict[str, Any]
    nil: bool
    findings: list[Fault]


class FilingPage(Schema):
    items: list[FilingOut]
    count: int
    page: int


class BodyPage(Schema):
    items: list[BodyOut]
    count: int
    page: int


class StartIn(Schema):
    form: Annotated[str, Field(max_length=64)]
    body: Annotated[str, Field(max_length=64)]
    period: Annotated[str, Field(max_length=20, description="如 2026-03、2026Q1、2025")]


class DataIn(Schema):
    sheets: dict[str, Any] = Field(description="{工作表: [{栏目: 值}]}，见 /api/forms/{form}/schema")


class SubmitIn(Schema):
    note: Annotated[str, Field(max_length=400)] = ""


class ReasonIn(Schema):
    reason: Annotated[str, Field(max_length=400)]


class AnswerIn(ReasonIn):
    check: Annotated[str, Field(max_length=120)]
    sheet: Annotated[str, Field(max_length=64)] = ""
    key: Annotated[str, Field(max_length=160)] = ""
    column: Annotated[str, Field(max_length=64)] = ""
    evidence: int | None = Field(None, ge=1, le=2**63 - 1)


class ExtensionIn(ReasonIn):
    until: date


class ImportOut(Schema):
    id: int
    state: str
    stage: str
    done: int
    total: int
    summary: dict[str, Any]
    problems: list[Fault]


class StepOut(Schema):
    at: datetime
    by: str
    action: str
    text: str
    number: int


class AttachmentOut(Schema):
    id: int
    name: str
    kind: str
    size: int
    digest: str


Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


def answers(shape: Any, status: int = 200) -> Any:
    return {status: shape, FAULTS: ProblemDetails}


def _found(request: HttpRequest, pk: int) -> Filing:
    filing = Filing.objects.select_related("body__subject").filter(pk=pk).first()
    if filing is None or not duties.may_read(user_of(request), filing):
        raise refuse("unknown", "没有这份填报，或您无权查看", got=str(pk))
    return filing


def _filing(filing: Filing, edits: int) -> dict[str, Any]:
    return {
        "id": filing.pk, "form": filing.form, "body": filing.body.subject.code, "period": filing.period, "due": filing.due, "state": filing.state,
        "number": filing.number, "edits": edits, "changed_at": filing.changed_at,
    }  # fmt: skip


def _version(filing: Filing) -> FilingVersion:
    return FilingVersion.objects.filter(filing=filing).latest("number")


def _tag(filing: Filing, version: FilingVersion) -> str:
    """The mark of what is answered: another with every save, step, answer, and deadline."""
    given = filing.answers.aggregate(last=Max("pk"), ended=Count("ended_at"))
    answers = f"{given['last'] or 0}.{given['ended']}"
    return f'"{filing.pk}-{version.number}-{version.edits}-{version.state}-{answers}-{filing.due:%Y%m%d}"'


def _known(request: HttpRequest, tag: str) -> bool:
    """Whether the caller has it already: compared weakly (RFC 9110, 13.1.2), as a proxy may have weakened the tag."""
    held = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in held or tag in {t.removeprefix("W/") for t in held}


def _after(request: HttpRequest, pk: int, act: Callable[..., Any], *given: Any) -> dict[str, Any]:
    """Do one thing to a filing that the key may read; the filing as it is then."""
    _found(request, pk)
    act(user_of(request), pk, *given)
    filing = _found(request, pk)
    return _filing(filing, _version(filing).edits)


def _import(job: ImportJob) -> dict[str, Any]:
    return {
        "id": job.pk,
        "state": job.state,
        "stage": job.stage,
        "done": job.done,
        "total": job.total,
        "summary": job.summary,
        "problems": job.problems,
    }


def _sheets(version: FilingVersion, form: forms.Form) -> dict[str, Any]:
    """Stored content in the shape that the API takes."""
    data = version.data or {}
    return {
        s.sheet: (
            [r["cells"] for r in data.get(s.sheet, [])]
            if s.key
            else next((r["cells"] for r in data.get(s.sheet, [])), {})
        )
        for s in form.sheets
        if s.sheet in data
    }


# --- reading ----------------------------------------------------------------------------------------------
@api.get("/forms", response=answers(list[FormOut]), summary=_("本单位应报的表"))
def list_forms(request: HttpRequest) -> Any:
    bodies = duties.own_bodies(user_of(request))
    return [
        {"form": f.id, "code": f.code, "title": f.title.zh, "frequency": f.frequency, "reviewers": list(f.entry.reviewers)}
        for f in content.book().all(timezone.localdate()) if any(content.applies(f, b) for b in bodies)
    ]  # fmt: skip


@api.get("/forms/{form}/schema", response=answers(dict[str, Any]), summary=_("一张表的数据结构"))
def form_schema(request: HttpRequest, form: Annotated[str, Path(max_length=64)], day: date | None = None) -> Any:
    return forms.schema(content.book().at(form, day or timezone.localdate()))


@api.get("/bodies", response=answers(BodyPage), summary=_("可查看的单位"))
def list_bodies(request: HttpRequest, page: Annotated[int, Query(ge=1, le=10_000)] = 1) -> Any:
    found = registry.visible(user_of(request))
    part = found[(page - 1) * PAGE : page * PAGE]
    items = [
        {"code": b.subject.code, "name": b.name, "kind": b.kind, "region": b.region, "credit_code": b.credit_code}
        for b in part
    ]
    return {"items": items, "count": found.count(), "page": page}


@api.get("/filings", response=answers(FilingPage), summary=_("可查看的填报"))
def list_filings(
    request: HttpRequest, form: Annotated[str, Query(max_length=64)] = "", period: Annotated[str, Query(max_length=20)] = "",
    state: Annotated[str, Query(max_length=16)] = "", page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Any:  # fmt: skip
    found = duties.seen(user_of(request)).order_by("-changed_at", "-pk")
    for field, value in (("form", form), ("period", period), ("state", state)):
        if "\0" in value:
            raise refuse("api.text", "文字中有不允许的字符")
        if value:
            found = found.filter(**{field: value})
    part = list(found[(page - 1) * PAGE : page * PAGE])
    edits = {
        v["filing_id"]: v["edits"]
        for v in FilingVersion.objects.filter(filing__in=part).order_by("number").values("filing_id", "edits")
    }
    return {"items": [_filing(f, edits.get(f.pk, 0)) for f in part], "count": found.count(), "page": page}


@api.get(
    "/filings/{pk}",
    response={200: FilingData, 304: None, FAULTS: ProblemDetails},
    summary=_("一份填报的内容和审核提示"),
)
def read_filing(request: HttpRequest, response: HttpResponse, pk: Id) -> Any:
    filing = _found(request, pk)
    version = _version(filing)
    tag = _tag(filing, version)
    if _known(request, tag):
        return HttpResponse(status=304, headers={"ETag": tag})
    form = content.form_of(filing)
    findings = (
        []
        if version.nil or content.is_empty(version.data)
        else content.findings(filing, form, forms.load(version.data) or {})
    )
    response["ETag"] = tag
    return {
        **_filing(filing, version.edits),
        "sheets": _sheets(version, form),
        "nil": version.nil,
        "findings": [fault(p) for p in findings[:500]],
    }


@api.get("/filings/{pk}/history", response=answers(list[StepOut]), summary=_("办理过程"))
def read_history(request: HttpRequest, pk: Id) -> Any:
    return [
        {"at": s.at, "by": s.by, "action": s.action, "text": s.text, "number": s.number}
        for s in _found(request, pk).steps.all()
    ]


# --- writing ----------------------------------------------------------------------------------------------
@api.post("/filings", response=answers(FilingOut, 201), summary=_("开始一份填报；已有的原样返回"))
@once
def start_filing(request: HttpRequest, given: StartIn) -> Any:
    filing = services.start(user_of(request), given.form, storable(given.body), Period.parse(given.period))
    return Status(201, _filing(filing, _version(filing).edits))


@api.put("/filings/{pk}", response=answers(FilingData), summary=_("以所给内容替换草稿"))
@once
def write_filing(request: HttpRequest, pk: Id, given: DataIn) -> Any:
    user, filing = user_of(request), _found(request, pk)
    services.need(user, Permission.FILE, filing.owner)
    version = _version(filing)
    wanted = parse_etags(request.headers.get("If-Match", ""))
    if wanted and not {"*", _tag(filing, version)} & set(wanted):
        return one("etag", "填报在您读取之后又有改动", 412, fix="重新读取后再改。")
    form = content.form_of(filing)
    reading = forms.from_json(given.dict(), form)
    if any(p.severity is Severity.BLOCKER for p in reading.problems):
        raise ProblemError(reading.problems)
    saved = services.save_draft(user, pk, reading.data, version.edits if version.state == "draft" else None, "api")
    filing.refresh_from_db()
    findings = [*reading.problems, *content.findings(filing, form, reading.data)]
    return {
        **_filing(filing, saved.edits),
        "sheets": _sheets(saved, form),
        "nil": saved.nil,
        "findings": [fault(p) for p in findings[:500]],
    }


@api.post("/filings/{pk}/dry-run", response=answers(ImportOut), summary=_("只核对和比较，不写入草稿；确认后才写入"))
@once
def dry_run(request: HttpRequest, pk: Id, given: DataIn) -> Any:
    _found(request, pk)
    return _import(imports.take(user_of(request), pk, lambda form: forms.from_json(given.dict(), form), "", "api"))


@api.post("/filings/{pk}/file", response=answers(ImportOut), summary=_("上传表格文件并核对；确认后才写入"))
@once
def send_file(request: HttpRequest, pk: Id, file: File[UploadedFile]) -> Any:
    _found(request, pk)
    return _import(imports.upload(user_of(request), pk, file.read(), evidence.clean_name(file.name or "")))


def _job(request: HttpRequest, pk: int, job: int) -> ImportJob:
    found = ImportJob.objects.filter(filing=_found(request, pk), pk=job).first()
    if found is None:
        raise refuse("import.unknown", "没有这次导入")
    return imports.refresh(found)


@api.get("/filings/{pk}/imports/{job}", response=answers(ImportOut), summary=_("一次导入的进度、差异和问题"))
def read_import(request: HttpRequest, pk: Id, job: Id) -> Any:
    return _import(_job(request, pk, job))


@api.post("/filings/{pk}/imports/{job}/confirm", response=answers(FilingOut), summary=_("确认导入，写入草稿"))
@once
def confirm_import(request: HttpRequest, pk: Id, job: Id) -> Any:
    _job(request, pk, job)
    return _after(request, pk, imports.confirm, job)


@api.post("/filings/{pk}/imports/{job}/undo", response=answers(FilingOut), summary=_("撤销导入（审核开始前）"))
@once
def undo_import(request: HttpRequest, pk: Id, job: Id) -> Any:
    _job(request, pk, job)
    return _after(request, pk, imports.undo, job)


@api.post("/filings/{pk}/imports/{job}/again", response=answers(ImportOut), summary=_("重新处理未能读取的文件"))
@once
def read_again(request: HttpRequest, pk: Id, job: Id) -> Any:
    _job(request, pk, job)
    return _import(imports.again(user_of(request), pk, job))


@api.post("/filings/{pk}/submit", response=answers(FilingOut), summary=_("提交"))
@once
def submit_filing(request: HttpRequest, pk: Id, given: SubmitIn) -> Any:
    return _after(request, pk, services.submit, given.note)


@api.post("/filings/{pk}/withdraw", response=answers(FilingOut), summary=_("撤回提交（审核开始前）"))
@once
def withdraw_filing(request: HttpRequest, pk: Id) -> Any:
    return _after(request, pk, services.withdraw)


@api.post("/filings/{pk}/correct", response=answers(FilingOut), summary=_("对已接收或退回的填报另报一版"))
@once
def correct_filing(request: HttpRequest, pk: Id, given: ReasonIn) -> Any:
    return _after(request, pk, services.correct, given.reason)


@api.post("/filings/{pk}/nil", response=answers(FilingOut), summary=_("作零报告"))
@once
def nil_filing(request: HttpRequest, pk: Id, given: ReasonIn) -> Any:
    return _after(request, pk, services.file_nil, given.reason)


@api.post("/filings/{pk}/answers", response=answers(FilingOut), summary=_("对审核提示作出说明"))
@once
def answer_check(request: HttpRequest, pk: Id, given: AnswerIn) -> Any:
    cell = (given.sheet, given.key, given.column)
    return _after(request, pk, services.answer, given.check, cell, given.reason, given.evidence)


@api.post("/filings/{pk}/extensions", response=answers(FilingOut), summary=_("申请延期"))
@once
def ask_extension(request: HttpRequest, pk: Id, given: ExtensionIn) -> Any:
    return _after(request, pk, services.ask_extension, given.until, given.reason)


@api.post("/filings/{pk}/attachments", response=answers(AttachmentOut, 201), summary=_("上传佐证材料"))
@once
def add_attachment(request: HttpRequest, pk: Id, file: File[UploadedFile]) -> Any:
    _found(request, pk)
    made = evidence.attach(user_of(request), pk, file.read(), file.name or "")
    return Status(201, {"id": made.pk, "name": made.name, "kind": made.kind, "size": made.size, "digest": made.digest})


@require_GET
def documentation(request: HttpRequest) -> HttpResponse:
    """The API in words, from its own OpenAPI description."""
    schema = api.get_openapi_schema(path_prefix="/api/")
    operations = [
        {"method": method.upper(), "path": path, "title": op.get("summary", ""), "parameters": op.get("parameters", []),
         "body": next(iter(op.get("requestBody", {}).get("content", {})), ""), "shape": _shape(schema, op)}
        for path, found in schema["paths"].items() for method, op in found.items()
    ]  # fmt: skip
    return render(request, "filing/api.html", {"operations": operations, "description": schema["info"]["description"]})


def _shape(schema: dict[str, Any], operation: dict[str, Any]) -> list[tuple[str, str]]:
    """The fields of a request's body: (name, type)."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        name = media["schema"].get("$ref", "").rsplit("/", 1)[-1]
        found = schema["components"]["schemas"].get(name, media["schema"])
        return [
            (field, str(kind.get("description", "") or kind.get("format", "") or kind.get("type", "")))
            for field, kind in found.get("properties", {}).items()
        ]
    return []
