"""Media in a bucket: a real server that speaks S3, and clients that put and get as the SDKs do."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from config import env
from config.buckets import Bucket
from config.errors import Unavailable
from tests.tracing.api_data import make_api, observation
from tests.tracing.test_api_media import HASH, MEDIA_ID, announcement
from tracing.ingest.media import Lifter
from tracing.models.media import Media, storage_key

pytestmark = pytest.mark.django_db
UPLOADED = {"uploadedAt": "2026-03-02T10:00:00.000000+00:00", "uploadHttpStatus": 200, "uploadTimeMs": 3}
#: one that the settings name (tests/stores/test_product.py); else the tests start a server of their own
NAMED = env.bucket("LANGFUSE_S3_MEDIA_UPLOAD")
BUCKET = NAMED.name if NAMED else "langfuse"
KEYS = {
    "access_key": NAMED.access_key if NAMED else "id",
    "secret_key": NAMED.secret_key if NAMED else "secret",
}


@pytest.fixture(scope="module")
def endpoint():
    if NAMED:
        yield NAMED.endpoint_url
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def client(endpoint):
    """boto3's own; making one takes longer than most tests."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
        config=Config(s3={"addressing_style": "path"}),
    )


@pytest.fixture
def bucket(client, endpoint, settings):
    """The settings of a bucket, empty; its content by boto3's own client."""
    if not NAMED:
        client.create_bucket(Bucket=BUCKET)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    options = {
        "bucket_name": BUCKET,
        "location": "media/",
        "region_name": "us-east-1",
        "endpoint_url": endpoint,
        "force_path_style": True,
        **KEYS,
    }
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.buckets.Bucket", "OPTIONS": options}}
    return client


@pytest.fixture
def api(bucket):
    return make_api()


def put(url, body, **headers):
    """As the Python and JavaScript SDKs send it."""
    sent = {"Content-Type": "image/png", "x-amz-checksum-sha256": HASH, "x-ms-blob-type": "BlockBlob", **headers}
    return httpx.put(url, content=body, headers=sent)


def keys(bucket):
    return [item["Key"] for item in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())]


def test_from_announcement_to_download(api, bucket, endpoint):
    made = api("POST", "media", announcement())
    assert (made.status_code, made.json()["mediaId"]) == (201, MEDIA_ID)
    url = made.json()["uploadUrl"]
    assert url.startswith(f"{endpoint}/{BUCKET}/media/")
    assert api.get(f"media/{MEDIA_ID}", 404)["message"] == "Media not yet uploaded"
    assert put(url, b"abc").status_code == 200
    assert keys(bucket) == [f"media/{storage_key(api.project_id, MEDIA_ID)}"]
    assert api("PATCH", f"media/{MEDIA_ID}", UPLOADED).json() == {"message": "OK"}
    item = api.get(f"media/{MEDIA_ID}")
    assert (item["contentLength"], item["uploadedAt"]) == (3, "2026-03-02T10:00:00.000Z")
    download = httpx.get(item["url"])
    assert (download.content, download.headers["Content-Type"]) == (b"abc", "image/png")
    assert api("POST", "media", announcement()).json() == {"mediaId": MEDIA_ID, "uploadUrl": None}


def test_what_is_signed(api):
    query = parse_qs(urlsplit(api("POST", "media", announcement()).json()["uploadUrl"]).query)
    assert query["X-Amz-SignedHeaders"] == ["content-length;content-type;host;x-amz-checksum-sha256"]
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


def test_downloads_expire_and_cannot_run_anything(api):
    body = b"<svg onload=alert(1)>"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    values = {"contentType": "image/svg+xml", "sha256Hash": digest, "contentLength": len(body)}
    made = api("POST", "media", announcement(**values)).json()
    put(made["uploadUrl"], body, **{"Content-Type": "image/svg+xml", "x-amz-checksum-sha256": digest})
    api("PATCH", f"media/{made['mediaId']}", UPLOADED)
    query = parse_qs(urlsplit(api.get(f"media/{made['mediaId']}")["url"]).query)
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["response-content-disposition"] == [f'attachment; filename="{made["mediaId"]}"']


@pytest.mark.parametrize("body", [b"abd", b"abcd", b""], ids=["other bytes", "more", "none"])
def test_other_bytes_are_found_out(api, bucket, body):
    """Moto keeps whatever comes; others compare what they look at themselves."""
    answer = put(api("POST", "media", announcement()).json()["uploadUrl"], body)
    if answer.is_error:
        assert NAMED
        assert keys(bucket) == []
        return
    refused = api("PATCH", f"media/{MEDIA_ID}", UPLOADED)
    assert refused.status_code == 400
    assert refused.json()["message"] == "The content does not match the announced sha256Hash."
    assert keys(bucket) == []
    assert api.get(f"media/{MEDIA_ID}", 404)["message"].startswith("Media upload failed with status 400: ")
    assert put(api("POST", "media", announcement()).json()["uploadUrl"], b"abc").status_code == 200
    assert api("PATCH", f"media/{MEDIA_ID}", UPLOADED).status_code == 200
    assert api.get(f"media/{MEDIA_ID}")["contentLength"] == 3


def test_checksums_and_bytes_lead_to_the_same_verdict(api, bucket):
    """Where a bucket keeps no checksums, as OpenStack Swift does not, the bytes are read."""
    key = f"media/{storage_key(api.project_id, MEDIA_ID)}"
    api("POST", "media", announcement())
    for body, status in ((b"abd", 400), (b"abc", 200)):
        bucket.put_object(Bucket=BUCKET, Key=key, Body=body, ChecksumAlgorithm="SHA256")
        kept = bucket.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
        assert "ChecksumSHA256" in kept or NAMED
        assert api("PATCH", f"media/{MEDIA_ID}", UPLOADED).status_code == status


def test_a_success_without_bytes_is_none(api):
    api("POST", "media", announcement())
    assert api("PATCH", f"media/{MEDIA_ID}", UPLOADED).status_code == 200
    assert api.get(f"media/{MEDIA_ID}", 404)["message"] == "Media not yet uploaded"


def test_clients_get_the_address_that_they_reach(api, settings):
    options = {**settings.STORAGES["default"]["OPTIONS"], "client_endpoint_url": "https://files.example.com"}
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.buckets.Bucket", "OPTIONS": options}}
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    assert url.startswith(f"https://files.example.com/{BUCKET}/media/")


def test_files_in_traced_text_go_there_too(api, bucket):
    content = base64.b64encode(b"x" * 100).decode()
    one = observation(api.project_id, "t1", "o1", 0, input=f'"data:image/png;base64,{content}"')
    lifter = Lifter(api.project_id)
    lifter.lift(one)
    lifter.save()
    assert "@@@langfuseMedia:type=image/png|id=" in one.input
    assert len(keys(bucket)) == 1
    assert httpx.get(api.get(f"media/{Media.objects.get().media_id}")["url"]).content == b"x" * 100


def test_a_bucket_that_is_away(api, settings):
    options = {**settings.STORAGES["default"]["OPTIONS"], "endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.buckets.Bucket", "OPTIONS": options}}
    api("POST", "media", announcement())
    answer = api("PATCH", f"media/{MEDIA_ID}", UPLOADED)
    assert answer.status_code == 503
    assert answer.json() == {
        "message": "The storage of files cannot be reached.",
        "error": "ServiceUnavailableError",
    }
    assert answer["Retry-After"]


def test_what_goes_wrong_is_a_failing_disk_and_an_absent_service(endpoint):
    bucket = Bucket(
        bucket_name="nowhere", endpoint_url=endpoint, region_name="us-east-1", force_path_style=True, **KEYS
    )
    with pytest.raises(OSError, match="cannot be reached") as found:
        bucket.save("a", BytesIO(b"a"))
    assert isinstance(found.value, Unavailable)
    with pytest.raises(Unavailable):
        bucket.holds("a", sha256=HASH)


def started_with(program, **environment):
    """What a fresh process prints that has these settings, and no other buckets."""
    inherited = {name: value for name, value in os.environ.items() if "_S3_" not in name}
    whole = {**inherited, "DJANGO_SETTINGS_MODULE": "config.settings", **environment}
    return json.loads(
        subprocess.run([sys.executable, "-c", program], env=whole, capture_output=True, check=True).stdout
    )


#: as in the compose file of Langfuse
COMPOSE = {
    "LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "langfuse",
    "LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": "minio",
    "LANGFUSE_S3_EVENT_UPLOAD_ENDPOINT": "http://minio:9000",
    "LANGFUSE_S3_MEDIA_UPLOAD_BUCKET": "langfuse",
    "LANGFUSE_S3_MEDIA_UPLOAD_REGION": "auto",
    "LANGFUSE_S3_MEDIA_UPLOAD_ACCESS_KEY_ID": "minio",
    "LANGFUSE_S3_MEDIA_UPLOAD_SECRET_ACCESS_KEY": "miniosecret",
    "LANGFUSE_S3_MEDIA_UPLOAD_ENDPOINT": "http://localhost:9090",
    "LANGFUSE_S3_MEDIA_UPLOAD_FORCE_PATH_STYLE": "true",
    "LANGFUSE_S3_MEDIA_UPLOAD_PREFIX": "media/",
}
PLACES = "import json; from django.conf import settings; print(json.dumps(settings.STORAGES['default']))"


@pytest.mark.parametrize(
    ("changed", "inside"),
    [
        ({}, "http://minio:9000"),
        ({"LANGFUSE_S3_EVENT_UPLOAD_BUCKET": "other"}, "http://localhost:9090"),
        ({"LANGFUSE_S3_EVENT_UPLOAD_ACCESS_KEY_ID": "other"}, "http://localhost:9090"),
        ({"SPANWISE_S3_MEDIA_INTERNAL_ENDPOINT": "http://inside"}, "http://inside"),
    ],
    ids=["same bucket", "another bucket", "another key", "said so"],
)
def test_settings_of_existing_deployments(changed, inside):
    place = started_with(PLACES, **{**COMPOSE, **changed})
    assert place["BACKEND"] == "config.buckets.Bucket"
    assert place["OPTIONS"] == {
        "bucket_name": "langfuse",
        "location": "media/",
        "region_name": "auto",
        "endpoint_url": inside,
        "client_endpoint_url": "http://localhost:9090",
        "access_key": "minio",
        "secret_key": "miniosecret",
        "force_path_style": True,
    }


def test_without_a_bucket_its_client_is_not_loaded():
    program = (
        "import json, sys, django; django.setup(); import config.urls; from tracing.api import media_addresses; "
        "print(json.dumps([media_addresses.bucket(), 'boto3' in sys.modules]))"
    )
    assert started_with(program) == [None, False]
