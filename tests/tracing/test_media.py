from __future__ import annotations

import base64
import hashlib
import json
import os
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import OperationalError
from django.db.models import QuerySet

from accounts.models import Organization, Project
from config.errors import Unavailable
from tests.tracing.otlp_samples import export, span
from tests.tracing.sender import OTLP
from tracing.analytics.records import Observation
from tracing.ingest import drain
from tracing.ingest.enrich import enrich
from tracing.ingest.media import lift_media, lift_updates, media_id_of
from tracing.ingest.model import TraceUpdate
from tracing.models import Media, MediaLink
from tracing.models.media import storage_key

pytestmark = pytest.mark.django_db

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
ENCODED = base64.b64encode(PIXEL).decode()
URI = f"data:image/gif;base64,{ENCODED}"
ID = media_id_of(base64.b64encode(hashlib.sha256(PIXEL).digest()).decode())
FROM_URI = f"@@@langfuseMedia:type=image/gif|id={ID}|source=base64_data_uri@@@"
FROM_BYTES = f"@@@langfuseMedia:type=image/gif|id={ID}|source=bytes@@@"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "config.folders.Folder",
            "OPTIONS": {"location": str(tmp_path)},
        },
    }


@pytest.fixture
def project():
    return Project.objects.create(name="Media", organization=Organization.objects.create(name="Media"))


def observation(project, **fields) -> Observation:
    return Observation(project_id=project.id, trace_id="t", id="o", start_time=NOW, **fields)


def lifted(project, text: str) -> str:
    row = observation(project, input=text)
    lift_media(project.id, row)
    return row.input


def test_a_data_uri_becomes_a_reference_and_a_file(project):
    row = observation(project, input=f"see {URI} here", output=json.dumps({"a": [URI]}), metadata={"m": URI, "n": "1"})
    lift_media(project.id, row)
    assert row.input == f"see {FROM_URI} here"
    assert row.input_preview == row.input
    assert json.loads(row.output) == {"a": [FROM_URI]}
    assert row.metadata == {"m": FROM_URI, "n": "1"}
    media = Media.objects.get()
    assert (media.media_id, media.content_type, media.content_length) == (ID, "image/gif", len(PIXEL))
    assert media.uploaded_at
    with default_storage.open(media.storage_key) as file:
        assert file.read() == PIXEL
    links = MediaLink.objects.values_list("trace_id", "observation_id", "field")
    assert set(links) == {("t", "o", "input"), ("t", "o", "output"), ("t", "o", "metadata")}


def test_twice_is_the_same(project):
    for _ in range(2):
        assert lifted(project, URI) == FROM_URI
    assert lifted(project, FROM_URI) == FROM_URI
    assert (Media.objects.count(), MediaLink.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"type": "base64", "media_type": "image/gif", "data": ENCODED}, "data"),
        ({"type": "media", "mime_type": "image/gif", "data": ENCODED}, "data"),
        ({"type": "blob", "mime_type": "image/gif", "content": ENCODED}, "content"),
        ({"type": "file", "mediaType": "image/gif", "data": ENCODED}, "data"),
        ({"type": "image", "mimeType": "image/gif", "image": ENCODED}, "image"),
        ({"type": "image", "mime_type": "image/gif", "base64": ENCODED}, "base64"),
        ({"mimeType": "image/gif", "data": ENCODED}, "data"),
    ],
)
def test_formats_of_providers(project, part, path):
    text = json.dumps([{"role": "user", "content": [{"source": part}]}], indent=1)
    assert lifted(project, text) == text.replace(ENCODED, FROM_BYTES)
    assert json.loads(lifted(project, text))[0]["content"][0]["source"][path] == FROM_BYTES


def test_openai_audio(project):
    text = json.dumps({"type": "input_audio", "input_audio": {"data": ENCODED, "format": "wav"}})
    assert "type=audio/wav" in lifted(project, text)


def test_escaped_slashes_and_exact_numbers_survive(project):
    text = json.dumps({"n": 1.10, "source": {"media_type": "image/gif", "data": ENCODED}}).replace("/", "\\/")
    text = text.replace("1.1,", "1.10000000000000000001,")
    got = lifted(project, text)
    assert "1.10000000000000000001" in got
    assert json.loads(got)["source"]["data"] == FROM_BYTES


def test_escaped_slashes_of_a_data_uri(project):
    text = json.dumps({"a": [URI], "b": f"see {URI}"}).replace("/", "\\/")
    assert json.loads(lifted(project, text)) == {"a": [FROM_URI], "b": f"see {FROM_URI}"}


def test_a_file_that_begins_like_another(project):
    longer = base64.b64encode(PIXEL * 2).decode().rstrip("=")
    shorter = longer[:48]
    text = lifted(project, f"data:image/gif;base64,{shorter} data:image/gif;base64,{longer} {URI}")
    assert all(part.startswith("@@@langfuseMedia:") and part.endswith("@@@") for part in text.split())
    assert {media.content_length for media in Media.objects.all()} == {36, 42, 84}


def test_no_more_files_than_can_be_stored_at_once(project, monkeypatch):
    monkeypatch.setattr("tracing.ingest.media._MOST", 3)
    uris = [f"data:text/plain;base64,{base64.b64encode(b'some text number %d' % n).decode()}" for n in range(9)]
    text = lifted(project, " ".join([*uris, uris[0]]))
    assert [part.startswith("@@@") for part in text.split()] == [True] * 3 + [False] * 6 + [True]
    assert text.split()[3:9] == uris[3:]
    assert Media.objects.count() == 3


def test_thousands_of_files_in_one_text(project, monkeypatch):
    monkeypatch.setattr("tracing.ingest.files.os.fsync", lambda _: None)  # a minute on a slow disk
    uris = [f"data:text/plain;base64,{base64.b64encode(b'some text number %d' % n).decode()}" for n in range(1500)]
    assert lifted(project, json.dumps(uris)).count("@@@") == 3000
    assert Media.objects.count() == MediaLink.objects.count() == 1500


def test_a_database_that_is_away_for_a_moment_costs_no_file(project, monkeypatch):
    row = observation(project, input=URI, output=URI, metadata={"m": URI})
    update = TraceUpdate(project_id=project.id, trace_id="t", at=NOW, timestamp=NOW, fields={"input": URI})
    with monkeypatch.context() as broken:
        broken.setattr("django.db.models.QuerySet.bulk_create", _away)
        for attempt in (lambda: enrich(project.id, [row]), lambda: lift_updates(project.id, [update])):
            with pytest.raises(Unavailable):
                attempt()
    assert (row.input, row.output, row.metadata, update.fields) == (URI, URI, {"m": URI}, {"input": URI})
    enrich(project.id, [row])
    lift_updates(project.id, [update])
    assert row.input == row.output == row.metadata["m"] == update.fields["input"] == FROM_URI
    assert Media.objects.count() == 1
    assert MediaLink.objects.count() == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("broker", "analytics_server", "own_inbox")
def test_a_file_that_was_accepted_is_kept_when_the_database_hiccups(sender, monkeypatch):
    bulk_create, failures = QuerySet.bulk_create, iter([True])

    def hiccup(*args, **kwargs):
        return _away() if next(failures, False) else bulk_create(*args, **kwargs)

    monkeypatch.setattr(QuerySet, "bulk_create", hiccup)
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "root", langfuse__observation__input=URI)]))
    drain.drain()
    assert [o.input for o in sender.observations()] == [FROM_URI]
    assert Media.objects.filter(project=sender.project, media_id=ID).count() == 1


def _away(*args, **kwargs):
    raise OperationalError("database is locked")


def test_bytes_are_on_disk_before_the_text_loses_them(project, monkeypatch, tmp_path):
    synced = []
    monkeypatch.setattr("tracing.ingest.files.os.fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    lifted(project, URI)
    stored = tmp_path / Media.objects.get().storage_key
    assert {place.stat().st_ino for place in (stored, stored.parent, tmp_path)} <= set(synced)


@pytest.mark.parametrize(
    "text",
    [
        "data:image/gif;base64,AAAAA",
        "data:image/gif;base64,AAAAAAAA",
        "data:image/gif;base64,",
        "data:application/x-evil;base64,AAAA",
        '{"type":"base64","media_type":"image/gif","data":"this is no base64, certainly!"}',
        '{"type":"base64","media_type":"image/gif","data":"AAAA"}',
        '{"mime_type":"image/gif","data":"https://example.com/a.gif?size=1"}',
        '{"type":"base64","media_type":"image/gif","data":',
        '{"media_type":7,"data":["x"]}',
        "how to write ;base64, in text",
        "[" * 3000 + '"base64"',
    ],
)
def test_what_is_no_file_stays_as_sent(project, text):
    assert lifted(project, text) == text
    assert not Media.objects.exists()


def test_deeper_than_ten_stays(project):
    part = {"media_type": "image/gif", "data": ENCODED}
    for _ in range(12):
        part = {"in": part}
    text = json.dumps(part)
    assert lifted(project, text) == text


def test_storage_that_fails_leaves_the_text(project, monkeypatch):
    monkeypatch.setattr("tracing.ingest.media.store_bytes", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    assert lifted(project, URI) == URI
    assert not Media.objects.exists()


def test_too_large_stays(project, settings):
    settings.MEDIA_MAX_BYTES = 10
    assert lifted(project, URI) == URI


def test_a_file_cut_short_is_written_again(project):
    key = storage_key(project.id, ID)
    default_storage.save(key, ContentFile(PIXEL[:5]))
    lifted(project, URI)
    with default_storage.open(key) as file:
        assert file.read() == PIXEL


def test_a_file_that_was_announced_and_never_sent_is_there_now(project):
    Media.objects.create(project=project, media_id=ID, sha256="x", content_type="image/gif", content_length=1)
    lifted(project, URI)
    assert Media.objects.get().uploaded_at


def test_two_projects_share_nothing(project):
    other = Project.objects.create(name="Other", organization=project.organization)
    lifted(project, URI)
    lifted(other, URI)
    assert len({media.storage_key for media in Media.objects.all()}) == 2


def test_a_deleted_project_breaks_nothing(db):
    row = Observation(project_id="deleted", trace_id="t", id="o", start_time=NOW, input=URI)
    lift_media("deleted", row)


def test_what_was_set_on_the_trace_is_lifted_too(project):
    update = TraceUpdate(project_id=project.id, trace_id="t", at=NOW, timestamp=NOW)
    update.fields = {"input": URI, "input_preview": URI[:60], "name": "n"}
    update.metadata = {"m": URI}
    lift_updates(project.id, [update])
    assert update.fields == {"input": FROM_URI, "input_preview": "[image/gif]", "name": "n"}
    assert update.metadata == {"m": FROM_URI}
    assert {link.observation_id for link in MediaLink.objects.all()} == {""}


def test_a_file_is_not_counted_as_tokens(project):
    from tracing.pricing import forget_catalogues
    from tracing.pricing.builtin import sync_builtin_models

    sync_builtin_models()
    forget_catalogues()
    row = observation(project, model="gpt-4o", input="data:image/gif;base64," + base64.b64encode(PIXEL * 500).decode())
    enrich(project.id, [row])
    assert row.input_tokens < 100
    forget_catalogues()
