"""The administrator's pages of filing: keys to the API, reminders by mail, extensions of deadlines."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from lvheng.access.models import User
from lvheng.access.roles import Permission
from lvheng.access.storable import storable
from lvheng.access.views import only
from lvheng.core.problem import Problem, ProblemError
from lvheng.filing import content, reminders, tokens
from lvheng.filing.models import LETTER_STATES, ApiToken, Extension, Letter
from lvheng.filing.views import person, status_of

ROWS = 50


def _asked(request: HttpRequest) -> str:
    return storable(request.GET.get("q", "").strip()[:40])


@only(Permission.ADMINISTER)
@require_GET
def keys(request: HttpRequest) -> HttpResponse:
    """All keys to the API: whose, what for, until when, when last used."""
    asked = _asked(request)
    found = ApiToken.objects.select_related("user")
    if asked:
        found = found.filter(
            Q(user__username__icontains=asked) | Q(user__full_name__icontains=asked) | Q(name__icontains=asked)
        )
    return render(
        request,
        "filing/administration/keys.html",
        {"page_obj": Paginator(found, ROWS).get_page(request.GET.get("page")), "asked": asked},
    )


@only(Permission.ADMINISTER)
@require_POST
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    tokens.revoke_any(person(request), token_id)
    messages.success(request, _("密钥已停用。"))
    return redirect("filing_tokens")


@only(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def letters(request: HttpRequest) -> HttpResponse:
    """When reminders are sent, how mail leaves the site, and every letter with what became of it."""
    problems: list[Problem] = []
    if request.method == "POST":
        given = request.POST
        try:
            if given.get("trial"):
                reminders.send_trial(person(request))
                done = (
                    _("试验邮件已交邮件服务器，请查收。") if reminders.goes_out() else _("试验邮件已写成，没有寄出。")
                )
            else:
                reminders.set_schedule(
                    person(request), given.get("before", ""), given.get("after", ""), given.get("digest", "")
                )
                done = _("设置已保存。")
            messages.success(request, done)
            return redirect("filing_reminders")
        except ProblemError as error:
            problems = error.problems
    asked, state = _asked(request), request.GET.get("state", "")
    found = Letter.objects.select_related("person").defer("text")
    if asked:
        found = found.filter(
            Q(person__username__icontains=asked) | Q(person__full_name__icontains=asked) | Q(address__icontains=asked)
        )
    if state in LETTER_STATES:
        found = found.filter(state=state)
    plan = reminders.schedule()
    joined = {side: "、".join(map(str, plan[side])) for side in ("before", "after")}  # type: ignore[call-overload]
    silent = User.objects.filter(is_active=True, role__in=("enterprise", "county", "department", "lead"))
    context = {
        "page_obj": Paginator(found, ROWS).get_page(request.GET.get("page")), "asked": asked, "state": state, "states": LETTER_STATES.items(), "problems": problems,
        "before": request.POST.get("before", joined["before"]), "after": request.POST.get("after", joined["after"]), "digest": request.POST.get("digest", plan["digest"]),
        "digests": reminders.DIGESTS.items(), "way": reminders.way(), "goes_out": reminders.goes_out(), "people": silent.count(),
        "without": silent.filter(email="").count(), "declined": silent.exclude(email="").filter(reminded=False).count(),
    }  # fmt: skip
    return render(
        request, "filing/administration/reminders.html", context, status=status_of(problems) if problems else 200
    )


@only(Permission.ADMINISTER)
@require_http_methods(["GET", "POST"])
def letter(request: HttpRequest, letter_id: int) -> HttpResponse:
    """One letter as it was written; POST sends it again."""
    kept = Letter.objects.select_related("person").filter(pk=letter_id).first()
    if kept is None:
        raise reminders.refuse("letter.unknown", "没有这封邮件", fix="从催报页面进入。")
    problems: list[Problem] = []
    if request.method == "POST":
        try:
            kept = reminders.send_again(person(request), letter_id)
            messages.success(request, _("已重寄：%(state)s。") % {"state": kept.get_state_display()})
            return redirect("filing_letter", letter_id)
        except ProblemError as error:
            problems = error.problems
    return render(
        request,
        "filing/administration/letter.html",
        {"letter": kept, "problems": problems},
        status=status_of(problems) if problems else 200,
    )


@only(Permission.ADMINISTER, Permission.AUDIT)
@require_GET
def extensions(request: HttpRequest) -> HttpResponse:
    """Extensions that were asked for, and what was decided; reviewers decide on their own page."""
    asked, state = _asked(request), request.GET.get("state", "")
    found = Extension.objects.select_related("filing__body__subject")
    if asked:
        found = found.filter(Q(filing__body__subject__name__icontains=asked) | Q(asked_by__icontains=asked))
    if state in ("asked", "granted", "refused"):
        found = found.filter(state=state)
    page = Paginator(found, ROWS).get_page(request.GET.get("page"))
    rows = [
        {
            "it": e,
            "form": content.form_of(e.filing),
            "waits": (timezone.now() - e.asked_at).days if e.state == "asked" else None,
        }
        for e in page
    ]
    return render(
        request,
        "filing/administration/extensions.html",
        {"page_obj": page, "rows": rows, "asked": asked, "state": state},
    )
