"""Requests to addresses that people typed: LLM providers, webhooks.

Whoever may type an address must not reach through us what only we can reach. So a name is resolved here, each address
is checked, and the connection goes to the very address that was checked: DNS that answers differently a moment later
changes nothing, and a redirect is a connection like any other. Proxies of the environment are not asked, since they
would resolve names themselves. `SPANWISE_OUTGOING_ALLOWED` opens what is closed.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

from config.errors import SpanwiseError

# It writes whole addresses, and those of webhooks and of some providers hold keys.
logging.getLogger("httpx").setLevel(logging.WARNING)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MEBIBYTE = 1024 * 1024
#: how often whoever waits is asked whether there is still a reason to
_ASK_SECONDS = 0.25
_RESOLVE_SECONDS = 10.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: for protocols, tunnels and documents, whatever the Python that we run on says of them
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23", "2002::/16", "3fff::/20", "5f00::/16"),
    )
)
#: Services that take orders line by line would read ours out of a request.
_FOREIGN_PORTS = frozenset(
    {
        0,
        7,
        9,
        11,
        13,
        17,
        19,
        20,
        21,
        22,
        23,
        25,
        37,
        42,
        43,
        53,
        69,
        79,
        110,
        111,
        113,
        119,
        123,
        135,
        137,
        139,
        143,
        161,
    }
    | {179, 389, 445, 465, 512, 513, 514, 515, 540, 548, 554, 563, 587, 601, 636, 873, 993, 995, 1433, 1521, 2049, 3306}
    | {3389, 5432, 5900, 6000, 6379, 11211, 27017}
)


class Purpose(StrEnum):
    """Settings open addresses for one purpose or for all."""

    LLM = "llm"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one exchange. `silence_seconds`: the longest pause; `total_seconds`: from the first byte sent to the last
    one read; `most_bytes` counts what is unpacked."""

    connect_seconds: float = 10.0
    silence_seconds: float = 60.0
    total_seconds: float = 600.0
    most_bytes: int = 32 * _MEBIBYTE


class OutgoingError(SpanwiseError):
    """A request that led to no answer. `host` is where it should have gone."""

    status = 502

    def __init__(self, message: str, host: str = "") -> None:
        super().__init__(message)
        self.host = host


class AddressRefused(OutgoingError):
    """The rules of this instance forbid the address. `address` is the one that the host has, if it has one."""

    status = 400

    def __init__(self, host: str, address: str = "", *, message: str = "") -> None:
        at = f" ({address})" if address and address != host else ""
        super().__init__(
            message
            or f"{host}{at} is a private or special address, and requests do not go there. "
            f"SPANWISE_OUTGOING_ALLOWED opens it.",
            host,
        )
        self.address = address


class HostNotFound(OutgoingError):
    pass


class ConnectionFailed(OutgoingError):
    """Nobody listens there, or the connection broke before it was of use."""


class TlsFailed(OutgoingError):
    pass


class TimedOut(OutgoingError):
    status = 504


class CutOff(OutgoingError):
    """The connection broke while an answer was coming."""


class TooMuch(OutgoingError):
    """The answer is larger than is read."""


# --- What is allowed -------------------------------------------------------------------------------------
def is_ordinary(address: Address) -> bool:
    """A public address of one host, however it is written."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_ordinary(inner)
        if address.is_site_local:
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a packet to this one would reach."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    is_compatible = int(address) >> 32 == 0 and int(address) > 1
    if address in _NAT64 or is_compatible:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@dataclass(frozen=True, slots=True)
class _Opening:
    """One entry of the settings: `ollama`, `localhost:11434`, `*.lan`, `10.1.2.3`, `10.0.0.0/8`, `[fd00::1]:8000`."""

    host: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def allows(self, host: str, address: Address, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            inner = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
            return any(one is not None and one in self.network for one in (address, inner))
        if self.host == "localhost" and address.is_loopback:
            return True
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


@cache
def _opening(text: str) -> _Opening:
    """What cannot be read opens nothing: a network with a slip in it is taken for a name, which no host has."""
    host, port = text.lower(), None
    bare, _, after = host.rpartition(":")
    if after.isdigit() and (bare.endswith("]") or (bare and ":" not in bare)):
        host, port = bare, int(after)
    try:
        return _Opening(network=ipaddress.ip_network(host.strip("[]"), strict=False), port=port)
    except ValueError:
        return _Opening(host=host.rstrip("."), port=port)


def _is_allowed(purpose: Purpose, host: str, address: Address, port: int) -> bool:
    openings = map(_opening, settings.OUTGOING_ALLOWED[purpose])
    if any(opening.allows(host, address, port) for opening in openings):
        return True
    return is_ordinary(address) and port not in _FOREIGN_PORTS


def addresses_for(purpose: Purpose, host: str, port: int) -> list[str]:
    """Those of the host that may be connected to. Raises HostNotFound, and AddressRefused if there is none of them."""
    name = host.lower().rstrip(".")
    found = _resolved(name, port)
    allowed = [str(one) for one in found if _is_allowed(purpose, name, one, port)]
    if allowed:
        return allowed
    if all(is_ordinary(one) for one in found):
        raise AddressRefused(host, message=f"Requests do not go to port {port}. SPANWISE_OUTGOING_ALLOWED opens it.")
    raise AddressRefused(host, str(found[0]))


def check_url(purpose: Purpose, url: str) -> None:
    """Whether requests to this address would be sent, as far as can be told now. Raises AddressRefused, with a reason
    for people. A name that is not found passes: it may come."""
    host, port = _parts(url)
    try:
        addresses_for(purpose, host, port)
    except (HostNotFound, TimedOut):
        return


def _parts(url: str) -> tuple[str, int]:
    try:
        parsed = httpx.URL(url)
        parsed.raw_path.decode("ascii")
    except (httpx.InvalidURL, ValueError, TypeError):
        raise AddressRefused(url[:200], message="This is no address that can be read.") from None
    if parsed.scheme not in ("http", "https"):
        raise AddressRefused(url[:200], message="An address begins with https:// or http://.")
    if parsed.userinfo:
        raise AddressRefused(parsed.host, message="An address holds no user name or password: send them as a header.")
    if not parsed.host:
        raise AddressRefused(url[:200], message="This address names no host.")
    return parsed.raw_host.decode("ascii").strip("[]"), parsed.port or (443 if parsed.scheme == "https" else 80)


def _resolved(host: str, port: int) -> list[Address]:
    """In the order in which they are to be tried. The system's resolver may wait long, and cannot be told not to."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_RESOLVE_SECONDS)
    if not answers:
        raise TimedOut(f"The name {host} was not found in time.", host)
    if isinstance(answers[0], Exception):
        raise HostNotFound(f"There is no host {host}.", host)
    texts = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in answers[0])
    return [ipaddress.ip_address(text) for text in texts]


# --- The connection --------------------------------------------------------------------------------------
class _Watch:
    """The time of one exchange, and whoever may end it."""

    def __init__(self, limits: Limits, ask: Callable[[], None] | None) -> None:
        self.limits = limits
        self._ask = ask or (lambda: None)
        self._ends = time.monotonic() + limits.total_seconds

    def seconds_left(self) -> float:
        self._ask()
        return self._ends - time.monotonic()


class _Stream(httpcore.NetworkStream):
    """A connection that is waited for in short steps, so that whoever waits can be told to stop."""

    def __init__(self, inner: httpcore.NetworkStream, watch: _Watch, host: str) -> None:
        self._inner = inner
        self._watch = watch
        self._host = host

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        silent_since = time.monotonic()
        while True:
            left = self._watch.seconds_left()
            quiet = self._watch.limits.silence_seconds - (time.monotonic() - silent_since)
            if min(left, quiet) <= 0:
                raise TimedOut(f"{self._host} did not answer in time.", self._host)
            try:
                return self._inner.read(max_bytes, timeout=min(left, quiet, _ASK_SECONDS))
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = min(self._watch.seconds_left(), self._watch.limits.silence_seconds)
        try:
            self._inner.write(buffer, timeout=max(left, 0.001))
        except httpcore.WriteTimeout:
            raise TimedOut(f"{self._host} did not take the request in time.", self._host) from None

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = min(self._watch.seconds_left(), self._watch.limits.connect_seconds)
        try:
            inner = self._inner.start_tls(ssl_context, server_hostname, max(left, 0.001))
        except httpcore.ConnectTimeout:
            raise TimedOut(f"{self._host} did not answer in time.", self._host) from None
        except httpcore.ConnectError as error:
            raise TlsFailed(f"No secure connection to {self._host}: {error}", self._host) from error
        return _Stream(inner, self._watch, self._host)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, purpose: Purpose, watch: _Watch) -> None:
        self._purpose = purpose
        self._watch = watch
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in addresses_for(self._purpose, host, port):
            left = min(self._watch.seconds_left(), self._watch.limits.connect_seconds)
            try:
                inner = self._sockets.connect_tcp(address, port, max(left, 0.001), socket_options=socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            return _Stream(inner, self._watch, host)
        if isinstance(failure, httpcore.ConnectTimeout):
            raise TimedOut(f"{host} did not answer in time.", host)
        raise ConnectionFailed(f"No connection to {host}, port {port}: {failure}", host)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        raise AddressRefused(path)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class _Transport(httpx.HTTPTransport):
    """httpx's own, with connections made by us. It has no argument for that, so its pool is replaced."""

    def __init__(self, purpose: Purpose, watch: _Watch) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(), max_keepalive_connections=0, network_backend=_Backend(purpose, watch)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        _parts(str(request.url))  # a redirect, too, has to be an address of the web
        return super().handle_request(request)


@cache
def _tls() -> ssl.SSLContext:
    """Some milliseconds and megabytes each, so there is one. `SSL_CERT_FILE` adds an authority of one's own."""
    return httpx.create_ssl_context()


def client(
    purpose: Purpose, limits: Limits | None = None, *, ask: Callable[[], None] | None = None, redirects: int = 0
) -> httpx.Client:
    """For one exchange, as a context manager; redirects are followed as often as is said, and checked like all else.

    `ask` is called every quarter second while nothing comes; what it raises ends the exchange and the connection.
    Raises OutgoingError, and errors of httpx, which `failure_of` turns into one.
    """
    return httpx.Client(
        transport=_Transport(purpose, _Watch(limits or Limits(), ask)),
        timeout=None,  # noqa: S113 - each wait is bounded by the stream itself
        trust_env=False,
        follow_redirects=redirects > 0,
        max_redirects=redirects,
        headers={"Accept-Encoding": "identity"},
    )


def pieces(response: httpx.Response, most_bytes: int) -> Iterator[bytes]:
    """The body as it comes, unpacked where somebody packed it unasked; not more of it than is wanted. Then raises
    TooMuch; or CutOff."""
    host = response.request.url.host
    unpack = _unpacker(response.headers.get("content-encoding", ""), host)
    count = 0
    try:
        for raw in response.iter_raw():
            room = most_bytes - count
            piece = unpack(raw, room + 1)
            count += len(piece)
            if count > most_bytes:
                yield piece[:room]
                raise TooMuch(f"The answer of {host} is larger than {most_bytes:,} bytes.", host)
            if piece:
                yield piece
    except (httpx.RemoteProtocolError, httpx.ReadError) as error:
        raise CutOff(f"{host} broke off in the middle of its answer.", host) from error


def _unpacker(encoding: str, host: str) -> Callable[[bytes, int], bytes]:
    """Unpacks no more than is asked for: kilobytes may stand for gigabytes."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return lambda raw, most: raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ConnectionFailed(f"{host} answers in {encoding[:40]}, which was not asked for.", host)
    inflating = zlib.decompressobj(wbits=47)

    def unpack(raw: bytes, most: int) -> bytes:
        try:
            return inflating.decompress(raw, most)
        except zlib.error:
            raise CutOff(f"The answer of {host} cannot be unpacked.", host) from None

    return unpack


def body_of(response: httpx.Response, most_bytes: int) -> bytes:
    """All of it. Raises TooMuch, CutOff."""
    return b"".join(pieces(response, most_bytes))


def start_of(response: httpx.Response, most_bytes: int) -> bytes:
    """As much as is wanted, of whatever comes: for answers that are kept to be looked at."""
    found = b""
    try:
        for piece in pieces(response, most_bytes):
            found += piece
    except OutgoingError:
        pass
    return found


def failure_of(error: httpx.HTTPError | httpx.InvalidURL, host: str) -> OutgoingError:
    """What httpx raised, in the words of this module."""
    if isinstance(error, httpx.TooManyRedirects):
        return ConnectionFailed(f"{host} redirects too often.", host)
    if isinstance(error, httpx.TimeoutException):
        return TimedOut(f"{host} did not answer in time.", host)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return CutOff(f"{host} closed the connection without a whole answer.", host)
    return ConnectionFailed(f"{host}: {error}", host)
