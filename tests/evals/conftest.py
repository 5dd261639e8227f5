"""What tests of evaluation share."""

from __future__ import annotations

import pytest

from tests.evals.plans import by_indexes
from tests.prompts.conftest import alice, bob, charlie, project, provider, workspace  # noqa: F401 - fixtures for all


@pytest.fixture
def planned_by_indexes(db):
    with by_indexes():
        yield
