"""LLM connections: put, listed, deleted, refused; what of them is never told; and who else may."""

from __future__ import annotations

import json
from unittest.mock import ANY

import pytest
from django.test import Client

from accounts.models import AuditLog
from prompts.models import LlmConnection
from tests.contract.harness import Case, check
from tests.tracing.api_data import make_api

pytestmark = pytest.mark.django_db
SECRET = "sk-0123456789abcdefWXYZ"
GIVEN = {"provider": "mine", "adapter": "openai", "secretKey": SECRET}
ANSWER = {
    "id": ANY,
    "provider": "mine",
    "adapter": "openai",
    "displaySecretKey": "sk-…WXYZ",
    "baseURL": None,
    "customModels": [],
    "withDefaultModels": True,
    "extraHeaderKeys": [],
    "config": None,
    "createdAt": ANY,
    "updatedAt": ANY,
}
ACCOUNT = {"project_id": "p", "client_email": "me@p.iam.gserviceaccount.com", "private_key": "-----BEGIN"}
AWS = {"accessKeyId": "AKIA0123456789ABCDEF", "secretAccessKey": "aws-secret"}


@pytest.fixture
def api():
    return make_api()


def given(**values):
    return {**GIVEN, **values}


def answered(**values):
    return {**ANSWER, **values}


def wrong(message, *path):
    return {
        "message": "Invalid request data",
        "error": [{"code": "custom", "path": list(path), "message": message}],
    }


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    issue = {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}
    return {"message": "Invalid request data", "error": [issue]}


EMPTY = {"data": [], "meta": {"page": 1, "limit": 50, "totalItems": 0, "totalPages": 0}}
PUTS = [
    Case("nothing yet", "GET llm-connections", 200, EMPTY),
    Case("the least", "PUT llm-connections", 201, ANSWER, body=GIVEN),
    Case(
        "all",
        "PUT llm-connections",
        201,
        answered(
            baseURL="https://1.1.1.1/v1",
            customModels=["b", "a"],
            withDefaultModels=False,
            extraHeaderKeys=["X-Team", "X-Other"],
            config={"useResponsesApi": True},
        ),
        body=given(
            baseURL="https://1.1.1.1/v1",
            customModels=["b", "a", "b"],
            withDefaultModels=False,
            extraHeaders={"X-Team": "header-secret", "X-Other": "2"},
            config={"useResponsesApi": True},
        ),
    ),
    Case(
        "nulls",
        "PUT llm-connections",
        201,
        ANSWER,
        body=given(baseURL=None, customModels=None, withDefaultModels=None, extraHeaders=None, config=None),
    ),
    Case("fields that are not known", "PUT llm-connections", 201, ANSWER, body=given(more=1)),
    Case("a short key", "PUT llm-connections", 201, answered(displaySecretKey="…"), body=given(secretKey="sk-1")),
    Case(
        "Bedrock",
        "PUT llm-connections",
        201,
        answered(adapter="bedrock", config={"region": "eu-central-1"}, displaySecretKey="AKI…CDEF"),
        body=given(adapter="bedrock", config={"region": "eu-central-1"}, secretKey=json.dumps(AWS)),
    ),
    Case(
        "Vertex",
        "PUT llm-connections",
        201,
        answered(
            adapter="google-vertex-ai",
            config={"location": "europe-west1"},
            displaySecretKey="me@p.iam.gserviceaccount.com",
        ),
        body=given(adapter="google-vertex-ai", config={"location": "europe-west1"}, secretKey=json.dumps(ACCOUNT)),
    ),
    Case(
        "Azure",
        "PUT llm-connections",
        201,
        answered(adapter="azure", baseURL="https://1.1.1.1"),
        body=given(adapter="azure", baseURL="https://1.1.1.1"),
    ),
]
OPTIONS = ["openai", "anthropic", "azure", "bedrock", "google-ai-studio", "google-vertex-ai"]
REGION = "Bedrock needs a region, such as eu-central-1, and nothing else."
REFUSED = [
    Case("no body", "PUT llm-connections", 400, ANY),
    Case("a list", "PUT llm-connections", 400, wrong_type("object", "array"), body=[]),
    Case(
        "no provider",
        "PUT llm-connections",
        400,
        wrong_type("string", "undefined", "provider"),
        body={"adapter": "openai", "secretKey": "x"},
    ),
    Case(
        "a name with a NUL",
        "PUT llm-connections",
        400,
        ANY,
        body=given(provider="a\0b"),
    ),
    Case(
        "a name of two lines",
        "PUT llm-connections",
        400,
        wrong("A name holds no line breaks or control characters.", "provider"),
        body=given(provider="a\nb"),
    ),
    Case(
        "another adapter",
        "PUT llm-connections",
        400,
        {
            "message": "Invalid request data",
            "error": [
                {
                    "code": "invalid_value",
                    "values": OPTIONS,
                    "path": ["adapter"],
                    "message": "Invalid option: expected one of " + "|".join(f'"{one}"' for one in OPTIONS),
                }
            ],
        },
        body=given(adapter="cohere"),
    ),
    Case(
        "a header that is no text",
        "PUT llm-connections",
        400,
        wrong_type("string", "number", "extraHeaders", "X"),
        body=given(extraHeaders={"X": 1}),
    ),
    Case(
        "a header that breaks the request",
        "PUT llm-connections",
        400,
        wrong("“Host” is no header that can be set.", "extraHeaders"),
        body=given(extraHeaders={"Host": "x"}),
    ),
    Case(
        "a line break in a header",
        "PUT llm-connections",
        400,
        wrong("The value of the header X holds characters that headers cannot hold.", "extraHeaders"),
        body=given(extraHeaders={"X": "a\r\nY: b"}),
    ),
    Case(
        "a line break in a key",
        "PUT llm-connections",
        400,
        wrong("A key holds no spaces, line breaks or special characters.", "secretKey"),
        body=given(secretKey="sk-a\nb"),
    ),
    Case(
        "Bedrock without a region",
        "PUT llm-connections",
        400,
        wrong(REGION, "config"),
        body=given(adapter="bedrock", secretKey=json.dumps(AWS)),
    ),
    Case(
        "a region that leads elsewhere",
        "PUT llm-connections",
        400,
        wrong(REGION, "config"),
        body=given(adapter="bedrock", secretKey=json.dumps(AWS), config={"region": "x.evil.example/"}),
    ),
    Case(
        "Bedrock with a plain key",
        "PUT llm-connections",
        400,
        wrong("The secret is JSON: {accessKeyId, secretAccessKey}, or {apiKey}.", "secretKey"),
        body=given(adapter="bedrock", config={"region": "eu-central-1"}),
    ),
    Case(
        "a configuration that is not known",
        "PUT llm-connections",
        400,
        wrong("The configuration of OpenAI holds useResponsesApi, true or false, and nothing else.", "config"),
        body=given(config={"region": "x"}),
    ),
    Case(
        "a configuration where there is none",
        "PUT llm-connections",
        400,
        wrong("This adapter has no configuration.", "config"),
        body=given(adapter="anthropic", config={}),
    ),
    Case(
        "Azure without an address",
        "PUT llm-connections",
        400,
        wrong("Azure OpenAI needs the address of your resource.", "baseURL"),
        body=given(adapter="azure"),
    ),
    Case(
        "the machine's own identity",
        "PUT llm-connections",
        400,
        wrong(
            "This machine's own identity may not be used here: the setting SPANWISE_MACHINE_CREDENTIALS is off.",
            "secretKey",
        ),
        body=given(adapter="bedrock", config={"region": "eu-central-1"}, secretKey="__BEDROCK_DEFAULT_CREDENTIALS__"),
    ),
    *(
        Case(
            f"{address} is private",
            "PUT llm-connections",
            400,
            wrong(
                f"{host} is a private or special address, and requests do not go there. "
                "SPANWISE_OUTGOING_ALLOWED opens it.",
                "baseURL",
            ),
            body=given(baseURL=address),
        )
        for address, host in (
            ("http://127.0.0.1:11434/v1", "127.0.0.1"),
            ("https://169.254.169.254/", "169.254.169.254"),
            ("https://[fd00::1]/", "fd00::1"),
        )
    ),
    Case(
        "no web address",
        "PUT llm-connections",
        400,
        wrong("An address begins with https:// or http://.", "baseURL"),
        body=given(baseURL="file:///etc/passwd"),
    ),
    Case("a parameter that is not known", "GET llm-connections?x=1", 400, ANY),
    Case("no page", "GET llm-connections?page=0", 400, ANY),
    Case(
        "deleting what is not there",
        "DELETE llm-connections/none",
        404,
        {"message": "LLM connection not found", "error": "LangfuseNotFoundError"},
    ),
    Case(
        "another verb",
        "POST llm-connections",
        405,
        {"message": "Method not allowed", "error": "MethodNotAllowedError"},
        body=GIVEN,
    ),
]


@pytest.mark.parametrize("case", PUTS, ids=str)
def test_what_is_put(api, case):
    check(api, case)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_refused(api, case):
    check(api, case)
    assert not LlmConnection.objects.exists()


def test_put_again_replaces_and_says_so(api):
    first = check(
        api, Case("", "PUT llm-connections", 201, answered(customModels=["a"]), body=given(customModels=["a"]))
    )
    LlmConnection.objects.update(default_model="a")
    changed = given(secretKey="sk-another-key-5678", adapter="anthropic")
    second = check(
        api,
        Case("", "PUT llm-connections", 200, answered(adapter="anthropic", displaySecretKey="sk-…5678"), body=changed),
    )
    assert (second["id"], second["createdAt"]) == (first["id"], first["createdAt"])
    connection = LlmConnection.objects.get()
    assert connection.secret == "sk-another-key-5678"
    assert connection.default_model == "a", "what the API has no word for stays"


def test_the_list_is_newest_first_and_in_pages(api):
    for name in ("a", "b", "c"):
        api("PUT", "llm-connections", given(provider=name))
    assert [one["provider"] for one in api.get("llm-connections")["data"]] == ["c", "b", "a"]
    page = api.get("llm-connections", page=2, limit=2)
    assert [one["provider"] for one in page["data"]] == ["a"]
    assert page["meta"] == {"page": 2, "limit": 2, "totalItems": 3, "totalPages": 2}


def test_deleted_is_gone(api):
    connection = api("PUT", "llm-connections", GIVEN).json()
    said = {"message": "LLM connection successfully deleted"}
    check(api, Case("", f"DELETE llm-connections/{connection['id']}", 200, said))
    assert api.get("llm-connections") == EMPTY
    assert [entry.action for entry in AuditLog.objects.filter(object_type="llmconnection").order_by("id")] == [
        "llm_connection.create",
        "llm_connection.delete",
    ]


def test_no_secret_is_ever_told_or_kept_as_it_is(api):
    body = given(extraHeaders={"X-Team": "header-secret"})
    told = [api("PUT", "llm-connections", body).content, api("PUT", "llm-connections", body).content]
    told.append(api("GET", "llm-connections").content)
    kept = json.dumps([*LlmConnection.objects.values(), *AuditLog.objects.values()], default=str)
    for text in (*map(bytes.decode, told), kept):
        assert SECRET not in text
        assert "header-secret" not in text
    connection = LlmConnection.objects.get()
    assert (connection.secret, connection.headers) == (SECRET, {"X-Team": "header-secret"})


def test_projects_do_not_see_each_other(api):
    other = make_api()
    connection = api("PUT", "llm-connections", GIVEN).json()
    assert other.get("llm-connections") == EMPTY
    assert other("DELETE", f"llm-connections/{connection['id']}").status_code == 404
    assert other("PUT", "llm-connections", GIVEN).status_code == 201, "a name is a project's own"
    assert LlmConnection.objects.count() == 2


def test_the_instance_s_own_key(api, settings):
    settings.ADMIN_API_KEY = "admin-key"
    headers = {"Authorization": "Bearer admin-key", "x-langfuse-admin-api-key": "admin-key"}
    path = "/api/public/llm-connections"

    def put(**more):
        return Client().put(path, json.dumps(GIVEN), content_type="application/json", headers={**headers, **more})

    assert put().status_code == 400
    assert put(**{"x-langfuse-project-id": "none"}).status_code == 404
    assert put(**{"x-langfuse-project-id": api.project_id}).status_code == 201
    assert [one["provider"] for one in api.get("llm-connections")["data"]] == ["mine"]
