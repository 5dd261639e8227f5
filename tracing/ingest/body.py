"""Bodies of requests: read within bounds, unpacked within the same bounds, and not too many bytes of them at a time."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest

from config.errors import TooLarge, Unavailable

#: What the bodies of all requests at work may hold in memory. A few of the largest fit.
_MOST_BYTES_IN_FLIGHT = 256 << 20
#: Smaller ones are not worth the counting.
_BOOKED_FROM_BYTES = 64 << 10
_READ_BYTES = 1 << 20
_PACKED_PIECE_BYTES = 64 << 10
#: Writers of parallel gzip make a member of each 64 KiB or more; each member costs microseconds, even an empty one.
_MOST_GZIP_MEMBERS = 10_000


class BadEncoding(Exception):
    """The body is not the gzip it says it is."""


class Body:
    """`with Body(request, limit) as body:` gives the decompressed body of at most `limit` bytes, bounded while it is
    read; its bytes count as in flight until the block ends.

    Raises TooLarge, BadEncoding, and Unavailable while the bodies of other requests hold too much.
    """

    __slots__ = ("_booked", "_limit", "_request", "_unbooked")
    _lock = threading.Lock()
    _in_flight = 0

    def __init__(self, request: HttpRequest, limit: int) -> None:
        self._request, self._limit = request, limit
        self._unbooked = self._booked = 0

    def __enter__(self) -> bytes:
        try:
            raw = self._read()
            if "gzip" in self._request.headers.get("Content-Encoding", "").lower():
                return self._gunzip(raw)
        except BaseException:
            self._give_back()
            raise
        return raw

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _take(self, size: int) -> None:
        """Room for so many more bytes. One request alone always gets it."""
        self._unbooked += size
        if self._unbooked < _BOOKED_FROM_BYTES:
            return
        with Body._lock:
            others = Body._in_flight - self._booked
            wanted = self._booked + self._unbooked
            if others and others + wanted > _MOST_BYTES_IN_FLIGHT:
                raise Unavailable("Too many large requests at the same time. Try again.")
            Body._in_flight += self._unbooked
        self._booked, self._unbooked = wanted, 0

    def _give_back(self) -> None:
        if self._booked:
            with Body._lock:
                Body._in_flight -= self._booked

    def _read(self) -> bytes:
        """From the WSGI stream: the JS SDK sends chunked bodies without a length, which Django takes to be empty."""
        stream = self._request.META["wsgi.input"]
        declared = self._request.META.get("CONTENT_LENGTH") or ""
        if declared.isdigit():
            self._check(int(declared))
            self._take(int(declared))
            return _read_exactly(stream, int(declared))
        parts: list[bytes] = []
        size = 0
        while part := stream.read(_READ_BYTES):
            size += len(part)
            self._check(size)
            self._take(len(part))
            parts.append(part)
        return b"".join(parts)

    def _gunzip(self, raw: bytes) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            for part in _unpacked(raw):
                size += len(part)
                self._check(size)
                self._take(len(part))
                parts.append(part)
        except zlib.error as error:
            raise BadEncoding from error
        return b"".join(parts)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise TooLarge(f"The body is larger than {self._limit:,} bytes. Send smaller batches.")


def _read_exactly(stream: Any, size: int) -> bytes:
    body: bytes = stream.read(size)
    while len(body) < size and (more := stream.read(size - len(body))):
        body += more
    return body


def _unpacked(raw: bytes) -> Iterator[bytes]:
    """What a gzip stream of one or several members holds, in parts of a mebibyte at most."""
    view = memoryview(raw)
    member, members = _new_member(), 1
    # In pieces, because each member's end copies what is left of its piece.
    for start in range(0, len(raw), _PACKED_PIECE_BYTES):
        piece: bytes | memoryview = view[start : start + _PACKED_PIECE_BYTES]
        while piece:
            if member.eof:
                member, members = _new_member(), members + 1
                if members > _MOST_GZIP_MEMBERS:
                    raise BadEncoding
            yield member.decompress(piece, _READ_BYTES)
            piece = member.unused_data if member.eof else member.unconsumed_tail
    if raw and not member.eof:
        raise BadEncoding


def _new_member() -> Any:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
