"""The document is whole and true: every verb of every route, with the parameters that it really reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import html5lib
import jsonschema_rs
import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.request import Request

from config.api import openapi, reference
from config.api.describe import Description
from tests.tracing.api_data import make_api
from tracing.ingest import receive

pytestmark = [pytest.mark.django_db]

#: A signed address that `GET /media/{mediaId}` and `POST /media` hand out: for following, not for making.
UNDESCRIBED = {"api/public/media/content/<str:token>"}
VERBS = ("get", "post", "put", "patch", "delete")


def _patterns(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and address.startswith("api/public/"):
            yield address, getattr(pattern.callback, "cls", None)


def _verbs() -> Iterator[tuple[str, str, Any]]:
    for address, view in _patterns(get_resolver().url_patterns):
        if address in UNDESCRIBED:
            continue
        assert view is not None, f"{address} is not a class-based view"
        for verb in VERBS:
            if hasattr(view, verb):
                yield verb, address, view


ROUTES = list(_verbs())
IDS = [f"{verb} {address}" for verb, address, _ in ROUTES]


@pytest.mark.parametrize(("verb", "address", "view"), ROUTES, ids=IDS)
def test_every_verb_describes_itself(verb, address, view):
    described: Description | None = getattr(getattr(view, verb), "description_of_route", None)
    assert described is not None, f"{verb} {address} has no @describe"
    assert described.summary
    operation = openapi.document()["paths"][openapi.document_path(address)][verb]
    assert operation["summary"] == described.summary
    assert len(operation["tags"]) == 1
    assert any(answer[0] == "2" for answer in operation["responses"])


def test_document_is_openapi_3_1():
    import jsonschema_rs
    from schemathesis.openapi import from_dict  # the strictest reader at hand

    document = openapi.document()
    assert document["openapi"] == "3.1.0"
    assert len(list(from_dict(document).get_all_operations())) == sum(map(len, document["paths"].values()))
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
        assert "__" not in name, f"two shapes are named alike: {name}"


def test_groups_and_names():
    document = openapi.document()
    titles = [title for _, title, _ in openapi.GROUPS]
    operations = [one for verbs in document["paths"].values() for one in verbs.values()]
    assert {tag for one in operations for tag in one["tags"]} <= set(titles), (
        "a route needs a group in config/api/openapi.py"
    )
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)


def test_every_path_parameter_is_named():
    for path, verbs in openapi.document()["paths"].items():
        for operation in verbs.values():
            named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
            assert named == re.findall(r"{(\w+)}", path)


def test_what_opens_a_route():
    paths = openapi.document()["paths"]
    assert paths["/api/public/health"]["get"]["security"] == []
    assert set(paths["/api/public/health"]["get"]["responses"]) == {"200", "400", "503"}
    assert paths["/api/public/traces"]["get"]["security"] == [{"projectKey": []}]
    assert paths["/api/public/ingestion"]["post"]["security"] == [{"projectKey": []}, {"publicKey": []}]
    assert paths["/api/public/scores"]["post"]["security"] == [{"projectKey": []}, {"publicKey": []}]
    schemes = openapi.document()["components"]["securitySchemes"]
    used = {name for verbs in paths.values() for one in verbs.values() for need in one["security"] for name in need}
    assert used <= set(schemes)


class Recorder(QueryDict):
    """Remembers the names that are asked for."""

    asked: set[str]

    def __getitem__(self, name):
        self.asked.add(name)
        return super().__getitem__(name)

    def __contains__(self, name):
        self.asked.add(name)
        return super().__contains__(name)

    def getlist(self, name, default=None):
        self.asked.add(name)
        return super().getlist(name, default)

    def get(self, name, default=None):
        self.asked.add(name)
        return super().get(name, default)


READS = [route for route in ROUTES if route[0] == "get"]


@pytest.mark.usefixtures("analytics_server")
@pytest.mark.parametrize(("verb", "address", "view"), READS, ids=[f"{verb} {address}" for verb, address, _ in READS])
def test_parameters_that_are_read_are_those_described(verb, address, view, monkeypatch):
    asked: set[str] = set()

    def recorder(request):
        query = Recorder(request._request.META["QUERY_STRING"])
        query.asked = asked
        return query

    monkeypatch.setattr(Request, "query_params", property(recorder))
    monkeypatch.setattr(receive, "readiness_problems", list)  # there is no broker here
    path = re.sub(r"<[^>]*>", "x", address).removeprefix("api/public/")
    response = make_api()("GET", path)
    assert response.status_code in (200, 400, 403, 404)
    operation = openapi.document()["paths"][openapi.document_path(address)]["get"]
    described = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert asked == described


def test_examples_fit_their_schemas():
    document = openapi.document()
    components = document["components"]
    seen = 0
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in media:
                    validator = jsonschema_rs.validator_for({**media["schema"], "components": components})
                    assert not list(validator.iter_errors(media["example"])), f"{verb} {path}"
                    seen += 1
    assert seen > 2


def test_document_is_served_to_anybody_and_cached():
    answer = Client().get("/api/public/openapi.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    assert answer.json() == openapi.document()
    assert answer["Access-Control-Allow-Origin"] == "*"
    again = Client().get("/api/public/openapi.json", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    other = Client().get("/api/public/openapi.json", headers={"If-None-Match": '"older"'})
    assert other.status_code == 200
    assert Client().head("/api/public/openapi.json").status_code == 200


def test_reference_shows_every_operation_to_anybody():
    page = Client().get("/api-reference/").content.decode()
    assert page.count("<h1") == 1
    for operation in reference.operations().values():
        assert f'href="/api-reference/{operation.id}/"' in page
        assert operation.path in page
    assert Client().get("/api-reference")["Location"] == "/api-reference/"


@pytest.mark.parametrize("operation_id", sorted(reference.operations()))
def test_page_of_an_operation(operation_id, settings):
    settings.PUBLIC_URL = "https://traces.example.org"
    answer = Client().get(f"/api-reference/{operation_id}/")
    page, operation = answer.content.decode(), reference.operations()[operation_id]
    assert answer.status_code == 200
    html5lib.HTMLParser(strict=True).parse(page)
    assert "https://traces.example.org/api/public/" in page
    for one in (*operation.in_path, *operation.in_query):
        assert f"<code>{one.name}</code>" in page
    for one in operation.answers:
        assert f">{one.status}</b>" in page
        for body in one.bodies:
            for member in body.shape.fields:
                assert f"<code>{member.name}</code>" in page


def test_search():
    def found(text: str) -> list[str]:
        return [one.id for group in reference.find(text) for one in group.operations]

    assert found("sessions list") == ["getSessions"]
    assert "getObservationsV2" in found("expandmetadata")
    assert found("no-such-word") == []
    part = Client().get("/api-reference/?q=expandmetadata", headers={"HX-Request": "true", "HX-Target": "operations"})
    text = part.content.decode()
    assert text.strip().startswith('<div id="operations"')
    assert "getObservationsV2" in text
    assert "getSessions" not in text
    assert "Nothing found" in Client().get("/api-reference/?q=no-such-word").content.decode()


def test_a_route_that_does_the_same_for_every_verb_stands_there_once():
    paths = [one.path for one in reference.operations().values()]
    assert (paths.count("/api/public/health"), paths.count("/api/public/ready")) == (1, 1)


def test_kinds_are_not_counted_as_fields():
    page = Client().get("/api-reference/getTracesTraceId/").content.decode()
    assert re.search(r"<code>scores</code>.*?(\d+ (?:kinds|fields))", page, re.DOTALL)[1] == "4 kinds"


def test_unknown_operation_is_a_page():
    answer = Client().get("/api-reference/no-such/")
    assert answer.status_code == 404
    assert b"<h1" in answer.content


def test_curl_of_a_body_and_of_a_part_of_the_path():
    lines = reference.operations()["deleteTraces"].curl("http://localhost:3000").split(" \\\n  ")
    assert lines == [
        'curl -X DELETE -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY"',
        '"http://localhost:3000/api/public/traces"',
        "-H 'Content-Type: application/json'",
        '-d \'{\n  "traceIds": [\n    "4bf92f3577b34da6a3ce929d0e0e4736"\n  ]\n}\'',
    ]
    assert '"http://h/api/public/traces/$TRACE_ID"' in reference.operations()["getTracesTraceId"].curl("http://h")
    assert reference.operations()["getHealth"].curl("http://h") == 'curl "http://h/api/public/health"'
