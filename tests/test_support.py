"""What the tests stand on must itself be able to fail."""

from __future__ import annotations

import pytest

from tests.support.chromium import Watch, foreign_words


@pytest.mark.parametrize(
    "text",
    ["能耗强度下降14%", "按 GB/T 4754—2017 分类", "COD 与 NH3-N", "依据 HJ 212-2017", "1.2 万 tce", "国六b、5G、pH"],
)
def test_units_substances_and_standards_may_stand_in_chinese(text: str) -> None:
    assert foreign_words(text) == set()


def test_english_and_machine_codes_are_found() -> None:
    assert foreign_words("指标 energy_intensity 为 None，Submit 后提交") == {"energy_intensity", "None", "Submit"}


def test_a_watch_forgives_only_what_it_was_told_to() -> None:
    watch = Watch()
    watch._note("http://x/a: 404")
    watch._note("script: TypeError")
    watch.allow(r"/a: 404$")
    assert watch.unexpected == ["script: TypeError"]
