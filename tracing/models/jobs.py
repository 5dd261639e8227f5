"""Work that takes longer than a page waits: many traces tagged, scored or deleted, prices recomputed."""

from __future__ import annotations

import uuid

from django.db import models


class JobStatus(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: those that still have something before them
UNFINISHED = (JobStatus.QUEUED, JobStatus.RUNNING)


class Job(models.Model):
    """One piece of work, worked on by one process at a time and resumable at `cursor` by any other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="jobs")
    #: name of a registered kind
    kind = models.CharField(max_length=60)
    parameters = models.JSONField(default=dict, blank=True)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    #: e-mail address or public key, which outlives the person; "" for the system
    author_name = models.CharField(max_length=255, blank=True, default="")
    author_ip = models.GenericIPAddressField(null=True, blank=True)
    status = models.CharField(max_length=20, choices=JobStatus.choices, default=JobStatus.QUEUED)

    # Progress, in things of the kind's own. What failed is counted in `done` too: it was tried.
    total = models.PositiveBigIntegerField(null=True, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    #: where the kind goes on; its own shape
    cursor = models.JSONField(default=dict, blank=True)
    #: for people: what it waits for, or why it failed
    message = models.TextField(blank=True, default="")
    #: the receipt; shape of the kind
    result = models.JSONField(default=dict, blank=True)
    is_cancelling = models.BooleanField(default=False)

    #: "<host>:<pid>:<life>:<claim>" of whoever works on it; "" for nobody
    runner = models.CharField(max_length=255, blank=True, default="")
    #: begun without any progress since; a job that kills its worker each time is given up
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    #: when its runner was last heard of; of a job that nobody works on, when somebody last did
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    #: a job that waits for a store is left alone until then
    resume_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["project", "-created_at"], name="tracing_job_newest"),
            # The sweep looks for these every few seconds.
            models.Index(fields=["heartbeat_at"], condition=models.Q(status__in=UNFINISHED), name="tracing_job_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}"

    @property
    def is_unfinished(self) -> bool:
        return self.status in UNFINISHED

    @property
    def author_is_gone(self) -> bool:
        """Whether the account of the person who started it was deleted since: of people, the name is an address."""
        return self.author_id is None and "@" in self.author_name


class JobPart(models.Model):
    """What a job is about to do to some ids, written before it is done: redone when nobody says that it was."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    ids = models.JSONField(default=list)
    #: what there was before the act, by kind: {"traces": 3, "observations": 40}
    counts = models.JSONField(default=dict)
    is_done = models.BooleanField(default=False)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="tracing_job_part_once")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.number}"
