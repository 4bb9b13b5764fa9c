"""One filing from template to accepted figure, in the browser, by three people."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.filing.workbooks import comments, fill
from tests.support.chromium import assert_accessible, assert_calm
from tests.support.server import Server

SHOTS = Path("test-results") / "filing"


def sign_in(page: Page, server: Server, account: str) -> None:
    page.goto(server.address + "/account/")
    if "/sign-in/" not in page.url:
        page.context.clear_cookies()
        page.goto(server.address + "/account/")
    row = page.locator("tr", has=page.locator(f"code:text-is('{account}')"))
    secret = row.locator("code").nth(1).inner_text()
    page.locator("input[name=username]").fill(account)
    page.locator("input[name=password]").fill(secret)
    page.locator("main form button.primary").click()
    expect(page.locator("main h1")).to_be_visible()


def shot(page: Page, name: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


def upload(page: Page, raw: bytes, name: str = "十二月.xlsx") -> None:
    page.set_input_files(
        "#file",
        {"name": name, "mimeType": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "buffer": raw},
    )
    page.get_by_role("button", name="上传并核对").click()
    page.wait_for_url("**/import/*/")


def download(page: Page, words: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=words).click()
    return Path(waiting.value.path()).read_bytes()


def test_a_filing_goes_from_template_to_accepted_figure(page: Page, server: Server) -> None:
    sign_in(page, server, "demo-enterprise")
    page.goto(server.address + "/filing/")
    assert_calm(page)
    shot(page, "1-waiting")
    # a month of the year that the plan is judged by, filed late
    page.locator("#earlier summary").click()
    page.locator("#earlier-form").select_option(
        label=page.locator("#earlier-form option", has_text="205-1").first.inner_text()
    )
    page.locator("#earlier-period").fill("2024年12月")
    page.get_by_role("button", name="补报", exact=True).click()
    page.wait_for_url(re.compile(r"/filing/\d+/$"))
    address = page.url
    assert_calm(page)
    assert_accessible(page)

    # the template, filled in with an error: more feedstock than industrial use
    template = download(page, "下载模板")
    power = {
        "能源名称": "电力", "年初库存": 0, "购进量本月": 100, "购进量累计": 1000, "购自省外": 0, "购进金额": 6200, "消费量本月": 100, "消费量累计": 1000,
        "工业生产消费": 1000, "用于原材料": 5000, "非工业生产消费": 0, "运输工具消费": 0, "期末库存": 0, "采用折标系数": 1.229, "消费量折标准煤": 1229,
    }  # fmt: skip
    total = {"消费量折标准煤": 1229}
    upload(page, fill(template, [total, power]))
    expect(page.locator(".problems").first).to_contain_text("用于原材料")
    assert page.get_by_role("button", name="确认导入").count() == 0, "what is wrong cannot be confirmed"
    assert_calm(page)
    shot(page, "2-wrong")
    assert any("用于原材料" in text for text in comments(download(page, "下载已标注的文件")))

    # mended
    page.goto(address)
    upload(page, fill(template, [total, {**power, "用于原材料": 0}]))
    shot(page, "3-dry-run")
    page.get_by_role("button", name="确认导入").click()
    page.wait_for_url(address)
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator(".message")).to_contain_text("已提交")
    shot(page, "4-submitted")

    # the county returns one cell
    sign_in(page, server, "demo-county")
    page.goto(address.replace("/filing/", "/review/"))
    assert_calm(page)
    assert_accessible(page)
    page.locator("tr[data-row=electricity] td[data-column=amount] a.pick").click()
    page.locator("#remark-text").fill("与发票金额不符")
    page.get_by_role("button", name="保存批注").click()
    shot(page, "5-remark")
    page.get_by_role("button", name="退回").click()
    expect(page.locator(".message").first).to_contain_text("已退回")

    # the enterprise corrects it in the grid
    sign_in(page, server, "demo-enterprise")
    page.goto(address)
    expect(page.get_by_text("与发票金额不符").first).to_be_visible()
    page.get_by_role("button", name="更正").click()
    expect(page.locator(".message")).to_contain_text("已开始更正")
    cell = page.locator("tr[data-row=electricity] td[data-column=amount] input")
    cell.fill("6300")
    cell.press("Enter")
    expect(page.locator("#saved")).to_contain_text("已保存")
    shot(page, "6-corrected")
    page.get_by_role("button", name="提交", exact=True).click()
    expect(page.locator(".message")).to_contain_text("已提交")

    # county passes, city accepts
    for account in ("demo-county", "demo-lead"):
        sign_in(page, server, account)
        page.goto(address.replace("/filing/", "/review/"))
        shot(page, f"7-{account}")
        page.locator("#conclusion button.primary").click()
        expect(page.locator(".message").first).to_contain_text("已通过")
    page.goto(address + "history/")
    expect(page.locator("main")).to_contain_text(re.compile(r"第\d+次入库"))
    assert_calm(page)
    shot(page, "8-accepted")

    explained(page, server, address)


def explained(page: Page, server: Server, address: str) -> None:
    """The plan's page leads down to it: target, indicator, city, month, county, the unit's own cell."""
    page.goto(f"{server.address}/target/{TARGET}/")
    down(page, "规模以上工业单位增加值能耗 福州市 2024年")
    down(page, "规模以上工业综合能源消费量 福州市 2024年")
    month = down(page, "福州市 2024年12月")
    month.locator(".filed-below > summary").click()
    county = month.locator("li.node", has=page.locator(":scope > details > summary", has_text="福清市")).last
    unfold(county)
    county.locator(".filed-below > summary").click()
    link = page.locator(f".filed-below summary a[href^='{urlsplit(address).path}?version=2#']").first
    expect(link).to_contain_text("电力 消费量本月")
    assert_calm(page)
    link.scroll_into_view_if_needed()
    shot(page, "9-explained")
    link.click()
    page.wait_for_url(re.compile(re.escape(address) + r"\?version=2#c-energy-electricity-use_month"))
    expect(page.locator("#c-energy-electricity-use_month")).to_contain_text("100")
    shot(page, "10-the-cell")


TARGET = "T011"


def down(page: Page, words: str) -> Locator:
    """Unfold the first node of that name in the explanation."""
    named = page.locator(":scope > details > summary", has_text=re.compile(words.replace(" ", r"\s+") + r"(?!\d)"))
    node = page.locator(".tree li.node:visible", has=named).last
    unfold(node)
    return node


def unfold(node: Locator) -> None:
    """Open a node that is closed, and wait for what is below."""
    details = node.locator(":scope > details")
    if details.get_attribute("open") is None:
        details.locator(":scope > summary").click()
        expect(details.locator(":scope > ul > li.node").first).to_be_visible()
