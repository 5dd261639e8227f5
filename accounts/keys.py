"""API keys as text: how they are made, hashed and shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple
from uuid import uuid4

from django.conf import settings

PUBLIC_PREFIX = "pk-lf-"
SECRET_PREFIX = "sk-lf-"  # noqa: S105 - what a secret starts with, not one


class KeyPair(NamedTuple):
    public_key: str
    secret_key: str


def new_key_pair() -> KeyPair:
    return KeyPair(f"{PUBLIC_PREFIX}{uuid4()}", f"{SECRET_PREFIX}{uuid4()}")


def hash_secret(secret_key: str) -> str:
    """Keyed and fast. Secrets are 122 random bits, which no guessing reaches; a slow hash would only slow ingestion."""
    return hmac.new(settings.SALT.encode(), secret_key.encode(), hashlib.sha256).hexdigest()


def display_secret(secret_key: str) -> str:
    return f"{secret_key[:6]}...{secret_key[-4:]}"


def read_basic(encoded: str) -> KeyPair | None:
    """The pair in `Basic <encoded>`, or nothing when it is not one."""
    try:
        public_key, colon, secret_key = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return KeyPair(public_key, secret_key) if colon and public_key and secret_key else None
