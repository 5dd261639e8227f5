"""Files inside traced text: base64 is lifted into storage, and a reference takes its place.

The same bytes are stored once a project, under a name made of their hash, so lifting is idempotent. Whatever looks
like a file and is none (broken base64, a type nobody shows) stays as it was sent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Project
from tracing.analytics.records import Observation
from tracing.ingest.database import needs_database
from tracing.ingest.model import TraceUpdate
from tracing.ingest.text import preview
from tracing.models import Media, MediaLink
from tracing.models.media import ID_LENGTH, ContentType, storage_key
from tracing.pricing.patterns import compile_pattern

log = logging.getLogger(__name__)

#: One pass that nearly every text fails: anything to lift contains one of these. In Rust's engine it costs a fifth
#: of one `in` (measured on 2 KB).
may_hold_media = compile_pattern(r';base64,|"base64"|mime_?[tT]ype|media_?[tT]ype|input_audio')

_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.=+-]+)*;base64,([A-Za-z0-9+/_-]+={0,2})")
_SUPPORTED = frozenset(ContentType.values)
#: shorter strings are rather words that happen to be base64 than files
_SHORTEST = 24
_DEEPEST = 10
_TYPE_KEYS = ("media_type", "mime_type", "mediaType", "mimeType")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class _File:
    """Base64 found in a text. `sent` is the exact string that the reference replaces."""

    sent: str
    encoded: str
    content_type: str
    source: str  # as clients write it: "base64_data_uri" or "bytes"


def lift_media(project_id: str, observation: Observation) -> None:
    """Lift what one observation holds. For many, use a `Lifter`: it writes its rows at once."""
    lifter = Lifter(project_id)
    lifter.lift(observation)
    lifter.save()


@needs_database()
def lift_updates(project_id: str, updates: Iterable[TraceUpdate]) -> None:
    """The same for input, output and metadata that were set on the trace itself."""
    lifter = Lifter(project_id)
    for update in updates:
        for name in ("input", "output"):
            text = update.fields.get(name)
            if isinstance(text, str) and may_hold_media(text):
                update.fields[name] = lifter.lift_text(text, update.trace_id, "", name)
            shown = f"{name}_preview"
            if shown in update.fields and may_hold_media(update.fields[shown]):
                update.fields[shown] = _short(update.fields[shown])
        _lift_metadata(lifter, update.metadata, update.trace_id, "")
    lifter.save()


class Lifter:
    """Lifts files out of any number of texts of one project, then writes their rows in a few statements."""

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._media: dict[str, Media] = {}
        self._links: dict[tuple[str, str, str, str], None] = {}

    def lift(self, observation: Observation) -> None:
        ids = observation.trace_id, observation.id
        if may_hold_media(observation.input):
            lifted = self.lift_text(observation.input, *ids, "input")
            if lifted is not observation.input:
                observation.input, observation.input_preview = lifted, preview(lifted)
        if may_hold_media(observation.output):
            lifted = self.lift_text(observation.output, *ids, "output")
            if lifted is not observation.output:
                observation.output, observation.output_preview = lifted, preview(lifted)
        if observation.metadata:
            _lift_metadata(self, observation.metadata, *ids)

    def lift_text(self, text: str, trace_id: str, observation_id: str, field: str) -> str:
        """The text with references in place of files; the same object when there are none."""
        for file in _files(text):
            media_id = self._store(file)
            if media_id is None:
                continue
            self._links[(media_id, trace_id[:ID_LENGTH], observation_id[:ID_LENGTH], field)] = None
            text = _replace(text, file, reference(file.content_type, media_id, file.source))
        return text

    def save(self) -> None:
        """Write the rows. The bytes are stored already."""
        if not self._media:
            return
        if not Project.objects.filter(id=self._project_id).exists():
            return  # deleted meanwhile: nobody can ask for its files any more
        try:
            with transaction.atomic():
                self._save_rows()
        except IntegrityError:  # deleted just now
            log.warning("Media of project %s cannot be recorded", self._project_id, exc_info=True)

    def _save_rows(self) -> None:
        Media.objects.bulk_create(self._media.values(), ignore_conflicts=True, batch_size=_BATCH)
        mine = Media.objects.filter(project_id=self._project_id, media_id__in=list(self._media))
        # A client may have announced the file and never sent it.
        mine.filter(uploaded_at__isnull=True).update(uploaded_at=timezone.now(), upload_status=200, upload_error="")
        ids = dict(mine.values_list("media_id", "id"))
        links = [
            MediaLink(
                project_id=self._project_id,
                media_id=ids[media_id],
                trace_id=trace_id,
                observation_id=observation_id,
                field=field,
            )
            for media_id, trace_id, observation_id, field in self._links
            if media_id in ids
        ]
        MediaLink.objects.bulk_create(links, ignore_conflicts=True, batch_size=_BATCH)

    def _store(self, file: _File) -> str | None:
        content = _decoded(file.encoded)
        if not content or len(content) > settings.MEDIA_MAX_BYTES:
            return None
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        media_id = media_id_of(digest)
        if media_id not in self._media:
            try:
                store_bytes(storage_key(self._project_id, media_id), content)
            except OSError:  # no room, no bucket: the text keeps its file, nothing is lost
                log.warning("Media of project %s cannot be stored", self._project_id, exc_info=True)
                return None
            self._media[media_id] = Media(
                project_id=self._project_id,
                media_id=media_id,
                sha256=digest,
                content_type=file.content_type,
                content_length=len(content),
                uploaded_at=timezone.now(),
                upload_status=200,
            )
        return media_id


def media_id_of(sha256: str) -> str:
    """The id that clients compute too: 22 characters of the base64 hash, in the URL-safe alphabet."""
    return sha256[:22].replace("+", "-").replace("/", "_")


def reference(content_type: str, media_id: str, source: str) -> str:
    """What stands in the text for a file; SDKs and pages resolve it."""
    return f"@@@langfuseMedia:type={content_type}|id={media_id}|source={source}@@@"


def store_bytes(key: str, content: bytes) -> None:
    """Put bytes under exactly this key. What is there already and is complete is left alone."""
    if default_storage.exists(key):
        if default_storage.size(key) == len(content):
            return
        default_storage.delete(key)  # cut short by a crash
    written = default_storage.save(key, ContentFile(content))
    if written != key:  # another worker was first with the same content
        default_storage.delete(written)
        return
    _sync_to_disk(key)


def _sync_to_disk(key: str) -> None:
    """The text that held the file is about to be replaced: its bytes must survive a power cut, too."""
    try:
        path = default_storage.path(key)
    except NotImplementedError:  # not a folder but a bucket
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lift_metadata(lifter: Lifter, metadata: dict[str, str], trace_id: str, observation_id: str) -> None:
    for key, value in metadata.items():
        if may_hold_media(value):
            metadata[key] = lifter.lift_text(value, trace_id, observation_id, "metadata")


def _short(text: str) -> str:
    return _DATA_URI.sub(lambda match: f"[{match[1]}]", text)


def _files(text: str) -> list[_File]:
    files = {file.sent: file for file in _data_uris(text)}
    if text.lstrip()[:1] in ("{", "["):
        try:
            loaded = orjson.loads(text)
        except orjson.JSONDecodeError:
            loaded = None
        for file in _walk(loaded, 1):
            files.setdefault(file.sent, file)
    return list(files.values())


def _data_uris(text: str) -> Iterator[_File]:
    for match in _DATA_URI.finditer(text):
        content_type = match[1].lower()
        if content_type in _SUPPORTED:
            yield _File(match[0], match[2], content_type, "base64_data_uri")


def _walk(value: Any, depth: int) -> Iterator[_File]:
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        if ";base64," in value:
            yield from _data_uris(value)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, depth + 1)
    elif isinstance(value, dict):
        file = _provider_file(value)
        if file is not None:
            yield file
        for item in value.values():
            yield from _walk(item, depth + 1)


def _provider_file(part: dict[str, Any]) -> _File | None:
    """A content part of a provider's or framework's message format that carries plain base64.

    Anthropic {type: base64, media_type, data}; Google {mime_type, data}; Vertex {type: media, …}; AI SDK
    {type: file, mediaType, data} and {type: blob, mime_type, content}; LangChain {type: image, base64, mime_type};
    OpenAI {data, format} of input_audio.
    """
    content_type = next((part[key] for key in _TYPE_KEYS if isinstance(part.get(key), str)), None)
    if content_type is None and part.get("format") in ("wav", "mp3") and len(part) == 2:
        content_type = f"audio/{part['format']}"
    if content_type is None:
        return None
    keys = ("data", "base64", "content") if part.get("type") == "blob" else ("data", "base64")
    if part.get("type") == "image":
        keys = (*keys, "image")
    content_type = content_type.partition(";")[0].strip().lower()
    encoded = next((part[key] for key in keys if isinstance(part.get(key), str)), "")
    if content_type not in _SUPPORTED or len(encoded) < _SHORTEST or encoded.startswith(("data:", "@@@", "http")):
        return None
    return _File(encoded, encoded, content_type, "bytes")


def _decoded(encoded: str) -> bytes | None:
    plain = encoded.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _replace(text: str, file: _File, with_reference: str) -> str:
    """Replace in the text itself rather than in parsed JSON: the rest stays as sent, to the last digit and space."""
    quote = '"' if file.source == "bytes" else ""
    sent = f"{quote}{file.sent}{quote}"
    if sent not in text:
        sent = sent.replace("/", "\\/")  # as some JSON writers escape it
    return text.replace(sent, f"{quote}{with_reference}{quote}")
