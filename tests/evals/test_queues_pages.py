"""Pages of annotation queues: who may do what, what is refused and how it is said, and that nobody judges twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.access import ProjectScope
from accounts.audit import SYSTEM, Actor
from accounts.models import AuditLog
from accounts.roles import Role
from config.errors import Invalid, NotFound
from evals.actions import queue_items, queues
from evals.actions.queue_items import Place
from evals.actions.queues import QueueFields
from evals.actions.score_configs import ScoreConfigFields, create_score_config
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus, ScoreConfig
from evals.queries.queues import LOCK_SECONDS, get_item
from tests.factories import make_project, make_user
from tests.prompts.playground import signed_in
from tests.tracing.page_data import put_trace
from tracing.actions import bulk
from tracing.analytics import store
from tracing.analytics.records import Score
from tracing.analytics.tables import scores
from tracing.models import JobStatus
from tracing.queries.explorer import Noun, Wanted, parse
from tracing.queries.periods import Period
from tracing.queries.selection import RowId, Selection

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime.now(UTC)
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


@pytest.fixture
def dora(workspace):
    """Another member, who judges beside alice."""
    return make_user("dora@example.com", organization=workspace.organization)


@pytest.fixture
def queue(scope):
    ids = tuple(
        create_score_config(scope, fields, actor=SYSTEM).pk
        for fields in (
            ScoreConfigFields("helpful", "NUMERIC", min_value=0, max_value=10),
            ScoreConfigFields(
                "tone", "CATEGORICAL", categories=[{"label": "rude", "value": 0}, {"label": "warm", "value": 1}]
            ),
        )
    )
    return queues.create_queue(scope, QueueFields("Answers", ids, instructions="Be *kind*."), actor=SYSTEM)


def url(name, project, *args, **query):
    return reverse(f"evals:{name}", args=[project.pk, *args], query=query or None)


def trace_of(project, **fields):
    return put_trace(project.pk, {"name": "answer"}, at=NOW - timedelta(minutes=5), **fields)


def add(scope, queue, *places):
    queue_items.add_once(scope, queue.pk, [Place(*one) for one in places], actor=SYSTEM)
    return list(queue.items.order_by("created_at", "id"))


def scores_of(scope, **fields):
    query = store.select(scope, scores)
    for name, value in fields.items():
        query = query.where(scores.c[name] == value)
    return store.records(scope, Score, query, tag="test", is_anew=True)


def item_shown(response):
    """The item that an answer leads to."""
    return response.headers["Location"].split("item=")[1]


def config(name):
    return ScoreConfig.objects.get(name=name)


# --- The ladder -----------------------------------------------------------------------------------------
def test_who_sees_and_who_changes(client, alice, bob, charlie, workspace, scope, queue):
    trace = trace_of(workspace.project)
    [item] = add(scope, queue, ("TRACE", trace.id))
    project = workspace.project
    read = [
        url("queue-list", project),
        url("queue-detail", project, queue.pk),
        url("queue-process", project, queue.pk, item=item.pk),
    ]
    write = [url("queue-new", project), url("queue-edit", project, queue.pk)]
    write.append(url("queue-add", project, kind="TRACE", object=trace.id))
    for address in (*read, *write):
        assert client.get(address).status_code == 302
        assert charlie.get(address).status_code == 404
        assert alice.get(address).status_code == 200
    assert {bob.get(address).status_code for address in read} == {200}
    assert {bob.get(address).status_code for address in write} == {403}
    posts = {
        "queue-create": (),
        "queue-update": (queue.pk,),
        "queue-delete": (queue.pk,),
        "queue-items-act": (queue.pk,),
        "queue-item-add": (queue.pk,),
        "queue-score": (queue.pk,),
        "queue-complete": (queue.pk,),
        "queue-reopen": (queue.pk,),
        "queue-lock": (queue.pk,),
        "queue-add-do": (),
    }
    for name, args in posts.items():
        assert bob.post(url(name, project, *args), {"item": item.pk}).status_code == 403, name
        assert charlie.post(url(name, project, *args), {"item": item.pk}).status_code == 404, name
    item.refresh_from_db()
    assert (item.status, item.locked_by) == (QueueItemStatus.PENDING, workspace.alice)


def test_a_viewer_looks_and_holds_nothing(bob, workspace, scope, queue):
    [item] = add(scope, queue, ("TRACE", trace_of(workspace.project).id))
    answer = bob.get(url("queue-process", workspace.project, queue.pk))
    assert item_shown(answer) == item.pk
    page = bob.get(answer.headers["Location"]).content.decode()
    assert "Members of the project judge here" in page
    assert "Complete and next" not in page
    item.refresh_from_db()
    assert item.locked_by is None


def test_queues_of_another_project_are_not_there(alice, workspace, scope, queue):
    other = make_project()
    foreign = AnnotationQueue.objects.create(project=other, name="Theirs")
    theirs = QueueItem.objects.create(queue=foreign, object_type="TRACE", object_id="t")
    project = workspace.project
    assert alice.get(url("queue-detail", project, foreign.pk)).status_code == 404
    assert alice.get(url("queue-process", project, queue.pk, item=theirs.pk)).status_code == 404
    act = url("queue-items-act", project, queue.pk)
    alice.post(act, {"act": "remove", "item": theirs.pk})
    for name in ("queue-score", "queue-lock", "queue-reopen"):
        assert alice.post(url(name, project, queue.pk), {"item": theirs.pk}).status_code == 404
    # As one that somebody removed meanwhile: it is passed over.
    assert alice.post(url("queue-complete", project, queue.pk), {"item": theirs.pk}).status_code == 303
    theirs.refresh_from_db()
    assert (theirs.status, theirs.locked_by) == ("PENDING", None)
    assert "Theirs" not in alice.get(url("queue-list", project)).content.decode()


# --- The list and the form ------------------------------------------------------------------------------
def test_the_list_says_how_far_each_is_and_puts_mine_first(alice, workspace, scope, queue):
    assert "Make the first queue" in alice.get(url("queue-list", make_other(workspace))).content.decode()
    mine = queues.create_queue(
        scope,
        QueueFields(HOSTILE, (config("tone").pk,), assignee_ids=(workspace.alice.pk,)),
        actor=SYSTEM,
    )
    items = add(scope, mine, *(("TRACE", f"t{number}") for number in range(4)))
    queue_items.set_status(scope, mine.pk, items[0].pk, "COMPLETED", actor=SYSTEM)
    page = alice.get(url("queue-list", workspace.project)).content.decode()
    assert HOSTILE not in page
    assert (
        page.index("Assigned to you") < page.index("&lt;script&gt;") < page.index("All others") < page.index("Answers")
    )
    assert '<progress max="4" value="1"' in page


def make_other(workspace):
    return make_project("Empty", organization=workspace.organization)


def test_a_queue_is_made_changed_and_deleted(alice, workspace, scope, queue):
    project, one = workspace.project, config("tone")
    typed = {"name": " Weekly ", "description": "d", "instructions": "a\r\nb", "configs": [one.pk]}
    answer = alice.post(url("queue-create", project), {**typed, "people": [workspace.bob.pk, "nobody"]})
    made = AnnotationQueue.objects.get(name="Weekly")
    assert answer.headers["Location"] == url("queue-detail", project, made.pk)
    assert queues.fields_of(made) == QueueFields("Weekly", (one.pk,), "d", "a\nb", (workspace.bob.pk,))
    alice.post(url("queue-update", project, made.pk), {**typed, "name": "Daily", "configs": [config("helpful").pk]})
    made.refresh_from_db()
    assert (made.name, [row.config.name for row in made.queue_configs.all()]) == ("Daily", ["helpful"])
    assert not made.assignees.exists()
    add(scope, made, ("TRACE", "t"))
    asked = alice.post(url("queue-delete", project, made.pk)).content.decode()
    assert "It goes with its 1 item." in asked
    alice.post(url("queue-delete", project, made.pk), {"confirmed": "1"})
    assert not AnnotationQueue.objects.filter(pk=made.pk).exists()
    actions = AuditLog.objects.filter(object_id=made.pk).order_by("pk").values_list("action", flat=True)
    assert list(actions) == [f"annotation_queue.{what}" for what in ("create", "update", "add", "delete")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "The name has 1 to 255 characters."),
        ({"name": "Answers"}, "A queue with this name already exists."),
        ({"name": "x" * 256}, "The name has 1 to 255 characters."),
        ({"name": "n"}, "Choose at least one score config."),
        ({"name": "n", "configs": ["nope"]}, "cannot be found"),
        ({"name": "n", "instructions": "x" * 20_001}, "At most 20000 characters."),
        ({"name": "n\x00"}, "NUL"),
    ],
    ids=["none", "taken", "long", "no configs", "unknown config", "instructions", "nul"],
)
def test_what_is_wrong_is_said_in_place_and_what_was_typed_stays(alice, workspace, queue, typed, said):
    answer = alice.post(url("queue-create", workspace.project), {"description": HOSTILE, **typed})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert AnnotationQueue.objects.count() == 1


def test_a_config_that_is_missing_is_made_in_the_form(alice, workspace):
    new = {"config-name": "brief", "config-data_type": "CATEGORICAL", "config-categories": "no, yes"}
    target = url("queue-create", workspace.project)
    page = alice.post(target, {"name": "Weekly", "do": "config", **new}).content.decode()
    made = config("brief")
    assert f'value="{made.pk}" checked' in page
    assert 'value="Weekly"' in page
    wrong = alice.post(target, {"name": "Weekly", "do": "config", **new, "config-categories": ""})
    assert wrong.status_code == 422
    assert "Name the categories" in wrong.content.decode()
    assert not AnnotationQueue.objects.exists()


# --- One queue ------------------------------------------------------------------------------------------
def test_the_queue_shows_its_items_by_status_and_what_they_are(alice, workspace, scope, queue):
    trace = trace_of(workspace.project, name=HOSTILE, session_id="talk")
    add(
        scope,
        queue,
        ("TRACE", trace.id),
        ("OBSERVATION", trace.trace.root_id, trace.id),
        ("SESSION", "talk"),
        ("TRACE", "gone"),
    )
    done = queue.items.get(object_id="talk")
    queue_items.set_status(scope, queue.pk, done.pk, "COMPLETED", actor=SYSTEM)
    address = url("queue-detail", workspace.project, queue.pk)
    page = alice.get(address).content.decode()
    assert HOSTILE not in page
    assert page.count("not in the project") == 1
    assert page.count('name="item"') == 4
    assert alice.get(address, {"status": "COMPLETED"}).content.decode().count('name="item"') == 1
    assert alice.get(address, {"status": "PENDING"}).content.decode().count('name="item"') == 3
    assert alice.get(address, {"status": "nonsense"}).content.decode().count('name="item"') == 4
    assert alice.get(address, {"before": "nonsense"}).status_code == 400


def test_a_long_queue_goes_on_by_key(alice, workspace, scope, queue):
    add(scope, queue, *(("TRACE", f"t{number}") for number in range(51)))
    first = alice.get(url("queue-detail", workspace.project, queue.pk))
    cursor = first.content.decode().split("before=")[1].split('"')[0]
    rest = alice.get(f"{url('queue-detail', workspace.project, queue.pk)}?before={cursor}").content.decode()
    assert (first.content.decode().count('name="item"'), rest.count('name="item"')) == (50, 1)


def test_ticked_items_are_removed_reopened_and_assigned(alice, workspace, scope, queue, dora):
    items = add(scope, queue, *(("TRACE", f"t{number}") for number in range(3)))
    ids = [item.pk for item in items]
    act = url("queue-items-act", workspace.project, queue.pk)
    for item_id in ids[:2]:
        queue_items.set_status(scope, queue.pk, item_id, "COMPLETED", actor=SYSTEM)
    assert alice.post(act, {"act": "remove"}).status_code == 400
    assert alice.post(act, {"act": "burn", "item": ids}).status_code == 400
    assert alice.post(act, {"act": "assign", "item": ids, "person": workspace.bob.pk}).status_code == 400
    back = alice.post(act, {"act": "reopen", "item": ids, "status": "COMPLETED"})
    assert back.headers["Location"].endswith("?status=COMPLETED")
    assert set(queue.items.values_list("status", flat=True)) == {"PENDING"}
    assert queue.items.filter(completed_at=None).count() == 1  # when it was completed last stays known
    alice.post(act, {"act": "assign", "item": ids[:1], "person": dora.pk})
    assert list(queue.items.exclude(assigned_to=None).values_list("pk", "assigned_to")) == [(ids[0], dora.pk)]
    alice.post(act, {"act": "remove", "item": [*ids[:2], "nope\x00", "nope"]})
    assert list(queue.items.values_list("pk", flat=True)) == ids[2:]


def test_one_is_added_by_its_id_once(alice, workspace, scope, queue):
    trace = trace_of(workspace.project, session_id="talk")
    target = url("queue-item-add", workspace.project, queue.pk)
    for kind, object_id in (("TRACE", trace.id), ("OBSERVATION", trace.trace.root_id), ("SESSION", "talk")):
        for _time in range(2):
            assert alice.post(target, {"kind": kind, "object": f" {object_id} "}).status_code == 303
        assert queue.items.filter(object_type=kind, object_id=object_id).count() == 1
    assert queue.items.get(object_type="OBSERVATION").trace_id == trace.id
    for typed in ({"kind": "TRACE", "object": "nope"}, {"kind": "X", "object": "y"}, {"kind": "TRACE", "object": ""}):
        answer = alice.post(target, typed)
        assert (answer.status_code, 'role="alert"' in answer.content.decode()) == (422, True)
    assert queue.items.count() == 3


# --- Judging --------------------------------------------------------------------------------------------
def test_judging_saves_scores_of_the_queue_and_goes_on(alice, workspace, scope, queue):
    traces = [trace_of(workspace.project, name=f"t{number}") for number in range(2)]
    items = add(scope, queue, *(("TRACE", trace.id) for trace in traces))
    project = workspace.project
    first = alice.get(url("queue-process", project, queue.pk))
    assert item_shown(first) == items[0].pk
    page = alice.get(first.headers["Location"]).content.decode()
    assert "<em>kind</em>" in page
    save = url("queue-score", project, queue.pk)
    saved = {"item": items[0].pk, "config": config("helpful").pk}
    refused = alice.post(save, {**saved, "value": "11"}, headers={"HX-Request": "true"})
    assert "Give at most 10." in refused.content.decode()
    alice.post(save, {**saved, "value": "7", "comment": "fine"})
    [score] = scores_of(scope, trace_id=traces[0].id)
    assert (score.value, score.comment, score.queue_id, score.source) == (7.0, "fine", queue.pk, "ANNOTATION")
    assert score.author_user_id == workspace.alice.pk
    complete = url("queue-complete", project, queue.pk)
    # What has no score keeps the item here, and is named.
    blocked = alice.post(complete, {"item": items[0].pk})
    assert "No score yet: tone." in alice.get(blocked.headers["Location"]).content.decode()
    assert get_item(scope, queue.pk, items[0].pk).status == "PENDING"
    alice.post(save, {"item": items[0].pk, "config": config("tone").pk, "value": "warm"})
    done = alice.post(complete, {"item": items[0].pk})
    first_done = get_item(scope, queue.pk, items[0].pk)
    assert (first_done.status, first_done.completed_by) == ("COMPLETED", workspace.alice)
    assert item_shown(alice.get(done.headers["Location"])) == items[1].pk
    last = alice.post(complete, {"item": items[1].pk, "without": "1"})
    assert "All done" in alice.get(last.headers["Location"]).content.decode()
    # To be sent twice changes nothing.
    alice.post(complete, {"item": items[0].pk})
    assert get_item(scope, queue.pk, items[0].pk).completed_at == first_done.completed_at
    assert len(scores_of(scope, queue_id=queue.pk)) == 2


def test_what_one_said_is_changed_and_taken_back_and_never_that_of_others(alice, workspace, scope, queue, dora):
    trace = trace_of(workspace.project)
    [item] = add(scope, queue, ("OBSERVATION", trace.trace.root_id, trace.id))
    project, save = workspace.project, url("queue-score", workspace.project, queue.pk)
    asked = {"item": item.pk, "config": config("tone").pk}
    alice.get(url("queue-process", project, queue.pk, item=item.pk))
    alice.post(save, {**asked, "value": "rude"})
    [of_alice] = scores_of(scope, trace_id=trace.id)
    assert of_alice.observation_id == trace.trace.root_id
    queue_items.release(scope, item)
    other = signed_in(dora)
    # She names the score of alice in her form: her own is made all the same.
    other.post(save, {**asked, "value": "warm", "score": of_alice.id})
    found = {score.author_user_id: score.string_value for score in scores_of(scope, trace_id=trace.id)}
    assert found == {workspace.alice.pk: "rude", dora.pk: "warm"}
    other.post(save, {**asked, "clear": "1", "score": of_alice.id})
    assert [score.id for score in scores_of(scope, trace_id=trace.id)] == [of_alice.id]


def test_what_somebody_judges_is_theirs_until_they_leave(alice, workspace, scope, queue, dora):
    items = add(scope, queue, *(("TRACE", trace_of(workspace.project).id) for _ in range(2)))
    project, other = workspace.project, signed_in(dora)
    assert item_shown(alice.get(url("queue-process", project, queue.pk))) == items[0].pk
    assert item_shown(other.get(url("queue-process", project, queue.pk))) == items[1].pk
    here = url("queue-process", project, queue.pk, item=items[0].pk)
    page = other.get(here).content.decode()
    assert f"{workspace.alice.name or workspace.alice.email} is judging this item now." in page
    assert "Complete and next" not in page
    asked = {"item": items[0].pk, "config": config("tone").pk, "value": "rude"}
    refused = other.post(url("queue-score", project, queue.pk), asked, headers={"HX-Request": "true"})
    assert "Nothing of yours was saved." in refused.content.decode()
    other.post(url("queue-complete", project, queue.pk), {"item": items[0].pk, "without": "1"})
    assert scores_of(scope) == []
    assert get_item(scope, queue.pk, items[0].pk).status == "PENDING"
    # Nobody else is left for a third person.
    third = signed_in(make_user("eve@example.com", organization=workspace.organization))
    assert "Nothing left for you" in third.get(url("queue-process", project, queue.pk)).content.decode()
    # Alice's tab is killed: after the time of the lock it is anybody's.
    lock = url("queue-lock", project, queue.pk)
    assert "HX-Refresh" not in other.post(lock, {"item": items[0].pk, "held": "0"}).headers
    QueueItem.objects.filter(pk=items[0].pk).update(locked_at=timezone.now() - timedelta(seconds=LOCK_SECONDS + 1))
    assert other.post(lock, {"item": items[0].pk, "held": "0"}).headers["HX-Refresh"] == "true"
    assert "Complete and next" in other.get(here).content.decode()
    # Her tab learns of it.
    assert alice.post(lock, {"item": items[0].pk, "held": "1"}).headers["HX-Refresh"] == "true"


def test_no_two_people_get_the_same_item_from_next(workspace, scope, queue, dora):
    items = add(scope, queue, *(("TRACE", f"t{number}") for number in range(6)))
    other = ProjectScope(scope.project_id, Role.MEMBER, user_id=dora.pk)
    taken = []
    for number in range(3):
        for one in (scope, other):
            item = queue_items.take_next(one, queue)
            taken.append(item.pk)
            queue_items.set_status(one, queue.pk, item.pk, "COMPLETED", actor=SYSTEM)
            assert len(taken) == len(set(taken)), number
    assert sorted(taken) == sorted(item.pk for item in items)
    assert queue_items.take_next(scope, queue) is None


def test_what_was_completed_as_it_was_found_is_nobodys_next(scope, queue, monkeypatch):
    items = add(scope, queue, ("TRACE", "t0"), ("TRACE", "t1"))
    first = QuerySet.first

    def found(query):
        item = first(query)
        if item is not None and item.pk == items[0].pk:
            QueueItem.objects.filter(pk=item.pk).update(status="COMPLETED")
        return item

    monkeypatch.setattr(QuerySet, "first", found)
    assert queue_items.take_next(scope, queue).pk == items[1].pk


def test_completing_writes_nothing_but_that(scope, queue, dora, monkeypatch):
    assigned, removed = add(scope, queue, ("TRACE", "t0"), ("TRACE", "t1"))

    def read(*given, **options):
        """Somebody is faster."""
        item = get_item(*given, **options)
        QueueItem.objects.filter(pk=assigned.pk).update(assigned_to=dora)
        QueueItem.objects.filter(pk=removed.pk).delete()
        return item

    monkeypatch.setattr(queue_items, "get_item", read)
    with pytest.raises(DatabaseError):
        queue_items.set_status(scope, queue.pk, removed.pk, "COMPLETED", actor=SYSTEM)
    queue_items.set_status(scope, queue.pk, assigned.pk, "COMPLETED", actor=SYSTEM)
    (left,) = queue.items.all()
    assert (left.pk, left.status, left.assigned_to, left.completed_by_id) == (
        assigned.pk, "COMPLETED", dora, scope.user_id,
    )  # fmt: skip
    assert left.updated_at > assigned.updated_at


def test_who_judges_what_somebody_removed_goes_on(alice, workspace, scope, queue):
    (item,) = add(scope, queue, ("TRACE", trace_of(workspace.project).id))
    address = url("queue-process", workspace.project, queue.pk)
    skipped = alice.get(address, {"after": "gone"})
    assert (skipped.status_code, item_shown(skipped)) == (303, item.pk)
    completed = alice.post(url("queue-complete", workspace.project, queue.pk), {"item": "gone"}, follow=True)
    assert completed.redirect_chain[-1][0].endswith(f"item={item.pk}")
    assert "Somebody removed the item from the queue." in completed.content.decode()
    for refused in (
        alice.get(url("queue-process", workspace.project, "gone"), {"after": item.pk}),
        alice.post(url("queue-complete", workspace.project, "gone"), {"item": item.pk}),
    ):
        assert refused.status_code == 404


def test_skipping_goes_round_and_lets_go(alice, workspace, scope, queue):
    items = add(scope, queue, *(("TRACE", trace_of(workspace.project).id) for _ in range(3)))
    address = url("queue-process", workspace.project, queue.pk)
    seen = [item_shown(alice.get(address))]
    for _time in range(3):
        seen.append(item_shown(alice.get(address, {"after": seen[-1]})))
    assert seen == [items[0].pk, items[1].pk, items[2].pk, items[0].pk]
    assert list(queue.items.exclude(locked_by=None).values_list("pk", flat=True)) == [items[0].pk]


def test_who_goes_back_holds_one_item_only(alice, workspace, scope, queue):
    items = add(scope, queue, *(("TRACE", trace_of(workspace.project).id) for _ in range(3)))
    address = url("queue-process", workspace.project, queue.pk)
    for item in (items[2], items[1], items[0]):
        alice.get(address, {"item": item.pk})
        assert list(queue.items.exclude(locked_by=None).values_list("pk", flat=True)) == [item.pk]


def test_items_of_somebody_else_are_left_to_them(alice, workspace, scope, queue, dora):
    items = add(scope, queue, *(("TRACE", trace_of(workspace.project).id) for _ in range(2)))
    queue_items.assign_items(scope, queue.pk, [items[0].pk], dora.pk, actor=SYSTEM)
    address = url("queue-process", workspace.project, queue.pk)
    assert item_shown(alice.get(address)) == items[1].pk
    assert item_shown(signed_in(dora).get(address)) == items[0].pk


def test_what_is_gone_can_be_removed_and_every_kind_is_shown(alice, workspace, scope, queue):
    trace = trace_of(workspace.project, session_id="talk", input="How much?", output="Nothing.")
    gone = [(kind, "gone") for kind in ("TRACE", "OBSERVATION", "SESSION")]
    there = [("SESSION", "talk"), ("OBSERVATION", trace.trace.root_id), ("TRACE", trace.id)]
    add(scope, queue, *gone, ("OBSERVATION", "gone", trace.id), *there)
    project = workspace.project
    for item in queue.items.all():
        page = alice.get(url("queue-process", project, queue.pk, item=item.pk)).content.decode()
        assert ("This is not in the project" in page) == (item.object_id == "gone"), item
        if item.object_id == "gone":
            alice.post(url("queue-complete", project, queue.pk), {"item": item.pk, "do": "remove"})
    assert set(queue.items.values_list("object_id", flat=True)) == {"talk", trace.trace.root_id, trace.id}
    of_trace = queue.items.get(object_id=trace.id)
    with_tree = alice.get(url("queue-process", project, queue.pk, item=of_trace.pk, tree="1"))
    assert "data-trace-url" in with_tree.content.decode()


# --- Into a queue ---------------------------------------------------------------------------------------
def test_one_thing_goes_into_queues_from_its_page(alice, workspace, scope, queue):
    trace = trace_of(workspace.project, session_id="talk")
    project = workspace.project
    detail = alice.get(reverse("tracing:trace-detail", args=[project.pk, trace.id])).content.decode()
    assert "annotation-queues/add/?kind=TRACE" in detail
    assert "annotation-queues/add/?kind=OBSERVATION" in detail
    session = alice.get(reverse("tracing:session-detail", args=[project.pk, "talk"])).content.decode()
    assert "annotation-queues/add/?kind=SESSION" in session
    asked = {"kind": "OBSERVATION", "object": trace.trace.root_id, "trace": trace.id}
    assert "Answers" in alice.get(url("queue-add", project, **asked)).content.decode()
    do = url("queue-add-do", project)
    assert alice.post(do, asked).status_code == 422
    for _time in range(2):
        answer = alice.post(do, {**asked, "queue": [queue.pk]})
        assert answer.headers["Location"].endswith(f"/traces/{trace.id}/?observation={trace.trace.root_id}")
    assert queue.items.count() == 1
    assert "has it already" in alice.get(url("queue-add", project, **asked)).content.decode()
    assert alice.post(do, {**asked, "queue": ["nope"]}).status_code == 404
    assert alice.post(do, {"kind": "TRACE", "object": "nope", "queue": [queue.pk]}).status_code == 400


def test_rows_of_the_lists_go_into_a_queue_as_a_job(alice, workspace, scope, queue):
    project = workspace.project
    traces = [trace_of(project, name="many", session_id=f"s{number % 2}") for number in range(5)]
    add(scope, queue, ("TRACE", traces[0].id))
    actor = Actor(workspace.alice.pk, "alice")
    everything = Selection.all_of(Wanted(Noun.TRACES, parse("name:many", Noun.TRACES), Period.named("all")))
    job = bulk.start_queueing(scope, everything, queue.pk, actor=actor)
    job.refresh_from_db()
    assert (job.status, job.done, job.failed) == (JobStatus.DONE, 5, 0)
    assert sorted(queue.items.values_list("object_id", flat=True)) == sorted(trace.id for trace in traces)
    chosen = Selection(Noun.OBSERVATIONS, (RowId(traces[0].id, traces[0].trace.root_id),))
    bulk.start_queueing(scope, chosen, queue.pk, actor=actor)
    assert queue.items.get(object_type="OBSERVATION").trace_id == traces[0].id
    bulk.start_queueing(scope, everything, queue.pk, of_sessions=True, actor=actor)
    found = queue.items.filter(object_type="SESSION").values_list("object_id", flat=True)
    assert sorted(found) == ["s0", "s1"]
    with pytest.raises(NotFound):
        bulk.start_queueing(scope, everything, "nope", actor=actor)
    # From the list itself.
    confirm = reverse("tracing:trace-bulk-confirm", args=[project.pk])
    page = alice.post(confirm, {"act": "queue", "ids": traces[0].id}).content.decode()
    assert f'<option value="{queue.pk}">Answers' in page
    do = reverse("tracing:trace-bulk", args=[project.pk])
    queue.items.all().delete()
    alice.post(do, {"act": "queue", "ids": traces[0].id, "queue": queue.pk})
    assert list(queue.items.values_list("object_id", flat=True)) == [traces[0].id]


def test_ticked_sessions_go_into_a_queue(alice, bob, workspace, queue):
    project = workspace.project
    for name in ("talk/1 ü", "talk-2", "talk-3"):
        trace_of(project, session_id=name)
    listed = reverse("tracing:session-list", args=[project.pk])
    assert 'id="selection"' in alice.get(listed, {"range": "all"}).content.decode()
    assert 'id="selection"' not in bob.get(listed, {"range": "all"}).content.decode()
    confirm = reverse("tracing:session-bulk-confirm", args=[project.pk])
    said = {"act": "queue", "ids": "talk%2F1%20%C3%BC talk-2", "query": "?range=all"}
    page = alice.post(confirm, said).content.decode()
    assert "Add 2 sessions to a queue" in page
    assert 'name="what"' not in page
    do = reverse("tracing:session-bulk", args=[project.pk])
    for _time in range(2):
        answer = alice.post(do, {**said, "queue": queue.pk})
        assert answer.headers["Location"] == f"{listed}?range=all"
    found = queue.items.values_list("object_type", "object_id")
    assert sorted(found) == [("SESSION", "talk-2"), ("SESSION", "talk/1 ü")]
    # Nothing else is done to sessions in this way, and never to all that match.
    for wrong in ({"act": "delete"}, {"ids": "", "all": "1"}):
        for step in (confirm, do):
            assert alice.post(step, {**said, "queue": queue.pk, **wrong}).status_code == 400
    assert queue.items.count() == 2


def test_an_id_that_cannot_be_kept_is_refused(scope, queue):
    for ids in (("",), ("x" * 256,), ("a\x00",), ("a", "x" * 256), ("a", "\x00")):
        with pytest.raises(Invalid):
            queue_items.add_once(scope, queue.pk, [Place("OBSERVATION", *ids)], actor=SYSTEM)


def test_a_row_whose_id_is_too_long_keeps_no_other_out(alice, workspace, scope, queue):
    project = workspace.project
    short, long = trace_of(project), trace_of(project, id="x" * 300)
    rows = tuple(RowId(one.id, one.trace.root_id) for one in (long, short))
    actor = Actor(workspace.alice.pk, "alice")
    job = bulk.start_queueing(scope, Selection(Noun.OBSERVATIONS, rows), queue.pk, actor=actor)
    job.refresh_from_db()
    assert job.status == JobStatus.DONE
    assert list(queue.items.values_list("trace_id", flat=True)) == [short.id]
    said = {"kind": "OBSERVATION", "object": long.trace.root_id, "trace": long.id, "queue": queue.pk}
    assert alice.post(url("queue-add-do", project), said).status_code == 400


def test_observations_are_those_of_their_traces(alice, workspace, scope, queue):
    for name in ("first", "second"):
        trace_of(workspace.project, id=name, root={"id": "same", "name": f"asked by {name}"})
    add(scope, queue, ("OBSERVATION", "same", "first"), ("OBSERVATION", "same", "second"))
    page = alice.get(url("queue-detail", workspace.project, queue.pk)).content.decode()
    assert ("asked by first" in page, "asked by second" in page) == (True, True)


def test_a_number_comes_back_with_all_its_digits(alice, workspace, scope):
    create_score_config(scope, ScoreConfigFields("count", "NUMERIC"), actor=SYSTEM)
    trace = trace_of(workspace.project)
    about = {"trace": trace.id, "config": config("count").pk}
    for value in ("1234567", "0.123456789012"):
        alice.post(url("annotate-save", workspace.project), {**about, "value": value})
        page = alice.get(url("annotate", workspace.project), {"trace": trace.id}).content.decode()
        assert f'value="{value}"' in page
