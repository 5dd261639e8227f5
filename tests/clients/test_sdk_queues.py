"""Annotation queues as programs fill and follow them; people find on the pages what the programs made."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.clients.conftest import eventually


@pytest.mark.parametrize(
    ("client", "program"), [("langfuse-python-5", "queues.py"), ("langfuse-js-5", "queues_js5.mjs")]
)
def test_a_program_fills_a_queue_and_follows_it(run, server, pages, client, program):
    name = f"回答 {uuid.uuid4().hex[:8]}"
    got = json.loads(run(client, program, name).output.strip().splitlines()[-1])
    assert (got["pending"], got["status"], got["completed"], got["left"]) == ([got["trace"]], "COMPLETED", True, 0)
    project = f"/projects/{server.project_id}"
    listed = pages.get(f"{project}/annotation-queues/").text
    assert name in listed

    def is_shown():
        page = pages.get(f"{project}/annotation-queues/{got['queue']}/").text
        assert "answer" in page
        assert "not in the project" not in page
        assert "Completed" in page

    eventually(is_shown)
    old = pages.get(f"/project/{server.project_id}/annotation-queues/{got['queue']}", follow_redirects=False)
    assert old.headers["Location"] == f"{project}/annotation-queues/{got['queue']}/"
