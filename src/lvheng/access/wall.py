"""Whether the second wall stands: on PostgreSQL the site must connect as a role that row security binds.

Superusers, and roles with BYPASSRLS, see every row whatever the policies say. Asked by the site's start, the
administrator's page, ``lvheng manage check --deploy --database default`` and ``lvheng database check``.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.checks import Tags, register
from django.core.checks import Warning as Advice
from django.db import DatabaseError, connection

from lvheng.core.problem import Place, Problem, Severity

FIX = "运行 lvheng database user 建立普通用户，把 LVHENG_DATABASE 改为该用户，再重新启动。"


def standing() -> Problem | None:
    """What keeps row security from holding; None when it holds, or where the database has none (SQLite)."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, superuser, bypass = cursor.fetchone()
    if not (superuser or bypass):
        return None
    return Problem(
        "access.wall", "网站以数据库超级用户连接，企业填报的行级安全不起作用" if superuser else "网站的数据库用户有绕过行级安全的权限，企业填报的行级安全不起作用",
        severity=Severity.WARNING, place=Place(field="LVHENG_DATABASE"), got=name, wanted="不是超级用户、不能绕过行级安全的数据库用户", fix=FIX,
    )  # fmt: skip


def warn() -> None:
    """Say it in the log when the site starts."""
    try:
        problem = standing()
    except DatabaseError as error:
        logging.getLogger("lvheng").warning("%s", error)
        return
    if problem is not None:
        logging.getLogger("lvheng").warning("%s", problem)


@register(Tags.database, deploy=True)
def check_wall(app_configs: Any = None, databases: Any = None, **more: Any) -> list[Advice]:
    if not databases or connection.alias not in databases:
        return []
    problem = standing()
    return [Advice(problem.message, hint=problem.fix, obj=problem.got, id="lvheng.W001")] if problem else []
