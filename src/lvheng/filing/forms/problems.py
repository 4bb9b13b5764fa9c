"""Problems of a filing: as everywhere, and with the cell of the form they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lvheng.core.problem import Place, Problem, Severity
from lvheng.filing.forms.values import visible

PER_KIND = 100  # problems of one kind in one column that are told one by one


@dataclass(frozen=True, slots=True)
class FilingProblem(Problem):
    """``sheet``/``key``/``column`` name the form's cell; ``check`` the check that may be answered; ``answer`` how it was."""

    sheet: str = ""
    key: str = ""
    column: str = ""
    check: str = ""
    answer: str = ""


class Collector:
    """Gathers problems; of a kind that repeats in a column only the first are kept, and the rest counted."""

    def __init__(self) -> None:
        self._kept: list[FilingProblem] = []
        self._count: Counter[tuple[str, str, str, Severity]] = Counter()

    def add(self, problem: FilingProblem) -> None:
        kind = (problem.check or problem.code, problem.sheet, problem.column, problem.severity)
        self._count[kind] += 1
        if self._count[kind] <= PER_KIND:
            place = replace(problem.place, field=visible(problem.place.field))
            self._kept.append(
                replace(
                    problem, message=visible(problem.message), got=visible(problem.got), wanted=visible(problem.wanted), place=place
                )
            )  # fmt: skip

    def extend(self, problems: Iterable[FilingProblem]) -> None:
        for problem in problems:
            self.add(problem)

    def list(self) -> list[FilingProblem]:
        out = list(self._kept)
        for (code, sheet, column, severity), count in self._count.items():
            if count > PER_KIND:
                first = next(
                    p
                    for p in self._kept
                    if (p.check or p.code, p.sheet, p.column, p.severity) == (code, sheet, column, severity)
                )
                out.append(
                    replace(first, code="filing.more", message=f"同一栏还有{count - PER_KIND}处同样的问题：{first.message}", got=f"共{count}处",
                            place=Place(file=first.place.file, sheet=first.place.sheet, field=first.place.field), key="", check="")
                )  # fmt: skip
        return out
