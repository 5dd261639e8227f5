"""Who works here: people, organizations, their projects, roles, invitations, API keys and the log of every change."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn
from uuid import uuid4

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.roles import Role

#: as Langfuse does, so that a name valid there is valid here
NAME_MAX_LENGTH = 60


def new_id() -> str:
    """Ids are text: an installation may bring its own (`LANGFUSE_INIT_PROJECT_ID=my-project`)."""
    return str(uuid4())


def new_user_id() -> str:
    """Without dashes: the links to a new password are `<id>-<token>`, split at the first dash."""
    return uuid4().hex


def role_choices(*roles: Role) -> list[tuple[str, str]]:
    return [(role.value, role.value.capitalize()) for role in roles or tuple(Role)]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail address. Addresses are kept in lower case: two spellings are one person."""

    id = models.CharField(primary_key=True, max_length=255, default=new_user_id, editable=False)
    email = models.EmailField(unique=True, error_messages={"unique": "There is already an account with this e-mail."})
    name = models.CharField(max_length=NAME_MAX_LENGTH, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("may open the admin site", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)

    @property
    def display_name(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return self.display_name


class Organization(models.Model):
    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class ProjectQuerySet(models.QuerySet["Project"]):
    def present(self) -> ProjectQuerySet:
        return self.filter(deleted_at=None)


class Project(models.Model):
    """A room of its own: nothing in it is visible from another. A deleted one stays until its data are gone."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    metadata = models.JSONField(default=dict, blank=True)
    retention_days = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: kept for ever.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                "organization", "name", condition=Q(deleted_at=None), name="project_name_in_organization"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in an organization, and so in each of its projects that says nothing else."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=role_choices())
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("organization", "user", name="one_membership")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.organization_id}"


class ProjectMembership(models.Model):
    """A role in one project that replaces the organization's; NONE hides the project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="project_memberships")
    role = models.CharField(max_length=10, choices=role_choices())
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("project", "user", name="one_project_membership")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role} of {self.project_id}"


class Invitation(models.Model):
    """A role that waits for somebody to sign up with this e-mail address."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=role_choices())
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="invitations")
    project_role = models.CharField(max_length=10, blank=True, choices=role_choices())
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint("organization", Lower("email"), name="one_invitation")]

    def __str__(self) -> str:
        return f"{self.email} as {self.role} of {self.organization_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)


class ApiKey(models.Model):
    """A pair of keys for one project, or for the administration of one organization. The secret is not stored."""

    id = models.CharField(primary_key=True, max_length=255, default=new_id, editable=False)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys")
    organization = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.CASCADE, related_name="api_keys"
    )
    public_key = models.CharField(max_length=255, unique=True)
    secret_hash = models.CharField(max_length=64, editable=False)
    display_secret = models.CharField(max_length=20, editable=False)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(project=None, organization__isnull=False) | Q(project__isnull=False, organization=None),
                name="key_of_project_or_organization",
            )
        ]

    def __str__(self) -> str:
        return self.public_key

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class AuditLogQuerySet(models.QuerySet["AuditLog"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("The audit log is append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("The audit log is append-only.")


class AuditLog(models.Model):
    """What somebody changed. References are plain ids, so that an entry outlives everything it speaks of."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor_id = models.CharField(max_length=255, blank=True)
    actor = models.CharField(max_length=254, blank=True, help_text="E-mail, public key, or empty for the system.")
    ip = models.GenericIPAddressField(null=True, blank=True)
    organization_id = models.CharField(max_length=255, blank=True)
    project_id = models.CharField(max_length=255, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=255)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    objects = AuditLogQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["organization_id", "-at"], name="audit_of_organization"),
            models.Index(fields=["project_id", "-at"], name="audit_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.actor or 'system'}: {self.action} {self.object_type} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The audit log is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The audit log is append-only.")
