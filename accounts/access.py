"""Who may do what: the only maker of `ProjectScope`, for pages, API keys and tasks alike."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from accounts import key_usage, keys
from accounts.key_cache import KeyCache
from accounts.models import ApiKey, Membership, Project, ProjectMembership, User
from accounts.roles import Role
from config.errors import Forbidden, Invalid, NotFound, SpanwiseError, Unauthenticated

NO_HEADER = "No authorization header"
INVALID = "Invalid credentials. Confirm that you've configured the correct host."
ORGANIZATION_KEY = "Project ID not found for API token. Are you using an organization key?"
PUBLIC_KEY_ONLY = "Access denied - insufficient permissions for this endpoint"
ORGANIZATION_KEY_NEEDED = "Invalid API key. Organization-scoped API key required for this operation."

#: how the instance's own key is called in the audit log
ADMIN_KEY_NAME = "ADMIN_API_KEY"

P = ParamSpec("P")


class AccessLevel(StrEnum):
    PROJECT = "project"
    SCORES = "scores"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """The right to work in one project. Every query and action that touches its data takes one first."""

    project_id: str
    role: Role
    user_id: str = ""
    public_key: str = ""

    def require(self, role: Role) -> None:
        _require(self.role, role)


@dataclass(frozen=True, slots=True)
class OrganizationScope:
    """The right to see and manage one organization."""

    organization_id: str
    role: Role
    user_id: str = ""
    public_key: str = ""

    def require(self, role: Role) -> None:
        _require(self.role, role)


@dataclass(frozen=True, slots=True)
class KeyAccess:
    """What an Authorization header opens. `scope` is None for organization keys."""

    level: AccessLevel
    scope: ProjectScope | None
    organization_id: str
    key_id: str
    public_key: str = ""


def _require(has: Role, needed: Role) -> None:
    if not has.allows(needed):
        raise Forbidden(f"This needs the role {needed.lower()}; yours is {has.lower()}.")


# Revoked keys must stop within five seconds in every process.
_known: KeyCache[KeyAccess] = KeyCache(seconds=4.0, size=10_000)
# Clients that retry with a wrong key must not cost a query each; kept apart, so that garbage evicts no good key.
_refused: KeyCache[bool] = KeyCache(seconds=2.0, size=1_000)


def forget_keys() -> None:
    """Makes this process look at the database again; called whenever a key or a project changes."""
    _known.clear()
    _refused.clear()


def authenticate(authorization: str | None) -> KeyAccess:
    """What this Authorization header opens. Raises Unauthenticated with the contract's message."""
    if not authorization:
        raise Unauthenticated(NO_HEADER)
    digest = hashlib.sha256(authorization.encode("utf-8", "surrogateescape")).digest()
    access = _known.get(digest)
    if access is None:
        if _refused.get(digest):
            raise Unauthenticated(INVALID)
        access = _look_up(authorization, digest)
    key_usage.note(access.key_id)
    return access


def _look_up(authorization: str, digest: bytes) -> KeyAccess:
    known_at, refused_at = _known.generation, _refused.generation
    key, level = _find_key(authorization)
    if key is None or level is None:
        _refused.put(digest, True, generation=refused_at)
        raise Unauthenticated(INVALID)
    access = _access_of(key, level)
    _known.put(digest, access, generation=known_at, until=_seconds_left(key.expires_at))
    return access


def _seconds_left(expires_at: datetime | None) -> float | None:
    return None if expires_at is None else (expires_at - timezone.now()).total_seconds()


def _find_key(authorization: str) -> tuple[ApiKey | None, AccessLevel | None]:
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "basic":
        pair = keys.read_basic(credentials)
        key = _valid_key(pair.public_key) if pair else None
        # The comparison runs for unknown public keys too, so that its time tells nothing.
        matches = hmac.compare_digest(key.secret_hash if key else "", keys.hash_secret(pair.secret_key if pair else ""))
        if key is None or not matches:
            return None, None
        return key, AccessLevel.PROJECT if key.project_id else AccessLevel.ORGANIZATION
    if scheme.lower() == "bearer":
        key = _valid_key(credentials)
        return (key, AccessLevel.SCORES) if key and key.project_id else (None, None)
    return None, None


def _valid_key(public_key: str) -> ApiKey | None:
    if not public_key or "\x00" in public_key:  # PostgreSQL refuses NUL in text
        return None
    key = ApiKey.objects.select_related("project").filter(public_key=public_key, revoked_at=None).first()
    if key is None or key.is_expired or (key.project is not None and key.project.deleted_at is not None):
        return None
    return key


def _access_of(key: ApiKey, level: AccessLevel) -> KeyAccess:
    if key.project is None:
        return KeyAccess(level, None, key.organization_id or "", key.id, key.public_key)
    # A public key alone hands in scores and may see nothing.
    role = Role.NONE if level is AccessLevel.SCORES else Role.ADMIN
    scope = ProjectScope(key.project.id, role, public_key=key.public_key)
    return KeyAccess(level, scope, key.project.organization_id, key.id, key.public_key)


def project_key(authorization: str | None) -> ProjectScope:
    """The project that this header opens fully; Unauthenticated or Forbidden otherwise."""
    access = authenticate(authorization)
    if access.scope is None:
        raise Forbidden(ORGANIZATION_KEY)
    if access.level is not AccessLevel.PROJECT:
        raise Forbidden(PUBLIC_KEY_ONLY)
    return access.scope


def project_for_admin(authorization: str | None, admin_key: str, project_id: str) -> KeyAccess:
    """One project, for whoever holds the instance's own key (`ADMIN_API_KEY`) and says so in both headers.

    Raises SpanwiseError (500) where the instance has no such key, Unauthenticated for a wrong one, Invalid without a
    project, NotFound for one that is not there.
    """
    if not settings.ADMIN_API_KEY:
        raise SpanwiseError("This instance has no ADMIN_API_KEY.")
    scheme, _, bearer = (authorization or "").partition(" ")
    is_right = [_is_same(given, settings.ADMIN_API_KEY) for given in (bearer.strip(), admin_key)]
    if scheme.lower() != "bearer" or not all(is_right):
        raise Unauthenticated(INVALID)
    if not project_id:
        raise Invalid("The header x-langfuse-project-id is missing.")
    project = None if "\x00" in project_id else Project.objects.present().filter(pk=project_id).first()
    if project is None:
        raise NotFound("Project not found")
    scope = ProjectScope(project.pk, Role.ADMIN)
    return KeyAccess(AccessLevel.PROJECT, scope, project.organization_id, key_id="", public_key=ADMIN_KEY_NAME)


def _is_same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode())


def organization_scope_for_key(opened: KeyAccess) -> OrganizationScope:
    """The organization that a key of its own manages; Forbidden for keys of projects."""
    if opened.level is not AccessLevel.ORGANIZATION:
        raise Forbidden(ORGANIZATION_KEY_NEEDED)
    return OrganizationScope(opened.organization_id, Role.OWNER, public_key=opened.public_key)


def project_of_organization(scope: OrganizationScope, project_id: str) -> ProjectScope:
    """One project of an organization, for whoever manages that. NotFound for any other, be it there or not."""
    scope.require(Role.ADMIN)
    if not Project.objects.present().filter(pk=project_id, organization_id=scope.organization_id).exists():
        raise NotFound("Project not found or you don't have access to it")
    return ProjectScope(project_id, scope.role, user_id=scope.user_id, public_key=scope.public_key)


def role_in_project(organization_role: Role, project_role: Role | None) -> Role:
    """A project's role replaces the organization's, except that owners are owners everywhere."""
    if organization_role is Role.OWNER or project_role is None:
        return organization_role
    return project_role


def scope_for_user(user: AbstractBaseUser | AnonymousUser, project_id: str) -> ProjectScope:
    """What this person may do there. NotFound for strangers: they must not learn that the project exists."""
    project = Project.objects.present().filter(pk=project_id).only("id", "organization_id").first()
    if project is None or user.pk is None:
        raise NotFound("There is no such project.")
    membership = Membership.objects.filter(organization_id=project.organization_id, user_id=user.pk).first()
    override = ProjectMembership.objects.filter(project_id=project_id, user_id=user.pk).first()
    role = Role.NONE
    if membership is not None:
        role = role_in_project(Role(membership.role), Role(override.role) if override else None)
    if role is Role.NONE:
        raise NotFound("There is no such project.")
    return ProjectScope(project_id, role, user_id=user.pk)


def scope_for_stranger(project_id: str) -> ProjectScope:
    """A scope without a role, for what somebody opened to everybody. Who hands it out has checked that it was opened.

    Raises NotFound when there is no such project.
    """
    if "\x00" in project_id or not Project.objects.present().filter(pk=project_id).exists():
        raise NotFound("There is no such project.")
    return ProjectScope(project_id, Role.NONE)


def organization_scope_for_user(user: AbstractBaseUser | AnonymousUser, organization_id: str) -> OrganizationScope:
    """What this person may do in the organization. NotFound for strangers."""
    membership = Membership.objects.filter(organization_id=organization_id, user_id=user.pk).first()
    if membership is None or membership.role == Role.NONE:
        raise NotFound("There is no such organization.")
    return OrganizationScope(organization_id, Role(membership.role), user_id=membership.user_id)


def scope_for_task(project_id: str, *, user_id: str = "") -> ProjectScope:
    """For Celery tasks and management commands, which act for the system, or finish what `user_id` was let start."""
    return ProjectScope(project_id, Role.OWNER, user_id=user_id)


def scope_for_job(project_id: str, user_id: str) -> ProjectScope:
    """What this person may do there now, for work that goes on in their name. NotFound for who has left."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise NotFound("There is no such person.")
    return scope_for_user(user, project_id)


def project_page(
    role: Role,
) -> Callable[[Callable[Concatenate[HttpRequest, ProjectScope, P], HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Turns `view(request, scope, …)` into a page below `<str:project_id>` for people with at least this role."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, ProjectScope, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def page(request: HttpRequest, /, *args: Any, project_id: str, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            scope = scope_for_user(request.user, project_id)
            scope.require(role)
            return view(request, scope, *args, **kwargs)

        page.needs_role = role  # type: ignore[attr-defined]
        return page

    return decorate


def organization_page(
    role: Role,
) -> Callable[
    [Callable[Concatenate[HttpRequest, OrganizationScope, P], HttpResponseBase]], Callable[..., HttpResponseBase]
]:
    """Turns `view(request, scope, …)` into a page below `<str:organization_id>` for members with this role."""

    def decorate(
        view: Callable[Concatenate[HttpRequest, OrganizationScope, P], HttpResponseBase],
    ) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def page(request: HttpRequest, /, *args: Any, organization_id: str, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            scope = organization_scope_for_user(request.user, organization_id)
            scope.require(role)
            return view(request, scope, *args, **kwargs)

        page.needs_role = role  # type: ignore[attr-defined]
        return page

    return decorate


def signed_in(
    view: Callable[Concatenate[HttpRequest, User, P], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Turns `view(request, user, …)` into a page for everybody who is signed in, about themselves."""

    @wraps(view)
    def page(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return redirect_to_login(request.get_full_path())
        return view(request, request.user, *args, **kwargs)

    page.needs_role = None  # type: ignore[attr-defined]
    return page
