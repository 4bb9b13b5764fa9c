"""Every page of filing and accounts in the browser, for each role, on a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.filing.test_walk import sign_in
from tests.support.chromium import assert_accessible, assert_calm
from tests.support.server import Server

PAGES = {
    "demo-enterprise": ["/", "/filing/", "/filing/keys/", "/registry/", "/account/", "/api/docs"],
    "demo-county2": ["/", "/filing/", "/review/", "/filing/completeness/", "/registry/", "/registry/add/"],
    "demo-lead2": ["/", "/filing/", "/review/", "/filing/completeness/"],
    "demo-auditor": ["/filing/", "/filing/completeness/", "/audit/?verify=1"],
    "demo-admin": ["/people/", "/people/invite/", "/registry/", "/audit/"],
}


def opened(page: Page, server: Server, account: str) -> list[str]:
    """The pages of a role, and the first filing, review, person and body that they lead to."""
    addresses = [server.address + p for p in PAGES[account]]
    for listing, pattern in (
        ("/filing/", "main a[href^='/filing/'][href$='/']:not(.subrooms a)"),
        ("/review/", "main td a[href^='/review/'], main th a[href^='/review/']"),
        ("/people/", "main th a"),
        ("/registry/", "main th a"),
    ):
        if listing in PAGES[account]:
            page.goto(server.address + listing)
            found = page.locator(pattern)
            if found.count():
                addresses.append(server.address + str(found.first.get_attribute("href")))
    return addresses


def survey(page: Page, server: Server, account: str, *, accessible: bool) -> None:
    sign_in(page, server, account)
    faults = []
    for address in opened(page, server, account):
        page.goto(address)
        for check in (assert_calm, assert_accessible) if accessible else (assert_calm,):
            try:
                check(page)
            except AssertionError as fault:
                faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize("account", PAGES)
def test_pages_are_calm_and_accessible(page: Page, server: Server, account: str) -> None:
    survey(page, server, account, accessible=True)


@pytest.mark.parametrize("account", ["demo-enterprise", "demo-county2"])
def test_pages_fit_a_phone(phone: Page, server: Server, account: str) -> None:
    survey(phone, server, account, accessible=False)
