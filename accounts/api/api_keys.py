"""The API keys of a project, for the key of its organization."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access, actions
from accounts.access import ProjectScope
from accounts.api import bodies, shapes
from accounts.models import ApiKey
from accounts.queries import list_api_keys
from config.api.describe import Message, describe
from config.api.values import iso
from config.api.views import OrganizationView
from config.errors import NotFound


class _KeysView(OrganizationView):
    def project(self, project_id: str) -> ProjectScope:
        return access.project_of_organization(self.organization, project_id)


class ApiKeys(_KeysView):
    @describe("List the API keys of a project", answer=shapes.ApiKeyList, text="Needs the key of an organization.")
    def get(self, request: Request, project_id: str) -> Response:
        keys = list_api_keys(self.project(project_id)).order_by("created_at", "id")
        return Response({"apiKeys": [_item(key) for key in keys]})

    @describe(
        "Create an API key",
        body=shapes.NewApiKey,
        answer=shapes.CreatedApiKey,
        status=201,
        answers={409: Message},
        text="Needs the key of an organization. The secret is in this answer and nowhere else.",
    )
    def post(self, request: Request, project_id: str) -> Response:
        scope = self.project(project_id)
        body = bodies.as_object(self.body())
        new = actions.create_api_key(
            scope,
            note=bodies.key_note(body),
            pair=bodies.key_pair(body),
            expires_at=bodies.key_expiry(body),
            actor=self.actor,
        )
        item = {**_item(new.key), "secretKey": new.secret_key}
        del item["lastUsedAt"]
        return Response(item, status=201)


class OneApiKey(_KeysView):
    @describe("Revoke an API key", answer=shapes.Done, text="Needs the key of an organization.")
    def delete(self, request: Request, project_id: str, key_id: str) -> Response:
        scope = self.project(project_id)
        if not list_api_keys(scope).filter(pk=key_id).exists():
            raise NotFound("API key not found")
        actions.revoke_api_key(scope, key_id=key_id, actor=self.actor)
        return Response({"success": True})


def _item(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "createdAt": iso(key.created_at),
        "expiresAt": iso(key.expires_at) if key.expires_at else None,
        "lastUsedAt": iso(key.last_used_at) if key.last_used_at else None,
        "note": key.note or None,
        "name": key.note or None,
        "publicKey": key.public_key,
        "displaySecretKey": key.display_secret,
    }
