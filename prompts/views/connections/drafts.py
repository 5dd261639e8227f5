"""A connection while somebody edits it. Keys and values of headers are typed into it and never shown again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from prompts.actions.connections import Given
from prompts.headers import typed_headers
from prompts.llm.wires import bedrock, vertex
from prompts.models import Adapter, LlmConnection

_LONGEST = 200_000


@dataclass(frozen=True, slots=True)
class Preset:
    """One way to begin. `base_url` is put into the form; `about` says what to have at hand."""

    name: str
    adapter: Adapter
    title: str
    about: str | Promise
    base_url: str = ""


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("openai", Adapter.OPENAI, "OpenAI", _("An API key.")),
        Preset("anthropic", Adapter.ANTHROPIC, "Anthropic", _("An API key.")),
        Preset("google-ai-studio", Adapter.GOOGLE_AI_STUDIO, "Google AI Studio", _("A Gemini API key.")),
        Preset("google-vertex-ai", Adapter.GOOGLE_VERTEX_AI, "Google Vertex AI", _("The key of a service account.")),
        Preset("azure", Adapter.AZURE, "Azure OpenAI", _("Key and address of a resource.")),
        Preset("bedrock", Adapter.BEDROCK, "Amazon Bedrock", _("An access key, or a Bedrock API key.")),
        Preset("deepseek", Adapter.OPENAI, "DeepSeek", _("An API key."), "https://api.deepseek.com/v1"),
        Preset("mistral", Adapter.OPENAI, "Mistral", _("An API key."), "https://api.mistral.ai/v1"),
        Preset("openrouter", Adapter.OPENAI, "OpenRouter", _("An API key."), "https://openrouter.ai/api/v1"),
        Preset("ollama", Adapter.OPENAI, "Ollama", _("Its address; no key."), "http://localhost:11434/v1"),
        Preset("vllm", Adapter.OPENAI, "vLLM", _("Its address; a key if it asks for one."), "http://localhost:8000/v1"),
        Preset("xinference", Adapter.OPENAI, "Xinference", _("Its address; no key."), "http://localhost:9997/v1"),
        Preset("compatible", Adapter.OPENAI, "OpenAI-compatible", _("Any server that speaks as OpenAI does.")),
    )
}


@dataclass
class Draft:
    adapter: str
    provider: str = ""
    base_url: str = ""
    models: str = ""
    with_default_models: bool = True
    default_model: str = ""
    #: names of headers that are there and stay
    kept_headers: list[str] = field(default_factory=list)
    region: str = ""
    location: str = ""
    use_responses_api: bool = False
    #: which model to try
    model: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    # Typed, and not rendered.
    secret: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    headers: str = ""
    is_machine: bool = False

    @property
    def adapter_title(self) -> str:
        return str(Adapter(self.adapter).label)

    def given(self, known: LlmConnection | None) -> Given:
        return Given(
            provider=self.provider,
            adapter=self.adapter,
            secret=self._secret(known),
            base_url=self.base_url,
            custom_models=[line.strip() for line in self.models.splitlines() if line.strip()],
            with_default_models=self.with_default_models,
            headers={**dict.fromkeys(self.kept_headers), **typed_headers(self.headers)},
            config=self._config(),
            default_model=self.default_model,
        )

    def _secret(self, known: LlmConnection | None) -> str | None:
        is_bedrock, is_vertex = self.adapter == Adapter.BEDROCK, self.adapter == Adapter.GOOGLE_VERTEX_AI
        if self.is_machine and (is_bedrock or is_vertex):
            return bedrock.MACHINE if is_bedrock else vertex.MACHINE
        if is_bedrock and (self.access_key_id or self.secret_access_key):
            return json.dumps({"accessKeyId": self.access_key_id, "secretAccessKey": self.secret_access_key})
        if is_bedrock and self.secret:
            return json.dumps({"apiKey": self.secret})
        has_none = known is None or not known.masked_secret
        if not self.secret and has_none and self.base_url and self.adapter == Adapter.OPENAI:
            return ""  # a server of one's own may ask for no key
        return self.secret or None

    def _config(self) -> Mapping[str, Any] | None:
        match self.adapter:
            case Adapter.BEDROCK:
                return {"region": self.region}
            case Adapter.GOOGLE_VERTEX_AI if self.location:
                return {"location": self.location}
            case Adapter.OPENAI if self.use_responses_api:
                return {"useResponsesApi": True}
        return None


def blank(preset: Preset) -> Draft:
    name = preset.name if preset.name != "compatible" else ""
    return Draft(preset.adapter, name, preset.base_url)


def of_connection(connection: LlmConnection) -> Draft:
    return Draft(
        adapter=connection.adapter,
        provider=connection.provider,
        base_url=connection.base_url,
        models="\n".join(connection.custom_models),
        with_default_models=connection.with_default_models,
        default_model=connection.default_model,
        kept_headers=list(connection.header_names),
        region=str(connection.option("region") or ""),
        location=str(connection.option("location") or ""),
        use_responses_api=bool(connection.option("useResponsesApi")),
    )


def of_post(data: QueryDict) -> Draft:
    """What was typed, as it was typed."""

    def text(name: str) -> str:
        return data.get(name, "").replace("\x00", "").strip()[:_LONGEST]

    adapter = text("adapter")
    return Draft(
        adapter=adapter if adapter in Adapter.values else Adapter.OPENAI.value,
        provider=text("provider"),
        base_url=text("base_url"),
        models=text("models"),
        with_default_models="with_default_models" in data,
        default_model=text("default_model"),
        kept_headers=[name.replace("\x00", "") for name in data.getlist("keep")],
        region=text("region"),
        location=text("location"),
        use_responses_api="use_responses_api" in data,
        model=text("model"),
        secret=text("secret"),
        access_key_id=text("access_key_id"),
        secret_access_key=text("secret_access_key"),
        headers=text("headers"),
        is_machine="is_machine" in data,
    )
