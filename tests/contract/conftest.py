"""What several tables of the contract read."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.contract import reads_data
from tests.factories import basic, make_key, make_project
from tests.tracing.api_data import Api


@pytest.fixture(scope="session")
def reads_project_id(analytics_server) -> str:
    """The project whose records are only read, so that they are stored once."""
    project_id = f"reads-{uuid4().hex}"
    reads_data.insert(project_id)
    return project_id


@pytest.fixture
def reads(db, reads_project_id) -> Api:
    """Requests with the key of that project."""
    project = make_project(id=reads_project_id)
    return Api(project.id, basic(make_key(project)), project.organization)
