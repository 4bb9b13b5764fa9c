"""Translations: source strings are Chinese and stand in the code; each room keeps its English in a catalogue.

``compile``  writes the .mo files that Django reads (done by ``make setup``; needs polib alone)
``update``   brings every catalogue in line with the source, keeping what is translated
``check``    says what is missing, left over, changed in its placeholders, or not marked for translation
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import polib

SOURCE = Path(__file__).parent.parent / "src" / "lvheng"
CATALOGUE = Path("locale/en/LC_MESSAGES/django.po")
HEADER = {
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Transfer-Encoding": "8bit",
    "Language": "en",
    "MIME-Version": "1.0",
    "Plural-Forms": "nplurals=2; plural=(n != 1);",
}
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[-+ 0#\d.]*[a-zA-Z]|%[sd]|\{[\w.]*(?::[^{}]*)?\}")
HAN = re.compile(r"[\u4e00-\u9fff]")

Key = tuple[str, str]  # (context, message)


@dataclass
class Message:
    """One string of the source: where it stands and, for counted ones, its plural."""

    plural: str = ""
    files: set[str] = field(default_factory=set)


def rooms() -> list[Path]:
    return sorted(path.parent for path in SOURCE.glob("*/__init__.py"))


def extract(room: Path) -> dict[Key, Message]:
    """All strings that a room marks for translation, by (context, message)."""
    from babel.messages.extract import extract as read

    found: dict[Key, Message] = defaultdict(Message)
    for path in sorted([*room.rglob("*.py"), *room.glob("templates/**/*.*")]):
        if "migrations" in path.parts:
            continue
        text = path.read_text(encoding="utf-8")
        code = text if path.suffix == ".py" else _template_as_code(text, path)
        for _, message, _, context in read("python", BytesIO(code.encode()), KEYWORDS, (), {"encoding": "utf-8"}):
            single, plural = message if isinstance(message, tuple) else (message, "")
            entry = found[context or "", single]
            entry.plural = entry.plural or plural
            entry.files.add(path.relative_to(room).as_posix())
    found.pop(("", ""), None)
    return dict(found)


def _template_as_code(text: str, path: Path) -> str:
    """A template as the Python-like text that Django makes of it; in brackets, so that indentation means nothing."""
    from django.utils.translation.template import templatize

    return f"({templatize(text, origin=str(path))}\n)"


def unmarked(room: Path) -> Iterator[str]:
    """Places of a room's templates where Chinese text stands outside a translation tag.

    A line that says ``lang="zh`` is Chinese in every language (the language switch).
    """
    from django.template.base import Lexer, TokenType

    for path in sorted(room.glob("templates/**/*.html")):
        inside = ""  # the tag whose text needs no mark
        for token in Lexer(path.read_text(encoding="utf-8")).tokenize():
            if token.token_type == TokenType.BLOCK:
                tag = token.contents.split()[0]
                if inside and tag == f"end{inside}":
                    inside = ""
                elif not inside and tag in {"blocktranslate", "blocktrans", "comment"}:
                    inside = tag
                continue
            text = re.sub(r'^.*lang="zh.*$', "", token.contents, flags=re.MULTILINE)
            found = re.search(rf"{HAN.pattern}+", text)
            if found and token.token_type == TokenType.TEXT and not inside:
                line = (token.lineno or 1) + text[: found.start()].count("\n")
                yield f"{_short(path)} 第{line}行：“{found[0]}”未标记翻译"


def _short(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def problems_of(room: Path) -> Iterator[str]:
    """What keeps a room's English from being complete."""
    yield from unmarked(room)
    wanted, path = extract(room), room / CATALOGUE
    if not wanted and not path.exists():
        return
    if not path.exists():
        yield f"{_short(path)}：没有翻译文件，运行 make messages 生成"
        return
    entries = {(entry.msgctxt or "", entry.msgid): entry for entry in polib.pofile(str(path))}
    for key, message in wanted.items():
        entry = entries.get(key)
        if entry is None or entry.obsolete:
            yield f"{_short(path)}：缺少“{key[1]}”（{', '.join(sorted(message.files))}）"
            continue
        translations = list(entry.msgstr_plural.values()) if message.plural else [entry.msgstr]
        if not translations or not all(translations):
            yield f"{_short(path)}：“{key[1]}”尚未翻译"
        elif entry.fuzzy:
            yield f"{_short(path)}：“{key[1]}”的翻译待确认"
        elif any(set(PLACEHOLDER.findall(text)) - set(PLACEHOLDER.findall(key[1])) for text in translations) or (
            not message.plural and set(PLACEHOLDER.findall(key[1])) != set(PLACEHOLDER.findall(entry.msgstr))
        ):
            yield f"{_short(path)}：“{key[1]}”与译文的占位符不一致"
        elif any(HAN.search(text) for text in translations):
            yield f"{_short(path)}：“{key[1]}”的译文中仍有中文"
    for key, entry in entries.items():
        if key not in wanted and not entry.obsolete:
            yield f"{_short(path)}：“{key[1]}”已不在源码中，运行 make messages 移除"


def update(room: Path) -> int:
    """Rewrite a room's catalogue from its source; returns how many strings still lack a translation."""
    wanted, path = extract(room), room / CATALOGUE
    if not wanted:
        path.unlink(missing_ok=True)
        return 0
    old = {(e.msgctxt or "", e.msgid): e for e in polib.pofile(str(path))} if path.exists() else {}
    catalogue = polib.POFile(wrapwidth=110)
    catalogue.metadata = HEADER
    for key, message in sorted(wanted.items(), key=lambda item: (sorted(item[1].files), item[0])):
        context, text = key
        entry = polib.POEntry(
            msgctxt=context or None,
            msgid=text,
            msgid_plural=message.plural,
            occurrences=[(name, "") for name in sorted(message.files)],
        )
        before = old.get(key)
        if message.plural:
            entry.msgstr_plural = (before and before.msgstr_plural) or {0: "", 1: ""}
        else:
            entry.msgstr = before.msgstr if before else ""
        if PLACEHOLDER.search(text) and "%" in text:
            entry.flags = ["python-format"]
        catalogue.append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    catalogue.save(str(path))
    return len(catalogue.untranslated_entries())


def compile_all() -> None:
    for path in SOURCE.glob(f"*/{CATALOGUE}"):
        polib.pofile(str(path)).save_as_mofile(str(path.with_suffix(".mo")))


def main(arguments: list[str]) -> int:
    match arguments:
        case ["compile"]:
            compile_all()
        case ["update"]:
            for room in rooms():
                if missing := update(room):
                    print(f"{_short(room / CATALOGUE)}：{missing}条待翻译")
        case ["check"]:
            found = [problem for room in rooms() for problem in problems_of(room)]
            print("\n".join(found) if found else "翻译完整")
            return 1 if found else 0
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
