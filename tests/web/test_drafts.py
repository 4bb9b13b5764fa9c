"""Reading a plan in the browser: tried by anybody, kept and corrected by those who may."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lvheng.access.models import AuditEvent, verify_chain
from lvheng.access.roles import Role
from lvheng.core.problem import Problem
from lvheng.plan import drafting
from lvheng.plan.models import PlanDraft
from lvheng.plan.reading import read_text, to_plan_dict
from lvheng.plan.schema import PlanFile
from tests.web.conftest import SignedIn

pytestmark = pytest.mark.django_db

TEXT = Path(__file__).with_name("linjiang.txt").read_text(encoding="utf-8")


@pytest.fixture
def data() -> drafting.Data:
    return to_plan_dict(read_text(TEXT))


@pytest.fixture
def lead(signed_in: SignedIn) -> Client:
    return signed_in(Role.LEAD)


@pytest.fixture
def kept(lead: Client) -> PlanDraft:
    response = lead.post("/plan/read/", {"text": TEXT})
    assert response.status_code == 302, response.content.decode()
    return PlanDraft.objects.get()


def form(data: drafting.Data, item: str, **changes: str) -> dict[str, str]:
    part, entry = drafting.find(data, item) or ("targets", {})
    names = drafting.TARGET_FIELDS if part == "targets" else drafting.NOTE_FIELDS
    values = {n: "、".join(entry.get(n) or []) if n in drafting.LISTS else str(entry.get(n, "") or "") for n in names}
    return {**values, "mark": mark(data, item), **changes}


def mark(data: drafting.Data, item: str) -> str:
    """What the form of an item carries, so that another's change since is noticed."""
    part, entry = drafting.find(data, item) or ("targets", {})
    return drafting.mark_of(entry, drafting.TARGET_FIELDS if part == "targets" else drafting.NOTE_FIELDS)


# --- pure -------------------------------------------------------------------------------------------
def test_a_draft_becomes_a_plan_file_in_the_shape_of_the_schema(data: drafting.Data) -> None:
    assert not drafting.correct_header(
        data,
        {
            "id": "linjiang-145",
            "title": "方案",
            "city": "990100",
            "date": "2022-01-01",
            "first_year": "2021",
            "last_year": "2025",
            "base_year": "2020",
        },
    )
    file = PlanFile.model_validate(yaml.safe_load(drafting.to_yaml(data)))
    assert file.plan.id == "linjiang-145"
    assert [c.id for c in file.clauses] == ["一", "二"]
    assert [c.id for c in file.clauses[1].children] == ["二(一)", "二(二)"]
    assert {str(t.value) for t in file.targets} >= {"13.5", "1200", "90", "14", "20"}
    assert not any(t.confirmed for t in file.targets)
    assert drafting.check(data) == [] or all(p.code != "plan.target.no_value" for p in drafting.check(data))


def test_what_is_missing_in_the_header_is_said(data: drafting.Data) -> None:
    assert [p.place.field for p in drafting.check(data)] == ["编号", "城市区划代码", "成文日期"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "十四"}, "value"), ({"value": "NaN"}, "value"), ({"value": ""}, "value"), ({"unit": "蛋"}, "unit"), ({"clause": "九"}, "clause"), ({"deadline": "明年"}, "deadline"),
        ({"baseline_year": "20"}, "baseline_year"), ({"anchor": "原文没有的话"}, "anchor"), ({"anchor": ""}, "anchor"), ({"kind": "x"}, "kind"), ({"indicator": ""}, "indicator"),
    ],
)  # fmt: skip
def test_a_wrong_correction_changes_nothing_and_names_the_field(
    data: drafting.Data, change: dict[str, str], field: str
) -> None:
    before = yaml.safe_dump(data)
    part, entry = drafting.find(data, "T001")  # type: ignore[misc]
    found = drafting.correct(TEXT, data, part, entry, form(data, "T001", **change))
    assert [p.code for p in found] == [f"plan.draft.{field}"]
    assert all(isinstance(p, Problem) and p.fix for p in found)
    assert yaml.safe_dump(data) == before


def test_a_correction_moves_the_mark_and_confirms(data: drafting.Data) -> None:
    part, entry = drafting.find(data, "T001")  # type: ignore[misc]
    assert (
        drafting.correct(TEXT, data, part, entry, form(data, "T001", value="13", anchor="能源消耗比2020年\n下降13.5%"))
        == []
    )
    assert (entry["value"], entry["confirmed"]) == (13, True)
    start, end = entry["span"]
    assert TEXT[start:end] == "能源消耗比2020年下降13.5%"
    assert "value_span" not in entry


def test_removing_and_bringing_back(data: drafting.Data) -> None:
    before = [t["id"] for t in data["targets"]]
    assert drafting.remove(data, before[1])
    assert before[1] not in [t["id"] for t in data["targets"]]
    assert drafting.restore(data, before[1])
    assert [t["id"] for t in data["targets"]] == before
    assert not drafting.remove(data, "T999")
    assert not drafting.restore(data, "T999")


# --- pages ------------------------------------------------------------------------------------------
def test_anybody_may_try_and_nothing_is_kept(client: Client) -> None:
    response = client.post("/plan/read/", {"text": TEXT})
    body = response.content.decode()
    assert response.status_code == 200
    assert "mark-quantitative" in body
    assert "13.5" in body
    assert not PlanDraft.objects.exists()
    taken = client.post("/plan/read/", {"text": TEXT, "download": "1"})
    assert yaml.safe_load(taken.content)["targets"]


@pytest.mark.parametrize(
    ("given", "says"),
    [({}, "没有选择文件"), ({"text": "你好"}, ""), ({"text": TEXT + "字" * 60_001}, "过长"), ({"file": SimpleUploadedFile("a.pdf", b"%PDF-1.4 broken")}, "PDF"), ({"file": SimpleUploadedFile("a.docx", b"PK\x03\x04junk")}, "")],
)  # fmt: skip
def test_what_cannot_be_read_is_told_and_nothing_is_kept(client: Client, given: dict[str, object], says: str) -> None:
    response = client.post("/plan/read/", given)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert "改法" in response.content.decode()
    assert not PlanDraft.objects.exists()


@pytest.mark.parametrize("role", [Role.COUNTY, Role.DEPARTMENT, Role.AUDITOR, Role.ENTERPRISE])
def test_only_those_who_may_edit_the_plan_see_and_change_drafts(
    kept: PlanDraft, client: Client, signed_in: SignedIn, role: Role
) -> None:
    other = signed_in(role, region="350102")
    for person in (client, other):
        for address in ("", "plan.yaml", "header/", "add/targets/"):
            assert person.get(f"/plan/drafts/{kept.pk}/{address}").status_code == 403
        assert person.post(f"/plan/drafts/{kept.pk}/item/T001/", {"action": "remove"}).status_code == 403
    assert other.post("/plan/read/", {"text": TEXT}).status_code == 200
    assert PlanDraft.objects.count() == 1


def test_reading_correcting_confirming_adding_and_taking_away(lead: Client, kept: PlanDraft) -> None:
    here = f"/plan/drafts/{kept.pk}/"
    page = lead.get(here).content.decode()
    assert page.count("<mark") >= 6
    bad = lead.post(f"{here}item/T001/", form(kept.data, "T001", value="abc", action="save"))
    assert bad.status_code == 422
    assert "数值无法识别" in bad.content.decode()
    assert 'value="abc"' in bad.content.decode()
    kept.refresh_from_db()
    assert kept.version == 0
    lead.post(f"{here}item/T001/", form(kept.data, "T001", value="13", action="save"))
    lead.post(f"{here}item/T002/", {"action": "confirm", "mark": mark(kept.data, "T002")})
    lead.post(f"{here}item/T003/", {"action": "remove", "mark": mark(kept.data, "T003")})
    added = {
        "clause": "二(一)",
        "indicator": "钢铁超低排放",
        "kind": "completion",
        "comparator": "complete",
        "measure": "completion",
        "anchor": "推进钢铁行业超低排放改造",
    }
    assert lead.post(f"{here}add/targets/", added).status_code == 302
    kept.refresh_from_db()
    assert kept.version == 4
    targets = {t["id"]: t for t in kept.data["targets"]}
    assert targets["T001"]["value"] == 13
    assert targets["T002"]["confirmed"]
    assert "T003" not in targets
    assert any(t["indicator"] == "钢铁超低排放" for t in targets.values())
    file = yaml.safe_load(lead.get(f"{here}plan.yaml").content)
    assert {t["id"]: t["confirmed"] for t in file["targets"]}["T001"] is True
    assert AuditEvent.objects.count() == 5
    assert verify_chain()[1] is None


def test_a_part_for_htmx_brings_text_list_and_progress_up_to_date(lead: Client, kept: PlanDraft) -> None:
    response = lead.post(
        f"/plan/drafts/{kept.pk}/item/T001/",
        {"action": "confirm", "mark": mark(kept.data, "T001")},
        headers={"HX-Request": "true", "HX-Target": "margin"},
    )
    body = response.content.decode()
    assert body.count("hx-swap-oob") == 3
    assert "is-confirmed" in body
    assert response["HX-Push-Url"].endswith("?item=T002")


def test_an_item_that_is_gone_is_told(lead: Client, kept: PlanDraft) -> None:
    response = lead.post(f"/plan/drafts/{kept.pk}/item/T999/", {"action": "confirm"})
    assert response.status_code == 422
    assert "草案中没有这一项" in response.content.decode()


def test_the_header_is_checked_and_kept(lead: Client, kept: PlanDraft) -> None:
    here = f"/plan/drafts/{kept.pk}/header/"
    assert "成为正式方案还差什么" in lead.get(here).content.decode()
    seen = {"mark": drafting.mark_of(drafting.header_of(kept.data), drafting.HEADER_FIELDS)}
    bad = lead.post(here, {"title": "方案", "id": "含 空格", "first_year": "21", **seen})
    assert bad.status_code == 422
    assert "年份无法识别" in bad.content.decode()
    good = {
        "id": "linjiang-145",
        "title": "临江方案",
        "city": "990100",
        "date": "2022-01-01",
        "first_year": "2021",
        "last_year": "2025",
        "base_year": "2020",
    }
    assert lead.post(here, good | seen).status_code == 302
    late = lead.post(here, good | seen | {"title": "另一标题"})  # opened before the change above
    assert late.status_code == 422
    assert "标题现为临江方案，您填另一标题" in late.content.decode()
    kept.refresh_from_db()
    assert kept.title == "临江方案"
    assert "检查通过" in lead.get(here).content.decode()


def test_a_finished_draft_waits_no_longer(lead: Client, kept: PlanDraft) -> None:
    assert kept.title in lead.get("/").content.decode()
    lead.post(f"/plan/drafts/{kept.pk}/finish/", {"finished": "1"})
    assert kept.title not in lead.get("/").content.decode()
    assert kept.title in lead.get("/plan/read/").content.decode()
    lead.post(f"/plan/drafts/{kept.pk}/finish/", {"finished": "0"})
    assert kept.title in lead.get("/").content.decode()


def test_text_is_shown_as_text(lead: Client) -> None:
    lead.post("/plan/read/", {"text": TEXT.replace("推进钢铁", "<script>alert(1)</script>推进钢铁")})
    assert "<script>alert" not in lead.get(PlanDraft.objects.get().get_absolute_url()).content.decode()


# --- two people ---------------------------------------------------------------------------------------
def test_the_second_of_two_people_sees_the_change_of_the_first_and_decides(
    lead: Client, signed_in: SignedIn, kept: PlanDraft
) -> None:
    other = signed_in(Role.LEAD)
    here = f"/plan/drafts/{kept.pk}/item/T001/"
    opened = form(kept.data, "T001", action="save")  # both have it open
    assert other.post(here, opened | {"value": "13", "comparator": "ge"}).status_code == 302
    late = lead.post(here, opened | {"value": "14"})
    body = late.content.decode()
    assert late.status_code == 422
    assert "某人改动了这一项" in body
    assert "数值现为13，您填14" in body
    assert 'value="14"' in body  # nothing of what was filled in is lost
    for action in ("confirm", "remove"):
        assert lead.post(here, opened | {"action": action}).status_code == 422
    kept.refresh_from_db()
    assert (kept.version, drafting.find(kept.data, "T001")[1]["value"]) == (1, 13)  # type: ignore[index]
    again = next(line for line in body.split("<input") if 'name="mark"' in line).split('value="')[1].split('"')[0]
    assert lead.post(here, opened | {"value": "14", "mark": again}).status_code == 302
    kept.refresh_from_db()
    assert drafting.find(kept.data, "T001")[1]["value"] == 14  # type: ignore[index]


def test_two_people_at_different_items_do_not_disturb_each_other(
    lead: Client, signed_in: SignedIn, kept: PlanDraft
) -> None:
    first, second = form(kept.data, "T001", action="save", value="13"), form(kept.data, "T002", action="save")
    assert signed_in(Role.LEAD).post(f"/plan/drafts/{kept.pk}/item/T001/", first).status_code == 302
    assert lead.post(f"/plan/drafts/{kept.pk}/item/T002/", second).status_code == 302


def test_a_form_without_the_mark_is_not_taken(lead: Client, kept: PlanDraft) -> None:
    given = form(kept.data, "T001", action="save", value="13", mark="")
    assert lead.post(f"/plan/drafts/{kept.pk}/item/T001/", given).status_code == 422
