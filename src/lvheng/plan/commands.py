"""Commands of the plan room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from lvheng.core.problem import Place, Problem, ProblemError, Severity
from lvheng.plan import drafting
from lvheng.plan.reading import Draft, read_file, to_plan_dict
from lvheng.plan.reading.score import score
from lvheng.plan.schema import load_plan

PART_NAMES = {
    "quantitative": "定量目标",
    "completion": "完成类目标",
    "actions": "限时限量工作",
    "rules": "规则",
    "responsibilities": "责任分工",
}


@click.group("plan")
def plan_group() -> None:
    """方案：读取、核对、评分。"""


def _fail(problems: list[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    raise SystemExit(1)


def _read(file: Path) -> Draft:
    try:
        return read_file(file)
    except ProblemError as error:
        _fail(error.problems)
        raise


@plan_group.command("read")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="草案写入的文件（YAML）。")
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出草案。")
@click.option("--force", is_flag=True, help="覆盖已有的输出文件。")
def read_command(file: Path, output: Path | None, as_json: bool, force: bool) -> None:
    """读取方案正文（.txt、.docx、含文字的 PDF），给出草案供核对。"""
    if output and output.exists() and not force:
        _fail(
            [
                Problem(
                    "plan.output.exists",
                    "输出文件已存在，未覆盖",
                    place=Place(file=str(output)),
                    fix="请换一个文件名，或加 --force 覆盖",
                )
            ]
        )
    draft = _read(file)
    for problem in draft.problems:
        click.echo(str(problem), err=True)
    data = to_plan_dict(draft)
    text = json.dumps(data, ensure_ascii=False, indent=2) if as_json else _as_plan_file(data, file.name)
    if output:
        try:
            output.write_text(text + ("\n" if as_json else ""), encoding="utf-8")
        except OSError:
            _fail(
                [
                    Problem(
                        "plan.output.unwritable",
                        "输出文件无法写入",
                        place=Place(file=str(output)),
                        fix="请检查文件夹是否存在、是否有写入权限",
                    )
                ]
            )
        click.echo(_summary(draft), err=True)
    else:
        click.echo(text)


def _as_plan_file(data: dict[str, Any], name: str) -> str:
    """``plan.yaml`` of a draft; what a person must add or look at stands at its head."""
    lines = [
        f"# 由《{name}》读出的草案，逐项核对后使用；confidence 为读取把握，reason 为理由，核对后将 confirmed 改为 true。"
    ]
    lines += [f"# 待补：plan 下的 {n}。" for n, v in drafting.header_of(data).items() if v in (None, "")]
    for note in data.get("notes", []):
        words = "，".join(str(note[k]) for k in ("text", "anchor", "reason") if note.get(k))
        lines.append(f"# 未作目标的数字：{' '.join(words.split())}")
    return "\n".join(lines) + "\n" + drafting.to_yaml(data)


@plan_group.command("check")
@click.argument("path", type=click.Path(path_type=Path))
def check_command(path: Path) -> None:
    """核对方案目录或其中的 plan.yaml：写法、编号、条款、单位、责任单位。"""
    if not path.exists():
        raise ProblemError(
            Problem("plan.file.missing", "文件或文件夹不存在", place=Place(file=str(path)), fix="核对路径；没有方案文件的，用 lvheng plan read 生成。")
        )  # fmt: skip
    plan = load_plan(path) if path.is_dir() else load_plan(path.parent, name=path.name)
    warnings = plan.problems
    for problem in warnings:
        click.echo(str(problem), err=True)
    doubtful = sum(not t.confirmed for t in plan.targets)
    click.echo(
        f"{plan.header.title}：条款{len(plan.clause_list)}条，目标与规则{len(plan.targets)}项，责任说明{len(plan.notes)}处，"
        f"任务{len(plan.tasks)}项，责任单位{len(plan.bodies)}个；须改正0处，请核对{len(warnings)}处，未经人工确认{doubtful}项。"
    )


def _summary(draft: Draft) -> str:
    kinds = [t.kind for t in draft.targets]
    doubtful = sum(t.confidence < 0.7 for t in draft.targets)
    return (
        f"条款 {len(draft.clauses)} 条；定量目标 {kinds.count('quantitative')} 项，完成类 {kinds.count('completion')} 项，"
        f"限时限量工作 {kinds.count('dated_or_counted_action')} 项，规则 {kinds.count('rule')} 项；责任分工 {len(draft.responsibilities)} 条。"
        f"其中 {doubtful} 项把握较低，另有 {len(draft.notes)} 个数字未作目标，请逐项核对。"
    )


@plan_group.command("score")
@click.argument("text", type=click.Path(path_type=Path))
@click.argument("gold", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="以 JSON 输出得分。")
def score_command(text: Path, gold: Path, as_json: bool) -> None:
    """用人工标注的答案给读取结果评分。"""
    answer = _gold(gold)
    parts = score(_read(text), answer)
    if as_json:
        click.echo(json.dumps(parts, ensure_ascii=False, indent=2))
        return
    for name, part in parts.items():
        click.echo(
            f"{PART_NAMES[name]}：应有 {part['expected']}，读对 {part['found']}，多读 {len(part['false'])}，"
            f"准确率 {part['precision']:.1%}，查全率 {part['recall']:.1%}"
        )
        for item in part["missed"]:
            click.echo(f"  未读对：{item.get('clause') or ''} {item.get('anchor') or item.get('text') or ''}")
        for item in part["false"]:
            click.echo(f"  多读：{item.get('clause') or ''} {item.get('anchor') or item.get('text') or ''}")


def _gold(path: Path) -> dict[str, Any]:
    """The gold file as plain data; a Problem when it is no such file."""
    wanted = "含 targets 与 responsibilities 的 JSON 或 YAML"
    try:
        raw = path.read_text(encoding="utf-8-sig")
        data = json.loads(raw) if raw.lstrip()[:1] in "{[" else yaml.safe_load(raw)
    except OSError:
        raise SystemExit(
            _told(
                Problem(
                    "plan.gold.unreadable", "答案文件无法打开", place=Place(file=str(path)), fix="请检查文件名和路径"
                )
            )
        ) from None
    except (ValueError, yaml.YAMLError, RecursionError):
        raise SystemExit(
            _told(Problem("plan.gold.malformed", "答案文件格式有误", place=Place(file=str(path)), wanted=wanted))
        ) from None
    parts = [data.get(k) or [] for k in ("targets", "responsibilities")] if isinstance(data, dict) else [None]
    if not all(isinstance(p, list) and all(isinstance(item, dict) for item in p) for p in parts):
        raise SystemExit(
            _told(
                Problem("plan.gold.shape", "答案文件内容不符", Severity.BLOCKER, Place(file=str(path)), wanted=wanted)
            )
        )
    return data


def _told(problem: Problem) -> int:
    click.echo(str(problem), err=True)
    return 1


commands: list[click.Command] = [plan_group]
