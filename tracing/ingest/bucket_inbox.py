"""The inbox in a bucket that speaks S3, for instances on several machines. Imported only where one is set up.

An entry is one object. What S3 acknowledges is durable and complete, so there are no drafts; an upload that was cut
short leaves nothing, and one whose answer was lost leaves an entry of which nobody was told "accepted": its senders
come again, and rows that arrive twice are there once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from config.buckets import client_config, connect, told
from config.env import BucketSettings
from tracing.ingest.inbox import SUFFIX, new_key

#: Below the prefix of the settings, where Langfuse keeps folders of its own.
_FOLDER, _BROKEN_FOLDER = "inbox/", "inbox-broken/"
#: Whoever sends has less patience than a client of S3: 503, and come again.
_ANSWER_SECONDS, _ATTEMPTS = 20.0, 2
#: A bucket answers late, and many at once: a worker reads ahead, so that it does not wait for each entry. Each may have
#: some megabytes.
_READ_AHEAD = 4
_AT_ONCE = 8
#: How long a write that succeeded stands for the next one. Each one is paid for.
_PROBE_SECONDS = 10.0


class BucketInbox:
    """Entries as objects. All methods raise BucketAway, which is an OSError."""

    def __init__(self, where: BucketSettings) -> None:
        config = client_config(
            force_path_style=where.force_path_style, answer_seconds=_ANSWER_SECONDS, attempts=_ATTEMPTS
        )
        self._client = connect(
            endpoint_url=where.endpoint_url,
            region_name=where.region_name,
            access_key=where.access_key,
            secret_key=where.secret_key,
            config=config,
        )
        self._bucket = where.name
        self._start, self._broken_start = where.prefix + _FOLDER, where.prefix + _BROKEN_FOLDER
        self._threads = ThreadPoolExecutor(_AT_ONCE, "inbox")
        self._expected: deque[str] = deque()
        self._coming: dict[str, Future[bytes | None]] = {}
        self._reading = threading.Lock()
        self._written_at = float("-inf")

    def put(self, chunks: Iterable[bytes]) -> str:
        key = new_key()
        try:
            self._write(self._start + key, b"".join(chunks))
        except BaseException:
            self._written_at = float("-inf")
            raise
        return key

    def probe(self, wanted_bytes: int) -> None:
        """A bucket has room. Whether it may be written is tried, unless it was just done."""
        if time.monotonic() - self._written_at > _PROBE_SECONDS:
            self._write(f"{self._start}probe", b"")

    def expect(self, keys: Iterable[str]) -> None:
        with self._reading:
            wanted = list(keys)
            # What is on its way already, because the batch before had no more room, is not asked for again.
            self._coming = {key: coming for key, coming in self._coming.items() if key in wanted}
            self._expected = deque(key for key in wanted if key not in self._coming)
            self._read_ahead()

    def get(self, key: str) -> bytes | None:
        with self._reading:
            coming = self._coming.pop(key, None)
            self._read_ahead()
        return self._read(key) if coming is None else coming.result()

    def delete(self, keys: Iterable[str]) -> None:
        """One by one: not all that speak S3 agree on how to ask for many."""
        list(self._threads.map(self._delete, keys))

    def set_aside(self, key: str) -> str:
        place = self._broken_start + key
        with told():
            source = {"Bucket": self._bucket, "Key": self._start + key}
            self._client.copy_object(Bucket=self._bucket, Key=place, CopySource=source)
        self._delete(key)
        return f"s3://{self._bucket}/{place}"

    def keys(self) -> Iterator[str]:
        """As a bucket lists them, which is by name."""
        with told():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._start)
            for page in pages:
                for item in page.get("Contents", ()):
                    key = item["Key"].removeprefix(self._start)
                    if key.endswith(SUFFIX):
                        yield key

    def _write(self, place: str, content: bytes) -> None:
        with told():
            self._client.put_object(Bucket=self._bucket, Key=place, Body=content)
        self._written_at = time.monotonic()

    def _read_ahead(self) -> None:
        while self._expected and len(self._coming) < _READ_AHEAD:
            key = self._expected.popleft()
            self._coming[key] = self._threads.submit(self._read, key)

    def _read(self, key: str) -> bytes | None:
        with told():
            try:
                found: Any = self._client.get_object(Bucket=self._bucket, Key=self._start + key)
            except ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchKey":
                    return None
                raise
            entry: bytes = found["Body"].read()
            return entry

    def _delete(self, key: str) -> None:
        with told():
            self._client.delete_object(Bucket=self._bucket, Key=self._start + key)
