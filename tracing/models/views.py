"""Lists as people like to find them again: filters, columns, order."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Lower

LONGEST_VIEW_NAME = 80


class ListNoun(models.TextChoices):
    TRACES = "traces"
    OBSERVATIONS = "observations"


class SavedView(models.Model):
    """A list's query string under a name: its owner's alone, or shared with the project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="saved_views")
    noun = models.CharField(max_length=20, choices=ListNoun.choices)
    name = models.CharField(max_length=LONGEST_VIEW_NAME)
    #: as in the address, without the place in the list and what is peeked at
    query = models.TextField(blank=True, default="")
    #: a shared view stays when whoever made it leaves
    owner = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = [Lower("name"), "id"]
        constraints = [
            models.UniqueConstraint(
                "project", "noun", Lower("name"), condition=models.Q(is_shared=True), name="tracing_view_shared_once"
            ),
            models.UniqueConstraint(
                "project", "noun", "owner", Lower("name"), condition=models.Q(is_shared=False),
                name="tracing_view_own_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class DefaultView(models.Model):
    """The view that a list opens with when its address says nothing: of one person, or (without) of the project."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    noun = models.CharField(max_length=20, choices=ListNoun.choices)
    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, blank=True, related_name="+")
    view = models.ForeignKey(SavedView, models.CASCADE, related_name="defaults")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "noun"], condition=models.Q(user=None), name="tracing_default_of_project"
            ),
            models.UniqueConstraint(
                fields=["project", "noun", "user"], condition=~models.Q(user=None), name="tracing_default_of_user"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.noun} of {self.user_id or 'the project'}: {self.view_id}"
