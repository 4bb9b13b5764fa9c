"""``lvheng decision``: replay decisions; ``lvheng certificates``: the register of green certificates."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Place, Problem, ProblemError, stops
from lvheng.energy.deductions import Block, Contract
from lvheng.energy.tabular import Column, read_table

BLOCKS = (
    Column("series", "批次", ("绿证批次", "编号前缀"), required=False),
    Column("start", "起号", ("起始编号", "开始编号"), kind="number", required=False),
    Column("end", "止号", ("终止编号", "结束编号"), kind="number", required=False),
    Column("holder", "持有者", ("持有单位", "使用者", "单位", "地区")),
    Column("year", "年度", ("使用年度", "年份"), kind="number"),
    Column("contract", "绿电合同", ("合同编号", "随绿电合同"), required=False),
    Column("kwh", "合同电量", ("电量", "结算电量"), kind="number", required=False),
)


@click.command()
@click.argument("numbers", nargs=-1, type=int)
@with_django
def replay(numbers: tuple[int, ...]) -> None:
    """复算已作出的决定（目标分解、预警），与原结果核对。

    NUMBERS为决定编号，不写则全部复算。任一不一致时退出码为1。
    """
    from lvheng.dual_control.models import Decision
    from lvheng.dual_control.services import replay as compute

    found = Decision.objects.order_by("pk")
    if numbers:
        found = found.filter(pk__in=numbers)
        if missing := set(numbers) - set(found.values_list("pk", flat=True)):
            raise ProblemError(
                Problem(
                    "dual_control.decision.unknown",
                    "没有这个决定",
                    got="、".join(map(str, sorted(missing))),
                    fix="核对决定编号。",
                )
            )
    problems: list[Problem] = []
    for decision in found:
        differs = compute(decision)
        problems += differs
        click.echo(f"{decision.pk}　{decision.title}　{'不一致' if differs else '一致'}")
    if problems:
        raise ProblemError(problems)


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="登记人。")
@with_django
def certificates(table: Path, by: str) -> None:
    """登记绿证使用和绿电合同，全部登记或全不登记。

    TABLE为CSV或xlsx，绿证一行写series（批次）、start（起号）、end（止号）、holder（持有者代码）、year（年度），
    随绿电交付的另写contract（绿电合同）；绿电合同一行写contract、holder、year、kwh（电量，千瓦时），不写编号。
    """
    from lvheng.energy.services import register

    read = read_table(table, BLOCKS)
    problems, blocks, contracts = list(read.problems), [], []
    for row in read.rows:
        whole = all(row[k] is None or row[k] == int(row[k]) for k in ("start", "end", "year"))
        if not row["holder"] or row["year"] is None or not whole:
            problems.append(Problem("energy.certificate.row", "缺少持有者或年度，或编号、年度不是整数", place=row.place_of("holder"), fix="补齐该行。"))  # fmt: skip
        elif row["kwh"] is not None and row["contract"] and row["start"] is None:
            contracts.append(
                Contract(row["contract"], row["holder"], int(row["year"]), row["kwh"], place=row.place_of("kwh"))
            )
        elif row["series"] and row["start"] is not None and row["end"] is not None and row["kwh"] is None:
            blocks.append(Block("", row["series"], int(row["start"]), int(row["end"]), row["holder"], int(row["year"]), row["contract"] or "", place=row.place_of("start")))  # fmt: skip
        else:
            problems.append(Problem("energy.certificate.row", "该行既不是绿证也不是绿电合同", place=row.place_of("series"), wanted="批次、起号、止号；或合同编号、电量", fix="一行只写一种。"))  # fmt: skip
    if not read.rows:
        problems.append(
            Problem("energy.table.no_rows", "表中没有数据行", place=Place(file=table.name), fix="在表头下填写数据。")
        )
    if stops(problems):
        raise ProblemError(problems)
    done, signed = register(blocks, contracts, by=by)
    kwh = sum((Decimal(b.kwh) for b in blocks), Decimal(0))
    click.echo(f"已登记绿证{done}段（{kwh}千瓦时），绿电合同{signed}份。")


commands: list[click.Command] = [replay, certificates]
