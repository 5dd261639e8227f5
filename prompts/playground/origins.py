"""Windows from elsewhere: from a version of a prompt and back, and from a generation that was traced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from accounts.access import ProjectScope
from prompts.content import Content
from prompts.models import LlmConnection, PromptVersion
from prompts.playground.state import CHOICES, PARAMETERS, Window, empty_window, stop_text, stops_of
from prompts.queries.connections import list_connections, models_of, provider_of
from prompts.queries.prompts import find_version
from tracing.models import Model
from tracing.pricing.catalogue import catalogue_for

#: how parameters are called in configs and traces; the first name is the one that is written
PARAMETER_NAMES: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "top_p": ("top_p", "topP"),
    "max_tokens": (
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "maxOutputTokens",
        "maxTokens",
        "max_tokens_to_sample",
        "num_predict",
    ),
    "stop": ("stop", "stop_sequences", "stopSequences"),
    "seed": ("seed",),
    "frequency_penalty": ("frequency_penalty", "frequencyPenalty"),
    "presence_penalty": ("presence_penalty", "presencePenalty"),
    "reasoning_effort": ("reasoning_effort", "reasoningEffort", "thinkingLevel"),
    "reasoning_budget": ("reasoning_budget", "thinking_budget", "thinkingBudget", "budget_tokens"),
}
_MODELS = ("model", "model_name", "modelName")
_PROVIDERS = ("provider", "connection")
_SCHEMAS = ("response_format", "json_schema", "output_schema", "response_schema")
_CHOICE = "tool_choice"
_OPTIONS = ("options", "provider_options", "providerOptions")

Config = Mapping[str, Any]


# --- A prompt's version ----------------------------------------------------------------------------------
def window_of_version(scope: ProjectScope, version: PromptVersion, window_id: str = "a") -> Window:
    """Messages as they were written, with references and placeholders; model and what goes with it from the config."""
    config = version.config if isinstance(version.config, dict) else {}
    return empty_window(
        window_id,
        messages=messages_of(version.said),
        prompt={"name": version.prompt.name, "version": version.number},
        **settings_of(scope, config),
    )


def messages_of(said: Content) -> list[dict[str, Any]]:
    if isinstance(said, str):
        return [{"id": "m1", "role": "user", "content": said}]
    return [_numbered(message, place) for place, message in enumerate(said, start=1)]


def _numbered(message: Mapping[str, Any], place: int) -> dict[str, Any]:
    return {**message, "id": f"m{place}"}


def said_by(window: Window, base: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Messages as a prompt keeps them. Rows at the end in which nothing was written yet are none, unless `base`, which
    it comes from, has as many."""
    said = [{key: value for key, value in message.items() if key != "id"} for message in window["messages"]]
    while len(said) > len(base or ()) and said[-1].keys() == {"role", "content"} and not said[-1]["content"]:
        said.pop()
    return said


def unchanged_prompt(scope: ProjectScope, window: Window) -> dict[str, Any] | None:
    """Name and version of the prompt whose messages the window still has; None where they were changed."""
    link = window["prompt"]
    version = find_version(scope, link["name"], number=link["version"]) if link else None
    if version is None:
        return None
    base = messages_of(version.said)
    if said_by(window, base) != said_by({"messages": base}, base):
        return None
    return {"name": version.prompt.name, "version": version.number}


# --- Config ----------------------------------------------------------------------------------------------
def settings_of(scope: ProjectScope, config: Config) -> dict[str, Any]:
    """All of a window that a config says."""
    model = _model_in(config)
    return {
        "connection": connection_for(scope, _first_text(config, _PROVIDERS), model),
        "model": model,
        "parameters": parameters_in(config),
        "tools": tools_in(config.get("tools")),
        "tool_choice": choice_in(config.get(_CHOICE)),
        "output_schema": schema_in(config),
        "options": _options_in(config),
    }


def config_of(scope: ProjectScope, window: Window, base: Any) -> Any:
    """The config that says what the window does. What of `base` still says the same stays as it was written, as does
    what no playground knows."""
    known: dict[str, Any] = dict(base) if isinstance(base, dict) else {}
    before, after = settings_of(scope, known), window
    config = dict(known)
    if after["model"] != before["model"]:
        _put(config, _MODELS, after["model"] or None)
    if after["connection"] != before["connection"] or not known:
        _put(config, _PROVIDERS, after["connection"] or None)
    for name, names in PARAMETER_NAMES.items():
        typed = after["parameters"].get(name, "")
        if typed != before["parameters"].get(name, ""):
            _put(config, names, _value_of(name, typed))
    tools = [tool for tool in after["tools"] if any(tool.values())]
    if tools != before["tools"]:
        _put(config, ("tools",), [_tool_in_config(tool) for tool in tools] or None)
    if after["tool_choice"] != before["tool_choice"]:
        _put(config, (_CHOICE,), _choice_in_config(after["tool_choice"]))
    if after["output_schema"] != before["output_schema"]:
        _put(config, _SCHEMAS, _schema_in_config(after["output_schema"]))
    if after["options"] != before["options"]:
        _put(config, _OPTIONS, _json_or_text(after["options"]) if after["options"].strip() else None)
    # A config may be anything; what is no object stays where the window adds nothing to it.
    return config or (known if isinstance(base, dict | None) else base)


def _put(config: dict[str, Any], names: tuple[str, ...], value: Any) -> None:
    """Under the name that is there already, else the usual one; None takes it away."""
    name = next((name for name in names if name in config), names[0])
    for other in names:
        if other != name or value is None:
            config.pop(other, None)
    if value is not None:
        config[name] = value


def _model_in(config: Config) -> str:
    return _first_text(config, _MODELS)


def _first_text(config: Config, names: tuple[str, ...]) -> str:
    return next((config[name] for name in names if isinstance(config.get(name), str)), "")


def parameters_in(config: Config) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PARAMETERS:
        value = next((config[one] for one in PARAMETER_NAMES[name] if config.get(one) is not None), None)
        text = _typed(name, value)
        if text:
            found[name] = text
    return found


def _typed(name: str, value: Any) -> str:
    if value is None or isinstance(value, bool | dict):
        return ""
    if name == "stop":
        given = value if isinstance(value, list) else [value]
        return stop_text([one for one in given if isinstance(one, str)])
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _value_of(name: str, typed: str) -> Any:
    if not typed.strip():
        return None
    if name == "stop":
        return stops_of(typed)
    if name == "reasoning_effort":
        return typed.strip()
    return _json_or_text(typed)


def _json_or_text(typed: str) -> Any:
    """What is typed half is kept as it is."""
    try:
        return orjson.loads(typed)
    except orjson.JSONDecodeError:
        return typed


def tools_in(given: Any) -> list[dict[str, str]]:
    """Definitions in the shapes of OpenAI's chat and responses, Anthropic, Gemini and the AI SDK."""
    found = []
    for tool in _each_tool(given):
        function = tool["function"] if isinstance(tool.get("function"), dict) else tool
        name = function.get("name")
        if isinstance(name, str) and name:
            schema = next((function[key] for key in _TOOL_SCHEMAS if function.get(key) is not None), None)
            found.append(
                {
                    "name": name,
                    "description": _text(function.get("description")),
                    "parameters": _text(schema) if schema is not None else "",
                }
            )
    return found


_TOOL_SCHEMAS = ("parameters", "input_schema", "inputSchema", "parametersJsonSchema", "parameters_json_schema")


def _each_tool(given: Any) -> list[dict[str, Any]]:
    tools = given if isinstance(given, list) else []
    found: list[dict[str, Any]] = []
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        declared = tool.get("functionDeclarations") or tool.get("function_declarations")
        found += [one for one in declared if isinstance(one, dict)] if isinstance(declared, list) else [tool]
    return found


def _tool_in_config(tool: Mapping[str, str]) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool["name"]}
    if tool["description"]:
        function["description"] = tool["description"]
    if tool["parameters"].strip():
        function["parameters"] = _json_or_text(tool["parameters"])
    return {"type": "function", "function": function}


def choice_in(given: Any) -> str:
    if isinstance(given, str):
        return "required" if given == "any" else given
    if isinstance(given, dict):
        function = given.get("function")
        named = function.get("name") if isinstance(function, dict) else given.get("name", given.get("toolName"))
        if isinstance(named, str):
            return named
        kind = given.get("type")
        return choice_in(kind) if kind in (*CHOICES, "any") else ""
    return ""


def _choice_in_config(choice: str) -> Any:
    if not choice:
        return None
    return choice if choice in CHOICES else {"type": "function", "function": {"name": choice}}


def schema_in(config: Config) -> dict[str, str] | None:
    """A schema for answers: OpenAI's `response_format`, with or without its wrapping, or the schema itself."""
    for name in _SCHEMAS:
        given = _parsed(config.get(name))
        if not isinstance(given, dict) or not given or given.get("type") in ("text", "json_object"):
            continue
        inner = given.get("json_schema") if isinstance(given.get("json_schema"), dict) else given
        assert isinstance(inner, dict)
        schema = inner.get("schema")
        if isinstance(schema, dict | str):
            return {"name": _text(inner.get("name")), "schema": _text(schema)}
        if inner is given and ("properties" in given or given.get("type") == "object"):
            return {"name": "", "schema": _text(given)}
    return None


def _schema_in_config(given: Mapping[str, str] | None) -> Any:
    if given is None:
        return None
    schema = {"name": given["name"] or "answer", "schema": _json_or_text(given["schema"])}
    return {"type": "json_schema", "json_schema": schema}


def _options_in(config: Config) -> str:
    given = next((config[name] for name in _OPTIONS if isinstance(config.get(name), dict)), None)
    return _text(given) if given else ""


def _parsed(value: Any) -> Any:
    return _json_or_text(value) if isinstance(value, str) else value


def _text(value: Any) -> str:
    """A text as it is, all else as JSON that people can read."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        return ""


# --- Which connection ------------------------------------------------------------------------------------
def connection_for(scope: ProjectScope, provider: str, model: str) -> str:
    """The one of that name, else one over which the model can be called: that which names it before that whose maker
    it is from. Empty for none."""
    connections = list(reversed(list_connections(scope).items))  # the oldest of equals
    if any(one.provider == provider for one in connections):
        return provider
    maker, names = _known_as(scope, model)
    fits = [(_fit(one, provider, names, maker), one.provider) for one in connections]
    best = max(fits, key=lambda pair: pair[0], default=(0, ""))
    return best[1] if best[0] else ""


def _known_as(scope: ProjectScope, model: str) -> tuple[str, set[str]]:
    """The model's maker, and its names: as it was called, and as the price list has it, without date or region."""
    found = catalogue_for(scope.project_id).match(model) if model else None
    known = Model.objects.filter(pk=found.id).first() if found else None
    return (known.provider if known else ""), {name for name in (model, found.name if found else "") if name}


def _fit(connection: LlmConnection, provider: str, names: set[str], maker: str) -> int:
    """0 where it does not fit at all."""
    is_kind = bool(provider) and provider.lower() in (connection.adapter, connection.provider.lower())
    if names & {*connection.custom_models, connection.default_model}:
        return 6 + is_kind
    if names & set(models_of(connection)):
        return 4 + is_kind
    if maker and maker == provider_of(connection):
        return 2 + is_kind
    return int(is_kind)
