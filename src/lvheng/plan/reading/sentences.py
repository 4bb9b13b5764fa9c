"""Sentences and phrases of a clause: words in brackets are lifted out and read on their own."""

from __future__ import annotations

from dataclasses import dataclass, field

from lvheng.plan.reading.normalise import Mended

CLOSING = {"（": "）", "〔": "〕", "《": "》"}
STOPS = frozenset("。！？")
BREAKS = frozenset("，；：")


@dataclass(slots=True)
class Phrase:
    """Words between two commas without what stands in brackets; ``at`` are places in the mended text."""

    text: str
    at: list[int]
    brackets: list[Phrase] = field(default_factory=list)
    bracketed: bool = False
    stop: str = ""  # the mark that closes the phrase

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The range of the mended text that a range of the phrase covers."""
        start = min(start, len(self.at) - 1)
        return self.at[start], self.at[max(end, start + 1) - 1] + 1


@dataclass(slots=True)
class Sentence:
    """Phrases up to a full stop, with the sentence's range in the mended text."""

    start: int
    end: int
    phrases: list[Phrase] = field(default_factory=list)


def _closer(text: str, start: int, end: int) -> int:
    """Position of the bracket that closes the one at ``start``; ``end`` when none does."""
    depth = 0
    for i in range(start, end):
        c = text[i]
        if c in "（〔":
            depth += 1
        elif c in "）〕":
            depth -= 1
            if depth == 0:
                return i
    return end


def _skip(text: str, i: int, end: int) -> int:
    """End of a title in 《》 that begins at ``i``; the mark itself when it never closes nearby."""
    close = text.find("》", i, min(end, i + 80))
    return close + 1 if close >= 0 else i + 1


def sentences(mended: Mended, start: int, end: int, holes: list[tuple[int, int]]) -> list[Sentence]:
    """Sentences of a range of the mended text; ``holes`` (notes of responsibility) are left out."""
    text = mended.text
    result: list[Sentence] = []
    chars: list[str] = []
    places: list[int] = []
    brackets: list[Phrase] = []
    sentence = Sentence(start, start)
    hole_starts = dict(holes)

    def close_phrase(mark: str) -> None:
        nonlocal chars, places, brackets
        if chars:
            sentence.phrases.append(Phrase("".join(chars), places, brackets, stop=mark))
        elif brackets and sentence.phrases:
            sentence.phrases[-1].brackets.extend(brackets)
        chars, places, brackets = [], [], []

    def close_sentence(position: int, mark: str) -> None:
        nonlocal sentence
        close_phrase(mark)
        sentence.end = position
        if sentence.phrases:
            result.append(sentence)
        sentence = Sentence(position, position)

    i = start
    while i < end:
        c = text[i]
        if i in hole_starts:
            i = hole_starts[i]
            continue
        if c in "（〔":
            close = _closer(text, i, min(end, i + 600))
            if close - i > 1 and close < end:
                inner = Phrase(text[i + 1 : close], list(range(i + 1, close)), bracketed=True)
                brackets.append(inner)
                i = close + 1
                continue
            i += 1
            continue
        if c == "《":
            stop = _skip(text, i, end)
            if stop > i + 1:
                chars.extend("《》")
                places.extend((i, stop - 1))
                i = stop
                continue
        if c in STOPS or c == "\n":
            close_sentence(i + 1, c)
        elif c in BREAKS and not (c == "：" and text[i - 1 : i].isdigit() and text[i + 1 : i + 2].isdigit()):
            close_phrase(c)
        elif c not in "》）〕":
            chars.append(c)
            places.append(i)
        i += 1
    close_sentence(end, "")
    return result
