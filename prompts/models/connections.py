"""Where a project's calls to language models go, and with whose key."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from config.sealing import unseal
from prompts.models.headers import SealedHeaders
from prompts.models.prompts import new_id

PROVIDER_LENGTH = 100
MODEL_LENGTH = 255
URL_LENGTH = 2000


class Adapter(models.TextChoices):
    """How a provider is spoken to."""

    OPENAI = "openai", _("OpenAI, or compatible")
    ANTHROPIC = "anthropic", "Anthropic"
    AZURE = "azure", "Azure OpenAI"
    BEDROCK = "bedrock", "Amazon Bedrock"
    GOOGLE_AI_STUDIO = "google-ai-studio", "Google AI Studio"
    GOOGLE_VERTEX_AI = "google-vertex-ai", "Google Vertex AI"


class LlmConnection(SealedHeaders):
    """`provider` is what the project calls it: several may lead to one adapter. Keys and headers are sealed."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="llm_connections")
    provider = models.CharField(max_length=PROVIDER_LENGTH)
    adapter = models.CharField(max_length=30, choices=Adapter.choices)
    sealed_secret = models.TextField()
    #: what is shown of the secret
    masked_secret = models.CharField(max_length=300)
    #: empty for the adapter's own
    base_url = models.CharField(max_length=URL_LENGTH, blank=True, default="")
    #: names that calls may use, in the order given
    custom_models = models.JSONField(default=list, blank=True)
    #: whether those that the price list knows are offered, too
    with_default_models = models.BooleanField(default=True)
    #: the one that is chosen first; empty for none
    default_model = models.CharField(max_length=MODEL_LENGTH, blank=True, default="")
    #: what only this adapter knows: region, location, useResponsesApi; None where nothing was given
    config = models.JSONField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "provider"], name="prompts_llm_provider_once")]

    def __str__(self) -> str:
        return self.provider

    @property
    def secret(self) -> str:
        """Raises `config.sealing.Unreadable`."""
        return unseal(self.sealed_secret)

    def option(self, name: str) -> Any:
        """One of `config`; None if it is not there."""
        return (self.config or {}).get(name)
