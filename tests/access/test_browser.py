"""The administrator's pages and one's own account in the browser, at 1280 and 390 px; two-step sign-in as a person does it."""

from __future__ import annotations

import base64
import re

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Page

from tests.filing.test_walk import sign_in
from tests.support.chromium import assert_accessible, assert_calm, faults_of
from tests.support.server import Server

ADMINISTRATION = [
    "/people/", "/people/2/", "/people/invite/", "/people/safety/", "/registry/", "/registry/add/", "/filing/administration/keys/",
    "/filing/administration/reminders/", "/filing/administration/extensions/", "/audit/", "/account/", "/account/second-factor/",
]  # fmt: skip


@pytest.mark.browser
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_the_administrators_pages_are_calm(width: str, request: pytest.FixtureRequest, server: Server) -> None:
    page: Page = request.getfixturevalue("page" if width == "desk" else "phone")
    sign_in(page, server, "demo-admin")
    faults = []
    for address in ADMINISTRATION:
        page.goto(server.address + address)
        faults += faults_of(page)
    assert not faults, "\n\n".join(faults)


def test_a_person_sets_up_two_steps_and_signs_in_with_a_recovery_code(page: Page, server: Server) -> None:
    sign_in(page, server, "demo-auditor")
    page.goto(server.address + "/account/second-factor/")
    secret = page.locator("main code").first.inner_text().replace(" ", "")
    page.fill("#code", f"{TOTP(base64.b32decode(secret)).token():06d}")
    page.get_by_role("button", name="开启").click()
    codes = re.findall(r"[a-z2-9]{5}-[a-z2-9]{5}", page.locator("main").inner_text())
    assert len(codes) == 10
    assert_calm(page, allow=set(re.findall("[a-z]+", " ".join(codes))))
    page.get_by_role("link", name="已保存，继续").click()
    page.locator("details.person summary").click()
    page.get_by_role("button", name="退出").click()
    sign_in(page, server, "demo-auditor")
    assert page.url.endswith("/sign-in/code/")
    assert_calm(page)
    assert_accessible(page)
    page.fill("#code", codes[0])
    page.get_by_role("button", name="登录").click()
    page.goto(server.address + "/account/second-factor/")
    assert "还有9个未用的恢复码" in page.locator("main").inner_text()
