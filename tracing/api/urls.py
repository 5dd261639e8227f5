"""Routes of the public API. No trailing slashes; ids and names may hold slashes, so suffixes are matched first."""

from __future__ import annotations

from django.urls import path

from tracing.api import (
    comments,
    dashboards,
    health,
    ingestion,
    media,
    metrics,
    models,
    observations,
    scores,
    single_writes,
    traces,
)

urlpatterns = [
    path("health", health.Health.as_view()),
    path("ready", health.Ready.as_view()),
    path("ingestion", ingestion.Ingestion.as_view()),
    path("otel/v1/traces", ingestion.OtlpTraces.as_view()),
    path("otel/v1/metrics", ingestion.OtlpMetrics.as_view()),
    path("spans", single_writes.Spans.as_view()),
    path("generations", single_writes.Generations.as_view()),
    path("events", single_writes.Events.as_view()),
    path("traces", traces.Traces.as_view()),
    path("traces/<id:trace_id>", traces.OneTrace.as_view()),
    path("observations", observations.Observations.as_view()),
    path("observations/<id:observation_id>", observations.OneObservation.as_view()),
    path("v2/observations", observations.ObservationsV2.as_view()),
    path("sessions", traces.Sessions.as_view()),
    path("sessions/<id:session_id>", traces.OneSession.as_view()),
    path("scores", scores.Scores.as_view()),
    path("scores/<id:score_id>", scores.OneScore.as_view()),
    path("v2/scores", scores.ScoresV2.as_view()),
    path("v2/scores/<id:score_id>", scores.OneScoreV2.as_view()),
    path("v3/scores", scores.ScoresV3.as_view()),
    path("comments", comments.Comments.as_view()),
    path("comments/<id:comment_id>", comments.OneComment.as_view()),
    path("metrics", metrics.MetricsV1.as_view()),
    path("metrics/daily", metrics.DailyMetrics.as_view()),
    path("v2/metrics", metrics.MetricsV2.as_view()),
    path("unstable/dashboard-widgets", dashboards.Widgets.as_view()),
    path("unstable/dashboard-widgets/<id:widget_id>", dashboards.OneWidget.as_view()),
    path("unstable/dashboards", dashboards.Dashboards.as_view()),
    path("unstable/dashboards/<str:dashboard_id>/placements", dashboards.Placements.as_view()),
    path("unstable/dashboards/<str:dashboard_id>/placements/<id:placement_id>", dashboards.OnePlacement.as_view()),
    path("unstable/dashboards/<str:dashboard_id>", dashboards.OneDashboard.as_view()),
    path("media", media.MediaUpload.as_view()),
    path("media/content/<str:token>", media.content, name="media-content"),
    path("media/<str:media_id>", media.OneMedia.as_view()),
    path("models", models.Models.as_view()),
    path("models/<id:model_id>", models.OneModel.as_view()),
]
