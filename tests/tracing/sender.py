"""A client of the ingestion paths, and what it finds in the store afterwards."""

from __future__ import annotations

import orjson
from django.test import Client

from accounts.access import scope_for_task
from tests.factories import basic, make_key, make_project
from tracing.analytics import store, tables
from tracing.analytics.records import Observation, Score, Trace

OTLP = "/api/public/otel/v1/traces"


class Sender:
    """A project with a key, and what its client and its people see."""

    def __init__(self, **fields: str) -> None:
        self.project = make_project(**fields)
        self.scope = scope_for_task(self.project.id)
        self.headers = {"Authorization": basic(make_key(self.project))}
        self.client = Client()

    def post(self, path, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return self.client.post(path, data, content_type=content_type, headers={**self.headers, **headers})

    def observations(self):
        query = store.select(self.scope, tables.observations).order_by(tables.observations.c.start_time)
        return store.records(self.scope, Observation, query, tag="test")

    def traces(self):
        query = store.select(self.scope, tables.traces).order_by(tables.traces.c.timestamp)
        return store.records(self.scope, Trace, query, tag="test")

    def scores(self):
        return store.records(self.scope, Score, store.select(self.scope, tables.scores), tag="test")
