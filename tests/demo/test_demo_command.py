"""``lvheng demo`` as a person calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lvheng.cli import main
from lvheng.demo.pack import Pack, write

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
        (("--seed", "x", "--load"), 2, "应为：整数"),
        (("--seed", "-1", "--load"), 2, "参数取值有误"),
        (("--plan", "nowhere", "--load"), 1, "没有这个方案"),
        (("--out",), 2, "选项缺少取值"),
    ],
)
def test_bad_arguments_are_told_in_chinese(capsys, arguments, code, words):
    assert call(*arguments) == code
    assert words in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys):
    (tmp_path / "file").write_text("x")
    assert call("--out", str(tmp_path / "file" / "below")) == 1
    assert "目录不能写入" in capsys.readouterr().err


def test_another_process_writes_the_same_bytes(tmp_path: Path, pack: Pack):
    """Whatever the order of sets and dictionaries there."""
    environment = {**os.environ, "LVHENG_HOME": str(tmp_path / "home"), "LVHENG_DATABASE": "", "PYTHONHASHSEED": "7"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lvheng.cli", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("manage", "migrate", "-v0").returncode == 0
    done = run("demo", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "用能单位2,000家" in done.stdout
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seed"] == 145
    assert {*manifest["sha256"], "manifest.json"} == {p.name for p in (tmp_path / "out").iterdir()}
    assert manifest["sha256"] == write(pack, tmp_path / "here")
