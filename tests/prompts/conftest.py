"""What tests of prompts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from accounts.models import Project
from tests.factories import Workspace, make_workspace
from tests.prompts.playground import signed_in
from tests.prompts.provider_stub import ProviderStub


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_workspace()


@pytest.fixture
def project(workspace: Workspace) -> Project:
    return workspace.project


@pytest.fixture
def alice(workspace: Workspace) -> Client:
    return signed_in(workspace.alice)


@pytest.fixture
def bob(workspace: Workspace) -> Client:
    return signed_in(workspace.bob)


@pytest.fixture
def charlie(workspace: Workspace) -> Client:
    return signed_in(workspace.charlie)


@pytest.fixture
def provider(settings) -> Iterator[ProviderStub]:
    """A provider on this machine, which requests may reach."""
    with ProviderStub() as stub:
        settings.OUTGOING_ALLOWED = {"llm": [f"localhost:{stub.port}"], "webhook": []}
        yield stub
