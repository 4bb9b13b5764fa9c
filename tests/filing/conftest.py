from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.filing.town import People


@pytest.fixture
def town(db: Any, settings: Any) -> People:
    """A small city with people of every role; see :mod:`tests.filing.town`."""
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    from tests.filing.town import build  # models may be imported when Django has started

    return build()
