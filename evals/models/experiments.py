"""Experiments: an application, or a prompt, tried on the items of a dataset. Langfuse calls them dataset runs."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from config.claims import Claimed
from evals.models.datasets import DATASET_NAME_LENGTH, ITEM_ID_LENGTH, Dataset, json_of

EXPERIMENT_ID_LENGTH = TRACE_ID_LENGTH = 255


def experiment_id_of(project_id: str, dataset_id: str, run_name: str) -> str:
    """The id under which all clients know a run: SDKs that only send spans compute the same one."""
    parts = ["langfuse-experiment-v1", project_id, dataset_id, run_name]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()[:16]


class RunStatus(models.TextChoices):
    """Of experiments, and of their items, that this server itself runs; others have none."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped")


class Experiment(models.Model):
    """One run over items. Whichever client tells of it first makes the row."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="experiments")
    #: `experiment_id_of` for runs over a dataset; what the client sent for others
    experiment_id = models.CharField(max_length=EXPERIMENT_ID_LENGTH)
    #: None for one over items that are in no dataset, or in none that is there
    dataset = models.ForeignKey(Dataset, models.CASCADE, null=True, blank=True, related_name="experiments")
    name = models.CharField(max_length=DATASET_NAME_LENGTH)
    description = models.TextField(blank=True, default="")
    #: JSON object; empty for null
    metadata_text = models.TextField(blank=True, default="")
    #: JSON of what this server runs (prompt, model, version of the dataset, repetitions, evaluators); empty for others
    plan_text = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=RunStatus.choices, blank=True, default="")
    #: why the whole of it failed
    problem = models.TextField(blank=True, default="")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "experiment_id"], name="evals_experiment_id")]
        indexes = [
            models.Index(fields=["project", "-created_at"], name="evals_experiment_newest"),
            models.Index(fields=["dataset", "-created_at"], name="evals_experiment_of_dataset"),
            models.Index(fields=["status"], condition=~models.Q(status=""), name="evals_experiment_open"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def metadata(self) -> Any:
        return json_of(self.metadata_text)

    @property
    def plan(self) -> dict[str, Any]:
        found: dict[str, Any] = json_of(self.plan_text) or {}
        return found


#: when something is known to have begun, and when something happened in it last: of ExperimentItem
BEGAN = Coalesce("started_at", "created_at")
LAST = Coalesce("ended_at", "started_at", "created_at")


class ExperimentItem(Claimed):
    """One item that was run once: its trace, and in that the span of the run. The same item again is a repetition."""

    experiment = models.ForeignKey(Experiment, models.CASCADE, related_name="items")
    #: of the dataset, or what the client made up
    item_id = models.CharField(max_length=ITEM_ID_LENGTH)
    item_version = models.DateTimeField(null=True, blank=True)
    trace_id = models.CharField(max_length=TRACE_ID_LENGTH)
    #: root span of the run in that trace; empty where the client tells only the trace
    observation_id = models.CharField(max_length=TRACE_ID_LENGTH, blank=True, default="")
    #: of the run-items API
    run_item_id = models.CharField(max_length=255)

    #: of the root span, as far as it has arrived
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    level = models.CharField(max_length=10, blank=True, default="")
    environment = models.CharField(max_length=100, blank=True, default="")

    # Of those that this server runs.
    status = models.CharField(max_length=10, choices=RunStatus.choices, blank=True, default="")
    #: from 1; for others it follows from the order of times
    repetition = models.PositiveIntegerField(default=1)
    #: JSON as runs of playgrounds keep it; empty where nothing went wrong
    problem = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    #: not before; null of others
    due_at = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            # Clients that tell of an item by the API and by its span mean one.
            models.UniqueConstraint(fields=["experiment", "item_id", "trace_id"], name="evals_experiment_item_once")
        ]
        indexes = [
            models.Index(fields=["experiment", "created_at"], name="evals_experiment_item_order"),
            models.Index(fields=["trace_id"], name="evals_experiment_item_trace"),
            # By a column that is null or not: SQLite does not see that a status it is given is none of those left out.
            models.Index(
                fields=["status", "due_at"], condition=models.Q(due_at__isnull=False), name="evals_experiment_item_own"
            ),
            models.Index("experiment", BEGAN, name="evals_experiment_item_began"),
            models.Index("experiment", LAST, name="evals_experiment_item_last"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} in {self.experiment_id}"
