"""``lvheng telemetry …``, ``lvheng gateway``, ``lvheng simulate``."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry import hj212
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.decode import VERDICTS, Reading, read_packets
from lvheng.telemetry.devices import Device, SqliteRegistry, data_folder
from lvheng.telemetry.gateway.exchange import STATES, CommandStore, first_contact
from lvheng.telemetry.gateway.serve import Plan, Service

# The columnar libraries are imported by the commands that use them: gateway processes start without them.

_data = click.option(
    "--data", type=click.Path(path_type=Path), default=data_folder, show_default="LVHENG_HOME/telemetry",
    help="网关数据目录。",
)  # fmt: skip
_open_door = click.option("--open-door", is_flag=True, help="未登记的设备也接收（只供试用）。")


def _fail(problems: ProblemError) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    raise SystemExit(1)


@click.group("telemetry", help="在线监测：报文、日志和数据湖。")
def telemetry() -> None:
    pass


@telemetry.command("decode", help="逐个判读文件中的报文（packets.tsv 形式、每行一个报文，或原始字节）。")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="输出便于机器核对的 JSON。")
@click.option("--crc", type=click.Choice(["hj212", "modbus", "modbus_swapped"]), default="hj212", help="校验码算法。")
@click.option("--sm4-key", default="", metavar="HEX", help="数据区密钥，32位十六进制。")
def decode(file: Path, as_json: bool, crc: str, sm4_key: str) -> None:
    try:
        readings = read_packets(_content(file), hj212.Dialect(crc=crc, sm4_key=_key(sm4_key)))
    except ProblemError as error:
        _fail(error)
        return
    if as_json:
        click.echo(json.dumps([r.as_dict() for r in readings], ensure_ascii=False, indent=1))
    else:
        for reading in readings:
            click.echo(_describe(reading))
        counts = {name: sum(r.verdict == verdict for r in readings) for verdict, name in VERDICTS.items()}
        click.echo(f"共{len(readings)}个报文：" + "，".join(f"{name}{n}个" for name, n in counts.items()))
    wrong = [r.n for r in readings if r.agrees is False]
    if wrong:
        click.echo(f"与预期不符的报文：{'、'.join(wrong)}", err=True)
        raise SystemExit(1)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        raise ProblemError(
            Problem("telemetry.decode.unreadable", "文件不存在或无法读取", got=str(file), fix="请核对文件名和权限")
        ) from None


def _key(text: str) -> bytes:
    if not text:
        return b""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ProblemError(Problem("telemetry.decode.key", "密钥应为32位十六进制数"))
    return key


def _describe(reading: Reading) -> str:
    lines = [f"第{reading.n}个报文：{VERDICTS[reading.verdict]}"]
    for packet in reading.packets:
        command = hj212.tables().commands.get(packet.cn)
        name = command.name if command else "未知命令"
        when = f"，数据时间{packet.data_time:%Y-%m-%d %H:%M:%S}" if packet.data_time else ""
        lines.append(f"  设备{packet.mn or '（无）'}，{name}（{packet.cn}）{when}，{len(packet.values)}个数值")
        for v in packet.values:
            known = hj212.tables().codes.get(v.code)
            label = f"{known.name}（{v.code}）" if known else v.code
            lines.append(f"    {label} {v.suffix} {v.text or '（空）'}" + (f" 标记{v.flag}" if v.flag else ""))
    lines += ["  " + str(p).replace("\n", "\n  ") for p in reading.reasons]
    return "\n".join(lines)


@telemetry.command("gaps", help="查找数据缺口并排入补数请求。")
@_data
@click.option("--days", type=click.IntRange(1, 60), default=2, show_default=True, help="向前查多少天。")
def gaps_command(data: Path, days: int) -> None:
    from lvheng.telemetry.gateway import gaps
    from lvheng.telemetry.lake import lake_of

    store = CommandStore(data / "commands.sqlite")
    registry = SqliteRegistry(data / "registry.sqlite")
    now = time.time()
    here = local_time(int(now * 1e6))
    asked = gaps.ask(lake_of(data), store, registry, here, back=timedelta(days=days), stamp=now)
    store.close()
    click.echo(f"已排入{asked}条补数请求")


@telemetry.command("command", help="向现场机下发一条命令（排队，由网关发送），例如 1062 RtdInterval=30。")
@_data
@click.argument("mn")
@click.argument("cn")
@click.argument("parameters", nargs=-1, metavar="[名称=值]...")
@click.option("--by", default="", help="下发人。")
def command_command(data: Path, mn: str, cn: str, parameters: tuple[str, ...], by: str) -> None:
    params = []
    for text in parameters:
        key, equals, value = text.partition("=")
        if not equals:
            _fail(ProblemError(Problem("telemetry.command.parameter", "参数应写成“名称=值”", got=text)))
        params.append((key, value))
    device = SqliteRegistry(data / "registry.sqlite").get(mn)
    if device is None:
        _fail(ProblemError(Problem("telemetry.command.device", "设备没有登记", got=mn, fix="请先用 register 登记")))
        return
    store = CommandStore(data / "commands.sqlite")
    try:
        number = store.add(mn, cn, st=device.st or "91", params=params, by=by)
    except ProblemError as error:
        _fail(error)
        return
    finally:
        store.close()
    click.echo(f"已排队，命令号{number}")


@telemetry.command("contact", help="按标准排入首次连接的命令：校时、超时重发、上报间隔、实时数据和设施状态。")
@_data
@click.argument("mn")
def contact_command(data: Path, mn: str) -> None:
    device = SqliteRegistry(data / "registry.sqlite").get(mn)
    if device is None:
        _fail(ProblemError(Problem("telemetry.command.device", "设备没有登记", got=mn, fix="请先用 register 登记")))
        return
    store = CommandStore(data / "commands.sqlite")
    numbers = first_contact(store, device)
    store.close()
    click.echo(f"已排队{len(numbers)}条命令")


@telemetry.command("commands", help="列出最近的命令和状态。")
@_data
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="条数。")
def commands_command(data: Path, limit: int) -> None:
    store = CommandStore(data / "commands.sqlite")
    for c in store.latest(limit):
        name = hj212.tables().commands[c.cn].name
        when = local_time(int(c.changed * 1e6))
        tail = f"，{c.reason}" if c.reason else ""
        click.echo(f"{c.id} {when:%Y-%m-%d %H:%M:%S} 设备{c.mn} {name}（{c.cn}） {STATES[c.state]}{tail}")
    store.close()


@telemetry.command("register", help="登记一台现场机。")
@_data
@click.argument("mn")
@click.option("--password", default="", help="访问密码，不填则不核对。")
@click.option("--st", default="", help="系统编码。")
@click.option("--version", type=click.Choice(["2005", "2017", "2025"]), default="2017", help="标准版本。")
@click.option("--sm4-key", default="", metavar="HEX", help="数据区密钥，32位十六进制。")
@click.option("--crc", type=click.Choice(["hj212", "modbus", "modbus_swapped"]), default="hj212", help="校验码算法。")
def register(data: Path, mn: str, password: str, st: str, version: str, sm4_key: str, crc: str) -> None:
    try:
        dialect = hj212.Dialect(crc=crc, sm4_key=_key(sm4_key))
    except ProblemError as error:
        _fail(error)
        return
    data.mkdir(parents=True, exist_ok=True)
    if dialect == hj212.Dialect():
        dialect = hj212.STANDARD
    SqliteRegistry(data / "registry.sqlite").put([Device(mn, password, dialect, st=st, version=int(version))])
    click.echo(f"已登记设备{mn}")


@telemetry.command("dialect", help="根据设备最近的报文建议其方言；--accept 采用建议。")
@_data
@click.argument("mn")
@click.option("--accept", is_flag=True, help="采用建议并登记。")
def dialect_command(data: Path, mn: str, accept: bool) -> None:
    from lvheng.telemetry import ingest

    registry = SqliteRegistry(data / "registry.sqlite")
    device = registry.get(mn) or Device(mn)
    packets, rejects = ingest.recent(data / "journal", mn, device.dialect)
    proposal = hj212.propose(packets, rejects, name=f"{mn}的方言")
    if proposal is None:
        click.echo(f"设备{mn}最近{len(packets) + len(rejects)}个报文没有需要登记的偏差")
        return
    click.echo(f"依据最近{proposal.packets}个报文，建议登记以下方言：")
    for reason in proposal.reasons:
        click.echo(f"  {reason}")
    if accept:
        changed = replace(proposal.dialect, sm4_key=device.dialect.sm4_key)
        registry.put([replace(device, dialect=changed)])
        click.echo("已登记")


@click.command("gateway", help="启动在线监测网关（HJ 212）。")
@_data
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址。")
@click.option("--port", type=click.IntRange(0, 65535), default=9212, show_default=True, help="监听端口，0为自动选择。")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="网关进程数。")
@click.option("--name", default="g", show_default=True, help="网关名称，几个网关共用一个目录时须不同。")
@_open_door
@click.option("--watch/--no-watch", default=None, help="同时定时汇总、报警（默认：数据目录属本站时）。")
def gateway(data: Path, host: str, port: int, workers: int, name: str, open_door: bool, watch: bool | None) -> None:
    _must_be_name(name)
    service = Service(Plan(data.resolve(), host, port, workers, name, open_door))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        listening = service.start()
    except (OSError, TimeoutError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "启动超时"
        _fail(ProblemError(Problem("telemetry.gateway.start", "网关无法启动", got=f"{host}:{port}，{reason}")))
        return
    click.echo(f"网关已启动，监听 {host}:{listening}，{workers}个进程")
    watcher = Watcher() if (data.resolve() == data_folder() if watch is None else watch) else None
    while not stop.wait(2.0):
        service.tend()
        if watcher is not None:
            watcher.tend()
    click.echo("网关正在停止")
    if watcher is not None:
        watcher.stop()
    service.stop()


class Watcher:
    """The process of ``lvheng telemetry watch`` beside a gateway: started, restarted when it dies, stopped."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._next = 0.0

    def tend(self) -> None:
        if (self._process is None or self._process.poll() is not None) and time.monotonic() >= self._next:
            self._next = time.monotonic() + 30
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lvheng.cli", "telemetry", "watch", "--with-parent"]
            )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()


@telemetry.command("watch", help="定时汇总在线数据、筛查疑点、发出报警、结算能耗（几个进程中同时只有一个在做）。")
@click.option("--every", type=click.IntRange(5, 3600), default=60, show_default=True, help="两轮之间至少多少秒。")
@click.option("--once", is_flag=True, help="只做一轮。")
@click.option("--with-parent", is_flag=True, help="父进程结束时随之结束。")
@with_django
def watch_command(every: int, once: bool, with_parent: bool) -> None:
    from lvheng.telemetry import watch

    if once:
        done = watch.round_of(f"once {os.getpid()}")
        if done is None:
            _fail(ProblemError(Problem("telemetry.watch.busy", "另一进程正在汇总", fix="稍后再试")))
            return
        click.echo(f"新报警{done.alarms}条，新疑点{done.leads}条")
        return
    stop, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    watch.keep_watch(every, lambda: not stop.is_set() and (not with_parent or os.getppid() == parent), click.echo)


@telemetry.command("enterprise", help="登记一家重点用能单位，生成上传令牌。")
@_data
@click.argument("code")
def enterprise(data: Path, code: str) -> None:
    data.mkdir(parents=True, exist_ok=True)
    file = data / "energy.json"
    tokens = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    tokens[code] = secrets.token_urlsafe(24)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(tokens, ensure_ascii=False, indent=1), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(file)
    click.echo(f"企业{code}的上传令牌：{tokens[code]}\n重新启动能耗网关后生效")


def _must_be_name(name: str) -> None:
    """It begins the names of journal streams and lake files."""
    if not (name.isascii() and name.isalnum()):
        _fail(ProblemError(Problem("telemetry.gateway.name", "网关名称只能用字母和数字", got=name)))


@click.command("energy-gateway", help="启动重点用能单位能耗数据网关（HTTPS）。")
@_data
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址。")
@click.option("--port", type=click.IntRange(1, 65535), default=9443, show_default=True, help="监听端口。")
@click.option("--certificate", type=click.Path(path_type=Path, exists=True), help="证书文件（PEM）。")
@click.option("--key", type=click.Path(path_type=Path, exists=True), help="私钥文件（PEM）。")
@click.option("--name", default="energy", show_default=True, help="原始日志的名称，几个网关共写一个数据湖时须不同。")
def energy_gateway(data: Path, host: str, port: int, certificate: Path | None, key: Path | None, name: str) -> None:
    _must_be_name(name)
    if (certificate is None) != (key is None):
        _fail(ProblemError(Problem("telemetry.energy.tls", "证书和私钥须同时给出")))
    if certificate is None and host not in ("127.0.0.1", "localhost", "::1"):
        _fail(
            ProblemError(
                Problem("telemetry.energy.tls", "没有证书时只能在本机监听", fix="请用 --certificate 和 --key 给出证书")
            )
        )
    from granian import Granian
    from granian.constants import Interfaces

    data.mkdir(parents=True, exist_ok=True)
    os.environ["LVHENG_ENERGY_DATA"] = str(data.resolve())
    os.environ["LVHENG_ENERGY_NAME"] = name
    Granian(
        "lvheng.telemetry.energy_gateway.app:serve", factory=True, address=host, port=port, interface=Interfaces.ASGI,
        ssl_cert=certificate, ssl_key=key,
    ).serve()  # fmt: skip


@click.command("simulate", help="模拟现场机向网关发送数据（演示数据）。")
@click.option("--host", default="127.0.0.1", show_default=True, help="网关地址。")
@click.option("--port", type=click.IntRange(1, 65535), default=9212, show_default=True, help="网关端口。")
@click.option("--devices", type=click.IntRange(1, 20000), default=2000, show_default=True, help="现场机数量。")
@click.option(
    "--hours", type=click.IntRange(1, 24 * 31), default=1, show_default=True, help="发送最近多少小时的分钟数据。"
)
@click.option("--seed", type=int, default=1, show_default=True, help="随机种子。")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="线路出错的比例。")
@click.option("--register", "registry", type=click.Path(path_type=Path), help="把这些现场机登记到该网关数据目录。")
@click.option("--outlets", is_flag=True, help="并在本站为每台现场机建立排口（演示数据），随后可在页面上看到。")
def simulate_command(
    host: str, port: int, devices: int, hours: int, seed: int, faults: float, registry: Path | None, outlets: bool
) -> None:
    from lvheng.telemetry import simulate

    if outlets:
        try:
            with_django(_has_register)()
        except ProblemError as error:
            _fail(error)
            return
    now = local_time(time.time_ns() // 1000)
    end = now.replace(minute=now.minute // 10 * 10, second=0, microsecond=0)
    start = end - timedelta(hours=hours)
    fleet = simulate.make_fleet(devices, seed, start, hours)
    if registry is not None:
        registry.mkdir(parents=True, exist_ok=True)
        SqliteRegistry(registry / "registry.sqlite").put([g.device() for g in fleet])
    with click.progressbar(length=hours * 6, label="发送演示数据") as bar:
        report = asyncio.run(
            simulate.run_fleet(fleet, host, port, start, end, faults=faults, tell=lambda n, of: bar.update(1))
        )
    click.echo(
        f"发送{report.sent}个报文，应答{report.acknowledged}个，重发{report.resent}次，未应答{report.unanswered}个，"
        f"用时{report.seconds:.1f}秒；应答时间99%在{report.percentile(0.99) * 1000:.0f}毫秒以内"
    )
    if outlets:
        with_django(lambda: _place([g.mn for g in fleet]))()
    if report.unanswered:
        raise SystemExit(1)


def _has_register() -> None:
    """Raises ProblemError where this home has no database to hold outlets: asked before anything is sent."""
    from django.db import DatabaseError

    from lvheng.telemetry.models import Outlet

    try:
        Outlet.objects.exists()
    except DatabaseError:
        raise ProblemError(
            Problem("telemetry.simulate.database", "本站还没有数据库，不能建立排口；未发送数据", fix="先运行 lvheng run --no-serve 建立，或不加 --outlets")
        ) from None  # fmt: skip


def _place(mns: list[str]) -> None:
    """Outlets of the site for simulated devices, as their packets tell."""
    from lvheng.telemetry import register

    for n, mn in enumerate(mns, 1):
        register.adopt(mn, by="演示", name=f"模拟排口{n}（演示）", synthetic=True)
    click.echo(f"已建立排口{len(mns)}个")


commands: list[click.Command] = [telemetry, gateway, energy_gateway, simulate_command]

from lvheng.telemetry import rollup_commands  # noqa: E402 their own file, hung in below

for _command in rollup_commands.commands:
    telemetry.add_command(_command)
