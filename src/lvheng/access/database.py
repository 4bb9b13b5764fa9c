"""``lvheng database``: whether the second wall stands, and a database user for whom it does."""

from __future__ import annotations

from urllib.parse import quote

from django.db import connection, transaction

from lvheng.access import wall
from lvheng.core.problem import Place, Problem, ProblemError


def check() -> str:
    """What row security holds on this connection, in words; raises ProblemError where it should hold and does not."""
    if connection.vendor != "postgresql":
        return "本站使用内置的 SQLite，没有行级安全；企业之间的隔离由程序保证。多人填报时改用 PostgreSQL。"
    if problem := wall.standing():
        raise ProblemError(problem)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relnamespace = 'public'::regnamespace"
        )
        (walled,) = cursor.fetchone()
        cursor.execute("SELECT current_user")
        (name,) = cursor.fetchone()
    if not walled:
        raise ProblemError(
            Problem(
                "access.wall.none",
                "库中没有行级安全策略",
                wanted="已执行全部迁移",
                fix="运行 lvheng run --no-demo --no-serve。",
            )
        )
    return f"以普通用户 {name} 连接，{walled}张表的行级安全有效。"


def make_user(name: str, password: str) -> str:
    """Make, or mend, a database user that row security binds; returns the address for LVHENG_DATABASE without the password.

    The user may read and write every row the policies allow and keeps the schema up to date; it is no superuser.
    """
    if connection.vendor != "postgresql":
        raise ProblemError(Problem("access.database.kind", "当前数据库不是 PostgreSQL", place=Place(field="LVHENG_DATABASE"), fix="先把 LVHENG_DATABASE 设为 PostgreSQL 的管理用户。"))  # fmt: skip
    if not name.isidentifier() or not name.isascii() or len(name) > 60:
        raise ProblemError(
            Problem(
                "access.database.name",
                "用户名写得不对",
                got=name[:60],
                wanted="字母、数字和下划线，不以数字开头",
                fix="换一个用户名。",
            )
        )
    if len(password) < 10:
        raise ProblemError(Problem("access.database.password", "口令太短", wanted="至少10位", fix="换一个口令。"))
    from psycopg import sql

    who, database = sql.Identifier(name), sql.Identifier(str(connection.settings_dict["NAME"]))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        if not cursor.fetchone()[0]:
            raise ProblemError(
                Problem(
                    "access.database.right",
                    "当前数据库用户不能建立用户",
                    wanted="数据库的管理用户",
                    fix="用管理用户的地址设 LVHENG_DATABASE 后再运行一次。",
                )
            )
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        verb = sql.SQL("ALTER" if cursor.fetchone() else "CREATE")
        raw = cursor.connection
        steps = [
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD {}").format(
                verb, who, sql.Literal(password)
            ),
            sql.SQL("GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {} TO {}").format(database, who),
            sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(who),
        ]
        # who owns the tables may migrate them; forced row security binds the owner too
        cursor.execute(
            "SELECT c.relkind, c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S') "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')"
        )
        kinds = {"r": "TABLE", "p": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE"}
        steps += [
            sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kinds[_text(kind)]), sql.Identifier(table), who)
            for kind, table in cursor.fetchall()
        ]
        cursor.execute(
            "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        )
        steps += [
            sql.SQL("ALTER FUNCTION {} OWNER TO {}").format(sql.SQL(function), who) for (function,) in cursor.fetchall()
        ]
        for step in steps:
            cursor.execute(step.as_string(raw))
    given = connection.settings_dict
    return f"postgresql://{quote(name)}:口令@{given['HOST'] or '127.0.0.1'}:{given['PORT'] or 5432}/{given['NAME']}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
