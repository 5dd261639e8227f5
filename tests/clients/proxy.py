"""A reverse proxy as people put one before the product, for `granian --interface=asgi`: HTTP/1 and 2 in, HTTP/1.1 out.

It tells whom it speaks for in `X-Forwarded-*`, and names the product by its own address, as nginx does unasked.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import httpx

_TARGET = os.environ["PROXY_TARGET"]
_HOP = {b"connection", b"host", b"keep-alive", b"transfer-encoding", b"content-length", b"upgrade", b"expect"}
_client: httpx.AsyncClient | None = None


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    global _client
    if _client is None:
        _client = httpx.AsyncClient(base_url=_TARGET, timeout=60)
    given = scope["headers"]
    headers = [(name, value) for name, value in given if name not in _HOP and not name.startswith(b":")]
    headers += [(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"traces.example")]
    address = scope.get("raw_path") or scope["path"].encode()
    target = httpx.URL(_TARGET).copy_with(
        raw_path=address + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    )
    request = _client.build_request(scope["method"], target, headers=headers, content=_body(receive))
    answer = await _client.send(request, stream=True)
    kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
    async for chunk in answer.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _body(receive: Any) -> AsyncIterator[bytes]:
    """Passed on as it comes, chunked."""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return
