"""The pages in real Chromium on the demo city: by mouse, by keyboard, by touch, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.chromium import DESK, Watch, assert_accessible, assert_calm, faults_of
from tests.support.server import Server

TEXT = Path(__file__).with_name("linjiang.txt")
EVERY = ["/plan/", "/plan/?target=T003", "/target/T001/", "/target/T001/?region=350121", "/target/T070/", "/regions/", "/region/350122/", "/bodies/", "/body/industry_and_it/", "/indicators/",
         "/indicator/energy_total/", "/rules/", "/explain/energy_intensity_decline/350100/2024/", "/verification/", "/verification/?differ=1", "/search/?q=水", "/sign-in/", "/plan/read/"]  # fmt: skip


@pytest.fixture
def lead(page: Page, server: Server) -> Page:
    """A page of the leading department, signed in with the account that the site prints."""
    page.goto("/sign-in/")
    row = page.locator("tr", has_text="demo-lead").first
    password = row.locator("code").nth(1).inner_text()
    page.get_by_label("账号", exact=True).fill("demo-lead")
    page.get_by_label("口令", exact=True).fill(password)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading", name="等我办理的事")).to_be_visible()
    return page


def look_through(page: Page, addresses: list[str]) -> None:
    """All faults of all pages together."""
    faults = []
    for address in addresses:
        page.goto(address)
        faults += faults_of(page)
    assert not faults, "\n\n".join(faults)


def test_every_page_is_calm_and_accessible_on_a_desk(page: Page) -> None:
    look_through(page, EVERY)


INSIDE = ["/", "/account/", "/filing/", "/review/", "/filing/completeness/", "/registry/", "/outlets/", "/outlets/alarms/", "/energy/barometer/", "/energy/outlook/", "/plan/read/"]  # fmt: skip


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_pages_of_the_leading_department_are_calm_and_accessible(lead: Page, server: Server, language: str) -> None:
    lead.context.add_cookies([{"name": "django_language", "value": language, "url": server.address}])
    look_through(lead, [*INSIDE, *(EVERY[:1] + EVERY[2:3] + EVERY[9:12] if language == "en" else [])])


def test_every_page_is_readable_in_the_dark(browser: Browser, server: Server, watch: Watch) -> None:
    context = browser.new_context(base_url=server.address, viewport=DESK, color_scheme="dark", locale="zh-CN")  # type: ignore[arg-type]
    page = context.new_page()
    watch.attach(page)
    faults = []
    for address in EVERY:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        try:
            assert_accessible(page)
        except AssertionError as fault:
            faults.append(str(fault))
    context.close()
    assert not faults, "\n\n".join(faults)
    assert not watch.unexpected


def test_every_page_fits_a_phone(phone: Page) -> None:
    faults = []
    for address in EVERY:
        phone.goto(address)
        try:
            assert_calm(phone)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


def test_selecting_a_target_fills_the_margin_names_it_in_the_address_and_back_works(page: Page) -> None:
    page.goto("/plan/")
    page.get_by_role("link", name="化学需氧量重点工程减排量").first.click()
    expect(page.locator("#margin .note-title")).to_have_text("化学需氧量重点工程减排量")
    assert page.url.endswith("/plan/?target=T003")
    expect(page.locator("[data-line][aria-current]")).to_have_count(1)
    page.go_back()
    expect(page.locator("#margin .note-title")).to_have_count(0)
    assert page.url.endswith("/plan/")
    page.go_forward()
    expect(page.locator("#margin .note-title")).to_have_text("化学需氧量重点工程减排量")


def test_filters_answer_at_once_and_keep_their_focus(page: Page) -> None:
    page.goto("/plan/")
    before = page.locator("[data-line]").count()
    page.get_by_label("次序").select_option("late")
    expect(page.locator(".shown")).to_be_visible()
    assert "sort=late" in page.url
    assert page.locator("[data-line]").count() == before
    marks = page.locator("[data-line] .state").evaluate_all("all => all.map(e => e.className)")
    ranks = ["far_behind", "behind", "no_data", "on_schedule", "not_due", "done"]
    order = [next(i for i, rank in enumerate(ranks) if mark.endswith(f"state-{rank}")) for mark in marks]
    assert order == sorted(order)
    page.locator(".tally a", has_text="严重落后").click()
    expect(page.locator(".tally a[aria-current]")).to_have_count(1)
    assert 0 < page.locator("[data-line]").count() < before


def test_the_number_is_followed_down_to_the_observation(page: Page) -> None:
    page.goto("/target/T001/")
    for _ in range(6):
        closed = page.locator("#why details:not([open]) > summary")
        if not closed.count():
            break
        closed.first.click()
        page.wait_for_load_state("networkidle")
    leaf = page.locator("#why .node-note a").first
    expect(leaf).to_be_visible()
    leaf.click()
    expect(page.locator(".kicker")).to_have_text("入库数据")
    expect(page.get_by_role("heading", name="历次版本")).to_be_visible()


def test_the_chart_is_drawn_and_its_table_is_one_key_away(page: Page) -> None:
    page.goto("/target/T001/")
    chart = page.locator("figure[data-chart=path]")
    expect(chart).to_have_attribute("data-drawn", "1")
    inked = "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; }"
    assert chart.locator("canvas").first.evaluate(inked) > 500
    expect(chart.locator("table")).to_be_hidden()
    chart.focus()
    page.keyboard.press("t")
    expect(chart.locator("table")).to_be_visible()
    with page.expect_download() as taken:
        chart.get_by_role("button", name="存为图片").click()
    assert taken.value.suggested_filename.endswith(".png")
    expect(page.locator("figure[data-chart=map]")).to_have_attribute("data-drawn", "1")
    assert "没有审图号" in page.locator("#counties").inner_text()


def test_a_table_sorts_with_missing_last_and_filters(page: Page) -> None:
    page.goto("/region/350122/")
    head = page.locator("thead th", has_text="完成进度").locator("[data-sort]")
    read = "all => all.map(r => r.cells[6].innerText.trim().split('\\n')[0])"
    for direction in (1, -1):
        head.click()
        cells = page.locator("tbody tr").evaluate_all(read)
        known = [float(c.replace(",", "").replace("−", "-")) for c in cells if not c.startswith("—")]
        assert known == sorted(known, reverse=direction < 0)
        assert all(c.startswith("—") for c in cells[len(known) :])
    page.get_by_placeholder("筛选").fill("化肥")
    shown = page.locator("tbody tr:visible")
    assert 0 < shown.count() < len(cells)


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.goto("/plan/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    reached = set()
    for _ in range(14):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName + (document.activeElement.name || '')"))
    assert {"A", "SELECTbody", "SELECTsort"} <= reached
    line = page.locator("[data-line] a").first
    line.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#margin .note-title")).to_be_visible()


def test_on_a_phone_the_margin_is_a_sheet_and_the_outline_folds(phone: Page) -> None:
    phone.goto("/plan/")
    expect(phone.locator(".contents").first).to_be_hidden()
    phone.locator(".outline summary").tap()
    expect(phone.locator(".contents").first).to_be_visible()
    phone.locator("[data-line] a").first.tap()
    sheet = phone.locator("#margin.slip")
    expect(sheet).to_be_visible()
    box = sheet.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] == pytest.approx(844, abs=2)
    phone.keyboard.press("Escape")
    expect(phone.locator("#margin.slip")).to_have_count(0)
    phone.get_by_text("菜单").tap()
    phone.get_by_role("link", name="复算核对").tap()
    expect(phone.get_by_role("heading", name="复算核对", level=1)).to_be_visible()


@pytest.fixture
def plain(browser: Browser, server: Server) -> Iterator[Page]:
    """A page whose scripts do not run."""
    context = browser.new_context(base_url=server.address, viewport=DESK, java_script_enabled=False, locale="zh-CN")  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def test_everything_works_without_scripts(plain: Page) -> None:
    plain.goto("/plan/")
    plain.get_by_label("次序").select_option("late")
    plain.get_by_role("button", name="筛选").click()
    assert "sort=late" in plain.url
    plain.locator("[data-line] a").first.click()
    assert re.search(r"/target/T\d+/", plain.url)
    expect(plain.locator("#path table")).to_be_visible()
    plain.get_by_role("link", name="单独打开").click()
    expect(plain.get_by_role("heading", level=1)).to_contain_text("计算过程")


def test_the_language_switch_stays_on_the_page(page: Page) -> None:
    page.goto("/target/T003/")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith("/target/T003/")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")


def test_a_page_prints_as_a_document_with_title_position_and_no_furniture(page: Page) -> None:
    page.goto("/target/T001/")
    page.emulate_media(media="print")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator(".outline")).to_be_hidden()
    expect(page.locator(".print-head")).to_be_visible()
    expect(page.locator("#path table")).to_be_visible()
    assert "数据截至" in page.locator(".end").inner_text()
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_reading_a_plan_from_file_to_confirmed_items(lead: Page) -> None:
    lead.goto("/plan/read/")
    lead.set_input_files("#file", str(TEXT))
    lead.get_by_role("button", name="读取").click()
    expect(lead.locator("#reading mark").first).to_be_visible()
    assert_calm(lead)
    assert_accessible(lead)
    lead.locator("#reading mark.mark-quantitative a").first.click()
    value = lead.locator("#f-value")
    expect(value).to_be_visible()
    right = value.input_value()
    value.fill("很多")
    lead.get_by_role("button", name="保存并确认").click()
    expect(lead.locator(".problems")).to_contain_text("数值无法识别")
    expect(lead.locator("#f-value")).to_have_attribute("aria-invalid", "true")
    lead.locator("#f-value").fill(right)
    lead.get_by_role("button", name="保存并确认").click()
    expect(lead.locator("#progress")).to_contain_text("已核1项")
    expect(lead.locator("#reading mark.is-confirmed").first).to_be_visible()
    with lead.expect_download() as taken:
        lead.get_by_role("link", name="下载方案文件").click()
    assert taken.value.suggested_filename == "plan.yaml"
