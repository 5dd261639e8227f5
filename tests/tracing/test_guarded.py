"""What nobody may see or do: strangers with a link, people of other projects, and whoever sends what no page does."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from django.urls import reverse

from accounts.access import ProjectScope, scope_for_task
from accounts.audit import SYSTEM
from accounts.models import ProjectMembership
from accounts.roles import Role
from config.errors import Invalid, NotFound
from tests.factories import make_key, make_project, make_user
from tests.tracing.page_data import put_trace
from tracing import actions
from tracing.actions import comments, saved_views
from tracing.actions.annotate import Annotation, Target, correct_output, score_target
from tracing.analytics import store, tables
from tracing.models import Comment, CommentMention, Job, SavedView
from tracing.queries import exports
from tracing.queries.explorer import Noun, Wanted, list_page, parse
from tracing.queries.periods import Period

#: stands for everything that is another project's
SECRET = "topsecretofothers"
LONG = "x" * 10_000
#: turns what follows from right to left
TURNED = "\u202eevil"


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


def url(project, name, *args):
    return reverse(f"tracing:{name}", args=[project.pk, *args])


def whole(answer):
    return (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()


def trace_ids(project):
    scope = scope_for_task(project.pk)
    return {row.id for row in store.rows(scope, store.select(scope, tables.traces), tag="test", is_anew=True)}


# --- The open link --------------------------------------------------------------------------------------
@pytest.fixture
def open_trace(scope, project):
    """A trace that says in many places whose it is, and that people said something about."""
    whose = {
        "attributes.user.id": "user-9",
        "attributes.langfuse.session.id": "session-9",
        "resourceAttributes.enduser.id": "user-9",
        "attributes.user.email": "nine@example.com",
        "user.full_name": "Nina Nine",
        "customer": "user-9",
        "topic": "weather",
    }
    traced = put_trace(
        project.pk,
        {"name": "step", "input": "hello", "user_id": "user-9", "session_id": "session-9", "metadata": whose},
        name="t",
        user_id="user-9",
        session_id="session-9",
        metadata={"user_id": "user-9", "topic": "weather"},
        root={"output": "Paris", "user_id": "user-9", "session_id": "session-9"},
    )
    for target in (
        Target(trace_id=traced.id),
        Target(trace_id=traced.id, observation_id=traced.observations[1].id),
    ):
        given = score_target(scope, target, Annotation(value="fine", name="tone", data_type="TEXT"))
        correct_output(scope, target, "Berlin, of course")
        traced.score_ids = [*getattr(traced, "score_ids", []), given.id]
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    return traced


READS = (
    ("record-download", {}),
    ("record-download", {"observation": "child", "as": "file"}),
    ("trace-download", {}),
    ("trace-download", {"as": "otlp"}),
    ("trace-log", {}),
    ("trace-skeleton", {}),
    ("trace-raw", {"observation": "child", "field": "metadata"}),
    ("trace-detail", {}),
    ("trace-detail", {"observation": "child"}),
    ("trace-detail", {"observation": "child", "view": "json"}),
)


@pytest.mark.parametrize(("name", "query"), READS)
def test_the_link_opens_the_trace_and_says_not_whose_it_is(
    client, charlie, workspace, project, open_trace, name, query
):
    closed = put_trace(project.pk, name="closed")
    child = open_trace.observations[1].id

    def ask(reader, trace_id):
        asked = {**query, "trace": trace_id} | ({"observation": child} if "observation" in query else {})
        return reader.get(url(project, name, *([trace_id] if name == "trace-detail" else [])), asked)

    for reader in (client, charlie):
        answer = ask(reader, open_trace.id)
        assert answer.status_code == 200
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        assert "no-" in answer["Cache-Control"]
        text = whole(answer)
        whose = ("user-9", "session-9", "nine@example.com", "Nina")
        hidden = (*whose, workspace.alice.pk, "alice@example.com", "Berlin", *open_trace.score_ids)
        assert not [one for one in hidden if one in text]
    assert ask(client, closed.id).status_code == 302
    assert ask(charlie, closed.id).status_code == 404
    actions.publish_traces(scope_for_task(project.pk), [open_trace.id], public=False, actor=SYSTEM)
    assert ask(client, open_trace.id).status_code == 302


def test_what_is_hidden_from_strangers_is_there_for_members(bob, project, open_trace):
    text = whole(bob.get(url(project, "trace-download"), {"trace": open_trace.id}))
    assert all(one in text for one in ("user-9", "session-9", "Berlin", *open_trace.score_ids))
    assert "weather" in whole(Client().get(url(project, "trace-download"), {"trace": open_trace.id}))


def test_the_address_that_sdks_print_opens_an_open_trace(client, project, open_trace):
    answer = client.get(f"/project/{project.pk}/traces/{open_trace.id}", follow=True)
    assert answer.status_code == 200
    assert "Paris" in whole(answer)
    closed = put_trace(project.pk)
    for address in (f"/project/{project.pk}/traces/{closed.id}", f"/project/nope/traces/{quote('a/b?', safe='')}"):
        assert client.get(address, follow=True).redirect_chain[-1][0].startswith("/accounts/login/")


# --- All that match -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said",
    [
        {"all": "1"},
        {"all": "1", "query": "from=yesterday"},
        {"all": "1", "query": "to=2026-02-31T00:00"},
        {"all": "1", "query": "from=2026-01-01T00:00&to=x"},
        {"all": "1", "query": "range=2h"},
        {"all": "1", "query": "q=(name:x"},
        {"all": "1", "query": "q=" + LONG},
        {"all": "1", "query": "q=name:x%00"},
        {"all": "1", "query": "range=all&environment=" + LONG},
        {"all": "1", "query": urlencode([("environment", f"e{n}") for n in range(60)])},
        {"ids": "ke%00pt"},
        {"ids": ""},
    ],
)
@pytest.mark.parametrize("page", ["trace-bulk", "trace-bulk-confirm"])
def test_what_cannot_be_read_whole_deletes_nothing(alice, project, page, said):
    put_trace(project.pk, id="kept", name="x")
    assert alice.post(url(project, page), {"act": "delete", **said}).status_code == 400
    assert trace_ids(project) == {"kept"}
    assert not Job.objects.exists()


def test_a_user_is_not_mistaken_for_another_one(alice, project):
    put_trace(project.pk, user_id="anna")
    assert alice.post(url(project, "user-delete"), {"user": "an\x00na", "confirmed": "1"}).status_code == 400
    assert len(trace_ids(project)) == 1


def test_ids_of_another_project_are_not_touched(alice, project):
    theirs = make_project()
    foreign = put_trace(theirs.pk, {"name": "s"}, name=SECRET)
    for act in ({"act": "delete"}, {"act": "tag", "add": "x"}, {"act": "bookmark"}):
        alice.post(url(project, "trace-bulk"), {**act, "ids": foreign.id})
    for job in Job.objects.filter(kind="delete"):
        assert job.result["counts"]["traces"] == 0
    scope = scope_for_task(theirs.pk)
    [row] = store.rows(scope, store.select(scope, tables.traces), tag="test", is_anew=True)
    assert (row.id, list(row.tags), row.bookmarked) == (foreign.id, [], False)


# --- Exports --------------------------------------------------------------------------------------------
def test_an_export_is_of_all_that_matches_or_refused(alice, project, monkeypatch):
    ids = {put_trace(project.pk, name="x", scores=({"name": f"s{n}", "value": 1.0},)).id for n in range(3)}
    page = url(project, "export", "traces", "jsonl")
    first = whole(alice.get(page, {"range": "all"})).splitlines()
    assert {json.loads(line)["id"] for line in first} == ids
    wanted = Wanted(Noun.TRACES, parse("", Noun.TRACES), Period.named("all"))
    cursor = list_page(scope_for_task(project.pk), wanted, limit=1).older
    assert cursor
    assert len(whole(alice.get(page, {"range": "all", "before": cursor})).splitlines()) == 3
    for query in ({"from": "x"}, {"range": "2h"}, {"q": "nope:x"}):
        assert alice.get(page, query).status_code == 400
    monkeypatch.setattr(exports, "_MOST_SCORES", 2)
    assert alice.get(page, {"range": "all"}).status_code == 400


# --- Views, comments, feedback --------------------------------------------------------------------------
def test_a_view_is_saved_whole_or_not_at_all(scope):
    said = {"name": "v", "actor": SYSTEM}
    with pytest.raises(Invalid, match="too long"):
        saved_views.save_view(scope, Noun.TRACES, query=urlencode({"q": "-name:" + LONG}), **said)
    assert not SavedView.objects.exists()
    view = saved_views.save_view(scope, Noun.TRACES, query="?next=//evil.example&q=name:x&peek=t", **said)
    assert view.query == "q=name%3Ax"


def test_views_of_others_are_neither_opened_nor_changed(alice, bob, charlie, scope, workspace, project):
    view = saved_views.save_view(scope, Noun.TRACES, name=SECRET, query="q=name:x", actor=SYSTEM)
    change = url(project, "trace-view-change")
    for act in ("update", "rename", "share", "delete", "set-default-mine"):
        answer = bob.post(change, {"act": act, "view": view.pk, "name": "mine", "query": "q=name:y"}, follow=True)
        assert SECRET not in whole(answer)
    assert charlie.post(change, {"act": "delete", "view": view.pk}).status_code == 404
    assert bob.get(url(project, "trace-list"), {"view": str(view.pk)}).status_code == 404
    elsewhere = make_project("Another", organization=workspace.organization)
    assert alice.get(url(elsewhere, "trace-list"), {"view": str(view.pk)}).status_code == 404
    view.refresh_from_db()
    assert (view.name, view.query, view.is_shared) == (SECRET, "q=name%3Ax", False)


def test_nobody_is_called_to_where_they_may_not_look(scope, workspace, project):
    dora = make_user("dora@example.com", organization=workspace.organization)
    ProjectMembership.objects.create(user=dora, project=project, role=Role.NONE)
    traced = put_trace(project.pk)
    said = {"object_type": "TRACE", "object_id": traced.id, "actor": SYSTEM}
    names = f"@[Dora](user:{dora.pk}) @[C](user:{workspace.charlie.pk}) @[Bob](user:{workspace.bob.pk})"
    comments.write_comment(scope, text=f"{names} @dora@example.com @charlie@example.com", **said)
    assert set(CommentMention.objects.values_list("user_id", flat=True)) == {workspace.bob.pk}
    assert "@dora@example.com" in Comment.objects.get().content


@pytest.mark.usefixtures("broker", "own_inbox")
@pytest.mark.parametrize("more", [{"source": "ANNOTATION", "configId": "c"}, {"dataType": "CORRECTION", "value": "no"}])
def test_a_public_key_is_nobodys_judgement(project, more):
    key = make_key(project).key
    score = {"traceId": "t", "name": "thumbs", "value": 1, **more}
    event = {"type": "score-create", "id": "e", "timestamp": "2026-01-01T00:00:00Z", "body": score}
    for path, body in (("scores", score), ("scores", [score]), ("ingestion", {"batch": [event]})):
        answer = Client().post(
            f"/api/public/{path}",
            json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key.public_key}"},
        )
        assert answer.status_code == 403, path
        assert "secret key" in whole(answer)


def test_scores_of_others_are_not_changed_by_their_id(scope, project):
    theirs = make_project()
    traced = put_trace(theirs.pk, scores=({"name": "s", "value": 1.0},))
    of_theirs = scope_for_task(theirs.pk)
    [score] = store.rows(of_theirs, store.select(of_theirs, tables.scores), tag="test")
    mine = put_trace(project.pk)
    given = Annotation(value=0.0, name="s", data_type="NUMERIC")
    for target in (Target(trace_id=mine.id), Target(trace_id=traced.id)):
        with pytest.raises(NotFound):
            score_target(scope, target, replace(given), score_id=score.id)
    with pytest.raises(NotFound):
        actions.annotate.remove_score(scope, score.id, actor=SYSTEM)


# --- Hostile addresses ----------------------------------------------------------------------------------
ODD = (
    "a/b",
    "line\r\nline",
    "%2F..%2F",
    LONG,
    "\x00",
    "a\x00b",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "'\"<svg>",
)
LISTS = ("trace-list", "observation-list", "session-list", "user-list", "job-list", "dead-letter-list", "model-list")
ABOUT_ONE = (
    "trace-skeleton", "trace-find", "trace-previews", "trace-log", "trace-log-entry", "trace-raw", "record-download",
    "trace-download", "trace-cost", "node",
)  # fmt: skip


def test_no_address_breaks_a_page_or_shows_what_is_anothers(alice, bob, client, charlie, workspace, project):
    theirs = workspace.charlie.memberships.get().organization.projects.get()
    foreign = put_trace(theirs.pk, {"name": SECRET}, name=SECRET, user_id=SECRET, session_id=SECRET)
    traced = put_trace(project.pk, {"name": "s"}, name="mine")
    asked = []
    for odd in (*ODD, foreign.id):
        many = dict.fromkeys(("q", "sort", "before", "columns", "view", "peek", "environment", "range", "from"), odd)
        asked += [(url(project, name), {**many, "rows": odd, "size": odd, "view": ""}) for name in LISTS]
        for name in ABOUT_ONE:
            asked.append((url(project, name), {"trace": odd, "observation": odd, "field": "input"}))
            one = {"trace": traced.id, "observation": odd, "field": odd, "find": odd, "id": odd, "after": odd}
            asked.append((url(project, name), {**one, "message": odd, "as": odd}))
        asked.append((url(project, "job-indicator"), {"watch": odd}))
        if "\x00" not in odd:
            asked += [(url(project, name, odd), {}) for name in ("trace-detail", "session-detail", "user-detail")]
            asked.append((url(project, "model-detail", odd), {}))
    for address, query in asked:
        answer = alice.get(address, query, follow=True)
        assert answer.status_code < 500, (address[:100], {k: v[:20] for k, v in query.items()})
        assert SECRET not in whole(answer), address[:100]
    # Who is asked to sign in is led back afterwards, unless the address is too long for a redirect.
    for reader, statuses in ((charlie, {404}), (client, {302, 400})):
        assert {reader.get(address, query).status_code for address, query in asked[::7]} <= statuses


POSTED = ("trace-bookmark", "trace-tags", "trace-publish", "comment-create", "correction-save", "correction-delete")


def test_no_form_breaks_or_reaches_another_project(alice, workspace, project):
    theirs = workspace.charlie.memberships.get().organization.projects.get()
    foreign = put_trace(theirs.pk, {"name": SECRET}, name=SECRET)
    traced = put_trace(project.pk, {"name": "s"}, name="mine")
    for odd in (*ODD, foreign.id):
        for name in POSTED:
            for said in ({"trace": odd}, {"trace": traced.id, "observation": odd}):
                form = {"text": odd, "add": odd, "remove": odd, "public": "1", "bookmarked": "1", **said}
                answer = alice.post(url(project, name), form, follow=True)
                assert answer.status_code < 500, (name, said)
        for name in ("trace-bulk", "trace-view-change", "observation-bulk-confirm", "user-delete"):
            form = {"act": "delete", "ids": quote(odd), "view": odd, "user": odd, "query": odd, "name": odd}
            assert alice.post(url(project, name), form, follow=True).status_code < 500, (name, odd[:20])
    scope = scope_for_task(theirs.pk)
    [row] = store.rows(scope, store.select(scope, tables.traces), tag="test", is_anew=True)
    assert (row.public, row.bookmarked, list(row.tags)) == (False, False, [])
    assert not Comment.objects.filter(project=theirs).exists()


def test_a_name_that_turns_the_line_is_written_out(alice, client, scope, project):
    traced = put_trace(project.pk, name=TURNED, tags=(TURNED,), user_id=TURNED, release=TURNED,
                       scores=({"name": TURNED, "value": 1.0, "comment": TURNED},))  # fmt: skip
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    for reader in (alice, client):
        text = whole(reader.get(url(project, "trace-detail", traced.id)))
        heading = text.partition("<h1>")[2].partition("</h1>")[0]
        assert heading == "⟨U+202E⟩evil"
        facts = text.partition('id="trace-facts"')[2].partition("</div>")[0]
        assert TURNED not in facts.replace("title=", "")
        assert "⟨U+202E⟩" in facts


def test_keys_of_acts_are_in_the_list_of_keys(alice, project):
    text = whole(alice.get(url(project, "trace-list")))
    section = text.partition("<h3>A trace</h3>")[2].partition("</section>")[0]
    assert all(f"<kbd>{key}</kbd>" in section for key in "abce#")
