"""The fields of the query language: one registry, from which the parser, facets, columns, sorts and completion read."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from django.utils.translation import gettext_lazy as _

from tracing.queries import observations, traces
from tracing.queries.explorer.nouns import Noun


class Kind(StrEnum):
    """What the values of a field are, which decides how terms of it are written and compared."""

    TEXT = "text"
    #: a text of which all values are known, in capitals
    CHOICE = "choice"
    NUMBER = "number"
    TIME = "time"
    BOOLEAN = "boolean"
    #: several texts at once
    LIST = "list"
    #: long text, in which words are looked for
    CONTENT = "content"
    #: texts by key: `metadata.region`
    MAP = "map"
    #: numbers or words by name: `scores.helpful`
    SCORES = "scores"


@dataclass(frozen=True, slots=True)
class Field:
    """`name` is how queries write it, `label` how people read it, `aliases` are other ways to write it."""

    name: str
    label: Any
    kind: Kind
    #: of numbers: s, $, or nothing
    unit: str = ""
    aliases: tuple[str, ...] = ()
    #: what the values of a choice may be
    choices: tuple[str, ...] = ()
    is_facet: bool = False
    is_column: bool = False
    is_sortable: bool = False

    @property
    def has_keys(self) -> bool:
        return self.kind in (Kind.MAP, Kind.SCORES)

    @property
    def is_compared(self) -> bool:
        """Whether `>2` and `1..5` mean something."""
        return self.kind in (Kind.NUMBER, Kind.TIME, Kind.SCORES, Kind.MAP)


LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
TYPES = (
    "SPAN", "GENERATION", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EMBEDDING", "EVALUATOR", "GUARDRAIL",
)  # fmt: skip

_facet: dict[str, Any] = {"is_facet": True, "is_column": True}
_figure: dict[str, Any] = {"kind": Kind.NUMBER, "is_facet": True, "is_column": True, "is_sortable": True}

#: In the order in which facets and columns stand at first.
_SHARED = (
    Field("time", _("Time"), Kind.TIME, aliases=("timestamp", "startTime"), is_column=True, is_sortable=True),
    Field("env", _("Environment"), Kind.TEXT, aliases=("environment", "traceEnvironment"), **_facet),
    Field("level", _("Level"), Kind.CHOICE, choices=LEVELS, **_facet),
    Field("name", _("Name"), Kind.TEXT, is_sortable=True, **_facet),
    Field("type", _("Type"), Kind.CHOICE, choices=TYPES, **_facet),
    Field("model", _("Model"), Kind.TEXT, aliases=("providedModelName",), **_facet),
    Field("tag", _("Tag"), Kind.LIST, aliases=("tags", "traceTags"), **_facet),
    Field("release", _("Release"), Kind.TEXT, **_facet),
    Field("version", _("Version"), Kind.TEXT, **_facet),
    Field("user", _("User"), Kind.TEXT, aliases=("userId", "user_id"), **_facet),
    Field("session", _("Session"), Kind.TEXT, aliases=("sessionId", "session_id"), **_facet),
    Field("prompt", _("Prompt"), Kind.TEXT, aliases=("promptName",), **_facet),
    Field("latency", _("Latency"), unit="s", aliases=("duration",), **_figure),
    Field("ttft", _("Time to first token"), unit="s", aliases=("timeToFirstToken",), **_figure),
    Field("cost", _("Cost"), unit="$", aliases=("totalCost",), **_figure),
    Field("tokens", _("Tokens"), aliases=("totalTokens",), **_figure),
    Field("input_tokens", _("Input tokens"), aliases=("inputTokens",), **_figure),
    Field("output_tokens", _("Output tokens"), aliases=("outputTokens",), **_figure),
    Field("input_cost", _("Input cost"), unit="$", aliases=("inputCost",), **{**_figure, "is_facet": False}),
    Field("output_cost", _("Output cost"), unit="$", aliases=("outputCost",), **{**_figure, "is_facet": False}),
    Field("status", _("Status message"), Kind.CONTENT, aliases=("statusMessage",), is_column=True),
    Field("input", _("Input"), Kind.CONTENT, is_column=True),
    Field("output", _("Output"), Kind.CONTENT, is_column=True),
    Field("public", _("Public"), Kind.BOOLEAN, is_column=True),
    Field(
        "metadata", _("Metadata"), Kind.MAP, is_facet=True, is_column=True
    ),
    Field(
        "scores",
        _("Scores"),
        Kind.SCORES,
        aliases=("score", "scores_avg", "score_categories", "score_booleans"),
        is_facet=True,
        is_column=True,
    ),
)  # fmt: skip
_OF_TRACES = (
    Field("id", _("Trace"), Kind.TEXT, aliases=("trace", "traceId", "trace_id"), is_column=True),
    Field("trace_name", _("Trace name"), Kind.TEXT, aliases=("traceName",)),
    Field("bookmarked", _("Bookmarked"), Kind.BOOLEAN, is_column=True),
    Field("observations", _("Observations"), **_figure),
    Field("errors", _("Errors"), aliases=("errorCount",), **_figure),
    Field("warnings", _("Warnings"), Kind.NUMBER, aliases=("warningCount",)),
    Field("defaults", _("Default level count"), Kind.NUMBER, aliases=("defaultCount",)),
    Field("debugs", _("Debug level count"), Kind.NUMBER, aliases=("debugCount",)),
)
_OF_OBSERVATIONS = (
    Field("id", _("Observation"), Kind.TEXT, is_column=True),
    Field("trace", _("Trace"), Kind.TEXT, aliases=("traceId", "trace_id"), is_column=True),
    Field("trace_name", _("Trace name"), Kind.TEXT, aliases=("traceName",), **_facet),
    Field("parent", _("Parent"), Kind.TEXT, aliases=("parentObservationId", "parent_id")),
    Field("root", _("Root"), Kind.BOOLEAN, aliases=("isRootObservation",), is_column=True),
    Field("end", _("End"), Kind.TIME, aliases=("endTime",), is_column=True),
    Field("model_id", _("Price"), Kind.TEXT, aliases=("modelId",)),
    Field("prompt_version", _("Prompt version"), Kind.NUMBER, aliases=("promptVersion",)),
    Field("tool", _("Tool called"), Kind.LIST, aliases=("calledToolNames", "toolCall"), is_facet=True),
    Field("tool_offered", _("Tool offered"), Kind.LIST, aliases=("toolNames",)),
)
_OF_GROUPS = (
    Field("env", _("Environment"), Kind.TEXT, aliases=("environment",)),
    Field("name", _("Name"), Kind.TEXT, aliases=("traceName",)),
    Field("tag", _("Tag"), Kind.LIST, aliases=("tags",)),
    Field("release", _("Release"), Kind.TEXT),
    Field("version", _("Version"), Kind.TEXT),
    Field("cost", _("Cost"), Kind.NUMBER, unit="$", aliases=("totalCost",), is_sortable=True),
    Field("tokens", _("Tokens"), Kind.NUMBER, aliases=("totalTokens",), is_sortable=True),
    Field("errors", _("Errors"), Kind.NUMBER, aliases=("errorCount",), is_sortable=True),
)
_OF_SESSIONS = (
    Field("time", _("Last active"), Kind.TIME, is_sortable=True),
    Field("id", _("Session"), Kind.TEXT, aliases=("session", "sessionId", "session_id")),
    Field("user", _("User"), Kind.TEXT, aliases=("userId", "user_id")),
    Field("turns", _("Turns"), Kind.NUMBER, aliases=("traces", "countTraces"), is_sortable=True),
    Field("duration", _("Duration"), Kind.NUMBER, unit="s", aliases=("sessionDuration", "latency"), is_sortable=True),
    *_OF_GROUPS,
    Field("scores", _("Scores"), Kind.SCORES, aliases=("score", "scores_avg", "score_categories")),
)
_OF_USERS = (
    Field("time", _("Last seen"), Kind.TIME, is_sortable=True),
    Field("first", _("First seen"), Kind.TIME, is_sortable=True),
    Field("id", _("User"), Kind.TEXT, aliases=("user", "userId", "user_id")),
    Field("session", _("Session"), Kind.TEXT, aliases=("sessionId", "session_id")),
    Field("traces", _("Traces"), Kind.NUMBER, aliases=("turns", "countTraces"), is_sortable=True),
    Field("sessions", _("Sessions"), Kind.NUMBER, is_sortable=True),
    *_OF_GROUPS,
)

#: How the public API calls what has no name of its own here -> kind of a filter there.
_API_KINDS = {"text": Kind.TEXT, "number": Kind.NUMBER, "time": Kind.TIME, "boolean": Kind.BOOLEAN, "list": Kind.LIST}
API_COLUMNS = {
    Noun.TRACES: traces.COLUMNS,
    Noun.OBSERVATIONS: observations.COLUMNS_V1 | observations.COLUMNS_V2,
}


@cache
def fields_of(noun: Noun) -> dict[str, Field]:
    """By name, in the order in which they are shown."""
    if noun in (Noun.SESSIONS, Noun.USERS):
        return {field.name: field for field in (_OF_SESSIONS if noun is Noun.SESSIONS else _OF_USERS)}
    own = _OF_TRACES if noun is Noun.TRACES else _OF_OBSERVATIONS
    return {field.name: field for field in (*_SHARED[:1], *own[:1], *_SHARED[1:], *own[1:])}


@cache
def _by_spelling(noun: Noun) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for field in fields_of(noun).values():
        for spelling in (field.name, *field.aliases):
            found[spelling.lower()] = field
    for name, column in API_COLUMNS.get(noun, {}).items():
        found.setdefault(name.lower(), Field(name, name, _API_KINDS[column.kind]) if column.kind in _API_KINDS else
                         found["metadata"])  # fmt: skip
    return found


def find_field(spelling: str, noun: Noun) -> Field | None:
    """By name or alias, in any case."""
    return _by_spelling(noun).get(spelling.lower())


def nearest_field(spelling: str, noun: Noun) -> str:
    """The field that was probably meant; empty when none is near."""
    known = _by_spelling(noun)
    near = difflib.get_close_matches(spelling.lower(), known, n=1, cutoff=0.6)
    return known[near[0]].name if near else ""


def sortable(noun: Noun) -> tuple[str, ...]:
    return tuple(field.name for field in fields_of(noun).values() if field.is_sortable)


def facet_fields(noun: Noun) -> tuple[Field, ...]:
    return tuple(field for field in fields_of(noun).values() if field.is_facet)


def columns(noun: Noun) -> tuple[Field, ...]:
    """Those that a list may show; of scores and metadata there is one for each name or key."""
    return tuple(field for field in fields_of(noun).values() if field.is_column)
