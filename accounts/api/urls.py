"""Routes of the public API about projects and their keys."""

from __future__ import annotations

from django.urls import path

from accounts.api import api_keys, projects

urlpatterns = [
    path("projects", projects.Projects.as_view()),
    path("projects/<str:project_id>", projects.OneProject.as_view()),
    path("projects/<str:project_id>/apiKeys", api_keys.ApiKeys.as_view()),
    path("projects/<str:project_id>/apiKeys/<str:key_id>", api_keys.OneApiKey.as_view()),
]
