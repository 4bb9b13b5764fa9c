"""``lvheng telemetry rollup``: minutes to hours, days and months on the engine chosen."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lvheng.access.boot import with_django
from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.rulebook import Rulebook
from lvheng.telemetry import lake_commands
from lvheng.telemetry.lake import Lake
from lvheng.telemetry.storage import reachable
from lvheng.telemetry.validity import run
from lvheng.telemetry.validity.rules import read_rules

_day = click.DateTime(formats=["%Y-%m-%d"])


@click.command("rollup", help="按有效性规则把分钟数据汇总为小时、日、月，并计算排放量。")
@click.option("--lake", metavar="地址", help="数据湖目录或 s3://存储桶/前缀，默认为本站的数据湖。")
@click.option(
    "--series", "series_file", type=click.Path(path_type=Path), help="因子表（Parquet 或 CSV），默认取本站登记的排口。"
)
@click.option("--from", "first", type=_day, required=True, help="起始日，如 2026-06-01。")
@click.option("--to", "last", type=_day, required=True, help="截止日（含）。")
@click.option("--out", type=click.Path(path_type=Path), help="结果目录，默认为本站数据目录的 rollup。")
@click.option("--history", type=click.Path(path_type=Path), help="此前的汇总结果目录，供缺失数据替代时回看。")
@click.option(
    "--engine", type=click.Choice(["duckdb", "polars", "spark"]), default="duckdb", show_default=True, help="计算引擎。"
)
@click.option("--master", default="", metavar="URL", help="Spark 集群地址，如 spark://主机:7077。")
@click.option(
    "--mirror", type=click.Path(path_type=Path), help="Spark各节点都能访问的目录：先把对象存储中所需的分区复制到这里。"
)
@click.option("--late-until", type=_day, help="补传期限之后、此日之前到达的数据也计入（另出一版，原结果不变）。")
@with_django
def rollup(
    lake: str | None, series_file: Path | None, first: datetime, last: datetime, out: Path | None, history: Path | None, engine: str, master: str,
    mirror: Path | None, late_until: datetime | None,
) -> None:  # fmt: skip
    from django.conf import settings

    begin, end = first.date(), last.date()
    on = run.engine_for("pyspark" if engine == "spark" else engine, master)
    rules = read_rules(Rulebook.load(settings.RULEBOOK_FOLDER), begin)
    if series_file is not None:
        series, marks = read_series(series_file), None
    else:
        from lvheng.telemetry import services

        series, marks = services.series_table(), services.marks_table(begin, end)
    done = run.roll_up(
        _place(lake, mirror, begin, end), series, begin, end, rules, out or Path(settings.HOME) / "rollup", on=on, marks=marks, history=history,
        late_until=late_until,
    )  # fmt: skip
    words = {"hours": "小时", "days": "日", "months": "月"}
    for name, word in words.items():
        click.echo(f"{word}数据{done.rows[name]:,}条，摘要{done.digests[name][:16]}")
    if rules.unsure:
        click.echo("待核规则：" + "、".join(rules.unsure))


def _place(lake: str | None, mirror: Path | None, first: date, last: date) -> Path | str:
    """The lake to read: the one named, or the site's; copied to ``mirror`` first where that is given."""
    if lake is None:
        from lvheng.telemetry import services

        place: Path | str = services.lake_folder()
    else:
        place = lake_commands.place_of(lake)
    if mirror is None:
        return place
    with reachable(place):
        lake_commands.bring(Lake(place), mirror, first, last)
    return mirror


@click.command("close", help="月关账：汇总该月、排放量入库、登记数据湖分区和摘要。")
@click.argument("month", metavar="月份")
@click.option("--by", default="系统", show_default=True, help="关账人。")
@click.option("--again", metavar="原因", default="", help="重新关账：计入迟到的数据，另出一版，以前各版保留。")
@with_django
def close(month: str, by: str, again: str) -> None:
    from lvheng.telemetry import services

    done = services.close_again(month, reason=again, by=by) if again else services.close_month(month, by=by)
    version = f"（第{done.close.version}版）" if done.close.version > 1 else ""
    click.echo(f"{done.close.month}已关账{version}：{done.recorded}，凭证为数据湖分区{len(done.close.partitions)}个")


@click.command("reproduce", help="复算已关账的月份，每一版都与关账时逐表比对。")
@click.argument("month", metavar="月份")
@with_django
def reproduce(month: str) -> None:
    from lvheng.telemetry import services
    from lvheng.telemetry.models import MonthClose

    versions = list(MonthClose.objects.filter(month=month).order_by("version"))
    if not versions:
        raise ProblemError(
            Problem("telemetry.close.none", "该月没有关账", got=month, fix="先运行 lvheng telemetry close。")
        )
    if problems := [p for version in versions for p in services.reproduce(version)]:
        raise ProblemError(problems)
    click.echo(f"{month}复算结果与关账时完全一致" + (f"（共{len(versions)}版）" if len(versions) > 1 else ""))


@click.command("alarms", help="按汇总结果和网关实时数据发出超标、无数据、恒值、离线和许可排放量报警。")
@with_django
def alarms() -> None:
    from lvheng.telemetry import services

    folder = services.rollup_folder()
    n = services.raise_alarms(run.read(folder, "hours"), run.read(folder, "days"))
    click.echo(f"新报警{n + services.raise_logger_off(services.last_heard())}条")


@click.command("refresh", help="汇总本站数据湖，筛查疑点，发出报警（供定时运行）。")
@click.option("--from", "first", type=_day, required=True, help="起始日。")
@click.option("--to", "last", type=_day, required=True, help="截止日（含）。")
@with_django
def refresh(first: datetime, last: datetime) -> None:
    from lvheng.telemetry import services

    done = services.refresh(first.date(), last.date())
    click.echo(f"新报警{done.alarms}条，新疑点{done.leads}条")


def read_series(path: Path) -> pa.Table:
    """A table of series from Parquet or CSV; raises ProblemError when it is none."""
    try:
        if path.suffix == ".csv":
            table = pyarrow.csv.read_csv(path)
        else:
            table = pq.read_table(path)
        return run.complete(table).select(run.SERIES.names).cast(run.SERIES)
    except (OSError, pa.ArrowInvalid, KeyError):
        raise ProblemError(
            Problem("telemetry.rollup.series", "因子表无法读取", place=Place(file=str(path)), wanted="、".join(n for n in run.SERIES.names if n not in run.OPTIONAL), fix="核对文件和栏目。")
        ) from None  # fmt: skip


commands: list[click.Command] = [rollup, close, reproduce, alarms, refresh, *lake_commands.commands]
