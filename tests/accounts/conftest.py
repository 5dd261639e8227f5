"""The cast, signed in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts import access, key_usage
from accounts.models import Organization, Project, User
from tests.factories import Workspace, make_workspace


@pytest.fixture(autouse=True)
def _no_cached_keys() -> Iterator[None]:
    access.forget_keys()
    yield
    access.forget_keys()
    key_usage._noted.clear()
    key_usage._written.clear()


@pytest.fixture(autouse=True)
def _cache_in_memory(settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}


@pytest.fixture
def workspace(db) -> Workspace:
    return make_workspace()


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return workspace.project


@pytest.fixture
def organization(workspace: Workspace) -> Organization:
    return workspace.organization


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
    client.user = user
    return client


@pytest.fixture
def alice(workspace: Workspace) -> Client:
    return _client(workspace.alice)


@pytest.fixture
def bob(workspace: Workspace) -> Client:
    return _client(workspace.bob)


@pytest.fixture
def charlie(workspace: Workspace) -> Client:
    return _client(workspace.charlie)
