"""The indicator catalogue: formulas read, units agree, nothing hangs in the air."""

from pathlib import Path

import pytest

from lvheng.core.formula import names, parse
from lvheng.core.formula.units import convert
from lvheng.core.problem import Place, ProblemError
from lvheng.core.quantity import unit
from lvheng.core.rulebook import Rulebook
from lvheng.observations.catalogue import load_catalogue

RULEBOOK = Path(__file__).parents[2] / "rulebook"


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(RULEBOOK / "indicators")


@pytest.fixture(scope="module")
def parameters():
    return {version.rule: version.unit for version in Rulebook.load(RULEBOOK)}


def test_every_formula_gives_the_declared_unit(catalogue, parameters):
    for indicator in catalogue:
        unit(indicator.unit)
        for dated in indicator.formulas:
            convert(
                parse(dated.formula),
                indicator.unit,
                variable=lambda name: catalogue[name].unit,
                parameter=lambda rule: parameters[rule],
                bands=lambda rule: ("1", "1"),
                place=Place(),
            )


def test_formulas_have_no_loops(catalogue):
    def below(code, path):
        assert code not in path, path
        for dated in catalogue[code].formulas:
            for name in names(parse(dated.formula)):
                below(name, (*path, code))

    for indicator in catalogue:
        below(indicator.code, ())


def test_ratios_are_never_summed(catalogue):
    for indicator in catalogue:
        if indicator.unit in ("%", "百分点", "倍") or "/万元" in indicator.unit:
            assert indicator.over_regions != "sum", indicator.code
            assert indicator.over_time != "sum", indicator.code


def test_computed_indicators_have_formulas_and_only_they(catalogue):
    for indicator in catalogue:
        assert bool(indicator.formulas) == (indicator.fed_by == "computed"), indicator.code


def test_every_indicator_is_named_in_both_languages_and_has_a_home(catalogue):
    seen = set()
    for indicator in catalogue:
        assert indicator.name.zh
        assert indicator.name.en
        assert indicator.group
        assert indicator.body
        assert indicator.source.document
        assert (indicator.name.zh, indicator.group) not in seen, indicator.code
        seen.add((indicator.name.zh, indicator.group))


def test_limits_do_not_cross(catalogue):
    for indicator in catalogue:
        if indicator.minimum is not None and indicator.maximum is not None:
            assert indicator.minimum < indicator.maximum


def test_faults_name_file_and_line(tmp_path):
    good = (RULEBOOK / "indicators" / "energy.yaml").read_text(encoding="utf-8")
    (tmp_path / "a.yaml").write_text(good, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(good.replace("places: 2", "places: 2\n    colour: red", 1), encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        load_catalogue(tmp_path)
    assert any("b.yaml" in str(p.place) and p.place.line for p in caught.value.problems)


def test_a_code_given_twice_is_refused(tmp_path):
    good = (RULEBOOK / "indicators" / "energy.yaml").read_text(encoding="utf-8")
    (tmp_path / "a.yaml").write_text(good, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(good, encoding="utf-8")
    with pytest.raises(ProblemError) as caught:
        load_catalogue(tmp_path)
    assert {p.code for p in caught.value.problems} == {"observations.indicator.twice"}
