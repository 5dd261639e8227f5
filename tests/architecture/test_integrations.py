"""docs/integrations.md names what the lock files pin, and says how for each row of its table."""

import re

import pytest

from tests.clients.frameworks import table
from tests.clients.frameworks.catalogue import INTEGRATIONS, PROGRAMS


def test_the_table_has_a_row_for_each_integration():
    assert list(table.committed()) == [each.title for each in INTEGRATIONS.values()]


@pytest.mark.parametrize("key", INTEGRATIONS)
def test_the_versions_are_those_that_are_locked(key):
    integration = INTEGRATIONS[key]
    pinned = ", ".join(f"{name} {version}" for name, version in integration.versions().items())
    assert table.committed()[integration.title]["Versions"] == pinned


def test_each_row_has_its_how_to():
    headings = re.findall(r"^### (.+)$", table.DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == [each.title for each in INTEGRATIONS.values()]


def test_each_program_is_run():
    run = {each.program for each in INTEGRATIONS.values()} | {"langfuse_cli.mjs"}
    assert {path.name for path in PROGRAMS.iterdir() if path.is_file()} == run
