"""``lvheng forms``: check form files, write their templates, check filled workbooks."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import click
import yaml

from lvheng.access.boot import with_django
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError, Severity, stops
from lvheng.filing import forms as f
from lvheng.filing.forms.entries import Option


def rulebook_folder() -> Path:
    """``LVHENG_RULEBOOK``, or ``rulebook/`` beside the source."""
    return Path(os.environ.get("LVHENG_RULEBOOK") or Path(__file__).resolve().parents[3] / "rulebook")


def _regions(path: Path | None) -> dict[str, list[Option]]:
    """The counties of a plan's regions file as the list ``regions``."""
    if path is None:
        return {}
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["regions"]
    places = [e for e in entries if e.get("kind") not in ("nation", "province")]
    return {
        "regions": [
            Option(
                code=str(e["code"]),
                name=e["name"],
                name_en=e.get("name_en", ""),
                aliases=tuple([e["short"]] if e.get("short") else ()),
            )
            for e in places
        ]
    }


def _book(folder: Path | None, regions: Path | None) -> f.FormBook:
    return f.load_forms(folder or rulebook_folder() / "forms", lists=_regions(regions), base=rulebook_folder())


def _find(book: f.FormBook, name: str, period: Period | None) -> f.Form:
    """By id or official code (205-1)."""
    ids = [form.id for form in book if form.code == name]
    return book.at(ids[0] if ids and name not in book else name, period.end if period else date.today())  # noqa: DTZ011


_FOLDER = click.option(
    "--forms", "folder", type=click.Path(path_type=Path, exists=True), help="表单文件或文件夹，默认为规则库的forms。"
)
_REGIONS = click.option(
    "--regions",
    type=click.Path(path_type=Path, exists=True),
    help="方案的地区文件（regions.yaml），按地区分行的表用到。",
)


@click.group()
def forms() -> None:
    """填报表单：核对定义、生成模板、核对填好的文件。"""


@forms.command("list")
@_FOLDER
def list_(folder: Path | None) -> None:
    """列出现行表单。"""
    for form in _book(folder, None).all(date.today()):  # noqa: DTZ011
        click.echo(
            f"{form.id}\t{form.code}\t{form.title}\t{form.frequency.value}\t{len(form.sheets)}表{sum(len(s.columns) for s in form.sheets)}栏"
        )


@forms.command("check")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
def check_forms(path: Path) -> None:
    """核对表单定义：写法、代码表、审核关系、发布的指标。PATH为文件或文件夹。"""
    book, problems = f.read_forms(path, base=rulebook_folder())
    for problem in problems:
        click.echo(str(problem), err=True)
    if stops(problems):
        raise click.exceptions.Exit(1)
    click.echo(
        f"共{sum(1 for _ in book)}张表，没有问题。"
        if not problems
        else f"共{sum(1 for _ in book)}张表，{len(problems)}处请核对。"
    )


@forms.command()
@click.argument("form")
@click.option("--period", required=True, help="期间，如2024-03、2024Q1、2024。")
@click.option("-o", "output", type=click.Path(path_type=Path), required=True, help="写到这个xlsx文件。")
@click.option("--subject", default="", help="填报单位名称。")
@_FOLDER
@_REGIONS
def template(form: str, period: str, output: Path, subject: str, folder: Path | None, regions: Path | None) -> None:
    """生成一张表的填报模板。FORM为表单编号或表号（如205-1）。"""
    when = Period.parse(period)
    found = _find(_book(folder, regions), form, when)
    _of_kind(found, when)
    try:
        output.write_bytes(f.template(found, when, subject, None))
    except OSError as error:
        raise ProblemError(
            Problem("filing.output", "文件写不出", got=error.strerror or "", wanted=str(output), fix="核对路径和权限。")
        ) from None
    click.echo(f"已写出{output}")


def _of_kind(form: f.Form, period: Period) -> None:
    if period.kind is not form.frequency:
        raise ProblemError(Problem("filing.period.kind", f"“{form.title}”的期间不对", got=period.label, wanted={"year": "年份，如2024", "half": "半年，如2024H1", "quarter": "季度，如2024Q1", "month": "月份，如2024-03", "day": "日期"}[form.frequency.value], fix="改用该表频度的期间。"))  # fmt: skip


@forms.command()
@click.argument("form")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--period", help="期间；文件是模板时可省略。")
@click.option("--json", "as_json", is_flag=True, help="输出JSON。")
@click.option("--marked", "marked_to", type=click.Path(path_type=Path), help="另写一份标出问题的xlsx。")
@_FOLDER
@_REGIONS
def validate(
    form: str,
    file: Path,
    period: str | None,
    as_json: bool,
    marked_to: Path | None,
    folder: Path | None,
    regions: Path | None,
) -> None:
    """核对一个填好的文件，不保存。"""
    book = _book(folder, regions)
    content = file.read_bytes()
    when = Period.parse(period) if period else None
    found = _find(book, form, when)
    reading = f.read_file(content, file.name, found, when)
    if when is None and reading.period:
        when = Period.parse(reading.period)
        found = book.at(found.id, when.end)
    if when is None:
        raise ProblemError(
            Problem(
                "filing.period.missing",
                "文件里没有写明期间",
                got=file.name,
                wanted="--period",
                fix="加上--period，如--period 2024-03。",
            )
        )
    _of_kind(found, when)
    problems: Sequence[f.FilingProblem] = reading.problems
    if reading.data:
        problems = [*problems, *reading.locate(f.check(found, reading.data, f.Context(when)))]
    if marked_to is not None:
        marked_to.write_bytes(f.marked(content, found, problems, file.name))
    if as_json:
        out = {
            "form": found.id,
            "period": when.code,
            "rows": reading.seen.rows,
            "cells": reading.seen.cells,
            "problems": [p.as_dict() for p in problems],
            "data": f.dump(reading.data),
        }
        click.echo(json.dumps(out, ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            click.echo(str(problem))
        counts = {s: sum(p.severity is s for p in problems) for s in Severity}
        click.echo(
            f"{reading.seen.rows}行{reading.seen.cells}格；"
            + "，".join(f"{s.label}{n}处" for s, n in counts.items() if n)
            if problems
            else f"{reading.seen.rows}行{reading.seen.cells}格，没有问题。"
        )
    if stops(problems):
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--dry-run", is_flag=True, help="只列出要写的邮件，不写不寄。")
@click.option("--today", "day", type=click.DateTime(["%Y-%m-%d"]), help="按这一天计算，如2026-04-03；默认为今天。")
@with_django
def remind(dry_run: bool, day: datetime | None) -> None:
    """催报：给临近或超过期限的经办人、有待审填报的审核人写信并寄出，每个时点只提醒一次。"""
    from django.utils import timezone

    from lvheng.filing import reminders

    when = day.date() if day else timezone.localdate()
    if not dry_run:
        click.echo(reminders.run(when) + "。" + reminders.way())
        return
    found = reminders.drafts(when)
    for draft in found:
        click.echo(f"{draft.person.email}\t{draft.person.full_name}\t{draft.subject}")
    click.echo(f"共{len(found)}封，没有写，也没有寄。{reminders.way()}")


commands = [forms, remind]
