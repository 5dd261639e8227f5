"""The way in: `/`, onboarding until the first trace, old addresses, and the theme."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import actions
from accounts.access import ProjectScope, project_page, scope_for_user
from accounts.audit import Actor
from accounts.queries import list_api_keys, projects_of
from accounts.roles import Role
from config.errors import NotFound, Unavailable
from config.navigation import THEME_COOKIE, THEMES, Frame
from config.posting import posted_from
from config.rendering import render_page
from tracing.queries import traces
from tracing.views.snippets import feedback, snippets

_YEAR_SECONDS = 365 * 24 * 3600


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The project last looked at: its home, or how to send the first trace."""
    project = Frame(request).project
    if project is None:
        return redirect("accounts:organization-list")
    try:
        ready = traces.has_traces(scope_for_user(request.user, project.pk))
    except Unavailable:
        ready = True  # home says what is wrong
    return redirect("tracing:project-home" if ready else "tracing:onboarding", project.pk)


@require_safe
@project_page(Role.VIEWER)
def onboarding(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _onboarding(request, scope)


@never_cache
@posted_from("tracing:onboarding")
@project_page(Role.ADMIN)
def onboarding_key(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    """A new pair of keys, shown in the snippets this once."""
    created = actions.create_api_key(scope, actor=Actor.of(request))
    return _onboarding(request, scope, created.key.public_key, created.secret_key)


def _onboarding(request: HttpRequest, scope: ProjectScope, public_key: str = "", secret_key: str = "") -> HttpResponse:
    keys = [key for key in list_api_keys(scope) if not key.revoked_at and not key.is_expired]
    shown = public_key or (keys[-1].public_key if keys else "pk-lf-…")
    context: dict[str, Any] = {
        "scope": scope,
        "keys": keys,
        "public_key": public_key,
        "secret_key": secret_key,
        "host": settings.PUBLIC_URL,
        "snippets": snippets(settings.PUBLIC_URL, shown, secret_key or "sk-lf-…"),
        "feedback": feedback(settings.PUBLIC_URL, shown),
        "may_create": scope.role.allows(Role.ADMIN),
        "newest": cache(lambda: traces.newest_trace(scope)),
    }
    return render_page(request, "tracing/onboarding.html", context, fragment="waiting")


@login_not_required
@posted_from("tracing:home")
def theme(request: HttpRequest) -> HttpResponse:
    """`light`, `dark`, or "" for the system's; in a cookie, so that the server sets it before the first paint."""
    chosen, back = request.POST.get("theme", ""), request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, request.is_secure())
    response = HttpResponseRedirect(back if safe else "/", status=303)
    if chosen in THEMES:
        response.set_cookie(THEME_COOKIE, chosen, max_age=_YEAR_SECONDS, samesite="Lax")
    else:
        response.delete_cookie(THEME_COOKIE, samesite="Lax")
    return response


@login_not_required
@require_safe
def old_trace_address(request: HttpRequest, project_id: str, trace_id: str) -> HttpResponse:
    """`/project/<id>/traces/<id>` as SDKs print it. It tells nothing: where it leads, it is asked who may read that."""
    return _moved(request, reverse("tracing:trace-detail", args=[project_id, trace_id.removesuffix("/") or trace_id]))


@require_safe
def old_address(request: HttpRequest, project_id: str, page: str = "traces", rest: str = "") -> HttpResponse:
    """`/project/<id>/sessions/<id>` and the lists, as they were called before."""
    names = {"traces": "trace", "sessions": "session", "users": "user"}
    noun, rest = names.get(page, "trace"), rest.removesuffix("/")
    if rest:
        url = reverse(f"tracing:{noun}-detail", args=[project_id, rest])
    else:
        url = reverse(f"tracing:{noun}-list", args=[project_id])
    return _moved(request, url)


def _moved(request: HttpRequest, url: str) -> HttpResponse:
    query = request.GET.urlencode()
    return redirect(f"{url}?{query}" if query else url)


@require_safe
def oldest_address(request: HttpRequest, trace_id: str) -> HttpResponse:
    """`/trace/<id>` as the oldest SDKs print it, which know of no project: looked for wherever this person may look."""
    for project in projects_of(request.user):
        try:
            traces.find_trace(scope_for_user(request.user, project.pk), trace_id)
        except NotFound:
            continue
        return redirect("tracing:trace-detail", project.pk, trace_id)
    raise NotFound("There is no such trace in any of your projects.")
