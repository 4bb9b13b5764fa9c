"""What people send may hold characters that a database refuses; the rest is kept."""

from __future__ import annotations

import pytest

from lvheng.access.models import append_event, verify_chain
from lvheng.access.storable import storable


def test_only_what_cannot_be_kept_is_replaced() -> None:
    assert storable({"a\x00": ["甲\ud800", 1, None, {"b": "乙"}]}) == {"a\ufffd": ["甲\ufffd", 1, None, {"b": "乙"}]}


@pytest.mark.django_db
def test_the_audit_chain_holds_over_such_text() -> None:
    append_event("甲", "试验", "对象", {"文件名": "表\x00\udfff.xlsx"})
    assert verify_chain() == (1, None)
