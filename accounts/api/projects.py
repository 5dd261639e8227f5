"""Projects: the one of a key, and those that an organization's key manages."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access, actions
from accounts.access import AccessLevel
from accounts.api import bodies, shapes
from accounts.models import Project
from accounts.queries import get_project
from config.api.describe import ORGANIZATION_KEY, PROJECT_KEY, Message, describe
from config.api.views import KeyView, OrganizationView
from config.errors import Conflict, Forbidden

#: Several clients look for these words.
_NAME_TAKEN = "A project with this name already exists in your organization"


class Projects(KeyView):
    """To read, it takes the key of a project; to make one, the key of an organization."""

    names_errors = False

    @describe("The project of the key", answer=shapes.ProjectList, keys=(PROJECT_KEY,))
    def get(self, request: Request) -> Response:
        opened = self.opened
        if opened.scope is None:
            raise Forbidden("Invalid API key. Are you using an organization key?")
        if opened.level is not AccessLevel.PROJECT:
            raise Forbidden(access.PUBLIC_KEY_ONLY)
        return Response({"data": [_project(get_project(opened.scope))]})

    @describe(
        "Create a project",
        body=shapes.NewProject,
        answer=shapes.ProjectItem,
        status=201,
        answers={409: Message},
        keys=(ORGANIZATION_KEY,),
        text="Needs the key of an organization.",
    )
    def post(self, request: Request) -> Response:
        scope = access.organization_scope_for_key(self.opened)
        body = bodies.as_object(self.body())
        try:
            project = actions.create_project(
                scope,
                name=bodies.project_name(body),
                metadata=bodies.project_metadata(body),
                retention_days=bodies.retention_days(body, is_required=True) or None,
                actor=self.actor,
            )
        except Conflict:
            raise Conflict(_NAME_TAKEN) from None
        return Response(_project(project), status=201)


class OneProject(OrganizationView):
    @describe(
        "Change a project",
        body=shapes.ProjectChange,
        answer=shapes.ProjectItem,
        answers={409: Message},
        text="Needs the key of an organization. Metadata and retention stay as they were unless given.",
    )
    def put(self, request: Request, project_id: str) -> Response:
        scope = access.project_of_organization(self.organization, project_id)
        body = bodies.as_object(self.body())
        try:
            project = actions.update_project(
                scope,
                name=bodies.project_name(body),
                metadata=bodies.project_metadata(body),
                retention_days=bodies.retention_days(body, is_required=False),
                actor=self.actor,
            )
        except Conflict:
            raise Conflict(_NAME_TAKEN) from None
        return Response(_project(project))

    @describe(
        "Delete a project",
        answer=shapes.ProjectDeletion,
        status=202,
        text="Needs the key of an organization. The project and its keys are closed at once; its data go later.",
    )
    def delete(self, request: Request, project_id: str) -> Response:
        scope = access.project_of_organization(self.organization, project_id)
        actions.delete_project(scope, actor=self.actor)
        message = "Project deletion is being processed asynchronously"
        return Response({"success": True, "message": message}, status=202)


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
