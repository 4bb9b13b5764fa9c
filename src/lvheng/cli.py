"""``lvheng``: every use case that a person or cron would run.

Each room brings its commands in ``<room>/commands.py`` as a list named ``commands``. Faults are
printed as problems in Chinese and end with exit code 1 (2 for a wrong command line).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec

import click

from lvheng import __version__
from lvheng.core.problem import Place, Problem, ProblemError

ROOMS = (
    "plan", "access", "observations", "demo", "credits", "filing", "registers", "telemetry", "energy", "dual_control", "reductions", "projects",
    "market", "economy", "checks", "people", "assessment", "documents", "public", "web",
)  # fmt: skip


class Group(click.Group):
    """The top group; rooms are imported when a command of theirs may be asked for."""

    def _collect(self) -> None:
        if self.commands:
            return
        for room in ROOMS:
            name = f"lvheng.{room}.commands"
            if find_spec(f"lvheng.{room}") and find_spec(name):
                for command in import_module(name).commands:
                    self.add_command(command)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._collect()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._collect()
        return super().get_command(ctx, cmd_name)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="绿衡 Lvheng", message="%(prog)s %(version)s")
def lvheng() -> None:
    """绿衡：让节能减排综合工作实施方案跑起来。"""


def _say(error: click.ClickException) -> Problem:
    """What click found wrong with the command line, in Chinese."""
    ctx = getattr(error, "ctx", None)
    where = ctx.command_path if ctx else "lvheng"
    help_ = f"用 {where} --help 查看用法。"
    match error:
        case click.NoSuchOption():
            near = "、".join(error.possibilities or [])
            return Problem(
                "cli.option.unknown",
                "没有这个选项",
                place=Place(field=where),
                got=error.option_name,
                wanted=near,
                fix=help_,
            )
        case click.MissingParameter():
            name = error.param.human_readable_name if error.param else ""
            return Problem("cli.parameter.missing", "命令缺少参数", place=Place(field=where), wanted=name, fix=help_)
        case click.FileError():
            return Problem(
                "cli.file.unreadable",
                "文件打不开",
                place=Place(file=error.ui_filename),
                got=error.message,
                fix="核对路径和权限。",
            )
        case click.BadParameter():
            name = error.param.human_readable_name if error.param else ""
            kind = error.param.type if error.param else None
            message, wanted = "参数取值有误", ""
            if isinstance(kind, click.Choice):
                wanted = "、".join(map(str, kind.choices))
            elif isinstance(kind, click.Path):
                message = "文件不存在或不能读取"
            elif isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
                wanted = "数字"
            return Problem(
                "cli.parameter.bad",
                message,
                place=Place(field=f"{where} {name}"),
                got=_quoted(error.message),
                wanted=wanted,
                fix=help_,
            )
        case click.UsageError():
            return Problem("cli.usage", "命令写法有误", place=Place(field=where), got=_quoted(error.message), fix=help_)
    return Problem("cli.error", "命令未能完成", place=Place(field=where), got=error.format_message(), fix=help_)


def _quoted(message: str) -> str:
    """The user's own word out of click's English sentence."""
    parts = message.split("'")
    return parts[1] if len(parts) >= 3 else message


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs the command and turns every fault into problems on standard error."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lvheng.web.settings")
    code = 0
    try:
        result = lvheng.main(args=argv, prog_name="lvheng", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except ProblemError as error:
        for problem in error:
            click.echo(str(problem), err=True)
        code = 1
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        click.echo(str(_say(error)), err=True)
        code = 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("已停止。", err=True)
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    sys.exit(code)


if __name__ == "__main__":
    main()
