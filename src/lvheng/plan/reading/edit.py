"""Help for the review page: where the found items stand in the original text."""

from __future__ import annotations

import itertools

from lvheng.plan.reading.model import Draft

Mark = tuple[int, int, str, str]


def marks(draft: Draft) -> list[Mark]:
    """(start, end, kind, id) of every found item in the original text, ordered by place, longer first.

    Kinds: clause (its number and title), the kinds of targets, value (the number itself),
    responsibility, unread (a number that no target took). Marks may lie inside one another.
    """
    found: list[Mark] = []
    for clause in draft.clauses:
        start, end = clause.span
        line = draft.text.find("\n", start)
        stop = min(end, start + len(clause.number) + len(clause.title) + 2, line if line >= 0 else end)
        found.append((start, max(stop, start), "clause", clause.id))
    for target in draft.targets:
        found.append((*target.span, target.kind, target.id))
        if target.value_span:
            found.append((*target.value_span, "value", target.id))
    found.extend((*note.span, "responsibility", note.id) for note in draft.responsibilities)
    found.extend(
        (note["span"][0], note["span"][1], "unread", "") for note in draft.notes if note.get("kind") == "number"
    )
    return sorted(found, key=lambda m: (m[0], -m[1]))


def segments(draft: Draft) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """The original text cut at every mark's edge: (words, ((kind, id), …) of all marks over them).

    Joined together the words are the original text; nested and crossing marks need no nesting of elements.
    """
    found = marks(draft)
    edges = sorted({0, len(draft.text), *(m[0] for m in found), *(m[1] for m in found)})
    opening: dict[int, list[Mark]] = {}
    for mark in found:
        opening.setdefault(mark[0], []).append(mark)
    result = []
    active: list[Mark] = []
    for start, end in itertools.pairwise(edges):
        active = [m for m in active if m[1] > start] + [m for m in opening.get(start, []) if m[1] > start]
        result.append((draft.text[start:end], tuple((m[2], m[3]) for m in active)))
    return result
