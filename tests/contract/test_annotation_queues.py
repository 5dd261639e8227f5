"""Annotation queues: made, filled, judged, assigned, and whose they are."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from accounts import signals
from accounts.models import AuditLog
from accounts.roles import Role
from evals.models import AnnotationQueue, QueueAssignee, QueueItem
from tests.contract.harness import Case, check
from tests.factories import make_project, make_user
from tests.tracing.api_data import make_api
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

INVALID = "Invalid request data"
NO_QUEUE = {"message": "Annotation queue not found", "error": "LangfuseNotFoundError"}
NO_ITEM = {"message": "Annotation queue item not found", "error": "LangfuseNotFoundError"}
NO_USER = {"message": "User not found or not authorized for this project", "error": "LangfuseNotFoundError"}
STATUS_OPTION = 'Invalid option: expected one of "PENDING"|"COMPLETED"'


@pytest.fixture
def api():
    return make_api()


def refusal(message):
    return {"message": message, "error": "InvalidRequestError"}


def wrong(*issues):
    return {"message": INVALID, "error": list(issues)}


def wrong_type(expected, received, *path):
    message = f"Invalid input: expected {expected}, received {received}"
    return {"expected": expected, "code": "invalid_type", "path": list(path), "message": message}


def make_config(api, name="quality"):
    response = api("POST", "score-configs", {"name": name, "dataType": "BOOLEAN"})
    assert response.status_code == 200, response.content
    return response.json()["id"]


def queue_of(api, name="Answers", **more):
    body = {"name": name, "scoreConfigIds": [make_config(api)], **more}
    response = api("POST", "annotation-queues", body)
    assert response.status_code == 200, response.content
    return response.json()


def add(api, queue, object_id="t1", object_type="TRACE", **more):
    body = {"objectId": object_id, "objectType": object_type, **more}
    response = api("POST", f"annotation-queues/{queue['id']}/items", body)
    assert response.status_code == 200, response.content
    return response.json()


def test_a_queue_is_made_and_read_back(api):
    configs = [make_config(api, name) for name in ("tone", "correct")]
    body = {"name": "客服 answers", "description": "Daily", "scoreConfigIds": [configs[1], configs[0], configs[1]]}
    shown = {
        "id": ANY,
        "name": "客服 answers",
        "description": "Daily",
        "scoreConfigIds": [configs[1], configs[0]],
        "createdAt": ANY,
        "updatedAt": ANY,
    }
    made = check(api, Case("made", "POST annotation-queues", 200, shown, body=body))
    check(api, Case("read", f"GET annotation-queues/{made['id']}", 200, made))
    entry = AuditLog.objects.get(action="annotation_queue.create")
    assert (entry.project_id, entry.object_id, entry.after["name"]) == (api.project_id, made["id"], "客服 answers")


def test_the_list_is_newest_first_in_pages(api):
    made = [queue_of(api, name) for name in ("one", "two", "three")]
    listed = {"data": [made[2], made[1]], "meta": {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}}
    check(api, Case("first", "GET annotation-queues", 200, listed, params={"limit": 2}))
    assert api.ids("annotation-queues", limit=2, page=2) == [made[0]["id"]]
    assert api("GET", "annotation-queues", limit=101).status_code == 400


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ([], wrong(wrong_type("object", "array"))),
        ({"scoreConfigIds": ["x"]}, wrong(wrong_type("string", "undefined", "name"))),
        ({"name": 3, "scoreConfigIds": ["x"]}, wrong(wrong_type("string", "number", "name"))),
        ({"name": "a"}, wrong(wrong_type("array", "undefined", "scoreConfigIds"))),
        ({"name": "a", "scoreConfigIds": "x"}, wrong(wrong_type("array", "string", "scoreConfigIds"))),
        ({"name": "a", "scoreConfigIds": [1]}, wrong(wrong_type("string", "number", "scoreConfigIds", 0))),
        ({"name": "a", "scoreConfigIds": []}, refusal("Choose at least one score config.")),
        ({"name": "  ", "scoreConfigIds": ["x"]}, refusal("The name has 1 to 255 characters.")),
        (
            {"name": "a", "scoreConfigIds": ["x"]},
            refusal("At least one of the score config IDs cannot be found for the project."),
        ),
    ],
    ids=["no object", "no name", "name", "no configs", "configs", "config", "empty", "blank", "unknown config"],
)
def test_what_is_no_queue_is_refused(api, body, answer):
    check(api, Case("refused", "POST annotation-queues", 400, answer, body=body))
    assert not AnnotationQueue.objects.filter(project_id=api.project_id).exists()


def test_a_name_is_taken_once_in_a_project(api):
    first, other = queue_of(api), make_api()
    answer = refusal("A queue with this name already exists.")
    body = {"name": " Answers ", "scoreConfigIds": first["scoreConfigIds"]}
    check(api, Case("taken", "POST annotation-queues", 400, answer, body=body))
    assert queue_of(other)["name"] == "Answers"


def test_configs_of_other_projects_and_archived_ones_are_refused(api):
    foreign = make_config(make_api())
    own = make_config(api)
    api("PATCH", f"score-configs/{own}", {"isArchived": True})
    for config, message in (
        (foreign, "At least one of the score config IDs cannot be found for the project."),
        (own, "An archived score config takes no scores."),
    ):
        body = {"name": "a", "scoreConfigIds": [config]}
        check(api, Case("refused", "POST annotation-queues", 400, refusal(message), body=body))


def test_items_come_and_go(api):
    queue = queue_of(api)
    shown = {
        "id": ANY,
        "queueId": queue["id"],
        "objectId": "trace/ü 1",
        "objectType": "TRACE",
        "status": "PENDING",
        "completedAt": None,
        "createdAt": ANY,
        "updatedAt": ANY,
    }
    path = f"annotation-queues/{queue['id']}/items"
    body = {"objectId": "trace/ü 1", "objectType": "TRACE", "status": None}
    made = check(api, Case("added", f"POST {path}", 200, shown, body=body))
    again = check(api, Case("added twice", f"POST {path}", 200, shown, body=body))
    assert again["id"] != made["id"]
    done = add(api, queue, "o1", "OBSERVATION", status="COMPLETED")
    assert (done["status"], done["completedAt"]) == ("COMPLETED", ANY)
    assert done["completedAt"] is not None
    assert api.ids(path) == [done["id"], again["id"], made["id"]]
    assert api.ids(f"{path}?status=PENDING") == [again["id"], made["id"]]
    assert api.ids(f"{path}?status=COMPLETED&limit=1") == [done["id"]]
    assert api.get(path, limit=2)["meta"] == {"page": 1, "limit": 2, "totalItems": 3, "totalPages": 2}
    check(api, Case("read", f"GET {path}/{made['id']}", 200, made))
    gone = {"success": True, "message": "Annotation queue item deleted successfully"}
    check(api, Case("deleted", f"DELETE {path}/{made['id']}", 200, gone))
    check(api, Case("gone", f"GET {path}/{made['id']}", 404, NO_ITEM))
    check(api, Case("gone twice", f"DELETE {path}/{made['id']}", 404, NO_ITEM))


def test_an_item_is_completed_and_reopened(api):
    queue = queue_of(api)
    item = add(api, queue)
    path = f"annotation-queues/{queue['id']}/items/{item['id']}"
    done = check(
        api,
        Case(
            "completed",
            f"PATCH {path}",
            200,
            {**item, "status": "COMPLETED", "completedAt": ANY, "updatedAt": ANY},
            body={"status": "COMPLETED"},
        ),
    )
    assert done["completedAt"] is not None
    # When it was completed last stays known, as clients of the original see it.
    reopened = {**done, "status": "PENDING", "updatedAt": ANY}
    check(api, Case("reopened", f"PATCH {path}", 200, reopened, body={"status": "PENDING"}))
    assert api("PATCH", path, {}).json()["status"] == "PENDING"
    issue = {"code": "invalid_value", "values": ["PENDING", "COMPLETED"], "path": ["status"], "message": STATUS_OPTION}
    check(api, Case("no status", f"PATCH {path}", 400, wrong(issue), body={"status": "DONE"}))


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"objectType": "TRACE"}, [["objectId"]]),
        ({"objectId": "", "objectType": "TRACE"}, [["objectId"]]),
        ({"objectId": "x" * 256, "objectType": "TRACE"}, [["objectId"]]),
        ({"objectId": "x"}, [["objectType"]]),
        ({"objectId": "x", "objectType": "trace"}, [["objectType"]]),
        ({"objectId": "x", "objectType": "TRACE", "status": "open"}, [["status"]]),
        ({}, [["objectId"], ["objectType"]]),
    ],
)
def test_what_is_no_item_is_refused(api, body, paths):
    queue = queue_of(api)
    answer = {"message": INVALID, "error": ANY}
    got = check(api, Case("refused", f"POST annotation-queues/{queue['id']}/items", 400, answer, body=body))
    assert [issue["path"] for issue in got["error"]] == paths
    assert not QueueItem.objects.filter(queue=queue["id"]).exists()


def test_people_are_assigned_and_taken_off(api):
    queue = queue_of(api)
    path = f"annotation-queues/{queue['id']}/assignments"
    member = make_user("anna@example.com", organization=api.organization, role=Role.VIEWER)
    stranger = make_user("nobody@example.com")
    assigned = {"userId": member.pk, "queueId": queue["id"], "projectId": api.project_id}
    for name in ("assigned", "again"):
        check(api, Case(name, f"POST {path}", 200, assigned, body={"userId": member.pk}))
    assert QueueAssignee.objects.filter(queue=queue["id"]).count() == 1
    for user_id in (stranger.pk, "nobody"):
        check(api, Case("stranger", f"POST {path}", 404, NO_USER, body={"userId": user_id}))
    for name in ("off", "off twice"):
        check(api, Case(name, f"DELETE {path}", 200, {"success": True}, body={"userId": member.pk}))
    assert not QueueAssignee.objects.filter(queue=queue["id"]).exists()
    missing = wrong(wrong_type("string", "undefined", "userId"))
    check(api, Case("nobody named", f"POST {path}", 400, missing, body={}))


def test_queues_of_other_projects_are_not_there(api):
    other = make_api()
    queue = queue_of(other)
    item = add(other, queue)
    path = f"annotation-queues/{queue['id']}"
    body = {"objectId": "x", "objectType": "TRACE", "status": "PENDING", "userId": "u"}
    for request in (
        f"GET {path}",
        f"GET {path}/items",
        f"POST {path}/items",
        f"GET {path}/items/{item['id']}",
        f"PATCH {path}/items/{item['id']}",
        f"DELETE {path}/items/{item['id']}",
        f"POST {path}/assignments",
        f"DELETE {path}/assignments",
    ):
        check(api, Case(request, request, 404, NO_QUEUE, body=None if request.startswith("GET") else body))
    own = queue_of(api)
    check(api, Case("item of another", f"GET annotation-queues/{own['id']}/items/{item['id']}", 404, NO_ITEM))
    assert api.ids("annotation-queues") == [own["id"]]
    assert other.ids(f"{path}/items") == [item["id"]]


def test_queues_go_with_their_project(api):
    stays = make_api()
    for one in (api, stays):
        add(one, queue_of(one))
    signals.project_deleted.send(make_project, project_id=api.project_id)
    assert not AnnotationQueue.objects.filter(project_id=api.project_id).exists()
    assert QueueItem.objects.filter(queue__project_id=stays.project_id).count() == 1
