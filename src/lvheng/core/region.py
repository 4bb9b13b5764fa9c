"""The tree of regions, and memberships that hold only for a purpose.

A development zone may lie inside a county and yet report for itself; whether its figures stand in
the county, beside it, or in both shows depends on the purpose and is data, so that nothing is
counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lvheng.core.problem import Problem, ProblemError


@dataclass(frozen=True, slots=True)
class Region:
    """One region. ``code`` is GB/T 2260 where there is one; others get the plan's own code."""

    code: str
    name: str
    parent: str = ""
    short: str = ""
    name_en: str = ""
    kind: str = "county"  # nation, province, city, county, zone
    within: str = ""  # where it lies on the map when it reports for itself (a zone inside a county)
    counted: bool = True  # False: shown, but not added into its parent
    note: str = ""
    aliases: tuple[str, ...] = field(default=())


class RegionTree:
    """Regions by code and name. Adding up is over :meth:`parts`, which never overlap."""

    def __init__(self, regions: Iterable[Region]):
        self._by_code: dict[str, Region] = {}
        for region in regions:
            if region.code in self._by_code:
                raise ProblemError(Problem("core.region.twice", "区划代码重复", got=region.code, fix="删去其中一条。"))
            self._by_code[region.code] = region
        for region in self._by_code.values():
            if region.parent and region.parent not in self._by_code:
                raise ProblemError(
                    Problem(
                        "core.region.orphan",
                        f"“{region.name}”的上级不在区划表中",
                        got=region.parent,
                        fix="补录上级或改正代码。",
                    )
                )
            seen = {region.code}
            up = region.parent
            while up:
                if up in seen:
                    raise ProblemError(
                        Problem("core.region.loop", "区划隶属成环", got=region.code, fix="改正上级代码。")
                    )
                seen.add(up)
                up = self._by_code[up].parent

    def __getitem__(self, code: str) -> Region:
        try:
            return self._by_code[code]
        except KeyError:
            raise ProblemError(
                Problem(
                    "core.region.unknown", "没有这个地区", got=code, wanted="、".join(r.name for r in list(self)[:20])
                )
            ) from None

    def __contains__(self, code: object) -> bool:
        return code in self._by_code

    def __iter__(self) -> Iterator[Region]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def find(self, text: str) -> Region:
        """By code, full name, short name or alias; raises ProblemError when none or several fit."""
        word = text.strip()
        if word in self._by_code:
            return self._by_code[word]
        hits = [r for r in self if word in (r.name, r.short, *r.aliases)]
        if len(hits) == 1:
            return hits[0]
        return self[word]

    def parts(self, code: str, *, all_shown: bool = False) -> list[Region]:
        """What adds up to a region: its children that are counted (or all shown beside it)."""
        return [r for r in self if r.parent == code and (r.counted or all_shown)]

    @property
    def roots(self) -> list[Region]:
        return [r for r in self if not r.parent]
