"""Contents kept once under their SHA-256 below a folder: evidence of filings, papers of marks."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def path_of(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def keep(folder: Path, raw: bytes) -> str:
    """Write the content if it is not there yet; returns its digest when it is on stable storage."""
    digest = hashlib.sha256(raw).hexdigest()
    path = path_of(folder, digest)
    if path.exists():
        return digest
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    _sync(path.parent)
    return digest


def _sync(folder: Path) -> None:
    """The name of a new file is safe only when its folder is."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
