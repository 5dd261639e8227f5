"""Stream Load: rows over HTTP to a BE, by way of the FE that says which one.

By hand, because clients for HTTP do the two things that matter wrongly: on the FE's redirect to the BE they drop the
credentials, and they send the body to the FE, which closes the connection.

Each body has one label, made of its bytes, and Doris loads a label once. So whatever becomes of a request (a connection
that breaks off after the commit, a worker that is killed in the middle), the same body may be sent again.
"""

from __future__ import annotations

import hashlib
import http.client
import select
import socket
import ssl
import time
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import orjson
from django.conf import settings

from config.errors import Unavailable
from tracing.analytics.backends.doris import nodes
from tracing.analytics.backends.doris.errors import NOT_NOW, BadRows
from tracing.analytics.backends.errors import AWAY, NO_ROOM, UNAVAILABLE, StoreAway

_CONNECT_SECONDS = 5
#: A BE may refuse before it has seen the body, and says so within milliseconds; one that says nothing gets it then.
_SAY_SO_SECONDS = 1.0
_POLL_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
#: Rows that are committed are safe; for this long we wait until they can be read, too.
_VISIBLE_SECONDS = 30
_REASON_BYTES = 4096
_DATA_ERRORS = ("filtered rows", "data_quality", "parse json", "json data", "no valid json")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a BE or the FE says to a load. Errors of the FE have other names for the same."""

    http_status: int
    fields: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.fields.get("Status") or self.fields.get("status") or "")

    @property
    def message(self) -> str:
        return str(self.fields.get("Message") or self.fields.get("msg") or self.fields.get("data") or "")

    @property
    def error_url(self) -> str:
        return str(self.fields.get("ErrorURL") or "")


def load(table: str, body: bytes) -> None:
    """Rows into a table, all or none. Committed when it returns, once, however often it is called for the same bytes.

    Raises BadRows when the rows are at fault, Unavailable when they may be loaded later.
    """
    label = label_of(table, body)
    try:
        answer = _send(_backend_url(table, label), _headers(label), body)
    except (OSError, http.client.HTTPException) as error:
        if _became_of(label) in nodes.COMMITTED:
            return
        raise StoreAway(AWAY) from error
    _judge(answer, label, body)


def label_of(table: str, body: bytes) -> str:
    digest = hashlib.sha256(body)
    digest.update(f"\n{settings.DORIS_DB}.{table}".encode())
    return f"spanwise_{table}_{digest.hexdigest()[:40]}"


# --- What was said ---------------------------------------------------------------------------------------
def _judge(answer: Answer, label: str, body: bytes) -> None:
    match answer.status:
        case "Success":
            _need_all_rows(answer, body)
        case "Publish Timeout":
            with suppress(Unavailable):  # it is committed, whether or not anybody can say when it is seen
                _wait_until(label, {nodes.VISIBLE}, _VISIBLE_SECONDS)
        case "Label Already Exists":
            _judge_repeated(answer, label)
        case _:
            raise _refusal(answer)


def _judge_repeated(answer: Answer, label: str) -> None:
    """An earlier attempt: done, or still at work, or undone, which frees the label."""
    if str(answer.fields.get("ExistingJobStatus", "")).upper() == "FINISHED":
        return
    became = _wait_until(label, nodes.COMMITTED | nodes.UNDONE, settings.DORIS_REQUEST_TIMEOUT_SECONDS)
    if became not in nodes.COMMITTED:
        raise StoreAway(UNAVAILABLE)


def _need_all_rows(answer: Answer, body: bytes) -> None:
    sent, loaded = body.count(b"\n") + 1, answer.fields.get("NumberLoadedRows", 0)
    if loaded != sent:
        raise BadRows(f"Doris loaded {loaded} of {sent} rows")


def _refusal(answer: Answer) -> Exception:
    text = answer.message.lower()
    if answer.fields.get("NumberFilteredRows") or any(sign in text for sign in _DATA_ERRORS):
        return BadRows(f"{answer.message} {_reason(answer.error_url)}".strip())
    if "mem" in text and ("limit" in text or "not enough" in text):
        return StoreAway(NO_ROOM)
    told = f"{UNAVAILABLE} ({answer.http_status} {answer.status} {answer.message})"
    return Unavailable(told) if any(sign in text for sign in NOT_NOW) else StoreAway(told)


def _reason(url: str) -> str:
    """Which rows were at fault and why, as the BE has written it down; empty where it cannot be read."""
    address = urlsplit(url)
    if not nodes.may_be_called(address):
        return ""
    try:
        connection = _connection(address)
        try:
            connection.request("GET", _path(address))
            return connection.getresponse().read(_REASON_BYTES).decode("utf-8", "replace").strip()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return ""


def _became_of(label: str) -> str:
    """The state of a load whose answer never came, once it has one that lasts. Raises Unavailable when nobody knows."""
    return _wait_until(label, nodes.COMMITTED | nodes.UNDONE, settings.DORIS_REQUEST_TIMEOUT_SECONDS)


def _wait_until(label: str, states: frozenset[str] | set[str], seconds: float) -> str:
    """The state of a load when it is one of these, or the last that it had after so long."""
    deadline = time.monotonic() + seconds
    pauses = iter(_POLL_SECONDS)
    while True:
        state = nodes.state_of_load(label)
        if state in states or time.monotonic() > deadline:
            return state
        time.sleep(next(pauses, _POLL_SECONDS[-1]))


# --- The way there ---------------------------------------------------------------------------------------
def _backend_url(table: str, label: str) -> SplitResult:
    """Where the body goes. The FE is asked with nothing but the headers, under a label of its own: were something in
    between to follow the redirect, the load of nothing would use up the real one."""
    if settings.DORIS_BE_HTTP_URL:
        return urlsplit(settings.DORIS_BE_HTTP_URL.rstrip("/") + _load_path(table))
    front = urlsplit(settings.DORIS_FE_HTTP_URL.rstrip("/") + _load_path(table))
    connection = _connection(front)
    try:
        connection.request("PUT", _path(front), b"", _headers(f"{label}_where"))
        response = connection.getresponse()
        # It has the credentials in it, as they are: an "@" or a "/" of a password would lead elsewhere.
        signed = f"//{settings.DORIS_USER}:{settings.DORIS_PASSWORD}@"
        location = response.headers.get("Location", "").replace(signed, "//", 1)
        if response.status not in (307, 308) or not location:
            raise _refusal(_answer(response))
    finally:
        connection.close()
    address = urlsplit(location)
    if not nodes.may_be_called(address):
        raise StoreAway(
            f"Doris sends loads to {address.hostname}, which is not among its backends. "
            "DORIS_BE_HOSTS names hosts that it may, DORIS_BE_HTTP_URL an address to use instead."
        )
    return address


def _load_path(table: str) -> str:
    return f"/api/{settings.DORIS_DB}/{table}/_stream_load"


def _headers(label: str) -> dict[str, str]:
    signed = b64encode(f"{settings.DORIS_USER}:{settings.DORIS_PASSWORD}".encode()).decode()
    return {
        "Authorization": f"Basic {signed}",
        "Expect": "100-continue",  # without it the FE refuses
        "label": label,
        "format": "json",
        "read_json_by_line": "true",
        # One bad row fails its load, and is then found; values that do not fit are errors, not nulls.
        "max_filter_ratio": "0",
        "strict_mode": "true",
        "timezone": "UTC",
        "timeout": str(int(settings.DORIS_REQUEST_TIMEOUT_SECONDS)),
    }


def _send(address: SplitResult, headers: dict[str, str], body: bytes) -> Answer:
    connection = _connection(address)
    try:
        connection.putrequest("PUT", _path(address), skip_accept_encoding=True)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        if not _is_refused(connection.sock):
            connection.sock.settimeout(settings.DORIS_REQUEST_TIMEOUT_SECONDS)
            connection.send(body)
        return _answer(connection.getresponse())
    finally:
        connection.close()


def _is_refused(channel: socket.socket) -> bool:
    """Whether an answer other than "go on" came to the headers alone. Through TLS this cannot be seen beforehand."""
    if isinstance(channel, ssl.SSLSocket):
        return False
    readable, _, _ = select.select([channel], [], [], _SAY_SO_SECONDS)
    return bool(readable) and not channel.recv(16, socket.MSG_PEEK).startswith(b"HTTP/1.1 100")


def _answer(response: http.client.HTTPResponse) -> Answer:
    text = response.read()
    try:
        fields = orjson.loads(text)
    except ValueError:
        fields = {"msg": text[:_REASON_BYTES].decode("utf-8", "replace")}
    return Answer(response.status, fields if isinstance(fields, dict) else {"msg": str(fields)})


def _connection(address: SplitResult) -> http.client.HTTPConnection:
    host = address.hostname or ""
    if address.scheme == "https":
        context = ssl.create_default_context(cafile=settings.DORIS_SSL_CA or None)
        return http.client.HTTPSConnection(host, address.port or 443, timeout=_CONNECT_SECONDS, context=context)
    return http.client.HTTPConnection(host, address.port or 80, timeout=_CONNECT_SECONDS)


def _path(address: SplitResult) -> str:
    return address.path + (f"?{address.query}" if address.query else "")
