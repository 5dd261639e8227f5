"""What could not be stored: whole payloads that keep failing, and single spans or events set aside. All replayable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.access import ProjectScope
from tracing.ingest import doorbell
from tracing.ingest.inbox import FolderInbox, GroupCommit, Payload, unpack
from tracing.ingest.model import Envelope, SetAside
from tracing.models import DeadLetter

log = logging.getLogger(__name__)

_PREVIEW_CHARACTERS = 500


def bury(payload: Payload, reason: str) -> None:
    """Keep a payload that failed for good, bytes and all, where people can see it and send it again."""
    letter = DeadLetter(
        project_id=payload.envelope.project_id,
        kind="payload",
        source=payload.envelope.kind,
        reason=reason,
        payload_preview=payload.body[:_PREVIEW_CHARACTERS].decode("utf-8", "replace").replace("\x00", "\ufffd"),
    )
    letter.inbox_key = default_storage.save(f"dead-letters/{letter.pk}", ContentFile(payload.pack()))
    letter.save(force_insert=True)
    log.error("A %s payload of project %s was buried: %s", letter.source, letter.project_id, reason)


def set_aside(envelope: Envelope, items: Sequence[SetAside]) -> None:
    """Note single spans or events that were left out of a payload whose rest was stored. Doing it twice notes once."""
    for item in items:
        DeadLetter.objects.get_or_create(
            project_id=envelope.project_id,
            kind="span" if envelope.kind == "otlp" else "event",
            source=envelope.kind,
            item_id=item.item_id[:200],
            reason=item.reason.replace("\x00", "\ufffd"),
            payload=item.payload.replace("\x00", "\ufffd"),
            defaults={"payload_preview": item.payload[:_PREVIEW_CHARACTERS].replace("\x00", "\ufffd")},
        )


def replay(scope: ProjectScope, ids: Sequence[str]) -> int:
    """Put payloads back into the inbox. Returns how many; those that fail again come back as new letters."""
    commits = GroupCommit(FolderInbox(settings.INBOX_DIR), doorbell.ring)
    letters = DeadLetter.objects.filter(project_id=scope.project_id, pk__in=ids, replayed_at=None)
    replayed = 0
    for letter in letters:
        for payload in _payloads(letter):
            commits.store(payload)
        with transaction.atomic():
            now = datetime.now(UTC)
            letter.replayed_at, letter.last_tried_at, letter.attempts = now, now, letter.attempts + 1
            letter.save(update_fields=["replayed_at", "last_tried_at", "attempts"])
        replayed += 1
    return replayed


def _payloads(letter: DeadLetter) -> list[Payload]:
    if letter.inbox_key:
        with default_storage.open(letter.inbox_key) as file:
            return list(unpack(file.read()))
    envelope = Envelope(
        project_id=letter.project_id,
        kind=letter.source,
        received_at=datetime.now(UTC),
        content_type="application/json",
    )
    return [Payload(envelope, letter.payload.encode())]
