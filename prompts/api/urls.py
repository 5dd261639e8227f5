"""Routes of the public API. Names may hold slashes, so suffixes are matched first."""

from __future__ import annotations

from django.urls import path

from prompts.api import connections, prompts

urlpatterns = [
    path("llm-connections", connections.Connections.as_view()),
    path("llm-connections/<id:connection_id>", connections.OneConnection.as_view()),
    path("prompts", prompts.PromptsV1.as_view()),
    path("v2/prompts", prompts.Prompts.as_view()),
    path("v2/prompts/<id:name>/versions/<str:version>", prompts.OneVersion.as_view()),
    path("v2/prompts/<id:name>", prompts.OnePrompt.as_view()),
]
