"""Routes of the public API."""

from __future__ import annotations

from django.urls import path

from evals.api import score_configs

urlpatterns = [
    path("score-configs", score_configs.ScoreConfigs.as_view()),
    path("score-configs/<id:config_id>", score_configs.OneScoreConfig.as_view()),
]
