"""What people can do with playgrounds: begin, change, name, copy and delete them; and keep tools and schemas."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound, issue
from prompts.models import Playground, PlaygroundItem
from prompts.models.playground import ITEM_NAME_LENGTH, TITLE_LENGTH
from prompts.playground import state as shape
from prompts.playground.state import State
from prompts.queries.playground import get_playground

_LONGEST_SCHEMA = 200_000
_MOST_ITEMS = 500


class Overtaken(Conflict):
    """Somebody else, or another tab, changed the document meanwhile: `revision` is theirs, `by` their name."""

    def __init__(self, revision: int, by: str, at: datetime) -> None:
        super().__init__(_("The playground was changed elsewhere meanwhile."))
        self.revision, self.by, self.at = revision, by, at


def create_playground(scope: ProjectScope, state: State, title: str = "", *, actor: Actor) -> Playground:
    """Raises Forbidden, Invalid for a state that is none, and TooLarge."""
    scope.require(Role.MEMBER)
    state = shape.checked(state)
    document = shape.written(state)
    with transaction.atomic():
        playground = Playground.objects.create(
            project_id=scope.project_id,
            title=_title(title) or _("Playground"),
            document=document,
            models=shape.models_of(state),
            created_by_id=scope.user_id or None,
            updated_by_id=scope.user_id or None,
            updated_at=timezone.now(),
        )
        record(actor, "playground.create", playground, after={"title": playground.title})
    return playground


def duplicate_playground(scope: ProjectScope, playground_id: str, *, actor: Actor) -> Playground:
    """The document as it is now; runs stay where they were made. Raises NotFound, Forbidden."""
    scope.require(Role.MEMBER)
    known = get_playground(scope, playground_id)
    title = _("Copy of %(title)s") % {"title": known.title}
    return create_playground(scope, known.state, title, actor=actor)


def save_state(scope: ProjectScope, playground: Playground, state: Any, revision: int) -> int:
    """The document's new revision. `revision` is the one that the change was made to. Raises Overtaken where there is
    a newer one, Invalid with the paths of what is no state, TooLarge and Forbidden."""
    scope.require(Role.MEMBER)
    checked = shape.checked(state)
    mine = Playground.objects.filter(pk=playground.pk, project_id=scope.project_id, revision=revision)
    changed = mine.update(
        document=shape.written(checked),
        models=shape.models_of(checked),
        revision=revision + 1,
        updated_by_id=scope.user_id or None,
        updated_at=timezone.now(),
    )
    if not changed:
        theirs = get_playground(scope, playground.pk)
        by = theirs.updated_by
        raise Overtaken(theirs.revision, (by.name or by.email) if by else "", theirs.updated_at)
    return revision + 1


def rename_playground(scope: ProjectScope, playground_id: str, title: str, *, actor: Actor) -> Playground:
    """Raises NotFound, Forbidden, and Invalid for an empty title."""
    scope.require(Role.MEMBER)
    wanted = _title(title)
    if not wanted:
        raise Invalid(issues=[issue("title", _("Give it a name."))])
    with transaction.atomic():
        playground = get_playground(scope, playground_id)
        before, playground.title = playground.title, wanted
        playground.save(update_fields=["title"])
        record(actor, "playground.rename", playground, before={"title": before}, after={"title": wanted})
    return playground


def delete_playground(scope: ProjectScope, playground_id: str, *, actor: Actor) -> None:
    """With its runs; what still runs is stopped. Their traces stay. Raises NotFound, Forbidden."""
    scope.require(Role.MEMBER)
    with transaction.atomic():
        playground = get_playground(scope, playground_id)
        record(actor, "playground.delete", playground, before={"title": playground.title})
        playground.delete()


def delete_project_playgrounds(project_id: str) -> None:
    """Of a project that was deleted."""
    Playground.objects.filter(project_id=project_id).delete()
    PlaygroundItem.objects.filter(project_id=project_id).delete()


def _title(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())[:TITLE_LENGTH]


# --- Library ---------------------------------------------------------------------------------------------
def save_tool(scope: ProjectScope, name: str, description: str, parameters: str) -> PlaygroundItem:
    """Replaces the tool of this name. Raises Invalid, Forbidden."""
    return _save_item(scope, PlaygroundItem.Kind.TOOL, name, parameters, description)


def save_schema(scope: ProjectScope, name: str, schema: str) -> PlaygroundItem:
    """Replaces the schema of this name. Raises Invalid, Forbidden."""
    return _save_item(scope, PlaygroundItem.Kind.SCHEMA, name, schema)


def delete_item(scope: ProjectScope, item_id: str) -> None:
    """A tool or a schema of the library. Raises NotFound, Forbidden."""
    scope.require(Role.MEMBER)
    mine = PlaygroundItem.objects.filter(project_id=scope.project_id)
    if "\x00" in item_id or not mine.filter(pk=item_id).delete()[0]:
        raise NotFound(_("There is no such tool or schema."))


def _save_item(
    scope: ProjectScope, kind: PlaygroundItem.Kind, name: str, schema: str, description: str = ""
) -> PlaygroundItem:
    scope.require(Role.MEMBER)
    name = name.strip()
    # PostgreSQL refuses NUL in text.
    if not name or len(name) > ITEM_NAME_LENGTH or not name.isprintable():
        raise Invalid(issues=[issue("name", _("Give it a name, of 200 characters at most."))])
    text = "parameters" if kind is PlaygroundItem.Kind.TOOL else "schema"
    for field, value in ((text, schema), ("description", description)):
        if len(value) > _LONGEST_SCHEMA or "\x00" in value:
            raise Invalid(issues=[issue(field, _("This is too long, or holds the zero character."))])
    mine = PlaygroundItem.objects.filter(project_id=scope.project_id, kind=kind)
    if mine.count() >= _MOST_ITEMS and not mine.filter(name=name).exists():
        raise Invalid(issues=[issue("name", _("The library is full: delete what is not used any more."))])
    given = {"schema": schema, "description": description}
    try:
        with transaction.atomic():
            item, _is_new = mine.update_or_create(
                name=name, defaults=given, create_defaults={"project_id": scope.project_id, "kind": kind, **given}
            )
    except IntegrityError:  # somebody else saved it first
        item = mine.get(name=name)
    return item
