"""The handbook tells the truth: examples are run, commands and settings exist, every rule is there."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from _pytest.mark import ParameterSet

from lvheng.cli import lvheng
from lvheng.core.formula.rules import check_examples
from lvheng.core.rulebook import Rulebook
from tests.support.server import COMMAND, City

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    p for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if not {"_generated", "_build"} & set(p.parts)
)
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)(?P<words>[^\n]*)\n(?P<body>.*?)^ *```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(language: str, words: str = "") -> list[ParameterSet]:
    """Code blocks of one language in all pages, named by page and line."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match["language"] == language and match["words"].strip() == words:
                line = text.count("\n", 0, match.start()) + 1
                found.append(pytest.param(match["body"], id=f"{page.relative_to(ROOT).as_posix()}:{line}"))
    return found


@pytest.mark.parametrize("page", [p for p in PAGES if ">>>" in p.read_text()], ids=lambda p: p.name)
def test_python_examples_give_what_they_say(page: Path) -> None:
    """The blocks of a page are one session, as a reader would type them."""
    session = "\n".join(
        b["body"] for b in FENCE.finditer(page.read_text(encoding="utf-8")) if b["language"] == "python"
    )
    parsed = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(parsed, out=said.append)
    assert result.attempted, "no example"
    assert not result.failed, "".join(said)


def run_session(body: str, city: City) -> None:
    """Run the ``$ lvheng …`` lines of a block and compare what each prints (``...`` stands for anything)."""
    steps = re.split(r"^\$ ", body, flags=re.M)
    assert not steps[0].strip(), "a console block begins with $"
    for step in steps[1:]:
        line, _, wanted = step.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "lvheng", f"only lvheng is run: {line}"
        result = city.run(*arguments)
        got = result.stdout + result.stderr
        assert doctest.OutputChecker().check_output(wanted, got, FLAGS), f"$ {line}\n{got}"


@pytest.mark.parametrize("body", blocks("console"))
def test_commands_print_what_the_page_shows(body: str, tmp_path: Path) -> None:
    """``console``: needs files only; runs against an empty data folder."""
    run_session(body, City(tmp_path))


@pytest.mark.parametrize("body", blocks("console", "city"))
def test_commands_on_the_demo_city_print_what_the_page_shows(body: str, city: City) -> None:
    run_session(body, city)


@pytest.mark.parametrize("body", blocks("shell"))
def test_commands_and_options_named_in_the_pages_exist(body: str) -> None:
    for line in body.splitlines():
        if match := re.search(r"(?:^|\s|/)lvheng ([a-z].*)", line):
            _known(shlex.split(match[1], comments=True))
        for target in re.findall(r"^make (\w+)", line):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), f"make {target}"


def _known(words: list[str]) -> None:
    command: click.Command = lvheng
    context = click.Context(lvheng)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, words = found, words[1:]
    if command.name == "manage":  # Django's own commands and options
        return
    options = {name for parameter in command.get_params(context) for name in parameter.opts}
    unknown = {word.split("=")[0] for word in words if word.startswith("-")} - options
    assert not unknown, f"{command.name}: {unknown}"


def test_every_setting_is_documented_and_no_other() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[|\.setdefault\()\"(LVHENG_\w+)\"|_flag\(\"(LVHENG_\w+)\"\)", source))
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(LVHENG_\w+)`", page, re.M))
    assert {a or b for a, b in read} == documented


def test_the_sample_rule_is_one_that_the_rulebook_takes(tmp_path: Path) -> None:
    (sample,) = (str(p.values[0]) for p in blocks("yaml") if "rules.md" in str(p.id))
    (tmp_path / "sample.yaml").write_text(sample, encoding="utf-8")
    assert check_examples(Rulebook.load(tmp_path)) == []


def test_every_formula_of_the_rulebook_has_a_worked_example() -> None:
    book = Rulebook.load(ROOT / "rulebook")
    assert [v.ref for v in book if v.entry.kind == "formula" and not v.entry.example] == []


def test_every_folder_of_the_rulebook_has_a_chinese_title() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from generate import FOLDERS, rule_pages
    finally:
        sys.path.pop(0)
    titles = {text.split("\n", 1)[0].removeprefix("# 规则：") for text in rule_pages().values()}
    assert titles <= set(FOLDERS.values())


def test_the_handbook_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", str(ROOT / "docs"), str(tmp_path / "html")]
    environment = {**os.environ, "LVHENG_HOME": str(tmp_path / "home")}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "html" / "index.html").exists()


def test_the_command_is_installed() -> None:
    assert COMMAND.exists()
