"""The cast, signed in, in front of a real analytics server; a client that sends, and an inbox for it."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import Project, User
from tests.factories import Workspace, make_workspace
from tests.tracing.sender import Sender
from tracing.ingest import doorbell, drain, receive
from tracing.ingest.inbox import FolderInbox


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


@pytest.fixture
def own_inbox(tmp_path, monkeypatch):
    """An inbox of this test's own, and a worker that is called by the test."""
    inbox = FolderInbox(tmp_path / "inbox")
    monkeypatch.setattr(drain, "inbox", inbox)
    monkeypatch.setattr(receive._commits, "inbox", inbox)
    monkeypatch.setattr(doorbell, "call_worker", lambda: None)
    monkeypatch.setattr(doorbell, "_silent_until", 0.0)
    doorbell.broker().flushall()
    return inbox


@pytest.fixture
def sender():
    return Sender()
