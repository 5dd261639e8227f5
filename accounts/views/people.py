"""A person's own settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import actions
from accounts.access import signed_in
from accounts.audit import Actor
from accounts.forms import UserForm
from accounts.models import User
from accounts.views.answers import see_other
from config.rendering import render_page


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def user_settings(request: HttpRequest, user: User) -> HttpResponse:
    if request.method != "POST":
        return render_page(request, "accounts/user_settings.html", {"form": UserForm(initial={"name": user.name})})
    form = UserForm(request.POST)
    if not form.is_valid():
        return render_page(request, "accounts/user_settings.html", {"form": form}, status=422)
    actions.rename_user(user, name=form.cleaned_data["name"], actor=Actor.of(request))
    messages.success(request, _("Saved."))
    return see_other(reverse("accounts:user-settings"))
