"""The language of the interface, and what a person has changed."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation


class SwitchedLanguage(LocaleMiddleware):
    """Chinese first: the language follows the person's switch (a cookie), never the browser's own."""

    def process_request(self, request: HttpRequest) -> None:
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        translation.activate(chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = translation.get_language()


class OwnChanges:
    """Remembers in the session how far the audit chain was after a person's change, so that he sees its result."""

    def __init__(self, answer: Callable[[HttpRequest], HttpResponse]):
        self.answer = answer

    def __call__(self, request: HttpRequest) -> HttpResponse:
        from lvheng.observations.serving import last_event
        from lvheng.shell.sight import CHANGED

        response = self.answer(request)
        if request.method not in ("GET", "HEAD", "OPTIONS") and response.status_code < 400:
            known = settings.SESSION_COOKIE_NAME in request.COOKIES
            if known and request.user.is_authenticated and request.session.get(CHANGED) != (last := last_event()):
                request.session[CHANGED] = last
        return response
