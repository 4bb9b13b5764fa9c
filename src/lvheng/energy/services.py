"""Use cases of the certificate register."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.db import DatabaseError, transaction
from django.utils import timezone

from lvheng.access.models import append_event, lock_ledger
from lvheng.core.problem import Problem, ProblemError
from lvheng.energy.deductions import Block, Contract, check_blocks
from lvheng.energy.models import CertificateRelease, CertificateUse, GreenContract


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
                               kwh_each=b.kwh_each, recorded_at=now, recorded_by=by)
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


def held_kwh(holder: str, year: int) -> Decimal:
    """kWh of a holder and year that count: contracts, and certificates not delivered with a claimed contract."""
    contracts = GreenContract.objects.filter(holder=holder, year=year)
    power = sum((c.kwh for c in contracts), Decimal(0))
    claimed = set(GreenContract.objects.values_list("number", flat=True))
    uses = CertificateUse.objects.filter(holder=holder, year=year, release__isnull=True)
    return power + sum(_block(u).kwh for u in uses if u.contract not in claimed)
