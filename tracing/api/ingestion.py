"""The routes by which traces come in. `receive` answers them before Django's middleware when they are called by their
exact addresses; here they say what they take."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request

from config.api.describe import PROJECT_KEY, PUBLIC_KEY, Binary, Message, describe
from config.api.views import PostedElsewhere
from tracing.api.shapes import ingestion as shapes
from tracing.ingest import receive


class OtlpTraces(PostedElsewhere):
    @describe(
        "Send spans by OpenTelemetry",
        body={"application/json": shapes.ExportTraces, "application/x-protobuf": Binary},
        example=shapes.EXPORT,
        answer=shapes.Nothing,
        answers={400: shapes.ExportProblem},
        keys=(PROJECT_KEY,),
        text=(
            "OTLP over HTTP, as protobuf or JSON, with or without gzip. All spans of a request are kept or none is. "
            "They can be read some moments later."
        ),
    )
    def post(self, request: Request) -> HttpResponse:
        return receive.answer(request._request, receive.otlp_traces)


class OtlpMetrics(PostedElsewhere):
    @describe(
        "Take OpenTelemetry metrics, and leave them",
        body={"application/json": dict, "application/x-protobuf": Binary},
        optional_body=True,
        answer=Message,
        keys=(PROJECT_KEY,),
        text="So that exporters which also send metrics do not fail. Nothing is kept.",
    )
    def post(self, request: Request) -> HttpResponse:
        return receive.answer(request._request, receive.otlp_metrics)


class Ingestion(PostedElsewhere):
    @describe(
        "Send a batch of events",
        body=shapes.Batch,
        example=shapes.BATCH,
        answer=shapes.BatchReceipt,
        status=207,
        answers={400: shapes.BatchProblem},
        keys=(PROJECT_KEY, PUBLIC_KEY),
        deprecated=True,
        text=(
            "For SDKs older than OpenTelemetry. Good events are kept even when others are not. The public key alone "
            "may send score-create and sdk-log."
        ),
    )
    def post(self, request: Request) -> HttpResponse:
        return receive.answer(request._request, receive.ingestion)
