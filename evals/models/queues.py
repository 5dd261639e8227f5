"""Annotation queues: what people are to judge, by which configs, and how far they are."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from evals.models.ids import new_id
from evals.models.score_configs import ScoreConfig


class QueueObject(models.TextChoices):
    TRACE = "TRACE", _("Trace")
    OBSERVATION = "OBSERVATION", _("Observation")
    SESSION = "SESSION", _("Session")


class QueueItemStatus(models.TextChoices):
    PENDING = "PENDING", _("Pending")
    COMPLETED = "COMPLETED", _("Completed")


class AnnotationQueue(models.Model):
    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="annotation_queues")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    #: Markdown, shown beside what is judged
    instructions = models.TextField(blank=True, default="")
    configs = models.ManyToManyField(ScoreConfig, through="QueueConfig", related_name="queues")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="evals_queue_name")]
        indexes = [models.Index(fields=["project", "-created_at"], name="evals_queue_newest")]

    def __str__(self) -> str:
        return self.name


class QueueConfig(models.Model):
    """A config of a queue's form, in the order of their ids."""

    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="queue_configs")
    config = models.ForeignKey(ScoreConfig, models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "config"], name="evals_queue_config_once")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.config_id} in {self.queue_id}"


class QueueAssignee(models.Model):
    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="assignees")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "user"], name="evals_queue_assignee_once")]

    def __str__(self) -> str:
        return f"{self.user_id} for {self.queue_id}"


class QueueItem(models.Model):
    """One thing to judge. The same thing may be queued twice."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    queue = models.ForeignKey(AnnotationQueue, models.CASCADE, related_name="items")
    object_type = models.CharField(max_length=20, choices=QueueObject.choices)
    object_id = models.CharField(max_length=255)
    #: of an observation, where it is known
    trace_id = models.CharField(max_length=255, blank=True, default="")
    status = models.CharField(max_length=20, choices=QueueItemStatus.choices, default=QueueItemStatus.PENDING)
    completed_at = models.DateTimeField(null=True, blank=True)
    completed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    #: who is to judge it; nobody: whoever comes first
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    #: who judges it right now, and since when they were last seen at it
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    locked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["queue", "status", "created_at"], name="evals_queue_item_next"),
            models.Index(fields=["queue", "-created_at"], name="evals_queue_item_newest"),
            models.Index(fields=["object_type", "object_id", "queue"], name="evals_queue_item_of_object"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id}"
