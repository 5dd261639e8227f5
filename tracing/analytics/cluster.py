"""Statements of the schema as a ClickHouse cluster wants them: tables on every server, each a replica of the others.

One shard, that is: every server holds all rows and answers alone, so queries are the same and need no Distributed
tables.
"""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings

_TABLE = re.compile(r"\A((?:\s*--[^\n]*\n)*\s*(?:CREATE TABLE IF NOT EXISTS|ALTER TABLE) (\w+))\b")
_ENGINE = re.compile(r"\bENGINE = (\w*MergeTree)\b")
#: An insert has arrived when most servers have it: what the inbox then forgets outlives the server that took it.
_QUORUM: dict[str, Any] = {"insert_quorum": "auto", "insert_quorum_timeout": 60_000}


def on_cluster(statement: str, cluster: str) -> str:
    """The statement for all servers of a cluster. Raises ValueError for one that would only change one of them."""
    found, count = _TABLE.subn(lambda match: f"{match[1]} ON CLUSTER {_quoted(cluster)}", statement)
    if count != 1:
        raise ValueError(f"a statement that no cluster takes: {statement[:80]}")
    return _ENGINE.sub(r"ENGINE = Replicated\1", found)


def rendered(statement: str) -> str:
    """As the settings want it."""
    return on_cluster(statement, settings.CLICKHOUSE_CLUSTER_NAME) if settings.CLICKHOUSE_CLUSTER_ENABLED else statement


def write_settings() -> dict[str, Any]:
    return _QUORUM if settings.CLICKHOUSE_CLUSTER_ENABLED else {}


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
