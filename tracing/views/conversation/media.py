"""Files in what was traced: references to stored ones, data URIs, addresses elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracing.views.conversation.fields import Fields
from tracing.views.conversation.parts import Media, Part, Text

_REFERENCE = re.compile(r"@@@langfuseMedia:(?P<fields>[^@]{1,500})@@@")
_DATA_URI = re.compile(r"data:(?P<type>[a-z]+/[a-z0-9.+-]+);base64,[A-Za-z0-9+/=_\s-]+\Z", re.IGNORECASE)
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+\Z", re.IGNORECASE)
#: of formats that are named without their family
_FAMILIES = {
    **dict.fromkeys(("png", "jpeg", "jpg", "gif", "webp", "avif", "bmp"), "image"),
    **dict.fromkeys(("wav", "mp3", "flac", "ogg", "opus", "aac", "pcm16"), "audio"),
    **dict.fromkeys(("mp4", "mov", "mkv", "webm", "mpeg"), "video"),
    **dict.fromkeys(("pdf", "docx", "xlsx", "doc", "xls"), "application"),
    **dict.fromkeys(("csv", "html", "txt", "md"), "text"),
}


def media_in(text: str) -> Iterator[Media]:
    """References that SDKs and ingestion leave where a file was: type, id and source."""
    for match in _REFERENCE.finditer(text):
        found = _referenced(match)
        if found:
            yield found


def text_and_media(text: str) -> list[Part]:
    """A text with references in it, taken apart at them."""
    parts: list[Part] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        found = _referenced(match)
        if found is None:
            continue
        parts += [Text(text[at : match.start()].strip("\n")), found]
        at = match.end()
    parts.append(Text(text[at:].lstrip("\n") if parts else text))
    return [part for part in parts if not isinstance(part, Text) or part.text]


def _referenced(match: re.Match[str]) -> Media | None:
    fields = dict(part.partition("=")[::2] for part in match["fields"].split("|"))
    return Media(content_type=fields.get("type", ""), media_id=fields["id"]) if fields.get("id") else None


def media_of(source: str, content_type: str = "", name: str = "") -> Media | None:
    """What a text is that stands where a file belongs; None when it is none that may be shown."""
    found = next(media_in(source), None)
    if found:
        return found
    match = _DATA_URI.match(source)
    if match:
        return Media(content_type=match["type"].lower(), data_uri="".join(source.split()), name=name)
    if source.startswith(("http://", "https://", "gs://", "s3://")):
        return Media(content_type=content_type, address=source, name=name)
    return None


def from_base64(data: str, content_type: str, name: str = "") -> Media | None:
    """`content_type` may be a bare format, such as `png`."""
    kind = content_type.lower()
    if "/" not in kind:
        kind = f"{_FAMILIES.get(kind, 'application')}/{kind or 'octet-stream'}"
    found = next(media_in(data), None)
    if found or not _TYPE.match(kind):
        return found
    return media_of(f"data:{kind};base64,{data}", name=name)


def read_source(source: Fields, name: str = "", family: str = "") -> Media | None:
    """A file described by an object: base64 with a type, a data URI, or an address.

    Anthropic sources, OpenAI image URLs and files, Gemini and Bedrock blobs, OpenTelemetry blobs and URIs.
    """
    kind_key = ("media_type", "mediaType", "mimeType", "mime_type", "content_type", "format", "mimetype")
    kind = source.peek(*kind_key)
    kind = kind if isinstance(kind, str) else ""
    if family and kind and "/" not in kind and kind not in _FAMILIES:
        kind = f"{family}/{kind}"
    name = name or source.take_text("filename", "file_name", "title", "display_name", "displayName", "name")
    for key in ("url", "image_url", "file_uri", "fileUri", "uri", "file_url", "file_data", "data", "bytes", "content"):
        value = source.peek(key)
        inner = source.inner(key)
        if inner is not None:
            found = read_source(inner, name, family)
        elif isinstance(value, str):
            found = media_of(value, kind, name) or from_base64(value, kind or (family and f"{family}/*"), name)
        else:
            continue
        if found:
            source.take(key)
            source.take(*kind_key)
            source.skip("type", "modality") if "type" in source.content else None
            return found
    return None
