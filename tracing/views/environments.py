"""The environments one works in: chosen once, and every list of the project shows only these until they change.

The address says which (`environment=production&environment=staging`), so that a link shows others the same. What was
chosen last is remembered for each project; an address that names none leads to the one that does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, QueryDict

from accounts.access import ProjectScope

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, ProjectScope, P], HttpResponseBase]

PARAMETER = "environment"
_REMEMBERED = "environments"
_MOST, _LONGEST = 50, 200


def environments_from(query: QueryDict) -> tuple[str, ...]:
    """Those that an address names; none means all."""
    named = (value.replace("\x00", "")[:_LONGEST] for value in query.getlist(PARAMETER))
    return tuple(dict.fromkeys(value for value in named if value))[:_MOST]


def in_environments(view: View[P]) -> View[P]:
    """A list that keeps to the chosen environments. `environment=` without a value chooses all of them again."""

    @wraps(view)
    def page(request: HttpRequest, scope: ProjectScope, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if getattr(request, "htmx", False) or request.method != "GET":
            return view(request, scope, *args, **kwargs)
        named = environments_from(request.GET)
        if PARAMETER in request.GET:
            _remember(request, scope, named)
        wanted = named or tuple(_remembered(request).get(scope.project_id, ()))
        if request.GET.getlist(PARAMETER) != list(wanted):
            return HttpResponseRedirect(_address(request, wanted))
        return view(request, scope, *args, **kwargs)

    return page


def _remembered(request: HttpRequest) -> dict[str, list[str]]:
    remembered: dict[str, list[str]] = request.session.get(_REMEMBERED, {})
    return remembered


def _remember(request: HttpRequest, scope: ProjectScope, environments: tuple[str, ...]) -> None:
    before: dict[str, Any] = _remembered(request)
    if before.get(scope.project_id, []) == list(environments):
        return
    others = {project: chosen for project, chosen in before.items() if project != scope.project_id}
    request.session[_REMEMBERED] = others | ({scope.project_id: list(environments)} if environments else {})


def _address(request: HttpRequest, environments: tuple[str, ...]) -> str:
    query = request.GET.copy()
    query.setlist(PARAMETER, list(environments))
    text = query.urlencode()
    return f"{request.path}?{text}" if text else request.path
