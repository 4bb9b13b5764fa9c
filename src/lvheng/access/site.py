"""Settings of the whole site that an administrator changes, kept as data; every change is in the audit chain."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from lvheng.access.models import Setting, User, append_event
from lvheng.access.services import administrator


def value(name: str, default: Any) -> Any:
    """The setting, or the default when nobody decided."""
    found = Setting.objects.filter(name=name).first()
    return default if found is None else found.value


@transaction.atomic
def change(user: User, name: str, new: Any, words: str) -> None:
    """Set it; ``words`` names it in the audit chain. The same value again changes nothing."""
    by = administrator(user)
    old = value(name, None)
    if old == new:
        return
    Setting.objects.update_or_create(name=name, defaults={"value": new, "changed_at": timezone.now(), "changed_by": by})
    append_event(by, "更改设置", words, {"原": old, "新": new})
