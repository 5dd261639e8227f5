"""Experiments that clients only tell of by their spans become rows, the same ones that the run-items API makes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from accounts.access import ProjectScope
from evals.actions.experiments import RunOfItem, note_runs
from evals.arrivals import ItemRun, Seen
from evals.experiments.spans import ENVIRONMENT
from evals.models.datasets import ITEM_ID_LENGTH
from evals.models.experiments import EXPERIMENT_ID_LENGTH, TRACE_ID_LENGTH

log = logging.getLogger(__name__)


def take_runs(scope: ProjectScope, _seen: Sequence[Seen], runs: Sequence[ItemRun]) -> None:
    """A taker of arrivals: to be told the same twice changes nothing."""
    by_experiment: dict[str, list[ItemRun]] = {}
    for run in runs:
        if _fits(run):
            by_experiment.setdefault(run.experiment_id, []).append(run)
        else:
            log.warning("An item of an experiment of %s has ids that are empty or too long.", scope.project_id)
    for experiment_id, those in by_experiment.items():
        first = min(those, key=lambda one: one.start_time)
        note_runs(
            scope,
            experiment_id,
            [_of(one) for one in those],
            name=_clean(first.experiment_name),
            description=_clean(next((one.description for one in those if one.description), "")),
            metadata=next((one.metadata for one in those if one.metadata), {}),
            dataset_id=next((one.dataset_id for one in those if one.dataset_id), ""),
            at=first.start_time,
            is_own=first.environment == ENVIRONMENT,
        )


def _of(run: ItemRun) -> RunOfItem:
    return RunOfItem(
        item_id=run.item_id,
        trace_id=run.trace_id,
        observation_id=run.observation_id,
        item_version=run.item_version,
        started_at=run.start_time,
        ended_at=run.end_time,
        level=run.level,
        environment=run.environment,
    )


def _fits(run: ItemRun) -> bool:
    lengths = (
        (run.experiment_id, EXPERIMENT_ID_LENGTH),
        (run.item_id, ITEM_ID_LENGTH),
        (run.trace_id, TRACE_ID_LENGTH),
        (run.observation_id, TRACE_ID_LENGTH),
    )
    return all(0 < len(text) <= most and "\x00" not in text for text, most in lengths)


def _clean(text: str) -> str:
    return text.replace("\x00", "")
