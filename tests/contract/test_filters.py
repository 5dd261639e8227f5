"""The filter language of the lists: every column by id and by label, every operator, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.reads_data import OBSERVATIONS, TRACES
from tests.tracing.api_data import Api
from tracing.queries import filters, observations, scores, traces

pytestmark = pytest.mark.django_db

T100 = "2026-03-02T10:01:40Z"


def item(kind: str, column: str, operator: str, value: Any, key: str = "") -> dict[str, Any]:
    return {"type": kind, "column": column, "operator": operator, "value": value} | ({"key": key} if key else {})


def found(api: Api, path: str, *items: dict[str, Any], **params: Any) -> str:
    """The ids that are found, as one word. The total says the same where there is one."""
    page = api.get(path, filter=list(items), **params)
    ids = [one["id"] for one in page["data"]]
    assert page["meta"].get("totalItems", len(ids)) == len(ids)
    return "".join(ids)


# (column, label, type, operator, value, key, what is found)
TRACE_COLUMNS = [
    ("id", "ID", "string", "=", "a", "", "a"),
    ("name", "Name", "string", "starts with", "ch", "", "a"),
    ("traceName", "Trace Name", "stringOptions", "any of", ["chat"], "", "a"),
    ("timestamp", "Timestamp", "datetime", ">", "2026-03-02T10:00:00Z", "", "cb"),
    ("userId", "User ID", "string", "ends with", "lice", "", "a"),
    ("sessionId", "Session ID", "null", "is not null", "", "", "ba"),
    ("metadata", "Metadata", "stringObject", "contains", "Re", "team", "a"),
    ("version", "Version", "stringOptions", "none of", ["v1"], "", "cb"),
    ("release", "Release", "string", "=", "r1", "", "a"),
    ("environment", "Environment", "stringOptions", "any of", ["prod", "staging"], "", "ba"),
    ("tags", "Tags", "arrayOptions", "all of", ["a", "b"], "", "a"),
    ("traceTags", "Trace Tags", "arrayOptions", "any of", ["b"], "", "ba"),
    ("bookmarked", "⭐️", "boolean", "=", True, "", "a"),
    ("level", "Level", "stringOptions", "any of", ["ERROR"], "", "a"),
    ("errorCount", "Error Level Count", "number", ">", 0, "", "a"),
    ("warningCount", "Warning Level Count", "number", ">=", 1, "", "a"),
    ("defaultCount", "Default Level Count", "number", "<", 1, "", "cb"),
    ("debugCount", "Debug Level Count", "number", "=", 1, "", "b"),
    ("inputTokens", "Input Tokens", "number", "=", 120, "", "a"),
    ("outputTokens", "Output Tokens", "number", "<=", 49, "", "cb"),
    ("totalTokens", "Total Tokens", "number", "=", 170, "", "a"),
    ("tokens", "Tokens", "number", "=", 170, "", "a"),
    ("latency", "Latency (s)", "number", ">=", 60, "", "a"),
    ("inputCost", "Input Cost ($)", "number", "=", 0.00025, "", "a"),
    ("outputCost", "Output Cost ($)", "number", ">", 0.0004, "", "a"),
    ("totalCost", "Total Cost ($)", "number", "<", 0.00075, "", "cb"),
    ("scores_avg", "Scores (numeric)", "numberObject", ">", 0.5, "quality", "a"),
    ("score_categories", "Scores (categorical)", "categoryOptions", "any of", ["good"], "kind", "a"),
    ("score_booleans", "Scores (boolean)", "booleanObject", "=", True, "ok", "a"),
]
SHARED_COLUMNS = [
    ("id", "ID", "string", "=", "g", "", "g"),
    ("type", "Type", "stringOptions", "any of", ["EVENT", "TOOL"], "", "ef"),
    ("name", "Name", "string", "contains", "oo", "", "fr"),
    ("traceId", "Trace ID", "string", "=", "b", "", "e"),
    ("parentObservationId", "Parent Observation ID", "string", "=", "r", "", "g"),
    ("startTime", "Start Time", "datetime", "<=", "2026-03-02T11:00:01+01:00", "", "gr"),
    ("endTime", "End Time", "null", "is null", "", "", "ef"),
    ("timeToFirstToken", "Time To First Token (s)", "number", "=", 0.5, "", "g"),
    ("latency", "Latency (s)", "number", ">", 2, "", "r"),
    ("tokensPerSecond", "Tokens per second", "number", "=", 25, "", "g"),
    ("inputCost", "Input Cost ($)", "number", ">", 0, "", "g"),
    ("outputCost", "Output Cost ($)", "number", "=", 0.0005, "", "g"),
    ("totalCost", "Total Cost ($)", "number", "=", 0, "", "efr"),
    ("level", "Level", "stringOptions", "none of", ["DEFAULT", "DEBUG"], "", "fg"),
    ("statusMessage", "Status Message", "string", "contains", "Bad", "", "f"),
    ("model", "Model", "string", "starts with", "gpt", "", "g"),
    ("providedModelName", "Provided Model Name", "string", "=", "gpt-4o", "", "g"),
    ("modelId", "Model ID", "stringOptions", "any of", ["m1"], "", "g"),
    ("inputTokens", "Input Tokens", "number", ">=", 120, "", "g"),
    ("outputTokens", "Output Tokens", "number", "<", 50, "", "efr"),
    ("totalTokens", "Total Tokens", "number", "=", 170, "", "g"),
    ("tokens", "Tokens", "number", "=", 170, "", "g"),
    ("metadata", "Metadata", "stringObject", "=", "openai", "attributes.gen_ai.system", "r"),
    ("version", "Version", "string", "=", "v2", "", "e"),
    ("promptName", "Prompt Name", "string", "=", "greeting", "", "g"),
    ("promptVersion", "Prompt Version", "number", "=", 3, "", "g"),
    ("environment", "Environment", "string", "=", "prod", "", "r"),
    ("toolDefinitions", "Available Tools", "number", "=", 2, "", "g"),
    ("toolCalls", "Tool Calls", "number", "=", 1, "", "g"),
    ("toolNames", "Tool Names", "arrayOptions", "all of", ["calc", "search"], "", "g"),
    ("calledToolNames", "Called Tool Names", "arrayOptions", "any of", ["calc"], "", "g"),
]
# Legacy clients set these on the trace alone, so there a trace speaks for all of its observations.
V1_COLUMNS = [
    *SHARED_COLUMNS,
    ("userId", "User ID", "string", "=", "Bob", "", "e"),
    ("sessionId", "Session ID", "string", "=", "s/1", "", "efgr"),
    ("traceName", "Trace Name", "string", "=", "chat", "", "fgr"),
    ("traceTags", "Trace Tags", "arrayOptions", "any of", ["a"], "", "fgr"),
    ("tags", "Tags", "arrayOptions", "none of", ["a"], "", "e"),
    ("traceEnvironment", "Trace Environment", "stringOptions", "any of", ["staging"], "", "e"),
]
V2_COLUMNS = [
    *SHARED_COLUMNS,
    ("userId", "User ID", "string", "=", "alice", "", "r"),
    ("sessionId", "Session ID", "null", "is null", "", "", "efg"),
    ("traceName", "Trace Name", "string", "=", "Event", "", "e"),
    ("traceTags", "Trace Tags", "arrayOptions", "any of", ["a"], "", "r"),
    ("tags", "Tags", "arrayOptions", "none of", ["a"], "", "efg"),
    ("traceEnvironment", "Trace Environment", "stringOptions", "any of", ["prod"], "", "r"),
    ("release", "Release", "string", "=", "r2", "", "e"),
    ("input", "Input", "string", "=", "[]", "", "g"),
    ("output", "Output", "string", "matches", "zebra", "", "g"),
    ("hasInput", "Has Input", "boolean", "=", True, "", "gr"),
    ("hasOutput", "Has Output", "boolean", "<>", True, "", "ef"),
    ("hasParentObservation", "Has Parent Observation", "boolean", "=", True, "", "fg"),
    ("isRootObservation", "Is Root Observation", "boolean", "=", True, "", "er"),
    ("experimentDatasetId", "Experiment Dataset ID", "string", "=", "set", "", "f"),
    ("experimentId", "Experiment ID", "stringOptions", "any of", ["exp"], "", "f"),
    ("experimentName", "Experiment Name", "string", "contains", "ria", "", "f"),
    ("isExperimentItemRootSpan", "Is Experiment Item Root Span", "boolean", "=", True, "", "f"),
    ("ingestionApiKey", "Ingestion Api Key", "string", "=", "pk-lf-one", "", "r"),
    ("ingestionSdkName", "Ingestion Sdk Name", "stringOptions", "any of", ["python"], "", "r"),
    ("ingestionSdkVersion", "Ingestion Sdk Version", "string", "starts with", "5.", "", "r"),
    ("ingestionSource", "Ingestion Source", "string", "=", "otel", "", "r"),
    ("evaluatorId", "Evaluator ID", "stringOptions", "any of", ["judge", "x"], "", "f"),
    ("ruleId", "Rule ID", "string", "=", "rule", "", "f"),
]
TABLES = {"traces": TRACE_COLUMNS, "observations": V1_COLUMNS, "v2/observations": V2_COLUMNS}
BY_NAME = [
    pytest.param(path, name, *rest, id=f"{path}-{column}-{how}")
    for path, columns in TABLES.items()
    for column, label, *rest in columns
    for how, name in (("id", column), ("label", label))
]


@pytest.mark.parametrize(("path", "column", "kind", "operator", "value", "key", "ids"), BY_NAME)
def test_a_column_by_its_id_and_by_its_label(reads, path, column, kind, operator, value, key, ids):
    assert found(reads, path, item(kind, column, operator, value, key)) == ids


def test_no_column_is_left_out():
    assert {row[0] for row in TRACE_COLUMNS} == traces.COLUMNS.keys()
    assert {row[0] for row in V1_COLUMNS} == observations.COLUMNS_V1.keys()
    assert {row[0] for row in V2_COLUMNS} == observations.COLUMNS_V2.keys()


# (type, column, operator, value, key, what is found)
ON_TRACES = [
    ("string", "name", "=", "chat", "", "a"),
    ("string", "name", "=", "Chat", "", ""),
    ("string", "name", "=", "", "", "c"),
    ("string", "name", "contains", "ea", "", "b"),
    ("string", "name", "contains", "EA", "", ""),
    ("string", "name", "contains", "%", "", ""),
    ("string", "name", "contains", "_", "", ""),
    ("string", "name", "contains", "", "", "cba"),
    ("string", "name", "does not contain", "ea", "", "ca"),
    ("string", "name", "starts with", "se", "", "b"),
    ("string", "name", "starts with", "Se", "", ""),
    ("string", "name", "ends with", "ch", "", "b"),
    ("string", "name", "=", "'; DROP TABLE traces --\\\t\n", "", ""),
    ("number", "totalTokens", "=", 170, "", "a"),
    ("number", "totalTokens", ">", 0, "", "a"),
    ("number", "totalTokens", "<", 170, "", "cb"),
    ("number", "totalTokens", ">=", 170, "", "a"),
    ("number", "totalTokens", "<=", 0, "", "cb"),
    ("number", "totalTokens", "=", 0.5, "", ""),
    ("number", "totalTokens", ">", -1, "", "cba"),
    ("number", "totalTokens", "<", 10**18, "", "cba"),
    ("number", "errorCount", "=", 0, "", "cb"),
    ("number", "latency", "=", 0, "", "cb"),
    ("datetime", "timestamp", ">", T100, "", "c"),
    ("datetime", "timestamp", "<", T100, "", "a"),
    ("datetime", "timestamp", ">=", T100, "", "cb"),
    ("datetime", "timestamp", "<=", T100, "", "ba"),
    ("datetime", "timestamp", ">=", "2026-03-02T11:01:40.000+01:00", "", "cb"),
    ("datetime", "timestamp", ">=", "2026-03-02T11:01:40 01:00", "", "cb"),
    ("datetime", "timestamp", ">", "2026-03-02T10:01:39.999999Z", "", "cb"),
    ("stringOptions", "userId", "any of", ["alice", "Bob"], "", "ba"),
    ("stringOptions", "userId", "any of", ["bob"], "", ""),
    ("stringOptions", "userId", "any of", [""], "", "c"),
    ("stringOptions", "userId", "none of", ["alice"], "", "cb"),
    ("stringOptions", "userId", "none of", ["alice", ""], "", "b"),
    ("stringOptions", "level", "none of", ["ERROR"], "", "cb"),
    ("stringOptions", "level", "any of", ["DEBUG", "WARNING"], "", "b"),
    ("string", "level", "does not contain", "ERR", "", "cb"),
    ("string", "level", "contains", "ERR", "", "a"),
    ("arrayOptions", "tags", "any of", ["a", "z"], "", "a"),
    ("arrayOptions", "tags", "any of", [], "", ""),
    ("arrayOptions", "tags", "none of", ["a", "z"], "", "cb"),
    ("arrayOptions", "tags", "none of", [], "", "cba"),
    ("arrayOptions", "tags", "all of", ["b"], "", "ba"),
    ("arrayOptions", "tags", "all of", ["a", "z"], "", ""),
    ("arrayOptions", "tags", "all of", [], "", "cba"),
    ("stringOptions", "tags", "any of", ["a"], "", "a"),
    ("stringOptions", "traceTags", "none of", ["a"], "", "cb"),
    ("categoryOptions", "score_categories", "any of", ["good", "bad"], "kind", "ba"),
    ("categoryOptions", "score_categories", "any of", ["good"], "other", ""),
    ("categoryOptions", "score_categories", "any of", [], "kind", ""),
    ("categoryOptions", "score_categories", "none of", ["good"], "kind", "cb"),
    ("categoryOptions", "score_categories", "none of", [], "kind", "cba"),
    ("stringOptions", "score_categories", "any of", ["bad"], "", "b"),
    ("stringOptions", "score_categories", "any of", ["kind:good"], "", "a"),
    ("stringOptions", "score_categories", "none of", ["kind:good"], "", "cb"),
    ("numberObject", "scores_avg", "=", 0.25, "quality", "a"),
    ("numberObject", "scores_avg", ">", 0.5, "quality", "a"),
    ("numberObject", "scores_avg", "<", 0.5, "quality", "ba"),
    ("numberObject", "scores_avg", ">=", 0.75, "quality", "a"),
    ("numberObject", "scores_avg", "<=", 0.1, "quality", "b"),
    ("numberObject", "scores_avg", ">", 0, "other", ""),
    ("booleanObject", "score_booleans", "=", True, "ok", "a"),
    ("booleanObject", "score_booleans", "=", False, "ok", "b"),
    ("booleanObject", "score_booleans", "<>", True, "ok", "cb"),
    ("booleanObject", "score_booleans", "<>", False, "ok", "ca"),
    ("boolean", "bookmarked", "=", False, "", "cb"),
    ("boolean", "bookmarked", "<>", True, "", "cb"),
    ("boolean", "bookmarked", "<>", False, "", "a"),
    ("string", "bookmarked", "=", "true", "", "a"),
    ("string", "bookmarked", "=", "false", "", "cb"),
    ("stringObject", "metadata", "=", "Red", "team", "a"),
    ("stringObject", "metadata", "=", "red", "team", ""),
    ("stringObject", "metadata", "contains", "e", "team", "ba"),
    ("stringObject", "metadata", "does not contain", "R", "team", "b"),
    ("stringObject", "metadata", "does not contain", "x", "nothing", ""),
    ("stringObject", "metadata", "starts with", "Bl", "team", "b"),
    ("stringObject", "metadata", "ends with", "ed", "team", "a"),
    ("stringObject", "metadata", "is set", "", "team", "ba"),
    ("stringObject", "metadata", "is not set", "", "team", "c"),
    ("stringObject", "metadata", "=", "[1,2]", "n.deep", "a"),
    ("stringObject", "metadata", "=", "dotted", "a.b", "a"),
    ("stringObject", "metadata", "is set", "", "n", "a"),
    ("stringObject", "metadata", "is not set", "", "n", "cb"),
    ("null", "userId", "is null", "", "", "c"),
    ("null", "userId", "is null", None, "", "c"),
    ("null", "userId", "is not null", "", "", "ba"),
    ("null", "tags", "is null", "", "", "c"),
    ("null", "tags", "is not null", "", "", "ba"),
    ("null", "timestamp", "is null", "", "", ""),
    ("null", "level", "is null", "", "", "c"),
    ("null", "level", "is not null", "", "", "ba"),
    ("null", "totalCost", "is null", "", "", ""),
    ("null", "totalCost", "is not null", "", "", "cba"),
    ("positionInTrace", "whatever", "nothing", 7, "", "cba"),
]
ON_OBSERVATIONS = [
    ("string", "userId", "does not contain", "ali", "", "e"),
    ("stringOptions", "userId", "none of", ["alice"], "", "e"),
    ("null", "userId", "is null", "", "", ""),
    ("null", "traceTags", "is not null", "", "", "efgr"),
    ("string", "traceName", "=", "root", "", ""),
    ("null", "promptVersion", "is null", "", "", "efr"),
    ("number", "promptVersion", ">", 3, "", ""),
    ("number", "latency", "<", 100, "", "gr"),
    ("stringObject", "metadata", "is set", "", "attributes", "r"),
    ("arrayOptions", "toolNames", "none of", ["calc"], "", "efr"),
    ("numberObject", "scores_avg", ">", 100, "q", "efgr"),
    ("categoryOptions", "score_categories", "any of", ["x"], "q", "efgr"),
    ("booleanObject", "score_booleans", "=", True, "q", "efgr"),
    ("numberObject", "Scores (numeric)", ">", 100, "q", "efgr"),
    ("categoryOptions", "Scores (categorical)", "any of", ["x"], "q", "efgr"),
    ("booleanObject", "Scores (boolean)", "=", True, "q", "efgr"),
    ("positionInTrace", "x", "y", None, "", "efgr"),
]
ON_OBSERVATIONS_V2 = [
    ("string", "input", "matches", "WIE VIEL", "", "r"),
    ("string", "output", "matches", "zebra cross", "", "g"),
    ("string", "output", "matches", "zebra%crossing", "", ""),
    ("string", "output", "=", "plain text", "", "r"),
    ("string", "output", "=", "Plain text", "", ""),
    ("stringObject", "metadata", "matches", "Value", "k", "r"),
    ("stringObject", "metadata", "matches", "value", "k", ""),
    ("stringObject", "metadata", "is set", "", "n", "r"),
    ("stringObject", "metadata", "is not set", "", "k", "efg"),
    ("null", "traceName", "is null", "", "", "fg"),
    ("null", "tokensPerSecond", "is null", "", "", "ef"),
    ("null", "evaluatorId", "is null", "", "", "egr"),
    ("null", "parentObservationId", "is null", "", "", "er"),
    ("boolean", "isRootObservation", "<>", True, "", "fg"),
    ("string", "isRootObservation", "=", "true", "", "er"),
    ("boolean", "hasParentObservation", "=", False, "", "er"),
]
BY_OPERATOR = [
    pytest.param(path, *row, id=f"{path}-{number}-{row[0]}-{row[2]}")
    for path, rows in (
        ("traces", ON_TRACES),
        ("observations", ON_OBSERVATIONS),
        ("v2/observations", ON_OBSERVATIONS_V2),
    )
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize(("path", "kind", "column", "operator", "value", "key", "ids"), BY_OPERATOR)
def test_an_operator(reads, path, kind, column, operator, value, key, ids):
    assert found(reads, path, item(kind, column, operator, value, key)) == ids


def test_null_without_a_value(reads):
    assert found(reads, "traces", {"type": "null", "column": "userId", "operator": "is null"}) == "c"


def test_is_set_without_a_value(reads):
    is_set = {"type": "stringObject", "column": "metadata", "operator": "is set", "key": "team"}
    assert found(reads, "traces", is_set) == "ba"


@pytest.mark.parametrize(
    ("path", "items", "params", "ids"),
    [
        ("traces", [item("string", "name", "=", "chat"), item("string", "userId", "=", "Bob")], {}, ""),
        ("traces", [item("number", "errorCount", ">", 0), item("string", "level", "=", "ERROR")], {}, "a"),
        ("traces", [item("number", "errorCount", "=", 0), item("string", "environment", "=", "staging")], {}, "b"),
        ("traces", [item("number", "errorCount", ">", 0)], {"fromTimestamp": T100}, ""),
        ("traces", [item("number", "debugCount", "=", 1)], {"fromTimestamp": T100}, "b"),
        ("traces", [item("number", "totalTokens", "=", 0)], {"userId": "nobody"}, ""),
        ("traces", [item("number", "latency", "<", 1)], {"toTimestamp": "2030-01-01T00:00:00Z"}, "cb"),
        ("traces", [], {}, "cba"),
        (
            "v2/observations",
            [item("string", "output", "matches", "zebra"), item("string", "output", "contains", "zebra")],
            {},
            "",
        ),
    ],
)
def test_all_conditions_must_hold(reads, path, items, params, ids):
    assert found(reads, path, *items, **params) == ids


# (path, simple parameters that find nothing or other things, the filter on the same field, what is found)
PRECEDENCE = [
    ("traces", {"userId": "Bob"}, item("string", "userId", "=", "alice"), "a"),
    ("traces", {"name": "search"}, item("string", "traceName", "=", "chat"), "a"),
    ("traces", {"name": "search"}, item("string", "Name", "=", "chat"), "a"),
    ("traces", {"sessionId": "x"}, item("string", "sessionId", "=", "s/1"), "ba"),
    ("traces", {"version": "x"}, item("string", "version", "=", "v1"), "a"),
    ("traces", {"release": "x"}, item("string", "release", "=", "r2"), "b"),
    ("traces", {"environment": "x"}, item("string", "environment", "=", "prod"), "a"),
    ("traces", {"tags": "x"}, item("arrayOptions", "traceTags", "any of", ["a"]), "a"),
    ("traces", {"fromTimestamp": "2030-01-01T00:00:00Z"}, item("datetime", "timestamp", ">", T100), "c"),
    ("traces", {"userId": "Bob"}, item("string", "name", "=", "chat"), ""),
    ("traces", {"userId": "alice", "release": "r2"}, item("string", "userId", "=", "Bob"), "b"),
    ("observations", {"name": "x"}, item("string", "name", "=", "llm"), "g"),
    ("observations", {"name": "llm"}, item("string", "traceName", "=", "search"), ""),
    ("observations", {"type": "SPAN"}, item("string", "type", "=", "TOOL"), "f"),
    ("observations", {"level": "ERROR"}, item("string", "level", "=", "DEBUG"), "e"),
    ("observations", {"userId": "alice"}, item("string", "userId", "=", "Bob"), "e"),
    ("observations", {"traceId": "a"}, item("string", "traceId", "=", "b"), "e"),
    ("observations", {"parentObservationId": "r"}, item("string", "parentObservationId", "=", "g"), "f"),
    ("observations", {"environment": "x"}, item("string", "environment", "=", "prod"), "r"),
    ("observations", {"version": "x"}, item("string", "version", "=", "v2"), "e"),
    ("observations", {"toStartTime": "2020-01-01T00:00:00Z"}, item("datetime", "startTime", ">=", T100), "e"),
    ("observations", {"traceId": "a"}, item("string", "level", "=", "DEBUG"), ""),
    ("v2/observations", {"sessionId": "x"}, item("string", "sessionId", "=", "s/1"), "r"),
    ("v2/observations", {"isRootObservation": "false"}, item("boolean", "isRootObservation", "=", True), "er"),
    ("v2/observations", {"parentObservationId": ""}, item("string", "parentObservationId", "=", "g"), "f"),
    ("v2/observations", {"userId": "alice"}, item("string", "type", "=", "TOOL"), ""),
]


@pytest.mark.parametrize(("path", "params", "condition", "ids"), PRECEDENCE)
def test_a_filter_replaces_the_parameter_of_its_field_and_no_other(reads, path, params, condition, ids):
    assert found(reads, path, condition, **params) == ids


# --- What is refused -----------------------------------------------------------------------------------------
ALL_TYPES: dict[str, dict[str, Any]] = {
    "datetime": item("datetime", "", ">", T100),
    "string": item("string", "", "=", "x"),
    "number": item("number", "", "=", 1),
    "stringOptions": item("stringOptions", "", "any of", ["x"]),
    "categoryOptions": item("categoryOptions", "", "any of", ["x"], "k"),
    "arrayOptions": item("arrayOptions", "", "any of", ["x"]),
    "stringObject": item("stringObject", "", "=", "x", "k"),
    "numberObject": item("numberObject", "", "=", 1, "k"),
    "booleanObject": item("booleanObject", "", "=", True, "k"),
    "boolean": item("boolean", "", "=", True),
    "null": item("null", "", "is null", ""),
}
FITTING = [
    ("traces", "name", "null, string, stringOptions"),
    ("traces", "level", "null, string, stringOptions"),
    ("traces", "totalTokens", "null, number"),
    ("traces", "timestamp", "datetime, null"),
    ("traces", "bookmarked", "boolean, string"),
    ("traces", "tags", "arrayOptions, null, stringOptions"),
    ("traces", "metadata", "stringObject"),
    ("traces", "scores_avg", "numberObject"),
    ("traces", "score_categories", "categoryOptions, stringOptions"),
    ("traces", "score_booleans", "booleanObject"),
    ("observations", "Start Time", "datetime, null"),
    ("v2/observations", "hasInput", "boolean, string"),
]
UNFITTING = [
    pytest.param(path, {**condition, "column": column}, fitting, id=f"{path}-{column}-{kind}")
    for path, column, fitting in FITTING
    for kind, condition in ALL_TYPES.items()
    if kind not in fitting.split(", ")
]


@pytest.mark.parametrize(("path", "condition", "fitting"), UNFITTING)
def test_a_type_that_does_not_fit_its_column(reads, path, condition, fitting):
    message = f"Filter type {condition['type']} does not fit column {condition['column']}. Use one of: {fitting}."
    assert reads.get(path, 400, filter=[condition]) == {"message": message, "error": "InvalidRequestError"}


TEXT_OPERATORS = "=, contains, does not contain, starts with, ends with"
TYPES = (
    "string, number, numberObject, datetime, stringOptions, categoryOptions, boolean, booleanObject, stringObject, "
    "arrayOptions, null"
)
OPTIONS, TEXT = "Invalid input: expected array of strings", "Invalid input: expected string"
NUMBER, BOOLEAN = "Invalid input: expected number", "Invalid input: expected boolean"
TOO_LARGE = "Invalid input: expected number within ±1e+18"
# (the condition, the field that is wrong, what is wrong)
MALFORMED = [
    (7, "", "Invalid input: expected object"),
    (None, "", "Invalid input: expected object"),
    ([], "", "Invalid input: expected object"),
    ({}, "type", f"Invalid filter type. Expected one of {TYPES}"),
    (item("wish", "name", "=", "x"), "type", f"Invalid filter type. Expected one of {TYPES}"),
    (item("String", "name", "=", "x"), "type", f"Invalid filter type. Expected one of {TYPES}"),
    ({"type": "string", "operator": "=", "value": "x"}, "column", TEXT),
    (item("string", 7, "=", "x"), "column", TEXT),
    (
        {"type": "string", "column": "name", "value": "x"},
        "operator",
        f"Invalid operator. Expected one of {TEXT_OPERATORS}",
    ),
    (item("string", "name", "like", "x"), "operator", f"Invalid operator. Expected one of {TEXT_OPERATORS}"),
    (item("string", "name", "matches", "x"), "operator", f"Invalid operator. Expected one of {TEXT_OPERATORS}"),
    (item("string", "name", "is set", "x"), "operator", f"Invalid operator. Expected one of {TEXT_OPERATORS}"),
    (item("string", "name", ["="], "x"), "operator", f"Invalid operator. Expected one of {TEXT_OPERATORS}"),
    (
        item("stringObject", "metadata", "matches", "x", "k"),
        "operator",
        f"Invalid operator. Expected one of {TEXT_OPERATORS}, is set, is not set",
    ),
    (item("number", "latency", "<>", 1), "operator", "Invalid operator. Expected one of =, >, <, >=, <="),
    (item("datetime", "timestamp", "=", T100), "operator", "Invalid operator. Expected one of >, <, >=, <="),
    (item("stringOptions", "name", "all of", ["x"]), "operator", "Invalid operator. Expected one of any of, none of"),
    (
        item("categoryOptions", "score_categories", "all of", ["x"], "k"),
        "operator",
        "Invalid operator. Expected one of any of, none of",
    ),
    (item("arrayOptions", "tags", "=", ["x"]), "operator", "Invalid operator. Expected one of any of, none of, all of"),
    (item("boolean", "bookmarked", ">", True), "operator", "Invalid operator. Expected one of =, <>"),
    (item("null", "name", "=", ""), "operator", "Invalid operator. Expected one of is null, is not null"),
    (item("stringObject", "metadata", "=", "x"), "key", TEXT),
    (item("numberObject", "scores_avg", "=", 1), "key", TEXT),
    (item("booleanObject", "score_booleans", "=", True), "key", TEXT),
    (item("categoryOptions", "score_categories", "any of", ["x"]), "key", TEXT),
    (item("string", "name", "=", 3), "value", TEXT),
    (item("string", "name", "=", None), "value", TEXT),
    (item("string", "name", "=", ["x"]), "value", TEXT),
    ({"type": "string", "column": "name", "operator": "="}, "value", TEXT),
    (item("stringObject", "metadata", "=", 3, "k"), "value", TEXT),
    (item("number", "latency", ">", "3"), "value", NUMBER),
    (item("number", "latency", ">", True), "value", NUMBER),
    (item("number", "latency", ">", None), "value", NUMBER),
    (item("number", "latency", ">", 1e40), "value", TOO_LARGE),
    (item("number", "latency", ">", -(10**19)), "value", TOO_LARGE),
    (item("numberObject", "scores_avg", ">", "3", "k"), "value", NUMBER),
    (item("datetime", "timestamp", ">", "yesterday"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", "2026-03-02"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", "2026-03-02T10:00:00"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", "2026-13-02T10:00:00Z"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", "0001-01-01T00:00:00+01:00"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", "9999-12-31T23:59:59-01:00"), "value", "Invalid ISO datetime"),
    (item("datetime", "timestamp", ">", 1772445600), "value", "Invalid ISO datetime"),
    (item("stringOptions", "name", "any of", "x"), "value", OPTIONS),
    (item("stringOptions", "name", "any of", [1]), "value", OPTIONS),
    (item("stringOptions", "name", "any of", []), "value", "Too small: expected array to have >=1 items"),
    (item("arrayOptions", "tags", "any of", "a"), "value", OPTIONS),
    (item("arrayOptions", "tags", "any of", None), "value", OPTIONS),
    (item("categoryOptions", "score_categories", "any of", "x", "k"), "value", OPTIONS),
    (item("boolean", "bookmarked", "=", "true"), "value", BOOLEAN),
    (item("boolean", "bookmarked", "=", 1), "value", BOOLEAN),
    (item("booleanObject", "score_booleans", "=", None, "ok"), "value", BOOLEAN),
    (item("null", "name", "is null", "x"), "value", 'Invalid input: expected ""'),
    (item("null", "name", "is null", 0), "value", 'Invalid input: expected ""'),
]


@pytest.mark.parametrize(("condition", "field", "message"), MALFORMED)
def test_a_condition_that_is_malformed(reads, condition, field, message):
    """The first one is fine, so that the path tells which is meant."""
    path = [1, field] if field else [1]
    assert reads.get("traces", 400, filter=[item("string", "name", "=", "x"), condition]) == {
        "message": "Invalid request data",
        "error": [{"code": "custom", "path": path, "message": message}],
    }


def test_every_malformed_condition_is_told(reads):
    bad = [item("string", "name", "=", 1), item("number", "latency", "=", "x")]
    assert [one["path"] for one in reads.get("traces", 400, filter=bad)["error"]] == [[0, "value"], [1, "value"]]


@pytest.mark.parametrize(
    ("path", "condition", "message"),
    [
        ("traces", item("string", "Nope", "=", "x"), "Column Nope does not match a UI / CH table mapping."),
        ("traces", item("string", "", "=", "x"), "Column  does not match a UI / CH table mapping."),
        ("traces", item("string", "startTime", "=", "x"), "Column startTime does not match a UI / CH table mapping."),
        ("traces", item("string", "user_id", "=", "x"), "Column user_id does not match a UI / CH table mapping."),
        ("traces", item("string", "input", "=", "x"), "Column input does not match a UI / CH table mapping."),
        ("observations", item("string", "input", "=", "x"), "Column input does not match a UI / CH table mapping."),
        ("observations", item("string", "release", "=", "x"), "Column release does not match a UI / CH table mapping."),
        (
            "v2/observations",
            item("numberObject", "scores_avg", "=", 1, "q"),
            "Column scores_avg does not match a UI / CH table mapping.",
        ),
        (
            "traces",
            item("string", "bookmarked", "contains", "true"),
            "Column bookmarked can only be compared with true and false, by = or <>.",
        ),
        (
            "traces",
            item("string", "bookmarked", "=", "yes"),
            "Column bookmarked can only be compared with true and false, by = or <>.",
        ),
        (
            "v2/observations",
            item("string", "input", "matches", "?! -"),
            "A text search needs at least one letter or digit.",
        ),
        (
            "v2/observations",
            item("string", "output", "matches", ""),
            "A text search needs at least one letter or digit.",
        ),
        (
            "v2/observations",
            item("stringObject", "metadata", "matches", "...", "k"),
            "A text search needs at least one letter or digit.",
        ),
        (
            "v2/observations",
            item("string", "name", "matches", "x"),
            "Operator matches is not supported on column name.",
        ),
        (
            "v2/observations",
            item("string", "input", "contains", "x"),
            'Filters on input and output need at least one with operator "=" or "matches".',
        ),
        (
            "v2/observations",
            item("string", "output", "starts with", "x"),
            'Filters on input and output need at least one with operator "=" or "matches".',
        ),
        (
            "v2/observations",
            item("null", "input", "is null", ""),
            "Filters on input and output must be of type string.",
        ),
        (
            "v2/observations",
            item("stringOptions", "output", "any of", ["x"]),
            "Filters on input and output must be of type string.",
        ),
    ],
)
def test_a_condition_that_cannot_be_answered(reads, path, condition, message):
    assert reads.get(path, 400, filter=[condition]) == {"message": message, "error": "InvalidRequestError"}


@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations", "v2/scores"])
@pytest.mark.parametrize("text", ["{", "[", "name=x", '[{"type":"string"', "[{'type': 'string'}]", "[" * 5000, "NaN"])
def test_a_filter_that_is_not_json(reads, path, text):
    assert reads.get(path, 400, filter=text) == {
        "message": "Invalid JSON in filter parameter",
        "error": "InvalidRequestError",
    }


@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations", "v2/scores"])
@pytest.mark.parametrize("text", ["{}", "null", "7", '"x"', "true"])
def test_a_filter_that_is_no_list(reads, path, text):
    assert reads.get(path, 400, filter=text) == {
        "message": "Invalid request data",
        "error": [{"code": "custom", "path": ["filter"], "message": "Invalid input: expected array"}],
    }


# --- Large ones ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations"])
def test_ten_thousand_values(reads, path):
    everything = TRACES if path == "traces" else OBSERVATIONS
    values = [f"nobody-{number:030d}" for number in range(10_000)]
    assert found(reads, path, item("stringOptions", "userId", "any of", values)) == ""
    assert found(reads, path, item("stringOptions", "userId", "none of", values)) == everything


@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations"])
def test_a_hundred_conditions(reads, path):
    conditions = [item("string", "name", "does not contain", f"no {number}") for number in range(100)]
    assert found(reads, path, *conditions) == (TRACES if path == "traces" else OBSERVATIONS)


def test_a_hundred_conditions_on_sums(reads):
    assert found(reads, "traces", *(item("number", "totalTokens", ">", number) for number in range(100))) == "a"


@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations", "v2/scores"])
def test_thousands_of_conditions_are_refused(reads, path):
    conditions = [item("string", "name", "=", "x")] * (filters.MOST_FILTERS + 1)
    assert reads.get(path, 400, filter=conditions) == {
        "message": "Invalid request data",
        "error": [{"code": "custom", "path": ["filter"], "message": "Too big: expected array to have <=200 items"}],
    }


@pytest.mark.parametrize("path", ["traces", "observations", "v2/observations"])
def test_a_value_of_megabytes(reads, path):
    assert found(reads, path, item("string", "name", "=", "x" * 8_000_000)) == ""


def test_labels_are_told_apart():
    """Two columns of one list that had the same label could not both be meant by it."""
    for columns in (traces.COLUMNS, observations.COLUMNS_V1, observations.COLUMNS_V2, scores.COLUMNS):
        labels = [filters.label_of(name) for name in columns]
        assert sorted(labels) == sorted(set(labels)), json.dumps(labels)
