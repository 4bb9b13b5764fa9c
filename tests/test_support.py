"""What the tests stand on must itself be able to fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page

from tests.support.chromium import Watch, assert_accessible, assert_calm, foreign_words
from tests.support.postgres import OLDEST, binaries, cluster


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


CALM = """<!doctype html><html lang="zh-hans"><head><meta charset="utf-8"><title>甲</title></head><body>
<main><h1>能耗强度</h1><p>下降 14%，折 1.2 万 tce</p><label>年份<input name="year"></label>{}</main></body></html>"""


@pytest.fixture
def blank(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    yield page
    page.close()


def test_a_calm_page_passes(blank: Page) -> None:
    blank.set_content(CALM.format('<div style="overflow-x:auto"><div style="width:900px">宽表</div></div>'))
    assert_calm(blank)
    assert_accessible(blank)


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        ('<div class="far" style="width:900px">宽</div>', "runs over the side: div.far"),
        ("<p>Not translated</p>", "Chinese page: translated"),
        ('<button title="energy_total">看</button>', "Chinese page: energy_total"),
        ('<p id="a">一</p><p id="a">二</p>', "id used twice: a"),
        ("<input name='q'>", "field without a label: input"),
        ('<img alt="图" src="data:image/png;base64,AAAA">', "image not loaded"),
        ("<h1>二</h1>", "2 main headings"),
    ],
)
def test_each_fault_of_a_page_is_told(blank: Page, piece: str, fault: str) -> None:
    blank.set_content(CALM.format(piece))
    with pytest.raises(AssertionError, match=fault):
        assert_calm(blank)


def test_pale_text_is_told(blank: Page) -> None:
    blank.set_content(CALM.format('<p style="color:#bbb;background:#fff">很淡的一行文字</p>'))
    with pytest.raises(AssertionError, match="contrast"):
        assert_accessible(blank)


def test_a_cluster_is_a_real_server_of_the_age_we_ask_for_and_leaves_nothing() -> None:
    if binaries() is None:
        pytest.skip("未安装 PostgreSQL")
    with cluster() as address, psycopg.connect(address) as connection:
        row = connection.execute("SELECT current_setting('server_version_num')::int, current_setting('data_directory')")
        version, folder = row.fetchone() or (0, "")
        assert version >= OLDEST * 10_000
        assert Path(folder).exists()
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address, connect_timeout=5)
