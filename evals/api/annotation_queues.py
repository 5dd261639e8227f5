"""Annotation queues: the queues, their items, and who is assigned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, Given, PageMeta, Shape, describe, in_path, parameter
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid
from evals.actions import queue_items, queues
from evals.actions.queue_items import LONGEST_ID, Place
from evals.actions.queues import LONGEST_NAME, LONGEST_TEXT, QueueFields
from evals.models import AnnotationQueue, QueueItem, QueueItemStatus, QueueObject
from evals.queries import queues as queries
from tracing.api.params import Params
from tracing.api.present import meta
from tracing.ingest.issues import Issue, check_option, check_text, check_texts, wrong_type

_STATUSES = tuple(QueueItemStatus.values)
_OBJECTS = tuple(QueueObject.values)
_QUEUE = in_path("queue_id", "The id of the annotation queue.")
_ITEM = in_path("item_id", "The id of the item.")


class AnnotationQueueShape(Shape):
    id: str
    name: str
    description: str | None
    scoreConfigIds: list[str]
    createdAt: datetime
    updatedAt: datetime


class AnnotationQueuePage(Shape):
    data: list[AnnotationQueueShape]
    meta: PageMeta


class NewAnnotationQueue(Given):
    name: str
    description: str | None = None
    scoreConfigIds: list[str]


class QueueItemShape(Shape):
    id: str
    queueId: str
    objectId: str
    objectType: QueueObject
    status: QueueItemStatus
    completedAt: datetime | None
    createdAt: datetime
    updatedAt: datetime


class QueueItemPage(Shape):
    data: list[QueueItemShape]
    meta: PageMeta


class NewQueueItem(Given):
    objectId: str
    objectType: QueueObject
    status: QueueItemStatus | None = None


class QueueItemChange(Given):
    status: QueueItemStatus | None = None


class DeletedItem(Shape):
    success: bool
    message: str


class Assignment(Given):
    userId: str


class AssignmentShape(Shape):
    userId: str
    queueId: str
    projectId: str


class DeletedAssignment(Shape):
    success: bool


class AnnotationQueues(PublicView):
    @describe("List annotation queues", query=PAGE, answer=AnnotationQueuePage, text="Newest first.")
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        number = params.page()
        params.check()
        page = queries.list_queues(self.scope, number)
        return Response({"data": [_shown(queue) for queue in page.items], "meta": meta(page)})

    @describe(
        "Create an annotation queue",
        body=NewAnnotationQueue,
        answer=AnnotationQueueShape,
        text="At least one score config; no other queue of the project has the name.",
    )
    def post(self, request: Request) -> Response:
        body = _object(self.body())
        issues: list[Issue] = []
        check_text(body, "name", (), issues, required=True, minimum=1, maximum=LONGEST_NAME)
        check_text(body, "description", (), issues, maximum=LONGEST_TEXT)
        if body.get("scoreConfigIds") is None:
            issues.append(wrong_type("array", None, ("scoreConfigIds",), is_present="scoreConfigIds" in body))
        check_texts(body, "scoreConfigIds", (), issues)
        _refuse(issues)
        fields = QueueFields(body["name"], tuple(body["scoreConfigIds"]), body.get("description") or "")
        try:
            queue = queues.create_queue(self.scope, fields, actor=self.actor)
        except Invalid as refusal:  # clients compare the message, and know no issues of these rules
            raise Invalid(refusal.message) from refusal
        return Response(_shown(queue))


class OneAnnotationQueue(PublicView):
    @describe("Read an annotation queue", query=[_QUEUE], answer=AnnotationQueueShape)
    def get(self, request: Request, queue_id: str) -> Response:
        return Response(_shown(queries.get_queue(self.scope, queue_id)))


class QueueItems(PublicView):
    @describe(
        "List the items of an annotation queue",
        query=[_QUEUE, *PAGE, parameter("status", "Only those that are so far.", choices=_STATUSES)],
        answer=QueueItemPage,
        text="Newest first.",
    )
    def get(self, request: Request, queue_id: str) -> Response:
        params = Params(request.query_params)
        number, status = params.page(), params.choice("status", _STATUSES)
        params.check()
        page = queries.list_items(self.scope, queue_id, number, status=status)
        return Response({"data": [_shown_item(item) for item in page.items], "meta": meta(page)})

    @describe(
        "Add an item to an annotation queue",
        query=[_QUEUE],
        body=NewQueueItem,
        answer=QueueItemShape,
        text="The same object may be in a queue several times.",
    )
    def post(self, request: Request, queue_id: str) -> Response:
        body = _object(self.body())
        issues: list[Issue] = []
        check_text(body, "objectId", (), issues, required=True, minimum=1, maximum=LONGEST_ID)
        check_option(body, "objectType", (), issues, _OBJECTS, required=True)
        check_option(body, "status", (), issues, _STATUSES)
        _refuse(issues)
        place = Place(body["objectType"], body["objectId"])
        status = body.get("status") or QueueItemStatus.PENDING
        item = queue_items.create_item(self.scope, queue_id, place, status=status, actor=self.actor)
        return Response(_shown_item(item))


class OneQueueItem(PublicView):
    @describe("Read an item of an annotation queue", query=[_QUEUE, _ITEM], answer=QueueItemShape)
    def get(self, request: Request, queue_id: str, item_id: str) -> Response:
        return Response(_shown_item(queries.get_item(self.scope, queue_id, item_id)))

    @describe(
        "Complete or reopen an item of an annotation queue",
        query=[_QUEUE, _ITEM],
        body=QueueItemChange,
        answer=QueueItemShape,
        text="`completedAt` is when it was completed last, also when it is pending again.",
    )
    def patch(self, request: Request, queue_id: str, item_id: str) -> Response:
        body = _object(self.body())
        issues: list[Issue] = []
        check_option(body, "status", (), issues, _STATUSES)
        _refuse(issues)
        item = queries.get_item(self.scope, queue_id, item_id)
        if body.get("status"):
            item = queue_items.set_status(self.scope, queue_id, item_id, body["status"], actor=self.actor)
        return Response(_shown_item(item))

    @describe(
        "Remove an item from an annotation queue",
        query=[_QUEUE, _ITEM],
        answer=DeletedItem,
        text="The scores that were given stay.",
    )
    def delete(self, request: Request, queue_id: str, item_id: str) -> Response:
        queue_items.delete_item(self.scope, queue_id, item_id, actor=self.actor)
        return Response({"success": True, "message": "Annotation queue item deleted successfully"})


class QueueAssignments(PublicView):
    @describe(
        "Assign somebody to an annotation queue",
        query=[_QUEUE],
        body=Assignment,
        answer=AssignmentShape,
        text="The person must have access to the project. Who is assigned already stays so.",
    )
    def post(self, request: Request, queue_id: str) -> Response:
        user_id = _user_id(self.body())
        queues.assign(self.scope, queue_id, user_id, actor=self.actor)
        return Response({"userId": user_id, "queueId": queue_id, "projectId": self.scope.project_id})

    @describe("Take somebody off an annotation queue", query=[_QUEUE], body=Assignment, answer=DeletedAssignment)
    def delete(self, request: Request, queue_id: str) -> Response:
        queues.unassign(self.scope, queue_id, _user_id(self.body()), actor=self.actor)
        return Response({"success": True})


def _shown(queue: AnnotationQueue) -> dict[str, Any]:
    return {
        "id": queue.pk,
        "name": queue.name,
        "description": queue.description or None,
        "scoreConfigIds": [row.config_id for row in queue.queue_configs.all()],
        "createdAt": iso(queue.created_at),
        "updatedAt": iso(queue.updated_at),
    }


def _shown_item(item: QueueItem) -> dict[str, Any]:
    return {
        "id": item.pk,
        "queueId": item.queue_id,
        "objectId": item.object_id,
        "objectType": item.object_type,
        "status": item.status,
        "completedAt": iso(item.completed_at) if item.completed_at else None,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
    }


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    return body


def _user_id(body: Any) -> str:
    given = _object(body)
    issues: list[Issue] = []
    check_text(given, "userId", (), issues, required=True, minimum=1)
    _refuse(issues)
    return str(given["userId"])


def _refuse(issues: list[Issue]) -> None:
    if issues:
        raise Invalid(issues=issues)
