"""What this server calls models for itself is traced like all the rest: the same events, inbox and worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from accounts.access import AccessLevel, ProjectScope
from config.errors import Invalid
from tracing.ingest import legacy
from tracing.ingest.model import Envelope
from tracing.ingest.receive import keep_payload

#: environments of the server itself begin with it, as in Langfuse; of what clients send it is taken away
OWN_PREFIX = "langfuse-"


def keep_own_events(scope: ProjectScope, events: list[dict[str, Any]]) -> None:
    """Hands events, as `POST /api/public/ingestion` takes them, to the worker; they may name an environment that
    begins with OWN_PREFIX. Raises Unavailable where the inbox cannot be written, and Invalid for what is no event."""
    receipt = legacy.receive({"batch": events}, AccessLevel.PROJECT, scope.project_id)
    if receipt.response["errors"]:
        raise Invalid(orjson.dumps(receipt.response["errors"]).decode()[:2000])
    envelope = Envelope(project_id=scope.project_id, kind="ingestion", received_at=datetime.now(UTC), is_own=True)
    keep_payload(envelope, receipt.accepted)
