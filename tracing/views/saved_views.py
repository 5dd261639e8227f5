"""Saved views: the menu of a list, what an address with a view opens, and the forms that keep and change views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.access import ProjectScope
from accounts.audit import Actor
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound
from tracing.actions import saved_views as actions
from tracing.models.views import SavedView
from tracing.queries.explorer.nouns import Noun
from tracing.queries.saved_views import ViewChoice, default_view, get_view, list_views
from tracing.views.lists import columns
from tracing.views.lists.addresses import list_url, posted_from_list

#: an address that wants the list itself, whatever the default view
NONE = "none"
#: parameters that say nothing of what the list is to show
_BESIDE_A_VIEW = ("environment", "view", "peek", "observation")
_ASIDE = (*_BESIDE_A_VIEW, "columns", "rows", "size")


def opened_by_address(request: HttpRequest, scope: ProjectScope, noun: Noun) -> str | None:
    """The query string of the view that an address names (`?view=<id>` alone), or of the default one for an address
    that says nothing; None for one that says itself what it shows."""
    named = request.GET.get("view", "")
    aside = _BESIDE_A_VIEW if named else _ASIDE
    said = [name for name, values in request.GET.lists() if name not in aside and any(values)]
    if said or named == NONE:
        return None
    view = get_view(scope, named, noun) if named else default_view(scope, noun)
    if view is None or not view.query:
        return None
    opening = _opening(request, view, noun)
    return None if QueryDict(opening) == request.GET else opening


def _opening(request: HttpRequest, view: SavedView, noun: Noun) -> str:
    query = QueryDict(view.query, mutable=True)
    gone = _gone_columns(query, noun)
    if gone:
        names = ", ".join(gone)
        messages.warning(request, _("Columns of this view that there are no more: %(names)s.") % {"names": names})
    for name in ("peek", "observation"):
        if request.GET.get(name):
            query[name] = request.GET[name]
    query["view"] = str(view.pk)
    return query.urlencode()


def _gone_columns(query: QueryDict, noun: Noun) -> list[str]:
    known = columns.known_columns(noun)
    chosen = columns.chosen_ids(query)
    gone = [one for one in chosen if one not in known and not one.startswith((columns.SCORES, "metadata."))]
    if gone:
        query["columns"] = columns.written(one for one in chosen if one not in gone)
    return gone


class ViewsMenu:
    """Read only where it is shown."""

    def __init__(self, request: HttpRequest, scope: ProjectScope, noun: Noun) -> None:
        self._request, self._scope, self._noun = request, scope, noun

    @property
    def url(self) -> str:
        return list_url(self._scope, self._noun)

    @property
    def change_url(self) -> str:
        name = "trace" if self._noun is Noun.TRACES else "observation"
        return reverse(f"tracing:{name}-view-change", args=[self._scope.project_id])

    @cached_property
    def choices(self) -> list[ViewChoice]:
        return list_views(self._scope, self._noun)

    @property
    def mine(self) -> list[ViewChoice]:
        return [choice for choice in self.choices if not choice.view.is_shared]

    @property
    def shared(self) -> list[ViewChoice]:
        return [choice for choice in self.choices if choice.view.is_shared]

    @cached_property
    def current(self) -> ViewChoice | None:
        named = self._request.GET.get("view", "")
        return next((choice for choice in self.choices if str(choice.view.pk) == named), None)

    @property
    def query(self) -> str:
        return actions.kept_query(self._request.GET.urlencode())

    @property
    def is_changed(self) -> bool:
        """Whether the list shows something else than the view it was opened by."""
        return self.current is not None and _compared(self.current.view.query) != _compared(self.query)

    @property
    def may_change(self) -> bool:
        return self.current is not None and actions.may_change(self._scope, self.current.view)

    @property
    def may_share(self) -> bool:
        return self._scope.role.allows(Role.MEMBER)


def _compared(query: str) -> str:
    """How many rows a page has, and which environments are looked at anyway, make no other view."""
    compared = QueryDict(actions.kept_query(query), mutable=True)
    for name in ("size", "rows", "environment"):
        compared.pop(name, None)
    return compared.urlencode()


@dataclass(frozen=True, slots=True)
class _Form:
    """What a form of the menu says."""

    act: str
    view_id: str
    name: str
    query: str
    is_shared: bool

    @classmethod
    def of(cls, post: QueryDict) -> _Form:
        text = {name: post.get(name, "").replace("\x00", "") for name in ("act", "view", "name", "query")}
        return cls(text["act"], text["view"], text["name"], text["query"], post.get("shared") == "1")


def _change(request: HttpRequest, scope: ProjectScope, noun: Noun) -> HttpResponse:
    form, actor = _Form.of(request.POST), Actor.of(request)
    acts: dict[str, Callable[[], tuple[SavedView | None, str]]] = {
        "save": lambda: (
            actions.save_view(
                scope, noun, name=form.name, query=form.query, is_shared=form.is_shared, actor=actor
            ),
            _("The view is saved."),
        ),
        "update": lambda: (
            actions.update_view(scope, form.view_id, query=form.query, actor=actor), _("The view is updated.")
        ),
        "rename": lambda: (
            actions.update_view(scope, form.view_id, name=form.name, actor=actor), _("The view is renamed.")
        ),
        "share": lambda: (
            actions.update_view(scope, form.view_id, is_shared=True, actor=actor),
            _("Everybody in the project sees the view now."),
        ),
        "unshare": lambda: (
            actions.update_view(scope, form.view_id, is_shared=False, actor=actor), _("The view is yours alone now.")
        ),
        "delete": lambda: _delete(scope, form, actor),
        **{
            f"{verb}-default-{whose}": _defaulting(scope, noun, form, actor, verb == "set", whose == "project")
            for verb in ("set", "drop")
            for whose in ("mine", "project")
        },
    }  # fmt: skip
    view: SavedView | None = None
    try:
        if form.act not in acts:
            raise Invalid(_("There is no such act."))
        view, told = acts[form.act]()
        messages.success(request, told)
    except (Conflict, Invalid, NotFound) as refusal:
        messages.error(request, refusal.message)
    return HttpResponseRedirect(_list_address(scope, noun, form, view), status=303)


def _delete(scope: ProjectScope, form: _Form, actor: Actor) -> tuple[SavedView | None, str]:
    actions.delete_view(scope, form.view_id, actor=actor)
    return None, _("The view is deleted.")


def _defaulting(
    scope: ProjectScope, noun: Noun, form: _Form, actor: Actor, is_set: bool, for_project: bool
) -> Callable[[], tuple[Any, str]]:
    def act() -> tuple[Any, str]:
        view_id = form.view_id if is_set else None
        actions.set_default_view(scope, noun, view_id, for_project=for_project, actor=actor)
        view = get_view(scope, form.view_id, noun) if form.view_id else None
        return view, _("The list opens with this view now.") if is_set else _("The list opens without a view now.")

    return act


def _list_address(scope: ProjectScope, noun: Noun, form: _Form, view: SavedView | None) -> str:
    """The list as it was when the form was sent, under the view that it now is."""
    query = QueryDict(actions.kept_query(form.query), mutable=True)
    if form.act == "delete" and view is None:
        query["view"] = NONE
    elif view is not None:
        query["view"] = str(view.pk)
    elif form.view_id:
        query["view"] = form.view_id
    return list_url(scope, noun, query)


trace_view_change = posted_from_list(Noun.TRACES, Role.VIEWER, _change)
observation_view_change = posted_from_list(Noun.OBSERVATIONS, Role.VIEWER, _change)
