"""LLM connections: listed, put, deleted. Keys go in and never come out."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.admin_key import ProjectOrAdminView
from config.api.describe import PAGE, Message, describe
from config.api.values import iso
from config.errors import Invalid
from prompts.actions.connections import Given, delete_connection, put_connection
from prompts.api import connection_shapes as shapes
from prompts.models import Adapter, LlmConnection
from prompts.queries.connections import list_connections
from tracing.api import present
from tracing.api.params import Params
from tracing.ingest.issues import Issue, check_boolean, check_object, check_option, check_text, check_texts, wrong_type

_EXAMPLE = {
    "provider": "my-openai",
    "adapter": "openai",
    "secretKey": "sk-0123456789abcdef",
    "customModels": ["my-finetune"],
}
_RULES = (
    "The connection of this name is created (201) or replaced (200). `secretKey` is the key; for Bedrock JSON with "
    "`accessKeyId` and `secretAccessKey`, or with `apiKey`, and for Vertex AI the JSON key of a service account. "
    "`config` holds `region` for Bedrock, `location` for Vertex AI, and `useResponsesApi` for OpenAI. A `baseURL` that "
    "leads to a private address is refused unless the instance allows it."
)


class Connections(ProjectOrAdminView):
    @describe(
        "List LLM connections",
        query=PAGE,
        answer=shapes.ConnectionList,
        text="Newest first. Other parameters are refused.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        params.only(("page", "limit"))
        number = params.page()
        params.check()
        page = list_connections(self.scope, number)
        return Response({"data": [_shown(one) for one in page.items], "meta": present.meta(page)})

    @describe(
        "Create or replace an LLM connection",
        body=shapes.NewConnection,
        answer=shapes.ConnectionShape,
        answers={201: shapes.ConnectionShape},
        text=_RULES,
        example=_EXAMPLE,
    )
    def put(self, request: Request) -> Response:
        connection, is_new = put_connection(self.scope, _given(self.body()), actor=self.actor)
        return Response(_shown(connection), status=201 if is_new else 200)


class OneConnection(ProjectOrAdminView):
    @describe("Delete an LLM connection", answer=Message)
    def delete(self, request: Request, connection_id: str) -> Response:
        delete_connection(self.scope, connection_id, actor=self.actor)
        return Response({"message": "LLM connection successfully deleted"})


def _given(body: Any) -> Given:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "provider", (), issues, required=True, minimum=1)
    check_option(body, "adapter", (), issues, tuple(Adapter.values), required=True)
    check_text(body, "secretKey", (), issues, required=True, minimum=1)
    check_text(body, "baseURL", (), issues)
    check_texts(body, "customModels", (), issues)
    check_boolean(body, "withDefaultModels", (), issues)
    check_object(body, "extraHeaders", (), issues)
    check_object(body, "config", (), issues)
    headers = body.get("extraHeaders") or {}
    if isinstance(headers, dict):
        for name in [name for name, value in headers.items() if not isinstance(value, str)]:
            issues.append(wrong_type("string", headers[name], ("extraHeaders", name)))
    if issues:
        raise Invalid(issues=issues)
    return Given(
        provider=body["provider"],
        adapter=body["adapter"],
        secret=body["secretKey"],
        base_url=body.get("baseURL") or "",
        custom_models=body.get("customModels") or [],
        with_default_models=body.get("withDefaultModels") is not False,
        headers=headers,
        config=body.get("config"),
    )


def _shown(connection: LlmConnection) -> dict[str, Any]:
    return {
        "id": connection.pk,
        "provider": connection.provider,
        "adapter": connection.adapter,
        "displaySecretKey": connection.masked_secret,
        "baseURL": connection.base_url or None,
        "customModels": connection.custom_models,
        "withDefaultModels": connection.with_default_models,
        "extraHeaderKeys": connection.header_names,
        "config": connection.config,
        "createdAt": iso(connection.created_at),
        "updatedAt": iso(connection.updated_at),
    }
