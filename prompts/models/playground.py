"""Playgrounds: what people try out with models, kept on the server, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import models
from django.db.models import Index, JSONField
from django.utils.translation import gettext_lazy as _

from config.claims import Claimed
from prompts.models.prompts import new_id

TITLE_LENGTH = 200
WINDOW_LENGTH = 12
ITEM_NAME_LENGTH = 200


class RunStatus(models.TextChoices):
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    STOPPED = "stopped", _("Stopped")
    #: the process that asked the provider ended before the answer did
    LOST = "lost", _("Lost")


UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


class Playground(models.Model):
    """Several windows side by side, and the values of their variables: one document, for the whole project."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="playgrounds")
    title = models.CharField(max_length=TITLE_LENGTH)
    #: JSON, as `prompts.playground.state` has it. (A JSON column takes no zero character, and escapes other scripts.)
    document = models.TextField()
    #: grows with every change of the document
    revision = models.PositiveIntegerField(default=1)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="playgrounds"
    )
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    created_at = models.DateTimeField(auto_now_add=True)
    #: of the document or the title
    updated_at = models.DateTimeField()
    #: of the windows, one a window, empty for none: lists show them without reading documents
    models: JSONField = JSONField(default=list, blank=True)

    class Meta:
        ordering = ["-updated_at", "id"]
        indexes = [Index(fields=["project", "-updated_at"], name="prompts_playground_newest")]

    def __str__(self) -> str:
        return self.title

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.document)
        return found


class PlaygroundRun(Claimed):
    """One call of one window: what was sent, and what became of it. Keys are never part of it."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    playground = models.ForeignKey(Playground, models.CASCADE, related_name="runs")
    #: that of the playground, since runs are counted by project
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    window = models.CharField(max_length=WINDOW_LENGTH)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    status = models.CharField(max_length=10, choices=RunStatus.choices, default=RunStatus.QUEUED)

    #: name of the provider, as the connection had it
    connection = models.CharField(max_length=100)
    #: the one that was asked for
    model = models.CharField(max_length=255)
    #: JSON of what was sent, as `prompts.playground.calls` writes it
    sent = models.TextField()
    #: JSON of the assistant's message; empty while there is none
    answer = models.TextField(blank=True, default="")
    #: the one that answered
    answered_model = models.CharField(max_length=255, blank=True, default="")
    finish_reason = models.CharField(max_length=20, blank=True, default="")
    #: units by kind, as prices know them
    usage = models.JSONField(default=dict, blank=True)
    #: in US dollars, as the trace has it; None where the model has no price
    cost = models.DecimalField(max_digits=18, decimal_places=12, null=True, blank=True)
    #: JSON with trouble, message, status, body and request_id; empty where nothing went wrong
    problem = models.TextField(blank=True, default="")

    #: of the trace that says the same
    trace_id = models.CharField(max_length=64)
    observation_id = models.CharField(max_length=64)
    #: whether ingestion has the trace
    is_traced = models.BooleanField(default=False)

    is_stopping = models.BooleanField(default=False)

    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    first_token_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["playground", "window", "-created_at"], name="prompts_run_of_window"),
            models.Index(fields=["status", "created_at"], name="prompts_run_open"),
            models.Index(fields=["is_traced"], condition=models.Q(is_traced=False), name="prompts_run_untraced"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def call(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.sent)
        return found

    @property
    def message(self) -> dict[str, Any] | None:
        return orjson.loads(self.answer) if self.answer else None

    @property
    def error(self) -> dict[str, Any] | None:
        return orjson.loads(self.problem) if self.problem else None

    @property
    def latency_ms(self) -> int | None:
        """From the moment at which the provider was asked to the end; None while there is none."""
        return _milliseconds(self.started_at, self.ended_at)

    @property
    def first_token_ms(self) -> int | None:
        return _milliseconds(self.started_at, self.first_token_at)


class PlaygroundItem(models.Model):
    """A tool, or a schema for answers, that all playgrounds of a project can take."""

    class Kind(models.TextChoices):
        TOOL = "tool"
        SCHEMA = "schema"

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="playground_items")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=ITEM_NAME_LENGTH)
    #: of tools
    description = models.TextField(blank=True, default="")
    #: the JSON schema, as it was typed
    schema = models.TextField()

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "kind", "name"], name="prompts_item_once")]

    def __str__(self) -> str:
        return self.name


def _milliseconds(begin: datetime | None, end: datetime | None) -> int | None:
    return round((end - begin).total_seconds() * 1000) if begin and end else None
