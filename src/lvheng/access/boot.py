"""Starting Django for a command that needs the database; the others start without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def with_django(function: Callable[P, T]) -> Callable[P, T]:
    """Set Django up before the command runs."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lvheng.web.settings")
        django.setup()
        return function(*args, **kwargs)

    return run
