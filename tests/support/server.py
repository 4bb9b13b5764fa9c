"""The real server on the demo city, as a person starts it; the city is prepared once and copied."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("lvheng")


@dataclass(frozen=True)
class City:
    """A prepared data folder and, on PostgreSQL, the database that goes with it."""

    home: Path
    database: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LVHENG_HOME": str(self.home), "LVHENG_DATABASE": self.database, "LVHENG_DEBUG": ""}

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """One ``lvheng`` command on this city; text and exit code are the caller's to judge."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )


@dataclass(frozen=True)
class Server:
    address: str
    city: City
    process: subprocess.Popen[bytes]


def _named(address: str, name: str) -> str:
    """The same PostgreSQL server, another database."""
    return urlunsplit(urlsplit(address)._replace(path=f"/{name}"))


def _create_database(name: str, template: str) -> str:
    cluster = os.environ["LVHENG_DATABASE"]
    with psycopg.connect(_named(cluster, "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return _named(cluster, name)


def _worker() -> str:
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.fixture(scope="session")
def prepared_city(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The demo city, loaded and evaluated once for all workers. Not to be changed; see ``city``."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if _worker() != "main" else base
    home, done = shared / "prepared-city", shared / "prepared-city.done"
    with (shared / "prepared-city.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        on_postgres = bool(os.environ.get("LVHENG_DATABASE"))
        if done.exists():
            return City(home, done.read_text())
        assert not home.exists(), "the demo city could not be prepared; another test tells why"
        home.mkdir()
        city = City(home, _create_database("prepared_city", "template1") if on_postgres else "")
        result = city.run("run", "--no-serve", timeout=600)
        assert result.returncode == 0, result.stdout + result.stderr
        done.write_text(city.database)
        return city


@pytest.fixture(scope="session")
def city(prepared_city: City, tmp_path_factory: pytest.TempPathFactory) -> City:
    """This worker's own copy of the demo city."""
    home = tmp_path_factory.mktemp("city") / "home"
    shutil.copytree(prepared_city.home, home)
    database = _create_database(f"city_{_worker()}", "prepared_city") if prepared_city.database else ""
    return City(home, database)


@contextmanager
def running(city: City, *options: str) -> Iterator[Server]:
    """The server on a free port, stopped as by Ctrl-C."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = city.home / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(port), *options],
            env=city.environment,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(address, process, log)
        yield Server(address, city, process)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_up(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"server did not start ({error}):\n{log.read_text()}") from None
            time.sleep(0.2)


@pytest.fixture(scope="session")
def server(city: City) -> Iterator[Server]:
    with running(city) as started:
        yield started
