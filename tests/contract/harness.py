"""The contract as a table: a request, and the exact status and body that answer it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.tracing.api_data import Api


@dataclass(frozen=True)
class Case:
    """`path` is below /api/public/ and may hold a query; `body` is JSON or bytes; `answer` is the exact body.

    Where a value cannot be known (a new id, the time of writing) `answer` has `unittest.mock.ANY` there.
    """

    name: str
    request: str
    status: int
    answer: Any
    params: dict[str, Any] = field(default_factory=dict)
    body: Any = None

    def __str__(self) -> str:
        return self.name


def check(api: Api, case: Case) -> Any:
    """Sends the request and compares; returns the body for tests that go on with it."""
    method, _, path = case.request.partition(" ")
    response = api(method, path, case.body, **case.params)
    assert (response.status_code, response.json()) == (case.status, case.answer)
    assert response["Content-Type"] == "application/json"
    return response.json()
