"""``lvheng demo``: generate the synthetic city to files, or load it into this site."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Place, Problem, ProblemError


@click.command("demo")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=None,
    help="种子数，默认用参数文件所写；种子相同，数据逐字节相同。",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="把数据写成CSV文件的目录，注入错误的真值另存于其中的truth.json。",
)
@click.option("--load", is_flag=True, help="装入本站，并建立演示账号。")
@click.option("--plan", "plan_id", help="方案编号，默认为现行方案。")
@with_django
def demo(seed: int | None, out: Path | None, load: bool, plan_id: str | None) -> None:
    """生成演示城市：县（市）区、用能单位、各项统计，全部为虚构数据。"""
    from django.conf import settings

    from lvheng.demo.pack import assemble, unfed, write
    from lvheng.observations import view

    if not load and out is None:
        raise ProblemError(
            Problem("demo.nothing", "没有说明生成的数据放在哪里", place=Place(field="lvheng demo"), wanted="--out 目录，或 --load", fix="写成文件用 --out，装入本站用 --load，可以并用。")
        )  # fmt: skip
    plan = view.current(plan_id).plan
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            pack = assemble(plan, view.catalogue(), settings.DATA_FOLDER, seed)
            digests = write(pack, out)
        except OSError as error:
            raise ProblemError(
                Problem("demo.unwritable", "目录不能写入", place=Place(file=str(out)), got=error.strerror or "", fix="核对路径和权限。")
            ) from None  # fmt: skip
        click.echo(
            f"已写入{out}：用能单位{len(pack.subjects):,}家，数据{len(pack):,}条，注入错误{len(pack.truths)}处。"
        )
        for name, digest in digests.items():
            click.echo(f"  {digest[:16]}  {name}")
        for problem in unfed(pack, view.catalogue()):
            click.echo(str(problem), err=True)
    if load:
        _load(plan_id, seed)


def _load(plan_id: str | None, seed: int | None) -> None:
    from lvheng.demo.certificates import load_certificates
    from lvheng.demo.filings import load_filings
    from lvheng.demo.services import demo_accounts, keep_county_targets, load_demo
    from lvheng.observations import view

    plan = view.current(plan_id).plan
    live = sys.stderr.isatty()

    def advance(stage: str, done: int, total: int) -> None:
        if live:
            click.echo(f"\r\033[K{stage} {done:,}/{total:,}", nl=False, err=True)

    report = load_demo(plan, view.catalogue(), advance, seed)
    keep_county_targets(plan)
    load_filings()
    load_certificates()
    if live:
        click.echo("\r\033[K", nl=False, err=True)
    click.echo(f"演示数据：{report}。")
    for problem in report.problems:
        click.echo(str(problem), err=True)
    click.echo("演示账号：")
    for account in demo_accounts(plan):
        click.echo(f"  {account.username:<16}{account.password:<22}{account.role}　{account.name}")


commands = [demo]
