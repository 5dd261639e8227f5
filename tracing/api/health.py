"""Liveness, readiness, and the project of a key."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import OpenView
from config.describe import Shape, describe, parameter
from config.errors import Unavailable
from tracing.analytics import store
from tracing.queries import liveness

_AWAY = "Database not available"
_ASKED = (
    parameter("failIfDatabaseUnavailable", "Also ask the stores: 503 when one is away.", bool),
    parameter("failIfNoRecentEvents", "503 when nothing was stored within the last three minutes.", bool),
)


class Condition(Shape):
    """`status` is OK, or says what is wrong."""

    status: str
    version: str


class Health(OpenView):
    """Every verb is welcome: load balancers use what they like."""

    @describe("Whether the instance is well", query=_ASKED, answer=Condition, answers={503: Condition})
    def get(self, request: Request) -> Response:
        body = {"status": "OK", "version": settings.LANGFUSE_API_VERSION}
        if problem := _problem(request):
            return Response({**body, "status": problem}, status=503)
        return Response(body)

    head = post = put = patch = delete = get


class Ready(Health):
    pass


def _problem(request: Request) -> str:
    """What is wrong of that which the monitor asks about; empty when all is well."""
    if _asks(request, "failIfDatabaseUnavailable") and not (_database_answers() and store.ping()):
        return _AWAY
    if not _asks(request, "failIfNoRecentEvents"):
        return ""
    try:
        return "" if liveness.has_recent_events() else "No events within the last 3 minutes"
    except (DatabaseError, Unavailable):
        return _AWAY


def _asks(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
