"""Playgrounds of a project, what their windows said, and the tools and schemas that they share."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, IntegerField, QuerySet, Value, When

from accounts.access import ProjectScope
from accounts.roles import Role
from config.errors import Invalid, NotFound, SpanwiseError
from prompts import content
from prompts.composition import resolve_draft
from prompts.models import Playground, PlaygroundItem, PlaygroundRun
from prompts.models.playground import UNFINISHED
from prompts.playground import state as shape
from tracing.queries.paging import Numbered, PageNumber

#: runs of a window that are kept
MOST_KEPT = 20


def get_playground(scope: ProjectScope, playground_id: str) -> Playground:
    """Raises NotFound, for those of other projects too."""
    scope.require(Role.VIEWER)
    found = None if "\x00" in playground_id else _playgrounds(scope).filter(pk=playground_id).first()
    if found is None:
        raise NotFound("There is no such playground.")
    return found


def list_playgrounds(scope: ProjectScope, query: str = "", number: PageNumber | None = None) -> Numbered[Playground]:
    """One's own first, newest first, with these words in their titles; without their documents."""
    scope.require(Role.VIEWER)
    number = number or PageNumber(1, 50)
    found = _playgrounds(scope).defer("document")
    if query := query.replace("\x00", "").strip():
        found = found.filter(title__icontains=query)
    is_own = Case(
        When(created_by_id=scope.user_id or None, then=Value(0)), default=Value(1), output_field=IntegerField()
    )
    rows = found.order_by(is_own, "-updated_at", "id")[number.offset : number.offset + number.limit]
    return Numbered(list(rows), number, found.count())


def _playgrounds(scope: ProjectScope) -> QuerySet[Playground]:
    return Playground.objects.filter(project_id=scope.project_id).select_related("created_by", "updated_by")


# --- Runs ------------------------------------------------------------------------------------------------
def runs(scope: ProjectScope, playground: Playground) -> QuerySet[PlaygroundRun]:
    """Newest first."""
    scope.require(Role.VIEWER)
    return PlaygroundRun.objects.filter(project_id=scope.project_id, playground=playground)


def get_run(scope: ProjectScope, playground: Playground, run_id: str) -> PlaygroundRun:
    """Raises NotFound, for those of other playgrounds too."""
    found = None if "\x00" in run_id else runs(scope, playground).filter(pk=run_id).first()
    if found is None:
        raise NotFound("There is no such run.")
    return found


def run_ids(scope: ProjectScope, playground: Playground) -> dict[str, list[str]]:
    """Of each window that has some, newest first, by the window's id."""
    found: dict[str, list[str]] = {}
    for pk, window in runs(scope, playground).values_list("pk", "window"):
        found.setdefault(window, []).append(pk)
    return found


def latest_runs(scope: ProjectScope, playground: Playground) -> dict[str, PlaygroundRun]:
    """The newest run of each window that has one, by the window's id."""
    newest = [ids[0] for ids in run_ids(scope, playground).values()]
    found = runs(scope, playground).filter(pk__in=newest)
    return {run.window: run for run in found}


def runs_of_window(scope: ProjectScope, playground: Playground, window_id: str) -> list[PlaygroundRun]:
    """Newest first; the newest ones only are kept."""
    if "\x00" in window_id:
        return []
    return list(runs(scope, playground).filter(window=window_id)[:MOST_KEPT])


# --- What windows need -----------------------------------------------------------------------------------
def variables(scope: ProjectScope, state: shape.State) -> list[dict[str, Any]]:
    """As `state.variables`, with those that come along with embedded prompts."""
    by_window = {window["id"]: _variables_of(scope, window) for window in state["windows"]}
    return shape.used_variables(state, by_window)


def _variables_of(scope: ProjectScope, window: shape.Window) -> list[str]:
    found = shape.variables_in(window)
    for message in window["messages"]:
        for text in shape.texts_of(message):
            found += content.variables(embedded(scope, text))
    return list(dict.fromkeys(found))


def embedded(scope: ProjectScope, text: str) -> str:
    """The text with other prompts put in where it refers to them; as it is where one of them cannot be."""
    if not content.REFERENCE.search(text):
        return text
    try:
        return str(resolve_draft(scope, text, "", 0).content)
    except (Invalid, SpanwiseError):
        return text


# --- Library ---------------------------------------------------------------------------------------------
def library(scope: ProjectScope) -> dict[str, list[dict[str, str]]]:
    """The project's tools and schemas by name: `tools` with `id`, `name`, `description` and `parameters`, `schemas`
    with `id`, `name` and `schema`."""
    scope.require(Role.VIEWER)
    found: dict[str, list[dict[str, str]]] = {"tools": [], "schemas": []}
    for item in PlaygroundItem.objects.filter(project_id=scope.project_id):
        if item.kind == PlaygroundItem.Kind.TOOL:
            tool = {"id": item.id, "name": item.name, "description": item.description, "parameters": item.schema}
            found["tools"].append(tool)
        else:
            found["schemas"].append({"id": item.id, "name": item.name, "schema": item.schema})
    return found


def unfinished(scope: ProjectScope) -> QuerySet[PlaygroundRun]:
    """Of the whole project."""
    return PlaygroundRun.objects.filter(project_id=scope.project_id, status__in=UNFINISHED)
