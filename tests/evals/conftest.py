"""What tests of evaluation share."""

from __future__ import annotations

from tests.prompts.conftest import alice, bob, charlie, project, provider, workspace  # noqa: F401 - fixtures for all
