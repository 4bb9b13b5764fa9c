"""``lvheng demo`` as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lvheng.cli import main

pytestmark = pytest.mark.django_db


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["demo", *arguments])
    return int(stop.value.code or 0)


def test_nothing_asked_for_is_told(capsys):
    assert call() == 1
    assert "--out 目录，或 --load" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--seed", "x", "--load"), 2, "数字"),
        (("--seed", "-1", "--load"), 2, "参数取值有误"),
        (("--plan", "nowhere", "--load"), 1, "没有这个方案"),
        (("--out",), 2, "命令"),
    ],
)
def test_bad_arguments_are_told_in_chinese(capsys, arguments, code, words):
    assert call(*arguments) == code
    assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys):
    (tmp_path / "file").write_text("x")
    assert call("--out", str(tmp_path / "file" / "below")) == 1
    assert "目录不能写入" in capsys.readouterr().err


def test_files_are_written_with_their_digests(tmp_path: Path, capsys):
    assert call("--out", str(tmp_path)) == 0
    said = capsys.readouterr()
    assert "用能单位2,000家" in said.out
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seed"] == 145
    assert {*manifest["sha256"], "manifest.json"} == {p.name for p in tmp_path.iterdir()}
