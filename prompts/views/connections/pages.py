"""LLM connections: listed, added, edited, tried, deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.queries import get_project
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, SpanwiseError
from config.posting import posted_from
from config.rendering import render_page
from prompts.actions import connections as actions
from prompts.actions.connections import Trial
from prompts.llm.words import Explained, explained
from prompts.models import Adapter, LlmConnection
from prompts.queries.connections import get_connection, known_models, list_connections, models_of
from prompts.views.connections import drafts
from prompts.views.connections.drafts import PRESETS, Draft

#: names as programs write them, in any language
_EXAMPLES = {
    "region": "eu-central-1",
    "location": "us-central1",
    "header": "X-Team: search",
    "base": {
        Adapter.OPENAI: "https://api.openai.com/v1",
        Adapter.ANTHROPIC: "https://api.anthropic.com",
        Adapter.AZURE: "https://my-resource.openai.azure.com",
        Adapter.GOOGLE_AI_STUDIO: "https://generativelanguage.googleapis.com",
        Adapter.GOOGLE_VERTEX_AI: "https://us-central1-aiplatform.googleapis.com",
        Adapter.BEDROCK: "https://bedrock-runtime.eu-central-1.amazonaws.com",
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    connection: LlmConnection
    models: list[str]
    edit_url: str

    @property
    def first_model(self) -> str:
        return self.connection.default_model or next(iter(self.models), "")


@dataclass(frozen=True, slots=True)
class ShownTrial:
    """How a call went. `refusal` is why none was made."""

    name: str
    trial: Trial | None = None
    refusal: str = ""

    @property
    def problem(self) -> Explained | None:
        return explained(self.trial.problem) if self.trial and self.trial.problem else None

    @property
    def milliseconds(self) -> int:
        return round(self.trial.seconds * 1000) if self.trial else 0

    @property
    def answer(self) -> str:
        return (self.trial.answer.text or self.trial.answer.refusal)[:300] if self.trial else ""


@require_safe
@project_page(Role.VIEWER)
def connection_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _list(request, scope)


@require_safe
@project_page(Role.ADMIN)
def connection_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """Which provider? Then (`preset`) its form."""
    preset = PRESETS.get(request.GET.get("preset", ""))
    if preset is None:
        context = {**_frame(scope), "presets": [(one, _preset_url(scope, one.name)) for one in PRESETS.values()]}
        return render_page(request, "prompts/connection_choose.html", context)
    return _form(request, scope, drafts.blank(preset))


@never_cache
@posted_from("prompts:connection-new")
@project_page(Role.ADMIN)
def connection_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _save(request, scope, None)


@require_safe
@project_page(Role.ADMIN)
def connection_edit(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    connection = get_connection(scope, request.GET.get("connection", ""))
    return _form(request, scope, drafts.of_connection(connection), connection)


@never_cache
@posted_from("prompts:connection-list")
@project_page(Role.ADMIN)
def connection_update(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _save(request, scope, get_connection(scope, request.POST.get("connection", "")))


@posted_from("prompts:connection-list")
@project_page(Role.ADMIN)
def connection_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    connection = actions.delete_connection(scope, request.POST.get("connection", ""), actor=Actor.of(request))
    messages.success(request, _("The connection “%(name)s” is deleted.") % {"name": connection.provider})
    return see_other(_list_url(scope))


@never_cache
@posted_from("prompts:connection-list")
@project_page(Role.MEMBER)
def connection_test(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A small call over a connection as it is saved."""
    connection = get_connection(scope, request.POST.get("connection", ""))
    model = Row(connection, models_of(connection), "").first_model
    return _list(request, scope, _tried(scope, connection, model))


def _save(request: HttpRequest, scope: ProjectScope, known: LlmConnection | None) -> HttpResponse:
    """Saves, or tries what was typed without saving it."""
    draft = drafts.of_post(request.POST)
    given = draft.given(known)
    try:
        if request.POST.get("do") == "test":
            return _form(request, scope, draft, known, trial=_tried_draft(scope, draft, given, known))
        if known is None:
            saved = actions.create_connection(scope, given, actor=Actor.of(request))
        else:
            saved = actions.change_connection(scope, known.pk, given, actor=Actor.of(request))
    except Invalid as refusal:
        draft.errors = {str(issue["path"][0]): str(issue["message"]) for issue in refusal.issues or ()}  # type: ignore[index]
        return _form(request, scope, draft, _as_saved(scope, known), status=422)
    messages.success(request, _("The connection “%(name)s” is saved.") % {"name": saved.provider})
    return see_other(_list_url(scope))


def _tried_draft(scope: ProjectScope, draft: Draft, given: actions.Given, known: LlmConnection | None) -> ShownTrial:
    connection = actions.draft_of(scope, _as_saved(scope, known), given)
    model = draft.model or Row(connection, models_of(connection), "").first_model
    return _tried(scope, connection, model)


def _as_saved(scope: ProjectScope, known: LlmConnection | None) -> LlmConnection | None:
    """An object of its own: what is tried is put into it."""
    return get_connection(scope, known.pk) if known else None


def _tried(scope: ProjectScope, connection: LlmConnection, model: str) -> ShownTrial:
    if not model:
        return ShownTrial(connection.provider, refusal=_("Name a model to call."))
    try:
        return ShownTrial(connection.provider, actions.try_connection(scope, connection, model))
    except SpanwiseError as error:
        return ShownTrial(connection.provider, refusal=error.message)


# --- What pages show --------------------------------------------------------------------------------------
def _list(request: HttpRequest, scope: ProjectScope, trial: ShownTrial | None = None) -> HttpResponse:
    rows = [
        Row(one, models_of(one), f"{reverse('prompts:connection-edit', args=[scope.project_id])}?{_query(one)}")
        for one in list_connections(scope).items
    ]
    context = {**_frame(scope), "rows": rows, "trial": trial, "may_test": scope.role.allows(Role.MEMBER)}
    return render_page(request, "prompts/connection_list.html", context, fragment="trial")


def _query(connection: LlmConnection) -> str:
    query = QueryDict(mutable=True)
    query["connection"] = connection.pk
    return query.urlencode()


def _form(
    request: HttpRequest,
    scope: ProjectScope,
    draft: Draft,
    known: LlmConnection | None = None,
    *,
    trial: ShownTrial | None = None,
    status: int = 200,
) -> HttpResponse:
    # Of the saved address: what was typed may be none.
    shape = LlmConnection(adapter=draft.adapter, base_url=known.base_url if known else _readable(draft.base_url))
    models = known_models(shape)
    context = {
        **_frame(scope),
        "draft": draft,
        "known": known,
        "known_models": models,
        "model_example": draft.default_model or next(iter([*draft.models.splitlines(), *models]), ""),
        "trial": trial,
        "examples": _EXAMPLES,
        "base_example": _EXAMPLES["base"][Adapter(draft.adapter)],  # type: ignore[index]
        "may_use_machine": settings.MACHINE_CREDENTIALS_ALLOWED,
    }
    return render_page(request, "prompts/connection_form.html", context, fragment="trial", status=status)


def _readable(url: str) -> str:
    try:
        return str(httpx.URL(url))
    except httpx.InvalidURL:
        return "https://unreadable.invalid"


def _frame(scope: ProjectScope) -> dict[str, Any]:
    return {"scope": scope, "project": get_project(scope), "may_edit": scope.role.allows(Role.ADMIN)}


def _list_url(scope: ProjectScope) -> str:
    return reverse("prompts:connection-list", args=[scope.project_id])


def _preset_url(scope: ProjectScope, name: str) -> str:
    return f"{reverse('prompts:connection-new', args=[scope.project_id])}?preset={name}"
