"""``lvheng audit verify``: walk the audit chain and name the first altered row."""

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


commands = [audit]
