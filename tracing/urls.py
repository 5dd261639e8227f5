"""Pages about what was traced."""

from __future__ import annotations

from django.urls import include, path

from tracing.views import (
    bulk,
    cost,
    dead_letters,
    exports,
    files,
    group_lists,
    jobs,
    lists,
    people,
    saved_views,
    session,
    start,
)
from tracing.views.acts import node, saying
from tracing.views.acts import traces as trace_acts
from tracing.views.dashboards import editing as dashboard_editing
from tracing.views.dashboards import figures as dashboard_figures
from tracing.views.dashboards import lists as dashboard_lists
from tracing.views.dashboards import page as dashboard_pages
from tracing.views.dashboards import widgets
from tracing.views.downloads import pages as downloads
from tracing.views.models import pages as models
from tracing.views.trace import data as trace_data
from tracing.views.trace import page as trace_page

app_name = "tracing"

project_urls = [  # projects/<project_id>/
    path("start/", start.onboarding, name="onboarding"),
    path("start/key/", start.onboarding_key, name="onboarding-key"),
    path("home/", dashboard_pages.project_home, name="project-home"),
    path("dashboards/figure/", dashboard_figures.dashboard_figure, name="dashboard-figure"),
    path("dashboards/csv/", dashboard_figures.dashboard_csv, name="dashboard-csv"),
    path("dashboards/", dashboard_lists.dashboard_list, name="dashboard-list"),
    path("dashboards/create/", dashboard_lists.dashboard_create, name="dashboard-create"),
    path("dashboards/copy/", dashboard_lists.dashboard_copy, name="dashboard-copy"),
    path("dashboards/delete/", dashboard_lists.dashboard_delete, name="dashboard-delete"),
    path("dashboards/choose-home/", dashboard_lists.dashboard_choose_home, name="dashboard-choose-home"),
    path("dashboards/import/", dashboard_lists.dashboard_import, name="dashboard-import"),
    path("dashboards/import/do/", dashboard_lists.dashboard_import_do, name="dashboard-import-do"),
    path("dashboards/charts/new/", widgets.widget_new, name="widget-new"),
    path("dashboards/charts/save/", widgets.widget_save, name="widget-save"),
    path("dashboards/charts/<str:widget_id>/edit/", widgets.widget_edit, name="widget-edit"),
    path("dashboards/charts/<str:widget_id>/export/", widgets.widget_export, name="widget-export"),
    path("dashboards/charts/<str:widget_id>/delete/", widgets.widget_delete, name="widget-delete"),
    path("dashboards/built-in/<str:board_id>/", dashboard_pages.dashboard_board, name="dashboard-board"),
    path("dashboards/<str:dashboard_id>/", dashboard_pages.dashboard_detail, name="dashboard-detail"),
    path("dashboards/<str:dashboard_id>/edit/", dashboard_editing.dashboard_edit, name="dashboard-edit"),
    path("dashboards/<str:dashboard_id>/save/", dashboard_editing.dashboard_save, name="dashboard-save"),
    path("dashboards/<str:dashboard_id>/export/", dashboard_lists.dashboard_export, name="dashboard-export"),
    path("dashboards/<str:dashboard_id>/copy-chart/", dashboard_editing.placement_copy, name="placement-copy"),
    path("dashboards/<str:dashboard_id>/copy-chart/do/", dashboard_editing.placement_copy_do, name="placement-copy-do"),
    path("traces/", lists.trace_list, name="trace-list"),
    path("observations/", lists.observation_list, name="observation-list"),
    path("traces/<id:trace_id>/", trace_page.trace_detail, name="trace-detail"),
    path("trace-skeleton/", trace_data.trace_skeleton, name="trace-skeleton"),
    path("trace-find/", trace_data.trace_find, name="trace-find"),
    path("trace-previews/", trace_data.trace_previews, name="trace-previews"),
    path("trace-log/", trace_data.trace_log, name="trace-log"),
    path("trace-log-entry/", trace_data.trace_log_entry, name="trace-log-entry"),
    path("bookmark/", trace_acts.bookmark, name="trace-bookmark"),
    path("tags/", trace_acts.tag, name="trace-tags"),
    path("tag-names/", trace_acts.tag_names, name="tag-names"),
    path("publish/", trace_acts.publish, name="trace-publish"),
    path("said/", node.node_page, name="node"),
    path("comments/", saying.comment_create, name="comment-create"),
    path("comments/<id:comment_id>/edit/", saying.comment_edit, name="comment-edit"),
    path("comments/<id:comment_id>/delete/", saying.comment_delete, name="comment-delete"),
    path("comments/<id:comment_id>/react/", saying.comment_react, name="comment-react"),
    path("scores/<id:score_id>/delete/", saying.score_delete, name="score-delete"),
    path("correction/", saying.correction_save, name="correction-save"),
    path("correction/delete/", saying.correction_delete, name="correction-delete"),
    path("raw/", files.trace_raw, name="trace-raw"),
    path("record/", downloads.record_download, name="record-download"),
    path("trace-download/", downloads.trace_download, name="trace-download"),
    path("trace-cost/", cost.trace_cost, name="trace-cost"),
    path("settings/models/", models.model_list, name="model-list"),
    path("settings/models/new/", models.model_new, name="model-new"),
    path("settings/models/create/", models.model_create, name="model-create"),
    path("settings/models/edit/", models.model_edit, name="model-edit"),
    path("settings/models/update/", models.model_update, name="model-update"),
    path("settings/models/delete/", models.model_delete, name="model-delete"),
    path("settings/models/recompute/", models.model_recompute, name="model-recompute"),
    path("settings/models/recompute/start/", models.model_recompute_start, name="model-recompute-start"),
    path("settings/models/of/<id:model_id>/", models.model_detail, name="model-detail"),
    path("media/<str:media_id>/", files.media_file, name="media-file"),
    path("sessions/", group_lists.session_list, name="session-list"),
    path("sessions/<id:session_id>/", session.session_detail, name="session-detail"),
    path("users/", group_lists.user_list, name="user-list"),
    path("users/<id:user_id>/", people.user_detail, name="user-detail"),
    path("traces-bulk/", bulk.trace_bulk, name="trace-bulk"),
    path("traces-bulk/confirm/", bulk.trace_bulk_confirm, name="trace-bulk-confirm"),
    path("observations-bulk/", bulk.observation_bulk, name="observation-bulk"),
    path("observations-bulk/confirm/", bulk.observation_bulk_confirm, name="observation-bulk-confirm"),
    path("sessions-bulk/", bulk.session_bulk, name="session-bulk"),
    path("sessions-bulk/confirm/", bulk.session_bulk_confirm, name="session-bulk-confirm"),
    path("count/<str:noun>/", bulk.count_matching, name="count"),
    path("user-delete/", bulk.user_delete, name="user-delete"),
    path("traces-views/", saved_views.trace_view_change, name="trace-view-change"),
    path("observations-views/", saved_views.observation_view_change, name="observation-view-change"),
    path("export/<str:noun>/<str:format>/", exports.export_list, name="export"),
    path("jobs/", jobs.job_list, name="job-list"),
    path("jobs/running/", jobs.job_indicator, name="job-indicator"),
    path("jobs/<str:job_id>/", jobs.job_detail, name="job-detail"),
    path("jobs/<str:job_id>/cancel/", jobs.job_cancel, name="job-cancel"),
    path("jobs/<str:job_id>/receipt/", jobs.job_receipt, name="job-receipt"),
    path("ingestion-problems/", dead_letters.dead_letter_list, name="dead-letter-list"),
    path("ingestion-problems/replay/", dead_letters.dead_letter_replay, name="dead-letter-replay"),
]

urlpatterns = [
    path("", start.home, name="home"),
    path("theme/", start.theme, name="theme"),
    path("projects/<str:project_id>/", include(project_urls)),
    path("trace/<id:trace_id>", start.oldest_address),
    path("project/<str:project_id>", start.old_address),
    path("project/<str:project_id>/", start.old_address),
    path("project/<str:project_id>/traces/<id:trace_id>", start.old_trace_address, name="old-trace"),
    path("project/<str:project_id>/<str:page>", start.old_address),
    path("project/<str:project_id>/<str:page>/<id:rest>", start.old_address),
]
