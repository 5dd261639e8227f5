"""Vertex AI: a token for a service account, asked for once, and where calls go."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts.access import ProjectScope
from accounts.roles import Role
from config.sealing import seal
from prompts.llm import Answer, Call, ProviderError, Trouble, stream
from prompts.llm.wires import vertex
from prompts.models import Adapter, LlmConnection
from tests.prompts.provider_stub import HELLO


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def asked(monkeypatch):
    """Forms that Google's token address was sent; it answers with a token."""
    forms = []

    def fetch(url, form, ask):
        forms.append((url, form))
        return {"access_token": f"token-{len(forms)}", "expires_in": 3600}

    monkeypatch.setattr(vertex, "fetch_json", fetch)
    vertex._tokens.clear()
    return forms


def account(key, **more):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return json.dumps({"project_id": "acme", "client_email": "me@acme.example", "private_key": pem, **more})


def ask(provider, secret, location="europe-west1"):
    connection = LlmConnection(
        project_id="p",
        adapter=Adapter.GOOGLE_VERTEX_AI,
        sealed_secret=seal(secret),
        base_url=provider.url,
        config={"location": location},
    )
    call = Call("hello", [{"role": "user", "content": "Hi"}])
    return Answer.of(stream(ProjectScope("p", Role.MEMBER), connection, call))


def test_a_service_account_gets_a_token_once_and_calls_with_it(provider, key, asked):
    secret = account(key, private_key_id="kid-1", token_uri="https://evil.example/token")
    for _ in range(2):
        assert ask(provider, secret).text == HELLO
        assert provider.last.headers["authorization"] == "Bearer token-1"
    path = "/v1/projects/acme/locations/europe-west1/publishers/google/models/hello:streamGenerateContent?alt=sse"
    assert provider.last.path == path
    ((url, form),) = asked
    assert url == "https://oauth2.googleapis.com/token", "whatever the file says"
    claims = jwt.decode(form["assertion"], key.public_key(), algorithms=["RS256"], audience=url)
    assert claims["iss"] == "me@acme.example"
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "kid-1"


@pytest.mark.parametrize("secret", ["{}", "no json", '{"project_id": "a", "client_email": "b", "private_key": "c"}'])
def test_keys_that_are_none(provider, asked, secret):
    with pytest.raises(ProviderError) as raised:
        ask(provider, secret)
    assert raised.value.trouble is Trouble.SETUP
    assert provider.requests == []


def test_a_location_that_leads_elsewhere(provider, key, asked):
    with pytest.raises(ProviderError) as raised:
        ask(provider, account(key), location="evil.example/")
    assert raised.value.trouble is Trouble.SETUP
