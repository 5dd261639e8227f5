"""Liveness and readiness."""

from __future__ import annotations

from django.conf import settings
from django.db import Error, connection
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import Shape, describe, parameter
from config.api.views import OpenView
from config.errors import Unavailable
from tracing.analytics import store
from tracing.ingest import readiness, receive
from tracing.ingest.readiness import SharedLook
from tracing.queries import liveness

_AWAY = "Database not available"
_stores, _events = SharedLook(), SharedLook()
_ASKED = (
    parameter("failIfDatabaseUnavailable", "Also ask the stores: 503 when one is away."),
    parameter("failIfNoRecentEvents", "503 when nothing was stored within the last three minutes."),
)


class Condition(Shape):
    """`status` is OK, or says what is wrong."""

    status: str
    version: str


class Health(OpenView):
    """Every verb is welcome: load balancers use what they like."""

    @describe("Whether the instance is well", query=_ASKED, answer=Condition, answers={503: Condition})
    def get(self, request: Request) -> Response:
        problem = _problem(request)
        return _condition(problem, 503) if problem else _condition("OK", 200)

    head = post = put = patch = delete = get


class Ready(Health):
    """Fails while nothing that is sent could be kept, or nobody would store it."""

    @describe(
        "Whether the instance takes traces and stores them",
        query=_ASKED,
        answer=Condition,
        answers={500: Condition, 503: Condition},
        text="500 while it shuts down; 503 with what is wrong otherwise.",
    )
    def get(self, request: Request) -> Response:
        if readiness.is_shutting_down():
            return _condition(readiness.SHUTTING_DOWN, 500)
        if problems := receive.readiness_problems():
            return _condition(f"{'; '.join(problems)}.", 503)
        return super().get(request)

    head = post = put = patch = delete = get


def _condition(words: str, status: int) -> Response:
    return Response({"status": words, "version": settings.LANGFUSE_API_VERSION}, status=status)


def _problem(request: Request) -> str:
    """What is wrong of that which the monitor asks about; empty when all is well."""
    found = _stores.problems(_look_at_stores) if _asks(request, "failIfDatabaseUnavailable") else []
    if not found and _asks(request, "failIfNoRecentEvents"):
        found = _events.problems(_look_at_events)
    return "; ".join(found)


def _look_at_stores() -> list[str]:
    return [] if _database_answers() and store.ping() else [_AWAY]


def _look_at_events() -> list[str]:
    try:
        return [] if liveness.has_recent_events() else ["No events within the last 3 minutes"]
    except (Error, Unavailable):
        return [_AWAY]


def _asks(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True
