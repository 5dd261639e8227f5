"""Bodies of requests: read within bounds, unpacked within the same bounds, and not too many bytes of them at a time."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from django.http import HttpRequest

from config.errors import Invalid, TooLarge, Unavailable, Unsupported

#: What the bodies of all requests at work may hold in memory. A few of the largest fit.
_MOST_BYTES_IN_FLIGHT = 256 << 20
#: Smaller ones are not worth the counting.
_BOOKED_FROM_BYTES = 64 << 10
_READ_BYTES = 1 << 20
_PACKED_PIECE_BYTES = 64 << 10
#: Writers of parallel gzip make a member of each 64 KiB or more; each member costs microseconds, even an empty one.
_MOST_GZIP_MEMBERS = 10_000

_GZIP, _ZLIB, _RAW_DEFLATE = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_NAMES = frozenset({"gzip", "x-gzip"})
#: The collector calls it "zlib".
_DEFLATE_NAMES = frozenset({"deflate", "zlib"})
#: Ways to compress that exist and are not unpacked here. Any other name is taken to mean nothing, as Langfuse does:
#: people send "utf-8" and "none".
_OTHER_NAMES = frozenset({"br", "zstd", "snappy", "x-snappy-framed", "lz4", "compress", "x-compress", "dcb", "dcz"})

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: a backslash, a surrogate pair, and as the group half of one, as JSON escapes them
_SURROGATES = re.compile(
    rb"\\(?:\\|u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|(u[dD][89a-fA-F][\da-fA-F]{2}))"
)


class BadEncoding(Invalid):
    """The body is not the gzip or deflate it says it is."""

    def __init__(self) -> None:
        super().__init__("Failed to decompress request body")


class Body:
    """`with Body(request, limit) as body:` gives the decompressed body of at most `limit` bytes, bounded while it is
    read; its bytes count as in flight until the block ends.

    Raises TooLarge, BadEncoding, Unsupported for other ways to compress, Invalid when the body ends early, and
    Unavailable while the bodies of other requests hold too much.
    """

    __slots__ = ("_booked", "_limit", "_request", "_unbooked")
    _lock = threading.Lock()
    _in_flight = 0

    def __init__(self, request: HttpRequest, limit: int) -> None:
        self._request, self._limit = request, limit
        self._unbooked = self._booked = 0

    def __enter__(self) -> bytes:
        try:
            coding = _coding(self._request.headers.get("Content-Encoding", ""))
            raw = self._read()
            if coding in _GZIP_NAMES:
                return self._unpack(raw, _GZIP)
            if coding in _DEFLATE_NAMES:
                return self._unpack(raw, _ZLIB if _has_zlib_header(raw) else _RAW_DEFLATE)
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
        facts = self._request.META
        stream, declared = facts["wsgi.input"], facts.get("CONTENT_LENGTH") or ""
        if declared.isdigit():
            self._check(int(declared))
            self._take(int(declared))
            return _read_exactly(stream, int(declared))
        if not has_end_of_its_own(self._request):
            return b""
        parts: list[bytes] = []
        size = 0
        while part := stream.read(_READ_BYTES):
            size += len(part)
            self._check(size)
            self._take(len(part))
            parts.append(part)
        return b"".join(parts)

    def _unpack(self, raw: bytes, form: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            for part in _unpacked(raw, form):
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


def has_end_of_its_own(request: HttpRequest) -> bool:
    """Whether the body is to be read from the WSGI stream until the server ends it: the JS SDK sends chunked bodies
    without a length, HTTP/2 needs none, and Django takes both to be empty."""
    facts = request.META
    is_ended = facts.get("wsgi.input_terminated") or facts.get("HTTP_TRANSFER_ENCODING")
    return bool(is_ended) and not facts.get("CONTENT_LENGTH")


def _coding(header: str) -> str:
    """How the body is compressed; nothing for names that mean no compression. Raises Unsupported."""
    named = [name for part in header.lower().split(",") if (name := part.strip())]
    codings = [name for name in named if name in _GZIP_NAMES | _DEFLATE_NAMES | _OTHER_NAMES]
    if len(codings) > 1 or not _OTHER_NAMES.isdisjoint(codings):
        raise Unsupported(f'Content-Encoding "{header}" is not supported. Use gzip or deflate, or do not compress.')
    return codings[0] if codings else ""


def _read_exactly(stream: Any, size: int) -> bytes:
    body: bytes = stream.read(size)
    while len(body) < size and (more := stream.read(size - len(body))):
        body += more
    if len(body) < size:
        # The client went away. What came may well parse, as a prefix of protobuf does, and must not be kept.
        raise Invalid(f"The body ended after {len(body):,} of {size:,} bytes.")
    return body


def _has_zlib_header(raw: bytes) -> bool:
    """Some clients send "deflate" without the header that belongs to it (RFC 1950, 2.2)."""
    return len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def _unpacked(raw: bytes, form: int) -> Iterator[bytes]:
    """What a stream of one or, for gzip, several members holds, in parts of a mebibyte at most."""
    view = memoryview(raw)
    member, members = zlib.decompressobj(wbits=form), 1
    most_members = _MOST_GZIP_MEMBERS if form == _GZIP else 1
    # In pieces, because each member's end copies what is left of its piece.
    for start in range(0, len(raw), _PACKED_PIECE_BYTES):
        piece: bytes | memoryview = view[start : start + _PACKED_PIECE_BYTES]
        while piece:
            if member.eof:
                member, members = zlib.decompressobj(wbits=form), members + 1
                if members > most_members:
                    raise BadEncoding
            yield member.decompress(piece, _READ_BYTES)
            piece = member.unused_data if member.eof else member.unconsumed_tail
    # Without a trailer behind it, the end may be read while some of what it says still waits to be given out.
    while not member.eof and (part := member.decompress(b"", _READ_BYTES)):
        yield part
    if raw and not member.eof:
        raise BadEncoding


def parse_json(body: bytes) -> Any:
    """The document. Raises ValueError.

    Some clients of Microsoft's send a byte order mark. JavaScript writes half a surrogate pair when it cuts a text in
    two; orjson refuses that, and the half becomes the replacement character.
    """
    body = body.removeprefix(_BYTE_ORDER_MARK)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if b"\\u" not in body:
            raise
    return orjson.loads(_SURROGATES.sub(_mended, body))


def _mended(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape[1] else escape[0]
