"""Every address is for members of a project or an organization, for signed-in people, for keys, or on this list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

#: what anybody may ask for
PUBLIC = {"tracing:theme", "tracing:old-trace", "api-reference-start", "api-reference", "api-operation"}
#: links that the SDKs make: they only lead to the guarded address, which is where the project is looked up
REDIRECTS = ("project/",)
#: parts of the site that have a rule of their own, each with its own tests: keys, allauth, the admin site
OWN_RULES = ("api/", "^/*api", "accounts/", "admin/", "static/")


def _routes(patterns: list[Any], prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str, Any]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _routes(pattern.url_patterns, address, inner)
        elif isinstance(pattern, URLPattern):
            yield address, f"{namespace}{pattern.name}", pattern.callback


ROUTES = [
    route
    for route in _routes(get_resolver().url_patterns)
    if not route[0].startswith(OWN_RULES) and route[1] not in PUBLIC
]


@pytest.mark.parametrize(("address", "name", "view"), ROUTES, ids=[name for _, name, _ in ROUTES])
def test_route_is_guarded(address, name, view):
    is_guarded_page = hasattr(view, "needs_role")
    if address.startswith(REDIRECTS):
        assert getattr(view, "login_required", True)
    elif "<str:project_id>" in address or "<str:organization_id>" in address:
        assert is_guarded_page, f"{address} must be a @project_page or an @organization_page"
        assert view.needs_role is not None
    else:
        assert is_guarded_page or getattr(view, "login_required", True), f"{address} is open to everybody"


#: values of arguments that may not be just anything
_EXAMPLES = {"invitation_id": "1", "noun": "traces", "format": "csv"}


def _example(address: str) -> str:
    return "/" + re.sub(
        r"<(?:\w+:)?(\w+)>", lambda match: _EXAMPLES.get(match[1], "1" if "<int:" in match[0] else "x"), address
    )


@pytest.mark.parametrize(("address", "name", "view"), ROUTES, ids=[name for _, name, _ in ROUTES])
def test_anonymous_people_are_sent_to_sign_in(address, name, view, db):
    for ask in (Client().get, Client().post):
        answer = ask(_example(address))
        is_sent_away = answer.status_code == 302 and answer["Location"].startswith("/accounts/login/")
        assert is_sent_away or answer.status_code == 405, f"{address} answers {answer.status_code}"


def test_every_public_route_exists():
    names = {name for _, name, _ in _routes(get_resolver().url_patterns)}
    assert names >= PUBLIC
