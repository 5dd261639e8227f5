"""Pages of prompts. Names may hold slashes, so what is no name comes first, and forms are sent elsewhere."""

from __future__ import annotations

from django.urls import include, path

from prompts.views import changes, detail, form, labels, listing, transfer
from prompts.views.automations import pages as automations
from prompts.views.connections import pages as connections
from prompts.views.playground import data as playground_data
from prompts.views.playground import pages as playground_pages

app_name = "prompts"

project_urls = [  # projects/<project_id>/
    path("prompts/", listing.prompt_list, name="prompt-list"),
    path("prompts/new/", form.prompt_new, name="prompt-new"),
    path("prompts-create/", form.prompt_create, name="prompt-create"),
    path("prompts-references/", form.prompt_references, name="prompt-references"),
    path("prompts-labels/", changes.prompt_labels, name="prompt-labels"),
    path("prompts-tags/", changes.prompt_tags, name="prompt-tags"),
    path("prompts-duplicate/", changes.prompt_duplicate, name="prompt-duplicate"),
    path("prompts-duplicate/save/", changes.prompt_duplicate_save, name="prompt-duplicate-save"),
    path("prompts-delete/", changes.prompt_delete, name="prompt-delete"),
    path("prompts-delete/confirm/", changes.prompt_delete_confirm, name="prompt-delete-confirm"),
    path("prompts-import/", transfer.prompt_import, name="prompt-import"),
    path("prompts-import/review/", transfer.prompt_import_review, name="prompt-import-review"),
    path("prompts-export/", transfer.prompt_export, name="prompt-export"),
    path("prompt-versions/<id:version_id>/", detail.prompt_version, name="prompt-version"),
    path("prompts/<id:name>/", detail.prompt_detail, name="prompt-detail"),
    path("playground/", playground_pages.playground_list, name="playground-list"),
    path("playground/new/", playground_data.playground_new, name="playground-new"),
    path("playground/<str:playground_id>/", playground_pages.playground, name="playground"),
    path("playground/<str:playground_id>/state/", playground_data.playground_state, name="playground-state"),
    path("playground/<str:playground_id>/rename/", playground_data.playground_rename, name="playground-rename"),
    path("playground/<str:playground_id>/delete/", playground_data.playground_delete, name="playground-delete"),
    path("playground/<str:playground_id>/runs/", playground_data.playground_run, name="playground-run"),
    path("playground/<str:playground_id>/runs/news/", playground_data.playground_news, name="playground-news"),
    path("playground/<str:playground_id>/runs/stop/", playground_data.playground_stop, name="playground-stop"),
    path(
        "playground/<str:playground_id>/runs/<str:run_id>/",
        playground_pages.playground_output,
        name="playground-output",
    ),
    path("playground-library/", playground_data.library, name="playground-library"),
    path("playground-library/save/", playground_data.library_save, name="playground-library-save"),
    path("playground-library/delete/", playground_data.library_delete, name="playground-library-delete"),
    path("settings/prompt-labels/", labels.label_list, name="label-list"),
    path("settings/prompt-labels/protect/", labels.label_protect, name="label-protect"),
    path("settings/prompt-automations/", automations.automation_list, name="automation-list"),
    path("settings/prompt-automations/new/", automations.automation_new, name="automation-new"),
    path("settings/prompt-automations/create/", automations.automation_create, name="automation-create"),
    path("settings/prompt-automations/edit/", automations.automation_edit, name="automation-edit"),
    path("settings/prompt-automations/update/", automations.automation_update, name="automation-update"),
    path("settings/prompt-automations/history/", automations.automation_detail, name="automation-detail"),
    path("settings/prompt-automations/delivery/", automations.automation_delivery, name="automation-delivery"),
    path("settings/prompt-automations/test/", automations.automation_test, name="automation-test"),
    path("settings/prompt-automations/again/", automations.automation_again, name="automation-again"),
    path("settings/prompt-automations/secret/", automations.automation_secret, name="automation-secret"),
    path("settings/prompt-automations/switch/", automations.automation_switch, name="automation-switch"),
    path("settings/prompt-automations/delete/", automations.automation_delete, name="automation-delete"),
    path("settings/llm-connections/", connections.connection_list, name="connection-list"),
    path("settings/llm-connections/new/", connections.connection_new, name="connection-new"),
    path("settings/llm-connections/create/", connections.connection_create, name="connection-create"),
    path("settings/llm-connections/edit/", connections.connection_edit, name="connection-edit"),
    path("settings/llm-connections/update/", connections.connection_update, name="connection-update"),
    path("settings/llm-connections/delete/", connections.connection_delete, name="connection-delete"),
    path("settings/llm-connections/test/", connections.connection_test, name="connection-test"),
]

urlpatterns = [path("projects/<str:project_id>/", include(project_urls))]
