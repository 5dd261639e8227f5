"""Comments: list, create, read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.describe import PAGE, Given, PageMeta, Shape, describe, in_path, parameter
from config.api.values import iso
from config.api.views import PublicView
from config.errors import Invalid
from tracing import actions
from tracing.api import present
from tracing.api.params import Params
from tracing.ingest.issues import Issue, check_option, check_text, wrong_type
from tracing.models.comments import LONGEST_COMMENT, LONGEST_OBJECT_ID, Comment, CommentObjectType
from tracing.queries import comments

_TYPES = tuple(CommentObjectType.values)
_FIELDS = ("projectId", "objectType", "objectId", "content", "authorUserId")
_FILTERS = (
    parameter("objectType", "Only on objects of this type.", choices=_TYPES),
    parameter("objectId", "Only on this object. Needs objectType."),
    parameter("authorUserId", "Only by this person."),
)


class CommentShape(Shape):
    id: str
    projectId: str
    createdAt: datetime
    updatedAt: datetime
    objectType: CommentObjectType
    objectId: str
    content: str
    authorUserId: str | None


class CommentPage(Shape):
    data: list[CommentShape]
    meta: PageMeta


class CreatedComment(Shape):
    id: str


class NewComment(Given):
    """`content` has 1 to 5000 characters without the blanks around them."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    projectId: str
    objectType: CommentObjectType
    objectId: str
    content: str
    authorUserId: str | None = None


class Comments(PublicView):
    @describe(
        "List comments",
        query=[*PAGE, *_FILTERS],
        answer=CommentPage,
        text="Newest first. Parameters that are not known are refused.",
    )
    def get(self, request: Request) -> Response:
        params = Params(request.query_params)
        params.only(("page", "limit", *(one.name for one in _FILTERS)))
        number, object_type = params.page(), params.choice("objectType", _TYPES)
        object_id, author_id = params.text("objectId"), params.text("authorUserId")
        if object_id and not object_type:
            params.refuse("objectId", "objectId needs objectType")
        params.check()
        page = comments.list_comments(
            self.scope, number, object_type=object_type, object_id=object_id, author_id=author_id
        )
        return Response({"data": [_shown(comment) for comment in page.items], "meta": present.meta(page)})

    @describe(
        "Create a comment",
        body=NewComment,
        answer=CreatedComment,
        text="On a trace, an observation, a session, or a version of a prompt. It goes into the project of the key, "
        "whatever `projectId` says. `authorUserId` must be a member of the organization.",
    )
    def post(self, request: Request) -> Response:
        body = _checked(self.body())
        comment = actions.create_comment(
            self.scope,
            object_type=body["objectType"],
            object_id=body["objectId"],
            content=body["content"].strip(),
            author_id=body.get("authorUserId") or "",
            actor=self.actor,
        )
        return Response({"id": comment.id})


class OneComment(PublicView):
    @describe("Read a comment", query=[in_path("comment_id", "The id of the comment.")], answer=CommentShape)
    def get(self, request: Request, comment_id: str) -> Response:
        return Response(_shown(comments.get_comment(self.scope, comment_id)))


def _shown(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "projectId": comment.project_id,
        "createdAt": iso(comment.created_at),
        "updatedAt": iso(comment.updated_at),
        "objectType": comment.object_type,
        "objectId": comment.object_id,
        "content": comment.content,
        "authorUserId": comment.author_id,
    }


def _checked(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(issues=[wrong_type("object", body, ())])
    issues: list[Issue] = []
    check_text(body, "projectId", (), issues, required=True)
    check_option(body, "objectType", (), issues, _TYPES, required=True)
    check_text(body, "objectId", (), issues, required=True, minimum=1, maximum=LONGEST_OBJECT_ID)
    content = body.get("content")
    trimmed = {**body, "content": content.strip()} if isinstance(content, str) else body
    check_text(trimmed, "content", (), issues, required=True, minimum=1, maximum=LONGEST_COMMENT)
    check_text(body, "authorUserId", (), issues)
    if unknown := sorted(set(body) - set(_FIELDS)):
        names = ", ".join(f'"{name}"' for name in unknown)
        message = f"Unrecognized key{'s' * (len(unknown) > 1)}: {names}"
        issues.append({"code": "unrecognized_keys", "keys": unknown, "path": (), "message": message})
    if issues:
        raise Invalid(issues=issues)
    return body
