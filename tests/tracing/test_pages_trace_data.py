from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from config.errors import TooExpensive
from tests.tracing.page_data import HOSTILE, observation, put_trace
from tracing.analytics import store
from tracing.models.comments import Comment
from tracing.queries import trace_page
from tracing.queries.trace_page import Totals
from tracing.views.trace.page import is_live

ADDRESSES = ("trace-skeleton", "trace-find", "trace-previews", "trace-log", "trace-log-entry")


def _address(project, name):
    return reverse(f"tracing:{name}", args=[project.pk])


def _lines(answer):
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


def _skeleton(client, project, trace_id, **query):
    head, *parts, said = _lines(client.get(_address(project, "trace-skeleton"), {"trace": trace_id, **query}))
    rows, words, ids = [], [], []
    for part in parts:
        words += part.get("words", [])
        ids += part["id"]
        for at, identity in enumerate(part["id"]):
            parent = part["parent"][at]
            row = {name: part[name][at] for name in ("start", "length", "first", "tokens", "cost")}
            row |= {name: words[part[name][at]] for name in ("type", "name", "level", "model")}
            rows.append({"id": identity, "parent": ids[parent] if isinstance(parent, int) else parent, **row})
    return head, rows, said


def test_ladder(client, alice, bob, charlie, project):
    traced = put_trace(project.pk, name="t")
    for name in ADDRESSES:
        query = {"trace": traced.id, "observation": traced.observations[0].id, "find": "t"}
        assert client.get(_address(project, name), query).status_code == 302
        assert charlie.get(_address(project, name), query).status_code == 404
        assert bob.get(_address(project, name), query).status_code == 200
        assert alice.get(_address(project, name), {"trace": "nope"}).status_code == 404
        assert alice.post(_address(project, name), query).status_code == 405


def test_skeleton_has_every_observation_and_no_content(alice, project):
    child = {
        "id": "c", "type": "GENERATION", "name": "call", "model": "gpt-4o", "level": "ERROR", "total_tokens": 12,
        "total_cost": Decimal("0.25"), "time_to_first_token_us": 300, "input": "secret text",
    }  # fmt: skip
    running = {"id": "r", "name": HOSTILE, "end_time": None, "latency_us": None, "parent_id": "lost"}
    traced = put_trace(project.pk, child, running, root={"id": "root"}, name="t")
    head, rows, _ = _skeleton(alice, project, traced.id)
    assert head["count"] == 3
    assert [row["id"] for row in rows] == ["root", "c", "r"]
    assert [row["parent"] for row in rows] == ["", "root", "lost"]
    assert rows[1] == {
        "id": "c", "parent": "root", "type": "GENERATION", "name": "call", "level": "ERROR", "model": "gpt-4o",
        "start": 10, "length": 1000, "first": 300, "tokens": 12, "cost": 0.25,
    }  # fmt: skip
    assert (rows[2]["length"], rows[2]["name"]) == (None, HOSTILE)
    raw = b"".join(alice.get(_address(project, "trace-skeleton"), {"trace": traced.id}).streaming_content)
    assert b"secret" not in raw


def test_skeleton_comes_in_parts_that_fit_together(alice, project, monkeypatch):
    monkeypatch.setattr(trace_page, "_FIRST_PART", 2)
    monkeypatch.setattr(trace_page, "_PART", 3)
    now = datetime.now(UTC)
    # Several begin at the same time, across the end of a part, and a child comes before its parent.
    children = [{"id": f"o{n}", "parent_id": f"o{n + 1}" if n == 3 else "root"} for n in range(9)]
    traced = put_trace(project.pk, root={"id": "root"}, name="t", at=now)
    same = [observation(traced.id, project.pk, now, **child) for child in children]
    store.insert(observations=same)
    _, rows, _ = _skeleton(alice, project, traced.id)
    assert sorted(row["id"] for row in rows) == sorted([*(f"o{n}" for n in range(9)), "root"])
    parents = {row["id"]: row["parent"] for row in rows}
    assert parents["o3"] == "o4"
    assert {parents[f"o{n}"] for n in range(9) if n != 3} == {"root"}


def test_a_row_that_is_there_twice_moves_no_parent(alice, project, monkeypatch):
    """As a span is whose start was moved to another month, until its old place is cleared."""
    now = datetime.now(UTC)
    before = now - timedelta(days=40)
    traced = put_trace(project.pk, {"id": "moved"}, root={"id": "root"}, name="t", at=before)
    late = [{"id": "moved"}, {"id": "step"}, {"id": "leaf", "parent_id": "step"}]
    rows = [observation(traced.id, project.pk, now + timedelta(seconds=n), **one) for n, one in enumerate(late)]
    store.insert(observations=rows, traces=[replace(traced.trace, last_start=rows[-1].start_time, row_version=2)])
    monkeypatch.setattr(trace_page, "_FIRST_PART", 3)  # the rest refers to places in what was sent before
    _, rows, _ = _skeleton(alice, project, traced.id)
    assert {row["id"]: row["parent"] for row in rows}["leaf"] == "step"


def test_skeleton_after_a_version_has_only_what_is_new(alice, project):
    traced = put_trace(project.pk, {"id": "old"}, root={"id": "root"}, name="t")
    head, _, _ = _skeleton(alice, project, traced.id)
    later = observation(traced.id, project.pk, traced.trace.first_start, id="new", parent_id="root")
    later.row_version = head["version"] + 1
    store.insert(observations=[later])
    head, rows, _ = _skeleton(alice, project, traced.id, after=head["version"])
    assert [row["id"] for row in rows] == ["new"]
    assert head["count"] == 3
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert len(_skeleton(alice, project, traced.id, after=nonsense)[1]) == 3


def test_skeleton_says_scores_and_comments_by_observation(alice, project):
    traced = put_trace(project.pk, {"id": f"c-{project.pk}"}, name="t")
    child = traced.observations[1].id
    score = {"name": "helpful", "value": 0.5, "observation_id": child}
    traced = put_trace(project.pk, {"id": child}, name="t", scores=(score, {"name": "whole", "value": 1.0}))
    Comment.objects.create(project=project, object_type="OBSERVATION", object_id=child, content="so?")
    Comment.objects.create(project=project, object_type="TRACE", object_id=child, content="another")
    _, _, said = _skeleton(alice, project, traced.id)
    assert said == {"scores": {child: [["helpful", 0.5, ""]]}, "comments": {child: 1}}


def test_skeleton_is_zipped_piece_by_piece_for_who_asks(alice, project):
    traced = put_trace(project.pk, {"name": "inner"}, name="t")
    query = {"trace": traced.id}
    plain = b"".join(alice.get(_address(project, "trace-skeleton"), query).streaming_content)
    zipped = alice.get(_address(project, "trace-skeleton"), query, headers={"Accept-Encoding": "br, gzip"})
    assert zipped["Content-Encoding"] == "gzip"
    assert gzip.decompress(b"".join(zipped.streaming_content)) == plain


def test_a_store_that_gives_up_in_the_middle_is_told(alice, project, monkeypatch):
    def gives_up(*_args, **_kwargs):
        yield []
        raise TooExpensive("too much at once")

    traced = put_trace(project.pk, name="t")
    monkeypatch.setattr(trace_page, "skeleton", gives_up)
    lines = _lines(alice.get(_address(project, "trace-skeleton"), {"trace": traced.id}))
    assert "too much at once" in lines[-1]["problem"]


def test_find_looks_into_everything(alice, project):
    traced = put_trace(
        project.pk,
        {"id": "in", "input": "the Needle"}, {"id": "out", "output": "NEEDLE"}, {"id": "name", "name": "needles"},
        {"id": "status", "status_message": "needle"}, {"id": "none"},
        name="t",
    )  # fmt: skip
    found = alice.get(_address(project, "trace-find"), {"trace": traced.id, "find": "needle"}).json()
    assert found == {"ids": ["in", "name", "out", "status"], "cut": False}
    assert alice.get(_address(project, "trace-find"), {"trace": traced.id}).json()["ids"] == []


def test_previews_are_those_asked_for(alice, project):
    traced = put_trace(project.pk, {"id": "a", "input": "asked", "input_preview": "asked"}, {"id": "b"}, name="t")
    query = {"trace": traced.id, "id": ["a", "not there"]}
    assert alice.get(_address(project, "trace-previews"), query).json() == {"a": ["asked", "", ""]}


def test_log_holds_everything_in_order(alice, project, monkeypatch):
    monkeypatch.setattr(trace_page, "_ENTRIES_AT_ONCE", (2, 1))
    children = ({"id": f"o{n}", "output": f"said {n}", "metadata": {"n": str(n)}} for n in range(5))
    traced = put_trace(project.pk, *children, root={"id": "root", "input": HOSTILE}, name="t")
    answer = alice.get(_address(project, "trace-log"), {"trace": traced.id})
    assert "attachment" in answer["Content-Disposition"]
    entries = json.loads(b"".join(answer.streaming_content))
    assert [entry["id"] for entry in entries] == ["root", *(f"o{n}" for n in range(5))]
    assert (entries[0]["input"], entries[5]["output"], entries[5]["metadata"]) == (HOSTILE, "said 4", {"n": "4"})


def test_log_entry_shows_text_as_text(alice, project):
    traced = put_trace(project.pk, root={"id": "root", "input": HOSTILE, "output": '{"a": 1}'}, name="t")
    page = alice.get(_address(project, "trace-log-entry"), {"trace": traced.id, "observation": "root"}).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("running", "age", "is_it"), [(1, 60, True), (1, 3600, False), (0, 1, True), (0, 60, False), (None, 0, False)]
)
def test_live_is_what_may_still_change(running, age, is_it):
    now = datetime(2026, 11, 21, tzinfo=UTC)
    version = int((now - timedelta(seconds=age)).timestamp() * 1_000_000)
    totals = Totals() if running is None else Totals(observations=3, running=running, newest_version=version)
    assert is_live(totals, now) is is_it


def test_a_page_says_what_is_live_and_what_never_ended(alice, project):
    traced = put_trace(project.pk, {"end_time": None, "latency_us": None}, name="t")
    address = reverse("tracing:trace-detail", args=[project.pk, traced.id])
    assert "unfinished" in alice.get(address).content.decode()
    child = traced.observations[1]
    child.row_version = int(datetime.now(UTC).timestamp() * 1_000_000)
    store.insert(observations=[child])
    facts = alice.get(address, headers={"HX-Request": "true", "HX-Target": "trace-facts"}).content.decode()
    assert "data-live" in facts
    assert 'id="tree"' not in facts


def test_the_trace_is_a_part_of_its_own_and_each_show_is_an_address(alice, project):
    traced = put_trace(project.pk, {"name": "inner", "type": "TOOL"}, name="t")
    address = reverse("tracing:trace-detail", args=[project.pk, traced.id])
    part = alice.get(address, headers={"HX-Request": "true", "HX-Target": "trace"}).content.decode()
    assert 'id="trace"' in part
    assert "<html" not in part
    for show, there in (("graph", 'id="aggregated"'), ("log", 'role="cell"'), ("nonsense", 'id="tree"')):
        page = alice.get(address, {"show": show}).content.decode()
        assert there in page
        assert "inner" in page
