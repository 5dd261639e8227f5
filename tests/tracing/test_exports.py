"""Exports of what a list matches: complete, harmless in a spreadsheet, and honest when they are cut short."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from config.errors import TooExpensive, Unavailable
from tests.tracing.page_data import put_trace
from tracing.queries import exports

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

NOW = datetime.now(UTC)


def url(project, noun="traces", format="csv", query="range=all"):
    return reverse("tracing:export", args=[project.pk, noun, format]) + f"?{query}"


def body(answer):
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode("utf-8-sig")


def as_csv(answer):
    return list(csv.DictReader(io.StringIO(body(answer))))


def lines(answer):
    return [json.loads(line) for line in body(answer).splitlines()]


def test_everything_that_matches_is_there_once_over_many_batches(alice, project, monkeypatch):
    monkeypatch.setattr(exports, "_BATCH", 3)
    wanted = {
        put_trace(
            project.pk, name="in", at=NOW - timedelta(minutes=number), input_preview="short", input="long " * 500
        ).id
        for number in range(1, 11)
    }
    put_trace(project.pk, name="out")
    found = as_csv(alice.get(url(project, query="range=all&q=name:in")))
    assert [row["id"] for row in found] != []
    assert sorted(row["id"] for row in found) == sorted(wanted)
    assert all(row["input"] == "long " * 500 for row in found)
    assert sorted(
        row["id"] for row in lines(alice.get(url(project, format="jsonl", query="range=all&q=name:in")))
    ) == sorted(wanted)


def test_all_fields_and_all_scores_come_unless_columns_are_chosen(alice, project):
    put_trace(
        project.pk, name="one", tags=["a", "b"], metadata={"region": "eu"}, user_id="u", output='{"x": 1}',
        root={"total_tokens": 12, "level": "ERROR"}, scores=({"name": "helpful", "value": 0.5},),
    )  # fmt: skip
    row = lines(alice.get(url(project, format="jsonl")))[0]
    assert (row["tag"], row["metadata"], row["scores"]) == (["a", "b"], {"region": "eu"}, {"helpful": 0.5})
    assert (row["tokens"], row["level"], row["latency"], row["output"]) == (12, "ERROR", 1.0, '{"x": 1}')
    assert datetime.fromisoformat(row["time"]).tzinfo is not None
    chosen = as_csv(
        alice.get(url(project, query="range=all&fields=columns&columns=cost,name,scores.helpful,nonsense"))
    )[0]
    assert list(chosen) == ["cost", "name", "scores.helpful"]
    assert chosen["scores.helpful"] == "0.5"
    every = as_csv(alice.get(url(project)))[0]
    assert (every["scores.helpful"], every["tag"], every["metadata"]) == ("0.5", '["a","b"]', '{"region":"eu"}')


def test_observations_are_exported_too(alice, project):
    trace = put_trace(project.pk, {"name": "step", "type": "TOOL", "input": "whole"}, name="one")
    found = lines(alice.get(url(project, "observations", "jsonl", "range=all&q=name:step")))
    assert [(row["id"], row["trace"], row["type"], row["input"]) for row in found] == [
        (trace.observations[1].id, trace.id, "TOOL", "whole")
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@cmd", "\t=1", " =1", "=HYPERLINK(1)"])
def test_a_cell_is_no_formula(alice, project, text):
    put_trace(project.pk, name=text)
    assert as_csv(alice.get(url(project)))[0]["name"] == f"'{text}"
    assert lines(alice.get(url(project, format="jsonl")))[0]["name"] == text


def test_names_of_files_say_what_is_in_them(alice, project):
    project.name = 'Füße "; x/..\n'
    project.save()
    answer = alice.get(url(project, format="jsonl"))
    assert answer["Content-Disposition"].startswith('attachment; filename="F-e-x')
    assert answer["Content-Disposition"].endswith('Z.jsonl"')
    assert "\n" not in answer["Content-Disposition"]


def failing_after_one(monkeypatch):
    real = exports.each_batch

    def each_batch(*args, **kwargs):
        yield next(real(*args, **kwargs))
        raise Unavailable("The store is away.")

    monkeypatch.setattr(exports, "each_batch", each_batch)


def test_an_export_that_is_cut_short_says_so(alice, project, monkeypatch):
    put_trace(project.pk, name="one")
    failing_after_one(monkeypatch)
    found = lines(alice.get(url(project, format="jsonl")))
    assert found[0]["name"] == "one"
    assert "incomplete" in found[-1]["error"]
    pieces = iter(alice.get(url(project)).streaming_content)
    assert b"one" in next(pieces) + next(pieces)
    assert next(pieces).startswith(b"ERROR,")
    with pytest.raises(Unavailable):
        next(pieces)


@pytest.mark.parametrize(("error", "status"), [(TooExpensive("Too much."), 422), (Unavailable("Away."), 503)])
def test_what_cannot_be_read_at_all_is_no_file(alice, project, monkeypatch, error, status):
    def each_batch(*_args, **_kwargs):
        raise error
        yield

    monkeypatch.setattr(exports, "each_batch", each_batch)
    answer = alice.get(url(project))
    assert answer.status_code == status
    assert not answer.streaming


def test_bad_addresses_and_strangers(alice, bob, charlie, project):
    put_trace(project.pk)
    assert alice.get(url(project, query="q=latencyy:>2")).status_code == 400
    assert alice.get(url(project, format="xlsx")).status_code == 404
    assert alice.get(url(project, noun="users")).status_code == 404
    assert len(as_csv(bob.get(url(project)))) == 1
    assert charlie.get(url(project)).status_code == 404
    assert body(alice.get(url(project, query="range=all&q=name:nobody"))).count("\n") == 1
