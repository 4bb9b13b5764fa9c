"""What all page views share: problems as pages, conditional answers, and a cache for readers without an account."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from lvheng.core.problem import Problem, ProblemError
from lvheng.shell.sight import Sight, sight_of

Answer = Callable[..., HttpResponse]
LONGEST_CACHED_QUERY = 300


def page(view: Answer) -> Answer:
    """A page that anybody may read: problems become a page that helps; unchanged pages are answered from the cache.

    Readers without a session get the same bytes as long as data, rules and language stay the same; such
    pages hold no secret, so that they are kept compressed.
    """

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            key = _key(request)
            if key and (kept := cache.get(key)) is not None:
                return _from_kept(request, *kept)
            response = view(request, *args, **kwargs)
        except ProblemError as error:
            return problem_page(request, error.problems)
        if (
            key
            and response.status_code == 200
            and not response.streaming
            and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")
        ):
            kept = _keep(response)
            cache.set(key, kept, 3600)
            return _from_kept(request, *kept)
        patch_vary_headers(response, ["HX-Request"])
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return run


def live(view: Answer) -> Answer:
    """A page for one reader or one moment, never kept; problems become a page that helps."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except ProblemError as error:
            return problem_page(request, error.problems)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    return run


def _key(request: HttpRequest) -> str:
    """The cache key, or empty when the answer is for one person or one occasion."""
    asked = request.META.get("QUERY_STRING", "")
    personal = settings.SESSION_COOKIE_NAME in request.COOKIES or request.method not in ("GET", "HEAD")
    if personal or len(asked) > LONGEST_CACHED_QUERY:
        return ""
    part = (request.headers.get("HX-Target", "") or "part") if _is_part(request) else "page"
    return sight_of(request).key("page", part, request.path, hashlib.sha256(asked.encode()).hexdigest())


def _is_part(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _keep(response: HttpResponse) -> tuple[bytes, str, dict[str, str]]:
    body = response.content
    headers = {
        n: response[n]
        for n in ("Content-Type", "Content-Disposition", "Content-Language", "HX-Push-Url")
        if n in response
    }
    return gzip.compress(body, 5, mtime=0), hashlib.sha256(body).hexdigest()[:24], headers


def _from_kept(request: HttpRequest, packed: bytes, tag: str, headers: dict[str, str]) -> HttpResponse:
    etag = f'W/"{tag}"'
    if etag in request.headers.get("If-None-Match", ""):
        response: HttpResponse = HttpResponseNotModified()
    elif "gzip" in request.headers.get("Accept-Encoding", ""):
        response = HttpResponse(packed, headers=headers)
        response["Content-Encoding"] = "gzip"
    else:
        response = HttpResponse(gzip.decompress(packed), headers=headers)
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Accept-Encoding", "Accept-Language", "Cookie", "HX-Request"])
    return response


def problem_page(request: HttpRequest, problems: list[Problem], status: int | None = None) -> HttpResponse:
    """Problems as a page: what happened, where, what was wanted, what to do."""
    if status is None:
        missing = any("unknown" in p.code or p.code.endswith(".none") for p in problems)
        status = 404 if missing else 400
    return render(request, "web/problems.html", {"problems": problems}, status=status)


def respond(request: HttpRequest, template: str, context: dict[str, Any], **options: Any) -> HttpResponse:
    """Render a page with the sight in its context."""
    return render(request, template, {"sight": sight_of(request), **context}, **options)


def as_of(sight: Sight) -> str:
    """The note under a table: as of which position and day."""
    from lvheng.shell.words import date_label

    return _("数据截至第%(position)s次入库，%(day)s。") % {
        "position": sight.view.position,
        "day": date_label(sight.view.today),
    }


def known_or_404(found: Any) -> Any:
    if found is None:
        raise Http404
    return found
