"""The energy gateway as an ASGI application: an upload is answered as stored only after it is on stable storage.

Served with TLS by any ASGI server (``lvheng energy-gateway`` uses granian). Uploads go to a journal stream of their own, so
that the raw bodies are evidence as HJ 212 frames are.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lvheng.telemetry.energy_gateway.adapter import Adapter, Upload
from lvheng.telemetry.journal import ENERGY, Journal, pack

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
MOST_BYTES = 4 << 20
STREAM = "energy"
log = logging.getLogger("lvheng.energy")


class EnergyApp:
    """``tokens`` maps an enterprise code to its bearer token; None takes every enterprise in (trials only)."""

    def __init__(
        self,
        journal: Journal,
        adapter: Adapter | None = None,
        tokens: Mapping[str, str] | None = None,
        taken: Callable[[Upload], None] | None = None,
    ):
        self.journal = journal
        self.adapter = adapter or Adapter()
        self.tokens = tokens
        self.taken = taken
        self._lock = asyncio.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._pool = ThreadPoolExecutor(1, "energy-journal")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        if scope["method"] != "POST" or scope["path"] != self.adapter.schema["path"]["upload"]:
            await _reply(send, 404, {"message": "没有这个地址"})
            return
        body = await _body(receive)
        if body is None:
            await _reply(send, 413, {"message": "报文过大"})
            return
        upload = self.adapter.read(body)
        headers = dict(scope["headers"])
        if not self._known(upload.enterprise, headers.get(b"authorization", b"")):
            await _reply(send, 401, {"message": "企业代码或令牌不符"})
            return
        if upload.refused:
            await _reply(send, 200, self.adapter.answer(upload))
            return
        try:
            await self._store(body)
        except OSError:
            await _reply(send, 503, self.adapter.answer(None, busy=True))
            return
        if self.taken is not None:
            self.taken(upload)
        await _reply(send, 200, self.adapter.answer(upload))

    def _known(self, enterprise: str, header: bytes) -> bool:
        if self.tokens is None:
            return True
        wanted = self.tokens.get(enterprise, "")
        return bool(wanted) and hmac.compare_digest(header, b"Bearer " + wanted.encode())

    async def _store(self, body: bytes) -> None:
        """Group commit: whoever comes first stores for all that wait."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((pack(ENERGY, time.time_ns() // 1000, 0, body), done))
        async with self._lock:
            batch, self._waiting = self._waiting, []
            if batch:
                loop = asyncio.get_running_loop()
                try:
                    await loop.run_in_executor(self._pool, self.journal.commit, [record for record, _ in batch])
                except OSError as error:
                    for _, waiter in batch:
                        if not waiter.done():
                            waiter.set_exception(error)
                else:
                    for _, waiter in batch:
                        if not waiter.done():
                            waiter.set_result(None)
        await done

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._pool.shutdown()
                self.journal.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


class TokenFile(Mapping[str, str]):
    """Enterprise code → token from a JSON file, read again when it has changed: a new enterprise needs no restart.

    A file that cannot be read as such (half written, say) leaves the tokens as they were and is said once.
    """

    def __init__(self, path: Path):
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, str] = {}

    def __getitem__(self, enterprise: str) -> str:
        return self._now()[enterprise]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def _now(self) -> dict[str, str]:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._seen, self._tokens = None, {}
            return self._tokens
        seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if seen != self._seen:
            self._seen = seen
            try:
                found = json.loads(self.path.read_text(encoding="utf-8"))
                if not isinstance(found, dict) or not all(isinstance(t, str) for t in found.values()):
                    raise ValueError("not an object of texts")
            except (OSError, ValueError) as error:
                log.error("企业令牌文件无法识别，仍用原有令牌：%s", error)
            else:
                self._tokens = found
        return self._tokens


def serve() -> EnergyApp:
    """The application of ``LVHENG_ENERGY_DATA`` (a gateway's data directory), for an ASGI server.

    ``energy.json`` there maps enterprise codes to tokens; without it no upload is taken. ``LVHENG_ENERGY_NAME`` names the
    journal stream; gateways that share a lake need names of their own.
    """
    data = Path(os.environ["LVHENG_ENERGY_DATA"])
    stream = os.environ.get("LVHENG_ENERGY_NAME") or STREAM
    return EnergyApp(Journal(data / "journal", stream), tokens=TokenFile(data / "energy.json"))


async def _body(receive: Receive) -> bytes | None:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _reply(send: Send, status: int, data: Mapping[str, str]) -> None:
    body = json.dumps(data, ensure_ascii=False).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})
