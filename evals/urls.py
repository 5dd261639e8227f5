"""Pages about judging what was traced."""

from __future__ import annotations

from django.urls import path

from evals.views import annotate

app_name = "evals"

urlpatterns = [
    path("projects/<str:project_id>/annotate/", annotate.annotate, name="annotate"),
    path("projects/<str:project_id>/annotate/save/", annotate.annotate_save, name="annotate-save"),
    path("projects/<str:project_id>/annotate/config/", annotate.config_create, name="annotate-config"),
]
