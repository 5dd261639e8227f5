"""Keeping lists under names: for oneself, or for everybody in the project."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor, record
from accounts.roles import Role
from config.errors import Conflict, Forbidden, Invalid
from tracing.models.views import LONGEST_VIEW_NAME, DefaultView, SavedView
from tracing.queries.explorer.nouns import Noun
from tracing.queries.saved_views import get_view

#: what of an address makes a list what it is; the place in it and what is peeked at do not
PARAMETERS = ("q", "range", "from", "to", "environment", "sort", "columns", "rows", "size", "chart")
_LONGEST_QUERY = 8000


def kept_query(text: str) -> str:
    """The part of a query string that a view keeps, in one order, so that two can be compared."""
    given = QueryDict(text.lstrip("?"))
    kept = QueryDict(mutable=True)
    for name in PARAMETERS:
        values = [value.replace("\x00", "") for value in given.getlist(name) if value]
        if values:
            kept.setlist(name, values)
    return kept.urlencode()


def save_view(
    scope: ProjectScope, noun: Noun, *, name: str, query: str, is_shared: bool = False, actor: Actor
) -> SavedView:
    """Anybody keeps views of their own; sharing one takes a member. Raises Invalid, Conflict or Forbidden."""
    _require(scope, is_shared=is_shared)
    view = SavedView(
        project_id=scope.project_id,
        noun=noun.value,
        name=_checked_name(name),
        query=_checked_query(query),
        owner_id=scope.user_id,
        is_shared=is_shared,
    )
    return _kept(view, "view.create", actor)


def update_view(
    scope: ProjectScope,
    view_id: str,
    *,
    name: str | None = None,
    query: str | None = None,
    is_shared: bool | None = None,
    actor: Actor,
) -> SavedView:
    """Changes what is given. Raises NotFound, Invalid, Conflict, or Forbidden for a view that is not one's own."""
    view = get_view(scope, view_id)
    _require_change(scope, view)
    if is_shared is not None and is_shared != view.is_shared:
        _require(scope, is_shared=True)
        view.is_shared = is_shared
        if not is_shared:
            view.owner_id = scope.user_id
    if name is not None:
        view.name = _checked_name(name)
    if query is not None:
        view.query = _checked_query(query)
    return _kept(view, "view.update", actor)


def delete_view(scope: ProjectScope, view_id: str, *, actor: Actor) -> None:
    view = get_view(scope, view_id)
    _require_change(scope, view)
    with transaction.atomic():
        if view.is_shared:
            record(actor, "view.delete", view, before=_said(view))
        view.delete()


def set_default_view(
    scope: ProjectScope, noun: Noun, view_id: str | None, *, for_project: bool = False, actor: Actor
) -> None:
    """What the list opens with, for oneself or for everybody without a choice of their own; None takes it away."""
    if for_project:
        scope.require(Role.MEMBER)
    view = get_view(scope, view_id, noun) if view_id else None
    if view is not None and for_project and not view.is_shared:
        raise Invalid(_("Share the view with the project first: a default that others cannot see helps nobody."))
    user_id = None if for_project else scope.user_id
    with transaction.atomic():
        DefaultView.objects.filter(project_id=scope.project_id, noun=noun.value, user_id=user_id).delete()
        if view is not None:
            DefaultView.objects.create(project_id=scope.project_id, noun=noun.value, user_id=user_id, view=view)
        if for_project and view is not None:
            record(actor, "view.default", view, after=_said(view))


def may_change(scope: ProjectScope, view: SavedView) -> bool:
    return view.owner_id == scope.user_id or (view.is_shared and scope.role.allows(Role.MEMBER))


def _require_change(scope: ProjectScope, view: SavedView) -> None:
    if not may_change(scope, view):
        raise Forbidden(_("This view belongs to somebody else: save it under a name of your own."))


def _require(scope: ProjectScope, *, is_shared: bool) -> None:
    if not scope.user_id:
        raise Forbidden(_("Views belong to people."))
    scope.require(Role.MEMBER if is_shared else Role.VIEWER)


def _checked_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > LONGEST_VIEW_NAME:
        raise Invalid(_("A view's name has 1 to %(most)d characters.") % {"most": LONGEST_VIEW_NAME})
    return name


def _checked_query(text: str) -> str:
    """Whole or not at all: the beginning of a filter is another filter."""
    query = kept_query(text)
    if len(query) > _LONGEST_QUERY:
        raise Invalid(_("This list's filter is too long to be saved."))
    return query


def _kept(view: SavedView, action: str, actor: Actor) -> SavedView:
    try:
        with transaction.atomic():
            view.save()
            if view.is_shared:
                record(actor, action, view, after=_said(view))
    except IntegrityError as error:
        raise Conflict(
            _("There is already a view called “%(name)s”. Choose another name, or update that one.")
            % {"name": view.name}
        ) from error
    return view


def _said(view: SavedView) -> dict[str, object]:
    return {"name": view.name, "list": view.noun, "query": view.query, "is_shared": view.is_shared}
