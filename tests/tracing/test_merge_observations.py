import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tracing.analytics.records import Observation
from tracing.ingest.merge import merge_observation, observation_update
from tracing.ingest.model import ObservationPatch

T0 = datetime(2026, 4, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def event(seconds: float, *, is_update: bool = False, type_: str = "SPAN", metadata=None, **fields) -> ObservationPatch:
    return ObservationPatch(
        project_id="p",
        trace_id="t",
        id="o",
        type=type_,
        at=at(seconds),
        is_update=is_update,
        fields=fields,
        metadata=metadata or {},
    )


def change(seconds: float, **rest) -> ObservationPatch:
    return event(seconds, is_update=True, **rest)


def merged(*patches: ObservationPatch, stored: Observation | None = None) -> Observation:
    return merge_observation(stored, patches)[-1]


def one_by_one(*patches: ObservationPatch) -> Observation:
    stored = None
    for patch in patches:
        stored = merged(patch, stored=stored)
    return stored


def same(left: Observation, right: Observation) -> bool:
    # Which write made a row is no part of what it says.
    return replace(left, row_version=0, created_at=T0) == replace(right, row_version=0, created_at=T0)


def test_create_and_update_become_one_record():
    row = merged(
        change(3, end_time=at(3), output="out", metadata={"b": "2"}),
        event(1, start_time=at(1), name="step", input="in", metadata={"a": "1"}),
    )
    assert (row.name, row.input, row.output, row.metadata) == ("step", "in", "out", {"a": "1", "b": "2"})
    assert (row.start_time, row.end_time, row.latency_us) == (at(1), at(3), 2_000_000)
    assert (row.input_preview, row.output_preview, row.is_root) == ("in", "out", True)


def test_create_comes_before_an_update_of_the_same_time():
    assert merged(change(1, name="later"), event(1, name="first")).name == "later"


def test_missing_start_is_the_time_of_the_event():
    assert merged(event(4)).start_time == at(4)


def test_end_is_not_before_the_start():
    row = merged(event(5, start_time=at(5), end_time=at(4)))
    assert (row.end_time, row.latency_us) == (at(5), 0)


def test_first_token_is_measured_from_the_start():
    assert merged(event(1, completion_start_time=at(1.25))).time_to_first_token_us == 250_000


def test_start_environment_and_creation_never_change():
    first = event(1, start_time=at(1), environment="dev", created_at=at(10))
    row = one_by_one(first, change(2, start_time=at(0), environment="prod", created_at=at(20)))
    assert (row.start_time, row.environment, row.created_at) == (at(1), "dev", at(10))


def test_later_metadata_wins_by_key():
    assert one_by_one(event(1, metadata={"a": "1", "b": "1"}), change(2, metadata={"b": "2"})).metadata == {
        "a": "1",
        "b": "2",
    }


def test_maps_are_replaced_as_a_whole():
    row = one_by_one(
        event(1, provided_usage={"input": 1, "output": 2}, provided_cost={"total": Decimal(1)}),
        change(2, provided_usage={"total": 5}),
        change(3, name="x"),
    )
    assert (row.provided_usage, row.provided_cost) == ({"total": 5}, {"total": Decimal(1)})


def test_type_is_that_of_the_first_event():
    assert one_by_one(event(1, type_="GENERATION"), change(2, type_="SPAN")).type == "GENERATION"


def test_null_empties_the_name():
    assert one_by_one(event(1, name="a"), change(2, name="")).name == ""


def test_update_of_an_unknown_observation_makes_it():
    assert merged(change(2, type_="GENERATION", output="x")).type == "GENERATION"


def test_late_create_fills_and_moves_the_row():
    update = change(9, end_time=at(9), output="late", metadata={"b": "u"})
    create = event(1, type_="AGENT", start_time=at(1), name="n", output="early", metadata={"a": "c", "b": "c"})
    stored = merged(update)
    tombstone, row = merge_observation(stored, [create])
    assert (tombstone.is_deleted, tombstone.start_time) == (True, at(9))
    assert min(tombstone.row_version, row.row_version) > stored.row_version
    assert same(row, merged(create, update))


def test_late_update_fills_what_is_empty():
    row = one_by_one(event(1, name="a"), change(3, output="x"), change(2, output="early", status_message="said"))
    assert (row.output, row.status_message) == ("x", "said")


EVENTS = (
    event(1, type_="GENERATION", start_time=at(1), name="n", input="i", parent_id="up", environment="dev"),
    change(2, type_="GENERATION", provided_usage={"input": 1}, model="m"),
    change(3, type_="GENERATION", end_time=at(3), output="o", level="ERROR", metadata={"k": "v"}),
)


@pytest.mark.parametrize("order", list(itertools.permutations(EVENTS)))
def test_order_of_arrival_makes_no_difference_where_no_field_is_sent_twice(order):
    assert same(one_by_one(*order), merged(*EVENTS))


@pytest.mark.parametrize("again", EVENTS)
def test_event_delivered_again_changes_nothing(again):
    stored = merged(*EVENTS)
    assert merge_observation(stored, [again]) == [stored]
    assert merge_observation(stored, [*EVENTS, again]) == [stored]


def test_what_was_computed_is_computed_again_after_a_change():
    stored = replace(merged(event(1)), usage={"total": 1}, total_tokens=1, total_cost=Decimal(1), model_id="m")
    row = merged(change(2, provided_usage={"total": 2}), stored=stored)
    assert (row.usage, row.total_tokens, row.total_cost, row.model_id) == ({}, 0, 0, "")


def test_tools_are_found_in_whatever_input_and_output_it_has_at_last():
    offered = {"messages": [], "tools": [{"type": "function", "function": {"name": "search", "description": "d"}}]}
    called = {"tool_calls": [{"id": "1", "function": {"name": "search", "arguments": "{}"}}] * 2}
    create, update = event(1, input=json.dumps(offered)), change(2, output=json.dumps(called))
    for row in (one_by_one(create, update), one_by_one(update, create)):
        assert json.loads(row.tool_definitions["search"])["description"] == "d"
        assert [call["id"] for call in json.loads(row.tool_calls)] == ["1"]
        assert row.called_tool_names == ["search"]
    row = one_by_one(create, update, change(3, output="done"))
    assert (row.tool_calls, row.called_tool_names) == ("", [])


def test_root_tells_its_trace_what_to_show():
    update = observation_update(merged(event(1, start_time=at(1), input="in")))
    assert (update.start, update.fields["root_id"], update.fields["input_preview"]) == (at(1), "o", "in")
    assert observation_update(merged(event(1, parent_id="up"))).fields == {"environment": "default"}
