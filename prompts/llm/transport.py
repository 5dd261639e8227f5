"""One request to a provider, and its answer as frames: pairs of an event's name and its JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson
from django.utils import timezone

from config import outgoing
from config.outgoing import Limits, OutgoingError, Purpose
from prompts.llm.types import ProviderError, Trouble

Frame = tuple[str, Any]

LIMITS = Limits(connect_seconds=10, silence_seconds=120, total_seconds=900, most_bytes=64 * 1024 * 1024)
LONGEST_BODY = 64 * 1024
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id", "cf-ray")
_AWS_STREAM = "application/vnd.amazon.eventstream"
_DONE = b"[DONE]"

_TROUBLES: tuple[tuple[type[OutgoingError], Trouble], ...] = (
    (outgoing.AddressRefused, Trouble.ADDRESS_REFUSED),
    (outgoing.HostNotFound, Trouble.HOST_NOT_FOUND),
    (outgoing.TlsFailed, Trouble.TLS),
    (outgoing.TimedOut, Trouble.TIME_OUT),
    (outgoing.CutOff, Trouble.CUT_OFF),
    (outgoing.TooMuch, Trouble.TOO_LARGE),
)


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def host(self) -> str:
        return httpx.URL(self.url).host


@dataclass(frozen=True, slots=True)
class Opened:
    """`whole` is the answer of a provider that did not stream; then there are no frames."""

    request_id: str
    frames: Iterator[Frame]
    whole: Any = None


def json_request(url: str, headers: Mapping[str, str], body: Any) -> Request:
    common = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    return Request(url, {**common, **headers}, orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS))


@contextmanager
def opened(request: Request, ask: Callable[[], None], limits: Limits = LIMITS) -> Iterator[Opened]:
    """The answer, while the connection stands; it is closed at the end, whoever ends it.

    Raises ProviderError, also while frames are read; and whatever `ask` raises, which is called while nothing comes.
    """
    check_headers(request.headers)
    try:
        with (
            outgoing.client(Purpose.LLM, limits, ask=ask) as client,
            client.stream("POST", request.url, content=request.body, headers=dict(request.headers)) as response,
        ):
            request_id = _request_id(response)
            if response.status_code != 200:
                raise _refusal(response, request_id)
            yield _read(response, request_id, limits)
    except OutgoingError as error:
        raise _failure(error) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failure(outgoing.failure_of(error, request.host)) from error


def fetch_json(url: str, form: Mapping[str, str], ask: Callable[[], None]) -> Any:
    """What a small form is answered. Raises ProviderError."""
    host = httpx.URL(url).host
    try:
        with (
            outgoing.client(Purpose.LLM, Limits(total_seconds=30), ask=ask) as client,
            client.stream("POST", url, data=dict(form)) as response,
        ):
            if response.status_code != 200:
                raise _refusal(response, _request_id(response))
            return _parsed(outgoing.body_of(response, LONGEST_BODY), "")
    except OutgoingError as error:
        raise _failure(error) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failure(outgoing.failure_of(error, host)) from error


def check_headers(headers: Mapping[str, str]) -> None:
    """A key with a line break in it, as one copies it, would end a header and begin another."""
    for name, value in headers.items():
        if not name.isascii() or not value.isascii() or not (name + value).isprintable():
            message = f"The header {name[:100]!a} holds characters that headers cannot hold."
            raise ProviderError(Trouble.SETUP, message)


# --- Answers that are errors -----------------------------------------------------------------------------
def _refusal(response: httpx.Response, request_id: str) -> ProviderError:
    body = outgoing.start_of(response, LONGEST_BODY).decode("utf-8", "replace")
    status = response.status_code
    message = said_in(body) or f"{response.request.url.host} answered {status} {response.reason_phrase}".strip()
    if response.is_redirect:
        message = f"{response.request.url.host} redirects to {response.headers.get('location', '')[:500]}"
    return ProviderError(
        Trouble.STATUS,
        message,
        provider_status=status,
        body=body,
        request_id=request_id,
        retry_after_seconds=_retry_after(response.headers),
    )


def said_in(body: str | Any) -> str:
    """The sentence in an error of whichever provider; empty if none is found."""
    try:
        found = json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):
        return ""
    if isinstance(found, list) and found:
        found = found[0]  # Gemini, asked for a stream without events
    for name in ("error", "message", "Message", "detail", "error_description"):
        inner = found.get(name) if isinstance(found, dict) else None
        if isinstance(inner, str) and inner:
            return inner[:2000]
        if isinstance(inner, dict) and (said := said_in(inner)):
            return said
    return ""


def _retry_after(headers: httpx.Headers) -> float | None:
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()
        if text.replace(".", "", 1).isdigit() and text.isascii():
            return float(text) * unit
        try:
            return max((parsedate_to_datetime(text) - timezone.now()).total_seconds(), 0.0)
        except (ValueError, TypeError):
            continue
    return None


def _request_id(response: httpx.Response) -> str:
    return next((response.headers[name][:200] for name in _REQUEST_IDS if response.headers.get(name)), "")


def _failure(error: OutgoingError) -> ProviderError:
    trouble = next((found for kind, found in _TROUBLES if isinstance(error, kind)), Trouble.NO_CONNECTION)
    return ProviderError(trouble, error.message)


# --- Answers that are answers ----------------------------------------------------------------------------
def _read(response: httpx.Response, request_id: str, limits: Limits) -> Opened:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    pieces = outgoing.pieces(response, limits.most_bytes)
    if kind == _AWS_STREAM:
        return Opened(request_id, _aws_frames(pieces, request_id))
    if kind in ("application/json", "text/html"):
        return Opened(request_id, iter(()), _parsed(b"".join(pieces), request_id))
    return Opened(request_id, _server_sent(pieces, request_id))


def _parsed(raw: bytes, request_id: str) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = raw[:LONGEST_BODY].decode("utf-8", "replace")
        message = "What came is no JSON."
        raise ProviderError(
            Trouble.NOT_UNDERSTOOD, message, provider_status=200, body=body, request_id=request_id
        ) from None


def _server_sent(pieces: Iterable[bytes], request_id: str) -> Iterator[Frame]:
    """Events as browsers read them: fields by line, an empty line ends one. Characters are put together only then,
    since they may be cut anywhere."""
    name, data = "", list[bytes]()
    for line in _lines(pieces):
        if not line:
            if data and (body := b"\n".join(data)).strip() != _DONE:
                yield name, _parsed(body, request_id)
            elif data:
                yield "[DONE]", None
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field not in (b"", b"id", b"retry"):
            # A page, or an error in words, that came as 200.
            _parsed(line, request_id)
            raise ProviderError(
                Trouble.NOT_UNDERSTOOD,
                "What came is no stream of events.",
                provider_status=200,
                body=line[:LONGEST_BODY].decode("utf-8", "replace"),
                request_id=request_id,
            )


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines end with LF, CR LF or CR; one that is not ended when the connection is has not come whole."""
    rest, is_first = b"", True
    for piece in pieces:
        rest += piece
        if is_first and len(rest) >= 3:
            rest, is_first = rest.removeprefix(b"\xef\xbb\xbf"), False
        # A CR at the end may be half of a CR LF.
        held, ready = (b"\r", rest[:-1]) if rest.endswith(b"\r") else (b"", rest)
        *lines, open_line = ready.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from lines
        rest = open_line + held
    if rest.endswith(b"\r"):
        yield rest[:-1]


def _aws_frames(pieces: Iterable[bytes], request_id: str) -> Iterator[Frame]:
    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    for piece in pieces:
        buffer.add_data(piece)
        try:
            for message in buffer:
                headers = message.headers
                name = str(headers.get(":event-type") or headers.get(":exception-type") or "error")
                body = _parsed(message.payload, request_id) if message.payload else {}
                if headers.get(":message-type") != "event":
                    raise ProviderError(
                        Trouble.IN_STREAM,
                        said_in(body) or name,
                        body=message.payload[:LONGEST_BODY].decode("utf-8", "replace"),
                        request_id=request_id,
                    )
                yield name, body
        except ParserError as error:
            raise ProviderError(Trouble.NOT_UNDERSTOOD, str(error), request_id=request_id) from error
