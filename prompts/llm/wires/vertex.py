"""Google's Vertex AI: Gemini with a service account instead of a key."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.conf import settings

from prompts.llm.transport import fetch_json
from prompts.llm.wires.common import wrong_setup
from prompts.llm.wires.gemini import Gemini

#: stands for the secret where this machine's own identity is meant, as clients write it
MACHINE = "__VERTEXAI_DEFAULT_CREDENTIALS__"
DEFAULT_LOCATION = "us-central1"
LOCATION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_METADATA_URL = "http://metadata.google.internal/computeMetadata/v1/"
_LIFE_SECONDS = 3600
_MARGIN_SECONDS = 120

_tokens: dict[bytes, tuple[str, float]] = {}
_lock = threading.Lock()


class Vertex(Gemini):
    def url(self) -> str:
        location = str(self.connection.option("location") or DEFAULT_LOCATION)
        if not LOCATION.fullmatch(location):
            raise wrong_setup("A location is written as europe-west1, or global.")
        host = "aiplatform.googleapis.com" if location == "global" else f"{location}-aiplatform.googleapis.com"
        base = self.base_url(f"https://{host}")
        project = quote(self._project(), safe="")
        model = quote(self.call.model.removeprefix("models/"), safe="")
        place = f"v1/projects/{project}/locations/{location}/publishers/google/models/{model}"
        return f"{base}/{place}:{self.method()}"

    def key_headers(self) -> dict[str, str]:
        if self.connection.secret == MACHINE:
            return {"Authorization": f"Bearer {_machine_token()}"}
        return {"Authorization": f"Bearer {_token(self.connection.secret, self.ask)}"}

    def _project(self) -> str:
        if self.connection.secret == MACHINE:
            return _from_metadata("project/project-id")
        return str(service_account(self.connection.secret)["project_id"])


def service_account(secret: str) -> dict[str, Any]:
    """The key file of a service account. Raises ProviderError for anything else."""
    try:
        found = json.loads(secret)
    except (ValueError, RecursionError):
        found = None
    needed = ("project_id", "client_email", "private_key")
    if not isinstance(found, dict) or not all(isinstance(found.get(name), str) and found[name] for name in needed):
        raise wrong_setup(f"The secret is the JSON key of a service account, with {', '.join(needed)}.")
    return found


def _token(secret: str, ask: Callable[[], None]) -> str:
    """One for an hour, so that not every call asks for one."""
    name = hashlib.sha256(secret.encode()).digest()
    with _lock:
        token, until = _tokens.get(name, ("", 0.0))
    if until > time.monotonic():
        return token
    # Google's own address, whatever the file says: it would be told who we are.
    answer = fetch_json(_TOKEN_URL, {"grant_type": _GRANT, "assertion": _assertion(secret)}, ask)
    token = str(answer.get("access_token") or "") if isinstance(answer, dict) else ""
    if not token:
        raise wrong_setup("Google gave no token for this service account.")
    with _lock:
        _tokens[name] = token, time.monotonic() + _LIFE_SECONDS - _MARGIN_SECONDS
    return token


_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def _assertion(secret: str) -> str:
    import jwt

    account, now = service_account(secret), int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": _SCOPE,
        "aud": _TOKEN_URL,
        "iat": now,
        "exp": now + _LIFE_SECONDS,
    }
    headers = {"kid": account["private_key_id"]} if account.get("private_key_id") else None
    try:
        return jwt.encode(claims, account["private_key"], algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):
        raise wrong_setup("The private key of the service account cannot be read.") from None


def _machine_token() -> str:
    found = json.loads(_from_metadata("instance/service-accounts/default/token"))
    return str(found["access_token"])


def _from_metadata(path: str) -> str:
    """Of the machine in Google's cloud that we run on. The address is ours and not one that somebody typed."""
    import httpx

    if not settings.MACHINE_CREDENTIALS_ALLOWED:
        raise wrong_setup("This machine's own identity may not be used: SPANWISE_MACHINE_CREDENTIALS is off.")
    try:
        answer = httpx.get(_METADATA_URL + path, headers={"Metadata-Flavor": "Google"}, timeout=5, trust_env=False)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise wrong_setup(f"This machine has no identity at Google: {error}") from None
    return answer.text
