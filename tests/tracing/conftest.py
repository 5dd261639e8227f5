"""The cast, signed in, in front of a real analytics server."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Project, User
from tests.factories import Workspace, make_workspace


@pytest.fixture
def workspace(db, settings, analytics_server) -> Workspace:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return make_workspace()


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return workspace.project


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user, "allauth.account.auth_backends.AuthenticationBackend")
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
