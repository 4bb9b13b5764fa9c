"""``lvheng``: every use case that a person or cron would run.

Each room brings its commands in ``<room>/commands.py`` as a list named ``commands``. Faults are
printed as problems in Chinese and end with exit code 1 (2 for a wrong command line).
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

import click

from lvheng import __version__
from lvheng.core.problem import Place, Problem, ProblemError

ROOMS = (
    "plan", "access", "observations", "demo", "credits", "filing", "registers", "telemetry", "energy", "dual_control", "reductions", "projects",
    "market", "economy", "checks", "people", "assessment", "documents", "public", "web",
)  # fmt: skip


WORDS = {
    "OPTIONS": "选项", "COMMAND": "命令", "ARGS": "参数", "ARGUMENTS": "参数", "NUMBERS": "编号", "CODE": "代码", "FILE": "文件", "DIRECTORY": "文件夹",
    "PATH": "路径", "TABLE": "表", "TARGET": "目标", "TEXT": "文本", "FORM": "表单", "GOLD": "标准答案", "INTEGER RANGE": "整数", "INTEGER": "整数",
    "FLOAT RANGE": "数值", "FLOAT": "数值", "BOOLEAN": "是否", "URL": "网址", "HEX": "十六进制数", "%Y-%m-%d": "年-月-日",
    "Options": "选项", "Commands": "命令", "Positional arguments": "参数", "Show this message and exit.": "显示本说明。",
}  # fmt: skip
_WORD = re.compile(
    "|".join(rf"(?<![A-Za-z0-9_-]){re.escape(word)}(?![A-Za-z0-9_-])" for word in sorted(WORDS, key=len, reverse=True))
)
_EXTRA = re.compile(r"  \[([^\[\]]*)\]$")
_RANGE = re.compile(r"(?:(?P<low>\S+?)(?P<above><=?))?x(?:(?P<sign><=?|>=?)(?P<high>\S+))?")
_COMPARED = {"<": "小于", "<=": "不超过", ">": "大于", ">=": "不小于"}
_UNBROKEN = re.compile(r"[!-~]+[，。；：、）》”〕]*|\s+|.[，。；：、）》”〕]*")


def in_words(text: str) -> str:
    """The placeholders and headings of click's help in Chinese; options and file formats stay as they are typed."""
    return _WORD.sub(lambda found: WORDS[found[0]], text)


def _extra(item: str) -> str:
    """What click adds to an option: required, its default, its range."""
    if item == "required":
        return "必填"
    if item.startswith("default: "):
        return "默认：" + item.removeprefix("default: ")
    found = _RANGE.fullmatch(item)
    if not found:
        return item
    low, above, sign, high = found["low"], found["above"], found["sign"], found["high"]
    if (above, sign) == ("<=", "<="):
        return f"{low}至{high}"
    lower = f"{'不小于' if above == '<=' else '大于'}{low}" if low else ""
    return "、".join(filter(None, (lower, f"{_COMPARED[sign]}{high}" if high else "")))


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _wrapped(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for piece in _UNBROKEN.findall(" ".join(text.split())):
        if line and _width(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()]


class Help(click.HelpFormatter):
    """The help of every command in Chinese, with columns that hold on a terminal."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        self._write(_wrapped(f"{prog} {in_words(args)}", self.width - 6), "用法：" if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{in_words(heading)}：\n")

    def write_text(self, text: str) -> None:
        for paragraph in re.split(r"\n\s*\n", in_words(text)):
            self._write(_wrapped(paragraph, self.width - self.current_indent), " " * self.current_indent)

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        said = [(in_words(first), self.described(second)) for first, second in rows]
        column = min(max(_width(first) for first, _ in said), col_max) + col_spacing
        for first, second in said:
            head = " " * self.current_indent + first
            gap = column - _width(first)
            room = self.width - self.current_indent - column
            if gap < col_spacing and second:  # too long for the column: the description goes below
                self.write(head + "\n")
                head, gap = " " * self.current_indent, column
            self._write(_wrapped(second, room), (head + " " * gap) if second else head)

    @staticmethod
    def described(text: str) -> str:
        """The description of an option with what click adds to it."""
        return in_words(_EXTRA.sub(lambda found: f"〔{'；'.join(map(_extra, found[1].split('; ')))}〕", text))

    def _write(self, lines: list[str], head: str) -> None:
        rest = " " * _width(head)
        self.write("".join(f"{rest if n else head}{line}".rstrip() + "\n" for n, line in enumerate(lines)))


click.Context.formatter_class = Help


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
@click.version_option(__version__, prog_name="绿衡 Lvheng", message="%(prog)s %(version)s", help="显示版本号。")
def lvheng() -> None:
    """绿衡：让节能减排综合工作实施方案跑起来。"""


def _say(error: click.ClickException) -> Problem:
    """What click found wrong with the command line, in Chinese."""
    ctx = getattr(error, "ctx", None)
    where = ctx.command_path if ctx else "lvheng"
    help_ = f"用 {where} --help 查看用法。"

    def say(code: str, message: str, got: str = "", wanted: str = "", field: str = where) -> Problem:
        return Problem(f"cli.{code}", message, place=Place(field=field), got=got, wanted=wanted, fix=help_)

    match error:
        case click.NoSuchOption():
            return say("option.unknown", "没有这个选项", error.option_name, "、".join(error.possibilities or []))
        case click.exceptions.NoSuchCommand():
            return say("command.unknown", "没有这个命令", error.command_name, "、".join(error.possibilities or []))
        case click.MissingParameter():
            return say("parameter.missing", "命令缺少参数", wanted=_name(error.param))
        case click.FileError():
            return Problem(
                "cli.file.unreadable", "文件打不开", place=Place(file=error.ui_filename), fix="核对路径和权限。"
            )
        case click.BadParameter():
            message, wanted = _expected(error.param)
            return say(
                "parameter.bad", message, _quoted(error.message), wanted, f"{where} {_name(error.param)}".strip()
            )
        case click.BadOptionUsage():
            needs = "requires" in error.message
            return say("option.use", "选项缺少取值" if needs else "选项不带取值", error.option_name)
        case click.UsageError():
            if found := re.match(r"Got unexpected extra arguments? \((.*)\)", error.message):
                return say("argument.extra", "命令有多余的参数", found[1])
            return say("usage", "命令写法有误", _quoted(error.message))
    return say("error", "命令未能完成", error.format_message())


def _name(param: click.Parameter | None) -> str:
    """A parameter as the help writes it."""
    if param is None:
        return ""
    return max(param.opts, key=len) if isinstance(param, click.Option) else in_words(param.human_readable_name)


def _expected(param: click.Parameter | None) -> tuple[str, str]:
    """(what is wrong with the value of a parameter, what is wanted)."""
    match param.type if param else None:
        case click.Choice() as kind:
            return "参数取值有误", "、".join(map(str, kind.choices))
        case click.Path() as kind:
            return ("文件夹" if not kind.file_okay else "文件") + "不存在、不能读取或类别不对", ""
        case click.File():
            return "文件打不开", ""
        case click.IntRange() | click.FloatRange() as kind:
            return "参数取值有误", ("整数，" if isinstance(kind, click.IntRange) else "数值，") + _extra(
                kind._describe_range()
            )
        case click.types.IntParamType():
            return "参数取值有误", "整数"
        case click.types.FloatParamType():
            return "参数取值有误", "数值"
        case click.DateTime():
            return "日期无法识别", "年-月-日，如2024-06-30"
    return "参数取值有误", ""


def _quoted(message: str) -> str:
    """The user's own word out of click's English sentence; a sentence of a room's own as it is."""
    parts = message.split("'")
    if len(parts) >= 3:
        return parts[1]
    return message if any("一" <= c <= "鿿" for c in message) else message.split(" is ")[0]


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
