"""OTLP payloads into records: one observation for each span, and what the span says about its trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from config.errors import TooLarge
from tracing.analytics.records import Observation, ObservationType
from tracing.ingest.model import Decoded, Envelope, SetAside, TraceUpdate, reason_of
from tracing.ingest.otlp import content, context, json_encoding, openinference, protobuf, tools
from tracing.ingest.otlp.door import is_protobuf
from tracing.ingest.otlp.experiment import add_experiment
from tracing.ingest.otlp.generation import completion_start_of, model_of, parameters_of, prompt_of
from tracing.ingest.otlp.metadata import (
    origin_metadata,
    other_attributes,
    resource_trace_metadata,
    trace_metadata,
    user_metadata,
)
from tracing.ingest.otlp.nested import rebuild
from tracing.ingest.otlp.shape import Shape, shape_of
from tracing.ingest.otlp.spans import Span, SpanEvent, SpanGroup
from tracing.ingest.otlp.trace import update_of
from tracing.ingest.otlp.types import type_of, writes_generations_as_spans
from tracing.ingest.otlp.usage import cost_of, usage_of
from tracing.ingest.otlp.values import is_true, text_of, time_from_ns
from tracing.ingest.text import as_text, preview

_ONE_US = timedelta(microseconds=1)
_GENERATION = ObservationType.GENERATION.value
_EVENT = ObservationType.EVENT.value
#: types that the contract gives no model, usage or cost
_PLAIN_TYPES = frozenset((ObservationType.SPAN.value, _EVENT))
#: agents around model calls repeat their usage: counted there as well, everything would be paid for twice
_AGENT_OPERATIONS = frozenset(("invoke_agent", "agent_step"))
#: as many digits as any version has; Python refuses to read some thousands of them as a number
_VERSION = re.compile(r"\d{1,9}")
#: first major version of the SDKs that send everything about a trace on each of its spans
_DIRECT_SDKS = {"python": 4, "javascript": 5}
#: Each span carries its resource, and `a.9999` alone asks for a list of ten thousand: a small payload can become rows
#: beyond all memory. No exporter that means well comes near this.
_MOST_BYTES = 512 << 20
#: what a payload's spans become, by trace id and span id
_Found = dict[tuple[str, str], tuple[Observation, TraceUpdate]]


def decode(body: bytes, envelope: Envelope) -> Decoded:
    """Records of one payload. Raises TooLarge, and ValueError if it cannot be parsed, which the door has ruled out."""
    found: _Found = {}
    decoded = Decoded()
    left = _MOST_BYTES
    for group in _groups(body, envelope):
        set_aside, left = _map_group(group, envelope, found, left)
        decoded.set_aside += set_aside
    for observation, update in found.values():
        decoded.observations.append(observation)
        decoded.trace_updates.append(update)
    return decoded


def singles(body: bytes, envelope: Envelope) -> Iterator[str]:
    """Each span of a payload as an export of its own, in OTLP's JSON form."""
    return (group.export([raw]) for group in _groups(body, envelope) for raw in group.spans)


def _map_group(group: SpanGroup, envelope: Envelope, found: _Found, left: int) -> tuple[list[SetAside], int]:
    """Adds to `found` what the spans become. One bad span must not take its neighbours with it: returns those.

    `left` is how many bytes they may become, and with the answer how many the next group may.
    """
    bad: dict[str, list[Any]] = {}
    try:
        source = _Source(group, envelope)
    except Exception as error:
        bad[reason_of(error)] = list(group.spans)
        return _set_aside(group, bad), left
    repeated = sum(map(len, source.origin.values()))
    for raw in group.spans:
        try:
            observation, update = source.map(group.read(raw))
        except Exception as error:
            bad.setdefault(reason_of(error), []).append(raw)
        else:
            # The same span twice in one payload: the last one is the newest.
            found[observation.trace_id, observation.id] = observation, update
            left -= repeated + len(observation.input) + len(observation.output)
            if left < 0:
                raise TooLarge(f"The spans of this payload become more than {_MOST_BYTES:,} bytes.")
    return (_set_aside(group, bad) if bad else []), left


def _set_aside(group: SpanGroup, bad: dict[str, list[Any]]) -> list[SetAside]:
    """What fails for one reason stays together: each item repeats the whole resource, and there may be many spans."""
    return [
        SetAside(reason=reason, payload=group.export(spans), item_id=", ".join(map(group.id_of, spans)))
        for reason, spans in bad.items()
        if spans
    ]


def _groups(body: bytes, envelope: Envelope) -> Iterator[SpanGroup]:
    return protobuf.groups(body) if is_protobuf(envelope.content_type) else json_encoding.groups(body)


def _is_direct(envelope: Envelope) -> bool:
    if envelope.ingestion_version >= 4:
        return True
    version = _VERSION.match(envelope.sdk_version)
    first = _DIRECT_SDKS.get(envelope.sdk_name.lower())
    return first is not None and version is not None and int(version[0]) >= first


class _Source:
    """Resource and scope of a group of spans: what its spans share is worked out once."""

    def __init__(self, group: SpanGroup, envelope: Envelope) -> None:
        resource = group.resource
        self.envelope = envelope
        self.resource = resource
        self.scope_name = group.scope_name
        self.environment = context.environment_of({}, resource, is_own=envelope.is_own)
        self.version = text_of(resource.get("service.version") or "")
        self.release = text_of(resource.get("langfuse.release") or "")
        self.old_python_sdk = writes_generations_as_spans(group.scope_name, group.scope_version, resource)
        self.origin = origin_metadata(resource, group.scope_name, group.scope_version, group.scope_attributes)
        self.trace_metadata = resource_trace_metadata(resource)
        self.keeps_attributes = not group.scope_name.startswith("langfuse-sdk")
        self.is_direct = _is_direct(envelope)
        self.shared: dict[str, Any] = {
            "project_id": envelope.project_id,
            "source": "otel",
            "scope_name": group.scope_name,
            "scope_version": group.scope_version,
            "service_name": text_of(resource.get("service.name") or ""),
            "service_version": self.version,
            "sdk_name": envelope.sdk_name,
            "sdk_version": envelope.sdk_version,
            "public_key": envelope.public_key,
            "created_at": envelope.received_at,
            "updated_at": envelope.received_at,
        }

    def map(self, span: Span) -> tuple[Observation, TraceUpdate]:
        attributes = span.attributes
        shape = shape_of(attributes)
        start, end = self._times(span)
        observation = Observation(
            trace_id=span.trace_id,
            id=span.id,
            parent_id=span.parent_id,
            start_time=start,
            end_time=end,
            name=context.name_of(span, shape),
            type=type_of(attributes, self.scope_name, span.name, old_python_sdk=self.old_python_sdk),
            level=context.level_of(span, self.scope_name),
            status_message=text_of(attributes.get("langfuse.observation.status_message", span.status_message)),
            **self.shared,
        )
        if observation.type == _EVENT:
            observation.end_time = None
        else:
            observation.latency_us = (end - start) // _ONE_US
        is_root, public = self._add_context(observation, attributes, shape)
        used_keys = self._add_content(observation, span, shape)
        if observation.type not in _PLAIN_TYPES:
            self._add_generation(observation, span, shape)
        if shape.experiment:
            add_experiment(observation, attributes)
        about_observation, about_trace = self._add_metadata(observation, attributes, shape, used_keys)
        update = update_of(
            observation,
            attributes,
            shape,
            is_root=is_root,
            public=public,
            metadata=about_trace,
            user_metadata=about_observation,
        )
        return observation, update

    def _times(self, span: Span) -> tuple[datetime, datetime]:
        start, end = time_from_ns(span.start_ns), time_from_ns(span.end_ns)
        if start is None:
            start = end or self.envelope.received_at
        return start, end or start

    def _add_context(
        self, observation: Observation, attributes: dict[str, Any], shape: Shape
    ) -> tuple[bool, bool | None]:
        """Returns whether the span is the root of its trace, and what it says about publicity."""
        keys = shape.keys
        is_root = not observation.parent_id
        observation.is_root = is_root
        if "langfuse.internal.is_app_root" in keys:
            observation.is_root = is_root or is_true(attributes["langfuse.internal.is_app_root"])
        if "langfuse.internal.as_root" in keys:
            is_root = is_root or is_true(attributes["langfuse.internal.as_root"])
        name = attributes.get("langfuse.trace.name")
        observation.trace_name = text_of(name) if name else observation.name if is_root else ""
        observation.user_id = context.first_text(attributes, shape.user)
        observation.session_id = context.first_text(attributes, shape.session)
        if shape.tags:
            observation.tags = context.tags_of(attributes, shape)
        public = context.public_of(attributes, shape) if shape.public else None
        observation.public = public or False
        observation.environment = (
            context.environment_of(attributes, self.resource, is_own=self.envelope.is_own)
            if shape.environment
            else self.environment
        )
        observation.version = text_of(attributes.get("langfuse.version", self.version))
        observation.release = text_of(attributes.get("langfuse.release", self.release))
        return is_root, public

    def _add_content(self, observation: Observation, span: Span, shape: Shape) -> tuple[str, ...]:
        """Returns the attributes that became part of the input."""
        attributes = span.attributes
        used_keys: tuple[str, ...] = ()
        found: content.Content = None, None
        if shape.has_langfuse_content:
            found = attributes.get("langfuse.observation.input"), attributes.get("langfuse.observation.output")
        elif shape.rules or span.events or self.scope_name:
            found = content.extract(attributes, shape.rules, self.scope_name, span.events)
        given, output = found
        if shape.tools and self.keeps_attributes:
            offered, used_keys = tools.attached_tools(attributes, shape.tools)
            if offered:
                given = content.with_tools(given, offered)
        if given is not None:
            observation.input = text = given if isinstance(given, str) else as_text(given)
            observation.input_preview = preview(text)
            offered_tools = tools.definitions(text)
            if offered_tools:
                observation.tool_definitions = offered_tools
        if output is not None:
            observation.output = text = output if isinstance(output, str) else as_text(output)
            observation.output_preview = preview(text)
            calls = tools.calls(text)
            if not calls and shape.has_output_calls:
                calls = tools.calls(as_text(rebuild(attributes, openinference.OUTPUT)))
            if calls:
                observation.tool_calls = as_text(calls)
                observation.called_tool_names = list(dict.fromkeys(call["name"] for call in calls))
        if span.events:
            observation.events = _events(span.events)
        return used_keys

    def _add_generation(self, observation: Observation, span: Span, shape: Shape) -> None:
        attributes, scope_name = span.attributes, self.scope_name
        if attributes.get("gen_ai.operation.name") not in _AGENT_OPERATIONS:
            if shape.model or "genkit:metadata:subtype" in shape.keys:
                observation.model = model_of(attributes, shape)
            observation.provided_usage = usage_of(attributes, shape, scope_name)
            if shape.cost:
                observation.provided_cost = cost_of(attributes, shape)
        observation.model_parameters = parameters_of(attributes, shape, scope_name)
        if observation.type == _GENERATION and shape.prompt:
            observation.prompt_name, observation.prompt_version = prompt_of(attributes)
        if shape.completion_start or span.events:
            first = completion_start_of(attributes, span.events, shape, observation.start_time)
            if first is not None:
                observation.completion_start_time = first
                observation.time_to_first_token_us = (first - observation.start_time) // _ONE_US

    def _add_metadata(
        self, observation: Observation, attributes: dict[str, Any], shape: Shape, used_keys: tuple[str, ...]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Returns what the application said about the observation and about the trace."""
        found = other_attributes(attributes, shape) if self.keeps_attributes else {}
        for key in used_keys:
            found.pop(f"attributes.{key}", None)
        found.update(self.origin)
        about_observation: dict[str, str] = {}
        if shape.metadata or shape.metadata_objects:
            about_observation = user_metadata(attributes, shape)
            found.update(about_observation)
        about_trace = self.trace_metadata
        if shape.trace_metadata or shape.trace_metadata_object:
            own = trace_metadata(attributes, shape)
            about_trace = about_trace | own
            if self.is_direct:
                found.update(own)
        observation.metadata = found
        return about_observation, about_trace


def _events(events: list[SpanEvent]) -> str:
    """Events that tell of something, not those that carry input or output."""
    told = [event for event in events if event.name not in content.CONTENT_EVENTS]
    if not told:
        return ""
    return as_text([_event(event) for event in told])


def _event(event: SpanEvent) -> dict[str, Any]:
    time = time_from_ns(event.time_ns)
    moment = "" if time is None else time.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {"name": event.name, "time": moment, "attributes": event.attributes}
