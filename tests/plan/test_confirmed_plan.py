"""The confirmed plan folder: complete, consistent, and every target answered by an indicator."""

from pathlib import Path

import pytest

from lvheng.core.quantity import compatible
from lvheng.core.yamlfile import load
from lvheng.observations.catalogue import load_catalogue
from lvheng.plan.schema import check_plan, load_plan

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "plans" / "fuzhou-145"


@pytest.fixture(scope="module")
def plan():
    return load_plan(FOLDER)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(ROOT / "rulebook" / "indicators")


def test_plan_has_not_even_a_warning(plan):
    assert check_plan(plan, load(FOLDER / "plan.yaml")) == []


def test_counts(plan):
    kinds = {kind: sum(t.kind == kind for t in plan.targets) for kind in {t.kind for t in plan.targets}}
    assert kinds == {"quantitative": 35, "completion": 23, "dated_or_counted_action": 6, "rule": 9}
    assert [t.id for t in plan.targets] == [f"T{i:03d}" for i in range(1, 74)]
    assert [n.id for n in plan.notes] == [f"R{i:02d}" for i in range(1, 23)]
    assert len(plan.clause_list) == 27
    assert sum(c.programme for c in plan.clause_list) == 11


def test_bodies_of_the_notes_are_all_known(plan):
    named = {name for note in plan.notes for name in (*note.lead, *note.others)}
    assert len(named) == 32
    everyone = named | {name for note in plan.notes for name in note.local_governments}
    everyone |= {name for task in plan.tasks for name in task.bodies}
    assert everyone <= set(plan.body_by_name)


def test_body_words_are_unambiguous(plan):
    words = [w for b in plan.bodies for w in {b.name, b.full_name, *b.aliases} if w]
    assert len(words) == len(set(words))
    assert len({b.code for b in plan.bodies}) == len(plan.bodies)


def test_regions_under_the_city(plan):
    parts = plan.regions.parts(plan.header.city)
    assert [r.kind for r in parts].count("county") == 13
    assert [(r.kind, r.within) for r in parts if r.kind != "county"] == [("zone", "350121")]
    governments = {b.region for b in plan.bodies if b.kind in ("government", "zone") and b.region} - {plan.header.city}
    assert governments == {r.code for r in parts}


def test_later_clauses_bind_local_governments(plan):
    assert [n.id for n in plan.notes if n.inherit] == ["R01"]
    roles = {name: role for _, name, role in plan.bodies_of("四(二)")}
    assert roles == {"市生态环境局": "lead", "各县（市）区人民政府": "local", "高新区管委会": "local"}


def test_every_target_has_an_indicator_of_its_kind(plan, catalogue):
    for target in plan.targets:
        indicator = catalogue[target.indicator]
        assert target.short, target.id
        assert len(target.short) <= 10, target.id
        assert target.title_en, target.id
        if target.unit and target.measure != "threshold":
            assert compatible(target.unit, indicator.unit), (target.id, target.unit, indicator.unit)
        if target.measure == "cumulative_amount":  # the progress adds up the years
            assert indicator.over_time == "sum", target.id


def test_shared_out_targets_can_be_added_up(plan, catalogue):
    for target in plan.targets:
        if target.counties == "share":
            assert catalogue[target.indicator].over_regions == "sum", target.id
            assert target.value is not None


def test_tasks_cover_every_clause_below_part_two(plan):
    with_tasks = {t.clause for t in plan.tasks}
    assert {c.id for c in plan.clause_list if c.level == 2} == with_tasks
    assert all(t.target in plan.target_by_id for t in plan.tasks if t.target)
    assert all(len(t.title) <= 40 for t in plan.tasks)
    assert len(plan.tasks) >= 100


def test_quotes_are_short(plan):
    assert max(len(t.quote) for t in plan.targets) <= 90
    assert sum(len(t.quote) for t in plan.targets) < 2500  # the text itself is not kept
