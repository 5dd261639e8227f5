"""The contract as a table: a request and the exact status and body that answer it. The OpenAPI document knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jsonschema_rs
from django.urls import Resolver404, resolve

from config.api import openapi
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
    check_documented(method, response)
    return response.json()


def check_documented(method: str, response: Any) -> None:
    """The document has this status for this verb of this path, and a schema that the body fits."""
    path = _document_path(response.wsgi_request.path_info)
    verbs = openapi.document()["paths"].get(path, {})
    operation = verbs.get(method.lower())
    if operation is None:
        assert response.status_code == (405 if verbs else 404), f"{method} {path} is not described"
        problem_schema().validate(response.json())
        return
    status = str(response.status_code)
    assert status in operation["responses"], f"{method} {path} answered {status}, which is not described"
    validator = answer_schema(path, method.lower(), status)
    if validator is None:
        assert response.content == b"", f"{method} {path} has a body at {status}, which is not described"
    else:
        errors = [f"{list(error.instance_path)}: {error.message}" for error in validator.iter_errors(response.json())]
        assert not errors, f"{method} {path} {status} does not fit the document: {errors}"


@cache
def answer_schema(path: str, verb: str, status: str) -> Any:
    """Checks bodies of one answer; None where there is no body."""
    content = openapi.document()["paths"][path][verb]["responses"][status].get("content")
    return _validator(content["application/json"]["schema"]) if content else None


@cache
def problem_schema() -> Any:
    return _validator({"$ref": "#/components/schemas/Problem"})


def _validator(schema: dict[str, Any]) -> Any:
    whole = {**schema, "components": openapi.document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _document_path(path: str) -> str:
    try:
        return openapi.document_path(resolve(path).route)
    except Resolver404:
        return path
