"""Prompts on their way to programs: the hottest read of all. An answer is kept until a prompt of the project changes.

What was answered is kept as bytes under the project's word (`config/words.py`), which every change of a prompt changes,
for all processes. So the next request after a label moved reads anew, whichever process it meets.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from accounts.access import ProjectScope, project_key
from config import words
from config.api.errors import CORS_HEADERS
from config.errors import SpanwiseError
from config.kept import Kept

PATH = "/api/public/v2/prompts/"

_kept = Kept(most_bytes=16 << 20, longest=1 << 20, seconds=60.0)
Key = tuple[str, str, str, str]


def short_way(request: HttpRequest) -> HttpResponse | None:
    """The answer to a GET that was given before and still holds; None for whatever needs a closer look."""
    if request.method != "GET" or not request.path_info.startswith(PATH):
        return None
    try:
        scope = project_key(request.META.get("HTTP_AUTHORIZATION"))
    except SpanwiseError:
        return None  # the route itself says what is wrong
    key = key_of(scope, request)
    body = _kept.get(key) if key is not None else None
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
