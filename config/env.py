"""Typed readers of environment variables that fail loudly, and what the running instance has written down.

Names are those of existing Langfuse deployments wherever one exists. `X_FILE` reads a secret from a file.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """The variable, or the content of the file that `<name>_FILE` points to. An empty one is none: compose files pass
    on all that they know, set or not."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE points to {path}, which cannot be read: {error}") from error
    return os.environ.get(name) or default


def flag(name: str, default: bool = False) -> bool:
    value = os.environ.get(name)
    if value is None or not value.strip():
        return default
    if value.strip().lower() in _TRUE:
        return True
    if value.strip().lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}")


def number(name: str, default: int) -> int:
    value = os.environ.get(name)
    if value is None or not value.strip():
        return default
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}") from None


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """A comma-separated list."""
    value = os.environ.get(name)
    if value is None or not value.strip():
        return list(default)
    return [word.strip() for word in value.split(",") if word.strip()]


#: Of Prisma, by which Langfuse reaches its database; PostgreSQL's own client refuses what it does not know.
_OF_PRISMA = ("connection_limit", "pool_timeout", "pgbouncer", "statement_cache_size", "socket_timeout", "sslaccept")


def database_url(default: str) -> str:
    """`DATABASE_URL` as it stands in the environment of a Langfuse; `schema=` there is the search path here."""
    named = text("DATABASE_URL") or default
    url = urlsplit(named)
    if not url.scheme.startswith("postgres"):
        return named
    given = [(name, value) for name, value in parse_qsl(url.query) if name not in _OF_PRISMA]
    schemas = [value for name, value in given if name == "schema" and value != "public"]
    kept = [(name, value) for name, value in given if name != "schema"]
    kept += [("options", f"-c search_path={value}") for value in schemas]
    return urlunsplit(url._replace(query=urlencode(kept, quote_via=quote)))


@dataclass(frozen=True, slots=True)
class BucketSettings:
    """Where a bucket is and how it is opened. Without a key the machine's own identity counts."""

    name: str
    prefix: str
    endpoint_url: str | None
    region_name: str | None
    access_key: str | None
    secret_key: str | None = field(repr=False)
    force_path_style: bool = False


def bucket(start: str) -> BucketSettings | None:
    """The bucket of the variables that start so, such as `LANGFUSE_S3_EVENT_UPLOAD`; None where none is named."""
    name = text(f"{start}_BUCKET")
    if not name:
        return None
    return BucketSettings(
        name=name,
        prefix=text(f"{start}_PREFIX"),
        endpoint_url=text(f"{start}_ENDPOINT") or None,
        region_name=text(f"{start}_REGION") or None,
        access_key=text(f"{start}_ACCESS_KEY_ID") or None,
        secret_key=text(f"{start}_SECRET_ACCESS_KEY") or None,
        force_path_style=flag(f"{start}_FORCE_PATH_STYLE"),
    )


def secret(name: str, folder: Path) -> str:
    """The variable, or a secret made once and kept in the data folder, readable by its owner only."""
    if value := text(name):
        return value
    path = folder / f"{name.lower()}.secret"
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        pass
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text(encoding="utf-8").strip()
    value = secrets.token_hex(32)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(value)
    return value


def running_instance(data_dir: Path) -> dict[str, Any]:
    """Addresses of the supervised local services (`run/services.json`), so that commands find a running instance.

    Empty when nothing was started from this data folder.
    """
    try:
        loaded = json.loads((data_dir / "run" / "services.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
