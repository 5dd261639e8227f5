"""Runs of a playground's windows: started, worked on, stopped and lost, against a provider on this machine."""

from __future__ import annotations

import pytest

from prompts.models import RunStatus
from tests.factories import make_workspace
from tests.prompts.playground import begin, connect, finished, state, window
from tests.prompts.provider_stub import HELLO

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace():
    return make_workspace()


@pytest.fixture
def alice(workspace, client):
    client.force_login(workspace.alice)
    return client


@pytest.fixture
def playground(alice, workspace, provider, broker):
    connect(workspace.project, provider)
    return begin(alice, workspace.project)


def test_a_run_says_what_the_model_said(alice, playground):
    [run] = finished(alice, playground, state(window()))
    assert run.status == RunStatus.DONE, run.error
    assert run.message == {"role": "assistant", "content": HELLO}
