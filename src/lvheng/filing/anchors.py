"""The place of a cell on a filing's page."""

from __future__ import annotations

import re


def anchor(sheet: str, key: str, column: str) -> str:
    """An id that a link can name; key "" for the row of a record sheet."""
    return "c-" + re.sub(r"[^\w-]", "_", f"{sheet}-{key}-{column}")
