"""Where a lake's files stand: a folder of this machine, or an object store named by a URL (``s3://bucket/prefix``).

A file appears whole or not at all: locally it is written beside its place, synced and renamed; an object store shows an
object only when it is complete. Nothing here relies on renaming, locks or listings that are exact to the moment.

S3 takes its endpoint and keys from the environment (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``); any other URL is opened through fsspec.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as arrow_fs

from lvheng.core.problem import Problem, ProblemError


@dataclass(frozen=True, slots=True)
class File:
    """A file of a store: its name below the store, its size in bytes, and when it was written (seconds since 1970)."""

    name: str
    size: int = 0
    modified: float = 0.0


class Store:
    """Files below one place. Names are relative, with ``/``. Raises OSError as the file system does."""

    def __init__(self, place: Path | str):
        text = str(place)
        self.local = None if "://" in text else Path(place)
        self.place: Path | str = text.rstrip("/") if self.local is None else self.local
        self.fs: arrow_fs.FileSystem
        if self.local is not None:
            self.fs, self.base = arrow_fs.LocalFileSystem(), str(self.local)
        elif text.startswith("s3://"):
            self.fs, self.base = _s3(), text.removeprefix("s3://").rstrip("/")
        else:
            self.fs, self.base = _fsspec(text)

    def path(self, name: str) -> str:
        """The name as the file system's own path."""
        return f"{self.base}/{name}"

    def where(self, name: str) -> Path | str:
        """The name as people and other programs know it."""
        return f"{self.place}/{name}" if self.local is None else self.local / name

    def write(self, name: str, data: bytes | pa.Buffer) -> None:
        """Publish a file whole, replacing one of that name; on return it is on stable storage."""
        if self.local is None:
            with self.fs.open_output_stream(self.path(name)) as out:
                out.write(data)
            return
        path = self.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".draft")
        with draft.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes:
        """All of a file; FileNotFoundError when there is none."""
        with self.fs.open_input_file(self.path(name)) as handle:
            return handle.read()

    def files(self, folder: str, suffix: str) -> list[File]:
        """Files below ``folder`` whose names end so, in order of name; none when there is no such folder."""
        chosen = arrow_fs.FileSelector(self.path(folder), recursive=True, allow_not_found=True)
        found = [
            File(i.path.removeprefix(self.base).lstrip("/"), i.size, (i.mtime_ns or 0) / 1e9)
            for i in self.fs.get_file_info(chosen)
            if i.type == arrow_fs.FileType.File and i.path.endswith(suffix)
        ]
        return sorted(found, key=lambda f: f.name)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is no fault."""
        for name in names:
            try:
                self.fs.delete_file(self.path(name))
            except FileNotFoundError:
                continue


def _s3() -> arrow_fs.FileSystem:
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return arrow_fs.S3FileSystem(region=region)
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    return arrow_fs.S3FileSystem(region=region, endpoint_override=parts.netloc + parts.path, scheme=parts.scheme)


def _fsspec(url: str) -> tuple[arrow_fs.FileSystem, str]:
    import fsspec

    try:
        fs, base = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError):
        raise ProblemError(
            Problem("telemetry.lake.place", "不认识的数据湖地址", got=url, wanted="本机目录，或 s3://存储桶/前缀", fix="改正数据湖地址。")
        ) from None  # fmt: skip
    return arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(fs)), base.rstrip("/")


@contextmanager
def reachable(place: Path | str) -> Iterator[None]:
    """Says in words when the store cannot be reached or written."""
    try:
        yield
    except OSError as error:
        raise ProblemError(
            Problem("telemetry.lake.unreachable", "数据湖无法读写", got=str(place), wanted=str(error).splitlines()[0][:160],
                    fix="核对地址、网络、密钥和剩余空间后重试。")
        ) from None  # fmt: skip


def mirror(store: Store, target: Path, files: Iterable[File], tell: Callable[[str], None] = lambda name: None) -> int:
    """Copy files to a folder of this machine, leaving out those that are there in the same size; returns how many came.

    A lake's file names carry their content's digest, so the same name and size is the same file.
    """
    here, copied = Store(target), 0
    for file in files:
        path = target / file.name
        if not (path.exists() and path.stat().st_size == file.size):
            here.write(file.name, store.read(file.name))
            copied += 1
            tell(file.name)
    return copied
