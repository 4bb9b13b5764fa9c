from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.filing.town import People


@pytest.fixture
def town(db: Any) -> People:
    """A small city with people of every role; see :mod:`tests.filing.town`."""
    from tests.filing.town import build  # models may be imported when Django has started

    return build()
