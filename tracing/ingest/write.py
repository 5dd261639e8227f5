"""From decoded payloads to rows: merge with what is stored, enrich, insert. Idempotent as a whole."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TypeVar

import redis
from django.conf import settings
from redis.exceptions import LockError, LockNotOwnedError
from sqlalchemy import ColumnElement, and_, false

from accounts.access import ProjectScope, scope_for_task
from config.errors import Unavailable
from tracing.analytics import store, tables
from tracing.analytics.records import NEVER, Observation, Score, Trace
from tracing.ingest import arrivals, doorbell, enrich, media, merge, moves
from tracing.ingest.clock import microseconds
from tracing.ingest.inbox import Payload
from tracing.ingest.model import Decoded, ObservationPatch, TraceUpdate

T = TypeVar("T")

#: The lock is renewed while it is held, so it can be short: a killed worker blocks the others for no longer than this.
_LOCK_SECONDS = 8
_MAX_WAIT_SECONDS = 60
#: for how long somebody in front of a page waits
_PATIENCE_SECONDS = 10
_RETRY_SECONDS = 0.02
#: ids in one IN list: keeps the query text and its parsing small
_IDS_PER_QUERY = 2000


#: a payload that cannot be stored, and why
Broken = tuple[Payload, str]


@dataclass(slots=True)
class Batch:
    """Payloads that are written together, and those that cannot be."""

    parts: list[tuple[Payload, Decoded]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    failure: str = ""
    shares: dict[str, _Project] = field(default_factory=dict)

    def add(self, payload: Payload, decoded: Decoded) -> None:
        self.parts.append((payload, decoded))

    def halves(self) -> tuple[Batch, Batch]:
        """To find what is at fault; this batch gives up what it has prepared."""
        self.shares = {}
        middle = len(self.parts) // 2
        return Batch(self.parts[:middle]), Batch(self.parts[middle:])


@dataclass(slots=True)
class _Project:
    """One project's share of a batch."""

    observations: dict[tuple[str, str], Observation] = field(default_factory=dict)
    patches: dict[tuple[str, str], list[ObservationPatch]] = field(default_factory=lambda: defaultdict(list))
    updates: list[TraceUpdate] = field(default_factory=list)
    scores: dict[str, list[Score]] = field(default_factory=lambda: defaultdict(list))
    #: the observations, enriched, as bytes; None where events must be merged into them first
    ready: store.Encoded | None = None


def prepare(batch: Batch) -> None:
    """All of writing that needs nothing from the store, so that it can be done while the batch before is inserted."""
    batch.shares = _by_project(batch)
    for project_id, share in batch.shares.items():
        media.lift_updates(project_id, share.updates)
        if not share.patches:
            rows = list(share.observations.values())
            enrich.enrich(project_id, rows)
            share.ready = store.encoded(rows)


def write(batch: Batch) -> None:
    """Store a batch. Raises Unavailable when a store is away; then nothing, or the same rows, may have been written."""
    if not batch.shares:
        prepare(batch)
    for project_id, share in batch.shares.items():
        with project_lock(project_id):
            _write_project(scope_for_task(project_id), share)


def change_traces(
    scope: ProjectScope, ids: Collection[str], change: Callable[[Trace], TraceUpdate | None]
) -> list[Trace]:
    """What a person changes about traces, merged like what arrives of them and under the same lock.

    `change` is asked about each trace there is, and says None where there is nothing to do. Returns the traces that
    there are, as they were before. Raises Unavailable when a store is away or workers do not give up the lock.
    """
    with project_lock(scope.project_id, is_person=True):
        stored, left = _stored_traces(scope, set(ids))
        updates = [update for trace in stored.values() if (update := change(trace)) is not None]
        traces = merge.merge_traces(stored, updates, datetime.now(UTC))
        if traces:
            store.insert(traces=traces + left)
    return list(stored.values())


def put_scores(scope: ProjectScope, scores: Iterable[Score]) -> None:
    """Scores that people give, merged like those that arrive: an id that is known changes that score.

    Raises Unavailable when a store is away or workers do not give up the lock.
    """
    share = _Project()
    for score in scores:
        share.scores[score.id].append(score)
    with project_lock(scope.project_id, is_person=True):
        rows = _merged_scores(scope, share)
        if rows:
            store.insert(scores=rows)


def _by_project(batch: Batch) -> dict[str, _Project]:
    projects: dict[str, _Project] = defaultdict(_Project)
    for payload, decoded in batch.parts:
        share = projects[payload.envelope.project_id]
        version = microseconds(payload.envelope.received_at)
        for observation in decoded.observations:
            observation.row_version = version
            key = (observation.trace_id, observation.id)
            known = share.observations.get(key)
            if known is None or known.row_version <= version:  # sent twice: the later one stands
                share.observations[key] = observation
        for patch in decoded.patches:
            share.patches[(patch.trace_id, patch.id)].append(patch)
        share.updates.extend(decoded.trace_updates)
        for score in decoded.scores:
            share.scores[score.id].append(score)
    return projects


def project_lock(project_id: str, *, is_person: bool = False) -> AbstractContextManager[object]:
    """Merging reads, then writes: two workers must not do so for one trace at the same time."""
    return _Lock(project_id, is_person=is_person)


class _Lock:
    """A lock on the broker. A broker that was started here has one worker, which goes on while it is away.

    Raises Unavailable when another worker does not give it up, or when a broker that others use is away. Also at the
    end, when the broker forgot the lock meanwhile, as one that restarts may: another worker may have merged the same
    rows, so all is to be done once more.
    """

    def __init__(self, project_id: str, *, is_person: bool) -> None:
        self._asked_key = f"ingest:lock:{project_id}:asked"
        self._is_person = is_person
        self._lock = doorbell.broker().lock(
            f"ingest:lock:{project_id}",
            timeout=_LOCK_SECONDS,
            blocking_timeout=_PATIENCE_SECONDS if is_person else _MAX_WAIT_SECONDS,
            sleep=_RETRY_SECONDS,
            thread_local=False,  # another thread renews it
        )
        self._held = False
        self._done = threading.Event()

    def __enter__(self) -> _Lock:
        try:
            self._take_turns()
            self._held = bool(self._lock.acquire())
        except redis.RedisError as error:
            if settings.BROKER_IS_SHARED:
                raise Unavailable("The broker cannot be reached: another worker may write to this project.") from error
            return self
        if not self._held:
            raise Unavailable("Another worker writes to this project.")
        threading.Thread(target=self._renew, name="ingest-lock", daemon=True).start()
        return self

    def _take_turns(self) -> None:
        """A busy worker takes the lock again within a millisecond of giving it up: it waits a moment for people."""
        if self._is_person:
            doorbell.broker().set(self._asked_key, 1, px=_PATIENCE_SECONDS * 1000)
        elif doorbell.broker().getdel(self._asked_key):
            time.sleep(3 * _RETRY_SECONDS)

    def _renew(self) -> None:
        while not self._done.wait(_LOCK_SECONDS / 4):
            try:
                self._lock.reacquire()
            except LockError:  # released meanwhile, or lost
                return
            except redis.RedisError:  # the broker restarts, and may still know the lock
                continue

    def __exit__(self, raised: type[BaseException] | None, *_: object) -> None:
        self._done.set()
        if not self._held:
            return
        try:
            self._lock.release()
        except LockNotOwnedError as error:
            if raised is None:
                raise Unavailable("The lock of this project was lost while it was written.") from error
        except redis.RedisError:  # the broker is gone, and nobody else can have taken it: it frees itself
            return


def _write_project(scope: ProjectScope, share: _Project) -> None:
    now = datetime.now(UTC)
    _place_guessed(scope, share)
    touched = {update.trace_id for update in share.updates} | {trace_id for trace_id, _ in share.patches}
    stored_traces, left = _stored_traces(scope, touched)
    merged = _merged_patches(scope, share, stored_traces)
    rows = [*merged, *_moved(scope, share, stored_traces)]
    if share.ready is None:
        rows += [row for key, row in share.observations.items() if key not in share.patches]
    enrich.enrich(scope.project_id, [row for row in rows if not row.is_deleted])
    updates = share.updates + [merge.observation_update(row) for row in merged if not row.is_deleted]
    traces = merge.merge_traces(stored_traces, updates, now)
    _lend_context(merged, stored_traces | {trace.id: trace for trace in traces if not trace.is_deleted})
    scores = _merged_scores(scope, share)
    starts = (row.start_time for row in chain(rows, share.observations.values()))
    rows, late_rows = moves.in_order(rows, starts)
    traces, late_traces = moves.in_order(traces + left, [trace.timestamp for trace in traces + left])
    store.insert(observations=rows, ready=share.ready, traces=traces, scores=scores)
    if late_rows or late_traces:
        store.insert(observations=late_rows, traces=late_traces)
    plain = [row for key, row in share.observations.items() if key not in share.patches]
    arrivals.tell(scope, [*plain, *(row for row in merged if not row.is_deleted)])


def _lend_context(merged: list[Observation], traces: dict[str, Trace]) -> None:
    """Older SDKs tell user and session to the trace alone, newer ones to every span, where filters look."""
    for observation in merged:
        trace = traces.get(observation.trace_id)
        if trace is not None:
            observation.trace_name, observation.tags, observation.public = trace.name, trace.tags, trace.public
            observation.user_id, observation.session_id = trace.user_id, trace.session_id
            observation.release = trace.release


def _stored_traces(scope: ProjectScope, ids: set[str]) -> tuple[dict[str, Trace], list[Trace]]:
    """The traces by id, and tombstones of what an unfinished move left of them."""
    t = tables.traces
    found: list[Trace] = []
    for part in _chunks(sorted(ids)):
        # Most are new. Asking for two columns takes half the time of asking for thirty, and says where the rest lie.
        known = store.rows(
            scope, store.select(scope, t, t.c.timestamp, t.c.id).where(t.c.id.in_(part)), tag="ingest-ids", is_anew=True
        )
        if known:
            times, names = ([*values] for values in zip(*known, strict=True))
            query = store.select(scope, t).where(t.c.timestamp.in_(times), t.c.id.in_(names))
            found += store.records(scope, Trace, query, tag="ingest-traces", is_anew=True)
    return moves.newest(found, key=lambda trace: trace.id)


def _moved(scope: ProjectScope, share: _Project, traces: dict[str, Trace]) -> list[Observation]:
    """Tombstones for spans that were stored before with another start time, which is part of a row's key.

    Only a span of a known trace can have been stored before, and it lies between the trace's bounds.
    """
    again = {key: new for key, new in share.observations.items() if key[0] in traces}
    if not again:
        return []
    columns = tables.observations.c
    tombstones = []
    for part in _chunks(sorted(again)):
        query = store.select(
            scope, tables.observations, columns.trace_id, columns.id, columns.start_time, columns.row_version
        ).where(_within(traces, {trace_id for trace_id, _ in part}), columns.id.in_([id_ for _, id_ in part]))
        for row in store.rows(scope, query, tag="ingest-moved", is_anew=True):
            new = again.get((row.trace_id, row.id))
            if new is not None and row.start_time != new.start_time:
                # What was replayed, or waited in the inbox for long, may be older than what is stored.
                older, newer = sorted((row, new), key=lambda one: one.row_version)
                version = max(older.row_version + 1, newer.row_version)
                tombstones.append(_tombstone(scope.project_id, row.trace_id, row.id, older.start_time, version))
    return tombstones


def _place_guessed(scope: ProjectScope, share: _Project) -> None:
    """Move events that named no trace to the observation of their id, in this batch or stored."""
    guessed = {key for key, patches in share.patches.items() if any(patch.is_trace_guessed for patch in patches)}
    if not guessed:
        return
    found = {id_: trace_id for trace_id, id_ in share.patches.keys() - guessed}
    columns = tables.observations.c
    for part in _chunks(sorted({id_ for _, id_ in guessed} - found.keys())):
        query = store.select(scope, tables.observations, columns.id, columns.trace_id).where(columns.id.in_(part))
        found |= {row.id: row.trace_id for row in store.rows(scope, query, tag="ingest-place", is_anew=True)}
    for trace_id, id_ in guessed:
        place = found.get(id_, trace_id)
        if place != trace_id:
            patches = share.patches.pop((trace_id, id_))
            for patch in patches:
                patch.trace_id = place
            share.patches[(place, id_)].extend(patches)


def _merged_patches(scope: ProjectScope, share: _Project, traces: dict[str, Trace]) -> list[Observation]:
    if not share.patches:
        return []
    stored, rows = _stored_observations(scope, [key for key in share.patches if key[0] in traces], traces)
    for key, patches in share.patches.items():
        # An event and an OTLP span of one id in one batch: the span is the base, and one row comes of it.
        base = share.observations.get(key) or stored.get(key)
        rows += merge.merge_observation(base, patches)
    return rows


def _stored_observations(
    scope: ProjectScope, keys: list[tuple[str, str]], traces: dict[str, Trace]
) -> tuple[dict[tuple[str, str], Observation], list[Observation]]:
    """The observations by trace and id, and tombstones of what an unfinished move left of them."""
    found: list[Observation] = []
    columns = tables.observations.c
    for part in _chunks(sorted(keys)):
        query = store.select(scope, tables.observations).where(
            _within(traces, {trace_id for trace_id, _ in part}), columns.id.in_([id_ for _, id_ in part])
        )
        found += store.records(scope, Observation, query, tag="ingest-observations", is_anew=True)
    return moves.newest(found, key=lambda observation: (observation.trace_id, observation.id))


def _within(traces: dict[str, Trace], ids: set[str]) -> ColumnElement[bool]:
    """These traces' observations, by range first: the key starts with the time."""
    columns = tables.observations.c
    bounded = [traces[id_] for id_ in ids if traces[id_].first_start != NEVER]
    if not bounded:
        return false()
    return and_(
        columns.start_time >= min(trace.first_start for trace in bounded),
        columns.start_time <= max(trace.last_start for trace in bounded),
        columns.trace_id.in_(sorted(ids)),
    )


def _merged_scores(scope: ProjectScope, share: _Project) -> list[Score]:
    if not share.scores:
        return []
    stored: dict[str, Score] = {}
    for part in _chunks(sorted(share.scores)):
        query = store.select(scope, tables.scores).where(tables.scores.c.id.in_(part))
        stored |= {score.id: score for score in store.records(scope, Score, query, tag="ingest-scores", is_anew=True)}
    rows: list[Score] = []
    for id_, versions in share.scores.items():
        current = stored.get(id_)
        for version in versions:
            current = merge.merge_score(current, version)
        if current is not None:
            rows.append(current)
    return rows


def _tombstone(project_id: str, trace_id: str, id_: str, start_time: datetime, version: int) -> Observation:
    return Observation(
        project_id=project_id,
        trace_id=trace_id,
        id=id_,
        start_time=start_time,
        row_version=version,
        is_deleted=True,
    )


def _chunks(items: list[T]) -> Iterable[list[T]]:
    return (items[start : start + _IDS_PER_QUERY] for start in range(0, len(items), _IDS_PER_QUERY))
