"""Prompts on their way to programs: the hottest read of all. An answer is kept until a prompt of the project changes.

What was answered is kept as bytes under the project's word (`config/words.py`), which every change of a prompt changes,
for all processes. So the next request after a label moved reads anew, whichever process it meets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.access import ProjectScope, project_key
from config import words
from config.api.errors import CORS_HEADERS
from config.errors import SpanwiseError
from config.kept import Kept

PATH = "/api/public/v2/prompts/"

_kept = Kept(most_bytes=16 << 20, longest=1 << 20, seconds=60.0)
Key = tuple[str, str, str, str]

#: those that are being read, and whoever else asks for them waits for
_readings: dict[Key, threading.Event] = {}
_lock = threading.Lock()
_PATIENCE_SECONDS = 2.0


def answer(request: HttpRequest, read: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """What was answered before and still holds, else what `read` answers. Of those who ask for the same at the same
    moment, as all do after a label moved, one reads, and the others have its answer."""
    key = _asked(request)
    if key is None:
        return read(request)
    if found := _answered(key):
        return found
    with _lock:
        reading = _readings.get(key)
        if reading is None:
            mine = _readings[key] = threading.Event()
    if reading is not None:
        reading.wait(_PATIENCE_SECONDS)
        return _answered(key) or read(request)
    try:
        return read(request)
    finally:
        with _lock:
            _readings.pop(key, None)
        mine.set()


def _asked(request: HttpRequest) -> Key | None:
    """What a GET of a prompt is kept under; None for whatever needs a closer look."""
    if request.method != "GET" or not request.path_info.startswith(PATH):
        return None
    try:
        scope = project_key(request.META.get("HTTP_AUTHORIZATION"))
    except SpanwiseError:
        return None  # the route itself says what is wrong
    return key_of(scope, request)


def _answered(key: Key) -> HttpResponse | None:
    body = _kept.get(key)
    if body is None:
        return None
    headers = {**CORS_HEADERS, "Content-Length": str(len(body))}  # nothing after this one adds it
    return HttpResponse(body, content_type="application/json", headers=headers)


def key_of(scope: ProjectScope, request: HttpRequest) -> Key | None:
    """What to keep an answer under, taken before anything is read for it. None while nothing can be kept."""
    word = words.current(_name(scope.project_id))
    return (word, scope.project_id, request.path_info, request.META.get("QUERY_STRING", "")) if word else None


def keep(key: Key | None, body: bytes) -> None:
    if key is not None:
        _kept.put(key, body)


def forget(project_id: str) -> None:
    """To be called around every change of a prompt."""
    words.changed([_name(project_id)])


def _name(project_id: str) -> str:
    return f"prompts:{project_id}"
