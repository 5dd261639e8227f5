"""The demo data set: the same every time, complete, spread out, in every wire format."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta

import jsonschema
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from evals.models.experiments import experiment_id_of
from tracing.demo import DAYS, drafts, evaluation, odd, wire
from tracing.demo.draft import JSON, LEGACY, PROTOBUF
from tracing.demo.pictures import parcel_photo

UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made():
    return list(drafts(400, seed=7, until=UNTIL))


def _bytes(found):
    return b"".join(wire.legacy([draft]) + wire.protobuf((draft, step) for step in draft.steps) for draft in found)


def test_the_same_seed_gives_the_same_bytes():
    first, second = (_bytes(drafts(60, seed=3, until=UNTIL)) for _ in range(2))
    assert first == second
    assert first != _bytes(drafts(60, seed=4, until=UNTIL))


def test_as_many_traces_as_asked_for_and_no_id_twice(made):
    assert len(made) == 400
    assert len({draft.id for draft in made}) == 400
    observations = [(draft.id, step.id) for draft in made for step in draft.steps]
    assert len(set(observations)) == len(observations)


def test_another_day_tells_the_same_story_under_other_ids():
    first, second = (list(drafts(120, seed=7, until=UNTIL + timedelta(days=days))) for days in (0, 1))
    told = [
        [[(step.name, step.input, step.output) for step in draft.steps] for draft in made] for made in (first, second)
    ]
    assert told[0] == told[1]
    assert {draft.environment for draft in first} == {"production", "staging"}
    assert not {draft.id for draft in first} & {draft.id for draft in second}


@pytest.mark.parametrize("count", [1, 2, 25])
def test_few_traces_are_possible(count):
    assert len(list(drafts(count, seed=1, until=UNTIL))) == count


def test_traces_lie_in_the_last_fortnight(made):
    starts = [datetime.fromtimestamp(draft.start / 1e6, UTC) for draft in made]
    assert max(starts) <= UNTIL
    assert min(starts) >= UNTIL - timedelta(days=DAYS + 1)
    assert len({start.date() for start in starts}) >= DAYS


def test_the_data_set_has_everything_a_page_can_show(made):
    steps = [step for draft in made for step in draft.steps]
    scores = [judgement.kind for draft in made for judgement in draft.judgements]
    assert {draft.wire for draft in made} == {PROTOBUF, JSON, LEGACY}
    assert {step.kind for step in steps} >= {
        "span",
        "generation",
        "event",
        "agent",
        "tool",
        "chain",
        "retriever",
        "embedding",
        "guardrail",
    }
    assert {step.level for step in steps} == {"DEFAULT", "WARNING", "ERROR"}
    assert set(scores) == {"NUMERIC", "CATEGORICAL", "BOOLEAN"}
    assert any("input_cached_tokens" in step.usage for step in steps)
    assert any("output_reasoning_tokens" in step.usage for step in steps)
    assert any("data:image/png;base64," in str(step.input) for step in steps)
    assert any("退货" in str(step.input) for step in steps)
    assert max(len(draft.steps) for draft in made) == odd.BIG_TRACE_STEPS
    assert max(len(draft.name) for draft in made) > 200


def test_one_span_is_an_orphan(made):
    parents = {draft.id: {step.id for step in draft.steps} for draft in made}
    assert [
        draft for draft in made if any(step.parent and step.parent not in parents[draft.id] for step in draft.steps)
    ]


def test_sessions_hold_several_turns_of_one_customer(made):
    turns = {}
    for draft in made:
        if draft.session.startswith("chat-"):
            turns.setdefault(draft.session, set()).add(draft.user)
    assert all(len(users) == 1 for users in turns.values())
    assert len(turns) < sum(draft.session.startswith("chat-") for draft in made)


def test_parents_outlast_their_children(made):
    for draft in made:
        by_id = {step.id: step for step in draft.steps}
        assert all(by_id[step.parent].end >= step.end for step in draft.steps if step.parent in by_id)
        assert all(by_id[step.parent].start <= step.start for step in draft.steps if step.parent in by_id)


def test_protobuf_and_json_say_the_same(made):
    draft = made[0]
    pairs = [(draft, step) for step in draft.steps]
    binary = ExportTraceServiceRequest.FromString(wire.protobuf(pairs)).resource_spans[0].scope_spans[0].spans
    text = orjson.loads(wire.otlp_json(pairs))["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert [span.span_id.hex() for span in binary] == [span["spanId"] for span in text]
    assert [span.start_time_unix_nano for span in binary] == [int(span["startTimeUnixNano"]) for span in text]
    assert [len(span.attributes) for span in binary] == [len(span["attributes"]) for span in text]


def test_pictures_are_pngs():
    data = base64.b64decode(parcel_photo(0).partition(",")[2])
    assert data.startswith(b"\x89PNG")
    assert parcel_photo(0) != parcel_photo(1)


def test_many_traces_come_one_by_one():
    endless = drafts(10**9, seed=1, until=UNTIL)
    assert len(list(itertools.islice(endless, 50))) == 50


def test_experiments_are_the_same_every_time_and_the_second_one_is_better():
    first, second = (list(evaluation.runs("project", "dataset", until=UNTIL)) for _ in range(2))
    assert [_bytes(run.drafts) for run in first] == [_bytes(run.drafts) for run in second]
    later = evaluation.runs("project", "dataset", until=UNTIL + timedelta(days=1))
    ids = [[[draft.id for draft in run.drafts] for run in runs] for runs in (first, later)]
    assert ids[0] == ids[1]  # or there would be repetitions that nobody asked for
    assert [run.id for run in first] == [experiment_id_of("project", "dataset", run.trial.name) for run in first]
    before, after = first
    assert after.score["value"] > before.score["value"]
    items = {item.id for item in evaluation.items()}
    assert len(items) == len(evaluation.items()) == len(before.drafts)
    assert len(after.drafts) == 2 * len(items)
    assert {draft.attributes["langfuse.experiment.item.id"] for draft in after.drafts} == items
    assert len({draft.id for run in first for draft in run.drafts}) == 3 * len(items)
    steps = [step for draft in after.drafts for step in draft.steps]
    assert {step.level for step in steps} == {"DEFAULT", "ERROR"}


def test_items_of_the_dataset_fit_its_schema():
    schema = evaluation.dataset()["inputSchema"]
    for item in evaluation.items():
        jsonschema.validate(evaluation.item_body(item)["input"], schema)
        assert "{" not in item.question + item.expected
