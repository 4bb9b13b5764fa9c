"""Use cases of the register of certificates and green contracts, and its close into the deduction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from lvheng.access.models import append_event, lock_ledger
from lvheng.core.period import Period
from lvheng.core.problem import Problem, ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.energy.deductions import Block, Contract, check_blocks
from lvheng.energy.models import CertificateRelease, CertificateUse, GreenContract
from lvheng.observations.models import Subject
from lvheng.observations.services import ensure_source
from lvheng.observations.store import Figure, Recorded, record
from lvheng.observations.view import View
from lvheng.plan.schema import Target


def _block(use: CertificateUse) -> Block:
    return Block(str(use.pk or "新"), use.series, use.start, use.end, use.holder, use.year, use.contract, use.kwh_each)


def register(blocks: Sequence[Block], contracts: Sequence[Contract], *, by: str) -> tuple[int, int]:
    """Record certificates used and contracts claimed, all or nothing; (blocks, contracts) recorded.

    Raises ProblemError naming every serial used twice and every kWh claimed by contract and certificate, against
    the register as well as within what is handed in.
    """
    now = timezone.now()
    with transaction.atomic():
        lock_ledger()
        rows: list[Block | Contract] = [*blocks, *contracts]
        known = known_holders({x.holder for x in rows})
        if strangers := [x for x in rows if x.holder not in known]:
            raise ProblemError([
                Problem("energy.certificate.holder", "持有者不在登记的地区和单位中", place=x.place, got=x.holder, wanted="地区代码或统一社会信用代码", fix="核对代码；新单位先登记。")
                for x in strangers
            ])  # fmt: skip
        series = {b.series for b in blocks}
        numbers = {c.number for c in contracts} | {b.contract for b in blocks if b.contract}
        stored = [_block(u) for u in CertificateUse.objects.filter(series__in=series, release__isnull=True)]
        bundled = CertificateUse.objects.filter(contract__in=numbers, release__isnull=True).exclude(series__in=series)
        claimed = [
            Contract(c.number, c.holder, c.year, c.kwh) for c in GreenContract.objects.filter(number__in=numbers)
        ]
        if problems := check_blocks([*stored, *map(_block, bundled), *blocks], [*claimed, *contracts]):
            raise ProblemError(problems)
        try:
            CertificateUse.objects.bulk_create(
                CertificateUse(series=b.series, start=b.start, end=b.end, holder=b.holder, year=b.year, contract=b.contract,
                               kwh_each=b.kwh_each, cross_province=b.cross_province, recorded_at=now, recorded_by=by)
                for b in blocks
            )  # fmt: skip
            GreenContract.objects.bulk_create(
                GreenContract(number=c.number, holder=c.holder, year=c.year, kwh=c.kwh, plant=c.plant, recorded_at=now, recorded_by=by)
                for c in contracts
            )  # fmt: skip
        except DatabaseError:
            raise ProblemError(
                Problem("energy.certificate.refused", "数据库拒绝登记：绿证编号重复使用或数值不合规定", source="发改环资〔2024〕113号", fix="核对编号后重新登记。")
            ) from None  # fmt: skip
        append_event(by, "绿证登记", "绿证", {"区间": len(blocks), "合同": len(contracts)})
    return len(blocks), len(contracts)


def release(use: int, reason: str, *, by: str) -> None:
    """Take a use back; raises ProblemError when there is none, it is released already, or no reason is given."""
    if not reason.strip():
        raise ProblemError(Problem("energy.certificate.reason", "撤回须写明理由", fix="填写理由。"))
    with transaction.atomic():
        lock_ledger()
        found = CertificateUse.objects.filter(pk=use, release__isnull=True).first()
        if found is None:
            raise ProblemError(
                Problem("energy.certificate.unknown", "没有这条登记，或已经撤回", got=str(use), fix="核对登记号。")
            )
        CertificateRelease.objects.create(
            use=found, reason=reason.strip()[:200], recorded_at=timezone.now(), recorded_by=by
        )
        append_event(by, "绿证撤回", f"绿证登记{use}", {"理由": reason.strip()[:200]})


@dataclass(frozen=True, slots=True)
class Held:
    """kWh of some holders and a year that count, and what they rest on: contracts, and certificates not delivered with one."""

    contracts: Decimal
    certificates: Decimal
    contract_names: list[str]
    serials: list[str]

    @property
    def kwh(self) -> Decimal:
        return self.contracts + self.certificates


def held(holders: Sequence[str], year: int) -> Held:
    contracts = list(GreenContract.objects.filter(holder__in=holders, year=year).order_by("number"))
    claimed = set(GreenContract.objects.values_list("number", flat=True))
    uses = CertificateUse.objects.filter(holder__in=holders, year=year, release__isnull=True).order_by(
        "series", "start"
    )
    counted = [u for u in uses if not u.contract or u.contract not in claimed]
    return Held(
        sum((c.kwh for c in contracts), Decimal(0)), Decimal(sum(_block(u).kwh for u in counted)),
        [f"合同{c.number}" for c in contracts], [f"{u.series}第{u.start}—{u.end}号" for u in counted],
    )  # fmt: skip


def _told(names: list[str]) -> str:
    shown = "、".join(names[:4]) + (f"等{len(names)}笔" if len(names) > 4 else "")
    return f"登记簿：{shown or '没有持有'}"[:160]


def known_holders(codes: set[str]) -> set[str]:
    """Those of the codes that are regions or units of the register of subjects."""
    return set(Subject.objects.filter(code__in=codes, kind__in=("region", "unit")).values_list("code", flat=True))


def period_target(view: View) -> Target:
    """The plan's intensity target; raises ProblemError when the plan has none: the cap cannot be reckoned then."""
    for target in view.plan.targets:
        if target.indicator == "energy_intensity_decline" and target.measure == "cumulative_decline" and target.value is not None:  # fmt: skip
            return target
    raise ProblemError(Problem("energy.certificate.target", "本方案没有能耗强度目标，不能计算绿证抵扣上限", got=view.plan.header.short, fix="在能耗双控方案中结转。"))  # fmt: skip


def close_certificates(view: View, *, by: str, catalogue: Any) -> Recorded:
    """Post what every region holds for every year of the plan so far, nothing as zero, with its intensity target.

    A county's figure is its own and that of the units in it; the city's is its own and its counties'. The reference
    of a figure names the serials and contracts it rests on. Posting again what is already there changes nothing.
    """
    header, target = view.plan.header, period_target(view)
    last = min(header.last_year, view.today.year)
    synthetic = bool(view.is_synthetic(view.explain("energy_total", header.city, Period.of_year(header.base_year)))[0])
    register_source = Source(
        "绿证绿电登记簿", article="年度结转", confidence=Confidence.CONFIRMED, note="演示数据" if synthetic else ""
    )
    goal_source = Source(
        header.title, header.number, confidence=Confidence.CONFIRMED, note="演示数据" if synthetic else ""
    )
    figures: list[Figure] = []
    with transaction.atomic():
        lock_ledger()
        held_by, asked_by = (ensure_source(s, synthetic=synthetic) for s in (register_source, goal_source))
        units: dict[str, list[str]] = {}
        for code, parent in Subject.objects.filter(kind="unit").values_list("code", "parent__code"):
            units.setdefault(parent or "", []).append(code)
        counted = [r.code for r in view.plan.regions.parts(header.city)]
        for region in (view.city, *view.counties):
            below = counted if region.code == header.city else []
            holders = [region.code, *units.get(region.code, []), *below, *(u for c in below for u in units.get(c, []))]
            goal = view.goal(target, region.code)[0]
            for year in range(header.base_year, last + 1):
                own = held(holders, year)
                for code, kwh, names in (("contract_power", own.contracts, own.contract_names), ("certificate_power", own.certificates, own.serials)):  # fmt: skip
                    figures.append(Figure(code, region.code, str(year), kwh / 10_000, "万千瓦时", "statistics", held_by, "", _told(names)))  # fmt: skip
                if goal is not None:
                    figures.append(Figure("intensity_target", region.code, str(year), goal, "%", "statistics", asked_by, "", target.title[:160]))  # fmt: skip
        done = record(figures, kind="demo" if synthetic else "register", title=f"绿证绿电登记簿结转（{header.base_year}—{last}年）", by=by, catalogue=catalogue)  # fmt: skip
        append_event(by, "绿证结转", "绿证", {"新增": done.new, "更正": done.revised})
    return done
