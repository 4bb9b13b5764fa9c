"""Reading YAML data files so that every fault can be told with its file and line.

A file is parsed to plain values plus the line of every node; a pydantic model then checks the
values, and each of its complaints becomes a :class:`Problem` at that line. Models forbid unknown
keys (:class:`Entry`), so that a slip of the pen is found and not ignored.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from lvheng.core.problem import Place, Problem, ProblemError

Path_ = tuple[Hashable, ...]
M = TypeVar("M", bound=BaseModel)


class Entry(BaseModel):
    """Base of all models of data files: unknown keys are refused, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


@dataclass(slots=True)
class Document:
    """A parsed file: its values, and the line (from 1) of every path in them."""

    file: str
    data: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def place(self, path: Path_ = ()) -> Place:
        """The place of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return Place(file=self.file, line=self.lines.get(path))


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """Safe YAML whose numbers with a point stay text until the model says Decimal."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in rules if tag not in ("tag:yaml.org,2002:float",)]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path | str, *, text: str | None = None, shown_as: str = "") -> Document:
    """Parse one file; raises ProblemError on unreadable bytes, bad YAML or a key given twice."""
    name = shown_as or str(path)
    try:
        content = text if text is not None else Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ProblemError(
            Problem(
                "core.file.unreadable",
                "文件打不开",
                place=Place(file=name),
                got=error.strerror or "",
                fix="核对路径和权限。",
            )
        ) from None
    except UnicodeDecodeError as error:
        raise ProblemError(
            Problem(
                "core.file.encoding", "文件不是UTF-8编码", place=Place(file=name), got=f"第{error.start + 1}字节",
                wanted="UTF-8", fix="用UTF-8编码另存后再试。",
            )
        ) from None  # fmt: skip
    document = Document(name, None)
    try:
        loader = _Loader(content)
        try:
            node = loader.get_single_node()
            if node is not None:
                _walk(node, (), document, set())
                document.data = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ProblemError(
            Problem(
                "core.yaml.syntax", "YAML写法有误",
                place=Place(file=name, line=mark.line + 1 if mark else None, column=mark.column + 1 if mark else None),
                got=str(getattr(error, "problem", "") or "").strip(), fix="检查缩进、冒号后的空格和引号。",
            )
        ) from None  # fmt: skip
    except (ValueError, RecursionError) as error:
        raise ProblemError(
            Problem(
                "core.yaml.value", "YAML中有无法理解的值", place=Place(file=name), got=str(error)[:80], fix="改正该值。"
            )
        ) from None
    return document


def _walk(node: yaml.Node, path: Path_, document: Document, open_nodes: set[int]) -> None:
    """Note the line of each node and refuse keys given twice and aliases that contain themselves."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in open_nodes:
        raise ProblemError(Problem("core.yaml.loop", "YAML引用自身", place=document.place(path), fix="去掉循环引用。"))
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            word = key.value if isinstance(key, yaml.ScalarNode) else ""
            line = key.start_mark.line + 1
            if word in seen:
                raise ProblemError(
                    Problem(
                        "core.yaml.key_twice", f"“{word}”写了两次", place=Place(file=document.file, line=line),
                        got=f"第{seen[word]}行已有", fix="只留一处。",
                    )
                )  # fmt: skip
            seen[word] = line
            document.lines[(*path, word)] = line
            _walk(value, (*path, word), document, open_nodes | {id(node)})
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            _walk(value, (*path, i), document, open_nodes | {id(node)})


_MESSAGES = {
    "extra_forbidden": ("有不认识的项", "删去该项，或改成正确的名称。"),
    "missing": ("缺少必填项", "补上该项。"),
    "enum": ("取值不在允许范围", "改用允许的取值。"),
    "literal_error": ("取值不在允许范围", "改用允许的取值。"),
    "decimal_parsing": ("不是数字", "只写数字，单位另填。"),
    "date_from_datetime_parsing": ("不是日期", "按2022-10-27的样式填写。"),
    "date_parsing": ("不是日期", "按2022-10-27的样式填写。"),
    "string_type": ("应为文字", "加引号写成文字。"),
    "int_parsing": ("应为整数", "写成整数。"),
    "list_type": ("应为列表", "每项一行，以“- ”开头。"),
    "dict_type": ("应为“名称: 值”的结构", "核对缩进。"),
    "model_type": ("应为“名称: 值”的结构", "核对缩进。"),
}


def validate(model: type[M], document: Document, data: Any = None, path: Path_ = ()) -> M:
    """The values as a model; raises ProblemError with one Problem a fault, each at its line."""
    try:
        return model.model_validate(document.data if data is None and not path else data)
    except ValidationError as error:
        raise ProblemError(
            _problem(document, (*path, *detail["loc"]), detail) for detail in error.errors(include_url=False)
        ) from None


def _problem(document: Document, loc: Path_, detail: Any) -> Problem:
    kind = detail["type"]
    message, fix = _MESSAGES.get(kind, ("取值有误", "按样例改正。"))
    name = next((str(part) for part in reversed(loc) if isinstance(part, str)), "")
    wanted = detail.get("ctx", {}).get("expected", "")
    error = detail.get("ctx", {}).get("error")
    if kind == "value_error" and error is not None:
        message = str(error)
    got = "" if kind == "missing" else str(detail.get("input", ""))[:60]
    return Problem(
        f"core.data.{kind}", f"“{name}”{message}" if name and kind != "value_error" else message,
        place=document.place(loc), got=got, wanted=str(wanted).replace(" or ", "、"), fix=fix,
    )  # fmt: skip
