"""Files inside traced text: base64 is lifted into storage, and a reference takes its place.

The same bytes are stored once a project, under a name made of their hash, so lifting is idempotent. A text changes
only when its files and their rows are safe. Whatever looks like a file and is none (broken base64, a type nobody
shows) stays as it was sent.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Project
from tracing.analytics.records import Observation
from tracing.ingest.database import needs_database
from tracing.ingest.files import store_bytes, sync_to_disk
from tracing.ingest.model import TraceUpdate
from tracing.ingest.text import preview
from tracing.models import Media, MediaLink
from tracing.models.media import ID_LENGTH, ContentType, storage_key
from tracing.pricing.patterns import compile_pattern

log = logging.getLogger(__name__)

#: One pass that nearly every text fails: anything to lift contains one of these. In Rust's engine it costs a fifth
#: of one `in` (measured on 2 KB).
may_hold_media = compile_pattern(r';base64,|"base64"|mime_?[tT]ype|media_?[tT]ype|input_audio')

# Possessive, so that a text made to be searched for long is not. JSON may write a slash as `\/`.
_BASE64 = r"(?:[A-Za-z0-9+/_-]++|\\/)++={0,2}"
_DATA_URI = re.compile(rf"data:(?P<type>[\w.+-]+\\?/[\w.+-]+)(?:;[\w.=+-]+)*;base64,(?P<data>{_BASE64})")
#: the same, and JSON texts that are nothing but base64
_ANY_FILE = re.compile(rf'{_DATA_URI.pattern}|"(?=[\w+/\\-]{{24}})(?P<bytes>{_BASE64})"')
_SUPPORTED = frozenset(ContentType.values)
#: shorter strings are rather words that happen to be base64 than files
_SHORTEST = 24
#: New files of a project in one batch; more stay in their texts. A batch of tiny ones would take minutes of disk time.
_MOST = 2_000
_DEEPEST = 10
_TYPE_KEYS = ("media_type", "mime_type", "mediaType", "mimeType")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class _File:
    """Base64 found in a text."""

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
        lifter.lift_update(update)
    lifter.save()


class Lifter:
    """Lifts files out of any number of texts of one project, then writes their rows in a few statements.

    Nothing changes before `save`. When the database is away, the texts are as they were and can be lifted again.
    """

    def __init__(self, project_id: str) -> None:
        self._project_id = project_id
        self._media: dict[str, Media] = {}
        self._new_keys: list[str] = []
        self._links: dict[tuple[str, str, str, str], None] = {}
        self._changes: list[Callable[[], None]] = []

    def lift(self, observation: Observation) -> None:
        ids = observation.trace_id, observation.id
        if may_hold_media(observation.input):
            lifted = self._lifted(observation.input, *ids, "input")
            if lifted is not None:
                self._changes.append(partial(_set_content, observation, "input", lifted))
        if may_hold_media(observation.output):
            lifted = self._lifted(observation.output, *ids, "output")
            if lifted is not None:
                self._changes.append(partial(_set_content, observation, "output", lifted))
        if observation.metadata:
            self._lift_entries(observation.metadata, *ids)

    def lift_update(self, update: TraceUpdate) -> None:
        for name in ("input", "output"):
            text, shown = update.fields.get(name), f"{name}_preview"
            if isinstance(text, str) and may_hold_media(text):
                lifted = self._lifted(text, update.trace_id, "", name)
                if lifted is not None:
                    self._changes.append(partial(update.fields.__setitem__, name, lifted))
            if shown in update.fields and may_hold_media(update.fields[shown]):
                self._changes.append(partial(update.fields.__setitem__, shown, _short(update.fields[shown])))
        self._lift_entries(update.metadata, update.trace_id, "")

    def _lift_entries(self, metadata: dict[str, str], trace_id: str, observation_id: str) -> None:
        for key, value in metadata.items():
            if may_hold_media(value):
                lifted = self._lifted(value, trace_id, observation_id, "metadata")
                if lifted is not None:
                    self._changes.append(partial(metadata.__setitem__, key, lifted))

    def _lifted(self, text: str, trace_id: str, observation_id: str, field: str) -> str | None:
        """The text with references in place of files; None when there are none.

        Replaced in the text itself rather than in parsed JSON: the rest stays as sent, to the last digit and space.
        """
        parts = _provider_files(text)

        def replaced(match: re.Match[str]) -> str:
            file = _data_uri(match) if match["data"] else parts.get(_unescaped(match["bytes"]))
            media_id = self._store(file) if file is not None else None
            if file is None or media_id is None:
                return match[0]
            self._links[(media_id, trace_id[:ID_LENGTH], observation_id[:ID_LENGTH], field)] = None
            quote = '"' if match["data"] is None else ""
            return f"{quote}{reference(file.content_type, media_id, file.source)}{quote}"

        lifted = (_ANY_FILE if parts else _DATA_URI).sub(replaced, text)
        return None if lifted == text else lifted

    def save(self) -> None:
        """Write the rows, then change the texts."""
        if not self._changes or (self._media and not self._save_files()):
            return
        for change in self._changes:
            change()

    def _save_files(self) -> bool:
        """False when there will be no rows: then the texts must keep their files."""
        if not Project.objects.filter(id=self._project_id).exists():
            return False  # deleted meanwhile: nobody can ask for its files any more
        try:
            for key in self._new_keys:
                sync_to_disk(key)
            with transaction.atomic():
                self._save_rows()
        except (IntegrityError, OSError):  # deleted just now; no room
            log.warning("Media of project %s cannot be recorded", self._project_id, exc_info=True)
            return False
        return True

    def _save_rows(self) -> None:
        Media.objects.bulk_create(self._media.values(), ignore_conflicts=True, batch_size=_BATCH)
        ids: dict[str, Any] = {}
        names = list(self._media)
        for start in range(0, len(names), _BATCH):
            mine = Media.objects.filter(project_id=self._project_id, media_id__in=names[start : start + _BATCH])
            # A client may have announced the file and never sent it.
            mine.filter(uploaded_at__isnull=True).update(uploaded_at=timezone.now(), upload_status=200, upload_error="")
            ids |= dict(mine.values_list("media_id", "id"))
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
        if media_id in self._media:
            return media_id
        if len(self._media) >= _MOST:
            return None
        key = storage_key(self._project_id, media_id)
        try:
            if store_bytes(key, content):
                self._new_keys.append(key)
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


def _set_content(observation: Observation, name: str, text: str) -> None:
    setattr(observation, name, text)
    setattr(observation, f"{name}_preview", preview(text))


def media_id_of(sha256: str) -> str:
    """The id that clients compute too: 22 characters of the base64 hash, in the URL-safe alphabet."""
    return sha256[:22].replace("+", "-").replace("/", "_")


def reference(content_type: str, media_id: str, source: str) -> str:
    """What stands in the text for a file; SDKs and pages resolve it."""
    return f"@@@langfuseMedia:type={content_type}|id={media_id}|source={source}@@@"


def _short(text: str) -> str:
    return _DATA_URI.sub(lambda match: f"[{match['type']}]", text)


def _data_uri(match: re.Match[str]) -> _File | None:
    content_type, encoded = _unescaped(match["type"]).lower(), _unescaped(match["data"])
    if content_type not in _SUPPORTED or len(encoded) < _SHORTEST:
        return None
    return _File(encoded, content_type, "base64_data_uri")


def _unescaped(written: str) -> str:
    return written.replace("\\/", "/")


def _provider_files(text: str) -> dict[str, _File]:
    """Files that are a value of their own in a JSON text, by their base64."""
    if text.lstrip()[:1] not in ("{", "["):
        return {}
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return {file.encoded: file for file in _walk(content, 1)}


def _walk(value: Any, depth: int) -> Iterator[_File]:
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
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
    return _File(encoded, content_type, "bytes")


def _decoded(encoded: str) -> bytes | None:
    plain = encoded.replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
