"""Where clients put files and get them: signed addresses, of a bucket where there is one, else of this instance."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.core import signing
from django.core.files.storage import default_storage
from django.http import HttpRequest
from django.urls import reverse

from config.errors import Forbidden
from tracing.models.media import Media

if TYPE_CHECKING:
    from config.buckets import Bucket

VALID_SECONDS = 3600
_SALT = "media"
#: Shown in a browser these cannot run anything; the rest is handed over as a download.
_SHOWN_INLINE = ("image/", "audio/", "video/", "text/plain", "application/pdf")


def upload_address(request: HttpRequest, media: Media) -> str:
    if (there := bucket()) is None:
        return _own_address(request, media, "put")
    return there.upload_url(
        media.storage_key,
        content_type=media.content_type,
        sha256=media.sha256,
        length=media.content_length,
        seconds=VALID_SECONDS,
    )


def download_address(request: HttpRequest, media: Media) -> str:
    if (there := bucket()) is None:
        return _own_address(request, media, "get")
    disposition = "inline" if is_inline(media) else "attachment"
    return there.download_url(
        media.storage_key,
        content_type=media.content_type,
        disposition=f'{disposition}; filename="{media.media_id}"',
        seconds=VALID_SECONDS,
    )


def is_inline(media: Media) -> bool:
    return media.content_type.startswith(_SHOWN_INLINE) and media.content_type != "image/svg+xml"


def bucket() -> Bucket | None:
    """The bucket that files are in, if it is one."""
    is_one = hasattr(default_storage, "upload_url")  # asking for the class would import the client
    return cast("Bucket", default_storage) if is_one else None


def _own_address(request: HttpRequest, media: Media, method: str) -> str:
    """Under the address the client itself used: behind a proxy or in a container that is the one that works."""
    token = signing.dumps([media.project_id, media.media_id, method], salt=_SALT, compress=True)
    return request.build_absolute_uri(reverse("media-content", args=[token]))


def open_token(token: str, method: str) -> tuple[str, str]:
    """Project and media id of an address of our own. Raises Forbidden."""
    try:
        project_id, media_id, allowed = signing.loads(token, salt=_SALT, max_age=VALID_SECONDS)
    except (signing.BadSignature, ValueError):
        raise Forbidden("This address is not valid or has expired.") from None
    if allowed != method:
        raise Forbidden("This address was made for something else.")
    return project_id, media_id
