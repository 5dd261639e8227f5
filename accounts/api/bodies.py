"""What clients send to the routes of accounts, checked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from accounts.forms import NAME_MIN_LENGTH
from accounts.keys import KeyPair
from accounts.models import NAME_MAX_LENGTH, ApiKey
from config.errors import Invalid

_LONGEST_NOTE = ApiKey._meta.get_field("note").max_length
_LONGEST_KEY = ApiKey._meta.get_field("public_key").max_length
_SHORTEST_RETENTION_DAYS = 3
_LONGEST_RETENTION_DAYS = 100_000


def as_object(body: Any) -> dict[str, Any]:
    """Its fields that are given: null is the same as absent."""
    if not isinstance(body, dict):
        raise Invalid("Invalid request body: expected a JSON object")
    return {key: value for key, value in body.items() if value is not None}


def project_name(body: dict[str, Any]) -> str:
    name = body.get("name")
    if isinstance(name, str) and "\x00" not in name and NAME_MIN_LENGTH <= len(name.strip()) <= NAME_MAX_LENGTH:
        return name.strip()
    raise Invalid(f"Invalid project name. Should be between {NAME_MIN_LENGTH} and {NAME_MAX_LENGTH} characters.")


def project_metadata(body: dict[str, Any]) -> dict[str, Any] | None:
    metadata = body.get("metadata")
    if metadata is None or isinstance(metadata, dict):
        return metadata
    raise Invalid("Invalid metadata. Should be a valid JSON object.")


def retention_days(body: dict[str, Any], *, is_required: bool) -> int | None:
    """0 is for ever; None is "as it was"."""
    days = body.get("retention")
    if days is None and not is_required:
        return None
    if isinstance(days, int) and not isinstance(days, bool) and _is_retention(days):
        return days
    raise Invalid(f"Invalid retention value. Must be 0 (for ever) or at least {_SHORTEST_RETENTION_DAYS} days.")


def _is_retention(days: int) -> bool:
    return days == 0 or _SHORTEST_RETENTION_DAYS <= days <= _LONGEST_RETENTION_DAYS


def key_note(body: dict[str, Any]) -> str:
    """Newer clients call it a name."""
    if "note" in body and "name" in body:
        raise Invalid("Give either name or note, not both.")
    return _text(body, "name" if "name" in body else "note", _LONGEST_NOTE or 0)


def key_pair(body: dict[str, Any]) -> KeyPair | None:
    public_key, secret_key = (_text(body, name, _LONGEST_KEY or 0) for name in ("publicKey", "secretKey"))
    if bool(public_key) != bool(secret_key):
        raise Invalid("Both publicKey and secretKey must be given when one of them is.")
    return KeyPair(public_key, secret_key) if public_key else None


def key_expiry(body: dict[str, Any]) -> datetime | None:
    text = body.get("expiresAt")
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):  # the last is for years before the first and after the last
        pass
    raise Invalid("Invalid expiresAt. Should be an ISO 8601 time with a zone.")


def _text(body: dict[str, Any], name: str, longest: int) -> str:
    value = body.get(name, "")
    if isinstance(value, str) and "\x00" not in value and len(value) <= longest:
        return value
    raise Invalid(f"Invalid {name}. Should be text of at most {longest} characters.")
