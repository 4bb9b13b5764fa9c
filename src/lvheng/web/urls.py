"""All addresses. Each room brings its own ``urls.py``; the address bar always names what is seen."""

from __future__ import annotations

from importlib.util import find_spec

from django.conf import settings
from django.urls import include, path

urlpatterns = [path("i18n/", include("django.conf.urls.i18n")), path("", include("lvheng.web.pages.urls"))]
urlpatterns += [
    path("", include(f"lvheng.{room}.urls"))
    for room in settings.ROOMS
    if room != "web" and find_spec(f"lvheng.{room}.urls")
]
