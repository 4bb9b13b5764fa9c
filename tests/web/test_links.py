"""Every link of the running site leads somewhere, for each kind of reader and in both languages, and nothing leaks."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http.cookiejar import CookieJar
from urllib.parse import quote, urldefrag, urlencode, urljoin, urlsplit

import pytest

from tests.conftest import ON_POSTGRES
from tests.support.server import Server
from tests.web.test_every_page import Words

PER_KIND, MOST = 1, 90  # pages of one kind of address differ in data only
# What shows through when a template or a value was not turned into words.
LEAKS = re.compile(
    r"\{\{|\{%|Table\(|Column\(|Cell\(|Decimal\(|object at 0x|<[a-z]+ class=|&(?:lt|gt|amp);|^None$|Traceback"
)
READERS = [("", ""), ("", "en"), ("demo-lead", ""), ("demo-lead", "en"), ("demo-county", ""), ("demo-enterprise", ""), ("demo-verifier", ""), ("demo-auditor", ""), ("demo-admin", "")]  # fmt: skip


class Reader:
    """A person with a browser's cookies, or a visitor without an account."""

    def __init__(self, address: str, account: str, language: str):
        self.address = address
        self.jar = CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        if account:
            page = self.get("/sign-in/")[1]
            row = next(r for r in re.findall(r"<tr>.*?</tr>", page, re.S) if f">{account}<" in r)
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
            assert token
            password = re.findall(r"<code[^>]*>(.*?)</code>", row)[1]
            self.post("/sign-in/", username=account, password=password, csrfmiddlewaretoken=token[1])
        if language:
            self.post("/language/", language=language, next="/plan/")

    def post(self, path: str, **values: str) -> None:
        body = urlencode(values).encode()
        self.opener.open(
            urllib.request.Request(self.address + path, body, {"Referer": self.address}), timeout=600
        ).close()

    def get(self, path: str) -> tuple[int, str]:
        """(status, page); the page is empty for files."""
        try:
            with self.opener.open(self.address + quote(path, safe="/?&=%:+~,;@!$'()*"), timeout=600) as answer:
                return answer.status, answer.read().decode() if "html" in answer.headers["Content-Type"] else ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def kind(path: str) -> tuple[str, ...]:
    """Addresses that show the same page with other data."""
    parts = urlsplit(path)
    steps = parts.path.strip("/").split("/")
    words = [s for s in steps[1:] if s.isalpha() and not re.fullmatch(r"[TC]\d+|\d+", s)] if steps[0] in ("filing", "review", "energy", "outlets", "account") else []  # fmt: skip
    return (steps[0], str(len(steps)), re.sub(r"=[^&]*", "", parts.query), *words)


def walk(reader: Reader) -> Iterator[tuple[str, str, int, str]]:
    """(address, where the link stands, status, page) along the links, a few of each kind."""
    queue, seen, kinds = [("/", "")], {"/"}, Counter[tuple[str, ...]]()
    for path, origin in queue:
        status, page = reader.get(path)
        yield path, origin, status, page
        found = Words()
        found.feed(page)
        for link in found.links:
            goal, _part = urldefrag(urljoin(reader.address + path, link))
            inside = goal.removeprefix(reader.address)
            if inside == goal or inside in seen or kinds[kind(inside)] >= PER_KIND or len(queue) >= MOST:
                continue
            seen.add(inside)
            kinds[kind(inside)] += 1
            queue.append((inside, path))


@pytest.mark.skipif(ON_POSTGRES, reason="链接与数据库无关；在 SQLite 上运行")
@pytest.mark.parametrize(("account", "language"), READERS)
def test_every_link_leads_somewhere_and_nothing_leaks(server: Server, account: str, language: str) -> None:
    faults = []
    count = 0
    for path, origin, status, page in walk(Reader(server.address, account, language)):
        count += 1
        if status != 200:
            faults.append(f"{status} {path} ← {origin}")
        words = Words()
        words.feed(page)
        faults += [f"{path}：{text[:120]}" for text in words.text if LEAKS.search(text)]
    assert not faults, "\n".join(faults)
    assert count > 30


def test_pages_of_refusal_look_like_the_others_and_say_what_to_do(server: Server) -> None:
    visitor, enterprise = Reader(server.address, "", ""), Reader(server.address, "demo-enterprise", "")
    for reader, path, status in (
        (visitor, "/no/such/page/", 404),
        (visitor, "/target/T999/", 404),
        (visitor, "/plan/?plan=none", 404),
        (visitor, "/indicators/?format=pdf", 400),
        (enterprise, "/plan/drafts/1/", 403),
        (enterprise, "/people/", 403),
    ):
        found, page = reader.get(path)
        assert found == status, path
        assert '<header class="top">' in page, path
        assert "lvheng" in page, path  # the style sheet
        words = Words()
        words.feed(page)
        assert not [t for t in words.text if LEAKS.search(t)], path
        assert re.search(r"[\u4e00-\u9fff]{4}", "".join(words.text)), path
