"""One observation, or the trace itself, as the right pane shows it: facts in a fixed order, content, the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import orjson
from django.urls import reverse

from accounts.access import ProjectScope
from tracing.analytics.records import ZERO, Observation, Score, Trace
from tracing.views import conversation
from tracing.views.conversation import Content, parse

#: more than this is not laid out: its beginning is shown with a link to the whole
CONTENT_CHARACTERS = 400_000
_HEAD_CHARACTERS = 20_000
#: kept on observations for completeness; they get a fold of their own
_TECHNICAL = ("attributes", "resourceAttributes", "scope")


@dataclass(frozen=True, slots=True)
class Usage:
    """One bucket of tokens with its price."""

    name: str
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    time: str
    attributes: dict[str, Any]

    @property
    def is_exception(self) -> bool:
        return self.name == "exception"

    @property
    def title(self) -> str:
        return str(self.attributes.get("exception.type", "")) if self.is_exception else self.name

    @property
    def text(self) -> str:
        return str(self.attributes.get("exception.message", "")) if self.is_exception else ""

    @property
    def stack(self) -> str:
        return str(self.attributes.get("exception.stacktrace", "")) if self.is_exception else ""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    name: str
    description: str
    definition: Any
    is_called: bool


class _Shown:
    def __init__(self, scope: ProjectScope, trace: Trace, scores: list[Score]) -> None:
        self._scope, self.trace, self.scores = scope, trace, scores

    def _content(self, raw: str, field: str, default_role: str = "") -> ShownContent:
        where = {"trace": self.trace.id, "observation": getattr(self, "id", ""), "field": field}
        raw_url = f"{reverse('tracing:trace-raw', args=[self._scope.project_id])}?{urlencode(where)}"
        return ShownContent(raw, default_role, raw_url)

    @staticmethod
    def _metadata(metadata: dict[str, str]) -> list[tuple[str, Any]]:
        plain = [(key, parse(value)) for key, value in metadata.items() if not _is_technical(key)]
        return sorted(plain, key=lambda item: item[0])


class ShownContent:
    """An input or output: read as a conversation unless it is too long to be laid out."""

    def __init__(self, raw: str, default_role: str, raw_url: str) -> None:
        self.raw_url = raw_url
        self.length = len(raw)
        self.is_cut = len(raw) > CONTENT_CHARACTERS
        self._raw, self._role = raw, default_role

    @cached_property
    def content(self) -> Content:
        if self.is_cut:
            head = self._raw[:_HEAD_CHARACTERS]
            return Content("text", head, text=head)
        return conversation.read(self._raw, default_role=self._role)

    @property
    def is_empty(self) -> bool:
        return not self._raw

    @property
    def value(self) -> Any:
        """For the JSON view."""
        return self.content.text if self.is_cut else parse(self._raw)


class ShownTrace(_Shown):
    is_trace = True
    id = ""

    @cached_property
    def input(self) -> ShownContent:
        return self._content(self.trace.input, "input")

    @cached_property
    def output(self) -> ShownContent:
        return self._content(self.trace.output, "output", "assistant")

    @property
    def metadata(self) -> list[tuple[str, Any]]:
        return self._metadata(self.trace.metadata)


class ShownObservation(_Shown):
    is_trace = False

    def __init__(self, scope: ProjectScope, trace: Trace, record: Observation, scores: list[Score]) -> None:
        super().__init__(scope, trace, scores)
        self.record, self.id = record, record.id

    @cached_property
    def input(self) -> ShownContent:
        return self._content(self.record.input, "input")

    @cached_property
    def output(self) -> ShownContent:
        return self._content(self.record.output, "output", "assistant" if self.record.type == "GENERATION" else "")

    @property
    def metadata(self) -> list[tuple[str, Any]]:
        return self._metadata(self.record.metadata)

    @property
    def trace_metadata(self) -> list[tuple[str, Any]]:
        """What was set on the trace and is not here anyway; shown with the root."""
        if self.id != self.trace.root_id:
            return []
        return self._metadata({k: v for k, v in self.trace.metadata.items() if k not in self.record.metadata})

    @property
    def technical(self) -> list[tuple[str, Any]]:
        """Raw attributes of the span, its resource and its instrumentation scope."""
        return sorted((key, parse(value)) for key, value in self.record.metadata.items() if _is_technical(key))

    @property
    def parameters(self) -> list[tuple[str, Any]]:
        value = parse(self.record.model_parameters)
        return list(value.items()) if isinstance(value, dict) else []

    @property
    def is_running(self) -> bool:
        return self.record.end_time is None and self.record.type != "EVENT"

    @property
    def tokens_per_second(self) -> float | None:
        latency, first = self.record.latency_us, self.record.time_to_first_token_us
        seconds = ((latency or 0) - (first or 0)) / 1_000_000
        return self.record.output_tokens / seconds if self.record.output_tokens and seconds > 0.05 else None

    @property
    def cached_tokens(self) -> int:
        """Of the buckets, those that name a cache and were read from it."""
        return sum(
            n
            for name, n in self.record.usage.items()
            if "cache" in name and "creat" not in name and "write" not in name
        )

    @cached_property
    def usage(self) -> list[Usage]:
        names = [name for name in (*self.record.usage, *self.record.cost) if name != "total"]
        return [
            Usage(name, self.record.usage.get(name, 0), self.record.cost.get(name)) for name in dict.fromkeys(names)
        ]

    @property
    def is_unpriced(self) -> bool:
        return bool(self.record.model and self.record.total_tokens and self.record.total_cost == ZERO)

    @cached_property
    def events(self) -> list[SpanEvent]:
        found = parse(self.record.events) if self.record.events else []
        items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        return [
            SpanEvent(str(item.get("name", "")), str(item.get("time", "")), _dict(item.get("attributes")))
            for item in items
        ]

    @cached_property
    def tools(self) -> list[ToolDefinition]:
        """What the model was offered; the ones it called first."""
        called = set(self.record.called_tool_names)
        tools = []
        for name, text in self.record.tool_definitions.items():
            definition = parse(text)
            function = _dict(_dict(definition).get("function")) or _dict(definition)
            tools.append(ToolDefinition(name, str(function.get("description") or ""), definition, name in called))
        return sorted(tools, key=lambda tool: (not tool.is_called, tool.name))

    @cached_property
    def tool_names(self) -> set[str]:
        return set(self.record.tool_definitions)

    @cached_property
    def unseen_calls(self) -> list[conversation.ToolCall]:
        """Calls that the client listed apart from the messages and that the output does not show."""
        shown = {
            part.name
            for message in self.output.content.messages
            for part in message.parts
            if isinstance(part, conversation.ToolCall)
        }
        calls = parse(self.record.tool_calls) if self.record.tool_calls else []
        read = (
            [conversation.read_call(call) for call in calls if isinstance(call, dict)]
            if isinstance(calls, list)
            else []
        )
        return [call for call in read if call.name not in shown]

    @property
    def all_as_json(self) -> Any:
        return {"input": self.input.value, "output": self.output.value, "metadata": dict(self.metadata)}

    @property
    def started_at(self) -> datetime:
        return self.record.start_time


def _is_technical(key: str) -> bool:
    return key.split(".", 1)[0] in _TECHNICAL


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value[:1] == "{":
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}
