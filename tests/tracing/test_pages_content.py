"""The content pane without a browser: attributes, exceptions, sums, downloads that are complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from tests.tracing.page_data import put_trace
from tracing.views import stack_traces
from tracing.views.attributes import attributes_of, search_for

OTLP = "/api/public/otel/v1/traces"


def _pane(client, project, traced, **query):
    return client.get(reverse("tracing:trace-detail", args=[project.pk, traced.id]), query).content.decode()


def _get(client, name, project, **query):
    return client.get(reverse(f"tracing:{name}", args=[project.pk]), query)


def test_attributes_are_flat_and_searched_as_they_are_stored():
    found = attributes_of({"region": "eu", "plan": '{"seats": [1, 2], "tiers": [{"n": 1}]}', "long": "x" * 500})
    assert [(attribute.path, attribute.value) for attribute in found] == [
        ("long", "x" * 500), ("plan.seats", [1, 2]), ("plan.tiers[0].n", 1), ("region", "eu"),
    ]  # fmt: skip
    assert found[3].search == "?q=metadata.region%3Aeu&range=all"
    assert not any(attribute.search for attribute in found[:3])
    assert search_for("name", 'a "b"').startswith("?q=name%3A%22a+%5C%22b%5C%22%22")


PYTHON = (
    'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\n    g()\n'
    '  File "/x/site-packages/l/a.py", line 2, in g\n    h()\n  File "/x/site-packages/l/b.py", line 3, in h\n    i()\n'
    "ValueError: no\n\nDuring handling of the above exception, another exception occurred:\n\nKeyError: 'x'"
)
NODE = (
    "Error: no\n    at own (/app/src/a.ts:1:2)\n    at lib (/app/node_modules/l/i.js:3:4)\n"
    "    at node:internal/process:95:5"
)
JAVA = (
    "java.lang.Error: no\n\tat com.shop.A.f(A.java:1)\n\tat java.base/x.Y.g(Y.java:2)\n"
    "Caused by: java.io.IOException: x"
)


@pytest.mark.parametrize("text", [PYTHON, NODE, JAVA, "no trace at all", "", "a\n" * 5_000])
def test_no_line_of_a_stack_trace_is_lost(text):
    blocks = stack_traces.read(text)
    assert "\n".join(line.text for block in blocks for line in block.lines) == text


def test_libraries_and_causes_are_told_from_own_frames():
    own, library, rest = stack_traces.read(PYTHON)
    assert [line.kind for line in own.lines] == ["heading", "frame", "source"]
    assert (library.is_library, library.frames) == (True, 2)
    assert [line.kind for line in rest.lines if line.text] == ["text", "cause", "text"]
    assert [block.is_library for block in stack_traces.read(NODE)] == [False, True]
    assert "cause" in [line.kind for block in stack_traces.read(JAVA) for line in block.lines]


def test_a_parent_says_what_lies_below_it(alice, project):
    child = {"total_tokens": 7, "level": "ERROR"}
    traced = put_trace(project.pk, child, {"name": "leaf"}, root={"total_tokens": 1}, name="t")
    page = _pane(alice, project, traced)
    assert "with 2 below" in page
    assert "1 error" in page
    assert "with 2 below" not in _pane(alice, project, traced, observation=traced.observations[2].id)


@pytest.mark.parametrize(("status", "times"), [("E: no route", 0), ("no route", 0), ("gave up after three tries", 1)])
def test_what_an_exception_says_is_not_said_again_by_the_status(alice, project, status, times):
    attributes = {"exception.type": "E", "exception.message": "no route"}
    events = json.dumps([{"name": "exception", "time": "2026-01-01T00:00:00Z", "attributes": attributes}])
    step = {"name": "s", "level": "ERROR", "status_message": status, "events": events}
    traced = put_trace(project.pk, step, name="t")
    page = _pane(alice, project, traced, observation=traced.observations[1].id)
    assert page.count('<pre class="status">no route</pre>') == 1
    assert page.count(f'<pre class="status">{status}</pre>') == (times or int(status == "no route"))


def test_calls_lead_to_the_span_in_which_they_ran(alice, project):
    call = [{"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "look_up", "arguments": "{}"}}]}]
    root = {"type": "GENERATION", "output": json.dumps(call)}
    traced = put_trace(project.pk, {"name": "look_up", "type": "TOOL"}, root=root, name="t")
    page = _pane(alice, project, traced)
    assert f'data-observation="{traced.observations[1].id}"' in page


def test_every_text_has_addresses_of_its_own(alice, charlie, project):
    messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "*second*"}]
    traced = put_trace(project.pk, root={"input": json.dumps(messages), "metadata": {"n": "1.10", "o": '{"a": 1.10}'}})
    where = {"trace": traced.id, "observation": traced.observations[0].id}
    raw = {**where, "field": "input"}
    assert _get(alice, "trace-raw", project, **raw).content.decode() == json.dumps(messages)
    assert _get(alice, "trace-raw", project, **raw, message="1").content.decode() == "*second*"
    assert "**user**\n\nfirst" in _get(alice, "trace-raw", project, **{"as": "markdown"}, **raw).content.decode()
    assert _get(alice, "trace-raw", project, **where, field="metadata").content == b'{"n":"1.10","o":{"a": 1.10}}'
    for bad in ({"message": "9"}, {"message": "x"}, {"message": "9" * 40}, {"field": "id"}):
        assert _get(alice, "trace-raw", project, **{**raw, **bad}).status_code == 404
    for name in ("trace-raw", "record-download", "trace-download"):
        assert _get(charlie, name, project, **raw).status_code == 404
        assert _get(alice, name, project, trace="nope", field="input").status_code == 404


def test_a_small_text_does_not_become_a_vast_table(alice, project):
    """Cells that a row leaves out are filled in: 12 KB of this would be 800,000 cells."""
    wide = "|a" * 200 + "|\n" + "|-" * 200 + "|\n"
    few = "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 3000
    for text, is_table in ((wide + "|x\n" * 4000, False), (wide + "|x\n" * 9, True), (few, True)):
        traced = put_trace(project.pk, name="t", root={"input": text})
        page = alice.get(reverse("tracing:trace-detail", args=[project.pk, traced.id])).content.decode()
        assert ("<td>" in page) is is_table


def test_a_download_holds_everything_digit_by_digit(alice, project):
    many = ({"name": f"step {n}", "output": '{"n": 123456789012345678901.10}'} for n in range(450))
    traced = put_trace(project.pk, *many, name="t", scores=({"name": "good", "value": 1.0, "comment": "yes"},))
    answer = _get(alice, "trace-download", project, trace=traced.id)
    assert answer["Content-Disposition"].startswith("attachment")
    text = b"".join(answer.streaming_content).decode()
    whole = json.loads(text)
    assert [one["id"] for one in whole["observations"]] == [one.id for one in traced.observations]
    assert text.count("123456789012345678901.10") == 450
    assert whole["scores"][0]["comment"] == "yes"
    one = _get(alice, "record-download", project, trace=traced.id, observation=traced.observations[3].id)
    assert json.loads(one.content)["name"] == "step 2"


def test_a_trace_taken_as_otlp_is_the_same_trace_elsewhere(alice, project, broker, own_inbox, sender):
    from tracing.ingest import drain

    start = datetime.now(UTC).replace(microsecond=123) - timedelta(minutes=5)
    child = {
        "name": "call", "type": "GENERATION", "model": "gpt-4o", "input": '[{"role": "user", "content": "hi"}]',
        "output": "ho",
        "provided_usage": {"input": 3, "output": 5}, "level": "ERROR", "status_message": "broke", "environment": "dev",
        "metadata": {"region": "eu", "attributes.http.route": "/x", "resourceAttributes.host": "h", "scope.name": "s"},
        "events": json.dumps([{"name": "exception", "time": start.isoformat(), "attributes": {"exception.type": "E"}}]),
        "id": "b" * 16,
    }  # fmt: skip
    root = {"id": "a" * 16}
    traced = put_trace(project.pk, child, root=root, name="t", id="c" * 32, at=start, user_id="u", tags=["x"])
    body = b"".join(_get(alice, "trace-download", project, trace=traced.id, **{"as": "otlp"}).streaming_content)
    assert sender.post(OTLP, body).status_code == 200
    drain.drain()
    copied = {one.id: one for one in sender.observations()}
    assert set(copied) == {"a" * 16, "b" * 16}
    copy, original = copied["b" * 16], traced.observations[1]
    for name in (
        "name",
        "type",
        "model",
        "input",
        "output",
        "level",
        "status_message",
        "start_time",
        "end_time",
        "environment",
        "parent_id",
    ):
        assert getattr(copy, name) == getattr(original, name), name
    assert copy.metadata["region"] == "eu"
    assert copy.metadata["attributes.http.route"] == "/x"
    assert copy.metadata["resourceAttributes.host"] == "h"
    assert "exception" in copy.events
    assert sender.traces()[0].tags == ["x"]
