"""Files that belong to traces and dataset items, as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime

from config.api.describe import Given, Shape


class Announcement(Given):
    """`sha256Hash` is base64. The id of a file is the first 22 characters of it, in the URL-safe alphabet."""

    traceId: str | None = None
    observationId: str | None = None
    datasetId: str | None = None
    datasetItemId: str | None = None
    field: str
    contentType: str
    contentLength: int
    sha256Hash: str


class Announced(Shape):
    mediaId: str
    uploadUrl: str | None


class UploadReport(Given):
    uploadedAt: datetime
    uploadHttpStatus: int
    uploadHttpError: str | None = None
    uploadTimeMs: int | None = None


class MediaItem(Shape):
    mediaId: str
    contentType: str
    contentLength: int
    uploadedAt: datetime
    url: str
    urlExpiry: datetime
