"""Secrets of others that are kept: provider keys, headers with a password, secrets of webhooks.

AES-256-GCM under a key made of `ENCRYPTION_KEY`. What is sealed names the key it was sealed with, so that another one
can take over: with the former in `SPANWISE_OLD_ENCRYPTION_KEYS`, all that is there is still read, and what is saved
anew is sealed with the new one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from config.errors import SpanwiseError

_VERSION = "v1"
_NONCE_BYTES = 12
#: a secret shorter than this would be told by its ends
_SHORTEST_WITH_ENDS = 16


class Unreadable(SpanwiseError):
    """A sealed secret that no key of this instance opens."""

    status = 409


def seal(text: str) -> str:
    """`v1.<key>.<nonce and text>`. Raises nothing; equal texts are sealed differently."""
    key = _key(settings.ENCRYPTION_KEY)
    head = f"{_VERSION}.{_name_of(key)}"
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), head.encode())
    return f"{head}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str) -> str:
    """Raises Unreadable for what was sealed with a key that is not there any more, or was changed since."""
    head, _, body = sealed.rpartition(".")
    keys = (_key(text) for text in (settings.ENCRYPTION_KEY, *settings.OLD_ENCRYPTION_KEYS))
    key = next((key for key in keys if head == f"{_VERSION}.{_name_of(key)}"), None)
    if key is None:
        raise Unreadable("This secret was sealed with another ENCRYPTION_KEY. Enter it again.")
    try:
        raw = base64.urlsafe_b64decode(body)
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], head.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError):
        raise Unreadable("This secret was damaged. Enter it again.") from None


def masked(secret: str) -> str:
    """Enough to tell one from another: `sk-…abcd`."""
    if len(secret) < _SHORTEST_WITH_ENDS:
        return "…"
    return f"{secret[:3]}…{secret[-4:]}"


def _key(text: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"spanwise sealing").derive(text.encode())


def _name_of(key: bytes) -> str:
    return hashlib.sha256(b"name of" + key).hexdigest()[:8]
