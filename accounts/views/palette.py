"""The command palette: a dialog on every page, and a page of its own without a script."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.access import ProjectScope, project_page
from accounts.models import User
from accounts.queries import get_project, projects_of
from accounts.roles import Role
from accounts.settings_navigation import settings_groups
from config import palette
from config.navigation import Frame
from config.palette import Found
from config.rendering import render_page

_LONGEST = 300


@require_safe
@project_page(Role.VIEWER)
def go(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    text = request.GET.get("q", "").replace("\x00", "").strip()[:_LONGEST]
    context = {"scope": scope, "text": text, "found": palette.find(request, scope, text)}
    return render_page(request, "accounts/go.html", context, fragment="found")


def find_pages(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    """The pages of the navigation, and the settings when somebody looks for one."""
    frame = Frame(request)
    for group in frame.groups:
        for link in group.links:
            if palette.fits(text, link.label):
                yield Found(_("Pages"), link.label, link.url, link.icon)
    if not text or not isinstance(request.user, User):
        return
    for settings in settings_groups(request, request.user, project=get_project(scope), organization=None):
        for entry in settings.links:
            if palette.fits(text, entry.label, settings.kind, _("Settings")):
                yield Found(_("Settings"), entry.label, entry.url, "gear", settings.kind)


def find_projects(request: HttpRequest, scope: ProjectScope, text: str) -> Iterator[Found]:
    """Other projects, by their name or their organization's."""
    others = [project for project in projects_of(request.user) if project.pk != scope.project_id]
    fitting = [project for project in others if palette.fits(text, project.name, project.organization.name, project.pk)]
    for project in fitting[: palette.MOST]:
        url = reverse("tracing:trace-list", args=[project.pk])
        yield Found(_("Projects"), project.name, url, "building", project.organization.name)
