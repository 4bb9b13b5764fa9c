"""Text that every database can keep: PostgreSQL refuses NUL and lone surrogates, which people's files may hold."""

from __future__ import annotations

import re
from typing import Any

from django.db import models

_REFUSED = re.compile("[\x00\ud800-\udfff]")


def storable(value: Any) -> Any:
    """The same JSON value with U+FFFD for each character that cannot be kept."""
    if isinstance(value, str):
        return _REFUSED.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(k): storable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(v) for v in value]
    return value


class StorableJSONField(models.JSONField):
    """A JSON column that takes whatever was sent; to migrations it is Django's own."""

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        plain = isinstance(value, (str, dict, list, tuple))
        return super().get_db_prep_value(storable(value) if plain else value, connection, prepared)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


class StorableCharField(models.CharField[str, str]):
    """A text column that takes whatever was typed or sent; to migrations it is Django's own."""

    def get_prep_value(self, value: Any) -> Any:
        return storable(super().get_prep_value(value))

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
