"""``lvheng evaluate``, ``explain`` and ``progress``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.tables import FORMATS, Column, render

_format = click.option(
    "--format", "fmt", type=click.Choice(["table", *FORMATS]), default="table", show_default=True, help="输出格式。"
)
_out = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="写入文件；xlsx 必须写入文件。"
)
_plan = click.option("--plan", "plan_id", help="方案编号，默认为现行方案。")


def put(
    columns: tuple[Column, ...],
    rows: list[dict[str, Any]],
    fmt: str,
    output: Path | None,
    title: str,
    notes: tuple[str, ...] = (),
) -> None:
    """Print or write a table; a file's ending chooses the format when none was asked for."""
    if output is not None and fmt == "table":
        fmt = output.suffix.lstrip(".").lower() or "table"
        if fmt not in FORMATS:
            raise ProblemError(
                Problem("cli.format.unknown", "文件后缀不是可输出的格式", got=output.suffix, wanted="、".join(FORMATS))
            )
    if fmt == "table":
        from rich.console import Console
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for column in columns:
            number = any(
                isinstance(row.get(column.key), (int, float)) or type(row.get(column.key)).__name__ == "Decimal"
                for row in rows
            )
            table.add_column(column.heading, justify="right" if number else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_shown(row.get(c.key)) for c in columns))
        console = Console() if sys.stdout.isatty() else Console(width=240)
        console.print(table)
        for note in notes:
            console.print(note)
        return
    if fmt == "xlsx" and output is None:
        raise ProblemError(
            Problem("cli.output.missing", "xlsx不能显示在终端", wanted="-o 文件名.xlsx", fix="加上 -o 选项。")
        )
    data = render(columns, rows, fmt, title=title, notes=notes)
    if output is None:
        click.echo(data.decode().lstrip("\ufeff"))
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ProblemError(
            Problem("cli.output.unwritable", "文件不能写入", got=f"{output} {error.strerror}", fix="核对路径和权限。")
        ) from None
    click.echo(f"已写入{output}（{len(rows)}行）。")


def _shown(value: Any) -> str:
    from decimal import Decimal

    from lvheng.core.quantity import show

    if value is None:
        return "—"
    return show(value) if isinstance(value, Decimal) else str(value)


@click.command("progress")
@click.option("--region", default="", help="地区代码或名称，默认为全市。")
@click.option("--target", "target_id", default="", help="只看一个目标，并列出各县（市）区。")
@click.option(
    "--state",
    type=click.Choice(["done", "on_schedule", "behind", "far_behind", "no_data", "not_due"]),
    help="只列某一状态。",
)
@_plan
@_format
@_out
@with_django
def progress(
    region: str, target_id: str, state: str | None, plan_id: str | None, fmt: str, output: Path | None
) -> None:
    """各项目标的进度：现值、目标值、完成进度、序时进度、状态和说明。"""
    from lvheng.observations import view
    from lvheng.observations.report import STANDING_COLUMNS, standing_row

    look = view.current(plan_id)
    where = look.plan.regions.find(region) if region else look.city
    if target_id:
        standings = (
            [look.standing(target_id), *look.county_standings(target_id)]
            if not region
            else [look.standing(target_id, where.code)]
        )
    else:
        standings = look.standings(where.code)
    rows = [standing_row(s) for s in standings if state is None or s.state == state]
    notes = (f"截至第{look.position}次入库。",)
    put(STANDING_COLUMNS, rows, fmt, output, f"{look.plan.header.short}目标进度：{where.name}", notes)


@click.command("explain")
@click.argument("target")
@click.option("--region", default="", help="地区代码或名称，默认为全市；也可为用能单位的代码或全称。")
@click.option(
    "--period", "period_text", default="", help="期间，如 2023、2023-06YTD、2023年1—6月；默认为目标的最近数据期。"
)
@click.option("--item", default="", help="分项，如某种能源。")
@click.option("--depth", type=click.IntRange(0, 50), default=None, help="展开层数，默认全部展开。")
@click.option("--json", "as_json", is_flag=True, help="输出JSON。")
@_plan
@with_django
def explain(
    target: str, region: str, period_text: str, item: str, depth: int | None, as_json: bool, plan_id: str | None
) -> None:
    """一个数从何而来：TARGET为目标编号（T001）或指标代码，逐层展开到每条观测、版次和来源。"""
    import json

    from rich.console import Console

    from lvheng.core.explain import render as tree
    from lvheng.core.period import Period
    from lvheng.observations import view
    from lvheng.observations.report import headline

    look = view.current(plan_id)
    unit = look.unit(region) if region else None
    where = look.plan.regions.find(region) if region and unit is None else None
    standing = None
    if unit is not None and target in look.plan.target_by_id:
        raise ProblemError(
            Problem("explain.unit_target", "目标没有分到用能单位", got=f"{target} {unit.name}", wanted="指标代码，如energy_use", fix="改用指标代码，或改选地区。")
        )  # fmt: skip
    if target in look.plan.target_by_id:
        standing = look.standing(target, where.code if where else None)
        indicator, where = standing.target.indicator, standing.region
        if not indicator:
            raise ProblemError(Problem("explain.no_indicator", "该条款没有统计指标", got=standing.target.title))
    elif target in look.catalogue:
        indicator, where = target, where or look.city
    else:
        raise ProblemError(
            Problem("explain.unknown", "没有这个目标或指标", got=target, wanted="目标编号如T001，或指标代码如energy_intensity", fix="用 lvheng progress 查看全部目标。")
        )  # fmt: skip
    if period_text:
        period = Period.parse(period_text)
    elif standing is not None and standing.period is not None:
        period = standing.period
    elif unit is not None and (last := unit.latest(indicator)):
        period = last
    else:
        span = look.data_years(indicator)
        period = Period.of_year(span[1] if span else look.plan.header.last_year)
    node = unit.explain(indicator, period, item) if unit else look.explain(indicator, where.code, period, item)
    if unit and not item and node.value is None and (items := unit.items(indicator, period)):
        raise ProblemError(
            Problem("explain.item", "这个指标分项报送，须写明分项", got=f"{indicator} {period.label}", wanted="、".join(items[:20]), fix="加 --item 分项。")
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(node.as_dict(depth), ensure_ascii=False, indent=2))
        return
    console = Console() if sys.stdout.isatty() else Console(width=200)
    if standing is not None:
        console.print(headline(standing), highlight=False)
        console.print(f"  {standing.reason}", highlight=False)
    console.print(tree(node, depth))
    for ref in node.rule_refs():
        console.print(f"所用规则：{ref}", highlight=False)


@click.command("evaluate")
@click.option(
    "--kind",
    type=click.Choice(["year", "quarter", "month", "ytd"]),
    default="year",
    show_default=True,
    help="期间类别。",
)
@click.option(
    "--engine", type=click.Choice(["duckdb", "polars", "pyspark"]), default=None, help="计算引擎，默认按设置。"
)
@click.option("--indicator", "indicators", multiple=True, help="只算这些指标，可多次给出。")
@_plan
@_format
@_out
@with_django
def evaluate(
    kind: str, engine: str | None, indicators: tuple[str, ...], plan_id: str | None, fmt: str, output: Path | None
) -> None:
    """计算全部指标、全部地区和期间，输出长表。"""
    from lvheng.observations import tabulate, view

    look = view.current(plan_id)
    rows = tabulate.table(look, kind=kind, engine=engine, indicators=indicators or None)
    if fmt == "table" and output is None:
        known = sum(r["value"] is not None for r in rows)
        click.echo(
            f"计算{len({r['indicator'] for r in rows})}项指标、{len({r['region'] for r in rows})}个地区、{len({r['period'] for r in rows})}个期间，得{known:,}个数值，缺{len(rows) - known:,}个。"
        )
        click.echo("用 --format csv 或 -o 文件名.xlsx 输出全部数值。")
        return
    put(
        tabulate.COLUMNS,
        rows,
        fmt,
        output,
        f"{look.plan.header.short}指标计算结果",
        (f"截至第{look.position}次入库。",),
    )


commands = [evaluate, explain, progress]
