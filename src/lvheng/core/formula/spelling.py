"""Telling a person which word was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from lvheng.core.problem import Problem, ProblemError


def unknown(word: str, known: Iterable[str], what: str) -> NoReturn:
    """Raise the Problem of a name that is not known, with the nearest names that are."""
    near = difflib.get_close_matches(word, list(known), 3, 0.5)
    raise ProblemError(
        Problem(
            "core.formula.name", f"公式中的{what}不存在", got=word, wanted="、".join(near),
            fix=f"是否应为“{near[0]}”？" if near else f"核对{what}的名称，或先在目录中登记。",
        )
    )  # fmt: skip
