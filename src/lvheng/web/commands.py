"""Running the site: ``lvheng run`` (everything, for a first look), ``serve``, ``manage``."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Place, Problem, ProblemError

Advance = Callable[[str, int, int], None]


@click.command("run")
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址。")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="端口。")
@click.option("--workers", default=0, type=click.IntRange(0, 64), help="工作进程数，0为处理器数的两倍（至多8）。")
@click.option(
    "--gateway-port",
    default=9212,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="在线监测网关端口，0为不启动网关。",
)
@click.option("--no-demo", is_flag=True, help="不装入演示城市。")
@click.option("--no-serve", is_flag=True, help="只准备，不提供服务。")
@with_django
def run(host: str, port: int, workers: int, gateway_port: int, no_demo: bool, no_serve: bool) -> None:
    """建库、装入方案和数据、计算，然后提供服务。已做过的步骤不再做。"""
    started = time.monotonic()
    if not no_serve:
        _port_is_free(host, port)
    prepare(demo=not no_demo)
    from lvheng.observations.report import summary

    click.echo(summary())
    if not no_demo:
        _accounts()
    click.echo(f"准备完成，用时{time.monotonic() - started:.1f}秒。")
    if not no_serve:
        with _gateway(host, gateway_port):
            _serve(host, port, workers)


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址。")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="端口。")
@click.option("--workers", default=0, type=click.IntRange(0, 64), help="工作进程数，0为处理器数的两倍（至多8）。")
@with_django
def serve(host: str, port: int, workers: int) -> None:
    """只提供服务，不改动数据。"""
    _port_is_free(host, port)
    collect_static()
    _serve(host, port, workers)


@click.command(
    "manage", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@with_django
def manage(arguments: tuple[str, ...]) -> None:
    """Django 管理命令，供系统管理员使用，如 lvheng manage migrate。"""
    from django.core.management import execute_from_command_line

    execute_from_command_line(["lvheng manage", *arguments])


def prepare(*, demo: bool) -> None:
    """Everything before serving; each step does nothing when it was done already."""
    from django.core.management import call_command

    with _progress() as step:
        with step("建库"):
            call_command("migrate", interactive=False, verbosity=0)
        from lvheng.observations import services, view

        with step("装入方案、地区和公开数据") as advance:
            services.load_plans()
            services.load_published(progress=advance)
        if demo:
            from lvheng.demo.certificates import load_certificates
            from lvheng.demo.filings import load_filings
            from lvheng.demo.services import keep_county_targets, load_demo

            with step("装入演示城市") as advance:
                load_demo(progress=advance)
                keep_county_targets(view.current().plan)
            from lvheng.demo.outlets import load_outlets

            with step("装入演示排口"):
                load_outlets(view.current().plan)
                load_filings()
                load_certificates()
        with step("计算指标和进度"):
            view.current()
        with step("准备页面文件"):
            collect_static()


def collect_static() -> None:
    """Collect static files when any of them is newer than the last collection."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders
    from django.core.management import call_command

    if settings.DEBUG:
        return
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = os.stat(storage.path(name))
            digest.update(f"{getattr(storage, 'prefix', '')}/{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest.hexdigest(), encoding="ascii")


def _serve(host: str, port: int, workers: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    click.echo(f"\n绿衡在 http://{host}:{port} 提供服务，按 Ctrl-C 停止。")
    sys.stdout.flush()
    Granian(
        "lvheng.web.worker:application", address=host, port=port, interface=Interfaces.WSGI, workers=workers or min(8, 2 * (os.cpu_count() or 1)),
        blocking_threads=1, backpressure=256, log_level=LogLevels.error, workers_kill_timeout=5,
    ).serve()  # fmt: skip
    click.echo("已停止。")


@contextmanager
def _gateway(host: str, port: int) -> Iterator[None]:
    """The monitoring gateway beside the site, stopped with it; a port in use only leaves it out."""
    from django.conf import settings

    try:
        if port:
            _port_is_free(host, port)
    except ProblemError as error:
        click.echo(f"{error}\n  在线监测网关未启动，页面不受影响。", err=True)
        port = 0
    if not port:
        yield
        return
    data = Path(settings.HOME) / "telemetry"
    command = [sys.executable, "-m", "lvheng.cli", "gateway", "--host", host, "--port", str(port), "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    click.echo(f"在线监测网关（HJ 212）在 {host}:{port} 接收；试发数据：lvheng simulate --register {data} --devices 20")
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port_is_free(host: str, port: int) -> None:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ProblemError(
                Problem(
                    "web.port.taken", "端口不能使用", place=Place(field=f"{host}:{port}"), got=error.strerror or "",
                    fix="停止占用该端口的程序，或用 --port 换一个端口。",
                )
            ) from None  # fmt: skip


def _accounts() -> None:
    from lvheng.demo.services import demo_accounts

    rows = demo_accounts()
    click.echo("\n演示账号：")
    for row in rows:
        click.echo(f"  {row.username:<16}{row.password:<22}{row.role}　{row.name}")


@contextmanager
def _progress() -> Iterator[Any]:
    """One line a step, with a bar where counts are known; plain lines where the output is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=False)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=False) as bars:

        @contextmanager
        def step(title: str) -> Iterator[Advance]:
            began = time.monotonic()
            if not console.is_terminal:
                click.echo(f"· {title} …")
            task = bars.add_task(title, total=1)

            def advance(stage: str, done: int, total: int) -> None:
                bars.update(task, description=f"{title}：{stage}", completed=done, total=max(total, 1))

            yield advance
            bars.update(task, description=f"{title}（{time.monotonic() - began:.1f}秒）", completed=1, total=1)

        yield step


commands = [run, serve, manage]
