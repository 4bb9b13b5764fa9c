"""Putting the demonstration into a site: figures, units, and accounts to try it with.

A site that holds the demonstration is a *demo site*, for good: nothing is ever deleted from the store.
A site that already holds real figures refuses it. A published figure is never overlaid by an invented one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml
from django.conf import settings
from django.db import transaction

from lvheng.core.problem import Problem, ProblemError, Severity
from lvheng.core.source import Confidence, Source
from lvheng.demo.accounts import Account, ensure_accounts
from lvheng.demo.city import SOURCES, Row, county_targets, fingerprint, load_parameters, parameter_file
from lvheng.demo.pack import Pack, UnitSubject, assemble
from lvheng.observations import view
from lvheng.observations.catalogue import Catalogue
from lvheng.observations.models import Observation, Posting, Subject
from lvheng.observations.services import ensure_region, ensure_source
from lvheng.observations.store import Figure, Progress, Recorded, record
from lvheng.plan.schema import Plan

KIND = "demo"
BY = "演示数据生成器"
HARMLESS = ("published", KIND)  # kinds of posting that leave a site fit for the demonstration


def is_demo_site() -> bool:
    """Whether the site holds a demonstration."""
    return Posting.objects.filter(kind=KIND).exists()


def load_demo(
    plan: Plan | None = None,
    catalogue: Catalogue | None = None,
    progress: Progress | None = None,
    seed: int | None = None,
) -> Recorded:
    """Generate and record the demonstration of a plan (the present one by default).

    All or nothing, in one transaction. What is already there is not generated again. Another seed or other
    parameters than those loaded change nothing and are said in ``problems``: the store forgets nothing.
    Raises ProblemError on a site with real figures, and when parameters, plan and catalogue do not fit.
    """
    plan = plan or view.current().plan
    catalogue = catalogue or view.catalogue()
    folder = settings.DATA_FOLDER
    mark = fingerprint(plan, folder, seed)
    numbers = load_parameters(plan, folder)
    before = Posting.objects.filter(kind=KIND, title__contains=f"〔{plan.id} ")
    if (last := before.order_by("-number").first()) is not None:
        report = Recorded(same=sum(before.values_list("rows", flat=True)), posting=None)
        if mark not in last.title:
            report.problems.append(
                Problem(
                    "demo.other_version", "已装入的演示数据与现行种子数或参数不同，保持原样", Severity.NOTICE,
                    got=last.title, wanted=f"种子数{seed if seed is not None else numbers.seed}，指纹{mark}", fix="需要新的演示数据时，换一个空的数据目录（LVHENG_HOME）。",
                )
            )  # fmt: skip
        return report
    if real := Posting.objects.exclude(kind__in=HARMLESS).order_by("number").first():
        raise ProblemError(
            Problem(
                "demo.real_site", "本站已有正式数据，不能装入演示数据", got=f"第{real.number}次入库：{real.title}",
                fix="另设数据目录（LVHENG_HOME）和数据库，在演示站装入。",
            )
        )  # fmt: skip
    if progress:
        progress("生成演示数据", 0, 1)
    pack = assemble(plan, catalogue, folder, seed)
    total = Recorded()
    with transaction.atomic():
        for region in plan.regions:
            ensure_region(region.code, region.name, region.name_en, region.parent)
        sources = _sources(pack)
        _units(pack.subjects)
        published = _published(pack)
        for batch in pack.batches:
            done = record(
                _figures(batch.rows, published, sources),
                kind=KIND,
                title=f"{batch.title}〔{plan.id} 种子{pack.city.seed} {mark}〕",
                by=BY,
                catalogue=catalogue,
                progress=progress,
            )
            total.new, total.revised, total.same = (
                total.new + done.new,
                total.revised + done.revised,
                total.same + done.same,
            )
            total.posting = done.posting or total.posting
    return total


def _sources(pack: Pack) -> dict[str, str]:
    """Keys in the store of the generator's sources, one a subject."""
    parameters = pack.city.parameters
    return {
        key: ensure_source(
            Source("演示数据生成器", article=subject, confidence=Confidence.UNKNOWN, note=f"演示数据。{parameters.note}"), synthetic=True
        )
        for key, subject in SOURCES.items()
    }  # fmt: skip


def _units(units: Iterable[UnitSubject]) -> None:
    """Make subjects of units not yet known."""
    parents = dict(Subject.objects.filter(kind="region").values_list("code", "pk"))
    known = set(Subject.objects.filter(kind="unit").values_list("code", flat=True))
    Subject.objects.bulk_create(
        [
            Subject(
                code=u.code, kind="unit", name=u.name, parent_id=parents[u.parent], industry=u.industry, synthetic=True, attributes=u.attributes
            )
            for u in units
            if u.code not in known
        ],
        batch_size=500,
    )  # fmt: skip


def _published(pack: Pack) -> set[tuple[str, str, str, str]]:
    """Keys of regions' figures that stand in the store from a source that is not synthetic."""
    names = {row.indicator for batch in pack.batches for row in batch.rows}
    rows = Observation.objects.filter(indicator__in=names, source__synthetic=False, subject__kind="region")
    return set(rows.values_list("indicator", "subject__code", "period", "item"))


def _figures(rows: Iterable[Row], published: set[tuple[str, str, str, str]], sources: dict[str, str]) -> list[Figure]:
    return [
        Figure(r.indicator, r.subject, r.period, r.value, r.unit, r.quality, sources[r.source], r.item, "演示数据")
        for r in rows
        if (r.indicator, r.subject, r.period, r.item) not in published
    ]


def county_targets_file(plan: Plan) -> Path:
    """Where a demo site keeps invented county targets; read for plans that have none of their own."""
    return settings.HOME / "demo" / plan.folder.name / "county_targets.yaml"


def keep_county_targets(plan: Plan) -> int:
    """Write invented targets of counties for a plan whose counties have none; returns how many there are.

    Nothing is done where there is no demonstration, and nothing is written that is there already.
    """
    own = (plan.folder / "county_targets.yaml").exists()
    if own or not is_demo_site() or not parameter_file(settings.DATA_FOLDER, plan.id).exists():
        return 0
    targets = [
        {
            "target": t.target, "region": t.region, "value": f"{t.value:f}", "unit": t.unit, "binding": t.binding, "issued": t.issued,
            "synthetic": t.synthetic, "source": t.source,
        }
        for t in county_targets(plan, settings.DATA_FOLDER)
    ]  # fmt: skip
    head = "# 演示数据：各县（市）区分解目标未公开，以下为虚构。由 lvheng demo 写成，勿改。\n"
    text = head + yaml.safe_dump({"targets": targets}, allow_unicode=True, sort_keys=False)
    path = county_targets_file(plan)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    return len(targets)


def demo_accounts(plan: Plan | None = None) -> list[Account]:
    """Accounts to try the site with, made when missing; raises ProblemError where there is no demonstration."""
    if not is_demo_site():
        raise ProblemError(
            Problem("demo.accounts.real_site", "只有演示站才建立演示账号", fix="先用 lvheng demo --load 装入演示数据。")
        )
    return ensure_accounts(plan or view.current().plan)
