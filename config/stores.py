"""Which stores an instance starts for itself, and which its environment names. Imports no Django: the supervisor is to
stay small."""

from __future__ import annotations

import os

#: what processes on several machines, or in several containers, must have in common, and what each is for
_SHARED = {
    "the relational store": ("DATABASE_URL",),
    "the broker": ("REDIS_HOST", "REDIS_CONNECTION_STRING", "REDIS_SENTINEL_NODES"),
    "API keys": ("SALT",),
    "sealed secrets": ("ENCRYPTION_KEY",),
}


def _is_named(*names: str) -> bool:
    return any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in names)


def starts_broker() -> bool:
    return not _is_named(*_SHARED["the broker"])


def starts_analytics() -> bool:
    return not _is_named("CLICKHOUSE_URL") and not _is_on_doris()


def _is_on_doris() -> bool:
    return os.environ.get("LANGFUSE_ANALYTICS_BACKEND", "").strip().lower() == "doris"


def are_all_local() -> bool:
    return starts_broker() and starts_analytics() and not _is_named("DATABASE_URL")


def missing_for_one_role() -> list[str]:
    """What a process that is web or worker alone cannot do without, in words; empty when all is named."""
    analytics = ("DORIS_FE_HTTP_URL",) if _is_on_doris() else ("CLICKHOUSE_URL",)
    needed = {**_SHARED, "the analytics store": analytics}
    return [f"{' or '.join(names)} ({what})" for what, names in needed.items() if not _is_named(*names)]
