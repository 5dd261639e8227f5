"""Who is told when a prompt changes, what they were told, and what they answered."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models
from django.utils.translation import gettext_lazy as _

from config.sealing import unseal
from prompts.models.headers import SealedHeaders
from prompts.models.prompts import NAME_LENGTH, new_id

AUTOMATION_NAME_LENGTH = 100
ADDRESS_LENGTH = 2000
EVENT_TYPE_LENGTH = 100


class AutomationKind(models.TextChoices):
    """What takes the message, and so how it looks."""

    WEBHOOK = "webhook", _("Webhook")
    SLACK = "slack", "Slack"
    GITHUB = "github", "GitHub Actions"


class PromptAction(models.TextChoices):
    """What happened to a version; labels and tags that move are its update."""

    CREATED = "created", _("Version created")
    UPDATED = "updated", _("Labels or tags changed")
    DELETED = "deleted", _("Version deleted")


class OffReason(models.TextChoices):
    """Why an automation is off. A person needs none."""

    FAILURES = "failures"
    GONE = "gone"


class Automation(SealedHeaders):
    """Tells one address of changes of prompts. Address, secret and headers are sealed: any of them may be a key."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="automations")
    name = models.CharField(max_length=AUTOMATION_NAME_LENGTH)
    kind = models.CharField(max_length=20, choices=AutomationKind.choices)

    #: values of PromptAction; never empty
    events = models.JSONField(default=list)
    #: names of prompts; what ends in / is a folder, what ends in * a beginning. Empty for all.
    names = models.JSONField(default=list, blank=True)
    #: told of versions that have one of these; empty for all
    labels = models.JSONField(default=list, blank=True)

    sealed_url = models.TextField()
    #: of the address, what everybody in the project may see
    shown_url = models.CharField(max_length=ADDRESS_LENGTH)
    #: what messages are signed with, or a token of GitHub; empty for none
    sealed_secret = models.TextField(blank=True, default="")
    masked_secret = models.CharField(max_length=300, blank=True, default="")
    #: `owner/name` and what its workflows wait for; of GitHub only
    repository = models.CharField(max_length=255, blank=True, default="")
    event_type = models.CharField(max_length=EVENT_TYPE_LENGTH, blank=True, default="")

    is_on = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=20, choices=OffReason.choices, blank=True, default="")
    off_at = models.DateTimeField(null=True, blank=True)
    #: deliveries in a row that failed for good
    failures = models.PositiveIntegerField(default=0)

    #: whoever sends for it right now, and until when that holds: one at a time, so that order is kept
    claim = models.CharField(max_length=300, blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="prompts_automation_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def url(self) -> str:
        """Raises `config.sealing.Unreadable`, as does the next one."""
        return unseal(self.sealed_url)

    @property
    def secret(self) -> str:
        return unseal(self.sealed_secret) if self.sealed_secret else ""


class PromptEvent(models.Model):
    """One thing that happened to one version, as it was then: kept once, however many are told."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="prompt_events")
    action = models.CharField(max_length=10, choices=PromptAction.choices)
    prompt_name = models.CharField(max_length=NAME_LENGTH)
    number = models.PositiveIntegerField()
    #: labels of the version then
    labels = models.JSONField(default=list, blank=True)
    #: JSON: `{"prompt": {…}, "user": {…}}`, as messages have them
    facts = models.TextField()
    is_test = models.BooleanField(default=False)
    happened_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.prompt_name} v{self.number} {self.action}"

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.facts)
        return found


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    DROPPED = "dropped", _("Not sent")


class Delivery(models.Model):
    """One event on its way to one automation. What waits is sent by any worker, in order of `id`."""

    #: names the message to whoever takes it: the same in each attempt
    key = models.CharField(max_length=36, default=new_id, editable=False)
    automation = models.ForeignKey(Automation, models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(PromptEvent, models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.WAITING)
    #: attempts that were begun
    tries = models.PositiveSmallIntegerField(default=0)
    #: not before this
    next_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["automation", "-id"], name="prompts_delivery_newest"),
            # The sweep looks for these every few seconds.
            models.Index(
                fields=["automation", "id"], condition=models.Q(status="waiting"), name="prompts_delivery_waiting"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.status}"


class Attempt(models.Model):
    """One request, written down before it is sent: one without `seconds` is on its way, or its worker was killed."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    began_at = models.DateTimeField()
    seconds = models.FloatField(null=True, blank=True)
    url = models.CharField(max_length=ADDRESS_LENGTH, blank=True, default="")
    #: name -> value, secrets masked
    request_headers = models.JSONField(default=dict, blank=True)
    #: the beginning of it; `request_bytes` is the length of all
    request_body = models.TextField(blank=True, default="")
    request_bytes = models.PositiveIntegerField(default=0)
    #: None where no answer came
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    response_headers = models.JSONField(default=dict, blank=True)
    response_body = models.TextField(blank=True, default="")
    is_response_cut = models.BooleanField(default=False)
    #: for people: why it failed; empty if it did not
    problem = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="prompts_attempt_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.status_code or self.problem}"
