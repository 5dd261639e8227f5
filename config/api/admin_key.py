"""Routes that take the instance's own key beside keys of projects: what is set up for projects by who runs them all."""

from __future__ import annotations

from rest_framework.request import Request

from accounts import access
from accounts.access import KeyAccess
from config.api.views import ApiKeyAuthentication, PublicView


class AdminKeyAuthentication(ApiKeyAuthentication):
    """With `x-langfuse-admin-api-key` the request acts on the project that `x-langfuse-project-id` names."""

    def authenticate(self, request: Request) -> tuple[None, KeyAccess]:
        admin_key = request.META.get("HTTP_X_LANGFUSE_ADMIN_API_KEY")
        if admin_key is None:
            return super().authenticate(request)
        project_id = request.META.get("HTTP_X_LANGFUSE_PROJECT_ID", "")
        return None, access.project_for_admin(request.META.get("HTTP_AUTHORIZATION"), admin_key, project_id)


class ProjectOrAdminView(PublicView):
    """A route for the full key of a project, or for the instance's own."""

    authentication_classes = [AdminKeyAuthentication]
