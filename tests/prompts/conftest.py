"""What tests of prompts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.prompts.provider_stub import ProviderStub


@pytest.fixture
def provider(settings) -> Iterator[ProviderStub]:
    """A provider on this machine, which requests may reach."""
    with ProviderStub() as stub:
        settings.OUTGOING_ALLOWED = {"llm": [f"localhost:{stub.port}"], "webhook": []}
        yield stub
