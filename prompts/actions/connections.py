"""What can be done with LLM connections: put, deleted, tried."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Project
from accounts.roles import Role
from config.errors import wrong
from config.outgoing import AddressRefused, Limits, Purpose, check_url
from config.sealing import Unreadable, masked, seal
from prompts.headers import headers_problem
from prompts.llm import Answer, Call, Parameters, ProviderError, stream
from prompts.llm.wires import bedrock, vertex
from prompts.models import Adapter, LlmConnection
from prompts.models.connections import MODEL_LENGTH, PROVIDER_LENGTH, URL_LENGTH
from prompts.queries.connections import get_connection

MOST_MODELS = 200
_LONGEST_SECRET = 20_000
#: a web thread waits for it
_TRIAL_LIMITS = Limits(connect_seconds=5, silence_seconds=15, total_seconds=20, most_bytes=1024 * 1024)
_TRIAL_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Given:
    """What a connection is to be. `secret` of None keeps the one it has, as does a header of None."""

    provider: str
    adapter: str
    secret: str | None
    base_url: str = ""
    custom_models: Sequence[str] = ()
    with_default_models: bool = True
    headers: Mapping[str, str | None] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    #: None keeps it
    default_model: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A small call that was made. `problem` is None where it was answered."""

    model: str
    seconds: float
    answer: Answer
    problem: ProviderError | None = None


def put_connection(scope: ProjectScope, given: Given, *, actor: Actor) -> tuple[LlmConnection, bool]:
    """Creates the connection of this provider's name or replaces it; and whether it was created. Raises Invalid."""
    _check(scope, _called(scope, given.provider), given)
    with transaction.atomic():
        _lock(scope)
        known = _called(scope, given.provider)
        return _save(scope, known, given, actor), known is None


def change_connection(scope: ProjectScope, connection_id: str, given: Given, *, actor: Actor) -> LlmConnection:
    """Raises NotFound, and Invalid: also when another connection has that name."""
    _check(scope, get_connection(scope, connection_id), given)
    with transaction.atomic():
        _lock(scope)
        return _save(scope, get_connection(scope, connection_id), given, actor)


def create_connection(scope: ProjectScope, given: Given, *, actor: Actor) -> LlmConnection:
    """Raises Invalid: also when a connection has that name."""
    _check(scope, None, given)
    with transaction.atomic():
        _lock(scope)
        return _save(scope, None, given, actor)


@transaction.atomic
def delete_connection(scope: ProjectScope, connection_id: str, *, actor: Actor) -> LlmConnection:
    """Raises NotFound."""
    scope.require(Role.ADMIN)
    _lock(scope)
    connection = get_connection(scope, connection_id)
    record(actor, "llm_connection.delete", connection, before=_facts(connection))
    connection.delete()
    return connection


def draft_of(scope: ProjectScope, known: LlmConnection | None, given: Given) -> LlmConnection:
    """The connection as it would be, not saved. Raises Invalid with what is wrong by field."""
    _check(scope, known, given)
    return _put(scope, known, given)


def _check(scope: ProjectScope, known: LlmConnection | None, given: Given) -> None:
    """Before the database is locked: the address is asked for at servers of others. The rest is checked again then."""
    scope.require(Role.ADMIN)
    problem = _base_url_problem(given)
    problems = {**({"baseURL": problem} if problem else {}), **problems_of(known, given)}
    if problems:
        raise wrong(problems)


def _put(scope: ProjectScope, known: LlmConnection | None, given: Given) -> LlmConnection:
    if problems := problems_of(known, given):
        raise wrong(problems)
    connection = known or LlmConnection(project_id=scope.project_id)
    connection.provider, connection.adapter = given.provider, given.adapter
    connection.base_url, connection.config = given.base_url, dict(given.config) if given.config is not None else None
    connection.custom_models = list(dict.fromkeys(given.custom_models))
    connection.with_default_models = given.with_default_models
    if given.default_model is not None:
        connection.default_model = given.default_model
    if given.secret is not None:
        connection.sealed_secret = seal(given.secret)
        connection.masked_secret = _mask(Adapter(given.adapter), given.secret)
    if dict.fromkeys(given.headers) != dict.fromkeys(connection.header_names) or any(given.headers.values()):
        kept = connection.headers if None in given.headers.values() else {}
        connection.set_headers({name: kept[name] if text is None else text for name, text in given.headers.items()})
    return connection


def try_connection(scope: ProjectScope, connection: LlmConnection, model: str) -> Trial:
    """One small call. It costs next to nothing, but it costs: only who may call at all can try."""
    scope.require(Role.MEMBER)
    call = Call(model, [{"role": "user", "content": "Say OK."}], Parameters(max_tokens=_TRIAL_TOKENS))
    answer, began = Answer(), time.monotonic()
    problem = None
    try:
        for event in stream(scope, connection, call, limits=_TRIAL_LIMITS):
            answer.add(event)
    except ProviderError as error:
        problem = error
    return Trial(model, time.monotonic() - began, answer, problem)


def _called(scope: ProjectScope, provider: str) -> LlmConnection | None:
    # PostgreSQL refuses NUL in text, and no name has it.
    known = LlmConnection.objects.filter(project_id=scope.project_id)
    return None if "\x00" in provider else known.filter(provider=provider).first()


def _lock(scope: ProjectScope) -> None:
    """Changes of one project's connections wait for each other, so that names stay unique."""
    Project.objects.select_for_update().get(pk=scope.project_id)


def _save(scope: ProjectScope, known: LlmConnection | None, given: Given, actor: Actor) -> LlmConnection:
    same = LlmConnection.objects.filter(project_id=scope.project_id, provider=given.provider)
    if same.exclude(pk=known.pk if known else "").exists():
        raise wrong({"provider": _("Another connection has this name.")})
    before = _facts(known) if known else None
    try:
        connection = _put(scope, known, given)
    except Unreadable as error:
        raise wrong({"extraHeaders": error.message}) from None
    connection.save()
    action = "llm_connection.update" if known else "llm_connection.create"
    changed = {"secret": "replaced"} if known and given.secret is not None else {}
    record(actor, action, connection, before=before, after={**_facts(connection), **changed})
    return connection


def _facts(connection: LlmConnection) -> dict[str, Any]:
    """For the log of changes: no secret, and no value of a header."""
    return {
        "provider": connection.provider,
        "adapter": connection.adapter,
        "secret": connection.masked_secret,
        "base_url": connection.base_url,
        "models": connection.custom_models,
        "with_default_models": connection.with_default_models,
        "default_model": connection.default_model,
        "headers": connection.header_names,
        "config": connection.config,
    }


def _mask(adapter: Adapter, secret: str) -> str:
    """Of keys in JSON, what names them."""
    if adapter is Adapter.BEDROCK and secret != bedrock.MACHINE:
        found = bedrock.credentials(secret)
        return masked(found.get("apiKey") or found.get("accessKeyId") or "")
    if adapter is Adapter.GOOGLE_VERTEX_AI and secret != vertex.MACHINE:
        return "".join(filter(str.isprintable, vertex.service_account(secret)["client_email"]))[:300]
    if secret in (bedrock.MACHINE, vertex.MACHINE):
        return str(_("this machine's identity"))
    return masked(secret) if secret else ""


# --- What is wrong ---------------------------------------------------------------------------------------


def problems_of(known: LlmConnection | None, given: Given) -> dict[str, str]:
    """Field, as the public API names it -> what is wrong with it, for people; but for the address."""
    found = {
        "provider": _provider_problem(given.provider),
        "adapter": "" if given.adapter in Adapter.values else _("Choose how this provider is spoken to."),
    }
    if not found["adapter"]:
        found |= {
            "secretKey": _secret_problem(known, given),
            "customModels": _models_problem(given),
            "extraHeaders": _headers_problem(known, given),
            "config": _config_problem(Adapter(given.adapter), given.config),
        }
    return {name: str(text) for name, text in found.items() if text}


def _provider_problem(name: str) -> str:
    if not name.strip():
        return _("Give it a name.")
    if len(name) > PROVIDER_LENGTH:
        return _("A name has at most %(most)d characters.") % {"most": PROVIDER_LENGTH}
    return "" if name.isprintable() else _("A name holds no line breaks or control characters.")


def _base_url_problem(given: Given) -> str:
    if not given.base_url:
        return _("Azure OpenAI needs the address of your resource.") if given.adapter == Adapter.AZURE else ""
    if len(given.base_url) > URL_LENGTH:
        return _("An address has at most %(most)d characters.") % {"most": URL_LENGTH}
    try:
        check_url(Purpose.LLM, given.base_url)
    except AddressRefused as error:
        return error.message
    return ""


def _secret_problem(known: LlmConnection | None, given: Given) -> str:
    if given.secret is None:
        if known is None:
            return _("Enter the key.")
        if goes_elsewhere(known, given):
            return _("Enter the key again: it would go to another address than before.")
        return ""
    if len(given.secret) > _LONGEST_SECRET:
        return _("A key has at most %(most)d characters.") % {"most": _LONGEST_SECRET}
    if given.secret in (bedrock.MACHINE, vertex.MACHINE):
        if settings.MACHINE_CREDENTIALS_ALLOWED:
            return ""
        return _("This machine's own identity may not be used here: the setting %(name)s is off.") % {
            "name": "SPANWISE_MACHINE_CREDENTIALS"
        }
    try:
        if given.adapter == Adapter.BEDROCK:
            bedrock.credentials(given.secret)
            return ""
        if given.adapter == Adapter.GOOGLE_VERTEX_AI:
            vertex.service_account(given.secret)
            return ""
    except ProviderError as error:
        return error.message
    if not given.secret:
        return "" if given.adapter == Adapter.OPENAI and given.base_url else _("Enter the key.")
    if not (given.secret.isascii() and given.secret.isprintable()) or " " in given.secret:
        return _("A key holds no spaces, line breaks or special characters.")
    return ""


def goes_elsewhere(known: LlmConnection, given: Given) -> bool:
    """Whoever may change the address must not thereby learn the key that somebody else entered."""
    return known.adapter != given.adapter or _origin(known.base_url) != _origin(given.base_url)


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return url, "", None
    return parsed.scheme, parsed.host, parsed.port


def _models_problem(given: Given) -> str:
    names = [*given.custom_models, given.default_model or ""]
    if len(given.custom_models) > MOST_MODELS:
        return _("Name at most %(most)d models.") % {"most": MOST_MODELS}
    if any(len(name) > MODEL_LENGTH for name in names):
        return _("The name of a model has at most %(most)d characters.") % {"most": MODEL_LENGTH}
    if any(not name.strip() for name in given.custom_models) or not all(name.isprintable() for name in names):
        return _("The name of a model is one line, and not empty.")
    return ""


def _headers_problem(known: LlmConnection | None, given: Given) -> str:
    if known is None:
        return headers_problem(given.headers, [], goes_elsewhere=False)
    return headers_problem(given.headers, known.header_names, goes_elsewhere=goes_elsewhere(known, given))


def _config_problem(adapter: Adapter, config: Mapping[str, Any] | None) -> str:
    if adapter is Adapter.BEDROCK:
        region = (config or {}).get("region")
        if set(config or {}) != {"region"} or not isinstance(region, str) or not bedrock.REGION.fullmatch(region):
            return _("Bedrock needs a region, such as eu-central-1, and nothing else.")
        return ""
    if config is None:
        return ""
    if adapter is Adapter.OPENAI:
        if set(config) <= {"useResponsesApi"} and all(isinstance(value, bool) for value in config.values()):
            return ""
        return _("The configuration of OpenAI holds useResponsesApi, true or false, and nothing else.")
    if adapter is Adapter.GOOGLE_VERTEX_AI:
        location = config.get("location", vertex.DEFAULT_LOCATION)
        if set(config) <= {"location"} and isinstance(location, str) and vertex.LOCATION.fullmatch(location):
            return ""
        return _("The configuration of Vertex AI holds a location, such as europe-west1, and nothing else.")
    return _("This adapter has no configuration.")
