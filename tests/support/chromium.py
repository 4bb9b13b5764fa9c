"""Real Chromium through Playwright: pages that must stay quiet, and what every page must keep.

Playwright's own loop would make Django refuse the database in the same thread, so a browser lives no
longer than a module, and browser tests look at a running server, never at the ORM.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

if TYPE_CHECKING:
    from tests.support.server import Server

ROOT = Path(__file__).parents[2]
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Latin words that a Chinese official reads as such.
LATIN = {
    *("tce", "COD", "NH3", "VOCs", "NOx", "SO2", "CO2", "kWh", "MWh", "LNG", "LPG", "LED", "GDP", "SM3", "HJ212"),
    *(
        "kPa",
        "PDF",
        "JSON",
        "CSV",
        "xlsx",
        "XLSX",
        "docx",
        "txt",
        "API",
        "HTTP",
        "HTTPS",
        "UTC",
        "App",
        "APP",
        "Lvheng",
    ),
}


def program() -> str | None:
    """Path of an installed Chromium, or None; ``CHROMIUM`` names another."""
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


@dataclass
class Watch:
    """Faults that a page made while a test looked at it; ``allow`` names those the test is about."""

    allowed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def allow(self, *patterns: str) -> None:
        self.allowed += patterns

    def attach(self, page: Page) -> None:
        page.on("console", lambda said: self._note(f"{said.type}: {said.text}", said.type in ("error", "warning")))
        page.on("pageerror", lambda error: self._note(f"script: {error}"))
        # A request that the page itself gives up (leaving, a download) is no fault.
        page.on("requestfailed", lambda r: self._note(f"{r.url}: {r.failure}", "ERR_ABORTED" not in (r.failure or "")))
        page.on("response", lambda r: self._note(f"{r.url}: {r.status}", r.status >= 400))

    def _note(self, text: str, counts: bool = True) -> None:
        if counts:
            self.faults.append(text)

    @property
    def unexpected(self) -> list[str]:
        return [fault for fault in self.faults if not any(re.search(pattern, fault) for pattern in self.allowed)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program(), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def _open(browser: Browser, server: Server, watch: Watch, size: dict[str, int], **options: object) -> Iterator[Page]:
    context = browser.new_context(
        base_url=server.address,
        viewport=size,  # type: ignore[arg-type]
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
        **options,  # type: ignore[arg-type]
    )
    page = context.new_page()
    watch.attach(page)
    yield page
    context.close()
    assert not watch.unexpected, "\n".join(watch.unexpected)


@pytest.fixture
def page(browser: Browser, server: Server, watch: Watch) -> Iterator[Page]:
    """A page as on a desk, 1280 px wide; console errors and failed requests fail the test."""
    yield from _open(browser, server, watch, DESK)


@pytest.fixture
def phone(browser: Browser, server: Server, watch: Watch) -> Iterator[Page]:
    """A page as on a phone, 390 px wide, by touch."""
    yield from _open(browser, server, watch, PHONE, is_mobile=True, has_touch=True)


SURVEY = """() => {
  const width = document.documentElement.clientWidth;
  const scrolls = (e) => { for (; e && e !== document.body; e = e.parentElement)
      if (getComputedStyle(e).overflowX !== 'visible') return true; return false; };
  const name = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.classList.length ? '.' + [...e.classList].join('.') : '');
  const seen = (e) => e.checkVisibility({visibilityProperty: true});
  const over = document.documentElement.scrollWidth <= width + 1 ? [] :
    [...document.body.querySelectorAll('*')].filter(e => seen(e) && e.getBoundingClientRect().right > width + 1
      && !scrolls(e.parentElement)).map(name);
  const widest = [...document.body.querySelectorAll('*')].sort((a, b) =>
    b.getBoundingClientRect().right - a.getBoundingClientRect().right).slice(0, 3).map(name);
  const skip = 'script, style, noscript, template, code, kbd, pre, [lang|=en], [translate=no]';
  const words = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) { const e = walk.currentNode.parentElement;
    if (!e.closest(skip) && seen(e)) words.push(walk.currentNode.data); }
  for (const e of document.body.querySelectorAll('[title], [aria-label], [placeholder], [alt]'))
    if (!e.closest(skip)) for (const a of ['title', 'aria-label', 'placeholder', 'alt']) words.push(e.getAttribute(a) || '');
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  return {
    over, widest, wide: document.documentElement.scrollWidth - width, words, title: document.title,
    lang: document.documentElement.lang,
    headings: [...document.querySelectorAll('h1')].filter(seen).length,
    twice: ids.filter((id, i) => ids.indexOf(id) !== i),
    broken: [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src),
    unlabelled: [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(e => seen(e)
      && !e.labels?.length && !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')).map(name),
  };
}"""


def assert_calm(page: Page, allow: frozenset[str] | set[str] = frozenset()) -> None:
    """What every page keeps: nothing runs over the side, no stray English in Chinese, one heading, labels, images."""
    page.wait_for_load_state("networkidle")
    found = page.evaluate(SURVEY)
    faults = [f"runs over the side: {name}" for name in found["over"]]
    if found["wide"] > 1 and not faults:
        faults.append(f"page is {found['wide']} px too wide; look at {', '.join(found['widest'])}")
    if found["lang"].startswith("zh"):
        leaked = {word for text in found["words"] for word in foreign_words(text)} - set(allow)
        faults += [f"English or machine code in the Chinese page: {word}" for word in sorted(leaked)]
    faults += [f"id used twice: {name}" for name in found["twice"]]
    faults += [f"image not loaded: {source}" for source in found["broken"]]
    faults += [f"field without a label: {name}" for name in found["unlabelled"]]
    if not found["title"]:
        faults.append("page without a title")
    if found["headings"] != 1:
        faults.append(f"{found['headings']} main headings")
    assert not faults, f"{page.url}\n" + "\n".join(faults)


def foreign_words(text: str) -> set[str]:
    """Latin words of three letters or more that are not units, substances or formats in Chinese official use."""
    text = re.sub(r"\S+@\S+|https?://\S+|(?:GB|HJ|GBZ|DB|NB|ISO|IEC)(?:/[TZ])?\s?\d[\d.\-—:]*|[0-9a-f]{12,}", " ", text)
    words = re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text)
    return {word for word in words if len(re.sub(r"[^A-Za-z]", "", word)) >= 3 and word not in LATIN}


def assert_accessible(page: Page) -> None:
    """No fault by axe-core's WCAG 2 A and AA rules (names, roles, contrast, order)."""
    page.evaluate((ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"))
    result = page.evaluate("() => axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})")
    faults = [
        f"{fault['help']}: {', '.join(' '.join(node['target']) for node in fault['nodes'][:5])}"
        for fault in result["violations"]
    ]
    assert not faults, f"{page.url}\n" + "\n".join(faults)


def faults_of(page: Page) -> list[str]:
    """What :func:`assert_calm` and :func:`assert_accessible` find wrong with a page, together."""
    faults = []
    for check in (assert_calm, assert_accessible):
        try:
            check(page)
        except AssertionError as fault:
            faults.append(str(fault))
    return faults
