"""Liveness, readiness, and the project of a key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import AccessLevel
from accounts.models import Project
from config.api import KeyView, OpenView
from config.errors import Forbidden, NotFound, Unavailable
from tracing.analytics import store
from tracing.queries import liveness

_AWAY = "Database not available"


class Health(OpenView):
    """Every verb is welcome: load balancers use what they like."""

    def get(self, request: Request) -> Response:
        body = {"status": "OK", "version": settings.LANGFUSE_API_VERSION}
        if problem := _problem(request):
            return Response({**body, "status": problem}, status=503)
        return Response(body)

    head = post = put = patch = delete = get


class Ready(Health):
    pass


class Projects(KeyView):
    """The one project that the key opens."""

    def get(self, request: Request) -> Response:
        access = self.opened
        if access.scope is None:
            raise Forbidden("Invalid API key. Are you using an organization key?")
        if access.level is not AccessLevel.PROJECT:
            raise Forbidden("Access denied - insufficient permissions for this endpoint")
        project = Project.objects.present().select_related("organization").filter(pk=access.scope.project_id).first()
        if project is None:
            raise NotFound("Project not found")
        return Response({"data": [_project(project)]})


def _project(project: Project) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": project.id,
        "name": project.name,
        "organization": {"id": project.organization.id, "name": project.organization.name},
        "metadata": project.metadata or {},
    }
    if project.retention_days:
        item["retentionDays"] = project.retention_days
    return item


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
