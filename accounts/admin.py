"""The admin site, for whoever runs the instance. Secrets are never shown; the audit log can only be read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.http import HttpRequest

from accounts.audit import Actor, record
from accounts.models import (
    ApiKey,
    AuditLog,
    Invitation,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    User,
)


class Audited(admin.ModelAdmin):  # type: ignore[type-arg]
    """Changes made here are in the audit log too."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        verb = "update" if change else "create"
        record(Actor.of(request), f"admin.{verb}", obj, after={"changed": form.changed_data})

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        record(Actor.of(request), "admin.delete", obj, before={"was": str(obj)})
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


class UserCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]
    class Meta:
        model = User
        fields = ("email",)


@admin.register(User)
class UserAdmin(Audited, BaseUserAdmin):  # type: ignore[type-arg]
    add_form = UserCreationForm
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    readonly_fields = ("last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)


class MembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Membership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Organization)
class OrganizationAdmin(Audited):
    list_display = ("name", "id", "created_at")
    search_fields = ("name", "id")
    readonly_fields = ("id", "created_at", "updated_at")
    inlines = (MembershipInline,)


class ProjectMembershipInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ProjectMembership
    extra = 0
    autocomplete_fields = ("user",)


@admin.register(Project)
class ProjectAdmin(Audited):
    list_display = ("name", "organization", "id", "retention_days", "deleted_at")
    list_select_related = ("organization",)
    search_fields = ("name", "id")
    autocomplete_fields = ("organization",)
    readonly_fields = ("id", "created_at", "updated_at", "deleted_at")
    inlines = (ProjectMembershipInline,)


@admin.register(Membership)
class MembershipAdmin(Audited):
    list_display = ("user", "organization", "role")
    list_filter = ("role",)
    list_select_related = ("user", "organization")
    search_fields = ("user__email", "organization__name")
    autocomplete_fields = ("user", "organization")


@admin.register(ProjectMembership)
class ProjectMembershipAdmin(Audited):
    list_display = ("user", "project", "role")
    list_filter = ("role",)
    list_select_related = ("user", "project")
    search_fields = ("user__email", "project__name")
    autocomplete_fields = ("user", "project")


@admin.register(Invitation)
class InvitationAdmin(Audited):
    list_display = ("email", "organization", "role", "created_at")
    list_select_related = ("organization",)
    search_fields = ("email",)
    autocomplete_fields = ("organization", "project", "invited_by")
    readonly_fields = ("created_at",)


@admin.register(ApiKey)
class ApiKeyAdmin(Audited):
    """Keys are made on the pages, where their secret is shown once; here they can be looked at and revoked."""

    list_display = ("public_key", "display_secret", "project", "organization", "note", "last_used_at", "revoked_at")
    list_select_related = ("project", "organization")
    list_filter = ("revoked_at",)
    search_fields = ("public_key", "note")
    fields = (
        "public_key",
        "display_secret",
        "project",
        "organization",
        "note",
        "created_by",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    readonly_fields = (
        "public_key",
        "display_secret",
        "project",
        "organization",
        "created_by",
        "created_at",
        "last_used_at",
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(AuditLog)
class AuditLogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("at", "actor", "action", "object_type", "object_id", "ip")
    list_filter = ("action",)
    search_fields = ("actor", "object_id", "project_id", "organization_id")
    date_hierarchy = "at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
