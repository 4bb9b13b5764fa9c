"""Handbook pages that are made from the product itself, so that they cannot fall behind it.

One page a folder of the rulebook, one of all indicators, one of all commands. A worked example is computed
while its page is made; one that does not come out as stated stops the build.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import yaml

from lvheng.core.formula.rules import check_examples, compute
from lvheng.core.problem import ProblemError
from lvheng.core.rulebook import Rulebook, SourceEntry, Version
from lvheng.core.source import Validity
from lvheng.core.yamlfile import load

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "_generated"
FOLDERS = {
    "assessment": "考核与评分",
    "checks": "稽核规则",
    "codes": "代码表",
    "documents": "公文与报表",
    "dual_control": "能耗双控",
    "economy": "价格、税费与奖惩",
    "energy": "能源核算",
    "environment": "生态环境",
    "forms": "填报表式",
    "indicators": "指标",
    "market": "用能权与排污权",
    "people": "管理人员",
    "plan": "方案读取",
    "progress": "进度",
    "projects": "两高项目",
    "public": "信息公开",
    "reductions": "减排核算",
    "registers": "工程台账",
    "telemetry": "在线监测",
    "warning": "预警",
}
KINDS = {"parameter": "参数", "table": "表", "formula": "公式", "text": "条文"}


def write_pages(target: Path = TARGET) -> None:
    """Write all generated pages; files whose content is the same are left alone, others removed."""
    pages = {**rule_pages(), "indicators.md": indicator_page(), "commands.md": command_page()}
    target.mkdir(parents=True, exist_ok=True)
    for stale in set(target.glob("*.md")) - {target / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def rulebook() -> Rulebook:
    book = Rulebook.load(ROOT / "rulebook")
    if problems := check_examples(book):
        raise ProblemError(problems)
    return book


def rule_pages() -> dict[str, str]:
    """One page a folder: its rules, then its files of other kinds (schemes, forms, code lists)."""
    book = rulebook()
    folders: dict[str, dict[str, list[Version]]] = defaultdict(lambda: defaultdict(list))
    for version in book:
        folders[_folder((version.place.file or "").split("/")[1:])][version.rule].append(version)
    others: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "rulebook").rglob("*.yaml")):
        data = load(path).data
        top = next(iter(data), "") if isinstance(data, dict) else ""
        if top not in ("rules", "indicators"):
            others[_folder(path.relative_to(ROOT / "rulebook").parts)] += _other(path, top, data)
    pages = {}
    for folder in sorted({*folders, *others}):
        lines = [f"# 规则：{FOLDERS.get(folder, folder)}", ""]
        lines += ["每条规则写明依据、把握程度和有效期；把握程度不是“已核”的，界面上显示为“待核”。", ""]
        for rule in sorted(folders[folder]):
            lines += _rule(book, folders[folder][rule])
        pages[f"rules-{folder.replace('_', '-')}.md"] = "\n".join([*lines, *others[folder]])
    return pages


def _folder(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) > 1 else parts[0].removesuffix(".yaml")


def _other(path: Path, top: str, data: Any) -> Iterator[str]:
    """A file of another kind: its entries one by one where each has its source, else the file as it stands."""
    entries = data[top] if top else []
    if not isinstance(entries, list) or not all(isinstance(e, dict) and {"title", "source"} <= set(e) for e in entries):
        title = entries.get("title") if isinstance(entries, dict) else None
        yield from (f"## {escape(title['zh'] if isinstance(title, dict) else str(title or path.stem))}", "")
        yield from (f"```{{literalinclude}} {os.path.relpath(path, TARGET)}", ":language: yaml", "```", "")
        return
    for entry in entries:
        shown = dict(entry)
        source, title = SourceEntry.model_validate(shown.pop("source")), shown.pop("title")
        validity = Validity(shown.pop("valid_from", None), shown.pop("valid_to", None))
        yield from (f"## {escape(title['zh'] if isinstance(title, dict) else title)}", "", f"**{validity.label}**", "")
        yield f"- 依据：{escape(str(source.source))}"
        yield f"- 把握程度：{source.confidence.label}"
        if source.note:
            yield f"- 依据说明：{escape(source.note)}"
        if note := shown.pop("note", ""):
            yield f"- 说明：{escape(note)}"
        text = yaml.safe_dump(shown, allow_unicode=True, sort_keys=False, width=100, default_flow_style=None)
        yield from ("", "```yaml", text.rstrip(), "```", "")


def _rule(book: Rulebook, versions: list[Version]) -> Iterator[str]:
    latest = versions[-1]
    yield f"({anchor(latest.rule)})="
    yield f"## {escape(latest.title)}"
    yield ""
    yield f"规则编号 `{latest.rule}`，{KINDS[latest.entry.kind]}。"
    yield ""
    for version in versions:
        yield from _version(book, version)


def anchor(rule: str) -> str:
    return "rule-" + re.sub(r"[._]", "-", rule)


def _version(book: Rulebook, version: Version) -> Iterator[str]:
    entry, source = version.entry, version.source
    region = f"，适用地区 {entry.region}" if entry.region else ""
    yield f"**{version.validity.label}{region}**"
    yield ""
    yield f"- 依据：{escape(str(source))}"
    yield f"- 把握程度：{version.confidence.label}"
    if source.note:
        yield f"- 依据说明：{escape(source.note)}"
    if entry.kind == "parameter":
        yield f"- 取值：{number(version.value)}{unit(version.unit) if version.value is not None else ''}"
    if entry.kind == "formula":
        yield f"- 公式：`{' '.join(entry.formula.split())}`"
        yield f"- 结果单位：{unit(version.unit) or '无量纲'}"
        yield "- 输入：" + "；".join(f"`{name}`（{unit(of) or '无量纲'}）" for name, of in entry.inputs.items())
        if entry.rounding:
            yield f"- 修约：{ROUNDING[entry.rounding.rule]}，保留{entry.rounding.places}位小数"
    if entry.note:
        yield f"- 说明：{escape(entry.note)}"
    yield ""
    if entry.text:
        yield from ("> " + escape(line) for line in entry.text.splitlines())
        yield ""
    if entry.rows:
        heads = [f"{name}（{of}）" if of not in ("text", "1") else name for name, of in entry.columns.items()]
        yield from table(heads, ([cell(row[name]) for name in entry.columns] for row in entry.rows))
    if entry.bands:
        heads = [f"大于（{unit(version.unit) or '1'}）", "至", f"取值（{entry.rate_unit}）"]
        yield from table(heads, ([number(b.lower), number(b.upper, "不限"), number(b.rate)] for b in entry.bands))
    for example in entry.example:
        day = entry.valid_from or entry.valid_to or date.max
        outcome = compute(book, version.rule, day, example.inputs, entry.region)
        given = "，".join(
            f"{name} = {number(value)}{unit(entry.inputs[name])}" for name, value in example.inputs.items()
        )
        yield f"算例：{given}；结果 **{number(outcome.value)}{unit(outcome.unit)}**。{escape(example.note)}"
        yield ""


ROUNDING = {"half_up": "四舍五入", "half_even": "四舍六入五成双", "down": "舍去", "up": "进位"}


def indicator_page() -> str:
    from lvheng.observations.catalogue import DIRECTIONS, FED_BY, OVER_REGIONS, OVER_TIME, load_catalogue

    lines = ["# 指标目录", "", "目录取自 `rulebook/indicators/`。比率从不相加；缺数不作零。", ""]
    folder = ROOT / "rulebook" / "indicators"
    for group, indicators in (load_catalogue(folder).groups if folder.exists() else {}).items():
        lines += [f"## {escape(group or '其他')}", ""]
        for indicator in indicators:
            lines += [f"### {escape(str(indicator.name))}", ""]
            lines += [f"- 代码：`{indicator.code}`，单位：{indicator.unit if indicator.unit != '1' else '无量纲'}"]
            lines += [f"- 方向：{DIRECTIONS[indicator.direction]}；地区：{OVER_REGIONS[indicator.over_regions]}"]
            lines += [f"- 时间：{OVER_TIME[indicator.over_time]}；数据来自：{FED_BY[indicator.fed_by]}"]
            lines += [f"- 依据：{escape(str(indicator.source.source))}（{indicator.source.confidence.label}）"]
            for version in indicator.formulas:
                since = f"{version.valid_from}起" if version.valid_from else "长期"
                lines += [f"- 公式（{since}）：`{' '.join(version.formula.split())}`"]
                lines += [f"- 公式依据：{escape(str(version.source.source))}（{version.source.confidence.label}）"]
            lines += [f"- 说明：{escape(indicator.note)}"] if indicator.note else []
            lines += [""]
    return "\n".join(lines)


def command_page() -> str:
    """Every command with its own help."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lvheng.web.settings")
    from lvheng.cli import Help, in_words, lvheng

    lines = ["# 命令", "", "每条命令都可以加 `--help` 查看用法。", ""]
    for context, command in sorted(_commands(lvheng, None), key=lambda pair: pair[0].command_path):
        lines += [
            f"## {context.command_path}",
            "",
            escape(" ".join(in_words(command.help or "").split())),
            "",
            "```text",
        ]
        lines += [" ".join(command.get_usage(context).split()), "```", ""]
        options = [record for p in command.get_params(context) if (record := p.get_help_record(context))]
        options = [(name, says) for name, says in options if "--help" not in name]
        lines += [
            f"- `{in_words(name)}`：{escape(Help.described(says))}" for name, says in options if name.startswith("-")
        ] + [""]
    return "\n".join(lines)


def _commands(group: click.Group, parent: click.Context | None) -> Iterator[tuple[click.Context, click.Command]]:
    context = click.Context(group, info_name=group.name, parent=parent, max_content_width=200)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, context)
        elif command is not None and not command.hidden:
            yield click.Context(command, info_name=name, parent=context, max_content_width=200), command


# --- Markdown -------------------------------------------------------------------------------------


def escape(text: str) -> str:
    """Text in which nothing is taken for markup."""
    return re.sub(r"([\\`*_{}\[\]<>|$~#])", r"\\\1", " ".join(text.split()))


def number(value: Decimal | None, missing: str = "待录入") -> str:
    if value is None:
        return missing
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def unit(name: str) -> str:
    return "" if name in ("", "1") else name if name == "%" else f" {escape(name)}"


def cell(value: Decimal | str | None) -> str:
    return number(value, "—") if not isinstance(value, str) else escape(value)


def table(heads: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(escape(head) for head in heads) + " |"
    yield "|" + " --- |" * len(heads)
    yield from ("| " + " | ".join(row) + " |" for row in rows)
    yield ""
