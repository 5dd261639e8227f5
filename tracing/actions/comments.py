"""Remarking on traces, observations, sessions and prompts."""

from __future__ import annotations

from django.db import transaction

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Membership
from accounts.roles import Role
from config.errors import Invalid, NotFound
from tracing.models.comments import Comment
from tracing.queries.comments import is_there


def create_comment(
    scope: ProjectScope, *, object_type: str, object_id: str, content: str, author_id: str = "", actor: Actor
) -> Comment:
    """Raises Invalid when the author is no member of the organization, NotFound when there is no such object."""
    scope.require(Role.MEMBER)
    if author_id and not _is_member(scope, author_id):
        raise Invalid("The author of a comment must be a member of the project's organization.")
    if not is_there(scope, object_type, object_id):
        raise NotFound(f"Reference object, {object_type}: {object_id} not found. Skipping comment creation.")
    with transaction.atomic():
        comment = Comment.objects.create(
            project_id=scope.project_id,
            object_type=object_type,
            object_id=object_id,
            content=content,
            author_id=author_id or None,
        )
        record(actor, "comment.create", comment, after={"object_type": object_type, "object_id": object_id})
    return comment


def _is_member(scope: ProjectScope, user_id: str) -> bool:
    return Membership.objects.filter(organization__projects=scope.project_id, user_id=user_id).exists()
