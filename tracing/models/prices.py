"""Models and what they cost: the built-in price list, and what a project adds or overrides."""

from __future__ import annotations

import uuid

from django.db import models

#: longest id that a client may choose
LONGEST_ID = 255


def new_id() -> str:
    return str(uuid.uuid4())


class Unit(models.TextChoices):
    TOKENS = "TOKENS"
    CHARACTERS = "CHARACTERS"
    MILLISECONDS = "MILLISECONDS"
    SECONDS = "SECONDS"
    REQUESTS = "REQUESTS"
    IMAGES = "IMAGES"


class Tokenizer(models.TextChoices):
    NONE = "", "none"
    OPENAI = "openai"
    CLAUDE = "claude"


class Model(models.Model):
    """How a model name is recognised, counted and priced. Without a project it is part of the built-in list."""

    id = models.CharField(primary_key=True, max_length=LONGEST_ID, default=new_id)
    #: The id that a client put the model under. Such ids are a project's own: two projects may choose the same.
    chosen_id = models.CharField(max_length=LONGEST_ID, null=True, blank=True)
    project = models.ForeignKey("accounts.Project", models.CASCADE, null=True, blank=True, related_name="priced_models")
    name = models.CharField(max_length=255)
    #: regular expression (linear-time syntax: no look-around, no back-references) searched in the model name
    match_pattern = models.CharField(max_length=1000)
    start_date = models.DateTimeField(null=True, blank=True)
    unit = models.CharField(max_length=20, choices=Unit.choices, blank=True, default=Unit.TOKENS)
    tokenizer = models.CharField(max_length=20, choices=Tokenizer.choices, blank=True, default=Tokenizer.NONE)
    tokenizer_config = models.JSONField(default=dict, blank=True)

    # Where a built-in price comes from, so that a reader can check it.
    provider = models.CharField(max_length=50, blank=True, default="")
    source_url = models.CharField(max_length=500, blank=True, default="")
    checked_on = models.DateField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "unit", models.F("start_date").desc(nulls_last=True)]
        constraints = [
            # A price that changes is a definition more, of the same name, from another day on.
            models.UniqueConstraint(fields=["project", "name", "start_date"], name="tracing_model_once_per_start"),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(start_date__isnull=True),
                name="tracing_model_once_without_start",
            ),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(project__isnull=True), name="tracing_model_builtin_once"
            ),
            models.UniqueConstraint(fields=["project", "chosen_id"], name="tracing_model_chosen_id_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """How clients call it, and what observations keep."""
        return self.chosen_id or self.id

    @classmethod
    def is_called(cls, *public_ids: str) -> models.Q:
        """The condition that a model's public id is one of these."""
        return models.Q(chosen_id__in=public_ids) | models.Q(chosen_id=None, id__in=public_ids)

    @property
    def is_builtin(self) -> bool:
        return self.project_id is None


class PricingTier(models.Model):
    """Prices of a model under some condition. Exactly one tier of a model is the default one and has none."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id)
    model = models.ForeignKey(Model, models.CASCADE, related_name="tiers")
    name = models.CharField(max_length=100)
    is_default = models.BooleanField(default=False)
    #: tiers are tried by ascending priority; the default one is 0 and comes last
    priority = models.PositiveSmallIntegerField(default=0)
    #: all must hold; shaped as in the API: {usageDetailPattern, operator, value} or {source, key, operator, values}
    conditions = models.JSONField(default=list, blank=True)
    #: usage key -> US dollars per unit, as decimal text so that nothing is lost
    prices = models.JSONField(default=dict)

    class Meta:
        ordering = ["priority"]
        constraints = [
            models.UniqueConstraint(fields=["model", "name"], name="tracing_tier_name_once"),
            models.UniqueConstraint(fields=["model", "priority"], name="tracing_tier_priority_once"),
        ]

    def __str__(self) -> str:
        return self.name
