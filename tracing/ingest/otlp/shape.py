"""What can be known of a span from the names of its attributes alone, worked out once per set of names.

One instrumentation sends the same names again and again. So everything that depends on names only (which sources of a
field are there, which entries are metadata, which rules can apply) is remembered; a span costs what its values cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tracing.ingest.otlp import content, openinference
from tracing.ingest.otlp.spans import Attributes

#: of names that are remembered, each counted with what else it takes; and the number of shapes that surely find room
_MOST_CHARACTERS = 8_000_000
_CHARACTERS_PER_NAME = 100
_FEWEST = 500

_NAME = ("gen_ai.tool.name", "genkit:name", "logfire.msg", "ai.toolCall.name", "ai.operationId")
_USER = (
    "langfuse.user.id",
    "user.id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "ai.telemetry.metadata.userId",
    "traceloop.association.properties.user_id",
)
_SESSION = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    "ai.telemetry.metadata.sessionId",
    "traceloop.association.properties.session_id",
)
_TAGS = (
    "langfuse.trace.tags",
    "langfuse.tags",
    "langfuse.observation.metadata.langfuse_tags",
    "langfuse.trace.metadata.langfuse_tags",
    "ai.telemetry.metadata.tags",
    "tag.tags",
)
_PUBLIC = ("langfuse.trace.public", "langfuse.public")
ENVIRONMENT = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
_MODEL = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "ai.model.id",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
)
_PROMPT = (
    "langfuse.observation.prompt.name",
    "langfuse.prompt.name",
    "langfuse.observation.prompt.version",
    "langfuse.prompt.version",
    "ai.telemetry.metadata.langfusePrompt",
)
#: wait for the first token -> milliseconds in its unit
FIRST_TOKEN = {
    "ai.response.msToFirstChunk": 1,
    "ai.stream.msToFirstChunk": 1,
    "gen_ai.response.time_to_first_chunk": 1000,
    "gen_ai.client.operation.time_to_first_chunk": 1000,
    "gen_ai.server.time_to_first_token": 1000,
}
_UPDATES = (
    "langfuse.trace.name",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langfuse.trace.public",
    *(key for key in _USER if key != "langfuse.user.id"),
    "langfuse.user.id",
    *(key for key in _SESSION if key != "gen_ai.conversation.id"),
    *(key for key in _TAGS if key != "langfuse.tags"),
)
_OBSERVATION_METADATA = ("langfuse.observation.metadata", "langfuse.metadata")
_OBSERVATION_METADATA_PREFIXES = ("langfuse.observation.metadata.", "langfuse.metadata.", "ai.telemetry.metadata.")
_TRACE_METADATA = "langfuse.trace.metadata"
#: attributes of the AI SDK that have a field of their own
_NO_METADATA = frozenset(f"ai.telemetry.metadata.{name}" for name in ("userId", "sessionId", "tags", "langfusePrompt"))
_NOT_IN_ATTRIBUTES = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "llm.input_messages",
    "llm.output_messages",
    "langfuse.trace.metadata",
    "langfuse.observation.metadata",
    "ai.telemetry.metadata",
)
_TOOL_DEFINITIONS = ("ai.prompt.tools", "gen_ai.tool.definitions", "model_request_parameters")
_PARAMETERS = ("gen_ai.request.", "llm.invocation_parameters.")
_EXPLICIT_PARAMETERS = ("langfuse.observation.model.parameters", "llm.invocation_parameters", "model_config")
_USAGE = ("gen_ai.usage.", "llm.token_count.")
_COST = ("langfuse.observation.cost_details", "gen_ai.usage.cost", "llm.cost.total")


class Shape:
    """See the module. Each tuple holds what is there, in the order of precedence."""

    __slots__ = (
        "attributes",
        "completion_start",
        "cost",
        "environment",
        "experiment",
        "first_token",
        "has_langfuse_content",
        "has_output_calls",
        "has_trace_content",
        "keys",
        "metadata",
        "metadata_objects",
        "model",
        "name",
        "parameters",
        "parameters_given",
        "prompt",
        "public",
        "rules",
        "session",
        "tags",
        "tools",
        "trace_metadata",
        "trace_metadata_object",
        "updates",
        "usage",
        "usage_plan",
        "user",
    )

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = has = frozenset(keys)

        def there(candidates: Iterable[str]) -> tuple[str, ...]:
            return tuple(key for key in candidates if key in has)

        self.name = there(_NAME)
        self.user = there(_USER)
        self.session = there(_SESSION)
        self.tags = there(_TAGS)
        self.public = there(_PUBLIC)
        self.environment = there(ENVIRONMENT)
        self.model = there(_MODEL)
        self.prompt = there(_PROMPT)
        self.first_token = there(FIRST_TOKEN)
        self.completion_start = bool(self.first_token) or "langfuse.observation.completion_start_time" in has
        self.has_output_calls = any(key.startswith(openinference.OUTPUT) and ".tool_calls." in key for key in has)
        self.updates = there(_UPDATES)
        self.cost = there(_COST)
        self.experiment = any(key.startswith("langfuse.experiment.") for key in has)
        self.has_trace_content = "langfuse.trace.input" in has or "langfuse.trace.output" in has
        self.has_langfuse_content = "langfuse.observation.input" in has or "langfuse.observation.output" in has
        self.parameters = _named(keys, _PARAMETERS, leave_out=("model",))
        self.parameters_given = there(_EXPLICIT_PARAMETERS)
        self.usage = _named(keys, _USAGE, leave_out=("cost",))
        self.usage_plan: Any = None  # worked out by `usage` when it is needed
        self.metadata_objects = there(_OBSERVATION_METADATA)
        self.metadata = tuple(
            (key, name) for key, name in _named(keys, _OBSERVATION_METADATA_PREFIXES) if key not in _NO_METADATA
        )
        self.trace_metadata_object = _TRACE_METADATA in has
        self.trace_metadata = _named(keys, (f"{_TRACE_METADATA}.",))
        tools = [key for key in keys if key.startswith("llm.tools.") and key.endswith(".tool.json_schema")]
        self.tools = (*there(_TOOL_DEFINITIONS), *tools)
        self.rules = content.rules_for(has)
        self.attributes = tuple(
            (key, f"attributes.{key}")
            for key in keys
            if key not in content.KEYS and not key.startswith(_NOT_IN_ATTRIBUTES)
        )


def _named(
    keys: Iterable[str], prefixes: tuple[str, ...], leave_out: tuple[str, ...] = ()
) -> tuple[tuple[str, str], ...]:
    """(key, the rest of it) for the keys that begin with one of the prefixes and go on."""
    found = ((key, key[len(prefix) :]) for prefix in prefixes for key in keys if key.startswith(prefix))
    return tuple((key, name) for key, name in found if name and name not in leave_out)


class _Shapes:
    """Shapes by their names. Clients choose these, so what is remembered is counted; once full, it starts anew."""

    def __init__(self, most_characters: int) -> None:
        self.known: dict[tuple[str, ...], Shape] = {}
        self._most = self._left = most_characters

    def new(self, keys: tuple[str, ...]) -> Shape:
        shape = Shape(keys)
        characters = sum(map(len, keys)) + _CHARACTERS_PER_NAME * len(keys)
        if characters <= self._most // _FEWEST:  # larger ones are one-offs, and would drive out all others
            self._left -= characters
            if self._left < 0:
                self.known.clear()
                self._left = self._most - characters
            self.known[keys] = shape
        return shape


_shapes = _Shapes(_MOST_CHARACTERS)


def shape_of(attributes: Attributes) -> Shape:
    keys = tuple(attributes)
    return _shapes.known.get(keys) or _shapes.new(keys)
