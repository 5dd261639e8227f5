"""What the playground's forms and scripts are answered: its state, its runs, their news, the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import ProjectScope, project_page
from accounts.audit import Actor
from accounts.roles import Role
from accounts.views.answers import see_other
from config.errors import Invalid, NotFound, SpanwiseError, TooLarge, TooMany
from config.posting import posted_from
from prompts.actions import playground as actions
from prompts.actions import playground_origins as origin_actions
from prompts.actions import runs as run_actions
from prompts.actions.playground import Overtaken
from prompts.models import Playground
from prompts.playground import state as shape
from prompts.queries import playground as queries
from tracing.forms import text_from

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, ProjectScope, P], HttpResponseBase]

_LIST = "prompts:playground-list"
#: around the document: revision, windows
_MOST_IDS = 200
_MOST_BYTES = shape.MOST_BYTES + 64 * 1024


def _answers_json(view: View[P]) -> View[P]:
    """What is refused is told as JSON: `message`, and `issues` with paths where there are some."""

    @wraps(view)
    def answering(request: HttpRequest, scope: ProjectScope, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, scope, *args, **kwargs)
        except Overtaken as error:
            return _json({"revision": error.revision, "by": error.by, "at": error.at, "message": error.message}, 409)
        except SpanwiseError as error:
            return _refusal(error)

    return answering


def _refusal(error: SpanwiseError) -> HttpResponse:
    body: dict[str, Any] = {"message": error.message}
    if isinstance(error, Invalid):
        body["issues"] = [{"path": one.get("path", []), "message": one["message"]} for one in error.issues or ()]
    answer = _json(body, error.status)
    if isinstance(error, TooMany):
        answer["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _json(body: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), status=status, content_type="application/json")


def _object(request: HttpRequest) -> dict[str, Any]:
    """The body. Raises Invalid, TooLarge."""
    raw = request.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise TooLarge(_("A playground holds %(most)d MB at most. Give pictures by their address.") % {"most": 4})
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(_("The body has to be a JSON object."))
    return found


def _revision(body: dict[str, Any]) -> int:
    found = body.get("revision")
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found < 2**31 - 1:
        raise Invalid(issues=[{"path": ["revision"], "message": _("The revision is a whole number.")}])
    return found


def playground_url(project_id: str, playground_id: str) -> str:
    return reverse("prompts:playground", args=[project_id, playground_id])


# --- Forms -----------------------------------------------------------------------------------------------
@posted_from(_LIST)
@project_page(Role.MEMBER)
def playground_new(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """An empty one; or from a prompt's version, from a generation, or as a copy."""
    actor = Actor.of(request)
    made = _made(scope, request.POST, actor)
    return see_other(playground_url(scope.project_id, made.pk))


def _made(scope: ProjectScope, form: QueryDict, actor: Actor) -> Playground:
    # Ids and names as they are, but for what PostgreSQL refuses and no id holds.
    given = {name: form.get(name, "").replace("\x00", "") for name in ("copy", "prompt", "trace", "observation")}
    if given["copy"]:
        return actions.duplicate_playground(scope, given["copy"], actor=actor)
    if given["prompt"]:
        return origin_actions.open_version(scope, given["prompt"], _number(form, "version"), actor=actor)
    if given["trace"]:
        with_output = bool(form.get("output"))
        return origin_actions.open_generation(
            scope, given["trace"], given["observation"], with_output=with_output, actor=actor
        )
    return actions.create_playground(scope, shape.state_of(shape.empty_window()), actor=actor)


def _number(form: QueryDict, name: str) -> int | None:
    """None where none is given. Raises NotFound for what is none."""
    text = text_from(form, name)
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise NotFound(_("There is no such version of this prompt."))
    return int(text) if text else None


@posted_from(_LIST)
@project_page(Role.MEMBER)
def playground_rename(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    try:
        actions.rename_playground(scope, playground_id, request.POST.get("title", ""), actor=Actor.of(request))
    except Invalid as refusal:
        messages.error(request, refusal.words)
    return see_other(playground_url(scope.project_id, playground_id))


@posted_from(_LIST)
@project_page(Role.MEMBER)
def playground_delete(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    title = queries.get_playground(scope, playground_id).title
    actions.delete_playground(scope, playground_id, actor=Actor.of(request))
    messages.success(request, _("“%(title)s” is deleted.") % {"title": title})
    return see_other(reverse(_LIST, args=[scope.project_id]))


# --- State -----------------------------------------------------------------------------------------------
@require_http_methods(["PUT"])
@project_page(Role.VIEWER)
@_answers_json
def playground_state(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    """Keeps what was typed, where nobody else did meanwhile."""
    scope.require(Role.MEMBER)
    playground = queries.get_playground(scope, playground_id)
    body = _object(request)
    return _json({"revision": actions.save_state(scope, playground, body.get("state"), _revision(body))})


# --- Runs ------------------------------------------------------------------------------------------------
@require_POST
@project_page(Role.VIEWER)
@_answers_json
def playground_run(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    """Saves the state and starts the windows that can be run; the others say what is wrong."""
    scope.require(Role.MEMBER)
    playground = queries.get_playground(scope, playground_id)
    body = _object(request)
    started = run_actions.start_runs(
        scope, playground, body.get("state"), _revision(body), _ids(body, "windows", "window")
    )
    answer = {
        "revision": started.revision,
        "runs": [{"id": run.pk, "window": run.window} for run in started.runs],
        "issues": [
            {"window": issue.window, "path": list(issue.path), "message": issue.message} for issue in started.issues
        ],
    }
    return _json(answer, 201)


@require_POST
@project_page(Role.VIEWER)
@_answers_json
def playground_stop(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    scope.require(Role.MEMBER)
    playground = queries.get_playground(scope, playground_id)
    run_actions.stop_runs(scope, playground, _ids(_object(request), "runs", "run"))
    return _json({})


@never_cache
@require_safe
@project_page(Role.VIEWER)
@_answers_json
def playground_news(request: HttpRequest, scope: ProjectScope, playground_id: str) -> HttpResponse:
    """What runs have said since the cursors in `after`, and how they stand."""
    playground = queries.get_playground(scope, playground_id)
    return _json({"runs": run_actions.news_of(scope, playground, _cursors(request.GET.get("after", "")))})


def _ids(body: dict[str, Any], key: str, noun: str) -> list[str]:
    found = body.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise Invalid(issues=[{"path": [key], "message": _("This is a list with the id of each %s.") % noun}])
    return found[:_MOST_IDS]


def _cursors(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in text.split(",")[:_MOST_IDS]:
        run_id, _colon, cursor = part.strip().partition(":")
        if run_id:
            is_number = cursor.isascii() and cursor.isdigit() and len(cursor) < 10
            found[run_id] = int(cursor) if is_number else 0
    return found


# --- Library ---------------------------------------------------------------------------------------------
@never_cache
@require_safe
@project_page(Role.VIEWER)
@_answers_json
def library(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _json(queries.library(scope))


@require_POST
@project_page(Role.VIEWER)
@_answers_json
def library_save(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A form with `kind` (tool or schema), `name`, `description` and `parameters`, or `schema`; the library after."""
    kind, name = request.POST.get("kind"), request.POST.get("name", "")
    if kind == "tool":
        item = actions.save_tool(scope, name, request.POST.get("description", ""), request.POST.get("parameters", ""))
    elif kind == "schema":
        item = actions.save_schema(scope, name, request.POST.get("schema", ""))
    else:
        raise Invalid(issues=[{"path": ["kind"], "message": _("It is a tool or a schema.")}])
    return _json({"id": item.pk, **queries.library(scope)})


@require_POST
@project_page(Role.VIEWER)
@_answers_json
def library_delete(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A form with `id`; the library after."""
    actions.delete_item(scope, request.POST.get("id", ""))
    return _json(queries.library(scope))
