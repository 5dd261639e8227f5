"""API keys: created and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import keys
from accounts.access import OrganizationScope, ProjectScope
from accounts.audit import Actor, record
from accounts.models import ApiKey
from accounts.roles import Role
from config.errors import Conflict, Invalid, NotFound


class NewKey(NamedTuple):
    """`secret_key` is nowhere else: whoever asked for the key must show it now."""

    key: ApiKey
    secret_key: str


@transaction.atomic
def create_api_key(
    scope: ProjectScope | OrganizationScope,
    *,
    actor: Actor,
    note: str = "",
    expires_at: datetime | None = None,
    pair: keys.KeyPair | None = None,
) -> NewKey:
    """A key for the scope's project or organization, from a given pair or a fresh one."""
    scope.require(Role.ADMIN)
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("The expiry must be in the future.")
    if pair is not None:
        _check_pair(pair)
    pair = pair or keys.new_key_pair()
    key = ApiKey(
        project_id=scope.project_id if isinstance(scope, ProjectScope) else None,
        organization_id=scope.organization_id if isinstance(scope, OrganizationScope) else None,
        public_key=pair.public_key,
        secret_hash=keys.hash_secret(pair.secret_key),
        display_secret=keys.display_secret(pair.secret_key),
        note=note,
        expires_at=expires_at,
        created_by_id=scope.user_id or None,
    )
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError:  # also when somebody else was faster by a moment
        raise Conflict("An API key with this public key already exists.") from None
    record(actor, "api_key.create", key, after={"public_key": key.public_key, "note": note})
    return NewKey(key, pair.secret_key)


def _check_pair(pair: keys.KeyPair) -> None:
    if not pair.public_key.startswith(keys.PUBLIC_PREFIX) or not pair.secret_key.startswith(keys.SECRET_PREFIX):
        raise Invalid(f"A public key starts with {keys.PUBLIC_PREFIX} and a secret key with {keys.SECRET_PREFIX}.")
    if ":" in pair.public_key:
        raise Invalid("A public key has no colon: that is where its secret begins when both are sent.")


@transaction.atomic
def revoke_api_key(scope: ProjectScope | OrganizationScope, *, key_id: str, actor: Actor) -> ApiKey:
    """From now on the key opens nothing, in this process at once and in others within seconds."""
    scope.require(Role.ADMIN)
    key = _keys_of(scope).select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound("There is no such API key.")
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        record(actor, "api_key.revoke", key, before={"public_key": key.public_key, "note": key.note})
    return key


def _keys_of(scope: ProjectScope | OrganizationScope) -> QuerySet[ApiKey]:
    if isinstance(scope, ProjectScope):
        return ApiKey.objects.filter(project_id=scope.project_id)
    return ApiKey.objects.filter(organization_id=scope.organization_id)
