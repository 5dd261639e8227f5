"""LLM connections of a project, and the models that may be called over them."""

from __future__ import annotations

import httpx

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import NotFound
from prompts.models import Adapter, LlmConnection
from tracing.models import Model
from tracing.queries.paging import Numbered, PageNumber

#: whose prices an adapter's models are found under; Bedrock names them in its own way
_PROVIDERS = {
    Adapter.OPENAI: "openai",
    Adapter.AZURE: "openai",
    Adapter.ANTHROPIC: "anthropic",
    Adapter.GOOGLE_AI_STUDIO: "google",
    Adapter.GOOGLE_VERTEX_AI: "google",
}
_UNKNOWN = "LLM connection not found"


def list_connections(scope: ProjectScope, number: PageNumber | None = None) -> Numbered[LlmConnection]:
    """Newest first."""
    scope.require(Role.VIEWER)
    number = number or PageNumber(1, 1000)
    found = LlmConnection.objects.filter(project_id=scope.project_id)
    return Numbered(list(found[number.offset : number.offset + number.limit]), number, found.count())


def get_connection(scope: ProjectScope, connection_id: str) -> LlmConnection:
    """Raises NotFound, for those of other projects too."""
    scope.require(Role.VIEWER)
    # PostgreSQL refuses NUL in text.
    known = LlmConnection.objects.filter(project_id=scope.project_id)
    found = None if "\x00" in connection_id else known.filter(pk=connection_id).first()
    if found is None:
        raise NotFound(_UNKNOWN)
    return found


def models_of(connection: LlmConnection) -> list[str]:
    """Those that were named for it, then those that the price list knows."""
    known = known_models(connection) if connection.with_default_models else []
    return list(dict.fromkeys([*connection.custom_models, *known]))


def known_models(connection: LlmConnection) -> list[str]:
    """Models that answer in text: what is embedded or spoken has no price for one side."""
    provider = provider_of(connection)
    if not provider:
        return []
    models = Model.objects.filter(project=None, provider=provider).prefetch_related("tiers")
    return [model.name for model in models.order_by("created_at", "name") if _is_for_text(model)]


def _is_for_text(model: Model) -> bool:
    prices: dict[str, str] = next((tier.prices for tier in model.tiers.all() if tier.is_default), {})
    return "input" in prices and "output" in prices


def provider_of(connection: LlmConnection) -> str:
    """Whose models it calls, as the price list names the maker; empty for one that is not known. Of servers that speak
    as OpenAI does, those are known that have their maker's name: api.deepseek.com."""
    adapter = Adapter(connection.adapter)
    if adapter is not Adapter.OPENAI or not connection.base_url:
        return _PROVIDERS.get(adapter, "")
    labels = httpx.URL(connection.base_url).host.split(".")
    known = Model.objects.filter(project=None, provider__in=labels).order_by().values_list("provider", flat=True)
    return known.first() or ""
