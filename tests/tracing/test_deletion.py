"""Deleting while others write, what hangs on what is deleted, and receipts of what did not come to its end."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.urls import reverse

from accounts.access import scope_for_task
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from config.errors import TooExpensive
from tests.tracing.otlp_samples import export, span
from tests.tracing.page_data import put_trace
from tests.tracing.sender import OTLP
from tests.tracing.test_bulk import _small_steps, everything, fill, ids, scope_of, start_without_working
from tracing.actions import bulk, jobs, removal
from tracing.analytics import store, tables
from tracing.analytics.records import Score, Trace
from tracing.ingest import drain, write
from tracing.ingest.media import media_id_of
from tracing.models import Comment, Job, JobStatus, Media, MediaLink

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server", "storage")]

NOW = datetime.now(UTC)


@pytest.fixture
def storage(settings, tmp_path):
    folder = {"BACKEND": "config.folders.Folder", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "default": folder}


def put_file(project, content, *places):
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    media = Media.objects.create(
        project=project, media_id=media_id_of(digest), sha256=digest, content_type="text/plain",
        content_length=len(content), uploaded_at=NOW, upload_status=200,
    )  # fmt: skip
    default_storage.save(media.storage_key, ContentFile(content))
    for trace_id, observation_id in places:
        MediaLink.objects.create(
            project=project, media=media, trace_id=trace_id, observation_id=observation_id, field="input"
        )
    return media


def score(project, trace_id, observation_id, **said):
    row = Score(
        project_id=project.pk, id=f"of-{observation_id}", timestamp=NOW, name="s", trace_id=trace_id,
        observation_id=observation_id, row_version=1, **said,
    )  # fmt: skip
    store.insert(scores=[row])


# --- Beside others ---------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("broker", "own_inbox")
def test_nothing_is_deleted_while_somebody_writes_what_was_read_before(sender, monkeypatch):
    sender.post(OTLP, export([span("a" * 32, "b" * 16, "root")]))
    drain.drain()
    monkeypatch.setattr(write, "_PATIENCE_SECONDS", 1)
    address = f"/api/public/traces/{'a' * 32}"
    with write.project_lock(sender.project.id):
        assert sender.client.delete(address, headers=sender.headers).status_code == 503
        assert len(sender.traces()) == len(sender.observations()) == 1
    assert sender.client.delete(address, headers=sender.headers).status_code == 200
    assert sender.traces() == sender.observations() == []


@pytest.mark.usefixtures("broker", "own_inbox")
def test_what_comes_new_after_the_deletion_is_a_trace_of_its_own(sender):
    for sent in ("b" * 16, "c" * 16):
        sender.post(OTLP, export([span("a" * 32, sent, "root", start_us=1_000_000)]))
        drain.drain()
        assert [row.id for row in sender.observations()] == [sent]
        assert [row.id for row in sender.traces()] == ["a" * 32]
        removal.delete_traces(sender.scope, ["a" * 32])
        assert sender.traces() == sender.observations() == []


@pytest.mark.usefixtures("broker", "own_inbox")
def test_many_long_ids_are_deleted_in_one_request(sender):
    """As clients choose them."""
    wanted = [f"{n:06}{'x' * 190}" for n in range(600)]
    store.insert(
        traces=[Trace(project_id=sender.project.pk, id=one, timestamp=NOW, row_version=1) for one in (*wanted, "kept")]
    )
    answer = sender.client.delete(
        "/api/public/traces", {"traceIds": wanted}, content_type="application/json", headers=sender.headers
    )
    assert answer.status_code == 200, answer.content
    assert [trace.id for trace in sender.traces()] == ["kept"]


# --- What hangs on it ------------------------------------------------------------------------------------------------
def test_what_hangs_on_a_users_steps_in_traces_of_others_goes_too(workspace, monkeypatch):
    scope, project = scope_of(workspace), workspace.project
    traced = put_trace(
        project.pk, {"name": "theirs", "user_id": "u"}, {"name": "kept"}, user_id="other", input_preview="my secret",
        root={"user_id": "u", "name": "root"},
    )  # fmt: skip
    root, theirs, kept = traced.observations
    for one in (theirs, kept):
        score(project, traced.id, one.id, string_value="as it should be", data_type="CORRECTION")
        Comment.objects.create(project=project, object_type="OBSERVATION", object_id=one.id, content="?")
    put_file(project, b"theirs", (traced.id, theirs.id))
    both = put_file(project, b"both", (traced.id, theirs.id), (traced.id, kept.id))
    mine = put_trace(project.pk, user_id="u")
    monkeypatch.setattr(bulk._Doing, "__init__", _small_steps(bulk._Doing.__init__))

    job = bulk.start_user_deletion(scope, "u", actor=SYSTEM)

    assert (job.status, job.done, job.total) == (JobStatus.DONE, 3, 3), job.message
    assert ids(scope, tables.observations) == {kept.id}
    assert ids(scope, tables.scores, "observation_id") == {kept.id}
    assert [comment.object_id for comment in Comment.objects.all()] == [kept.id]
    assert list(Media.objects.values_list("media_id", flat=True)) == [both.media_id]
    assert list(MediaLink.objects.values_list("observation_id", flat=True)) == [kept.id]
    [trace] = store.records(scope, Trace, store.select(scope, tables.traces), tag="test", is_anew=True)
    assert (trace.id, trace.input_preview, trace.root_id) == (traced.id, "", "")
    expected = {"traces": 1, "observations": 3, "scores": 1, "comments": 1, "media": 1, "sessions": 0}
    assert job.result["counts"] == expected
    receipt = bulk.receipt_of(job)
    assert receipt["trace_ids"] == [mine.id]
    assert sorted(receipt["observation_ids"]) == sorted([[traced.id, root.id], [traced.id, theirs.id]])
    assert receipt["checksum"] == bulk.checksum_of([mine.id])


@pytest.mark.parametrize("place", ["observations", "sessions"])
def test_a_kill_while_a_user_is_deleted_loses_no_count_and_no_others_trace(workspace, monkeypatch, place):
    scope, project = scope_of(workspace), workspace.project
    foreign = put_trace(project.pk, {"name": "theirs", "user_id": "u"}, user_id="other")
    put_trace(project.pk, user_id="u", session_id="own")
    Comment.objects.create(project=project, object_type="SESSION", object_id="own", content="?")
    job = start_without_working(monkeypatch, lambda: bulk.start_user_deletion(scope, "u", actor=SYSTEM))
    name = {"observations": "delete_observations", "sessions": "delete_empty_sessions"}[place]
    real = getattr(bulk, name)

    def deadly(*args):
        real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bulk, name, deadly)
        with pytest.raises(KeyboardInterrupt):
            jobs.work_on_jobs()
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert job.status == JobStatus.DONE, job.message
    counts = job.result["counts"]
    assert (counts["traces"], counts["observations"], counts["sessions"], counts["comments"]) == (1, 2, 1, 1)
    assert ids(scope) == {foreign.id}
    assert not Comment.objects.exists()


def test_more_sessions_than_fit_into_one_query(workspace):
    scope, project_id = scope_of(workspace), workspace.project.pk
    long = "s" * 190
    rows = [
        Trace(project_id=project_id, id=f"t{n}", timestamp=NOW, user_id="u", session_id=f"{long}{n}", row_version=1)
        for n in range(1600)
    ]
    store.insert(traces=rows)
    job = bulk.start_user_deletion(scope, "u", actor=SYSTEM)
    assert job.message == "", "nothing is waited for"
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert job.status == JobStatus.DONE, job.message
    assert job.result["counts"]["sessions"] == 1600


def test_a_file_is_found_again_by_whoever_comes_after_a_kill(workspace, monkeypatch):
    scope, project = scope_of(workspace), workspace.project
    [trace_id] = fill(project.pk, 1)
    media = put_file(project, b"secret", (trace_id, ""))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))

    def dies(_key):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(default_storage._wrapped, "delete", dies)
        with pytest.raises(KeyboardInterrupt):
            jobs.work_on_jobs()
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert (job.status, job.result["counts"]["media"]) == (JobStatus.DONE, 1)
    assert not default_storage.exists(media.storage_key)
    assert not Media.objects.exists()


# --- Receipts of what was cut short ----------------------------------------------------------------------------------
def test_a_receipt_holds_only_what_was_deleted(workspace, monkeypatch):
    scope = scope_of(workspace)
    good, bad = fill(workspace.project.pk, 2)
    real = bulk.delete_traces

    def refused(scope, trace_ids):
        if bad in trace_ids:
            raise TooExpensive("Too much.")
        real(scope, trace_ids)

    monkeypatch.setattr(bulk, "delete_traces", refused)
    job = bulk.start_deletion(scope, everything(), actor=SYSTEM)
    assert (job.status, job.done, job.failed) == (JobStatus.DONE, 2, 1)
    assert ids(scope) == {bad}
    assert (job.result["counts"]["traces"], job.result["counts"]["observations"]) == (1, 2)
    assert bulk.receipt_of(job)["trace_ids"] == [good]
    assert job.result["checksum"] == bulk.checksum_of([good])
    assert [failure["trace_id"] for failure in job.result["failures"]] == [bad]


@pytest.mark.parametrize("end", ["cancelled", "given up"])
def test_a_deletion_that_was_cut_short_is_on_record_with_what_it_had_begun(alice, workspace, monkeypatch, end):
    scope, project = scope_of(workspace), workspace.project
    newest, second, *_ = fill(project.pk, 3)
    monkeypatch.setattr(bulk._Doing, "__init__", lambda self, *a, _real=bulk._Doing.__init__, **k: _real(self, *a, **{**k, "size": 1}))  # noqa: E501  # fmt: skip
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    real = bulk.delete_traces

    def deadly(scope, trace_ids):
        real(scope, trace_ids)
        if second in trace_ids:
            raise KeyboardInterrupt

    monkeypatch.setattr(bulk, "delete_traces", deadly)
    with pytest.raises(KeyboardInterrupt):
        jobs.work_on_jobs()
    if end == "cancelled":
        jobs.cancel_job(scope, str(job.pk), actor=SYSTEM)
    else:
        Job.objects.update(attempts=99)
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert job.status == (JobStatus.CANCELLED if end == "cancelled" else JobStatus.FAILED)

    address = reverse("tracing:job-receipt", args=[project.pk, job.pk])
    receipt = alice.get(address).json()
    assert receipt["trace_ids"] == [newest]
    assert receipt["begun"] == [[second, second]]
    assert receipt["checksum"] == bulk.checksum_of([newest])
    entry = AuditLog.objects.get(action="trace.delete")
    assert entry.after["counts"]["traces"] == 1
    assert len(ids(scope_for_task(project.pk))) == 1


def test_a_job_that_nobody_had_begun_is_cancelled_and_on_record(workspace, monkeypatch):
    scope = scope_of(workspace)
    put_trace(workspace.project.pk, at=NOW - timedelta(minutes=1))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    assert jobs.cancel_job(scope, str(job.pk), actor=SYSTEM).status == JobStatus.CANCELLED
    assert AuditLog.objects.get(action="trace.delete").after["counts"] == {}
    assert len(ids(scope)) == 1
