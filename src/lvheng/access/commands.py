"""``lvheng audit verify``: walk the audit chain and name the first altered row; ``lvheng database``: the second wall."""

from __future__ import annotations

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import ProblemError


@click.group("audit")
def audit() -> None:
    """审计链。"""


@audit.command("verify")
@with_django
def verify() -> None:
    """逐行核对审计链；有改动或缺失的，指出第一处。"""
    from lvheng.access.models import verify_chain

    rows, problem = verify_chain()
    if problem is not None:
        raise ProblemError(problem)
    click.echo(f"审计链完整，共{rows:,}行。")


@click.group("database")
def database() -> None:
    """数据库：行级安全是否有效，建立网站所用的数据库用户。"""


@database.command("check")
@with_django
def check() -> None:
    """核对网站以什么用户连接，行级安全是否有效。"""
    from lvheng.access.database import check as standing

    click.echo(standing())


@database.command("user")
@click.argument("name")
@click.option(
    "--password", prompt="口令", hide_input=True, confirmation_prompt="再输一次", help="新用户的口令；不写则提示输入。"
)
@with_django
def user(name: str, password: str) -> None:
    """建立或改正网站连接数据库所用的普通用户NAME（以管理用户的地址运行一次）。"""
    from lvheng.access.database import make_user

    address = make_user(name, password)
    click.echo(f"用户 {name} 可以使用，行级安全对其有效。请把 LVHENG_DATABASE 改为：\n  {address}")


commands = [audit, database]
