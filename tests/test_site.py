"""The running site as a person meets it: it starts, every page reached by links is calm, it stops."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urldefrag, urljoin, urlsplit

import psycopg
import pytest
from playwright.sync_api import Page

from tests.support.chromium import assert_calm, faults_of
from tests.support.server import City, Server, running

MOST, FEWEST = 40, 6  # pages walked: of each kind of address one, so these are many


def kind(address: str) -> tuple[str, int]:
    """Addresses below one room and of one depth differ in codes only and show the same page with other data."""
    parts = urlsplit(address).path.strip("/").split("/")
    return parts[0], len(parts)


def walk(page: Page, server: Server) -> Iterator[str]:
    """One page of each kind, from the home page along the links."""
    seen, queue, yielded = {kind("/")}, ["/"], 0
    while queue and yielded < MOST:
        page.goto(server.address + queue.pop(0))
        yield page.url
        yielded += 1
        links = page.eval_on_selector_all("a[href]:not([download])", "all => all.map(a => a.href)")
        for link in (urldefrag(urljoin(page.url, link))[0] for link in links):
            path = link.removeprefix(server.address)
            if link.startswith(server.address) and kind(path) not in seen and "." not in path.rsplit("/", 1)[-1]:
                seen.add(kind(path))
                queue.append(path)
    assert yielded >= FEWEST, "the home page leads almost nowhere"


def test_every_page_reached_from_home_is_calm_and_accessible(page: Page, server: Server) -> None:
    faults = []
    for _ in walk(page, server):
        faults += faults_of(page)
    assert not faults, "\n\n".join(faults)


def test_every_page_reached_from_home_fits_a_phone(phone: Page, server: Server) -> None:
    faults = []
    for _ in walk(phone, server):
        try:
            assert_calm(phone)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


def test_pages_carry_the_headers_of_a_public_service(server: Server) -> None:
    with urllib.request.urlopen(server.address) as response:
        headers = response.headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_interrupting_stops_every_process(city: City) -> None:
    with running(city) as server:
        urllib.request.urlopen(server.address).close()
        group = server.process
    assert group.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(group.pid, 0)
    log = (city.home / "server.log").read_text()
    assert "Traceback" not in log
    assert group.returncode in (0, 130, -signal.SIGINT), log


def test_a_taken_port_is_told_as_a_problem(city: City) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = city.run("serve", "--port", str(taken.getsockname()[1]))
    assert result.returncode == 1
    assert "端口不能使用" in result.stderr
    assert "改法" in result.stderr


def test_a_second_run_changes_nothing(city: City) -> None:
    before = contents(city)
    result = city.run("run", "--no-serve")
    assert result.returncode == 0, result.stderr
    assert contents(city) == before


def contents(city: City) -> str:
    """Everything in the city's database, as text."""
    if not city.database:
        with closing(sqlite3.connect(city.home / "lvheng.sqlite3")) as file:
            return "\n".join(file.iterdump())
    with psycopg.connect(city.database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        rows = []
        for (table,) in tables:
            found = connection.execute(f'SELECT t::text FROM "{table}" t ORDER BY 1'.encode()).fetchall()
            rows.append(f"{table}: {found}")
    return "\n".join(rows)


def test_the_command_line_stops_on_a_bad_database_address() -> None:
    environment = {**os.environ, "LVHENG_DATABASE": "mysql://x"}
    from tests.support.server import COMMAND

    result = subprocess.run([COMMAND, "manage", "check"], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert "postgresql://" in result.stderr
