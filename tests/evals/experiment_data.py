"""Datasets and experiments for tests: traced as SDKs trace them, and taken up as the worker takes them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import orjson

from accounts.access import scope_for_task
from evals import arrivals
from evals.models import Dataset, DatasetItem, DatasetItemVersion, Experiment
from evals.models.experiments import experiment_id_of
from tracing.analytics import store
from tracing.analytics.records import Observation, Score, Trace
from tracing.ingest.text import preview

BEGAN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def make_dataset(project_id: str, name: str = "capitals", items: Sequence[tuple[str, Any, Any]] = ()) -> Dataset:
    """`items` are id, input, expected output."""
    dataset = Dataset.objects.create(project_id=project_id, name=name)
    rows = [DatasetItem(project_id=project_id, dataset=dataset, item_id=one[0], created_at=BEGAN) for one in items]
    rows = DatasetItem.objects.bulk_create(rows)
    DatasetItemVersion.objects.bulk_create(
        DatasetItemVersion(
            item=row,
            dataset=dataset,
            input_text=orjson.dumps(given).decode(),
            expected_output_text=orjson.dumps(expected).decode(),
            valid_from=BEGAN,
        )
        for row, (_, given, expected) in zip(rows, items, strict=True)
    )
    return dataset


@dataclass
class Did:
    """One run of one item. `scores` by name: a number, a truth value or a category."""

    item: str
    output: Any = "out"
    input: Any = "in"
    expected: str = ""
    seconds: float = 1.0
    cost: str = "0.001"
    level: str = "DEFAULT"
    scores: dict[str, Any] = field(default_factory=dict)
    trace_id: str = field(default_factory=lambda: uuid4().hex)


def put_run(
    project_id: str,
    name: str,
    did: Sequence[Did],
    *,
    dataset: Dataset | None = None,
    at: datetime = BEGAN,
    experiment_id: str = "",
    is_told: bool = True,
    **fields: Any,
) -> str:
    """Traces of a run, each with a root, the call below it and a judge after it. Answers the id of the experiment.

    `is_told`: as span attributes, which the worker takes up; otherwise the spans tell of no experiment.
    """
    if not experiment_id:
        experiment_id = experiment_id_of(project_id, dataset.pk, name) if dataset else uuid4().hex[:16]
    told: dict[str, Any] = {
        "experiment_id": experiment_id,
        "experiment_name": name,
        "experiment_dataset_id": dataset.pk if dataset else "",
        **fields,
    }
    observations: list[Observation] = []
    traces: list[Trace] = []
    scores: list[Score] = []
    for number, one in enumerate(did):
        start = at + timedelta(milliseconds=100 * number)
        rows = _observations(project_id, one, start, told if is_told else {})
        observations += rows
        traces.append(
            Trace(
                project_id=project_id,
                id=one.trace_id,
                timestamp=start,
                name="experiment-item-run",
                environment="sdk-experiment",
                root_id=rows[0].id,
                root_type="SPAN",
                first_start=start,
                last_start=max(row.start_time for row in rows),
                created_at=start,
                row_version=1,
            )
        )
        scores += [_score(project_id, one, rows[0].id, start, *given) for given in one.scores.items()]
    store.insert(observations=observations, traces=traces, scores=scores)
    arrivals.keep(scope_for_task(project_id), observations)
    arrivals.work()
    return experiment_id


def root_of(trace_id: str) -> str:
    return f"r{trace_id[:15]}"


def _observations(project_id: str, one: Did, start: datetime, told: dict[str, Any]) -> list[Observation]:
    root_id, end = root_of(one.trace_id), start + timedelta(seconds=one.seconds)
    told = {**told, "experiment_item_id": one.item, "experiment_item_root_id": root_id} if told else {}
    shared: dict[str, Any] = {
        "project_id": project_id,
        "trace_id": one.trace_id,
        "environment": "sdk-experiment",
        "row_version": 1,
        **told,
    }
    return [
        Observation(
            id=root_id,
            start_time=start,
            end_time=end,
            latency_us=round(one.seconds * 1e6),
            is_root=True,
            name="experiment-item-task",
            level=one.level,
            input=_text(one.input),
            output=_text(one.output),
            output_preview=preview(_text(one.output)),
            experiment_item_expected_output=one.expected if told else "",
            **shared,
        ),
        Observation(
            id=f"c{one.trace_id[:15]}",
            parent_id=root_id,
            start_time=start + timedelta(seconds=one.seconds / 4),
            end_time=end,
            type="GENERATION",
            name="answer",
            total_cost=Decimal(one.cost),
            total_tokens=100,
            **shared,
        ),
        # What a judge of the client costs is no part of what is judged.
        Observation(
            id=f"j{one.trace_id[:15]}",
            start_time=end + timedelta(milliseconds=5),
            end_time=end + timedelta(seconds=1),
            type="GENERATION",
            name="judge",
            total_cost=Decimal("5"),
            **shared,
        ),
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _score(project_id: str, one: Did, root_id: str, at: datetime, name: str, value: Any) -> Score:
    kinds: dict[type, dict[str, Any]] = {
        bool: {"data_type": "BOOLEAN", "value": float(value is True), "string_value": str(value)},
        str: {"data_type": "CATEGORICAL", "value": 0.0, "string_value": str(value)},
    }
    given = kinds.get(type(value)) or {"data_type": "NUMERIC", "value": float(value)}
    return Score(
        project_id=project_id,
        id=f"{one.trace_id}-{name}",
        trace_id=one.trace_id,
        observation_id=root_id,
        name=name,
        timestamp=at + timedelta(seconds=one.seconds),
        row_version=1,
        **given,
    )


def get_experiment(experiment_id: str) -> Experiment:
    return Experiment.objects.get(experiment_id=experiment_id)
