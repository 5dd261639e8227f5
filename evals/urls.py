"""Pages about judging what was traced."""

from __future__ import annotations

from django.urls import include, path

from evals.views import annotate
from evals.views.datasets import adding, transfer
from evals.views.datasets import detail as dataset_pages
from evals.views.datasets import items as dataset_items
from evals.views.datasets import listing as datasets
from evals.views.datasets.old import datasets as old_datasets
from evals.views.experiments import changes as experiment_changes
from evals.views.experiments import compare as experiments
from evals.views.experiments import listing as experiment_listing
from evals.views.judging.routes import urlpatterns as judging_routes
from evals.views.queues import adding as queue_adding
from evals.views.queues import old_addresses, process
from evals.views.queues import pages as queues
from evals.views.runs import pages as runs
from evals.views.runs import remote
from evals.views.scores import analytics as score_analytics
from evals.views.scores import listing as score_listing

app_name = "evals"

queue_urls = [  # projects/<project_id>/annotation-queues/<queue_id>/
    path("", queues.queue_detail, name="queue-detail"),
    path("edit/", queues.queue_edit, name="queue-edit"),
    path("update/", queues.queue_update, name="queue-update"),
    path("delete/", queues.queue_delete, name="queue-delete"),
    path("items/", queues.queue_items_act, name="queue-items-act"),
    path("items/add/", queues.queue_item_add, name="queue-item-add"),
    path("process/", process.queue_process, name="queue-process"),
    path("process/score/", process.queue_score, name="queue-score"),
    path("process/complete/", process.queue_complete, name="queue-complete"),
    path("process/reopen/", process.queue_reopen, name="queue-reopen"),
    path("process/lock/", process.queue_lock, name="queue-lock"),
]

dataset_urls = [
    path("", datasets.dataset_list, name="dataset-list"),
    path("new/", datasets.dataset_new, name="dataset-new"),
    path("create/", datasets.dataset_create, name="dataset-create"),
    path("update/", dataset_pages.dataset_update, name="dataset-update"),
    path("duplicate/", datasets.dataset_duplicate, name="dataset-duplicate"),
    path("duplicate/save/", datasets.dataset_duplicate_save, name="dataset-duplicate-save"),
    path("delete/", datasets.dataset_delete, name="dataset-delete"),
    path("delete/confirm/", datasets.dataset_delete_confirm, name="dataset-delete-confirm"),
    path("items/new/", dataset_items.dataset_item_new, name="dataset-item-new"),
    path("items/save/", dataset_items.dataset_item_save, name="dataset-item-save"),
    path("items/act/", dataset_items.dataset_items_act, name="dataset-items-act"),
    path("import/", transfer.dataset_import, name="dataset-import"),
    path("import/upload/", transfer.dataset_import_upload, name="dataset-import-upload"),
    path("import/start/", transfer.dataset_import_start, name="dataset-import-start"),
    path("import/<str:import_id>/", transfer.dataset_import_review, name="dataset-import-review"),
    path("import/<str:import_id>/problems/", transfer.dataset_import_problems, name="dataset-import-problems"),
    path("add/", adding.dataset_add, name="dataset-add"),
    path("add/save/", adding.dataset_add_save, name="dataset-add-save"),
    path("add/traces/", adding.traces_add, name="dataset-add-traces"),
    path("add/observations/", adding.observations_add, name="dataset-add-observations"),
    path("<str:dataset_id>/", dataset_pages.dataset_detail, name="dataset-detail"),
    path("<str:dataset_id>/export/<str:format>/", transfer.dataset_export, name="dataset-export"),
    path("<str:dataset_id>/items/<id:item_id>/", dataset_items.dataset_item, name="dataset-item"),
]

urlpatterns = [
    path("projects/<str:project_id>/datasets/", include(dataset_urls)),
    path("projects/<str:project_id>/", include(judging_routes)),
    path("projects/<str:project_id>/annotate/", annotate.annotate, name="annotate"),
    path("projects/<str:project_id>/annotate/save/", annotate.annotate_save, name="annotate-save"),
    path("projects/<str:project_id>/annotate/config/", annotate.config_create, name="annotate-config"),
    path("projects/<str:project_id>/experiments/", experiment_listing.experiment_list, name="experiment-list"),
    path("projects/<str:project_id>/experiments/compare/", experiments.experiment_compare, name="experiment-compare"),
    path(
        "projects/<str:project_id>/experiments/compare/export/",
        experiment_changes.experiment_export,
        name="experiment-export",
    ),
    path(
        "projects/<str:project_id>/experiments/delete/", experiment_changes.experiment_delete, name="experiment-delete"
    ),
    path(
        "projects/<str:project_id>/experiments/delete/confirm/",
        experiment_changes.experiment_delete_confirm,
        name="experiment-delete-confirm",
    ),
    path("project/<str:project_id>/experiments/results", experiments.old_results),
    path("project/<str:project_id>/datasets/<id:dataset_id>/runs/<id:run_id>", experiments.old_run),
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
    path("projects/<str:project_id>/scores/", score_listing.score_list, name="score-list"),
    path("projects/<str:project_id>/scores/analytics/", score_analytics.score_analytics, name="score-analytics"),
    path("projects/<str:project_id>/scores/delete-many/", score_listing.score_delete_many, name="score-delete-many"),
    path("projects/<str:project_id>/scores/export/<str:format>/", score_listing.score_export, name="score-export"),
    path("project/<str:project_id>/datasets", old_datasets),
    path("project/<str:project_id>/datasets/<str:dataset_id>", old_datasets),
    path("project/<str:project_id>/datasets/<str:dataset_id>/", old_datasets),
    path("project/<str:project_id>/datasets/<str:dataset_id>/<id:rest>", old_datasets),
    path("project/<str:project_id>/scores", old_addresses.scores),
    path("project/<str:project_id>/scores/analytics", old_addresses.scores, {"page": "analytics"}),
    path("project/<str:project_id>/annotation-queues", old_addresses.queues),
    path("project/<str:project_id>/annotation-queues/<str:queue_id>", old_addresses.queues),
    path("project/<str:project_id>/annotation-queues/<str:queue_id>/items", old_addresses.queues),
    path("project/<str:project_id>/annotation-queues/<str:queue_id>/items/<str:item_id>", old_addresses.queues),
    path("projects/<str:project_id>/annotation-queues/", queues.queue_list, name="queue-list"),
    path("projects/<str:project_id>/annotation-queues/new/", queues.queue_new, name="queue-new"),
    path("projects/<str:project_id>/annotation-queues/create/", queues.queue_create, name="queue-create"),
    path("projects/<str:project_id>/annotation-queues/add/", queue_adding.queue_add, name="queue-add"),
    path("projects/<str:project_id>/annotation-queues/add/do/", queue_adding.queue_add_do, name="queue-add-do"),
    path("projects/<str:project_id>/annotation-queues/<str:queue_id>/", include(queue_urls)),
]
