"""One observation, or the trace itself, as the right pane shows it: facts in a fixed order, content, the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import orjson
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.roles import Role
from tracing.analytics.records import ZERO, Observation, ObservationType, Score, Trace
from tracing.queries import beside
from tracing.queries.beside import Below, ToolSpan
from tracing.views import conversation, stack_traces
from tracing.views.attributes import Group, attributes_of, search_for
from tracing.views.conversation import Content, ToolCall, parse
from tracing.views.cost import ShownCost
from tracing.views.playground_links import playground_address
from tracing.views.prompt_links import prompt_address

#: a longer text is not laid out: its beginning is shown with a link to the whole
CONTENT_CHARACTERS = 400_000
_HEAD_CHARACTERS = 20_000
#: kept on observations for completeness; they get folds of their own
_RAW_ATTRIBUTES, _RESOURCE, _SCOPE = "attributes.", "resourceAttributes.", "scope."
_TECHNICAL = (_RAW_ATTRIBUTES, _RESOURCE, _SCOPE)


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

    @property
    def stack_blocks(self) -> list[stack_traces.Block]:
        return stack_traces.read(self.stack)

    @property
    def other_attributes(self) -> dict[str, Any]:
        """What the exception itself does not show."""
        said = ("exception.type", "exception.message", "exception.stacktrace")
        return {k: v for k, v in self.attributes.items() if not (self.is_exception and k in said)}


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    name: str
    description: str
    definition: Any
    is_called: bool


class _Shown:
    id = ""

    def __init__(self, scope: ProjectScope, trace: Trace, scores: list[Score]) -> None:
        self._scope, self.trace, self.scores = scope, trace, scores

    def _content(self, raw: str, field: str, default_role: str = "") -> ShownContent:
        return ShownContent(raw, default_role, self.address("tracing:trace-raw", field=field), field)

    def address(self, name: str, **parameters: str) -> str:
        """Of a page about this record that is none of the trace page."""
        where = {"trace": self.trace.id, "observation": self.id, **parameters}
        return f"{reverse(name, args=[self._scope.project_id])}?{urlencode(where)}"

    @property
    def contents(self) -> list[ShownContent]:
        raise NotImplementedError

    @cached_property
    def files(self) -> dict[str, tuple[str, int]]:
        """Type and bytes of the stored files in input and output."""
        wanted = {file.media_id for part in self.contents for file in part.content.files if file.media_id}
        return beside.file_sizes(self._scope, wanted) if wanted else {}

    @cached_property
    def _spans_of_calls(self) -> dict[int, ToolSpan]:
        return {}

    def span_of(self, call: ToolCall) -> ToolSpan | None:
        """The observation in which the tool ran, where it is in the trace."""
        return self._spans_of_calls.get(id(call))

    @property
    def attribute_groups(self) -> list[Group]:
        raise NotImplementedError

    @property
    def attribute_count(self) -> int:
        return sum(len(group.attributes) for group in self.attribute_groups)

    @property
    def trace_query(self) -> str:
        return urlencode({"trace": self.trace.id})

    @property
    def raw_url(self) -> str:
        return self.address("tracing:trace-raw")

    @property
    def record_url(self) -> str:
        return self.address("tracing:record-download")


class ShownContent:
    """An input or output: read as a conversation unless it is a text too long to be laid out."""

    def __init__(self, raw: str, default_role: str, raw_url: str, field: str) -> None:
        self.raw_url, self.field = raw_url, field
        self.raw, self.length = raw, len(raw)
        self._role = default_role

    @cached_property
    def content(self) -> Content:
        found = conversation.read(self.raw, default_role=self._role)
        if found.kind == "text" and self.length > CONTENT_CHARACTERS:
            return Content("text", self.raw, text=self.head)
        return found

    @property
    def is_cut(self) -> bool:
        return self.length > CONTENT_CHARACTERS and self.content.kind == "text"

    @property
    def is_empty(self) -> bool:
        return not self.raw

    @property
    def value(self) -> Any:
        """Parsed where it is JSON; the beginning of a text that is too long to be laid out."""
        return self.content.text if self.content.kind == "text" else self.content.value

    @property
    def is_whole(self) -> bool:
        """Whether the head is all there is."""
        return self.length <= _HEAD_CHARACTERS

    @property
    def head(self) -> str:
        """What is in the page of a JSON or raw view; the viewer fetches the rest."""
        return self.raw[:_HEAD_CHARACTERS]


class ShownTrace(_Shown):
    is_trace = True

    @cached_property
    def input(self) -> ShownContent:
        return self._content(self.trace.input, "input")

    @cached_property
    def output(self) -> ShownContent:
        return self._content(self.trace.output, "output", "assistant")

    @property
    def contents(self) -> list[ShownContent]:
        return [self.input, self.output]

    @cached_property
    def metadata(self) -> ShownContent:
        return self._content(as_json(self.trace.metadata), "metadata")

    @cached_property
    def attribute_groups(self) -> list[Group]:
        return _filled(Group(_("Metadata"), attributes_of(self.trace.metadata), is_open=True))


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
    def contents(self) -> list[ShownContent]:
        return [self.input, self.output]

    @cached_property
    def metadata(self) -> ShownContent:
        return self._content(as_json(self.record.metadata), "metadata")

    @cached_property
    def attribute_groups(self) -> list[Group]:
        """Own metadata, that of the trace where it is not said here as well, and the span's raw attributes."""
        record, trace = self.record.metadata, self.trace.metadata
        own = {key: value for key, value in record.items() if not key.startswith(_TECHNICAL)}
        of_trace = {key: value for key, value in trace.items() if record.get(key) != value}
        return _filled(
            Group(_("Metadata"), attributes_of(own), is_open=True),
            Group(_("Metadata of the trace"), attributes_of(of_trace), is_open=self.id == self.trace.root_id),
            Group(_("Span attributes"), attributes_of(record, _RAW_ATTRIBUTES), is_open=False),
            Group(_("Resource"), attributes_of(record, _RESOURCE), is_open=False),
            Group(_("Instrumentation scope"), attributes_of(record, _SCOPE), is_open=False),
        )

    @cached_property
    def below(self) -> Below | None:
        return beside.sums_below(self._scope, self.trace, self.record)

    @cached_property
    def _spans_of_calls(self) -> dict[int, ToolSpan]:
        asked, before = self.output.content.calls, self.input.content.calls
        names = {call.name for call in (*asked, *before) if call.name}
        if not names:
            return {}
        spans = beside.list_tool_spans(self._scope, self.trace, names)
        return _matched(asked, before, spans, self.record.start_time)

    # What others share with it, as searches of the list.
    @property
    def name_search(self) -> str:
        return search_for("name", self.record.name)

    @property
    def model_search(self) -> str:
        return search_for("model", self.record.model)

    @property
    def prompt_url(self) -> str:
        """Of the prompt's version that was used, for whoever may open the project."""
        if self._scope.role is Role.NONE:
            return ""
        return prompt_address(self._scope.project_id, self.record.prompt_name, self.record.prompt_version)

    @property
    def playground_url(self) -> str:
        """Where a form opens this generation in a playground, for whoever may make one."""
        is_generation = isinstance(self.record, Observation) and self.record.type == ObservationType.GENERATION
        if not is_generation or not self._scope.role.allows(Role.MEMBER):
            return ""
        return playground_address(self._scope.project_id)

    @property
    def may_act(self) -> bool:
        return self._scope.role.allows(Role.MEMBER)

    @property
    def latency_search(self) -> str:
        return f"?{urlencode({'q': f'latency:>={(self.record.latency_us or 0) / 1_000_000:g}', 'range': 'all'})}"

    @property
    def level_search(self) -> str:
        return search_for("level", self.record.level)

    @property
    def environment_search(self) -> str:
        return search_for("env", self.record.environment)

    @property
    def version_search(self) -> str:
        return search_for("version", self.record.version)

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

    @cached_property
    def cost(self) -> ShownCost | None:
        """The account of what it cost, for calls of models and whatever else was counted."""
        is_counted = self.record.model or self.record.usage or self.record.cost
        return ShownCost(self._scope, self.record) if is_counted else None

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

    @property
    def exceptions(self) -> list[SpanEvent]:
        return [event for event in self.events if event.is_exception]

    @property
    def is_status_an_exception(self) -> bool:
        """Instrumentation writes the exception into the status, too: it need not be read twice."""
        said = self.record.status_message.strip()
        return any(
            said in (each.text.strip(), f"{each.title}: {each.text}".strip()) for each in self.exceptions if each.text
        )

    @property
    def other_events(self) -> list[SpanEvent]:
        return [event for event in self.events if not event.is_exception]

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
    def unseen_calls(self) -> list[ToolCall]:
        """Calls that the client listed apart from the messages and that the output does not show."""
        shown = {call.name for call in self.output.content.calls}
        calls = parse(self.record.tool_calls) if self.record.tool_calls else []
        read = [conversation.read_call(c) for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
        return [call for call in read if call.name not in shown]

    @property
    def started_at(self) -> datetime:
        return self.record.start_time


def _filled(*groups: Group) -> list[Group]:
    return [group for group in groups if group.attributes]


def _matched(
    asked: list[ToolCall], before: list[ToolCall], spans: list[ToolSpan], start: datetime
) -> dict[int, ToolSpan]:
    """Calls by identity of the part -> span. By the call's id where a span says it; otherwise the calls of an output
    ran after it, first come first served, and those of its input before it, the last one last."""
    by_id = {span.call_id: span for span in spans if span.call_id}
    unnamed = [span for span in spans if not span.call_id]
    after = [span for span in unnamed if span.start_time >= start]
    earlier = [span for span in unnamed if span.start_time < start]
    found: dict[int, ToolSpan] = {}
    for calls, left, last_first in ((asked, after, False), (before, earlier, True)):
        for call in reversed(calls) if last_first else calls:
            span = by_id.get(call.id) if call.id else None
            span = span or _pop_named(left, call.name, last=last_first)
            if span is not None:
                found[id(call)] = span
    return found


def _pop_named(spans: list[ToolSpan], tool: str, *, last: bool) -> ToolSpan | None:
    fitting: Iterable[int] = (index for index, span in enumerate(spans) if beside.is_span_of(span, tool))
    at = max(fitting, default=None) if last else min(fitting, default=None)
    return None if at is None else spans.pop(at)


def as_json(metadata: dict[str, str]) -> str:
    """Metadata as one object, values that are JSON as such; empty without any."""
    if not metadata:
        return ""
    parts = (f"{_text_as_json(key)}:{_value_as_json(value)}" for key, value in sorted(metadata.items()))
    return "{" + ",".join(parts) + "}"


def _value_as_json(raw: str) -> str:
    """JSON goes in as it was written, so that no number changes."""
    return _text_as_json(raw) if isinstance(parse(raw), str) else raw


def _text_as_json(text: str) -> str:
    return orjson.dumps(text).decode()


def _dict(value: Any) -> dict[str, Any]:
    if isinstance(value, str) and value[:1] == "{":
        value = parse(value)
    return value if isinstance(value, dict) else {}
