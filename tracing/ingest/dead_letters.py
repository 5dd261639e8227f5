"""What could not be stored: payloads that keep failing, and single spans, events and scores. All can be replayed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import orjson
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts.access import ProjectScope
from accounts.models import Project
from config.errors import Unavailable
from tracing.ingest import doorbell
from tracing.ingest.files import store_bytes, sync_to_disk
from tracing.ingest.inbox import GroupCommit, Payload, unpack
from tracing.ingest.inboxes import open_inbox
from tracing.ingest.model import Envelope, SetAside
from tracing.models import DeadLetter

log = logging.getLogger(__name__)

_PREVIEW_CHARACTERS = 500
_LONGEST_ITEM_ID = 200
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many letters were sent again, and how many cannot be read and wait on."""

    sent: int
    unreadable: int


def bury(payload: Payload, reason: str) -> None:
    """Keep a payload that failed for good, bytes and all, where people can see it and send it again.

    On disk when it returns: the inbox forgets the payload after this. Doing it twice keeps it once.
    """
    packed = payload.pack()
    fingerprint = hashlib.sha256(packed).hexdigest()
    key = f"dead-letters/{fingerprint}"
    store_bytes(key, packed)
    sync_to_disk(key)
    letter = DeadLetter(
        project_id=payload.envelope.project_id,
        kind="payload",
        source=payload.envelope.kind,
        reason=_storable(reason),
        payload_preview=_storable(payload.body[:_PREVIEW_CHARACTERS].decode("utf-8", "replace")),
        inbox_key=key,
        fingerprint=fingerprint,
    )
    _post([letter])
    log.error("A %s payload of project %s was buried: %s", letter.source, letter.project_id, reason)


def set_aside(envelope: Envelope, items: Sequence[SetAside]) -> None:
    """Note spans or events that were left out of a payload whose rest was stored. Doing it twice notes once."""
    # Whatever they were cut out of, the pieces are JSON.
    sent_in = orjson.dumps(asdict(replace(envelope, content_type="application/json"))).decode()
    _post([_letter(envelope, sent_in, item) for item in items])


def _letter(envelope: Envelope, sent_in: str, item: SetAside) -> DeadLetter:
    fingerprint = hashlib.sha256(f"{envelope.kind}\n{item.reason}\n{item.payload}".encode())
    return DeadLetter(
        project_id=envelope.project_id,
        kind="span" if envelope.kind == "otlp" else "event",
        source=envelope.kind,
        item_id=_storable(item.item_id[:_LONGEST_ITEM_ID]),
        reason=_storable(item.reason),
        payload=item.payload,
        payload_preview=item.payload[:_PREVIEW_CHARACTERS],
        envelope=sent_in,
        fingerprint=fingerprint.hexdigest(),
    )


def _storable(text: str) -> str:
    """PostgreSQL has no zero bytes in texts."""
    return text.replace("\x00", "\ufffd")


def _post(letters: Sequence[DeadLetter]) -> None:
    """Save letters, but for those that wait already."""
    try:
        with transaction.atomic():
            DeadLetter.objects.bulk_create(letters, ignore_conflicts=True, batch_size=_BATCH)
    except IntegrityError:
        project_id = letters[0].project_id
        if Project.objects.filter(pk=project_id).exists():
            raise
        log.warning("Project %s is gone, and with it what could not be stored", project_id)


def replay(scope: ProjectScope, ids: Sequence[str]) -> Replayed:
    """Put letters back into the inbox, as they came. Those that fail again come back as new letters."""
    commits = GroupCommit(open_inbox(), doorbell.ring)
    mine = DeadLetter.objects.filter(project_id=scope.project_id, replayed_at=None)
    sent = unreadable = 0
    for pk in list(mine.filter(pk__in=ids).values_list("pk", flat=True)):
        letter = mine.filter(pk=pk).first()
        if letter is None:  # somebody else was faster
            continue
        try:
            payloads = _payloads(letter)
        except Exception:
            log.exception("The dead letter %s cannot be read", letter.pk)
            unreadable += 1
        else:
            sent += _send(letter, payloads, commits)
    return Replayed(sent, unreadable)


def _payloads(letter: DeadLetter) -> list[Payload]:
    if letter.inbox_key:
        with default_storage.open(letter.inbox_key) as file:
            return list(unpack(file.read()))
    fields = orjson.loads(letter.envelope)
    fields["received_at"] = datetime.fromisoformat(fields["received_at"])
    return [Payload(Envelope(**fields), letter.payload.encode())]


def _send(letter: DeadLetter, payloads: list[Payload], commits: GroupCommit) -> bool:
    now = datetime.now(UTC)
    # Marked first and delivered within the transaction: a worker that sets it aside once more, at once, waits for the
    # end of it, and then writes a new letter instead of finding that this one waits already.
    with transaction.atomic():
        claimed = DeadLetter.objects.filter(pk=letter.pk, replayed_at=None)
        if not claimed.update(replayed_at=now, last_tried_at=now, attempts=F("attempts") + 1):
            return False
        try:
            for payload in payloads:
                commits.store(payload)
        except OSError as error:
            raise Unavailable("The inbox cannot be written. Nothing is lost: try again later.") from error
    return True
