"""Migrations are complete and free of duplicates: models match them, one leaf a room, each number once."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def duplicates(directory: Path) -> Iterator[str]:
    """Numbers that two migrations of one room share."""
    numbers = Counter(path.name[:4] for path in directory.glob("*.py") if re.match(r"\d{4}_", path.name))
    yield from (f"{directory.parent.name}：迁移编号{number}重复" for number, times in numbers.items() if times > 1)


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(DJANGO_SETTINGS_MODULE="lvheng.web.settings", LVHENG_HOME=home)
        os.environ.pop("LVHENG_DATABASE", None)
        import django
        from django.apps import apps
        from django.core.management import CommandError, call_command
        from django.db.migrations.loader import MigrationLoader

        django.setup()
        source = Path(__file__).parent.parent / "src"
        ours = [config for config in apps.get_app_configs() if source in Path(config.path).parents]
        found = [problem for config in ours for problem in duplicates(Path(config.path) / "migrations")]
        for room, names in MigrationLoader(None).detect_conflicts().items():
            found.append(f"{room}：迁移有多个末端（{'、'.join(sorted(names))}）")
        if not found:
            try:
                call_command("makemigrations", check=True, dry_run=True, interactive=False)
            except (SystemExit, CommandError) as stopped:
                found.append(f"模型与迁移不一致，运行 lvheng manage makemigrations 补齐（{stopped}）")
        print("\n".join(found) if found else "迁移完整，无重复")
        return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
