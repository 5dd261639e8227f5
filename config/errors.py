"""The one hierarchy of errors that code outside `views` and `api` may raise at its callers.

`config/middleware.py` maps it once to HTML pages and `config/api/errors.py` once to the JSON bodies of the public API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class SpanwiseError(Exception):
    """Something a caller can be told. `message` is safe to show."""

    status = 500

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    @property
    def words(self) -> str:
        """All of it in one line for people."""
        return self.message


class Invalid(SpanwiseError):
    """The request cannot be understood or breaks a rule. `issues` names each field that is wrong."""

    status = 400

    def __init__(self, message: str = "Invalid request data", issues: list[dict[str, object]] | None = None) -> None:
        super().__init__(message)
        self.issues = issues

    @property
    def words(self) -> str:
        return " ".join(str(one["message"]) for one in self.issues or ()) or self.message


def issue(path: str | Sequence[str | int], message: str) -> dict[str, Any]:
    """What is wrong with a field, which is named or found by a path."""
    return {"code": "custom", "path": [path] if isinstance(path, str) else list(path), "message": message}


def wrong(problems: Mapping[str, str]) -> Invalid:
    """By field."""
    return Invalid(issues=[issue(field, message) for field, message in problems.items()])


class Unauthenticated(SpanwiseError):
    status = 401


class Forbidden(SpanwiseError):
    status = 403


class NotFound(SpanwiseError):
    status = 404


class Conflict(SpanwiseError):
    status = 409


class TooLarge(SpanwiseError):
    status = 413


class Unsupported(SpanwiseError):
    """A body in a form that is not read here: the message names those that are."""

    status = 415


class TooExpensive(SpanwiseError):
    """A query hit its limit of time, rows or memory: the message tells how to narrow it."""

    status = 422


class TooMany(SpanwiseError):
    """More than the caller may do in this time. Clients may retry after `retry_after_seconds`."""

    status = 429

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(SpanwiseError):
    """A store that is needed right now is not there. Clients may retry after `retry_after_seconds`."""

    status = 503

    def __init__(self, message: str, retry_after_seconds: int = 5) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
