"""Files in a bucket that speaks S3. Imported only where one is set up: the client costs 30 MB of memory."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from config.errors import Unavailable

_CHUNK = 1 << 20


class BucketAway(Unavailable, OSError):
    """The bucket cannot be reached, or refuses us. To those who store files it is a failing disk."""

    def __init__(self, reason: Exception) -> None:
        Unavailable.__init__(self, "The storage of files cannot be reached.")
        self.__cause__ = reason


@contextmanager
def told() -> Iterator[None]:
    """What the client raises becomes BucketAway."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise BucketAway(error) from error


def connect(
    *, endpoint_url: str | None, region_name: str | None, access_key: str | None, secret_key: str | None, config: Config
) -> Any:
    """A client of S3, which threads may share. Without a key the machine's own identity counts."""
    session = boto3.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key)
    return session.client("s3", region_name=region_name, endpoint_url=endpoint_url, config=config)


def client_config(*, force_path_style: bool, answer_seconds: float = 60, attempts: int = 3) -> Config:
    return Config(
        s3={"addressing_style": "path" if force_path_style else "auto"},
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=answer_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=32,
        # Newer kinds of checksums are unknown to many that speak S3.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


class Bucket(S3Storage):  # type: ignore[misc]  # the library has no types
    """`endpoint_url` is where this instance reaches the bucket, `client_endpoint_url` where clients do.

    Addresses that it signs are for clients. Every method raises BucketAway.
    """

    def __init__(self, **options: Any) -> None:
        config = client_config(force_path_style=options.pop("force_path_style", False))
        self._client_endpoint_url = options.pop("client_endpoint_url", None)
        super().__init__(client_config=config, file_overwrite=True, **options)
        self._signing = Lock()
        self._signer_client: Any = None

    def upload_url(self, name: str, *, content_type: str, sha256: str, length: int, seconds: int) -> str:
        """Where a client may PUT exactly the announced bytes, with `Content-Type` and `x-amz-checksum-sha256`."""
        more = {"ContentType": content_type, "ChecksumSHA256": sha256, "ContentLength": length}
        return self._signed("put_object", name, seconds, more)

    def download_url(self, name: str, *, content_type: str, disposition: str, seconds: int) -> str:
        more = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        return self._signed("get_object", name, seconds, more)

    def holds(self, name: str, *, sha256: str) -> bool:
        """Whether the bytes there are those of this hash: by the checksum that the bucket keeps, else by reading."""
        key = self._normalize_name(name)
        client = self.connection.meta.client
        with told():
            head = client.head_object(Bucket=self.bucket_name, Key=key, ChecksumMode="ENABLED")
            if kept := head.get("ChecksumSHA256"):
                return bool(kept == sha256)
            digest = hashlib.sha256()
            for chunk in client.get_object(Bucket=self.bucket_name, Key=key)["Body"].iter_chunks(_CHUNK):
                digest.update(chunk)
        return base64.b64encode(digest.digest()).decode() == sha256

    def exists(self, name: str) -> bool:
        with told():
            return bool(super().exists(name))

    def size(self, name: str) -> int:
        with told():
            return int(super().size(name))

    def delete(self, name: str) -> None:
        with told():
            super().delete(name)

    def _open(self, name: str, mode: str = "rb") -> IO[bytes]:
        with told():
            file: IO[bytes] = super()._open(name, mode)
            return file

    def _save(self, name: str, content: Any) -> str:
        with told():
            return str(super()._save(name, content))

    def _signed(self, operation: str, name: str, seconds: int, more: dict[str, Any]) -> str:
        params = {"Bucket": self.bucket_name, "Key": self._normalize_name(name), **more}
        with told():
            return str(self._signer().generate_presigned_url(operation, Params=params, ExpiresIn=seconds))

    def _signer(self) -> Any:
        """One for all threads: clients may be shared, sessions may not."""
        with self._signing:
            if self._signer_client is None:
                self._signer_client = connect(
                    endpoint_url=self._client_endpoint_url or self.endpoint_url,
                    region_name=self.region_name,
                    access_key=self.access_key,
                    secret_key=self.secret_key,
                    config=self.client_config,
                )
            return self._signer_client
