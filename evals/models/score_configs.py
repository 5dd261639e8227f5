"""What scores must be."""

from __future__ import annotations

from django.db import models

from evals.models.ids import new_id

CONFIG_NAME_LENGTH = 35


class ScoreConfigType(models.TextChoices):
    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    CATEGORICAL = "CATEGORICAL"
    TEXT = "TEXT"


class ScoreConfig(models.Model):
    """What the scores that name it must be: their name, their type, and which values they may have."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="score_configs")
    name = models.CharField(max_length=CONFIG_NAME_LENGTH)
    data_type = models.CharField(max_length=20, choices=ScoreConfigType.choices)
    description = models.TextField(blank=True, default="")
    is_archived = models.BooleanField(default=False)

    # Bounds of a numeric one, both included.
    min_value = models.FloatField(null=True, blank=True)
    max_value = models.FloatField(null=True, blank=True)
    #: of categorical and boolean ones: [{label, value}], as in the API
    categories = models.JSONField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="evals_score_config_newest")]

    def __str__(self) -> str:
        return self.name

    @property
    def labels(self) -> dict[str, float]:
        """The number of each category."""
        return {category["label"]: category["value"] for category in self.categories or ()}
