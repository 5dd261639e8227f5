"""Rows of the relational store that prompts own."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from django.conf import settings
from django.db import models

NAME_LENGTH = 255
LABEL_LENGTH = 36
TAG_LENGTH = 100
MESSAGE_LENGTH = 1000
#: the label that is where the newest version is
LATEST = "latest"
#: the label that is asked for when none is named
PRODUCTION = "production"
#: who wrote a version with a key
BY_API = "API"


def new_id() -> str:
    return str(uuid.uuid4())


class PromptType(models.TextChoices):
    TEXT = "text"
    CHAT = "chat"


class Prompt(models.Model):
    """A name, and what all versions under it share."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="prompts")
    #: slashes make folders
    name = models.CharField(max_length=NAME_LENGTH)
    type = models.CharField(max_length=10, choices=PromptType.choices)
    #: texts, as they were given
    tags = models.JSONField(default=list, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="prompts_name")]

    def __str__(self) -> str:
        return self.name


class PromptVersion(models.Model):
    """What a prompt said, once and for all: only labels move."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    #: the text, or the messages as JSON. (In a JSON column other scripts would stand escaped, and not be found.)
    content = models.TextField()
    config = models.JSONField(default=dict, blank=True)
    commit_message = models.CharField(max_length=MESSAGE_LENGTH, blank=True, default="")
    #: id of a person, or BY_API
    created_by = models.CharField(max_length=255, default=BY_API)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="prompts_version_number")]

    def __str__(self) -> str:
        return f"{self.prompt.name} v{self.number}"

    @property
    def project_id(self) -> str:
        return self.prompt.project_id

    @property
    def newest(self) -> int:
        """The highest number of the prompt when this was read by `prompts.queries.prompts.find_version`."""
        return int(vars(self)["highest"])

    @property
    def said(self) -> str | list[dict[str, Any]]:
        """Text, or messages."""
        return self.content if self.prompt.type == PromptType.TEXT else orjson.loads(self.content)  # type: ignore[no-any-return]


class PromptLabel(models.Model):
    """Where a label of a prompt stands. `latest` has no row: it is where the highest number is."""

    prompt = models.ForeignKey(Prompt, models.CASCADE, related_name="labels")
    version = models.ForeignKey(PromptVersion, models.CASCADE, related_name="labels")
    name = models.CharField(max_length=LABEL_LENGTH)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompts_label_once")]

    def __str__(self) -> str:
        return self.name


class PromptReference(models.Model):
    """That a version embeds another prompt, by number or by label, so that neither is taken from under it."""

    version = models.ForeignKey(PromptVersion, models.CASCADE, related_name="references")
    name = models.CharField(max_length=NAME_LENGTH)
    number = models.PositiveIntegerField(null=True, blank=True)
    label = models.CharField(max_length=LABEL_LENGTH, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["name"], name="prompts_reference_to")]

    def __str__(self) -> str:
        return f"{self.name} {self.number or self.label}"


class ProtectedLabel(models.Model):
    """A label that only admins of the project move in the pages."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="protected_labels")
    name = models.CharField(max_length=LABEL_LENGTH)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="prompts_label_protected_once")]

    def __str__(self) -> str:
        return self.name
