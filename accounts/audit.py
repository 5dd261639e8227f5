"""The log of changes: who changed what, from what to what, when and from where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allauth.account.adapter import get_adapter
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import ApiKey, AuditLog, Organization, Project, User

_LONGEST_NAME = AuditLog._meta.get_field("actor").max_length


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `id` is a person's; `name` an e-mail address or a public key; both are empty for the system."""

    id: str = ""
    name: str = ""
    ip: str | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Actor:
        # allauth's rate limits go by the same address, so both know the same trusted proxies.
        return cls.person(request.user, client_address(request))

    @classmethod
    def key(cls, request: HttpRequest, public_key: str) -> Actor:
        return cls(name=public_key, ip=client_address(request))

    @classmethod
    def person(cls, user: AbstractBaseUser | AnonymousUser, ip: str | None = None) -> Actor:
        return cls(user.pk or "", user.get_username(), ip)


SYSTEM = Actor()


def client_address(request: HttpRequest) -> str | None:
    """Of whoever asks, as far as trusted proxies tell it; None where that is not known."""
    try:
        return get_adapter(request).get_client_ip(request)  # type: ignore[no-any-return]
    # No reason to fail what was asked for: behind a Unix socket nobody has an address, and who came past some of the
    # proxies named too few.
    except (PermissionDenied, ImproperlyConfigured):
        return None


def record(
    actor: Actor,
    action: str,
    subject: Model,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Adds one entry; to be called inside the transaction of the change, so that neither is there without the other."""
    organization_id, project_id = _place(subject)
    AuditLog.objects.create(
        actor_id=actor.id,
        actor=actor.name[:_LONGEST_NAME],  # a public key may be longer
        ip=actor.ip,
        organization_id=organization_id,
        project_id=project_id,
        action=action,
        object_type=subject._meta.model_name or "",
        object_id=str(subject.pk),
        before=before,
        after=after,
    )


def _place(subject: Model) -> tuple[str, str]:
    """The organization and the project that an object belongs to, each empty if there is none."""
    if isinstance(subject, User):
        return "", ""
    if isinstance(subject, Organization):
        return subject.pk, ""
    if isinstance(subject, Project):
        return subject.organization_id, subject.pk
    project = getattr(subject, "project", None)
    if project is not None and (isinstance(subject, ApiKey) or not getattr(subject, "organization_id", None)):
        return project.organization_id, project.pk
    return getattr(subject, "organization_id", None) or "", getattr(subject, "project_id", None) or ""
