"""Pages about judging what was traced."""

from __future__ import annotations

from django.urls import path

from evals.views import annotate
from evals.views.runs import pages as runs
from evals.views.runs import remote

app_name = "evals"

urlpatterns = [
    path("projects/<str:project_id>/annotate/", annotate.annotate, name="annotate"),
    path("projects/<str:project_id>/annotate/save/", annotate.annotate_save, name="annotate-save"),
    path("projects/<str:project_id>/annotate/config/", annotate.config_create, name="annotate-config"),
    path("projects/<str:project_id>/experiments/new/", runs.experiment_new, name="experiment-new"),
    path("projects/<str:project_id>/experiments/start/", runs.experiment_start, name="experiment-start"),
    path("projects/<str:project_id>/experiments/stop/", runs.experiment_stop, name="experiment-stop"),
    path("projects/<str:project_id>/experiments/rest/", runs.experiment_rest, name="experiment-rest"),
    path("projects/<str:project_id>/experiments/progress/", runs.experiment_progress, name="experiment-progress"),
    path("projects/<str:project_id>/experiments/remote/", remote.experiment_remote, name="experiment-remote"),
    path(
        "projects/<str:project_id>/experiments/remote/save/",
        remote.experiment_remote_save,
        name="experiment-remote-save",
    ),
    path("projects/<str:project_id>/experiments/remote/ask/", remote.experiment_ask, name="experiment-ask"),
]
