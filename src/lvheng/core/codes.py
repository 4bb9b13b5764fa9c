"""Code lists: a YAML head (title, source) with a CSV of the same folder, read into an immutable list.

Columns ``code`` and ``name`` are needed; ``name_en``, ``parent`` and ``level`` have a meaning here, all others
are kept as attributes. Also the check digits of the 统一社会信用代码 (GB 32100-2015).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lvheng.core.problem import Place, Problem, ProblemError
from lvheng.core.rulebook import SourceEntry, Title
from lvheng.core.source import Source
from lvheng.core.yamlfile import Entry, load, validate


class ListHead(Entry):
    """The head of a code list."""

    id: str
    title: Title
    file: str
    source: SourceEntry
    levels: tuple[str, ...] = ()


class ListFile(Entry):
    codes: ListHead


class GroupEntry(Entry):
    """Codes of a list put together under one name; each stands for everything below it."""

    id: str
    title: Title
    codes: tuple[str, ...]
    source: SourceEntry


class GroupsFile(Entry):
    groups: tuple[GroupEntry, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of a list."""

    code: str
    name: str
    name_en: str = ""
    parent: str = ""
    level: str = ""
    more: dict[str, str] = field(default_factory=dict, compare=False)


class CodeList:
    """A list of codes in the order of its standard."""

    def __init__(self, list_id: str, title: Title, source: Source, codes: list[Code]):
        self.id, self.title, self.source = list_id, title, source
        self._codes = {c.code: c for c in codes}

    def __iter__(self) -> Iterator[Code]:
        return iter(self._codes.values())

    def __len__(self) -> int:
        return len(self._codes)

    def __contains__(self, code: object) -> bool:
        return code in self._codes

    def __getitem__(self, code: str) -> Code:
        """The entry; raises ProblemError when the list does not have it."""
        try:
            return self._codes[code]
        except KeyError:
            near = "、".join(f"{c.code} {c.name}" for c in self._near(code))
            raise ProblemError(
                Problem(
                    "core.code.unknown", f"{self.title.zh}中没有这个代码", got=code, wanted=near,
                    source=str(self.source), fix="核对代码。",
                )
            ) from None  # fmt: skip

    def _near(self, code: str) -> list[Code]:
        """Up to five entries that share the longest beginning with a code."""
        for length in range(len(code), 0, -1):
            if found := [c for c in self if c.code.startswith(code[:length])]:
                return found[:5]
        return []

    @cached_property
    def _children(self) -> dict[str, list[Code]]:
        found: dict[str, list[Code]] = {}
        for code in self:
            found.setdefault(code.parent, []).append(code)
        return found

    def children(self, code: str = "") -> list[Code]:
        """Entries directly below; of "" the top level."""
        return self._children.get(code, [])

    def path(self, code: str) -> list[Code]:
        """From the top down to the entry itself. Raises ProblemError for an unknown code."""
        found = [self[code]]
        while found[0].parent:
            found.insert(0, self[found[0].parent])
        return found

    def within(self, code: str, group: tuple[str, ...]) -> bool:
        """Whether a code is one of the group's codes or lies below one."""
        return code in self and any(c.code in group for c in self.path(code))

    def search(self, text: str, limit: int = 20) -> list[Code]:
        """Entries whose code begins with the text or whose name contains it (other names too); codes first."""
        word = text.strip().casefold()
        if not word:
            return []
        by_code = [c for c in self if c.code.casefold().startswith(word)]
        by_name = [
            c
            for c in self
            if c not in by_code
            and any(word in name.casefold() for name in (c.name, c.name_en, c.more.get("other_name", "")))
        ]
        return (by_code + by_name)[:limit]


def load_codes(path: Path | str) -> CodeList:
    """The list of a YAML head. Raises ProblemError with every fault, at file and line."""
    head_path = Path(path)
    head = validate(ListFile, load(head_path, shown_as=head_path.name)).codes
    table = head_path.parent / head.file
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ProblemError(
            Problem(
                "core.file.unreadable", "代码表读不出", place=Place(file=head.file), fix="核对文件，用UTF-8编码保存。"
            )
        ) from None
    reader = csv.DictReader(text.splitlines())
    if not {"code", "name"} <= set(reader.fieldnames or ()):
        raise ProblemError(
            Problem("core.code.columns", "代码表缺少必要的栏", place=Place(file=head.file, line=1),
                    got="、".join(reader.fieldnames or ()), wanted="code、name", fix="补上表头。")
        )  # fmt: skip
    codes: list[Code] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for row in reader:
        line = reader.line_num
        cells = {k: (v or "").strip() for k, v in row.items() if k is not None and not isinstance(v, list)}
        code = cells.pop("code", "")
        place = Place(file=head.file, line=line)
        if None in row or not code or not cells["name"]:
            problems.append(Problem("core.code.row", "代码或名称空缺，或栏数不符", place=place, fix="按表头补齐。"))
            continue
        if code in seen:
            problems.append(Problem("core.code.twice", "代码重复", place=place, got=code, fix="删去其中一行。"))
        if (parent := cells.get("parent", "")) and parent not in seen:
            problems.append(
                Problem(
                    "core.code.orphan",
                    "上级代码不在表中，或排在下级之后",
                    place=place,
                    got=parent,
                    fix="补上上级，上级在前。",
                )
            )
        if head.levels and cells.get("level") not in head.levels:
            problems.append(
                Problem("core.code.level", "层级不认识", place=place, got=cells.get("level", ""), wanted="、".join(head.levels), fix="改正层级。")
            )  # fmt: skip
        seen.add(code)
        known = {k: cells.pop(k, "") for k in ("name", "name_en", "parent", "level")}
        codes.append(Code(code, more=cells, **known))
    if problems:
        raise ProblemError(problems)
    return CodeList(head.id, head.title, head.source.source, codes)


def load_groups(path: Path | str, codes: CodeList) -> dict[str, GroupEntry]:
    """Groupings by id; every code must be in the list. Raises ProblemError."""
    document = load(path, shown_as=Path(path).name)
    file = validate(GroupsFile, document)
    problems = [
        Problem("core.code.unknown", f"{codes.title.zh}中没有这个代码", place=document.place(("groups", i, "codes")), got=code, fix="核对代码。")
        for i, group in enumerate(file.groups)
        for code in group.codes
        if code not in codes
    ]  # fmt: skip
    if problems:
        raise ProblemError(problems)
    return {group.id: group for group in file.groups}


# --- 统一社会信用代码 -----------------------------------------------------------------------------
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # no I O S V Z
_ORGANISATION = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def credit_code_problem(code: str) -> Problem | None:
    """What is wrong with a 统一社会信用代码, or None.

    GB 32100-2015: 18 characters; the ninth to seventeenth are an organisation code of GB 11714 with its own
    check character; the last is Σ character × 3^i mod 31, taken from 31.
    """

    def fault(message: str, wanted: str) -> Problem:
        return Problem(
            "core.credit_code.invalid", f"统一社会信用代码{message}", got=code, wanted=wanted,
            source="《法人和其他组织统一社会信用代码编码规则》（GB 32100-2015）", fix="按营业执照核对。",
        )  # fmt: skip

    if len(code) != 18:
        return fault(f"应为18位，现为{len(code)}位", "18位")
    wrong = [c for c in code if c not in _ALPHABET]
    if wrong:
        return fault("含有不允许的字符", "数字和大写字母，不用I、O、S、V、Z")
    if not code[2:8].isdigit():
        return fault("第3至8位应为登记机关行政区划代码", "6位数字")
    expected = organisation_check(code[8:16])
    if code[16] != expected:
        return fault("第17位（组织机构代码校验码）不符", expected)
    expected = credit_check(code[:17])
    if code[17] != expected:
        return fault("末位校验码不符", expected)
    return None


def credit_check(first17: str) -> str:
    """The last character that belongs to the first seventeen (all of the code's alphabet)."""
    total = sum(_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(first17))
    return _ALPHABET[(31 - total % 31) % 31]


def organisation_check(first8: str) -> str:
    """The check character of an organisation code (GB 11714): weights 3 7 9 10 5 8 4 2, modulo 11."""
    total = sum(_ORGANISATION.index(c) * w for c, w in zip(first8, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "0123456789X0"[(11 - total % 11) % 12]
