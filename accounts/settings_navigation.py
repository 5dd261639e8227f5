"""The list beside every settings page: the project's, the organization's and the reader's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.access import organization_scope_for_user, scope_for_user
from accounts.models import Organization, Project, User
from accounts.roles import Role
from config.errors import NotFound
from config.posting import page_of

if TYPE_CHECKING:
    from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Link:
    label: str | Promise
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Group:
    kind: str | Promise
    name: str
    links: tuple[Link, ...]


Entries = tuple[tuple[str, str | Promise, Role], ...]

PROJECT: Entries = (
    ("accounts:project-settings", _("General"), Role.VIEWER),
    ("accounts:project-api-keys", _("API keys"), Role.MEMBER),
    ("accounts:project-members", _("Members"), Role.VIEWER),
)
#: what the rooms above have to set for a project; they say so when they start
_added: dict[str, tuple[str | Promise, Role]] = {}
ORGANIZATION: Entries = (
    ("accounts:organization-settings", _("General and projects"), Role.VIEWER),
    ("accounts:organization-members", _("Members"), Role.VIEWER),
    ("accounts:organization-api-keys", _("API keys"), Role.ADMIN),
)
OWN: Entries = (
    ("accounts:user-settings", _("Profile"), Role.NONE),
    ("account_change_password", _("Password"), Role.NONE),
    ("accounts:organization-list", _("Organizations"), Role.NONE),
)


def add_project_page(url_name: str, label: str | Promise, role: Role) -> None:
    """One more page in the project's list. Pages whose URL names start alike ("x:model-list", "x:model-edit") are
    taken for parts of it."""
    _added[url_name] = (label, role)


def settings_groups(
    request: HttpRequest, user: User, *, project: Project | None, organization: Organization | None
) -> list[Group]:
    """What this person may open, for the page's project and organization."""
    groups = []
    if project is not None:
        groups.append(_group(request, _("Project"), project, _project_role(user, project), _project_entries()))
        organization = organization or project.organization
    if organization is not None:
        role = _organization_role(user, organization)
        groups.append(_group(request, _("Organization"), organization, role, ORGANIZATION))
    groups.append(_group(request, _("You"), None, Role.NONE, OWN))
    return [group for group in groups if group.links]


def _project_entries() -> Entries:
    return (*PROJECT, *((url_name, label, role) for url_name, (label, role) in _added.items()))


def _is_part_of(here: str, url_name: str) -> bool:
    return here == url_name or (url_name in _added and here.startswith(url_name.removesuffix("list")))


def _group(
    request: HttpRequest, kind: str | Promise, of: Project | Organization | None, role: Role, entries: Entries
) -> Group:
    here = page_of(request.resolver_match)
    arguments = [of.pk] if of else []
    links = tuple(
        Link(label, reverse(name, args=arguments), _is_part_of(here, name))
        for name, label, needed in entries
        if role.allows(needed)
    )
    return Group(kind, of.name if of else "", links)


def _project_role(user: User, project: Project) -> Role:
    try:
        return scope_for_user(user, project.pk).role
    except NotFound:
        return Role.NONE


def _organization_role(user: User, organization: Organization) -> Role:
    try:
        return organization_scope_for_user(user, organization.pk).role
    except NotFound:
        return Role.NONE
