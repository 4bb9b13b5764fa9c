"""The store of observations: exact, append-only, as of a position. Tests try to break it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from lvheng.access.models import AuditEvent, append_event, verify_chain
from lvheng.core.problem import ProblemError
from lvheng.core.source import Confidence, Source
from lvheng.observations.models import Observation, Posting, SourceDocument, Subject
from lvheng.observations.services import ensure_region, ensure_source
from lvheng.observations.store import Figure, exact, history, position, read, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def ground() -> str:
    ensure_region("990100", "试验市")
    ensure_region("990101", "东区", parent="990100")
    return ensure_source(Source("试验公报", "试〔2024〕1号", confidence=Confidence.CONFIRMED))


def figure(source: str, value: str | None, **more: str) -> Figure:
    given = {
        "indicator": "energy_total",
        "subject": "990101",
        "period": "2023",
        "unit": "万吨标准煤",
        "quality": "statistics",
        **more,
    }
    return Figure(value=None if value is None else Decimal(value), source=source, **given)


def put(*figures: Figure):
    return record(figures, kind="test", title="试验", by="测试")


def test_a_figure_keeps_its_digits_and_its_source(ground: str) -> None:
    done = put(figure(ground, "14.0"))
    (stored,) = Observation.objects.all()
    assert (done.new, done.posting, stored.vintage) == (1, 1, 1)
    assert str(stored.value) == "14.0"
    assert str(stored.source) == "《试验公报》（试〔2024〕1号）"


@settings(max_examples=60, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_exact_numbers_come_back_as_they_were(value: Decimal) -> None:
    found = exact(value)
    assert found is not None
    assert Decimal(found[0]).scaleb(-found[1]) == value


def test_numbers_that_do_not_fit_are_refused_and_nothing_is_kept(ground: str) -> None:
    for bad in ("NaN", "Infinity", "1e40", "0.1234567890123", "99999999999999999999"):
        with pytest.raises(ProblemError) as error:
            put(figure(ground, "1", period="2022"), figure(ground, bad))
        assert error.value.problems[0].code == "observations.value.size"
    assert not Observation.objects.exists()
    assert not Posting.objects.exists()
    assert position() == 0


def test_the_same_figure_again_is_not_written(ground: str) -> None:
    put(figure(ground, "14.0"))
    again = put(figure(ground, "14.0"))
    assert (again.new, again.revised, again.same, again.posting) == (0, 0, 1, None)
    assert position() == 1


def test_a_correction_is_a_new_vintage_and_old_positions_keep_the_old_number(ground: str) -> None:
    put(figure(ground, "100"), figure(ground, "7", period="2022"))
    put(figure(ground, "101.5"))
    put(figure(ground, None, quality="withdrawn"))

    def at(where: int) -> dict[str, float]:
        return dict(read(where).select("period", "value").iter_rows())

    assert at(0) == {}
    assert at(1) == {"2023": 100.0, "2022": 7.0}
    assert at(2) == {"2023": 101.5, "2022": 7.0}
    assert at(3) == {"2022": 7.0}
    assert [(o.vintage, o.value) for o in history("energy_total", "990101", "2023")] == [
        (1, Decimal(100)),
        (2, Decimal("101.5")),
        (3, None),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": "nowhere"}, "observations.subject.unknown"),
        ({"period": "2023-13"}, "core.period.unreadable"),
        ({"period": "2023年"}, "observations.period.code"),
        ({"quality": "guess"}, "observations.quality.unknown"),
    ],
)
def test_bad_figures_name_their_row(ground: str, change: dict[str, str], code: str) -> None:
    with pytest.raises(ProblemError) as error:
        put(figure(ground, "1", period="2021"), figure(ground, "1", **change))
    assert code in {p.code for p in error.value}
    assert not Observation.objects.exists()


def test_a_figure_twice_in_one_batch_is_refused(ground: str) -> None:
    with pytest.raises(ProblemError) as error:
        put(figure(ground, "1"), figure(ground, "2"))
    (problem,) = error.value.problems
    assert problem.code == "observations.key.twice"
    assert problem.place.row == 2


def test_units_and_indicators_are_checked_against_the_catalogue(ground: str) -> None:
    from lvheng.observations import view

    for figure_, code in (
        (figure(ground, "1", unit="吨"), "observations.unit.mismatch"),
        (figure(ground, "1", indicator="no_such_thing"), "observations.indicator.unknown"),
    ):
        with pytest.raises(ProblemError) as error:
            record([figure_], kind="test", title="试验", by="测试", catalogue=view.catalogue())
        assert error.value.problems[0].code == code


@pytest.mark.parametrize("model", [Observation, Posting, SourceDocument, AuditEvent])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_the_database_refuses_to_change_what_was_recorded(ground: str, model: type, verb: str) -> None:
    put(figure(ground, "1"))
    table = model._meta.db_table
    key = model._meta.pk.column
    sql = f"UPDATE {table} SET {key} = {key}" if verb == "update" else f"DELETE FROM {table}"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert model.objects.exists()


@pytest.mark.postgres
def test_postgresql_refuses_to_empty_the_table(ground: str) -> None:
    put(figure(ground, "1"))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE observations_observation")


def test_the_database_refuses_a_key_twice_and_a_value_that_is_neither_given_nor_withdrawn(ground: str) -> None:
    put(figure(ground, "1"))
    (stored,) = Observation.objects.all()
    for change in ({}, {"vintage": 2, "mantissa": None}, {"vintage": 0}, {"vintage": 2, "scale": 13}):
        stored.pk = None
        with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic():
            Observation.objects.create(
                **{
                    "posting_id": 1, "indicator": stored.indicator, "subject": stored.subject, "period": "2023", "item": "", "mantissa": 5,
                    "scale": 0, "unit": stored.unit, "quality": "filed", "vintage": 1, "source": stored.source, **change,
                }
            )  # fmt: skip
    assert Observation.objects.count() == 1


def test_the_audit_chain_names_the_first_altered_row(ground: str) -> None:
    put(figure(ground, "1"))
    append_event("甲", "试验", "对象", {"值": Decimal("1.5")})
    append_event("乙", "试验", "对象")
    assert verify_chain() == (3, None)
    second = AuditEvent.objects.order_by("id")[1]
    with connection.cursor() as cursor:  # as one with the database's keys could
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE access_auditevent DISABLE TRIGGER ALL")
        else:
            cursor.execute("DROP TRIGGER access_auditevent_no_update")
        cursor.execute("UPDATE access_auditevent SET actor = '丙' WHERE id = %s", [second.pk])
    count, problem = verify_chain()
    assert count == 2
    assert problem is not None
    assert problem.place.row == second.pk


def test_regions_are_brought_up_to_date_and_not_doubled(ground: str) -> None:
    ensure_region("990101", "东新区", parent="990100")
    assert Subject.objects.get(code="990101").name == "东新区"
    assert Subject.objects.count() == 2
