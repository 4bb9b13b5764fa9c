"""``lvheng telemetry …``, ``lvheng gateway``, ``lvheng simulate``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lvheng.core.problem import Problem, ProblemError
from lvheng.telemetry import hj212
from lvheng.telemetry.decode import VERDICTS, Reading, read_packets


def _fail(problems: ProblemError) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    raise SystemExit(2)


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


commands: list[click.Command] = [telemetry]
