from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from accounts.access import AccessLevel
from tracing.ingest import legacy
from tracing.ingest.merge import merge_observation, merge_traces
from tracing.ingest.model import Decoded, Envelope

RECEIVED = datetime(2026, 5, 1, tzinfo=UTC)
ENVELOPE = Envelope(
    project_id="p",
    kind="ingestion",
    received_at=RECEIVED,
    public_key="pk",
    sdk_name="python",
    sdk_version="2.60.0",
)


def time(second: float) -> datetime:
    return datetime(2026, 4, 30, 12, 0, int(second), round(second % 1 * 1_000_000), tzinfo=UTC)


def event(type_, body, second=0):
    return {"id": f"{type_}-{second}", "type": type_, "timestamp": time(second).isoformat(), "body": body}


def decode(*events) -> Decoded:
    """Through the door and the inbox, as in life."""
    receipt = legacy.receive({"batch": list(events)}, AccessLevel.PROJECT, "p")
    assert receipt.response["errors"] == []
    return legacy.decode_body(orjson.dumps(receipt.accepted), ENVELOPE)


def trace_of(*events):
    return merge_traces({}, decode(*events).trace_updates, RECEIVED)[-1]


def observation_of(*events):
    return merge_observation(None, decode(*events).patches)[-1]


def test_trace_is_taken_over_whole():
    body = {
        "id": "t",
        "timestamp": time(1).isoformat(),
        "name": "chat",
        "userId": "u",
        "sessionId": "s",
        "input": {"q": "why?"},
        "output": "42",
        "metadata": {"a": "b", "n": {"deep": [1, 2]}},
        "tags": ["z", "a", "a"],
        "release": "r",
        "version": "v",
        "public": True,
        "environment": "Staging",
    }
    trace = trace_of(event("trace-create", body, 3))
    assert (trace.id, trace.timestamp, trace.name, trace.user_id, trace.session_id) == ("t", time(1), "chat", "u", "s")
    assert (trace.input, trace.input_preview, trace.output) == ('{"q":"why?"}', '{"q":"why?"}', "42")
    assert (trace.tags, trace.metadata) == (["a", "z"], {"a": "b", "n.deep": "[1,2]"})
    assert (trace.release, trace.version, trace.public, trace.environment) == ("r", "v", True, "staging")


def test_later_trace_event_wins_and_resets_public():
    trace = trace_of(
        event("trace-create", {"id": "t", "name": "newest", "tags": ["two"], "metadata": {"y": 2}}, 30),
        event("trace-create", {"id": "t", "name": "first", "tags": ["one"], "public": True, "metadata": {"x": 1}}, 20),
        event("trace-create", {"id": "t", "name": "oldest", "sessionId": "s", "metadata": {"z": 3}}, 5),
    )
    assert (trace.timestamp, trace.name, trace.session_id, trace.public) == (time(5), "newest", "s", False)
    assert (trace.tags, trace.metadata) == (["one", "two"], {"x": "1", "y": "2", "z": "3"})


def test_nulls_in_a_trace_event():
    sent = {"id": "t", "name": "n", "userId": "u", "input": "i", "metadata": {"k": "v"}, "tags": ["a"]}
    nulls = dict.fromkeys(("name", "userId", "input", "metadata", "tags", "timestamp", "environment"))
    trace = trace_of(event("trace-create", sent, 1), event("trace-create", {"id": "t"} | nulls, 2))
    assert (trace.name, trace.user_id) == ("", "")
    assert (trace.input, trace.metadata, trace.tags) == ("i", {"k": "v"}, ["a"])


def test_trace_without_id_gets_the_same_one_at_each_delivery():
    once, twice = (decode(event("trace-create", {"name": "n"})).trace_updates[0].trace_id for _ in range(2))
    assert once == twice != ""


def test_observation_without_trace_and_its_update_meet():
    decoded = decode(event("span-create", {"id": "o"}, 1), event("span-update", {"id": "o"}, 2))
    create, update = decoded.patches
    assert create.trace_id == update.trace_id != ""
    assert (create.is_trace_guessed, update.is_trace_guessed, decoded.trace_updates) == (True, True, [])


def test_observation_alone_makes_its_trace():
    (update,) = decode(
        event("span-create", {"id": "o", "traceId": "t", "startTime": time(4).isoformat()}, 5)
    ).trace_updates
    assert (update.trace_id, update.timestamp, update.fields) == ("t", time(4), {"environment": "default"})


def test_generation_is_taken_over_whole():
    body = {
        "id": "g",
        "traceId": "t",
        "parentObservationId": "s",
        "name": "answer",
        "startTime": "2026-04-30T14:00:01.200+02:00",
        "completionStartTime": time(1.5).isoformat(),
        "endTime": time(2.2).isoformat(),
        "model": "gpt-4o",
        "modelParameters": {"temperature": 0.2, "stop": ["a"]},
        "input": [{"role": "user", "content": "hi"}],
        "output": {"role": "assistant", "content": "hello"},
        "usage": {"promptTokens": 100, "completionTokens": 50, "totalTokens": 150},
        "costDetails": {"input": 0.1},
        "promptName": "greeting",
        "promptVersion": 3,
        "level": "WARNING",
        "statusMessage": "slow",
        "version": "v",
        "metadata": "text",
    }
    row = observation_of(event("generation-create", body, 3))
    assert (row.id, row.trace_id, row.parent_id, row.type, row.name) == ("g", "t", "s", "GENERATION", "answer")
    assert (row.start_time, row.completion_start_time, row.end_time) == (time(1.2), time(1.5), time(2.2))
    assert (row.latency_us, row.time_to_first_token_us, row.is_root) == (1_000_000, 300_000, False)
    assert (row.model, row.model_parameters) == ("gpt-4o", '{"temperature":0.2,"stop":["a"]}')
    assert row.provided_usage == {"input": 100, "output": 50, "total": 150}
    assert row.provided_cost == {"input": Decimal("0.1")}
    assert (row.prompt_name, row.prompt_version) == ("greeting", 3)
    assert (row.level, row.status_message, row.version, row.metadata) == ("WARNING", "slow", "v", {"metadata": "text"})
    assert (row.source, row.sdk_name, row.sdk_version, row.public_key) == ("ingestion", "python", "2.60.0", "pk")
    assert row.created_at == RECEIVED


@pytest.mark.parametrize(
    ("usage", "stored"),
    [
        ({"input": 7, "output": 3, "unit": "CHARACTERS"}, {"input": 7, "output": 3, "total": 10}),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, {}),
    ],
)
def test_older_usage(usage, stored):
    assert observation_of(event("generation-create", {"id": "g", "usage": usage})).provided_usage == stored


def test_nulls_in_an_update():
    create = {"id": "o", "name": "n", "input": "i", "output": "o", "level": "ERROR", "statusMessage": "m", "model": "x"}
    nulls = dict.fromkeys(key for key in create if key != "id") | {"metadata": None, "endTime": None}
    row = observation_of(event("generation-create", create, 1), event("generation-update", {"id": "o"} | nulls, 2))
    assert (row.name, row.level, row.model) == ("", "DEFAULT", "")
    assert (row.input, row.output, row.status_message) == ("i", "o", "m")


@pytest.mark.parametrize(
    ("type_", "stored"),
    [
        *((f"{kind}-create", kind.upper()) for kind in ("span", "event", "agent", "tool", "chain", "retriever")),
        *((f"{kind}-create", kind.upper()) for kind in ("evaluator", "embedding", "guardrail", "generation")),
        *((f"{kind}-update", kind.upper()) for kind in ("span", "generation")),
    ],
)
def test_event_type_says_the_observations_type(type_, stored):
    assert observation_of(event(type_, {"id": "o"})).type == stored


@pytest.mark.parametrize("type_", ["observation-create", "observation-update"])
def test_oldest_events_say_the_type_in_the_body(type_):
    assert observation_of(event(type_, {"id": "o", "type": "EVENT"})).type == "EVENT"


def test_score_event_takes_the_time_of_the_event():
    (score,) = decode(event("score-create", {"traceId": "t", "name": "n", "value": 0.5}, 7)).scores
    assert (score.timestamp, score.created_at, score.value, score.trace_id) == (time(7), RECEIVED, 0.5, "t")


def test_event_that_cannot_be_decoded_is_set_aside_alone():
    good = event("trace-create", {"id": "t"})
    decoded = legacy.decode([good | {"body": None}, good], replace(ENVELOPE))
    assert [item.item_id for item in decoded.set_aside] == ["trace-create-0"]
    assert len(decoded.trace_updates) == 1


@pytest.mark.parametrize("text", ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00"])
def test_times_out_of_bounds_are_moved_into_them(text):
    timestamp = trace_of(event("trace-create", {"id": "t", "timestamp": text})).timestamp
    assert 1900 <= timestamp.year <= 2299
