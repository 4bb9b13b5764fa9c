"""Signing in and out, and the language of the interface."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from lvheng.access.models import User
from lvheng.access.sign_in import proceed


class SignInForm(AuthenticationForm):
    """Account and password; the same words whether the account or the password is wrong."""

    error_messages = {
        "invalid_login": _("账号或口令不对。请核对大小写和输入法后重试；连续输错5次将暂停登录15分钟。"),
        "inactive": _("该账号已停用，请联系系统管理员。"),
    }

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["username"].label, self.fields["password"].label = _("账号"), _("口令")
        for name, field in self.fields.items():
            field.error_messages["required"] = _("请填写账号。") if name == "username" else _("请填写口令。")
            field.widget.attrs.setdefault("aria-describedby", f"error-{name}")


class SignIn(LoginView):
    template_name = "web/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        return proceed(self.request, user, self.get_success_url())

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"demo_accounts": demo_accounts()}


def demo_accounts() -> list[dict[str, str]]:
    """Accounts to try, on a demo site only."""
    try:
        from lvheng.demo.accounts import accounts
    except ImportError:
        return []
    return accounts()


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("plan")


@csrf_exempt  # changes nothing but the reader's own language cookie, so that public pages need no token
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language in a cookie and go back to where the reader was."""
    goal = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(goal, {request.get_host()}, require_https=request.is_secure()):
        goal = "/"
    response = HttpResponseRedirect(goal)
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, chosen, max_age=365 * 86400, samesite="Lax", secure=settings.LANGUAGE_COOKIE_SECURE, httponly=True
        )  # fmt: skip
    return response
