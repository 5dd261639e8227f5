"""Queries that pages ask in some of their states only, asked by themselves over the demo's traces, for
`test_same_answers`: people's talks, exports of a trace, what judges and queues look for."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from evals.actions import queue_bulk
from evals.judging import matching, scoring, targets
from evals.models import QueueItem, TargetKind
from evals.queries import queue_objects
from tests.stores.doris.demo_twice import UNTIL, demo, kept, own_inbox, pytestmark  # noqa: F401 - fixtures, marks
from tracing.ingest import drain
from tracing.queries import beside, comments, environments, liveness, observations, people, said, trace_export
from tracing.queries.periods import Period
from tracing.queries.selection import RowId

NAMED = [{"type": "string", "column": "name", "operator": "contains", "value": "a"}]


def test_talks(demo):  # noqa: F811
    for trace in [one for one in demo.traces() if one.session_id][-16:]:
        place = people.find_turn(demo.scope, trace.session_id, trace.id)
        assert place
        people.count_turns(demo.scope, trace.session_id, place)
        assert people.has_session(demo.scope, trace.session_id)
        people.list_turns(demo.scope, trace.session_id, before=place, find="e")
        people.read_turns(demo.scope, trace.session_id, with_step_content=True)
        for turn in people.every_turn(demo.scope, trace.session_id):
            people._whole(demo.scope, turn)


def test_users(demo):  # noqa: F811
    for user_id in sorted({one.user_id for one in demo.traces() if one.user_id})[:8]:
        people.list_user_scores(demo.scope, user_id, period=Period.named("all"))


def test_a_trace_as_a_file(demo):  # noqa: F811
    for trace in demo.traces()[-8:]:
        names = {one.name for one in trace_export.each_observation(demo.scope, trace)}
        list(trace_export.each_score(demo.scope, trace.id))
        beside.list_tool_spans(demo.scope, trace, names)
        assert comments.is_there(demo.scope, "TRACE", trace.id)
    assert observations.get_observation(demo.scope, demo.observations()[0].id)


def test_the_project(demo):  # noqa: F811
    said.list_tags(demo.scope)
    assert environments.list_environments(demo.scope)
    assert liveness._has_events(demo.scope, UNTIL - timedelta(hours=1), UNTIL)
    assert not comments.is_there(demo.scope, "OBSERVATION", "nobody's")


@pytest.mark.parametrize("kind", TargetKind.values)
@pytest.mark.parametrize("filter", [[], NAMED])
def test_judges(demo, kind, filter):  # noqa: F811
    if kind == TargetKind.EXPERIMENT:
        filter = []
    stored = matching.Stored(
        kind, tuple(targets.conditions_of(kind, filter)), UNTIL - timedelta(days=30), UNTIL + timedelta(minutes=1)
    )
    assert stored.count(demo.scope) or kind == TargetKind.EXPERIMENT
    found = stored.after(demo.scope, [], 20)
    if found:
        stored.after(demo.scope, stored.key_of(found[-1]), 20)
    for target in found[:5]:
        targets.load(demo.scope, target)
    targets.recent(demo.scope, kind, filter=filter, limit=10)
    if kind in (TargetKind.TRACE, TargetKind.SESSION) and found:
        ids = [target.session_id or target.trace_id for target in found]
        assert targets.still_there(demo.scope, kind, ids, stored.items)
    if kind == TargetKind.OBSERVATION:
        assert matching.observations_by_id(demo.scope, [(one.trace_id, one.observation_id) for one in found])


def test_queues(demo):  # noqa: F811
    traces = demo.traces()[-16:]
    spans = demo.observations()[:10]
    items = [QueueItem(object_type="TRACE", object_id=one.id) for one in traces]
    items += [QueueItem(object_type="SESSION", object_id=one.session_id) for one in traces]
    items += [QueueItem(object_type="OBSERVATION", object_id=one.id, trace_id=one.trace_id) for one in spans]
    assert queue_objects.facts_of(demo.scope, items)
    assert queue_objects.find_trace_of(demo.scope, spans[0].id)
    assert queue_bulk._sessions_of(demo.scope, [RowId(one.id, one.id) for one in traces])


def test_what_older_clients_tell_later(demo):  # noqa: F811
    """Of a generation that is stored, without the name of its trace."""
    told = {"generation-create": {"traceId": "later", "name": "asked"}, "generation-update": {"output": "answered"}}
    for kind, fields in told.items():
        body = {"id": "g", "startTime": UNTIL.isoformat(), **fields}
        event = {"id": kind, "type": kind, "timestamp": UNTIL.isoformat(), "body": body}
        assert demo.post("/api/public/ingestion", {"batch": [event]}).status_code == 207
        drain.drain()
    assert [one.output for one in demo.observations() if one.id == "g"] == ["answered"]


def test_what_a_judge_said_before_goes(demo):  # noqa: F811
    judgement = SimpleNamespace(score_id="score 3", evaluator_id="nobody's")
    before = len(demo.scores())
    scoring._remove_rest(demo.scope, judgement, 0)
    assert len(demo.scores()) == before - 1
