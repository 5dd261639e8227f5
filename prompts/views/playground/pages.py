"""The pages of playgrounds: their list, one of them, and the outcome of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.models import User
from accounts.roles import Role
from accounts.views.answers import see_other
from config.rendering import render_page
from prompts.difference import Difference, compare
from prompts.drawing import prompt_url
from prompts.models import LlmConnection, Playground, PlaygroundRun
from prompts.playground import state as shape
from prompts.playground.state import MOST_WINDOWS
from prompts.queries import playground as queries
from prompts.queries.connections import list_connections, models_of
from prompts.queries.prompts import find_version
from prompts.views.playground import shown
from tracing.forms import text_from
from tracing.queries.paging import PageNumber

_MOST_PAGES = 10_000
_PAGE_SIZE = 50


# --- The list --------------------------------------------------------------------------------------------
@require_safe
@project_page(Role.VIEWER)
def playground_list(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    text = text_from(request.GET, "q")
    found = queries.list_playgrounds(scope, text, PageNumber(_page(request.GET), _PAGE_SIZE))
    context = {
        "scope": scope,
        "text": text,
        "found": found,
        "rows": [Row(scope, one) for one in found.items],
        "previous_page": found.number.page - 1,
        "next_page": found.number.page + 1,
        "has_connection": bool(list_connections(scope, PageNumber(1, 1)).total),
        "may_edit": scope.role.allows(Role.MEMBER),
        "may_connect": scope.role.allows(Role.ADMIN),
    }
    return render_page(request, "prompts/playground_list.html", context, fragment="playgrounds")


class Row:
    """A playground of the list."""

    def __init__(self, scope: ProjectScope, playground: Playground) -> None:
        self.playground = playground
        self.url = reverse("prompts:playground", args=[scope.project_id, playground.pk])
        self.is_own = bool(scope.user_id) and playground.created_by_id == scope.user_id

    @property
    def author(self) -> str:
        return name_of(self.playground.created_by)

    @property
    def changed_by(self) -> str:
        return name_of(self.playground.updated_by)

    @property
    def models(self) -> list[str]:
        return list(dict.fromkeys(model for model in self.playground.models if model))


def name_of(person: User | None) -> str:
    """Of somebody who has left there is none."""
    return str(person.name or person.email) if person else ""


def _page(query: QueryDict) -> int:
    page = query.get("page", "")
    is_number = page.isascii() and page.isdigit() and len(page) < 6
    return min(max(1, int(page)), _MOST_PAGES) if is_number else 1


# --- One playground --------------------------------------------------------------------------------------
@never_cache  # the browser's Back must not bring what was typed before
@require_safe
@project_page(Role.VIEWER)
def playground(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    """`window` is the one that a phone shows, `run` (`window.run`, several) those that are shown instead of the newest
    ones, `json` windows whose answers are shown as data, `compare` two windows."""
    known = queries.get_playground(scope, playground_id)
    page = Page(scope, known, request.GET)
    may_edit = scope.role.allows(Role.MEMBER)
    context = {
        "scope": scope,
        "playground": known,
        "page": page,
        "may_edit": may_edit,
        "may_connect": scope.role.allows(Role.ADMIN),
        "why_not": "" if may_edit else _("You may look at it. To change and run it, be a member of the project."),
        "most_windows": MOST_WINDOWS,
        "empty": page.empty,
        "new_parts": _NEW_PARTS,
    }
    return render_page(request, "prompts/playground.html", context, fragment="comparison")


#: what scripts make copies of: by name, a message, a part, a tool call, a tool
_NEW_PARTS: dict[str, Any] = {
    "message": shown.Message(),
    "placeholder": shown.Message(role="", placeholder="", parts=()),
    "text": shown.Part("text"),
    "image": shown.Part("image"),
    "thinking": shown.Part("thinking"),
    "other": shown.Part("other"),
    "call": shown.ToolCall(),
    "tool": shown.Tool(),
}


class Page:
    """What the page of a playground shows, each part read when it is asked for."""

    def __init__(self, scope: ProjectScope, known: Playground, query: QueryDict) -> None:
        self._scope, self._known, self._query = scope, known, query
        self.state = known.state

    @cached_property
    def windows(self) -> list[shown.Window]:
        raws = self.state["windows"]
        ids = {str(raw["id"]) for raw in raws}
        current = self._query.get("window", "")
        embedded = {one["name"]: one["windows"] for one in queries.variables(self._scope, self.state)}
        return [
            self._window(raw, place, _is_current(raw["id"], current, ids, place), embedded)
            for place, raw in enumerate(raws)
        ]

    def _window(
        self, raw: Mapping[str, Any], place: int, is_current: bool, users: Mapping[str, list[str]]
    ) -> shown.Window:
        window = shown.Window(raw, place, is_current=is_current)
        written = set(shape.variables_in(dict(raw)))
        window.embedded = [name for name, windows in users.items() if window.id in windows and name not in written]
        window.runs = self._run_ids.get(window.id, [])
        window.run = self._runs.get(window.id)
        window.as_json = window.id in self._query.getlist("json")
        window.trace_url = trace_url(self._scope, window.run)
        window.source_url = self._source_url(raw.get("source"))
        window.prompt_url = self._prompt_url(window.prompt)
        return window

    def _prompt_url(self, link: Mapping[str, Any] | None) -> str:
        """Empty where the project has no such version: generations name prompts of other projects, too."""
        if not link or find_version(self._scope, link["name"], number=link["version"]) is None:
            return ""
        return prompt_url(self._scope.project_id, link["name"], link["version"])

    def _source_url(self, source: Any) -> str:
        if not isinstance(source, Mapping) or not source.get("trace_id"):
            return ""
        page = reverse("tracing:trace-detail", args=[self._scope.project_id, str(source["trace_id"])])
        return f"{page}?{urlencode({'observation': source.get('observation_id') or ''})}"

    @cached_property
    def _run_ids(self) -> dict[str, list[str]]:
        """Of all windows, newest first."""
        return queries.run_ids(self._scope, self._known)

    @cached_property
    def _runs(self) -> dict[str, PlaygroundRun]:
        """The one that each window shows: the chosen one, else its newest."""
        wanted = {window: ids[0] for window, ids in self._run_ids.items()}
        for chosen in self._query.getlist("run"):
            window, _dot, run = chosen.partition(".")
            if run in self._run_ids.get(window, []):
                wanted[window] = run
        found = queries.runs(self._scope, self._known).filter(pk__in=wanted.values())
        return {run.window: run for run in found}

    @property
    def empty(self) -> shown.Window:
        return shown.Window(shape.empty_window("new"))

    # --- What all windows share
    @cached_property
    def variables(self) -> list[dict[str, Any]]:
        """`name`, `value`, `letters` of the windows that use it; those that none uses come last."""
        return self._values("variables", queries.variables(self._scope, self.state))

    @cached_property
    def placeholders(self) -> list[dict[str, Any]]:
        return self._values("placeholders", shape.placeholders(self.state))

    def _values(self, kind: str, used: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        values: dict[str, str] = self.state[kind]
        windows = {one["name"]: one["windows"] for one in used if one["windows"]}
        letters = {window.id: window.letter for window in self.windows}
        return [
            {
                "name": name,
                "value": values.get(name, ""),
                "letters": [letters[one] for one in windows.get(name, []) if one in letters],
            }
            for name in dict.fromkeys([*windows, *(name for name, value in values.items() if value)])
        ]

    @property
    def missing(self) -> int:
        return sum(1 for one in self.variables if one["letters"] and not one["value"].strip())

    @cached_property
    def connections(self) -> list[tuple[LlmConnection, list[str]]]:
        """Each with the models that may be chosen: the one that it names as its own first."""
        return [(one, _default_first(one)) for one in list_connections(self._scope).items]

    # --- Two outputs beside each other
    @cached_property
    def compared(self) -> list[shown.Window]:
        """Two windows, or none."""
        asked = [name for given in self._query.getlist("compare") for name in given.split(",") if name]
        by_id = {window.id: window for window in self.windows}
        found = [by_id[name] for name in asked[:2] if name in by_id]
        return found if len(found) == 2 and found[0].id != found[1].id else []

    @property
    def is_compare_wrong(self) -> bool:
        return bool(self._query.getlist("compare")) and not self.compared

    @cached_property
    def differences(self) -> list[tuple[str, str, Difference]]:
        before, after = (shown.comparable(window.shown_run) for window in self.compared)
        return [("output-diff", _("Outputs"), compare(before, after))]

    @property
    def waiting(self) -> list[shown.Window]:
        """Compared windows whose output is not there."""
        return [window for window in self.compared if not window.run or window.run.is_unfinished]


def _is_current(window_id: str, wanted: str, known: set[str], place: int) -> bool:
    return window_id == wanted if wanted in known else place == 0


def _default_first(connection: LlmConnection) -> list[str]:
    return list(dict.fromkeys([*filter(None, [connection.default_model]), *models_of(connection)]))


def trace_url(scope: ProjectScope, run: PlaygroundRun | None) -> str:
    """Of the trace that says what the run did; empty while there is none."""
    if run is None or not run.is_traced:
        return ""
    page = reverse("tracing:trace-detail", args=[scope.project_id, run.trace_id])
    return f"{page}?{urlencode({'observation': run.observation_id})}"


# --- A run -----------------------------------------------------------------------------------------------
@never_cache
@require_safe
@project_page(Role.VIEWER)
def playground_output(request: HttpRequest, scope: ProjectScope, playground_id: str, run_id: str) -> HttpResponse:
    """A run's outcome, for the window that it stands in; asked for as a page, the playground that shows it."""
    known = queries.get_playground(scope, playground_id)
    run = queries.get_run(scope, known, run_id)
    if not getattr(request, "htmx", None):
        page = reverse("prompts:playground", args=[scope.project_id, known.pk])
        return see_other(f"{page}?{urlencode({'run': f'{run.window}.{run.pk}', 'window': run.window})}")
    window = shown.Window({"id": run.window}, run=run, runs=queries.run_ids(scope, known).get(run.window, []))
    window.as_json = request.GET.get("view") == "json"
    window.trace_url = trace_url(scope, run)
    context = {
        "scope": scope,
        "playground": known,
        "window": window,
        "may_edit": scope.role.allows(Role.MEMBER),
    }
    return render_page(request, "prompts/playground_output.html", context)
