"""Pages of the second factor: setting it up, the code at signing in, and which roles must have it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from lvheng.access import second_factor, services, sign_in, wall
from lvheng.access.models import DailyRun, User
from lvheng.access.roles import ROLE_WORDS, Permission, Role
from lvheng.access.site import value
from lvheng.access.views import _me, _person, only
from lvheng.core.problem import Problem, ProblemError


def _page(request: HttpRequest, name: str, problems: list[Problem] | None = None, **more: Any) -> HttpResponse:
    return render(request, f"access/{name}.html", {"problems": problems or [], **more}, status=422 if problems else 200)


def _setting_up(user: User) -> dict[str, Any]:
    found = second_factor.begin(user)
    return {"picture": second_factor.picture(found), "secret": second_factor.secret(found)}


# --- signing in -----------------------------------------------------------------------------------------
@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the code; wrong ones count towards the lock-out."""
    waiting = sign_in.pending(request)
    if waiting is None:
        return redirect("sign_in")
    user, goal = waiting
    if (stopped := sign_in.locked(request, user)) is not None:
        return stopped
    if request.method == "GET":
        return _page(request, "code", goal=goal)
    try:
        second_factor.check(user, request.POST.get("code", ""))
    except ProblemError as error:
        sign_in.wrong(request, user)
        return sign_in.locked(request, user) or _page(request, "code", error.problems)
    return sign_in.finish(request, user, goal)


@never_cache
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Set it up before the first signing in of a role that must have it."""
    waiting = sign_in.pending(request)
    if waiting is None or second_factor.device(waiting[0]) is not None:
        return redirect("sign_in")
    user, goal = waiting
    if (stopped := sign_in.locked(request, user)) is not None:
        return stopped
    if request.method == "GET":
        return _page(request, "enrol", **_setting_up(user))
    try:
        fresh = second_factor.confirm(user, request.POST.get("code", ""))
    except ProblemError as error:
        sign_in.wrong(request, user)
        return sign_in.locked(request, user) or _page(request, "enrol", error.problems, **_setting_up(user))
    sign_in.finish(request, user, goal)
    return _page(request, "codes", codes=fresh, goal=goal)


# --- one's own account -----------------------------------------------------------------------------------
@only(Permission.VIEW_PUBLIC)
@require_http_methods(["GET"])
def own(request: HttpRequest) -> HttpResponse:
    return _own(request)


def _own(request: HttpRequest, problems: list[Problem] | None = None) -> HttpResponse:
    me = _me(request)
    on = second_factor.device(me)
    more = {"left": second_factor.codes_left(me)} if on else _setting_up(me)
    return _page(request, "factor", problems, on=on, required=second_factor.required(me), **more)


@only(Permission.VIEW_PUBLIC)
@require_POST
def act(request: HttpRequest, name: str) -> HttpResponse:
    """confirm, codes (fresh recovery codes) or off."""
    me, given = _me(request), request.POST
    if (stopped := sign_in.locked(request, me)) is not None:
        return stopped
    try:
        match name:
            case "confirm":
                return _page(request, "codes", codes=second_factor.confirm(me, given.get("code", "")))
            case "codes":
                return _page(request, "codes", codes=second_factor.renew_codes(me, given.get("code", "")))
            case "off":
                second_factor.switch_off(me, given.get("password", ""), given.get("code", ""))
                messages.success(request, _("两步验证已关闭。"))
                return redirect("account")
    except ProblemError as error:
        if any(p.code in ("access.factor.code", "access.password.wrong") for p in error.problems):
            sign_in.wrong(request, me)
        return sign_in.locked(request, me) or _own(request, error.problems)
    raise services.refuse("act.unknown", "没有这项操作", got=name[:20], fix="从“我的账号”进入。")


# --- the administrator -------------------------------------------------------------------------------------
@only(Permission.ADMINISTER)
@require_POST
def reset(request: HttpRequest, user_id: int) -> HttpResponse:
    try:
        second_factor.reset(_me(request), user_id)
    except ProblemError as error:
        if any(p.code.endswith(".unknown") for p in error.problems):
            raise
        return _person(request, user_id, error.problems)
    messages.success(request, _("两步验证已重置，此人下次登录只需口令，可重新开启。"))
    return redirect("person", user_id)


@only(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def safety(request: HttpRequest) -> HttpResponse:
    """Which roles must use a second factor; how the site stands: database role, daily jobs."""
    roles = [r for r in Role if r is not Role.PUBLIC]
    if request.method == "POST":
        second_factor.require(_me(request), [r.value for r in roles if r.value in request.POST.getlist("roles")])
        messages.success(request, _("设置已保存，有关人员下次登录时执行。"))
        return redirect("safety")
    wanted = value(second_factor.REQUIRED, [])
    people = User.objects.filter(is_active=True)
    have = set(second_factor.TOTPDevice.objects.filter(confirmed=True).values_list("user_id", flat=True))
    rows = []
    for role in roles:
        ids = set(people.filter(role=role.value).values_list("pk", flat=True))
        rows.append(
            {
                "code": role.value,
                "words": ROLE_WORDS[role],
                "required": role.value in wanted,
                "people": len(ids),
                "on": len(ids & have),
            }
        )
    context = {
        "rows": rows,
        "wall": wall.standing(),
        "postgres": connection.vendor == "postgresql",
        "runs": DailyRun.objects.all()[:10],
    }
    return _page(request, "safety", None, **context)
