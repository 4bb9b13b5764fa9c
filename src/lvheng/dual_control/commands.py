"""``lvheng replay``: decisions reckoned again."""

from __future__ import annotations

import click

from lvheng.access.boot import with_django
from lvheng.core.problem import Problem, ProblemError


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


commands: list[click.Command] = [replay]
