"""How allauth signs people up here, and what its mails say about this instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from accounts.models import User


@dataclass(frozen=True, slots=True)
class _Site:
    """What the templates of mails know of the instance."""

    name: str
    domain: str


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return not settings.SIGN_UP_DISABLED

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.name = form.cleaned_data.get("name", "")
        saved: User = super().save_user(request, user, form, commit)
        return saved

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Anybody may ask for a mail to somebody else, under any Host header: it must not say where the links lead."""
        links = {name: _public(value) for name, value in context.items() if name.endswith("_url")}
        site = _Site("Spanwise", settings.PUBLIC_URL)
        super().send_mail(template_prefix, email, {**context, **links, "current_site": site})

    def format_email_subject(self, subject: str) -> str:
        return f"[Spanwise] {subject}"


def _public(url: str) -> str:
    """The same page under the address that people know."""
    parts = urlsplit(url)
    return f"{settings.PUBLIC_URL}{parts.path}{'?' if parts.query else ''}{parts.query}"
