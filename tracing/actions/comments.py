"""Remarking on traces, observations, sessions and prompts."""

from __future__ import annotations

import re

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.models import Membership
from accounts.queries import list_project_members
from accounts.roles import Role
from config.errors import Forbidden, Invalid, NotFound
from tracing.models.comments import LONGEST_COMMENT, Comment, CommentMention, CommentReaction
from tracing.queries.comments import MENTION, get_comment, is_there

#: what may stand under a comment
SIGNS = ("👍", "👎", "❤️", "🎉", "👀", "🚀")
#: how a member is called while a comment is written: by the address, which is theirs alone
_ADDRESS = re.compile(r"(?<![\w@.])@([\w.+-]+@[\w-]+(?:\.[\w-]+)*)")


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
        _keep_mentions(scope, comment)
        record(actor, "comment.create", comment, after={"object_type": object_type, "object_id": object_id})
    return comment


def write_comment(scope: ProjectScope, *, object_type: str, object_id: str, text: str, actor: Actor) -> Comment:
    """A comment as a person writes it on a page: members are called by `@` and their address.

    Raises Invalid for nothing or too much, NotFound when there is no such object.
    """
    content = _checked(with_mentions(scope, text))
    return create_comment(
        scope, object_type=object_type, object_id=object_id, content=content, author_id=scope.user_id, actor=actor
    )


def edit_comment(scope: ProjectScope, comment_id: str, *, text: str, actor: Actor) -> Comment:
    """Raises Forbidden for the comments of others, Invalid for nothing or too much, NotFound."""
    scope.require(Role.MEMBER)
    comment = get_comment(scope, comment_id)
    if not is_own(scope, comment):
        raise Forbidden(_("Only who wrote a comment can change it."))
    before, content = comment.content, _checked(with_mentions(scope, text))
    if content == before:
        return comment
    with transaction.atomic():
        comment.content = content
        comment.save(update_fields=["content", "updated_at"])
        _keep_mentions(scope, comment)
        record(actor, "comment.update", comment, before={"content": before}, after={"content": content})
    return comment


def delete_comment(scope: ProjectScope, comment_id: str, *, actor: Actor) -> Comment:
    """One's own, or anybody's for admins. Raises Forbidden and NotFound. Returns what was deleted."""
    scope.require(Role.MEMBER)
    comment = get_comment(scope, comment_id)
    if not may_delete(scope, comment):
        raise Forbidden(_("Only who wrote a comment, or an admin, can delete it."))
    with transaction.atomic():
        record(actor, "comment.delete", comment, before={"content": comment.content})
        Comment.objects.filter(pk=comment.pk).delete()
    return comment


def react(scope: ProjectScope, comment_id: str, sign: str) -> Comment:
    """Puts this person's sign under a comment, or takes it away again. Raises Invalid for other signs, NotFound."""
    scope.require(Role.MEMBER)
    comment = get_comment(scope, comment_id)
    if sign not in SIGNS:
        raise Invalid(_("That sign cannot stand under a comment."))
    _reaction, is_new = CommentReaction.objects.get_or_create(comment=comment, user_id=scope.user_id, sign=sign)
    if not is_new:
        _reaction.delete()
    return comment


def is_own(scope: ProjectScope, comment: Comment) -> bool:
    return bool(scope.user_id) and comment.author_id == scope.user_id


def may_delete(scope: ProjectScope, comment: Comment) -> bool:
    return is_own(scope, comment) or scope.role.allows(Role.ADMIN)


def with_mentions(scope: ProjectScope, text: str) -> str:
    """`@alice@example.com` as it is stored, `@[Alice](user:id)`: people keep their ids when they change their address.

    Addresses of nobody in the project stay as they are.
    """
    members = {member.email: member for member in list_project_members(scope) if member.role is not Role.NONE}

    def stored(match: re.Match[str]) -> str:
        member = members.get(match[1].lower())
        if member is None:
            return match[0]
        return f"@[{_plain_name(member.name or member.email)}](user:{member.user_id})"

    return _ADDRESS.sub(stored, text)


def _plain_name(name: str) -> str:
    return re.sub(r"[\[\]()]", "", name)


def _checked(content: str) -> str:
    content = content.replace("\x00", "").strip()
    if not content:
        raise Invalid(_("Write something first."))
    if len(content) > LONGEST_COMMENT:
        raise Invalid(_("A comment has %(most)d characters at most.") % {"most": LONGEST_COMMENT})
    return content


def _keep_mentions(scope: ProjectScope, comment: Comment) -> None:
    named = {match[2] for match in MENTION.finditer(comment.content)}
    known = {one.user_id for one in list_project_members(scope) if one.role is not Role.NONE} if named else set()
    comment.mentions.exclude(user_id__in=named).delete()
    CommentMention.objects.bulk_create(
        [CommentMention(comment=comment, user_id=user_id) for user_id in named & known], ignore_conflicts=True
    )


def _is_member(scope: ProjectScope, user_id: str) -> bool:
    return Membership.objects.filter(organization__projects=scope.project_id, user_id=user_id).exists()
