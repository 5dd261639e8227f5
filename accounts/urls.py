"""Settings of projects, organizations and people. Signing in and out is allauth's, under `accounts/`."""

from __future__ import annotations

from django.urls import include, path

from accounts.views import api_keys, members, organizations, palette, people, projects

app_name = "accounts"

project_urls = [  # projects/<project_id>/settings/
    path("", projects.project_settings, name="project-settings"),
    path("rename/", projects.project_rename, name="project-rename"),
    path("delete/", projects.project_delete, name="project-delete"),
    path("api-keys/", api_keys.project_api_keys, name="project-api-keys"),
    path("api-keys/create/", api_keys.project_api_key_create, name="project-api-key-create"),
    path("api-keys/<str:key_id>/revoke/", api_keys.project_api_key_revoke, name="project-api-key-revoke"),
    path("members/", members.project_members, name="project-members"),
    path("members/<str:user_id>/role/", members.project_member_role, name="project-member-role"),
]

organization_urls = [  # organizations/<organization_id>/
    path("", organizations.organization_settings, name="organization-settings"),
    path("rename/", organizations.organization_rename, name="organization-rename"),
    path("projects/create/", organizations.project_create, name="project-create"),
    path("api-keys/", api_keys.organization_api_keys, name="organization-api-keys"),
    path("api-keys/create/", api_keys.organization_api_key_create, name="organization-api-key-create"),
    path("api-keys/<str:key_id>/revoke/", api_keys.organization_api_key_revoke, name="organization-api-key-revoke"),
    path("members/", members.organization_members, name="organization-members"),
    path("members/add/", members.member_add, name="member-add"),
    path("members/<str:user_id>/role/", members.member_role, name="member-role"),
    path("members/<str:user_id>/remove/", members.member_remove, name="member-remove"),
    path("invitations/<int:invitation_id>/withdraw/", members.invitation_withdraw, name="invitation-withdraw"),
]

urlpatterns = [
    path("projects/<str:project_id>/go/", palette.go, name="go"),
    path("projects/<str:project_id>/settings/", include(project_urls)),
    path("organizations/", organizations.organization_list, name="organization-list"),
    path("organizations/create/", organizations.organization_create, name="organization-create"),
    path("organizations/<str:organization_id>/", include(organization_urls)),
    path("user/settings/", people.user_settings, name="user-settings"),
]
