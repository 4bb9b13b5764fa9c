"""Green certificates and contracts of a demo site: who holds what, drawn from the plan's regions and units."""

from __future__ import annotations

from decimal import Decimal

from lvheng.demo.draw import Stream
from lvheng.energy.deductions import Block, Contract
from lvheng.energy.models import CertificateUse
from lvheng.energy.services import close_certificates, register
from lvheng.observations import view
from lvheng.observations.models import Subject

BY = "演示数据生成器"
FIRST_YEAR = 2022  # of certificates counted
SEED = 145


def load_certificates() -> int:
    """Fill the register of a demo site that has none and close it; returns how many blocks there are."""
    look = view.current()
    if CertificateUse.objects.exists():
        return 0
    header = look.plan.header
    years = [y for y in range(max(FIRST_YEAR, header.first_year), header.last_year + 1) if y < look.today.year]
    units = Subject.objects.filter(kind="unit", synthetic=True).order_by("code").values_list("code", "parent__code", "attributes")  # fmt: skip
    large = [code for code, _parent, more in units if "万吨以上" in str((more or {}).get("能源类别", ""))]
    stream = Stream(SEED, "certificates", header.id)
    blocks: list[Block] = []
    contracts: list[Contract] = []
    serial = 1
    for year in years:
        for n, holder in enumerate([*(r.code for r in look.plan.regions.parts(header.city)), *large[:: max(1, len(large) // 40)]]):  # fmt: skip
            count = stream.one(2_000, 60_000) * (year - FIRST_YEAR + 1)
            bundled = f"演示绿电{year}-{n:03d}" if n % 5 == 0 else ""
            if bundled:
                contracts.append(Contract(bundled, holder, year, Decimal(count * 1000), "演示风电场"))
            else:
                blocks.append(
                    Block("", f"演示{year}", serial, serial + count - 1, holder, year, cross_province=n % 3 == 0)
                )
                serial += count
    register(blocks, contracts, by=BY)
    close_certificates(look, by=BY, catalogue=view.catalogue())
    return len(blocks)
