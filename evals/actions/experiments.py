"""What clients and people do with experiments: tell of a run of an item, delete one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import orjson
from django.db import transaction

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.crew import DATABASE_AWAY
from config.errors import Unavailable
from evals.models import Dataset, Experiment, ExperimentItem
from evals.models.datasets import DATASET_NAME_LENGTH
from evals.queries.experiments import dataset_with_id

_RUN_ITEMS = UUID("6f7e2f0a-6a52-4d67-9e83-0a5a1d6a0c55")
_RANKS = {"": 0, "DEBUG": 1, "DEFAULT": 2, "WARNING": 3, "ERROR": 4}
_ENVIRONMENT_LENGTH = 100


@dataclass(frozen=True, slots=True)
class RunOfItem:
    """What is known of one run of one item; empty where whoever tells does not know."""

    item_id: str
    trace_id: str
    observation_id: str = ""
    item_version: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    level: str = ""
    environment: str = ""


def note_runs(
    scope: ProjectScope,
    experiment_id: str,
    runs: Sequence[RunOfItem],
    *,
    name: str,
    description: str = "",
    metadata: Any = None,
    dataset_id: str = "",
    at: datetime,
    is_own: bool = False,
) -> list[ExperimentItem]:
    """The rows of these runs; their experiment is made with the first. To be told the same again changes nothing. One
    that this server runs (`is_own`) was there before: where it is not any more, it was deleted and stays so.

    Name, description and metadata of an experiment are those it was first told with. `at` is when it was begun, where
    nobody knows more. Raises Unavailable when the database is away.
    """
    try:
        with transaction.atomic():
            if is_own and not _is_known(scope, experiment_id):
                return []
            experiment = _experiment(scope, experiment_id, name, description, metadata, dataset_id, at)
            return [_note(scope, experiment, run, at) for run in runs]
    except DATABASE_AWAY as error:
        raise Unavailable("The database cannot be written.") from error


def _is_known(scope: ProjectScope, experiment_id: str) -> bool:
    return Experiment.objects.filter(project_id=scope.project_id, experiment_id=experiment_id).exists()


def _experiment(
    scope: ProjectScope, experiment_id: str, name: str, description: str, metadata: Any, dataset_id: str, at: datetime
) -> Experiment:
    dataset = dataset_with_id(scope, dataset_id)
    experiment, is_new = Experiment.objects.get_or_create(
        project_id=scope.project_id,
        experiment_id=experiment_id,
        defaults={
            "dataset": dataset,
            "name": (name or experiment_id)[:DATASET_NAME_LENGTH],
            "description": description,
            "metadata_text": text_of(metadata),
            "created_at": at,
        },
    )
    if not is_new:
        _complete(experiment, dataset, description, metadata)
    return experiment


def _complete(experiment: Experiment, dataset: Dataset | None, description: str, metadata: Any) -> None:
    """What the first did not know, a later one may: a run is told of by several items at once, in any order."""
    known: dict[str, Any] = {}
    if experiment.dataset_id is None and dataset is not None:
        known["dataset"] = dataset
    if not experiment.description and description:
        known["description"] = description
    if not experiment.metadata_text and metadata:
        known["metadata_text"] = text_of(metadata)
    _save(experiment, known)


def _note(scope: ProjectScope, experiment: Experiment, run: RunOfItem, at: datetime) -> ExperimentItem:
    parts = "\n".join((scope.project_id, experiment.experiment_id, run.item_id, run.trace_id))
    item, is_new = ExperimentItem.objects.select_for_update().get_or_create(
        experiment=experiment,
        item_id=run.item_id,
        trace_id=run.trace_id,
        defaults={
            "run_item_id": str(uuid5(_RUN_ITEMS, parts)),
            "observation_id": run.observation_id,
            "item_version": run.item_version,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "level": run.level,
            "environment": run.environment[:_ENVIRONMENT_LENGTH],
            "created_at": run.started_at or at,
        },
    )
    if not is_new:
        _save(item, _news(item, run))
    return item


def _news(item: ExperimentItem, run: RunOfItem) -> dict[str, Any]:
    """What this run tells beyond the row: in whatever order runs are told, it comes to the same."""
    news: dict[str, Any] = {}
    for field in ("observation_id", "item_version", "environment"):
        value = getattr(run, field)
        if value and not getattr(item, field):
            news[field] = value[:_ENVIRONMENT_LENGTH] if field == "environment" else value
    # Another observation of the same trace is a part of what runs, and tells nothing of the whole.
    if item.observation_id and run.observation_id and item.observation_id != run.observation_id:
        return news
    # What this server runs anew takes the place of what failed before.
    if item.due_at is not None:
        is_newer = run.started_at is not None and (item.started_at is None or run.started_at > item.started_at)
        replaced = {"started_at": run.started_at, "ended_at": run.ended_at, "level": run.level}
        return {**news, **replaced} if is_newer else news
    for field, better in (("started_at", min), ("ended_at", max)):
        told, had = getattr(run, field), getattr(item, field)
        if told is not None and (had is None or better(told, had) != had):
            news[field] = told
    if _RANKS.get(run.level, 0) > _RANKS.get(item.level, 0):
        news["level"] = run.level
    return news


def _save(row: Experiment | ExperimentItem, fields: dict[str, Any]) -> None:
    if not fields:
        return
    for name, value in fields.items():
        setattr(row, name, value)
    row.save(update_fields=[*fields, "updated_at"])


def text_of(value: Any) -> str:
    """JSON as columns keep it: nothing for null and for an empty object."""
    return orjson.dumps(value).decode() if value not in (None, {}) else ""


def delete_experiment(scope: ProjectScope, experiment: Experiment, *, actor: Actor) -> None:
    """Its rows go; traces and scores stay, as they tell what the application did."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        what = {"name": experiment.name, "dataset": experiment.dataset_id, "items": experiment.items.count()}
        record(actor, "experiment.delete", experiment, before=what)
        experiment.delete()
