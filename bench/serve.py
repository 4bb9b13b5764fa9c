"""Serving: the plan page and a target page of the demo city beside a static file of the same server.

50 connections held open by ``wrk`` (Debian), on the machine that also serves: the figures are of both.
Needs a prepared demo city: LVHENG_HOME, or var/ as ``make run`` leaves it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
PORT = 8765
SECONDS = int(os.environ.get("LVHENG_BENCH_SECONDS", "10"))
STATIC = "/static/web/lvheng.css"


def measured(path: str) -> tuple[float, float, float]:
    """The figures once every worker has made the page: the first two seconds are not counted."""
    wrk(path, 2)
    return wrk(path, SECONDS)


def wrk(path: str, seconds: int) -> tuple[float, float, float]:
    """(requests a second, p50 ms, p95 ms) with 50 connections; a failed request stops the bench."""
    script = Path(__file__).with_name("p95.lua")
    command = [
        "wrk",
        "-t1",
        "-c50",
        f"-d{seconds}s",
        "-s",
        str(script),
        "-H",
        "Accept-Encoding: gzip",
        f"http://127.0.0.1:{PORT}{path}",
    ]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    found = re.search(r"rps=([\d.]+) p50=([\d.]+) p95=([\d.]+) errors=(\d+)", text)
    if not found or (int(found[4]) and seconds > 2):
        sys.exit(f"请求失败：{text}")
    return float(found[1]), float(found[2]), float(found[3])


def main() -> int:
    if shutil.which("wrk") is None:
        print("跳过：未安装 wrk（Debian：apt-get install wrk）。")
        return 0
    command = [Path(sys.executable).with_name("lvheng"), "serve", "--port", str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        static = _wait()
        rows = {"静态文件": measured(static), "方案页": measured("/plan/"), "目标页": measured("/target/T001/")}
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=20)
    base = rows["静态文件"]
    print(f"50个连接，{SECONDS}秒，{os.cpu_count()}核（wrk在同一台机器上）")
    for name, (rps, p50, p95) in rows.items():
        print(
            f"{name}：{rps:,.0f} 次/秒（静态文件的{rps / base[0]:.2f}倍），p50 {p50:.1f} 毫秒，p95 {p95:.1f} 毫秒（{p95 / base[2]:.1f}倍）"
        )
    return 0


def _wait() -> str:
    """The address of the static file, once every worker answers."""
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/plan/", timeout=5) as answer:
                page = answer.read().decode()
        except OSError:
            time.sleep(0.5)
            continue
        for _ in range(20):
            with (
                suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/target/T001/", timeout=10) as again,
            ):
                again.read()
        found = re.search(r"/static/web/lvheng[^\"]*\.css", page)
        return found[0] if found else STATIC
    sys.exit("服务没有启动：先运行 make run。")


if __name__ == "__main__":
    sys.exit(main())
