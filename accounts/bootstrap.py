"""The first account, organization, project and keys, so that a fresh instance can be used at once.

`LANGFUSE_INIT_*` names them; what is named is looked after at every start, and nothing that exists is changed.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email
from django.db import transaction

from accounts.access import OrganizationScope, ProjectScope
from accounts.actions import create_api_key, create_organization, create_project
from accounts.actions.people import FIRST_ORGANIZATION, FIRST_PROJECT, make_instance_owner
from accounts.audit import SYSTEM, record
from accounts.keys import PUBLIC_PREFIX, SECRET_PREFIX, KeyPair
from accounts.models import ApiKey, Membership, Organization, Project, User
from accounts.roles import Role
from config import env

FIRST_EMAIL = "admin@localhost"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What a newcomer needs. `email` and `password` are empty when they were not made here."""

    url: str
    email: str
    password: str
    organization: str
    project_id: str
    project: str
    public_key: str
    secret_key: str

    def render(self) -> str:
        """What the first start prints."""
        lines = [f"Spanwise is at {self.url}", ""]
        if self.email:
            lines += [f"  Sign in with   {self.email}", f"  Password       {self.password or '(the one you gave)'}"]
        if self.project:
            lines += [f"  Project        {self.organization} / {self.project}"]
        if self.public_key:
            lines += [
                "",
                "Send traces with any Langfuse SDK:",
                "",
                f'export LANGFUSE_PUBLIC_KEY="{self.public_key}"',
                f'export LANGFUSE_SECRET_KEY="{self.secret_key}"',
                f'export LANGFUSE_HOST="{self.url}"',
                f'export LANGFUSE_BASE_URL="{self.url}"',
            ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Init:
    """`LANGFUSE_INIT_*` as given."""

    org_id: str
    org_name: str
    project_id: str
    project_name: str
    project_retention: int
    public_key: str
    secret_key: str
    user_email: str
    user_name: str
    user_password: str

    @classmethod
    def from_environment(cls) -> Init:
        init = cls(
            org_id=env.text("LANGFUSE_INIT_ORG_ID"),
            org_name=env.text("LANGFUSE_INIT_ORG_NAME", "Provisioned Org"),
            project_id=env.text("LANGFUSE_INIT_PROJECT_ID"),
            project_name=env.text("LANGFUSE_INIT_PROJECT_NAME", "Provisioned Project"),
            project_retention=env.number("LANGFUSE_INIT_PROJECT_RETENTION", 0),
            public_key=env.text("LANGFUSE_INIT_PROJECT_PUBLIC_KEY"),
            secret_key=env.text("LANGFUSE_INIT_PROJECT_SECRET_KEY"),
            user_email=env.text("LANGFUSE_INIT_USER_EMAIL").strip().lower(),
            user_name=env.text("LANGFUSE_INIT_USER_NAME"),
            user_password=env.text("LANGFUSE_INIT_USER_PASSWORD"),
        )
        init.check()
        return init

    def check(self) -> None:
        if bool(self.public_key) != bool(self.secret_key):
            raise ImproperlyConfigured(
                "LANGFUSE_INIT_PROJECT_PUBLIC_KEY and LANGFUSE_INIT_PROJECT_SECRET_KEY belong together: give both."
            )
        if self.public_key and not (
            self.public_key.startswith(PUBLIC_PREFIX) and self.secret_key.startswith(SECRET_PREFIX)
        ):
            raise ImproperlyConfigured(
                f"LANGFUSE_INIT_PROJECT_PUBLIC_KEY must start with {PUBLIC_PREFIX} and "
                f"LANGFUSE_INIT_PROJECT_SECRET_KEY with {SECRET_PREFIX}."
            )
        if bool(self.user_email) != bool(self.user_password):
            raise ImproperlyConfigured(
                "LANGFUSE_INIT_USER_EMAIL and LANGFUSE_INIT_USER_PASSWORD belong together: give both."
            )
        if self.user_email:
            try:
                validate_email(self.user_email)
            except ValidationError:
                raise ImproperlyConfigured(
                    f"LANGFUSE_INIT_USER_EMAIL is not an e-mail address: {self.user_email}"
                ) from None
        if not self.org_id and any(name.startswith("LANGFUSE_INIT_") and os.environ[name] for name in os.environ):
            _log.warning("LANGFUSE_INIT_ORG_ID is not set, so all other LANGFUSE_INIT_* are ignored.")


def ensure_first_account() -> FirstStart | None:
    """Makes what is missing. Returns the facts to print on the first start of an instance, None on every later one."""
    init = Init.from_environment()
    with transaction.atomic():
        is_first = not User.objects.exists() and not Organization.objects.exists()
        if init.org_id:
            first = _ensure_named(init, is_first=is_first)
        elif is_first:
            first = _make_first()
        else:
            return None
        if not is_first:
            return None
        # Inside the transaction: a crash must not leave an account behind whose password nobody has seen.
        _keep(first)
    return first


def _make_first() -> FirstStart:
    email, password = _make_first_user()
    owner = User.objects.get(email=email)
    organization = create_organization(owner, name=FIRST_ORGANIZATION, actor=SYSTEM)
    project = create_project(OrganizationScope(organization.pk, Role.OWNER), name=FIRST_PROJECT, actor=SYSTEM)
    key, secret_key = create_api_key(ProjectScope(project.pk, Role.OWNER), note="First key", actor=SYSTEM)
    return _facts(email, password, organization, project, key.public_key, secret_key)


def _make_first_user() -> tuple[str, str]:
    password = secrets.token_urlsafe(12)
    user = User.objects.create_user(FIRST_EMAIL, password, name="Admin")
    make_instance_owner(user)
    record(SYSTEM, "user.create", user, after={"email": user.email})
    return user.email, password


def _ensure_named(init: Init, *, is_first: bool) -> FirstStart:
    organization, is_new = Organization.objects.get_or_create(pk=init.org_id, defaults={"name": init.org_name})
    if is_new:
        record(SYSTEM, "organization.create", organization, after={"name": organization.name})
    email, password = init.user_email, ""
    if email:
        _ensure_user(init)
    elif is_first:  # otherwise nobody could ever sign in to what was just made
        email, password = _make_first_user()
    if email:
        _ensure_owner(organization, email)
    project = _ensure_project(init, organization) if init.project_id else None
    if project is not None and init.public_key:
        _ensure_key(init, project)
    return _facts(email, password, organization, project, init.public_key, init.secret_key)


def _ensure_user(init: Init) -> None:
    if User.objects.filter(email=init.user_email).exists():
        return
    user = User.objects.create_user(init.user_email, init.user_password, name=init.user_name)
    if not User.objects.filter(is_superuser=True).exists():
        make_instance_owner(user)
    record(SYSTEM, "user.create", user, after={"email": user.email})


def _ensure_owner(organization: Organization, email: str) -> None:
    user = User.objects.get(email=email)
    membership, is_new = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": Role.OWNER}
    )
    if is_new:
        record(SYSTEM, "member.add", membership, after={"email": email, "role": membership.role})


def _ensure_project(init: Init, organization: Organization) -> Project:
    is_there = Project.objects.filter(pk=init.project_id).exists()
    if not is_there and Project.objects.present().filter(organization=organization, name=init.project_name).exists():
        raise ImproperlyConfigured(
            f"LANGFUSE_INIT_PROJECT_NAME: {organization.name} has another project that is called {init.project_name}."
        )
    defaults = {
        "name": init.project_name,
        "organization": organization,
        "retention_days": init.project_retention or None,
    }
    project, is_new = Project.objects.get_or_create(pk=init.project_id, defaults=defaults)
    if is_new:
        record(SYSTEM, "project.create", project, after={"name": project.name})
    return project


def _ensure_key(init: Init, project: Project) -> None:
    # A revoked key stays revoked: a restart must not bring back what somebody took away.
    if not ApiKey.objects.filter(public_key=init.public_key).exists():
        scope = ProjectScope(project.pk, Role.OWNER)
        create_api_key(scope, note="Provisioned", pair=KeyPair(init.public_key, init.secret_key), actor=SYSTEM)


def _facts(
    email: str, password: str, organization: Organization, project: Project | None, public_key: str, secret_key: str
) -> FirstStart:
    return FirstStart(
        url=settings.PUBLIC_URL,
        email=email,
        password=password,
        organization=organization.name,
        project_id=project.pk if project else "",
        project=project.name if project else "",
        public_key=public_key if project else "",
        secret_key=secret_key if project else "",
    )


def first_start_file() -> Path:
    return Path(settings.DATA_DIR) / "secrets" / "first-start.json"


def _keep(first: FirstStart) -> None:
    path = first_start_file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(first), file, indent=2)
    draft.replace(path)


def welcome_file() -> Path:
    """What the supervisor prints at each start; it has no database to ask."""
    return Path(settings.DATA_DIR) / "run" / "welcome"


def keep_welcome() -> None:
    """Written by `manage.py prepare`, removed by the first sign-in."""
    path, text = welcome_file(), welcome_text()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if text:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)


def forget_welcome() -> None:
    if not welcome_text():
        welcome_file().unlink(missing_ok=True)


def welcome_text() -> str:
    """What a start prints: everything a newcomer needs, until the first account has signed in; then nothing."""
    try:
        first = FirstStart(**json.loads(first_start_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return ""
    if not User.objects.filter(email=first.email, last_login=None).exists():
        return ""
    return replace(first, url=settings.PUBLIC_URL).render()
