"""What ingestion accepted but could not store: kept with the reason until somebody replays or removes it."""

from __future__ import annotations

import uuid

from django.db import models


class DeadLetterKind(models.TextChoices):
    PAYLOAD = "payload"
    SPAN = "span"
    EVENT = "event"


class DeadLetterSource(models.TextChoices):
    OTLP = "otlp"
    INGESTION = "ingestion"
    SCORES = "scores"


class DeadLetterStatus(models.TextChoices):
    WAITING = "waiting"
    REPLAYED = "replayed"


class DeadLetter(models.Model):
    """A whole payload (its bytes are in the storage under `inbox_key`), or spans or an event of it (`payload`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="dead_letters")
    kind = models.CharField(max_length=20, choices=DeadLetterKind.choices)
    source = models.CharField(max_length=20, choices=DeadLetterSource.choices)
    reason = models.TextField()
    item_id = models.TextField(blank=True, default="")
    payload_preview = models.TextField(blank=True, default="")
    #: where the raw bytes are kept; "" for spans or an event
    inbox_key = models.CharField(max_length=500, blank=True, default="")
    #: JSON text of a body with what was set aside, and of the envelope it came in; "" for whole payloads
    payload = models.TextField(blank=True, default="")
    envelope = models.TextField(blank=True, default="")
    #: of what is kept and why: the same waits only once, however often it is delivered
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    last_tried_at = models.DateTimeField(null=True, blank=True)
    replayed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        # The page lists a project's newest; the sweep finds a payload's letter by its key.
        indexes = [
            models.Index(fields=["project", "-created_at"], name="tracing_dead_letter_newest"),
            models.Index(fields=["inbox_key"], name="tracing_dead_letter_by_key"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "fingerprint"],
                condition=models.Q(replayed_at=None) & ~models.Q(fingerprint=""),
                name="tracing_dead_letter_waits_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.item_id or self.inbox_key}".strip()

    @property
    def status(self) -> DeadLetterStatus:
        return DeadLetterStatus.REPLAYED if self.replayed_at else DeadLetterStatus.WAITING
