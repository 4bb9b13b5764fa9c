"""A throw-away PostgreSQL cluster on loopback, for the length of one command.

``python -m tests.support.postgres COMMAND...`` runs the command with ``LVHENG_DATABASE`` naming the
cluster and removes it afterwards; ``--available`` only says whether one could be started.
The server refuses to run as root, so root starts it as another user.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OLDEST = 15
USER = "lvheng"
QUIET_AND_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "log_min_messages": "fatal",
    "timezone": "Asia/Shanghai",
}


def binaries() -> Path | None:
    """Directory of the newest installed server programs (15 or later), or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    versions = [(version, path) for path in found if (version := _version(path)) >= OLDEST]
    return max(versions)[1] if versions else None


def _version(directory: Path) -> int:
    text = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.split()[2].split(".")[0])


def _server_user() -> dict[str, object]:
    """Keyword arguments of ``subprocess`` that leave root; empty when we are not root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster() -> Iterator[str]:
    """Start a cluster; yields its address ``postgresql://user:password@127.0.0.1:port/postgres``."""
    programs = binaries()
    if programs is None:
        raise RuntimeError(f"PostgreSQL {OLDEST}+ server programs are not installed")
    identity = _server_user()
    home = Path(tempfile.mkdtemp(prefix="lvheng-postgres-"))
    try:
        data, password = home / "data", secrets.token_urlsafe(16)
        (home / "password").write_text(password)
        if identity:
            for path in (home, home / "password"):
                os.chown(path, int(str(identity["user"])), int(str(identity["group"])))
        initdb = [programs / "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", "--no-sync", "--no-instructions"]
        initdb += ["--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={home / 'password'}"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=home, **identity)  # type: ignore[call-overload]
        port = _free_port()
        settings = [f"--{name}={value}" for name, value in QUIET_AND_FAST.items()]
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, f"--port={port}", *settings],
            cwd=home,
            start_new_session=True,  # Ctrl-C in the tests must not stop the server before they have cleaned up
            **identity,  # type: ignore[call-overload]
        )
        try:
            _wait_until_ready(server, programs, port)
            yield f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # "fast" shutdown
            server.wait(timeout=60)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], programs: Path, port: int) -> None:
    deadline = time.monotonic() + 60
    ready: list[str | Path] = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("PostgreSQL did not start; see its messages above")
        time.sleep(0.1)


def main(arguments: list[str]) -> int:
    if arguments == ["--available"]:
        if binaries() is None:
            print(f"！！未找到 PostgreSQL {OLDEST} 以上：跳过在 PostgreSQL 上的测试。", file=sys.stderr)
            return 1
        return 0
    with cluster() as address:
        print(f"在 PostgreSQL {_version(binaries() or Path())} 上运行", flush=True)
        return subprocess.run(arguments, env={**os.environ, "LVHENG_DATABASE": address}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
