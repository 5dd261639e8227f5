"""Charts that people made, and the dashboards they stand on."""

from __future__ import annotations

import uuid

from django.db import models

LONGEST_DASHBOARD_NAME = 200
#: columns of the grid
GRID_WIDTH = 12


def new_id() -> str:
    return str(uuid.uuid4())


class Widget(models.Model):
    """A chart. What it shows is as the public API writes it (`queries/dashboards/definition.py` reads it)."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="widgets")
    name = models.CharField(max_length=LONGEST_DASHBOARD_NAME)
    description = models.TextField(blank=True, default="")
    view = models.CharField(max_length=40)
    dimensions = models.JSONField(default=list, blank=True)
    metrics = models.JSONField(default=list)
    filters = models.JSONField(default=list, blank=True)
    chart_type = models.CharField(max_length=40)
    chart_config = models.JSONField(default=dict, blank=True)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-updated_at"], name="tracing_widget_newest")]

    def __str__(self) -> str:
        return self.name


class Dashboard(models.Model):
    """A page of charts with filters of its own."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="dashboards")
    name = models.CharField(max_length=LONGEST_DASHBOARD_NAME)
    description = models.TextField(blank=True, default="")
    #: as the public API writes filters; each chart takes those that it has a column for
    filters = models.JSONField(default=list, blank=True)
    #: what the project opens with, instead of the built-in home
    is_home = models.BooleanField(default=False)
    #: rises with every change, so that two people do not move each other's charts unseen
    revision = models.PositiveIntegerField(default=1)
    author = models.ForeignKey("accounts.User", models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-updated_at"], name="tracing_dashboard_newest")]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(is_home=True), name="tracing_dashboard_one_home"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Placement(models.Model):
    """Where a chart stands: a widget's or one of the built-in ones (`queries/dashboards/presets.py`)."""

    dashboard = models.ForeignKey(Dashboard, models.CASCADE, related_name="placements")
    #: its name within the dashboard, which clients may choose
    name = models.CharField(max_length=255, default=new_id)
    #: a widget that stands somewhere is not deleted
    widget = models.ForeignKey(Widget, models.RESTRICT, null=True, blank=True, related_name="placements")
    preset = models.CharField(max_length=100, blank=True, default="")
    x = models.PositiveSmallIntegerField()
    y = models.PositiveIntegerField()
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["y", "x", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["dashboard", "name"], name="tracing_placement_named_once"),
            models.CheckConstraint(
                condition=models.Q(widget=None, preset__gt="") | models.Q(widget__isnull=False, preset=""),
                name="tracing_placement_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.dashboard_id}"
