from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from accounts.access import ProjectScope
from accounts.actions import delete_project
from accounts.audit import SYSTEM
from accounts.roles import Role
from tests.tracing.api_data import make_api
from tracing.models.media import Media, MediaLink, storage_key

pytestmark = [pytest.mark.django_db]
#: the bytes `abc`, as in the recorded traffic of the SDK
HASH, MEDIA_ID = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "ungWv48Bz-pBQUDeXa4iI7"


@pytest.fixture
def api(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "config.folders.Folder", "OPTIONS": {"location": str(tmp_path)}},
    }
    return make_api()


def announcement(**values):
    return {
        "traceId": "t1",
        "observationId": None,
        "datasetId": None,
        "datasetItemId": None,
        "field": "input",
        "contentType": "image/png",
        "contentLength": 3,
        "sha256Hash": HASH,
        **values,
    }


def put(url, body, **headers):
    return Client().put(urlsplit(url).path, body, content_type="image/png", headers=headers)


def test_upload_and_download(api):
    response = api("POST", "media", announcement())
    assert response.status_code == 201
    assert response.json()["mediaId"] == MEDIA_ID
    url = response.json()["uploadUrl"]
    assert api.get(f"media/{MEDIA_ID}", 404)["message"] == "Media not yet uploaded"
    assert put(url, b"abc", **{"x-amz-checksum-sha256": HASH, "x-ms-blob-type": "BlockBlob"}).status_code == 200
    report = {"uploadedAt": "2026-03-02T10:00:00.000000+00:00", "uploadHttpStatus": 200, "uploadTimeMs": 3}
    assert api("PATCH", f"media/{MEDIA_ID}", report).json() == {"message": "OK"}
    item = api.get(f"media/{MEDIA_ID}")
    assert (item["contentType"], item["contentLength"]) == ("image/png", 3)
    download = Client().get(urlsplit(item["url"]).path)
    assert b"".join(download.streaming_content) == b"abc"
    assert download["Content-Type"] == "image/png"
    assert "sandbox" in download["Content-Security-Policy"]


def test_known_bytes_are_not_asked_for_again(api):
    put(api("POST", "media", announcement()).json()["uploadUrl"], b"abc")
    again = api("POST", "media", announcement(field="output", observationId="o")).json()
    assert again == {"mediaId": MEDIA_ID, "uploadUrl": None}
    api("POST", "media", announcement(field="output", observationId="o"))
    assert sorted(MediaLink.objects.values_list("field", "observation_id")) == [("input", ""), ("output", "o")]


def test_other_bytes_are_refused(api):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    assert put(url, b"abd").status_code == 400
    assert put(url, b"abcd").status_code == 413
    assert put(url, b"abc", **{"x-amz-checksum-sha256": "x"}).status_code == 400
    assert Media.objects.get().uploaded_at is None


def test_a_failed_upload_is_told(api):
    api("POST", "media", announcement())
    report = {"uploadedAt": "2026-03-02T10:00:00Z", "uploadHttpStatus": 403, "uploadHttpError": "denied"}
    assert api("PATCH", f"media/{MEDIA_ID}", report).status_code == 200
    assert api.get(f"media/{MEDIA_ID}", 404)["message"] == "Media upload failed with status 403: denied"


def test_addresses_serve_one_purpose_and_cannot_be_made_up(api):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    assert Client().get(urlsplit(url).path).status_code == 403
    assert put(url[:-2] + "xx", b"abc").status_code == 403
    assert Client().post(urlsplit(url).path).status_code == 405
    put(url, b"abc")
    assert put(api.get(f"media/{MEDIA_ID}")["url"], b"abc").status_code == 403


def test_addresses_expire(api, monkeypatch):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    monkeypatch.setattr("tracing.api.media_addresses.VALID_SECONDS", -1)
    assert put(url, b"abc").status_code == 403


def test_scripts_are_handed_over_as_downloads(api):
    body = b"<svg onload=alert(1)>"
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    made = api("POST", "media", announcement(contentType="image/svg+xml", sha256Hash=digest, contentLength=len(body)))
    put(made.json()["uploadUrl"], body)
    download = Client().get(urlsplit(api.get(f"media/{made.json()['mediaId']}")["url"]).path)
    assert download["Content-Disposition"].startswith("attachment")
    assert download["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "values",
    [
        {"contentType": "application/x-evil"},
        {"contentLength": 0},
        {"contentLength": "3"},
        {"contentLength": 10**12},
        {"sha256Hash": "short"},
        {"sha256Hash": None},
        {"field": "expectedOutput"},
        {"field": None},
        {"traceId": None},
        {"traceId": 3},
        {"traceId": "t\x00"},
        {"datasetId": "d", "datasetItemId": "i"},
        {"traceId": None, "datasetId": "d"},
    ],
)
def test_bad_announcements(api, values):
    assert api("POST", "media", announcement(**values)).status_code == 400


def test_dataset_items_have_media_too(api):
    values = {"traceId": None, "datasetId": "d", "datasetItemId": "i", "field": "expectedOutput"}
    assert api("POST", "media", announcement(**values)).status_code == 201


def test_media_of_another_project_are_unknown(api):
    put(api("POST", "media", announcement()).json()["uploadUrl"], b"abc")
    stranger = make_api(name="Other")
    assert stranger.get(f"media/{MEDIA_ID}", 404)["message"] == "Media asset not found"
    assert stranger("POST", "media", announcement()).json()["uploadUrl"] is not None


def test_a_file_that_was_cut_short_is_written_anew(api):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    default_storage.save(storage_key(api.project_id, MEDIA_ID), ContentFile(b"a"))
    assert put(url, b"abc").status_code == 200
    answer = Client().get(urlsplit(api.get(f"media/{MEDIA_ID}")["url"]).path)
    assert b"".join(answer.streaming_content) == b"abc"


def test_a_disk_that_cannot_be_written_is_told_so(api, tmp_path):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    (tmp_path / "media").write_text("no folder")
    answer = put(url, b"abc")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer.json() == {"message": "The storage of files cannot be reached.", "error": "ServiceUnavailableError"}
    (tmp_path / "media").unlink()
    assert put(url, b"abc").status_code == 200
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [MEDIA_ID]


def test_addresses_end_with_their_project(api):
    url = api("POST", "media", announcement()).json()["uploadUrl"]
    assert put(url, b"abc").status_code == 200
    path = urlsplit(api.get(f"media/{MEDIA_ID}")["url"]).path
    delete_project(ProjectScope(api.project_id, Role.OWNER), actor=SYSTEM)
    assert [Client().get(path).status_code, put(url, b"abc").status_code] == [404, 404]
