"""Metadata of observations and traces, flattened to dotted names with text values."""

from __future__ import annotations

from typing import Any

from tracing.ingest.otlp.shape import Shape, shape_of
from tracing.ingest.otlp.spans import Attributes
from tracing.ingest.otlp.values import parsed_object
from tracing.ingest.text import as_text, flatten

_TRACE_METADATA = "langfuse.trace.metadata"


def user_metadata(attributes: Attributes, shape: Shape) -> dict[str, str]:
    """What the application itself said about the observation."""
    found: dict[str, str] = {}
    for key in shape.metadata_objects:
        if attributes[key]:
            found = _object(attributes[key])
            break
    _add(found, attributes, shape.metadata)
    return found


def trace_metadata(attributes: Attributes, shape: Shape) -> dict[str, str]:
    found = _object(attributes[_TRACE_METADATA]) if shape.trace_metadata_object else {}
    _add(found, attributes, shape.trace_metadata)
    return found


def resource_trace_metadata(resource: Attributes) -> dict[str, str]:
    return trace_metadata(resource, shape_of(resource))


def origin_metadata(
    resource: Attributes, scope_name: str, scope_version: str, scope_attributes: Attributes
) -> dict[str, str]:
    """Resource and scope, as each observation of a scope repeats them."""
    found = {f"resourceAttributes.{key}": as_text(value) for key, value in resource.items()}
    if scope_name:
        found["scope.name"] = scope_name
    if scope_version:
        found["scope.version"] = scope_version
    return found | {f"scope.attributes.{key}": as_text(value) for key, value in scope_attributes.items()}


def other_attributes(attributes: Attributes, shape: Shape) -> dict[str, str]:
    """Attributes as metadata, so that nothing an instrumentation sends is lost."""
    found: dict[str, str] = {}
    for key, name in shape.attributes:
        value = attributes[key]
        found[name] = value if type(value) is str else as_text(value)
    return found


def _object(value: Any) -> dict[str, str]:
    content = parsed_object(value)
    return flatten(content) if content else {}


def _add(found: dict[str, str], attributes: Attributes, names: tuple[tuple[str, str], ...]) -> None:
    for key, name in names:
        value = attributes[key]
        found[name] = value if isinstance(value, str) else as_text(value)
