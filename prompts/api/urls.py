"""Routes of the public API. Names may hold slashes, so suffixes are matched first."""

from __future__ import annotations

from django.urls import path

from prompts.api import prompts

urlpatterns = [
    path("prompts", prompts.PromptsV1.as_view()),
    path("v2/prompts", prompts.Prompts.as_view()),
    path("v2/prompts/<id:name>/versions/<str:version>", prompts.OneVersion.as_view()),
    path("v2/prompts/<id:name>", prompts.OnePrompt.as_view()),
]
