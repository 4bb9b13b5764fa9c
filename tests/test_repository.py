"""What the repository promises: pinned, the same everywhere, licensed, one command to run it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).parent.parent
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;\\]+)")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("不在版本库中")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def pins(path: Path) -> dict[str, str]:
    return {m["name"]: m["version"] for line in path.read_text().splitlines() if (m := PIN.match(line))}


@pytest.mark.parametrize("path", LOCKS, ids=lambda p: p.name)
def test_python_locks_pin_every_package_by_hash_and_name_no_host(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert PIN.match(block), block
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_locks_agree_with_each_other_and_with_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    product = pins(ROOT / "requirements.lock")
    for path in LOCKS:
        shared = pins(path).keys() & product.keys()
        assert {name: pins(path)[name] for name in shared} == {name: product[name] for name in shared}, path.name
    wanted = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": project["dependency-groups"]["dev"],
        "requirements-spark.lock": project["project"]["optional-dependencies"]["spark"],
        "requirements-build.lock": project["build-system"]["requires"],
    }
    for name, requirements in wanted.items():
        names = {re.split(r"[\[<>=~! ;]", one)[0].lower().replace("_", "-") for one in requirements}
        assert names <= pins(ROOT / name).keys(), name


def test_npm_lock_pins_every_package_by_hash_and_names_no_host() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    packages = json.loads(text)["packages"]
    for name, package in packages.items():
        if name:
            algorithm, _, digest = package["integrity"].partition("-")
            assert algorithm == "sha512", name
            assert len(base64.b64decode(digest)) == 64, name
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_front_end_files_that_pages_use_are_in_the_packages() -> None:
    from django.conf import settings

    assert settings.FRONT_END
    assert [path for path in settings.FRONT_END.values() if not (ROOT / "node_modules" / path).is_file()] == []


def test_no_committed_file_names_a_registry_or_a_path_of_one_machine() -> None:
    registries = [b"".join(parts) for parts in ((b"pypi", b".org"), (b"python", b"hosted"), (b"registry.", b"npmjs"))]
    registries += [
        b"".join(parts) for parts in ((b"npm", b"mirror"), (b"tsinghua", b".edu"), (b"aliyun", b".com/pypi"))
    ]
    places = [re.compile(rb"(?<![\w.])" + root + rb"/\w") for root in (rb"/work", rb"/root", rb"/home")]
    found = []
    for path in tracked():
        content = path.read_bytes()
        found += [f"{path.relative_to(ROOT)}: {name.decode()}" for name in registries if name in content]
        if b"\0" not in content[:8000]:
            found += [f"{path.relative_to(ROOT)}: {m[0].decode()}…" for place in places if (m := place.search(content))]
    assert found == []


def test_code_knows_no_city() -> None:
    """Fuzhou is data; the product's code, pages and styles never name it or its counties."""
    city = re.compile(r"福州|榕政|Fuzhou|fuzhou|3501\d\d|鼓楼|闽侯|长乐|平潭")
    kinds = {".py", ".html", ".js", ".css", ".po"}
    sources = [path for path in tracked() if path.suffix in kinds and (ROOT / "src") in path.parents]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in sources
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if city.search(line)
    ]
    assert found == []


def test_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("target", ["run", "test", "check", "setup", "bench", "docs", "messages", "clean"])
def test_make_knows_its_targets(target: str) -> None:
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def tool(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``tools/messages.py`` on the tree below tmp_path."""
    copy = tmp_path / "tools" / "messages.py"
    copy.parent.mkdir(exist_ok=True)
    copy.write_text((ROOT / "tools" / "messages.py").read_text(encoding="utf-8"), encoding="utf-8")
    command = [sys.executable, str(copy), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    room = tmp_path / "src" / "lvheng" / "sample"
    (room / "templates" / "sample").mkdir(parents=True)
    (room / "__init__.py").touch()
    (room / "views.py").write_text(
        'from django.utils.translation import gettext as _\n\nTITLE = _("共%(n)s项")\nNEXT = _("下一步")\n',
        encoding="utf-8",
    )
    page = '{% load i18n %}\n<p>\n    {% translate "目标" %} {% blocktranslate %}他\'s{% endblocktranslate %}\n</p>\n'
    (room / "templates" / "sample" / "page.html").write_text(page, encoding="utf-8")
    return room


def translate(room: Path, **words: str) -> None:
    path = room / "locale" / "en" / "LC_MESSAGES" / "django.po"
    catalogue = polib.pofile(str(path))
    for entry in catalogue:
        entry.msgstr = words.get(entry.msgid, entry.msgstr)
    catalogue.save()


COMPLETE = {"共%(n)s项": "%(n)s items", "下一步": "Next", "目标": "Target", "他's": "his"}


def test_translations_are_complete_only_when_each_string_has_its_english(tmp_path: Path, room: Path) -> None:
    missing = tool(tmp_path, "check")
    assert missing.returncode == 1
    assert "没有翻译文件" in missing.stdout
    tool(tmp_path, "update")
    assert tool(tmp_path, "check").stdout.count("尚未翻译") == 4
    translate(room, **COMPLETE)
    assert tool(tmp_path, "check").returncode == 0
    assert tool(tmp_path, "compile").returncode == 0
    assert list(room.rglob("*.mo"))


@pytest.mark.parametrize(
    ("english", "fault"), [("%(m)s items", "占位符"), ("items", "占位符"), ("%(n)s 项", "仍有中文"), ("", "尚未翻译")]
)
def test_a_translation_keeps_placeholders_and_is_english(tmp_path: Path, room: Path, english: str, fault: str) -> None:
    tool(tmp_path, "update")
    translate(room, **{**COMPLETE, "共%(n)s项": english})
    result = tool(tmp_path, "check")
    assert result.returncode == 1
    assert fault in result.stdout


def test_update_keeps_what_is_translated_and_drops_what_is_gone(tmp_path: Path, room: Path) -> None:
    tool(tmp_path, "update")
    translate(room, **COMPLETE)
    (room / "views.py").write_text('from x import _\n\nNEW = _("新的")\nNEXT = _("下一步")\n', encoding="utf-8")
    assert "不在源码中" in tool(tmp_path, "check").stdout
    assert "1条待翻译" in tool(tmp_path, "update").stdout
    entries = {e.msgid: e.msgstr for e in polib.pofile(str(next(room.rglob("*.po"))))}
    assert entries == {"新的": "", "下一步": "Next", "目标": "Target", "他's": "his"}


def test_chinese_outside_a_translation_tag_is_found_with_its_line(tmp_path: Path, room: Path) -> None:
    page = room / "templates" / "sample" / "bare.html"
    page.write_text('{# 说明 #}\n<p title="提示">x</p>\n{% comment %}旁注{% endcomment %}\n', encoding="utf-8")
    found = [line for line in tool(tmp_path, "check").stdout.splitlines() if "未标记" in line]
    assert found == ["sample/templates/sample/bare.html 第2行：“提示”未标记翻译"]
