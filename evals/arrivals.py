"""What was stored and may concern rules or experiments: kept as a row beside the write, looked at by a task.

Ingestion is not to wait for rules, and nothing is to be missed when a process is killed: so the write only notes which
observations it stored (`keep`), in projects that have somebody to tell, and the task does the rest (`work`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Q
from django.utils import timezone

from accounts.access import ProjectScope, scope_for_task
from config.calling import tell_worker
from config.crew import DATABASE_AWAY
from config.errors import NotFound, Unavailable
from evals.models import Arrival, Rule
from tracing.analytics.records import EPOCH, Observation
from tracing.ingest.own import OWN_PREFIX

log = logging.getLogger(__name__)

_MICROSECOND = timedelta(microseconds=1)
#: what was taken so long ago is taken again: its process was killed, or is slow, and to be told twice does no harm
_LEASE = timedelta(minutes=2)
_asked = threading.Event()
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Seen:
    """One stored observation, by what finds it."""

    trace_id: str
    observation_id: str
    session_id: str
    environment: str
    start_time: datetime


@dataclass(frozen=True, slots=True)
class ItemRun:
    """The root span of an item of an experiment."""

    trace_id: str
    observation_id: str
    environment: str
    level: str
    start_time: datetime
    end_time: datetime | None
    experiment_id: str
    experiment_name: str
    description: str
    dataset_id: str
    item_id: str
    item_version: datetime | None
    metadata: dict[str, str]


#: What has to hear of arrivals: (scope, observations, item runs). Must bear to be told twice. A call that raises
#: Unavailable is made again later; whatever else it raises is logged, and the arrival let go.
Taker = Callable[[ProjectScope, Sequence[Seen], Sequence[ItemRun]], None]


def _takers() -> tuple[Taker, ...]:
    from evals.experiments.judged import judge_runs
    from evals.experiments.taking import take_runs
    from evals.judging.matching import take

    return (take_runs, judge_runs, take)


# --- Kept ------------------------------------------------------------------------------------------------
def keep(scope: ProjectScope, stored: Sequence[Observation]) -> None:
    """Listens to ingestion. Raises Unavailable when the database is away: the write is then done again."""
    runs = [_item_run(one) for one in stored if one.experiment_id and one.experiment_item_root_id == one.id]
    try:
        # Calls of the server itself are not judged, or judges would judge each other for ever; its experiments are.
        is_judged = Rule.objects.filter(project_id=scope.project_id, is_enabled=True).exists()
        seen = [_seen(one) for one in stored if _may_be_judged(one)] if is_judged else []
        if not seen and not runs:
            return
        Arrival.objects.create(project_id=scope.project_id, content=orjson.dumps({"seen": seen, "runs": runs}).decode())
    except DATABASE_AWAY as error:
        raise Unavailable("The database cannot be written.") from error
    call_worker()


def _may_be_judged(one: Observation) -> bool:
    return bool(one.experiment_id) or not one.environment.startswith(OWN_PREFIX)


def call_worker() -> None:
    tell_worker("evals.tasks.work_on_arrivals", "what arrived", expires=30)


def _seen(one: Observation) -> list[Any]:
    return [one.trace_id, one.id, one.session_id, one.environment, _number(one.start_time)]


def _item_run(one: Observation) -> list[Any]:
    return [
        one.trace_id,
        one.id,
        one.environment,
        one.level,
        _number(one.start_time),
        _number(one.end_time),
        one.experiment_id,
        one.experiment_name,
        one.experiment_description,
        one.experiment_dataset_id,
        one.experiment_item_id,
        _number(one.experiment_item_version),
        one.experiment_metadata,
    ]


def _number(at: datetime | None) -> int | None:
    return None if at is None else (at - EPOCH) // _MICROSECOND


def _time(number: int | None) -> datetime | None:
    return None if number is None else EPOCH + number * _MICROSECOND


# --- Looked at -------------------------------------------------------------------------------------------
def work() -> None:
    """Tells the takers of all that is kept, oldest first, until nothing is. One thread of a process at a time."""
    _asked.set()
    while _asked.is_set() and _one_at_a_time.acquire(blocking=False):
        try:
            _asked.clear()
            while (arrival := _claim_next()) is not None:
                try:
                    _take(arrival)
                except BaseException:
                    with suppress(*DATABASE_AWAY):  # else it is free after a while
                        Arrival.objects.filter(pk=arrival.pk).update(taken_at=None)
                    raise
        finally:
            _one_at_a_time.release()


def _claim_next() -> Arrival | None:
    """The oldest that no other process is at, marked as taken."""
    while True:
        now = timezone.now()
        free = Arrival.objects.filter(Q(taken_at=None) | Q(taken_at__lt=now - _LEASE))
        arrival = free.order_by("pk").first()
        if arrival is None or free.filter(pk=arrival.pk).update(taken_at=now):
            return arrival


def _take(arrival: Arrival) -> None:
    content = orjson.loads(arrival.content)
    seen = [_read_seen(values) for values in content["seen"]]
    runs = [_read_run(values) for values in content["runs"]]
    try:
        scope = scope_for_task(arrival.project_id)
    except NotFound:  # the project was deleted
        seen, runs = [], []
    else:
        for taker in _takers():
            try:
                taker(scope, seen, runs)
            except Unavailable:
                raise
            except Exception:
                log.exception("What arrived in %s was not taken by %s", arrival.project_id, taker)
    arrival.delete()


def _read_seen(values: list[Any]) -> Seen:
    trace_id, id_, session_id, environment, start = values
    return Seen(trace_id, id_, session_id, environment, _at(start))


def _read_run(values: list[Any]) -> ItemRun:
    trace_id, id_, environment, level, start, end, experiment, name, described, dataset, item, version, said = values
    return ItemRun(
        trace_id=trace_id,
        observation_id=id_,
        environment=environment,
        level=level,
        start_time=_at(start),
        end_time=_time(end),
        experiment_id=experiment,
        experiment_name=name,
        description=described,
        dataset_id=dataset,
        item_id=item,
        item_version=_time(version),
        metadata=said,
    )


def _at(number: int) -> datetime:
    return EPOCH + number * _MICROSECOND
