"""Runs the program of an integration against the running product and waits for what it sent."""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Run, command_of, eventually, variables_of
from tests.clients.frameworks import table
from tests.clients.frameworks.catalogue import INTEGRATIONS, PROGRAMS
from tests.instance import Instance

#: Packages that count their users. What phones home all the same meets a proxy that is not there.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "TRACELOOP_TELEMETRY": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "LANGSMITH_TRACING": "false",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.frameworks)


@dataclass
class Arrived:
    """What of one run is there, oldest trace first."""

    traces: list[dict[str, Any]]

    @property
    def trace(self) -> dict[str, Any]:
        [only] = self.traces
        return only

    @property
    def observations(self) -> list[dict[str, Any]]:
        found = [each for trace in self.traces for each in trace["observations"]]
        return sorted(found, key=lambda each: each["startTime"])

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.observations if each["type"] == kind]

    def named(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.observations if each["name"] == name]


@pytest.fixture
def arrived(server: Instance, openai_url: str) -> Callable[..., Arrived]:
    """`arrived("langchain", observations=[3, 3])`: exactly these numbers, by trace. Holds the table to it as well."""

    def run(key: str, *, observations: list[int]) -> Arrived:
        integration = INTEGRATIONS[key]
        environment = f"{key}-{uuid.uuid4().hex[:8]}"
        done = subprocess.run(
            command_of(integration.environment, PROGRAMS / integration.program),
            env=framework_variables(server, openai_url, environment),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        ran = Run(server, environment, done.stdout)
        traces = eventually(lambda: _complete(ran, observations))
        row = table.row_of(integration, traces)
        table.keep(key, row)
        assert table.committed().get(integration.title) == row, "`make integrations` writes the table anew"
        return Arrived(traces)

    return run


def framework_variables(server: Instance, openai_url: str, environment: str) -> dict[str, str]:
    endpoint = f"{server.url}/api/public/otel"
    authorization = f"Authorization=Basic%20{base64.b64encode(':'.join(server.auth).encode()).decode()}"
    return {
        **variables_of(server, openai_url, environment),
        **_QUIET,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": authorization,
        "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={environment}",
        "TRACELOOP_BASE_URL": endpoint,
        "TRACELOOP_HEADERS": authorization,
        "HAYSTACK_CONTENT_TRACING_ENABLED": "true",
    }


def _complete(ran: Run, observations: list[int]) -> list[dict[str, Any]]:
    traces = ran.traces(len(observations))
    found = [len(trace["observations"]) for trace in traces]
    assert found == observations, [[each["name"] for each in trace["observations"]] for trace in traces]
    return traces
