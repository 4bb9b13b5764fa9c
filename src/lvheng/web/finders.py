"""Front-end packages: the named files that pages use, not whole packages with their maps and sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage


class PackageFinder(BaseFinder):
    """Serves ``settings.FRONT_END`` (address below /static/ → file below node_modules)."""

    def __init__(self, *args: Any, **kwargs: Any):
        root = Path(settings.ROOT) / "node_modules"
        self.files = {name: root / path for name, path in settings.FRONT_END.items() if (root / path).is_file()}

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        hit = self.files.get(path)
        if find_all:
            return [str(hit)] if hit else []
        return str(hit) if hit else None

    def list(self, ignore_patterns: Any) -> Any:
        for name, path in self.files.items():
            storage = FileSystemStorage(location=str(path.parent))
            storage.prefix = str(Path(name).parent)  # type: ignore[attr-defined]
            yield path.name, storage
