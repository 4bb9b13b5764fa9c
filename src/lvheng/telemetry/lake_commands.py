"""``lvheng telemetry verify``, ``repair``, ``rebuild``, ``compact``, ``retain`` and ``mirror``: the care of journal and lake."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.telemetry import journal
from lvheng.telemetry.clock import local_time
from lvheng.telemetry.devices import SqliteRegistry, data_folder
from lvheng.telemetry.lake import Lake, lake_of
from lvheng.telemetry.storage import Store, mirror, reachable

_data = click.option(
    "--data", type=click.Path(path_type=Path), default=data_folder, show_default="LVHENG_HOME/telemetry",
    help="网关数据目录。",
)  # fmt: skip
_lake = click.option("--lake", metavar="地址", help="数据湖目录或 s3://存储桶/前缀，默认取 LVHENG_LAKE 或网关数据目录下的 lake。")  # fmt: skip
_day = click.DateTime(formats=["%Y-%m-%d"])
_WORDS = {"values": "污染源数据", "energy": "重点用能单位数据", "packets": "报文判读记录", "journal": "原始日志"}


def place_of(text: str) -> Path | str:
    """A folder, or the URL of an object store."""
    return text if "://" in text else Path(text)


def _open(data: Path, lake: str | None) -> Lake:
    return Lake(place_of(lake) if lake else lake_of(data))


def _journal(data: Path) -> Path:
    """The journal of a gateway's data; raises ProblemError where there is none: nothing looked at is not a clean bill."""
    root = data / "journal"
    if not root.is_dir() or not journal.streams(root):
        raise ProblemError(
            Problem("telemetry.journal.none", "目录中没有原始日志，未作核对", place=Place(file=str(root)), fix="核对 --data 或 LVHENG_HOME：应为网关的数据目录")
        )  # fmt: skip
    return root


def _said(function: Callable[..., None]) -> Callable[..., None]:
    """Problems and an unreachable lake are said in words; exit code 1."""

    @wraps(function)
    def run(data: Path, lake: str | None, **options: Any) -> None:
        try:
            home = _open(data, lake)
            with reachable(home.root):
                function(data, home, **options)
        except ProblemError as error:
            _tell(error.problems)
            raise SystemExit(1) from None

    return run


def _tell(problems: list[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)


@click.command("verify", help="核对原始日志的哈希链、日志末尾和数据湖的每个文件，并查有无缺失的文件。")
@_data
@_lake
@_said
def verify(data: Path, lake: Lake) -> None:
    from lvheng.telemetry import repair as mend

    problems = mend.verify(_journal(data), lake)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise SystemExit(1)
    click.echo(f"原始日志{len(journal.streams(data / 'journal'))}路，哈希链完整；数据湖文件完好，数据齐全")


@click.command("repair", help="截去日志未写完的末尾，由原始日志重建损坏、缺失的数据湖文件（先停止网关）。")
@_data
@_lake
@_said
def repair(data: Path, lake: Lake) -> None:
    from lvheng.telemetry import repair as mend

    root = _journal(data)
    done = mend.repair(root, lake, SqliteRegistry(data / "registry.sqlite"))
    for name in done.mended:
        click.echo(f"已修复{name}")
    click.echo(f"修复{len(done.mended)}处，未能修复{len(done.problems)}处")
    _tell(done.problems)
    if done.problems:
        raise SystemExit(1)


@click.command("rebuild", help="由原始日志重建本机写入的全部数据湖文件（先停止网关）。")
@_data
@_lake
@click.option("--open-door", is_flag=True, help="未登记的设备也接收（只供试用）。")
@_said
def rebuild(data: Path, lake: Lake, open_door: bool) -> None:
    from lvheng.telemetry import ingest
    from lvheng.telemetry.lake import connect

    root = _journal(data)
    registry = SqliteRegistry(data / "registry.sqlite", open_door=open_door)
    with journal.locked(root):
        problems = ingest.rebuild(root, lake, registry)
    with connect(lake.root) as db:
        row = db.execute("select count(*) from effective").fetchone()
    click.echo(f"数据湖已重建，有效数据{row[0] if row else 0}个")
    _tell(problems)
    if problems:
        raise SystemExit(1)


@click.command("compact", help="合并数据湖中某日之前各分区的小文件；收到的每一条都保留。")
@_data
@_lake
@click.option("--before", type=_day, help="合并此日之前的数据，默认为昨天。")
@_said
def compact(data: Path, lake: Lake, before: datetime | None) -> None:
    from lvheng.telemetry import retention

    until = before.date() if before else _now().date() - timedelta(days=1)
    with click.progressbar(length=1, label="合并分区") as bar:

        def tell(folder: str, n: int, of: int) -> None:
            bar.length = of
            bar.update(1)

        made = retention.compact(lake, until, tell)
    click.echo(f"已合并为{len(made)}个文件")


@click.command("retain", help="列出保存期满的数据；加 --execute 才删除。未关账月份的数据一律不删。")
@_data
@_lake
@click.option("--execute", is_flag=True, help="删除所列数据；删除清单写入数据湖和审计链。")
@click.option("--by", default="", help="经办人，删除时必填。")
@with_django
@_said
def retain(data: Path, lake: Lake, execute: bool, by: str) -> None:
    from django.conf import settings
    from django.db import transaction

    from lvheng.access.models import append_event
    from lvheng.core.rulebook import Rulebook
    from lvheng.telemetry import retention
    from lvheng.telemetry.models import MonthClose

    if execute and not by.strip():
        raise ProblemError(Problem("telemetry.retain.by", "删除数据须写明经办人", fix="加上 --by 姓名。"))
    now = _now()
    periods = retention.read_periods(Rulebook.load(settings.RULEBOOK_FOLDER), now.date())
    closed = set(MonthClose.objects.exclude(partitions=[]).values_list("month", flat=True))
    items = retention.examine(lake, data / "journal", periods, now.date(), closed)
    for item in items:
        state = f"保留：{item.held}" if item.held else "可删除"
        click.echo(f"{_WORDS[item.what]} {item.name} {len(item.files)}个文件 {item.size:,}字节 {state}")
    going = [i for i in items if not i.held]
    if not execute or not going:
        click.echo(f"保存期满{len(items)}项，其中可删除{len(going)}项" + ("" if execute else "；未删除任何数据"))
        return
    with transaction.atomic():
        append_event(
            by.strip(),
            "删除保存期满的在线监测数据",
            str(lake.root),
            {"规则": periods.ref, "项": [i.name for i in going]},
        )
        retention.remove(lake, items, periods, now)
    click.echo(f"已删除{len(going)}项，清单在数据湖的 retained 目录")


@click.command("mirror", help="把数据湖若干日的文件复制到本机或共享目录（供Spark读取对象存储中的数据湖）。")
@_data
@_lake
@click.option("--from", "first", type=_day, required=True, help="起始日。")
@click.option("--to", "last", type=_day, required=True, help="截止日（含）。")
@click.option("--into", type=click.Path(path_type=Path), required=True, help="目标目录。")
@_said
def mirror_command(data: Path, lake: Lake, first: datetime, last: datetime, into: Path) -> None:
    copied, stale = bring(lake, into, first.date(), last.date())
    click.echo(f"复制{copied}个文件，清除过时的{stale}个")


def bring(lake: Lake, into: Path, first: date, last: date) -> tuple[int, int]:
    """Make a folder hold the values of some days as the lake does; returns files copied and files removed as out of date."""
    files = lake.files("values", first, last)
    copied = mirror(lake.store, into, files)
    stale = {f.name for f in Lake(into).files("values", first, last)} - {f.name for f in files}
    Store(into).remove(stale)
    return copied, len(stale)


def _now() -> datetime:
    return local_time(time.time_ns() // 1000)


commands: list[click.Command] = [verify, repair, rebuild, compact, retain, mirror_command]
