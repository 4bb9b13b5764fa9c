"""An accepted figure stands in the explanation that the plan page shows."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from click.testing import CliRunner

from lvheng.access.models import User
from lvheng.core.period import Kind, Period
from lvheng.core.problem import ProblemError
from lvheng.filing import content, forms, review, services
from lvheng.filing.models import Body, Filing
from lvheng.observations import view
from lvheng.observations.commands import explain
from tests.filing.town import FORM, PERIOD, People, credit_code, purchase

pytestmark = pytest.mark.django_db


def test_a_figure_accepted_from_a_department_is_in_the_explanation_tree(town: People) -> None:
    book = content.book()
    city = view.current().plan.header.city
    form = next(
        f
        for f in book.all(Period.parse("2025").end)
        if f.entry.filer.role == "department" and f.frequency is Kind.YEAR and f.entry.filer.body == ("water",)
    )
    body = Body.objects.get(subject__code="water")
    publish, _gives, _where = form.publishes[0]
    sheet = form.sheet(publish.sheet)
    period = Period.parse("2025")
    filing = services.start(town.department, form.id, body.subject.code, period)
    cells = {c.code: "7" if c.numeric else None for c in sheet.columns}
    key = ""
    if sheet.key:
        key = (
            form.keys(sheet)[0]
            if form.keys(sheet)
            else next(o.code for o in form.options(sheet.sheet, sheet.key.columns[0]))
        )
        cells[sheet.key.columns[0]] = key
    data = {sheet.sheet: [forms.Row(key, cells)]}
    services.save_draft(town.department, filing.pk, data)
    for p in content.open_faults(content.findings(filing, form, data)):
        if p.check:
            services.answer(town.department, filing.pk, p.check, (p.sheet, p.key, p.column), "试验数据，已核对")
    faults = content.open_faults(content.findings(filing, form, data))
    assert not faults, faults
    services.submit(town.department, filing.pk)
    lead = User.objects.get(username="lead")
    review.pass_on(lead, filing.pk, 1)
    node = view.current().explain(publish.indicator, city if not publish.subject else key, Period.parse("2025"))
    assert node.value == Decimal(7)


def test_a_units_own_figure_is_explained_on_the_command_line(town: People) -> None:
    filing = services.start(town.enterprise, FORM, credit_code(1), PERIOD)
    services.save_draft(town.enterprise, filing.pk, purchase())
    services.submit(town.enterprise, filing.pk)
    review.pass_on(town.county, filing.pk, 1)
    if Filing.objects.get(pk=filing.pk).state != "accepted":
        review.pass_on(town.lead, filing.pk, 1)
    figure = review.figures_of(filing, filing.versions.get(), content.form_of(filing))[0]
    asked = [figure.indicator, "--region", credit_code(1), "--period", figure.period, "--item", figure.item]
    done = CliRunner().invoke(explain, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    node = json.loads(done.output)
    assert (node["op"], node["region_name"]) == ("observed", "试验1号企业")
    assert Decimal(node["value"]) == figure.value
    shown = CliRunner().invoke(explain, asked)
    assert "试验1号企业" in shown.output
    unknown = CliRunner().invoke(explain, [figure.indicator, "--region", "没有的单位"])
    assert isinstance(unknown.exception, ProblemError)
