"""API keys of a project or an organization: listed, created, revoked."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import actions
from accounts.access import OrganizationScope, ProjectScope, organization_page, project_page
from accounts.audit import Actor
from accounts.forms import ApiKeyForm
from accounts.queries import get_organization, get_project, list_api_keys
from accounts.roles import Role
from accounts.views.answers import see_other
from accounts.views.forms_in_pages import submit
from config.posting import posted_from
from config.rendering import render_page

Scope = ProjectScope | OrganizationScope


@require_safe
@project_page(Role.MEMBER)
def project_api_keys(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _page(request, scope)


@never_cache
@posted_from("accounts:project-api-keys")
@project_page(Role.ADMIN)
def project_api_key_create(request: HttpRequest, scope: ProjectScope) -> HttpResponse:
    return _create(request, scope)


@posted_from("accounts:project-api-keys")
@project_page(Role.ADMIN)
def project_api_key_revoke(request: HttpRequest, scope: ProjectScope, key_id: str) -> HttpResponse:
    return _revoke(request, scope, key_id)


@require_safe
@organization_page(Role.ADMIN)
def organization_api_keys(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    return _page(request, scope)


@never_cache
@posted_from("accounts:organization-api-keys")
@organization_page(Role.ADMIN)
def organization_api_key_create(request: HttpRequest, scope: OrganizationScope) -> HttpResponse:
    return _create(request, scope)


@posted_from("accounts:organization-api-keys")
@organization_page(Role.ADMIN)
def organization_api_key_revoke(request: HttpRequest, scope: OrganizationScope, key_id: str) -> HttpResponse:
    return _revoke(request, scope, key_id)


def _create(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Shows the new pair in the answer itself: for a redirect the secret would have to be kept somewhere."""
    form = ApiKeyForm(request.POST)
    new = submit(
        form,
        lambda: actions.create_api_key(
            scope, note=form.cleaned_data["note"], expires_at=form.expires_at, actor=Actor.of(request)
        ),
    )
    if new is None:
        return _page(request, scope, form=form, status=422)
    return _page(request, scope, new=new)


def _revoke(request: HttpRequest, scope: Scope, key_id: str) -> HttpResponse:
    key = actions.revoke_api_key(scope, key_id=key_id, actor=Actor.of(request))
    messages.success(request, _("The key %(key)s is revoked.") % {"key": key.public_key})
    return see_other(_list_url(scope))


def _list_url(scope: Scope) -> str:
    if isinstance(scope, ProjectScope):
        return reverse("accounts:project-api-keys", args=[scope.project_id])
    return reverse("accounts:organization-api-keys", args=[scope.organization_id])


def _page(
    request: HttpRequest,
    scope: Scope,
    *,
    form: ApiKeyForm | None = None,
    new: actions.NewKey | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, object] = {
        "scope": scope,
        "keys": list_api_keys(scope),
        "form": form or ApiKeyForm(),
        "new": new,
        "snippet": _snippet(new) if new else "",
        "may_edit": scope.role.allows(Role.ADMIN),
    }
    if isinstance(scope, ProjectScope):
        context |= {"project": get_project(scope), "place": scope.project_id}
        return render_page(request, "accounts/project_api_keys.html", context, status=status)
    context |= {"organization": get_organization(scope), "place": scope.organization_id}
    return render_page(request, "accounts/organization_api_keys.html", context, status=status)


def _snippet(new: actions.NewKey) -> str:
    return "\n".join(
        [
            f'LANGFUSE_PUBLIC_KEY="{new.key.public_key}"',
            f'LANGFUSE_SECRET_KEY="{new.secret_key}"',
            f'LANGFUSE_HOST="{settings.PUBLIC_URL}"',
            f'LANGFUSE_BASE_URL="{settings.PUBLIC_URL}"',
        ]
    )
