"""A county beside its units, a figure down to its cell, and long sheets in pages."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.test import Client

from lvheng.core.period import Period
from lvheng.filing import content, forms, provenance, review, services, sums
from lvheng.filing.forms.entries import Sum
from lvheng.filing.grid import MOST_ROWS, merged
from lvheng.filing.models import Body, Filing, FilingVersion
from lvheng.observations import view
from lvheng.observations.models import Observation, Subject
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase

pytestmark = pytest.mark.django_db


def accepted(people: People) -> Filing:
    """The unit's 205-1 of March, accepted by the city: 250 万千瓦时."""
    it = services.start(people.enterprise, FORM, credit_code(1), PERIOD)
    services.save_draft(people.enterprise, it.pk, purchase())
    services.submit(people.enterprise, it.pk)
    review.pass_on(people.county, it.pk, 1)
    review.pass_on(people.lead, it.pk, 1)
    return it


def county(people: People, energy: str) -> tuple[Filing, forms.Form, forms.Data]:
    code = Body.objects.get(subject__code=credit_code(1)).region
    body = Body.objects.get(kind="county", region=code)
    it = services.start(people.county, "county_monthly", body.subject.code, PERIOD)
    cells: dict[str, str | None] = {
        "electricity_total": "900",
        "electricity_industry": "400",
        "industry_energy": energy,
        "industry_va": "3",
        "industry_output": "9",
    }
    return it, content.form_of(it), {"county": [forms.Row("", cells)]}


@pytest.mark.parametrize(("energy", "agrees"), [("0.5", True), ("0.01", False)])
def test_a_county_cannot_have_used_less_than_its_units_filed(town: People, energy: str, agrees: bool) -> None:
    accepted(town)
    found = {s.entry.sum: s for s in sums.beside(*county(town, energy))}
    it = found["units_energy"]
    assert it.balance.below == Decimal("250") * Decimal("1.229") / 10_000
    assert (it.filed, it.due, it.balance.agrees) == (1, 1, agrees)
    assert found["units_electricity"].balance.difference == Decimal(-150)


def test_what_differs_is_not_passed_in_bulk(town: People) -> None:
    accepted(town)
    it, _form, data = county(town, "0.01")
    services.save_draft(town.county, it.pk, data)
    services.submit(town.county, it.pk)
    passed, problems = review.pass_clean(town.lead, [(it.pk, 1)])
    assert not passed
    assert [p.code for p in problems] == ["filing.review.not_clean"]


def test_a_sum_is_judged_only_when_it_can_be() -> None:
    entry = Sum(sum="s", title={"zh": "合计"}, sheet="a", column="b", below="counties", form="f", of="g", value="b", relative="1")  # type: ignore[arg-type]  # fmt: skip
    own = Decimal(100)
    assert forms.balance(entry, own, [Decimal(60)], complete=False).agrees is None
    assert forms.balance(entry, own, [Decimal(60)], complete=True).agrees is False
    assert forms.balance(entry, own, [Decimal(60), Decimal("39.5")], complete=True).agrees is True
    assert forms.balance(entry, own, [Decimal(60), Decimal(42)], complete=False).agrees is False
    assert forms.balance(entry, own, [], complete=True).agrees is None, "missing is not zero"


def test_a_county_figure_leads_to_the_cell_of_the_form(town: People) -> None:
    it = accepted(town)
    region = Body.objects.get(subject__code=credit_code(1)).region
    position = view.current().position
    found = provenance.below(town.lead.acting, "industry_energy", region, PERIOD, position)
    assert found is not None
    assert found.value == Decimal(250) * Decimal("1.229")
    cell = found.units[0].figures[0].cell
    assert cell is not None
    assert cell.url == f"/filing/{it.pk}/?version=1#c-energy-electricity-use_month"
    hidden = provenance.below(town.other_enterprise.acting, "industry_energy", region, PERIOD, position)
    assert hidden is not None
    assert (hidden.units, hidden.value, hidden.hidden) == ([], None, 1)
    assert provenance.below(town.lead.acting, "gdp_constant", region, PERIOD, position) is None


def test_outlets_with_the_same_pollutant_are_one_figure(town: People) -> None:
    form = content.book().at("pollutant_report", Period.of_year(2025).end)
    row = {"pollutant": "cod", "emission": "1.5", "permitted": None}
    data = {"emissions": [forms.Row(f"{o}|cod", {"outlet": o, **row}) for o in ("DW001", "DW002")]}
    found = {f.indicator: f for f in forms.figures(form, data, credit_code(1), Period.of_year(2025))}
    assert found["unit_emission"].value == Decimal(3)
    assert "unit_emission_permitted" not in found, "blank is no figure"


def test_one_page_of_a_long_sheet_is_saved_and_the_rest_stays(town: People, client: Client) -> None:
    rows = [forms.Row(str(n), {}) for n in range(5)]
    assert [r.key for r in merged(rows, ["1", "2"], [forms.Row("2", {}), forms.Row("9", {})])] == ["0", "2", "9", "3", "4"]  # fmt: skip
    Body.objects.filter(subject__code=credit_code(1)).update(discharger_class="key")
    it = services.start(town.enterprise, "voc_ledger", credit_code(1), Period.of_year(2025))
    many = [forms.Row(f"M{n:03d}", {"number": f"M{n:03d}", "name": "漆", "used": "1"}) for n in range(MOST_ROWS + 50)]
    version = services.save_draft(town.enterprise, it.pk, {"materials": many})
    client.force_login(town.enterprise)
    page = client.get(f"/filing/{it.pk}/?rows=2").content.decode()
    assert 'data-row="M200"' in page
    assert 'data-row="M199"' not in page
    shown = [r.key for r in many[MOST_ROWS:]]
    given = [{"number": key, "name": "改", "used": "2"} for key in shown]
    sent = {"edits": version.edits, "sheets": {"materials": given}, "shown": {"materials": shown}}
    answer = client.post(f"/filing/{it.pk}/save/", json.dumps(sent), content_type="application/json")
    assert answer.status_code == 200, answer.content
    kept = forms.load(FilingVersion.objects.get(filing=it).data) or {}
    assert len(kept["materials"]) == MOST_ROWS + 50
    assert (kept["materials"][0].cells["name"], kept["materials"][-1].cells["name"]) == ("漆", "改")
    sent = {"edits": answer.json()["edits"], "sheets": {"materials": [*given, {"number": "M001", "name": "重"}]}, "shown": {"materials": shown}}  # fmt: skip
    again = client.post(f"/filing/{it.pk}/save/", json.dumps(sent), content_type="application/json")
    assert "另一页已有" in again.json()["problems"][0]["message"]


def test_nothing_of_another_unit_is_counted(town: People) -> None:
    accepted(town)
    assert Observation.objects.filter(subject=Subject.objects.get(code=credit_code(2))).count() == 0
