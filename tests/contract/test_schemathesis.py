"""Whatever fits the document, or just does not, is answered as the document says; never with a failure of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CoveragePhaseConfig,
    ExamplesPhaseConfig,
    FuzzingPhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi import checks

from config.api import openapi
from tests.tracing.api_data import fill, make_api
from tracing.ingest import receive
from tracing.ingest.inbox import FolderInbox, GroupCommit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

#: What a schema may say of a text beyond being one.
BOUNDS = {"enum", "const", "format", "pattern", "minLength", "maxLength"}


def negative_data_rejection(ctx: Any, response: Any, case: Any) -> Any:
    """The library's check, but for queries in which only free texts were changed: in an address all is text, a number
    is one, too, and a text in place of a list is a list of one."""
    changed = {one.parameter for one in getattr(case.meta.phase.data, "mutations", ()) if one.parameter}
    if changed and changed <= free_texts(case.operation.path, case.method.lower()):
        return None
    return checks.negative_data_rejection(ctx, response, case)


def free_texts(path: str, verb: str) -> set[str]:
    parameters = openapi.document()["paths"][path][verb].get("parameters", ())
    schemas = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    items = {name: schema.get("items", schema) for name, schema in schemas.items()}
    return {name for name, item in items.items() if item.get("type") == "string" and not BOUNDS & item.keys()}


CHECKED = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    negative_data_rejection,
]
#: Bad items are judged one by one in a 207; exporters may send a list, or metrics of any shape.
LENIENT = {
    "POST /api/public/ingestion",
    "POST /api/public/scores",
    "POST /api/public/otel/v1/traces",
    "POST /api/public/otel/v1/metrics",
}
#: Their 503 is what a monitor asks for. There is no broker here.
MONITORED = {"/api/public/health", "/api/public/ready"}
CONFIG = SchemathesisConfig(
    seed=1,
    projects=ProjectsConfig(
        default=ProjectConfig(
            phases=PhasesConfig(
                examples=ExamplesPhaseConfig(enabled=True),
                coverage=CoveragePhaseConfig(enabled=True),
                fuzzing=FuzzingPhaseConfig(enabled=True),
            ),
            generation=GenerationConfig(deterministic=True, with_security_parameters=False),
        )
    ),
)
api_schema = schemathesis.openapi.from_wsgi("/api/public/openapi.json", get_wsgi_application(), config=CONFIG)


@pytest.fixture(autouse=True)
def _quiet_inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is accepted is kept as ever, and nobody is called to store it."""
    monkeypatch.setattr(receive, "_commits", GroupCommit(FolderInbox(tmp_path / "inbox"), lambda key: None))


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """A request that ends closes a connection in the middle of a transaction, and the test's is in one. Django's own
    test client keeps it so, too."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def authorization() -> str:
    api = make_api()
    fill(api.project_id)
    return api.authorization


@api_schema.parametrize()
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_answers_as_described(case: Any, authorization: str) -> None:
    excluded = [negative_data_rejection] if case.operation.label in LENIENT else []
    if case.operation.path in MONITORED:
        excluded.append(not_a_server_error)
    case.call_and_validate(checks=CHECKED, excluded_checks=excluded, headers={"Authorization": authorization})
