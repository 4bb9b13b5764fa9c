"""The whole tree of commands speaks Chinese: its help, and what it says of a wrong command line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from lvheng.cli import Help, lvheng, main

ENGLISH = re.compile(
    r"Usage|Options|Commands|OPTIONS|COMMAND|ARGS|Show |[Rr]equired|default|INTEGER|FLOAT|TEXT|PATH|FILE|DIRECTORY|[Mm]issing|[Ii]nvalid|No such|Error|argument"
)
# What is typed, or a name of its own.
KEPT = re.compile(r"--?[a-z][a-z0-9-]*|\.[a-z]+")


def tree(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) is not None:
                yield from tree(below, click.Context(below, info_name=name, parent=context))


def every() -> list[tuple[click.Command, click.Context]]:
    return list(tree(lvheng, click.Context(lvheng, info_name="lvheng")))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out + shown.err


def test_every_help_is_in_chinese() -> None:
    assert len(every()) > 20
    for command, context in every():
        text = command.get_help(context)
        assert text.startswith("用法：lvheng"), context.command_path
        assert not ENGLISH.search(KEPT.sub("", text)), (context.command_path, text)
        assert command.help, f"{context.command_path} 没有说明"


def test_no_line_of_help_is_wider_than_asked() -> None:
    def columns(line: str) -> int:
        return sum(2 if ord(c) > 0x2000 else 1 for c in line)

    for command, context in every():
        formatter = Help(width=80)
        command.format_help(context, formatter)
        for line in formatter.getvalue().splitlines():
            assert columns(line) <= 84 or len(line.split()) <= 2, (context.command_path, line)  # closing marks may hang


def test_the_columns_of_help_hold_with_chinese_placeholders() -> None:
    formatter = Help(width=60)
    formatter.write_dl(
        [
            ("--port INTEGER RANGE", "端口。  [default: 80; 1<=x<=9; required]"),
            ("--json", "输出JSON。"),
            ("--least INTEGER RANGE", "数。  [x>=3]"),
        ]
    )
    assert formatter.getvalue().splitlines() == [
        "--port 整数   端口。〔默认：80；1至9；必填〕",
        "--json        输出JSON。",
        "--least 整数  数。〔不小于3〕",
    ]


def test_a_wrong_option_a_missing_argument_and_a_wrong_value_are_told_for_every_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command, context in every()[1:]:
        path = context.command_path.split()[1:]
        if not command.context_settings.get("ignore_unknown_options"):
            code, text = said(capsys, *path, "--wrong-option")
            assert (code, "没有这个选项" in text) == (2, True), text
        if isinstance(command, click.Group):
            code, text = said(capsys, *path, "nothing")
            assert (code, "没有这个命令" in text) == (2, True), text
            continue
        required = [p for p in command.params if p.required]
        if required:
            code, text = said(capsys, *path)
            assert (code, "命令缺少参数" in text) == (2, True), text
            assert not ENGLISH.search(KEPT.sub("", text)), text
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag and not option.is_eager:
                code, text = said(capsys, *path, option.opts[-1])
                assert (code, "选项缺少取值" in text) == (2, True), text
                if isinstance(option.type, click.Choice | click.IntRange | click.FloatRange | click.DateTime):
                    code, text = said(capsys, *path, option.opts[-1], "±")
                    assert code == 2, text
                    assert "无法识别" in text or "取值有误" in text or "缺少参数" in text, text
                    assert not ENGLISH.search(KEPT.sub("", text)), text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing"], "没有这个命令"),
        (["progres"], "应为：progress"),
        (["progress", "too", "many"], "命令有多余的参数"),
        (["progress", "--json=1"], "选项"),
        (["plan", "read", "/no/such/file.txt"], "不存在"),
        (["run", "--port", "70000"], "应为：整数，1至65535"),
        (["run", "--port", "x"], "现为：x"),
    ],
)
def test_usage_errors_name_what_was_found_and_wanted(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    code, text = said(capsys, *arguments)
    assert code != 0
    assert says in text
    assert not ENGLISH.search(KEPT.sub("", text)), text
