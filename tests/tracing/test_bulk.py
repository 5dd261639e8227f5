"""Acts on many rows: what they touch, what they say, and that a kill in the middle changes neither."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM, Actor
from accounts.models import AuditLog, Membership, ProjectMembership, User
from accounts.roles import Role
from config.errors import Forbidden, Unavailable
from evals.models import ScoreConfig
from tests.factories import make_project, make_user
from tests.tracing.page_data import put_trace
from tracing.actions import bulk, jobs
from tracing.analytics import store, tables
from tracing.models import Comment, Job, JobPart, JobStatus
from tracing.queries.explorer import Noun, Wanted, parse
from tracing.queries.periods import Period
from tracing.queries.selection import RowId, Selection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime.now(UTC)


def everything(query="", noun=Noun.TRACES):
    return Selection.all_of(Wanted(noun, parse(query, noun), Period.named("all")))


def scope_of(workspace, user=None, role=Role.OWNER):
    return ProjectScope(workspace.project.pk, role, user_id=(user or workspace.alice).pk)


def ids(scope, table=tables.traces, column="id"):
    return {row[0] for row in store.rows(scope, store.select(scope, table, table.c[column]), tag="test", is_anew=True)}


def fill(project_id, count, **fields):
    return [
        put_trace(project_id, {"name": "step"}, at=NOW - timedelta(minutes=1 + number), **fields).id
        for number in range(count)
    ]


def url(name, project, *args):
    return reverse(f"tracing:{name}", args=[project.pk, *args])


# --- Deletion --------------------------------------------------------------------------------------------------------
def test_all_that_match_are_deleted_with_what_hangs_on_them_and_nothing_else(workspace):
    scope, other = scope_of(workspace), make_project()
    fill(other.pk, 1, name="bad")
    bad = put_trace(workspace.project.pk, {"name": "step"}, name="bad", scores=({"name": "s", "value": 1.0},))
    good = put_trace(workspace.project.pk, name="good")
    Comment.objects.create(project=workspace.project, object_type="TRACE", object_id=bad.id, content="?")
    Comment.objects.create(
        project=workspace.project, object_type="OBSERVATION", object_id=bad.observations[1].id, content="?"
    )
    kept = Comment.objects.create(project=workspace.project, object_type="TRACE", object_id=good.id, content="!")

    job = bulk.start_deletion(scope, everything("name:bad"), actor=SYSTEM)

    assert job.status == JobStatus.DONE
    assert job.result["counts"] == {"traces": 1, "observations": 2, "scores": 1, "comments": 2, "media": 0}
    assert ids(scope) == {good.id}
    assert ids(scope, tables.observations, "trace_id") == {good.id}
    assert ids(scope, tables.scores) == set()
    assert list(Comment.objects.all()) == [kept]
    assert len(ids(scope_for_task(other.pk))) == 1
    assert bulk.receipt_of(job)["trace_ids"] == [bad.id]
    assert job.result["checksum"] == bulk.checksum_of([bad.id])
    entry = AuditLog.objects.get(action="trace.delete")
    assert entry.after["counts"]["observations"] == 2
    assert entry.object_id == str(job.pk)


def test_the_traces_of_selected_observations_are_deleted(workspace):
    scope = scope_of(workspace)
    one, other = put_trace(workspace.project.pk, {"name": "a"}), put_trace(workspace.project.pk)
    chosen = tuple(RowId(one.id, observation.id) for observation in one.observations)
    job = bulk.start_deletion(scope, Selection(Noun.OBSERVATIONS, chosen), actor=SYSTEM)
    assert job.result["counts"]["traces"] == 1
    assert ids(scope) == {other.id}


def test_everything_of_a_user_goes_with_sessions_that_are_empty_then(workspace):
    scope, project_id = scope_of(workspace), workspace.project.pk
    put_trace(project_id, user_id="u*", session_id="own", scores=({"name": "s", "value": 1.0, "session_id": "own"},))
    shared = put_trace(project_id, user_id="other", session_id="shared")
    put_trace(project_id, user_id="u*", session_id="shared")
    like = put_trace(project_id, user_id="u-and-more")
    foreign = put_trace(project_id, {"name": "theirs", "user_id": "u*"}, user_id="other")
    for session in ("own", "shared"):
        store.insert(scores=[_session_score(project_id, session)])
        Comment.objects.create(project_id=project_id, object_type="SESSION", object_id=session, content="?")

    job = bulk.start_user_deletion(scope, "u*", actor=SYSTEM)

    assert job.status == JobStatus.DONE, job.message
    assert ids(scope) == {shared.id, like.id, foreign.id}
    assert ids(scope, tables.observations, "user_id") == {""}
    assert ids(scope, tables.scores, "session_id") == {"shared"}
    assert [comment.object_id for comment in Comment.objects.all()] == ["shared"]
    counts = job.result["counts"]
    assert (counts["traces"], counts["observations"], counts["sessions"]) == (2, 3, 1)


def _session_score(project_id, session_id):
    from tracing.analytics.records import Score

    return Score(
        project_id=project_id, id=f"of-{session_id}", timestamp=NOW, name="s", session_id=session_id, row_version=1
    )


def test_a_query_with_a_mistake_deletes_nothing(alice, project):
    kept = put_trace(project.pk)
    answer = alice.post(url("trace-bulk", project), {"act": "delete", "all": "1", "query": "q=latencyy:>2"})
    assert answer.status_code == 400
    assert ids(scope_for_task(project.pk)) == {kept.id}
    assert not Job.objects.exists()


# --- Turns and kills -------------------------------------------------------------------------------------------------
def start_without_working(monkeypatch, start):
    """As if the page had had no time for it."""
    with monkeypatch.context() as patched:
        patched.setattr(bulk, "AT_ONCE_SECONDS", 0)
        return start()


@pytest.mark.parametrize("dies", ["before the act", "after the act"])
def test_a_killed_worker_leaves_nothing_out_and_counts_nothing_twice(workspace, monkeypatch, dies):
    scope = scope_of(workspace)
    expected = set(fill(workspace.project.pk, 7))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    monkeypatch.setattr(bulk._Doing, "__init__", _small_steps(bulk._Doing.__init__))
    real, calls = bulk.delete_traces, []

    def deadly(scope, trace_ids):
        calls.append(trace_ids)
        if dies == "after the act":
            real(scope, trace_ids)
        if len(calls) == 2:
            raise KeyboardInterrupt  # what no code of ours catches, as a kill is
        if dies == "before the act":
            real(scope, trace_ids)

    monkeypatch.setattr(bulk, "delete_traces", deadly)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_job(Job.objects.get(pk=job.pk))
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.RUNNING, 2)
    assert job.runner, "nobody gave it back"

    jobs.work_on_jobs()

    job.refresh_from_db()
    assert (job.status, job.done, job.failed) == (JobStatus.DONE, 7, 0), job.message
    assert ids(scope) == set()
    assert job.result["counts"]["traces"] == 7
    assert job.result["counts"]["observations"] == 14
    assert set(bulk.deleted_ids(job)) == expected
    assert AuditLog.objects.filter(action="trace.delete").count() == 1


def _small_steps(original):
    def init(self, *args, **kwargs):
        original(self, *args, **{**kwargs, "size": 2})

    return init


def test_a_turn_that_is_over_goes_on_where_it_was(workspace, monkeypatch):
    scope = scope_of(workspace)
    fill(workspace.project.pk, 5)
    monkeypatch.setattr(bulk._Doing, "__init__", _small_steps(bulk._Doing.__init__))
    job = start_without_working(
        monkeypatch, lambda: bulk.start_tagging(scope, everything(), add=["x"], remove=[], actor=SYSTEM)
    )
    turns = 0
    while job.is_unfinished:
        # No time at all: each turn comes to one save, and leaves.
        jobs.run_job(job, seconds=0.0001)
        job.refresh_from_db()
        turns += 1
        assert turns < 50
    assert turns > 3
    assert (job.status, job.done, job.total) == (JobStatus.DONE, 5, 5)
    assert all(row.tags == ["x"] for row in store.rows(scope, store.select(scope, tables.traces), tag="test"))


def test_a_store_that_is_away_is_waited_for(workspace, monkeypatch):
    scope, trace_id = scope_of(workspace), fill(workspace.project.pk, 1)[0]
    chosen = Selection(Noun.TRACES, (RowId(trace_id, trace_id),))
    with monkeypatch.context() as patched:
        patched.setattr(bulk, "delete_traces", _away)
        job = bulk.start_deletion(scope, chosen, actor=SYSTEM)
    assert (job.status, job.message, job.runner) == (JobStatus.RUNNING, "The store is away.", "")
    jobs.work_on_jobs()
    assert Job.objects.get().done == 0, "it rests before it is tried again"
    Job.objects.update(resume_at=None)
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert (job.status, job.done, job.message) == (JobStatus.DONE, 1, "")
    assert ids(scope) == set()


def _away(*_args):
    raise Unavailable("The store is away.")


def test_a_job_that_ends_its_worker_each_time_is_given_up(workspace, monkeypatch):
    scope, trace_id = scope_of(workspace), fill(workspace.project.pk, 1)[0]
    chosen = Selection(Noun.TRACES, (RowId(trace_id, trace_id),))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, chosen, actor=SYSTEM))

    def deadly(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(bulk, "delete_traces", deadly)
    for _attempt in range(20):
        try:
            jobs.work_on_jobs()
        except KeyboardInterrupt:
            continue
        break
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert "Given up" in job.message


def test_a_cancelled_job_stops_and_keeps_what_it_did(workspace, monkeypatch):
    scope = scope_of(workspace)
    fill(workspace.project.pk, 4)
    monkeypatch.setattr(bulk._Doing, "__init__", _small_steps(bulk._Doing.__init__))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    real = bulk.delete_traces

    def cancel_meanwhile(*args):
        real(*args)
        jobs.cancel_job(scope, str(job.pk), actor=SYSTEM)

    monkeypatch.setattr(bulk, "delete_traces", cancel_meanwhile)
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.CANCELLED, 2)
    assert len(ids(scope)) == 2
    assert len(bulk.receipt_of(job)["trace_ids"]) == 2


def test_nobody_works_on_a_job_that_somebody_alive_works_on(workspace, monkeypatch):
    scope = scope_of(workspace)
    fill(workspace.project.pk, 1)
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    Job.objects.update(runner="elsewhere:1:abc:def", status=JobStatus.RUNNING, heartbeat_at=datetime.now(UTC))
    jobs.work_on_jobs()
    assert len(ids(scope)) == 1
    Job.objects.update(heartbeat_at=datetime.now(UTC) - timedelta(minutes=10))
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert job.status == JobStatus.DONE


@pytest.mark.parametrize("since", ["left", "viewer", "barred", "inactive", "account deleted"])
def test_what_somebody_may_not_do_any_more_is_not_done_in_their_name(workspace, monkeypatch, since):
    mallory = make_user("mallory@example.com", organization=workspace.organization)
    scope, actor = scope_of(workspace, mallory, Role.MEMBER), Actor.person(mallory)
    fill(workspace.project.pk, 4)
    monkeypatch.setattr(bulk._Doing, "__init__", _small_steps(bulk._Doing.__init__))
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=actor))
    while not job.done:
        jobs.run_job(job, seconds=0.0001)
        job.refresh_from_db()
    assert job.is_unfinished
    membership = Membership.objects.filter(user=mallory)
    {
        "left": membership.delete,
        "viewer": lambda: membership.update(role=Role.VIEWER),
        "barred": lambda: ProjectMembership.objects.create(user=mallory, project=workspace.project, role=Role.NONE),
        "inactive": lambda: User.objects.filter(pk=mallory.pk).update(is_active=False),
        "account deleted": mallory.delete,
    }[since]()
    jobs.work_on_jobs()
    job.refresh_from_db()
    assert (job.status, job.done) == (JobStatus.FAILED, 2)
    assert "may not do this" in job.message
    assert len(ids(scope_for_task(workspace.project.pk))) == 2, "what was done before stays done, nothing else is"


# --- Other acts ------------------------------------------------------------------------------------------------------
def test_a_score_is_given_to_each_in_the_name_of_who_asked_and_once_only(workspace, monkeypatch):
    scope = scope_of(workspace)
    fill(workspace.project.pk, 3)
    config = ScoreConfig.objects.create(project=workspace.project, name="helpful", data_type="NUMERIC", max_value=1)
    given = bulk.Annotation(value=0.5, config_id=config.pk)
    for _again in range(2):
        job = bulk.start_scoring(scope, everything(), given, actor=SYSTEM)
    found = store.rows(scope, store.select(scope, tables.scores), tag="test", is_anew=True)
    assert job.done == 3
    assert [(row.name, row.value, row.author_user_id) for row in found] == [("helpful", 0.5, workspace.alice.pk)] * 3


def test_what_cannot_be_scored_is_told_with_its_reason(workspace):
    scope = scope_of(workspace)
    trace = put_trace(workspace.project.pk, {"name": "a"})
    config = ScoreConfig.objects.create(project=workspace.project, name="helpful", data_type="NUMERIC", max_value=1)
    chosen = (RowId(trace.id, trace.observations[0].id), RowId(trace.id, "gone"))
    job = bulk.start_scoring(
        scope, Selection(Noun.OBSERVATIONS, chosen), bulk.Annotation(value=1.0, config_id=config.pk), actor=SYSTEM
    )
    assert (job.status, job.done, job.failed) == (JobStatus.DONE, 2, 1)
    assert job.result["failures"][0]["id"] == "gone"
    assert "observation" in job.result["failures"][0]["reason"]


# --- Pages -----------------------------------------------------------------------------------------------------------
def test_asking_says_what_it_comes_to_and_changes_nothing(alice, project):
    trace = put_trace(project.pk, {"name": "step"}, name="one")
    page = alice.post(url("trace-bulk-confirm", project), {"act": "delete", "ids": trace.id, "query": "?q=name:one"})
    text = page.content.decode()
    assert "Delete 1 trace?" in text
    assert '<dd class="num">2</dd>' in text
    assert not Job.objects.exists()
    of_observation = alice.post(
        url("observation-bulk-confirm", project), {"act": "delete", "ids": f"{trace.id}/{trace.observations[1].id}"}
    )
    assert "Delete the trace of 1 observation?" in of_observation.content.decode()
    assert ids(scope_for_task(project.pk)) == {trace.id}


def test_acts_from_the_page_are_done_at_once_and_lead_back_with_a_receipt(alice, project):
    ones = fill(project.pk, 2)
    answer = alice.post(
        url("trace-bulk", project),
        {"act": "tag", "ids": " ".join(ones), "add": "a, b", "query": "?q=name%3Ar&before=x&peek=y"},
        follow=True,
    )
    job = Job.objects.get()
    assert answer.redirect_chain[0][0] == url("trace-list", project) + "?q=name%3Ar"
    assert url("job-detail", project, job.pk) in answer.content.decode()
    found = store.rows(scope_for_task(project.pk), store.select(scope_for_task(project.pk), tables.traces), tag="t")
    assert {tuple(row.tags) for row in found} == {("a", "b")}
    for act, is_set in (("bookmark", True), ("unbookmark", False)):
        alice.post(url("trace-bulk", project), {"act": act, "all": "1", "query": "range=all"})
        query = store.select(scope_for_task(project.pk), tables.traces)
        assert {row.bookmarked for row in store.rows(scope_for_task(project.pk), query, tag="t")} == {is_set}


@pytest.mark.parametrize(
    "said",
    [
        {"act": "delete"},
        {"act": "nonsense", "ids": "x"},
        {"act": "score", "ids": "x"},
        {"act": "score", "ids": "x", "config": "c", "value-c": "much", "type-c": "number"},
        {"act": "delete", "ids": " ".join(map(str, range(10_001)))},
        {"act": "tag", "ids": "x", "add": "x" * 201},
        {"act": "tag", "ids": "x", "add": " , "},
        {"act": "score", "ids": "x", "config": "helpful", "value-helpful": "7", "type-helpful": "number"},
    ],
    ids=["nothing selected", "no such act", "no score", "no number", "too many", "long tag", "no tag", "breaks a rule"],
)
def test_what_cannot_be_done_is_refused(alice, project, said):
    ScoreConfig.objects.create(project=project, id="helpful", name="helpful", data_type="NUMERIC", max_value=1)
    assert alice.post(url("trace-bulk", project), said).status_code == 400
    assert not Job.objects.exists()


def test_viewers_look_and_strangers_do_not_even_that(alice, bob, charlie, workspace, project):
    trace_id = fill(project.pk, 1)[0]
    alice.post(url("trace-bulk", project), {"act": "tag", "ids": trace_id, "add": "x"})
    job = Job.objects.get()
    for name in ("trace-bulk", "observation-bulk", "session-bulk"):
        for step in (name, f"{name}-confirm"):
            assert bob.post(url(step, project), {"act": "delete", "ids": trace_id}).status_code == 403
            assert charlie.post(url(step, project), {"act": "delete", "ids": trace_id}).status_code == 404
    assert bob.post(url("user-delete", project), {"user": "u", "confirmed": "1"}).status_code == 403
    for page in (url("job-list", project), url("job-detail", project, job.pk), url("job-receipt", project, job.pk)):
        assert bob.get(page).status_code == 200
        assert charlie.get(page).status_code == 404
    assert alice.get(url("job-detail", project, "nonsense")).status_code == 404
    assert bob.post(url("job-cancel", project, job.pk)).status_code == 403
    with pytest.raises(Forbidden):
        bulk.start_deletion(scope_of(workspace, workspace.bob, Role.VIEWER), everything(), actor=SYSTEM)
    elsewhere = make_project("Another", organization=workspace.organization)
    assert alice.get(url("job-detail", elsewhere, job.pk)).status_code == 404


def test_one_trace_is_deleted_from_its_page_and_the_receipt_can_be_kept(alice, project):
    trace = put_trace(project.pk, name="<b>one")
    assert 'id="delete-trace"' in alice.get(url("trace-detail", project, trace.id)).content.decode()
    alice.post(url("trace-bulk", project), {"act": "delete", "ids": trace.id})
    assert alice.get(url("trace-detail", project, trace.id)).status_code == 404
    job = Job.objects.get()
    page = alice.get(url("job-detail", project, job.pk)).content.decode()
    assert "What was deleted" in page
    receipt = alice.get(url("job-receipt", project, job.pk))
    assert "attachment" in receipt["Content-Disposition"]
    said = json.loads(receipt.content)
    assert said["trace_ids"] == [trace.id]
    assert said["by"] == "alice@example.com"


def test_a_user_is_deleted_after_a_question(alice, project):
    put_trace(project.pk, user_id="<i>u")
    assert 'id="delete-user"' in alice.get(url("user-detail", project, "<i>u")).content.decode()
    asked = alice.post(url("user-delete", project), {"user": "<i>u"})
    assert "&lt;i&gt;u" in asked.content.decode()
    assert not Job.objects.exists()
    answer = alice.post(url("user-delete", project), {"user": "<i>u", "confirmed": "1"})
    assert answer["Location"] == url("job-detail", project, Job.objects.get().pk)
    assert ids(scope_for_task(project.pk)) == set()


def test_jobs_are_listed_with_their_progress_and_can_be_cancelled(alice, project, workspace, monkeypatch):
    assert "No jobs yet" in alice.get(url("job-list", project)).content.decode()
    fill(project.pk, 1)
    scope = scope_of(workspace)
    job = start_without_working(monkeypatch, lambda: bulk.start_deletion(scope, everything(), actor=SYSTEM))
    page = alice.get(url("job-list", project)).content.decode()
    assert "waiting" in page
    assert "data-poll" in page
    assert "Delete traces" in alice.get(url("job-indicator", project)).content.decode()
    assert alice.post(url("job-cancel", project, job.pk)).status_code == 303
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED
    jobs.work_on_jobs()
    assert not JobPart.objects.exists()
    again = alice.post(url("job-cancel", project, job.pk), follow=True)
    assert "already ended" in again.content.decode()
    assert "data-poll" not in alice.get(url("job-detail", project, job.pk)).content.decode().partition('id="job"')[2]
    ended = alice.get(url("job-indicator", project) + f"?watch={job.pk},nonsense")
    assert "cancelled" in ended.content.decode()


def test_all_that_match_are_counted_up_to_a_bound(alice, project, monkeypatch):
    fill(project.pk, 3)
    assert ">3<" in alice.get(url("count", project, "traces") + "?range=all").content.decode()
    assert ">6<" in alice.get(url("count", project, "observations") + "?range=all").content.decode()
    assert alice.get(url("count", project, "nonsense")).status_code == 404
    assert alice.get(url("count", project, "traces") + "?q=latencyy:>2").status_code == 400
