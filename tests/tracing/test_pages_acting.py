"""What people do to traces: who may, what the API says of it, and that nothing that arrives later undoes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import AuditLog, Membership
from accounts.roles import Role
from config.errors import Forbidden, Invalid, NotFound
from evals.actions.score_configs import ScoreConfigFields, create_score_config
from evals.models import ScoreConfig
from tests.factories import basic, make_key, make_project, make_user
from tests.tracing.page_data import HOSTILE, put_trace
from tracing import actions
from tracing.actions.annotate import Annotation, Target, find_correction, score_target, score_traces
from tracing.analytics.records import Trace
from tracing.ingest import write
from tracing.ingest.inbox import Payload
from tracing.ingest.model import Decoded, Envelope, TraceUpdate
from tracing.models import Comment, Media, MediaLink
from tracing.queries import said, trace_page
from tracing.views.acts.correction import compare, json_problem

HTMX = {"HX-Request": "true"}


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


@pytest.fixture
def traced(project):
    return put_trace(project.pk, {"name": "step"}, name="t", root={"output": "Paris is the capital."})


def url(project, name, *args):
    return reverse(f"tracing:{name}", args=[project.pk, *args])


def text_of(answer):
    return answer.content.decode()


def arrives(trace: Trace, **said_now):
    """A span of the trace that comes in now, as ingestion hands it on."""
    now = datetime.now(UTC)
    update = TraceUpdate(
        project_id=trace.project_id,
        trace_id=trace.id,
        at=now + timedelta(hours=1),
        timestamp=trace.timestamp,
        **said_now,
    )
    envelope = Envelope(project_id=trace.project_id, kind="otlp", received_at=now)
    batch = write.Batch()
    batch.add(Payload(envelope, b""), Decoded(trace_updates=[update]))
    write.write(batch)


def now_of(scope, trace_id) -> Trace:
    return trace_page.get_trace_record(scope, trace_id)


# --- Star, tags, link -----------------------------------------------------------------------------------
def test_what_a_person_chose_stands_against_late_spans(scope, project):
    trace = put_trace(project.pk, name="t", tags=["a", "b"], public=True).trace
    actions.tag_traces(scope, [trace.id], add=["mine"], remove=["b"])
    actions.publish_traces(scope, [trace.id], public=False, actor=SYSTEM)
    actions.bookmark_traces(scope, [trace.id], bookmarked=True)
    arrives(trace, tags=["b", "late"], fields={"public": True, "bookmarked": False, "name": "renamed"})
    found = now_of(scope, trace.id)
    assert found.tags == ["a", "late", "mine"]
    assert (found.public, found.bookmarked, found.name) == (False, True, "renamed")
    actions.tag_traces(scope, [trace.id], add=["b"])
    assert now_of(scope, trace.id).tags == ["a", "b", "late", "mine"]


def test_acts_are_idempotent_and_pass_over_what_is_gone(scope, project):
    trace = put_trace(project.pk, name="t").trace
    for _ in range(2):
        actions.tag_traces(scope, [trace.id, "gone"], add=["x"])
        actions.bookmark_traces(scope, [trace.id, "gone"], bookmarked=True)
    version = now_of(scope, trace.id).row_version
    actions.tag_traces(scope, [trace.id], add=["x"])
    assert now_of(scope, trace.id).row_version == version
    with pytest.raises(NotFound):
        now_of(scope, "gone")


@pytest.mark.parametrize("tag", ["", "  ", "x" * 201])
def test_a_tag_that_is_none_is_refused(scope, project, tag):
    trace = put_trace(project.pk, name="t").trace
    with pytest.raises(Invalid):
        actions.tag_traces(scope, [trace.id], add=[tag])


def test_forms_change_the_trace_and_the_api_says_the_same(alice, project, traced):
    alice.post(url(project, "trace-bookmark"), {"trace": traced.id, "bookmarked": "1"})
    alice.post(url(project, "trace-tags"), {"trace": traced.id, "add": "to do"})
    answer = alice.post(url(project, "trace-publish"), {"trace": traced.id, "public": "1"}, headers=HTMX)
    assert 'id="trace-acts"' in text_of(answer)
    header = basic(make_key(project))
    told = Client().get(f"/api/public/traces/{traced.id}", headers={"Authorization": header}).json()
    assert (told["bookmarked"], told["tags"], told["public"]) == (True, ["to do"], True)
    entry = AuditLog.objects.get(action="trace.publish")
    assert (entry.project_id, entry.actor) == (project.pk, "alice@example.com")
    assert entry.after == {"trace_ids": [traced.id]}
    assert "to do" in text_of(alice.get(url(project, "tag-names")))


# --- Roles and tenancy ----------------------------------------------------------------------------------
POSTS = {
    "trace-bookmark": {"bookmarked": "1"},
    "trace-tags": {"add": "x"},
    "trace-publish": {"public": "1"},
    "comment-create": {"text": "hello"},
    "correction-save": {"text": "hello"},
    "correction-delete": {},
}


@pytest.mark.parametrize("name", POSTS)
def test_viewers_look_members_act_strangers_find_nothing(name, alice, bob, charlie, client, project, traced):
    form = {"trace": traced.id, **POSTS[name]}
    assert client.post(url(project, name), form).status_code == 302
    assert charlie.post(url(project, name), form).status_code == 404
    assert bob.post(url(project, name), form).status_code == 403
    assert alice.post(url(project, name), form).status_code == 303
    assert alice.post(url(project, name), {**form, "trace": "gone"}).status_code == 404
    assert alice.get(url(project, name)).status_code == 302


def test_there_is_no_button_without_the_right(bob, alice, project, traced):
    alice.post(url(project, "comment-create"), {"trace": traced.id, "text": "hello"})
    page = text_of(bob.get(url(project, "trace-detail", traced.id)))
    assert "hello" in page
    main = page.split("<main", 1)[1].split("</main>")[0]
    assert 'method="post"' not in main
    assert "Annotate" not in main


def test_another_project_s_things_are_not_found(alice, workspace, traced):
    other = make_project("Other", organization=workspace.organization)
    comment = Comment.objects.create(
        project=workspace.project, object_type="TRACE", object_id=traced.id, content="x", author=workspace.alice
    )
    there = put_trace(other.pk, name="t", scores=({"name": "s", "value": 1.0},))
    score = said.list_scores_of(ProjectScope(other.pk, Role.OWNER), trace_id=there.id)[0]
    form = {"trace": there.id, "text": "changed", "sign": "👍"}
    for name in ("comment-edit", "comment-delete", "comment-react"):
        assert alice.post(url(other, name, comment.pk), form).status_code == 404
    assert alice.post(url(workspace.project, "score-delete", score.id), {"trace": traced.id}).status_code == 404
    assert alice.get(url(workspace.project, "node"), {"trace": there.id}).status_code == 404


# --- Comments -------------------------------------------------------------------------------------------
def test_a_comment_calls_members_and_nobody_else(alice, workspace, project, traced):
    text = f"@bob@example.com and @charlie@example.com look: {HOSTILE}"
    alice.post(url(project, "comment-create"), {"trace": traced.id, "text": text})
    comment = Comment.objects.get()
    assert comment.content.startswith(f"@[bob@example.com](user:{workspace.bob.pk}) and @charlie@example.com")
    assert [mention.user_id for mention in comment.mentions.all()] == [workspace.bob.pk]
    page = text_of(alice.get(url(project, "node"), {"trace": traced.id}))
    assert '<b class="mention">@bob@example.com</b>' in page
    assert "<script>alert" not in page
    assert "@bob@example.com and @charlie@example.com look" in page  # to be edited as it was typed


def test_only_authors_edit_and_only_they_and_admins_delete(workspace, project, traced):
    carol = make_user("carol@example.com", organization=workspace.organization, role=Role.MEMBER)
    hers = ProjectScope(project.pk, Role.MEMBER, user_id=carol.pk)
    owner = ProjectScope(project.pk, Role.OWNER, user_id=workspace.alice.pk)
    comment = actions.write_comment(owner, object_type="TRACE", object_id=traced.id, text="mine", actor=SYSTEM)
    with pytest.raises(Forbidden):
        actions.edit_comment(hers, comment.pk, text="hers", actor=SYSTEM)
    with pytest.raises(Forbidden):
        actions.delete_comment(hers, comment.pk, actor=SYSTEM)
    own = actions.write_comment(hers, object_type="TRACE", object_id=traced.id, text="hers", actor=SYSTEM)
    actions.delete_comment(owner, own.pk, actor=SYSTEM)
    assert AuditLog.objects.get(action="comment.delete").before == {"content": "hers"}


@pytest.mark.parametrize("text", ["", "   ", "x" * 5001])
def test_a_comment_that_is_none_is_refused_in_place(alice, project, traced, text):
    headers = {**HTMX, "HX-Target": "comments"}
    answer = alice.post(url(project, "comment-create"), {"trace": traced.id, "text": text}, headers=headers)
    assert answer.status_code == 422
    assert 'id="comment-problem"' in text_of(answer)
    assert not Comment.objects.exists()


def test_a_reaction_comes_and_goes(scope, project, traced):
    comment = actions.write_comment(scope, object_type="TRACE", object_id=traced.id, text="x", actor=SYSTEM)
    actions.react(scope, comment.pk, "👍")
    assert comment.reactions.count() == 1
    actions.react(scope, comment.pk, "👍")
    assert comment.reactions.count() == 0
    with pytest.raises(Invalid):
        actions.react(scope, comment.pk, "<b>")


def test_comments_on_the_root_and_the_trace_are_one_talk(scope, alice, project, traced):
    root, child = traced.observations[0].id, traced.observations[1].id
    for object_type, object_id, words in (("TRACE", traced.id, "one"), ("OBSERVATION", root, "two")):
        actions.write_comment(scope, object_type=object_type, object_id=object_id, text=words, actor=SYSTEM)
    alice.post(url(project, "comment-create"), {"trace": traced.id, "observation": child, "text": "three"})
    page = text_of(alice.get(url(project, "trace-detail", traced.id)))
    assert "one" in page
    assert "two" in page
    assert "three" not in page
    assert Comment.objects.filter(object_type="OBSERVATION", object_id=child).count() == 1


def test_a_session_is_talked_about_too(alice, project):
    put_trace(project.pk, name="t", session_id="s 1")
    answer = alice.post(url(project, "comment-create"), {"session": "s 1", "text": "long talk"})
    assert answer["Location"] == f"{url(project, 'session-detail', 's 1')}#comments"
    assert "long talk" in text_of(alice.get(url(project, "node"), {"session": "s 1"}))


# --- Scores ---------------------------------------------------------------------------------------------
@pytest.fixture
def config(scope) -> ScoreConfig:
    fields = ScoreConfigFields(
        "grade", "CATEGORICAL", categories=[{"label": "bad", "value": 0}, {"label": "good", "value": 1}]
    )
    return create_score_config(scope, fields, actor=SYSTEM)


def save(client, project, **form):
    return client.post(reverse("evals:annotate-save", args=[project.pk]), form, headers=HTMX)


def test_a_score_by_hand_is_the_api_s_too(alice, workspace, project, traced, config):
    answer = save(alice, project, trace=traced.id, config=config.pk, value="good", comment="so it is")
    assert answer["HX-Trigger"] == "scores-changed"
    save(alice, project, trace=traced.id, config=config.pk, value="bad", comment="no")
    header = basic(make_key(project))
    told = Client().get("/api/public/v2/scores", {"traceId": traced.id}, headers={"Authorization": header}).json()
    [score] = told["data"]
    assert (score["name"], score["stringValue"], score["value"], score["comment"]) == ("grade", "bad", 0, "no")
    assert (score["source"], score["authorUserId"], score["configId"]) == ("ANNOTATION", workspace.alice.pk, config.pk)
    page = text_of(alice.get(url(project, "node"), {"trace": traced.id}))
    assert "alice@example.com" in page
    answer = save(alice, project, trace=traced.id, config=config.pk, score=score["id"], clear="1")
    assert answer.status_code == 200
    assert "No scores yet" in text_of(alice.get(url(project, "node"), {"trace": traced.id}))
    assert AuditLog.objects.get(action="score.delete").before["name"] == "grade"


def test_two_people_do_not_overwrite_each_other(scope, workspace, project, traced, config):
    carol = make_user("carol@example.com", organization=workspace.organization)
    target, given = Target(trace_id=traced.id), Annotation(value="good", config_id=config.pk)
    score_target(scope, target, given)
    score_target(ProjectScope(project.pk, Role.MEMBER, user_id=carol.pk), target, replace(given, value="bad"))
    assert {s.string_value for s in said.list_scores_of(scope, trace_id=traced.id)} == {"good", "bad"}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"value": "excellent"}, "Choose one of the categories."),
        ({"value": ""}, "Give a value."),
        ({"config": "", "name": "", "data_type": "NUMERIC", "value": "1"}, "Give the score a name."),
        ({"config": "", "name": "n", "data_type": "NUMERIC", "value": "nan"}, "Give a number"),
        ({"config": "", "name": "n", "data_type": "BOOLEAN", "value": "2"}, "Choose yes or no."),
    ],
)
def test_a_wrong_value_is_said_in_its_line(alice, scope, project, traced, config, form, words):
    answer = save(alice, project, **{"trace": traced.id, "config": config.pk, **form})
    assert words in text_of(answer)
    assert not said.list_scores_of(scope, trace_id=traced.id)


def test_a_score_without_a_config_has_a_name_and_a_kind(alice, scope, project, traced):
    child = traced.observations[1].id
    form = {"trace": traced.id, "observation": child, "name": "tone", "data_type": "TEXT", "value": "friendly"}
    assert 'id="annotate"' in text_of(save(alice, project, **form))
    [score] = said.list_scores_of(scope, trace_id=traced.id, observation_ids=[child])
    assert (score.name, score.data_type, score.string_value, score.source) == ("tone", "TEXT", "friendly", "ANNOTATION")


def test_annotating_is_for_members(bob, charlie, project, traced, config):
    form = {"trace": traced.id, "config": config.pk, "value": "good"}
    assert save(bob, project, **form).status_code == 403
    assert save(charlie, project, **form).status_code == 404
    assert bob.get(reverse("evals:annotate", args=[project.pk]), {"trace": traced.id}).status_code == 403


def test_a_config_is_made_where_one_is_missing(alice, scope, project, traced):
    form = {
        "trace": traced.id,
        "config-name": "quality",
        "config-data_type": "CATEGORICAL",
        "config-categories": "low, high",
    }
    answer = alice.post(reverse("evals:annotate-config", args=[project.pk]), form, headers=HTMX)
    assert "quality" in text_of(answer)
    assert ScoreConfig.objects.get().labels == {"low": 0, "high": 1}
    answer = alice.post(
        reverse("evals:annotate-config", args=[project.pk]), {**form, "config-categories": ""}, headers=HTMX
    )
    assert answer.status_code == 422
    assert "Name the categories" in text_of(answer)


def test_many_traces_are_scored_at_once(scope, project):
    ids = [put_trace(project.pk, name="t").id for _ in range(2)]
    given = Annotation(value=0.5, name="bulk", data_type="NUMERIC")
    assert score_traces(scope, [*ids, "gone"], given) == 2
    assert score_traces(scope, ids, replace(given, value=0.7)) == 2
    assert [s.value for id_ in ids for s in said.list_scores_of(scope, trace_id=id_)] == [0.7, 0.7]


# --- Corrections ----------------------------------------------------------------------------------------
def test_a_correction_is_a_score_with_a_difference(alice, scope, project, traced):
    root = traced.observations[0].id
    form = {"trace": traced.id, "observation": root, "text": "Berlin is the capital."}
    alice.post(url(project, "correction-save"), form)
    alice.post(url(project, "correction-save"), {**form, "text": "Rome is the capital."})
    target = Target(trace_id=traced.id, observation_id=root)
    score = find_correction(scope, target)
    assert (score.name, score.data_type, score.string_value) == ("output", "CORRECTION", "Rome is the capital.")
    assert len(said.list_scores_of(scope, trace_id=traced.id, observation_ids=[root])) == 1
    page = text_of(alice.get(url(project, "trace-detail", traced.id)))
    assert "<del>Paris</del><ins>Rome</ins>" in page
    alice.post(url(project, "correction-delete"), {"trace": traced.id, "observation": root})
    assert find_correction(scope, target) is None


def test_an_output_of_json_is_corrected_by_json(alice, scope, project):
    traced = put_trace(project.pk, name="t", root={"output": '{"a":1}'})
    form = {"trace": traced.id, "observation": traced.observations[0].id, "format": "json"}
    headers = {**HTMX, "HX-Target": "correction"}
    answer = alice.post(url(project, "correction-save"), {**form, "text": '{"a":\n 1,}'}, headers=headers)
    assert answer.status_code == 422
    assert "look at line 2, column" in text_of(answer)
    assert alice.post(url(project, "correction-save"), {**form, "text": '{"a": 2}'}, headers=headers).status_code == 200


def test_differences_are_by_word_and_by_character_where_words_have_no_blanks():
    assert [(p.kind, p.text) for p in compare("我想退货", "我想换货")] == [
        ("same", "我想"), ("removed", "退"), ("added", "换"), ("same", "货"),
    ]  # fmt: skip
    assert json_problem('{"a": 1}') is None
    long = compare("a b " * 20_000, "a b " * 20_000 + "c")
    assert "".join(piece.text for piece in long if piece.kind != "removed").endswith("c")


# --- The open link --------------------------------------------------------------------------------------
PARTS = ("trace-skeleton", "trace-find", "trace-previews", "trace-log", "trace-raw")


def test_an_open_trace_and_nothing_else(client, charlie, scope, workspace, project, traced):
    closed = put_trace(project.pk, name="closed")
    actions.write_comment(scope, object_type="TRACE", object_id=traced.id, text="between us", actor=SYSTEM)
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    for reader in (client, charlie):
        answer = reader.get(url(project, "trace-detail", traced.id))
        page = text_of(answer)
        assert answer.status_code == 200
        assert "Paris is the capital." in page
        assert answer["X-Robots-Tag"] == "noindex, nofollow"
        for hidden in (
            "between us",
            "alice@example.com",
            '<form method="post"',
            "Members",
            url(project, "session-list"),
        ):
            assert hidden not in page
    for name in PARTS:
        query = {"trace": traced.id, "field": "output", "find": "Paris"}
        assert client.get(url(project, name), query).status_code == 200, name
        assert client.get(url(project, name), {**query, "trace": closed.id}).status_code == 302, name
        assert charlie.get(url(project, name), {**query, "trace": closed.id}).status_code == 404, name
    for name in ("trace-list", "session-list", "user-list", "node", "tag-names"):
        assert client.get(url(project, name), {"trace": traced.id}).status_code == 302, name
    actions.publish_traces(scope, [traced.id], public=False, actor=SYSTEM)
    assert client.get(url(project, "trace-detail", traced.id)).status_code == 302


def test_strangers_act_on_nothing(client, charlie, scope, project, traced):
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    for name, form in POSTS.items():
        assert client.post(url(project, name), {"trace": traced.id, **form}).status_code == 302
        assert charlie.post(url(project, name), {"trace": traced.id, **form}).status_code == 404
    assert not Comment.objects.exists()


def test_only_files_of_the_open_trace_are_open(client, scope, project, traced):
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    media = Media.objects.create(
        project=project, media_id="m1", content_type="text/plain", content_length=1, sha256="x"
    )
    query = {"trace": traced.id}
    assert client.get(url(project, "media-file", "m1"), query).status_code == 302  # it did not come with this trace
    MediaLink.objects.create(project=project, media=media, trace_id=traced.id, field="input")
    assert client.get(url(project, "media-file", "m1"), query).status_code == 404  # it did, and was never uploaded


def test_strangers_read_only_so_often(client, scope, project, traced, settings):
    settings.PUBLIC_READS_PER_MINUTE_OF_ADDRESS = 3
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    asked = {"trace": traced.id, "field": "output"}
    address = "203.0.113.77"  # from which no other test reads
    codes = [client.get(url(project, "trace-raw"), asked, REMOTE_ADDR=address).status_code for _ in range(8)]
    assert codes[0] == 200
    assert codes.count(429) >= 2  # should a minute end meanwhile, it begins anew


def test_who_was_a_member_reads_as_a_stranger(bob, scope, workspace, project, traced):
    actions.publish_traces(scope, [traced.id], public=True, actor=SYSTEM)
    Membership.objects.filter(user=workspace.bob).delete()
    page = text_of(bob.get(url(project, "trace-detail", traced.id)))
    assert "Shared with Spanwise" in page
