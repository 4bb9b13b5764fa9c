"""What may be chosen in a column: an inline list, or a code list of the rulebook by its id."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from lvheng.core.codes import CodeList, load_codes
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.yamlfile import load as load_yaml
from lvheng.filing.forms.entries import Option

_DROP = re.compile(r"[\s　_*＊:：·・,，;；、。\"“”'‘’\-—–－]+")
_BRACKET = re.compile(r"[(\[【《].*?[)\]】》]")


def plain(text: str) -> str:
    """Words for comparing: half width, no blanks or marks, small letters, brackets kept."""
    return _DROP.sub("", unicodedata.normalize("NFKC", text)).casefold()


def bare(text: str) -> str:
    """As :func:`plain`, without what stands in brackets (a unit, a note)."""
    return _DROP.sub("", _BRACKET.sub("", unicodedata.normalize("NFKC", text))).casefold()


class Options:
    """Choices in order, found by code, name or other name."""

    def __init__(self, name: str, options: Iterable[Option], list_: CodeList | None = None):
        self.name, self.list = name, list_
        self._by_code = {o.code: o for o in options}

    def __iter__(self) -> Iterator[Option]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __getitem__(self, code: str) -> Option:
        return self._by_code[code]

    def get(self, code: str) -> Option | None:
        return self._by_code.get(code)

    def name_of(self, code: str) -> str:
        return self._by_code[code].name if code in self._by_code else code

    @cached_property
    def _words(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for fold in (plain, bare):  # a full name wins over a name without its brackets
            for o in self:
                for word in (o.code, o.name, o.name_en, *o.aliases, f"{o.code} {o.name}", f"{o.name} {o.code}"):
                    if folded := fold(word):
                        found.setdefault(folded, o.code)
        return found

    def find(self, text: str) -> str | None:
        """The code that a written choice means."""
        if text in self._by_code:
            return text
        folded = plain(text)
        return self._words.get(folded) or self._words.get(bare(text)) if folded else None

    def near(self, text: str) -> list[str]:
        """Names that look like what was written."""
        codes = [self._words[w] for w in difflib.get_close_matches(plain(text), list(self._words), 5, 0.5)]
        return [self._by_code[c].name for c in dict.fromkeys(codes)][:3]

    @property
    def sample(self) -> str:
        names = [o.name for o in self]
        return "、".join(names[:8]) + ("等" if len(names) > 8 else "")


def inline(options: tuple[Option, ...]) -> Options:
    return Options("", options)


def from_codes(codes: CodeList, level: str = "") -> Options:
    """The choices of a code list; ``level`` keeps one level of a tree (its parents stay askable)."""
    kept = [
        Option(
            code=c.code, name=c.name, name_en=c.name_en, unit=c.more.get("unit", ""),
            aliases=tuple(a for a in re.split(r"[;；、]", c.more.get("other_name", "")) if a),
        )
        for c in codes
        if not level or c.level == level
    ]  # fmt: skip
    return Options(codes.id, kept, codes)


def read_lists(folders: Iterable[Path]) -> tuple[dict[str, CodeList], list[Problem]]:
    """All code lists (YAML with the key ``codes``) lying in folders, by id."""
    found: dict[str, CodeList] = {}
    problems: list[Problem] = []
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            try:
                data = load_yaml(path, shown_as=path.name).data
                if isinstance(data, Mapping) and "codes" in data:
                    codes = load_codes(path)
                    found[codes.id] = codes
            except ProblemError as error:
                problems += error.problems
    return found, problems
