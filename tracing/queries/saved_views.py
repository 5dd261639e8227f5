"""Saved views: those a person sees, the one an address names, the one a list opens with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from accounts.access import ProjectScope
from config.errors import NotFound
from tracing.models.views import DefaultView, SavedView
from tracing.queries.explorer.nouns import Noun


@dataclass(frozen=True, slots=True)
class ViewChoice:
    """A view in the menu."""

    view: SavedView
    is_mine: bool
    is_my_default: bool
    is_project_default: bool


def list_views(scope: ProjectScope, noun: Noun) -> list[ViewChoice]:
    """The person's own and those shared with the project, by name."""
    defaults = DefaultView.objects.filter(project_id=scope.project_id, noun=noun.value)
    of_user: set[uuid.UUID] = set()
    of_project: set[uuid.UUID] = set()
    for default in defaults.filter(Q(user_id=scope.user_id) | Q(user=None)):
        (of_user if default.user_id else of_project).add(default.view_id)
    return [
        ViewChoice(view, view.owner_id == scope.user_id, view.pk in of_user, view.pk in of_project)
        for view in _seen_by(scope).filter(noun=noun.value)
    ]


def get_view(scope: ProjectScope, view_id: str, noun: Noun | None = None) -> SavedView:
    """Raises NotFound, also for other people's own ones."""
    found = _seen_by(scope).filter(pk=view_id).first() if _is_id(view_id) else None
    if found is None or (noun is not None and found.noun != noun.value):
        raise NotFound("There is no such view.")
    return found


def default_view(scope: ProjectScope, noun: Noun) -> SavedView | None:
    """The person's, else the project's. One that is not shared any more counts for nobody but its owner."""
    defaults = DefaultView.objects.filter(project_id=scope.project_id, noun=noun.value).select_related("view")
    found = list(defaults.filter(Q(user_id=scope.user_id) | Q(user=None)))
    for default in sorted(found, key=lambda one: one.user_id is None):
        if default.view.is_shared or default.view.owner_id == scope.user_id:
            return default.view
    return None


def _seen_by(scope: ProjectScope) -> QuerySet[SavedView]:
    mine = SavedView.objects.filter(project_id=scope.project_id)
    return mine.filter(Q(is_shared=True) | Q(owner_id=scope.user_id)) if scope.user_id else mine.filter(is_shared=True)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
