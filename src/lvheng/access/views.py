"""Pages of accounts: people and invitations for the administrator, one's own account, the audit chain."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from lvheng.access import second_factor, services
from lvheng.access.models import AuditEvent, Invitation, User, verify_chain
from lvheng.access.roles import ROLE_WORDS, Permission, Role, may
from lvheng.access.storable import storable
from lvheng.core.problem import Problem, ProblemError

Answer = Callable[..., HttpResponse]


def only(*permissions: Permission) -> Callable[[Answer], Answer]:
    """For people who have one of the permissions; problems become a page that helps."""

    def wrap(view: Answer) -> Answer:
        @wraps(view)
        def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            try:
                if not any(may(_me(request).actor, p) for p in permissions):
                    raise services.refuse("denied", "您没有办理此事的权限", fix="换账号登录，或联系系统管理员。")
                response = view(request, *args, **kwargs)
            except ProblemError as error:
                return _problems(request, error.problems)
            response.headers.setdefault("Cache-Control", "private, no-store")
            return response

        return run

    return wrap


def _me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _problems(request: HttpRequest, problems: list[Problem]) -> HttpResponse:
    codes = {p.code for p in problems}
    status = 403 if "access.denied" in codes else 404 if any(c.endswith(".unknown") for c in codes) else 422
    return render(request, "web/problems.html", {"problems": problems}, status=status)


def _roles() -> list[tuple[str, str]]:
    return [(r.value, w) for r, w in ROLE_WORDS.items() if r is not Role.PUBLIC]


@only(Permission.ADMINISTER)
@require_GET
def people(request: HttpRequest) -> HttpResponse:
    asked = storable(request.GET.get("q", "").strip()[:40])
    found = User.objects.order_by("username")
    if asked:
        found = found.filter(Q(username__icontains=asked) | Q(full_name__icontains=asked))
    page = Paginator(found, 50).get_page(request.GET.get("page"))
    have = set(
        second_factor.TOTPDevice.objects.filter(confirmed=True, user__in=list(page)).values_list("user_id", flat=True)
    )
    rows = [{"person": p, "factor": p.pk in have} for p in page]
    context = {"page_obj": page, "rows": rows, "asked": asked, "invitations": Invitation.objects.all()[:20]}
    return render(request, "access/people.html", context)


@only(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, user_id: int) -> HttpResponse:
    problems: list[Problem] = []
    if request.method == "POST":
        try:
            services.change_person(_me(request), user_id, request.POST.dict())
            messages.success(request, _("人员信息已保存。"))
            return redirect("people")
        except ProblemError as error:
            problems = error.problems
    return _person(request, user_id, problems)


def _person(request: HttpRequest, user_id: int, problems: list[Problem] | None = None, link: str = "") -> HttpResponse:
    found = services.person_of(user_id)
    context = {
        "person": found, "roles": _roles(), "problems": problems or [], "link": link, "factor": second_factor.device(found), "self": found.pk == _me(request).pk,
        "given": {f: request.POST.get(f, getattr(found, f)) for f in ("role", "full_name", "email", "body", "region", "unit")},
        "held": found.held.filter(ended_at=None).select_related("giver"), "handed": found.handed_over.filter(ended_at=None).select_related("receiver"),
    }  # fmt: skip
    return render(request, "access/person.html", context, status=422 if problems else 200)


@only(Permission.ADMINISTER)
@require_POST
def leave(request: HttpRequest, user_id: int) -> HttpResponse:
    """Note a person's last day and successor, or take it back (no day)."""
    try:
        day = _day(request.POST["day"]) if request.POST.get("day") else None
        services.set_leaving(_me(request), user_id, day, request.POST.get("successor", ""))
    except ProblemError as error:
        if any(p.code.endswith(".unknown") for p in error.problems):
            raise
        return _person(request, user_id, error.problems)
    messages.success(request, _("离任安排已保存。") if day else _("离任安排已取消。"))
    return redirect("person", user_id)


@only(Permission.ADMINISTER)
@require_POST
def password_link(request: HttpRequest, user_id: int) -> HttpResponse:
    """A link to set a new password, shown once."""
    try:
        link = reverse("password_reset", args=services.reset_link(_me(request), user_id))
    except ProblemError as error:
        if any(p.code.endswith(".unknown") for p in error.problems):
            raise
        return _person(request, user_id, error.problems)
    return _person(request, user_id, link=request.build_absolute_uri(link))


@require_http_methods(["GET", "POST"])
def reset_password(request: HttpRequest, code: str, token: str) -> HttpResponse:
    """Set a new password by a link from the administrator."""
    problems: list[Problem] = []
    try:
        person = services.reset_of(code, token)
        if request.method == "POST":
            services.reset_password(code, token, request.POST.get("password", ""))
            messages.success(request, _("口令已重置，请登录。"))
            return redirect("sign_in")
    except ProblemError as error:
        if any(p.code.endswith(".unknown") for p in error.problems):
            return _problems(request, error.problems)
        problems = error.problems
    response = render(
        request, "access/reset.html", {"person": person, "problems": problems}, status=422 if problems else 200
    )
    response["Cache-Control"] = "private, no-store"
    return response


@only(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    link, problems = "", []
    if request.method == "POST":
        try:
            link = request.build_absolute_uri(
                reverse("join", args=[services.invite(_me(request), request.POST.dict())])
            )
        except ProblemError as error:
            problems = error.problems
    context = {"roles": _roles(), "given": request.POST, "link": link, "problems": problems}
    return render(request, "access/invite.html", context, status=422 if problems else 200)


@only(Permission.ADMINISTER)
@require_POST
def withdraw(request: HttpRequest, invitation_id: int) -> HttpResponse:
    services.withdraw_invitation(_me(request), invitation_id)
    messages.success(request, _("邀请已撤回。"))
    return redirect("people")


@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Open the account that one was invited to."""
    try:
        offered = services.invitation(secret)
    except ProblemError as error:
        return _problems(request, error.problems)
    problems: list[Problem] = []
    if request.method == "POST":
        try:
            services.join(secret, request.POST.get("username", ""), request.POST.get("password", ""))
            messages.success(request, _("账号已开立，请登录。"))
            return redirect("sign_in")
        except ProblemError as error:
            problems = error.problems
    return render(
        request,
        "access/join.html",
        {"offered": offered, "given": request.POST.get("username", ""), "problems": problems},
        status=422 if problems else 200,
    )


@only(Permission.VIEW_PUBLIC)
@require_GET
def account(request: HttpRequest) -> HttpResponse:
    return _account(request)


def _account(request: HttpRequest, problems: list[Problem] | None = None) -> HttpResponse:
    me = _me(request)
    context = {
        "me": me, "handed": me.handed_over.filter(ended_at=None).select_related("receiver"), "held": me.held.filter(ended_at=None).select_related("giver"),
        "may_hand_over": may(me.actor, Permission.FILE), "problems": problems or [], "given": request.POST, "factor": second_factor.device(me), "required": second_factor.required(me),
    }  # fmt: skip
    return render(request, "access/account.html", context, status=422 if problems else 200)


@only(Permission.VIEW_PUBLIC)
@require_POST
def contact(request: HttpRequest) -> HttpResponse:
    try:
        services.change_contact(
            _me(request), request.POST.get("email", ""), reminded=request.POST.get("reminded") == "1"
        )
    except ProblemError as error:
        return _account(request, error.problems)
    messages.success(request, _("联系邮箱已保存。"))
    return redirect("account")


@only(Permission.VIEW_PUBLIC)
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    try:
        services.change_password(_me(request), request.POST.get("old", ""), request.POST.get("new", ""))
    except ProblemError as error:
        return _account(request, error.problems)
    update_session_auth_hash(request, _me(request))
    messages.success(request, _("口令已修改。"))
    return redirect("account")


def _day(text: str) -> date:
    try:
        found = parse_date(text)
    except ValueError:
        found = None
    if found is None:
        raise services.refuse("date", "日期没有填写，或不是日期", field="日期", got=text[:20], fix="改正日期。")
    return found


@only(Permission.VIEW_PUBLIC)
@require_POST
def hand_over(request: HttpRequest) -> HttpResponse:
    given = request.POST
    try:
        services.hand_over(
            _me(request),
            given.get("receiver", ""),
            _day(given.get("first", "")),
            _day(given.get("last", "")),
            given.get("reason", ""),
        )
    except ProblemError as error:
        return _account(request, error.problems)
    messages.success(request, _("已移交。"))
    return redirect("account")


@only(Permission.VIEW_PUBLIC)
@require_POST
def take_back(request: HttpRequest, delegation_id: int) -> HttpResponse:
    services.take_back(_me(request), delegation_id)
    return redirect("account")


@only(Permission.AUDIT, Permission.ADMINISTER)
@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """The audit chain, latest first; ``?verify=1`` walks it from the start."""
    asked = storable(request.GET.get("q", "").strip()[:60])
    found = AuditEvent.objects.order_by("-id")
    if asked:
        found = found.filter(Q(subject__icontains=asked) | Q(actor__icontains=asked) | Q(action__icontains=asked))
    context: dict[str, Any] = {"page_obj": Paginator(found, 50).get_page(request.GET.get("page")), "asked": asked}
    if request.GET.get("verify"):
        context["rows"], context["broken"] = verify_chain()
        context["verified"] = True
    return render(request, "access/audit.html", context)
