"""Files that came with traces and dataset items: stored once per content, linked from wherever they are shown."""

from __future__ import annotations

import hashlib

from django.db import models

#: longest id of a trace, observation or dataset item that may be linked
ID_LENGTH = 800


class ContentType(models.TextChoices):
    """Types that clients may upload (the contract's list); anything else stays where it was sent."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    JPG = "image/jpg"
    WEBP = "image/webp"
    GIF = "image/gif"
    SVG = "image/svg+xml"
    TIFF = "image/tiff"
    BMP = "image/bmp"
    AVIF = "image/avif"
    HEIC = "image/heic"
    AUDIO_MPEG = "audio/mpeg"
    AUDIO_MP3 = "audio/mp3"
    AUDIO_WAV = "audio/wav"
    AUDIO_OGG = "audio/ogg"
    AUDIO_OGA = "audio/oga"
    AUDIO_AAC = "audio/aac"
    AUDIO_MP4 = "audio/mp4"
    AUDIO_FLAC = "audio/flac"
    AUDIO_OPUS = "audio/opus"
    AUDIO_WEBM = "audio/webm"
    VIDEO_MP4 = "video/mp4"
    VIDEO_WEBM = "video/webm"
    VIDEO_OGG = "video/ogg"
    VIDEO_MPEG = "video/mpeg"
    QUICKTIME = "video/quicktime"
    AVI = "video/x-msvideo"
    MATROSKA = "video/x-matroska"
    PLAIN_TEXT = "text/plain"
    HTML = "text/html"
    CSS = "text/css"
    CSV = "text/csv"
    MARKDOWN = "text/markdown"
    PYTHON = "text/x-python"
    JAVASCRIPT = "application/javascript"
    TYPESCRIPT = "text/x-typescript"
    YAML = "application/x-yaml"
    PDF = "application/pdf"
    WORD = "application/msword"
    EXCEL = "application/vnd.ms-excel"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    ZIP = "application/zip"
    JSON = "application/json"
    XML = "application/xml"
    BYTES = "application/octet-stream"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    RTF = "application/rtf"
    NDJSON = "application/x-ndjson"
    PARQUET = "application/vnd.apache.parquet"
    GZIP = "application/gzip"
    TAR = "application/x-tar"
    SEVEN_ZIP = "application/x-7z-compressed"


class MediaField(models.TextChoices):
    INPUT = "input"
    OUTPUT = "output"
    METADATA = "metadata"
    EXPECTED_OUTPUT = "expectedOutput"


class Media(models.Model):
    """One file of a project, named by its content: the same bytes are the same media."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="media")
    #: first 22 characters of the URL-safe base64 SHA-256; clients compute the same and insist on it
    media_id = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=44)  # base64
    content_type = models.CharField(max_length=100, choices=ContentType.choices)
    content_length = models.PositiveBigIntegerField()

    # Set once the bytes are there, or once a client has told that its upload failed.
    uploaded_at = models.DateTimeField(null=True, blank=True)
    upload_status = models.PositiveSmallIntegerField(null=True, blank=True)
    upload_error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "media"
        constraints = [
            models.UniqueConstraint(fields=["project", "media_id"], name="tracing_media_once_per_project"),
        ]

    def __str__(self) -> str:
        return self.media_id

    @property
    def storage_key(self) -> str:
        return storage_key(self.project_id, self.media_id)


def storage_key(project_id: str, media_id: str) -> str:
    """Where the bytes are kept. Project ids are any text, so the folder is their hash; ids are URL-safe already."""
    folder = hashlib.sha256(project_id.encode()).hexdigest()[:32]
    return f"media/{folder}/{media_id[:2]}/{media_id}"


class MediaLink(models.Model):
    """Where a file is used: a field of a trace or observation, or of a dataset item."""

    project = models.ForeignKey("accounts.Project", models.CASCADE, related_name="+")
    media = models.ForeignKey(Media, models.CASCADE, related_name="links")
    trace_id = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    observation_id = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    dataset_id = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    dataset_item_id = models.CharField(max_length=ID_LENGTH, blank=True, default="")
    field = models.CharField(max_length=20, choices=MediaField.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["media", "trace_id", "observation_id", "dataset_id", "dataset_item_id", "field"],
                name="tracing_media_link_once",
            ),
        ]
        indexes = [
            # The trace page asks for all files of a trace at once.
            models.Index(fields=["project", "trace_id"], name="tracing_media_link_by_trace"),
            models.Index(fields=["project", "dataset_item_id"], name="tracing_media_link_by_item"),
        ]

    def __str__(self) -> str:
        return f"{self.media_id} in {self.field}"
