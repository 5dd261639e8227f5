"""What went into the runs of items and came out, with their scores: for few of them, as all texts are read whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.access import ProjectScope
from evals.models import ExperimentItem
from evals.queries.experiment_spans import Key, Place, Ran, places_of, read_roots
from evals.queries.item_versions import Said, said_when_run
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.analytics.tables import observations, scores, traces
from tracing.queries.parallel import together

o, s, t = observations.c, scores.c, traces.c
_SCORED_BEFORE = timedelta(days=1)


@dataclass(slots=True)
class Traced:
    """What the trace of a run tells; texts are as they were sent, None where there is none."""

    root_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    level: str = ""
    environment: str = ""
    input: str | None = None
    output: str | None = None
    expected_output: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    item_metadata: dict[str, str] = field(default_factory=dict)
    scores: list[Score] = field(default_factory=list)


def ran(item: ExperimentItem) -> Ran:
    near = item.started_at or item.created_at
    return Ran(item.item_id, item.trace_id, item.observation_id, item.started_at, item.ended_at, near)


def traced(
    scope: ProjectScope, items: Sequence[ExperimentItem], *, with_io: bool, with_metadata: bool, scores: int
) -> dict[int, Traced]:
    """By number of the row. `scores`: at most so many of each."""
    runs = [ran(item) for item in items]
    places = places_of(scope, runs)
    found, given = together(
        lambda: _roots(scope, places, with_io=with_io, with_metadata=with_metadata),
        lambda: _scores(scope, runs) if scores else {},
    )
    said = said_when_run(scope, [item.pk for item in items]) if with_io else {}
    told = _io_of_traces(scope, places, found) if with_io else {}
    result: dict[int, Traced] = {}
    for item in items:
        key = (item.trace_id, item.observation_id)
        one = Traced()
        if (place := places.get(key)) is not None:
            one.root_id = place.root_id
        if (row := found.get(key)) is not None:
            _fill(one, row)
        if with_io:
            _complete(one, item, told.get(item.trace_id, ("", "")), said.get(item.pk))
        one.scores = _of_run(given.get(item.trace_id, []), item, items)[:scores]
        result[item.pk] = one
    return result


def _roots(scope: ProjectScope, places: dict[Key, Place], *, with_io: bool, with_metadata: bool) -> dict[Key, Any]:
    columns: list[Any] = [o.start_time, o.end_time, o.level, o.environment]
    if with_io:
        columns += [o.input, o.output, o.experiment_item_expected_output.label("expected_output")]
    if with_metadata:
        columns += [o.metadata, o.experiment_item_metadata.label("item_metadata")]
    return read_roots(scope, places, *columns, tag="experiment-items")


def _fill(one: Traced, row: Any) -> None:
    one.started_at, one.ended_at, one.level, one.environment = row.start_time, row.end_time, row.level, row.environment
    for name in ("input", "output", "expected_output"):
        setattr(one, name, getattr(row, name, "") or None)
    one.metadata, one.item_metadata = getattr(row, "metadata", {}), getattr(row, "item_metadata", {})


def _complete(one: Traced, item: ExperimentItem, of_trace: tuple[str, str], said: Said | None) -> None:
    """Where a whole trace was linked, it is the trace that tells; a task that failed may not have told its input."""
    given = (one.input or "", one.output or "")
    first, second = (given, of_trace) if item.observation_id else (of_trace, given)
    one.input = first[0] or second[0] or (said.input if said else "") or None
    one.output = first[1] or second[1] or None
    one.expected_output = one.expected_output or (said.expected if said else "") or None


def _io_of_traces(scope: ProjectScope, places: dict[Key, Place], found: dict[Key, Any]) -> dict[str, tuple[str, str]]:
    """Of those that were linked as a whole, and where the root says nothing: older clients tell it with the trace."""
    silent = sorted({key[0] for key in places if not key[1] or not getattr(found.get(key), "output", "")})
    if not silent:
        return {}
    query = store.select(scope, traces, t.id, t.input, t.output).where(t.id.in_(silent))
    return {row.id: (row.input, row.output) for row in store.rows(scope, query, tag="experiment-trace-io")}


def _scores(scope: ProjectScope, runs: Sequence[Ran]) -> dict[str, list[Score]]:
    if not runs:
        return {}
    earliest = min(run.near for run in runs) - _SCORED_BEFORE
    ids = sorted({run.trace_id for run in runs})
    query = store.select(scope, scores).where(s.trace_id.in_(ids), s.timestamp >= earliest)
    found: dict[str, list[Score]] = {}
    for score in store.records(scope, Score, query.order_by(s.timestamp.desc(), s.id), tag="experiment-item-scores"):
        found.setdefault(score.trace_id, []).append(score)
    return found


def _of_run(given: Sequence[Score], item: ExperimentItem, items: Sequence[ExperimentItem]) -> list[Score]:
    """All of the trace, unless others of these runs share it."""
    roots = {one.observation_id for one in items if one.trace_id == item.trace_id}
    if len(roots) < 2:
        return list(given)
    return [score for score in given if score.observation_id == item.observation_id]


def scores_of_runs(scope: ProjectScope, experiment_ids: Sequence[str], most: int) -> dict[str, list[Score]]:
    """Of whole runs, newest first, at most so many of each."""
    if not experiment_ids or not most:
        return {}
    query = store.select(scope, scores).where(s.dataset_run_id.in_(list(experiment_ids)))
    found: dict[str, list[Score]] = {}
    for score in store.records(scope, Score, query.order_by(s.timestamp.desc(), s.id), tag="experiment-scores"):
        those = found.setdefault(score.dataset_run_id, [])
        if len(those) < most:
            those.append(score)
    return found
