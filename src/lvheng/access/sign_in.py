"""The steps of signing in after the password: the code of the second factor, or setting it up where the role asks for it.

Until the last step is done nobody is signed in: the session only remembers, for some minutes, whose password was right.
"""

from __future__ import annotations

import time
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_lockout_response
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from lvheng.access import second_factor, services
from lvheng.access.models import User

PENDING = "access.pending"
MINUTES = 10
BACKEND = "django.contrib.auth.backends.ModelBackend"


def proceed(request: HttpRequest, user: User, goal: str) -> HttpResponse:
    """After a right password: sign in, or ask for the second factor first."""
    if user.has_left:
        services.close_left()
        messages.error(request, _("该账号的离任日期已过，不能再登录。有疑问的，请联系系统管理员。"))
        return redirect("sign_in")
    if second_factor.device(user) is None and not second_factor.required(user):
        return finish(request, user, goal)
    request.session.cycle_key()
    request.session[PENDING] = {"user": user.pk, "goal": goal, "at": time.time(), "mark": user.get_session_auth_hash()}
    return redirect("sign_in_code" if second_factor.device(user) else "sign_in_enrol")


def pending(request: HttpRequest) -> tuple[User, str] | None:
    """Whose password was right a while ago and is unchanged, and where it wants to go."""
    kept: dict[str, Any] = request.session.get(PENDING) or {}
    if not kept or time.time() - kept["at"] > MINUTES * 60:
        request.session.pop(PENDING, None)
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    return (user, kept["goal"]) if user is not None and user.get_session_auth_hash() == kept["mark"] else None


def finish(request: HttpRequest, user: User, goal: str) -> HttpResponse:
    request.session.pop(PENDING, None)
    login(request, user, backend=BACKEND)
    return redirect(goal)


def locked(request: HttpRequest, user: User) -> HttpResponse | None:
    """The page of a locked account, None while trying is allowed."""
    credentials = {"username": user.username}
    if AxesProxyHandler.is_allowed(request, credentials):
        return None
    return get_lockout_response(request, None, credentials)


def wrong(request: HttpRequest, user: User) -> None:
    """Count a wrong code as a failed signing in."""
    user_login_failed.send(sender=__name__, credentials={"username": user.username}, request=request)
