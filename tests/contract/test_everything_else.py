"""What is the same on every path of the API: JSON, CORS, verbs, slashes, bodies that make no sense, odd credentials."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from django.test import Client

from tests.contract.harness import Case, check
from tests.tracing.api_data import fill, make_api

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

#: before paths that begin with two slashes, which the test client would take for a host
HERE = "http://testserver"
ORIGIN = {"Origin": "https://app.example"}
NOT_FOUND = {"message": "Not Found", "error": "LangfuseNotFoundError"}
NO_VERB = {"message": "Method not allowed", "error": "MethodNotAllowedError"}
INVALID = {"message": "Invalid credentials. Confirm that you've configured the correct host."}
INVALID_JSON = {"message": "Invalid JSON", "error": "InvalidRequestError"}


@pytest.fixture
def api():
    api = make_api()
    fill(api.project_id)
    return api


NOBODYS = [
    "/api",
    "/api/",
    "//api",
    "/api/public",
    "/api/public/",
    "/api/publicx",
    "/api/public/nothing",
    "/api/public/nothing/",
    "/api//public//nothing",
    "/api/public/v4/scores",
    "/api/public/otel/v1/logs",
    "/api/public/Traces",
    "/api/public/traces\n",
    "/api/public/%00",
    "/api/public/traces/%00",
    "/api/public/%ff%fe",
    "/api/public/../public/traces",
    "/api/public/<script>",
    "/api/auth/session",
    "/api/trpc/x",
    "/api/v1/traces",
]


@pytest.mark.parametrize("path", NOBODYS)
@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_path_that_is_nobodys_is_json(verb, path):
    answer = Client().generic(verb, HERE + quote(path, safe="/%"), b"{}", headers=ORIGIN)
    assert (answer.status_code, answer.json(), answer["Content-Type"]) == (404, NOT_FOUND, "application/json")
    assert answer["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/apix", "/apis/public", "/x/api/public/health", "/project/api"])
def test_paths_that_only_look_like_it_are_for_people(path):
    assert Client().get(path)["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/public/traces/", "/api/public/traces"),
        ("/api/public/traces/?page=2&name=a%2Fb%20c", "/api/public/traces?page=2&name=a%2Fb%20c"),
        ("//api/public/traces", "/api/public/traces"),
        ("///api///public//traces///", "/api/public/traces"),
        ("/api/public//v2//scores/", "/api/public/v2/scores"),
        ("//api/public/traces/a%20b%23%3F%25%C3%BC", "/api/public/traces/a%20b%23%3F%25%C3%BC"),
        ("//evil.example/../api/public/traces", None),
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST", "PATCH", "DELETE"])
def test_slashes_too_many_lead_to_the_right_path_with_verb_and_body(verb, path, location):
    answer = Client().generic(verb, HERE + path, b"{}", headers=ORIGIN)
    if location is None:
        assert answer.status_code in (302, 404)
        assert not answer.get("Location", "").startswith("//")
        return
    assert (answer.status_code, answer["Location"]) == (308, location)
    assert answer.json() == {"message": f"Moved to {answer.json()['message'].removeprefix('Moved to ')}"}
    assert answer["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("slashes", ["/{}/", "//{}", "/{}//"])
@pytest.mark.parametrize("path", ["ingestion", "otel/v1/traces", "otel/v1/metrics", "scores"])
def test_ingestion_forgives_slashes(path, slashes):
    """Exporters do not follow redirects."""
    answer = Client().post(HERE + slashes.format(f"api/public/{path}"), b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["message"]) == (401, "No authorization header")


WRONG_VERBS = [
    ("PUT", "traces", "GET, POST, DELETE, HEAD, OPTIONS"),
    ("PATCH", "observations", "GET, HEAD, OPTIONS"),
    ("POST", "sessions", "GET, HEAD, OPTIONS"),
    ("DELETE", "sessions/s1", "GET, HEAD, OPTIONS"),
    ("GET", "ingestion", "POST, OPTIONS"),
    ("HEAD", "ingestion", "POST, OPTIONS"),
    ("GET", "otel/v1/traces", "POST, OPTIONS"),
    ("GET", "spans", "POST, PATCH, OPTIONS"),
    ("DELETE", "events", "POST, OPTIONS"),
    ("PROPFIND", "traces", "GET, POST, DELETE, HEAD, OPTIONS"),
    ("TRACE", "v2/metrics", "GET, HEAD, OPTIONS"),
]


@pytest.mark.parametrize(("verb", "path", "allowed"), WRONG_VERBS, ids=[f"{row[0]} {row[1]}" for row in WRONG_VERBS])
def test_wrong_verbs_name_the_right_ones(verb, path, allowed):
    answer = Client().generic(verb, f"/api/public/{path}", headers=ORIGIN)
    assert (answer.status_code, answer["Allow"]) == (405, allowed)
    assert answer.content == b"" if verb == "HEAD" else answer.json() == NO_VERB
    assert answer["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["traces", "traces/t1", "observations", "sessions", "v2/scores", "projects", "health"])
def test_head_has_the_headers_of_get(api, path):
    read, head = api("GET", path), api("HEAD", path)
    assert (head.status_code, head.content) == (read.status_code, b"")
    assert head["Content-Length"] == read["Content-Length"]


@pytest.mark.parametrize("asked", ["authorization,content-type", "x-anything-at-all, X-Langfuse-Sdk-Name", ""])
@pytest.mark.parametrize("path", ["traces", "traces/a/b", "scores", "ingestion", "otel/v1/traces", "spans", "media/x"])
def test_preflight_allows_what_is_asked(path, asked):
    headers = {**ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = Client().options(f"/api/public/{path}", headers={**headers, "Access-Control-Request-Headers": asked})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == asked
    assert "Access-Control-Allow-Credentials" not in answer
    usual = Client().options(f"/api/public/{path}", headers=headers)["Access-Control-Allow-Headers"]
    assert {"Authorization", "Content-Type", "X-Langfuse-Sdk-Name"} <= set(usual.split(", "))


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["traces", "ingestion", "otel/v1/traces", "scores", "projects", "nothing", "health"])
def test_browsers_may_read_every_answer(verb, path):
    answer = Client().generic(verb, f"/api/public/{path}", b"{", content_type="application/json", headers=ORIGIN)
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer["Access-Control-Expose-Headers"] == "Retry-After"
    assert answer["Content-Type"] == "application/json"


BODIES = [
    Case("half", "DELETE traces", 400, INVALID_JSON, body=b"{"),
    Case("NaN", "DELETE traces", 400, INVALID_JSON, body=b'{"traceIds": [NaN]}'),
    Case("broken UTF-8", "DELETE traces", 400, INVALID_JSON, body=b'{"traceIds": ["\xff"]}'),
    Case("too deep", "DELETE traces", 400, INVALID_JSON, body=b"[" * 5000 + b"]" * 5000),
    Case("two documents", "DELETE traces", 400, INVALID_JSON, body=b"{}{}"),
    Case("UTF-16", "DELETE traces", 400, INVALID_JSON, body='{"traceIds": ["x"]}'.encode("utf-16")),
    Case("trailing comma", "DELETE traces", 400, INVALID_JSON, body=b'{"traceIds": ["x"],}'),
    Case("single quotes", "DELETE traces", 400, INVALID_JSON, body=b"{'traceIds': []}"),
    Case(
        "NUL",
        "DELETE traces",
        400,
        {"message": "Text must not hold the character U+0000.", "error": "InvalidRequestError"},
        body=b'{"traceIds": ["a\\u0000"]}',
    ),
    Case(
        "mark",
        "DELETE traces",
        200,
        {"message": "Traces deleted successfully"},
        body=b'\xef\xbb\xbf{"traceIds": ["x"]}',
    ),
    Case(
        "half a pair",
        "DELETE traces",
        200,
        {"message": "Traces deleted successfully"},
        body=b'{"traceIds": ["\\ud83d"]}',
    ),
    Case(
        "no NUL", "DELETE traces", 200, {"message": "Traces deleted successfully"}, body=b'{"traceIds": ["\\\\u0000"]}'
    ),
    Case(
        "last of two",
        "DELETE traces",
        200,
        {"message": "Traces deleted successfully"},
        body=b'{"traceIds": 5, "traceIds": ["x"]}',
    ),
]


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_bodies(api, case):
    check(api, case)


def test_too_large_a_body_is_refused_in_json(api, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    message = "The body is larger than 1,000 bytes. Send smaller batches."
    check(api, Case("", "DELETE traces", 413, {"message": message, "error": "PayloadTooLargeError"}, body=b" " * 1001))


def test_thousands_of_parameters_are_refused(api):
    answer = Client().get("/api/public/traces?" + "a&" * 10_001, headers={"Authorization": api.authorization})
    expected = {"message": "The request cannot be understood.", "error": "InvalidRequestError"}
    assert (answer.status_code, answer.json()) == (400, expected)


NAMES = [
    "a/b",
    "/a",
    "a/",
    "//",
    "a b",
    "50%",
    "%2F",
    "why?",
    "#1",
    "a&b=c",
    "ü",
    "日本",
    "😀",
    "a\nb",
    "a;b",
    "..",
    "'\"<>",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_may_stand_in_a_path(api, name):
    for path in ("traces", "observations", "sessions", "scores"):
        answer = api("GET", f"{path}/{quote(name, safe='')}")
        assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")
    answer = api("GET", f"traces/{quote(name, safe='')}")
    assert name in answer.json()["message"]


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic %%%",
        basic(":"),
        basic("pk-lf-x:"),
        basic(":sk-lf-x"),
        basic("pk-lf-x:sk:with:colons"),
        basic("pk-lf-ü:sk-lf-😀"),
        basic("pk-lf-x:" + "s" * 100_000),
        basic("no colon"),
        "Basic \xfc\xff",
        "Bearer",
        "Bearer pk-lf-x pk-lf-y",
        "Digest username=x",
        "nonsense",
    ],
)
@pytest.mark.parametrize("path", ["traces", "scores", "ingestion", "otel/v1/traces"])
def test_odd_credentials_are_wrong_ones(authorization, path):
    verb = "GET" if path == "traces" else "POST"
    answer = Client().generic(verb, f"/api/public/{path}", b"{}", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["message"]) == (401, INVALID["message"])


def test_the_scheme_may_be_in_any_case_and_a_secret_must_be_whole(api):
    given = api.authorization.split()[1]
    for scheme in ("Basic", "basic", "BASIC"):
        assert Client().get("/api/public/traces", headers={"Authorization": f"{scheme} {given}"}).status_code == 200
    pair = base64.b64decode(given).decode()
    for wrong in (pair + ":", pair + " ", pair[:-1], pair.upper(), pair.partition(":")[0] + ":"):
        answer = Client().get("/api/public/traces", headers={"Authorization": basic(wrong)})
        assert (answer.status_code, answer.json()) == (401, INVALID)


@pytest.mark.parametrize("host", ["a b", "x/y", "[::", "x:port"])
def test_a_host_that_is_none_is_told_so(host):
    answer = Client().get("/api/public/health", headers={"Host": host})
    expected = {"message": "The request cannot be understood.", "error": "InvalidRequestError"}
    assert (answer.status_code, answer.json()) == (400, expected)


def test_the_api_is_not_redirected_to_tls(api, settings):
    """A redirected POST becomes a GET."""
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/api/public/projects", headers={"Authorization": api.authorization}).status_code == 200
    assert Client().get("/accounts/login/").status_code == 301
