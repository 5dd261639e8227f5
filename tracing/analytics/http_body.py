"""Reads the body of a request piece by piece: plain or chunked, as it is or compressed."""

from __future__ import annotations

import email.parser
import email.policy
import zlib
from collections.abc import Callable, Iterator
from email.message import Message
from importlib import import_module
from typing import Any, Protocol

PIECE_BYTES = 1024 * 1024


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


class BodyError(Exception):
    """The body is not what its headers say."""


def chunks(headers: Message, stream: Readable) -> Iterator[bytes]:
    """The body, decompressed, in pieces of about a mebibyte."""
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        raw = _chunked(stream)
    else:
        raw = _sized(stream, _length(headers))
    encoding = headers.get("Content-Encoding", "").lower()
    return raw if encoding in ("", "identity") else _decompressed(raw, encoding)


def joined(first: bytes, rest: Iterator[bytes], limit: int) -> bytes:
    parts, size = [first], len(first)
    for part in rest:
        size += len(part)
        if size > limit:
            raise BodyError(f"The statement is longer than {limit} bytes")
        parts.append(part)
    return b"".join(parts)


def with_head(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from rest


def form_fields(content_type: str, body: bytes) -> dict[str, str]:
    """The text fields of multipart/form-data: how clients send parameters too long for a URL."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in parsed.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode("utf-8")
    return fields


def _length(headers: Message) -> int:
    try:
        return int(headers.get("Content-Length", "0"))
    except ValueError:
        raise BodyError("Content-Length is not a number") from None


def _sized(stream: Readable, left: int) -> Iterator[bytes]:
    while left > 0:
        piece = stream.read(min(left, PIECE_BYTES))
        if not piece:
            raise BodyError("The body ended early")
        left -= len(piece)
        yield piece


def _chunked(stream: Readable) -> Iterator[bytes]:
    while True:
        try:
            size = int(stream.readline(100).split(b";")[0], 16)
        except ValueError:
            raise BodyError("The body ended early") from None
        if size == 0:
            break
        yield from _sized(stream, size)
        stream.readline(100)
    while stream.readline(65536).strip():
        pass  # trailers


def _decompressed(raw: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decompress = _decompressor(encoding)
    try:
        for piece in raw:
            if out := decompress(piece):
                yield out
    except BodyError:
        raise
    except Exception as error:  # each library has its own
        raise BodyError(f"The body is not valid {encoding}") from error


def _decompressor(encoding: str) -> Callable[[bytes], bytes]:
    if encoding in ("gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress
    if encoding == "lz4":
        # Only for clients that compress; ours does not on loopback.
        return _method(import_module("lz4.frame").LZ4FrameDecompressor())
    if encoding == "zstd":
        return _method(import_module("backports.zstd").ZstdDecompressor())
    raise BodyError(f"Content-Encoding {encoding} is not supported")


def _method(decompressor: Any) -> Callable[[bytes], bytes]:
    decompress: Callable[[bytes], bytes] = decompressor.decompress
    return decompress
