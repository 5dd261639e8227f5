"""Pages of prompts, asked for by the Django client: what they show, what forms do, whose they are."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from html import unescape
from urllib.parse import urlencode

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import Project, User
from accounts.roles import Role
from config.errors import Unavailable
from prompts import snippets
from prompts.actions import prompts as actions
from prompts.actions.prompts import NewVersion
from prompts.difference import compare
from prompts.models import Prompt, PromptVersion
from prompts.queries import prompts as queries
from prompts.views import listing
from tests.factories import Workspace, make_user, make_workspace
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.demo import drafts
from tracing.demo.prompts import PROMPTS
from tracing.models.comments import Comment

CHAT = [
    {"role": "system", "content": "You are {{persona}}.\n@@@langfusePrompt:name=policy|label=production@@@"},
    {"type": "placeholder", "name": "history"},
    {"role": "user", "content": "{{question}}", "name": "asker"},
]


@pytest.fixture
def workspace(db, settings, analytics_server) -> Workspace:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return make_workspace()


@pytest.fixture
def project(workspace) -> Project:
    return workspace.project


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def alice(workspace) -> Client:
    return _client(workspace.alice)


@pytest.fixture
def bob(workspace) -> Client:
    return _client(workspace.bob)


@pytest.fixture
def charlie(workspace) -> Client:
    return _client(workspace.charlie)


@pytest.fixture
def member(workspace) -> Client:
    return _client(make_user("mia@example.com", organization=workspace.organization, role=Role.MEMBER))


@pytest.fixture
def scope(workspace) -> ProjectScope:
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


def write(scope, name="movie-critic", said="Do you like {{movie}}?", kind="text", **fields):
    return actions.create_version(scope, NewVersion(name, kind, said, **fields), actor=SYSTEM)


def url(project, page, /, *args, **query):
    page = reverse(f"prompts:{page}", args=[project.pk, *args])
    return f"{page}?{urlencode(query)}" if query else page


def text_of(answer, status=200):
    assert answer.status_code == status, answer.content.decode()[:2000]
    return unescape(answer.content.decode())


def labels(scope, name="movie-critic"):
    return queries.standing_labels(queries.get_prompt(scope, name))


# --- Whose they are --------------------------------------------------------------------------------------
def test_ladder(client, alice, bob, charlie, project, scope):
    version = write(scope)
    read = [
        url(project, "prompt-list"),
        url(project, "prompt-detail", "movie-critic"),
        url(project, "prompt-export"),
        url(project, "label-list"),
    ]
    written = [
        url(project, "prompt-new"),
        url(project, "prompt-import"),
        url(project, "prompt-references"),
        url(project, "prompt-duplicate", name="movie-critic"),
        url(project, "prompt-delete", name="movie-critic"),
    ]
    for address in [*read, *written, url(project, "prompt-version", version.pk)]:
        assert client.get(address).status_code == 302
        assert charlie.get(address).status_code == 404
    assert [bob.get(address).status_code for address in read] == [200] * len(read)
    assert [bob.get(address).status_code for address in written] == [403] * len(written)
    assert [alice.get(address).status_code for address in written] == [200] * len(written)
    posts = ["prompt-create", "prompt-labels", "prompt-tags", "prompt-duplicate-save", "prompt-delete-confirm"]
    for view in [*posts, "prompt-import-review", "label-protect"]:
        sent = {"name": "movie-critic", "version": "1", "typed": "movie-critic", "label": "x", "text": "[]"}
        assert bob.post(url(project, view), sent).status_code == 403
        assert charlie.post(url(project, view), sent).status_code == 404
        assert alice.get(url(project, view)).status_code == 302
    assert PromptVersion.objects.count() == 1


def test_another_projects_prompts_are_not_seen(alice, charlie, project, scope, workspace):
    elsewhere = Project.objects.get(name="Secret")
    other = ProjectScope(elsewhere.pk, Role.OWNER)
    hidden = write(other, "concealed", "secret words")
    write(scope)
    assert "concealed" not in text_of(alice.get(url(project, "prompt-list", q="secret")))
    assert alice.get(url(project, "prompt-detail", "concealed")).status_code == 404
    assert alice.get(url(project, "prompt-version", hidden.pk)).status_code == 404
    assert alice.get(url(project, "prompt-export", name="concealed")).status_code == 404
    assert b"secret" not in b"".join(alice.get(url(project, "prompt-export")).streaming_content)
    answer = alice.post(
        reverse("tracing:comment-create", args=[project.pk]), {"prompt": hidden.pk, "text": "I was here"}
    )
    assert answer.status_code == 404
    assert not Comment.objects.exists()


# --- The list --------------------------------------------------------------------------------------------
def test_list_teaches_where_there_is_nothing(alice, bob, project):
    assert "Write the first prompt" in text_of(alice.get(url(project, "prompt-list")))
    page = text_of(bob.get(url(project, "prompt-list")))
    assert "create_prompt" in page
    assert "Write the first prompt" not in page


def test_list_shows_folders_labels_and_uses(alice, project, scope):
    write(scope, labels=["production"], tags=["film"])
    write(scope, labels=["staging"])
    write(scope, "support/german/answer", "Guten Tag")
    write(scope, "support/answer", "Good day")
    for version in (1, 1, 2):
        put_trace(
            project.pk, root={"type": "GENERATION", "prompt_name": "movie-critic", "prompt_version": version}, name="g"
        )
    page = text_of(alice.get(url(project, "prompt-list")))
    assert "2 prompts" in page  # below the folder
    assert "answer</b>" not in page
    assert '<b>production</b> <span class="num">v1</span>' in page
    assert '<b>staging</b> <span class="num">v2</span>' in page
    assert ">3</a>" in page  # uses
    inside = text_of(alice.get(url(project, "prompt-list", folder="support")))
    assert "german</b>" in inside
    assert "answer</b>" in inside
    assert "movie-critic" not in inside


def test_search_looks_into_names_tags_and_every_version(alice, project, scope):
    write(scope, "one", "the first said Xylophone", tags=["film"])
    write(scope, "one", "not any more")
    write(scope, "two", [{"role": "user", "content": 'she said "yes"\nand 合同'}], "chat")
    write(scope, "folder/three", "nothing")

    def found(**query):
        page = text_of(alice.get(url(project, "prompt-list", **query)))
        return {name for name in ("one", "two", "folder/three") if f"<b>{name}</b>" in page}

    assert found(q="xylophone") == {"one"}
    assert "v1" in text_of(alice.get(url(project, "prompt-list", q="xylophone"))).split('class="hit"')[1][:300]
    assert found(q='"yes"') == {"two"}
    assert found(q="合同") == {"two"}
    assert found(q="content") == set()  # a key of the stored messages, which nobody wrote
    assert found(q="THREE") == {"folder/three"}
    assert found(q="fil") == {"one"}
    assert found(type="chat") == {"two"}
    assert found(tag="film") == {"one"}
    assert found(label="nowhere") == set()
    assert found(q="100%_") == set()
    assert found(q="\x00", page="x", sort="nonsense", type="other") >= {"one", "two"}


def test_list_goes_on_without_the_analytics_store(alice, project, scope, monkeypatch):
    def away(*_args, **_kwargs):
        raise Unavailable("away")

    write(scope)
    monkeypatch.setattr(listing, "uses_by_prompt", away)
    page = text_of(alice.get(url(project, "prompt-list")))
    assert "movie-critic" in page
    assert "does not answer" in page


def test_tags_are_changed_in_place(alice, project, scope):
    write(scope, tags=["film"])
    answer = alice.post(url(project, "prompt-tags"), {"name": "movie-critic", "add": "德语"}, HTTP_HX_REQUEST="true")
    assert "#德语" in text_of(answer)
    alice.post(url(project, "prompt-tags"), {"name": "movie-critic", "remove": "film"})
    assert queries.get_prompt(scope, "movie-critic").tags == ["德语"]
    refused = alice.post(
        url(project, "prompt-tags"), {"name": "movie-critic", "add": "x" * 101}, HTTP_HX_REQUEST="true"
    )
    assert "1 to 100 characters" in text_of(refused)
    assert alice.post(url(project, "prompt-tags"), {"name": "nope", "add": "x"}).status_code == 404


# --- One prompt ------------------------------------------------------------------------------------------
def test_detail_draws_messages_variables_and_references(alice, project, scope):
    write(scope, "policy", "Refunds within {{days}} days.", labels=["production"])
    write(scope, "answer", CHAT, "chat", config={"model": "gpt-4o"}, commit_message="First")
    page = text_of(alice.get(url(project, "prompt-detail", "answer")))
    assert '<span class="variable">{{persona}}</span>' in page
    assert f'href="{url(project, "prompt-detail", "policy", label="production")}"' in page
    assert '<span class="variable">history</span>' in page
    assert "asker" in page
    assert "Refunds within" not in page
    resolved = text_of(alice.get(url(project, "prompt-detail", "answer", view="resolved")))
    assert "Refunds within <span" in resolved
    assert '<span class="variable">days</span>' in resolved
    assert "Embedded by" in text_of(alice.get(url(project, "prompt-detail", "policy")))
    assert "gpt-4o" in text_of(alice.get(url(project, "prompt-detail", "answer", tab="config")))
    assert '<h1 title="answer">' in page


def test_detail_says_what_cannot_be_resolved(alice, project, scope):
    write(scope, "policy", "x", labels=["production"])
    write(scope, "answer", CHAT, "chat")
    queries.get_prompt(scope, "policy").labels.all().delete()
    page = text_of(alice.get(url(project, "prompt-detail", "answer")))
    assert "Programs cannot fetch this version" in page
    assert "policy label production" in page


def test_version_is_chosen_by_number_label_or_id(alice, project, scope):
    first = write(scope, labels=["production"], commit_message="the first one")
    write(scope, said="Second", commit_message="the second one")
    assert "<title>movie-critic v2" in text_of(alice.get(url(project, "prompt-detail", "movie-critic")))
    for chosen in ({"version": 1}, {"label": "production"}):
        assert "movie-critic v1" in text_of(alice.get(url(project, "prompt-detail", "movie-critic", **chosen)))
    assert alice.get(url(project, "prompt-version", first.pk))["Location"].endswith("/movie-critic/?version=1")
    for wrong in ({"version": 9}, {"label": "nowhere"}, {"version": 2**40}):
        assert alice.get(url(project, "prompt-detail", "movie-critic", **wrong)).status_code == 404
    versions = text_of(alice.get(url(project, "prompt-detail", "movie-critic", find="first")))
    assert "the first one" in versions
    assert "the second one" not in versions.split('id="versions"')[1].split("version-pane")[0]


def test_what_is_hostile_stays_text(alice, project, scope):
    write(scope, "evil", HOSTILE, commit_message=HOSTILE, tags=[HOSTILE[:90]], config={HOSTILE: HOSTILE})
    write(scope, "evil", f"{HOSTILE} changed", config={"a": HOSTILE})
    for address in (
        url(project, "prompt-list", q="script"),
        *(url(project, "prompt-detail", "evil", version=1, tab=tab) for tab in ("prompt", "config", "uses")),
        url(project, "prompt-detail", "evil", version=2, compare=1),
        url(project, "prompt-new", **{"from": "evil", "version": 1}),
    ):
        assert "<script>alert" not in alice.get(address).content.decode()


def test_labels_move_and_what_moved_meanwhile_stays(alice, project, scope):
    write(scope, labels=["production", "old"])
    write(scope, said="Second")
    page = url(project, "prompt-labels")
    sent = {"name": "movie-critic", "version": "2", "label": ["production"], "new": "canary, b-2"}
    assert alice.post(page, sent).status_code == 303
    assert labels(scope) == {"production": 2, "old": 1, "canary": 2, "b-2": 2}
    # The form was made while `canary` stood at 2; it moved to 1 since.
    actions.set_labels(scope, "movie-critic", 1, ["canary"], actor=SYSTEM)
    alice.post(page, {**sent, "had": ["production", "canary"], "label": ["canary"], "new": ""})
    assert labels(scope) == {"old": 1, "canary": 1, "b-2": 2}
    refused = alice.post(page, {**sent, "new": "Not A Label"}, follow=True)
    assert "small letters" in text_of(refused)
    assert alice.post(page, {"name": "movie-critic", "version": "x"}).status_code == 404


def test_protected_labels_are_for_admins(alice, member, bob, project, scope):
    write(scope, labels=["production"])
    write(scope, said="Second")
    assert "protected" not in text_of(alice.get(url(project, "prompt-detail", "movie-critic")))
    assert alice.post(url(project, "label-protect"), {"label": "production"}).status_code == 303
    assert member.post(url(project, "label-protect"), {"label": "production", "open": "1"}).status_code == 403
    assert "only admins move it" in text_of(member.get(url(project, "prompt-detail", "movie-critic")))
    sent = {"name": "movie-critic", "version": "2", "label": ["production"]}
    assert "only admins" in text_of(member.post(url(project, "prompt-labels"), sent, follow=True))
    assert labels(scope) == {"production": 1}
    new = {"name": "other", "type": "text", "text": "x", "config": "{}", "production": "1", "do": "save"}
    assert "only admins" in text_of(member.post(url(project, "prompt-create"), new), 422)
    assert "admins" in text_of(bob.get(url(project, "label-list")))
    alice.post(url(project, "prompt-labels"), sent)
    assert labels(scope) == {"production": 2}
    assert "small letters" in text_of(alice.post(url(project, "label-protect"), {"label": "No!"}), 422)
    alice.post(url(project, "label-protect"), {"label": "production", "open": "1"})
    assert queries.protected_labels(scope) == set()


def test_comments_stand_under_their_version(alice, bob, project, scope):
    first, second = write(scope), write(scope, said="Second")
    answer = alice.post(
        reverse("tracing:comment-create", args=[project.pk]), {"prompt": first.pk, "text": "Too short?"}, follow=True
    )
    assert "Too short?" in text_of(answer)
    assert answer.redirect_chain[-1][0].startswith(url(project, "prompt-detail", "movie-critic", version=1))
    assert "Too short?" in text_of(bob.get(url(project, "prompt-detail", "movie-critic", version=1)))
    assert "Too short?" not in text_of(bob.get(url(project, "prompt-detail", "movie-critic")))
    part = alice.post(
        reverse("tracing:comment-create", args=[project.pk]),
        {"prompt": second.pk, "text": ""},
        HTTP_HX_REQUEST="true",
        HTTP_HX_TARGET="comments",
    )
    assert "Write something first" in text_of(part, 422)
    page = text_of(alice.get(reverse("tracing:node", args=[project.pk]), {"prompt": second.pk}))
    assert 'id="comments"' in page
    assert 'id="scores"' not in page
    score = {"prompt": second.pk, "name": "quality", "data_type": "NUMERIC", "value": "1"}
    judged = alice.post(reverse("evals:annotate-save", args=[project.pk]), score)
    assert judged.status_code == 404


def test_metrics_and_generations_are_of_the_version(alice, project, scope):
    write(scope, labels=["production"])
    write(scope, said="Second")
    uses = (
        (1, 1_000_000, 0.2, "kind"),
        (1, 3_000_000, 0.4, "kind"),
        (1, 2_000_000, 0.3, "curt"),
        (2, 500_000, 1.0, "odd"),
    )
    for version, latency, score, tone in uses:
        put_trace(
            project.pk,
            root={
                "type": "GENERATION", "name": f"call of v{version}", "prompt_name": "movie-critic",
                "prompt_version": version, "latency_us": latency, "input_tokens": 10 * version, "output_tokens": 5,
                "total_tokens": 10 * version + 5,
            },
            name="g", scores=(
                {"name": "quality", "value": score},
                {"name": "tone", "data_type": "CATEGORICAL", "string_value": tone, "value": 0},
                {"name": "remark", "data_type": "TEXT", "string_value": f"said {latency}", "value": 0},
            ),
        )  # fmt: skip
    bare = {"type": "GENERATION", "prompt_name": "movie-critic", "prompt_version": 9, "latency_us": None}
    put_trace(project.pk, root=bare, name="g")  # of a version that is not there, and tells nothing
    page = text_of(alice.get(url(project, "prompt-detail", "movie-critic", tab="metrics")))
    rows = page.split("<tbody>")[1].split("</tr>")
    assert ">v9<" in rows[0]
    assert rows.pop(0).count('<span class="faint">—</span>') == 8  # errors, medians, cost, scores
    assert ">v2<" in rows[0]
    assert ">v1<" in rows[1]
    assert ">2.00 s<" in rows[1]
    assert ">0.3<" in rows[1] or ">0.30<" in rows[1]
    assert 'title="3 scores">kind <span class="faint">67' in rows[1]
    assert "odd" in rows[0]
    assert "remark" not in page
    assert ">500 ms<" in rows[0] or ">0.50 s<" in rows[0]
    listed = text_of(alice.get(url(project, "prompt-detail", "movie-critic", tab="generations", version=1)))
    assert listed.count("call of v1</a>") == 3
    assert "call of v2" not in listed
    none = text_of(alice.get(url(project, "prompt-detail", "movie-critic", tab="metrics", to="2001-01-01T00:00:00Z")))
    assert "Not used in this time range" in none


def test_a_generation_links_to_its_prompt(alice, project, scope):
    write(scope, "support/answer", "x")
    traced = put_trace(
        project.pk, root={"type": "GENERATION", "prompt_name": "support/answer", "prompt_version": 1}, name="g"
    )
    page = reverse("tracing:trace-detail", args=[project.pk, traced.id])
    shown = text_of(alice.get(page, {"observation": traced.observations[0].id}))
    assert f'href="{url(project, "prompt-detail", "support/answer", version=1)}"' in shown


# --- Differences -----------------------------------------------------------------------------------------
def test_any_two_versions_are_compared(alice, project, scope):
    write(scope, said="Same\nold line here\nSame too", config={"model": "a"})
    write(scope, said="Same\nnew line here\nSame too", config={"model": "b"})
    write(scope, said="Same\nnew line here\nSame too", config={"model": "b"})
    for query in ({"version": 2, "compare": 1}, {"version": 1, "compare": 2}):
        page = text_of(alice.get(url(project, "prompt-detail", "movie-critic", **query)))
        old, new = page.index("<mark>old</mark>"), page.index("<mark>new</mark>")
        assert old < new
        assert '"model": "<mark>a</mark>"' in page
    inline = text_of(alice.get(url(project, "prompt-detail", "movie-critic", version=2, compare=1, diff="inline")))
    assert "removed:" in inline
    same = text_of(alice.get(url(project, "prompt-detail", "movie-critic", version=3, compare=2)))
    assert same.count("unchanged") == 2


def test_differences_fold_and_are_bounded():
    lines = [f"line {number}" for number in range(40)]
    changed = [*lines[:20], "another", *lines[21:]]
    blocks = compare("\n".join(lines), "\n".join(changed)).blocks
    assert [(len(block.rows), block.is_folded) for block in blocks] == [
        (17, True), (3, False), (1, False), (3, False), (16, True),
    ]  # fmt: skip
    vast = compare("\n".join(f"a{n}" for n in range(3000)), "\n".join(f"b{n}" for n in range(3000)))
    assert (vast.removed, vast.added) == (3000, 3000)
    words = compare("x " * 5000 + "a", "y " * 5000 + "a")
    assert (words.removed, words.added) == (1, 1)
    assert compare("", "").is_same
    whole = compare("one\ntwo", "one\ntwo\nthree")
    assert (whole.removed, whole.added) == (0, 1)


# --- Writing ---------------------------------------------------------------------------------------------
def draft(**fields):
    return {"name": "movie-critic", "type": "text", "text": "Hello\r\nthere", "config": "{}", "do": "save", **fields}


def test_first_version_is_saved(alice, project, scope):
    sent = draft(production="1", labels="b", tags="film, 德语", message="First", config='{"model": "x"}')
    answer = alice.post(url(project, "prompt-create"), sent)
    assert answer["Location"] == url(project, "prompt-detail", "movie-critic", version=1)
    version = PromptVersion.objects.get()
    assert (version.content, version.config, version.commit_message) == ("Hello\nthere", {"model": "x"}, "First")
    assert labels(scope) == {"production": 1, "b": 1}
    assert version.prompt.tags == ["film", "德语"]
    assert version.author == User.objects.get(email="alice@example.com")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "A prompt has a name"),
        ({"name": "/a"}, "Slashes part folders"),
        ({"name": "a|b"}, "no markup"),
        ({"name": "new"}, "address of something else"),
        ({"name": "a/../b"}, ". or .."),
        ({"name": "x" * 256}, "255 characters"),
        ({"config": "{"}, "This is no JSON: look at line 1, column"),
        ({"type": "poem"}, "text or chat"),
        ({"labels": "Über"}, "small letters"),
        ({"text": "@@@langfusePrompt:name=nope|version=1@@@"}, "dependency not found"),
        ({"text": "@@@langfusePrompt:oops@@@"}, "A reference is written"),
        ({"message": "x" * 1001}, "1000 characters"),
        ({"base": "nope", "version": "7", "next": "1"}, "not there any more"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_place(alice, project, fields, words):
    for wish in ("save", "review"):
        page = text_of(alice.post(url(project, "prompt-create"), draft(**{**fields, "do": wish})), 422)
        assert words in page
        assert "Hello\nthere" in page or "text" in fields
    assert not Prompt.objects.exists()


def test_name_that_is_taken_leads_to_a_next_version(alice, project, scope):
    write(scope)
    assert "There is a prompt of this name" in text_of(alice.post(url(project, "prompt-create"), draft()), 422)
    assert PromptVersion.objects.count() == 1


def test_next_version_is_reviewed_then_saved(alice, project, scope):
    write(scope, said="Hello\nworld", config={"model": "a"}, labels=["production"])
    form = text_of(alice.get(url(project, "prompt-new", **{"from": "movie-critic"})))
    assert "Hello\nworld</textarea>" in form
    assert "Review changes" in form
    sent = draft(base="movie-critic", version="1", next="1", name="other", type="chat", production="1", do="review")
    review = text_of(alice.post(url(project, "prompt-create"), sent))
    assert 'class="line removed"' in review
    assert "world" in review
    assert "moves from v1 to v2" in review
    assert "Save as version 2" in review
    assert PromptVersion.objects.count() == 1
    write(scope, said="Hello\nsomebody else")
    assert "Version 2 came meanwhile" in text_of(alice.post(url(project, "prompt-create"), sent))
    edited = text_of(alice.post(url(project, "prompt-create"), {**sent, "do": "edit"}))
    assert "Hello\nthere</textarea>" in edited
    alice.post(url(project, "prompt-create"), {**sent, "do": "save"})
    assert labels(scope) == {"production": 3}  # name and type are those of the prompt, whatever was sent
    assert queries.find_version(scope, "movie-critic", number=3).content == "Hello\nthere"
    unchanged = draft(base="movie-critic", version="3", next="1", do="review")
    assert "Nothing differs from version 3" in text_of(alice.post(url(project, "prompt-create"), unchanged))


def test_messages_are_written_without_a_script(alice, project, scope):
    rows = {
        "kind": ["message", "placeholder", "message"],
        "role": ["system", "", "tool"],
        "content": ["Be kind", "history", "{{question}}"],
        "extra": ["", "", '{"tool_call_id": "c1"}'],
    }
    sent = {**draft(type="chat"), **rows}

    def order(wish):
        page = text_of(alice.post(url(project, "prompt-create"), {**sent, "do": wish}))
        inside = page.split("data-rows>")[1].split("</ol>")[0]
        places = {said: inside.find(said) for said in ("Be kind", 'value="history"', "{{question}}")}
        return [said for said, place in sorted(places.items(), key=lambda one: one[1]) if place >= 0], page

    assert order("down:0")[0] == ['value="history"', "Be kind", "{{question}}"]
    assert order("up:2")[0] == ["Be kind", "{{question}}", 'value="history"']
    assert order("remove:1")[0] == ["Be kind", "{{question}}"]
    assert order("add-message")[1].split("</ol>")[0].count("data-row>") == 4
    assert len(order("up:99")[0]) == len(order("remove:x")[0]) == 3
    assert alice.post(url(project, "prompt-create"), sent).status_code == 303
    version = PromptVersion.objects.get()
    assert version.said == [
        {"role": "system", "content": "Be kind"},
        {"type": "placeholder", "name": "history"},
        {"tool_call_id": "c1", "role": "tool", "content": "{{question}}"},
    ]
    wrong = {**sent, "name": "other", "content": ["Be kind", "not a name", "{{question}}"]}
    page = text_of(alice.post(url(project, "prompt-create"), wrong), 422)
    assert "letters, digits and underscores" in page.split('value="not a name"')[1][:400]


def test_references_are_offered(alice, project, scope):
    write(scope, "policy", "x", labels=["production"])
    write(scope, "chatty", CHAT[2:], "chat")
    page = text_of(alice.get(url(project, "prompt-references", reference="POL")))
    assert "@@@langfusePrompt:name=policy|label=production@@@" in page
    assert "@@@langfusePrompt:name=policy|version=1@@@" in page
    assert "chatty" not in text_of(alice.get(url(project, "prompt-references")))


# --- Copies, deleting ------------------------------------------------------------------------------------
def test_duplicate_one_version_or_all(alice, project, scope):
    write(scope, labels=["production"], tags=["film"])
    write(scope, said="Second", labels=["staging"])
    page = text_of(alice.get(url(project, "prompt-duplicate", name="movie-critic", version=2)))
    assert 'value="movie-critic-copy"' in page
    save = url(project, "prompt-duplicate-save")
    alice.post(save, {"name": "movie-critic", "new": "a/one", "what": "one", "version": "2"})
    assert [v.content for v in queries.versions(scope).filter(prompt__name="a/one")] == ["Second"]
    assert labels(scope, "a/one") == {}
    alice.post(save, {"name": "movie-critic", "new": "all", "what": "all"})
    assert labels(scope, "all") == {"production": 1, "staging": 2}
    assert queries.get_prompt(scope, "all").tags == ["film"]
    for name, words in (("all", "There is a prompt called all"), ("new", "address"), ("", "has a name")):
        sent = {"name": "movie-critic", "new": name, "what": "all"}
        assert words in text_of(alice.post(save, sent), 422)


def test_deleting_wants_the_name(alice, project, scope):
    write(scope, labels=["production"])
    write(scope, said="Second")
    confirm = url(project, "prompt-delete-confirm")
    wrong = alice.post(confirm, {"name": "movie-critic", "typed": "movie"})
    assert "not the name" in text_of(wrong, 422)
    assert "production" in text_of(alice.get(url(project, "prompt-delete", name="movie-critic", version=1)))
    alice.post(confirm, {"name": "movie-critic", "version": "1"})
    assert [v.number for v in queries.versions(scope)] == [2]
    alice.post(confirm, {"name": "movie-critic", "typed": "movie-critic"})
    assert not Prompt.objects.exists()


def test_what_others_embed_is_not_deleted(alice, project, scope):
    write(scope, "policy", "x", labels=["production"])
    write(scope, "answer", CHAT, "chat")
    answer = alice.post(url(project, "prompt-delete-confirm"), {"name": "policy", "typed": "policy"})
    assert "Other prompts embed this one: answer" in text_of(answer, 422)


# --- Files -----------------------------------------------------------------------------------------------
def test_what_is_exported_is_imported_elsewhere(alice, charlie, project, scope):
    write(scope, "policy", "Refunds", labels=["production"], tags=["法务"])
    write(scope, "policy", "Refunds later", commit_message="why")
    write(scope, "answer", CHAT, "chat", config={"model": "x"}, labels=["production"])
    answer = alice.get(url(project, "prompt-export"))
    assert "attachment" in answer["Content-Disposition"]
    file = b"".join(answer.streaming_content)
    elsewhere = Project.objects.get(name="Secret")
    page = url(elsewhere, "prompt-import-review")
    review = text_of(charlie.post(page, {"file": SimpleUploadedFile("prompts.json", file)}))
    assert "Write 3 versions" in review
    assert not Prompt.objects.filter(project=elsewhere).exists()
    assert charlie.post(page, {"text": file.decode(), "do": "import"}).status_code == 303
    other = ProjectScope(elsewhere.pk, Role.OWNER)
    assert labels(other, "policy") == {"production": 1}
    assert queries.get_version(other, "answer").said == queries.get_version(scope, "answer").said
    assert queries.get_prompt(other, "policy").tags == ["法务"]
    again = text_of(charlie.post(page, {"text": file.decode()}))
    assert "Write 0 versions" in again
    one = json.loads(b"".join(alice.get(url(project, "prompt-export", name="answer")).streaming_content))
    assert [prompt["name"] for prompt in one["prompts"]] == ["answer"]


def test_answers_of_the_api_are_imported(alice, project, scope):
    shown = [{"name": "a", "type": "text", "version": 2, "prompt": "two", "labels": ["production", "latest"]},
             {"name": "a", "type": "text", "version": 3, "prompt": "three"}]  # fmt: skip
    alice.post(url(project, "prompt-import-review"), {"text": json.dumps({"data": shown}), "do": "import"})
    assert [v.content for v in queries.versions(scope).order_by("number")] == ["two", "three"]
    assert labels(scope, "a") == {"production": 1}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("{]", "no JSON"),
        ("[]", "holds no prompts"),
        ("3", "holds no prompts"),
        ('[{"type": "text"}]', "Prompt 1 has no name"),
        ('[{"name": "a"}]', "has no versions"),
        ('[{"name": "a", "prompt": "x", "tags": [1]}]', "tags are texts"),
        ('[{"name": "a", "prompt": "x", "labels": 3}]', "labels and commitMessage are texts"),
        ('[{"name": "a", "type": "chat", "prompt": "x"}]', "list of messages"),
        ('[{"name": "a", "prompt": "x"}, {"name": "a", "prompt": []}]', "text and chat"),
    ],
)  # fmt: skip
def test_files_that_hold_no_prompts_are_refused(alice, project, text, words):
    for wish in ("", "import"):
        page = text_of(alice.post(url(project, "prompt-import-review"), {"text": text, "do": wish}), 422)
        assert words in page
    assert not Prompt.objects.exists()


def test_import_writes_all_or_nothing(alice, project, scope):
    write(scope, "there", "text")
    rows = [{"name": "fine", "prompt": "x"}, {"name": "there", "prompt": [], "type": "chat"}]
    text = json.dumps(rows)
    review = text_of(alice.post(url(project, "prompt-import-review"), {"text": text}))
    assert "text stays text" in review
    assert "other type" in text_of(
        alice.post(url(project, "prompt-import-review"), {"text": text, "do": "import"}), 422
    )
    lonely = json.dumps(
        [{"name": "fine", "prompt": "x"}, {"name": "b", "prompt": "@@@langfusePrompt:name=q|version=1@@@"}]
    )
    assert "not found" in text_of(
        alice.post(url(project, "prompt-import-review"), {"text": lonely, "do": "import"}), 422
    )
    assert [prompt.name for prompt in Prompt.objects.all()] == ["there"]
    big = SimpleUploadedFile("big.json", b"x" * ((10 << 20) + 1))
    assert "10 MB" in text_of(alice.post(url(project, "prompt-import-review"), {"file": big}), 422)
    latin = SimpleUploadedFile("latin.json", "ü".encode("latin-1"))
    assert "UTF-8" in text_of(alice.post(url(project, "prompt-import-review"), {"file": latin}), 422)


# --- The demo company ---------------------------------------------------------------------------------------
def test_the_demo_company_has_the_prompts_that_its_traces_name(scope):
    for one in PROMPTS:
        fields = {key: one[key] for key in ("config", "labels", "tags")}
        write(scope, one["name"], one["prompt"], one["type"], **fields)
    steps = [step for draft in drafts(60, seed=7, until=datetime.now(UTC)) for step in draft.steps]
    named = {step.prompt for step in steps if step.prompt}
    assert {name for name, _ in named} == {"support-answer", "invoices/extract-fields"}
    for name, number in named:
        assert queries.find_version(scope, name, number=number) is not None


# --- Snippets, finding -----------------------------------------------------------------------------------
def test_snippets_are_programs(scope):
    write(scope, "policy", "x", labels=["production"])
    for version in (
        write(scope, 'a "quoted" 合同', "{{a}} {{b}}"),
        write(scope, "answer", CHAT, "chat", labels=["production"]),
        write(scope, "bare", "nothing"),
    ):
        found = {one.id: one.code for one in snippets.snippets_of(version, "", "https://spanwise.example")}
        tree = ast.parse(found["use-python"])
        called = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        fetched = next(node for node in called if getattr(node.func, "attr", "") == "get_prompt")
        assert fetched.args[0].value == version.prompt.name
        assert f"version: {version.number}" in found["use-javascript"]
        assert json.dumps(version.prompt.name, ensure_ascii=False) in found["use-javascript"]


def test_prompts_are_found_from_everywhere(alice, project, scope):
    write(scope, "support/answer", "x")
    page = text_of(alice.get(reverse("accounts:go", args=[project.pk]), {"q": "ANSW"}))
    assert url(project, "prompt-detail", "support/answer") in page
